/* Random tuples, and their order by the meaning of the values. */
#include "key_random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const uint32_t field_types[] = { SOP_TYPE_BOOL,	SOP_TYPE_INT, SOP_TYPE_FLOAT,
					SOP_TYPE_BYTES, SOP_TYPE_STR, SOP_TYPE_UUID,
					SOP_TYPE_TS };
static const char *const type_names[] = { "bool", "int", "float", "bytes", "str", "uuid", "ts" };

void shape_random(struct test_rng *rng, struct shape *shape)
{
	char json[1024];
	int size = snprintf(json, sizeof json, "{\"v\":1,\"sort\":[");
	sop_error err = SOP_ERROR_INIT;

	memset(shape, 0, sizeof *shape);
	shape->sort_count = 1 + test_rng_below(rng, 4);
	shape->ride_count = test_rng_below(rng, 3);
	for (size_t i = 0; i < shape->sort_count + shape->ride_count; i++) {
		const size_t type = test_rng_below(rng, 7);
		const bool ride = i >= shape->sort_count;

		shape->types[i] = field_types[type];
		shape->descending[i] = !ride && test_rng_once_in(rng, 2);
		if (i == shape->sort_count)
			size += snprintf(json + size, sizeof json - (size_t)size, "],\"ride\":[");
		size += snprintf(json + size, sizeof json - (size_t)size,
				 "%s{\"n\":\"f%zu\",\"t\":\"%s\"%s}",
				 i == 0 || i == shape->sort_count ? "" : ",", i, type_names[type],
				 shape->descending[i] ? ",\"desc\":true" : "");
	}
	snprintf(json + size, sizeof json - (size_t)size, "]}");
	TEST_OK(sop_schema_parse(test_text(json), &shape->schema, &err), err);
}

static sop_value random_int(struct test_rng *rng)
{
	/* a power of 256 or of 2, and its neighbours, of either sign; or any number */
	const unsigned bits = (unsigned)(test_rng_once_in(rng, 2) ? 8 * test_rng_below(rng, 8)
								  : test_rng_below(rng, 64));
	const uint64_t near = ((uint64_t)1 << bits) + test_rng_below(rng, 3) - 1;
	const uint64_t any = test_rng_next(rng) >> bits;
	const uint64_t number = test_rng_once_in(rng, 2) ? near : any;

	if (test_rng_once_in(rng, 16))
		return sop_value_uint(UINT64_MAX - test_rng_below(rng, 3));
	if (test_rng_once_in(rng, 16))
		return sop_value_int(INT64_MIN + (int64_t)test_rng_below(rng, 3));
	if (test_rng_once_in(rng, 2))
		return sop_value_int(-(int64_t)(number & INT64_MAX));
	return number > INT64_MAX || test_rng_once_in(rng, 4) ? sop_value_uint(number)
							      : sop_value_int((int64_t)number);
}

static sop_value random_float(struct test_rng *rng)
{
	static const double edges[] = { 0.0,
					-0.0,
					1.0,
					-1.0,
					1.5,
					0x1p-1074,
					-0x1p-1074,
					0x1p-1022,
					-0x1p-1022,
					0x1.fffffffffffffp1023,
					-0x1.fffffffffffffp1023,
					HUGE_VAL,
					-HUGE_VAL,
					0x1p53,
					1e-9 };
	const uint64_t bits = test_rng_next(rng);
	double real;

	if (test_rng_once_in(rng, 3))
		return sop_value_float(edges[test_rng_below(rng, sizeof edges / sizeof *edges)]);
	if (test_rng_once_in(rng, 3))
		return sop_value_float((double)(int64_t)bits / 1e6);
	memcpy(&real, &bits, sizeof real);
	return sop_value_float(isnan(real) ? 0.5 : real);
}

static sop_value random_bytes(struct test_rng *rng, uint8_t text[TEXT_BYTES_MAX])
{
	static const uint8_t edges[] = { 0x00, 0x00, 0x01, 0xFF, 0xFE, 'a' };
	const size_t most = test_rng_once_in(rng, 8) ? TEXT_BYTES_MAX : 6;
	const size_t size = test_rng_below(rng, most + 1);

	for (size_t i = 0; i < size; i++)
		text[i] = test_rng_once_in(rng, 4) ? (uint8_t)test_rng_next(rng)
						   : edges[test_rng_below(rng, sizeof edges)];
	return sop_value_bytes(text, size);
}

static size_t write_utf8(uint32_t point, uint8_t *to)
{
	if (point < 0x80) {
		to[0] = (uint8_t)point;
		return 1;
	}
	if (point < 0x800) {
		to[0] = (uint8_t)(0xC0 | point >> 6);
		to[1] = (uint8_t)(0x80 | (point & 0x3F));
		return 2;
	}
	if (point < 0x10000) {
		to[0] = (uint8_t)(0xE0 | point >> 12);
		to[1] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
		to[2] = (uint8_t)(0x80 | (point & 0x3F));
		return 3;
	}
	to[0] = (uint8_t)(0xF0 | point >> 18);
	to[1] = (uint8_t)(0x80 | (point >> 12 & 0x3F));
	to[2] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
	to[3] = (uint8_t)(0x80 | (point & 0x3F));
	return 4;
}

static uint32_t random_point(struct test_rng *rng)
{
	/* around each length of UTF-8 and around the surrogates, where UTF-16 order goes wrong */
	static const uint32_t edges[] = { 0,	  0,	   1,	    'a',     'b',    0x7F,
					  0x80,	  0x7FF,   0x800,   0xD7FF,  0xE000, 0xFFFD,
					  0xFFFF, 0x10000, 0x1F600, 0x10FFFF };
	uint32_t point;

	if (!test_rng_once_in(rng, 4))
		return edges[test_rng_below(rng, sizeof edges / sizeof *edges)];
	point = (uint32_t)test_rng_below(rng, 0x110000);
	return point >= 0xD800 && point < 0xE000 ? point - 0xD800 : point;
}

static sop_value random_str(struct test_rng *rng, uint8_t text[TEXT_BYTES_MAX])
{
	const size_t points = test_rng_below(rng, test_rng_once_in(rng, 8) ? 13 : 5);
	size_t size = 0;
	sop_value value;

	for (size_t i = 0; i < points; i++)
		size += write_utf8(random_point(rng), text + size);
	value = sop_value_bytes(text, size);
	value.type = SOP_TYPE_STR;
	return value;
}

static sop_value random_uuid(struct test_rng *rng)
{
	uint8_t uuid[16];

	for (size_t i = 0; i < sizeof uuid; i++)
		uuid[i] = test_rng_once_in(rng, 16) ? (uint8_t)test_rng_next(rng) : 0x80;
	return sop_value_uuid(uuid);
}

static sop_value random_ts(struct test_rng *rng)
{
	sop_value value = random_int(rng);

	if (value.type == SOP_TYPE_UINT)
		value.as.natural &= INT64_MAX;
	value.type = SOP_TYPE_TS;
	return value;
}

static void fill(struct test_rng *rng, const struct shape *shape, size_t i, struct tuple *tuple)
{
	sop_value *value = &tuple->values[i];

	*value = sop_value_null();
	if (test_rng_once_in(rng, 12))
		return;
	switch (shape->types[i]) {
	case SOP_TYPE_BOOL:
		*value = sop_value_bool(test_rng_once_in(rng, 2));
		return;
	case SOP_TYPE_INT:
		*value = random_int(rng);
		return;
	case SOP_TYPE_FLOAT:
		*value = random_float(rng);
		return;
	case SOP_TYPE_BYTES:
		*value = random_bytes(rng, tuple->texts[i]);
		return;
	case SOP_TYPE_STR:
		*value = random_str(rng, tuple->texts[i]);
		return;
	case SOP_TYPE_UUID:
		*value = random_uuid(rng);
		return;
	default:
		*value = random_ts(rng);
	}
}

void tuple_random(struct test_rng *rng, const struct shape *shape, struct tuple *tuple)
{
	tuple->count = shape->sort_count + test_rng_below(rng, shape->ride_count + 1);
	for (size_t i = 0; i < tuple->count; i++)
		fill(rng, shape, i, tuple);
}

void tuple_near(struct test_rng *rng, const struct shape *shape, const struct tuple *from,
		struct tuple *tuple)
{
	*tuple = *from;
	for (size_t i = 0; i < tuple->count; i++) {
		const uint32_t type = tuple->values[i].type;

		if (type == SOP_TYPE_BYTES || type == SOP_TYPE_STR)
			tuple->values[i].as.bytes.data = tuple->texts[i];
	}
	fill(rng, shape, test_rng_below(rng, tuple->count), tuple);
}

/* ---- the order of values ---------------------------------------------------------------------- */

static int int_compare(const sop_value *a, const sop_value *b)
{
	const bool a_negative = a->type == SOP_TYPE_INT && a->as.integer < 0;
	const bool b_negative = b->type == SOP_TYPE_INT && b->as.integer < 0;
	uint64_t a_number, b_number;

	if (a_negative != b_negative)
		return a_negative ? -1 : 1;
	if (a_negative)
		return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
	a_number = a->type == SOP_TYPE_UINT ? a->as.natural : (uint64_t)a->as.integer;
	b_number = b->type == SOP_TYPE_UINT ? b->as.natural : (uint64_t)b->as.integer;
	return (a_number > b_number) - (a_number < b_number);
}

static int bytes_order(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
	for (size_t i = 0; i < a_size && i < b_size; i++) {
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	}
	return (a_size > b_size) - (a_size < b_size);
}

/* Reads one code point of valid UTF-8. */
static uint32_t take_point(const uint8_t **at)
{
	const uint8_t lead = *(*at)++;
	uint32_t point = lead;
	int more = 0;

	if (lead >= 0xF0) {
		point = lead & 0x07u;
		more = 3;
	} else if (lead >= 0xE0) {
		point = lead & 0x0Fu;
		more = 2;
	} else if (lead >= 0xC0) {
		point = lead & 0x1Fu;
		more = 1;
	}
	for (; more > 0; more--)
		point = point << 6 | (*(*at)++ & 0x3Fu);
	return point;
}

static int str_compare(sop_bytes a, sop_bytes b)
{
	const uint8_t *a_at = a.data;
	const uint8_t *b_at = b.data;
	const uint8_t *const a_end = a.size > 0 ? a_at + a.size : a_at;
	const uint8_t *const b_end = b.size > 0 ? b_at + b.size : b_at;

	while (a_at < a_end && b_at < b_end) {
		const uint32_t a_point = take_point(&a_at);
		const uint32_t b_point = take_point(&b_at);

		if (a_point != b_point)
			return a_point < b_point ? -1 : 1;
	}
	return (a_at < a_end) - (b_at < b_end);
}

int value_compare(const sop_value *a, const sop_value *b)
{
	if (a->type == SOP_TYPE_NULL || b->type == SOP_TYPE_NULL)
		return (a->type != SOP_TYPE_NULL) - (b->type != SOP_TYPE_NULL);
	switch (a->type) {
	case SOP_TYPE_BOOL:
		return a->as.boolean - b->as.boolean;
	case SOP_TYPE_INT:
	case SOP_TYPE_UINT:
		return int_compare(a, b);
	case SOP_TYPE_FLOAT:
		return (a->as.real > b->as.real) - (a->as.real < b->as.real);
	case SOP_TYPE_BYTES:
		return bytes_order(a->as.bytes.data, a->as.bytes.size, b->as.bytes.data,
				   b->as.bytes.size);
	case SOP_TYPE_STR:
		return str_compare(a->as.bytes, b->as.bytes);
	case SOP_TYPE_UUID:
		return bytes_order(a->as.uuid, 16, b->as.uuid, 16);
	default:
		return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
	}
}

int tuple_compare(const struct shape *shape, const struct tuple *a, const struct tuple *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const int order = value_compare(&a->values[i], &b->values[i]);

		if (order != 0)
			return shape->descending[i] ? -order : order;
	}
	return 0;
}
