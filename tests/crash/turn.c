/* Threads that take turns. */
#include "crash/turn.h"

#include "platform/thread.h"
#include "support/support.h"

#include <pthread.h>
#include <stdlib.h>

struct turn {
	pthread_t thread;
	void (*body)(void *arg);
	void *arg;
	int stage; /* that it has reached */
	int wanted; /* up to which it may go on */
	bool ended;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards all that follows */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct turn *running; /* NULL: the test itself */

static struct {
	bool (*let_go)(void *arg); /* NULL: nobody cares for those that would sleep */
	void *arg;
	pthread_t test;
} asleep;

static _Thread_local struct turn *own;

static void pass_to(struct turn *next)
{
	running = next;
	(void)pthread_cond_broadcast(&changed);
}

static void wait_for(struct turn *who)
{
	while (running != who)
		(void)pthread_cond_wait(&changed, &mutex);
}

static void *run(void *arg)
{
	struct turn *turn = arg;

	own = turn;
	(void)pthread_mutex_lock(&mutex);
	wait_for(turn);
	(void)pthread_mutex_unlock(&mutex);
	turn->body(turn->arg);
	(void)pthread_mutex_lock(&mutex);
	turn->ended = true;
	pass_to(NULL);
	(void)pthread_mutex_unlock(&mutex);
	return NULL;
}

struct turn *turn_new(void (*body)(void *arg), void *arg)
{
	struct turn *turn = test_alloc(sizeof *turn);

	*turn = (struct turn){ .body = body, .arg = arg };
	assert_int_equal(pthread_create(&turn->thread, NULL, run, turn), 0);
	return turn;
}

bool turn_go(struct turn *turn, int stage)
{
	(void)pthread_mutex_lock(&mutex);
	turn->wanted = stage;
	if (!turn->ended && turn->stage < stage) {
		pass_to(turn);
		wait_for(NULL);
	}
	(void)pthread_mutex_unlock(&mutex);
	return turn->ended;
}

void turn_reached(int stage)
{
	if (own == NULL)
		return;
	(void)pthread_mutex_lock(&mutex);
	if (stage > own->stage)
		own->stage = stage;
	if (stage >= own->wanted) {
		pass_to(NULL);
		wait_for(own);
	}
	(void)pthread_mutex_unlock(&mutex);
}

bool turn_look_again(struct turn *turn)
{
	return turn_go(turn, turn->wanted); /* which it has not reached */
}

static bool stop_instead(void)
{
	if (own == NULL) /* another thread may be one of the engine's own */
		return pthread_equal(pthread_self(), asleep.test) && asleep.let_go(asleep.arg);
	(void)pthread_mutex_lock(&mutex);
	pass_to(NULL);
	wait_for(own);
	(void)pthread_mutex_unlock(&mutex);
	return true;
}

void turn_on_sleep(bool (*let_go)(void *arg), void *arg)
{
	asleep.let_go = let_go;
	asleep.arg = arg;
	asleep.test = pthread_self();
	sopi_sleep_hook = let_go != NULL ? stop_instead : NULL;
}

int turn_stage(const struct turn *turn)
{
	return turn->stage; /* it waits, or has ended */
}

bool turn_is(const struct turn *turn)
{
	return turn != NULL && own == turn;
}

void turn_free(struct turn *turn)
{
	if (turn == NULL)
		return;
	assert_true(turn_go(turn, TURN_END));
	(void)pthread_join(turn->thread, NULL);
	free(turn);
}

void turn_free_all(struct turn **turns, size_t count)
{
	for (size_t round = 0; round + 1 < count; round++) /* each lets one go on, at least */
		for (size_t i = 0; i < count; i++)
			if (turns[i] != NULL)
				(void)turn_go(turns[i], TURN_END);
	for (size_t i = 0; i < count; i++) {
		turn_free(turns[i]);
		turns[i] = NULL;
	}
}
