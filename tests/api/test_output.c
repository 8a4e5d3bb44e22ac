/* What comes out: buffers, figures, metrics, messages of the log, versions and names. */
#include "api/fixture.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- buffers --------------------------------------------------------------------------------------------------- */

static void buffers_grow_from_the_callers_memory(void **state)
{
	struct fixture f;
	char room[8];
	sop_buf value = SOP_BUF_OVER(room);
	char hundred[100];

	(void)state;
	fixture_open(&f);
	memset(hundred, 'h', sizeof hundred);
	TEST_OK(sop_put(f.txn, f.raw, test_text("big"), test_bytes(hundred, sizeof hundred), &f.err),
		f.err);
	TEST_OK(sop_get(f.txn, f.raw, test_text("a"), &value, &f.err), f.err);
	assert_ptr_equal(value.data, room); /* what fits stays there */
	assert_null(value.owned);
	assert_int_equal(value.size, 1);
	TEST_OK(sop_get(f.txn, f.raw, test_text("big"), &value, &f.err), f.err);
	assert_ptr_not_equal(value.data, room);
	assert_ptr_equal(value.data, value.owned);
	assert_int_equal(value.size, 100);
	assert_memory_equal(value.data, hundred, 100);
	assert_int_equal(sop_get(f.txn, f.raw, test_text("none"), &value, &f.err), SOP_NOT_FOUND);
	assert_int_equal(value.size, 100); /* left alone */
	assert_memory_equal(value.data, hundred, 100);
	TEST_OK(sop_get(f.txn, f.raw, test_text("b"), &value, &f.err), f.err);
	assert_int_equal(value.size, 1);
	assert_true(value.capacity >= 100); /* reused */
	sop_buf_free(&value);
	assert_null(value.data);
	assert_int_equal(value.capacity, 0);
	sop_buf_free(&value);
	sop_buf_free(NULL);
	fixture_close(&f);
}

/* ThreadSanitizer ends the program instead, unless it is told otherwise. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREADS_ARE_WATCHED 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define THREADS_ARE_WATCHED 1
#endif
#ifndef THREADS_ARE_WATCHED
#define THREADS_ARE_WATCHED 0
#endif

static void buffers_are_reserved(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	char room[16] = "keep";
	sop_buf buf = SOP_BUF_OVER(room);
	sop_buf wrong = { room, 20, 16, NULL };

	(void)state;
	buf.size = 4;
	TEST_OK(sop_buf_reserve(&buf, 16, &err), err);
	assert_ptr_equal(buf.data, room);
	TEST_OK(sop_buf_reserve(&buf, 17, &err), err);
	assert_int_equal(buf.size, 4);
	assert_memory_equal(buf.data, "keep", 4);
	assert_true(buf.capacity >= 17);
	TEST_OK(sop_buf_reserve(&buf, 0, &err), err);
	TEST_OK(sop_buf_reserve(&buf, 5000, &err), err);
	assert_memory_equal(buf.data, "keep", 4);
	if (!THREADS_ARE_WATCHED) {
		TEST_STATUS(sop_buf_reserve(&buf, SIZE_MAX / 2, &err), SOP_NO_MEMORY, err);
		error_tells(&err, SOP_NO_MEMORY, "sop_buf_reserve");
	}
	assert_memory_equal(buf.data, "keep", 4); /* as before */
	assert_true(buf.capacity >= 5000);
	TEST_STATUS(sop_buf_reserve(&wrong, 100, &err), SOP_MISUSE, err);
	error_tells(&err, SOP_MISUSE, "sop_buf_reserve");
	sop_buf_free(&buf);
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

static void statuses_have_names_texts_and_traits(void **state)
{
	(void)state;
	assert_string_equal(sop_status_name(SOP_OK), "OK");
	assert_string_equal(sop_status_name(SOP_CONFLICT), "CONFLICT");
	assert_string_equal(sop_status_name(SOP_WOULD_BLOCK), "WOULD_BLOCK");
	assert_int_equal(sop_status_traits(SOP_CONFLICT), SOP_TRAIT_RETRY | SOP_TRAIT_ABORT);
	assert_int_equal(sop_status_traits(SOP_OK), 0);
	for (sop_status status = 0; status >= -21; status--) {
		assert_string_not_equal(sop_status_name(status), "?");
		assert_true(strlen(sop_status_text(status)) > 5);
		for (sop_status other = 0; other > status; other--)
			assert_string_not_equal(sop_status_name(status), sop_status_name(other));
	}
	for (size_t i = 0; i < 4; i++) {
		static const sop_status none[] = { 1, -22, INT32_MIN, INT32_MAX };

		assert_string_equal(sop_status_name(none[i]), "?");
		assert_non_null(sop_status_text(none[i]));
		assert_int_equal(sop_status_traits(none[i]), 0);
	}
}

static void the_version_is_that_of_the_headers(void **state)
{
	char wanted[32];

	(void)state;
	(void)snprintf(wanted, sizeof wanted, "%d.%d.%d", SOP_VERSION_MAJOR, SOP_VERSION_MINOR,
		       SOP_VERSION_PATCH);
	assert_string_equal(sop_version(), wanted);
	assert_int_equal(sop_has_feature("inmemory"), 1);
	assert_int_equal(sop_has_feature("inmemor"), 0);
	assert_int_equal(sop_has_feature("inmemory:"), 0);
	assert_int_equal(sop_has_feature("INMEMORY"), 0);
	assert_int_equal(sop_has_feature(""), 0);
	assert_int_equal(sop_has_feature(NULL), 0);
}

/* ---- figures --------------------------------------------------------------------------------------------------- */

static sop_stats stats_of(sop_db *db)
{
	sop_error err = SOP_ERROR_INIT;
	sop_stats stats = SOP_STATS_INIT;

	TEST_OK(sop_db_stats(db, &stats, &err), err);
	return stats;
}

static void figures_count_what_happens(void **state)
{
	struct fixture f;
	sop_stats before, after;
	sop_txn *other = NULL;
	sop_buf value = SOP_BUF_INIT;

	(void)state;
	fixture_open(&f);
	before = stats_of(f.db);
	assert_int_equal(before.stores, 3);
	assert_int_equal(before.transactions_open, 2);
	assert_true(before.nodes >= 3 && before.memory_bytes > 0 && before.node_bytes_used > 0);
	assert_int_equal(before.commits, 1);
	/* a conflict */
	TEST_OK(sop_get(f.txn, f.raw, test_text("a"), &value, &f.err), f.err);
	TEST_OK(sop_begin(f.db, NULL, &other, &f.err), f.err);
	TEST_OK(sop_put(other, f.raw, test_text("a"), test_text("other"), &f.err), f.err);
	TEST_OK(sop_commit(other, &f.err), f.err);
	TEST_OK(sop_put(f.txn, f.raw, test_text("b"), test_text("mine"), &f.err), f.err);
	TEST_STATUS(sop_commit(f.txn, &f.err), SOP_CONFLICT, f.err);
	TEST_OK(sop_txn_again(f.txn, &f.err), f.err);
	TEST_OK(sop_rollback(f.txn, &f.err), f.err);
	TEST_OK(sop_commit(f.reader, &f.err), f.err);
	after = stats_of(f.db);
	assert_int_equal(after.begins - before.begins, 2);
	assert_int_equal(after.commits - before.commits, 1);
	assert_int_equal(after.conflicts - before.conflicts, 1);
	assert_int_equal(after.retries - before.retries, 1);
	assert_int_equal(after.rollbacks - before.rollbacks, 1);
	assert_int_equal(after.reads_ended - before.reads_ended, 1);
	assert_int_equal(after.operations - before.operations, 1);
	assert_int_equal(after.transactions_open, 0);
	assert_int_equal(after.oldest_snapshot_age_ms, 0);
	assert_true(after.position > before.position);
	sop_txn_free(other);
	sop_buf_free(&value);
	fixture_close(&f);
}

static void figures_show_trees_and_large_values(void **state)
{
	struct fixture f;
	sop_stats before, after;
	static char large[50000];
	uint8_t room[8];

	(void)state;
	fixture_open(&f);
	before = stats_of(f.db);
	for (uint64_t i = 0; i < 5000; i++)
		TEST_OK(sop_put(f.txn, f.raw, test_key_u64(room, i), test_bytes(room, 8), &f.err), f.err);
	TEST_OK(sop_put(f.txn, f.raw, test_text("large"), test_bytes(large, sizeof large), &f.err),
		f.err);
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	after = stats_of(f.db);
	assert_true(after.splits > before.splits && after.nodes > before.nodes + 10);
	assert_int_equal(after.operations - before.operations, 5001);
	assert_true(after.value_bytes_apart >= before.value_bytes_apart + sizeof large);
	TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
	TEST_OK(sop_remove_range(f.txn, f.raw, NULL, NULL, &f.err), f.err);
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	assert_true(stats_of(f.db).merges > 0);
	assert_true(stats_of(f.db).oldest_snapshot_age_ms < 600000);
	fixture_close(&f);
}

/* ---- OpenMetrics ----------------------------------------------------------------------------------------------- */

struct metrics {
	char name[128]; /* of the family being read */
	char type[32];
	size_t families;
	size_t samples;
	size_t samples_of_family;
	bool ended;
};

static bool is_name(const char *text, size_t size)
{
	if (size == 0 || isdigit((unsigned char)text[0]))
		return false;
	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != ':')
			return false;
	return true;
}

/* A sample `name{labels} value`: it belongs to the family, counters end in _total. */
static void read_sample(struct metrics *metrics, const char *line)
{
	const size_t name_size = strcspn(line, "{ ");
	const size_t family_size = strlen(metrics->name);
	const char *value = strrchr(line, ' ');
	char *end = NULL;

	assert_true(is_name(line, name_size));
	assert_non_null(value);
	if (name_size < family_size || memcmp(line, metrics->name, family_size) != 0)
		fail_msg("a sample outside of its family %s: %s", metrics->name, line);
	if (strcmp(metrics->type, "counter") == 0)
		assert_true(name_size == family_size + 6 && memcmp(line + family_size, "_total", 6) == 0);
	else
		assert_int_equal(name_size, family_size);
	(void)strtod(value + 1, &end);
	assert_true(end != value + 1 && *end == '\0');
	if (line[name_size] == '{')
		assert_non_null(strchr(line, '}'));
	metrics->samples++;
	metrics->samples_of_family++;
}

static void read_comment(struct metrics *metrics, char *line)
{
	char *kind = line + 2;
	char *name = strchr(kind, ' ');

	if (strcmp(line, "# EOF") == 0) {
		metrics->ended = true;
		return;
	}
	assert_non_null(name);
	*name++ = '\0';
	if (strcmp(kind, "TYPE") == 0) {
		char *type = strchr(name, ' ');

		assert_non_null(type);
		*type++ = '\0';
		assert_true(is_name(name, strlen(name)));
		assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0 ||
			    strcmp(type, "info") == 0);
		(void)snprintf(metrics->name, sizeof metrics->name, "%s", name);
		(void)snprintf(metrics->type, sizeof metrics->type, "%s", type);
		metrics->families++;
		metrics->samples_of_family = 0;
	} else {
		assert_true(strcmp(kind, "HELP") == 0 || strcmp(kind, "UNIT") == 0);
		assert_true(strncmp(name, metrics->name, strlen(metrics->name)) == 0);
		assert_int_equal(metrics->samples_of_family, 0);
	}
}

static void metrics_are_openmetrics_text(void **state)
{
	struct fixture f;
	sop_buf text = SOP_BUF_INIT;
	struct metrics metrics;
	char *copy;

	(void)state;
	memset(&metrics, 0, sizeof metrics);
	fixture_open(&f);
	TEST_OK(sop_db_metrics(f.db, &text, &f.err), f.err);
	assert_null(memchr(text.data, '\0', text.size));
	assert_null(memchr(text.data, '\r', text.size));
	assert_int_equal(((char *)text.data)[text.size - 1], '\n');
	copy = test_alloc(text.size + 1);
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	for (char *line = copy, *next; *line != '\0'; line = next) {
		next = strchr(line, '\n');
		*next++ = '\0';
		assert_false(metrics.ended); /* nothing follows EOF */
		assert_true(line[0] != '\0');
		if (line[0] == '#')
			read_comment(&metrics, line);
		else
			read_sample(&metrics, line);
	}
	assert_true(metrics.ended);
	assert_true(metrics.families >= 15 && metrics.samples >= metrics.families);
	free(copy);
	sop_buf_free(&text);
	fixture_close(&f);
}

/* ---- the log --------------------------------------------------------------------------------------------------- */

static bool is_utf8_sentence(const char *text, size_t room)
{
	return memchr(text, '\0', room) != NULL && text[0] != '\0';
}

/* Takes all messages; returns how many. `secret` must not be in any. */
static unsigned take_all(sop_db *db, uint32_t level_max, const char *secret, uint32_t *lost)
{
	sop_error err = SOP_ERROR_INIT;
	unsigned count = 0;

	*lost = 0;
	for (;;) {
		sop_log_message message = SOP_LOG_MESSAGE_INIT;
		const sop_status status = sop_log_next(db, &message, 0, &err);

		if (status == SOP_NOT_FOUND)
			return count;
		TEST_OK(status, err);
		assert_true(message.level >= SOP_LOG_ERROR && message.level <= level_max);
		assert_true(message.time_ns > INT64_C(1500000000) * 1000000000);
		assert_true(is_utf8_sentence(message.text, sizeof message.text));
		assert_null(strstr(message.text, secret));
		*lost += message.lost;
		count++;
		assert_true(count <= 256);
	}
}

/* Conflicts, drops and large batches: something to talk about. */
static void make_noise(struct fixture *f, unsigned times)
{
	sop_error err = SOP_ERROR_INIT;
	sop_txn *other = NULL;
	sop_buf value = SOP_BUF_INIT;

	TEST_OK(sop_begin(f->db, NULL, &other, &err), err);
	for (unsigned i = 0; i < times; i++) {
		(void)sop_rollback(f->txn, NULL);
		TEST_OK(sop_txn_renew(f->txn, &err), err);
		TEST_OK(sop_get(f->txn, f->raw, test_text("a"), &value, &err), err);
		TEST_OK(sop_put(f->txn, f->raw, test_text("secret key"), test_text("secret value"), &err),
			err);
		if (i > 0)
			TEST_OK(sop_txn_renew(other, &err), err);
		TEST_OK(sop_put(other, f->raw, test_text("a"), test_text("secret value"), &err), err);
		TEST_OK(sop_commit(other, &err), err);
		TEST_STATUS(sop_commit(f->txn, &err), SOP_CONFLICT, err);
	}
	sop_txn_free(other);
	sop_buf_free(&value);
}

static void the_log_is_silent_unless_asked(void **state)
{
	struct fixture f;
	uint32_t lost = 0;

	(void)state;
	fixture_open(&f);
	make_noise(&f, 10);
	assert_int_equal(take_all(f.db, 0, "secret", &lost), 0);
	TEST_OK(sop_log_enable(f.db, SOP_LOG_DEBUG, &f.err), f.err);
	TEST_OK(sop_log_enable(f.db, SOP_LOG_OFF, &f.err), f.err);
	make_noise(&f, 10);
	(void)take_all(f.db, SOP_LOG_DEBUG, "secret", &lost);
	fixture_close(&f);
}

static void the_log_keeps_to_its_level_and_tells_no_secrets(void **state)
{
	(void)state;
	for (uint32_t level = SOP_LOG_ERROR; level <= SOP_LOG_DEBUG; level++) {
		struct fixture f;
		uint32_t lost = 0;

		fixture_open(&f);
		TEST_OK(sop_log_enable(f.db, (sop_log_level)level, &f.err), f.err);
		make_noise(&f, 5);
		(void)take_all(f.db, level, "secret", &lost);
		assert_int_equal(lost, 0);
		fixture_close(&f);
	}
}

static void the_log_counts_what_nobody_pulled(void **state)
{
	struct fixture f;
	unsigned each;
	unsigned kept;
	uint32_t lost = 0;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_log_enable(f.db, SOP_LOG_DEBUG, &f.err), f.err);
	make_noise(&f, 20);
	each = take_all(f.db, SOP_LOG_DEBUG, "secret", &lost);
	if (each >= 20) { /* a conflict is worth a message at this level */
		make_noise(&f, 1000);
		kept = take_all(f.db, SOP_LOG_DEBUG, "secret", &lost);
		assert_int_equal(kept, 256);
		assert_true(lost >= 1000 - 256);
	}
	fixture_close(&f);
}

static void waiting_for_a_message_ends_in_time(void **state)
{
	struct fixture f;
	sop_log_message message = SOP_LOG_MESSAGE_INIT;
	int64_t start_ns;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_log_enable(f.db, SOP_LOG_ERROR, &f.err), f.err);
	start_ns = test_now_ns();
	TEST_STATUS(sop_log_next(f.db, &message, 50, &f.err), SOP_NOT_FOUND, f.err);
	assert_true(test_now_ns() - start_ns >= INT64_C(49000000));
	assert_true(test_now_ns() - start_ns < INT64_C(20000000000));
	fixture_close(&f);
}

struct waiter {
	sop_db *db;
	int64_t timeout_ms;
	sop_status status[2];
};

static void wait_or_close(size_t index, void *arg)
{
	struct waiter *waiter = arg;
	sop_log_message message = SOP_LOG_MESSAGE_INIT;

	if (index == 0) {
		waiter->status[0] = sop_log_next(waiter->db, &message, waiter->timeout_ms, NULL);
	} else {
		test_sleep_us(20000);
		waiter->status[1] = sop_close(waiter->db, NULL);
	}
}

static void closing_ends_the_wait_for_a_message(void **state)
{
	static const int64_t timeouts_ms[] = { 60000, INT64_C(365) * 24 * 3600 * 1000 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct waiter waiter = { NULL, timeouts_ms[i], { SOP_OK, SOP_OK } };
		sop_error err = SOP_ERROR_INIT;

		TEST_OK(sop_open("inmemory:", NULL, &waiter.db, &err), err);
		TEST_OK(sop_log_enable(waiter.db, SOP_LOG_ERROR, &err), err);
		test_run_threads(2, wait_or_close, &waiter);
		assert_int_equal(waiter.status[0], SOP_CLOSED);
		assert_int_equal(waiter.status[1], SOP_OK);
		sop_db_free(waiter.db);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_grow_from_the_callers_memory),
		cmocka_unit_test(buffers_are_reserved),
		cmocka_unit_test(statuses_have_names_texts_and_traits),
		cmocka_unit_test(the_version_is_that_of_the_headers),
		cmocka_unit_test(figures_count_what_happens),
		cmocka_unit_test(figures_show_trees_and_large_values),
		cmocka_unit_test(metrics_are_openmetrics_text),
		cmocka_unit_test(the_log_is_silent_unless_asked),
		cmocka_unit_test(the_log_keeps_to_its_level_and_tells_no_secrets),
		cmocka_unit_test(the_log_counts_what_nobody_pulled),
		cmocka_unit_test(waiting_for_a_message_ends_in_time),
		cmocka_unit_test(closing_ends_the_wait_for_a_message),
		cmocka_unit_test(every_message_says_what_to_do),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
