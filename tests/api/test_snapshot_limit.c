/* A reader that stays open keeps old versions, up to a limit; beyond it the oldest transaction ends. */
#include "fixture.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

enum { KEYS = 20000, VALUE_BYTES = 100, ROUNDS = 4 };

static sop_bytes key_of(char *room, unsigned number)
{
	return (sop_bytes){ room, (size_t)snprintf(room, 16, "%08u", number) };
}

static void overwrite_all(sop_db *db, sop_store *store, int round)
{
	sop_error err = SOP_ERROR_INIT;
	char value[VALUE_BYTES];
	sop_txn *txn = NULL;
	char room[16];

	memset(value, round, sizeof value);
	assert_int_equal(sop_begin(db, NULL, &txn, &err), SOP_OK);
	if (round == 0)
		assert_int_equal(sop_store_create(txn, store, &err), SOP_OK);
	for (unsigned i = 0; i < KEYS; i++) {
		const sop_bytes bytes = { value, sizeof value };

		assert_int_equal(sop_put(txn, store, key_of(room, i), bytes, &err), SOP_OK);
		if (i % 500 == 499) {
			assert_int_equal(sop_commit(txn, &err), SOP_OK);
			assert_int_equal(sop_txn_renew(txn, &err), SOP_OK);
		}
	}
	assert_int_equal(sop_commit(txn, &err), SOP_OK);
	sop_txn_free(txn);
}

/* Opens a reader, overwrites everything several times and returns what the reader then gets. */
static sop_status read_after_overwrites(const char *url, uint64_t *old_bytes)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	const sop_bytes name = { "s", 1 };
	sop_error err = SOP_ERROR_INIT;
	sop_stats stats = SOP_STATS_INIT;
	sop_buf value = SOP_BUF_INIT;
	sop_store *store = NULL;
	sop_txn *reader = NULL;
	sop_db *db = NULL;
	sop_status status;
	char room[16];

	reading.mode = SOP_READ;
	assert_int_equal(sop_open(url, NULL, &db, &err), SOP_OK);
	assert_int_equal(sop_store_open(db, name, NULL, &store, &err), SOP_OK);
	overwrite_all(db, store, 0);
	assert_int_equal(sop_begin(db, &reading, &reader, &err), SOP_OK);
	for (int round = 1; round <= ROUNDS; round++)
		overwrite_all(db, store, round);
	status = sop_get(reader, store, key_of(room, 7), &value, &err);
	if (status == SOP_OK)
		assert_int_equal(((char *)value.data)[0], 0); /* what was there when it began */
	else
		assert_non_null(strstr(err.message, "snapshot_bytes_max"));
	overwrite_all(db, store, ROUNDS + 1);
	assert_int_equal(sop_db_stats(db, &stats, &err), SOP_OK);
	*old_bytes = stats.old_version_bytes;
	sop_buf_free(&value);
	sop_txn_free(reader);
	sop_store_free(store);
	sop_db_free(db);
	return status;
}

static void the_oldest_reader_ends_beyond_the_limit(void **state)
{
	uint64_t old_bytes;

	(void)state;
	assert_int_equal(read_after_overwrites("inmemory:?snapshot_bytes_max=1MB", &old_bytes),
			 SOP_TIMEOUT);
	assert_in_range(old_bytes, 0, 1 << 20); /* and what it kept is freed */
}

static void below_the_limit_a_reader_stays(void **state)
{
	uint64_t old_bytes;

	(void)state;
	assert_int_equal(read_after_overwrites("inmemory:?snapshot_bytes_max=1GB", &old_bytes), SOP_OK);
	assert_in_range(old_bytes, 2 << 20, 8 << 20); /* the 20,000 records as they were, once */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_reader_ends_beyond_the_limit),
		cmocka_unit_test(below_the_limit_a_reader_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
