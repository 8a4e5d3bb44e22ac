/* Opening, closing and judging the database of a scenario. */
#include "fault/stage.h"

#include <string.h>

enum { ITEMS = 40, ROOM_BYTES = 256 << 10 };

static sop_store *declare(struct stage *stage, const char *name, const sop_schema *schema,
			  uint32_t duplicates)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_store *store = NULL;

	options.schema = schema;
	options.duplicates = duplicates;
	options.node_items = 4;
	TEST_OK(sop_store_open(stage->db, test_text(name), &options, &store, &stage->err), stage->err);
	return store;
}

static void fill(struct stage *stage)
{
	sop_error *err = &stage->err;
	sop_buf key = SOP_BUF_INIT;
	sop_txn *txn = NULL;
	uint8_t room[8];

	TEST_OK(sop_begin(stage->db, NULL, &txn, err), *err);
	TEST_OK(sop_store_create(txn, stage->raw, err), *err);
	TEST_OK(sop_store_create(txn, stage->twice, err), *err);
	TEST_OK(sop_store_create(txn, stage->people, err), *err);
	for (uint64_t i = 0; i < ITEMS; i++) {
		const sop_value value = sop_value_int((int64_t)i * 10);

		test_key_u64(room, i * 10);
		TEST_OK(sop_put(txn, stage->raw, test_bytes(room, 8), test_bytes(room, 8), err), *err);
		TEST_OK(sop_insert(txn, stage->twice, test_bytes(room, 7), test_bytes(room, 8), NULL, err),
			*err);
		TEST_OK(sop_key_pack(stage->schema, &value, 1, &key, err), *err);
		TEST_OK(sop_put(txn, stage->people, test_bytes(key.data, key.size),
				test_bytes(room, 8), err),
			*err);
	}
	TEST_OK(sop_commit(txn, err), *err);
	sop_txn_free(txn);
	sop_buf_free(&key);
}

void stage_open(struct stage *stage, enum fault_mode mode)
{
	static const char json[] =
		"{\"v\":1,\"sort\":[{\"n\":\"n\",\"t\":\"int\",\"desc\":true}],"
		"\"ride\":[{\"n\":\"gone\",\"t\":\"bool\",\"default\":false},{\"n\":\"note\",\"t\":\"str\"}]}";
	const sop_error fresh = SOP_ERROR_INIT;
	sop_error *err = &stage->err;

	memset(stage, 0, sizeof *stage);
	stage->mode = mode;
	stage->err = fresh;
	TEST_OK(sop_open("inmemory:?node_bytes=1024", NULL, &stage->db, err), *err);
	TEST_OK(sop_schema_parse(test_text(json), &stage->schema, err), *err);
	stage->raw = declare(stage, "raw", NULL, 0);
	stage->twice = declare(stage, "twice", NULL, 1);
	stage->people = declare(stage, "people", stage->schema, 0);
	stage->extra = declare(stage, "extra", NULL, 0);
	fill(stage);
}

void stage_close(struct stage *stage)
{
	sop_cursor_free(stage->cursor);
	sop_txn_free(stage->own_txn);
	for (size_t i = 0; i < CROWD / 2; i++)
		sop_txn_free(stage->crowd[i]);
	sop_txn_free(stage->txn);
	sop_txn_free(stage->other);
	TEST_OK(sop_close(stage->db, &stage->err), stage->err);
	sop_txn_free(stage->reader);
	for (size_t i = CROWD / 2; i < CROWD; i++)
		sop_txn_free(stage->crowd[i]); /* after the close */
	for (size_t i = 0; i < CROWD; i++)
		sop_store_free(stage->own_stores[i]);
	sop_cursor_free(stage->cursor2);
	sop_store_free(stage->own_store);
	sop_store_free(stage->raw);
	sop_store_free(stage->twice);
	sop_store_free(stage->people);
	sop_store_free(stage->extra);
	sop_db_free(stage->own_db);
	sop_db_free(stage->db);
	sop_schema_free(stage->schema);
	sop_options_free(stage->options);
	sop_buf_free(&stage->buf);
	sop_buf_free(&stage->buf2);
}

/* ---- what it holds ----------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
	return hash;
}

static uint64_t store_content(struct stage *stage, sop_txn *txn, const char *name, uint64_t hash)
{
	sop_store *store = NULL;
	sop_cursor *cursor = NULL;
	sop_status status;
	sop_entry entry;
	uint64_t count = 0;
	uint64_t met = 0;

	TEST_OK(sop_store_open(stage->db, test_text(name), NULL, &store, &stage->err), stage->err);
	TEST_OK(sop_cursor_open(txn, store, NULL, 0, &cursor, &stage->err), stage->err);
	while ((status = sop_cursor_next(cursor, &entry, &stage->err)) == SOP_OK) {
		hash = mix(hash, entry.key.data, entry.key.size);
		hash = mix(hash, &entry.value.size, sizeof entry.value.size);
		hash = mix(hash, entry.value.data, entry.value.size);
		met++;
	}
	TEST_STATUS(status, SOP_NOT_FOUND, stage->err);
	TEST_OK(sop_count(txn, store, NULL, &count, &stage->err), stage->err);
	assert_int_equal(count, met);
	sop_cursor_free(cursor);
	sop_store_free(store);
	return mix(hash, &count, sizeof count);
}

uint64_t stage_content(struct stage *stage)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	sop_txn *txn = NULL;
	sop_buf names = SOP_BUF_INIT;
	uint64_t hash = UINT64_C(0xCBF29CE484222325);
	size_t count = 0;
	const char *name;

	reading.mode = SOP_READ;
	TEST_OK(sop_begin(stage->db, &reading, &txn, &stage->err), stage->err);
	TEST_OK(sop_store_list(txn, &names, &count, &stage->err), stage->err);
	name = names.data;
	while (count-- > 0) {
		hash = mix(hash, name, strlen(name) + 1);
		hash = store_content(stage, txn, name, hash);
		name += strlen(name) + 1;
	}
	sop_txn_free(txn);
	sop_buf_free(&names);
	return hash;
}

void stage_milestone(struct stage *stage)
{
	stage->reached++;
	assert_true(stage->reached < MILESTONES_MAX);
	if (stage->mode == FAULT_NONE)
		stage->milestones[stage->reached] = stage_content(stage);
}

static int print_problem(void *arg, const sop_problem *problem)
{
	(void)arg;
	print_error("verify: %s: %s\n", problem->kind, problem->message);
	return 0;
}

void stage_works(struct stage *stage)
{
	sop_store *store = NULL;
	sop_txn *txn = NULL;
	sop_status status;

	TEST_OK(sop_verify(stage->db, print_problem, NULL, NULL, NULL, &stage->err), stage->err);
	TEST_OK(sop_store_open(stage->db, test_text("works"), NULL, &store, &stage->err), stage->err);
	TEST_OK(sop_begin(stage->db, NULL, &txn, &stage->err), stage->err);
	TEST_OK(sop_store_create(txn, store, &stage->err), stage->err);
	TEST_OK(sop_put(txn, store, test_text("key"), test_text("v"), &stage->err), stage->err);
	status = sop_put(txn, stage->twice, test_text("key"), test_text("v"), &stage->err);
	assert_int_equal(status, SOP_MISUSE);
	TEST_OK(sop_insert(txn, stage->twice, test_text("key"), test_text("v"), NULL, &stage->err),
		stage->err);
	TEST_OK(sop_commit(txn, &stage->err), stage->err);
	TEST_OK(sop_read(stage->db, store, test_text("key"), &stage->buf, &stage->err), stage->err);
	TEST_OK(sop_verify(stage->db, print_problem, NULL, NULL, NULL, &stage->err), stage->err);
	sop_txn_free(txn);
	sop_store_free(store);
}

/* ---- transactions ------------------------------------------------------------------------------------------------ */

sop_status stage_begin(struct stage *stage, sop_txn **txn, uint32_t mode)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	options.mode = mode;
	if (*txn == NULL)
		return sop_begin(stage->db, &options, txn, &stage->err);
	return sop_txn_renew(*txn, &stage->err);
}

static sop_status attempt(struct stage *stage, stage_body body)
{
	TRY(stage, stage_begin(stage, &stage->txn, SOP_WRITE));
	{
		const sop_status status = body(stage);

		return status != SOP_OK ? status : sop_commit(stage->txn, &stage->err);
	}
}

sop_status stage_transact(struct stage *stage, stage_body body)
{
	sop_status status = attempt(stage, body);

	if (status == SOP_NO_MEMORY) { /* rolled back already, or now: that needs no memory */
		if (stage->txn != NULL)
			TEST_OK(sop_rollback(stage->txn, NULL), stage->err);
		if (stage->mode == FAULT_ONCE) {
			stage->retried++;
			status = attempt(stage, body);
		}
	}
	if (status == SOP_OK)
		stage_milestone(stage);
	return status;
}
