/* Ride-along fields appended to the schema of a store: the one change that is allowed, and what may come between. */
#include "api/fixture.h"

#include <stdlib.h>
#include <string.h>

#define SORT                                                                                       \
	"{\"v\":1,\"sort\":[{\"n\":\"k\",\"t\":\"str\"}],\"ride\":[{\"n\":\"a\",\"t\":\"int\",\"default\":1}"
#define PLUS_B ",{\"n\":\"b\",\"t\":\"int\",\"default\":2}"
#define PLUS_C ",{\"n\":\"c\",\"t\":\"int\"}"
#define END "]}"

/* A database with a store in three states of its schema: one, two and three ride-along fields. */
struct scene {
	sop_error err;
	sop_db *db;
	sop_store *one, *two, *three;
	sop_store *any; /* declared without options */
	sop_txn *txn, *other;
	sop_buf key, value;
};

static sop_store *declare(struct scene *s, const char *json, uint32_t duplicates)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_schema *schema = NULL;
	sop_store *store = NULL;

	TEST_OK(sop_schema_parse(test_text(json), &schema, &s->err), s->err);
	options.schema = schema;
	options.duplicates = duplicates;
	TEST_OK(sop_store_open(s->db, test_text("s"), &options, &store, &s->err), s->err);
	sop_schema_free(schema); /* it was copied */
	return store;
}

/* Keys "x" and "y" with all that a number of ride-along fields adds; int 9 is 15 09. */
static sop_bytes key_with(char letter, unsigned rides)
{
	static char room[2][16];
	char *key = room[letter == 'y'];
	size_t size = 4;

	key[0] = 0x02;
	key[1] = letter;
	key[2] = 0x00;
	key[3] = 0x01;
	for (unsigned i = 0; i < rides; i++) {
		key[size++] = 0x15;
		key[size++] = (char)(9 + i);
	}
	return test_bytes(key, size);
}

static void scene_open(struct scene *s, uint32_t duplicates)
{
	const sop_error fresh = SOP_ERROR_INIT;

	memset(s, 0, sizeof *s);
	s->err = fresh;
	TEST_OK(sop_open("inmemory:", NULL, &s->db, &s->err), s->err);
	s->one = declare(s, SORT END, duplicates);
	s->two = declare(s, SORT PLUS_B END, duplicates);
	s->three = declare(s, SORT PLUS_B PLUS_C END, duplicates);
	TEST_OK(sop_store_open(s->db, test_text("s"), NULL, &s->any, &s->err), s->err);
	TEST_OK(sop_begin(s->db, NULL, &s->txn, &s->err), s->err);
	TEST_OK(sop_store_create(s->txn, s->one, &s->err), s->err);
	TEST_OK(sop_insert(s->txn, s->one, key_with('x', 1), test_text("old"), NULL, &s->err), s->err);
	TEST_OK(sop_commit(s->txn, &s->err), s->err);
	TEST_OK(sop_txn_renew(s->txn, &s->err), s->err);
	TEST_OK(sop_begin(s->db, NULL, &s->other, &s->err), s->err);
}

static void scene_close(struct scene *s)
{
	sop_txn_free(s->txn);
	sop_txn_free(s->other);
	fixture_works(s->db);
	sop_store_free(s->one);
	sop_store_free(s->two);
	sop_store_free(s->three);
	sop_store_free(s->any);
	TEST_OK(sop_close(s->db, &s->err), s->err);
	sop_db_free(s->db);
	sop_buf_free(&s->key);
	sop_buf_free(&s->value);
}

/* How many ride-along fields the store has for a new transaction. */
static size_t fields_now(struct scene *s)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_store_info info = SOP_STORE_INFO_INIT;
	sop_schema *schema = NULL;
	sop_txn *txn = NULL;
	size_t count;

	reading.mode = SOP_READ;
	TEST_OK(sop_begin(s->db, &reading, &txn, &s->err), s->err);
	TEST_OK(sop_store_describe(txn, s->any, &info, &s->value, &s->err), s->err);
	TEST_OK(sop_schema_parse(test_bytes(s->value.data, s->value.size), &schema, &s->err), s->err);
	count = sop_schema_ride_count(schema);
	sop_schema_free(schema);
	sop_txn_free(txn);
	return count;
}

/* The item has exactly this key. */
static void has_key(struct scene *s, sop_txn *txn, sop_store *store, char letter, const char *rides,
		    size_t size)
{
	TEST_OK(sop_fetch(txn, store, key_with(letter, 0), 0, 0, &s->key, &s->value, NULL, &s->err),
		s->err);
	assert_int_equal(s->key.size, 4 + size);
	assert_memory_equal((char *)s->key.data + 4, rides, size);
}

static void what_was_written_before_gets_the_defaults(void **state)
{
	(void)state;
	for (uint32_t duplicates = 0; duplicates < 2; duplicates++) {
		struct scene s;

		scene_open(&s, duplicates);
		assert_int_equal(fields_now(&s), 1);
		TEST_OK(sop_insert(s.txn, s.two, key_with('y', 2), test_text("new"), NULL, &s.err),
			s.err);
		has_key(&s, s.txn, s.two, 'x', "\x15\x09\x15\x02", 4);
		has_key(&s, s.txn, s.two, 'y', "\x15\x09\x15\x0A", 4);
		TEST_OK(sop_commit(s.txn, &s.err), s.err);
		assert_int_equal(fields_now(&s), 2);
		TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
		has_key(&s, s.txn, s.any, 'x', "\x15\x09\x15\x02", 4);
		TEST_OK(sop_set_ride(s.txn, s.two, key_with('x', 2), 0, &s.err), s.err);
		has_key(&s, s.txn, s.two, 'x', "\x15\x09\x15\x0A", 4);
		TEST_OK(sop_update(s.txn, s.three, key_with('x', 0), 0, test_text("v"), &s.err), s.err);
		has_key(&s, s.txn, s.three, 'x', "\x15\x09\x15\x0A\x00", 5);
		TEST_OK(sop_commit(s.txn, &s.err), s.err);
		assert_int_equal(fields_now(&s), 3);
		TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
		has_key(&s, s.txn, s.any, 'y', "\x15\x09\x15\x0A\x00", 5);
		scene_close(&s);
	}
}

static void an_older_declaration_is_refused_afterwards(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, 0);
	TEST_OK(sop_get(s.txn, s.two, key_with('x', 0), &s.value, &s.err), s.err);
	TEST_OK(sop_commit(s.txn, &s.err), s.err);
	assert_int_equal(fields_now(&s), 2); /* using it in a transaction that may write is enough */
	TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
	TEST_STATUS(sop_get(s.txn, s.one, key_with('x', 0), &s.value, &s.err), SOP_SCHEMA, s.err);
	assert_string_equal(s.err.store, "s");
	assert_non_null(strstr(s.err.message, "\"b\"")); /* the difference */
	TEST_OK(sop_get(s.txn, s.any, key_with('x', 0), &s.value, &s.err), s.err);
	scene_close(&s);
}

static void a_reader_sees_the_fields_but_changes_nothing(void **state)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_txn *reader = NULL;
	struct scene s;

	(void)state;
	scene_open(&s, 0);
	reading.mode = SOP_READ;
	TEST_OK(sop_begin(s.db, &reading, &reader, &s.err), s.err);
	has_key(&s, reader, s.two, 'x', "\x15\x09\x15\x02", 4);
	TEST_OK(sop_commit(reader, &s.err), s.err);
	assert_int_equal(fields_now(&s), 1);
	TEST_OK(sop_get(s.txn, s.one, key_with('x', 0), &s.value, &s.err), s.err);
	sop_txn_free(reader);
	scene_close(&s);
}

static void rolling_back_takes_the_fields_back(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, 0);
	TEST_OK(sop_put(s.txn, s.two, key_with('y', 2), test_text("v"), &s.err), s.err);
	TEST_OK(sop_rollback(s.txn, &s.err), s.err);
	assert_int_equal(fields_now(&s), 1);
	TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
	TEST_OK(sop_put(s.txn, s.one, key_with('y', 1), test_text("v"), &s.err), s.err);
	scene_close(&s);
}

static void returning_to_a_savepoint_takes_the_fields_back(void **state)
{
	uint64_t savepoint = 0;
	struct scene s;

	(void)state;
	scene_open(&s, 0);
	TEST_OK(sop_savepoint(s.txn, &savepoint, &s.err), s.err);
	TEST_OK(sop_put(s.txn, s.two, key_with('y', 2), test_text("v"), &s.err), s.err);
	TEST_OK(sop_rollback_to(s.txn, savepoint, &s.err), s.err);
	TEST_OK(sop_put(s.txn, s.one, key_with('y', 1), test_text("v"), &s.err), s.err);
	TEST_OK(sop_commit(s.txn, &s.err), s.err);
	assert_int_equal(fields_now(&s), 1);
	scene_close(&s);
}

static void fields_may_be_added_again_after_a_savepoint(void **state)
{
	uint64_t savepoint = 0;
	struct scene s;

	(void)state;
	scene_open(&s, 0);
	TEST_OK(sop_savepoint(s.txn, &savepoint, &s.err), s.err);
	TEST_OK(sop_put(s.txn, s.two, key_with('y', 2), test_text("v"), &s.err), s.err);
	TEST_OK(sop_rollback_to(s.txn, savepoint, &s.err), s.err);
	TEST_OK(sop_put(s.txn, s.two, key_with('y', 2), test_text("v"), &s.err), s.err);
	TEST_OK(sop_commit(s.txn, &s.err), s.err);
	assert_int_equal(fields_now(&s), 2);
	TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
	has_key(&s, s.txn, s.two, 'y', "\x15\x09\x15\x0A", 4);
	has_key(&s, s.txn, s.two, 'x', "\x15\x09\x15\x02", 4);
	scene_close(&s);
}

/* Whoever wrote by the old schema meanwhile conflicts or comes first: never a mixture. */
static void who_writes_by_the_old_schema_meanwhile_is_told(void **state)
{
	sop_status status;
	struct scene s;

	(void)state;
	scene_open(&s, 0);
	TEST_OK(sop_put(s.other, s.one, key_with('x', 1), test_text("by the old one"), &s.err), s.err);
	TEST_OK(sop_put(s.txn, s.two, key_with('y', 2), test_text("v"), &s.err), s.err);
	TEST_OK(sop_commit(s.txn, &s.err), s.err);
	status = sop_commit(s.other, &s.err);
	assert_true(status == SOP_OK || status == SOP_CONFLICT);
	assert_int_equal(fields_now(&s), 2);
	TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
	has_key(&s, s.txn, s.two, 'x', "\x15\x09\x15\x02", 4);
	scene_close(&s);
}

static void two_may_append_the_same_field_at_once(void **state)
{
	sop_status status;
	struct scene s;

	(void)state;
	scene_open(&s, 0);
	TEST_OK(sop_put(s.txn, s.two, key_with('x', 2), test_text("v"), &s.err), s.err);
	TEST_OK(sop_put(s.other, s.two, key_with('y', 2), test_text("v"), &s.err), s.err);
	TEST_OK(sop_commit(s.txn, &s.err), s.err);
	status = sop_commit(s.other, &s.err);
	if (status == SOP_CONFLICT) {
		TEST_OK(sop_txn_again(s.other, &s.err), s.err);
		TEST_OK(sop_put(s.other, s.two, key_with('y', 2), test_text("v"), &s.err), s.err);
		status = sop_commit(s.other, &s.err);
	}
	assert_int_equal(status, SOP_OK);
	TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
	has_key(&s, s.txn, s.two, 'x', "\x15\x09\x15\x0A", 4);
	has_key(&s, s.txn, s.two, 'y', "\x15\x09\x15\x0A", 4);
	assert_int_equal(fields_now(&s), 2);
	scene_close(&s);
}

static void a_dropped_store_may_come_back_with_any_schema(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, 0);
	TEST_OK(sop_put(s.txn, s.two, key_with('y', 2), test_text("v"), &s.err), s.err);
	TEST_OK(sop_store_drop(s.txn, s.two, &s.err), s.err);
	TEST_STATUS(sop_get(s.txn, s.two, key_with('x', 0), &s.value, &s.err), SOP_NOT_FOUND, s.err);
	TEST_OK(sop_store_create(s.txn, s.one, &s.err), s.err);
	TEST_OK(sop_put(s.txn, s.one, key_with('y', 1), test_text("v"), &s.err), s.err);
	TEST_OK(sop_commit(s.txn, &s.err), s.err);
	assert_int_equal(fields_now(&s), 1);
	TEST_OK(sop_txn_renew(s.txn, &s.err), s.err);
	TEST_STATUS(sop_get(s.txn, s.one, key_with('x', 0), &s.value, &s.err), SOP_NOT_FOUND, s.err);
	has_key(&s, s.txn, s.one, 'y', "\x15\x09", 2);
	scene_close(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_before_gets_the_defaults),
		cmocka_unit_test(an_older_declaration_is_refused_afterwards),
		cmocka_unit_test(a_reader_sees_the_fields_but_changes_nothing),
		cmocka_unit_test(rolling_back_takes_the_fields_back),
		cmocka_unit_test(returning_to_a_savepoint_takes_the_fields_back),
		cmocka_unit_test(fields_may_be_added_again_after_a_savepoint),
		cmocka_unit_test(who_writes_by_the_old_schema_meanwhile_is_told),
		cmocka_unit_test(two_may_append_the_same_field_at_once),
		cmocka_unit_test(a_dropped_store_may_come_back_with_any_schema),
		cmocka_unit_test(every_message_says_what_to_do),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
