/* SOP_NOWAIT: what lies in memory is answered at once, what does not is WOULD_BLOCK until somebody has read it. */
#include "support/folder.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

enum { ITEMS = 3000, APART_BYTES = 5000 };

struct place {
	char path[TEST_PATH_BYTES];
	sop_db *db;
	sop_store *store;
	sop_txn *txn;
	sop_error err;
};

static void begin(struct place *place)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	options.mode = SOP_READ;
	place->err = (sop_error)SOP_ERROR_INIT;
	TEST_OK(sop_open(place->path, NULL, &place->db, &place->err), place->err);
	TEST_OK(sop_store_open(place->db, test_text("items"), NULL, &place->store, &place->err),
		place->err);
	TEST_OK(sop_begin(place->db, &options, &place->txn, &place->err), place->err);
}

static void end(struct place *place)
{
	sop_txn_free(place->txn);
	sop_store_free(place->store);
	TEST_OK(sop_close(place->db, &place->err), place->err);
	sop_db_free(place->db);
}

static sop_bytes key_of(char room[16], unsigned number)
{
	(void)snprintf(room, 16, "%06u", number);
	return test_text(room);
}

static sop_status fill(sop_txn *txn, void *arg, sop_error *err)
{
	static const char value[APART_BYTES];
	struct place *place = arg;
	sop_status status = sop_store_create(txn, place->store, err);
	char room[16];

	for (unsigned i = 0; i < ITEMS && status == SOP_OK; i++) {
		const sop_bytes bytes = { value, i % 100 == 0 ? APART_BYTES : 100 };

		status = sop_put(txn, place->store, key_of(room, i), bytes, err);
	}
	return status;
}

static void make(struct place *place)
{
	sop_options *options = NULL;

	place->err = (sop_error)SOP_ERROR_INIT;
	test_folder_make(place->path);
	TEST_OK(sop_options_new(&options, &place->err), place->err);
	TEST_OK(sop_options_set_bool(options, "create", 1, &place->err), place->err);
	TEST_OK(sop_open(place->path, options, &place->db, &place->err), place->err);
	sop_options_free(options);
	TEST_OK(sop_store_open(place->db, test_text("items"), NULL, &place->store, &place->err),
		place->err);
	TEST_OK(sop_run(place->db, NULL, fill, place, &place->err), place->err);
	TEST_OK(sop_checkpoint(place->db, &place->err), place->err); /* else opening would bring in what it replays */
	place->txn = NULL;
	end(place);
}

static sop_status fetch_now(struct place *place, unsigned number, sop_buf *value)
{
	char room[16];

	return sop_fetch(place->txn, place->store, key_of(room, number), 0, SOP_NOWAIT, NULL, value,
			 NULL, &place->err);
}

/* Once waited for, the page is in memory: asked again without waiting it must be there. */
static unsigned look_at_all(struct place *place)
{
	sop_buf value = SOP_BUF_INIT;
	unsigned blocked = 0;
	char room[16];

	for (unsigned i = 1; i < ITEMS; i += i % 100 == 99 ? 2 : 1) {
		if (fetch_now(place, i, &value) == SOP_WOULD_BLOCK) {
			blocked++;
			assert_non_null(strstr(place->err.message, "in a way that waits"));
			TEST_OK(sop_get(place->txn, place->store, key_of(room, i), &value, &place->err),
				place->err);
		}
		TEST_OK(fetch_now(place, i, &value), place->err);
		assert_int_equal(value.size, 100);
	}
	sop_buf_free(&value);
	return blocked;
}

static void pages_that_must_be_read_are_not_waited_for(void **state)
{
	struct place place;

	(void)state;
	make(&place);
	begin(&place);
	assert_in_range(look_at_all(&place), 2, ITEMS / 2); /* once for each leaf, not for each item */
	assert_int_equal(look_at_all(&place), 0);
	end(&place);
	test_folder_remove(place.path);
}

/* A value kept apart is read from its pack each time; whether it is there is known without it. */
static void values_kept_apart_are_not_waited_for(void **state)
{
	sop_buf value = SOP_BUF_INIT;
	struct place place;
	char room[16];

	(void)state;
	make(&place);
	begin(&place);
	TEST_OK(sop_get(place.txn, place.store, key_of(room, 100), &value, &place.err), place.err);
	assert_int_equal(value.size, APART_BYTES);
	TEST_STATUS(fetch_now(&place, 100, &value), SOP_WOULD_BLOCK, place.err);
	TEST_OK(fetch_now(&place, 100, NULL), place.err);
	sop_buf_free(&value);
	end(&place);
	test_folder_remove(place.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_that_must_be_read_are_not_waited_for),
		cmocka_unit_test(values_kept_apart_are_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
