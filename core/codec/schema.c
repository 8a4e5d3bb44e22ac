/* What schemas are: copying, freeing and comparing them. */
#include "codec/schema.h"

#include "base/alloc.h"
#include "codec/key_field.h"
#include "codec/schema_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Copies what `view` shows to `*to`, which moves behind it, and makes `view` show the copy. */
static void move_view(sop_bytes *view, char **to)
{
	if (view->size > 0)
		memcpy(*to, view->data, view->size);
	view->data = *to;
	*to += view->size;
}

sop_status sopi_schema_copy(const struct sopi_schema *schema, struct sopi_schema **out, sop_error *err)
{
	const size_t count = schema->sort_count + schema->ride_count;
	size_t size = sizeof *schema + count * sizeof *schema->fields + schema->defaults.size +
		      schema->text.size;
	struct sopi_schema *copy = NULL;
	struct sopi_field *fields;
	char *to;

	for (size_t i = 0; i < count; i++)
		size += schema->fields[i].name_size + 1u;
	SOP_TRY(sopi_alloc(size, (void **)&copy, err));
	*copy = *schema;
	fields = (struct sopi_field *)(copy + 1);
	memcpy(fields, schema->fields, count * sizeof *fields);
	copy->fields = fields;
	to = (char *)(fields + count);
	for (size_t i = 0; i < count; i++) {
		sop_bytes name = { fields[i].name, fields[i].name_size };

		move_view(&name, &to);
		*to++ = '\0';
		fields[i].name = name.data;
	}
	move_view(&copy->defaults, &to);
	move_view(&copy->text, &to);
	SOPI_CHECK(to == (char *)copy + size);
	*out = copy;
	return SOP_OK;
}

void sopi_schema_free(struct sopi_schema *schema)
{
	if (schema == NULL)
		return;
	schema->tag = 0;
	sopi_free(schema);
}

static bool field_equal(const struct sopi_field *one, const struct sopi_field *other)
{
	return one->type == other->type && one->mask == other->mask &&
	       one->name_size == other->name_size &&
	       memcmp(one->name, other->name, one->name_size) == 0;
}

static bool default_equal(const struct sopi_schema *one, const struct sopi_schema *other, size_t index)
{
	const sop_bytes a = sopi_schema_default(one, index);
	const sop_bytes b = sopi_schema_default(other, index);

	return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static const char *direction(const struct sopi_field *field)
{
	return field->mask != 0 ? " descending" : "";
}

static size_t least(size_t one, size_t other)
{
	return one < other ? one : other;
}

/* Says how the fields of the same index differ. */
static void tell_fields(const struct sopi_schema *stored, const struct sopi_schema *declared,
			size_t index, char *difference, size_t room)
{
	snprintf(difference, room, "the store has %s%s, the declared schema %s%s",
		 sopi_field_label(stored, index).text, direction(&stored->fields[index]),
		 sopi_field_label(declared, index).text, direction(&declared->fields[index]));
}

/* Says which field one of the schemas has beyond the other. */
static void tell_more(const char *who, const struct sopi_schema *schema, size_t index,
		      const char *other, char *difference, size_t room)
{
	snprintf(difference, room, "%s has %s%s, %s has not", who,
		 sopi_field_label(schema, index).text, direction(&schema->fields[index]), other);
}

/* Compares the sort fields; true if they are equal. */
static bool sort_equal(const struct sopi_schema *stored, const struct sopi_schema *declared,
		       char *difference, size_t room)
{
	const size_t both = least(stored->sort_count, declared->sort_count);

	for (size_t i = 0; i < both; i++) {
		if (!field_equal(&stored->fields[i], &declared->fields[i])) {
			tell_fields(stored, declared, i, difference, room);
			return false;
		}
	}
	if (stored->sort_count > both)
		tell_more("the store", stored, both, "the declared schema", difference, room);
	else if (declared->sort_count > both)
		tell_more("the declared schema", declared, both, "the store", difference, room);
	return stored->sort_count == declared->sort_count;
}

/* Compares the ride fields that both have, behind equal sort fields; true if they are equal. */
static bool ride_equal(const struct sopi_schema *stored, const struct sopi_schema *declared,
		       char *difference, size_t room)
{
	const size_t both = stored->sort_count + least(stored->ride_count, declared->ride_count);

	for (size_t i = stored->sort_count; i < both; i++) {
		if (!field_equal(&stored->fields[i], &declared->fields[i])) {
			tell_fields(stored, declared, i, difference, room);
			return false;
		}
		if (!default_equal(stored, declared, i)) {
			snprintf(difference, room, "%s has another default in the declared schema",
				 sopi_field_label(stored, i).text);
			return false;
		}
	}
	return true;
}

enum sopi_schema_difference sopi_schema_compare(const struct sopi_schema *stored,
						const struct sopi_schema *declared,
						char *difference, size_t room)
{
	const size_t stored_count = stored->sort_count + stored->ride_count;
	const size_t declared_count = declared->sort_count + declared->ride_count;

	if (!sort_equal(stored, declared, difference, room) ||
	    !ride_equal(stored, declared, difference, room))
		return SOPI_SCHEMA_DIFFERENT;
	if (stored_count > declared_count) {
		tell_more("the store", stored, declared_count, "the declared schema", difference, room);
		return SOPI_SCHEMA_DIFFERENT;
	}
	if (declared_count > stored_count) {
		tell_more("the declared schema", declared, stored_count, "the store", difference, room);
		return SOPI_SCHEMA_EXTENDED;
	}
	return SOPI_SCHEMA_EQUAL;
}
