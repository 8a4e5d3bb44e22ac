/* Packs: what goes in comes out, at once and after; who lives, who goes; many threads. */
#include "pack_box.h"

#include "base/alloc.h"
#include "codec/pack_record.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int setup_sim(void **state)
{
	struct box *box = test_alloc(sizeof *box);

	box_open_sim(box);
	*state = box;
	return 0;
}

static int setup_host(void **state)
{
	struct box *box = test_alloc(sizeof *box);

	box_open_host(box);
	*state = box;
	return 0;
}

static int teardown(void **state)
{
	box_close(*state);
	free(*state);
	TEST_NO_FAILURES();
	return 0;
}

#define ON_BOTH(test)                                                                              \
	{ #test ".sim", test, setup_sim, teardown, NULL },                                         \
	{                                                                                          \
#test ".host", test, setup_host, teardown, NULL                                    \
	}

static const size_t sizes[] = { 0, 1, 100, 4055, 4056, 4057, 4096, 4097, 70000, 1 << 20, 3000000 };

enum { SIZES = sizeof sizes / sizeof sizes[0], NODE_VALUE_BYTES_MAX = 480000 };

/* ---- bytes ------------------------------------------------------------------------------------ */

/* Would fail if a page in the buffer were looked for in the file, or the other way round. */
static void check_round_trip(struct box *box, enum sopi_pack_kind kind, uint64_t bytes)
{
	struct thing things[SIZES];
	struct sopi_pack *pack = NULL;
	uint64_t id, total = 0;

	TEST_OK(sopi_pack_begin(box->packs, kind, bytes, &pack, &box->err), box->err);
	id = sopi_pack_id(pack);
	for (size_t i = 0; i < SIZES; i++) {
		things[i] = (struct thing){ .key = i + 1, .size = sizes[i], .node = kind == SOPI_PACK_NODES };
		if (things[i].node && things[i].size > NODE_VALUE_BYTES_MAX)
			things[i].size = NODE_VALUE_BYTES_MAX;
		TEST_OK(box_put(pack, &things[i], &box->err), box->err);
		assert_int_equal(things[i].place.pack, id);
		total += things[i].place.length;
		assert_int_equal(sopi_pack_bytes(pack), total);
		for (size_t k = 0; k <= i; k++)
			TEST_OK(box_look(box->packs, &things[k], &box->err), box->err);
	}
	assert_int_equal(box_verify(box, id), 0);
	TEST_OK(sopi_pack_finish(pack, &box->err), box->err);
	assert_int_equal(box_verify(box, id), 0);
	box_reopen(box, &(struct sopi_pack_entry){ id, (uint8_t)kind, total, 0, false }, 1);
	for (size_t i = 0; i < SIZES; i++)
		TEST_OK(box_look(box->packs, &things[i], &box->err), box->err);
	assert_int_equal(box_verify(box, id), 0);
}

static void nodes_come_back_at_once_and_after_a_restart(void **state)
{
	check_round_trip(*state, SOPI_PACK_NODES, 0);
}

static void a_reserve_larger_or_smaller_than_what_comes_is_cut_to_size(void **state)
{
	check_round_trip(*state, SOPI_PACK_NODES, 8 << 20);
	check_round_trip(*state, SOPI_PACK_NODES, 1000);
	check_round_trip(*state, SOPI_PACK_VALUES, 8 << 20);
}

static void a_blob_larger_than_the_buffer_goes_to_the_file(void **state)
{
	const size_t size = (3 << 20) + 1;
	uint8_t *bytes = memset(test_alloc(size), 7, size);
	struct box *box = *state;
	struct sopi_pack *pack = NULL;
	struct sopi_place places[3];
	sop_buf out = SOP_BUF_INIT;

	TEST_OK(sopi_pack_begin(box->packs, SOPI_PACK_NODES, 0, &pack, &box->err), box->err);
	TEST_OK(sopi_pack_append(pack, 1, test_bytes(bytes, 5), &places[0], &box->err), box->err);
	TEST_OK(sopi_pack_append(pack, 2, test_bytes(bytes, size), &places[1], &box->err), box->err);
	TEST_OK(sopi_pack_append(pack, 3, test_bytes(bytes, 6), &places[2], &box->err), box->err);
	for (int i = 0; i < 6; i++) {
		TEST_OK(sopi_packs_read(box->packs, &places[i % 3], &out, &box->err), box->err);
		assert_int_equal(out.size, places[i % 3].length);
		assert_memory_equal(out.data, bytes, out.size);
		if (i == 2)
			TEST_OK(sopi_pack_finish(pack, &box->err), box->err);
	}
	sop_buf_free(&out);
	free(bytes);
}

static void values_come_back_at_once_and_after_a_restart(void **state)
{
	check_round_trip(*state, SOPI_PACK_VALUES, 0);
}

static void a_large_value_has_a_file_of_its_own(void **state)
{
	struct box *box = *state;
	struct thing thing = { .size = 3 << 20 };
	char path[SOPI_PATH_BYTES_MAX + 1];
	const uint64_t id = box_fill(box, SOPI_PACK_VALUE, &thing, 1);

	sopi_packs_path(box->packs, id, path);
	assert_string_equal(path, "blobs/01/0000000000000001.val");
	TEST_OK(box_look(box->packs, &thing, &box->err), box->err);
	assert_int_equal(box_verify(box, id), 0);
}

static void another_key_length_or_place_is_not_the_value(void **state)
{
	struct box *box = *state;
	struct thing things[2] = { { .size = 500 }, { .size = 500 } };
	sop_buf out = SOP_BUF_INIT;
	struct sopi_place place;

	box_fill(box, SOPI_PACK_VALUES, things, 2);
	TEST_STATUS(sopi_packs_read_value(box->packs, 2, &things[0].place, &out, &box->err),
		    SOP_CORRUPT, box->err);
	assert_string_equal(box->err.file, "blobs/01/0000000000000001.pack");
	assert_int_equal(box->err.offset, SOPI_PACK_HEAD_BYTES);
	for (uint64_t length = 0; length < 542; length++) {
		place = things[0].place;
		place.length = length;
		if (length != things[0].place.length)
			TEST_STATUS(sopi_packs_read_value(box->packs, 1, &place, &out, &box->err),
				    SOP_CORRUPT, box->err);
	}
	place = things[1].place;
	place.offset = UINT64_MAX - 10;
	TEST_STATUS(sopi_packs_read(box->packs, &place, &out, &box->err), SOP_CORRUPT, box->err);
	place.offset = 32;
	place.length = UINT64_MAX - 31;
	TEST_STATUS(sopi_packs_read(box->packs, &place, &out, &box->err), SOP_CORRUPT, box->err);
	place.pack = 99;
	TEST_STATUS(sopi_packs_read(box->packs, &place, &out, &box->err), SOP_NOT_FOUND, box->err);
	sop_buf_free(&out);
}

static void a_value_beyond_1_gib_is_refused(void **state)
{
	struct box *box = *state;
	struct sopi_pack *pack = NULL;
	struct sopi_place place;
	uint8_t byte = 0;

	TEST_OK(sopi_pack_begin(box->packs, SOPI_PACK_VALUES, 0, &pack, &box->err), box->err);
	TEST_STATUS(sopi_pack_append(pack, 1, test_bytes(&byte, ((size_t)1 << 30) + 1), &place, &box->err),
		    SOP_LIMIT, box->err);
	sopi_pack_abandon(pack);
	TEST_OK(sopi_pack_begin(box->packs, SOPI_PACK_NODES, 0, &pack, &box->err), box->err);
	TEST_STATUS(sopi_pack_append(pack, 1, test_bytes(&byte, UINT32_MAX - 31), &place, &box->err),
		    SOP_LIMIT, box->err);
	assert_int_equal(sopi_pack_bytes(pack), 0);
	sopi_pack_abandon(pack);
}

/* ---- index ------------------------------------------------------------------------------------ */

struct walk {
	const struct thing *things;
	size_t count;
	size_t stop_at;
};

static sop_status compare(void *arg, uint64_t key, const struct sopi_place *place, sop_error *err)
{
	struct walk *walk = arg;
	const struct thing *thing = &walk->things[walk->count++];

	assert_int_equal(key, thing->key);
	assert_memory_equal(place, &thing->place, sizeof *place);
	return walk->count == walk->stop_at ? sopi_fail(err, SOP_CANCELLED, "enough") : SOP_OK;
}

static void check_each(struct box *box, uint64_t id, const struct thing *things, size_t count)
{
	struct walk walk = { things, 0, SIZE_MAX };

	TEST_OK(sopi_packs_each(box->packs, id, compare, &walk, &box->err), box->err);
	assert_int_equal(walk.count, count);
	walk = (struct walk){ things, 0, 2 };
	TEST_STATUS(sopi_packs_each(box->packs, id, compare, &walk, &box->err), SOP_CANCELLED, box->err);
	assert_int_equal(walk.count, 2);
}

static void the_index_tells_of_each_blob(void **state)
{
	struct thing things[50];

	for (int kind = SOPI_PACK_NODES; kind <= SOPI_PACK_VALUES; kind++) {
		for (size_t i = 0; i < 50; i++)
			things[i].size = i * 13;
		check_each(*state, box_fill(*state, (enum sopi_pack_kind)kind, things, 50), things, 50);
	}
}

static void a_pack_without_an_index_is_walked(void **state)
{
	struct box *box = *state;

	for (int kind = SOPI_PACK_NODES; kind <= SOPI_PACK_VALUES; kind++) {
		struct thing things[9];
		struct sopi_pack *pack = NULL;
		uint64_t id;

		TEST_OK(sopi_pack_begin(box->packs, (enum sopi_pack_kind)kind, 1 << 20, &pack, &box->err),
			box->err);
		id = sopi_pack_id(pack);
		for (size_t i = 0; i < 9; i++) {
			things[i] = (struct thing){ .key = i + 1,
						    .size = i * 1000,
						    .node = kind == SOPI_PACK_NODES };
			TEST_OK(box_put(pack, &things[i], &box->err), box->err);
			if (i == 6)
				TEST_OK(sopi_pack_sync(pack, &box->err), box->err);
		}
		check_each(box, id, things, 9);
		sopi_pack_abandon(pack); /* what was synced stays */
		check_each(box, id, things, 7);
		assert_int_equal(box_verify(box, id), kind == SOPI_PACK_NODES ? 1 : 0);
		TEST_STATUS(box_look(box->packs, &things[8], &box->err), SOP_CORRUPT, box->err);
	}
}

/* ---- what lives ------------------------------------------------------------------------------- */

static void live_bytes_and_totals_are_listed_ascending(void **state)
{
	struct box *box = *state;
	struct thing a[2] = { { .size = 10 }, { .size = 20 } };
	struct thing b[2] = { { .size = 30 }, { .size = 40 } };
	struct sopi_pack_entry *entries = NULL;
	struct sopi_pack *pack = NULL;
	struct thing unsynced = { .key = 1, .size = 5 };
	size_t count = 0;

	box_fill(box, SOPI_PACK_NODES, a, 2);
	box_fill(box, SOPI_PACK_VALUES, b, 2);
	TEST_OK(sopi_pack_begin(box->packs, SOPI_PACK_VALUES, 0, &pack, &box->err), box->err);
	TEST_OK(box_put(pack, &unsynced, &box->err), box->err);
	sopi_packs_live(box->packs, &a[0].place, true);
	sopi_packs_live(box->packs, &b[0].place, true);
	sopi_packs_live(box->packs, &b[1].place, true);
	sopi_packs_live(box->packs, &b[0].place, false);
	TEST_OK(sopi_packs_list(box->packs, &entries, &count, &box->err), box->err);
	assert_int_equal(count, 2); /* a crash may lose the third */
	assert_int_equal(entries[0].id, 1);
	assert_int_equal(entries[0].kind, SOPI_PACK_NODES);
	assert_int_equal(entries[0].total_bytes, a[0].place.length + a[1].place.length);
	assert_int_equal(entries[0].live_bytes, a[0].place.length);
	assert_int_equal(entries[1].live_bytes, b[1].place.length);
	sopi_free(entries);
	TEST_OK(sopi_pack_sync(pack, &box->err), box->err);
	TEST_OK(sopi_packs_list(box->packs, &entries, &count, &box->err), box->err);
	assert_int_equal(count, 3);
	assert_int_equal(entries[2].total_bytes, unsynced.place.length);
	sopi_free(entries);
	sopi_pack_abandon(pack);
	assert_int_equal(sopi_packs_next_id(box->packs), 4);
}

static void a_named_pack_must_be_there_and_long_enough(void **state)
{
	struct box *box = *state;
	struct thing thing = { .size = 100 };
	const uint64_t id = box_fill(box, SOPI_PACK_VALUES, &thing, 1);
	struct sopi_pack_entry entry = { id, SOPI_PACK_VALUES, 100, 7, false };
	struct sopi_pack_entry *list = NULL;
	size_t count;

	box_reopen(box, &entry, 1);
	assert_int_equal(sopi_packs_next_id(box->packs), id + 1);
	entry.total_bytes = 140;
	entry.live_bytes = 99;
	TEST_OK(sopi_packs_adopt(box->packs, &entry, &box->err), box->err);
	TEST_OK(sopi_packs_list(box->packs, &list, &count, &box->err), box->err);
	assert_int_equal(list[0].total_bytes, 140);
	assert_int_equal(list[0].live_bytes, 7);
	sopi_free(list);
	entry.total_bytes = 1000;
	TEST_STATUS(sopi_packs_adopt(box->packs, &entry, &box->err), SOP_CORRUPT, box->err);
	assert_string_equal(box->err.file, "blobs/01/0000000000000001.pack");
	entry.id = 77;
	TEST_STATUS(sopi_packs_adopt(box->packs, &entry, &box->err), SOP_CORRUPT, box->err);
	assert_string_equal(box->err.file, "blobs/4d/000000000000004d.pack");
	entry.id = id;
	entry.kind = SOPI_PACK_VALUE;
	TEST_STATUS(sopi_packs_adopt(box->packs, &entry, &box->err), SOP_CORRUPT, box->err);
	entry.kind = 9;
	TEST_STATUS(sopi_packs_adopt(box->packs, &entry, &box->err), SOP_CORRUPT, box->err);
}

static void removed_packs_are_not_found_and_their_files_gone(void **state)
{
	struct box *box = *state;
	struct thing thing = { .size = 100 };
	const uint64_t id = box_fill(box, SOPI_PACK_NODES, &thing, 1);

	TEST_OK(box_look(box->packs, &thing, &box->err), box->err);
	assert_true(box_has_file(box, id));
	sopi_packs_remove(box->packs, id);
	sopi_packs_remove(box->packs, id);
	assert_false(box_has_file(box, id));
	TEST_STATUS(box_look(box->packs, &thing, &box->err), SOP_NOT_FOUND, box->err);
}

static void an_abandoned_pack_leaves_no_file(void **state)
{
	struct box *box = *state;
	struct thing thing = { .key = 1, .size = 100 };
	struct sopi_pack *pack = NULL;

	TEST_OK(sopi_pack_begin(box->packs, SOPI_PACK_VALUES, 5000, &pack, &box->err), box->err);
	TEST_OK(box_put(pack, &thing, &box->err), box->err);
	assert_true(box_has_file(box, 1));
	sopi_pack_abandon(pack);
	assert_false(box_has_file(box, 1));
	TEST_STATUS(box_look(box->packs, &thing, &box->err), SOP_NOT_FOUND, box->err);
}

static void an_id_whose_name_is_taken_is_passed_over(void **state)
{
	struct box *box = *state;
	struct thing thing = { .size = 10 };

	TEST_OK(sopi_folder_make(box->folder, "blobs/01", &box->err), box->err);
	box_store(box, "blobs/01/0000000000000001.pack", "x", 1);
	assert_int_equal(box_fill(box, SOPI_PACK_NODES, &thing, 1), 2);
	assert_true(box_has_file(box, 1)); /* somebody may still adopt it */
}

/* ---- sweep ------------------------------------------------------------------------------------ */

struct heard {
	size_t count;
	char paths[16][300];
};

static void hear(void *arg, const char *path)
{
	struct heard *heard = arg;

	strcpy(heard->paths[heard->count++], path);
}

static bool was_heard(const struct heard *heard, const char *path)
{
	for (size_t i = 0; i < heard->count; i++) {
		if (strcmp(heard->paths[i], path) == 0)
			return true;
	}
	return false;
}

static void sweep_removes_orphans_and_reports_unknown_names(void **state)
{
	static const char *const orphans[] = { "blobs/01/0000000000000001.val",
					       "blobs/01/0000000000000101.pack",
					       "blobs/01/ffffffffffffff01.val" };
	static const char *const strange[] = { "blobs/01/0000000000000002.pack",
					       "blobs/01/0000000000000001.PACK",
					       "blobs/01/0000000000000001.packx",
					       "blobs/01/000000000000001.pack",
					       "blobs/01/00000000000000A1.pack",
					       "blobs/01/.hidden",
					       "blobs/1",
					       "blobs/0g",
					       "blobs/001" };
	struct box *box = *state;
	struct thing thing = { .size = 10 };
	struct heard heard = { 0 };
	struct sopi_entry entry;

	box_fill(box, SOPI_PACK_NODES, &thing, 1);
	for (size_t i = 0; i < sizeof orphans / sizeof orphans[0]; i++)
		box_store(box, orphans[i], "x", 1);
	for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++)
		box_store(box, strange[i], "x", 1);
	TEST_OK(sopi_folder_make(box->folder, "blobs/01/0000000000000201.pack", &box->err), box->err);
	TEST_OK(sopi_packs_sweep(box->packs, hear, &heard, &box->err), box->err);
	for (size_t i = 0; i < sizeof orphans / sizeof orphans[0]; i++)
		assert_int_equal(sopi_folder_look(box->folder, orphans[i], &entry, NULL), SOP_NOT_FOUND);
	for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
		assert_int_equal(sopi_folder_look(box->folder, strange[i], &entry, NULL), SOP_OK);
		assert_true(was_heard(&heard, strange[i]));
	}
	assert_true(was_heard(&heard, "blobs/01/0000000000000201.pack"));
	assert_int_equal(heard.count, sizeof strange / sizeof strange[0] + 1);
	TEST_OK(box_look(box->packs, &thing, &box->err), box->err);
	TEST_OK(sopi_packs_sweep(box->packs, NULL, NULL, &box->err), box->err);
}

static void sweep_cuts_off_the_torn_end_of_an_unfinished_pack(void **state)
{
	struct box *box = *state;
	struct thing things[3] = { { .size = 10 }, { .size = 2000 }, { .size = 30 } };
	const uint64_t id = box_fill(box, SOPI_PACK_VALUES, things, 3);
	const uint64_t total = things[0].place.length + things[1].place.length;
	const struct sopi_pack_entry entry = { id, SOPI_PACK_VALUES, total, 0, false };
	sop_buf bytes = SOP_BUF_INIT;
	char path[SOPI_PATH_BYTES_MAX + 1];

	sopi_packs_path(box->packs, id, path);
	box_load(box, path, &bytes);
	box_reopen(box, &entry, 1);
	TEST_OK(sopi_packs_sweep(box->packs, NULL, NULL, &box->err), box->err);
	TEST_OK(box_look(box->packs, &things[2], &box->err), box->err); /* the footer knows it */
	assert_int_equal(box_verify(box, id), 0);

	box_store(box, path, bytes.data, bytes.size - 1);
	box_reopen(box, &entry, 1);
	assert_int_not_equal(box_verify(box, id), 0);
	TEST_OK(sopi_packs_sweep(box->packs, NULL, NULL, &box->err), box->err);
	assert_int_equal(box_verify(box, id), 0);
	check_each(box, id, things, 2);
	TEST_STATUS(box_look(box->packs, &things[2], &box->err), SOP_CORRUPT, box->err);
	sop_buf_free(&bytes);
}

/* ---- descriptors ------------------------------------------------------------------------------ */

enum { MANY = 150, READERS = 8 };

struct crowd {
	struct box *box;
	struct thing things[MANY];
	_Atomic size_t gone;
	_Atomic size_t read;
};

static void fill_crowd(struct crowd *crowd, struct box *box)
{
	memset(crowd, 0, sizeof *crowd);
	crowd->box = box;
	for (size_t i = 0; i < MANY; i++) {
		crowd->things[i].size = 100 + i;
		box_fill(box, i % 3 != 0 ? SOPI_PACK_VALUES : SOPI_PACK_NODES, &crowd->things[i], 1);
	}
}

static void read_all(size_t index, void *arg)
{
	struct crowd *crowd = arg;
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), index);
	for (size_t i = 0; i < test_scaled(2000); i++) {
		sop_error err = SOP_ERROR_INIT;
		const size_t which = test_rng_below(&rng, MANY);

		if (box_look(crowd->box->packs, &crowd->things[which], &err) != SOP_OK)
			test_note_failure("pack %zu: %s", which, err.message);
	}
}

static size_t count_descriptors(void)
{
	size_t count = 0;
	char path[64];
	char target[PLACE_BYTES];

	for (int fd = 0; fd < 1024; fd++) {
		(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		count += readlink(path, target, sizeof target) > 0;
	}
	return count;
}

static void many_packs_share_few_descriptors(void **state)
{
	struct box *box = *state;
	const size_t before = count_descriptors();
	struct crowd *crowd = test_alloc(sizeof *crowd);

	fill_crowd(crowd, box);
	test_run_threads(READERS, read_all, crowd);
	assert_true(count_descriptors() <= before + SOPI_PACK_DESCRIPTORS_MAX);
	if (box->disk == NULL)
		assert_int_equal(count_descriptors(), before + SOPI_PACK_DESCRIPTORS_MAX);
	free(crowd);
}

/* Would fail if the descriptors that are kept counted for more than the one that is needed. */
static void few_descriptors_are_enough(void **state)
{
	struct box *box = *state;
	struct crowd *crowd = test_alloc(sizeof *crowd);
	struct rlimit before, few;

	fill_crowd(crowd, box);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = count_descriptors() + 12;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (size_t i = 0; i < MANY; i++)
		TEST_OK(box_look(box->packs, &crowd->things[i], &box->err), box->err);
	box_fill(box, SOPI_PACK_NODES, &crowd->things[0], 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	free(crowd);
}

/* The first thread removes, the others read: each read gives the right bytes or NOT_FOUND. */
static void read_or_remove(size_t index, void *arg)
{
	struct crowd *crowd = arg;
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), index);
	while (crowd->gone < MANY) {
		sop_error err = SOP_ERROR_INIT;
		const size_t which = test_rng_below(&rng, MANY);
		const bool was_gone = which < crowd->gone;
		sop_status status;

		if (index == 0) {
			if (crowd->read > 20 * crowd->gone) {
				sopi_packs_remove(crowd->box->packs,
						  crowd->things[crowd->gone].place.pack);
				crowd->gone++;
			}
			continue;
		}
		status = box_look(crowd->box->packs, &crowd->things[which], &err);
		crowd->read++;
		if (status != SOP_OK && status != SOP_NOT_FOUND)
			test_note_failure("%s", err.message);
		if (status == SOP_OK && was_gone)
			test_note_failure("a removed pack was read");
	}
}

static void packs_are_removed_under_their_readers(void **state)
{
	struct box *box = *state;
	struct crowd *crowd = test_alloc(sizeof *crowd);

	fill_crowd(crowd, box);
	test_run_threads(READERS, read_or_remove, crowd);
	for (uint64_t id = 1; id <= MANY; id++)
		assert_false(box_has_file(box, id));
	free(crowd);
}

/* ---- writers ---------------------------------------------------------------------------------- */

enum { WRITERS = 8, WRITES = 60 };

struct writers {
	struct box *box;
	struct sopi_pack *pack;
	struct thing things[WRITERS][WRITES];
};

static void append_and_sync(size_t index, void *arg)
{
	struct writers *writers = arg;
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), index);
	for (size_t i = 0; i < WRITES; i++) {
		sop_error err = SOP_ERROR_INIT;
		struct thing *thing = &writers->things[index][i];

		*thing = (struct thing){ .key = index << 32 | i, .size = test_rng_below(&rng, 9000) };
		if (box_put(writers->pack, thing, &err) != SOP_OK ||
		    box_look(writers->box->packs, thing, &err) != SOP_OK ||
		    (i % 3 == 0 && sopi_pack_sync(writers->pack, &err) != SOP_OK))
			test_note_failure("%s", err.message);
	}
}

static void many_threads_append_and_sync_at_once(void **state)
{
	struct writers *writers = test_alloc(sizeof *writers);
	struct box *box = *state;
	struct sopi_pack_entry entry = { 0, SOPI_PACK_VALUES, 0, 0, false };

	writers->box = box;
	TEST_OK(sopi_pack_begin(box->packs, SOPI_PACK_VALUES, 0, &writers->pack, &box->err), box->err);
	test_run_threads(WRITERS, append_and_sync, writers);
	entry.id = sopi_pack_id(writers->pack);
	entry.total_bytes = sopi_pack_bytes(writers->pack);
	TEST_OK(sopi_pack_finish(writers->pack, &box->err), box->err);
	box_reopen(box, &entry, 1);
	assert_int_equal(box_verify(box, entry.id), 0);
	for (size_t w = 0; w < WRITERS; w++) {
		for (size_t i = 0; i < WRITES; i++)
			TEST_OK(box_look(box->packs, &writers->things[w][i], &box->err), box->err);
	}
	free(writers);
}

/* Readers of a pack of nodes while it grows: what is in the buffer moves to the file under them. */
struct growing {
	struct box *box;
	struct thing things[400];
	_Atomic size_t count;
	_Atomic bool done;
};

static void grow_or_read(size_t index, void *arg)
{
	struct growing *growing = arg;
	sop_error err = SOP_ERROR_INIT;
	struct sopi_pack *pack = NULL;
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), index);
	while (index != 0 && !growing->done) {
		const size_t count = growing->count;

		if (count != 0 && box_look(growing->box->packs,
					   &growing->things[test_rng_below(&rng, count)], &err) != SOP_OK)
			test_note_failure("%s", err.message);
	}
	if (index != 0)
		return;
	if (sopi_pack_begin(growing->box->packs, SOPI_PACK_NODES, 0, &pack, &err) != SOP_OK)
		test_note_failure("%s", err.message);
	for (size_t i = 0; i < 400; i++) {
		growing->things[i] = (struct thing){ .key = i + 1, .size = 20000, .node = true };
		if (box_put(pack, &growing->things[i], &err) != SOP_OK)
			test_note_failure("%s", err.message);
		growing->count = i + 1;
	}
	if (sopi_pack_finish(pack, &err) != SOP_OK)
		test_note_failure("%s", err.message);
	growing->done = true;
}

static void nodes_are_read_while_their_pack_grows(void **state)
{
	struct growing *growing = memset(test_alloc(sizeof *growing), 0, sizeof *growing);

	growing->box = *state;
	test_run_threads(4, grow_or_read, growing);
	free(growing);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(nodes_come_back_at_once_and_after_a_restart),
		ON_BOTH(a_reserve_larger_or_smaller_than_what_comes_is_cut_to_size),
		ON_BOTH(a_blob_larger_than_the_buffer_goes_to_the_file),
		ON_BOTH(values_come_back_at_once_and_after_a_restart),
		ON_BOTH(a_large_value_has_a_file_of_its_own),
		ON_BOTH(another_key_length_or_place_is_not_the_value),
		ON_BOTH(a_value_beyond_1_gib_is_refused),
		ON_BOTH(the_index_tells_of_each_blob),
		ON_BOTH(a_pack_without_an_index_is_walked),
		ON_BOTH(live_bytes_and_totals_are_listed_ascending),
		ON_BOTH(a_named_pack_must_be_there_and_long_enough),
		ON_BOTH(removed_packs_are_not_found_and_their_files_gone),
		ON_BOTH(an_abandoned_pack_leaves_no_file),
		ON_BOTH(an_id_whose_name_is_taken_is_passed_over),
		ON_BOTH(sweep_removes_orphans_and_reports_unknown_names),
		ON_BOTH(sweep_cuts_off_the_torn_end_of_an_unfinished_pack),
		ON_BOTH(many_packs_share_few_descriptors),
		ON_BOTH(few_descriptors_are_enough),
		ON_BOTH(packs_are_removed_under_their_readers),
		ON_BOTH(many_threads_append_and_sync_at_once),
		ON_BOTH(nodes_are_read_while_their_pack_grows),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
