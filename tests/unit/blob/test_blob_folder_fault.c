/* Packs when calls fail, memory or the disk runs out, and bytes are damaged. */
#include "pack_box.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/plant.h"
#include "codec/pack_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a story in which everything happens ------------------------------------------------------- */

enum { NODES = 4, VALUES = 5, THINGS = NODES + VALUES + 1 };

/* What was done, and what was said to be durable. */
struct story {
	struct box box;
	struct thing things[THINGS];
	bool durable[THINGS];
	sop_status expected; /* what a failing call may answer */
	unsigned failures;
};

/* Notes a failure; any but the expected ones and IO fails the test. */
static bool went_well(struct story *story, sop_status status, const sop_error *err, const char *what)
{
	if (status == SOP_OK)
		return true;
	story->failures++;
	if (status != story->expected && status != SOP_IO)
		test_note_failure("%s: %s: %s", what, sop_status_name(status), err->message);
	if (err->status != status || err->message[0] == '\0')
		test_note_failure("%s: %s without a message", what, sop_status_name(status));
	return false;
}

#define WELL(story, call) went_well(story, call, &(story)->box.err, #call)

static void acknowledge(struct story *story, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		story->durable[i] = true;
}

static bool put_all(struct story *story, struct sopi_pack *pack, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (!WELL(story, box_put(pack, &story->things[i], &story->box.err)) ||
		    !WELL(story, box_look(story->box.packs, &story->things[i], &story->box.err)))
			return false;
	}
	return true;
}

/* A failed pack stays failed: what comes after must not say OK. */
static void check_failed(struct story *story, struct sopi_pack *pack)
{
	struct thing thing = { .key = 99, .size = 10 };
	sop_error err = SOP_ERROR_INIT;

	if (box_put(pack, &thing, &err) == SOP_OK || sopi_pack_sync(pack, &err) == SOP_OK)
		test_note_failure("a failed pack goes on");
	(void)story;
}

static void write_nodes(struct story *story)
{
	struct sopi_pack *pack = NULL;

	if (!WELL(story, sopi_pack_begin(story->box.packs, SOPI_PACK_NODES, 0, &pack, &story->box.err)))
		return;
	if (!put_all(story, pack, 0, NODES))
		sopi_pack_abandon(pack);
	else if (WELL(story, sopi_pack_finish(pack, &story->box.err)))
		acknowledge(story, 0, NODES);
}

static void write_values(struct story *story)
{
	const size_t first = NODES;
	const size_t end = NODES + VALUES;
	struct sopi_pack *pack = NULL;

	if (!WELL(story,
		  sopi_pack_begin(story->box.packs, SOPI_PACK_VALUES, 20000, &pack, &story->box.err)))
		return;
	if (!put_all(story, pack, first, first + 2)) {
		sopi_pack_abandon(pack);
		return;
	}
	if (!WELL(story, sopi_pack_sync(pack, &story->box.err)))
		check_failed(story, pack);
	else
		acknowledge(story, first, first + 2);
	if (!put_all(story, pack, first + 2, end))
		sopi_pack_abandon(pack);
	else if (WELL(story, sopi_pack_finish(pack, &story->box.err)))
		acknowledge(story, first, end);
}

static void write_value(struct story *story)
{
	struct sopi_pack *pack = NULL;

	if (!WELL(story, sopi_pack_begin(story->box.packs, SOPI_PACK_VALUE, 0, &pack, &story->box.err)))
		return;
	if (!put_all(story, pack, THINGS - 1, THINGS))
		sopi_pack_abandon(pack);
	else if (WELL(story, sopi_pack_finish(pack, &story->box.err)))
		acknowledge(story, THINGS - 1, THINGS);
}

static bool count_problems(void *arg, const char *file, int64_t offset, const char *kind,
			   const char *message)
{
	unsigned *count = arg;

	(void)offset;
	++*count;
	printf("%s: %s: %s\n", file, kind, message);
	return true;
}

static sop_status count_blobs(void *arg, uint64_t key, const struct sopi_place *place, sop_error *err)
{
	size_t *count = arg;

	(void)key;
	(void)place;
	(void)err;
	++*count;
	return SOP_OK;
}

/* Everything that only reads. */
static void look_around(struct story *story)
{
	struct sopi_packs *packs = story->box.packs;
	struct sopi_pack_entry *list = NULL;
	size_t count = 0, blobs = 0;

	for (size_t i = 0; i < THINGS; i++) {
		if (story->durable[i])
			(void)WELL(story, box_look(packs, &story->things[i], &story->box.err));
	}
	if (!WELL(story, sopi_packs_list(packs, &list, &count, &story->box.err)))
		return;
	for (size_t i = 0; i < count; i++) {
		unsigned problems = 0;

		(void)WELL(story,
			   sopi_packs_each(packs, list[i].id, count_blobs, &blobs, &story->box.err));
		(void)WELL(story, sopi_packs_verify(packs, list[i].id, count_problems, NULL,
						    &problems, &story->box.err));
		if (problems != 0)
			test_note_failure("problems in pack %llu", (unsigned long long)list[i].id);
	}
	sopi_free(list);
}

static void adopt_again(struct story *story)
{
	struct box *box = &story->box;
	struct sopi_pack_entry *list = NULL;
	size_t count = 0;

	if (!WELL(story, sopi_packs_list(box->packs, &list, &count, &box->err)))
		return;
	for (size_t i = 0; i < count; i++) {
		struct sopi_packs *other = NULL;

		if (!WELL(story, sopi_packs_open(box->platform, box->folder, 1, &other, &box->err)))
			continue;
		(void)WELL(story, sopi_packs_adopt(other, &list[i], &box->err));
		sopi_packs_close(other);
	}
	sopi_free(list);
}

static void begin_story(struct story *story, sop_status expected)
{
	static const size_t sizes[THINGS] = { 100, 4000, 20000, 1, 10, 5000, 0, 4056, 4057, 30000 };

	memset(story, 0, sizeof *story);
	box_open_sim(&story->box);
	story->expected = expected;
	for (size_t i = 0; i < THINGS; i++)
		story->things[i] = (struct thing){ .key = i + 1, .size = sizes[i], .node = i < NODES };
}

static void play(struct story *story)
{
	write_nodes(story);
	write_values(story);
	write_value(story);
	look_around(story);
	adopt_again(story);
	(void)WELL(story, sopi_packs_sweep(story->box.packs, NULL, NULL, &story->box.err));
}

struct swept {
	struct box *box;
	size_t files;
};

static sop_status count_files(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	struct swept *swept = arg;
	char path[300];

	(void)snprintf(path, sizeof path, "blobs/%s", name);
	swept->files += kind == SOPI_ENTRY_FILE;
	return kind == SOPI_ENTRY_FOLDER
		       ? sopi_folder_list(swept->box->folder, path, count_files, arg, err)
		       : SOP_OK;
}

/* The fault is over: what was said to be durable is there, before and after a restart, and nothing else. */
static void check_story(struct story *story)
{
	struct box *box = &story->box;
	struct sopi_pack_entry *list = NULL;
	struct swept swept = { box, 0 };
	size_t count = 0;

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < THINGS; i++) {
			if (story->durable[i])
				TEST_OK(box_look(box->packs, &story->things[i], &box->err), box->err);
		}
		TEST_OK(sopi_packs_list(box->packs, &list, &count, &box->err), box->err);
		box_reopen(box, list, count);
		TEST_OK(sopi_packs_sweep(box->packs, NULL, NULL, &box->err), box->err);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(box_verify(box, list[i].id), 0);
		sopi_free(list);
	}
	TEST_OK(sopi_folder_list(box->folder, "blobs", count_files, &swept, &box->err), box->err);
	assert_int_equal(swept.files, count);
	box_close(box);
	TEST_NO_FAILURES();
}

/* ---- failing calls ---------------------------------------------------------------------------- */

static unsigned play_with_fault(const struct sopi_sim_fault *fault, sop_status expected, int64_t *calls)
{
	struct story story;

	begin_story(&story, expected);
	sopi_sim_fail(story.box.process, fault);
	play(&story);
	*calls = sopi_sim_calls(story.box.process, SOPI_SIM_ANY);
	sopi_sim_fail(story.box.process, NULL);
	check_story(&story);
	return story.failures;
}

static void a_failing_call_is_told_and_nothing_durable_is_lost(void **state)
{
	static const struct {
		int os_errno;
		sop_status status;
	} errors[] = { { EIO, SOP_IO },
		       { ENOSPC, SOP_NO_SPACE },
		       { EROFS, SOP_READ_ONLY },
		       { EMFILE, SOP_NO_MEMORY } };
	unsigned failures = 0;
	int64_t calls = 0, ignored;

	(void)state;
	assert_int_equal(play_with_fault(NULL, SOP_OK, &calls), 0);
	assert_true(calls > 50);
	for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
		for (int64_t after = 0; after < 2 * calls; after++) {
			const struct sopi_sim_fault fault = { .calls = SOPI_SIM_ANY,
							      .after = after / 2,
							      .for_ever = after % 2 != 0,
							      .os_errno = errors[e].os_errno,
							      .partial_bytes = (size_t)after };

			failures += play_with_fault(&fault, errors[e].status, &ignored);
		}
	}
	assert_true(failures > 3 * calls);
}

/* ---- memory ----------------------------------------------------------------------------------- */

static void out_of_memory_is_told_and_nothing_durable_is_lost(void **state)
{
	struct story story;
	int64_t asked;

	(void)state;
	for (int for_ever = 0; for_ever < 2; for_ever++) {
		int64_t n = 0;

		do {
			begin_story(&story, SOP_NO_MEMORY);
			sopi_alloc_fail_after(n, for_ever != 0);
			play(&story);
			asked = sopi_alloc_asked();
			sopi_alloc_fail_after(-1, false);
			check_story(&story);
		} while (n++ < asked);
		assert_int_equal(story.failures, 0);
		assert_true(n > 40);
	}
}

/* ---- a full disk ------------------------------------------------------------------------------ */

static void a_full_disk_is_told_and_nothing_durable_is_lost(void **state)
{
	struct story story;
	uint64_t quota = 0;

	(void)state;
	do {
		quota += 2048;
		begin_story(&story, SOP_NO_SPACE);
		sopi_sim_disk_set_quota(story.box.disk, quota);
		play(&story);
		sopi_sim_disk_set_quota(story.box.disk, 0);
		check_story(&story);
	} while (story.failures != 0);
	assert_true(quota > 60000);
}

static void a_reserve_that_does_not_fit_leaves_nothing(void **state)
{
	struct box box;
	struct sopi_pack *pack = NULL;

	(void)state;
	box_open_sim(&box);
	sopi_sim_disk_set_quota(box.disk, 100000);
	TEST_STATUS(sopi_pack_begin(box.packs, SOPI_PACK_NODES, 200000, &pack, &box.err),
		    SOP_NO_SPACE, box.err);
	assert_int_equal(sopi_sim_disk_used_bytes(box.disk), 0);
	TEST_OK(sopi_pack_begin(box.packs, SOPI_PACK_NODES, 90000, &pack, &box.err), box.err);
	assert_int_equal(sopi_pack_id(pack), 2);
	sopi_pack_abandon(pack);
	box_close(&box);
}

/* A file system that cannot reserve is no error. */
static void a_reserve_that_cannot_be_had_is_done_without(void **state)
{
	const struct sopi_sim_fault fault = { .calls = SOPI_SIM_ALLOCATE,
					      .for_ever = true,
					      .os_errno = EOPNOTSUPP };
	struct thing thing = { .key = 1, .size = 100 };
	struct sopi_pack *pack = NULL;
	struct box box;

	(void)state;
	box_open_sim(&box);
	sopi_sim_fail(box.process, &fault);
	TEST_OK(sopi_pack_begin(box.packs, SOPI_PACK_VALUES, 200000, &pack, &box.err), box.err);
	TEST_OK(box_put(pack, &thing, &box.err), box.err);
	TEST_OK(sopi_pack_finish(pack, &box.err), box.err);
	assert_int_equal(box_verify(&box, 1), 0);
	box_close(&box);
}

/* Nodes of 4 MB in a pack, of which the write-back number `failing` fails. Returns how many there were. */
static int64_t push_with_fault(int64_t failing)
{
	enum { PAGES = 40, PAGE_BYTES = 100 << 10 };
	const struct sopi_sim_fault fault = { .calls = SOPI_SIM_WRITE_BACK,
					      .after = failing,
					      .os_errno = EIO };
	struct sopi_pack *pack = NULL;
	sop_status status = SOP_OK;
	struct box box;
	int64_t calls;

	box_open_sim(&box);
	sopi_sim_fail(box.process, &fault);
	TEST_OK(sopi_pack_begin(box.packs, SOPI_PACK_NODES, 0, &pack, &box.err), box.err);
	for (uint64_t i = 1; i <= PAGES && status == SOP_OK; i++) {
		struct thing thing = { .key = i, .size = PAGE_BYTES, .node = true };

		status = box_put(pack, &thing, &box.err);
	}
	calls = sopi_sim_calls(box.process, SOPI_SIM_WRITE_BACK);
	if (calls > failing) { /* it may have been the only report of lost bytes */
		TEST_STATUS(status, SOP_IO, box.err);
		TEST_STATUS(sopi_pack_sync(pack, &box.err), SOP_IO, box.err);
		sopi_pack_abandon(pack);
	} else {
		TEST_OK(status, box.err);
		TEST_OK(sopi_pack_finish(pack, &box.err), box.err);
		assert_int_equal(box_verify(&box, 1), 0);
	}
	box_close(&box);
	return calls;
}

static void pages_are_handed_over_as_they_come_and_a_failure_counts(void **state)
{
	const int64_t all = push_with_fault(1000);

	(void)state;
	assert_in_range(all, 10, 20); /* 4 MB, a quarter of one at a time */
	for (int64_t failing = 0; failing < all; failing += 3)
		assert_int_equal(push_with_fault(failing), failing + 1);
}

/* ---- damage ----------------------------------------------------------------------------------- */

enum { DAMAGED_THINGS = 3 };

struct damage {
	struct box box;
	enum sopi_pack_kind kind;
	struct thing things[DAMAGED_THINGS];
	struct sopi_pack_entry entry;
	char path[SOPI_PATH_BYTES_MAX + 1];
	sop_buf bytes;
};

static void begin_damage(struct damage *damage, enum sopi_pack_kind kind, bool host)
{
	uint64_t total = 0;

	memset(damage, 0, sizeof *damage);
	damage->kind = kind;
	if (host)
		box_open_host(&damage->box);
	else
		box_open_sim(&damage->box);
	for (size_t i = 0; i < DAMAGED_THINGS; i++)
		damage->things[i].size = i * 40;
	damage->entry.id = box_fill(&damage->box, kind, damage->things, DAMAGED_THINGS);
	for (size_t i = 0; i < DAMAGED_THINGS; i++)
		total += damage->things[i].place.length;
	damage->entry.kind = (uint8_t)kind;
	damage->entry.total_bytes = total;
	sopi_packs_path(damage->box.packs, damage->entry.id, damage->path);
	box_load(&damage->box, damage->path, &damage->bytes);
}

static void end_damage(struct damage *damage)
{
	sop_buf_free(&damage->bytes);
	box_close(&damage->box);
	TEST_NO_FAILURES();
}

/* Reads everything: nothing wrong may be answered. Which things are damaged by a change of byte `at`? */
static void read_damaged(struct damage *damage, size_t at)
{
	size_t blobs = 0;

	for (size_t i = 0; i < DAMAGED_THINGS; i++) {
		const struct thing *thing = &damage->things[i];
		const bool hit = at >= thing->place.offset &&
				 at < thing->place.offset + thing->place.length;
		sop_error err = SOP_ERROR_INIT;
		const sop_status status = box_look(damage->box.packs, thing, &err);

		if (hit != (status != SOP_OK))
			test_note_failure("byte %zu, thing %zu: %s", at, i, sop_status_name(status));
		if (hit && !thing->node && (strcmp(err.file, damage->path) != 0 || err.offset < 0))
			test_note_failure("no file and offset");
	}
	(void)sopi_packs_each(damage->box.packs, damage->entry.id, count_blobs, &blobs, NULL);
}

static void flip_each_byte(enum sopi_pack_kind kind)
{
	struct damage damage;
	uint8_t *bytes;

	begin_damage(&damage, kind, false);
	bytes = damage.bytes.data;
	for (size_t at = 0; at < damage.bytes.size; at++) {
		for (int bit = 0; bit < 8; bit++) {
			bytes[at] ^= (uint8_t)(1 << bit);
			box_store(&damage.box, damage.path, bytes, damage.bytes.size);
			bytes[at] ^= (uint8_t)(1 << bit);
			if (box_verify(&damage.box, damage.entry.id) == 0)
				test_note_failure("a flip of byte %zu is not found", at);
			box_reopen(&damage.box, &damage.entry, 1);
			if (box_verify(&damage.box, damage.entry.id) == 0)
				test_note_failure("a flip of byte %zu is not found later", at);
			read_damaged(&damage, at);
		}
	}
	end_damage(&damage);
}

static void a_flipped_bit_is_found_by_verify_and_by_reading(void **state)
{
	(void)state;
	flip_each_byte(SOPI_PACK_NODES);
	flip_each_byte(SOPI_PACK_VALUES);
}

/* A process that finished the pack knows more than one that adopted it: that it must have a footer. */
static void truncate_everywhere(enum sopi_pack_kind kind)
{
	const size_t last = DAMAGED_THINGS - 1;
	struct damage damage;
	size_t blobs_end;

	begin_damage(&damage, kind, false);
	blobs_end = damage.things[last].place.offset + damage.things[last].place.length;
	for (size_t size = damage.bytes.size; size-- > 0;) {
		box_store(&damage.box, damage.path, damage.bytes.data, size);
		if (box_verify(&damage.box, damage.entry.id) == 0)
			test_note_failure("the cut at %zu is not found", size);
		if (size >= blobs_end)
			TEST_OK(box_look(damage.box.packs, &damage.things[last], &damage.box.err),
				damage.box.err);
		else
			TEST_STATUS(box_look(damage.box.packs, &damage.things[last], &damage.box.err),
				    SOP_CORRUPT, damage.box.err);
	}
	for (size_t size = damage.bytes.size; size-- > blobs_end;) {
		box_store(&damage.box, damage.path, damage.bytes.data, size);
		box_reopen(&damage.box, &damage.entry, 1);
		if (box_verify(&damage.box, damage.entry.id) == 0 &&
		    (size != blobs_end || kind == SOPI_PACK_NODES))
			test_note_failure("the cut at %zu is not found later", size);
	}
	box_store(&damage.box, damage.path, damage.bytes.data, blobs_end - 1);
	sopi_packs_remove(damage.box.packs, 77);
	box_reopen(&damage.box, NULL, 0);
	TEST_STATUS(sopi_packs_adopt(damage.box.packs, &damage.entry, &damage.box.err), SOP_CORRUPT,
		    damage.box.err);
	end_damage(&damage);
}

static void a_truncation_is_found_by_verify_and_by_reading(void **state)
{
	(void)state;
	truncate_everywhere(SOPI_PACK_NODES);
	truncate_everywhere(SOPI_PACK_VALUES);
}

static void a_longer_missing_or_other_file_is_found(void **state)
{
	struct damage damage;
	struct thing thing = { .size = 40 };
	sop_buf other = SOP_BUF_INIT;
	char path[SOPI_PATH_BYTES_MAX + 1];
	uint8_t *longer;

	(void)state;
	for (int host = 0; host < 2; host++) {
		begin_damage(&damage, SOPI_PACK_VALUES, host != 0);
		longer = memset(test_alloc(damage.bytes.size + 1), 0, damage.bytes.size + 1);
		memcpy(longer, damage.bytes.data, damage.bytes.size);
		box_store(&damage.box, damage.path, longer, damage.bytes.size + 1);
		assert_int_equal(box_verify(&damage.box, damage.entry.id), 1);
		free(longer);
		sopi_packs_path(damage.box.packs,
				box_fill(&damage.box, SOPI_PACK_VALUES, &thing, 1), path);
		box_load(&damage.box, path, &other);
		box_store(&damage.box, damage.path, other.data, other.size);
		assert_int_not_equal(box_verify(&damage.box, damage.entry.id), 0);
		TEST_STATUS(box_look(damage.box.packs, &damage.things[0], &damage.box.err),
			    SOP_CORRUPT, damage.box.err);
		box_reopen(&damage.box, NULL, 0);
		box_store(&damage.box, damage.path, damage.bytes.data, damage.bytes.size);
		TEST_OK(sopi_packs_adopt(damage.box.packs, &damage.entry, &damage.box.err),
			damage.box.err);
		TEST_OK(sopi_folder_remove(damage.box.folder, damage.path, &damage.box.err),
			damage.box.err);
		assert_int_equal(box_verify(&damage.box, damage.entry.id), 1);
		TEST_STATUS(box_look(damage.box.packs, &damage.things[0], &damage.box.err),
			    SOP_CORRUPT, damage.box.err);
		sop_buf_free(&other);
		end_damage(&damage);
	}
}

/* The checksum is right, the keys are not. */
static void an_index_that_names_other_blobs_is_found(void **state)
{
	struct damage damage;
	uint8_t *index;
	size_t size;

	(void)state;
	for (int kind = SOPI_PACK_NODES; kind <= SOPI_PACK_VALUES; kind++) {
		begin_damage(&damage, (enum sopi_pack_kind)kind, false);
		size = damage.bytes.size - SOPI_PACK_HEAD_BYTES - damage.entry.total_bytes -
		       SOPI_PACK_FOOTER_BYTES;
		index = (uint8_t *)damage.bytes.data + SOPI_PACK_HEAD_BYTES + damage.entry.total_bytes;
		index[SOPI_PACK_INDEX_HEAD_BYTES] ^= 64;
		sopi_store_u32le(index + size - 4, sopi_crc32c(0, index, size - 4));
		box_store(&damage.box, damage.path, damage.bytes.data, damage.bytes.size);
		assert_int_equal(box_verify(&damage.box, damage.entry.id), 1);
		end_damage(&damage);
	}
}

/* Index and footer of a pack that ends with the first blob, as the second one in it. */
static void make_false_end(sop_buf *value, uint64_t end)
{
	const struct sopi_pack_slot slot = { 1, SOPI_PACK_HEAD_BYTES, end - SOPI_PACK_HEAD_BYTES };
	struct sopi_pack_footer footer = { end, 0, end - SOPI_PACK_HEAD_BYTES };

	assert_int_equal(sop_buf_reserve(value, 1000, NULL), SOP_OK);
	assert_int_equal(sopi_pack_index_begin(value, NULL), SOP_OK);
	sopi_pack_index_add(value, &slot);
	sopi_pack_index_end(value, 1);
	footer.index_length = value->size;
	sopi_pack_footer_encode((uint8_t *)value->data + value->size, 1, &footer);
	value->size += SOPI_PACK_FOOTER_BYTES;
}

/* Would fail if what a user wrote could hide the values behind it from the rewriting of packs. */
static void a_value_that_looks_like_a_footer_is_none(void **state)
{
	struct box box;
	struct sopi_pack *pack = NULL;
	struct thing thing = { .key = 1, .size = 10 };
	struct sopi_pack_entry entry = { 1, SOPI_PACK_VALUES, 0, 0, false };
	struct sopi_place place;
	sop_buf value = SOP_BUF_INIT;
	size_t blobs = 0;

	(void)state;
	box_open_sim(&box);
	TEST_OK(sopi_pack_begin(box.packs, SOPI_PACK_VALUES, 0, &pack, &box.err), box.err);
	TEST_OK(box_put(pack, &thing, &box.err), box.err);
	make_false_end(&value, thing.place.offset + thing.place.length + SOPI_PACK_FRAME_BYTES);
	TEST_OK(sopi_pack_append(pack, 2, test_bytes(value.data, value.size), &place, &box.err), box.err);
	TEST_OK(sopi_pack_sync(pack, &box.err), box.err);
	entry.total_bytes = sopi_pack_bytes(pack);
	sopi_pack_abandon(pack);
	box_reopen(&box, &entry, 1);
	TEST_OK(sopi_packs_sweep(box.packs, NULL, NULL, &box.err), box.err);
	TEST_OK(sopi_packs_each(box.packs, 1, count_blobs, &blobs, &box.err), box.err);
	assert_int_equal(blobs, 2);
	assert_int_equal(box_verify(&box, 1), 0);
	sop_buf_free(&value);
	box_close(&box);
}

static void a_checksum_that_nobody_looks_at_is_caught(void **state)
{
	struct damage damage;
	const struct thing *thing = &damage.things[2];
	sop_buf out = SOP_BUF_INIT;
	uint8_t *bytes;
	sop_status careless;

	(void)state;
	begin_damage(&damage, SOPI_PACK_VALUES, false);
	bytes = damage.bytes.data;
	bytes[thing->place.offset + SOPI_PACK_FRAME_BYTES] ^= 1;
	box_store(&damage.box, damage.path, bytes, damage.bytes.size);
	sopi_planted = SOPI_PLANT_PACK_NO_CRC;
	careless = sopi_packs_read_value(damage.box.packs, thing->key, &thing->place, &out, NULL);
	sopi_planted = SOPI_PLANT_NONE;
	assert_int_equal(careless, SOP_OK); /* wrong bytes, which box_look tells of */
	TEST_STATUS(sopi_packs_read_value(damage.box.packs, thing->key, &thing->place, &out,
					  &damage.box.err),
		    SOP_CORRUPT, damage.box.err);
	sop_buf_free(&out);
	end_damage(&damage);
}

static void another_format_is_refused_by_its_number(void **state)
{
	struct damage damage;
	uint8_t *bytes;

	(void)state;
	begin_damage(&damage, SOPI_PACK_VALUES, false);
	bytes = damage.bytes.data;
	bytes[SOPI_PACK_HEAD_BYTES + 4] = 7;
	box_store(&damage.box, damage.path, bytes, damage.bytes.size);
	TEST_STATUS(box_look(damage.box.packs, &damage.things[0], &damage.box.err), SOP_UNSUPPORTED,
		    damage.box.err);
	assert_non_null(strstr(damage.box.err.message, "7"));
	bytes[damage.bytes.size - SOPI_PACK_FOOTER_BYTES + 4] = 8;
	box_store(&damage.box, damage.path, bytes, damage.bytes.size);
	TEST_STATUS(sopi_packs_each(damage.box.packs, damage.entry.id, count_blobs, NULL,
				    &damage.box.err),
		    SOP_UNSUPPORTED, damage.box.err);
	end_damage(&damage);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failing_call_is_told_and_nothing_durable_is_lost),
		cmocka_unit_test(out_of_memory_is_told_and_nothing_durable_is_lost),
		cmocka_unit_test(a_full_disk_is_told_and_nothing_durable_is_lost),
		cmocka_unit_test(a_reserve_that_does_not_fit_leaves_nothing),
		cmocka_unit_test(a_reserve_that_cannot_be_had_is_done_without),
		cmocka_unit_test(pages_are_handed_over_as_they_come_and_a_failure_counts),
		cmocka_unit_test(a_flipped_bit_is_found_by_verify_and_by_reading),
		cmocka_unit_test(a_truncation_is_found_by_verify_and_by_reading),
		cmocka_unit_test(a_longer_missing_or_other_file_is_found),
		cmocka_unit_test(an_index_that_names_other_blobs_is_found),
		cmocka_unit_test(a_value_that_looks_like_a_footer_is_none),
		cmocka_unit_test(a_checksum_that_nobody_looks_at_is_caught),
		cmocka_unit_test(another_format_is_refused_by_its_number),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
