/* Opening, dumping and checking a database on a simulated disk. */
#include "crash/base.h"

#include "api/handle.h"
#include "api/options.h"
#include "backend/inredfs.h"
#include "base/crc32c.h"
#include "registry/registry.h"
#include "support/replay.h"

#include <stdio.h>
#include <string.h>

static sop_schema *schema;

const sop_schema *base_schema(void)
{
	sop_error err = SOP_ERROR_INIT;

	if (schema == NULL)
		TEST_OK(sop_schema_parse(test_text("{\"v\":1,\"sort\":[{\"n\":\"k\",\"t\":\"int\"}],"
						   "\"ride\":[{\"n\":\"r\",\"t\":\"int\",\"default\":0}]}"),
					 &schema, &err),
			err);
	return schema;
}

void base_schema_free(void)
{
	sop_schema_free(schema);
	schema = NULL;
}

/* ---- opening and closing --------------------------------------------------------------------------- */

static void set_options(sop_options *options, const struct config *config, bool create)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sop_options_set_bool(options, "create", create, &err), err);
	TEST_OK(sop_options_set_int(options, "node_bytes", config->node_bytes, &err), err);
	TEST_OK(sop_options_set_int(options, "node_items", config->node_items, &err), err);
	TEST_OK(sop_options_set_int(options, "inline_value_bytes", 64, &err), err);
	TEST_OK(sop_options_set_int(options, "cache_bytes", 4 << 20, &err), err);
	TEST_OK(sop_options_set_int(options, "log_bytes_max", 4 << 20, &err), err);
	TEST_OK(sop_options_set_int(options, "registry_buckets", SOPI_BUCKETS_MIN, &err), err);
	options->engine.log_bytes_max = config->log_bytes; /* these two are less than users may have */
	options->engine.registry_buckets = SOPI_BUCKETS_ACCEPTED_MIN;
	options->engine.no_background = true;
}

/* calls: of files, before which the process is killed; below 0: never. */
static sop_status open_for(struct base *base, struct sopi_sim_disk *disk, const struct config *config,
			   bool create, bool read_only, int64_t calls, sop_error *err)
{
	sop_options *options = NULL;
	sop_status status;

	TEST_OK(sop_options_new(&options, err), *err);
	set_options(options, config, create);
	sopi_recover_checkpoint_each = config->replay_each;
	test_replay_in_parts(config->replay_parts, false);
	TEST_OK(sop_options_set_bool(options, "read_only", read_only, err), *err);
	base->db = NULL;
	base->process = sopi_sim_process_new(disk, NULL, 7 + config->random);
	sopi_sim_kill_after(base->process, calls);
	status = sopi_db_open_on("/db", options, sopi_sim_platform(base->process), &base->db, err);
	sop_options_free(options);
	if (status != SOP_OK) {
		sopi_sim_process_free(base->process);
		base->process = NULL;
	}
	return status;
}

sop_status base_open(struct base *base, struct sopi_sim_disk *disk, const struct config *config,
		     bool create, sop_error *err)
{
	return open_for(base, disk, config, create, false, -1, err);
}

sop_status base_open_reading(struct base *base, struct sopi_sim_disk *disk,
			     const struct config *config, sop_error *err)
{
	return open_for(base, disk, config, false, true, -1, err);
}

sop_status base_open_killed(struct base *base, struct sopi_sim_disk *disk,
			    const struct config *config, int64_t calls, sop_error *err)
{
	return open_for(base, disk, config, false, false, calls, err);
}

sop_status base_close(struct base *base, sop_error *err)
{
	sop_status status = SOP_OK;

	if (base->db != NULL)
		status = sop_close(base->db, err);
	sop_db_free(base->db);
	sopi_sim_process_free(base->process);
	memset(base, 0, sizeof *base);
	return status;
}

sop_store *base_store(struct base *base, const char *name)
{
	sop_error err = SOP_ERROR_INIT;
	sop_store *store = NULL;

	TEST_OK(sop_store_open(base->db, test_text(name), NULL, &store, &err), err);
	return store;
}

uint32_t base_crc(const void *bytes, size_t size)
{
	return sopi_crc32c(0, bytes, size);
}

uint32_t base_value(uint64_t seed, size_t size, uint8_t *bytes)
{
	uint64_t state = seed * 0x9E3779B97F4A7C15u + size;

	for (size_t i = 0; i < size; i += sizeof state) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(bytes + i, &state, size - i < sizeof state ? size - i : sizeof state);
	}
	return base_crc(bytes, size);
}

/* ---- what it shows --------------------------------------------------------------------------------- */

static bool wrong(char words[WORDS], const char *what, const char *name, const sop_error *err)
{
	(void)snprintf(words, WORDS, "%s '%s': %s: %.250s", what, name,
		       sop_status_name(err->status), err->message);
	return false;
}

static void item_of(const sop_entry *entry, bool has_schema, struct model_item *item)
{
	memset(item, 0, sizeof *item);
	item->id = entry->item;
	item->size = (uint32_t)entry->value.size;
	item->crc = base_crc(entry->value.data, entry->value.size);
	if (has_schema) {
		sop_buf room = SOP_BUF_INIT;
		sop_value fields[2];
		sop_error err = SOP_ERROR_INIT;
		size_t count = 0;

		TEST_OK(sop_key_unpack(base_schema(), entry->key, fields, 2, &count, &room, &err), err);
		item->key_size = 4;
		for (size_t i = 0; i < 4; i++)
			item->key[i] = (uint8_t)(fields[0].as.integer >> (24 - 8 * i));
		item->ride = count > 1 ? fields[1].as.integer : 0;
		sop_buf_free(&room);
	} else {
		item->key_size = (uint8_t)(entry->key.size < MODEL_KEY_BYTES ? entry->key.size
									     : MODEL_KEY_BYTES);
		memcpy(item->key, entry->key.data, item->key_size);
	}
}

static sop_status dump_items(sop_txn *txn, sop_store *store, bool has_schema, struct dump *dump,
			     uint64_t *found, sop_error *err)
{
	sop_cursor *cursor = NULL;
	struct model_item item;
	sop_status status;
	sop_entry entry;

	*found = 0;
	status = sop_cursor_open(txn, store, NULL, 0, &cursor, err);
	if (status == SOP_OK)
		status = sop_cursor_first(cursor, &entry, err);
	while (status == SOP_OK) {
		item_of(&entry, has_schema, &item);
		dump_item(dump, &item);
		++*found;
		status = sop_cursor_next(cursor, &entry, err);
	}
	sop_cursor_free(cursor);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static bool dump_one(struct base *base, sop_txn *txn, const char *name, struct dump *dump,
		     char words[WORDS])
{
	sop_store *store = base_store(base, name);
	sop_store_info info = SOP_STORE_INFO_INIT;
	sop_error err = SOP_ERROR_INIT;
	uint64_t count = 0, found = 0;
	bool well = false;

	if (sop_store_describe(txn, store, &info, NULL, &err) != SOP_OK) {
		wrong(words, "describing", name, &err);
	} else if (dump_store(dump, name, info.duplicates != 0, info.has_schema != 0),
		   dump_items(txn, store, info.has_schema != 0, dump, &found, &err) != SOP_OK) {
		wrong(words, "reading", name, &err);
	} else if (sop_count(txn, store, NULL, &count, &err) != SOP_OK) {
		wrong(words, "counting", name, &err);
	} else if (count != found) {
		(void)snprintf(words, WORDS, "'%s' says %llu items and has %llu", name,
			       (unsigned long long)count, (unsigned long long)found);
	} else {
		well = true;
	}
	sop_store_free(store);
	return well;
}

bool base_dump(struct base *base, struct dump *dump, char words[WORDS])
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_buf names = SOP_BUF_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;
	bool well = true;

	dump_clear(dump);
	options.mode = SOP_READ;
	if (sop_begin(base->db, &options, &txn, &err) != SOP_OK ||
	    sop_store_list(txn, &names, NULL, &err) != SOP_OK)
		well = wrong(words, "listing", "stores", &err);
	for (size_t at = 0; well && at < names.size; at += strlen((const char *)names.data + at) + 1)
		well = dump_one(base, txn, (const char *)names.data + at, dump, words);
	sop_txn_free(txn);
	sop_buf_free(&names);
	return well;
}

static int note_problem(void *arg, const sop_problem *problem)
{
	(void)snprintf(arg, WORDS, "verify, store '%.*s', %.*s %lld: %s: %.200s",
		       (int)problem->store.size, (const char *)problem->store.data,
		       (int)problem->file.size, (const char *)problem->file.data,
		       (long long)problem->offset, problem->kind, problem->message);
	return 1;
}

bool base_verify(struct base *base, char words[WORDS])
{
	sop_error err = SOP_ERROR_INIT;
	sop_status status;

	words[0] = '\0';
	status = sop_verify(base->db, note_problem, NULL, words, NULL, &err);
	if (status != SOP_OK && words[0] == '\0')
		wrong(words, "verify of", "all", &err);
	return status == SOP_OK && words[0] == '\0'; /* a file of nobody is told of, and is no damage */
}

/* ---- a commit ---------------------------------------------------------------------------------------- */

static sop_status put_mark(struct base *base, sop_txn *txn, const uint8_t *bytes, size_t size,
			   sop_error *err)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	sop_store *store = NULL;
	sop_status status;

	status = sop_store_open(base->db, test_text("zz"), &options, &store, err);
	if (status == SOP_OK)
		status = sop_store_create(txn, store, err);
	if (status == SOP_OK || status == SOP_EXISTS)
		status = sop_put(txn, store, test_text("mark"), test_bytes(bytes, size), err);
	sop_store_free(store);
	return status;
}

bool base_commit_mark(struct base *base, const uint8_t id[TXN_ID_BYTES], size_t size, char words[WORDS])
{
	static uint8_t bytes[4096];
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;
	sop_txn *txn = NULL;
	sop_status status;

	(void)base_value(size, size, bytes);
	memcpy(options.id, id, TXN_ID_BYTES);
	status = sop_begin(base->db, &options, &txn, &err);
	if (status == SOP_OK)
		status = put_mark(base, txn, bytes, size, &err);
	if (status == SOP_OK)
		status = sop_commit(txn, &err);
	sop_txn_free(txn);
	return status == SOP_OK || wrong(words, "a new commit in", "zz", &err);
}
