/* The simulated driver: the acceptance suite, and what only a simulation does: faults, death, a full disk, time. What
 * a power cut leaves is in test_sim_crash.c. */
#include "acceptance.h"

#include "base/alloc.h"
#include "platform/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct simulation {
	struct acceptance acceptance; /* first: the suite knows no more */
	struct sopi_sim_disk *disk;
	struct sopi_sim_process *process;
	int64_t live;
};

static int setup(void **state)
{
	struct simulation *sim = memset(test_alloc(sizeof *sim), 0, sizeof *sim);
	sop_error err = SOP_ERROR_INIT;

	sim->live = sopi_alloc_live_count();
	sim->disk = sopi_sim_disk_new();
	sim->process = sopi_sim_process_new(sim->disk, NULL, test_seed());
	sim->acceptance.platform = sopi_sim_platform(sim->process);
	strcpy(sim->acceptance.path, "/db");
	TEST_OK(sopi_files_open_folder(sim->acceptance.platform->files, "/db", SOPI_FOLDER_CREATE,
				       &sim->acceptance.folder, &err),
		err);
	*state = sim;
	return 0;
}

static int teardown(void **state)
{
	struct simulation *sim = *state;

	sopi_folder_close(sim->acceptance.folder);
	sopi_sim_process_free(sim->process); /* checks that every handle was closed */
	sopi_sim_disk_free(sim->disk);
	assert_int_equal(sopi_alloc_live_count(), sim->live);
	free(sim);
	return 0;
}

static struct simulation *sim_of(void **state)
{
	return *state;
}

static struct sopi_folder *folder_of(void **state)
{
	return sim_of(state)->acceptance.folder;
}

/* ---- faults */

static sop_status write_word(struct sopi_file *file, const char *word, sop_error *err)
{
	return sopi_file_write(file, 0, word, strlen(word), err);
}

static void the_nth_call_of_a_kind_fails_once(void **state)
{
	const struct sopi_sim_fault fault = { .calls = SOPI_SIM_WRITE, .after = 2, .os_errno = EIO };
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	sop_error err = SOP_ERROR_INIT;

	sopi_sim_fail(sim_of(state)->process, &fault);
	for (int i = 0; i < 5; i++) {
		TEST_STATUS(write_word(file, "word", &err), i == 2 ? SOP_IO : SOP_OK, err);
		TEST_OK(sopi_file_sync(file, &err), err); /* of another kind: not counted, not failed */
	}
	assert_int_equal(err.os_errno, EIO);
	assert_string_equal(err.file, "f");
	assert_int_equal(sopi_sim_calls(sim_of(state)->process, SOPI_SIM_WRITE), 5);
	assert_int_equal(sopi_sim_calls(sim_of(state)->process, SOPI_SIM_SYNC), 5);
	assert_int_equal(sopi_sim_calls(sim_of(state)->process, SOPI_SIM_ANY), 10);
	sopi_sim_fail(sim_of(state)->process, NULL);
	assert_int_equal(sopi_sim_calls(sim_of(state)->process, SOPI_SIM_ANY), 0);
	sopi_file_close(file);
}

static void for_ever_fails_all_later_calls(void **state)
{
	const struct sopi_sim_fault fault = {
		.calls = SOPI_SIM_ANY, .after = 3, .for_ever = true, .os_errno = ENOSPC
	};
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	uint64_t size = 0;
	sop_error err = SOP_ERROR_INIT;

	sopi_sim_fail(sim_of(state)->process, &fault);
	TEST_OK(write_word(file, "word", &err), err);
	TEST_OK(sopi_file_sync(file, &err), err);
	TEST_OK(sopi_file_size(file, &size, &err), err);
	for (int i = 0; i < 10; i++) {
		TEST_STATUS(write_word(file, "word", &err), SOP_NO_SPACE, err);
		TEST_STATUS(sopi_file_size(file, &size, &err), SOP_NO_SPACE, err);
	}
	sopi_sim_fail(sim_of(state)->process, NULL);
	TEST_OK(write_word(file, "word", &err), err);
	sopi_file_close(file);
}

static void a_fault_may_be_about_some_paths_only(void **state)
{
	const struct sopi_sim_fault fault = {
		.calls = SOPI_SIM_WRITE, .path = "log/", .for_ever = true, .os_errno = EIO
	};
	struct sopi_file *log;
	struct sopi_file *pack;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_make(folder_of(state), "log", &err), err);
	log = acceptance_open(folder_of(state), "log/1", ACCEPTANCE_NEW);
	pack = acceptance_open(folder_of(state), "pack", ACCEPTANCE_NEW);
	sopi_sim_fail(sim_of(state)->process, &fault);
	TEST_OK(write_word(pack, "word", &err), err);
	TEST_STATUS(write_word(log, "word", &err), SOP_IO, err);
	sopi_file_close(log);
	sopi_file_close(pack);
}

/* One of each call, in the order of their bits from `open_file` on. */
static sop_status call_number(struct simulation *sim, struct sopi_file *file, int number, sop_error *err);

static sop_status ignore_entry(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	(void)arg;
	(void)name;
	(void)kind;
	(void)err;
	return SOP_OK;
}

static sop_status open_and_close_folder(struct simulation *sim, sop_error *err)
{
	struct sopi_folder *folder = NULL;
	const sop_status status =
		sopi_files_open_folder(sim->acceptance.platform->files, "/db", 0, &folder, err);

	sopi_folder_close(folder);
	return status;
}

static sop_status open_and_close_file(struct sopi_folder *folder, sop_error *err)
{
	struct sopi_file *file = NULL;
	const sop_status status = sopi_folder_open_file(folder, "f", SOPI_FILE_READ, &file, err);

	sopi_file_close(file);
	return status;
}

static sop_status call_number(struct simulation *sim, struct sopi_file *file, int number, sop_error *err)
{
	struct sopi_folder *folder = sim->acceptance.folder;
	struct sopi_file_system system;
	struct sopi_entry entry;
	char room[4];
	size_t got;
	uint64_t size;

	switch (1 << number) {
	case SOPI_SIM_OPEN_FOLDER:
		return open_and_close_folder(sim, err);
	case SOPI_SIM_OPEN_FILE:
		return open_and_close_file(folder, err);
	case SOPI_SIM_MAKE_FOLDER:
		return sopi_folder_make(folder, "new", err);
	case SOPI_SIM_LIST:
		return sopi_folder_list(folder, "", ignore_entry, NULL, err);
	case SOPI_SIM_LOOK:
		return sopi_folder_look(folder, "f", &entry, err);
	case SOPI_SIM_RENAME:
		return sopi_folder_rename(folder, "f", "g", err);
	case SOPI_SIM_LINK:
		return sopi_folder_link(folder, "g", "h", err);
	case SOPI_SIM_REMOVE:
		return sopi_folder_remove(folder, "h", err);
	case SOPI_SIM_REMOVE_FOLDER:
		return sopi_folder_remove_folder(folder, "new", err);
	case SOPI_SIM_SYNC_FOLDER:
		return sopi_folder_sync(folder, "", err);
	case SOPI_SIM_FILE_SYSTEM:
		return sopi_folder_file_system(folder, &system, err);
	case SOPI_SIM_READ:
		return sopi_file_read(file, 0, room, sizeof room, &got, err);
	case SOPI_SIM_WRITE:
		return sopi_file_write(file, 0, "word", 4, err);
	case SOPI_SIM_ALLOCATE:
		return sopi_file_allocate(file, 0, 100, err);
	case SOPI_SIM_RESIZE:
		return sopi_file_resize(file, 50, err);
	case SOPI_SIM_SYNC_DATA:
		return sopi_file_sync_data(file, err);
	case SOPI_SIM_SYNC:
		return sopi_file_sync(file, err);
	case SOPI_SIM_SIZE:
		return sopi_file_size(file, &size, err);
	case SOPI_SIM_WRITE_BACK:
		return sopi_file_write_back(file, 0, 4, err);
	default:
		return sopi_file_lock(file, SOPI_LOCK_SHARED, err);
	}
}

enum { CALLS = 20 };

static void every_call_can_fail_and_then_has_done_nothing(void **state)
{
	struct simulation *sim = *state;
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);

	assert_int_equal(SOPI_SIM_ANY, (1 << CALLS) - 1);
	for (int i = 0; i < CALLS; i++) {
		const struct sopi_sim_fault fault = { .calls = 1u << i, .os_errno = EIO };
		sop_error err = SOP_ERROR_INIT;

		sopi_sim_fail(sim->process, &fault);
		TEST_STATUS(call_number(sim, file, i, &err), SOP_IO, err);
		assert_int_equal(err.os_errno, EIO);
		assert_int_equal(sopi_sim_calls(sim->process, 1u << i), 1);
		TEST_OK(call_number(sim, file, i, &err), err); /* could not, had the first one worked */
	}
	sopi_file_close(file);
}

static void a_failing_write_may_store_a_part(void **state)
{
	const struct sopi_sim_fault fault = { .calls = SOPI_SIM_WRITE, .os_errno = EIO, .partial_bytes = 6 };
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	sop_error err = SOP_ERROR_INIT;

	sopi_sim_fail(sim_of(state)->process, &fault);
	TEST_STATUS(write_word(file, "short write", &err), SOP_IO, err);
	acceptance_expect(folder_of(state), "f", "short ");
	sopi_sim_fail(sim_of(state)->process, &fault);
	TEST_STATUS(write_word(file, "abc", &err), SOP_IO, err); /* shorter than the part */
	acceptance_expect(folder_of(state), "f", "abcrt ");
	sopi_file_close(file);
}

/* ---- death */

static void a_killed_process_can_do_nothing_more(void **state)
{
	struct simulation *sim = *state;
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	struct sopi_sim_process *other = sopi_sim_process_new(sim->disk, NULL, 1);
	struct sopi_folder *folder = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(write_word(file, "text", &err), err);
	assert_true(sopi_sim_is_alive(sim->process));
	sopi_sim_kill(sim->process);
	assert_false(sopi_sim_is_alive(sim->process));
	for (int i = 0; i < CALLS; i++)
		TEST_STATUS(call_number(sim, file, i, &err), SOP_IO, err);
	sopi_file_close(file);
	TEST_OK(sopi_files_open_folder(sopi_sim_platform(other)->files, "/db", 0, &folder, &err), err);
	acceptance_expect(folder, "f", "text"); /* the page cache does not die with it */
	sopi_folder_close(folder);
	sopi_sim_process_free(other);
}

static void a_process_can_be_killed_at_any_call(void **state)
{
	struct simulation *sim = *state;
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	sop_error err = SOP_ERROR_INIT;

	sopi_sim_kill_after(sim->process, 2);
	TEST_OK(write_word(file, "a", &err), err);
	TEST_OK(write_word(file, "b", &err), err);
	assert_true(sopi_sim_is_alive(sim->process));
	TEST_STATUS(write_word(file, "c", &err), SOP_IO, err);
	assert_false(sopi_sim_is_alive(sim->process));
	TEST_STATUS(write_word(file, "d", &err), SOP_IO, err);
	sopi_file_close(file);
}

static void locks_end_with_their_process(void **state)
{
	struct simulation *sim = *state;
	struct sopi_sim_process *other = sopi_sim_process_new(sim->disk, NULL, 1);
	struct sopi_folder *folder = NULL;
	struct sopi_file *mine = NULL;
	struct sopi_file *theirs = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_files_open_folder(sopi_sim_platform(other)->files, "/db", 0, &folder, &err), err);
	TEST_OK(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "them", &theirs, &err), err);
	TEST_STATUS(sopi_folder_lock(folder_of(state), "LOCK", SOPI_LOCK_SHARED, "me", &mine, &err),
		    SOP_LOCKED, err);
	assert_non_null(strstr(err.message, "by them;"));
	sopi_sim_kill(other);
	TEST_OK(sopi_folder_lock(folder_of(state), "LOCK", SOPI_LOCK_EXCLUSIVE, "me", &mine, &err), err);
	sopi_file_close(theirs); /* the dead one's, closed late, must not give ours back */
	TEST_STATUS(sopi_folder_lock(folder_of(state), "LOCK", SOPI_LOCK_SHARED, "", &theirs, &err),
		    SOP_LOCKED, err);
	sopi_file_close(mine);
	sopi_folder_close(folder);
	sopi_sim_process_free(other);
}

/* ---- a full disk */

enum { PAGE = SOPI_SIM_PAGE_BYTES };

static void a_full_disk_stores_what_fits(void **state)
{
	struct simulation *sim = *state;
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	char *block = memset(test_alloc(4 * PAGE), 'x', 4 * PAGE);
	uint64_t size = 0;
	sop_error err = SOP_ERROR_INIT;

	sopi_sim_disk_set_quota(sim->disk, 3 * PAGE);
	TEST_STATUS(sopi_file_write(file, 0, block, 4 * PAGE, &err), SOP_NO_SPACE, err);
	assert_int_equal(err.os_errno, ENOSPC);
	TEST_OK(sopi_file_size(file, &size, &err), err);
	assert_int_equal(size, 3 * PAGE);
	assert_int_equal(sopi_sim_disk_used_bytes(sim->disk), 3 * PAGE);
	TEST_OK(sopi_file_write(file, 0, block, 3 * PAGE, &err), err); /* in place costs nothing */
	TEST_STATUS(sopi_file_write(file, 3 * PAGE, block, 1, &err), SOP_NO_SPACE, err);
	free(block);
	sopi_file_close(file);
}

static void room_comes_back_with_the_last_name_and_handle(void **state)
{
	struct simulation *sim = *state;
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	struct sopi_file *other = NULL;
	sop_error err = SOP_ERROR_INIT;

	sopi_sim_disk_set_quota(sim->disk, 2 * PAGE);
	TEST_OK(sopi_file_allocate(file, 0, 2 * PAGE, &err), err);
	TEST_STATUS(sopi_folder_open_file(folder_of(state), "g", ACCEPTANCE_NEW, &other, &err),
		    SOP_NO_SPACE, err);
	TEST_STATUS(sopi_folder_make(folder_of(state), "sub", &err), SOP_NO_SPACE, err);
	TEST_OK(sopi_folder_remove(folder_of(state), "f", &err), err);
	assert_int_equal(sopi_sim_disk_used_bytes(sim->disk), 2 * PAGE);
	sopi_file_close(file);
	assert_int_equal(sopi_sim_disk_used_bytes(sim->disk), 0);
	other = acceptance_open(folder_of(state), "g", ACCEPTANCE_NEW);
	TEST_OK(sopi_file_allocate(other, 0, 2 * PAGE, &err), err);
	TEST_OK(sopi_file_resize(other, PAGE, &err), err);
	assert_int_equal(sopi_sim_disk_used_bytes(sim->disk), PAGE);
	sopi_file_close(other);
}

static void reserved_room_is_not_refused(void **state)
{
	struct simulation *sim = *state;
	struct sopi_file *log = acceptance_open(folder_of(state), "log", ACCEPTANCE_NEW);
	struct sopi_file *pack = acceptance_open(folder_of(state), "pack", ACCEPTANCE_NEW);
	struct sopi_file_system system;
	sop_error err = SOP_ERROR_INIT;

	sopi_sim_disk_set_quota(sim->disk, 2 * PAGE);
	TEST_OK(sopi_file_allocate(log, 0, PAGE, &err), err);
	TEST_STATUS(sopi_file_allocate(log, 0, 3 * PAGE, &err), SOP_NO_SPACE, err);
	TEST_OK(sopi_folder_file_system(folder_of(state), &system, &err), err);
	assert_int_equal(system.total_bytes, 2 * PAGE);
	assert_int_equal(system.free_bytes, PAGE);
	TEST_OK(sopi_file_allocate(pack, 0, PAGE, &err), err);
	TEST_OK(sopi_file_write(log, 0, "x", 1, &err), err);
	TEST_OK(sopi_file_write(log, PAGE - 1, "x", 1, &err), err);
	TEST_STATUS(sopi_file_write(log, PAGE, "x", 1, &err), SOP_NO_SPACE, err);
	sopi_file_close(log);
	sopi_file_close(pack);
}

static void the_file_system_is_what_the_test_says(void **state)
{
	struct sopi_file_system system;
	sop_error err = SOP_ERROR_INIT;

	sopi_sim_disk_set_file_system(sim_of(state)->disk, "nfs", SOPI_FILE_SYSTEM_NETWORK);
	TEST_OK(sopi_folder_file_system(folder_of(state), &system, &err), err);
	assert_string_equal(system.name, "nfs");
	assert_int_equal(system.kind, SOPI_FILE_SYSTEM_NETWORK);
}

static void direct_files_are_granted_unless_switched_off(void **state)
{
	struct sopi_file *file =
		acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW | SOPI_FILE_DIRECT);

	assert_int_equal(file->direct_bytes, PAGE);
	sopi_file_close(file);
	sopi_sim_disk_set_direct(sim_of(state)->disk, 0);
	file = acceptance_open(folder_of(state), "f", SOPI_FILE_WRITE | SOPI_FILE_DIRECT);
	assert_int_equal(file->direct_bytes, 0);
	sopi_file_close(file);
}

/* ---- time and chance */

static void a_clock_stands_until_it_is_told(void **state)
{
	struct sopi_sim_clock *sim = sopi_sim_clock_new(1000, 5000);
	const struct sopi_clock *clock = sopi_sim_clock_port(sim);

	(void)state;
	assert_int_equal(sopi_clock_monotonic_ns(clock), 1000);
	assert_int_equal(sopi_clock_wall_ns(clock), 5000);
	sopi_sim_clock_advance(sim, 7);
	assert_int_equal(sopi_clock_monotonic_ns(clock), 1007);
	assert_int_equal(sopi_clock_wall_ns(clock), 5007);
	sopi_sim_clock_set_wall(sim, 3);
	assert_int_equal(sopi_clock_monotonic_ns(clock), 1007); /* people set only the wall clock */
	assert_int_equal(sopi_clock_wall_ns(clock), 3);
	sopi_sim_clock_free(sim);
	sopi_sim_clock_free(NULL);
}

struct sleeper {
	const struct sopi_clock *clock;
	sopi_mutex mutex;
	sopi_cond cond;
	int64_t deadline_ns;
	_Atomic bool over;
};

static void wait_in_thread(void *arg)
{
	struct sleeper *sleeper = arg;

	sopi_mutex_lock(&sleeper->mutex);
	while (sopi_clock_wait_until(sleeper->clock, &sleeper->cond, &sleeper->mutex, sleeper->deadline_ns))
		;
	sleeper->over = true;
	sopi_mutex_unlock(&sleeper->mutex);
}

static void sleep_in_thread(void *arg)
{
	struct sleeper *sleeper = arg;

	sopi_clock_sleep_ns(sleeper->clock, 100);
	sleeper->over = true;
}

static void expect_woken_by_advance(void (*fn)(void *))
{
	struct sopi_sim_clock *sim = sopi_sim_clock_new(1000, 0);
	struct sleeper sleeper = { .clock = sopi_sim_clock_port(sim), .deadline_ns = 1100 };
	sopi_thread thread;
	sop_error err = SOP_ERROR_INIT;

	sopi_mutex_init(&sleeper.mutex);
	sopi_cond_init(&sleeper.cond);
	TEST_OK(sopi_thread_start(&thread, "sleeper", fn, &sleeper, &err), err);
	test_sleep_us(20000); /* real time does not count */
	assert_false(sleeper.over);
	sopi_sim_clock_advance(sim, 50); /* a sleep may begin only now */
	test_sleep_us(20000);
	assert_false(sleeper.over);
	sopi_sim_clock_advance(sim, 1000);
	sopi_thread_join(&thread);
	assert_true(sleeper.over);
	sopi_cond_destroy(&sleeper.cond);
	sopi_mutex_destroy(&sleeper.mutex);
	sopi_sim_clock_free(sim);
}

static void advancing_wakes_who_waits_for_less(void **state)
{
	(void)state;
	expect_woken_by_advance(wait_in_thread);
	expect_woken_by_advance(sleep_in_thread);
}

static void an_automatic_clock_goes_on_to_the_deadline(void **state)
{
	struct sopi_sim_clock *sim = sopi_sim_clock_new(1000, 0);
	const struct sopi_clock *clock = sopi_sim_clock_port(sim);
	const int64_t day_ns = INT64_C(86400000000000);
	const int64_t begin_ns = test_now_ns();
	struct sleeper sleeper = { .clock = clock, .deadline_ns = 1000 + day_ns };

	(void)state;
	sopi_sim_clock_set_automatic(sim, 1000000);
	sopi_mutex_init(&sleeper.mutex);
	sopi_cond_init(&sleeper.cond);
	wait_in_thread(&sleeper);
	assert_int_equal(sopi_clock_monotonic_ns(clock), 1000 + day_ns);
	sopi_clock_sleep_ns(clock, day_ns);
	assert_int_equal(sopi_clock_monotonic_ns(clock), 1000 + 2 * day_ns);
	assert_int_equal(sopi_clock_wall_ns(clock), 2 * day_ns);
	assert_true(test_now_ns() - begin_ns < INT64_C(60000000000));
	sopi_cond_destroy(&sleeper.cond);
	sopi_mutex_destroy(&sleeper.mutex);
	sopi_sim_clock_free(sim);
}

static void processes_may_share_a_clock(void **state)
{
	struct sopi_sim_clock *clock = sopi_sim_clock_new(1, 1);
	struct sopi_sim_process *one = sopi_sim_process_new(sim_of(state)->disk, clock, 1);
	struct sopi_sim_process *other = sopi_sim_process_new(sim_of(state)->disk, clock, 2);

	sopi_sim_clock_advance(clock, 10);
	assert_int_equal(sopi_clock_monotonic_ns(sopi_sim_platform(one)->clock), 11);
	assert_int_equal(sopi_clock_monotonic_ns(sopi_sim_platform(other)->clock), 11);
	sopi_sim_process_free(other);
	sopi_sim_process_free(one);
	sopi_sim_clock_free(clock);
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
	struct sopi_random *one = sopi_sim_random_new(7);
	struct sopi_random *same = sopi_sim_random_new(7);
	struct sopi_random *other = sopi_sim_random_new(8);
	unsigned char a[100];
	unsigned char b[100];
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	TEST_OK(sopi_random_fill(one, a, sizeof a, &err), err);
	TEST_OK(sopi_random_fill(same, b, sizeof b, &err), err);
	assert_memory_equal(a, b, sizeof a);
	TEST_OK(sopi_random_fill(other, b, sizeof b, &err), err);
	assert_memory_not_equal(a, b, sizeof a);
	sopi_sim_random_free(one);
	sopi_sim_random_free(same);
	sopi_sim_random_free(other);
	sopi_sim_random_free(NULL);
}

#define SIM(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SIM(the_nth_call_of_a_kind_fails_once),
		SIM(for_ever_fails_all_later_calls),
		SIM(a_fault_may_be_about_some_paths_only),
		SIM(every_call_can_fail_and_then_has_done_nothing),
		SIM(a_failing_write_may_store_a_part),
		SIM(a_killed_process_can_do_nothing_more),
		SIM(a_process_can_be_killed_at_any_call),
		SIM(locks_end_with_their_process),
		SIM(a_full_disk_stores_what_fits),
		SIM(room_comes_back_with_the_last_name_and_handle),
		SIM(reserved_room_is_not_refused),
		SIM(the_file_system_is_what_the_test_says),
		SIM(direct_files_are_granted_unless_switched_off),
		SIM(a_clock_stands_until_it_is_told),
		SIM(advancing_wakes_who_waits_for_less),
		SIM(an_automatic_clock_goes_on_to_the_deadline),
		SIM(processes_may_share_a_clock),
		SIM(the_same_seed_gives_the_same_numbers),
	};
	int failed = 0;

	test_begin(argc, argv);
	failed += acceptance_run("simulated", setup, teardown);
	failed += cmocka_run_group_tests_name("simulated alone", tests, NULL, NULL);
	return failed;
}
