/* Values at every limit and one beyond, and malformed ones: each gets its status and the transaction goes on. */
#include "api/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* What the rows of a table may use. */
struct scene {
	struct fixture fixture;
	sop_txn *txn;
	sop_store *store; /* raw keys */
	sop_store *people; /* with a schema */
	sop_store *twice; /* duplicates */
	sop_cursor *cursor; /* of people */
	sop_db *db;
	sop_buf buf;
	uint64_t number;
	size_t size;
	uint64_t room[32];
	sop_store *new_store;
	sop_txn *new_txn;
	sop_cursor *new_cursor;
	sop_range range;
	uint8_t *zeros; /* more than any limit of keys */
};

enum { ZEROS_BYTES = 1 << 20 };

static void scene_open(struct scene *s)
{
	const sop_range everything = SOP_RANGE_INIT;

	memset(s, 0, sizeof *s);
	fixture_open(&s->fixture);
	s->txn = s->fixture.txn;
	s->store = s->fixture.raw;
	s->people = s->fixture.store;
	s->twice = s->fixture.twice;
	s->cursor = s->fixture.cursor;
	s->db = s->fixture.db;
	s->range = everything;
	s->zeros = test_alloc(ZEROS_BYTES);
	memset(s->zeros, 0, ZEROS_BYTES);
}

static void scene_close(struct scene *s)
{
	sop_cursor_free(s->new_cursor);
	sop_txn_free(s->new_txn);
	sop_store_free(s->new_store);
	sop_buf_free(&s->buf);
	free(s->zeros);
	fixture_close(&s->fixture);
}

struct row {
	const char *name;
	sop_status wanted;
	sop_status or_else; /* also allowed */
	sop_status (*run)(struct scene *s, sop_error *err);
};

#define ROW_FUNCTION(name, wanted, or_else, call)                                                  \
	static sop_status name(struct scene *s, sop_error *err)                                    \
	{                                                                                          \
		(void)s;                                                                           \
		return (call);                                                                     \
	}
#define ROW(name, wanted, or_else, call) { #name, SOP_##wanted, SOP_##or_else, name },

/* Runs every row in a scene of its own: its status, its message, and that nothing else was harmed. */
static void run_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sop_error err = SOP_ERROR_INIT;
		struct scene s;
		sop_status got;

		scene_open(&s);
		got = rows[i].run(&s, &err);
		if (got != rows[i].wanted && got != rows[i].or_else)
			fail_msg("%s: %s instead of %s: %s", rows[i].name, sop_status_name(got),
				 sop_status_name(rows[i].wanted), err.message);
		if (got != SOP_OK)
			error_tells(&err, got, rows[i].name);
		TEST_OK(sop_get(s.txn, s.people, fixture_key('b'), &s.buf, &err), err);
		assert_int_equal(s.buf.size, 1);
		TEST_OK(sop_commit(s.txn, &err), err);
		fixture_works(s.db);
		scene_close(&s);
	}
}

#define RUN_TABLE(table)                                                                           \
	do {                                                                                       \
		static const struct row rows[] = { table(ROW) };                                   \
		(void)state;                                                                       \
		run_rows(rows, sizeof rows / sizeof *rows);                                        \
		print_message("%s: %zu rows\n", #table, sizeof rows / sizeof *rows);               \
	} while (0)

/* ---- names of stores ------------------------------------------------------------------------------------------- */

#define X15 "xxxxxxxxxxxxxxx"
#define X16 X15 "x"
#define X255 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X15

static sop_status declare(struct scene *s, const void *name, size_t size, sop_error *err)
{
	sop_status status = sop_store_open(s->db, test_bytes(name, size), NULL, &s->new_store, err);

	if (status != SOP_OK)
		return status;
	assert_int_equal(strlen(sop_store_name(s->new_store)), size);
	assert_memory_equal(sop_store_name(s->new_store), name, size);
	TEST_OK(sop_store_create(s->txn, s->new_store, err), *err); /* a good name is good for everything */
	TEST_OK(sop_put(s->txn, s->new_store, test_text("k"), test_text("v"), err), *err);
	TEST_OK(sop_store_list(s->txn, &s->buf, &s->size, err), *err);
	assert_int_equal(s->size, 4);
	assert_non_null(memmem(s->buf.data, s->buf.size, name, size));
	return SOP_OK;
}

static sop_status rename_to(struct scene *s, const void *name, size_t size, sop_error *err)
{
	const sop_status status = sop_store_rename(s->txn, s->twice, test_bytes(name, size), err);

	if (status == SOP_OK) {
		assert_int_equal(sop_store_open(s->db, test_bytes(name, size), NULL, &s->new_store, err),
				 SOP_OK);
		TEST_OK(sop_get(s->txn, s->new_store, test_text("a"), &s->buf, err), *err);
	}
	return status;
}

#define NAMES(X)                                                                                   \
	X(open_empty, MISUSE, MISUSE, declare(s, "", 0, err))                                      \
	X(rename_empty, MISUSE, MISUSE, rename_to(s, "", 0, err))                                  \
	X(open_null, MISUSE, MISUSE, declare(s, NULL, 0, err))                                     \
	X(open_one, OK, OK, declare(s, "1", 1, err))                                               \
	X(rename_one, OK, OK, rename_to(s, "1", 1, err))                                           \
	X(open_255, OK, OK, declare(s, X255, 255, err))                                            \
	X(rename_255, OK, OK, rename_to(s, X255, 255, err))                                        \
	X(open_256, LIMIT, LIMIT, declare(s, X255 "x", 256, err))                                  \
	X(rename_256, LIMIT, LIMIT, rename_to(s, X255 "x", 256, err))                              \
	X(open_256_of_two_bytes, LIMIT, LIMIT, declare(s, X255 "\xC3\xA9", 257, err))              \
	X(open_far_too_long, LIMIT, LIMIT, declare(s, "x", SIZE_MAX, err))                         \
	X(rename_far_too_long, LIMIT, LIMIT, rename_to(s, "x", SIZE_MAX, err))                     \
	X(open_nul_inside, MISUSE, MISUSE, declare(s, "a\0b", 3, err))                             \
	X(open_nul_at_end, MISUSE, MISUSE, declare(s, "ab\0", 3, err))                             \
	X(rename_nul_inside, MISUSE, MISUSE, rename_to(s, "a\0b", 3, err))                         \
	X(open_newline, MISUSE, MISUSE, declare(s, "a\nb", 3, err))                                \
	X(rename_newline, MISUSE, MISUSE, rename_to(s, "a\nb", 3, err))                            \
	X(open_escape, MISUSE, MISUSE, declare(s, "\x1B[2J", 4, err))                              \
	X(open_control_1, MISUSE, MISUSE, declare(s, "\x01", 1, err))                              \
	X(open_control_1f, MISUSE, MISUSE, declare(s, "\x1F", 1, err))                             \
	X(open_delete, MISUSE, MISUSE, declare(s, "a\x7F", 2, err))                                \
	X(open_c1_control, MISUSE, MISUSE, declare(s, "a\xC2\x85", 3, err))                        \
	X(rename_c1_control, MISUSE, MISUSE, rename_to(s, "a\xC2\x9F", 3, err))                    \
	X(open_byte_ff, MISUSE, MISUSE, declare(s, "a\xFF", 2, err))                               \
	X(rename_byte_ff, MISUSE, MISUSE, rename_to(s, "a\xFF", 2, err))                           \
	X(open_lone_continuation, MISUSE, MISUSE, declare(s, "\x80", 1, err))                      \
	X(open_overlong, MISUSE, MISUSE, declare(s, "\xC0\xAF", 2, err))                           \
	X(open_overlong_3, MISUSE, MISUSE, declare(s, "\xE0\x80\xAF", 3, err))                     \
	X(open_surrogate, MISUSE, MISUSE, declare(s, "\xED\xA0\x80", 3, err))                      \
	X(open_beyond_unicode, MISUSE, MISUSE, declare(s, "\xF4\x90\x80\x80", 4, err))             \
	X(open_cut_short, MISUSE, MISUSE, declare(s, "a\xE2\x82", 3, err))                         \
	X(rename_cut_short, MISUSE, MISUSE, rename_to(s, "a\xE2\x82", 3, err))                     \
	X(open_climbing, OK, OK, declare(s, "../x", 4, err))                                       \
	X(rename_climbing, OK, OK, rename_to(s, "../x", 4, err))                                   \
	X(open_slashes, OK, OK, declare(s, "/etc/passwd", 11, err))                                \
	X(open_dots, OK, OK, declare(s, "..", 2, err))                                             \
	X(open_star, OK, OK, declare(s, "*", 1, err))                                              \
	X(open_space, OK, OK, declare(s, " ", 1, err))                                             \
	X(open_quotes, OK, OK, declare(s, "'; DROP TABLE log; --", 21, err))                       \
	X(open_percent, OK, OK, declare(s, "%s%n%00", 7, err))                                     \
	X(open_emoji, OK, OK, declare(s, "\xF0\x9F\x98\x80", 4, err))                              \
	X(open_non_breaking_space, OK, OK, declare(s, "\xC2\xA0", 2, err))                         \
	X(rename_onto_another, EXISTS, EXISTS, rename_to(s, "raw", 3, err))

NAMES(ROW_FUNCTION)

static void names_of_stores(void **state)
{
	RUN_TABLE(NAMES);
}

/* ---- option structures ----------------------------------------------------------------------------------------- */

static sop_status declare_with(struct scene *s, uint32_t duplicates, uint32_t node_items,
			       size_t struct_size, const void *schema, sop_error *err)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_status status;

	options.struct_size = struct_size;
	options.schema = schema;
	options.duplicates = duplicates;
	options.node_items = node_items;
	status = sop_store_open(s->db, test_text("new"), &options, &s->new_store, err);
	if (status == SOP_OK) {
		sop_store_info info = SOP_STORE_INFO_INIT;

		TEST_OK(sop_store_create(s->txn, s->new_store, err), *err);
		TEST_OK(sop_store_describe(s->txn, s->new_store, &info, NULL, err), *err);
		assert_int_equal(info.duplicates, duplicates);
		assert_int_equal(info.node_items, node_items);
	}
	return status;
}

/* A structure of a newer header, with `tail` in what this library does not know. */
static sop_status declare_newer(struct scene *s, uint8_t tail, sop_error *err)
{
	struct {
		sop_store_options known;
		uint8_t more[40];
	} options = { SOP_STORE_OPTIONS_INIT, { 0 } };

	options.known.struct_size = sizeof options;
	options.more[39] = tail;
	return sop_store_open(s->db, test_text("new"), &options.known, &s->new_store, err);
}

static sop_status begin_with(struct scene *s, uint32_t mode, uint32_t reserved, int64_t deadline_ms,
			     size_t struct_size, sop_error *err)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	options.struct_size = struct_size;
	options.mode = mode;
	options.reserved = reserved;
	options.deadline_ms = deadline_ms;
	return sop_begin(s->db, &options, &s->new_txn, err);
}

static sop_status begin_durable(struct scene *s, uint32_t durability, uint32_t reserved2,
				size_t struct_size, sop_error *err)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	options.struct_size = struct_size;
	options.durability = durability;
	options.reserved2 = reserved2;
	return sop_begin(s->db, &options, &s->new_txn, err);
}

static sop_status begin_newer(struct scene *s, uint8_t tail, sop_error *err)
{
	struct {
		sop_txn_options known;
		uint8_t more[40];
	} options = { SOP_TXN_OPTIONS_INIT, { 0 } };

	options.known.struct_size = sizeof options;
	options.more[0] = tail;
	return sop_begin(s->db, &options.known, &s->new_txn, err);
}

static sop_status count_newer(struct scene *s, uint8_t tail, sop_error *err)
{
	struct {
		sop_range known;
		uint8_t more[16];
	} range = { SOP_RANGE_INIT, { 0 } };

	range.known.struct_size = sizeof range;
	range.more[15] = tail;
	return sop_count(s->txn, s->store, &range.known, &s->number, err);
}

static sop_status stats_of_size(struct scene *s, size_t size, sop_error *err)
{
	union {
		sop_stats stats;
		uint8_t bytes[sizeof(sop_stats) + 64];
	} room;
	sop_status status;

	memset(&room, 0x5A, sizeof room);
	room.stats.struct_size = size;
	status = sop_db_stats(s->db, &room.stats, err);
	for (size_t at = size < sizeof(size_t) ? sizeof(size_t) : size; at < sizeof room; at++)
		assert_int_equal(room.bytes[at], 0x5A); /* only so much is written */
	return status;
}

static sop_status describe_of_size(struct scene *s, size_t size, sop_error *err)
{
	union {
		sop_store_info info;
		uint8_t bytes[sizeof(sop_store_info) + 64];
	} room;
	sop_status status;

	memset(&room, 0x5A, sizeof room);
	room.info.struct_size = size;
	status = sop_store_describe(s->txn, s->store, &room.info, NULL, err);
	for (size_t at = size < sizeof(size_t) ? sizeof(size_t) : size; at < sizeof room; at++)
		assert_int_equal(room.bytes[at], 0x5A);
	return status;
}

static sop_status db_info_of_size(struct scene *s, size_t size, sop_error *err)
{
	union {
		sop_info info;
		uint8_t bytes[sizeof(sop_info) + 64];
	} room;
	sop_status status;

	memset(&room, 0x5A, sizeof room);
	room.info.struct_size = size;
	status = sop_db_info(s->db, &room.info, NULL, err);
	for (size_t at = size < sizeof(size_t) ? sizeof(size_t) : size; at < sizeof room; at++)
		assert_int_equal(room.bytes[at], 0x5A);
	return status;
}

static sop_status message_of_size(struct scene *s, size_t size, sop_error *err)
{
	union {
		sop_log_message message;
		uint8_t bytes[sizeof(sop_log_message) + 64];
	} room;
	sop_status status;

	memset(&room, 0x5A, sizeof room);
	room.message.struct_size = size;
	status = sop_log_next(s->db, &room.message, 0, err);
	for (size_t at = size < sizeof(size_t) ? sizeof(size_t) : size; at < sizeof room; at++)
		assert_int_equal(room.bytes[at], 0x5A);
	return status;
}

static sop_status log_at(struct scene *s, int level, sop_error *err)
{
	return sop_log_enable(s->db, (sop_log_level)level, err);
}

static sop_status wait_for_log(struct scene *s, int64_t timeout_ms, sop_error *err)
{
	sop_log_message message = SOP_LOG_MESSAGE_INIT;

	return sop_log_next(s->db, &message, timeout_ms, err);
}

#define OPTIONS_SIZE sizeof(sop_store_options)
#define TXN_SIZE sizeof(sop_txn_options)
#define TEN_YEARS_MS (INT64_C(10) * 366 * 24 * 3600 * 1000)

#define STRUCTURES(X)                                                                                    \
	X(store_options_good, OK, OK, declare_with(s, 0, 0, OPTIONS_SIZE, NULL, err))                    \
	X(store_options_duplicates_1, OK, OK, declare_with(s, 1, 0, OPTIONS_SIZE, NULL, err))            \
	X(store_options_duplicates_2, MISUSE, MISUSE, declare_with(s, 2, 0, OPTIONS_SIZE, NULL, err))    \
	X(store_options_duplicates_max, MISUSE, MISUSE,                                                  \
	  declare_with(s, UINT32_MAX, 0, OPTIONS_SIZE, NULL, err))                                       \
	X(store_options_items_1, LIMIT, LIMIT, declare_with(s, 0, 1, OPTIONS_SIZE, NULL, err))           \
	X(store_options_items_3, LIMIT, LIMIT, declare_with(s, 0, 3, OPTIONS_SIZE, NULL, err))           \
	X(store_options_items_4, OK, OK, declare_with(s, 0, 4, OPTIONS_SIZE, NULL, err))                 \
	X(store_options_items_20000, OK, OK, declare_with(s, 0, 20000, OPTIONS_SIZE, NULL, err))         \
	X(store_options_items_20001, LIMIT, LIMIT, declare_with(s, 0, 20001, OPTIONS_SIZE, NULL, err))   \
	X(store_options_items_max, LIMIT, LIMIT,                                                         \
	  declare_with(s, 0, UINT32_MAX, OPTIONS_SIZE, NULL, err))                                       \
	X(store_options_size_0, MISUSE, MISUSE, declare_with(s, 0, 0, 0, NULL, err))                     \
	X(store_options_size_1, MISUSE, MISUSE, declare_with(s, 0, 0, 1, NULL, err))                     \
	X(store_options_size_older, OK, OK, declare_with(s, 0, 0, OPTIONS_SIZE - 8, NULL, err))          \
	X(store_options_size_max, MISUSE, LIMIT, declare_with(s, 0, 0, SIZE_MAX, NULL, err))             \
	X(store_options_newer_zero, OK, OK, declare_newer(s, 0, err))                                    \
	X(store_options_newer_used, MISUSE, MISUSE, declare_newer(s, 1, err))                            \
	X(store_options_no_schema, MISUSE, MISUSE, declare_with(s, 0, 0, OPTIONS_SIZE, s->txn, err))     \
	X(store_options_zero_schema, MISUSE, MISUSE, declare_with(s, 0, 0, OPTIONS_SIZE, s->zeros, err)) \
	X(txn_options_good, OK, OK, begin_with(s, SOP_WRITE, 0, 0, TXN_SIZE, err))                       \
	X(txn_options_nocheck, OK, OK, begin_with(s, SOP_NOCHECK, 0, 0, TXN_SIZE, err))                  \
	X(txn_options_mode_4, MISUSE, MISUSE, begin_with(s, 4, 0, 0, TXN_SIZE, err))                     \
	X(txn_options_mode_max, MISUSE, MISUSE, begin_with(s, UINT32_MAX, 0, 0, TXN_SIZE, err))          \
	X(txn_options_reserved, MISUSE, MISUSE, begin_with(s, SOP_WRITE, 1, 0, TXN_SIZE, err))           \
	X(txn_options_deadline, OK, OK, begin_with(s, SOP_WRITE, 0, 1000000, TXN_SIZE, err))             \
	X(txn_options_deadline_negative, MISUSE, LIMIT, begin_with(s, SOP_WRITE, 0, -1, TXN_SIZE, err))  \
	X(txn_options_deadline_min, MISUSE, LIMIT,                                                       \
	  begin_with(s, SOP_WRITE, 0, INT64_MIN, TXN_SIZE, err))                                         \
	X(txn_options_deadline_9_years, OK, OK,                                                          \
	  begin_with(s, SOP_WRITE, 0, TEN_YEARS_MS / 10 * 9, TXN_SIZE, err))                             \
	X(txn_options_deadline_11_years, LIMIT, LIMIT,                                                   \
	  begin_with(s, SOP_WRITE, 0, TEN_YEARS_MS / 10 * 11, TXN_SIZE, err))                            \
	X(txn_options_deadline_max, LIMIT, LIMIT, begin_with(s, SOP_WRITE, 0, INT64_MAX, TXN_SIZE, err)) \
	X(txn_options_size_0, MISUSE, MISUSE, begin_with(s, SOP_WRITE, 0, 0, 0, err))                    \
	X(txn_options_size_7, MISUSE, MISUSE, begin_with(s, SOP_WRITE, 0, 0, 7, err))                    \
	X(txn_options_size_older, OK, OK, begin_with(s, SOP_WRITE, 0, 0, 16, err))                       \
	X(txn_options_size_first, OK, OK, begin_with(s, SOP_WRITE, 0, 0, 40, err))                       \
	X(txn_options_flushed, OK, OK, begin_durable(s, SOP_FLUSHED, 0, TXN_SIZE, err))                  \
	X(txn_options_written, OK, OK, begin_durable(s, SOP_WRITTEN, 0, TXN_SIZE, err))                  \
	X(txn_options_buffered, OK, OK, begin_durable(s, SOP_BUFFERED, 0, TXN_SIZE, err))                \
	X(txn_options_durability_4, MISUSE, MISUSE, begin_durable(s, 4, 0, TXN_SIZE, err))               \
	X(txn_options_durability_max, MISUSE, MISUSE, begin_durable(s, UINT32_MAX, 0, TXN_SIZE, err))    \
	X(txn_options_durability_unseen, OK, OK, begin_durable(s, 4, 1, 40, err))                        \
	X(txn_options_reserved2, MISUSE, MISUSE, begin_durable(s, 0, 1, TXN_SIZE, err))                  \
	X(txn_options_newer_zero, OK, OK, begin_newer(s, 0, err))                                        \
	X(txn_options_newer_used, MISUSE, MISUSE, begin_newer(s, 0x80, err))                             \
	X(range_newer_zero, OK, OK, count_newer(s, 0, err))                                              \
	X(range_newer_used, MISUSE, MISUSE, count_newer(s, 1, err))                                      \
	X(stats_size_0, MISUSE, MISUSE, stats_of_size(s, 0, err))                                        \
	X(stats_size_older, OK, OK, stats_of_size(s, 40, err))                                           \
	X(stats_size_odd, OK, MISUSE, stats_of_size(s, 43, err))                                         \
	X(stats_size_good, OK, OK, stats_of_size(s, sizeof(sop_stats), err))                             \
	X(info_size_0, MISUSE, MISUSE, describe_of_size(s, 0, err))                                      \
	X(info_size_older, OK, OK, describe_of_size(s, 24, err))                                         \
	X(info_size_good, OK, OK, describe_of_size(s, sizeof(sop_store_info), err))                      \
	X(db_info_size_0, MISUSE, MISUSE, db_info_of_size(s, 0, err))                                    \
	X(db_info_size_older, OK, OK, db_info_of_size(s, 40, err))                                       \
	X(db_info_size_good, OK, OK, db_info_of_size(s, sizeof(sop_info), err))                          \
	X(message_size_0, MISUSE, MISUSE, message_of_size(s, 0, err))                                    \
	X(message_size_good, NOT_FOUND, NOT_FOUND, message_of_size(s, sizeof(sop_log_message), err))     \
	X(log_level_negative, MISUSE, MISUSE, log_at(s, -1, err))                                        \
	X(log_level_4, OK, OK, log_at(s, 4, err))                                                        \
	X(log_level_5, MISUSE, MISUSE, log_at(s, 5, err))                                                \
	X(log_wait_negative, MISUSE, MISUSE, wait_for_log(s, -1, err))                                   \
	X(log_wait_max, MISUSE, MISUSE, wait_for_log(s, INT64_MAX, err))                                 \
	X(log_wait_min, MISUSE, MISUSE, wait_for_log(s, INT64_MIN, err))                                 \
	X(log_wait_0, NOT_FOUND, NOT_FOUND, wait_for_log(s, 0, err))

STRUCTURES(ROW_FUNCTION)

static void structures_and_their_sizes(void **state)
{
	RUN_TABLE(STRUCTURES);
}

/* ---- keys, values and items ------------------------------------------------------------------------------------ */

static sop_status put_sized(struct scene *s, size_t key_size, size_t value_size, sop_error *err)
{
	sop_status status = sop_put(s->txn, s->store, test_bytes(s->zeros, key_size),
				    test_bytes(s->zeros, value_size), err);

	if (status != SOP_OK)
		return status;
	TEST_OK(sop_get(s->txn, s->store, test_bytes(s->zeros, key_size), &s->buf, err), *err);
	assert_int_equal(s->buf.size, value_size);
	return status;
}

static sop_status get_sized(struct scene *s, const void *key, size_t size, sop_error *err)
{
	return sop_get(s->txn, s->store, test_bytes(key, size), &s->buf, err);
}

/* A value whose bytes must not be looked at: they are address space without memory. */
static sop_status put_unreadable(struct scene *s, size_t size, sop_error *err)
{
	void *space = mmap(NULL, SOP_VALUE_BYTES_MAX, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	sop_status status;

	assert_true(space != MAP_FAILED);
	status = sop_put(s->txn, s->store, test_text("k"), test_bytes(space, size), err);
	if (status == SOP_LIMIT)
		status = sop_update(s->txn, s->store, test_text("a"), 0, test_bytes(space, size), err);
	if (status == SOP_LIMIT)
		status = sop_insert(s->txn, s->twice, test_text("a"), test_bytes(space, size), NULL, err);
	if (status == SOP_LIMIT) {
		TEST_OK(sop_cursor_first(s->cursor, NULL, err), *err);
		status = sop_cursor_update(s->cursor, test_bytes(space, size), err);
	}
	munmap(space, SOP_VALUE_BYTES_MAX);
	return status;
}

static sop_status people(struct scene *s, const char *key, size_t size, sop_error *err)
{
	return sop_put(s->txn, s->people, test_bytes(key, size), test_text("v"), err);
}

#define PUT(data, size, value) sop_put(s->txn, s->store, test_bytes(data, size), value, err)
#define ADD(key, by) sop_add(s->txn, s->store, test_text(key), by, err)
#define FETCH(store, key, item, flags)                                                             \
	sop_fetch(s->txn, store, test_text(key), item, flags, NULL, &s->buf, NULL, err)

#define ITEMS(X)                                                                                        \
	X(put_empty_key, OK, OK, put_sized(s, 0, 3, err))                                               \
	X(put_empty_key_null, OK, OK, PUT(NULL, 0, test_text("v")))                                     \
	X(put_null_key, MISUSE, MISUSE, PUT(NULL, 1, test_text("v")))                                   \
	X(put_empty_value, OK, OK, put_sized(s, 1, 0, err))                                             \
	X(put_empty_value_null, OK, OK, PUT("k", 1, test_bytes(NULL, 0)))                               \
	X(put_null_value, MISUSE, MISUSE, PUT("k", 1, test_bytes(NULL, 1)))                             \
	X(put_key_65535, OK, OK, put_sized(s, 65535, 1, err))                                           \
	X(put_key_65536, OK, OK, put_sized(s, 65536, 1, err))                                           \
	X(put_key_65536_empty, OK, OK, put_sized(s, 65536, 0, err))                                     \
	X(put_key_65537, LIMIT, LIMIT, put_sized(s, 65537, 1, err))                                     \
	X(put_key_max, LIMIT, LIMIT, PUT("k", SIZE_MAX, test_text("v")))                                \
	X(put_value_1m, OK, OK, put_sized(s, 1, ZEROS_BYTES, err))                                      \
	X(put_value_beyond, LIMIT, LIMIT, put_unreadable(s, SOP_VALUE_BYTES_MAX + 1, err))              \
	X(put_value_4g, LIMIT, LIMIT, put_unreadable(s, (size_t)1 << 32, err))                          \
	X(put_value_max, LIMIT, LIMIT, put_unreadable(s, SIZE_MAX, err))                                \
	X(get_key_65536, NOT_FOUND, NOT_FOUND, get_sized(s, s->zeros, 65536, err))                      \
	X(get_key_65537, LIMIT, LIMIT, get_sized(s, s->zeros, 65537, err))                              \
	X(get_key_max, LIMIT, LIMIT, get_sized(s, "k", SIZE_MAX, err))                                  \
	X(get_null_key, MISUSE, MISUSE, get_sized(s, NULL, 5, err))                                     \
	X(remove_key_65537, LIMIT, LIMIT,                                                               \
	  sop_remove(s->txn, s->store, test_bytes(s->zeros, 65537), 0, err))                            \
	X(add_key_65537, LIMIT, LIMIT, sop_add(s->txn, s->store, test_bytes(s->zeros, 65537), 1, err))  \
	X(twice_key_65536, OK, OK,                                                                      \
	  sop_insert(s->txn, s->twice, test_bytes(s->zeros, 65536), test_text("v"), NULL, err))         \
	X(twice_key_65537, LIMIT, LIMIT,                                                                \
	  sop_insert(s->txn, s->twice, test_bytes(s->zeros, 65537), test_text("v"), NULL, err))         \
	X(read_key_65537, LIMIT, LIMIT,                                                                 \
	  sop_read(s->db, s->store, test_bytes(s->zeros, 65537), &s->buf, err))                         \
	X(item_in_unique_get, MISUSE, MISUSE, FETCH(s->store, "a", 1, 0))                               \
	X(item_in_unique_update, MISUSE, MISUSE,                                                        \
	  sop_update(s->txn, s->store, test_text("a"), 1, test_text("v"), err))                         \
	X(item_in_unique_remove, MISUSE, MISUSE,                                                        \
	  sop_remove(s->txn, s->store, test_text("a"), UINT64_MAX, err))                                \
	X(item_of_none, NOT_FOUND, NOT_FOUND, FETCH(s->twice, "a", UINT64_MAX, 0))                      \
	X(item_good, OK, OK, FETCH(s->twice, "a", s->fixture.items[1], 0))                              \
	X(item_of_another_key, NOT_FOUND, NOT_FOUND, FETCH(s->twice, "b", s->fixture.items[1], 0))      \
	X(fetch_nowait, OK, OK, FETCH(s->store, "a", 0, SOP_NOWAIT))                                    \
	X(fetch_flag_2, MISUSE, MISUSE, FETCH(s->store, "a", 0, 2))                                     \
	X(fetch_flags_max, MISUSE, MISUSE, FETCH(s->store, "a", 0, UINT32_MAX))                         \
	X(put_in_twice, MISUSE, MISUSE, sop_put(s->txn, s->twice, test_text("a"), test_text("v"), err)) \
	X(add_in_twice, MISUSE, MISUSE, sop_add(s->txn, s->twice, test_text("a"), 1, err))              \
	X(min_in_twice, MISUSE, MISUSE, sop_min(s->txn, s->twice, test_text("a"), 1, err))              \
	X(max_in_twice, MISUSE, MISUSE, sop_max(s->txn, s->twice, test_text("a"), 1, err))              \
	X(add_min, OK, OK, ADD("n", INT64_MIN))                                                         \
	X(add_max, OK, OK, ADD("n", INT64_MAX))                                                         \
	X(add_to_none, OK, OK, ADD("new", -1))                                                          \
	X(ride_in_raw, SCHEMA, SCHEMA, sop_set_ride(s->txn, s->store, test_text("a"), 0, err))          \
	X(schema_good, OK, OK, people(s, "\x02z\x00\x01", 4, err))                                      \
	X(schema_good_with_ride, OK, OK, people(s, "\x02z\x00\x01\x27", 5, err))                        \
	X(schema_empty, SCHEMA, SCHEMA, people(s, "", 0, err))                                          \
	X(schema_wrong_type, SCHEMA, SCHEMA, people(s, "\x15\x01", 2, err))                             \
	X(schema_no_end, SCHEMA, SCHEMA, people(s, "\x02z", 2, err))                                    \
	X(schema_bad_escape, SCHEMA, SCHEMA, people(s, "\x02z\x00\x02", 4, err))                        \
	X(schema_bad_utf8, SCHEMA, SCHEMA, people(s, "\x02\xFF\x00\x01", 4, err))                       \
	X(schema_too_many, SCHEMA, SCHEMA, people(s, "\x02z\x00\x01\x27\x27", 6, err))                  \
	X(schema_bad_ride, SCHEMA, SCHEMA, people(s, "\x02z\x00\x01\x99", 5, err))                      \
	X(schema_get_bad, SCHEMA, SCHEMA, sop_get(s->txn, s->people, test_text("zz"), &s->buf, err))    \
	X(schema_read_bad, SCHEMA, SCHEMA, sop_read(s->db, s->people, test_text("zz"), &s->buf, err))   \
	X(schema_remove_bad, SCHEMA, SCHEMA, sop_remove(s->txn, s->people, test_text("zz"), 0, err))

ITEMS(ROW_FUNCTION)

static void keys_values_and_items(void **state)
{
	RUN_TABLE(ITEMS);
}

/* ---- ranges and cursors ---------------------------------------------------------------------------------------- */

static sop_status count(struct scene *s, sop_store *store, uint32_t flags, sop_bytes from,
			sop_bytes to, sop_bytes prefix, uint64_t after_item, sop_error *err)
{
	sop_status counted;
	sop_status opened;
	sop_status removed;

	s->range.flags = flags;
	s->range.from = from;
	s->range.to = to;
	s->range.prefix = prefix;
	s->range.after_item = after_item;
	opened = sop_cursor_open(s->txn, store, &s->range, 0, &s->new_cursor, err);
	removed = sop_remove_range(s->txn, store, &s->range, NULL, err);
	counted = sop_count(s->txn, store, &s->range, &s->number, err);
	assert_int_equal(opened, counted); /* the same rules for all three */
	assert_int_equal(removed, counted);
	if (counted == SOP_OK)
		assert_int_equal(s->number, 0);
	return counted;
}

static sop_status range_sized(struct scene *s, size_t size, uint32_t reserved, sop_error *err)
{
	s->range.struct_size = size;
	s->range.reserved = reserved;
	return sop_count(s->txn, s->store, &s->range, &s->number, err);
}

static sop_status open_flags(struct scene *s, uint32_t flags, sop_error *err)
{
	return sop_cursor_open(s->txn, s->store, NULL, flags, &s->new_cursor, err);
}

static sop_status seek(struct scene *s, const char *key, size_t size, int where, sop_error *err)
{
	return sop_cursor_seek(s->cursor, test_bytes(key, size), (sop_seek)where, NULL, err);
}

static sop_status fetch(struct scene *s, size_t offset, size_t size, size_t rows_max,
			uint32_t flags, sop_error *err)
{
	const sop_status status = sop_cursor_fetch(s->cursor, (char *)s->room + offset, size,
						   rows_max, flags, &s->size, err);

	if (status == SOP_LIMIT) { /* nothing was consumed, and it says how much it needs */
		assert_true(s->size > size && s->size <= sizeof s->room);
		TEST_OK(sop_cursor_fetch(s->cursor, s->room, s->size, 0, flags, &s->size, err), *err);
		assert_int_equal(((uint8_t *)s->room)[0], 1);
	}
	return status;
}

#define EMPTY test_bytes(NULL, 0)
#define FROM SOP_RANGE_FROM
#define TO SOP_RANGE_TO
#define PREFIX SOP_RANGE_PREFIX
#define AFTER SOP_RANGE_AFTER

#define RANGES(X)                                                                                       \
	X(range_good, OK, OK,                                                                           \
	  count(s, s->store, FROM | TO, test_text("x"), test_text("y"), EMPTY, 0, err))                 \
	X(range_reversed, OK, OK,                                                                       \
	  count(s, s->store, FROM | TO, test_text("c"), test_text("b"), EMPTY, 0, err))                 \
	X(range_nothing_between, OK, OK,                                                                \
	  count(s, s->store, FROM | TO, test_text("b"), test_text("b"), EMPTY, 0, err))                 \
	X(range_flag_32, MISUSE, MISUSE, count(s, s->store, 32, EMPTY, EMPTY, EMPTY, 0, err))           \
	X(range_through_without_to, MISUSE, MISUSE,                                                     \
	  count(s, s->store, SOP_RANGE_THROUGH, EMPTY, EMPTY, EMPTY, 0, err))                           \
	X(range_flags_max, MISUSE, MISUSE, count(s, s->store, UINT32_MAX, EMPTY, EMPTY, EMPTY, 0, err)) \
	X(range_prefix_and_from, OK, OK,                                                                \
	  count(s, s->store, PREFIX | FROM, test_text("a"), EMPTY, test_text("a"), 0, err))             \
	X(range_prefix_and_to, OK, OK,                                                                  \
	  count(s, s->store, PREFIX | TO, EMPTY, test_text("a"), test_text("a"), 0, err))               \
	X(range_prefix_and_after, MISUSE, MISUSE,                                                       \
	  count(s, s->store, PREFIX | AFTER, EMPTY, EMPTY, test_text("a"), 0, err))                     \
	X(range_after_without_from, MISUSE, MISUSE,                                                     \
	  count(s, s->store, AFTER, EMPTY, EMPTY, EMPTY, 0, err))                                       \
	X(range_item_in_unique, MISUSE, MISUSE,                                                         \
	  count(s, s->store, FROM | AFTER, test_text("x"), EMPTY, EMPTY, 1, err))                       \
	X(range_after_item, OK, OK,                                                                     \
	  count(s, s->twice, FROM | AFTER, test_text("a"), EMPTY, EMPTY, s->fixture.items[1], err))     \
	X(range_null_from, MISUSE, MISUSE,                                                              \
	  count(s, s->store, FROM, test_bytes(NULL, 1), EMPTY, EMPTY, 0, err))                          \
	X(range_null_to, MISUSE, MISUSE,                                                                \
	  count(s, s->store, TO, EMPTY, test_bytes(NULL, 1), EMPTY, 0, err))                            \
	X(range_null_prefix, MISUSE, MISUSE,                                                            \
	  count(s, s->store, PREFIX, EMPTY, EMPTY, test_bytes(NULL, 1), 0, err))                        \
	X(range_from_65537, LIMIT, LIMIT,                                                               \
	  count(s, s->store, FROM, test_bytes(s->zeros, 65537), EMPTY, EMPTY, 0, err))                  \
	X(range_to_65537, LIMIT, LIMIT,                                                                 \
	  count(s, s->store, TO, EMPTY, test_bytes(s->zeros, 65537), EMPTY, 0, err))                    \
	X(range_prefix_65537, LIMIT, LIMIT,                                                             \
	  count(s, s->store, PREFIX, EMPTY, EMPTY, test_bytes(s->zeros, 65537), 0, err))                \
	X(range_from_max, LIMIT, LIMIT,                                                                 \
	  count(s, s->store, FROM, test_bytes("x", SIZE_MAX), EMPTY, EMPTY, 0, err))                    \
	X(range_schema_bad_from, SCHEMA, SCHEMA,                                                        \
	  count(s, s->people, FROM, test_text("zz"), EMPTY, EMPTY, 0, err))                             \
	X(range_schema_bad_to, SCHEMA, SCHEMA,                                                          \
	  count(s, s->people, TO, EMPTY, test_text("zz"), EMPTY, 0, err))                               \
	X(range_schema_half_a_field, SCHEMA, SCHEMA,                                                    \
	  count(s, s->people, PREFIX, EMPTY, EMPTY, test_text("\x02z"), 0, err))                        \
	X(range_size_0, MISUSE, MISUSE, range_sized(s, 0, 0, err))                                      \
	X(range_size_8, MISUSE, MISUSE, range_sized(s, 8, 0, err))                                      \
	X(range_reserved, MISUSE, MISUSE, range_sized(s, sizeof(sop_range), 1, err))                    \
	X(cursor_flags_7, OK, OK, open_flags(s, 7, err))                                                \
	X(cursor_flag_8, MISUSE, MISUSE, open_flags(s, 8, err))                                         \
	X(cursor_flags_max, MISUSE, MISUSE, open_flags(s, UINT32_MAX, err))                             \
	X(seek_where_5, MISUSE, MISUSE, seek(s, "\x02z\x00\x01", 4, 5, err))                            \
	X(seek_where_negative, MISUSE, MISUSE, seek(s, "\x02z\x00\x01", 4, -1, err))                    \
	X(seek_none, NOT_FOUND, NOT_FOUND, seek(s, "\x02z\x00\x01", 4, SOP_SEEK_EQ, err))               \
	X(seek_bad_key, SCHEMA, SCHEMA, seek(s, "zz", 2, SOP_SEEK_GE, err))                             \
	X(seek_eq_with_part_of_a_key, SCHEMA, SCHEMA, seek(s, "", 0, SOP_SEEK_EQ, err))                 \
	X(seek_ge_with_no_field, OK, OK, seek(s, "", 0, SOP_SEEK_GE, err))                              \
	X(seek_null_key, MISUSE, MISUSE, seek(s, NULL, 3, SOP_SEEK_GE, err))                            \
	X(seek_key_max, LIMIT, SCHEMA, seek(s, "\x02", SIZE_MAX, SOP_SEEK_GE, err))                     \
	X(fetch_good, OK, OK, fetch(s, 0, sizeof s->room, 0, 3, err))                                   \
	X(fetch_one_row, OK, OK, fetch(s, 0, sizeof s->room, 1, 0, err))                                \
	X(fetch_rows_max, OK, OK, fetch(s, 0, sizeof s->room, SIZE_MAX, 0, err))                        \
	X(fetch_flag_4, MISUSE, MISUSE, fetch(s, 0, sizeof s->room, 0, 4, err))                         \
	X(fetch_cursor_flags_max, MISUSE, MISUSE, fetch(s, 0, sizeof s->room, 0, UINT32_MAX, err))      \
	X(fetch_no_room, LIMIT, LIMIT, fetch(s, 0, 0, 0, 0, err))                                       \
	X(fetch_room_7, LIMIT, LIMIT, fetch(s, 0, 7, 0, 0, err))                                        \
	X(fetch_room_8, LIMIT, LIMIT, fetch(s, 0, 8, 0, 0, err))                                        \
	X(fetch_room_16, LIMIT, LIMIT, fetch(s, 0, 16, 0, 0, err))                                      \
	X(fetch_room_20, LIMIT, LIMIT, fetch(s, 0, 20, 0, 0, err))                                      \
	X(fetch_misaligned, MISUSE, MISUSE, fetch(s, 1, 100, 0, 0, err))                                \
	X(fetch_misaligned_4, MISUSE, MISUSE, fetch(s, 4, 100, 0, 0, err))                              \
	X(rollback_to_none, MISUSE, MISUSE, sop_rollback_to(s->txn, 0, err))                            \
	X(rollback_to_max, MISUSE, MISUSE, sop_rollback_to(s->txn, UINT64_MAX, err))                    \
	X(rename_to_itself, OK, EXISTS, sop_store_rename(s->txn, s->twice, test_text("twice"), err))

RANGES(ROW_FUNCTION)

static void ranges_and_cursors(void **state)
{
	RUN_TABLE(RANGES);
}

/* ---- limits of a transaction ----------------------------------------------------------------------------------- */

static void a_transaction_has_a_limit_in_bytes(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	sop_db *db = NULL;
	sop_store *store = NULL;
	sop_txn *txn = NULL;
	sop_buf value = SOP_BUF_INIT;
	static uint8_t noise[100000];
	uint8_t room[8];
	uint64_t put = 0;
	uint64_t count = 0;
	sop_status status = SOP_OK;

	(void)state;
	TEST_OK(sop_open("inmemory:?transaction_bytes_max=4MB", NULL, &db, &err), err);
	TEST_OK(sop_store_open(db, test_text("s"), NULL, &store, &err), err);
	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	TEST_OK(sop_store_create(txn, store, &err), err);
	while (status == SOP_OK && put < 1000)
		status = sop_put(txn, store, test_key_u64(room, put++),
				 test_bytes(noise, sizeof noise), &err);
	assert_int_equal(status, SOP_LIMIT);
	error_tells(&err, SOP_LIMIT, "sop_put beyond transaction_bytes_max");
	assert_in_range(put, 20, 45);
	/* The one that did not fit did nothing, and what fitted can be committed. */
	assert_int_equal(sop_get(txn, store, test_key_u64(room, put - 1), &value, &err), SOP_NOT_FOUND);
	TEST_OK(sop_count(txn, store, NULL, &count, &err), err);
	assert_int_equal(count, put - 1);
	TEST_OK(sop_commit(txn, &err), err);
	/* The next transaction begins with all its room. */
	TEST_OK(sop_txn_renew(txn, &err), err);
	TEST_OK(sop_put(txn, store, test_text("k"), test_bytes(noise, sizeof noise), &err), err);
	/* A value beyond the room that is left is refused before it is looked at. */
	{
		void *space = mmap(NULL, SOP_VALUE_BYTES_MAX, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		assert_true(space != MAP_FAILED);
		assert_int_equal(sop_put(txn, store, test_text("l"),
					 test_bytes(space, SOP_VALUE_BYTES_MAX), &err),
				 SOP_LIMIT);
		munmap(space, SOP_VALUE_BYTES_MAX);
	}
	TEST_OK(sop_commit(txn, &err), err);
	sop_buf_free(&value);
	sop_txn_free(txn);
	sop_store_free(store);
	TEST_OK(sop_verify(db, NULL, NULL, NULL, NULL, &err), err);
	TEST_OK(sop_close(db, &err), err);
	sop_db_free(db);
}

static void a_value_that_is_no_integer_is_refused_by_atomic_operations(void **state)
{
	struct scene s;
	sop_error *err;
	sop_status status;

	(void)state;
	scene_open(&s);
	err = &s.fixture.err;
	/* One that the transaction can see, of its own or of others: known at once. */
	TEST_OK(sop_put(s.txn, s.store, test_text("t"), test_text("text"), err), *err);
	status = sop_add(s.txn, s.store, test_text("t"), 1, err);
	assert_int_equal(status, SOP_SCHEMA);
	error_tells(err, SOP_SCHEMA, "sop_add to a text");
	assert_string_equal(err->store, "raw");
	assert_int_equal(sop_max(s.txn, s.store, test_text("a"), 1, err), SOP_SCHEMA);
	error_tells(err, SOP_SCHEMA, "sop_max to a text");
	TEST_OK(sop_put(s.txn, s.store, test_text("t"), test_text("8 bytes!"), err), *err);
	TEST_OK(sop_add(s.txn, s.store, test_text("t"), 1, err), *err); /* it goes on */
	TEST_OK(sop_add(s.txn, s.store, test_text("t"), 1, err), *err);
	TEST_OK(sop_remove(s.txn, s.store, test_text("t"), 0, err), *err);
	TEST_OK(sop_min(s.txn, s.store, test_text("t"), 1, err), *err);
	TEST_OK(sop_commit(s.txn, err), *err);
	scene_close(&s);
}

/* Puts `value` under "n" in a transaction of its own. */
static void put_beside(struct scene *s, const char *value)
{
	sop_error *err = &s->fixture.err;
	sop_txn *other = NULL;

	TEST_OK(sop_begin(s->db, NULL, &other, err), *err);
	TEST_OK(sop_put(other, s->store, test_text("n"), test_text(value), err), *err);
	TEST_OK(sop_commit(other, err), *err);
	sop_txn_free(other);
}

/* Begins the transaction of the scene anew, so that it sees `value` under "n". */
static void see(struct scene *s, const char *value)
{
	sop_error *err = &s->fixture.err;

	put_beside(s, value);
	TEST_OK(sop_rollback(s->txn, err), *err);
	TEST_OK(sop_txn_renew(s->txn, err), *err);
}

/* One that came there after the transaction began: at commit, which does nothing then, and says where. `count` additions to
 * other keys go with it: many make the commit a large one. */
static void a_number_that_became_a_text(int count)
{
	sop_bytes store, key;
	struct scene s;
	sop_error *err;

	scene_open(&s);
	err = &s.fixture.err;
	see(&s, "8 bytes!");
	put_beside(&s, "text");
	TEST_OK(sop_put(s.txn, s.store, test_text("other"), test_text("x"), err), *err);
	for (int i = 0; i < count; i++)
		TEST_OK(sop_add(s.txn, s.store, test_bytes(&i, sizeof i), 1, err), *err);
	TEST_OK(sop_add(s.txn, s.store, test_text("n"), 1, err), *err);
	assert_int_equal(sop_commit(s.txn, err), SOP_SCHEMA);
	error_tells(err, SOP_SCHEMA, "sop_commit of an addition to a text");
	assert_string_equal(err->store, "raw");
	TEST_OK(sop_txn_conflict(s.txn, &store, &key, err), *err);
	assert_true(store.size == 3 && memcmp(store.data, "raw", 3) == 0);
	assert_true(key.size == 1 && memcmp(key.data, "n", 1) == 0);
	assert_int_equal(sop_txn_again(s.txn, err), SOP_SCHEMA);
	assert_int_equal(sop_read(s.db, s.store, test_text("other"), &s.buf, err), SOP_NOT_FOUND);
	fixture_works(s.db);
	scene_close(&s);
}

static void a_commit_names_the_value_that_is_no_integer(void **state)
{
	(void)state;
	a_number_that_became_a_text(0);
	a_number_that_became_a_text(5000);
}

/* An addition that is refused has told its transaction what is there: a commit must rest on it. */
static void a_refused_addition_counts_as_read(void **state)
{
	sop_bytes store, key;
	struct scene s;
	sop_error *err;

	(void)state;
	scene_open(&s);
	err = &s.fixture.err;
	see(&s, "text");
	assert_int_equal(sop_add(s.txn, s.store, test_text("n"), 1, err), SOP_SCHEMA);
	TEST_OK(sop_put(s.txn, s.store, test_text("other"), test_text("n is no number"), err), *err);
	put_beside(&s, "8 bytes!");
	assert_int_equal(sop_commit(s.txn, err), SOP_CONFLICT);
	TEST_OK(sop_txn_conflict(s.txn, &store, &key, err), *err);
	assert_true(key.size == 1 && memcmp(key.data, "n", 1) == 0);
	TEST_OK(sop_txn_again(s.txn, err), *err);
	TEST_OK(sop_add(s.txn, s.store, test_text("n"), 1, err), *err);
	put_beside(&s, "8 others"); /* a number is not read */
	TEST_OK(sop_commit(s.txn, err), *err);
	scene_close(&s);
}

/* What is done with an addition after it was answered with OK, before a text comes in from elsewhere. */
enum undoing { UNDONE, PUT_OVER, REMOVED_OVER, RANGE_REMOVED, STORE_DROPPED, UNDOINGS };

static void undo_addition(struct scene *s, enum undoing how, uint64_t savepoint)
{
	sop_error *err = &s->fixture.err;

	switch (how) {
	case UNDONE:
		TEST_OK(sop_rollback_to(s->txn, savepoint, err), *err);
		break;
	case PUT_OVER:
		TEST_OK(sop_put(s->txn, s->store, test_text("n"), test_text("x"), err), *err);
		break;
	case REMOVED_OVER:
		TEST_OK(sop_remove(s->txn, s->store, test_text("n"), 0, err), *err);
		break;
	case RANGE_REMOVED:
		TEST_OK(sop_remove_range(s->txn, s->store, NULL, NULL, err), *err);
		break;
	case STORE_DROPPED:
	case UNDOINGS:
		TEST_OK(sop_store_drop(s->txn, s->store, err), *err);
		break;
	}
}

/* OK said that there is a number, or nothing: also where no commit carries the addition out, since it was undone or covered,
 * its transaction rests on that. Another number is no conflict. */
static void an_addition_that_is_undone_was_answered(void **state)
{
	(void)state;
	for (int how = UNDONE; how < UNDOINGS; how++) {
		for (int number = 0; number < 2; number++) {
			uint64_t savepoint = 0;
			struct scene s;
			sop_error *err;

			scene_open(&s);
			err = &s.fixture.err;
			see(&s, "8 bytes!");
			TEST_OK(sop_savepoint(s.txn, &savepoint, err), *err);
			TEST_OK(sop_add(s.txn, s.store, test_text("n"), 1, err), *err);
			undo_addition(&s, (enum undoing)how, savepoint);
			if (how != STORE_DROPPED)
				TEST_OK(sop_put(s.txn, s.store, test_text("other"), test_text("x"), err),
					*err);
			put_beside(&s, number ? "8 others" : "text");
			assert_int_equal(sop_commit(s.txn, err), number ? SOP_OK : SOP_CONFLICT);
			scene_close(&s);
		}
	}
}

/* Changes the item "a" of the store with a schema in a transaction of its own: its ride-along field, or its value. */
static void change_beside(struct scene *s, bool ride)
{
	const sop_value values[] = { sop_value_str("a"), sop_value_bool(1) };
	sop_error *err = &s->fixture.err;
	sop_buf key = SOP_BUF_INIT;
	sop_txn *other = NULL;
	sop_bytes packed;

	TEST_OK(sop_key_pack(s->fixture.schema, values, ride ? 2 : 1, &key, err), *err);
	packed = (sop_bytes){ key.data, key.size };
	TEST_OK(sop_begin(s->db, NULL, &other, err), *err);
	if (ride)
		TEST_OK(sop_set_ride(other, s->people, packed, 0, err), *err);
	else
		TEST_OK(sop_update(other, s->people, packed, 0, test_text("new"), err), *err);
	TEST_OK(sop_commit(other, err), *err);
	sop_txn_free(other);
	sop_buf_free(&key);
}

/* A cursor over keys tells of ride-along fields, also where it seeks one key: they are read, values are not. */
static void a_cursor_over_keys_reads_what_rides_along(void **state)
{
	(void)state;
	for (int ride = 0; ride < 2; ride++) {
		sop_cursor *keys = NULL;
		sop_entry entry;
		struct scene s;
		sop_error *err;

		scene_open(&s);
		err = &s.fixture.err;
		TEST_OK(sop_rollback(s.txn, err), *err);
		TEST_OK(sop_txn_renew(s.txn, err), *err);
		TEST_OK(sop_cursor_open(s.txn, s.people, NULL, SOP_CURSOR_KEYS, &keys, err), *err);
		TEST_OK(sop_cursor_seek(keys, fixture_key('a'), SOP_SEEK_EQ, &entry, err), *err);
		TEST_OK(sop_cursor_entry(keys, &entry, err), *err);
		assert_int_equal(entry.value.size, 0);
		TEST_OK(sop_put(s.txn, s.store, test_text("other"), test_text("x"), err), *err);
		change_beside(&s, ride != 0);
		assert_int_equal(sop_commit(s.txn, err), ride ? SOP_CONFLICT : SOP_OK);
		sop_cursor_free(keys);
		scene_close(&s);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_stores),
		cmocka_unit_test(structures_and_their_sizes),
		cmocka_unit_test(keys_values_and_items),
		cmocka_unit_test(ranges_and_cursors),
		cmocka_unit_test(a_transaction_has_a_limit_in_bytes),
		cmocka_unit_test(a_value_that_is_no_integer_is_refused_by_atomic_operations),
		cmocka_unit_test(a_commit_names_the_value_that_is_no_integer),
		cmocka_unit_test(a_refused_addition_counts_as_read),
		cmocka_unit_test(an_addition_that_is_undone_was_answered),
		cmocka_unit_test(a_cursor_over_keys_reads_what_rides_along),
		cmocka_unit_test(every_message_says_what_to_do),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
