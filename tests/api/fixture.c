/* Opening and closing the fixture, and what every error has to look like. */
#include "api/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

sop_bytes fixture_key(char letter)
{
	static char keys[26][4];
	char *key = keys[letter - 'a'];

	key[0] = 0x02; /* a text ... */
	key[1] = letter;
	key[2] = 0x00; /* ... and its end */
	key[3] = 0x01;
	return test_bytes(key, 4);
}

static sop_store *declare(struct fixture *fixture, const char *name, const sop_schema *schema,
			  uint32_t duplicates)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_store *store = NULL;

	options.schema = schema;
	options.duplicates = duplicates;
	TEST_OK(sop_store_open(fixture->db, test_text(name), &options, &store, &fixture->err),
		fixture->err);
	return store;
}

static void fill(struct fixture *fixture)
{
	sop_error *err = &fixture->err;
	sop_txn *txn = NULL;
	uint8_t number[8];

	TEST_OK(sop_begin(fixture->db, NULL, &txn, err), *err);
	TEST_OK(sop_store_create(txn, fixture->store, err), *err);
	TEST_OK(sop_store_create(txn, fixture->raw, err), *err);
	TEST_OK(sop_store_create(txn, fixture->twice, err), *err);
	for (char letter = 'a'; letter < 'a' + FIXTURE_ITEMS; letter++) {
		TEST_OK(sop_put(txn, fixture->store, fixture_key(letter), test_bytes(&letter, 1), err),
			*err);
		TEST_OK(sop_put(txn, fixture->raw, test_bytes(&letter, 1), test_bytes(&letter, 1), err),
			*err);
	}
	TEST_OK(sop_put(txn, fixture->store, fixture_key('n'), test_value_u64(number, 5), err), *err);
	TEST_OK(sop_put(txn, fixture->raw, test_text("n"), test_value_u64(number, 5), err), *err);
	for (unsigned i = 0; i < 2; i++)
		TEST_OK(sop_insert(txn, fixture->twice, test_text("a"), test_text("x"),
				   &fixture->items[i], err),
			*err);
	TEST_OK(sop_commit(txn, err), *err);
	sop_txn_free(txn);
}

void fixture_open(struct fixture *fixture)
{
	const sop_error fresh = SOP_ERROR_INIT;
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_error *err = &fixture->err;

	memset(fixture, 0, sizeof *fixture);
	fixture->err = fresh;
	TEST_OK(sop_options_new(&fixture->options, err), *err);
	TEST_OK(sop_open("inmemory:", fixture->options, &fixture->db, err), *err);
	TEST_OK(sop_schema_parse(test_text("{\"v\":1,\"sort\":[{\"n\":\"name\",\"t\":\"str\"}],"
					   "\"ride\":[{\"n\":\"gone\",\"t\":\"bool\",\"default\":false}]}"),
				 &fixture->schema, err),
		*err);
	fixture->store = declare(fixture, "people", fixture->schema, 0);
	fixture->raw = declare(fixture, "raw", NULL, 0);
	fixture->twice = declare(fixture, "twice", NULL, 1);
	fixture->missing = declare(fixture, "missing", NULL, 0);
	fill(fixture);
	TEST_OK(sop_begin(fixture->db, NULL, &fixture->txn, err), *err);
	reading.mode = SOP_READ;
	TEST_OK(sop_begin(fixture->db, &reading, &fixture->reader, err), *err);
	TEST_OK(sop_cursor_open(fixture->txn, fixture->store, NULL, 0, &fixture->cursor, err), *err);
	TEST_OK(sop_cursor_first(fixture->cursor, NULL, err), *err);
}

void fixture_close(struct fixture *fixture)
{
	sop_options_free(fixture->options);
	sop_store_free(fixture->store);
	sop_store_free(fixture->raw);
	sop_store_free(fixture->twice);
	sop_store_free(fixture->missing);
	sop_txn_free(fixture->txn);
	sop_db_free(fixture->db);
	sop_txn_free(fixture->reader);
	sop_cursor_free(fixture->cursor);
	sop_schema_free(fixture->schema);
	memset(fixture, 0, sizeof *fixture);
}

void fixture_works(sop_db *db)
{
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;
	sop_txn *txn = NULL;
	sop_buf value = SOP_BUF_INIT;
	sop_status status;

	TEST_OK(sop_store_open(db, test_text("does it work?"), NULL, &store, &err), err);
	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	status = sop_store_create(txn, store, &err);
	assert_true(status == SOP_OK || status == SOP_EXISTS);
	TEST_OK(sop_put(txn, store, test_text("key"), test_text("value"), &err), err);
	TEST_OK(sop_commit(txn, &err), err);
	sop_txn_free(txn);
	TEST_OK(sop_read(db, store, test_text("key"), &value, &err), err);
	assert_int_equal(value.size, 5);
	assert_memory_equal(value.data, "value", 5);
	TEST_OK(sop_verify(db, NULL, NULL, NULL, NULL, &err), err);
	sop_buf_free(&value);
	sop_store_free(store);
}

/* ---- what errors say -------------------------------------------------------------------------------------------- */

enum { SILENT_MAX = 200, MESSAGE_BYTES = 256 };

static char silent[SILENT_MAX][MESSAGE_BYTES]; /* messages that do not say what to do */
static size_t silent_count;

/* A sentence that helps has an advice behind a semicolon, or names what is needed. */
static bool advises(const char *message)
{
	static const char *const signs[] = { ";", " must ", " needs ", " limit" };

	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
		if (strstr(message, signs[i]) != NULL)
			return true;
	return false;
}

static void remember_silent(const char *message)
{
	for (size_t i = 0; i < silent_count; i++)
		if (strcmp(silent[i], message) == 0)
			return;
	if (silent_count < SILENT_MAX)
		(void)snprintf(silent[silent_count++], MESSAGE_BYTES, "%s", message);
}

void error_tells(const sop_error *err, sop_status status, const char *call)
{
	if (err->status != status || err->traits != sop_status_traits(status))
		fail_msg("%s: the error says %s with traits %x instead of %s", call,
			 sop_status_name(err->status), (unsigned)err->traits, sop_status_name(status));
	if (memchr(err->message, '\0', sizeof err->message) == NULL || err->message[0] == '\0')
		fail_msg("%s: %s without a message", call, sop_status_name(status));
	if (strstr(err->message, "sop_") != NULL || strstr(err->message, "SOP_") != NULL)
		fail_msg("%s: the message names something of C: %s", call, err->message);
	if ((sop_status_traits(status) & SOP_TRAIT_MISUSE) != 0 && !advises(err->message))
		remember_silent(err->message);
}

void every_message_says_what_to_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < silent_count; i++)
		print_error("  %s\n", silent[i]);
	assert_int_equal(silent_count, 0);
}
