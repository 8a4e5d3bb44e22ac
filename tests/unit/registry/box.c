/* The box and the table of the registry's tests. */
#include "unit/registry/box.h"

#include <stdlib.h>
#include <string.h>

uint64_t box_key(size_t number)
{
	return sopi_registry_key((enum sopi_key_kind)(number / BOX_KEYS_OF_KIND),
				 1 + 7 * (uint64_t)(number % BOX_KEYS_OF_KIND));
}

void table_clear(struct table *table)
{
	memset(table, 0, sizeof *table);
	for (size_t i = 0; i < BOX_KEYS; i++) {
		table->entries[i].key = box_key(i);
		table->entries[i].removed = true;
	}
}

static void random_entry(struct test_rng *rng, struct sopi_registry_entry *entry)
{
	const bool store = sopi_registry_kind(entry->key) == SOPI_KEY_STORE;

	entry->removed = false;
	entry->words[0] = test_rng_next(rng);
	entry->words[1] = store ? test_rng_next(rng) : (uint32_t)test_rng_next(rng);
	entry->words[2] = store ? test_rng_next(rng) : (uint32_t)test_rng_next(rng);
	entry->words[3] = test_rng_next(rng);
}

size_t table_change(struct table *table, struct test_rng *rng, size_t count,
		    uint64_t removed_percent, struct sopi_registry_entry *changes)
{
	size_t made = 0;

	for (size_t i = 0; i < BOX_KEYS; i++) {
		struct sopi_registry_entry *entry = &table->entries[i];

		if (test_rng_below(rng, BOX_KEYS) >= count)
			continue;
		random_entry(rng, entry);
		entry->removed = test_rng_below(rng, 100) < removed_percent;
		changes[made++] = *entry;
	}
	return made;
}

void box_start(struct box *box, struct sopi_sim_disk *disk)
{
	sop_error err = SOP_ERROR_INIT;

	box->disk = disk != NULL ? disk : sopi_sim_disk_new();
	box->process = sopi_sim_process_new(box->disk, NULL, 1);
	TEST_OK(sopi_files_open_folder(sopi_sim_platform(box->process)->files, "/db",
				       SOPI_FOLDER_CREATE, &box->folder, &err),
		err);
	if (disk != NULL)
		return;
	TEST_OK(sopi_folder_make(box->folder, "reg", &err), err);
	TEST_OK(sopi_folder_make(box->folder, "tmp", &err), err);
	TEST_OK(sopi_folder_sync(box->folder, "", &err), err);
}

void box_stop(struct box *box)
{
	box_close(box);
	sopi_folder_close(box->folder);
	sopi_sim_process_free(box->process);
	box->folder = NULL;
	box->process = NULL;
}

void box_free(struct box *box)
{
	box_stop(box);
	sopi_sim_disk_free(box->disk);
	box->disk = NULL;
}

sop_status box_open(struct box *box, sop_error *err)
{
	return sopi_registry_open(sopi_sim_platform(box->process), box->folder, SOPI_BUCKETS_MIN,
				  box->cache_bytes, &box->view, &box->registry, err);
}

void box_close(struct box *box)
{
	sopi_registry_close(box->registry);
	box->registry = NULL;
}

void box_write(struct box *box, const struct sopi_registry_entry *changes, size_t count, bool fold)
{
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_registry_write(box->registry, ++box->position, changes, count, fold, &box->view, &err),
		err);
	sopi_registry_switch(box->registry);
}

void box_manifest(const struct box *box, const struct sopi_registry_view *view, uint64_t position,
		  struct sopi_manifest *out)
{
	(void)box;
	memset(out, 0, sizeof *out);
	out->epoch = 1;
	out->checkpoint = position;
	out->buckets = SOPI_BUCKETS_MIN;
	out->node_bytes = 8192;
	out->registry = *view;
}

static bool same_words(const struct sopi_registry_entry *a, const struct sopi_registry_entry *b)
{
	return a->key == b->key && memcmp(a->words, b->words, sizeof a->words) == 0;
}

static bool key_agrees(const struct box *box, const struct sopi_registry_entry *expected,
		       sop_status allowed, const char *when)
{
	struct sopi_registry_entry entry = { 0 };
	sop_error err = SOP_ERROR_INIT;
	const sop_status status = sopi_registry_find(box->registry, expected->key, &entry, &err);

	if (status != SOP_OK && status != SOP_NOT_FOUND && status == allowed)
		return true;
	if (status != (expected->removed ? SOP_NOT_FOUND : SOP_OK)) {
		test_note_failure("%s: key %llx: %s: %s", when, (unsigned long long)expected->key,
				  sop_status_name(status), err.message);
		return false;
	}
	if (status == SOP_OK && (entry.removed || !same_words(&entry, expected))) {
		test_note_failure("%s: key %llx has another entry", when,
				  (unsigned long long)expected->key);
		return false;
	}
	return true;
}

/* A node and its patch at once. */
static bool node_agrees(const struct box *box, const struct table *table, size_t number,
			sop_status allowed, const char *when)
{
	const struct sopi_registry_entry *page = &table->entries[number];
	const struct sopi_registry_entry *patch =
		&table->entries[number + SOPI_KEY_PATCH * BOX_KEYS_OF_KIND];
	struct sopi_node_entries found;
	const sop_status status =
		sopi_registry_find_node(box->registry, sopi_registry_id(page->key), &found, NULL);

	if (status != SOP_OK && status != SOP_NOT_FOUND && status == allowed)
		return true;
	if (status == (page->removed ? SOP_NOT_FOUND : SOP_OK) &&
	    (page->removed || (same_words(&found.page, page) && found.patch.removed == patch->removed &&
			       (patch->removed || same_words(&found.patch, patch)))))
		return true;
	test_note_failure("%s: node %llx and its patch are not as they should be", when,
			  (unsigned long long)page->key);
	return false;
}

bool box_agrees(const struct box *box, const struct table *table, sop_status allowed, const char *when)
{
	for (size_t i = 0; i < BOX_KEYS; i++) {
		if (!key_agrees(box, &table->entries[i], allowed, when))
			return false;
	}
	for (size_t i = 0; i < BOX_KEYS_OF_KIND; i++) {
		if (!node_agrees(box, table, i, allowed, when))
			return false;
	}
	return true;
}

/* Counts the entries that are told, each of which must be in the table. */
struct count {
	const struct table *table;
	size_t count;
	bool wrong;
};

static int compare_keys(const void *a, const void *b)
{
	const uint64_t key_a = ((const struct sopi_registry_entry *)a)->key;
	const uint64_t key_b = ((const struct sopi_registry_entry *)b)->key;

	return (key_a > key_b) - (key_a < key_b);
}

static sop_status count_entry(void *arg, const struct sopi_registry_entry *entry, sop_error *err)
{
	struct count *count = arg;
	const struct sopi_registry_entry *expected =
		bsearch(entry, count->table->entries, BOX_KEYS, sizeof *entry, compare_keys);

	(void)err;
	count->count++;
	if (expected == NULL || expected->removed || !same_words(expected, entry))
		count->wrong = true;
	return SOP_OK;
}

static bool note_problem(void *arg, const char *file, int64_t offset, const char *kind, const char *message)
{
	(void)arg;
	test_note_failure("verify: %s at %lld, %s: %s", file, (long long)offset, kind, message);
	return true;
}

bool box_agrees_wholly(const struct box *box, const struct table *table, const char *when)
{
	struct count count = { table, 0, false };
	sop_error err = SOP_ERROR_INIT;
	size_t expected = 0;

	for (size_t i = 0; i < BOX_KEYS; i++)
		expected += !table->entries[i].removed;
	if (sopi_registry_each(box->registry, count_entry, &count, &err) != SOP_OK)
		test_note_failure("%s: each: %s", when, err.message);
	if (count.wrong || count.count != expected)
		test_note_failure("%s: each: %zu entries instead of %zu, or wrong ones", when,
				  count.count, expected);
	if (sopi_registry_verify(box->registry, note_problem, NULL, &err) != SOP_OK)
		test_note_failure("%s: verify: %s", when, err.message);
	return box_agrees(box, table, SOP_OK, when);
}

static sop_status count_file(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	(void)name;
	(void)kind;
	(void)err;
	++*(size_t *)arg;
	return SOP_OK;
}

size_t box_files(const struct box *box, const char *path)
{
	sop_error err = SOP_ERROR_INIT;
	size_t count = 0;

	TEST_OK(sopi_folder_list(box->folder, path, count_file, &count, &err), err);
	return count;
}

bool box_exists(const struct box *box, const char *path)
{
	struct sopi_entry entry;

	return sopi_folder_look(box->folder, path, &entry, NULL) == SOP_OK;
}
