/* Threads, mutexes, condition variables, futexes, and what a fork does. */
#include "platform/fork.h"
#include "platform/thread.h"

#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, MS_NS = 1000000 };

/* ---- mutex */

struct counter {
	sopi_mutex mutex;
	long count;
};

static void count_in_thread(size_t index, void *arg)
{
	struct counter *counter = arg;

	(void)index;
	for (int i = 0; i < 20000; i++) {
		if (i % 4 == 0) {
			while (!sopi_mutex_trylock(&counter->mutex))
				sopi_cpu_relax();
		} else if (i % 4 == 1) {
			while (!sopi_mutex_lock_until(&counter->mutex, test_now_ns() + MS_NS))
				sopi_yield();
		} else {
			sopi_mutex_lock(&counter->mutex);
		}
		counter->count++;
		sopi_mutex_unlock(&counter->mutex);
	}
}

static void one_thread_at_a_time_holds_a_mutex(void **state)
{
	struct counter counter = { .count = 0 };

	(void)state;
	sopi_mutex_init(&counter.mutex);
	test_run_threads(THREADS, count_in_thread, &counter);
	sopi_mutex_destroy(&counter.mutex);
	assert_int_equal(counter.count, THREADS * 20000);
}

static void a_held_mutex_is_not_taken(void **state)
{
	sopi_mutex mutex;
	const int64_t begin_ns = test_now_ns();

	(void)state;
	sopi_mutex_init(&mutex);
	sopi_mutex_lock(&mutex);
	assert_false(sopi_mutex_trylock(&mutex));
	assert_false(sopi_mutex_lock_until(&mutex, begin_ns + 5 * MS_NS));
	assert_true(test_now_ns() - begin_ns >= 5 * MS_NS);
	assert_false(sopi_mutex_lock_until(&mutex, 0)); /* long past */
	sopi_mutex_unlock(&mutex);
	assert_true(sopi_mutex_lock_until(&mutex, 0)); /* free: taken even so */
	sopi_mutex_unlock(&mutex);
	assert_true(sopi_mutex_trylock(&mutex));
	sopi_mutex_unlock(&mutex);
	sopi_mutex_destroy(&mutex);
}

/* ---- condition variable */

struct gate {
	sopi_mutex mutex;
	sopi_cond cond;
	int waiting;
	bool open;
	_Atomic int through;
};

static void pass_gate(void *arg)
{
	struct gate *gate = arg;

	sopi_mutex_lock(&gate->mutex);
	gate->waiting++;
	while (!gate->open)
		sopi_cond_wait(&gate->cond, &gate->mutex);
	sopi_mutex_unlock(&gate->mutex);
	gate->through++;
}

static void a_broadcast_wakes_everyone(void **state)
{
	struct gate gate = { .open = false };
	sopi_thread threads[THREADS];
	sop_error err = SOP_ERROR_INIT;
	int waiting = 0;

	(void)state;
	sopi_mutex_init(&gate.mutex);
	sopi_cond_init(&gate.cond);
	for (int i = 0; i < THREADS; i++)
		TEST_OK(sopi_thread_start(&threads[i], "gate", pass_gate, &gate, &err), err);
	while (waiting < THREADS) {
		sopi_mutex_lock(&gate.mutex);
		waiting = gate.waiting;
		sopi_mutex_unlock(&gate.mutex);
	}
	assert_int_equal(gate.through, 0);
	sopi_mutex_lock(&gate.mutex);
	gate.open = true;
	sopi_cond_broadcast(&gate.cond);
	sopi_mutex_unlock(&gate.mutex);
	for (int i = 0; i < THREADS; i++)
		sopi_thread_join(&threads[i]);
	assert_int_equal(gate.through, THREADS);
	sopi_cond_destroy(&gate.cond);
	sopi_mutex_destroy(&gate.mutex);
}

static void a_wait_until_ends_with_its_deadline(void **state)
{
	const int64_t deadline_ns = test_now_ns() + 5 * MS_NS;
	sopi_mutex mutex;
	sopi_cond cond;

	(void)state;
	sopi_mutex_init(&mutex);
	sopi_cond_init(&cond);
	sopi_mutex_lock(&mutex);
	while (sopi_cond_wait_until(&cond, &mutex, deadline_ns))
		;
	assert_true(test_now_ns() >= deadline_ns);
	assert_false(sopi_cond_wait_until(&cond, &mutex, 0));
	sopi_mutex_unlock(&mutex);
	sopi_cond_destroy(&cond);
	sopi_mutex_destroy(&mutex);
}

/* ---- threads */

struct report {
	char name[SOPI_THREAD_NAME_BYTES];
	sigset_t mask;
};

static void report_itself(void *arg)
{
	struct report *report = arg;

	pthread_getname_np(pthread_self(), report->name, sizeof report->name);
	pthread_sigmask(SIG_BLOCK, NULL, &report->mask);
}

static void a_thread_has_its_name_and_no_signals(void **state)
{
	struct report report;
	sopi_thread thread;
	sigset_t before;
	sigset_t after;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	TEST_OK(sopi_thread_start(&thread, "sop-checkpoint-and-more", report_itself, &report, &err), err);
	sopi_thread_join(&thread);
	assert_string_equal(report.name, "sop-checkpoint-");
	assert_int_equal(sigismember(&report.mask, SIGTERM), 1);
	assert_int_equal(sigismember(&report.mask, SIGINT), 1);
	assert_int_equal(sigismember(&report.mask, SIGUSR1), 1);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
	assert_int_equal(sigismember(&before, SIGUSR1), sigismember(&after, SIGUSR1));
}

static _Atomic int signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void poke_in_thread(void *arg)
{
	const pthread_t *sleeper = arg;

	for (int i = 0; i < 10; i++) {
		test_sleep_us(1000);
		pthread_kill(*sleeper, SIGUSR1);
	}
}

static void a_sleep_is_not_cut_short_by_signals(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sigaction before;
	pthread_t self = pthread_self();
	sopi_thread thread;
	int64_t begin_ns;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	begin_ns = test_now_ns();
	TEST_OK(sopi_thread_start(&thread, "poke", poke_in_thread, &self, &err), err);
	sopi_sleep_ns(50 * MS_NS);
	assert_true(test_now_ns() - begin_ns >= 50 * MS_NS);
	sopi_thread_join(&thread);
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	assert_true(signals > 0);
	sopi_sleep_ns(0);
	sopi_sleep_ns(-5);
}

/* ---- futex */

static void a_futex_wait_on_another_value_returns_at_once(void **state)
{
	_Atomic uint32_t word = 7;

	(void)state;
	assert_true(sopi_futex_wait(&word, 8, -1)); /* hangs if the value is not looked at */
}

static void a_futex_wait_ends_with_its_timeout(void **state)
{
	_Atomic uint32_t word = 7;
	const int64_t begin_ns = test_now_ns();

	(void)state;
	while (sopi_futex_wait(&word, 7, 5 * MS_NS))
		;
	assert_true(test_now_ns() - begin_ns >= 5 * MS_NS);
	while (sopi_futex_wait(&word, 7, 0))
		;
}

static void wait_for_word(void *arg)
{
	_Atomic uint32_t *word = arg;

	while (atomic_load(word) == 0)
		(void)sopi_futex_wait(word, 0, -1);
}

static void a_wake_ends_a_futex_wait(void **state)
{
	_Atomic uint32_t word = 0;
	sopi_thread threads[THREADS];
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		TEST_OK(sopi_thread_start(&threads[i], "futex", wait_for_word, &word, &err), err);
	test_sleep_us(5000); /* let some of them sleep; right without it too */
	atomic_store(&word, 1);
	sopi_futex_wake(&word, INT_MAX);
	for (int i = 0; i < THREADS; i++)
		sopi_thread_join(&threads[i]);
}

/* ---- fork */

static int exit_of(pid_t child)
{
	int status = 0;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_child_knows_that_it_is_one(void **state)
{
	uint32_t generation;
	pid_t child;

	(void)state;
	sopi_fork_watch();
	sopi_fork_watch(); /* counts forks once all the same */
	generation = sopi_fork_generation();
	child = fork();
	if (child == 0) {
		const uint32_t in_child = sopi_fork_generation();
		const pid_t grandchild = fork();

		if (grandchild == 0)
			_exit(sopi_fork_generation() == generation + 2 ? 10 : 11);
		_exit(in_child == generation + 1 && exit_of(grandchild) == 10 ? 10 : 12);
	}
	assert_int_equal(exit_of(child), 10);
	assert_int_equal(sopi_fork_generation(), generation);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Runs in a child: whether exactly the descriptors are closed that should be. */
static int look_at(const int fds[4])
{
	return !is_open(fds[0]) && is_open(fds[1]) && is_open(fds[2]) && !is_open(fds[3]) ? 10 : 11;
}

static void a_child_has_what_it_must_not_keep_closed(void **state)
{
	int fds[4];
	pid_t child;

	(void)state;
	sopi_fork_watch();
	for (int i = 0; i < 4; i++) {
		const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		/* numbers on both sides of a word of the table */
		fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 62 + i);
		assert_true(fds[i] >= 62);
		close(fd);
	}
	assert_true(sopi_fork_close_in_child(fds[0]));
	assert_true(sopi_fork_close_in_child(fds[1]));
	assert_true(sopi_fork_close_in_child(fds[3]));
	sopi_fork_forget(fds[1]);
	sopi_fork_forget(fds[2]); /* was never there */
	child = fork();
	if (child == 0)
		_exit(look_at(fds));
	assert_int_equal(exit_of(child), 10);
	for (int i = 0; i < 4; i++) {
		assert_true(is_open(fds[i])); /* the parent keeps them all */
		sopi_fork_forget(fds[i]);
		close(fds[i]);
	}
}

static void a_descriptor_beyond_the_table_is_refused(void **state)
{
	(void)state;
	assert_false(sopi_fork_close_in_child(SOPI_FORK_DESCRIPTORS));
	assert_false(sopi_fork_close_in_child(INT_MAX));
	sopi_fork_forget(INT_MAX);
	assert_true(sopi_fork_close_in_child(SOPI_FORK_DESCRIPTORS - 1));
	sopi_fork_forget(SOPI_FORK_DESCRIPTORS - 1);
}

enum { MARKED_FD = 900 }; /* below the usual limit of 1024, above what a test opens */

static void mark_in_thread(size_t index, void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++) {
		const int fd = MARKED_FD + (int)index;

		if (!sopi_fork_close_in_child(fd))
			test_note_failure("descriptor %d is refused", fd);
		if (i != 19999)
			sopi_fork_forget(fd);
	}
}

/* Neighbours in one word: an update lost there would leave a descriptor in the child or close a stranger's. */
static void threads_mark_descriptors_side_by_side(void **state)
{
	int ends[2];
	pid_t child;

	(void)state;
	test_run_threads(THREADS, mark_in_thread, NULL);
	TEST_NO_FAILURES();
	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(dup2(ends[0], MARKED_FD + i), MARKED_FD + i);
	child = fork();
	if (child == 0) {
		int left = 0;

		for (int i = 0; i < THREADS; i++)
			left += is_open(MARKED_FD + i);
		_exit(10 + left);
	}
	assert_int_equal(exit_of(child), 10);
	for (int i = 0; i < THREADS; i++) {
		sopi_fork_forget(MARKED_FD + i);
		close(MARKED_FD + i);
	}
	close(ends[0]);
	close(ends[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_at_a_time_holds_a_mutex),
		cmocka_unit_test(a_held_mutex_is_not_taken),
		cmocka_unit_test(a_broadcast_wakes_everyone),
		cmocka_unit_test(a_wait_until_ends_with_its_deadline),
		cmocka_unit_test(a_thread_has_its_name_and_no_signals),
		cmocka_unit_test(a_sleep_is_not_cut_short_by_signals),
		cmocka_unit_test(a_futex_wait_on_another_value_returns_at_once),
		cmocka_unit_test(a_futex_wait_ends_with_its_timeout),
		cmocka_unit_test(a_wake_ends_a_futex_wait),
		cmocka_unit_test(a_child_knows_that_it_is_one),
		cmocka_unit_test(a_child_has_what_it_must_not_keep_closed),
		cmocka_unit_test(a_descriptor_beyond_the_table_is_refused),
		cmocka_unit_test(threads_mark_descriptors_side_by_side),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
