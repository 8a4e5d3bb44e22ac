/* Declaring, creating, dropping and describing stores. */
#include "api/handle.h"
#include "base/alloc.h"

static _Atomic uint64_t next_serial = 1;

static sop_status read_options(const sop_store_options *given, sop_store_options *options,
			       const char *function, sop_error *err)
{
	const sop_store_options defaults = SOP_STORE_OPTIONS_INIT;

	*options = defaults;
	if (given != NULL)
		SOP_TRY(sopi_struct_read(options, sizeof *options, sizeof(size_t), given, function, err));
	if (options->schema != NULL && sopi_schema_of(options->schema) == NULL)
		return sopi_misuse(err, function, "schema is none; pass one that was parsed");
	if (options->duplicates > 1)
		return sopi_misuse(err, function, "duplicates must be 0 or 1");
	if (options->node_items != 0 &&
	    (options->node_items < SOPI_NODE_ITEMS_MIN || options->node_items > SOPI_NODE_ITEMS_MAX))
		return sopi_fail(err, SOP_LIMIT,
				 "%s: node_items is %u; it must be from %d to %d, or 0", function,
				 options->node_items, SOPI_NODE_ITEMS_MIN, SOPI_NODE_ITEMS_MAX);
	return SOP_OK;
}

sop_status sop_store_open(sop_db *db, sop_bytes name, const sop_store_options *options,
			  sop_store **out, sop_error *err)
{
	struct sopi_declaration *declaration;
	sop_store_options all;
	void *memory = NULL;
	sop_status status;
	sop_store *store;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (atomic_load_explicit(&db->closed, memory_order_acquire))
		return sopi_fail(err, SOP_CLOSED, "%s: the database is closed; open it again", __func__);
	if (out == NULL)
		return sopi_misuse(err, __func__, "out is NULL");
	if (!sopi_bytes_good(name))
		return sopi_misuse(err, __func__, "the name's data is NULL, but its size is not 0");
	SOP_TRY(sopi_store_name_check(name, err));
	SOP_TRY(read_options(options, &all, __func__, err));
	SOP_TRY(sopi_alloc_zeroed(sizeof *store, &memory, err));
	store = memory;
	if (all.schema != NULL) {
		status = sopi_schema_copy(sopi_schema_of(all.schema), &store->schema, err);
		if (status != SOP_OK) {
			sopi_free(store);
			return status;
		}
	}
	memcpy(store->name, name.data, name.size);
	declaration = &store->declaration;
	declaration->serial = atomic_fetch_add(&next_serial, 1);
	declaration->name = store->name;
	declaration->name_size = name.size;
	declaration->checked = options != NULL;
	declaration->duplicates = all.duplicates;
	declaration->node_items = all.node_items;
	declaration->schema = store->schema;
	store->tag = SOPI_TAG_STORE;
	store->db = db;
	sopi_db_reference(db);
	*out = store;
	return SOP_OK;
}

void sop_store_free(sop_store *store)
{
	if (store == NULL || sopi_tag_of(store) != SOPI_TAG_STORE)
		return;
	store->tag = SOPI_TAG_FREED;
	sopi_schema_free(store->schema);
	sopi_db_unreference(store->db);
	sopi_free(store);
}

const char *sop_store_name(const sop_store *store)
{
	return store == NULL || sopi_tag_of(store) != SOPI_TAG_STORE ? NULL : store->name;
}

/* ---- create, drop, rename ---------------------------------------------------------------------- */

/* Enters for a change of the catalog. */
static sop_status enter(sop_txn *txn, const sop_store *store, bool writes, const char *function,
			sop_error *err)
{
	sop_status status;

	SOP_TRY(sopi_txn_enter_open(txn, function, err));
	status = sopi_store_check(store, txn->db, function, err);
	if (status == SOP_OK && writes && !sopi_transaction_writes(&txn->core))
		status = sopi_txn_only_reads(txn, function, err);
	if (status != SOP_OK)
		sopi_txn_leave(txn);
	return status;
}

sop_status sop_store_create(sop_txn *txn, sop_store *store, sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(txn, store, true, __func__, err));
	status = sopi_transaction_create(&txn->core, &store->declaration, err);
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_store_drop(sop_txn *txn, sop_store *store, sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(txn, store, true, __func__, err));
	status = sopi_transaction_drop(&txn->core, &store->declaration, err);
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_store_rename(sop_txn *txn, sop_store *store, sop_bytes to, sop_error *err)
{
	sop_status status;

	SOP_TRY(enter(txn, store, true, __func__, err));
	status = sopi_bytes_good(to)
			 ? sopi_store_name_check(to, err)
			 : sopi_misuse(err, __func__, "the name's data is NULL, but its size is not 0");
	if (status == SOP_OK)
		status = sopi_transaction_rename(&txn->core, &store->declaration, to, err);
	sopi_txn_leave(txn);
	return status;
}

/* ---- asking ------------------------------------------------------------------------------------ */

static sop_status list(struct sopi_transaction *txn, sop_buf *names, size_t *count, sop_error *err)
{
	struct sopi_bounds everything = { SOP_BUF_INIT, SOP_BUF_INIT, true };
	struct sopi_item_view item;
	struct sopi_used *used;
	struct sopi_scan scan;
	sop_status status;

	SOP_TRY(sopi_transaction_names(txn, &used, err));
	names->size = 0;
	*count = 0;
	sopi_scan_init(&scan, txn, used, &everything, true);
	while ((status = sopi_scan_next(&scan, &item, err)) == SOP_OK) {
		SOP_TRY_OUT(sopi_buf_append(names, scan.key.data, scan.key.size, err));
		SOP_TRY_OUT(sopi_buf_append(names, "", 1, err));
		(*count)++;
	}
	if (status == SOP_NOT_FOUND)
		status = SOP_OK;
out:
	sopi_scan_free(&scan);
	return status;
}

sop_status sop_store_list(sop_txn *txn, sop_buf *names, size_t *count, sop_error *err)
{
	size_t unused;
	sop_status status;

	SOP_TRY(sopi_txn_enter_open(txn, __func__, err));
	status = names == NULL ? sopi_misuse(err, __func__, "names is NULL")
			       : list(&txn->core, names, count != NULL ? count : &unused, err);
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_store_describe(sop_txn *txn, sop_store *store, sop_store_info *info, sop_buf *schema,
			      sop_error *err)
{
	sop_store_info all = SOP_STORE_INFO_INIT;
	struct sopi_used *used;
	sop_status status = SOP_OK;

	if (info == NULL || info->struct_size < sizeof(size_t) || info->struct_size > 4096)
		return sopi_misuse(err, __func__, "info is NULL, or its struct_size is not set");
	SOP_TRY(sopi_txn_enter_store(txn, store, __func__, &used, err));
	if (schema != NULL && used->schema != NULL)
		status = sopi_buf_set(schema, used->schema->text.data, used->schema->text.size, err);
	else if (schema != NULL)
		schema->size = 0;
	if (status == SOP_OK) {
		all.struct_size = info->struct_size;
		all.id = used->store->tree.id;
		all.duplicates = used->store->tree.duplicates;
		all.has_schema = used->schema != NULL;
		all.node_items = used->store->node_items;
		memcpy(info, &all, info->struct_size < sizeof all ? info->struct_size : sizeof all);
	}
	sopi_txn_leave(txn);
	return status;
}

sop_status sop_approx_count(sop_db *db, sop_store *store, uint64_t *count, sop_error *err)
{
	struct sopi_transaction *reader = NULL;
	struct sopi_used *used;
	sop_status status;

	SOP_TRY(sopi_db_check(db, __func__, err));
	if (count == NULL)
		return sopi_misuse(err, __func__, "count is NULL");
	SOP_TRY(sopi_db_enter(db, true, __func__, &reader, err));
	status = sopi_store_check(store, db, __func__, err);
	if (status == SOP_OK)
		status = sopi_transaction_begin(reader, SOP_READ, 0, NULL, err);
	if (status == SOP_OK) {
		status = sopi_transaction_store(reader, &store->declaration, &used, err);
		if (status == SOP_OK)
			*count = (uint64_t)sopi_tree_count(&used->store->tree, SOPI_POSITION_HEAD);
		sopi_transaction_roll_back(reader, SOP_OK);
	}
	sopi_db_leave(reader);
	return status;
}
