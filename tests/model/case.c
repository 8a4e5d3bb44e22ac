/* A case: transactions side by side, each with its model; commits are checked by doing their operations again. */
#include "model/case.h"

#include "model/items.h"

#include <stdlib.h>
#include <string.h>

volatile uint32_t case_at;

/* One operation of an open transaction, to be done again at its commit. */
struct record {
	struct op op;
	struct hint hint;
	uint64_t answer;
};

struct context {
	struct engine_txn library;
	struct model_txn model;
	struct view begin; /* what was committed when it began */
	uint64_t commits_before;
	bool blind; /* it has read nothing */
	uint32_t attempts; /* begun by sop_txn_again, counted from 1 */
	struct record *records;
	size_t count;
	size_t capacity;
};

enum { ENDINGS = 256 };

/* How a transaction ended. */
struct ending {
	uint8_t id[16];
	uint64_t position; /* 0: it did not commit */
};

struct run {
	const struct case_config *config;
	struct engine engine;
	struct world world;
	struct view base; /* what is committed */
	uint64_t position;
	bool gave_up; /* a commit was refused since; parts of it may have positions */
	struct context contexts[CONTEXTS];
	struct engine_txn checker;
	struct answer said;
	struct answer wanted;
	struct ending endings[ENDINGS]; /* the last ones */
	uint64_t ended;
	struct case_result result;
};

#define FAIL(...) (fprintf(stderr, "DIFFERENCE: " __VA_ARGS__), fprintf(stderr, "\n"), false)

static bool status_is(struct run *run, sop_status status, sop_status wanted, const char *what)
{
	if (status == wanted)
		return true;
	return FAIL("%s: %s instead of %s: %s", what, sop_status_name(status),
		    sop_status_name(wanted), run->engine.err.message);
}

/* ---- begin and end --------------------------------------------------------------------------------------------- */

static void forget(struct context *context)
{
	engine_ended(&context->library);
	model_end(&context->model);
	view_drop(&context->begin);
	context->count = 0;
}

static void start_model(struct run *run, struct context *context)
{
	model_begin(&context->model, &run->world, &run->base,
		    context->library.mode == SOP_WRITE || context->library.mode == SOP_NOCHECK);
	view_share(&context->begin, &run->base);
	context->commits_before = run->result.commits;
	context->blind = true;
	context->count = 0;
}

static bool attempts_are_right(struct run *run, struct context *context)
{
	uint32_t attempts = 0;

	if (!status_is(run, sop_txn_attempts(context->library.txn, &attempts, &run->engine.err),
		       SOP_OK, "attempts"))
		return false;
	return attempts == context->attempts ||
	       FAIL("attempt %u instead of %u", attempts, context->attempts);
}

static bool begin(struct run *run, unsigned number, uint64_t seed)
{
	struct context *context = &run->contexts[number];
	uint32_t mode = number < WRITERS ? SOP_WRITE : SOP_READ;
	uint64_t position = 0;

	if (number < WRITERS && seed % 8 == 1)
		mode = SOP_NOCHECK;
	if (number >= WRITERS && seed % 3 == 1)
		mode = SOP_SNAPSHOT;
	if (!status_is(run, engine_begin(&run->engine, &context->library, mode), SOP_OK, "begin"))
		return false;
	start_model(run, context);
	if (!status_is(run, sop_txn_position(context->library.txn, &position, &run->engine.err),
		       SOP_OK, "position"))
		return false;
	if (run->gave_up && position > run->position) /* parts of a large commit that was refused have positions */
		run->position = position;
	run->gave_up = false;
	if (position != run->position && run->result.commits > 0)
		return FAIL("begins at position %llu instead of %llu", (unsigned long long)position,
			    (unsigned long long)run->position);
	run->position = position;
	context->attempts = 1;
	return attempts_are_right(run, context);
}

static bool outcome_is(struct run *run, const uint8_t id[16], sop_outcome wanted, uint64_t wanted_position)
{
	sop_outcome outcome = SOP_OUTCOME_UNKNOWN;
	uint64_t position = 7;

	if (!status_is(run, sop_txn_outcome(run->engine.db, id, &outcome, &position, &run->engine.err),
		       SOP_OK, "outcome"))
		return false;
	if (outcome != wanted || position != wanted_position)
		return FAIL("outcome %d at %llu instead of %d at %llu", (int)outcome,
			    (unsigned long long)position, (int)wanted,
			    (unsigned long long)wanted_position);
	return true;
}

/* Remembers how a transaction ended, and asks about one of those before. */
static bool note_ending(struct run *run, const struct context *context, uint64_t position, uint64_t seed)
{
	struct ending *ending = &run->endings[run->ended++ % ENDINGS];
	const struct ending *other;

	if (!status_is(run, sop_txn_id(context->library.txn, ending->id, &run->engine.err), SOP_OK, "id"))
		return false;
	ending->position = position;
	other = &run->endings[seed % (run->ended < ENDINGS ? run->ended : ENDINGS)];
	return outcome_is(run, other->id,
			  other->position != 0 ? SOP_OUTCOME_COMMITTED : SOP_OUTCOME_NOT_COMMITTED,
			  other->position);
}

static bool roll_back(struct run *run, struct context *context, uint64_t seed)
{
	uint8_t id[16];
	bool ok = true;

	if (seed % 4 == 0)
		ok = status_is(run, sop_txn_id(context->library.txn, id, &run->engine.err), SOP_OK, "id") &&
		     outcome_is(run, id, SOP_OUTCOME_PENDING, 0);
	ok = ok &&
	     status_is(run, sop_rollback(context->library.txn, &run->engine.err), SOP_OK, "rollback") &&
	     note_ending(run, context, 0, seed);
	forget(context);
	return ok;
}

/* ---- comparing everything -------------------------------------------------------------------------------------- */

static bool compare_store(struct run *run, struct engine_txn *txn, const struct view *view,
			  unsigned store, bool backwards)
{
	if (!view->stores[store].exists)
		return true;
	run->result.rows += view->stores[store].items->count;
	return engine_equals(&run->engine, txn, store, view->stores[store].items, backwards) ||
	       FAIL("store %u is not what the model holds", store);
}

/* Compares what is committed with the model, the stores in which `changed_from` differs from it or (NULL) all of them. */
static bool compare_base(struct run *run, const struct view *changed_from, uint64_t seed)
{
	const uint32_t mode = seed % 2 == 0 ? SOP_READ : SOP_SNAPSHOT;
	bool ok = status_is(run, engine_begin(&run->engine, &run->checker, mode), SOP_OK,
			    "begin to compare");

	for (unsigned i = 0; ok && i < NAMES; i++)
		if (changed_from == NULL || changed_from->stores[i].items != run->base.stores[i].items)
			ok = compare_store(run, &run->checker, &run->base, i, seed % 3 == 0);
	return ok && status_is(run, sop_commit(run->checker.txn, &run->engine.err), SOP_OK,
			       "end of comparing");
}

/* ---- commit ---------------------------------------------------------------------------------------------------- */

/* Does the operations of `context` again on what others have committed since it began; they must answer the same.
 * Returns the number of the first that does not, or the count. */
static size_t do_again(struct run *run, struct context *context, struct model_txn *again)
{
	size_t at;

	model_begin(again, &run->world, &run->base, true);
	for (at = 0; at < context->count; at++) {
		const struct record *record = &context->records[at];

		answer_clear(&run->wanted);
		if (record->op.kind == OP_ROLLBACK_TO && again->saved_count == 0)
			break;
		if (op_uses_cursor(&record->op) && !again->cursors[record->op.to % CURSORS].open)
			break;
		model_apply(again, &record->op, &record->hint, &run->wanted);
		(void)model_orphans(again);
		if (answer_hash(&run->wanted) != record->answer)
			break;
	}
	return at;
}

static bool is_atomic(unsigned kind)
{
	return kind == OP_ADD || kind == OP_MIN || kind == OP_MAX;
}

/* Whether the items of a key are others now than when the transaction began. */
static bool key_has_changed(struct run *run, const struct context *context, unsigned store, sop_bytes key)
{
	const uint32_t word = universe_find(&run->config->universe, key);
	const struct items *before = context->begin.stores[store].items;
	const struct items *after = run->base.stores[store].items;
	const struct point from = { word, 0 };
	const struct point to = { word + 1, 0 };
	size_t old = items_find(before, from);
	size_t new = items_find(after, from);

	if (word == run->config->universe.count)
		return FAIL("a conflict on a key of %zu bytes that nobody has used", key.size);
	if (items_find(before, to) - old != items_find(after, to) - new)
		return true;
	for (; old < items_find(before, to); old++, new ++)
		if (before->at[old] != after->at[new])
			return true;
	return FAIL("a conflict on word %u, which nobody has changed", word);
}

/* A conflict must name a store that somebody else has changed; a blind transaction, one that was made or dropped. */
static bool conflict_is_true(struct run *run, const struct context *context)
{
	sop_bytes store = { NULL, 0 };
	sop_bytes key = { NULL, 0 };
	unsigned number = 0;

	if (run->result.commits == context->commits_before)
		return FAIL("a conflict with nobody: %s", run->engine.err.message);
	if (!status_is(run, sop_txn_conflict(context->library.txn, &store, &key, &run->engine.err),
		       SOP_OK, "conflict"))
		return false;
	while (number < NAMES && (strlen(engine_names[number]) != store.size ||
				  memcmp(engine_names[number], store.data, store.size) != 0))
		number++;
	if (number == NAMES)
		return FAIL("a conflict that names no store (%zu bytes)", store.size);
	if (context->begin.stores[number].incarnation != run->base.stores[number].incarnation)
		return true;
	if (context->begin.stores[number].items == run->base.stores[number].items)
		return FAIL("a conflict in store %u, which nobody has changed", number);
	if (context->blind)
		return FAIL("a conflict of a transaction that has read nothing");
	return key.size == 0 || key_has_changed(run, context, number, key);
}

static bool after_conflict(struct run *run, struct context *context, uint64_t seed)
{
	run->result.conflicts++;
	if (!conflict_is_true(run, context) || !note_ending(run, context, 0, seed))
		return false;
	forget(context);
	if (seed % 16 != 0)
		return true;
	if (!status_is(run, sop_txn_again(context->library.txn, &run->engine.err), SOP_OK, "again"))
		return false;
	context->library.open = true;
	context->library.savepoint_count = 0;
	context->attempts++;
	start_model(run, context);
	return attempts_are_right(run, context);
}

/* Makes `view` what is committed, at `position`, and compares. */
static bool adopt(struct run *run, struct view *view, uint64_t position, uint64_t seed)
{
	struct view before = run->base;
	bool ok;

	view_settle(view, &before, position);
	view_share(&run->base, view);
	run->position = position;
	run->result.commits++;
	ok = compare_base(run, &before, seed);
	view_drop(&before);
	return ok;
}

static bool has_unsettled(const struct view *view, const struct view *before)
{
	for (unsigned i = 0; i < NAMES; i++) {
		const struct items *items = view->stores[i].items;

		for (size_t at = 0;
		     items != NULL && items != before->stores[i].items && at < items->count; at++)
			if (items->at[at]->version == 0)
				return true;
	}
	return false;
}

static bool has_changed(const struct view *view, const struct view *before)
{
	return has_unsettled(view, before) || !views_equal(view, before);
}

/* Would it change nothing where it takes effect, and answer the same? Others may have removed what it removes. */
static bool changes_nothing_now(struct run *run, struct context *context)
{
	struct model_txn again;
	const bool same = do_again(run, context, &again) == context->count;
	const bool nothing = same && !has_changed(&again.view, &run->base);

	model_end(&again);
	return nothing;
}

/* The commit was answered with OK. */
static bool committed(struct run *run, struct context *context, bool overlapped, uint64_t seed)
{
	struct model_txn again;
	uint64_t position = 0;
	size_t at;
	bool ok;

	if (!status_is(run, sop_txn_position(context->library.txn, &position, &run->engine.err),
		       SOP_OK, "position"))
		return false;
	if (context->model.view.changes > 0 && position <= run->position &&
	    has_changed(&context->model.view, &context->begin) &&
	    !(overlapped && changes_nothing_now(run, context)))
		return FAIL("a commit at position %llu, not above %llu",
			    (unsigned long long)position, (unsigned long long)run->position);
	if (context->model.view.changes == 0 && position > run->position)
		return FAIL("a commit that changed nothing has a position of its own");
	if (!note_ending(run, context, position > run->position ? position : 0, seed))
		return false;
	if (position <= run->position)
		return true;
	if (!overlapped)
		return adopt(run, &context->model.view, position, seed);
	at = do_again(run, context, &again);
	if (at == context->count)
		ok = adopt(run, &again.view, position, seed);
	else
		ok = FAIL("not serializable: operation %zu (%s) of an overlapping commit would answer otherwise",
			  at, op_name(context->records[at].op.kind));
	model_end(&again);
	return ok;
}

/* A writer that does not check its reads would not be told that another has changed them: it must be alone. */
static bool disturbs_unchecked(const struct run *run, const struct context *context)
{
	for (unsigned i = 0; i < WRITERS; i++)
		if (&run->contexts[i] != context && run->contexts[i].library.open &&
		    run->contexts[i].library.mode == SOP_NOCHECK)
			return true;
	return false;
}

static bool commit(struct run *run, struct context *context, uint64_t seed, bool must_fail)
{
	const bool overlapped = run->result.commits != context->commits_before;
	sop_status status;
	bool ok;

	if (disturbs_unchecked(run, context) || (must_fail && overlapped))
		return roll_back(run, context, seed);
	status = sop_commit(context->library.txn, &run->engine.err);
	if (status == SOP_CONFLICT && context->model.writable)
		return after_conflict(run, context, seed);
	run->gave_up = run->gave_up || status == SOP_SCHEMA;
	if (status == SOP_SCHEMA && overlapped) {
		struct model_txn again;
		const size_t at = do_again(run, context, &again);

		model_end(&again);
		ok = (at < context->count && is_atomic(context->records[at].op.kind)) ||
		     FAIL("commit answers SCHEMA: %s", run->engine.err.message);
	} else {
		ok = status_is(run, status, must_fail ? SOP_SCHEMA : SOP_OK, "commit");
		if (ok && !must_fail)
			ok = committed(run, context, overlapped, seed);
	}
	forget(context);
	return ok;
}

/* ---- operations ------------------------------------------------------------------------------------------------ */

static void remember(struct context *context, const struct op *op, const struct hint *hint, uint64_t answer)
{
	struct record *record;

	context->records = test_grow(context->records, context->count, &context->capacity,
				     sizeof *context->records);
	record = &context->records[context->count++];
	record->op = *op;
	record->hint = *hint;
	record->answer = answer;
}

/* A new item id must be above all that were given in the store. */
static bool ids_ascend(const struct context *context, const struct op *op, const struct hint *hint,
		       sop_status status)
{
	const struct model_store *store = &context->model.view.stores[op->store];
	uint64_t last = store->last_id;

	if (op->kind == OP_INSERT && status == SOP_OK && hint->item <= last)
		return FAIL("item id %llu after %llu", (unsigned long long)hint->item,
			    (unsigned long long)last);
	for (unsigned i = 0;
	     op->kind == OP_PUT_MANY && op->to % 4 == SOP_INSERT && i < ROWS_MAX && hint->rows[i] != 0;
	     i++) {
		if (hint->rows[i] <= last)
			return FAIL("item id %llu of row %u after %llu",
				    (unsigned long long)hint->rows[i], i, (unsigned long long)last);
		last = hint->rows[i];
	}
	return true;
}

static bool is_status(const struct answer *answer, sop_status status)
{
	return answer->count == 1 && answer->tokens[0].word == (uint64_t)(int64_t)status;
}

/* Frees the library's cursors whose store is gone or another one. */
static void free_orphans(struct context *context)
{
	const unsigned orphans = model_orphans(&context->model);

	for (unsigned i = 0; i < CURSORS; i++)
		if ((orphans & 1u << i) != 0) {
			sop_cursor_free(context->library.cursors[i]);
			context->library.cursors[i] = NULL;
		}
}

/* Does one operation on both sides. */
static bool apply(struct run *run, struct context *context, const struct op *made)
{
	struct op op = *made;
	struct hint hint;
	sop_status status;

	if (!model_prepare(&context->model, &op, &hint))
		return true;
	answer_clear(&run->said);
	answer_clear(&run->wanted);
	engine_apply(&run->engine, &context->library, &op, &hint, &run->said);
	status = run->said.count > 0 ? (sop_status)(int64_t)run->said.tokens[0].word : SOP_OK;
	if (run->config->mix.duplicates && !ids_ascend(context, &op, &hint, status))
		return false;
	model_apply(&context->model, &op, &hint, &run->wanted);
	run->result.operations++;
	if (is_atomic(op.kind) && is_status(&run->wanted, SOP_SCHEMA) && is_status(&run->said, SOP_OK))
		return commit(run, context, op.seed, true);
	if (!answers_equal(&run->said, &run->wanted)) {
		answers_print(stderr, &run->said, &run->wanted);
		return FAIL("operation %u (%s) answers otherwise: %s", case_at, op_name(op.kind),
			    run->engine.err.message);
	}
	context->blind = context->blind && op_is_blind(&op) && !is_status(&run->wanted, SOP_SCHEMA);
	remember(context, &op, &hint, answer_hash(&run->wanted));
	free_orphans(context);
	return true;
}

/* Operations outside of transactions. */
static bool read_at_once(struct run *run, const struct op *op)
{
	struct engine *engine = &run->engine;
	const struct model_store *store = &run->base.stores[op->store];
	const struct word *word = &run->config->universe.words[op->key];
	const struct point point = { op->key, 0 };
	const struct item *item = NULL;
	uint64_t count = 0;
	sop_status status;

	run->result.operations += 2;
	if (!status_is(run, sop_approx_count(engine->db, engine->stores[op->store], &count, &engine->err),
		       store->exists ? SOP_OK : SOP_NOT_FOUND, "approx_count"))
		return false;
	if (store->exists && count != store->items->count)
		return FAIL("approx_count %llu instead of %zu", (unsigned long long)count,
			    store->items->count);
	if (store->exists && items_find(store->items, point) < store->items->count)
		item = store->items->at[items_find(store->items, point)];
	if (item != NULL && item->key != op->key)
		item = NULL;
	status = sop_read(engine->db, engine->stores[op->store],
			  test_bytes(word->bytes, word->size), &engine->value, &engine->err);
	if (!status_is(run, status, item != NULL ? SOP_OK : SOP_NOT_FOUND, "read"))
		return false;
	if (item != NULL && (engine->value.size != item->value.size ||
			     hash_bytes(engine->value.data, engine->value.size) != item->value.hash))
		return FAIL("sop_read gives another value");
	return true;
}

/* Puts back what keeps a case going: a store that is not there is mostly made first, and stores with duplicates see
 * insertions instead of puts. */
static bool do_in_transaction(struct run *run, struct context *context, struct op *op)
{
	const bool about_items = op->kind < OP_CREATE && !op_uses_cursor(op);

	if (run->config->mix.duplicates && (op->kind == OP_PUT || is_atomic(op->kind)) &&
	    op->seed % 16 != 0)
		op->kind = OP_INSERT;
	if (about_items && !context->model.view.stores[op->store].exists && op->seed % 16 != 0) {
		struct op create = *op;

		if (!context->model.writable)
			return true;
		create.kind = OP_CREATE;
		if (!apply(run, context, &create))
			return false;
	}
	return apply(run, context, op);
}

/* The levels among the figures. */
static bool figures_are_right(struct run *run)
{
	sop_stats stats = SOP_STATS_INIT;
	uint64_t stores = 0;
	uint64_t open = 0;

	for (unsigned i = 0; i < NAMES; i++)
		stores += run->base.stores[i].exists;
	for (unsigned i = 0; i < CONTEXTS; i++)
		open += run->contexts[i].library.open;
	if (!status_is(run, sop_db_stats(run->engine.db, &stats, &run->engine.err), SOP_OK, "stats"))
		return false;
	if (stats.stores != stores || stats.transactions_open != open ||
	    (run->result.commits > 0 && stats.position != run->position))
		return FAIL("stats: %llu stores of %llu, %llu transactions of %llu, position %llu of %llu",
			    (unsigned long long)stats.stores, (unsigned long long)stores,
			    (unsigned long long)stats.transactions_open, (unsigned long long)open,
			    (unsigned long long)stats.position, (unsigned long long)run->position);
	return true;
}

static bool step(struct run *run, struct op *op)
{
	struct context *context = &run->contexts[op->context];

	switch (op->kind) {
	case OP_VERIFY:
		if (op->seed % 4 != 0)
			return true;
		run->result.verifies++;
		return (engine_verifies(&run->engine) || FAIL("sop_verify")) && figures_are_right(run);
	case OP_READ:
		return read_at_once(run, op);
	case OP_COMMIT:
		return !context->library.open || commit(run, context, op->seed, false);
	case OP_ROLLBACK:
		return !context->library.open || roll_back(run, context, op->seed);
	case OP_COMPARE:
		context->blind = false;
		return !context->library.open ||
		       compare_store(run, &context->library, &context->model.view, op->store,
				     op->seed % 2 == 0);
	default:
		return (context->library.open || begin(run, op->context, op->seed)) &&
		       do_in_transaction(run, context, op);
	}
}

/* ---- the case -------------------------------------------------------------------------------------------------- */

void case_op(const struct case_config *config, uint32_t index, struct op *op)
{
	struct test_rng rng;

	test_rng_init(&rng, config->seed, index + 1000);
	op_make(op, &config->universe, &config->mix, &rng, index);
}

/* What old readers still see must be what they saw, and what is committed must be what the model holds. */
static bool finish(struct run *run)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < CONTEXTS; i++) {
		struct context *context = &run->contexts[i];

		for (unsigned store = 0; ok && context->library.open && store < NAMES; store++)
			ok = compare_store(run, &context->library, &context->model.view, store,
					   store % 2 == 0);
	}
	run->result.verifies++;
	return ok && compare_base(run, NULL, 0) && compare_base(run, NULL, 3) &&
	       engine_verifies(&run->engine);
}

static void close_all(struct run *run)
{
	for (unsigned i = 0; i < CONTEXTS; i++) {
		engine_txn_free(&run->contexts[i].library);
		forget(&run->contexts[i]);
		free(run->contexts[i].records);
	}
	engine_txn_free(&run->checker);
	engine_close(&run->engine);
	view_drop(&run->base);
	world_free(&run->world);
	free(run->said.tokens);
	free(run->wanted.tokens);
}

/* ---- on disk --------------------------------------------------------------------------------------------------- */

enum { CHECKPOINT_ONCE_IN = 300, GC_ONCE_IN = 1500, REOPEN_ONCE_IN = 1000 };

/* Item ids that were given and taken back before they were committed are known to nobody: they may be given again. */
static void forget_ids(struct view *view)
{
	for (unsigned i = 0; i < NAMES; i++) {
		struct model_store *store = &view->stores[i];

		store->last_id = 0;
		for (size_t item = 0; store->exists && item < store->items->count; item++) {
			if (store->items->at[item]->id > store->last_id)
				store->last_id = store->items->at[item]->id;
		}
	}
}

/* All transactions end, the database is closed and opened again: what was committed is there. */
static bool reopen(struct run *run, bool killed)
{
	sop_stats stats = SOP_STATS_INIT;

	for (unsigned i = 0; i < CONTEXTS; i++) {
		struct context *context = &run->contexts[i];

		if (context->library.open && !roll_back(run, context, 1))
			return false;
		engine_txn_free(&context->library);
	}
	engine_txn_free(&run->checker);
	engine_reopen(&run->engine, killed);
	forget_ids(&run->base);
	if (!status_is(run, sop_db_stats(run->engine.db, &stats, &run->engine.err), SOP_OK, "stats"))
		return false;
	if (stats.position < run->position)
		return FAIL("opens at position %llu, below %llu",
			    (unsigned long long)stats.position, (unsigned long long)run->position);
	run->position = stats.position;
	return compare_base(run, NULL, 0) && (engine_verifies(&run->engine) || FAIL("sop_verify"));
}

/* What happens to a database on disk before operation `index`, if anything. */
static bool maintain(struct run *run, uint32_t index)
{
	struct test_rng rng;
	sop_db *db = run->engine.db;

	test_rng_init(&rng, run->config->seed ^ 0xD15C, index);
	if (test_rng_once_in(&rng, CHECKPOINT_ONCE_IN))
		return status_is(run, sop_checkpoint(db, &run->engine.err), SOP_OK, "checkpoint");
	if (test_rng_once_in(&rng, GC_ONCE_IN))
		return status_is(run, sop_gc(db, NULL, NULL, &run->engine.err), SOP_OK, "gc");
	if (test_rng_once_in(&rng, REOPEN_ONCE_IN))
		return reopen(run, test_rng_once_in(&rng, 2));
	return true;
}

struct case_result case_run(const struct case_config *config, const uint8_t *left_out)
{
	const struct engine_options options = { config->on_disk, config->node_items,
						config->node_bytes, config->inline_value_bytes };
	struct run run;
	struct op op;

	memset(&run, 0, sizeof run);
	run.config = config;
	run.world.universe = &config->universe;
	run.world.mix = &config->mix;
	run.result.ok = true;
	engine_open(&run.engine, &config->universe, &config->mix, &options);
	for (uint32_t i = 0; run.result.ok && i < config->ops; i++) {
		if (left_out != NULL && left_out[i] != 0)
			continue;
		case_at = i;
		run.result.failed_at = i;
		case_op(config, i, &op);
		run.result.ok = (!config->on_disk || maintain(&run, i)) && step(&run, &op);
	}
	run.result.ok = run.result.ok && finish(&run) && (!config->on_disk || reopen(&run, true));
	close_all(&run);
	return run.result;
}
