/* Threads that take turns. */
#include "crash/turn.h"

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
	(void)turn_go(turn, TURN_END);
	(void)pthread_join(turn->thread, NULL);
	free(turn);
}
