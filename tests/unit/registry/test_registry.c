/* The registry against a plain table: checkpoints of any kind, opening again, folds, many segments, crowded buckets,
 * threads that look up while it changes, files that come and go. */
#include "unit/registry/box.h"

#include "registry/registry_fold.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 64 }; /* of memory, for what is known of a single node */

static struct table *table;
static struct sopi_registry_entry *changes;

static int setup(void **state)
{
	struct box *box = test_alloc(sizeof *box);

	memset(box, 0, sizeof *box);
	box->cache_bytes = BOX_CACHE_BYTES;
	box_start(box, NULL);
	table = test_alloc(sizeof *table);
	table_clear(table);
	changes = test_alloc(BOX_KEYS * sizeof *changes);
	*state = box;
	return 0;
}

static int teardown(void **state)
{
	struct box *box = *state;

	box_free(box);
	free(box);
	free(table);
	free(changes);
	return 0;
}

static void open_it(struct box *box)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(box_open(box, &err), err);
}

/* ---- the model */

/* Sizes that lead to runs, to merged runs and to folds. */
static size_t some_count(struct test_rng *rng)
{
	static const size_t counts[] = { 0, 1, 5, 30, 30, 100, 300, BOX_KEYS };

	return counts[test_rng_below(rng, sizeof counts / sizeof counts[0])];
}

static void it_holds_what_a_plain_table_holds(void **state)
{
	struct box *box = *state;
	const uint64_t rounds = test_scaled(120);
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 0);
	open_it(box);
	for (uint64_t round = 0; round < rounds && test_failures() == 0; round++) {
		const uint64_t removed_percent =
			test_rng_once_in(&rng, 10) ? 100 : test_rng_below(&rng, 60);
		const size_t count =
			table_change(table, &rng, some_count(&rng), removed_percent, changes);

		box_write(box, changes, count, test_rng_once_in(&rng, 12));
		if (test_rng_once_in(&rng, 2))
			sopi_registry_clean(box->registry);
		if (test_rng_once_in(&rng, 3)) {
			box_close(box);
			open_it(box);
		}
		box_agrees_wholly(box, table, "after a checkpoint");
	}
	TEST_NO_FAILURES();
}

/* What is remembered of single nodes goes with every change, also where there is room for few, and where a write is given
 * up after it was looked at. */
static void what_is_remembered_of_a_node_is_never_old(void **state)
{
	struct box *box = *state;
	const uint64_t rounds = test_scaled(100);
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 5);
	box->cache_bytes = 1 << 15; /* a third of the nodes at most */
	open_it(box);
	for (uint64_t round = 0; round < rounds && test_failures() == 0; round++) {
		const size_t count = table_change(table, &rng, test_rng_once_in(&rng, 4) ? BOX_KEYS : 50,
						  test_rng_below(&rng, 60), changes);

		box_write(box, changes, count, test_rng_once_in(&rng, 12));
		if (test_rng_once_in(&rng, 2)) {
			struct sopi_registry_entry other = { 1, false, { 1, 2, 3, 4 } };
			struct sopi_registry_view next;
			sop_error err = SOP_ERROR_INIT;

			TEST_OK(sopi_registry_write(box->registry, box->position + 1, &other, 1,
						    false, &next, &err),
				err);
			sopi_registry_give_up(box->registry, false);
		}
		box_agrees(box, table, SOP_OK, "after a change");
	}
	TEST_NO_FAILURES();
}

static void a_removed_key_is_found_again_after_it_was_put(void **state)
{
	struct box *box = *state;
	struct sopi_registry_entry entry = { sopi_registry_key(SOPI_KEY_STORE, 5), false, { 1, 2, 3, 4 } };
	struct sopi_registry_entry found;

	open_it(box);
	for (int fold = 0; fold < 2; fold++) {
		entry.removed = false;
		box_write(box, &entry, 1, fold == 1);
		assert_int_equal(sopi_registry_find(box->registry, entry.key, &found, NULL), SOP_OK);
		entry.removed = true;
		box_write(box, &entry, 1, fold == 1);
		assert_int_equal(sopi_registry_find(box->registry, entry.key, &found, NULL),
				 SOP_NOT_FOUND);
	}
	assert_int_equal(box->view.generation, 0); /* nothing is left, so there is no map */
	sopi_registry_clean(box->registry);
	assert_int_equal(box_files(box, "reg"), 0);
}

static void an_entry_that_cannot_be_kept_is_refused(void **state)
{
	struct box *box = *state;
	const struct sopi_registry_entry wide = { sopi_registry_key(SOPI_KEY_NODE, 5),
						  false,
						  { 1, (uint64_t)1 << 32, 3, 4 } };
	const struct sopi_registry_entry twice[2] = { { 7, false, { 1, 2, 3, 4 } },
						      { 7, false, { 1, 2, 3, 4 } } };
	struct sopi_registry_view next;
	sop_error err = SOP_ERROR_INIT;

	open_it(box);
	TEST_STATUS(sopi_registry_write(box->registry, 1, &wide, 1, false, &next, &err), SOP_LIMIT, err);
	TEST_STATUS(sopi_registry_write(box->registry, 1, twice, 2, false, &next, &err), SOP_MISUSE, err);
	TEST_STATUS(sopi_registry_write(box->registry, 0, twice, 1, false, &next, &err), SOP_MISUSE, err);
	assert_int_equal(box_files(box, "reg"), 0);
}

static void fill(struct box *box, size_t count)
{
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 1);
	box_write(box, changes, table_change(table, &rng, count, 0, changes), true);
}

static void too_many_runs_become_one(void **state)
{
	struct box *box = *state;
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 2);
	open_it(box);
	fill(box, BOX_KEYS);
	for (uint64_t i = 1; i <= SOPI_RUNS_MAX; i++) {
		box_write(box, changes, table_change(table, &rng, 20, 30, changes), false);
		assert_int_equal(box->view.run_count, i);
	}
	box_write(box, changes, table_change(table, &rng, 20, 30, changes), false);
	assert_int_equal(box->view.run_count, 1);
	assert_int_equal(box->view.generation, 1); /* the map is the same */
	box_agrees_wholly(box, table, "after the merge");
	sopi_registry_clean(box->registry);
	assert_int_equal(box_files(box, "reg"), 2);
	box_write(box, changes, table_change(table, &rng, BOX_KEYS / 2, 0, changes), false);
	assert_int_equal(box->view.run_count, 0); /* more than a quarter */
	box_agrees_wholly(box, table, "after the fold");
	TEST_NO_FAILURES();
}

/* ---- files */

static void a_write_that_is_given_up_leaves_nothing(void **state)
{
	struct box *box = *state;
	struct sopi_registry_entry entry = { 9, false, { 1, 2, 3, 4 } };
	struct sopi_registry_view next;
	sop_error err = SOP_ERROR_INIT;

	open_it(box);
	fill(box, BOX_KEYS);
	for (int fold = 0; fold < 2; fold++) {
		TEST_OK(sopi_registry_write(box->registry, 50, &entry, 1, fold == 1, &next, &err), err);
		assert_int_equal(box_files(box, "reg"), 2);
		assert_int_equal(sopi_registry_find(box->registry, 9, &entry, NULL), SOP_NOT_FOUND);
		sopi_registry_give_up(box->registry, false);
		assert_int_equal(box_files(box, "reg"), 1);
	}
	box_agrees_wholly(box, table, "after it was given up");
	TEST_NO_FAILURES();
}

/* Folds and cleans, once, while a view is held by `each`. */
static sop_status fold_meanwhile(void *arg, const struct sopi_registry_entry *entry, sop_error *err)
{
	struct box *box = arg;

	(void)entry;
	(void)err;
	if (box->view.run_count == 0)
		return SOP_OK;
	box_write(box, NULL, 0, true);
	sopi_registry_clean(box->registry);
	assert_int_equal(box_files(box, "reg"), 3); /* the old map, its run, the new map */
	return SOP_OK;
}

static void files_stay_while_somebody_reads_them(void **state)
{
	struct box *box = *state;
	sop_error err = SOP_ERROR_INIT;

	open_it(box);
	fill(box, BOX_KEYS);
	box_write(box, table->entries, 1, false);
	assert_int_equal(box_files(box, "reg"), 2);
	TEST_OK(sopi_registry_each(box->registry, fold_meanwhile, box, &err), err);
	assert_int_equal(box_files(box, "reg"), 3);
	sopi_registry_clean(box->registry);
	assert_int_equal(box_files(box, "reg"), 1);
	box_agrees_wholly(box, table, "after the fold");
	TEST_NO_FAILURES();
}

static void touch(struct box *box, const char *path)
{
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_open_file(box->folder, path, SOPI_FILE_WRITE | SOPI_FILE_CREATE, &file, &err),
		err);
	sopi_file_close(file);
}

static void count_unknown(void *arg, const char *path)
{
	assert_memory_equal(path, "reg/", 4);
	++*(size_t *)arg;
}

static void a_sweep_takes_leftovers_and_nothing_else(void **state)
{
	static const char *const leftovers[] = { "reg/00000000000000ff.run",
						 "reg/00000000000000ff-00000000.seg",
						 "reg/0000000000000001-00000007.seg" };
	static const char *const strangers[] = { "reg/notes.txt", "reg/00000000000000FF.run",
						 "reg/0000000000000ff.run", "reg/00000000000000ff.run~",
						 "reg/00000000000000ff-0000000.seg" };
	struct box *box = *state;
	sop_error err = SOP_ERROR_INIT;
	size_t unknown = 0;

	open_it(box);
	fill(box, BOX_KEYS);
	box_write(box, table->entries, 1, false);
	for (size_t i = 0; i < 3; i++)
		touch(box, leftovers[i]);
	for (size_t i = 0; i < 5; i++)
		touch(box, strangers[i]);
	TEST_OK(sopi_folder_make(box->folder, "reg/00000000000000fe.run", &err), err);
	TEST_OK(sopi_registry_sweep(box->registry, count_unknown, &unknown, &err), err);
	TEST_OK(sopi_registry_sweep(box->registry, NULL, NULL, &err), err);
	assert_int_equal(unknown, 6);
	assert_int_equal(box_files(box, "reg"), 6 + 2);
	for (size_t i = 0; i < 3; i++)
		assert_false(box_exists(box, leftovers[i]));
	box_agrees_wholly(box, table, "after the sweep");
	TEST_NO_FAILURES();
}

/* ---- sizes */

/* Look-ups of `count` keys that are there and as many that are not cost this many bucket reads, in thousandths. */
static uint64_t reads_per_thousand(struct box *box, uint64_t count)
{
	struct sopi_registry_stats before, after;
	struct sopi_registry_entry entry;

	sopi_registry_get_stats(box->registry, &before);
	for (uint64_t id = 0; id < 2 * count; id++) {
		const sop_status status = sopi_registry_find(box->registry, id, &entry, NULL);

		assert_int_equal(status, id < count ? SOP_OK : SOP_NOT_FOUND);
		assert_true(id >= count || entry.words[3] == id + 1);
	}
	sopi_registry_get_stats(box->registry, &after);
	assert_int_equal(after.lookups - before.lookups, 2 * count);
	return (after.bucket_reads - before.bucket_reads) * 1000 / (2 * count);
}

static struct sopi_registry_entry *many_entries(uint64_t count)
{
	struct sopi_registry_entry *entries = test_alloc(count * sizeof *entries);

	for (uint64_t id = 0; id < count; id++)
		entries[id] = (struct sopi_registry_entry){ id, false, { id, 1, 2, id + 1 } };
	return entries;
}

static void a_look_up_reads_one_bucket_at_any_size(void **state)
{
	/* 300,000 is the least that makes more than 16 segments; the scale can only add. */
	const uint64_t counts[] = { 17000, 300000 > test_scaled(300000) ? 300000 : test_scaled(300000) };
	struct box *box = *state;

	box->cache_bytes = 0;
	for (size_t i = 0; i < 2; i++) {
		struct sopi_registry_entry *entries = many_entries(counts[i]);
		uint64_t reads = 0;

		open_it(box);
		box_write(box, entries, counts[i], true);
		assert_true(i == 0 ? box->view.segment_count == 1 : box->view.segment_count > 16);
		assert_int_equal(box->view.entry_count, counts[i]);
		reads = reads_per_thousand(box, counts[i]);
		if (reads < 1000 || reads > 1050)
			fail_msg("%llu bucket reads in 1000 look-ups", (unsigned long long)reads);
		box_close(box);
		free(entries);
	}
}

static void a_cached_bucket_is_not_read_again(void **state)
{
	struct sopi_registry_entry *entries = many_entries(17000);
	struct box *box = *state;

	box->cache_bytes = 12 << 20; /* a quarter of it for buckets: all of them */
	open_it(box);
	box_write(box, entries, 17000, true);
	(void)reads_per_thousand(box, 17000);
	assert_int_equal(reads_per_thousand(box, 17000), 0);
	box_close(box);
	box->cache_bytes = 1 << 20; /* a quarter of it for a quarter of the map */
	open_it(box);
	assert_in_range(reads_per_thousand(box, 17000), 600, 900);
	free(entries);
}

/* Many small segments, which only the inside of the registry can ask for. */
static void a_thousand_segments_need_few_descriptors(void **state)
{
	enum { BUCKETS = 5 };
	const uint64_t count = 353000;
	struct sopi_registry_entry *entries = many_entries(count);
	struct box *box = *state;
	struct sopi_reghome home = { box->folder, false };
	struct sopi_bucket_cache *cache = NULL;
	struct sopi_map *map = NULL;
	struct sopi_map *next = NULL;
	sop_error err = SOP_ERROR_INIT;
	uint64_t reads = 0;

	TEST_OK(sopi_map_fold(&home, NULL, 1, BUCKETS, entries, count, &map, &err), err);
	assert_in_range(map->shape.segments, 1000, 1010);
	TEST_OK(sopi_map_check_heads(map, &err), err);
	TEST_OK(sopi_bucket_cache_new(0, &cache, &err), err);
	for (uint64_t id = 0; id < count; id += 3) {
		struct sopi_registry_entry entry;

		struct sopi_wanted wanted = { id, SOPI_BUCKET_GOES_ON, &entry };

		TEST_OK(sopi_map_find(map, cache, &wanted, 1, &reads, &err), err);
		assert_int_equal(wanted.answer, SOPI_BUCKET_HAS);
		assert_int_equal(entry.words[0], id);
	}
	assert_in_range(reads, count / 3, count / 3 * 105 / 100);
	for (uint64_t i = 0; i < 100; i++)
		entries[i].removed = true;
	TEST_OK(sopi_map_fold(&home, map, 2, BUCKETS, entries, 100, &next, &err), err);
	assert_int_equal(next->entry_count, map->entry_count - 100);
	sopi_map_release(next);
	sopi_map_release(map);
	sopi_bucket_cache_free(cache);
	free(entries);
}

/* `count` keys whose home is `home` in a map of one segment, ascending. */
static struct sopi_registry_entry *crowd(uint64_t home, size_t count)
{
	const struct sopi_map_shape shape = { 1, 1, SOPI_BUCKETS_MIN };
	struct sopi_registry_entry *entries = test_alloc(count * sizeof *entries);
	size_t found = 0;

	for (uint64_t id = 0; found < count; id++) {
		if (sopi_shape_home(&shape, sopi_registry_hash(id)) == home)
			entries[found++] =
				(struct sopi_registry_entry){ id, false, { id, 1, 2, id + 1 } };
	}
	return entries;
}

static void crowded_buckets_spill_into_the_next(void **state)
{
	const uint64_t last = SOPI_BUCKETS_MIN - SOPI_SPILL_BUCKETS - 1;
	const struct {
		uint64_t home;
		size_t count;
		uint64_t segments;
	} cases[] = { { 0, 102, 1 }, { 100, 350, 1 }, { last, 505, 1 }, { last, 506, 2 } };
	struct box *box = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct sopi_registry_entry *entries = crowd(cases[i].home, cases[i].count + 10);
		const struct sopi_registry_view empty = { 0 };
		struct sopi_registry_entry found;

		box->view = empty;
		open_it(box);
		box_write(box, entries, cases[i].count, true);
		assert_int_equal(box->view.segment_count, cases[i].segments);
		box_close(box);
		open_it(box);
		for (size_t k = 0; k < cases[i].count + 10; k++)
			assert_int_equal(sopi_registry_find(box->registry, entries[k].key, &found, NULL),
					 k < cases[i].count ? SOP_OK : SOP_NOT_FOUND);
		box_write(box, NULL, 0, true); /* the new fold reads them all */
		assert_int_equal(box->view.entry_count, cases[i].count);
		box_close(box);
		free(entries);
	}
}

static void the_stats_are_right(void **state)
{
	const uint64_t segment_bytes = (SOPI_BUCKETS_MIN + 1) * SOPI_BUCKET_BYTES;
	struct sopi_registry_entry *entries = many_entries(10000);
	struct sopi_registry_stats stats;
	struct box *box = *state;

	box->cache_bytes = 8 << 20;
	open_it(box);
	box_write(box, entries, 10000, false);
	box_write(box, entries, 102, false);
	sopi_registry_get_stats(box->registry, &stats);
	assert_int_equal(stats.entries, 10102);
	assert_int_equal(stats.disk_bytes, segment_bytes + 3 * SOPI_BUCKET_BYTES);
	assert_int_equal(stats.memory_bytes, 102 * sizeof *entries);
	assert_int_equal(stats.folds, 1);
	(void)reads_per_thousand(box, 10000);
	sopi_registry_get_stats(box->registry, &stats);
	assert_int_equal(stats.lookups, 20000);
	assert_int_equal(stats.memory_bytes, 102 * sizeof *entries + stats.bucket_reads * SOPI_BUCKET_BYTES +
						     10000 * LINE_BYTES);
	assert_in_range(stats.bucket_reads, SOPI_BUCKETS_MIN - SOPI_SPILL_BUCKETS, SOPI_BUCKETS_MIN);
	box_write(box, NULL, 0, true);
	sopi_registry_clean(box->registry); /* forgets the old map's buckets */
	sopi_registry_get_stats(box->registry, &stats);
	assert_int_equal(stats.entries, 10000);
	assert_int_equal(stats.memory_bytes, 10000 * LINE_BYTES);
	assert_int_equal(stats.disk_bytes, segment_bytes);
	assert_int_equal(stats.folds, 2);
	free(entries);
}

/* ---- threads */

enum { READERS = 4, STABLE = 500 };

struct race {
	struct box *box;
	_Atomic bool done;
};

/* Entry `id` in version `version`: the words belong together. */
static struct sopi_registry_entry versioned(uint64_t id, uint64_t version)
{
	const struct sopi_registry_entry entry = { id, false, { version, id, 7, version * 31 + id } };

	return entry;
}

/* Versions only go up, nothing is ever missing, and the words of an entry are of one version. */
static void read_all_the_time(struct race *race, size_t index)
{
	uint64_t seen[STABLE] = { 0 };
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 100 + index);
	while (!atomic_load(&race->done) && test_failures() == 0) {
		const uint64_t id = test_rng_below(&rng, STABLE);
		struct sopi_registry_entry entry;
		sop_error err = SOP_ERROR_INIT;
		const sop_status status = sopi_registry_find(race->box->registry, id, &entry, &err);

		if (status != SOP_OK)
			test_note_failure("key %u: %s %s", (unsigned)id, sop_status_name(status),
					  err.message);
		else if (entry.words[3] != entry.words[0] * 31 + id || entry.words[0] < seen[id])
			test_note_failure("key %u: version %u after %u", (unsigned)id,
					  (unsigned)entry.words[0], (unsigned)seen[id]);
		else
			seen[id] = entry.words[0];
	}
}

static void write_all_the_time(struct race *race)
{
	struct sopi_registry_entry entries[STABLE];
	const uint64_t rounds = test_scaled(60);
	struct test_rng rng;

	test_rng_init(&rng, test_seed(), 99);
	for (uint64_t version = 2; version < 2 + rounds && test_failures() == 0; version++) {
		const uint64_t step = test_rng_once_in(&rng, 3) ? 1 : 20;
		size_t count = 0;

		for (uint64_t id = test_rng_below(&rng, step); id < STABLE; id += step)
			entries[count++] = versioned(id, version);
		if (test_rng_once_in(&rng, 4)) {
			struct sopi_registry_view next;
			sop_error err = SOP_ERROR_INIT;

			TEST_OK(sopi_registry_write(race->box->registry, race->box->position + 1,
						    entries, count, false, &next, &err),
				err);
			sopi_registry_give_up(race->box->registry, false);
		}
		box_write(race->box, entries, count, false);
		sopi_registry_clean(race->box->registry);
	}
	atomic_store(&race->done, true);
}

static void race_body(size_t index, void *arg)
{
	if (index == 0)
		write_all_the_time(arg);
	else
		read_all_the_time(arg, index);
}

static void look_ups_go_on_while_it_changes(void **state)
{
	struct sopi_registry_entry entries[STABLE];
	struct box *box = *state;
	struct race race = { .box = box };

	for (uint64_t id = 0; id < STABLE; id++)
		entries[id] = versioned(id, 1);
	box->cache_bytes = 1 << 18;
	open_it(box);
	box_write(box, entries, STABLE, true);
	test_run_threads(1 + READERS, race_body, &race);
	TEST_NO_FAILURES();
	sopi_registry_clean(box->registry);
	assert_int_equal(box_files(box, "reg"), box->view.segment_count + box->view.run_count);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_holds_what_a_plain_table_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_remembered_of_a_node_is_never_old, setup, teardown),
		cmocka_unit_test_setup_teardown(a_removed_key_is_found_again_after_it_was_put,
						setup, teardown),
		cmocka_unit_test_setup_teardown(an_entry_that_cannot_be_kept_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_runs_become_one, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_that_is_given_up_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(files_stay_while_somebody_reads_them, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sweep_takes_leftovers_and_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(a_look_up_reads_one_bucket_at_any_size, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cached_bucket_is_not_read_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_thousand_segments_need_few_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(crowded_buckets_spill_into_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(the_stats_are_right, setup, teardown),
		cmocka_unit_test_setup_teardown(look_ups_go_on_while_it_changes, setup, teardown),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
