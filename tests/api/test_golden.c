/* A database that version 2 of the format left behind is opened by every build, and reads as it did.
 *
 * tests/data/golden-v2.tar.gz is the folder, golden-v2.txt what is in it, a line an item. Both are made by
 *     SOP_GOLDEN_MAKE=golden-v2 build/release/tests/api.test_golden      (then tar it, without tmp/ballast)
 *     SOP_GOLDEN_DUMP=golden-v2 build/release/tests/api.test_golden > golden-v2.txt
 * with the first library of a format, and never again: a later format gets files of its own. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ITEMS = 400, ROUNDS = 3, LARGE_BYTES = 5000, FILE_BYTES = 1300 << 10, BULK_ITEMS = 6000 };

static const char schema_text[] =
	"{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},{\"n\":\"id\",\"t\":\"int\",\"desc\":true}],"
	"\"ride\":[{\"n\":\"left\",\"t\":\"bool\",\"default\":false}]}";

/* ---- making it ------------------------------------------------------------------------------- */

struct making {
	sop_db *db;
	sop_schema *schema;
	sop_store *raw;
	sop_store *typed;
	sop_store *many; /* keeps duplicates */
	sop_store *gone;
	sop_store *bulk;
	sop_error err;
};

static void open_stores(struct making *m)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;

	TEST_OK(sop_schema_parse(test_text(schema_text), &m->schema, &m->err), m->err);
	TEST_OK(sop_store_open(m->db, test_text("raw"), NULL, &m->raw, &m->err), m->err);
	TEST_OK(sop_store_open(m->db, test_text("gone"), NULL, &m->gone, &m->err), m->err);
	TEST_OK(sop_store_open(m->db, test_text("bulk"), NULL, &m->bulk, &m->err), m->err);
	options.node_items = 8;
	options.schema = m->schema;
	TEST_OK(sop_store_open(m->db, test_text("typed"), &options, &m->typed, &m->err), m->err);
	options.schema = NULL;
	options.duplicates = 1;
	TEST_OK(sop_store_open(m->db, test_text("many"), &options, &m->many, &m->err), m->err);
}

static void create_stores(struct making *m)
{
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(m->db, NULL, &txn, &m->err), m->err);
	TEST_OK(sop_store_create(txn, m->raw, &m->err), m->err);
	TEST_OK(sop_store_create(txn, m->typed, &m->err), m->err);
	TEST_OK(sop_store_create(txn, m->many, &m->err), m->err);
	TEST_OK(sop_store_create(txn, m->gone, &m->err), m->err);
	TEST_OK(sop_store_create(txn, m->bulk, &m->err), m->err);
	TEST_OK(sop_commit(txn, &m->err), m->err);
	sop_txn_free(txn);
}

static void put_one(struct making *m, sop_txn *txn, unsigned round, unsigned number)
{
	const sop_value fields[] = { sop_value_str(number % 3 == 0 ? "US" : "DE"),
				     sop_value_int(number), sop_value_bool(number % 5 == 0) };
	char key[32], value[LARGE_BYTES];
	const size_t size = number % 40 == 0 ? sizeof value : 10 + number % 90;
	sop_buf packed = SOP_BUF_INIT;
	uint64_t item;

	snprintf(key, sizeof key, "key %05u", number * 37 % ITEMS);
	memset(value, (int)('a' + (number + round) % 26), sizeof value);
	TEST_OK(sop_put(txn, m->raw, test_text(key), test_bytes(value, size), &m->err), m->err);
	TEST_OK(sop_key_pack(m->schema, fields, 3, &packed, &m->err), m->err);
	TEST_OK(sop_put(txn, m->typed, test_bytes(packed.data, packed.size),
			test_bytes(value, number % 50), &m->err),
		m->err);
	if (number % 10 == 0)
		TEST_OK(sop_insert(txn, m->many, test_text(number % 20 == 0 ? "even" : "odd"),
				   test_bytes(value, 5), &item, &m->err),
			m->err);
	sop_buf_free(&packed);
}

static void play_round(struct making *m, unsigned round)
{
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(m->db, NULL, &txn, &m->err), m->err);
	for (unsigned number = round * 50; number < ITEMS; number++) {
		put_one(m, txn, round, number);
		if (number % 20 == 19) {
			TEST_OK(sop_commit(txn, &m->err), m->err);
			TEST_OK(sop_txn_renew(txn, &m->err), m->err);
		}
	}
	for (unsigned number = round; number < ITEMS; number += 11) {
		char key[32];

		snprintf(key, sizeof key, "key %05u", number);
		(void)sop_remove(txn, m->raw, test_text(key), 0, &m->err);
	}
	TEST_OK(sop_add(txn, m->raw, test_text("a counter"), 7, &m->err), m->err);
	TEST_OK(sop_commit(txn, &m->err), m->err);
	sop_txn_free(txn);
}

static void drop_and_rename(struct making *m)
{
	sop_txn *txn = NULL;

	TEST_OK(sop_begin(m->db, NULL, &txn, &m->err), m->err);
	TEST_OK(sop_store_drop(txn, m->gone, &m->err), m->err);
	TEST_OK(sop_store_rename(txn, m->many, test_text("renamed"), &m->err), m->err);
	TEST_OK(sop_commit(txn, &m->err), m->err);
	sop_txn_free(txn);
	sop_store_free(m->many);
	TEST_OK(sop_store_open(m->db, test_text("renamed"), NULL, &m->many, &m->err), m->err);
}

/* One value, which has a file of its own. */
static void put_file(struct making *m)
{
	char *value = test_alloc(FILE_BYTES);
	sop_txn *txn = NULL;

	memset(value, 'f', FILE_BYTES);
	TEST_OK(sop_begin(m->db, NULL, &txn, &m->err), m->err);
	TEST_OK(sop_put(txn, m->raw, test_text("a file"), test_bytes(value, FILE_BYTES), &m->err),
		m->err);
	TEST_OK(sop_commit(txn, &m->err), m->err);
	sop_txn_free(txn);
	free(value);
}

/* One transaction, which goes into the log in parts. */
static void put_bulk(struct making *m)
{
	sop_txn *txn = NULL;
	char value[200];

	memset(value, 'b', sizeof value);
	TEST_OK(sop_begin(m->db, NULL, &txn, &m->err), m->err);
	for (unsigned i = 0; i < BULK_ITEMS; i++) {
		char key[16];

		snprintf(key, sizeof key, "%u", i);
		TEST_OK(sop_put(txn, m->bulk, test_text(key), test_bytes(value, sizeof value), &m->err),
			m->err);
	}
	TEST_OK(sop_commit(txn, &m->err), m->err);
	sop_txn_free(txn);
}

/* Checkpoints, a run of the registry, values apart, one in a file of its own, outcomes, and a log with commits behind the
 * checkpoint, one of them in parts. */
static void make(const char *folder)
{
	struct making m = { .err = SOP_ERROR_INIT };
	sop_options *options = NULL;

	TEST_OK(sop_options_new(&options, &m.err), m.err);
	TEST_OK(sop_options_set_bool(options, "create", 1, &m.err), m.err);
	TEST_OK(sop_open(folder, options, &m.db, &m.err), m.err);
	sop_options_free(options);
	open_stores(&m);
	create_stores(&m);
	for (unsigned round = 0; round < ROUNDS; round++) {
		play_round(&m, round);
		if (round == 1)
			drop_and_rename(&m);
		if (round + 1 < ROUNDS)
			TEST_OK(sop_checkpoint(m.db, &m.err), m.err);
	}
	TEST_OK(sop_checkpoint(m.db, &m.err), m.err);
	put_file(&m);
	TEST_OK(sop_checkpoint(m.db, &m.err), m.err); /* of so little that a run will do */
	play_round(&m, 1);
	put_bulk(&m);
	sop_store_free(m.bulk);
	sop_store_free(m.raw);
	sop_store_free(m.typed);
	sop_store_free(m.many);
	sop_store_free(m.gone);
	sop_schema_free(m.schema);
	TEST_OK(sop_close(m.db, &m.err), m.err);
	sop_db_free(m.db);
}

/* ---- reading it ------------------------------------------------------------------------------ */

static void print_hex(FILE *out, sop_bytes bytes)
{
	uint32_t sum = 2166136261u; /* FNV-1a, for what is long */

	if (bytes.size > 100) {
		for (size_t i = 0; i < bytes.size; i++)
			sum = (sum ^ ((const uint8_t *)bytes.data)[i]) * 16777619u;
		fprintf(out, "%zu bytes, %08x", bytes.size, sum);
		return;
	}
	for (size_t i = 0; i < bytes.size; i++)
		fprintf(out, "%02x", ((const uint8_t *)bytes.data)[i]);
}

static void print_store(FILE *out, sop_db *db, sop_txn *txn, const char *name, sop_error *err)
{
	sop_store *store = NULL;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	TEST_OK(sop_store_open(db, test_text(name), NULL, &store, err), *err);
	TEST_OK(sop_cursor_open(txn, store, NULL, 0, &cursor, err), *err);
	while (sop_cursor_next(cursor, &entry, err) == SOP_OK) {
		fprintf(out, "  ");
		print_hex(out, entry.key);
		fprintf(out, " = ");
		print_hex(out, entry.value);
		fprintf(out, " @%llu #%llu\n", (unsigned long long)entry.version,
			(unsigned long long)entry.item);
	}
	sop_cursor_free(cursor);
	sop_store_free(store);
}

/* The items of a store; of one that is large their sum. */
static void print_items(FILE *out, sop_db *db, sop_txn *txn, const char *name, sop_error *err)
{
	char *text = NULL;
	size_t size = 0;
	FILE *items = open_memstream(&text, &size);

	assert_non_null(items);
	print_store(items, db, txn, name, err);
	fclose(items);
	fprintf(out, "%s\n", name);
	if (strcmp(name, "bulk") != 0) {
		fputs(text, out);
	} else {
		fprintf(out, "  ");
		print_hex(out, test_bytes(text, size));
		fprintf(out, "\n");
	}
	free(text);
}

/* All stores, item by item, as text (to be freed). */
static char *dump(const char *folder)
{
	sop_error err = SOP_ERROR_INIT;
	sop_buf names = SOP_BUF_INIT;
	sop_db *db = NULL;
	sop_txn *txn = NULL;
	char *text = NULL;
	size_t size = 0, count = 0;
	uint64_t problems = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	TEST_OK(sop_open(folder, NULL, &db, &err), err);
	TEST_OK(sop_verify(db, NULL, NULL, NULL, &problems, &err), err);
	assert_int_equal(problems, 0);
	TEST_OK(sop_begin(db, NULL, &txn, &err), err);
	TEST_OK(sop_store_list(txn, &names, &count, &err), err);
	for (const char *name = names.data; count > 0; count--, name += strlen(name) + 1)
		print_items(out, db, txn, name, &err);
	sop_buf_free(&names);
	sop_txn_free(txn);
	TEST_OK(sop_close(db, &err), err);
	sop_db_free(db);
	fclose(out);
	return text;
}

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(file);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	fclose(file);
	return text;
}

/* Fails if a change of the code reads or writes a byte of the format otherwise than version 2 says. */
static void the_first_format_opens_for_ever(void **state)
{
	char folder[] = "/tmp/sop-golden-XXXXXX";
	char command[400], path[100];
	char *found, *wanted;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof command, "tar -xzf '%s/golden-v2.tar.gz' -C %s", SOP_TEST_DATA_DIR,
		 folder);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof path, "%s/golden-v2", folder);
	wanted = read_text(SOP_TEST_DATA_DIR "/golden-v2.txt");
	for (int opens = 0; opens < 2; opens++) { /* as it was left, and as recovery left it */
		found = dump(path);
		if (strcmp(found, wanted) != 0)
			fail_msg("it does not read as it did: %s", folder);
		free(found);
	}
	free(wanted);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_first_format_opens_for_ever) };
	const char *folder = getenv("SOP_GOLDEN_MAKE");

	test_begin(argc, argv);
	if (folder != NULL) {
		make(folder);
		return 0;
	}
	folder = getenv("SOP_GOLDEN_DUMP");
	if (folder != NULL) {
		fputs(dump(folder), stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
