/* Making operations at random, and printing them. */
#include "model/op.h"

#include <stdlib.h>
#include <string.h>

/* ---- answers ------------------------------------------------------------------------------------------------- */

void answer_clear(struct answer *answer)
{
	answer->count = 0;
}

void say(struct answer *answer, const char *label, uint64_t word)
{
	answer->tokens =
		test_grow(answer->tokens, answer->count, &answer->capacity, sizeof *answer->tokens);
	answer->tokens[answer->count].label = label;
	answer->tokens[answer->count++].word = word;
}

static bool tokens_equal(const struct token *left, const struct token *right)
{
	return left->word == right->word &&
	       (left->label == right->label || strcmp(left->label, right->label) == 0);
}

bool answers_equal(const struct answer *left, const struct answer *right)
{
	if (left->count != right->count)
		return false;
	for (size_t i = 0; i < left->count; i++)
		if (!tokens_equal(&left->tokens[i], &right->tokens[i]))
			return false;
	return true;
}

uint64_t answer_hash(const struct answer *answer)
{
	uint64_t hash = answer->count;

	for (size_t i = 0; i < answer->count; i++)
		hash = (hash ^ answer->tokens[i].word) * 0xD6E8FEB86659FD93u + (hash >> 29);
	return hash;
}

static void token_print(FILE *to, const struct answer *answer, size_t at)
{
	char text[64] = "-";

	if (at < answer->count) {
		const struct token *token = &answer->tokens[at];

		if (strcmp(token->label, "status") == 0)
			(void)snprintf(text, sizeof text, "%s",
				       sop_status_name((sop_status)(int64_t)token->word));
		else
			(void)snprintf(text, sizeof text, "%s %llx", token->label,
				       (unsigned long long)token->word);
	}
	fprintf(to, "%-40s", text);
}

void answers_print(FILE *to, const struct answer *library, const struct answer *model)
{
	const size_t longer = library->count > model->count ? library->count : model->count;
	size_t at = 0;

	while (at < library->count && at < model->count &&
	       tokens_equal(&library->tokens[at], &model->tokens[at]))
		at++;
	fprintf(to, "  %zu words are equal, then\n  %-40s%s\n", at, "library", "model");
	for (size_t end = at + 12; at < end && at < longer; at++) {
		fprintf(to, "  ");
		token_print(to, library, at);
		token_print(to, model, at);
		fprintf(to, "\n");
	}
}

/* ---- making -------------------------------------------------------------------------------------------------- */

enum phase { GROWING, SHRINKING, MIXED, WALKING, COUNTING, PHASES };

enum { PHASE_OPS = 1500, HOT_OPS = 24 };

/* How often each kind occurs in each phase. */
static const uint8_t weights[OP_KINDS][PHASES] = {
	/*                    grow shrink mixed walk count */
	[OP_GET] = { 20, 20, 60, 10, 30 },
	[OP_FETCH] = { 10, 10, 40, 5, 10 },
	[OP_GET_MANY] = { 3, 3, 10, 2, 3 },
	[OP_COUNT] = { 4, 4, 12, 4, 12 },
	[OP_PUT] = { 70, 20, 50, 20, 25 },
	[OP_INSERT] = { 90, 20, 50, 30, 25 },
	[OP_UPDATE] = { 20, 15, 40, 10, 15 },
	[OP_REMOVE] = { 15, 110, 60, 35, 20 },
	[OP_SET_RIDE] = { 8, 8, 20, 8, 4 },
	[OP_ADD] = { 8, 4, 15, 4, 90 },
	[OP_MIN] = { 3, 2, 6, 2, 30 },
	[OP_MAX] = { 3, 2, 6, 2, 30 },
	[OP_REMOVE_RANGE] = { 1, 12, 6, 2, 2 },
	[OP_PUT_MANY] = { 20, 8, 10, 3, 4 },
	[OP_CURSOR_OPEN] = { 4, 4, 15, 30, 4 },
	[OP_CURSOR_FREE] = { 1, 1, 3, 4, 1 },
	[OP_SEEK] = { 5, 5, 20, 40, 5 },
	[OP_FIRST] = { 2, 2, 6, 10, 2 },
	[OP_LAST] = { 2, 2, 6, 10, 2 },
	[OP_NEXT] = { 10, 10, 30, 90, 8 },
	[OP_PREV] = { 10, 10, 30, 90, 8 },
	[OP_ENTRY] = { 2, 2, 8, 20, 2 },
	[OP_CURSOR_UPDATE] = { 2, 2, 10, 20, 2 },
	[OP_CURSOR_REMOVE] = { 2, 15, 10, 25, 2 },
	[OP_CURSOR_FETCH] = { 6, 6, 20, 40, 6 },
	[OP_CREATE] = { 1, 1, 2, 1, 1 },
	[OP_DROP] = { 1, 1, 1, 1, 1 },
	[OP_RENAME] = { 1, 1, 1, 1, 1 },
	[OP_LIST] = { 1, 1, 3, 1, 1 },
	[OP_DESCRIBE] = { 1, 1, 3, 1, 1 },
	[OP_SAVEPOINT] = { 4, 4, 10, 6, 4 },
	[OP_ROLLBACK_TO] = { 2, 2, 6, 4, 2 },
	[OP_BAD_KEY] = { 1, 1, 2, 1, 1 },
	[OP_COMMIT] = { 14, 14, 18, 10, 30 },
	[OP_ROLLBACK] = { 2, 2, 4, 2, 4 },
	[OP_READ] = { 2, 2, 8, 2, 4 },
	[OP_COMPARE] = { 1, 1, 2, 1, 1 },
	[OP_VERIFY] = { 1, 1, 1, 1, 1 },
};

static unsigned pick_kind(struct test_rng *rng, enum phase phase)
{
	unsigned total = 0;
	unsigned kind = 0;
	uint64_t pick;

	for (unsigned i = 0; i < OP_KINDS; i++)
		total += weights[i][phase];
	pick = test_rng_below(rng, total);
	while (pick >= weights[kind][phase])
		pick -= weights[kind++][phase];
	return kind;
}

static struct ride some_ride(struct test_rng *rng)
{
	struct ride ride;

	for (unsigned i = 0; i < RIDES_MAX; i++)
		ride.choice[i] = (uint8_t)test_rng_below(rng, RIDE_CHOICES);
	return ride;
}

/* A value without its hash: hashing is left to who uses it, since most operations have none. */
static struct value some_value(struct test_rng *rng, const struct mix *mix)
{
	struct value value = { mix->sizes[test_rng_below(rng, mix->size_count)], test_rng_next(rng), 0 };

	if (mix->rare_size > 0 && test_rng_once_in(rng, 200))
		value.size = (uint32_t)test_rng_below(rng, mix->rare_size + 1);
	return value;
}

bool word_is_counter(uint32_t word)
{
	return word % 8 == 3;
}

void value_for_word(struct value *value, uint32_t word)
{
	if (word_is_counter(word) && value->size != INTEGER_BYTES) {
		value->size = INTEGER_BYTES;
		value->seed = value->seed % 1000 - 500;
	}
}

/* The next whole word from number `whole` on that is a counter, or just the next. */
static uint32_t some_counter(const struct universe *universe, uint32_t whole)
{
	for (uint32_t i = 0; i < 32; i++) {
		const uint32_t word = universe->wholes[(whole + i) % universe->whole_count];

		if (word_is_counter(word))
			return word;
	}
	return universe->wholes[whole];
}

/* Keys at random; or one key again and again, so that operations meet; or close to a place that moves on: ascending and
 * descending runs split leaves at their ends. */
static uint32_t some_whole(struct test_rng *rng, const struct universe *universe, uint32_t index)
{
	const uint32_t count = universe->whole_count;
	const uint32_t style = (index / PHASE_OPS) % 4;
	const uint32_t step = index % PHASE_OPS;

	if (test_rng_once_in(rng, 6))
		return index / HOT_OPS * 2654435761u % count;
	if (style == 1 && !test_rng_once_in(rng, 4))
		return (step + (uint32_t)test_rng_below(rng, 4)) % count;
	if (style == 2 && !test_rng_once_in(rng, 4))
		return count - 1 - (step + (uint32_t)test_rng_below(rng, 4)) % count;
	if (style == 3 && !test_rng_once_in(rng, 3))
		return (index / PHASE_OPS * 7 + (uint32_t)test_rng_below(rng, 20)) % count;
	return (uint32_t)test_rng_below(rng, count);
}

static void make_range(struct op *op, const struct universe *universe, struct test_rng *rng,
		       const struct mix *mix)
{
	const uint32_t width = test_rng_once_in(rng, 3) ? universe->count : 1 + universe->count / 16;

	op->key = (uint32_t)test_rng_below(rng, universe->count);
	op->key2 = (op->key + (uint32_t)test_rng_below(rng, width)) % universe->count;
	switch (test_rng_below(rng, 8)) {
	case 0:
		op->flags = 0;
		break;
	case 1:
		op->flags = SOP_RANGE_FROM;
		break;
	case 2:
		op->flags = SOP_RANGE_TO;
		break;
	case 3:
		op->flags = SOP_RANGE_PREFIX;
		break;
	case 4:
		op->flags = SOP_RANGE_FROM | SOP_RANGE_AFTER;
		break;
	case 5:
		op->flags = SOP_RANGE_FROM | SOP_RANGE_AFTER | SOP_RANGE_TO;
		break;
	default:
		op->flags = SOP_RANGE_FROM | SOP_RANGE_TO;
		break;
	}
	if (!mix->duplicates)
		op->which = 0;
}

static void make_small_range(struct op *op, const struct universe *universe, struct test_rng *rng,
			     const struct mix *mix)
{
	make_range(op, universe, rng, mix);
	if (test_rng_once_in(rng, 12))
		return; /* anything, even everything */
	op->flags = (op->flags & SOP_RANGE_AFTER) | SOP_RANGE_FROM | SOP_RANGE_TO;
	op->key2 = op->key + (uint32_t)test_rng_below(rng, 12);
	if (op->key2 >= universe->count)
		op->key2 = universe->count - 1;
}

static unsigned some_context(struct test_rng *rng, const struct op *op)
{
	const uint64_t pick = test_rng_below(rng, 20);

	if (pick < 12)
		return 0;
	if (pick < 16 || op_writes(op))
		return 1;
	return WRITERS + (unsigned)test_rng_below(rng, READERS);
}

void op_make(struct op *op, const struct universe *universe, const struct mix *mix,
	     struct test_rng *rng, uint32_t index)
{
	const enum phase phase = (enum phase)((index / PHASE_OPS) * 3 % PHASES);
	uint32_t whole;

	memset(op, 0, sizeof *op);
	op->kind = (uint8_t)pick_kind(rng, phase);
	op->context = (uint8_t)some_context(rng, op);
	if (op->context < WRITERS && mix->patience > 2)
		op->context = 0; /* two long ones would only get into each other's way */
	op->store = (uint8_t)(test_rng_once_in(rng, 6) ? test_rng_below(rng, NAMES) : 0);
	op->to = (uint8_t)test_rng_next(rng);
	op->which = (uint8_t)(mix->duplicates && !test_rng_once_in(rng, 3) ? test_rng_below(rng, 5) : 0);
	op->ride = some_ride(rng);
	op->ride_given = (uint8_t)test_rng_below(rng, universe->ride_count + 1);
	op->n = (uint32_t)test_rng_next(rng);
	op->seed = test_rng_next(rng);
	whole = some_whole(rng, universe, index);
	switch (op->kind) {
	case OP_COUNT:
	case OP_CURSOR_OPEN:
		make_range(op, universe, rng, mix);
		op->flags |= (uint32_t)test_rng_below(rng, 4) << CURSOR_FLAGS_SHIFT;
		break;
	case OP_REMOVE_RANGE:
		make_small_range(op, universe, rng, mix);
		break;
	case OP_SEEK:
		op->n %= 5; /* a sop_seek */
		op->key = op->n == SOP_SEEK_EQ ? universe->wholes[whole]
					       : (uint32_t)test_rng_below(rng, universe->count);
		break;
	case OP_ADD:
	case OP_MIN:
	case OP_MAX:
		op->key = test_rng_once_in(rng, 400) ? universe->wholes[whole] : /* perhaps no integer */
				  some_counter(universe, whole);
		break;
	case OP_ROLLBACK:
	case OP_COMMIT: /* readers live longer */
		if (op->context >= WRITERS && !test_rng_once_in(rng, 3))
			op->context = 0;
		if (op->context < WRITERS && !test_rng_once_in(rng, mix->patience))
			op->kind = OP_GET;
		op->key = universe->wholes[whole];
		break;
	case OP_DROP:
	case OP_RENAME:
		if (!mix->catalog || !test_rng_once_in(rng, 3))
			op->kind = OP_GET;
		op->key = universe->wholes[whole];
		break;
	default:
		op->key = universe->wholes[whole];
		break;
	}
	if (op->kind == OP_GET_MANY)
		op->flags = (uint32_t)test_rng_below(rng, 4) << ROWS_FLAGS_SHIFT;
	if (op->kind == OP_CURSOR_FETCH) {
		op->flags = (uint32_t)test_rng_below(rng, 4) << ROWS_FLAGS_SHIFT;
		op->n = (uint32_t)(test_rng_once_in(rng, 4)
					   ? test_rng_below(rng, 64)
					   : test_rng_below(rng, 1u << (6 + op->n % 9)));
	}
	op->value = some_value(rng, mix);
	value_for_word(&op->value, op->key);
}

unsigned op_rows(const struct op *op, const struct universe *universe, const struct mix *mix,
		 struct row rows[ROWS_MAX])
{
	struct test_rng rng;
	unsigned count;

	test_rng_init(&rng, op->seed, 1);
	count = (unsigned)test_rng_below(&rng, ROWS_MAX + 1);
	for (unsigned i = 0; i < count; i++) {
		const uint32_t whole = (uint32_t)test_rng_below(&rng, universe->whole_count);

		rows[i].key = universe->wholes[whole];
		rows[i].which = (uint8_t)test_rng_below(&rng, 4);
		rows[i].ride = some_ride(&rng);
		rows[i].ride_given = (uint8_t)test_rng_below(&rng, universe->ride_count + 1);
		rows[i].value = some_value(&rng, mix);
		value_for_word(&rows[i].value, rows[i].key);
		value_seal(&rows[i].value);
	}
	return count;
}

unsigned op_keys(const struct op *op, const struct universe *universe, uint32_t keys[KEYS_MANY_MAX])
{
	struct test_rng rng;
	unsigned count;

	test_rng_init(&rng, op->seed, 2);
	count = (unsigned)test_rng_below(&rng, KEYS_MANY_MAX + 1);
	for (unsigned i = 0; i < count; i++)
		keys[i] = universe->wholes[test_rng_below(&rng, universe->whole_count)];
	return count;
}

bool op_names_items(const struct op *op, const struct mix *mix)
{
	return mix->duplicates && (op->to % 4 == SOP_UPDATE || op->to % 4 == SOP_REMOVE) &&
	       op->n % 2 == 0;
}

/* ---- kinds --------------------------------------------------------------------------------------------------- */

bool op_writes(const struct op *op)
{
	switch (op->kind) {
	case OP_PUT:
	case OP_INSERT:
	case OP_UPDATE:
	case OP_REMOVE:
	case OP_SET_RIDE:
	case OP_ADD:
	case OP_MIN:
	case OP_MAX:
	case OP_REMOVE_RANGE:
	case OP_PUT_MANY:
	case OP_CURSOR_UPDATE:
	case OP_CURSOR_REMOVE:
	case OP_CREATE:
	case OP_DROP:
	case OP_RENAME:
	case OP_SAVEPOINT:
	case OP_ROLLBACK_TO:
		return true;
	default:
		return false;
	}
}

bool op_uses_cursor(const struct op *op)
{
	return op->kind >= OP_CURSOR_FREE && op->kind <= OP_CURSOR_FETCH;
}

bool op_is_blind(const struct op *op)
{
	switch (op->kind) {
	case OP_PUT:
	case OP_ADD:
	case OP_MIN:
	case OP_MAX:
	case OP_SAVEPOINT:
	case OP_ROLLBACK_TO:
		return true;
	case OP_PUT_MANY:
		return op->to % 4 == SOP_PUT;
	default:
		return false;
	}
}

static const char *const names[OP_KINDS] = {
	"get",		"fetch",    "get_many",	     "count",
	"put",		"insert",   "update",	     "remove",
	"set_ride",	"add",	    "min",	     "max",
	"remove_range", "put_many", "open a cursor", "free the cursor",
	"seek",		"first",    "last",	     "next",
	"prev",		"entry",    "cursor_update", "cursor_remove",
	"cursor_fetch", "create",   "drop",	     "rename",
	"list",		"describe", "savepoint",     "rollback_to",
	"bad key",	"commit",   "rollback",	     "read",
	"compare",	"verify",
};

const char *op_name(unsigned kind)
{
	return kind < OP_KINDS ? names[kind] : "?";
}

void op_print(FILE *to, uint32_t index, const struct op *op)
{
	fprintf(to, "  %6u: txn %u %-16s store %u, word %u, word %u, to %u, which %u, n %u, flags %x, ride %u",
		index, op->context, op_name(op->kind), op->store, op->key, op->key2, op->to,
		op->which, op->n, op->flags, op->ride_given);
	if (op_writes(op))
		fprintf(to, ", value %u bytes %llx", op->value.size, (unsigned long long)op->value.seed);
	fprintf(to, "\n");
}
