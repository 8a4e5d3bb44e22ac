/* Random schemas and tuples for the tests of the key codec, and the order that tuples must have,
 * computed from the values alone: nothing here calls the codec except to parse the schema. */
#ifndef KEY_RANDOM_H
#define KEY_RANDOM_H

#include "support/support.h"

enum { SHAPE_FIELDS_MAX = 6, TEXT_BYTES_MAX = 48 };

/* A schema as the test knows it. */
struct shape {
	size_t sort_count;
	size_t ride_count;
	uint32_t types[SHAPE_FIELDS_MAX];
	bool descending[SHAPE_FIELDS_MAX];
	sop_schema *schema;
};

/* Values, with room for their bytes and strings. Ride fields beyond `count` are left out. */
struct tuple {
	size_t count;
	sop_value values[SHAPE_FIELDS_MAX];
	uint8_t texts[SHAPE_FIELDS_MAX][TEXT_BYTES_MAX];
};

/* A schema of one to four sort fields and up to two ride fields. Free with sop_schema_free. */
void shape_random(struct test_rng *rng, struct shape *shape);

/* Fills `tuple`: edge values, nulls, NULs and characters beyond the first plane are frequent. */
void tuple_random(struct test_rng *rng, const struct shape *shape, struct tuple *tuple);

/* Copies `from` and makes one of its fields random, so that tuples share leading fields. */
void tuple_near(struct test_rng *rng, const struct shape *shape, const struct tuple *from,
		struct tuple *tuple);

/* The order of one field, without direction, and of the first `count` sort fields. */
int value_compare(const sop_value *a, const sop_value *b);
int tuple_compare(const struct shape *shape, const struct tuple *a, const struct tuple *b, size_t count);

#endif
