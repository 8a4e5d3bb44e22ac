/* What each operation does to sorted arrays, and what it answers. */
#include "model/model.h"

#include "model/items.h"

#include <string.h>

/* ---- views --------------------------------------------------------------------------------------------------- */

void view_share(struct view *to, const struct view *from)
{
	*to = *from;
	for (unsigned i = 0; i < NAMES; i++)
		(void)items_share(to->stores[i].items);
}

void view_drop(struct view *view)
{
	for (unsigned i = 0; i < NAMES; i++)
		items_drop(view->stores[i].items);
	memset(view, 0, sizeof *view);
}

void view_settle(struct view *view, const struct view *before, uint64_t position)
{
	for (unsigned i = 0; i < NAMES; i++) {
		struct items *items = view->stores[i].items;

		for (size_t at = 0;
		     items != before->stores[i].items && items != NULL && at < items->count; at++)
			if (items->at[at]->version == 0)
				items->at[at]->version = position;
	}
	view->changes = 0;
}

static bool items_equal(const struct items *left, const struct items *right)
{
	if (left == right)
		return true;
	if (left == NULL || right == NULL || left->count != right->count)
		return false;
	for (size_t i = 0; i < left->count; i++) {
		const struct item *a = left->at[i];
		const struct item *b = right->at[i];

		if (a->key != b->key || a->id != b->id || a->value.hash != b->value.hash ||
		    memcmp(&a->ride, &b->ride, sizeof a->ride) != 0)
			return false;
	}
	return true;
}

bool views_equal(const struct view *left, const struct view *right)
{
	for (unsigned i = 0; i < NAMES; i++)
		if (left->stores[i].exists != right->stores[i].exists ||
		    !items_equal(left->stores[i].items, right->stores[i].items))
			return false;
	return true;
}

/* ---- transactions -------------------------------------------------------------------------------------------- */

void model_begin(struct model_txn *txn, struct world *world, const struct view *base, bool writable)
{
	memset(txn, 0, sizeof *txn);
	txn->world = world;
	txn->writable = writable;
	view_share(&txn->view, base);
	txn->view.changes = 0;
}

void model_end(struct model_txn *txn)
{
	view_drop(&txn->view);
	for (unsigned i = 0; i < txn->saved_count; i++)
		view_drop(&txn->saved[i]);
	memset(txn, 0, sizeof *txn);
}

unsigned model_orphans(struct model_txn *txn)
{
	unsigned orphans = 0;

	for (unsigned i = 0; i < CURSORS; i++) {
		struct model_cursor *cursor = &txn->cursors[i];

		if (cursor->open && (!txn->view.stores[cursor->store].exists ||
				     txn->view.stores[cursor->store].incarnation != cursor->incarnation)) {
			cursor->open = false;
			orphans |= 1u << i;
		}
	}
	return orphans;
}

/* ---- answers ------------------------------------------------------------------------------------------------- */

static void say_status(struct answer *answer, sop_status status)
{
	say(answer, "status", (uint64_t)(int64_t)status);
}

void say_row(struct answer *answer, uint64_t key_hash, uint64_t value_size, uint64_t value_hash)
{
	say(answer, "key", key_hash);
	say(answer, "value bytes", value_size);
	say(answer, "value", value_size != 0 ? value_hash : 0);
}

static void say_item(const struct model_txn *txn, struct answer *answer, const struct item *item,
		     bool keys_only)
{
	const uint64_t hash = universe_whole_hash(txn->world->universe, item->key, item->ride);

	say_row(answer, hash, keys_only ? 0 : item->value.size, keys_only ? 0 : item->value.hash);
	say(answer, "version", keys_only ? 0 : item->version); /* changes with the value */
	say(answer, "item", item->id);
}

/* ---- finding and changing ------------------------------------------------------------------------------------ */

static struct point point_of(uint32_t key, uint64_t id)
{
	const struct point point = { key, id };

	return point;
}

/* The item that a key and an item id (0: the oldest) name, or NULL; `*index` is its place. */
static struct item *find(const struct items *items, uint32_t key, uint64_t id, size_t *index)
{
	*index = items_find(items, point_of(key, id));
	if (*index < items->count && items->at[*index]->key == key &&
	    (id == 0 || items->at[*index]->id == id))
		return items->at[*index];
	return NULL;
}

static struct ride ride_over(struct ride old, struct ride given, unsigned count)
{
	for (unsigned i = 0; i < count && i < RIDES_MAX; i++)
		old.choice[i] = given.choice[i];
	return old;
}

static struct ride ride_defaults(void)
{
	struct ride ride;

	memset(&ride, 0, sizeof ride);
	return ride;
}

static void replace(struct model_txn *txn, struct model_store *store, size_t index,
		    const struct item *content)
{
	struct item *item = item_new(txn->world, content);

	item->version = 0;
	items_own(&store->items);
	store->items->at[index] = item;
	txn->view.changes++;
}

static void add(struct model_txn *txn, struct model_store *store, const struct item *content)
{
	struct item *item = item_new(txn->world, content);

	item->version = 0;
	items_own(&store->items);
	items_insert(store->items, items_find(store->items, point_of(item->key, item->id)), item);
	if (item->id > store->last_id)
		store->last_id = item->id;
	txn->view.changes++;
}

static void take(struct model_txn *txn, struct model_store *store, size_t from, size_t to)
{
	items_own(&store->items);
	items_remove(store->items, from, to);
	txn->view.changes += to - from;
}

static sop_status put(struct model_txn *txn, struct model_store *store, uint32_t key,
		      struct ride ride, unsigned given, struct value value)
{
	const struct item content = { key, ride_over(ride_defaults(), ride, given), 0, value, 0 };
	size_t index;

	if (txn->world->mix->duplicates)
		return SOP_MISUSE;
	if (find(store->items, key, 0, &index) != NULL)
		replace(txn, store, index, &content);
	else
		add(txn, store, &content);
	return SOP_OK;
}

static sop_status insert(struct model_txn *txn, struct model_store *store, uint32_t key,
			 struct ride ride, unsigned given, struct value value, uint64_t id)
{
	const struct item content = { key, ride_over(ride_defaults(), ride, given), id, value, 0 };
	size_t index;

	if (!txn->world->mix->duplicates && find(store->items, key, 0, &index) != NULL)
		return SOP_EXISTS;
	add(txn, store, &content);
	return SOP_OK;
}

static sop_status update(struct model_txn *txn, struct model_store *store, uint32_t key,
			 uint64_t id, struct ride ride, unsigned given, const struct value *value)
{
	size_t index;
	const struct item *old = find(store->items, key, id, &index);
	struct item content;

	if (old == NULL)
		return SOP_NOT_FOUND;
	content = *old;
	content.ride = ride_over(old->ride, ride, given);
	if (value != NULL)
		content.value = *value;
	replace(txn, store, index, &content);
	return SOP_OK;
}

static sop_status drop_item(struct model_txn *txn, struct model_store *store, uint32_t key, uint64_t id)
{
	size_t index;

	if (find(store->items, key, id, &index) == NULL)
		return SOP_NOT_FOUND;
	take(txn, store, index, index + 1);
	return SOP_OK;
}

static int64_t operand(const struct op *op)
{
	if (op->seed % 64 == 0)
		return op->seed % 128 == 0 ? INT64_MAX : INT64_MIN;
	return (int64_t)(op->seed % 2001) - 1000;
}

static sop_status atomic(struct model_txn *txn, struct model_store *store, const struct op *op)
{
	const int64_t by = operand(op);
	size_t index;
	struct item *old = find(store->items, op->key, 0, &index);
	struct item content;
	int64_t now = by;

	if (txn->world->mix->duplicates)
		return SOP_MISUSE;
	if (old == NULL)
		return put(txn, store, op->key, op->ride, 0, value_integer(by));
	if (old->value.size != INTEGER_BYTES)
		return SOP_SCHEMA;
	if (op->kind == OP_ADD)
		now = (int64_t)(old->value.seed + (uint64_t)by);
	else if (op->kind == OP_MIN ? (int64_t)old->value.seed < by : (int64_t)old->value.seed > by)
		now = (int64_t)old->value.seed;
	content = *old;
	content.value = value_integer(now);
	replace(txn, store, index, &content);
	return SOP_OK;
}

/* ---- ranges and cursors -------------------------------------------------------------------------------------- */

static void range_of(const struct model_txn *txn, const struct op *op, const struct hint *hint,
		     struct point *from, struct point *to)
{
	const struct universe *universe = txn->world->universe;
	uint32_t first, behind;

	*from = point_of(0, 0);
	*to = point_of(UINT32_MAX, 0);
	if ((op->flags & SOP_RANGE_FROM) != 0)
		*from = point_of(op->key, 0);
	if ((op->flags & SOP_RANGE_AFTER) != 0)
		*from = point_of(op->key, hint->item != 0 ? hint->item + 1 : UINT64_MAX);
	if ((op->flags & SOP_RANGE_AFTER) != 0 && !universe->words[op->key].whole) {
		universe_prefix(universe, op->key, &first, &behind);
		*from = point_of(behind, 0);
	}
	if ((op->flags & SOP_RANGE_TO) != 0)
		*to = point_of(op->key2, 0);
	if ((op->flags & SOP_RANGE_PREFIX) != 0)
		universe_prefix(universe, op->key, &from->key, &to->key);
}

static void indexes_of(const struct items *items, struct point from, struct point to, size_t *first,
		       size_t *end)
{
	*first = items_find(items, from);
	*end = items_find(items, to);
	if (*end < *first)
		*end = *first;
}

static void stand_on(struct model_cursor *cursor, const struct item *item)
{
	cursor->place = ON;
	cursor->at = point_of(item->key, item->id);
}

static void stand_at(struct model_cursor *cursor, struct point point)
{
	cursor->place = GAP;
	cursor->at = point;
}

/* The item of `items` that the cursor would meet next, or NULL; `*index` is its place. */
static struct item *ahead(const struct model_cursor *cursor, const struct items *items,
			  bool backwards, size_t *index)
{
	size_t first, end, at;

	indexes_of(items, cursor->from, cursor->to, &first, &end);
	if (cursor->place == FRESH) {
		at = backwards ? end : first;
	} else {
		struct point point = cursor->at;

		if (cursor->place == ON && !backwards)
			point.id++;
		at = items_find(items, point);
		at = at < first ? first : at > end ? end : at;
	}
	if (backwards ? at == first : at == end)
		return NULL;
	*index = backwards ? at - 1 : at;
	return items->at[*index];
}

static struct item *step(struct model_cursor *cursor, const struct items *items, bool backwards)
{
	size_t index;
	struct item *item = ahead(cursor, items, backwards, &index);

	if (item != NULL)
		stand_on(cursor, item);
	else
		stand_at(cursor, backwards ? cursor->from : cursor->to);
	return item;
}

static struct item *seek(struct model_cursor *cursor, const struct items *items, uint32_t key,
			 unsigned where)
{
	const struct point before = point_of(key, 0);
	const struct point behind = point_of(key, UINT64_MAX);
	const bool backwards = where == SOP_SEEK_LE || where == SOP_SEEK_LT;
	struct item *item;
	size_t index;

	stand_at(cursor, where == SOP_SEEK_GT || where == SOP_SEEK_LE ? behind : before);
	item = ahead(cursor, items, backwards, &index);
	if (where == SOP_SEEK_EQ && item != NULL && item->key != key)
		item = NULL;
	if (item != NULL)
		stand_on(cursor, item);
	return item;
}

static size_t round_up(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* The end of a packed row that begins at `offset`. */
static size_t row_end(const struct model_txn *txn, const struct item *item, size_t offset,
		      uint32_t rows_flags, bool keys_only)
{
	size_t end = round_up(offset) + 8;

	end += (rows_flags & SOP_ROWS_ITEM) != 0 ? 8 : 0;
	end += (rows_flags & SOP_ROWS_VERSION) != 0 ? 8 : 0;
	end += universe_whole_size(txn->world->universe, item->key, item->ride);
	return end + (keys_only ? 0 : item->value.size);
}

static void fetch_rows(struct model_txn *txn, const struct op *op, struct model_cursor *cursor,
		       const struct items *items, uint64_t library_rows, struct answer *answer)
{
	const bool backwards = (cursor->flags & SOP_CURSOR_REVERSE) != 0;
	const bool keys_only = (cursor->flags & SOP_CURSOR_KEYS) != 0;
	const uint32_t flags = op->flags >> ROWS_FLAGS_SHIFT & 3u;
	const uint64_t rows_max = op->seed % 3 == 0 ? op->seed % 50 : 0;
	size_t size = 8;
	uint64_t count = 0;
	size_t index = 0;
	struct item *item = ahead(cursor, items, backwards, &index);

	if (item == NULL) {
		say_status(answer, SOP_NOT_FOUND);
		(void)step(cursor, items, backwards);
		return;
	}
	if (row_end(txn, item, size, flags, keys_only) > op->n ||
	    (library_rows == 0 && round_up(row_end(txn, item, size, flags, keys_only)) > op->n)) {
		say_status(answer, SOP_LIMIT);
		say(answer, "bytes needed", round_up(row_end(txn, item, size, flags, keys_only)));
		return;
	}
	say_status(answer, SOP_OK);
	while (item != NULL && row_end(txn, item, size, flags, keys_only) <= op->n &&
	       (rows_max == 0 || count < rows_max)) {
		const size_t end = row_end(txn, item, size, flags, keys_only);

		if (count == library_rows && count > 0 && round_up(end) > op->n)
			break; /* the library may pad its rows */
		size = end;
		count++;
		say_row(answer, universe_whole_hash(txn->world->universe, item->key, item->ride),
			keys_only ? SOP_ROWS_ABSENT : item->value.size,
			keys_only ? 0 : item->value.hash);
		if ((flags & SOP_ROWS_ITEM) != 0)
			say(answer, "item", item->id);
		if ((flags & SOP_ROWS_VERSION) != 0)
			say(answer, "version", keys_only ? 0 : item->version); /* changes with the value */
		stand_on(cursor, item);
		item = ahead(cursor, items, backwards, &index);
	}
	say(answer, "bytes", round_up(size));
}

/* ---- operations ---------------------------------------------------------------------------------------------- */

static void apply_get(struct model_txn *txn, const struct op *op, const struct hint *hint,
		      const struct model_store *store, struct answer *answer)
{
	size_t index;
	const struct item *item =
		find(store->items, op->key, op->kind == OP_GET ? 0 : hint->item, &index);

	say_status(answer, item != NULL ? SOP_OK : SOP_NOT_FOUND);
	if (item == NULL)
		return;
	if (op->kind == OP_GET) {
		say(answer, "value bytes", item->value.size);
		say(answer, "value", item->value.hash);
		return;
	}
	if ((op->n & 1) != 0)
		say(answer, "key", universe_whole_hash(txn->world->universe, item->key, item->ride));
	if ((op->n & 2) != 0) {
		say(answer, "value bytes", item->value.size);
		say(answer, "value", item->value.hash);
	}
	if ((op->n & 4) != 0) {
		say(answer, "version", item->version);
		say(answer, "item", item->id);
	}
}

static void apply_get_many(struct model_txn *txn, const struct op *op,
			   const struct model_store *store, struct answer *answer)
{
	uint32_t keys[KEYS_MANY_MAX];
	const unsigned count = op_keys(op, txn->world->universe, keys);
	const uint32_t flags = op->flags >> ROWS_FLAGS_SHIFT & 3u;

	say_status(answer, SOP_OK);
	say(answer, "rows", count);
	for (unsigned i = 0; i < count; i++) {
		size_t index;
		const struct item *item = find(store->items, keys[i], 0, &index);
		const uint64_t size = item != NULL ? item->value.size : SOP_ROWS_ABSENT;

		say_row(answer,
			item != NULL ? universe_whole_hash(txn->world->universe, item->key, item->ride)
				     : txn->world->universe->words[keys[i]].hash,
			size, item != NULL ? item->value.hash : 0);
		if ((flags & SOP_ROWS_ITEM) != 0)
			say(answer, "item", item != NULL ? item->id : 0);
		if ((flags & SOP_ROWS_VERSION) != 0)
			say(answer, "version", item != NULL ? item->version : 0);
	}
}

static void apply_put_many(struct model_txn *txn, const struct op *op, const struct hint *hint,
			   struct model_store *store, struct answer *answer)
{
	struct row rows[ROWS_MAX];
	const unsigned count = op_rows(op, txn->world->universe, txn->world->mix, rows);
	sop_status status = SOP_OK;
	unsigned done = 0;

	while (done < count) {
		const struct row *row = &rows[done];
		const uint64_t item = op_names_items(op, txn->world->mix) ? hint->rows[done] : 0;

		switch (op->to % 4) {
		case SOP_PUT:
			status = put(txn, store, row->key, row->ride, row->ride_given, row->value);
			break;
		case SOP_INSERT:
			status = insert(txn, store, row->key, row->ride, row->ride_given,
					row->value, hint->rows[done]);
			break;
		case SOP_UPDATE:
			status = update(txn, store, row->key, item, row->ride, row->ride_given,
					&row->value);
			break;
		default:
			status = drop_item(txn, store, row->key, item);
			break;
		}
		if (status != SOP_OK)
			break;
		done++;
	}
	say_status(answer, status);
	say(answer, "done", done);
}

static void apply_range(struct model_txn *txn, const struct op *op, const struct hint *hint,
			struct model_store *store, struct answer *answer)
{
	struct point from, to;
	size_t first, end;

	range_of(txn, op, hint, &from, &to);
	indexes_of(store->items, from, to, &first, &end);
	say_status(answer, SOP_OK);
	say(answer, "count", end - first);
	if (op->kind == OP_REMOVE_RANGE && end > first)
		take(txn, store, first, end);
}

static void apply_cursor(struct model_txn *txn, const struct op *op, const struct hint *hint,
			 struct answer *answer)
{
	struct model_cursor *cursor = &txn->cursors[op->to % CURSORS];
	struct model_store *store = &txn->view.stores[cursor->store];
	const bool keys_only = (cursor->flags & SOP_CURSOR_KEYS) != 0;
	const struct item *item = NULL;
	size_t index;

	switch (op->kind) {
	case OP_FIRST:
	case OP_LAST:
		cursor->place = FRESH;
		item = step(cursor, store->items, op->kind == OP_LAST);
		break;
	case OP_NEXT:
	case OP_PREV: /* several steps: all but the last are said here */
		for (unsigned left = 1 + op->n % 4; left > 0; left--) {
			item = step(cursor, store->items, op->kind == OP_PREV);
			if (left > 1) {
				say_status(answer, item != NULL ? SOP_OK : SOP_NOT_FOUND);
				if (item != NULL)
					say_item(txn, answer, item, keys_only);
			}
		}
		break;
	case OP_SEEK:
		item = seek(cursor, store->items, op->key, op->n % 5);
		break;
	case OP_CURSOR_FETCH:
		fetch_rows(txn, op, cursor, store->items, hint->n, answer);
		return;
	default:
		if (cursor->place == ON)
			item = find(store->items, cursor->at.key, cursor->at.id, &index);
		break;
	}
	say_status(answer, item != NULL ? SOP_OK : SOP_NOT_FOUND);
	if (item == NULL)
		return;
	if (op->kind == OP_CURSOR_UPDATE)
		(void)update(txn, store, item->key, item->id, ride_defaults(), 0, &op->value);
	else if (op->kind == OP_CURSOR_REMOVE)
		take(txn, store, index, index + 1);
	else
		say_item(txn, answer, item, keys_only);
}

static void open_cursor(struct model_txn *txn, const struct op *op, const struct hint *hint,
			struct answer *answer)
{
	struct model_cursor *cursor = &txn->cursors[op->to % CURSORS];

	memset(cursor, 0, sizeof *cursor);
	cursor->open = true;
	cursor->store = op->store;
	cursor->incarnation = txn->view.stores[op->store].incarnation;
	cursor->flags = op->flags >> CURSOR_FLAGS_SHIFT & 3u;
	range_of(txn, op, hint, &cursor->from, &cursor->to);
	say_status(answer, SOP_OK);
}

static void apply_catalog(struct model_txn *txn, const struct op *op, struct answer *answer)
{
	struct model_store *store = &txn->view.stores[op->store];
	struct model_store *target = &txn->view.stores[op->to % NAMES];

	if (op->kind == OP_CREATE ? store->exists : !store->exists) {
		say_status(answer, op->kind == OP_CREATE ? SOP_EXISTS : SOP_NOT_FOUND);
		return;
	}
	if (op->kind == OP_RENAME && target->exists) {
		say_status(answer, SOP_EXISTS);
		return;
	}
	say_status(answer, SOP_OK);
	txn->view.changes++;
	if (op->kind == OP_RENAME) {
		*target = *store;
		target->incarnation = ++txn->world->incarnations;
		store->items = NULL;
	}
	items_drop(store->items);
	memset(store, 0, sizeof *store);
	store->incarnation = ++txn->world->incarnations;
	if (op->kind == OP_CREATE) {
		store->exists = true;
		store->items = items_new();
	}
}

static void apply_savepoint(struct model_txn *txn, const struct op *op, struct answer *answer)
{
	unsigned index;

	say_status(answer, SOP_OK);
	if (op->kind == OP_SAVEPOINT) {
		view_share(&txn->saved[txn->saved_count++], &txn->view);
		return;
	}
	index = op->to % txn->saved_count;
	view_drop(&txn->view);
	view_share(&txn->view, &txn->saved[index]);
	while (txn->saved_count > index + 1)
		view_drop(&txn->saved[--txn->saved_count]);
}

static void apply_list(const struct model_txn *txn, struct answer *answer)
{
	say_status(answer, SOP_OK);
	for (unsigned i = 0; i < NAMES; i++)
		if (txn->view.stores[i].exists)
			say(answer, "name", i);
}

static void apply_describe(const struct model_txn *txn, const struct op *op, struct answer *answer)
{
	say_status(answer, txn->view.stores[op->store].exists ? SOP_OK : SOP_NOT_FOUND);
	if (!txn->view.stores[op->store].exists)
		return;
	say(answer, "duplicates", txn->world->mix->duplicates);
	say(answer, "schema", txn->world->universe->schema != NULL);
}

static void apply_item(struct model_txn *txn, const struct op *op, const struct hint *hint,
		       struct model_store *store, struct answer *answer)
{
	switch (op->kind) {
	case OP_PUT:
		say_status(answer, put(txn, store, op->key, op->ride, op->ride_given, op->value));
		break;
	case OP_INSERT:
		say_status(answer, insert(txn, store, op->key, op->ride, op->ride_given, op->value,
					  hint->item));
		break;
	case OP_UPDATE:
		say_status(answer, update(txn, store, op->key, hint->item, op->ride, op->ride_given,
					  &op->value));
		break;
	case OP_SET_RIDE:
		say_status(answer, txn->world->universe->ride_count == 0
					   ? SOP_SCHEMA
					   : update(txn, store, op->key, hint->item, op->ride,
						    op->ride_given, NULL));
		break;
	case OP_REMOVE:
		say_status(answer, drop_item(txn, store, op->key, hint->item));
		break;
	default:
		say_status(answer, atomic(txn, store, op));
		break;
	}
}

void model_apply(struct model_txn *txn, const struct op *op, const struct hint *hint, struct answer *answer)
{
	struct model_store *store = &txn->view.stores[op->store];

	switch (op->kind) {
	case OP_CREATE:
	case OP_DROP:
	case OP_RENAME:
		apply_catalog(txn, op, answer);
		return;
	case OP_LIST:
		apply_list(txn, answer);
		return;
	case OP_DESCRIBE:
		apply_describe(txn, op, answer);
		return;
	case OP_SAVEPOINT:
	case OP_ROLLBACK_TO:
		apply_savepoint(txn, op, answer);
		return;
	case OP_CURSOR_FREE:
		txn->cursors[op->to % CURSORS].open = false;
		return;
	default:
		break;
	}
	if (!txn->writable && op_writes(op)) {
		say_status(answer, SOP_READ_ONLY);
		return;
	}
	if (op_uses_cursor(op)) {
		apply_cursor(txn, op, hint, answer);
		return;
	}
	if (op->kind == OP_CURSOR_OPEN)
		txn->cursors[op->to % CURSORS].open = false; /* the one that was there is freed */
	if (!store->exists) {
		say_status(answer, SOP_NOT_FOUND);
		if (op->kind == OP_PUT_MANY)
			say(answer, "done", 0);
		return;
	}
	switch (op->kind) {
	case OP_GET:
	case OP_FETCH:
		apply_get(txn, op, hint, store, answer);
		break;
	case OP_GET_MANY:
		apply_get_many(txn, op, store, answer);
		break;
	case OP_PUT_MANY:
		apply_put_many(txn, op, hint, store, answer);
		break;
	case OP_COUNT:
	case OP_REMOVE_RANGE:
		apply_range(txn, op, hint, store, answer);
		break;
	case OP_CURSOR_OPEN:
		open_cursor(txn, op, hint, answer);
		break;
	case OP_BAD_KEY:
		say_status(answer, SOP_SCHEMA);
		break;
	default:
		apply_item(txn, op, hint, store, answer);
		break;
	}
}

/* ---- making operations possible ------------------------------------------------------------------------------ */

/* The id of the which-th item of `key`; of none if there are not so many. 0 stands for the oldest. */
static uint64_t id_of(const struct model_store *store, uint32_t key, unsigned which)
{
	const size_t first = items_find(store->items, point_of(key, 0));
	const size_t index = first + which - 1;

	if (which == 0)
		return 0;
	if (index < store->items->count && store->items->at[index]->key == key)
		return store->items->at[index]->id;
	return store->last_id + 1000;
}

/* Which items the rows of a batch are about. */
static void name_items(const struct model_txn *txn, const struct op *op, struct hint *hint)
{
	struct row rows[ROWS_MAX];
	unsigned count;

	if (!op_names_items(op, txn->world->mix))
		return;
	count = op_rows(op, txn->world->universe, txn->world->mix, rows);
	for (unsigned i = 0; i < count; i++)
		hint->rows[i] = id_of(&txn->view.stores[op->store], rows[i].key, rows[i].which);
}

bool model_prepare(const struct model_txn *txn, struct op *op, struct hint *hint)
{
	const struct model_cursor *cursor = &txn->cursors[op->to % CURSORS];
	const struct universe *universe = txn->world->universe;

	memset(hint, 0, sizeof *hint);
	if (op_uses_cursor(op)) {
		if (!cursor->open)
			return false;
		op->store = (uint8_t)cursor->store;
		if (op->kind == OP_CURSOR_UPDATE && cursor->place == ON)
			value_for_word(&op->value, cursor->at.key);
	}
	if (op->kind == OP_ROLLBACK_TO && txn->saved_count == 0)
		return false;
	if (op->kind == OP_SAVEPOINT && txn->saved_count == SAVEPOINTS)
		return false;
	if (op->kind == OP_RENAME && op->to % NAMES == op->store)
		return false;
	if (op->kind == OP_BAD_KEY && universe->schema == NULL)
		return false;
	if (!txn->writable && op_writes(op) &&
	    (!txn->view.stores[op->store].exists || op->kind == OP_SET_RIDE))
		return false;
	if (op_writes(op))
		value_seal(&op->value);
	if (op->kind == OP_PUT_MANY && txn->view.stores[op->store].exists)
		name_items(txn, op, hint);
	if (txn->view.stores[op->store].exists && op->which > 0 && universe->words[op->key].whole)
		hint->item = id_of(&txn->view.stores[op->store], op->key, op->which);
	return true;
}
