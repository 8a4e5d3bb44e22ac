/* Between Go and the C library: calls that take keys as fields in memory of Go, pack them, and bring rows back, with one
 * crossing each. Nothing here keeps a pointer that it was given. */
#ifndef SOPGO_SHIM_H
#define SOPGO_SHIM_H

#include <sop/sop.h>

/* Handles travel as numbers: cgo would look into what a pointer points to, with each call. */
typedef uintptr_t sopgo_handle;

/* The most fields of a key: sort and ride-along fields together. */
#define SOPGO_FIELDS_MAX (2 * SOP_SCHEMA_FIELDS_MAX)

/* One field of a key, as sop_value, without pointers. In a store without a schema a key is one field of BYTES. */
typedef struct sopgo_field {
	uint32_t type; /* SOP_TYPE_... */
	uint32_t reserved; /* 0 */
	uint64_t a; /* BOOL, INT, UINT, TS: the number; FLOAT: its bits; BYTES, STR: where in the heap that goes with it; UUID: 8 bytes */
	uint64_t b; /* BYTES, STR: how many bytes; UUID: the other 8 */
} sopgo_field;

/* What a call answers besides its status. */
typedef struct sopgo_out {
	uint64_t size; /* of the value, of the rows, or how much is needed */
	uint64_t owned; /* address of memory that holds them instead of the room; sopgo_release frees it */
	uint64_t item; /* item id */
	uint64_t count; /* items, rows done, heap bytes of unpacked keys */
	uint64_t position; /* of the transaction */
} sopgo_out;

/* A range: its fields stand one behind the other, `from`, then `to`, then `prefix`. */
typedef struct sopgo_range {
	uint32_t flags; /* SOP_RANGE_... */
	uint32_t from_count;
	uint32_t to_count;
	uint32_t prefix_count;
	uint64_t after_item;
} sopgo_range;

/* What sopgo_change does. */
enum sopgo_how {
	SOPGO_PUT,
	SOPGO_INSERT,
	SOPGO_UPDATE,
	SOPGO_REMOVE,
	SOPGO_SET_RIDE,
	SOPGO_ADD, /* `number` is what is added; so for the next two */
	SOPGO_MIN,
	SOPGO_MAX
};

enum sopgo_move { SOPGO_FIRST, SOPGO_LAST, SOPGO_NEXT, SOPGO_PREV, SOPGO_HERE };

/* What a call left in out->owned: copying out->size bytes of it, and freeing it. */
void sopgo_copy(char *into, const sopgo_out *out);
void sopgo_release(sopgo_out *out);

/* The value of a key into room: `db` reads in a transaction of its own if `txn` is 0. */
sop_status sopgo_get(sopgo_handle db, sopgo_handle txn, sopgo_handle store, sopgo_handle schema,
		     const sopgo_field *fields, uint32_t count, const char *heap, char *room,
		     size_t capacity, sopgo_out *out, sop_error *err);

/* One item as one row. keys_only: its value is not read. LIMIT with out->size: the room is too small. */
sop_status sopgo_fetch(sopgo_handle txn, sopgo_handle store, sopgo_handle schema,
		       const sopgo_field *fields, uint32_t count, const char *heap, uint64_t item,
		       uint32_t flags, int keys_only, char *rows, size_t rows_size,
		       sopgo_field *row_fields, char *row_heap, sopgo_out *out, sop_error *err);

/* Any change of one item. `item` names one; out->item receives the id of an inserted one. What adds creates the store if
 * it is missing. */
sop_status sopgo_change(sopgo_handle txn, sopgo_handle store, sopgo_handle schema, int how,
			const sopgo_field *fields, uint32_t count, const char *heap, uint64_t item,
			int64_t number, const char *value, size_t value_size, sopgo_out *out,
			sop_error *err);

/* `keys` keys of `count` fields each; the rows stay in out->owned. */
sop_status sopgo_get_many(sopgo_handle txn, sopgo_handle store, sopgo_handle schema,
			  const sopgo_field *fields, uint32_t count, uint32_t keys,
			  const char *heap, size_t heap_size, sopgo_out *out, sop_error *err);

/* `rows` rows of `count` fields and one more, which is the value. out->count: how many were done. */
sop_status sopgo_put_many(sopgo_handle txn, sopgo_handle store, sopgo_handle schema, int how,
			  const sopgo_field *fields, uint32_t count, uint32_t rows,
			  const char *heap, size_t heap_size, sopgo_out *out, sop_error *err);

/* Counts or removes (remove != 0) the items of a range; out->count. whole: all of them, by one look-up. */
sop_status sopgo_range_count(sopgo_handle txn, sopgo_handle store, sopgo_handle schema,
			     const sopgo_range *range, const sopgo_field *fields, const char *heap,
			     int remove, sopgo_out *out, sop_error *err);

sop_status sopgo_cursor_open(sopgo_handle txn, sopgo_handle store, sopgo_handle schema,
			     const sopgo_range *range, const sopgo_field *fields, const char *heap,
			     uint32_t flags, sop_cursor **cursor, sop_error *err);

/* Moves as `how` (a sopgo_move) says; the item becomes one row. LIMIT with out->size: it moved, but the room is too small;
 * SOPGO_HERE then brings it. */
sop_status sopgo_cursor_move(sopgo_handle cursor, sopgo_handle schema, int how, char *rows,
			     size_t rows_size, sopgo_field *row_fields, char *row_heap,
			     sopgo_out *out, sop_error *err);

/* The same, to a key, or to its `count` leading fields. */
sop_status sopgo_cursor_seek(sopgo_handle cursor, sopgo_handle schema, int where,
			     const sopgo_field *fields, uint32_t count, const char *heap,
			     char *rows, size_t rows_size, sopgo_field *row_fields, char *row_heap,
			     sopgo_out *out, sop_error *err);

sop_status sopgo_cursor_update(sopgo_handle cursor, const char *value, size_t size, sop_error *err);

/* A batch of rows with their keys unpacked: `fields` holds those of the first row, then of the second, ... */
sop_status sopgo_cursor_fetch(sopgo_handle cursor, sopgo_handle schema, char *rows, size_t rows_size,
			      uint32_t rows_max, uint32_t flags, sopgo_field *row_fields,
			      char *row_heap, sopgo_out *out, sop_error *err);

/* Puts a cursor back to where the row with this packed key is or was, so that a fetch goes on behind it (before it, if the
 * cursor goes backward). */
sop_status sopgo_cursor_return(sopgo_handle cursor, sopgo_handle schema, const char *key,
			       size_t size, uint64_t item, int backward, sop_error *err);

/* Packed bytes of a key; out->size. LIMIT with out->size beyond capacity: the room is too small. prefix: leading fields. */
sop_status sopgo_pack(sopgo_handle schema, const sopgo_field *fields, uint32_t count, const char *heap,
		      int prefix, char *room, size_t capacity, sopgo_out *out, sop_error *err);
/* The fields of a packed key (at most SOPGO_FIELDS_MAX), and how many; heap has room for `size` bytes. */
sop_status sopgo_unpack(sopgo_handle schema, const char *key, size_t size, sopgo_field *fields,
			char *heap, sopgo_out *out, sop_error *err);

/* Commits; out->position. */
sop_status sopgo_commit(sopgo_handle txn, sopgo_out *out, sop_error *err);

/* Long calls that tell their progress to the Go function behind `handle`; 0: to nobody. */
sop_status sopgo_gc(sop_db *db, uintptr_t handle, sop_error *err);
sop_status sopgo_backup(sop_db *db, const char *path, uintptr_t handle, uint64_t *position,
			sop_error *err);
sop_status sopgo_restore(const char *from, const char *to, uintptr_t handle, sop_error *err);
sop_status sopgo_verify(sop_db *db, uintptr_t handle, uint64_t *problems, sop_error *err);

#endif
