/* Cursors: ordered traversal of a range of a store, both ways. */
#ifndef SOP_CURSOR_H
#define SOP_CURSOR_H

#include <sop/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A cursor belongs to its transaction and is used by the thread that uses it. It remembers its key,
 * not its place: whatever the transaction changes meanwhile, each live key is met at most once and
 * no key that stays is skipped. It ends with its transaction (then CLOSED) and may be freed before
 * or after it. */
typedef struct sop_cursor sop_cursor;

/* The item a cursor stands on. The views live until the next call on the cursor or on its
 * transaction (SOP_CURSOR_COPIES: on the cursor). */
typedef struct sop_entry {
	sop_bytes key; /* the whole key: sort fields, then ride-along fields */
	sop_bytes value; /* empty with SOP_CURSOR_KEYS */
	uint64_t version; /* the position that wrote it; 0: this transaction, or with SOP_CURSOR_KEYS */
	uint64_t item; /* its item id in a store with duplicates, else 0 */
} sop_entry;

/* Flags of sop_cursor_open. */
/* sop_cursor_fetch goes from the end of the range to its start. All other calls go where their names say: the last page of a
 * range is read by sop_cursor_prev, with this flag and without. */
#define SOP_CURSOR_REVERSE 1u
/* Keys and ride-along fields only: values are not read, nor are versions, which change with them, and changes of values no
 * conflict. Both are left out: empty, and 0. */
#define SOP_CURSOR_KEYS 2u
/* The views of an entry live until the next call on the cursor itself, whatever becomes of its transaction, also in another
 * thread: keys and values are copied into the cursor. For languages that cannot keep others out. */
#define SOP_CURSOR_COPIES 4u

/* Opens a cursor over `range` (NULL: everything) of `store` in `txn`; it stands before the first
 * item.
 * flags: SOP_CURSOR_... bits. out: the cursor, owned by the caller: sop_cursor_free. err: filled
 * on failure; may be NULL.
 * Returns OK; NOT_FOUND (no such store); SCHEMA, LIMIT (a bad bound); MISUSE; TIMEOUT; CANCELLED;
 * CLOSED; FORKED; NO_MEMORY. */
SOP_API sop_status sop_cursor_open(sop_txn *txn, sop_store *store, const sop_range *range,
				   uint32_t flags, sop_cursor **out, sop_error *err);

/* Moves `cursor` to the first item of its range. entry: receives it; may be NULL. err: may be NULL.
 * Returns OK; NOT_FOUND: the range is empty; MISUSE; TIMEOUT; CANCELLED; CLOSED; FORKED;
 * NO_MEMORY; CORRUPT; IO; FAILED. */
SOP_API sop_status sop_cursor_first(sop_cursor *cursor, sop_entry *entry, sop_error *err);

/* Moves `cursor` to the last item of its range. entry: receives it; may be NULL. err: may be NULL.
 * Returns as sop_cursor_first. */
SOP_API sop_status sop_cursor_last(sop_cursor *cursor, sop_entry *entry, sop_error *err);

/* Moves `cursor` to the next item; before the first move, to the first. At the end it stays behind
 * the last item, and sop_cursor_prev returns to that.
 * entry: receives it; may be NULL. err: may be NULL. Returns as sop_cursor_first; NOT_FOUND: there
 * is none. */
SOP_API sop_status sop_cursor_next(sop_cursor *cursor, sop_entry *entry, sop_error *err);

/* Moves `cursor` to the next item, and on over those that lie beside it: the same as sop_cursor_next several times, for the
 * price of one. It stands on the last of them then.
 * entries: `max` of them (1 or more), of which *count are filled in: at least one, and rarely as many as there are (one,
 * where values are large). All of them live until the next call on the cursor or
 * on its transaction. err: may be NULL.
 * Returns as sop_cursor_next; NOT_FOUND, with *count 0, is the only sign of the end. */
SOP_API sop_status sop_cursor_next_many(sop_cursor *cursor, sop_entry *entries, size_t max,
					size_t *count, sop_error *err);

/* Moves `cursor` to the previous item; before the first move, to the last. At the start it stays
 * before the first item.
 * entry: receives it; may be NULL. err: may be NULL. Returns as sop_cursor_first; NOT_FOUND: there
 * is none. */
SOP_API sop_status sop_cursor_prev(sop_cursor *cursor, sop_entry *entry, sop_error *err);

/* Where sop_cursor_seek goes, within the range of the cursor. */
typedef enum sop_seek {
	SOP_SEEK_GE = 0, /* the first item at or behind the key */
	SOP_SEEK_GT = 1, /* the first item behind the key (behind all its duplicates) */
	SOP_SEEK_LE = 2, /* the last item at or before the key */
	SOP_SEEK_LT = 3, /* the last item before the key */
	SOP_SEEK_EQ = 4 /* the item of this key (the oldest of its duplicates), or nowhere */
} sop_seek;

/* Moves `cursor` to a place relative to `key` (a key, or its leading sort fields; not for
 * SOP_SEEK_EQ).
 * where: a sop_seek. entry: receives the item; may be NULL. err: may be NULL.
 * Returns as sop_cursor_first; NOT_FOUND: there is no such item (then next and prev go on from
 * that place); SCHEMA, LIMIT: a bad key. */
SOP_API sop_status sop_cursor_seek(sop_cursor *cursor, sop_bytes key, sop_seek where,
				   sop_entry *entry, sop_error *err);

/* The item that `cursor` stands on, as it is now. entry: receives it. err: may be NULL.
 * Returns as sop_cursor_first; NOT_FOUND: it stands on none, or the item was removed. */
SOP_API sop_status sop_cursor_entry(sop_cursor *cursor, sop_entry *entry, sop_error *err);

/* Replaces the value of the item that `cursor` stands on with `value`; ride-along fields are kept.
 * err: may be NULL.
 * Returns OK; NOT_FOUND: it stands on none, or the item was removed; READ_ONLY; LIMIT; else as
 * sop_cursor_first. */
SOP_API sop_status sop_cursor_update(sop_cursor *cursor, sop_bytes value, sop_error *err);

/* Removes the item that `cursor` stands on; next and prev go on from its place. err: may be NULL.
 * Returns as sop_cursor_update. */
SOP_API sop_status sop_cursor_remove(sop_cursor *cursor, sop_error *err);

/* Moves `cursor` over as many items as fit and packs them (store.h, "packed rows") into memory of
 * the caller: from where it stands in its direction, from the start of its range if it has not
 * moved.
 * room: memory, 8-aligned; size: bytes at `room`; rows_max: at most so many rows, 0: no limit.
 * flags: SOP_ROWS_ITEM and SOP_ROWS_VERSION (0 with SOP_CURSOR_KEYS): what rows carry.
 * used: receives the bytes written: a batch with at least one row. err: may be NULL. The cursor
 * then stands on the last row of the batch, and the next fetch goes on behind it.
 * Returns OK; NOT_FOUND: there are no more; LIMIT: the next row alone does not fit, nothing was
 * consumed, and `used` says how many bytes it needs; else as sop_cursor_first. */
SOP_API sop_status sop_cursor_fetch(sop_cursor *cursor, void *room, size_t size, size_t rows_max,
				    uint32_t flags, size_t *used, sop_error *err);

/* Frees `cursor`. Takes NULL. */
SOP_API void sop_cursor_free(sop_cursor *cursor);

#ifdef __cplusplus
}
#endif

#endif
