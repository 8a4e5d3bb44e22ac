/* Any bytes as two segments of a log, with right heads and checksums where the input says so: refused, or recovered into
 * transactions in ascending order that a second recovery finds again. */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "codec/log_record.h"
#include "log/log_wal.h"
#include "platform/sim.h"

#include <stdbool.h>

enum {
	BLOCK = SOPI_LOG_BLOCK_BYTES_MIN,
	BLOCKS = 8,
	FILE_BYTES = SOPI_LOG_FIRST_PLACE + BLOCKS * BLOCK
};

/* What the first byte of a piece says. */
enum { AT_BLOCK = 7, SECOND_SEGMENT = 8, SEAL_HEAD = 16, SEAL_PAYLOAD = 32, CHAIN = 64 };

struct files {
	uint8_t bytes[2][FILE_BYTES];
	uint32_t previous; /* crc of the last record that was sealed */
};

/* Writes a piece of the input into a block, as a record if it says so; returns the bytes that it took. */
static size_t place_piece(struct files *files, const uint8_t *data, size_t size)
{
	const uint8_t how = data[0];
	const size_t second = (how & SECOND_SEGMENT) != 0;
	const size_t at = SOPI_LOG_FIRST_PLACE + (size_t)(how & AT_BLOCK) * BLOCK;
	const size_t taken = size - 1 < 128 ? size - 1 : 128;
	uint8_t *block = files->bytes[second] + at;
	struct sopi_log_record record;

	memcpy(block, data + 1, taken);
	if ((how & SEAL_HEAD) == 0)
		return taken + 1;
	sopi_log_record_peek(block, &record);
	record.sequence = 1 + second;
	if ((how & SEAL_PAYLOAD) != 0 && record.payload_bytes <= FILE_BYTES - at - SOPI_LOG_HEAD_BYTES)
		record.payload_crc =
			sopi_crc32c(0, block + SOPI_LOG_HEAD_BYTES, (size_t)record.payload_bytes);
	if ((how & CHAIN) != 0)
		record.previous = files->previous;
	sopi_log_record_encode(&record, block);
	files->previous = record.crc;
	return taken + 1;
}

static void place_heads(struct files *files, const uint8_t *data)
{
	struct sopi_log_segment head = { .sequence = 1, .epoch = 1, .first_slot = 1, .block_bytes = BLOCK };

	sopi_log_segment_encode(&head, files->bytes[0]);
	head.sequence = 2;
	head.first_slot = data[0];
	head.checkpoint = data[1];
	head.from_sequence = data[2] & 1;
	head.previous = files->previous;
	sopi_log_segment_encode(&head, files->bytes[1]);
}

static void write_files(struct sopi_folder *folder, const struct files *files)
{
	static const char *const names[2] = { "log/0000000000000001.log", "log/0000000000000002.log" };

	SOPI_CHECK(sopi_folder_make(folder, "log", NULL) == SOP_OK);
	for (size_t i = 0; i < 2; i++) {
		struct sopi_file *file = NULL;

		SOPI_CHECK(sopi_folder_open_file(folder, names[i], SOPI_FILE_WRITE | SOPI_FILE_CREATE,
						 &file, NULL) == SOP_OK);
		SOPI_CHECK(sopi_file_write(file, 0, files->bytes[i], FILE_BYTES, NULL) == SOP_OK);
		sopi_file_close(file);
	}
}

struct seen {
	uint64_t last;
	size_t count;
};

static sop_status see(void *arg, uint64_t position, const struct sopi_log_entry *entry, sop_error *err)
{
	struct seen *seen = arg;
	uint32_t crc =
		sopi_crc32c(sopi_crc32c(0, entry->id, 16), entry->payload.data, entry->payload.size);

	(void)err;
	(void)crc; /* reads every byte */
	SOPI_CHECK(position > seen->last);
	seen->last = position;
	seen->count++;
	return SOP_OK;
}

/* True if the log opened and was replayed. */
static bool open_and_replay(const struct sopi_wal_options *options, struct seen *seen)
{
	struct sopi_log *log = NULL;
	sop_error err = SOP_ERROR_INIT;
	sop_status status = sopi_wal_open(options, &log, &err);

	if (status == SOP_OK) {
		status = sopi_wal_resume(log, sopi_wal_epoch(log) + 1, &err);
		SOPI_CHECK(status == SOP_OK);
		status = sopi_wal_replay(log, 0, see, seen, &err);
		log->driver->close(log);
	}
	SOPI_CHECK(status == SOP_OK || status == SOP_CORRUPT || status == SOP_UNSUPPORTED);
	SOPI_CHECK(status == SOP_OK || err.file[0] != '\0');
	return status == SOP_OK;
}

static void check_files(const struct files *files)
{
	struct sopi_sim_disk *disk = sopi_sim_disk_new();
	struct sopi_sim_process *process = sopi_sim_process_new(disk, NULL, 1);
	struct sopi_wal_options options = { .platform = sopi_sim_platform(process),
					    .first_segment = 1,
					    .segment_bytes = 1,
					    .segment_bytes_max = 1 };
	struct seen first = { 0, 0 }, second = { 0, 0 };

	SOPI_CHECK(sopi_files_open_folder(options.platform->files, "/db", SOPI_FOLDER_CREATE,
					  &options.folder, NULL) == SOP_OK);
	write_files(options.folder, files);
	if (open_and_replay(&options, &first)) {
		SOPI_CHECK(open_and_replay(&options, &second));
		SOPI_CHECK(first.count == second.count && first.last == second.last);
	}
	sopi_folder_close(options.folder);
	sopi_sim_process_free(process);
	sopi_sim_disk_free(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct files files;
	sop_bytes rest = { data, size };
	enum sopi_log_entry_kind kind;
	struct sopi_log_piece piece;
	sop_bytes payload;
	const uint8_t *id;
	uint64_t number;

	if (sopi_log_last_open(&rest, &number))
		while (sopi_log_last_next(&rest, &piece))
			SOPI_CHECK(piece.apart || piece.bytes + piece.size <= data + size);
	rest = (sop_bytes){ data, size };
	while (sopi_log_entry_next(&rest, &id, &kind, &payload))
		SOPI_CHECK((const uint8_t *)payload.data + payload.size <= data + size);
	if (size < 4)
		return 0;
	memset(&files, 0, sizeof files);
	for (size_t at = 3; at < size;)
		at += place_piece(&files, data + at, size - at);
	place_heads(&files, data);
	check_files(&files);
	return 0;
}
