/* The promises of file.h, clock.h and random.h that every driver keeps. */
#include "acceptance.h"

#include "base/alloc.h"
#include "platform/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- helpers */

struct sopi_file *acceptance_open(struct sopi_folder *folder, const char *path, unsigned flags)
{
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_open_file(folder, path, flags, &file, &err), err);
	return file;
}

static void write_at(struct sopi_file *file, uint64_t offset, const char *text)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_write(file, offset, text, strlen(text), &err), err);
}

void acceptance_put(struct sopi_folder *folder, const char *path, const char *text)
{
	struct sopi_file *file = acceptance_open(folder, path, SOPI_FILE_WRITE | SOPI_FILE_CREATE);
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_file_resize(file, 0, &err), err);
	write_at(file, 0, text);
	sopi_file_close(file);
}

/* What the open file holds, all of it, is `size` bytes at `content`. */
static void expect_bytes(struct sopi_file *file, const void *content, size_t size)
{
	char room[8192];
	uint64_t file_size = 0;
	size_t got = 0;
	sop_error err = SOP_ERROR_INIT;

	assert_true(size < sizeof room);
	TEST_OK(sopi_file_size(file, &file_size, &err), err);
	assert_int_equal(file_size, size);
	memset(room, 0xEE, sizeof room);
	TEST_OK(sopi_file_read(file, 0, room, sizeof room, &got, &err), err);
	assert_int_equal(got, size);
	assert_memory_equal(room, content, size);
}

void acceptance_expect(struct sopi_folder *folder, const char *path, const char *text)
{
	struct sopi_file *file = acceptance_open(folder, path, SOPI_FILE_READ);

	expect_bytes(file, text, strlen(text));
	sopi_file_close(file);
}

void acceptance_expect_missing(struct sopi_folder *folder, const char *path)
{
	struct sopi_entry entry;
	sop_error err = SOP_ERROR_INIT;

	TEST_STATUS(sopi_folder_look(folder, path, &entry, &err), SOP_NOT_FOUND, err);
}

static void make_folder(struct sopi_folder *folder, const char *path)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_make(folder, path, &err), err);
}

static struct sopi_folder *folder_of(void **state)
{
	return ((struct acceptance *)*state)->folder;
}

/* ---- content */

static void a_new_file_is_empty(void **state)
{
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);

	assert_int_equal(file->direct_bytes, 0);
	expect_bytes(file, "", 0);
	sopi_file_close(file);
}

static void what_is_written_is_read_back(void **state)
{
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);

	write_at(file, 0, "hello world");
	write_at(file, 6, "W");
	write_at(file, 11, "!");
	expect_bytes(file, "hello World!", 12);
	sopi_file_close(file);
	acceptance_expect(folder_of(state), "f", "hello World!");
}

static void reading_past_the_end_gets_what_is_there(void **state)
{
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	static const struct {
		uint64_t offset;
		size_t size;
		size_t got;
	} reads[] = { { 0, 0, 0 },  { 0, 10, 10 }, { 0, 11, 10 },      { 9, 5, 1 },
		      { 10, 1, 0 }, { 11, 1, 0 },  { 1 << 20, 10, 0 }, { UINT64_MAX, 1, 0 } };
	sop_error err = SOP_ERROR_INIT;

	write_at(file, 0, "0123456789");
	for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
		char room[16];
		size_t got = 99;

		TEST_OK(sopi_file_read(file, reads[i].offset, room, reads[i].size, &got, &err), err);
		assert_int_equal(got, reads[i].got);
	}
	sopi_file_close(file);
}

static void a_gap_reads_as_zeros(void **state)
{
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	char expected[5003] = { 0 };

	memcpy(expected, "ab", 2);
	memcpy(expected + 5000, "xyz", 3);
	write_at(file, 5000, "xyz");
	write_at(file, 0, "ab");
	expect_bytes(file, expected, sizeof expected);
	sopi_file_close(file);
}

static void resizing_forgets_what_was_cut(void **state)
{
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	sop_error err = SOP_ERROR_INIT;

	write_at(file, 0, "0123456789");
	TEST_OK(sopi_file_resize(file, 3, &err), err);
	expect_bytes(file, "012", 3);
	TEST_OK(sopi_file_resize(file, 6, &err), err);
	expect_bytes(file, "012\0\0\0", 6);
	write_at(file, 8, "x");
	expect_bytes(file, "012\0\0\0\0\0x", 9);
	TEST_OK(sopi_file_resize(file, 0, &err), err);
	expect_bytes(file, "", 0);
	sopi_file_close(file);
}

static void reserving_makes_longer_but_changes_nothing(void **state)
{
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	char expected[6000] = "content";
	sop_error err = SOP_ERROR_INIT;

	write_at(file, 0, "content");
	TEST_OK(sopi_file_allocate(file, 0, 3, &err), err);
	expect_bytes(file, "content", 7);
	TEST_OK(sopi_file_allocate(file, 1000, 5000, &err), err);
	expect_bytes(file, expected, sizeof expected);
	TEST_OK(sopi_file_allocate(file, 0, 6000, &err), err);
	expect_bytes(file, expected, sizeof expected);
	TEST_OK(sopi_file_allocate(file, 9000, 0, &err), err);
	expect_bytes(file, expected, sizeof expected);
	sopi_file_close(file);
}

static void two_handles_see_the_same_bytes(void **state)
{
	struct sopi_file *one = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	struct sopi_file *other = acceptance_open(folder_of(state), "f", SOPI_FILE_READ);

	write_at(one, 0, "now");
	expect_bytes(other, "now", 3);
	sopi_file_close(one);
	expect_bytes(other, "now", 3);
	sopi_file_close(other);
}

static void large_reads_and_writes_are_whole(void **state)
{
	enum { SIZE = 3 << 20 };
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	unsigned char *out = test_alloc(SIZE);
	unsigned char *in = test_alloc(SIZE);
	struct test_rng rng;
	size_t got = 0;
	sop_error err = SOP_ERROR_INIT;

	test_rng_init(&rng, test_seed(), 0);
	for (size_t i = 0; i < SIZE; i++)
		out[i] = (unsigned char)test_rng_next(&rng);
	TEST_OK(sopi_file_write(file, 77, out, SIZE, &err), err);
	TEST_OK(sopi_file_read(file, 77, in, SIZE, &got, &err), err);
	assert_int_equal(got, SIZE);
	assert_memory_equal(in, out, SIZE);
	sopi_file_close(file);
	free(out);
	free(in);
}

static void a_place_beyond_all_files_is_a_limit(void **state)
{
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	sop_error err = SOP_ERROR_INIT;

	TEST_STATUS(sopi_file_write(file, UINT64_MAX, "x", 1, &err), SOP_LIMIT, err);
	TEST_STATUS(sopi_file_write(file, INT64_MAX, "x", 1, &err), SOP_LIMIT, err);
	TEST_STATUS(sopi_file_resize(file, UINT64_MAX, &err), SOP_LIMIT, err);
	TEST_STATUS(sopi_file_allocate(file, 1, UINT64_MAX, &err), SOP_LIMIT, err);
	TEST_STATUS(sopi_file_allocate(file, UINT64_MAX, 1, &err), SOP_LIMIT, err);
	expect_bytes(file, "", 0);
	sopi_file_close(file);
}

static void a_handle_does_only_what_it_was_opened_for(void **state)
{
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	char room[4];
	size_t got = 0;
	sop_error err = SOP_ERROR_INIT;

	write_at(file, 0, "text");
	sopi_file_close(file);
	file = acceptance_open(folder_of(state), "f", SOPI_FILE_READ);
	TEST_STATUS(sopi_file_write(file, 0, "x", 1, &err), SOP_IO, err);
	sopi_file_close(file);
	file = acceptance_open(folder_of(state), "f", SOPI_FILE_WRITE);
	TEST_STATUS(sopi_file_read(file, 0, room, 4, &got, &err), SOP_IO, err);
	sopi_file_close(file);
	acceptance_expect(folder_of(state), "f", "text");
}

/* A direct file asks for whole units in aligned memory, and is otherwise like any other. */
static void a_direct_file_holds_what_others_read(void **state)
{
	struct sopi_file *file =
		acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW | SOPI_FILE_DIRECT);
	const size_t unit = file->direct_bytes != 0 ? file->direct_bytes : 4096;
	struct sopi_file *other = acceptance_open(folder_of(state), "f", SOPI_FILE_READ);
	unsigned char *room = NULL;
	size_t got = 0;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_alloc_aligned(unit, 3 * unit, (void **)&room, &err), err);
	memset(room, 'd', 2 * unit);
	TEST_OK(sopi_file_write(file, unit, room, unit, &err), err);
	memset(room, 0xEE, 3 * unit);
	TEST_OK(sopi_file_read(other, 0, room, 3 * unit, &got, &err), err);
	assert_int_equal(got, 2 * unit);
	for (size_t i = 0; i < 2 * unit; i++)
		assert_int_equal(room[i], i < unit ? 0 : 'd');
	TEST_OK(sopi_file_resize(file, unit + 100, &err), err); /* an odd end */
	memset(room, 0xEE, 3 * unit);
	TEST_OK(sopi_file_read(file, 0, room, 3 * unit, &got, &err), err);
	assert_int_equal(got, unit + 100);
	assert_int_equal(room[unit + 99], 'd');
	sopi_free(room);
	sopi_file_close(other);
	sopi_file_close(file);
}

static void syncs_say_that_they_worked(void **state)
{
	struct sopi_file *file;
	sop_error err = SOP_ERROR_INIT;

	make_folder(folder_of(state), "sub");
	file = acceptance_open(folder_of(state), "sub/f", ACCEPTANCE_NEW);
	write_at(file, 0, "text");
	TEST_OK(sopi_file_write_back(file, 0, 1 << 20, &err), err); /* also beyond its end, and twice */
	TEST_OK(sopi_file_write_back(file, 1, 2, &err), err);
	TEST_OK(sopi_file_sync_data(file, &err), err);
	TEST_OK(sopi_file_sync(file, &err), err);
	TEST_OK(sopi_folder_sync(folder_of(state), "sub", &err), err);
	TEST_OK(sopi_folder_sync(folder_of(state), "", &err), err);
	TEST_STATUS(sopi_folder_sync(folder_of(state), "gone", &err), SOP_NOT_FOUND, err);
	TEST_STATUS(sopi_folder_sync(folder_of(state), "sub/f", &err), SOP_CORRUPT, err);
	TEST_OK(sopi_folder_remove(folder_of(state), "sub/f", &err), err);
	TEST_OK(sopi_file_sync(file, &err), err); /* a name is not needed for that */
	sopi_file_close(file);
}

/* ---- names */

static void only_create_makes_a_file(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_STATUS(sopi_folder_open_file(folder, "f", SOPI_FILE_READ | SOPI_FILE_WRITE, &file, &err),
		    SOP_NOT_FOUND, err);
	assert_null(file);
	assert_string_equal(err.file, "f");
	assert_int_equal(err.os_errno, ENOENT);
	acceptance_put(folder, "f", "text");
	sopi_file_close(acceptance_open(folder, "f", SOPI_FILE_WRITE | SOPI_FILE_CREATE));
	acceptance_expect(folder, "f", "text"); /* what was there is kept */
}

static void exclusive_refuses_what_is_there(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder, "f", "text");
	TEST_STATUS(sopi_folder_open_file(folder, "f", ACCEPTANCE_NEW, &file, &err), SOP_EXISTS, err);
	make_folder(folder, "sub");
	TEST_STATUS(sopi_folder_open_file(folder, "sub", ACCEPTANCE_NEW, &file, &err), SOP_EXISTS, err);
	acceptance_expect(folder, "f", "text");
}

static void the_folder_of_a_name_must_be_there(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder, "f", "text");
	TEST_STATUS(sopi_folder_open_file(folder, "no/f", ACCEPTANCE_NEW, &file, &err),
		    SOP_NOT_FOUND, err);
	TEST_STATUS(sopi_folder_make(folder, "no/sub", &err), SOP_NOT_FOUND, err);
	TEST_STATUS(sopi_folder_rename(folder, "f", "no/f", &err), SOP_NOT_FOUND, err);
	TEST_STATUS(sopi_folder_link(folder, "f", "no/f", &err), SOP_NOT_FOUND, err);
	TEST_STATUS(sopi_folder_remove(folder, "no/f", &err), SOP_NOT_FOUND, err);
	TEST_STATUS(sopi_folder_remove_folder(folder, "no/f", &err), SOP_NOT_FOUND, err);
}

static void a_file_is_no_folder_and_a_folder_no_file(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *file = NULL;
	struct sopi_entry entry;
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder, "f", "text");
	make_folder(folder, "sub");
	TEST_STATUS(sopi_folder_open_file(folder, "sub", SOPI_FILE_READ, &file, &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_open_file(folder, "sub", SOPI_FILE_READ | SOPI_FILE_WRITE, &file, &err),
		    SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_open_file(folder, "f/x", SOPI_FILE_READ, &file, &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_look(folder, "f/x", &entry, &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_make(folder, "f/x", &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_remove(folder, "sub", &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_remove_folder(folder, "f", &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_rename(folder, "f", "sub", &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_rename(folder, "sub", "f", &err), SOP_CORRUPT, err);
	acceptance_expect(folder, "f", "text");
}

static void folders_are_made_once_and_removed_empty(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	sop_error err = SOP_ERROR_INIT;

	make_folder(folder, "sub");
	make_folder(folder, "sub/deep");
	TEST_STATUS(sopi_folder_make(folder, "sub", &err), SOP_EXISTS, err);
	acceptance_put(folder, "f", "text");
	TEST_STATUS(sopi_folder_make(folder, "f", &err), SOP_EXISTS, err);
	acceptance_put(folder, "sub/deep/f", "deep");
	acceptance_expect(folder, "sub/deep/f", "deep");
	TEST_STATUS(sopi_folder_remove_folder(folder, "sub", &err), SOP_EXISTS, err);
	TEST_OK(sopi_folder_remove(folder, "sub/deep/f", &err), err);
	TEST_OK(sopi_folder_remove_folder(folder, "sub/deep", &err), err);
	TEST_OK(sopi_folder_remove_folder(folder, "sub", &err), err);
	acceptance_expect_missing(folder, "sub");
	TEST_STATUS(sopi_folder_remove_folder(folder, "sub", &err), SOP_NOT_FOUND, err);
}

static void renaming_replaces_at_one_stroke(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *old = NULL;
	sop_error err = SOP_ERROR_INIT;

	make_folder(folder, "sub");
	acceptance_put(folder, "f", "old");
	acceptance_put(folder, "sub/new", "new");
	old = acceptance_open(folder, "f", SOPI_FILE_READ);
	TEST_OK(sopi_folder_rename(folder, "sub/new", "f", &err), err);
	acceptance_expect(folder, "f", "new");
	acceptance_expect_missing(folder, "sub/new");
	expect_bytes(old, "old", 3); /* who had it open keeps it */
	sopi_file_close(old);
	TEST_STATUS(sopi_folder_rename(folder, "sub/new", "f", &err), SOP_NOT_FOUND, err);
	assert_string_equal(err.file, "sub/new");
	acceptance_expect(folder, "f", "new");
}

static void renaming_a_file_to_itself_changes_nothing(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder, "f", "text");
	TEST_OK(sopi_folder_rename(folder, "f", "f", &err), err);
	acceptance_expect(folder, "f", "text");
	TEST_OK(sopi_folder_link(folder, "f", "g", &err), err);
	TEST_OK(sopi_folder_rename(folder, "f", "g", &err), err); /* two names of one file: both stay */
	acceptance_expect(folder, "f", "text");
	acceptance_expect(folder, "g", "text");
}

static void folders_are_renamed_with_what_they_hold(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	sop_error err = SOP_ERROR_INIT;

	make_folder(folder, "a");
	acceptance_put(folder, "a/f", "text");
	TEST_OK(sopi_folder_rename(folder, "a", "b", &err), err);
	acceptance_expect(folder, "b/f", "text");
	acceptance_expect_missing(folder, "a");
	make_folder(folder, "c");
	acceptance_put(folder, "c/f", "other");
	TEST_STATUS(sopi_folder_rename(folder, "b", "c", &err), SOP_EXISTS, err);
	TEST_OK(sopi_folder_remove(folder, "c/f", &err), err);
	TEST_OK(sopi_folder_rename(folder, "b", "c", &err), err); /* an empty one is replaced */
	acceptance_expect(folder, "c/f", "text");
	TEST_STATUS(sopi_folder_rename(folder, "c", "c/d", &err), SOP_UNSUPPORTED, err);
}

static void a_link_is_a_further_name(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_entry entry;
	sop_error err = SOP_ERROR_INIT;

	make_folder(folder, "sub");
	acceptance_put(folder, "f", "text");
	acceptance_put(folder, "g", "other");
	TEST_OK(sopi_folder_link(folder, "f", "sub/f", &err), err);
	TEST_STATUS(sopi_folder_link(folder, "f", "g", &err), SOP_EXISTS, err);
	TEST_STATUS(sopi_folder_link(folder, "gone", "h", &err), SOP_NOT_FOUND, err);
	TEST_OK(sopi_folder_look(folder, "sub/f", &entry, &err), err);
	assert_int_equal(entry.links, 2);
	TEST_OK(sopi_folder_remove(folder, "f", &err), err);
	acceptance_expect(folder, "sub/f", "text");
	acceptance_expect(folder, "g", "other");
	TEST_OK(sopi_folder_look(folder, "sub/f", &entry, &err), err);
	assert_int_equal(entry.links, 1);
}

static void a_removed_file_lives_as_long_as_its_handles(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *file = acceptance_open(folder, "f", ACCEPTANCE_NEW);
	sop_error err = SOP_ERROR_INIT;

	write_at(file, 0, "text");
	TEST_OK(sopi_folder_remove(folder, "f", &err), err);
	acceptance_expect_missing(folder, "f");
	TEST_STATUS(sopi_folder_remove(folder, "f", &err), SOP_NOT_FOUND, err);
	acceptance_put(folder, "f", "another file");
	write_at(file, 4, "!");
	expect_bytes(file, "text!", 5);
	acceptance_expect(folder, "f", "another file");
	sopi_file_close(file);
}

static void looking_tells_kind_and_size(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_entry entry;
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder, "f", "12345");
	make_folder(folder, "sub");
	TEST_OK(sopi_folder_look(folder, "f", &entry, &err), err);
	assert_int_equal(entry.kind, SOPI_ENTRY_FILE);
	assert_int_equal(entry.size, 5);
	assert_int_equal(entry.links, 1);
	TEST_OK(sopi_folder_look(folder, "sub", &entry, &err), err);
	assert_int_equal(entry.kind, SOPI_ENTRY_FOLDER);
	assert_int_equal(entry.size, 0);
}

/* What a list told. */
struct told {
	size_t files;
	size_t folders;
	char names[16]; /* one letter each, sorted by adding */
	size_t stop_after; /* entries; 0: never */
};

static sop_status tell(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct told *told = arg;

	assert_int_equal(strlen(name), 1);
	assert_true(name[0] >= 'a' && name[0] < 'a' + (char)sizeof told->names);
	told->names[name[0] - 'a']++;
	told->files += kind == SOPI_ENTRY_FILE;
	told->folders += kind == SOPI_ENTRY_FOLDER;
	if (told->files + told->folders == told->stop_after)
		return sopi_fail(err, SOP_CANCELLED, "enough");
	return SOP_OK;
}

static void a_list_tells_everything_once(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct told told = { 0 };
	struct told none = { 0 };
	sop_error err = SOP_ERROR_INIT;

	make_folder(folder, "d");
	TEST_OK(sopi_folder_list(folder, "d", tell, &none, &err), err);
	assert_int_equal(none.files + none.folders, 0);
	acceptance_put(folder, "d/a", "");
	acceptance_put(folder, "d/b", "");
	acceptance_put(folder, "d/c", "");
	make_folder(folder, "d/e");
	acceptance_put(folder, "d/e/f", "");
	TEST_OK(sopi_folder_list(folder, "d", tell, &told, &err), err);
	assert_int_equal(told.files, 3);
	assert_int_equal(told.folders, 1);
	assert_memory_equal(told.names, "\1\1\1\0\1\0", 6);
	memset(&told, 0, sizeof told);
	TEST_OK(sopi_folder_list(folder, "", tell, &told, &err), err);
	assert_int_equal(told.folders, 1);
	assert_int_equal(told.files, 0);
}

static void a_list_ends_with_the_status_that_it_is_given(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct told told = { .stop_after = 2 };
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder, "a", "");
	acceptance_put(folder, "b", "");
	acceptance_put(folder, "c", "");
	TEST_STATUS(sopi_folder_list(folder, "", tell, &told, &err), SOP_CANCELLED, err);
	assert_int_equal(told.files, 2);
	TEST_STATUS(sopi_folder_list(folder, "x", tell, &told, &err), SOP_NOT_FOUND, err);
	TEST_STATUS(sopi_folder_list(folder, "a", tell, &told, &err), SOP_CORRUPT, err);
}

static void a_path_cannot_leave_the_folder(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	char long_path[SOPI_PATH_BYTES_MAX + 2];
	const char *const paths[] = { "..", "../x", "x/..", "x/../y", "/",  "/x",     "x/",
				      ".",  "./x",  "x/.",  "x//y",   "//", long_path };
	sop_error err = SOP_ERROR_INIT;

	memset(long_path, 'x', sizeof long_path - 1);
	long_path[sizeof long_path - 1] = '\0';
	acceptance_put(folder, "f", "text");
	make_folder(folder, "x");
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct sopi_file *file = NULL;
		struct sopi_entry entry;
		struct told told = { 0 };

		TEST_STATUS(sopi_folder_open_file(folder, paths[i], SOPI_FILE_READ, &file, &err),
			    SOP_MISUSE, err);
		TEST_STATUS(sopi_folder_make(folder, paths[i], &err), SOP_MISUSE, err);
		TEST_STATUS(sopi_folder_list(folder, paths[i], tell, &told, &err), SOP_MISUSE, err);
		TEST_STATUS(sopi_folder_look(folder, paths[i], &entry, &err), SOP_MISUSE, err);
		TEST_STATUS(sopi_folder_rename(folder, paths[i], "g", &err), SOP_MISUSE, err);
		TEST_STATUS(sopi_folder_rename(folder, "f", paths[i], &err), SOP_MISUSE, err);
		TEST_STATUS(sopi_folder_link(folder, paths[i], "g", &err), SOP_MISUSE, err);
		TEST_STATUS(sopi_folder_link(folder, "f", paths[i], &err), SOP_MISUSE, err);
		TEST_STATUS(sopi_folder_remove(folder, paths[i], &err), SOP_MISUSE, err);
		TEST_STATUS(sopi_folder_remove_folder(folder, paths[i], &err), SOP_MISUSE, err);
		TEST_STATUS(sopi_folder_sync(folder, paths[i], &err), SOP_MISUSE, err);
	}
	TEST_STATUS(sopi_folder_remove(folder, "", &err), SOP_MISUSE, err);
}

static void the_longest_path_works(void **state)
{
	char path[SOPI_PATH_BYTES_MAX + 1];

	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	path[SOPI_PATH_BYTES_MAX / 2] = '\0';
	make_folder(folder_of(state), path);
	path[SOPI_PATH_BYTES_MAX / 2] = '/';
	acceptance_put(folder_of(state), path, "text");
	acceptance_expect(folder_of(state), path, "text");
}

static void names_that_look_like_dots_are_names(void **state)
{
	acceptance_put(folder_of(state), "...", "three");
	acceptance_put(folder_of(state), "..x", "x");
	acceptance_put(folder_of(state), ".x", "y");
	acceptance_expect(folder_of(state), "...", "three");
	acceptance_expect(folder_of(state), "..x", "x");
	acceptance_expect(folder_of(state), ".x", "y");
}

/* ---- the folder itself */

static void a_folder_is_opened_where_it_is_and_made_on_demand(void **state)
{
	struct acceptance *acceptance = *state;
	struct sopi_folder *other = NULL;
	char path[300];
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(acceptance->folder, "f", "text");
	(void)snprintf(path, sizeof path, "%s/db", acceptance->path);
	TEST_STATUS(sopi_files_open_folder(acceptance->platform->files, path, 0, &other, &err),
		    SOP_NOT_FOUND, err);
	assert_null(other);
	TEST_OK(sopi_files_open_folder(acceptance->platform->files, path, SOPI_FOLDER_CREATE, &other, &err),
		err);
	acceptance_put(other, "g", "inside");
	sopi_folder_close(other);
	acceptance_expect(acceptance->folder, "db/g", "inside");
	TEST_OK(sopi_files_open_folder(acceptance->platform->files, path, SOPI_FOLDER_CREATE, &other, &err),
		err); /* there already */
	acceptance_expect(other, "g", "inside");
	sopi_folder_close(other);
	(void)snprintf(path, sizeof path, "%s/f", acceptance->path);
	TEST_STATUS(sopi_files_open_folder(acceptance->platform->files, path, 0, &other, &err),
		    SOP_CORRUPT, err);
	(void)snprintf(path, sizeof path, "%s/no/db", acceptance->path);
	TEST_STATUS(sopi_files_open_folder(acceptance->platform->files, path, SOPI_FOLDER_CREATE,
					   &other, &err),
		    SOP_NOT_FOUND, err);
	TEST_STATUS(sopi_files_open_folder(acceptance->platform->files, "", 0, &other, &err),
		    SOP_MISUSE, err);
}

static void files_outlive_the_folder_that_opened_them(void **state)
{
	struct acceptance *acceptance = *state;
	struct sopi_folder *other = NULL;
	struct sopi_file *file;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_files_open_folder(acceptance->platform->files, acceptance->path, 0, &other, &err),
		err);
	file = acceptance_open(other, "f", ACCEPTANCE_NEW);
	sopi_folder_close(other);
	write_at(file, 0, "text");
	expect_bytes(file, "text", 4);
	sopi_file_close(file);
}

static void closing_nothing_is_fine(void **state)
{
	(void)state;
	sopi_folder_close(NULL);
	sopi_file_close(NULL);
}

static void the_file_system_has_a_name_and_a_size(void **state)
{
	struct sopi_file_system system = { 0 };
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_file_system(folder_of(state), &system, &err), err);
	assert_true(strnlen(system.name, sizeof system.name) > 0);
	assert_true(strnlen(system.name, sizeof system.name) < sizeof system.name);
	assert_true(system.total_bytes > 0);
	assert_true(system.free_bytes <= system.total_bytes);
}

static void a_message_says_what_and_where(void **state)
{
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_STATUS(sopi_folder_open_file(folder_of(state), "log/1.log", SOPI_FILE_READ, &file, &err),
		    SOP_NOT_FOUND, err);
	assert_string_equal(err.message, "cannot open the file: No such file or directory [log/1.log]");
	assert_string_equal(err.file, "log/1.log");
	assert_int_equal(err.offset, -1);
	assert_int_equal(err.os_errno, ENOENT);
}

/* ---- locks */

static sop_status lock_as(struct sopi_file *file, enum sopi_lock kind)
{
	return sopi_file_lock(file, kind, NULL);
}

static void an_exclusive_lock_keeps_all_others_out(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *one = acceptance_open(folder, "LOCK", ACCEPTANCE_NEW);
	struct sopi_file *other = acceptance_open(folder, "LOCK", SOPI_FILE_READ | SOPI_FILE_WRITE);

	assert_int_equal(lock_as(one, SOPI_LOCK_EXCLUSIVE), SOP_OK);
	assert_int_equal(lock_as(one, SOPI_LOCK_EXCLUSIVE), SOP_OK); /* its own is not in the way */
	assert_int_equal(lock_as(other, SOPI_LOCK_EXCLUSIVE), SOP_LOCKED);
	assert_int_equal(lock_as(other, SOPI_LOCK_SHARED), SOP_LOCKED);
	sopi_file_unlock(other); /* has none */
	assert_int_equal(lock_as(other, SOPI_LOCK_SHARED), SOP_LOCKED);
	sopi_file_unlock(one);
	assert_int_equal(lock_as(other, SOPI_LOCK_EXCLUSIVE), SOP_OK);
	assert_int_equal(lock_as(one, SOPI_LOCK_SHARED), SOP_LOCKED);
	sopi_file_close(other);
	assert_int_equal(lock_as(one, SOPI_LOCK_SHARED), SOP_OK);
	sopi_file_close(one);
}

static void shared_locks_go_together(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *one = acceptance_open(folder, "LOCK", ACCEPTANCE_NEW);
	struct sopi_file *other = acceptance_open(folder, "LOCK", SOPI_FILE_READ | SOPI_FILE_WRITE);

	assert_int_equal(lock_as(one, SOPI_LOCK_SHARED), SOP_OK);
	assert_int_equal(lock_as(other, SOPI_LOCK_SHARED), SOP_OK);
	assert_int_equal(lock_as(one, SOPI_LOCK_EXCLUSIVE), SOP_LOCKED);
	assert_int_equal(lock_as(other, SOPI_LOCK_SHARED), SOP_OK); /* a refusal costs nobody a lock */
	sopi_file_close(other);
	assert_int_equal(lock_as(one, SOPI_LOCK_EXCLUSIVE), SOP_OK); /* from shared to exclusive */
	other = acceptance_open(folder, "LOCK", SOPI_FILE_READ | SOPI_FILE_WRITE);
	assert_int_equal(lock_as(other, SOPI_LOCK_SHARED), SOP_LOCKED);
	assert_int_equal(lock_as(one, SOPI_LOCK_SHARED), SOP_OK); /* and back */
	assert_int_equal(lock_as(other, SOPI_LOCK_SHARED), SOP_OK);
	sopi_file_close(one);
	sopi_file_close(other);
}

static void closing_another_handle_keeps_the_lock(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *one = acceptance_open(folder, "LOCK", ACCEPTANCE_NEW);
	struct sopi_file *other = acceptance_open(folder, "LOCK", SOPI_FILE_READ | SOPI_FILE_WRITE);

	assert_int_equal(lock_as(one, SOPI_LOCK_EXCLUSIVE), SOP_OK);
	sopi_file_close(other); /* locks of a process, other than ours, would go here */
	other = acceptance_open(folder, "LOCK", SOPI_FILE_READ | SOPI_FILE_WRITE);
	assert_int_equal(lock_as(other, SOPI_LOCK_SHARED), SOP_LOCKED);
	sopi_file_close(other);
	sopi_file_close(one);
}

static bool is_locked(struct sopi_file *file)
{
	sop_error err = SOP_ERROR_INIT;
	struct sopi_locked locked;

	TEST_OK(sopi_file_is_locked(file, &locked, &err), err);
	assert_true(locked.by_others || !locked.shared);
	return locked.by_others;
}

static void anybody_may_ask_for_a_lock_without_taking_it(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *one = acceptance_open(folder, "LOCK", ACCEPTANCE_NEW);
	struct sopi_file *other = acceptance_open(folder, "LOCK", SOPI_FILE_READ);
	char holder[SOPI_HOLDER_BYTES_MAX + 1];
	sop_error err = SOP_ERROR_INIT;

	assert_false(is_locked(other));
	for (enum sopi_lock kind = SOPI_LOCK_SHARED; kind <= SOPI_LOCK_EXCLUSIVE; kind++) {
		assert_int_equal(lock_as(one, kind), SOP_OK);
		assert_true(is_locked(other));
		assert_false(is_locked(one)); /* its own does not count */
	}
	sopi_file_unlock(one);
	assert_false(is_locked(other));
	assert_int_equal(lock_as(one, SOPI_LOCK_EXCLUSIVE), SOP_OK); /* who asked has taken nothing */
	sopi_file_close(one);
	sopi_file_close(other);
	TEST_STATUS(sopi_folder_lock_holder(folder, "LOCK", holder, &err), SOP_NOT_FOUND, err);
	TEST_STATUS(sopi_folder_lock_holder(folder, "other", holder, &err), SOP_NOT_FOUND, err);
	TEST_OK(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "process 12", &one, &err), err);
	TEST_OK(sopi_folder_lock_holder(folder, "LOCK", holder, &err), err);
	assert_string_equal(holder, "process 12");
	sopi_file_close(one);
}

static void whoever_is_locked_out_learns_by_whom(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *one = NULL;
	struct sopi_file *other = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE,
				 "process 4711 on host7, a name that is longer than the next", &one, &err),
		err);
	sopi_file_close(one);
	TEST_OK(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "process 12", &one, &err), err);
	TEST_STATUS(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_SHARED, "", &other, &err),
		    SOP_LOCKED, err);
	assert_null(other);
	assert_string_equal(err.message,
			    "the database is open elsewhere, by process 12; close it there first");
	assert_string_equal(err.file, "LOCK");
	sopi_file_close(one);
	TEST_OK(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_SHARED, "", &other, &err), err);
	sopi_file_close(other);
}

static void who_locks_to_read_makes_and_writes_nothing(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *one = NULL, *other = NULL, *third = NULL;
	char holder[SOPI_HOLDER_BYTES_MAX + 1];
	sop_error err = SOP_ERROR_INIT;
	struct sopi_entry entry;

	TEST_STATUS(sopi_folder_lock_reading(folder, "LOCK", &one, &err), SOP_NOT_FOUND, err);
	TEST_STATUS(sopi_folder_look(folder, "LOCK", &entry, &err), SOP_NOT_FOUND, err);
	TEST_OK(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "process 12", &one, &err), err);
	TEST_STATUS(sopi_folder_lock_reading(folder, "LOCK", &other, &err), SOP_LOCKED, err);
	assert_non_null(strstr(err.message, "process 12"));
	sopi_file_close(one);
	TEST_OK(sopi_folder_lock_reading(folder, "LOCK", &one, &err), err);
	TEST_OK(sopi_folder_lock_reading(folder, "LOCK", &other, &err), err);
	TEST_STATUS(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "process 13", &third, &err),
		    SOP_LOCKED, err);
	assert_null(strstr(err.message, "process 12")); /* who has closed it long ago */
	assert_non_null(strstr(err.message, "read"));
	TEST_OK(sopi_folder_lock_holder(folder, "LOCK", holder, &err), err);
	assert_null(strstr(holder, "process 12"));
	sopi_file_close(one);
	TEST_STATUS(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "process 13", &third, &err),
		    SOP_LOCKED, err);
	sopi_file_close(other);
	TEST_OK(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "process 13", &third, &err), err);
	sopi_file_close(third);
}

static void a_hostile_lock_file_says_nothing_harmful(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *one = NULL;
	struct sopi_file *other = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "", &one, &err), err);
	TEST_STATUS(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "me", &other, &err),
		    SOP_LOCKED, err);
	assert_string_equal(err.message, "the database is open elsewhere; close it there first");
	write_at(one, 0, "a\033[2J%s%n\xFF\nsecond line");
	TEST_STATUS(sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "me", &other, &err),
		    SOP_LOCKED, err);
	assert_string_equal(err.message,
			    "the database is open elsewhere, by a?[2J%s%n?; close it there first");
	sopi_file_close(one);
}

/* ---- many threads */

enum { THREADS = 8 };

struct race {
	struct sopi_folder *folder;
	_Atomic int winners;
	_Atomic int losers;
	_Atomic int others;
};

static void count_outcome(struct race *race, sop_status status)
{
	if (status == SOP_OK)
		race->winners++;
	else if (status == SOP_EXISTS)
		race->losers++;
	else
		race->others++;
}

static void create_in_thread(size_t index, void *arg)
{
	struct race *race = arg;
	struct sopi_file *file = NULL;

	(void)index;
	count_outcome(race, sopi_folder_open_file(race->folder, "f", ACCEPTANCE_NEW, &file, NULL));
	sopi_file_close(file);
}

static void link_in_thread(size_t index, void *arg)
{
	struct race *race = arg;
	char name[8];

	(void)snprintf(name, sizeof name, "t%zu", index);
	count_outcome(race, sopi_folder_link(race->folder, name, "log", NULL));
}

static void of_many_creators_one_wins(void **state)
{
	sop_error err = SOP_ERROR_INIT;

	for (int i = 0; i < 20; i++) {
		struct race race = { .folder = folder_of(state) };

		test_run_threads(THREADS, create_in_thread, &race);
		assert_int_equal(race.winners, 1);
		assert_int_equal(race.losers, THREADS - 1);
		TEST_OK(sopi_folder_remove(race.folder, "f", &err), err);
	}
}

static void of_many_linkers_one_wins(void **state)
{
	sop_error err = SOP_ERROR_INIT;

	for (size_t i = 0; i < THREADS; i++) {
		char name[8];

		(void)snprintf(name, sizeof name, "t%zu", i);
		acceptance_put(folder_of(state), name, name);
	}
	for (int i = 0; i < 20; i++) {
		struct race race = { .folder = folder_of(state) };

		test_run_threads(THREADS, link_in_thread, &race);
		assert_int_equal(race.winners, 1);
		assert_int_equal(race.losers, THREADS - 1);
		TEST_OK(sopi_folder_remove(race.folder, "log", &err), err);
	}
}

static void write_in_thread(size_t index, void *arg)
{
	struct sopi_file *file = arg;
	char block[1000];

	memset(block, 'a' + (int)index, sizeof block);
	for (uint64_t i = 0; i < 50; i++) {
		const uint64_t offset = (i * THREADS + index) * sizeof block;

		if (sopi_file_write(file, offset, block, sizeof block, NULL) != SOP_OK)
			test_note_failure("thread %zu cannot write", index);
		if (i % 10 == 0 && sopi_file_sync_data(file, NULL) != SOP_OK)
			test_note_failure("thread %zu cannot sync", index);
	}
}

static void threads_write_side_by_side(void **state)
{
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	char block[1000];
	size_t got = 0;
	sop_error err = SOP_ERROR_INIT;

	test_run_threads(THREADS, write_in_thread, file);
	TEST_NO_FAILURES();
	for (uint64_t i = 0; i < 50 * THREADS; i++) {
		TEST_OK(sopi_file_read(file, i * sizeof block, block, sizeof block, &got, &err), err);
		assert_int_equal(got, sizeof block);
		for (size_t at = 0; at < sizeof block; at++)
			assert_int_equal(block[at], 'a' + (int)(i % THREADS));
	}
	sopi_file_close(file);
}

/* ---- out of memory */

static void without_memory_nothing_is_opened_or_lost(void **state)
{
	struct acceptance *acceptance = *state;
	const int64_t live = sopi_alloc_live_count();
	struct sopi_folder *folder = NULL;
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(acceptance->folder, "f", "text");
	sopi_alloc_fail_after(0, true);
	TEST_STATUS(sopi_files_open_folder(acceptance->platform->files, acceptance->path, 0, &folder, &err),
		    SOP_NO_MEMORY, err);
	TEST_STATUS(sopi_folder_open_file(acceptance->folder, "f", SOPI_FILE_READ, &file, &err),
		    SOP_NO_MEMORY, err);
	TEST_STATUS(sopi_folder_lock(acceptance->folder, "f", SOPI_LOCK_SHARED, "me", &file, &err),
		    SOP_NO_MEMORY, err);
	sopi_alloc_fail_after(-1, false);
	assert_int_equal(sopi_alloc_live_count(), live);
	acceptance_expect(acceptance->folder, "f", "text");
}

/* ---- clock and random numbers */

static void the_clock_does_not_go_back(void **state)
{
	const struct sopi_clock *clock = ((struct acceptance *)*state)->platform->clock;
	int64_t last_ns = sopi_clock_monotonic_ns(clock);

	assert_true(last_ns > 0);
	assert_true(sopi_clock_wall_ns(clock) > 0);
	for (int i = 0; i < 10000; i++) {
		const int64_t now_ns = sopi_clock_monotonic_ns(clock);

		assert_true(now_ns >= last_ns);
		last_ns = now_ns;
	}
}

static void a_sleep_takes_as_long_as_it_was_told(void **state)
{
	const struct sopi_clock *clock = ((struct acceptance *)*state)->platform->clock;
	const int64_t begin_ns = sopi_clock_monotonic_ns(clock);

	sopi_clock_sleep_ns(clock, 5000000);
	assert_true(sopi_clock_monotonic_ns(clock) - begin_ns >= 5000000);
	sopi_clock_sleep_ns(clock, 0);
	sopi_clock_sleep_ns(clock, -1);
}

static void a_wait_ends_with_its_deadline(void **state)
{
	const struct sopi_clock *clock = ((struct acceptance *)*state)->platform->clock;
	const int64_t deadline_ns = sopi_clock_monotonic_ns(clock) + 5000000;
	sopi_mutex mutex;
	sopi_cond cond;

	sopi_mutex_init(&mutex);
	sopi_cond_init(&cond);
	sopi_mutex_lock(&mutex);
	while (sopi_clock_wait_until(clock, &cond, &mutex, deadline_ns))
		; /* woken without a reason */
	assert_true(sopi_clock_monotonic_ns(clock) >= deadline_ns);
	assert_false(sopi_clock_wait_until(clock, &cond, &mutex, deadline_ns)); /* long past */
	assert_false(sopi_mutex_trylock(&mutex)); /* it is held again */
	sopi_mutex_unlock(&mutex);
	sopi_cond_destroy(&cond);
	sopi_mutex_destroy(&mutex);
}

struct bell {
	sopi_mutex mutex;
	sopi_cond cond;
	bool rung;
};

static void ring(void *arg)
{
	struct bell *bell = arg;

	sopi_mutex_lock(&bell->mutex);
	bell->rung = true;
	sopi_cond_signal(&bell->cond);
	sopi_mutex_unlock(&bell->mutex);
}

static void a_wait_ends_when_it_is_signalled(void **state)
{
	const struct sopi_clock *clock = ((struct acceptance *)*state)->platform->clock;
	const int64_t deadline_ns = sopi_clock_monotonic_ns(clock) + INT64_C(3600000000000);
	struct bell bell = { .rung = false };
	sopi_thread thread;
	sop_error err = SOP_ERROR_INIT;

	sopi_mutex_init(&bell.mutex);
	sopi_cond_init(&bell.cond);
	sopi_mutex_lock(&bell.mutex);
	TEST_OK(sopi_thread_start(&thread, "ring", ring, &bell, &err), err);
	while (!bell.rung && sopi_clock_wait_until(clock, &bell.cond, &bell.mutex, deadline_ns))
		;
	assert_true(bell.rung);
	sopi_mutex_unlock(&bell.mutex);
	sopi_thread_join(&thread);
	sopi_cond_destroy(&bell.cond);
	sopi_mutex_destroy(&bell.mutex);
}

static void random_numbers_fill_every_byte(void **state)
{
	struct sopi_random *random = ((struct acceptance *)*state)->platform->random;
	unsigned char seen[1001] = { 0 };
	unsigned char room[1003];
	sop_error err = SOP_ERROR_INIT;

	for (int i = 0; i < 20; i++) {
		memset(room, 0, sizeof room);
		TEST_OK(sopi_random_fill(random, room + 1, sizeof seen, &err), err);
		assert_int_equal(room[0], 0);
		assert_int_equal(room[sizeof room - 1], 0);
		for (size_t at = 0; at < sizeof seen; at++)
			seen[at] |= room[at + 1];
	}
	for (size_t at = 0; at < sizeof seen; at++)
		assert_int_not_equal(seen[at], 0); /* twenty zeros in a row: once in 2^160 */
	TEST_OK(sopi_random_fill(random, NULL, 0, &err), err);
}

static void random_numbers_do_not_repeat(void **state)
{
	struct sopi_random *random = ((struct acceptance *)*state)->platform->random;
	unsigned char one[16];
	unsigned char other[16];
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_random_fill(random, one, sizeof one, &err), err);
	TEST_OK(sopi_random_fill(random, other, sizeof other, &err), err);
	assert_memory_not_equal(one, other, sizeof one);
}

#define ACCEPTANCE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int acceptance_run(const char *name, CMFixtureFunction setup, CMFixtureFunction teardown)
{
	const struct CMUnitTest acceptance[] = {
		ACCEPTANCE(a_new_file_is_empty),
		ACCEPTANCE(what_is_written_is_read_back),
		ACCEPTANCE(reading_past_the_end_gets_what_is_there),
		ACCEPTANCE(a_gap_reads_as_zeros),
		ACCEPTANCE(resizing_forgets_what_was_cut),
		ACCEPTANCE(reserving_makes_longer_but_changes_nothing),
		ACCEPTANCE(two_handles_see_the_same_bytes),
		ACCEPTANCE(large_reads_and_writes_are_whole),
		ACCEPTANCE(a_place_beyond_all_files_is_a_limit),
		ACCEPTANCE(a_handle_does_only_what_it_was_opened_for),
		ACCEPTANCE(a_direct_file_holds_what_others_read),
		ACCEPTANCE(syncs_say_that_they_worked),
		ACCEPTANCE(only_create_makes_a_file),
		ACCEPTANCE(exclusive_refuses_what_is_there),
		ACCEPTANCE(the_folder_of_a_name_must_be_there),
		ACCEPTANCE(a_file_is_no_folder_and_a_folder_no_file),
		ACCEPTANCE(folders_are_made_once_and_removed_empty),
		ACCEPTANCE(renaming_replaces_at_one_stroke),
		ACCEPTANCE(renaming_a_file_to_itself_changes_nothing),
		ACCEPTANCE(folders_are_renamed_with_what_they_hold),
		ACCEPTANCE(a_link_is_a_further_name),
		ACCEPTANCE(a_removed_file_lives_as_long_as_its_handles),
		ACCEPTANCE(looking_tells_kind_and_size),
		ACCEPTANCE(a_list_tells_everything_once),
		ACCEPTANCE(a_list_ends_with_the_status_that_it_is_given),
		ACCEPTANCE(a_path_cannot_leave_the_folder),
		ACCEPTANCE(the_longest_path_works),
		ACCEPTANCE(names_that_look_like_dots_are_names),
		ACCEPTANCE(a_folder_is_opened_where_it_is_and_made_on_demand),
		ACCEPTANCE(files_outlive_the_folder_that_opened_them),
		ACCEPTANCE(closing_nothing_is_fine),
		ACCEPTANCE(the_file_system_has_a_name_and_a_size),
		ACCEPTANCE(a_message_says_what_and_where),
		ACCEPTANCE(an_exclusive_lock_keeps_all_others_out),
		ACCEPTANCE(shared_locks_go_together),
		ACCEPTANCE(closing_another_handle_keeps_the_lock),
		ACCEPTANCE(anybody_may_ask_for_a_lock_without_taking_it),
		ACCEPTANCE(whoever_is_locked_out_learns_by_whom),
		ACCEPTANCE(who_locks_to_read_makes_and_writes_nothing),
		ACCEPTANCE(a_hostile_lock_file_says_nothing_harmful),
		ACCEPTANCE(of_many_creators_one_wins),
		ACCEPTANCE(of_many_linkers_one_wins),
		ACCEPTANCE(threads_write_side_by_side),
		ACCEPTANCE(without_memory_nothing_is_opened_or_lost),
		ACCEPTANCE(the_clock_does_not_go_back),
		ACCEPTANCE(a_sleep_takes_as_long_as_it_was_told),
		ACCEPTANCE(a_wait_ends_with_its_deadline),
		ACCEPTANCE(a_wait_ends_when_it_is_signalled),
		ACCEPTANCE(random_numbers_fill_every_byte),
		ACCEPTANCE(random_numbers_do_not_repeat),
	};

	return cmocka_run_group_tests_name(name, acceptance, NULL, NULL);
}
