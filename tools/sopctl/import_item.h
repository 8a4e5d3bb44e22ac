/* From a record of the input to the key and the value of an item. */
#ifndef SOPCTL_IMPORT_ITEM_H
#define SOPCTL_IMPORT_ITEM_H

#include "csv.h"
#include "field_text.h"

/* Where in a record the parts of an item are. */
struct import_map {
	struct item_format format;
	const char *names[KEY_CELLS_MAX]; /* of the fields of the key, in the order of the schema */
	size_t name_count;
	bool names_given; /* by --key; otherwise a member "key" may hold the whole key */
	const char *value_name; /* of the value; NULL: "value" if there is one, else all that is not in the key */
	enum value_kind kind; /* of the values */
	size_t *columns; /* CSV: of each of `names`, then of the value; SIZE_MAX: there is none */
	char **header; /* CSV: names of the columns */
	size_t header_count;
	char *key_text; /* what `names` of --key point into */
	/* The item, after import_line or import_fields. */
	sop_buf key;
	sop_bytes value;
	sop_buf room;
	sop_buf text;
	struct json_document document;
	struct json_document fields;
};

/* Sets where the fields of the key are: `key` is the argument of --key, or NULL; `value` that of --value, or NULL. */
sop_status import_map_begin(struct import_map *map, const struct item_format *format,
			    const char *key, const char *value, enum value_kind kind, sop_error *err);
void import_map_end(struct import_map *map);

/* Takes the first record of CSV, which names the columns. Returns OK; MISUSE: a field of the key has none. */
sop_status import_header(struct import_map *map, const struct csv_record *record, sop_error *err);

/* Makes `map->key` and `map->value` from a line of JSON, from a record of CSV. What is returned and is not OK is wrong
 * with the record. */
sop_status import_line(struct import_map *map, sop_bytes line, sop_error *err);
sop_status import_fields(struct import_map *map, const struct csv_record *record, sop_error *err);

#endif
