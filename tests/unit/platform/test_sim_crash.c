/* What a power cut, a failed sync and a kill leave of a simulated disk, and that a trace visits every such state. */
#include "acceptance.h"

#include "base/crc32c.h"
#include "platform/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = SOPI_SIM_SECTOR_BYTES, PAGE = SOPI_SIM_PAGE_BYTES };

/* A disk with one process and the folder /db, which is durable. */
struct box {
	struct sopi_sim_disk *disk;
	struct sopi_sim_process *process;
	struct sopi_folder *folder;
};

static void box_start(struct box *box)
{
	sop_error err = SOP_ERROR_INIT;

	box->process = sopi_sim_process_new(box->disk, NULL, 1);
	TEST_OK(sopi_files_open_folder(sopi_sim_platform(box->process)->files, "/db",
				       SOPI_FOLDER_CREATE, &box->folder, &err),
		err);
}

static void box_stop(struct box *box)
{
	sopi_folder_close(box->folder);
	sopi_sim_process_free(box->process);
}

static int setup(void **state)
{
	struct box *box = test_alloc(sizeof *box);

	box->disk = sopi_sim_disk_new();
	box_start(box);
	*state = box;
	return 0;
}

static int teardown(void **state)
{
	struct box *box = *state;

	box_stop(box);
	sopi_sim_disk_free(box->disk);
	free(box);
	return 0;
}

/* Cuts the power and boots again. */
static void reboot(struct box *box, const struct sopi_sim_cut *cut)
{
	sopi_sim_power_cut(box->disk, cut);
	assert_false(sopi_sim_is_alive(box->process));
	box_stop(box);
	box_start(box);
}

/* A copy of the box's disk after a power cut, booted. */
static struct box crashed(const struct box *box, enum sopi_sim_keep keep, size_t which,
			  size_t tear_bytes, uint64_t seed)
{
	const struct sopi_sim_cut cut = { keep, which, tear_bytes, seed };
	struct box copy = { .disk = sopi_sim_disk_copy(box->disk) };

	sopi_sim_power_cut(copy.disk, &cut);
	box_start(&copy);
	return copy;
}

static void box_free(struct box *box)
{
	box_stop(box);
	sopi_sim_disk_free(box->disk);
}

static const struct sopi_sim_cut keep_none = { .keep = SOPI_SIM_KEEP_NONE };
static const struct sopi_sim_cut keep_all = { .keep = SOPI_SIM_KEEP_ALL };

static void write_at(struct sopi_file *file, uint64_t offset, const char *text)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_write(file, offset, text, strlen(text), &err), err);
}

static void sync_file(struct sopi_file *file)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_sync(file, &err), err);
}

static void sync_folder(struct box *box, const char *path)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_sync(box->folder, path, &err), err);
}

/* A file `path` that holds `text`, durable with its name. */
static void put_durable(struct box *box, const char *path, const char *text)
{
	struct sopi_file *file;

	acceptance_put(box->folder, path, text);
	file = acceptance_open(box->folder, path, SOPI_FILE_READ);
	sync_file(file);
	sopi_file_close(file);
	sync_folder(box, "");
}

static void overwrite(struct box *box, const char *path, const char *text)
{
	struct sopi_file *file = acceptance_open(box->folder, path, SOPI_FILE_WRITE);

	write_at(file, 0, text);
	sopi_file_close(file);
}

/* The whole file, up to `room` bytes; returns its size. */
static size_t slurp(const struct box *box, const char *path, char *to, size_t room)
{
	struct sopi_file *file = acceptance_open(box->folder, path, SOPI_FILE_READ);
	size_t got = 0;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_read(file, 0, to, room, &got, &err), err);
	sopi_file_close(file);
	return got;
}

static bool exists(const struct box *box, const char *path)
{
	struct sopi_entry entry;
	const sop_status status = sopi_folder_look(box->folder, path, &entry, NULL);

	assert_true(status == SOP_OK || status == SOP_NOT_FOUND);
	return status == SOP_OK;
}

static bool holds(const struct box *box, const char *path, const char *text)
{
	char room[100];

	return exists(box, path) && slurp(box, path, room, sizeof room) == strlen(text) &&
	       memcmp(room, text, strlen(text)) == 0;
}

/* ---- content */

static void what_was_not_synced_may_be_lost_or_kept(void **state)
{
	struct box *box = *state;

	put_durable(box, "f", "old");
	assert_int_equal(sopi_sim_disk_unsynced(box->disk), 0);
	overwrite(box, "f", "new");
	acceptance_expect(box->folder, "f", "new");
	assert_int_equal(sopi_sim_disk_unsynced(box->disk), 1);
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "f", "old");
	overwrite(box, "f", "new");
	reboot(box, &keep_all);
	acceptance_expect(box->folder, "f", "new");
	reboot(box, &keep_none); /* what a boot found stays */
	acceptance_expect(box->folder, "f", "new");
}

static void what_was_synced_survives(void **state)
{
	struct box *box = *state;
	struct sopi_file *file;
	sop_error err = SOP_ERROR_INIT;

	put_durable(box, "f", "old");
	file = acceptance_open(box->folder, "f", SOPI_FILE_WRITE);
	write_at(file, 0, "longer than it was");
	TEST_OK(sopi_file_sync_data(file, &err), err); /* with the size that it takes to read it */
	write_at(file, 0, "LONGER");
	sopi_file_close(file);
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "f", "longer than it was");
}

static void a_kill_loses_nothing_of_the_page_cache(void **state)
{
	struct box *box = *state;

	acceptance_put(box->folder, "f", "text");
	sopi_sim_kill(box->process);
	box_stop(box);
	box_start(box);
	acceptance_expect(box->folder, "f", "text");
	reboot(box, &keep_none);
	acceptance_expect_missing(box->folder, "f");
}

static void a_cut_file_may_come_back_whole(void **state)
{
	struct box *box = *state;
	struct sopi_file *file;
	sop_error err = SOP_ERROR_INIT;

	put_durable(box, "f", "0123456789");
	file = acceptance_open(box->folder, "f", SOPI_FILE_WRITE);
	TEST_OK(sopi_file_resize(file, 4, &err), err);
	sopi_file_close(file);
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "f", "0123456789");
	file = acceptance_open(box->folder, "f", SOPI_FILE_WRITE);
	TEST_OK(sopi_file_resize(file, 4, &err), err);
	sync_file(file);
	sopi_file_close(file);
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "f", "0123");
}

static void size_and_bytes_survive_apart(void **state)
{
	struct box *box = *state;
	struct sopi_file *file;
	struct box crash;
	char room[100];

	put_durable(box, "f", "");
	file = acceptance_open(box->folder, "f", SOPI_FILE_WRITE);
	write_at(file, 0, "text"); /* change 0: the bytes; 1: the size */
	assert_int_equal(sopi_sim_disk_unsynced(box->disk), 2);
	crash = crashed(box, SOPI_SIM_KEEP_ONE, 1, 0, 0);
	assert_int_equal(slurp(&crash, "f", room, sizeof room), 4);
	assert_memory_equal(room, "\0\0\0\0", 4); /* the size before the data */
	box_free(&crash);
	crash = crashed(box, SOPI_SIM_KEEP_ONE, 0, 0, 0);
	assert_true(holds(&crash, "f", ""));
	write_at(file, 8, "x");
	sopi_file_close(file);
	sopi_file_close(acceptance_open(crash.folder, "f", SOPI_FILE_READ));
	file = acceptance_open(crash.folder, "f", SOPI_FILE_WRITE);
	write_at(file, 8, "x"); /* bytes behind the end do not come back to life */
	sopi_file_close(file);
	assert_int_equal(slurp(&crash, "f", room, sizeof room), 9);
	assert_memory_equal(room, "\0\0\0\0\0\0\0\0x", 9);
	box_free(&crash);
}

/* Fills `out` with the first letter of each sector of the file `f`, checking that a sector is of one piece. */
static void letters_of_sectors(const struct box *box, char *out, size_t sectors)
{
	char *room = test_alloc(sectors * SECTOR);

	assert_int_equal(slurp(box, "f", room, sectors * SECTOR), sectors * SECTOR);
	for (size_t i = 0; i < sectors; i++) {
		out[i] = room[i * SECTOR];
		for (size_t at = 0; at < SECTOR; at++)
			assert_int_equal(room[i * SECTOR + at], out[i]);
	}
	out[sectors] = '\0';
	free(room);
}

static void write_sectors(struct sopi_file *file, size_t first, size_t count, char letter)
{
	char *block = memset(test_alloc(count * SECTOR), letter, count * SECTOR);
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_write(file, first * SECTOR, block, count * SECTOR, &err), err);
	free(block);
}

/* The file `f` of `sectors` times the letter o, durable, open for writing. */
static struct sopi_file *file_of_sectors(struct box *box, size_t sectors)
{
	struct sopi_file *file = acceptance_open(box->folder, "f", ACCEPTANCE_NEW);

	write_sectors(file, 0, sectors, 'o');
	sync_file(file);
	sync_folder(box, "");
	return file;
}

static void a_write_is_torn_between_sectors(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = file_of_sectors(box, 8);
	int seen[256] = { 0 };
	int kinds = 0;

	write_sectors(file, 0, 8, 'n');
	for (uint64_t seed = 0; seed < 400; seed++) {
		struct box crash = crashed(box, SOPI_SIM_KEEP_SOME, 0, SECTOR, seed);
		char letters[9];
		int pattern = 0;

		letters_of_sectors(&crash, letters, 8);
		for (int i = 0; i < 8; i++)
			pattern |= (letters[i] == 'n') << i;
		kinds += seen[pattern]++ == 0;
		box_free(&crash);
	}
	assert_true(kinds > 150); /* of 256; 400 throws give about 200 */
	sopi_file_close(file);
}

static void a_write_torn_at_4096_keeps_pages_whole(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = file_of_sectors(box, 24);
	int halves = 0;

	write_sectors(file, 4, 16, 'n'); /* half a page, a page, half a page */
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct box crash = crashed(box, SOPI_SIM_TEAR_ONE, 0, PAGE, seed);
		char letters[25];

		letters_of_sectors(&crash, letters, 24);
		assert_memory_equal(letters, "oooo", 4);
		assert_memory_equal(letters + 20, "oooo", 4);
		for (size_t i = 5; i < 8; i++)
			assert_int_equal(letters[i], letters[4]);
		for (size_t i = 9; i < 16; i++)
			assert_int_equal(letters[i], letters[8]);
		for (size_t i = 17; i < 20; i++)
			assert_int_equal(letters[i], letters[16]);
		halves += letters[4] != letters[8] || letters[8] != letters[16];
		box_free(&crash);
	}
	assert_true(halves > 40);
	sopi_file_close(file);
}

static void writes_survive_in_any_order(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = file_of_sectors(box, 2);
	int seen[4] = { 0 };

	write_sectors(file, 0, 1, 'n');
	write_sectors(file, 1, 1, 'n');
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct box crash = crashed(box, SOPI_SIM_KEEP_SOME, 0, 0, seed);
		char letters[3];

		letters_of_sectors(&crash, letters, 2);
		seen[(letters[0] == 'n') + 2 * (letters[1] == 'n')]++;
		box_free(&crash);
	}
	for (int i = 0; i < 4; i++)
		assert_true(seen[i] > 0); /* 2: the second without the first */
	sopi_file_close(file);
}

static void of_two_writes_to_a_sector_either_or_none_survives(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = file_of_sectors(box, 1);
	int seen[256] = { 0 };

	write_sectors(file, 0, 1, 'a');
	write_sectors(file, 0, 1, 'b');
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct box crash = crashed(box, SOPI_SIM_KEEP_SOME, 0, SECTOR, seed);
		char letters[2];

		letters_of_sectors(&crash, letters, 1);
		seen[(unsigned char)letters[0]]++;
		box_free(&crash);
	}
	assert_true(seen['o'] > 0 && seen['a'] > 0 && seen['b'] > 0);
	assert_int_equal(seen['o'] + seen['a'] + seen['b'], 100);
	sopi_file_close(file);
}

static void the_same_cut_leaves_the_same_disk(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = file_of_sectors(box, 32);

	write_sectors(file, 0, 32, 'n');
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct box one = crashed(box, SOPI_SIM_KEEP_SOME, 0, SECTOR, seed);
		struct box other = crashed(box, SOPI_SIM_KEEP_SOME, 0, SECTOR, seed);
		char a[33];
		char b[33];

		letters_of_sectors(&one, a, 32);
		letters_of_sectors(&other, b, 32);
		assert_string_equal(a, b);
		box_free(&one);
		box_free(&other);
	}
	sopi_file_close(file);
}

static void one_change_is_dropped_or_kept_alone(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = file_of_sectors(box, 3);
	struct box crash;
	char letters[4];

	for (size_t i = 0; i < 3; i++)
		write_sectors(file, i, 1, 'n');
	crash = crashed(box, SOPI_SIM_DROP_ONE, 1, 0, 0);
	letters_of_sectors(&crash, letters, 3);
	assert_string_equal(letters, "non");
	box_free(&crash);
	crash = crashed(box, SOPI_SIM_KEEP_ONE, 1, 0, 0);
	letters_of_sectors(&crash, letters, 3);
	assert_string_equal(letters, "ono");
	box_free(&crash);
	sopi_file_close(file);
}

static void a_direct_write_is_durable_on_return(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = acceptance_open(box->folder, "f", ACCEPTANCE_NEW | SOPI_FILE_DIRECT);
	_Alignas(4096) static char page[PAGE];
	char room[PAGE + 1];
	sop_error err = SOP_ERROR_INIT;

	sync_folder(box, "");
	memset(page, 'd', sizeof page);
	TEST_OK(sopi_file_write(file, 0, page, sizeof page, &err), err);
	assert_int_equal(sopi_sim_disk_unsynced(box->disk), 0);
	sopi_file_close(file);
	reboot(box, &keep_none);
	assert_int_equal(slurp(box, "f", room, sizeof room), PAGE);
	assert_memory_equal(room, page, PAGE);
}

static void a_direct_write_syncs_itself_alone(void **state)
{
	struct box *box = *state;
	struct sopi_file *plain = acceptance_open(box->folder, "f", ACCEPTANCE_NEW);
	struct sopi_file *direct;
	_Alignas(4096) static char page[PAGE];
	char room[3 * PAGE];
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_resize(plain, 2 * PAGE, &err), err);
	sync_file(plain);
	sync_folder(box, "");
	direct = acceptance_open(box->folder, "f", SOPI_FILE_WRITE | SOPI_FILE_DIRECT);
	write_at(plain, 0, "not synced");
	memset(page, 'd', sizeof page);
	TEST_OK(sopi_file_write(direct, PAGE, page, sizeof page, &err), err);
	sopi_file_close(plain);
	sopi_file_close(direct);
	reboot(box, &keep_none);
	assert_int_equal(slurp(box, "f", room, sizeof room), 2 * PAGE);
	assert_int_equal(room[0], 0);
	assert_memory_equal(room + PAGE, page, PAGE);
}

/* What is done while a direct write of the first page is on its way. */
struct meanwhile {
	struct box *box;
	struct sopi_file *file;
	bool kills;
	int landings;
};

static void write_page(struct sopi_file *file, uint64_t offset, char letter)
{
	_Alignas(4096) static char pages[2][PAGE]; /* one may be written while the other is on its way */
	char *page = pages[offset != 0];
	sop_error err = SOP_ERROR_INIT;

	memset(page, letter, PAGE);
	TEST_OK(sopi_file_write(file, offset, page, PAGE, &err), err);
}

/* The first letter of either page if nothing that is not durable survives, or all of it. */
static void letters_after(struct box *box, enum sopi_sim_keep keep, char letters[2])
{
	struct box crash = crashed(box, keep, 0, 0, 0);
	char room[2 * PAGE + 1];

	assert_int_equal(slurp(&crash, "f", room, sizeof room), 2 * PAGE);
	letters[0] = room[0];
	letters[1] = room[PAGE];
	box_free(&crash);
}

static void write_meanwhile(void *arg, unsigned call, const char *path)
{
	struct meanwhile *meanwhile = arg;
	char letters[2];

	(void)path;
	if (call != SOPI_SIM_LAND)
		return;
	meanwhile->landings++;
	write_page(meanwhile->file, PAGE, 'b');
	letters_after(meanwhile->box, SOPI_SIM_KEEP_NONE, letters);
	assert_memory_equal(letters, "\0b", 2);
	if (meanwhile->kills)
		sopi_sim_kill(meanwhile->box->process);
}

static void begin_meanwhile(struct meanwhile *meanwhile, struct box *box)
{
	sop_error err = SOP_ERROR_INIT;

	meanwhile->box = box;
	meanwhile->file = acceptance_open(box->folder, "f", ACCEPTANCE_NEW | SOPI_FILE_DIRECT);
	TEST_OK(sopi_file_resize(meanwhile->file, 2 * PAGE, &err), err);
	sync_file(meanwhile->file);
	sync_folder(box, "");
	sopi_sim_watch(box->process, write_meanwhile, meanwhile);
}

static void a_direct_write_may_land_after_a_later_one(void **state)
{
	struct box *box = *state;
	struct meanwhile meanwhile = { .kills = false };
	char letters[2];

	begin_meanwhile(&meanwhile, box);
	write_page(meanwhile.file, 0, 'a');
	sopi_sim_watch(box->process, NULL, NULL);
	assert_int_equal(meanwhile.landings, 1);
	letters_after(box, SOPI_SIM_KEEP_NONE, letters);
	assert_memory_equal(letters, "ab", 2);
	sopi_file_close(meanwhile.file);
}

static void a_direct_write_of_a_killed_process_may_be_there_or_not(void **state)
{
	struct box *box = *state;
	struct meanwhile meanwhile = { .kills = true };
	_Alignas(4096) static const char page[PAGE] = "a";
	char letters[2];
	sop_error err = SOP_ERROR_INIT;

	begin_meanwhile(&meanwhile, box);
	TEST_STATUS(sopi_file_write(meanwhile.file, 0, page, PAGE, &err), SOP_IO, err);
	sopi_file_close(meanwhile.file);
	letters_after(box, SOPI_SIM_KEEP_NONE, letters);
	assert_memory_equal(letters, "\0b", 2);
	letters_after(box, SOPI_SIM_KEEP_ALL, letters);
	assert_memory_equal(letters, "ab", 2);
}

/* ---- names */

static void a_new_name_is_lost_without_a_sync_of_its_folder(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = acceptance_open(box->folder, "f", ACCEPTANCE_NEW);

	write_at(file, 0, "text");
	sync_file(file);
	sopi_file_close(file);
	reboot(box, &keep_none);
	acceptance_expect_missing(box->folder, "f");
	acceptance_put(box->folder, "f", "text");
	sync_folder(box, ""); /* the name, and nothing of what it stands for */
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "f", "");
}

static void a_folder_within_a_lost_folder_is_lost_too(void **state)
{
	struct box *box = *state;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_make(box->folder, "sub", &err), err);
	acceptance_put(box->folder, "sub/f", "text");
	sync_folder(box, "sub");
	reboot(box, &keep_none);
	acceptance_expect_missing(box->folder, "sub");
	TEST_OK(sopi_folder_make(box->folder, "sub", &err), err);
	acceptance_put(box->folder, "sub/f", "text");
	sync_folder(box, "sub");
	sync_folder(box, "");
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "sub/f", "");
}

static void a_removed_name_may_come_back(void **state)
{
	struct box *box = *state;
	sop_error err = SOP_ERROR_INIT;

	put_durable(box, "f", "text");
	TEST_OK(sopi_folder_remove(box->folder, "f", &err), err);
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "f", "text");
	TEST_OK(sopi_folder_remove(box->folder, "f", &err), err);
	sync_folder(box, "");
	reboot(box, &keep_none);
	acceptance_expect_missing(box->folder, "f");
}

/* As on a disk, where it is made shorter a piece at a time before its name goes. */
static void a_large_file_may_come_back_shorter(void **state)
{
	enum { LARGE_BYTES = 4 * SOPI_SIM_PAGE_BYTES };
	static char text[LARGE_BYTES + 1];
	struct box *box = *state;
	struct box crash;
	sop_error err = SOP_ERROR_INIT;

	memset(text, 'x', LARGE_BYTES);
	put_durable(box, "f", text);
	TEST_OK(sopi_folder_remove_large(box->folder, "f", &err), err); /* 0 and 1: half each time; 2: the name */
	assert_int_equal(sopi_sim_disk_unsynced(box->disk), 3);
	crash = crashed(box, SOPI_SIM_DROP_ONE, 2, 0, 0);
	assert_int_equal(slurp(&crash, "f", text, sizeof text), SOPI_SIM_PAGE_BYTES);
	box_free(&crash);
	sync_folder(box, "");
	reboot(box, &keep_none);
	acceptance_expect_missing(box->folder, "f");
}

static void removing_a_later_file_of_the_name_leaves_the_earlier(void **state)
{
	struct box *box = *state;
	struct box crash;
	sop_error err = SOP_ERROR_INIT;

	put_durable(box, "f", "text");
	TEST_OK(sopi_folder_remove(box->folder, "f", &err), err); /* 0 */
	sopi_file_close(acceptance_open(box->folder, "f", ACCEPTANCE_NEW)); /* 1 */
	TEST_OK(sopi_folder_remove(box->folder, "f", &err), err); /* 2 */
	crash = crashed(box, SOPI_SIM_KEEP_ONE, 2, 0, 0);
	assert_true(holds(&crash, "f", "text"));
	box_free(&crash);
}

/* Makes and removes so many files that the simulation tidies up. `scratch` is a durable folder. */
static void churn(struct box *box)
{
	sop_error err = SOP_ERROR_INIT;

	for (int i = 0; i < 200; i++) {
		sopi_file_close(acceptance_open(box->folder, "scratch/x", ACCEPTANCE_NEW));
		TEST_OK(sopi_folder_remove(box->folder, "scratch/x", &err), err);
	}
	sync_folder(box, "scratch");
}

static void a_removed_file_is_kept_as_long_as_it_may_come_back(void **state)
{
	struct box *box = *state;
	struct sopi_file *file;
	struct box crash;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_make(box->folder, "scratch", &err), err);
	put_durable(box, "f", "old");
	file = acceptance_open(box->folder, "g", ACCEPTANCE_NEW); /* 0 */
	write_at(file, 0, "text");
	sync_file(file);
	sopi_file_close(file);
	TEST_OK(sopi_folder_remove(box->folder, "g", &err), err); /* 1 */
	sopi_file_close(acceptance_open(box->folder, "tmp", ACCEPTANCE_NEW)); /* 2 */
	TEST_OK(sopi_folder_rename(box->folder, "tmp", "f", &err), err); /* 3 */
	churn(box);
	assert_int_equal(sopi_sim_disk_unsynced(box->disk), 4);
	crash = crashed(box, SOPI_SIM_KEEP_ONE, 0, 0, 0);
	assert_true(holds(&crash, "g", "text"));
	assert_true(holds(&crash, "f", "old"));
	box_free(&crash);
}

static void a_rename_is_old_or_new_and_may_come_before_the_data(void **state)
{
	struct box *box = *state;
	struct box crash;
	sop_error err = SOP_ERROR_INIT;

	put_durable(box, "f", "old");
	acceptance_put(box->folder, "tmp", "new"); /* 0: name, 1: bytes, 2: size */
	TEST_OK(sopi_folder_rename(box->folder, "tmp", "f", &err), err); /* 3 */
	assert_int_equal(sopi_sim_disk_unsynced(box->disk), 4);
	crash = crashed(box, SOPI_SIM_KEEP_NONE, 0, 0, 0);
	assert_true(holds(&crash, "f", "old") && !exists(&crash, "tmp"));
	box_free(&crash);
	crash = crashed(box, SOPI_SIM_KEEP_ALL, 0, 0, 0);
	assert_true(holds(&crash, "f", "new") && !exists(&crash, "tmp"));
	box_free(&crash);
	crash = crashed(box, SOPI_SIM_KEEP_ONE, 3, 0, 0);
	assert_true(holds(&crash, "f", "") && !exists(&crash, "tmp"));
	box_free(&crash);
	crash = crashed(box, SOPI_SIM_DROP_ONE, 3, 0, 0);
	assert_true(holds(&crash, "f", "old") && holds(&crash, "tmp", "new"));
	box_free(&crash);
}

static void a_rename_between_folders_never_loses_the_file(void **state)
{
	struct box *box = *state;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_make(box->folder, "a", &err), err);
	TEST_OK(sopi_folder_make(box->folder, "b", &err), err);
	put_durable(box, "a/f", "text");
	sync_folder(box, "a");
	TEST_OK(sopi_folder_rename(box->folder, "a/f", "b/f", &err), err);
	sync_folder(box, "a"); /* where it came from: says nothing about where it went */
	for (int i = 0; i < 2; i++) {
		struct box crash =
			crashed(box, i == 0 ? SOPI_SIM_KEEP_NONE : SOPI_SIM_KEEP_ALL, 0, 0, 0);

		assert_int_equal(holds(&crash, "a/f", "text"), i == 0);
		assert_int_equal(holds(&crash, "b/f", "text"), i == 1);
		box_free(&crash);
	}
	sync_folder(box, "b");
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "b/f", "text");
	acceptance_expect_missing(box->folder, "a/f");
}

/* The order of changes to one name counts even where a later one is synced first. */
static void a_file_moved_out_of_an_unsynced_folder_is_not_in_both(void **state)
{
	struct box *box = *state;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_make(box->folder, "tmp", &err), err);
	sync_folder(box, "");
	for (int i = 0; i < 200; i++) {
		struct sopi_file *file = acceptance_open(box->folder, "tmp/f", ACCEPTANCE_NEW);

		write_at(file, 0, "text");
		sync_file(file);
		sopi_file_close(file);
		TEST_OK(sopi_folder_rename(box->folder, "tmp/f", "f", &err), err);
		sync_folder(box, "");
		assert_true(sopi_sim_disk_unsynced(box->disk) == 0); /* nothing piles up */
	}
	sync_folder(box, "tmp");
	reboot(box, &keep_all);
	acceptance_expect(box->folder, "f", "text");
	acceptance_expect_missing(box->folder, "tmp/f");
}

static void a_link_is_durable_with_the_folder_of_the_new_name(void **state)
{
	struct box *box = *state;
	sop_error err = SOP_ERROR_INIT;

	put_durable(box, "f", "text");
	TEST_OK(sopi_folder_link(box->folder, "f", "g", &err), err);
	reboot(box, &keep_none);
	acceptance_expect_missing(box->folder, "g");
	TEST_OK(sopi_folder_link(box->folder, "f", "g", &err), err);
	sync_folder(box, "");
	TEST_OK(sopi_folder_remove(box->folder, "f", &err), err);
	sync_folder(box, "");
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "g", "text");
	acceptance_expect_missing(box->folder, "f");
}

static void a_file_without_a_name_is_gone_after_a_cut(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = acceptance_open(box->folder, "f", ACCEPTANCE_NEW);
	char *block = test_alloc(PAGE);
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_write(file, 0, memset(block, 'x', PAGE), PAGE, &err), err);
	sync_file(file);
	TEST_OK(sopi_folder_remove(box->folder, "f", &err), err);
	assert_int_equal(sopi_sim_disk_used_bytes(box->disk), PAGE);
	sopi_sim_power_cut(box->disk, &keep_all);
	TEST_STATUS(sopi_file_sync(file, &err), SOP_IO, err);
	sopi_file_close(file);
	assert_int_equal(sopi_sim_disk_used_bytes(box->disk), 0);
	box_stop(box);
	box_start(box);
	free(block);
}

static void a_cut_ends_all_processes_and_their_locks(void **state)
{
	struct box *box = *state;
	struct box other = { .disk = box->disk };
	struct sopi_file *lock = NULL;
	sop_error err = SOP_ERROR_INIT;

	box_start(&other);
	TEST_OK(sopi_folder_lock(other.folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "other", &lock, &err), err);
	sync_folder(&other, "");
	reboot(box, &keep_none);
	assert_false(sopi_sim_is_alive(other.process));
	sopi_file_close(lock);
	box_stop(&other);
	TEST_OK(sopi_folder_lock(box->folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "me", &lock, &err), err);
	sopi_file_close(lock);
}

/* ---- failed syncs */

static void fail_next(struct box *box, unsigned calls)
{
	const struct sopi_sim_fault fault = { .calls = calls, .os_errno = EIO };

	sopi_sim_fail(box->process, &fault);
}

/* The file `f` holds "old" for certain, shows "new", and the sync between has failed. */
static struct sopi_file *failed_sync(struct box *box)
{
	struct sopi_file *file;
	sop_error err = SOP_ERROR_INIT;

	put_durable(box, "f", "old");
	file = acceptance_open(box->folder, "f", SOPI_FILE_WRITE);
	write_at(file, 0, "new");
	fail_next(box, SOPI_SIM_ANY_SYNC);
	TEST_STATUS(sopi_file_sync_data(file, &err), SOP_IO, err);
	return file;
}

static void a_failed_sync_is_not_made_good_by_a_later_one(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = failed_sync(box);

	acceptance_expect(box->folder, "f", "new"); /* the cache goes on showing it */
	sync_file(file); /* and says that all is well */
	sopi_file_close(file);
	for (int i = 0; i < 2; i++) {
		struct box crash =
			crashed(box, i == 0 ? SOPI_SIM_KEEP_NONE : SOPI_SIM_KEEP_ALL, 0, 0, 0);

		assert_true(holds(&crash, "f", i == 0 ? "old" : "new"));
		box_free(&crash);
	}
}

static void after_a_failed_sync_writing_again_helps(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = failed_sync(box);

	write_at(file, 0, "new");
	sync_file(file);
	sopi_file_close(file);
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "f", "new");
}

static void what_a_failed_sync_gave_up_never_covers_what_came_later(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = failed_sync(box);

	write_at(file, 0, "NEXT");
	sync_file(file);
	write_at(file, 0, "last");
	sync_file(file);
	sopi_file_close(file);
	for (int i = 0; i < 2; i++) {
		struct box crash =
			crashed(box, i == 0 ? SOPI_SIM_KEEP_NONE : SOPI_SIM_KEEP_ALL, 0, 0, 0);

		assert_true(holds(&crash, "f", "last"));
		box_free(&crash);
	}
}

static void eviction_shows_what_a_failed_sync_did_not_write(void **state)
{
	struct box *box = *state;
	struct sopi_file *file = failed_sync(box);

	write_at(file, 3, " and dirty");
	acceptance_expect(box->folder, "f", "new and dirty");
	sopi_sim_disk_evict(box->disk);
	acceptance_expect(box->folder, "f", "old and dirty"); /* only clean pages go */
	sopi_file_close(file);
}

static void eviction_changes_nothing_else(void **state)
{
	struct box *box = *state;

	put_durable(box, "f", "old");
	overwrite(box, "f", "new");
	acceptance_put(box->folder, "g", "text");
	sopi_sim_disk_evict(box->disk);
	acceptance_expect(box->folder, "f", "new");
	acceptance_expect(box->folder, "g", "text");
	reboot(box, &keep_none);
	acceptance_expect(box->folder, "f", "old");
}

static void a_failed_sync_of_a_folder_gives_its_names_up(void **state)
{
	struct box *box = *state;
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(box->folder, "f", "text");
	fail_next(box, SOPI_SIM_SYNC_FOLDER);
	TEST_STATUS(sopi_folder_sync(box->folder, "", &err), SOP_IO, err);
	sync_folder(box, "");
	assert_true(exists(box, "f"));
	reboot(box, &keep_none);
	acceptance_expect_missing(box->folder, "f");
}

static void a_failed_direct_write_may_be_there_or_not(void **state)
{
	struct box *box = *state;
	const struct sopi_sim_fault fault = { .calls = SOPI_SIM_WRITE,
					      .os_errno = EIO,
					      .partial_bytes = PAGE };
	_Alignas(4096) static char page[PAGE];
	struct sopi_file *file = acceptance_open(box->folder, "f", ACCEPTANCE_NEW | SOPI_FILE_DIRECT);
	char room[PAGE + 1];
	sop_error err = SOP_ERROR_INIT;

	sync_folder(box, "");
	memset(page, 'd', sizeof page);
	sopi_sim_fail(box->process, &fault);
	TEST_STATUS(sopi_file_write(file, 0, page, sizeof page, &err), SOP_IO, err);
	sync_file(file);
	sopi_file_close(file);
	for (int i = 0; i < 2; i++) {
		struct box crash =
			crashed(box, i == 0 ? SOPI_SIM_KEEP_NONE : SOPI_SIM_KEEP_ALL, 0, 0, 0);

		assert_int_equal(slurp(&crash, "f", room, sizeof room), i == 0 ? 0 : PAGE);
		box_free(&crash);
	}
}

static void a_copy_of_a_disk_is_another_disk(void **state)
{
	struct box *box = *state;
	struct box copy;

	put_durable(box, "f", "old");
	overwrite(box, "f", "new");
	copy.disk = sopi_sim_disk_copy(box->disk);
	box_start(&copy);
	acceptance_expect(copy.folder, "f", "new");
	overwrite(&copy, "f", "xyz");
	overwrite(box, "f", "abc");
	acceptance_expect(copy.folder, "f", "xyz");
	acceptance_expect(box->folder, "f", "abc");
	reboot(&copy, &keep_none); /* what is not durable was copied as such */
	acceptance_expect(copy.folder, "f", "old");
	acceptance_expect(box->folder, "f", "abc");
	box_free(&copy);
}

/* ---- traces */

/* The usual way to replace a file, with a step left out. */
enum step { LEAVE_NOTHING_OUT, SYNC_NEW, SYNC_FOLDER };

static void replace_file(struct box *box, enum step left_out)
{
	struct sopi_file *file = acceptance_open(box->folder, "tmp", ACCEPTANCE_NEW);
	char *block = memset(test_alloc(3 * PAGE), 'n', 3 * PAGE);
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_write(file, 0, block, 3 * PAGE, &err), err);
	if (left_out != SYNC_NEW)
		sync_file(file);
	TEST_OK(sopi_folder_rename(box->folder, "tmp", "f", &err), err);
	if (left_out != SYNC_FOLDER)
		sync_folder(box, "");
	sopi_sim_trace_mark(box->disk, 1);
	sopi_file_close(file);
	free(block);
}

struct verdict {
	size_t crashes;
	size_t torn; /* neither the old nor the new */
	size_t undone; /* the old after it was said to be the new */
	uint32_t states; /* checksum of all that was seen, in order */
};

static bool look_at_replaced(void *arg, struct sopi_sim_disk *disk, const struct sopi_sim_crash *crash)
{
	struct verdict *verdict = arg;
	struct box box = { .disk = disk };
	char room[4 * PAGE];
	bool old;
	bool whole;
	size_t size;

	box_start(&box);
	size = slurp(&box, "f", room, sizeof room);
	old = size == 3 && memcmp(room, "old", 3) == 0;
	whole = size == 3 * PAGE;
	for (size_t i = 0; whole && i < size; i++)
		whole = room[i] == 'n';
	verdict->crashes++;
	verdict->torn += !old && !whole;
	verdict->undone += old && crash->mark == 1;
	verdict->states = sopi_crc32c(verdict->states, room, size);
	box_stop(&box);
	return true;
}

static struct sopi_sim_trace *record_replace(struct box *box, enum step left_out)
{
	struct sopi_sim_trace *trace;

	put_durable(box, "f", "old");
	trace = sopi_sim_trace_start(box->disk);
	replace_file(box, left_out);
	sopi_sim_trace_stop(trace);
	return trace;
}

static struct verdict judge(struct box *box, enum step left_out)
{
	const struct sopi_sim_plan plan = { .seeds = 4, .seed = test_seed() };
	struct sopi_sim_trace *trace = record_replace(box, left_out);
	struct verdict verdict = { 0 };
	const size_t visited = sopi_sim_each_crash(trace, &plan, look_at_replaced, &verdict);

	assert_int_equal(visited, verdict.crashes);
	sopi_sim_trace_free(trace);
	return verdict;
}

static void every_crash_of_a_sound_replacement_is_harmless(void **state)
{
	const struct verdict verdict = judge(*state, LEAVE_NOTHING_OUT);

	assert_true(verdict.crashes > 20);
	assert_int_equal(verdict.torn, 0);
	assert_int_equal(verdict.undone, 0);
}

static void a_missing_sync_of_the_file_is_found(void **state)
{
	assert_true(judge(*state, SYNC_NEW).torn > 0);
}

static void a_missing_sync_of_the_folder_is_found(void **state)
{
	const struct verdict verdict = judge(*state, SYNC_FOLDER);

	assert_int_equal(verdict.torn, 0);
	assert_true(verdict.undone > 0);
}

static void a_trace_tells_its_steps(void **state)
{
	struct sopi_sim_trace *trace = record_replace(*state, LEAVE_NOTHING_OUT);
	/* name, bytes, size, sync, rename, sync, mark */
	static const char *const steps[] = {
		"open_file tmp 0+0",
		"write tmp 0+12288",
		"write tmp 0+12288",
		"sync tmp 0+0",
		"rename tmp 0+0",
		"sync_folder  0+0",
		"mark",
	};

	assert_int_equal(sopi_sim_trace_steps(trace), sizeof steps / sizeof *steps);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		assert_string_equal(sopi_sim_trace_step(trace, i), steps[i]);
	assert_int_equal(sopi_sim_trace_mark_at(trace, 6), -1);
	assert_int_equal(sopi_sim_trace_mark_at(trace, 7), 1);
	sopi_sim_trace_free(trace);
}

static void a_trace_gives_the_disk_back_at_every_step(void **state)
{
	struct sopi_sim_trace *trace = record_replace(*state, LEAVE_NOTHING_OUT);
	static const struct {
		size_t unsynced;
		bool tmp;
		size_t size;
	} expected[] = { { 0, false, 3 },	 { 1, true, 3 },	{ 2, true, 3 },
			 { 3, true, 3 },	 { 1, true, 3 },	{ 2, false, 3 * PAGE },
			 { 0, false, 3 * PAGE }, { 0, false, 3 * PAGE } };

	for (size_t steps = 0; steps <= sopi_sim_trace_steps(trace); steps++) {
		struct box box = { .disk = sopi_sim_trace_disk(trace, steps) };
		char room[4 * PAGE];

		box_start(&box);
		assert_int_equal(sopi_sim_disk_unsynced(box.disk), expected[steps].unsynced);
		assert_int_equal(exists(&box, "tmp"), expected[steps].tmp);
		assert_int_equal(slurp(&box, "f", room, sizeof room), expected[steps].size);
		box_free(&box);
	}
	sopi_sim_trace_free(trace);
}

/* Prefixes: nothing (1 state), name (2), + bytes, + size, synced, renamed, folder synced and marked. */
static void every_crash_is_visited_once(void **state)
{
	struct sopi_sim_trace *trace = record_replace(*state, LEAVE_NOTHING_OUT);
	const struct sopi_sim_plan plan = { .seeds = 0 };
	struct verdict verdict = { 0 };
	const size_t torn = 2; /* the write of 12288 bytes is torn at 512 and at 4096 */
	const size_t expected = 1 + 2 + (2 + 2 * 2 + torn) + (2 + 2 * 3 + torn) + 2 + (2 + 2 * 2) + 1;

	assert_int_equal(sopi_sim_each_crash(trace, &plan, look_at_replaced, &verdict), expected);
	sopi_sim_trace_free(trace);
}

static void shards_share_the_crashes_out(void **state)
{
	struct sopi_sim_trace *trace = record_replace(*state, LEAVE_NOTHING_OUT);
	struct sopi_sim_plan plan = { .seeds = 3 };
	struct verdict all = { 0 };
	size_t sum = 0;

	(void)sopi_sim_each_crash(trace, &plan, look_at_replaced, &all);
	plan.shards = 4;
	for (plan.shard = 0; plan.shard < plan.shards; plan.shard++) {
		struct verdict part = { 0 };

		(void)sopi_sim_each_crash(trace, &plan, look_at_replaced, &part);
		assert_true(part.crashes >= all.crashes / 4);
		sum += part.crashes;
	}
	assert_int_equal(sum, all.crashes);
	sopi_sim_trace_free(trace);
}

/* Makes each crash again by itself, and compares. */
struct remake {
	const struct sopi_sim_trace *trace;
	size_t count;
};

static uint32_t checksum_of(struct sopi_sim_disk *disk)
{
	struct box box = { .disk = disk };
	char room[4 * PAGE];
	uint32_t crc = 0;

	box_start(&box);
	crc = sopi_crc32c(crc, room, slurp(&box, "f", room, sizeof room));
	if (exists(&box, "tmp"))
		crc = sopi_crc32c(crc + 1, room, slurp(&box, "tmp", room, sizeof room));
	box_stop(&box);
	return crc;
}

static bool remake_crash(void *arg, struct sopi_sim_disk *disk, const struct sopi_sim_crash *crash)
{
	struct remake *remake = arg;
	struct sopi_sim_disk *again = sopi_sim_trace_disk(remake->trace, crash->steps);

	sopi_sim_power_cut(again, &crash->cut);
	assert_int_equal(checksum_of(again), checksum_of(disk));
	sopi_sim_disk_free(again);
	return ++remake->count < 40;
}

static void a_crash_can_be_made_again_and_a_visit_ended(void **state)
{
	struct sopi_sim_trace *trace = record_replace(*state, SYNC_NEW);
	const struct sopi_sim_plan plan = { .seeds = 20, .seed = test_seed() };
	struct remake remake = { .trace = trace };

	assert_int_equal(sopi_sim_each_crash(trace, &plan, remake_crash, &remake), 40);
	assert_int_equal(remake.count, 40);
	sopi_sim_trace_free(trace);
}

static void a_trace_remembers_failed_syncs_and_evictions(void **state)
{
	struct box *box = *state;
	struct sopi_sim_trace *trace = sopi_sim_trace_start(box->disk);
	struct sopi_file *file = failed_sync(box);
	struct box end;
	struct box crash;

	sync_file(file);
	sopi_file_close(file);
	sopi_sim_disk_evict(box->disk);
	sopi_sim_trace_stop(trace);
	end.disk = sopi_sim_trace_disk(trace, sopi_sim_trace_steps(trace) - 1);
	box_start(&end);
	acceptance_expect(end.folder, "f", "new");
	crash = crashed(&end, SOPI_SIM_KEEP_NONE, 0, 0, 0);
	acceptance_expect(crash.folder, "f", "old");
	box_free(&crash);
	box_free(&end);
	end.disk = sopi_sim_trace_disk(trace, sopi_sim_trace_steps(trace));
	box_start(&end);
	acceptance_expect(end.folder, "f", "old");
	box_free(&end);
	sopi_sim_trace_free(trace);
}

static void a_trace_outlives_its_disk(void **state)
{
	struct sopi_sim_disk *disk = sopi_sim_disk_new();
	struct box box = { .disk = disk };
	struct sopi_sim_trace *trace;
	struct box again;

	(void)state;
	box_start(&box);
	trace = sopi_sim_trace_start(disk);
	acceptance_put(box.folder, "f", "text");
	sopi_sim_trace_stop(trace);
	box_free(&box);
	again.disk = sopi_sim_trace_disk(trace, sopi_sim_trace_steps(trace));
	box_start(&again);
	acceptance_expect(again.folder, "f", "text");
	box_free(&again);
	sopi_sim_trace_free(trace);
	sopi_sim_trace_free(NULL);
	sopi_sim_disk_free(NULL);
	sopi_sim_process_free(NULL);
}

/* ---- many threads, one disk */

static void work_in_thread(size_t index, void *arg)
{
	struct box *box = arg;
	char path[2] = { (char)('a' + index), '\0' };

	for (int i = 0; i < 50; i++) {
		struct sopi_file *file = NULL;
		sop_error err = SOP_ERROR_INIT;
		const bool good = sopi_folder_open_file(box->folder, path, ACCEPTANCE_NEW, &file,
							&err) == SOP_OK &&
				  sopi_file_write(file, 0, "text", 4, &err) == SOP_OK &&
				  sopi_file_sync(file, &err) == SOP_OK &&
				  sopi_folder_sync(box->folder, "", &err) == SOP_OK &&
				  sopi_folder_remove(box->folder, path, &err) == SOP_OK;

		sopi_file_close(file);
		sopi_sim_trace_mark(box->disk, i);
		sopi_sim_disk_free(sopi_sim_disk_copy(box->disk));
		if (!good)
			test_note_failure("%s: %s", path, err.message);
	}
}

static void threads_use_one_disk(void **state)
{
	struct box *box = *state;
	struct sopi_sim_trace *trace = sopi_sim_trace_start(box->disk);
	struct sopi_sim_disk *end;

	test_run_threads(4, work_in_thread, box);
	TEST_NO_FAILURES();
	sopi_sim_trace_stop(trace);
	end = sopi_sim_trace_disk(trace, sopi_sim_trace_steps(trace));
	assert_int_equal(sopi_sim_disk_unsynced(end), sopi_sim_disk_unsynced(box->disk));
	sopi_sim_disk_free(end);
	sopi_sim_trace_free(trace);
}

#define BOX(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BOX(what_was_not_synced_may_be_lost_or_kept),
		BOX(what_was_synced_survives),
		BOX(a_kill_loses_nothing_of_the_page_cache),
		BOX(a_cut_file_may_come_back_whole),
		BOX(size_and_bytes_survive_apart),
		BOX(a_write_is_torn_between_sectors),
		BOX(a_write_torn_at_4096_keeps_pages_whole),
		BOX(writes_survive_in_any_order),
		BOX(of_two_writes_to_a_sector_either_or_none_survives),
		BOX(the_same_cut_leaves_the_same_disk),
		BOX(one_change_is_dropped_or_kept_alone),
		BOX(a_direct_write_is_durable_on_return),
		BOX(a_direct_write_syncs_itself_alone),
		BOX(a_direct_write_may_land_after_a_later_one),
		BOX(a_direct_write_of_a_killed_process_may_be_there_or_not),
		BOX(a_new_name_is_lost_without_a_sync_of_its_folder),
		BOX(a_folder_within_a_lost_folder_is_lost_too),
		BOX(a_removed_name_may_come_back),
		BOX(a_large_file_may_come_back_shorter),
		BOX(removing_a_later_file_of_the_name_leaves_the_earlier),
		BOX(a_removed_file_is_kept_as_long_as_it_may_come_back),
		BOX(a_rename_is_old_or_new_and_may_come_before_the_data),
		BOX(a_rename_between_folders_never_loses_the_file),
		BOX(a_file_moved_out_of_an_unsynced_folder_is_not_in_both),
		BOX(a_link_is_durable_with_the_folder_of_the_new_name),
		BOX(a_file_without_a_name_is_gone_after_a_cut),
		BOX(a_cut_ends_all_processes_and_their_locks),
		BOX(a_failed_sync_is_not_made_good_by_a_later_one),
		BOX(after_a_failed_sync_writing_again_helps),
		BOX(what_a_failed_sync_gave_up_never_covers_what_came_later),
		BOX(eviction_shows_what_a_failed_sync_did_not_write),
		BOX(eviction_changes_nothing_else),
		BOX(a_failed_sync_of_a_folder_gives_its_names_up),
		BOX(a_failed_direct_write_may_be_there_or_not),
		BOX(a_copy_of_a_disk_is_another_disk),
		BOX(every_crash_of_a_sound_replacement_is_harmless),
		BOX(a_missing_sync_of_the_file_is_found),
		BOX(a_missing_sync_of_the_folder_is_found),
		BOX(a_trace_tells_its_steps),
		BOX(a_trace_gives_the_disk_back_at_every_step),
		BOX(every_crash_is_visited_once),
		BOX(shards_share_the_crashes_out),
		BOX(a_crash_can_be_made_again_and_a_visit_ended),
		BOX(a_trace_remembers_failed_syncs_and_evictions),
		BOX(a_trace_outlives_its_disk),
		BOX(threads_use_one_disk),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("simulated crashes", tests, NULL, NULL);
}
