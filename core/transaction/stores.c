/* Stores in a transaction: what a declaration stands for, and making, dropping and renaming them as
 * operations on the catalog. */
#include "base/alloc.h"
#include "transaction/transaction.h"

/* ---- stores in use ----------------------------------------------------------------------------- */

/* The transaction's entry for a store; made when it is first used. */
static sop_status use_store(struct sopi_transaction *txn, struct sopi_store *store, const char *name,
			    size_t name_size, struct sopi_used **out, sop_error *err)
{
	struct sopi_used *used;
	void *memory = NULL;

	for (used = txn->used; used != NULL; used = used->next) {
		if (used->store == store) {
			*out = used;
			return SOP_OK;
		}
	}
	if (txn->unused != NULL) {
		used = txn->unused;
		txn->unused = used->next;
	} else {
		SOP_TRY(sopi_alloc_zeroed(sizeof *used, &memory, err));
		used = memory;
	}
	sopi_index_clear(&used->index);
	used->store = store;
	used->schema = atomic_load_explicit(&store->tree.schema, memory_order_acquire);
	used->created = false;
	used->dropped = false;
	used->calculates = false;
	used->extension = NULL;
	used->extended = false;
	used->name_size = (uint8_t)name_size;
	memcpy(used->name, name, name_size);
	used->name[name_size] = '\0';
	used->next = txn->used;
	txn->used = used;
	*out = used;
	return SOP_OK;
}

sop_status sopi_transaction_names(struct sopi_transaction *txn, struct sopi_used **out, sop_error *err)
{
	if (txn->names == NULL)
		SOP_TRY(use_store(txn, &txn->engine->catalog.names, "", 0, &txn->names, err));
	*out = txn->names;
	return SOP_OK;
}

/* ---- looking names up ---------------------------------------------------------------------- */

/* What a name stands for. */
struct named {
	bool exists;
	uint64_t version; /* of the catalog's item; 0: absent, or the transaction's own */
	struct sopi_descriptor descriptor; /* a view */
};

static sop_status look_up(struct sopi_transaction *txn, const char *name, size_t size,
			  struct named *named, sop_error *err)
{
	const uint8_t *key = (const uint8_t *)name;
	const struct sopi_operation *own = NULL;
	struct sopi_item_view item;

	named->version = 0;
	if (txn->names != NULL)
		own = sopi_index_find(&txn->names->index, key, size);
	if (own != NULL) {
		SOP_TRY(sopi_operations_fold(own, NULL, NULL, &txn->arena, &named->exists, &item, err));
	} else {
		struct sopi_vnode *leaf;
		const struct sopi_block *block;

		SOP_TRY(sopi_tree_leaf(&txn->engine->catalog.names.tree, key, size, txn->snapshot,
				       &leaf, &block, err));
		named->exists = sopi_leaf_get(block, key, size, txn->snapshot, &item);
		if (named->exists)
			named->version = item.version;
		if (sopi_transaction_writes(txn))
			SOP_TRY(sopi_predicate_name(&txn->predicates, &txn->arena, name, size,
						    named->version, err));
	}
	if (!named->exists)
		return SOP_OK;
	return sopi_descriptor_read((sop_bytes){ sopi_item_value(&item), item.value_size },
				    &named->descriptor, err);
}

static sop_status store_of(struct sopi_transaction *txn, const struct named *named,
			   const char *name, size_t size, struct sopi_used **out, sop_error *err)
{
	struct sopi_store *store = txn->created;

	while (store != NULL && store->tree.id != named->descriptor.id)
		store = store->next;
	if (store == NULL)
		store = sopi_catalog_find(&txn->engine->catalog, named->descriptor.id);
	if (store == NULL)
		return sopi_fail_store(err, SOP_CORRUPT, name, size,
				       "the catalog names a store that is not there");
	return use_store(txn, store, name, size, out, err);
}

static sop_status not_there(const char *name, size_t size, sop_error *err)
{
	return sopi_fail_store(err, SOP_NOT_FOUND, name, size,
			       "there is no such store; create it first, or check its name");
}

/* Adds what a name is to stand for to the operations; `id` is remembered for the commit. */
static sop_status put_name(struct sopi_transaction *txn, const char *name, size_t size,
			   const struct sopi_descriptor *descriptor, sop_error *err)
{
	const sop_bytes none = { NULL, 0 };
	sop_buf value = SOP_BUF_INIT;
	struct sopi_used *names;
	sop_status status;

	SOP_TRY(sopi_transaction_names(txn, &names, err));
	SOP_TRY_OUT(sopi_descriptor_write(descriptor, &value, err));
	SOP_TRY_OUT(sopi_transaction_add(txn, names, SOPI_OP_PUT, (sop_bytes){ name, size }, none,
					 (sop_bytes){ value.data, value.size },
					 (int64_t)descriptor->id, err));
	txn->catalog_changes++;
out:
	sop_buf_free(&value);
	return status;
}

static sop_status remove_name(struct sopi_transaction *txn, const char *name, size_t size,
			      uint64_t id, sop_error *err)
{
	const sop_bytes none = { NULL, 0 };
	struct sopi_used *names;

	SOP_TRY(sopi_transaction_names(txn, &names, err));
	SOP_TRY(sopi_transaction_add(txn, names, SOPI_OP_REMOVE, (sop_bytes){ name, size }, none,
				     none, (int64_t)id, err));
	txn->catalog_changes++;
	return SOP_OK;
}

/* ---- declarations ------------------------------------------------------------------------------ */

void sopi_used_free_extension(struct sopi_used *used)
{
	if (used->extension == NULL)
		return;
	sopi_schema_free(used->extension->schema);
	sopi_free(used->extension);
	used->extension = NULL;
}

void sopi_transaction_reconsider_schemas(struct sopi_transaction *txn)
{
	for (struct sopi_used *used = txn->used; used != NULL; used = used->next) {
		const struct sopi_operation *operation = txn->last;

		if (used->extension == NULL)
			continue;
		while (operation != NULL && (operation->index != txn->names ||
					     (uint64_t)operation->number != used->store->tree.id))
			operation = operation->before;
		if (operation != NULL && operation->kind == SOPI_OP_PUT)
			continue; /* what is left still says so, or the next look-up extends it again */
		sopi_used_free_extension(used);
		used->schema = atomic_load_explicit(&used->store->tree.schema, memory_order_acquire);
	}
}

/* Makes the declared schema, which appends ride-along fields, that of the store; a transaction that
 * only reads sees it so. */
static sop_status extend_schema(struct sopi_transaction *txn, const struct sopi_declaration *declaration,
				const struct named *named, struct sopi_used *used, sop_error *err)
{
	struct sopi_descriptor descriptor = named->descriptor;
	struct sopi_store_schema *extension;
	void *memory = NULL;
	sop_status status;

	SOP_TRY(sopi_alloc_zeroed(sizeof *extension, &memory, err));
	extension = memory;
	SOP_TRY_OUT(sopi_schema_copy(declaration->schema, &extension->schema, err));
	descriptor.schema = declaration->schema->text;
	if (sopi_transaction_writes(txn))
		SOP_TRY_OUT(put_name(txn, declaration->name, declaration->name_size, &descriptor, err));
	sopi_used_free_extension(used); /* an earlier, shorter one */
	used->extension = extension;
	used->schema = extension->schema;
	return SOP_OK;
out:
	sopi_schema_free(extension->schema);
	sopi_free(extension);
	return status;
}

/* Is the store what the declaration expects? `equal` receives whether it is exactly so. */
static sop_status check(struct sopi_transaction *txn, const struct sopi_declaration *declaration,
			const struct named *named, struct sopi_used *used, bool *equal, sop_error *err)
{
	const struct sopi_schema *stored = used->schema;
	char difference[200];

	*equal = true;
	if (!declaration->checked)
		return SOP_OK;
	if ((declaration->duplicates != 0) != used->store->tree.duplicates)
		return sopi_fail_store(
			err, SOP_SCHEMA, declaration->name, declaration->name_size,
			"the store %s duplicates, but the declaration says otherwise; declare it as it is",
			used->store->tree.duplicates ? "keeps" : "has no");
	if (stored == NULL && declaration->schema == NULL)
		return SOP_OK;
	if (stored == NULL || declaration->schema == NULL)
		return sopi_fail_store(err, SOP_SCHEMA, declaration->name, declaration->name_size,
				       "the store %s a schema, but the declaration %s one; declare it as it is",
				       stored == NULL ? "has no" : "has",
				       declaration->schema == NULL ? "lacks" : "has");
	switch (sopi_schema_compare(stored, declaration->schema, difference, sizeof difference)) {
	case SOPI_SCHEMA_EQUAL:
		return SOP_OK;
	case SOPI_SCHEMA_EXTENDED:
		*equal = false;
		return extend_schema(txn, declaration, named, used, err);
	case SOPI_SCHEMA_DIFFERENT:
		break;
	}
	return sopi_fail_store(err, SOP_SCHEMA, declaration->name, declaration->name_size,
			       "the declared schema must be that of the store: %s", difference);
}

/* A look-up by an earlier transaction on this handle is still right if the catalog has not changed
 * since. */
static bool still_right(const struct sopi_transaction *txn, const struct sopi_resolved *resolved)
{
	const uint64_t newest = atomic_load_explicit(&txn->engine->catalog.newest, memory_order_acquire);

	return resolved->store != NULL && txn->catalog_changes == 0 && newest <= resolved->at &&
	       newest <= txn->snapshot;
}

static sop_status resolve(struct sopi_transaction *txn, const struct sopi_declaration *declaration,
			  struct sopi_resolved *resolved, sop_error *err)
{
	struct sopi_used *used;
	struct named named;
	bool equal;

	resolved->serial = 0;
	SOP_TRY(look_up(txn, declaration->name, declaration->name_size, &named, err));
	if (!named.exists)
		return not_there(declaration->name, declaration->name_size, err);
	SOP_TRY(store_of(txn, &named, declaration->name, declaration->name_size, &used, err));
	SOP_TRY(check(txn, declaration, &named, used, &equal, err));
	resolved->serial = declaration->serial;
	resolved->begun = txn->begun;
	resolved->changes = txn->catalog_changes;
	resolved->used = used;
	resolved->at = txn->snapshot;
	resolved->version = named.version;
	resolved->store = equal && named.version != 0 && txn->catalog_changes == 0 ? used->store : NULL;
	return SOP_OK;
}

sop_status sopi_transaction_store(struct sopi_transaction *txn, const struct sopi_declaration *declaration,
				  struct sopi_used **out, sop_error *err)
{
	struct sopi_resolved *resolved = &txn->resolved[declaration->serial % SOPI_NAMES_CACHED];

	if (SOPI_LIKELY(resolved->serial == declaration->serial)) {
		if (SOPI_LIKELY(resolved->begun == txn->begun &&
				resolved->changes == txn->catalog_changes)) {
			*out = resolved->used;
			return SOP_OK;
		}
		if (SOPI_LIKELY(still_right(txn, resolved))) {
			SOP_TRY(use_store(txn, resolved->store, declaration->name,
					  declaration->name_size, out, err));
			if (sopi_transaction_writes(txn))
				SOP_TRY(sopi_predicate_name(&txn->predicates, &txn->arena,
							    declaration->name, declaration->name_size,
							    resolved->version, err));
			resolved->begun = txn->begun;
			resolved->changes = 0;
			resolved->used = *out;
			return SOP_OK;
		}
	}
	SOP_TRY(resolve(txn, declaration, resolved, err));
	*out = resolved->used;
	return SOP_OK;
}

/* ---- create, drop, rename ---------------------------------------------------------------------- */

sop_status sopi_transaction_create(struct sopi_transaction *txn,
				   const struct sopi_declaration *declaration, sop_error *err)
{
	struct sopi_engine *engine = txn->engine;
	const uint32_t node_items = declaration->node_items != 0 ? declaration->node_items
								 : engine->options.node_items;
	struct sopi_descriptor descriptor = { .duplicates = declaration->duplicates,
					      .node_items = node_items };
	struct sopi_store *store = NULL;
	struct sopi_used *used;
	struct named named;

	SOP_TRY(look_up(txn, declaration->name, declaration->name_size, &named, err));
	if (named.exists)
		return sopi_fail_store(err, SOP_EXISTS, declaration->name, declaration->name_size,
				       "there is a store of that name already");
	SOP_TRY(sopi_store_new(&engine->catalog, &engine->forest, engine->options.node_bytes,
			       declaration->schema, declaration->duplicates, node_items, &store, err));
	store->next = txn->created;
	txn->created = store; /* from here on the end of the transaction frees it */
	SOP_TRY(use_store(txn, store, declaration->name, declaration->name_size, &used, err));
	used->created = true;
	descriptor.id = store->tree.id;
	if (declaration->schema != NULL)
		descriptor.schema = declaration->schema->text;
	return put_name(txn, declaration->name, declaration->name_size, &descriptor, err);
}

/* What was done in a store that is dropped is not applied: what its integer operations rested on is remembered instead. */
static sop_status keep_numbers(struct sopi_transaction *txn, struct sopi_used *used, sop_error *err)
{
	struct sopi_index_place place = { 0, 0 };

	while (used->calculates && !sopi_index_is_end(&used->index, place)) {
		SOP_TRY(sopi_transaction_keep_number(txn, used, sopi_index_at(&used->index, place), err));
		sopi_index_next(&used->index, &place);
	}
	return SOP_OK;
}

sop_status sopi_transaction_drop(struct sopi_transaction *txn,
				 const struct sopi_declaration *declaration, sop_error *err)
{
	struct sopi_used *used;
	struct named named;

	SOP_TRY(look_up(txn, declaration->name, declaration->name_size, &named, err));
	if (!named.exists)
		return not_there(declaration->name, declaration->name_size, err);
	SOP_TRY(store_of(txn, &named, declaration->name, declaration->name_size, &used, err));
	SOP_TRY(keep_numbers(txn, used, err));
	return remove_name(txn, declaration->name, declaration->name_size, named.descriptor.id, err);
}

sop_status sopi_transaction_rename(struct sopi_transaction *txn,
				   const struct sopi_declaration *declaration, sop_bytes to,
				   sop_error *err)
{
	uint64_t ignored;
	struct sopi_used *used;
	struct named named, other;
	sop_status status;

	SOP_TRY(look_up(txn, declaration->name, declaration->name_size, &named, err));
	if (!named.exists)
		return not_there(declaration->name, declaration->name_size, err);
	SOP_TRY(look_up(txn, to.data, to.size, &other, err));
	if (other.exists)
		return sopi_fail_store(err, SOP_EXISTS, to.data, to.size,
				       "there is a store of that name already");
	SOP_TRY(store_of(txn, &named, declaration->name, declaration->name_size, &used, err));
	/* Both or neither: the put is taken back if the remove fails for want of memory. */
	SOP_TRY(sopi_transaction_savepoint(txn, &ignored, err));
	status = remove_name(txn, declaration->name, declaration->name_size, named.descriptor.id, err);
	if (status == SOP_OK)
		status = put_name(txn, to.data, to.size, &named.descriptor, err);
	if (status != SOP_OK)
		(void)sopi_transaction_roll_back_to(txn, ignored, NULL);
	txn->savepoint_count--;
	return status;
}

void sopi_transaction_judge_stores(struct sopi_transaction *txn)
{
	const struct sopi_operation *operation;
	struct sopi_used *used;

	for (used = txn->used; used != NULL; used = used->next)
		used->dropped = used->created; /* unless the creation still stands */
	if (txn->names == NULL)
		return;
	/* From the oldest to the newest, the last word counts; the list leads the other way, so
	 * the first word of each. */
	for (used = txn->used; used != NULL; used = used->next) {
		for (operation = txn->last; operation != NULL; operation = operation->before) {
			if (operation->index == txn->names &&
			    (uint64_t)operation->number == used->store->tree.id)
				break;
		}
		if (operation != NULL)
			used->dropped = operation->kind == SOPI_OP_REMOVE;
	}
}
