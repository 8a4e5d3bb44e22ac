/* Damage to every byte and block of every file of a database: it is opened and read, and the answer is right, or an error
 * that says what is damaged; never wrong, never a crash, never memory without bound. What may be lost without notice is
 * the suffix of the log that nothing proves to have been flushed; of a database that was closed, none. */
#include "fault/disk.h"

#include "api/handle.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	FILES_MAX = 64,
	BLOCK_BYTES = 4096,
	CUT_BYTES = 512,
	CASE_SECONDS_MAX = 60,
	CASES_AT_SCALE_1 = 4000, /* of a database */
	SHORT_BYTES = 64 << 10, /* a file of no more used bytes is damaged at each of them */
	LINE_BYTES = 64,
	CASES_FLOOR = 3500, /* at scale 1 */
	CASES_CLOSED_FLOOR = 50000,
	FILLED_FLOOR = 30000, /* bytes that are damaged one by one, also under sanitizers */
	PERMILLE = 1000, /* scales at which is tried: */
	PERMILLE_FOR_FILLED = 100, /* each byte of what is not empty in a short file of a closed database */
	PERMILLE_FOR_EVERYTHING = 40000, /* each byte of everything */
	MEMORY_BYTES_MAX = 1 << 30, /* of the process, without sanitizers */
	COMMITS = 5,
};

struct used_file {
	char path[SOPI_PATH_BYTES_MAX + 1];
	uint8_t *bytes;
	uint8_t *older; /* what it was at the checkpoint before; NULL: it was not there */
	size_t size;
	size_t older_size;
	size_t used; /* bytes up to the last that is not 0 */
	size_t filled; /* of these, those of lines that are not all 0 */
};

/* What a file becomes. */
struct damage {
	const char *what;
	uint64_t place;
	const uint8_t *bytes; /* NULL: there is no file any more */
	size_t size;
	bool one_byte; /* at that place; otherwise they are the whole file */
};

/* A database, and what it holds. */
struct victim {
	const char *name;
	struct sopi_sim_disk *disk;
	bool closed; /* cleanly: nothing may be lost */
	struct used_file files[FILES_MAX];
	size_t file_count;
	uint64_t content[COMMITS + 1]; /* after so many commits of the last few */
	uint64_t cases;
	uint64_t found; /* cases that gave an error */
	uint64_t lost; /* cases that lost a suffix */
	uint64_t flipped; /* bytes */
	uint64_t filled; /* bytes that must be */
};

/* ---- files -------------------------------------------------------------------------------------------------------- */

static struct sopi_folder *open_folder(struct sopi_sim_process *process)
{
	struct sopi_folder *folder = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_files_open_folder(sopi_sim_platform(process)->files, "/db", 0, &folder, &err), err);
	return folder;
}

static uint8_t *read_file(struct sopi_folder *folder, const char *path, size_t *size)
{
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;
	uint64_t bytes = 0;
	uint8_t *room;

	if (sopi_folder_open_file(folder, path, SOPI_FILE_READ, &file, &err) == SOP_NOT_FOUND)
		return NULL;
	TEST_OK(sopi_file_size(file, &bytes, &err), err);
	room = test_alloc((size_t)bytes + 1);
	TEST_OK(sopi_file_read(file, 0, room, (size_t)bytes, size, &err), err);
	sopi_file_close(file);
	return room;
}

static bool line_is_filled(const struct used_file *file, size_t at)
{
	for (size_t i = at - at % LINE_BYTES; i < file->used && i <= (at | (LINE_BYTES - 1)); i++)
		if (file->bytes[i] != 0)
			return true;
	return false;
}

struct listing {
	struct victim *victim;
	struct sopi_folder *folder;
	const char *in;
};

static sop_status list_entry(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	const struct listing *listing = arg;
	struct victim *victim = listing->victim;
	struct used_file *file = &victim->files[victim->file_count];
	char path[SOPI_PATH_BYTES_MAX + 1];
	struct listing inside = *listing;

	(void)snprintf(path, sizeof path, "%s%s%s", listing->in, listing->in[0] != '\0' ? "/" : "", name);
	if (kind == SOPI_ENTRY_FOLDER) {
		inside.in = path;
		return sopi_folder_list(listing->folder, path, list_entry, &inside, err);
	}
	if (strcmp(path, "tmp/ballast") == 0 || strcmp(path, "LOCK") == 0) /* nobody reads them */
		return SOP_OK;
	assert_true(victim->file_count < FILES_MAX);
	memcpy(file->path, path, sizeof path);
	file->bytes = read_file(listing->folder, path, &file->size);
	for (file->used = file->size; file->used > 0 && file->bytes[file->used - 1] == 0;)
		file->used--;
	for (size_t at = 0; at < file->used; at++)
		file->filled += line_is_filled(file, at);
	victim->file_count++;
	return SOP_OK;
}

static void list_files(struct victim *victim, struct sopi_sim_disk *older)
{
	struct sopi_sim_process *process = sopi_sim_process_new(victim->disk, NULL, 1);
	struct sopi_sim_process *before = sopi_sim_process_new(older, NULL, 1);
	struct listing listing = { victim, open_folder(process), "" };
	struct sopi_folder *folder = open_folder(before);
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_list(listing.folder, "", list_entry, &listing, &err), err);
	for (size_t i = 0; i < victim->file_count; i++)
		victim->files[i].older =
			read_file(folder, victim->files[i].path, &victim->files[i].older_size);
	sopi_folder_close(listing.folder);
	sopi_folder_close(folder);
	sopi_sim_process_free(process);
	sopi_sim_process_free(before);
}

/* ---- making one --------------------------------------------------------------------------------------------------- */

static sop_bytes value_of(uint8_t room[300], uint64_t number, uint64_t round)
{
	for (size_t i = 0; i < 300; i++)
		room[i] = (uint8_t)(number * 31 + round * 7 + i);
	return test_bytes(room, number % 10 == 3 ? 300 : 20); /* larger ones are kept apart */
}

static void put_items(struct disk_run *run, uint64_t from, uint64_t count, uint64_t round)
{
	sop_store *store = NULL;
	uint8_t key[8], value[300];

	TEST_OK(sop_store_open(run->db, test_text("items"), NULL, &store, &run->err), run->err);
	TEST_OK(sop_begin(run->db, NULL, &run->txn, &run->err), run->err);
	if (round == 0)
		TEST_OK(sop_store_create(run->txn, store, &run->err), run->err);
	for (uint64_t i = from; i < from + count; i++)
		TEST_OK(sop_put(run->txn, store, test_key_u64(key, i), value_of(value, i, round),
				&run->err),
			run->err);
	TEST_OK(sop_commit(run->txn, &run->err), run->err);
	sop_txn_free(run->txn);
	run->txn = NULL;
	sop_store_free(store);
}

static uint64_t content_of(struct disk_run *run)
{
	uint64_t content = 0;

	TEST_OK(disk_content(run->db, true, &content, &run->err), run->err);
	return content;
}

/* Is there a page that is a patch in some file? */
static bool has_patch(const struct victim *victim)
{
	static const uint8_t head[6] = { 'S', 'O', 'P', 'n', 1, 3 };

	for (size_t i = 0; i < victim->file_count; i++) {
		const struct used_file *file = &victim->files[i];

		for (uint64_t at = 0; at + sizeof head <= file->size; at++) {
			if (memcmp(file->bytes + at, head, sizeof head) == 0)
				return true;
		}
	}
	return false;
}

/* Two checkpoints, a few commits behind them; then it is closed, or its process dies. */
static void make_victim(struct victim *victim, const char *name, bool closed)
{
	const sop_error fresh = SOP_ERROR_INIT;
	struct disk_run run = { .disk = sopi_sim_disk_new(), .small = true, .err = fresh };
	struct sopi_sim_disk *older;

	memset(victim, 0, sizeof *victim);
	victim->name = name;
	victim->closed = closed;
	run.process = sopi_sim_process_new(run.disk, NULL, test_seed());
	TEST_OK(disk_open(&run), run.err);
	put_items(&run, 0, 200, 0);
	TEST_OK(sop_checkpoint(run.db, &run.err), run.err);
	put_items(&run, 20, 60, 1);
	put_items(&run, 153, 1, 1); /* single ones: patches, one with a value apart */
	put_items(&run, 175, 1, 1);
	older = sopi_sim_disk_copy(run.disk);
	TEST_OK(sop_checkpoint(run.db, &run.err), run.err);
	victim->content[0] = content_of(&run);
	for (uint64_t i = 1; i <= COMMITS; i++) {
		put_items(&run, i * 10, 5, i + 1);
		victim->content[i] = content_of(&run);
	}
	if (closed)
		TEST_OK(sop_close(run.db, &run.err), run.err);
	else
		sopi_sim_kill(run.process);
	disk_drop(&run);
	sopi_sim_process_free(run.process);
	victim->disk = run.disk;
	list_files(victim, older);
	sopi_sim_disk_free(older);
	assert_true(has_patch(victim));
}

static void free_victim(struct victim *victim)
{
	for (size_t i = 0; i < victim->file_count; i++) {
		free(victim->files[i].bytes);
		free(victim->files[i].older);
	}
	sopi_sim_disk_free(victim->disk);
}

/* ---- judging ------------------------------------------------------------------------------------------------------ */

static bool is_honest(struct victim *victim, sop_status status, const sop_error *err)
{
	if (status != SOP_CORRUPT && status != SOP_UNSUPPORTED)
		fail_msg("%s: %s", sop_status_name(status), err->message);
	assert_true(err->message[0] != '\0');
	victim->found++;
	return true;
}

/* Is it the whole, or, where that is allowed, what was there a few commits before? */
static void judge_content(struct victim *victim, const struct used_file *file, uint64_t content)
{
	const bool may_lose = strncmp(file->path, "log/", 4) == 0 && !victim->closed;

	if (content == victim->content[COMMITS])
		return;
	for (size_t i = COMMITS; i-- > 0;) {
		if (content != victim->content[i])
			continue;
		if (!may_lose)
			fail_msg("%zu commits are lost without notice", (size_t)COMMITS - i);
		victim->lost++;
		return;
	}
	fail_msg("what is read is wrong");
}

/* Writing may fail, but neither crash nor hang. */
static void use(struct disk_run *run)
{
	(void)sop_checkpoint(run->db, &run->err);
	(void)sop_gc(run->db, NULL, NULL, &run->err);
	(void)sop_verify(run->db, NULL, NULL, NULL, NULL, &run->err);
}

static void open_and_read(struct victim *victim, const struct used_file *file, struct disk_run *run)
{
	uint64_t content = 0;
	sop_status status = disk_open(run);

	if (status == SOP_OK)
		status = disk_content(run->db, true, &content, &run->err);
	if (status == SOP_OK)
		judge_content(victim, file, content);
	else
		(void)is_honest(victim, status, &run->err);
	if (run->db == NULL)
		return;
	status = sop_verify(run->db, NULL, NULL, NULL, NULL, &run->err);
	if (status != SOP_OK)
		assert_int_equal(status, SOP_CORRUPT);
	if (victim->cases % 8 == 0)
		use(run);
}

/* ---- damage ------------------------------------------------------------------------------------------------------- */

static void inflict(struct sopi_sim_process *process, const char *path, const struct damage *damage)
{
	struct sopi_folder *folder = open_folder(process);
	sop_error err = SOP_ERROR_INIT;
	struct sopi_file *file = NULL;

	if (damage->bytes == NULL) {
		TEST_OK(sopi_folder_remove(folder, path, &err), err);
		sopi_folder_close(folder);
		return;
	}
	TEST_OK(sopi_folder_open_file(folder, path, SOPI_FILE_WRITE, &file, &err), err);
	if (!damage->one_byte)
		TEST_OK(sopi_file_resize(file, damage->size, &err), err);
	if (damage->size != 0)
		TEST_OK(sopi_file_write(file, damage->one_byte ? damage->place : 0, damage->bytes,
					damage->size, &err),
			err);
	sopi_file_close(file);
	sopi_folder_close(folder);
}

/* Tries the database with one file damaged. */
static void try_damage(struct victim *victim, const struct used_file *file, const struct damage *damage)
{
	const int64_t live = sopi_alloc_live_count();
	const sop_error fresh = SOP_ERROR_INIT;
	struct disk_run run = { .disk = sopi_sim_disk_copy(victim->disk), .small = true, .err = fresh };

	disk_note_point("%s database, %s: %s %llu", victim->name, file->path, damage->what,
			(unsigned long long)damage->place);
	(void)alarm(CASE_SECONDS_MAX);
	run.process = sopi_sim_process_new(run.disk, NULL, test_seed() + 1000 + victim->cases);
	inflict(run.process, file->path, damage);
	open_and_read(victim, file, &run);
	disk_drop(&run);
	sopi_sim_process_free(run.process);
	sopi_sim_disk_free(run.disk);
	assert_int_equal(sopi_alloc_live_count(), live);
	victim->cases++;
	(void)alarm(0);
	disk_forget_point();
}

/* With one file replaced as a whole. */
static void try_case(struct victim *victim, const struct used_file *file, const uint8_t *bytes,
		     size_t size, const char *what, uint64_t place)
{
	const struct damage damage = { what, place, bytes, size, false };

	try_damage(victim, file, &damage);
}

/* Flips bits of each `step`-th byte; and, if `every`, of each byte of a line that is not all 0. */
static void flip_bytes(struct victim *victim, const struct used_file *file, uint64_t step, bool every)
{
	const uint64_t first = victim->cases % step;

	for (uint64_t at = 0; at < file->used; at++) {
		const uint64_t n = every ? at : at / step;
		const uint8_t bits = n % 2 == 0 ? (uint8_t)(1u << n / 2 % 8) : 0xFFu;
		const uint8_t flipped = file->bytes[at] ^ bits;
		const struct damage damage = { "flipped at", at, &flipped, 1, true };

		if (at % step != first && !(every && line_is_filled(file, at)))
			continue;
		try_damage(victim, file, &damage);
		victim->flipped++;
	}
}

static void zero_blocks(struct victim *victim, struct used_file *file)
{
	uint8_t kept[BLOCK_BYTES];

	for (size_t at = 0; at < file->used; at += BLOCK_BYTES) {
		const size_t size = file->size - at < BLOCK_BYTES ? file->size - at : BLOCK_BYTES;

		memcpy(kept, file->bytes + at, size);
		memset(file->bytes + at, 0, size);
		try_case(victim, file, file->bytes, file->size, "zeroed at", at);
		memcpy(file->bytes + at, kept, size);
	}
}

static void swap_blocks(uint8_t *bytes)
{
	uint8_t kept[BLOCK_BYTES];

	memcpy(kept, bytes, BLOCK_BYTES);
	memcpy(bytes, bytes + BLOCK_BYTES, BLOCK_BYTES);
	memcpy(bytes + BLOCK_BYTES, kept, BLOCK_BYTES);
}

static void misplace_blocks(struct victim *victim, struct used_file *file)
{
	for (size_t at = 0; at < file->used && at + (size_t)2 * BLOCK_BYTES <= file->size;
	     at += BLOCK_BYTES) {
		swap_blocks(file->bytes + at);
		try_case(victim, file, file->bytes, file->size, "swapped with the next block at", at);
		swap_blocks(file->bytes + at);
	}
}

static void truncate_at(struct victim *victim, struct used_file *file, uint64_t share)
{
	const size_t step = (size_t)(file->used / CUT_BYTES / (share / 6 + 1) + 1) * CUT_BYTES;

	for (size_t at = 0; at < file->used + CUT_BYTES && at < file->size; at += step) {
		try_case(victim, file, file->bytes, at, "cut at", at);
		if (at > 0)
			try_case(victim, file, file->bytes, at - 1, "cut at", at - 1);
		if (at + 1 < file->size)
			try_case(victim, file, file->bytes, at + 1, "cut at", at + 1);
	}
	try_case(victim, file, file->bytes, file->size - 1, "cut at", file->size - 1);
}

static void replace_whole(struct victim *victim, struct used_file *file)
{
	const size_t size = file->size + BLOCK_BYTES + 7;
	uint8_t *longer = test_alloc(size);

	memcpy(longer, file->bytes, file->size);
	for (size_t i = file->size; i < size; i++)
		longer[i] = (uint8_t)(i * 131 + 5);
	try_case(victim, file, longer, size, "extended", 0);
	memset(longer + file->size, 0, size - file->size);
	try_case(victim, file, longer, size, "extended by zeros", 0);
	free(longer);
	try_case(victim, file, NULL, 0, "missing", 0);
	if (file->older != NULL)
		try_case(victim, file, file->older, file->older_size, "as it was before", 0);
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

/* Of a database that was closed, each byte of what is not long and says something: always, but in a very short run. */
static bool is_flipped_everywhere(const struct victim *victim, const struct used_file *file)
{
	return victim->closed && file->filled <= SHORT_BYTES &&
	       test_scaled(PERMILLE) >= PERMILLE_FOR_FILLED;
}

/* Where there is time, the room between it as well; of the rest a share, and all of it in ci/long. */
static uint64_t flip_step(const struct victim *victim, const struct used_file *file, uint64_t share)
{
	const bool closed_and_short = victim->closed && file->used <= SHORT_BYTES;

	if (test_scaled(PERMILLE) >= (closed_and_short ? PERMILLE : PERMILLE_FOR_EVERYTHING))
		return 1;
	return file->used / (share + 1) + 1;
}

static void damage_all(struct victim *victim)
{
	const uint64_t share = test_scaled(CASES_AT_SCALE_1) / victim->file_count;
	uint64_t used = 0;

	for (size_t i = 0; i < victim->file_count; i++) {
		struct used_file *file = &victim->files[i];
		const bool every = is_flipped_everywhere(victim, file);

		used += file->used;
		victim->filled += every ? file->filled : 0;
		if (file->used == 0)
			continue; /* no more than a reservation */
		replace_whole(victim, file);
		zero_blocks(victim, file);
		misplace_blocks(victim, file);
		truncate_at(victim, file, share);
		flip_bytes(victim, file, flip_step(victim, file, share), every);
	}
	print_message("%s: %zu files, %llu bytes used, %llu cases (%lld a minute), %llu found, %llu lost a suffix\n",
		      victim->name, victim->file_count, (unsigned long long)used,
		      (unsigned long long)victim->cases,
		      (long long)test_per_minute((int64_t)victim->cases),
		      (unsigned long long)victim->found, (unsigned long long)victim->lost);
}

static void damage_is_found(const char *name, bool closed)
{
	struct victim *victim = test_alloc(sizeof *victim);
	const uint64_t scale = test_scaled(PERMILLE);

	make_victim(victim, name, closed);
	damage_all(victim);
	if (closed && scale >= PERMILLE_FOR_FILLED)
		assert_true(victim->filled >= FILLED_FLOOR && victim->flipped >= victim->filled);
	if (scale >= PERMILLE)
		assert_true(victim->cases >= (closed ? CASES_CLOSED_FLOOR : CASES_FLOOR));
	assert_true(victim->found >= victim->cases / 4);
	free_victim(victim);
	free(victim);
}

static void damage_to_a_closed_database_is_found(void **state)
{
	(void)state;
	damage_is_found("closed", true);
}

static void damage_to_a_killed_database_is_found(void **state)
{
	(void)state;
	damage_is_found("killed", false);
}

/* A length that a damaged file claims must not be believed: it would not fit. */
static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	const struct rlimit limit = { MEMORY_BYTES_MAX, MEMORY_BYTES_MAX };

	(void)setrlimit(RLIMIT_DATA, &limit);
#endif
}

#ifdef __SANITIZE_ADDRESS__
/* What a case allocates is freed at its end: a few MB of freed memory are enough to find a use of it, and the default of
 * 256 MB spends a third of the time on touching ever new pages. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "quarantine_size_mb=4";
}
#endif

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(damage_to_a_closed_database_is_found, disk_after_test),
		cmocka_unit_test_teardown(damage_to_a_killed_database_is_found, disk_after_test),
	};

	limit_memory();
	test_begin(argc, argv);
	disk_watch_crashes();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
