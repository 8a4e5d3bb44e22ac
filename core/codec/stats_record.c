/* One table for writing and reading the numbers of the head. */
#include "codec/stats_record.h"

#include "base/bytes.h"
#include "base/crc32c.h"

#include <string.h>

enum {
	AT_VERSION = 4,
	AT_CHECKSUM = 8,
	AT_NUMBERS = 16,
	AT_DATABASE = 112,
	AT_HOST = 128,
	AT_COUNT = 192,
	AT_FIGURES = 200,
};

static const uint8_t magic[4] = { 'S', 'O', 'P', 't' };

_Static_assert(AT_FIGURES + SOPI_STATS_FIGURES_MAX * 8 <= SOPI_STATS_BYTES, "all figures have room");

/* The numbers of 8 bytes from AT_NUMBERS on. */
static const size_t numbers[] = {
	offsetof(struct sopi_stats_record, sequence),
	offsetof(struct sopi_stats_record, process),
	offsetof(struct sopi_stats_record, opened_ns),
	offsetof(struct sopi_stats_record, written_ns),
	offsetof(struct sopi_stats_record, running_ns),
	offsetof(struct sopi_stats_record, interval_ns),
	offsetof(struct sopi_stats_record, commits_timed),
	offsetof(struct sopi_stats_record, commit_median_ns),
	offsetof(struct sopi_stats_record, commit_high_ns),
	offsetof(struct sopi_stats_record, commit_longest_ns),
	offsetof(struct sopi_stats_record, log_bytes_max),
	offsetof(struct sopi_stats_record, flush_interval_ms),
};

enum { NUMBERS = sizeof numbers / sizeof *numbers };

_Static_assert(AT_NUMBERS + NUMBERS * 8 == AT_DATABASE, "the numbers fill their place");

static uint32_t checksum(const uint8_t *bytes)
{
	return sopi_crc32c(sopi_crc32c(0, bytes, AT_CHECKSUM), bytes + AT_CHECKSUM + 4,
			   SOPI_STATS_BYTES - AT_CHECKSUM - 4);
}

/* Of a host's name at `text`: without its NUL, or SOPI_STATS_HOST_BYTES if there is none. */
static size_t host_size(const void *text)
{
	const char *end = memchr(text, 0, SOPI_STATS_HOST_BYTES);

	return end == NULL ? SOPI_STATS_HOST_BYTES : (size_t)(end - (const char *)text);
}

void sopi_stats_record_encode(const struct sopi_stats_record *record, uint8_t bytes[SOPI_STATS_BYTES])
{
	memset(bytes, 0, SOPI_STATS_BYTES);
	memcpy(bytes, magic, sizeof magic);
	sopi_store_u32le(bytes + AT_VERSION, SOPI_STATS_FORMAT);
	for (size_t i = 0; i < NUMBERS; i++) {
		uint64_t number;

		memcpy(&number, (const char *)record + numbers[i], sizeof number);
		sopi_store_u64le(bytes + AT_NUMBERS + i * 8, number);
	}
	memcpy(bytes + AT_DATABASE, record->database, sizeof record->database);
	memcpy(bytes + AT_HOST, record->host, host_size(record->host));
	sopi_store_u64le(bytes + AT_COUNT, record->figure_count);
	for (size_t i = 0; i < record->figure_count; i++)
		sopi_store_u64le(bytes + AT_FIGURES + i * 8, record->figures[i]);
	sopi_store_u32le(bytes + AT_CHECKSUM, checksum(bytes));
}

static sop_status corrupt(int64_t offset, const char *what, sop_error *err)
{
	return sopi_fail_file(err, SOP_CORRUPT, "stats", offset, 0,
			      "%s; it is written anew when the database is opened again", what);
}

/* The zeros at the end of what has a fixed size. */
static int ends_in_zeros(const uint8_t *bytes, size_t from, size_t to)
{
	while (from < to && bytes[from] == 0)
		from++;
	return from == to;
}

static sop_status check(const uint8_t *bytes, uint64_t size, sop_error *err)
{
	uint64_t count;
	size_t host;

	if (size != SOPI_STATS_BYTES)
		return corrupt(0, "the file of figures has a wrong size", err);
	if (memcmp(bytes, magic, sizeof magic) != 0)
		return corrupt(0, "this is no file of figures", err);
	if (sopi_load_u32le(bytes + AT_CHECKSUM) != checksum(bytes))
		return corrupt(AT_CHECKSUM, "the checksum of the figures is wrong", err);
	if (sopi_load_u32le(bytes + AT_VERSION) != SOPI_STATS_FORMAT)
		return sopi_fail_file(
			err, SOP_UNSUPPORTED, "stats", AT_VERSION, 0,
			"the figures have format %u, and this library knows %d; use a newer one",
			(unsigned)sopi_load_u32le(bytes + AT_VERSION), SOPI_STATS_FORMAT);
	host = host_size(bytes + AT_HOST);
	count = sopi_load_u64le(bytes + AT_COUNT);
	if (!ends_in_zeros(bytes, AT_CHECKSUM + 4, AT_NUMBERS) || host == SOPI_STATS_HOST_BYTES ||
	    !ends_in_zeros(bytes, AT_HOST + host, AT_COUNT))
		return corrupt(AT_HOST, "the head of the figures is not as it must be", err);
	if (count > SOPI_STATS_FIGURES_MAX ||
	    !ends_in_zeros(bytes, AT_FIGURES + (size_t)count * 8, SOPI_STATS_BYTES))
		return corrupt(AT_COUNT, "the count of the figures is wrong", err);
	return SOP_OK;
}

sop_status sopi_stats_record_decode(const uint8_t *bytes, uint64_t size,
				    struct sopi_stats_record *record, sop_error *err)
{
	memset(record, 0, sizeof *record);
	SOP_TRY(check(bytes, size, err));
	for (size_t i = 0; i < NUMBERS; i++) {
		const uint64_t number = sopi_load_u64le(bytes + AT_NUMBERS + i * 8);

		memcpy((char *)record + numbers[i], &number, sizeof number);
	}
	memcpy(record->database, bytes + AT_DATABASE, sizeof record->database);
	memcpy(record->host, bytes + AT_HOST, SOPI_STATS_HOST_BYTES);
	record->figure_count = sopi_load_u64le(bytes + AT_COUNT);
	for (size_t i = 0; i < record->figure_count; i++)
		record->figures[i] = sopi_load_u64le(bytes + AT_FIGURES + i * 8);
	return SOP_OK;
}
