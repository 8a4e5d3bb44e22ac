/* The table of options, and setting them by name. */
#include "api/options.h"

#include "api/handle.h"
#include "base/alloc.h"

#include <stdio.h>

enum option_kind { BOOLEAN, UINT32, UINT64, WORD };

#define DAY_MS ((int64_t)24 * 3600 * 1000)
/* Ten years. */
#define DEADLINE_MS_MAX (3653 * DAY_MS)
#define MB ((int64_t)1 << 20)
#define TB ((int64_t)1 << 40)

enum { REGISTRY_BUCKETS_DEFAULT = 250, FLUSH_INTERVAL_MS_DEFAULT = 10 };

/* The words of durability, by sopi_durability. */
static const char *const durabilities[] = { "flushed", "written", "buffered", NULL };

static const struct option {
	const char *name;
	enum option_kind kind;
	size_t offset; /* in sop_options */
	int64_t least; /* of numbers; 0 may mean something of its own below it */
	int64_t most;
	bool zero; /* 0 is allowed, too */
	const char *const *words; /* of a WORD, which is kept as a uint32_t: NULL ends them */
	bool at_creation; /* what opening a database that is there does not ask for */
} table[] = {
	{ "create", BOOLEAN, offsetof(sop_options, engine.create), 0, 1, false, NULL, true },
	{ "read_only", BOOLEAN, offsetof(sop_options, engine.read_only), 0, 1, false, NULL, false },
	{ "node_bytes", UINT32, offsetof(sop_options, engine.node_bytes), SOPI_NODE_BYTES_MIN,
	  SOPI_NODE_BYTES_MAX, false, NULL, true },
	{ "node_items", UINT32, offsetof(sop_options, engine.node_items), SOPI_NODE_ITEMS_MIN,
	  SOPI_NODE_ITEMS_MAX, true, NULL, false },
	{ "inline_value_bytes", UINT32, offsetof(sop_options, engine.inline_value_bytes), 64, 16384,
	  false, NULL, false },
	{ "transaction_bytes_max", UINT64, offsetof(sop_options, engine.transaction_bytes_max),
	  4096, TB, false, NULL, false },
	{ "deadline_ms", UINT64, offsetof(sop_options, engine.deadline_ms), 0, DEADLINE_MS_MAX,
	  false, NULL, false },
	{ "snapshot_bytes_max", UINT64, offsetof(sop_options, engine.snapshot_bytes_max), MB, TB,
	  false, NULL, false },
	{ "cache_bytes", UINT64, offsetof(sop_options, engine.cache_bytes), 4 * MB, TB, true, NULL, false },
	{ "log_bytes_max", UINT64, offsetof(sop_options, engine.log_bytes_max), 4 * MB, TB, true,
	  NULL, false },
	{ "flush_interval_ms", UINT64, offsetof(sop_options, engine.flush_interval_ms), 1, 60000,
	  false, NULL, false },
	{ "durability", WORD, offsetof(sop_options, engine.durability), 0, 0, false, durabilities, false },
	{ "registry_buckets", UINT32, offsetof(sop_options, engine.registry_buckets), 250, 750000,
	  false, NULL, true },
};

enum { OPTIONS = sizeof table / sizeof *table };

_Static_assert(OPTIONS <= 32, "sop_options.given has a bit for each option");

void sopi_options_init(sop_options *options)
{
	memset(options, 0, sizeof *options);
	options->tag = SOPI_TAG_OPTIONS;
	options->engine.node_bytes = SOPI_NODE_BYTES_DEFAULT;
	options->engine.inline_value_bytes = 1024;
	options->engine.transaction_bytes_max = (uint64_t)1 << 30;
	options->engine.flush_interval_ms = FLUSH_INTERVAL_MS_DEFAULT;
	options->engine.durability = SOPI_FLUSHED;
	options->engine.registry_buckets = REGISTRY_BUCKETS_DEFAULT;
}

static void store(sop_options *options, size_t number, int64_t value)
{
	char *at = (char *)options + table[number].offset;

	switch (table[number].kind) {
	case BOOLEAN:
		*(bool *)at = value != 0;
		break;
	case UINT32:
	case WORD:
		*(uint32_t *)(void *)at = (uint32_t)value;
		break;
	case UINT64:
		*(uint64_t *)(void *)at = (uint64_t)value;
		break;
	}
	options->given |= 1u << number;
}

void sopi_options_overlay(sop_options *options, const sop_options *given)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		static const size_t sizes[] = {
			[BOOLEAN] = sizeof(bool), [UINT32] = sizeof(uint32_t), [UINT64] = sizeof(uint64_t), [WORD] = sizeof(uint32_t)
		};

		if (given->given >> i & 1)
			memcpy((char *)options + table[i].offset,
			       (const char *)given + table[i].offset, sizes[table[i].kind]);
	}
	options->engine.no_background = options->engine.no_background || given->engine.no_background;
}

static int64_t load(const sop_options *options, const struct option *option)
{
	const char *at = (const char *)options + option->offset;

	switch (option->kind) {
	case BOOLEAN:
		return *(const bool *)at;
	case UINT32:
	case WORD:
		return *(const uint32_t *)(const void *)at;
	case UINT64:
		break;
	}
	return (int64_t) * (const uint64_t *)(const void *)at;
}

bool sopi_options_differ(const sop_options *there, const sop_options *asked, char *text, size_t size)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct option *option = &table[i];
		const int64_t a = load(there, option), b = load(asked, option);

		if (a == b || option->at_creation)
			continue;
		if (option->kind == WORD)
			snprintf(text, size, "%s %s, not %s", option->name, option->words[a],
				 option->words[b]);
		else
			snprintf(text, size, "%s %lld, not %lld", option->name, (long long)a,
				 (long long)b);
		return true;
	}
	return false;
}

static sop_status find(const char *name, size_t size, const char *function, size_t *number, sop_error *err)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		if (strlen(table[i].name) == size && memcmp(table[i].name, name, size) == 0) {
			*number = i;
			return SOP_OK;
		}
	}
	return sopi_fail(err, SOP_MISUSE, "%s: there is no option '%.*s'; check its name", function,
			 (int)(size < 64 ? size : 64), name);
}

static sop_status set_number(sop_options *options, size_t number, int64_t value,
			     const char *function, sop_error *err)
{
	const struct option *option = &table[number];

	if ((value < option->least || value > option->most) && !(value == 0 && option->zero))
		return sopi_fail(err, SOP_LIMIT, "%s: %s is %lld; it must be from %lld to %lld%s",
				 function, option->name, (long long)value, (long long)option->least,
				 (long long)option->most, option->zero ? ", or 0 for the default" : "");
	store(options, number, value);
	return SOP_OK;
}

/* What a value of the option has to look like, for messages. */
static const char *kind_text(const struct option *option)
{
	return option->kind == BOOLEAN ? "a boolean; set it to true or false"
	       : option->kind == WORD  ? "a word; set it to a text"
				       : "an integer; set it to a number";
}

static sop_status check(const sop_options *options, const char *name, const char *function, sop_error *err)
{
	if (options == NULL || sopi_tag_of(options) != SOPI_TAG_OPTIONS)
		return sopi_misuse(err, function,
				   "options are none; pass options that were made and not freed");
	if (name == NULL)
		return sopi_misuse(err, function, "name is NULL");
	return SOP_OK;
}

sop_status sop_options_new(sop_options **out, sop_error *err)
{
	void *memory = NULL;

	if (out == NULL)
		return sopi_misuse(err, __func__, "out is NULL");
	SOP_TRY(sopi_alloc(sizeof **out, &memory, err));
	*out = memory;
	sopi_options_init(*out);
	return SOP_OK;
}

sop_status sop_options_set_int(sop_options *options, const char *name, int64_t value, sop_error *err)
{
	size_t number;

	SOP_TRY(check(options, name, __func__, err));
	SOP_TRY(find(name, strlen(name), __func__, &number, err));
	if (table[number].kind != UINT32 && table[number].kind != UINT64)
		return sopi_fail(err, SOP_MISUSE, "%s: %s is %s", __func__, name,
				 kind_text(&table[number]));
	return set_number(options, number, value, __func__, err);
}

sop_status sop_options_set_bool(sop_options *options, const char *name, int value, sop_error *err)
{
	size_t number;

	SOP_TRY(check(options, name, __func__, err));
	SOP_TRY(find(name, strlen(name), __func__, &number, err));
	if (table[number].kind != BOOLEAN)
		return sopi_fail(err, SOP_MISUSE, "%s: %s is %s", __func__, name,
				 kind_text(&table[number]));
	store(options, number, value != 0);
	return SOP_OK;
}

static bool is(const char *text, size_t size, const char *word)
{
	return strlen(word) == size && memcmp(text, word, size) == 0;
}

/* A decimal number with an optional unit. */
static bool parse_number(const char *text, size_t size, int64_t *value)
{
	static const struct {
		const char *name;
		int shift;
	} units[] = { { "", 0 }, { "KB", 10 }, { "MB", 20 }, { "GB", 30 }, { "TB", 40 } };
	uint64_t number = 0;
	size_t at = 0;

	for (; at < size && text[at] >= '0' && text[at] <= '9'; at++) {
		number = number > (uint64_t)INT64_MAX / 10 ? (uint64_t)INT64_MAX
							   : number * 10 + (uint64_t)(text[at] - '0');
		if (number > (uint64_t)INT64_MAX)
			number = (uint64_t)INT64_MAX; /* beyond every limit */
	}
	if (at == 0)
		return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (is(text + at, size - at, units[i].name)) {
			*value = number > (uint64_t)INT64_MAX >> units[i].shift
					 ? INT64_MAX
					 : (int64_t)(number << units[i].shift);
			return true;
		}
	}
	return false;
}

static sop_status set_word(sop_options *options, size_t number, const char *value, size_t size,
			   const char *function, sop_error *err)
{
	const char *const *words = table[number].words;
	char list[64] = "";

	for (size_t i = 0; words[i] != NULL; i++) {
		if (is(value, size, words[i])) {
			store(options, number, (int64_t)i);
			return SOP_OK;
		}
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
			 i == 0			? ""
			 : words[i + 1] == NULL ? " or "
						: ", ",
			 words[i]);
	}
	return sopi_fail(err, SOP_MISUSE, "%s: %s must be %s", function, table[number].name, list);
}

sop_status sopi_options_set_part(sop_options *options, const char *name, size_t name_size,
				 const char *value, size_t value_size, const char *function,
				 sop_error *err)
{
	int64_t integer = 0;
	size_t number;

	SOP_TRY(find(name, name_size, function, &number, err));
	if (table[number].kind == BOOLEAN) {
		const bool yes = is(value, value_size, "true") || is(value, value_size, "1");

		if (!yes && !is(value, value_size, "false") && !is(value, value_size, "0"))
			return sopi_fail(err, SOP_MISUSE, "%s: %s must be true or false", function,
					 table[number].name);
		store(options, number, yes);
		return SOP_OK;
	}
	if (table[number].kind == WORD)
		return set_word(options, number, value, value_size, function, err);
	if (!parse_number(value, value_size, &integer))
		return sopi_fail(err, SOP_MISUSE,
				 "%s: %s must be an integer, with KB, MB, GB or TB if you like",
				 function, table[number].name);
	return set_number(options, number, integer, function, err);
}

sop_status sop_options_set_text(sop_options *options, const char *name, const char *value, sop_error *err)
{
	SOP_TRY(check(options, name, __func__, err));
	if (value == NULL)
		return sopi_misuse(err, __func__, "value is NULL");
	return sopi_options_set_part(options, name, strlen(name), value, strlen(value), __func__, err);
}

void sop_options_free(sop_options *options)
{
	if (options == NULL || sopi_tag_of(options) != SOPI_TAG_OPTIONS)
		return;
	options->tag = SOPI_TAG_FREED;
	sopi_free(options);
}
