/* Makes keys of all kinds. The encoder is written from the format's description and shares nothing with the library. */
#include "model/universe.h"

#include "model/value.h"

#include <stdlib.h>
#include <string.h>

/* ---- encoding ------------------------------------------------------------------------------------------------ */

struct text {
	uint8_t bytes[512];
	uint32_t size;
};

static void put_byte(struct text *text, unsigned byte)
{
	assert_true(text->size < sizeof text->bytes);
	text->bytes[text->size++] = (uint8_t)byte;
}

static void encode_null(struct text *text)
{
	put_byte(text, 0x00);
}

static void encode_bool(struct text *text, bool boolean)
{
	put_byte(text, boolean ? 0x27 : 0x26);
}

static void encode_run(struct text *text, unsigned tag, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	put_byte(text, tag);
	for (size_t i = 0; i < size; i++) {
		put_byte(text, bytes[i]);
		if (bytes[i] == 0x00)
			put_byte(text, 0xFF);
	}
	put_byte(text, 0x00);
	put_byte(text, 0x01);
}

static void encode_int(struct text *text, int64_t integer)
{
	const uint64_t magnitude = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
	unsigned count = 0;

	while (count < 8 && magnitude >> (8 * count) != 0)
		count++;
	put_byte(text, integer < 0 ? 0x14 - count : 0x14 + count);
	for (unsigned i = count; i > 0; i--) {
		const unsigned byte = (unsigned)(magnitude >> (8 * (i - 1))) & 0xFF;

		put_byte(text, integer < 0 ? byte ^ 0xFF : byte); /* v + 2^(8n) - 1 is the complement of |v| */
	}
}

static void encode_float(struct text *text, double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof bits);
	bits = (bits >> 63) != 0 ? ~bits : bits | (UINT64_C(1) << 63);
	put_byte(text, 0x21);
	for (unsigned i = 8; i > 0; i--)
		put_byte(text, (unsigned)(bits >> (8 * (i - 1))) & 0xFF);
}

static void encode_uuid(struct text *text, const uint8_t *uuid)
{
	put_byte(text, 0x30);
	for (unsigned i = 0; i < 16; i++)
		put_byte(text, uuid[i]);
}

static void complement_from(struct text *text, uint32_t start)
{
	for (uint32_t i = start; i < text->size; i++)
		text->bytes[i] = (uint8_t)~text->bytes[i];
}

/* ---- collecting ---------------------------------------------------------------------------------------------- */

struct collection {
	struct word *words;
	size_t count;
	size_t capacity;
};

static void collect(struct collection *all, const void *bytes, size_t size, bool whole)
{
	struct word *word;

	all->words = test_grow(all->words, all->count, &all->capacity, sizeof *all->words);
	word = &all->words[all->count++];
	word->bytes = test_alloc(size);
	if (size > 0)
		memcpy(word->bytes, bytes, size);
	word->size = (uint32_t)size;
	word->hash = hash_bytes(bytes, size);
	word->whole = whole;
}

static int compare_words(const void *left, const void *right)
{
	const struct word *a = left;
	const struct word *b = right;
	const uint32_t common = a->size < b->size ? a->size : b->size;
	const int order = common > 0 ? memcmp(a->bytes, b->bytes, common) : 0;

	if (order != 0)
		return order;
	return a->size < b->size ? -1 : a->size > b->size;
}

/* Sorts and drops repetitions; a string that is both key and bound is a key. */
static void settle(struct universe *universe, struct collection *all)
{
	size_t kept = 0;

	qsort(all->words, all->count, sizeof *all->words, compare_words);
	for (size_t i = 0; i < all->count; i++) {
		if (kept > 0 && compare_words(&all->words[kept - 1], &all->words[i]) == 0) {
			all->words[kept - 1].whole |= all->words[i].whole;
			free(all->words[i].bytes);
			continue;
		}
		all->words[kept++] = all->words[i];
	}
	universe->words = all->words;
	universe->count = (uint32_t)kept;
	universe->wholes = test_alloc(kept * sizeof *universe->wholes);
	for (uint32_t i = 0; i < universe->count; i++)
		if (universe->words[i].whole)
			universe->wholes[universe->whole_count++] = i;
	assert_true(universe->whole_count > 0);
}

/* ---- raw keys ------------------------------------------------------------------------------------------------ */

static void make_short(struct collection *all, struct test_rng *rng, uint32_t wanted)
{
	char key[6];

	collect(all, "", 0, true);
	for (uint32_t i = 0; i < wanted; i++) {
		const size_t size = 1 + (size_t)test_rng_below(rng, 5);

		for (size_t at = 0; at < size; at++)
			key[at] = (char)('a' + test_rng_below(rng, 4));
		collect(all, key, size, true);
	}
}

static void make_binary(struct collection *all, struct test_rng *rng, uint32_t wanted)
{
	static const uint8_t often[] = { 0x00, 0x00, 0x01, 0xFE, 0xFF, 0xFF };
	uint8_t key[12];

	collect(all, "", 0, true);
	for (uint32_t i = 0; i < wanted; i++) {
		const size_t size = 1 + (size_t)test_rng_below(rng, sizeof key);

		for (size_t at = 0; at < size; at++)
			key[at] = test_rng_once_in(rng, 4) ? (uint8_t)test_rng_next(rng)
							   : often[test_rng_below(rng, sizeof often)];
		collect(all, key, size, true);
	}
}

static void make_shared(struct collection *all, struct test_rng *rng, uint32_t wanted)
{
	uint8_t key[512];
	size_t prefix = 0;

	for (uint32_t i = 0; i < wanted; i++) {
		size_t size;

		if (i % 97 == 0) { /* a new group: a longer, shorter or other prefix */
			prefix = (size_t)test_rng_below(rng, 400);
			for (size_t at = test_rng_once_in(rng, 2) ? 0 : prefix / 2; at < prefix; at++)
				key[at] = (uint8_t)('A' + test_rng_below(rng, 3));
		}
		size = prefix + (size_t)test_rng_below(rng, 8);
		for (size_t at = prefix; at < size; at++)
			key[at] = (uint8_t)('a' + test_rng_below(rng, 10));
		collect(all, key, size, true);
	}
}

static void make_numbers(struct collection *all, uint32_t wanted)
{
	uint8_t key[8];

	for (uint32_t i = 0; i < wanted; i++) {
		test_key_u64(key, (uint64_t)i * 3 + 250);
		collect(all, key, sizeof key, true);
	}
}

static void make_huge(struct collection *all, struct test_rng *rng, uint32_t wanted)
{
	static const uint32_t sizes[] = { 0,	1,    5,     9,	    30,	   200,	 900,
					  1500, 4000, 10000, 33000, 65535, 65536 };
	static const unsigned weights[] = { 1, 4, 8, 16, 20, 20, 8, 6, 4, 3, 1, 1, 2 };
	uint8_t *key = test_alloc(KEY_BYTES_MAX);

	memset(key, 'x', KEY_BYTES_MAX);
	for (uint32_t i = 0; i < wanted; i++) {
		unsigned pick = (unsigned)test_rng_below(rng, 94);
		size_t size = 0;

		while (pick >= weights[size])
			pick -= weights[size++];
		size = sizes[size];
		if (size > 0) { /* they differ in the first byte, in the last, or in both */
			key[0] = (uint8_t)('v' + test_rng_below(rng, 4));
			key[size - 1] = (uint8_t)test_rng_next(rng);
		}
		collect(all, key, size, true);
		if (size > 0) {
			key[0] = 'x';
			key[size - 1] = 'x';
		}
	}
	free(key);
}

/* ---- keys with a schema -------------------------------------------------------------------------------------- */

/* One key being made: its bytes by our encoder, its values for the library's, and where its fields end. */
struct making {
	struct text text;
	sop_value values[8];
	unsigned count;
	uint32_t ends[8];
	char strings[8][16];
};

static void field_done(struct making *making, sop_value value, uint32_t start, bool descending)
{
	if (descending)
		complement_from(&making->text, start);
	making->values[making->count] = value;
	making->ends[making->count++] = making->text.size;
}

static void add_null(struct making *making, bool descending)
{
	const uint32_t start = making->text.size;

	encode_null(&making->text);
	field_done(making, sop_value_null(), start, descending);
}

static void add_run(struct making *making, struct test_rng *rng, bool is_text, bool descending)
{
	static const char *const pieces[] = { "a", "b", "z", "\xC3\xA9", "\xF0\x9F\x98\x80" };
	const uint32_t start = making->text.size;
	char *string = making->strings[making->count];
	const uint64_t parts = test_rng_below(rng, 4);
	size_t size = 0;
	sop_value value;

	for (uint64_t i = 0; i < parts; i++) {
		if (test_rng_once_in(rng, 5)) {
			string[size++] = '\0';
		} else if (is_text) {
			const char *piece = pieces[test_rng_below(rng, 5)];

			memcpy(string + size, piece, strlen(piece));
			size += strlen(piece);
		} else {
			string[size++] = (char)(test_rng_once_in(rng, 2) ? 0xFF : 0x01);
		}
	}
	encode_run(&making->text, is_text ? 0x02 : 0x01, string, size);
	value = sop_value_bytes(string, size);
	if (is_text)
		value.type = SOP_TYPE_STR;
	field_done(making, value, start, descending);
}

static int64_t some_integer(struct test_rng *rng)
{
	static const int64_t edges[] = { INT64_MIN, INT64_MIN + 1, -65536, -65535, -257,
					 -256,	    -255,	   -1,	   0,	   1,
					 255,	    256,	   65535,  65536,  INT64_MAX - 1,
					 INT64_MAX };

	if (test_rng_once_in(rng, 4))
		return edges[test_rng_below(rng, sizeof edges / sizeof *edges)];
	return (int64_t)test_rng_below(rng, 2000) - 1000;
}

static void add_int(struct making *making, int64_t integer, bool is_time, bool descending)
{
	const uint32_t start = making->text.size;

	encode_int(&making->text, integer);
	field_done(making, is_time ? sop_value_ts(integer) : sop_value_int(integer), start, descending);
}

static void add_bool(struct making *making, bool boolean)
{
	const uint32_t start = making->text.size;

	encode_bool(&making->text, boolean);
	field_done(making, sop_value_bool(boolean), start, false);
}

static void add_float(struct making *making, double real)
{
	const uint32_t start = making->text.size;

	encode_float(&making->text, real);
	field_done(making, sop_value_float(real), start, false);
}

static void add_uuid(struct making *making, struct test_rng *rng)
{
	const uint32_t start = making->text.size;
	uint8_t uuid[16];

	memset(uuid, (int)test_rng_below(rng, 2) * 0xFF, sizeof uuid);
	uuid[test_rng_below(rng, 16)] = (uint8_t)test_rng_next(rng);
	encode_uuid(&making->text, uuid);
	field_done(making, sop_value_uuid(uuid), start, false);
}

static void make_fields(struct making *making, enum key_kind kind, struct test_rng *rng)
{
	static const double reals[] = { -1e300, -1.5, -1.0, 0.0, 0.25, 1.0, 1.5, 1e10, 1e300 };

	making->text.size = 0;
	making->count = 0;
	switch (kind) {
	case KEYS_EMPLOYEE:
		add_run(making, rng, true, false);
		if (test_rng_once_in(rng, 12))
			add_null(making, true);
		else
			add_int(making, some_integer(rng), true, true);
		add_int(making, (int64_t)test_rng_below(rng, 3), false, false);
		break;
	case KEYS_COUNTDOWN:
		add_int(making, some_integer(rng), false, true);
		break;
	case KEYS_TAGS:
		add_run(making, rng, false, true);
		if (test_rng_once_in(rng, 12))
			add_null(making, false);
		else
			add_bool(making, test_rng_once_in(rng, 2));
		add_uuid(making, rng);
		break;
	default: /* KEYS_SCORES */
		add_float(making, reals[test_rng_below(rng, sizeof reals / sizeof *reals)] +
					  (double)test_rng_below(rng, 5));
		add_run(making, rng, true, true);
		break;
	}
}

static const char *const schemas[KEY_KINDS] = {
	[KEYS_EMPLOYEE] = "{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},"
			  "{\"n\":\"hired\",\"t\":\"ts\",\"desc\":true},{\"n\":\"id\",\"t\":\"int\"}],"
			  "\"ride\":[{\"n\":\"deleted\",\"t\":\"bool\",\"default\":false},"
			  "{\"n\":\"size\",\"t\":\"int\",\"default\":0},{\"n\":\"note\",\"t\":\"str\"}]}",
	[KEYS_COUNTDOWN] = "{\"v\":1,\"sort\":[{\"n\":\"n\",\"t\":\"int\",\"desc\":true}]}",
	[KEYS_TAGS] = "{\"v\":1,\"sort\":[{\"n\":\"tag\",\"t\":\"bytes\",\"desc\":true},"
		      "{\"n\":\"on\",\"t\":\"bool\"},{\"n\":\"u\",\"t\":\"uuid\"}],"
		      "\"ride\":[{\"n\":\"seen\",\"t\":\"bool\",\"default\":true}]}",
	[KEYS_SCORES] = "{\"v\":1,\"sort\":[{\"n\":\"score\",\"t\":\"float\"},"
			"{\"n\":\"who\",\"t\":\"str\",\"desc\":true}],"
			"\"ride\":[{\"n\":\"n\",\"t\":\"int\",\"default\":7},"
			"{\"n\":\"m\",\"t\":\"str\",\"default\":\"m\"}]}",
};

enum ride_type { RIDE_TRUTH, RIDE_LIE, RIDE_ZERO, RIDE_SEVEN, RIDE_NOTE, RIDE_LETTER };

/* The encoded choices of one ride-along field; the first is its default. */
static void make_ride(struct universe *universe, enum ride_type type)
{
	for (unsigned choice = 0; choice < RIDE_CHOICES; choice++) {
		static const int64_t integers[RIDE_CHOICES] = { 0, 1, -300, INT64_MAX };
		struct text text = { .size = 0 };

		if (choice == RIDE_CHOICES - 1 && type != RIDE_NOTE)
			encode_null(&text);
		else if (type == RIDE_TRUTH || type == RIDE_LIE)
			encode_bool(&text, (type == RIDE_TRUTH) == (choice == 0));
		else if (type == RIDE_ZERO || type == RIDE_SEVEN)
			encode_int(&text, choice == 0 && type == RIDE_SEVEN ? 7 : integers[choice]);
		else if (type == RIDE_NOTE && choice == 0)
			encode_null(&text);
		else
			encode_run(&text, 0x02, "m\0nop", choice + 1);
		universe->rides[universe->ride_count][choice].size = text.size;
		memcpy(universe->rides[universe->ride_count][choice].bytes, text.bytes, text.size);
	}
	universe->ride_count++;
}

static void make_rides(struct universe *universe)
{
	switch (universe->kind) {
	case KEYS_EMPLOYEE:
		make_ride(universe, RIDE_LIE);
		make_ride(universe, RIDE_ZERO);
		make_ride(universe, RIDE_NOTE);
		break;
	case KEYS_TAGS:
		make_ride(universe, RIDE_TRUTH);
		break;
	case KEYS_SCORES:
		make_ride(universe, RIDE_SEVEN);
		make_ride(universe, RIDE_LETTER);
		break;
	default:
		break;
	}
}

static void make_with_schema(struct universe *universe, struct collection *all,
			     struct test_rng *rng, uint32_t wanted)
{
	sop_error err = SOP_ERROR_INIT;
	sop_buf packed = SOP_BUF_INIT;
	struct making making;

	universe->schema_json = schemas[universe->kind];
	TEST_OK(sop_schema_parse(test_text(universe->schema_json), &universe->schema, &err), err);
	make_rides(universe);
	for (uint32_t i = 0; i < wanted; i++) {
		make_fields(&making, universe->kind, rng);
		TEST_OK(sop_key_pack(universe->schema, making.values, making.count, &packed, &err), err);
		assert_int_equal(packed.size, making.text.size);
		assert_memory_equal(packed.data, making.text.bytes, packed.size);
		collect(all, making.text.bytes, making.text.size, true);
		if (i % 4 == 0)
			for (unsigned field = 0; field + 1 < making.count; field++)
				collect(all, making.text.bytes, making.ends[field], false);
	}
	collect(all, "", 0, false);
	sop_buf_free(&packed);
}

/* ---- the universe -------------------------------------------------------------------------------------------- */

void universe_init(struct universe *universe, enum key_kind kind, uint32_t wanted, uint64_t seed)
{
	struct collection all = { NULL, 0, 0 };
	struct test_rng rng;

	memset(universe, 0, sizeof *universe);
	universe->kind = kind;
	test_rng_init(&rng, seed, 77);
	switch (kind) {
	case KEYS_SHORT:
		make_short(&all, &rng, wanted);
		break;
	case KEYS_BINARY:
		make_binary(&all, &rng, wanted);
		break;
	case KEYS_SHARED:
		make_shared(&all, &rng, wanted);
		break;
	case KEYS_NUMBERS:
		make_numbers(&all, wanted);
		break;
	case KEYS_HUGE:
		make_huge(&all, &rng, wanted);
		break;
	default:
		make_with_schema(universe, &all, &rng, wanted);
		break;
	}
	settle(universe, &all);
}

void universe_free(struct universe *universe)
{
	for (uint32_t i = 0; i < universe->count; i++)
		free(universe->words[i].bytes);
	free(universe->words);
	free(universe->wholes);
	sop_schema_free(universe->schema);
}

void universe_prefix(const struct universe *universe, uint32_t number, uint32_t *from, uint32_t *to)
{
	const struct word *prefix = &universe->words[number];

	*from = number; /* words are unique, so the prefix itself is the first of them */
	*to = number;
	while (*to < universe->count && universe->words[*to].size >= prefix->size &&
	       memcmp(universe->words[*to].bytes, prefix->bytes, prefix->size) == 0)
		(*to)++;
}

uint32_t universe_find(const struct universe *universe, sop_bytes bytes)
{
	for (uint32_t i = 0; i < universe->count; i++)
		if (universe->words[i].size == bytes.size &&
		    (bytes.size == 0 || memcmp(universe->words[i].bytes, bytes.data, bytes.size) == 0))
			return i;
	return universe->count;
}

uint32_t universe_key(const struct universe *universe, uint32_t number, struct ride ride,
		      unsigned given, uint8_t *room)
{
	uint32_t size = universe->words[number].size;

	memcpy(room, universe->words[number].bytes, size);
	for (unsigned i = 0; i < given && i < universe->ride_count; i++) {
		memcpy(room + size, universe->rides[i][ride.choice[i]].bytes,
		       universe->rides[i][ride.choice[i]].size);
		size += universe->rides[i][ride.choice[i]].size;
	}
	return size;
}

uint32_t universe_whole_size(const struct universe *universe, uint32_t number, struct ride ride)
{
	uint32_t size = universe->words[number].size;

	for (unsigned i = 0; i < universe->ride_count; i++)
		size += universe->rides[i][ride.choice[i]].size;
	return size;
}

uint64_t universe_whole_hash(const struct universe *universe, uint32_t number, struct ride ride)
{
	uint8_t room[sizeof(struct text) + RIDE_BYTES_MAX];

	if (universe->ride_count == 0)
		return universe->words[number].hash;
	return hash_bytes(room, universe_key(universe, number, ride, universe->ride_count, room));
}
