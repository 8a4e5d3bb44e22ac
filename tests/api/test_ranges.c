/* What a range takes together: a prefix, gone through in pages. */
#include "fixture.h"

#include <string.h>

/* Items in the range behind `after` (NULL: from its beginning) of the keys with the prefix. */
static uint64_t count(struct fixture *f, sop_store *store, sop_bytes prefix, const sop_bytes *after,
		      uint64_t item)
{
	sop_range range = SOP_RANGE_INIT;
	uint64_t counted = 0;

	range.flags = SOP_RANGE_PREFIX;
	range.prefix = prefix;
	range.after_item = item;
	if (after != NULL) {
		range.flags |= SOP_RANGE_FROM | SOP_RANGE_AFTER;
		range.from = *after;
	}
	TEST_OK(sop_count(f->txn, store, &range, &counted, &f->err), f->err);
	return counted;
}

static void put_raw(struct fixture *f, const char *const *keys, size_t many)
{
	for (size_t i = 0; i < many; i++)
		TEST_OK(sop_put(f->txn, f->raw, test_text(keys[i]), test_text("v"), &f->err), f->err);
}

static void a_prefix_is_gone_through_in_pages(void **state)
{
	static const char *const keys[] = { "x", "x1", "x2", "x3", "y" };
	struct fixture f;
	const sop_bytes prefix = test_text("x");
	sop_bytes after;

	(void)state;
	fixture_open(&f);
	put_raw(&f, keys, 5);
	assert_int_equal(count(&f, f.raw, prefix, NULL, 0), 4);
	for (size_t i = 0; i < 4; i++) {
		after = test_text(keys[i]);
		assert_int_equal(count(&f, f.raw, prefix, &after, 0), 3 - i);
	}
	after = test_text("y"); /* behind all of them */
	assert_int_equal(count(&f, f.raw, prefix, &after, 0), 0);
	after = test_text("a"); /* before all of them */
	assert_int_equal(count(&f, f.raw, prefix, &after, 0), 4);
	fixture_close(&f);
}

/* Items of the raw store whose keys begin with `prefix` and lie in the range from `from` (NULL: the beginning) to `to`
 * (NULL: the end). */
static uint64_t count_between(struct fixture *f, const char *prefix, const char *from,
			      const char *to, uint32_t how)
{
	sop_range range = SOP_RANGE_INIT;
	uint64_t counted = 0;

	range.flags = SOP_RANGE_PREFIX | how;
	range.prefix = test_text(prefix);
	if (from != NULL) {
		range.flags |= SOP_RANGE_FROM;
		range.from = test_text(from);
	}
	if (to != NULL) {
		range.flags |= SOP_RANGE_TO;
		range.to = test_text(to);
	}
	TEST_OK(sop_count(f->txn, f->raw, &range, &counted, &f->err), f->err);
	return counted;
}

/* A page that ends before a key is what goes backward needs. */
static void a_prefix_is_cut_at_both_ends(void **state)
{
	static const char *const keys[] = { "x", "x1", "x2", "x3", "y", "\xff", "\xff\xff" };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_raw(&f, keys, 7);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(count_between(&f, "x", NULL, keys[i], 0), i);
		assert_int_equal(count_between(&f, "x", NULL, keys[i], SOP_RANGE_THROUGH), i + 1);
		assert_int_equal(count_between(&f, "x", keys[i], NULL, 0), 4 - i);
		assert_int_equal(count_between(&f, "x", keys[i], "x3", 0), 3 - i);
		assert_int_equal(count_between(&f, "x", keys[i], "x2", SOP_RANGE_AFTER), i < 1 ? 1 : 0);
	}
	assert_int_equal(count_between(&f, "x", "a", "z", 0), 4); /* what is around it changes nothing */
	assert_int_equal(count_between(&f, "x", "y", NULL, 0), 0);
	assert_int_equal(count_between(&f, "x", NULL, "a", 0), 0);
	assert_int_equal(count_between(&f, "x", "x3", "x1", 0), 0);
	assert_int_equal(count_between(&f, "\xff", NULL, NULL, 0), 2); /* nothing is behind such keys */
	assert_int_equal(count_between(&f, "\xff", NULL, "\xff\xff", 0), 1);
	assert_int_equal(count_between(&f, "", NULL, "x1", 0) + count_between(&f, "", "x1", NULL, 0),
			 count_between(&f, "", NULL, NULL, 0));
	fixture_close(&f);
}

static void it_goes_on_behind_one_of_several_items(void **state)
{
	struct fixture f;
	const sop_bytes a = test_text("a");

	(void)state;
	fixture_open(&f);
	assert_int_equal(count(&f, f.twice, a, NULL, 0), 2);
	assert_int_equal(count(&f, f.twice, a, &a, f.items[0]), 1);
	assert_int_equal(count(&f, f.twice, a, &a, f.items[1]), 0);
	assert_int_equal(count(&f, f.twice, a, &a, 0), 0);
	fixture_close(&f);
}

static void with_a_schema_too(void **state)
{
	struct fixture f;
	const sop_bytes a = fixture_key('a');
	const sop_bytes all = { NULL, 0 };

	(void)state;
	fixture_open(&f);
	assert_int_equal(count(&f, f.store, a, NULL, 0), 1);
	assert_int_equal(count(&f, f.store, a, &a, 0), 0);
	assert_int_equal(count(&f, f.store, all, &a, 0), count(&f, f.store, all, NULL, 0) - 1);
	assert_int_equal(count(&f, f.store, all, &all, 0), 0); /* all keys begin with no fields */
	fixture_close(&f);
}

/* Items up to `to`, which is inside. */
static uint64_t count_through(struct fixture *f, sop_store *store, sop_bytes to)
{
	sop_range range = SOP_RANGE_INIT;
	uint64_t counted = 0;

	range.flags = SOP_RANGE_TO | SOP_RANGE_THROUGH;
	range.to = to;
	TEST_OK(sop_count(f->txn, store, &range, &counted, &f->err), f->err);
	return counted;
}

static void its_end_may_be_inside(void **state)
{
	static const char *const keys[] = { "x", "x1", "x2" };
	const sop_bytes nothing = { NULL, 0 };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_raw(&f, keys, 3);
	assert_int_equal(count_through(&f, f.raw, test_text("x1")),
			 count_through(&f, f.raw, test_text("x")) + 1);
	assert_int_equal(count_through(&f, f.raw, test_text("x11")), /* is not there */
			 count_through(&f, f.raw, test_text("x1")));
	assert_int_equal(count_through(&f, f.twice, test_text("a")), 2);
	assert_int_equal(count_through(&f, f.store, fixture_key('a')), 1);
	assert_int_equal(count_through(&f, f.store, nothing), /* all keys begin with no fields */
			 count(&f, f.store, nothing, NULL, 0));
	fixture_close(&f);
}

enum { REGIONS = 3, NUMBERS = 2 };

/* `number` below 0: only the region; that NULL too: no field. */
static sop_bytes pair_key(sop_schema *schema, sop_buf *room, const char *region, int64_t number)
{
	const sop_value values[2] = { sop_value_str(region != NULL ? region : ""),
				      sop_value_int(number) };
	sop_error err = SOP_ERROR_INIT;

	if (number < 0)
		TEST_OK(sop_key_pack_prefix(schema, values, region != NULL, room, &err), err);
	else
		TEST_OK(sop_key_pack(schema, values, 2, room, &err), err);
	return test_bytes(room->data, room->size);
}

/* Behind all keys that begin with a region, up to all that begin with another. */
static void leading_fields_stand_for_all_that_begin_so(void **state)
{
	const sop_bytes text = test_text(
		"{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},{\"n\":\"number\",\"t\":\"int\"}]}");
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_buf low = SOP_BUF_INIT, high = SOP_BUF_INIT;
	sop_schema *schema = NULL;
	sop_store *pairs = NULL;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	TEST_OK(sop_schema_parse(text, &schema, &f.err), f.err);
	options.schema = schema;
	TEST_OK(sop_store_open(f.db, test_text("pairs"), &options, &pairs, &f.err), f.err);
	TEST_OK(sop_store_create(f.txn, pairs, &f.err), f.err);
	for (int i = 0; i < REGIONS * NUMBERS; i++) {
		const char region[2] = { (char)('a' + i / NUMBERS), '\0' };

		TEST_OK(sop_put(f.txn, pairs, pair_key(schema, &low, region, i % NUMBERS),
				test_text("v"), &f.err),
			f.err);
	}
	for (int from = 0; from < REGIONS; from++) {
		for (int to = 0; to < REGIONS; to++) {
			const char regions[2][2] = { { (char)('a' + from), '\0' },
						     { (char)('a' + to), '\0' } };
			sop_range range = SOP_RANGE_INIT;
			uint64_t counted = 0;

			range.flags = SOP_RANGE_FROM | SOP_RANGE_AFTER | SOP_RANGE_TO | SOP_RANGE_THROUGH;
			range.from = pair_key(schema, &low, regions[0], -1);
			range.to = pair_key(schema, &high, regions[1], -1);
			TEST_OK(sop_count(f.txn, pairs, &range, &counted, &f.err), f.err);
			assert_int_equal(counted, to > from ? (to - from) * NUMBERS : 0);
			range.from = pair_key(schema, &low, NULL, -1); /* behind all */
			TEST_OK(sop_count(f.txn, pairs, &range, &counted, &f.err), f.err);
			assert_int_equal(counted, 0);
		}
	}
	sop_buf_free(&low);
	sop_buf_free(&high);
	sop_store_free(pairs);
	sop_schema_free(schema);
	fixture_close(&f);
}

/* Puts `key` into the raw store in a transaction of its own. */
static void put_elsewhere(struct fixture *f, const char *key)
{
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(f->db, NULL, &txn, &f->err), f->err);
	TEST_OK(sop_put(txn, f->raw, test_text(key), test_text("v"), &f->err), f->err);
	TEST_OK(sop_commit(txn, &f->err), f->err);
	sop_txn_free(txn);
}

/* A cursor that is asked once more at the open end has read no more than its range. */
static void beyond_an_open_end_nothing_is_read(void **state)
{
	static const char *const elsewhere[] = { "b", "y" };
	const sop_status outcomes[] = { SOP_OK, SOP_CONFLICT };
	sop_range range = SOP_RANGE_INIT;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	range.flags = SOP_RANGE_FROM;
	range.from = test_text("x");
	TEST_OK(sop_rollback(f.txn, &f.err), f.err);
	for (size_t i = 0; i < 2; i++) {
		sop_cursor *cursor = NULL;

		TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
		TEST_OK(sop_cursor_open(f.txn, f.raw, &range, 0, &cursor, &f.err), f.err);
		for (unsigned step = 0; step < 3; step++)
			TEST_STATUS(sop_cursor_next(cursor, NULL, &f.err), SOP_NOT_FOUND, f.err);
		put_elsewhere(&f, elsewhere[i]);
		TEST_OK(sop_put(f.txn, f.raw, test_text("own"), test_text("v"), &f.err), f.err);
		TEST_STATUS(sop_commit(f.txn, &f.err), outcomes[i], f.err);
		sop_cursor_free(cursor);
	}
	fixture_close(&f);
}

/* The version of the item that `cursor` has by each call that tells one. */
static void assert_versions(sop_cursor *cursor, bool told, struct fixture *f)
{
	uint64_t room[64];
	sop_entry entry;
	size_t count = 0, used = 0;

	TEST_OK(sop_cursor_first(cursor, &entry, &f->err), f->err);
	assert_int_equal(entry.version != 0, told);
	TEST_OK(sop_cursor_entry(cursor, &entry, &f->err), f->err);
	assert_int_equal(entry.version != 0, told);
	TEST_OK(sop_cursor_next(cursor, &entry, &f->err), f->err);
	assert_int_equal(entry.version != 0, told);
	TEST_OK(sop_cursor_prev(cursor, &entry, &f->err), f->err);
	assert_int_equal(entry.version != 0, told);
	TEST_OK(sop_cursor_next_many(cursor, &entry, 1, &count, &f->err), f->err);
	assert_int_equal(entry.version != 0, told);
	TEST_OK(sop_cursor_seek(cursor, test_text("b"), SOP_SEEK_GE, &entry, &f->err), f->err);
	assert_int_equal(entry.version != 0, told);
	TEST_OK(sop_cursor_fetch(cursor, room, sizeof room, 1, SOP_ROWS_VERSION, &used, &f->err), f->err);
	assert_int_equal(room[2] != 0, told); /* behind the counts and sizes */
}

/* A version changes with the value, so who has read keys alone has not read it, and must not be told what nobody checks. */
static void a_cursor_over_keys_tells_no_versions(void **state)
{
	static const char *const keys[] = { "a", "b", "c" };
	sop_cursor *cursor = NULL;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_raw(&f, keys, 3);
	TEST_OK(sop_commit(f.txn, &f.err), f.err);
	TEST_OK(sop_txn_renew(f.txn, &f.err), f.err);
	for (uint32_t flags = 0; flags <= SOP_CURSOR_COPIES; flags++) {
		TEST_OK(sop_cursor_open(f.txn, f.raw, NULL, flags, &cursor, &f.err), f.err);
		assert_versions(cursor, (flags & SOP_CURSOR_KEYS) == 0, &f);
		sop_cursor_free(cursor);
	}
	fixture_close(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cursor_over_keys_tells_no_versions),
		cmocka_unit_test(a_prefix_is_gone_through_in_pages),
		cmocka_unit_test(a_prefix_is_cut_at_both_ends),
		cmocka_unit_test(it_goes_on_behind_one_of_several_items),
		cmocka_unit_test(with_a_schema_too),
		cmocka_unit_test(its_end_may_be_inside),
		cmocka_unit_test(leading_fields_stand_for_all_that_begin_so),
		cmocka_unit_test(beyond_an_open_end_nothing_is_read),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
