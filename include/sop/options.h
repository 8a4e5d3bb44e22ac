/* Options of opening a database, set by name. */
#ifndef SOP_OPTIONS_H
#define SOP_OPTIONS_H

#include <sop/buffer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How durable a commit is when it is answered. What is lost is always a suffix of the positions: a
 * commit that is there has all before it. What was answered is visible at once, whichever it is. In
 * memory it makes no difference. */
typedef enum sop_durability {
	SOP_FLUSHED = 1, /* on stable storage: survives a power cut */
	SOP_WRITTEN = 2, /* with the operating system: survives the process; a power cut may take it */
	SOP_BUFFERED = 3 /* in memory; it and SOP_WRITTEN are flushed within `flush_interval_ms` */
} sop_durability;

/* A set of named options for sop_open. One thread at a time; may be used for any number of opens
 * and freed after. Those of the second table are of databases in a folder; others take no notice.
 *
 * | name               | type    | default  | meaning                                                              |
 * |--------------------|---------|----------|----------------------------------------------------------------------|
 * | create             | boolean | false    | make the database if it is missing (`inmemory:` is always made)      |
 * | node_bytes         | integer | 4096     | size of a leaf in bytes, 1024 to 32768; fixed when a database is made |
 * | node_items         | integer | 0        | items in a node for stores that do not say: 4 to 20000; 0: by bytes  |
 * | inline_value_bytes | integer | 1024     | larger values are kept apart from the leaf, 64 to 16384              |
 * | transaction_bytes_max | integer | 1073741824 | operations and predicates of one transaction, in bytes; LIMIT beyond |
 * | deadline_ms        | integer | 0        | deadline of transactions that do not say, in milliseconds; 0: none   |
 * | snapshot_bytes_max | integer | 0        | old versions, in bytes, beyond which the oldest open transaction ends with TIMEOUT, 1 MB to 1 TB; 0: half of cache_bytes, in memory 1 GB |
 *
 * | name               | type    | default  | meaning                                                              |
 * |--------------------|---------|----------|----------------------------------------------------------------------|
 * | read_only          | boolean | false    | write nothing at all: see sop_open                                   |
 * | durability         | word    | flushed  | of transactions that do not say: `flushed`, `written` or `buffered`, as in sop_durability |
 * | flush_interval_ms  | integer | 10       | milliseconds within which written and buffered commits are on stable storage, 1 to 60000 |
 * | cache_bytes        | integer | 0        | memory for nodes, in bytes, 4 MB to 1 TB; 0: a quarter of the host's memory |
 * | log_bytes_max      | integer | 0        | log that opening may have to read after a crash, in bytes, 4 MB to 1 TB; 0: 256 MB or a quarter of the data, whichever is more |
 * | registry_buckets   | integer | 250      | buckets in a segment of the registry, 250 to 750000; fixed when a database is made |
 */
typedef struct sop_options sop_options;

/* Makes an empty set: every option has its default.
 * out: the new set, owned by the caller, freed with sop_options_free.
 * err: filled on failure; may be NULL.
 * Returns OK, NO_MEMORY, or MISUSE if `out` is NULL. Any thread; never blocks. */
SOP_API sop_status sop_options_new(sop_options **out, sop_error *err);

/* Sets the option `name` (NUL-terminated) of `options` to the integer `value`.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE for a NULL, an unknown name or one of another type; LIMIT, naming the range,
 * for a value outside it. */
SOP_API sop_status sop_options_set_int(sop_options *options, const char *name, int64_t value,
				       sop_error *err);

/* Sets the boolean option `name` of `options`: `value` 0 is false, anything else true.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE for a NULL, an unknown name or one of another type. */
SOP_API sop_status sop_options_set_bool(sop_options *options, const char *name, int value,
					sop_error *err);

/* Sets the option `name` of `options` from the text `value`: an integer with an optional unit (KB,
 * MB, GB, TB: powers of 1024), true or false (1 or 0), or one of the words that the option takes.
 * err: filled on failure; may be NULL.
 * Returns OK; MISUSE for a NULL, an unknown name or a text that is no value of its type; LIMIT
 * outside its range. */
SOP_API sop_status sop_options_set_text(sop_options *options, const char *name, const char *value,
					sop_error *err);

/* Frees `options`. Takes NULL. */
SOP_API void sop_options_free(sop_options *options);

#ifdef __cplusplus
}
#endif

#endif
