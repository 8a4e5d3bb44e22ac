/* The file `stats` as bytes: figures of an open database, left for other processes. Pure; docs/format.md has every byte.
 * Who writes and reads it: core/backend/stats_file.c. */
#ifndef SOPI_STATS_RECORD_H
#define SOPI_STATS_RECORD_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
	SOPI_STATS_FORMAT = 1,
	SOPI_STATS_BYTES = 4096, /* of the file, always */
	SOPI_STATS_HOST_BYTES = 64, /* of a host's name, with the NUL */
	SOPI_STATS_FIGURES_MAX = 400,
};

struct sopi_stats_record {
	uint64_t sequence; /* number of the writing, from 1 */
	uint64_t process;
	int64_t opened_ns; /* wall time */
	int64_t written_ns; /* wall time */
	uint64_t running_ns; /* between the two, on the monotonic clock */
	uint64_t interval_ns; /* that the latencies are of: up to the writing */
	uint64_t commits_timed; /* in it */
	uint64_t commit_median_ns;
	uint64_t commit_high_ns; /* 99 of 100 */
	uint64_t commit_longest_ns;
	uint64_t log_bytes_max;
	uint64_t flush_interval_ms;
	uint8_t database[16]; /* UUID */
	char host[SOPI_STATS_HOST_BYTES]; /* with NUL */
	uint64_t figure_count;
	uint64_t figures[SOPI_STATS_FIGURES_MAX]; /* in the order of sop_stats */
};

void sopi_stats_record_encode(const struct sopi_stats_record *record, uint8_t bytes[SOPI_STATS_BYTES]);

/* size: bytes that the file has, SOPI_STATS_BYTES of which are there if it has so many. CORRUPT, UNSUPPORTED. */
sop_status sopi_stats_record_decode(const uint8_t *bytes, uint64_t size,
				    struct sopi_stats_record *record, sop_error *err);

#endif
