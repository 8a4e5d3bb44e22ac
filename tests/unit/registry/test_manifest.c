/* The manifest: its bytes there and back, damaged and hostile ones, and its file with every call failing once. */
#include "unit/registry/box.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	AT_FORMAT = 4,
	AT_LENGTH = 8,
	AT_CRC = 16,
	AT_FIELDS = 24,
	AT_RUN_COUNT = AT_FIELDS + 16 + 64 + 12 + 24
};

static void random_runs(struct test_rng *rng, struct sopi_manifest *manifest)
{
	struct sopi_registry_view *view = &manifest->registry;
	uint64_t position = 1;

	view->run_count = test_rng_below(rng, SOPI_RUNS_MAX + 1);
	for (size_t i = 0; i < view->run_count; i++) {
		view->runs[i] = position += 1 + test_rng_below(rng, 1000);
		view->run_entries[i] = 1 + test_rng_below(rng, 1000);
	}
	manifest->checkpoint = position + test_rng_below(rng, 1000);
	if (test_rng_once_in(rng, 4))
		return;
	view->generation = 1 + test_rng_below(rng, 1u << 30);
	view->segment_count = 1 + test_rng_below(rng, 1000);
	view->entry_count = 1 + test_rng_below(rng, 10000);
}

static void random_arrays(struct test_rng *rng, struct sopi_manifest *manifest, uint64_t most)
{
	sop_error err = SOP_ERROR_INIT;

	manifest->pack_count = test_rng_below(rng, most);
	manifest->outcome_count = test_rng_below(rng, most);
	manifest->dead_value_count = test_rng_below(rng, most);
	manifest->dropped_count = test_rng_below(rng, most);
	TEST_OK(sopi_alloc_zeroed(manifest->pack_count * sizeof *manifest->packs,
				  (void **)&manifest->packs, &err),
		err);
	TEST_OK(sopi_alloc_zeroed(manifest->outcome_count * sizeof *manifest->outcomes,
				  (void **)&manifest->outcomes, &err),
		err);
	TEST_OK(sopi_alloc_zeroed(manifest->dead_value_count * sizeof *manifest->dead_values,
				  (void **)&manifest->dead_values, &err),
		err);
	TEST_OK(sopi_alloc_zeroed(manifest->dropped_count * sizeof *manifest->dropped,
				  (void **)&manifest->dropped, &err),
		err);
}

static void random_manifest(struct test_rng *rng, uint64_t most, struct sopi_manifest *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < sizeof out->database; i++)
		out->database[i] = (uint8_t)test_rng_next(rng);
	out->epoch = test_rng_next(rng);
	out->first_segment = test_rng_next(rng);
	out->log_slot = test_rng_next(rng) >> 16;
	out->log_crc = (uint32_t)test_rng_next(rng);
	out->next_vid = out->next_value = out->next_store = out->next_pack = 1u << 30;
	out->buckets = SOPI_BUCKETS_MIN + (uint32_t)test_rng_below(rng, 1000);
	out->node_bytes = 8192;
	random_runs(rng, out);
	random_arrays(rng, out, most);
	for (size_t i = 0; i < out->pack_count; i++) {
		out->packs[i].id = (i == 0 ? 0 : out->packs[i - 1].id) + 1 + test_rng_below(rng, 1000);
		out->packs[i].kind = (uint8_t)(1 + test_rng_below(rng, 3));
		out->packs[i].live_bytes = test_rng_below(rng, 1u << 30);
		out->packs[i].total_bytes = out->packs[i].live_bytes + test_rng_below(rng, 1u << 30);
	}
	for (size_t i = 0; i < out->outcome_count; i++) {
		out->outcomes[i].number =
			(i == 0 ? 0 : out->outcomes[i - 1].number) + 1 + test_rng_below(rng, 9);
		out->outcomes[i].entries = test_rng_next(rng);
	}
	for (size_t i = 0; i < out->dead_value_count; i++)
		out->dead_values[i] = test_rng_below(rng, out->next_value);
	for (size_t i = 0; i < out->dropped_count; i++) {
		out->dropped[i].store = test_rng_below(rng, out->next_store);
		out->dropped[i].root = test_rng_below(rng, out->next_vid);
	}
}

static void assert_same(const struct sopi_manifest *a, const struct sopi_manifest *b)
{
	assert_memory_equal(a->database, b->database, sizeof a->database);
	assert_true(a->epoch == b->epoch && a->checkpoint == b->checkpoint);
	assert_true(a->first_segment == b->first_segment && a->next_vid == b->next_vid);
	assert_true(a->next_value == b->next_value && a->next_store == b->next_store);
	assert_true(a->next_pack == b->next_pack && a->buckets == b->buckets);
	assert_true(a->node_bytes == b->node_bytes);
	assert_true(a->log_slot == b->log_slot && a->log_crc == b->log_crc);
	assert_memory_equal(&a->registry, &b->registry, sizeof a->registry);
	assert_true(a->pack_count == b->pack_count && a->outcome_count == b->outcome_count);
	assert_true(a->dead_value_count == b->dead_value_count && a->dropped_count == b->dropped_count);
	for (size_t i = 0; i < a->pack_count; i++) {
		assert_true(a->packs[i].id == b->packs[i].id && a->packs[i].kind == b->packs[i].kind);
		assert_true(a->packs[i].total_bytes == b->packs[i].total_bytes);
		assert_true(a->packs[i].live_bytes == b->packs[i].live_bytes);
	}
	if (a->outcome_count != 0)
		assert_memory_equal(a->outcomes, b->outcomes, a->outcome_count * sizeof *a->outcomes);
	if (a->dead_value_count != 0)
		assert_memory_equal(a->dead_values, b->dead_values,
				    a->dead_value_count * sizeof *a->dead_values);
	if (a->dropped_count != 0)
		assert_memory_equal(a->dropped, b->dropped, a->dropped_count * sizeof *a->dropped);
}

static void a_manifest_is_read_as_it_was_written(void **state)
{
	const uint64_t rounds = test_scaled(500);
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 0);
	for (uint64_t round = 0; round < rounds; round++) {
		struct sopi_manifest before, after;
		sop_error err = SOP_ERROR_INIT;
		sop_buf buf = SOP_BUF_INIT;

		random_manifest(&rng, 1 + test_rng_below(&rng, 50), &before);
		TEST_OK(sopi_manifest_encode(&before, &buf, &err), err);
		TEST_OK(sopi_manifest_decode(test_bytes(buf.data, buf.size), "M", &after, &err), err);
		assert_same(&before, &after);
		sopi_manifest_free(&after);
		sopi_manifest_free(&before);
		sop_buf_free(&buf);
	}
}

static void a_manifest_that_says_nonsense_is_not_written(void **state)
{
	struct sopi_manifest manifest = { 0 };
	sop_error err = SOP_ERROR_INIT;
	sop_buf buf = SOP_BUF_INIT;
	struct test_rng rng;

	(void)state;
	test_rng_init(&rng, test_seed(), 1);
	do {
		sopi_manifest_free(&manifest);
		random_manifest(&rng, 50, &manifest);
	} while (manifest.pack_count < 2);
	manifest.packs[1].id = manifest.packs[0].id;
	TEST_STATUS(sopi_manifest_encode(&manifest, &buf, &err), SOP_MISUSE, err);
	manifest.packs[1].id = manifest.packs[0].id + 1;
	manifest.buckets = SOPI_BUCKETS_MAX + 1;
	TEST_STATUS(sopi_manifest_encode(&manifest, &buf, &err), SOP_MISUSE, err);
	assert_int_equal(buf.size, 0);
	sopi_manifest_free(&manifest);
}

/* ---- damage */

static void sample(sop_buf *buf)
{
	struct sopi_manifest manifest;
	sop_error err = SOP_ERROR_INIT;
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 2);
	do {
		random_manifest(&rng, 8, &manifest);
		if (manifest.registry.run_count > 1 && manifest.pack_count > 2 &&
		    manifest.dropped_count > 0 && manifest.outcome_count > 1 &&
		    manifest.dead_value_count > 0)
			break;
		sopi_manifest_free(&manifest);
	} while (true);
	TEST_OK(sopi_manifest_encode(&manifest, buf, &err), err);
	sopi_manifest_free(&manifest);
}

static void assert_refused(const void *bytes, size_t size)
{
	struct sopi_manifest manifest;
	sop_error err = SOP_ERROR_INIT;

	TEST_STATUS(sopi_manifest_decode(test_bytes(bytes, size), "the file", &manifest, &err),
		    SOP_CORRUPT, err);
	assert_string_equal(err.file, "the file");
	assert_in_range(err.offset, 0, size);
	assert_null(manifest.packs);
}

static void every_flipped_byte_is_noticed(void **state)
{
	sop_buf buf = SOP_BUF_INIT;

	(void)state;
	sample(&buf);
	for (size_t i = 0; i < buf.size; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			((uint8_t *)buf.data)[i] ^= (uint8_t)(1u << bit);
			assert_refused(buf.data, buf.size);
			((uint8_t *)buf.data)[i] ^= (uint8_t)(1u << bit);
		}
	}
	sop_buf_free(&buf);
}

static void every_other_length_is_noticed(void **state)
{
	sop_error err = SOP_ERROR_INIT;
	sop_buf buf = SOP_BUF_INIT;
	uint8_t *copy = NULL;

	(void)state;
	sample(&buf);
	for (size_t size = 0; size < buf.size; size++) { /* in memory of its own: a byte more is seen by ASan */
		copy = test_alloc(size);
		memcpy(copy, buf.data, size);
		assert_refused(copy, size);
		free(copy);
	}
	TEST_OK(sop_buf_reserve(&buf, buf.size + 1, &err), err);
	((uint8_t *)buf.data)[buf.size] = 0;
	assert_refused(buf.data, buf.size + 1);
	sop_buf_free(&buf);
}

/* Gives the bytes the length and checksum that they should have. */
static void seal(uint8_t *bytes, size_t size)
{
	sopi_store_u64le(bytes + AT_LENGTH, size);
	sopi_store_u32le(bytes + AT_CRC, sopi_crc32c(sopi_crc32c(0, bytes, AT_CRC),
						     bytes + AT_CRC + 4, size - AT_CRC - 4));
}

/* Sealed bytes are refused, or are what the manifest that they say is written as. */
static void assert_sound(const uint8_t *bytes, size_t size)
{
	struct sopi_manifest manifest;
	sop_error err = SOP_ERROR_INIT;
	sop_buf again = SOP_BUF_INIT;
	const sop_status status = sopi_manifest_decode(test_bytes(bytes, size), "M", &manifest, &err);

	if (status == SOP_CORRUPT || status == SOP_UNSUPPORTED)
		return;
	assert_int_equal(status, SOP_OK);
	TEST_OK(sopi_manifest_encode(&manifest, &again, &err), err);
	assert_int_equal(again.size, size);
	assert_memory_equal(again.data, bytes, size);
	sop_buf_free(&again);
	sopi_manifest_free(&manifest);
}

static void hostile_bytes_are_refused_or_make_sense(void **state)
{
	static const uint8_t values[] = { 0, 1, 2, 0x7F, 0x80, 0xFF };
	sop_buf buf = SOP_BUF_INIT;
	uint8_t *bytes = NULL;

	(void)state;
	sample(&buf);
	bytes = buf.data;
	for (size_t i = 0; i < buf.size; i++) {
		const uint8_t before = bytes[i];

		for (size_t k = 0; k < sizeof values; k++) {
			bytes[i] = values[k];
			seal(bytes, buf.size);
			assert_sound(bytes, buf.size);
		}
		bytes[i] = before;
	}
	for (size_t i = AT_FIELDS; i + 8 <= buf.size; i++) { /* every place that might be a count */
		uint8_t before[8];

		memcpy(before, bytes + i, 8);
		memset(bytes + i, 0xFF, 8);
		seal(bytes, buf.size);
		assert_sound(bytes, buf.size);
		sopi_store_u64le(bytes + i, UINT64_MAX / 25 + 2);
		seal(bytes, buf.size);
		assert_sound(bytes, buf.size);
		memcpy(bytes + i, before, 8);
	}
	for (size_t size = AT_FIELDS; size < buf.size; size++) {
		uint8_t *copy = test_alloc(size);

		memcpy(copy, bytes, size);
		seal(copy, size);
		assert_refused(copy, size);
		free(copy);
	}
	sop_buf_free(&buf);
}

static void another_format_is_named(void **state)
{
	struct sopi_manifest manifest;
	sop_error err = SOP_ERROR_INIT;
	sop_buf buf = SOP_BUF_INIT;

	(void)state;
	sample(&buf);
	sopi_store_u32le((uint8_t *)buf.data + AT_FORMAT, 77);
	seal(buf.data, buf.size);
	TEST_STATUS(sopi_manifest_decode(test_bytes(buf.data, buf.size), "M", &manifest, &err),
		    SOP_UNSUPPORTED, err);
	assert_non_null(strstr(err.message, "77"));
	sopi_store_u32le((uint8_t *)buf.data + AT_FORMAT, SOPI_MANIFEST_FORMAT);
	sopi_store_u64le((uint8_t *)buf.data + AT_RUN_COUNT, SOPI_RUNS_MAX + 1);
	seal(buf.data, buf.size);
	TEST_STATUS(sopi_manifest_decode(test_bytes(buf.data, buf.size), "M", &manifest, &err),
		    SOP_CORRUPT, err);
	assert_int_equal(err.offset, AT_RUN_COUNT);
	sop_buf_free(&buf);
}

/* ---- the file */

static void write_epoch(const struct box *box, uint64_t epoch, sop_status expected, bool *indefinite)
{
	const struct sopi_registry_view view = { 0 };
	struct sopi_manifest manifest;
	sop_error err = SOP_ERROR_INIT;

	box_manifest(box, &view, 1, &manifest);
	manifest.epoch = epoch;
	TEST_STATUS(sopi_manifest_write(box->folder, &manifest, indefinite, &err), expected, err);
}

static uint64_t read_epoch(const struct box *box)
{
	struct sopi_manifest manifest;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_manifest_read(box->folder, "MANIFEST", &manifest, &err), err);
	sopi_manifest_free(&manifest);
	return manifest.epoch;
}

static void there_is_the_old_one_or_the_new_one(void **state)
{
	const struct sopi_sim_cut cut = { .keep = SOPI_SIM_KEEP_NONE };
	struct sopi_manifest manifest;
	struct box box = { 0 };
	bool indefinite = true;

	(void)state;
	box_start(&box, NULL);
	assert_int_equal(sopi_manifest_read(box.folder, "MANIFEST", &manifest, NULL), SOP_NOT_FOUND);
	for (uint64_t epoch = 1; epoch < 4; epoch++) {
		write_epoch(&box, epoch, SOP_OK, &indefinite);
		assert_false(indefinite);
		assert_int_equal(read_epoch(&box), epoch);
		assert_int_equal(box_files(&box, "tmp"), 0);
	}
	sopi_sim_power_cut(box.disk, &cut);
	box_stop(&box);
	box_start(&box, box.disk);
	assert_int_equal(read_epoch(&box), 3);
	box_free(&box);
}

/* One failing call of each kind, in every place. */
static void a_failure_says_whether_the_new_one_may_be_there(void **state)
{
	for (int64_t after = 0;; after++) {
		struct sopi_sim_fault fault = { .calls = SOPI_SIM_ANY, .os_errno = EIO };
		const struct sopi_registry_view view = { 0 };
		struct sopi_manifest manifest;
		sop_error err = SOP_ERROR_INIT;
		struct box box = { 0 };
		sop_status status = SOP_OK;
		bool indefinite = true;

		box_start(&box, NULL);
		write_epoch(&box, 1, SOP_OK, &indefinite);
		box_manifest(&box, &view, 1, &manifest);
		manifest.epoch = 2;
		fault.after = after;
		sopi_sim_fail(box.process, &fault);
		status = sopi_manifest_write(box.folder, &manifest, &indefinite, &err);
		sopi_sim_fail(box.process, NULL);
		if (status == SOP_OK) {
			assert_false(indefinite);
			box_free(&box);
			assert_true(after >= 6); /* remove, open, write, sync, rename, the folder */
			break;
		}
		TEST_STATUS(status, SOP_IO, err);
		if (!indefinite) {
			assert_int_equal(read_epoch(&box), 1);
			assert_int_equal(box_files(&box, "tmp"), 0);
		}
		assert_int_equal(indefinite, after >= 4);
		box_free(&box);
	}
	(void)state;
}

/* The new name is durable, and the one that a crash may bring back to tmp/, which is not synced, means nothing. */
static void tmp_owes_no_flush(void **state)
{
	const struct sopi_sim_fault fault = { .calls = SOPI_SIM_SYNC_FOLDER, .path = "tmp", .os_errno = EIO };
	const struct sopi_sim_cut cut = { .keep = SOPI_SIM_KEEP_NONE };
	struct box box = { 0 };
	bool indefinite = true;

	(void)state;
	box_start(&box, NULL);
	write_epoch(&box, 1, SOP_OK, &indefinite);
	sopi_sim_fail(box.process, &fault);
	write_epoch(&box, 2, SOP_OK, &indefinite);
	assert_false(indefinite);
	sopi_sim_fail(box.process, NULL);
	sopi_sim_power_cut(box.disk, &cut);
	box_stop(&box);
	box_start(&box, box.disk);
	assert_int_equal(read_epoch(&box), 2);
	write_epoch(&box, 3, SOP_OK, &indefinite);
	assert_int_equal(read_epoch(&box), 3);
	assert_int_equal(box_files(&box, "tmp"), 0);
	box_free(&box);
}

static void no_space_is_no_doubt(void **state)
{
	struct box box = { 0 };
	bool indefinite = true;

	(void)state;
	box_start(&box, NULL);
	write_epoch(&box, 1, SOP_OK, &indefinite);
	sopi_sim_disk_set_quota(box.disk, sopi_sim_disk_used_bytes(box.disk));
	write_epoch(&box, 2, SOP_NO_SPACE, &indefinite);
	assert_false(indefinite);
	assert_int_equal(read_epoch(&box), 1);
	box_free(&box);
}

static void out_of_memory_loses_nothing(void **state)
{
	const int64_t live = sopi_alloc_live_count();
	bool finished = false;

	(void)state;
	for (int64_t after = 0; !finished; after++) {
		struct box box = { 0 };
		struct sopi_manifest manifest = { 0 };
		bool indefinite = true;
		sop_status status = SOP_OK;

		box_start(&box, NULL);
		write_epoch(&box, 1, SOP_OK, &indefinite);
		sopi_alloc_fail_after(after, true);
		status = sopi_manifest_read(box.folder, "MANIFEST", &manifest, NULL);
		if (status == SOP_OK)
			status = sopi_manifest_write(box.folder, &manifest, &indefinite, NULL);
		finished = sopi_alloc_asked() <= after;
		sopi_alloc_fail_after(-1, false);
		assert_true(status == (finished ? SOP_OK : SOP_NO_MEMORY) ||
			    (status == SOP_OK && !finished));
		assert_int_equal(read_epoch(&box), 1);
		sopi_manifest_free(&manifest);
		box_free(&box);
	}
	assert_int_equal(sopi_alloc_live_count(), live);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_is_read_as_it_was_written),
		cmocka_unit_test(a_manifest_that_says_nonsense_is_not_written),
		cmocka_unit_test(every_flipped_byte_is_noticed),
		cmocka_unit_test(every_other_length_is_noticed),
		cmocka_unit_test(hostile_bytes_are_refused_or_make_sense),
		cmocka_unit_test(another_format_is_named),
		cmocka_unit_test(there_is_the_old_one_or_the_new_one),
		cmocka_unit_test(a_failure_says_whether_the_new_one_may_be_there),
		cmocka_unit_test(tmp_owes_no_flush),
		cmocka_unit_test(no_space_is_no_doubt),
		cmocka_unit_test(out_of_memory_loses_nothing),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
