/* Changes that replay leaves beside leaves that it does not read: nothing of them is lost, whatever comes next. */
#include "btree/apply.h"
#include "btree/pending.h"
#include "btree/resident.h"
#include "support/replay.h"
#include "unit/backend/database_box.h"

#include <stdlib.h>
#include <string.h>

enum {
	KEYS = 3000, /* some 400 leaves */
	NODE_ITEMS = 8,
	STEP = 12, /* each leaf has one key that is overwritten, or two */
	VALUE_BYTES = 200, /* so that one is far from a quarter of its leaf's page */
	READS_FEW = 100, /* inner nodes, and the leaves at which parts begin; 250 leaves are changed */
	APART_BYTES = 3000,
	ROUNDS = 4,
	PARTS = 12, /* seeds from here on give parts of three leaves; the first of each is read */
	MUCH = 20000, /* items that fill half of the cache */
	EVICTIONS = 200,
	IN_TRANSACTION = 25,
};

/* A database whose process dies again and again, and what it must hold. */
struct scene {
	struct database_box box;
	sop_store *store;
	sop_txn *txn;
	sop_buf before;
};

static void use(struct scene *scene)
{
	sop_store_options options = SOP_STORE_OPTIONS_INIT;
	struct database_box *box = &scene->box;

	options.node_items = NODE_ITEMS;
	TEST_OK(sop_store_open(box->db, test_text("s"), &options, &scene->store, &box->err), box->err);
	TEST_OK(sop_begin(box->db, NULL, &scene->txn, &box->err), box->err);
}

static void leave(struct scene *scene)
{
	sop_txn_free(scene->txn);
	sop_store_free(scene->store);
	scene->txn = NULL;
	scene->store = NULL;
}

static void next(struct scene *scene)
{
	TEST_OK(sop_commit(scene->txn, &scene->box.err), scene->box.err);
	TEST_OK(sop_txn_renew(scene->txn, &scene->box.err), scene->box.err);
}

static void put_bytes(struct scene *scene, uint64_t number, uint64_t round, size_t size)
{
	uint8_t key[8], value[APART_BYTES];

	memset(value, (int)(number + 7 * round), size);
	TEST_OK(sop_put(scene->txn, scene->store, test_key_u64(key, number),
			test_bytes(value, size), &scene->box.err),
		scene->box.err);
}

static void put(struct scene *scene, uint64_t number, uint64_t round)
{
	put_bytes(scene, number, round, VALUE_BYTES);
}

static void cut(struct scene *scene, uint64_t number)
{
	uint8_t key[8];

	TEST_OK(sop_remove(scene->txn, scene->store, test_key_u64(key, number), 0, &scene->box.err),
		scene->box.err);
}

/* Overwrites every STEP-th key from `from` on, in an order of no neighbours. */
static void overwrite(struct scene *scene, uint64_t from, uint64_t round)
{
	const uint64_t count = (KEYS - from + STEP - 1) / STEP;

	for (uint64_t i = 0; i < count; i++) {
		put(scene, from + i * 101 % count * STEP, round);
		if (i % IN_TRANSACTION == 0)
			next(scene);
	}
	next(scene);
}

static void checkpoint(struct scene *scene)
{
	TEST_OK(sop_checkpoint(scene->box.db, &scene->box.err), scene->box.err);
}

static void start(struct scene *scene)
{
	memset(scene, 0, sizeof *scene);
	database_box_start(&scene->box);
	use(scene);
	TEST_OK(sop_store_create(scene->txn, scene->store, &scene->box.err), scene->box.err);
	for (uint64_t i = 0; i < KEYS; i++)
		put(scene, i, 0);
	next(scene);
	checkpoint(scene);
}

static void end(struct scene *scene)
{
	TEST_NO_FAILURES();
	if (scene->txn != NULL)
		leave(scene);
	sop_buf_free(&scene->before);
	database_box_free(&scene->box);
}

/* Another process opens the database. */
static void open_again(struct scene *scene)
{
	sopi_sim_process_free(scene->box.process);
	scene->box.process = sopi_sim_process_new(scene->box.disk, NULL, test_seed());
	database_box_open(&scene->box);
	use(scene);
}

/* The process dies, and what it has shown is what must be there. */
static void die_and_open(struct scene *scene)
{
	leave(scene);
	database_box_die(&scene->box, &scene->before);
	open_again(scene);
}

/* It dies without having looked at anything, and what must be there is what had to be. */
static void kill_and_open(struct scene *scene)
{
	leave(scene);
	database_box_kill(&scene->box);
	open_again(scene);
}

static uint64_t reads(struct scene *scene)
{
	sop_stats stats = SOP_STATS_INIT;

	TEST_OK(sop_db_stats(scene->box.db, &stats, &scene->box.err), scene->box.err);
	return stats.cache_reads;
}

/* All of it is there, and still is when all was read, written once more, and read from the disk. */
static void check_all(struct scene *scene)
{
	database_box_check(&scene->box, &scene->before);
	checkpoint(scene);
	database_box_check(&scene->box, &scene->before);
	kill_and_open(scene);
	database_box_check(&scene->box, &scene->before);
}

static void leaves_are_not_read_but_where_changes_need_them(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene);
	overwrite(&scene, 0, 1);
	die_and_open(&scene);
	assert_true(reads(&scene) < READS_FEW);
	check_all(&scene);
	for (uint64_t i = 0; i < KEYS; i += STEP * 2)
		cut(&scene, i + 1);
	next(&scene);
	overwrite(&scene, 0, 2);
	die_and_open(&scene);
	assert_true(reads(&scene) > KEYS / STEP / 3);
	check_all(&scene);
	end(&scene);
}

/* As often as it dies, in portions of all sizes, so that more comes to what is left beside a leaf already. */
static void they_are_found_again_until_a_checkpoint_has_them(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene);
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		overwrite(&scene, round * 2, round);
		overwrite(&scene, round * 2 + 1, round); /* of mostly the same leaves */
		test_replay_in_parts(PARTS + round, round % 2 == 1);
		die_and_open(&scene);
		database_box_check(&scene.box, &scene.before);
		kill_and_open(&scene);
		test_replay_as_usual();
	}
	check_all(&scene);
	end(&scene);
}

static void a_checkpoint_writes_them_as_patches_without_the_leaves(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene);
	overwrite(&scene, 0, 1);
	die_and_open(&scene);
	checkpoint(&scene);
	assert_true(reads(&scene) < READS_FEW);
	kill_and_open(&scene);
	assert_true(database_box_fs(&scene.box)->replayed_bytes < 64 << 10);
	database_box_check(&scene.box, &scene.before);
	end(&scene);
}

/* A leaf has one patch at most: what an older one says must be in the next. */
static void they_come_to_a_patch_that_there_is(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene);
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		overwrite(&scene, round, round);
		die_and_open(&scene);
		checkpoint(&scene);
		kill_and_open(&scene);
		database_box_check(&scene.box, &scene.before);
	}
	check_all(&scene);
	end(&scene);
}

/* Commits change leaves beside which something is left, and their neighbours, until these are joined. */
static void commits_go_on_from_them(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene);
	overwrite(&scene, 0, 1);
	die_and_open(&scene);
	for (uint64_t i = 0; i < KEYS; i++) {
		if (i / 60 % 3 == 1 && i % STEP != 0)
			cut(&scene, i);
		else if (i / 60 % 3 == 2 && i % 5 == 0)
			put(&scene, i, 2);
		if (i % IN_TRANSACTION == 0)
			next(&scene);
		if (i == KEYS / 2)
			checkpoint(&scene);
	}
	for (uint64_t i = 0; i < KEYS; i++)
		put(&scene, KEYS + i, 3);
	next(&scene);
	die_and_open(&scene);
	check_all(&scene);
	end(&scene);
}

/* More than the cache is committed, which the reader's snapshot keeps; so of what is older all that may goes. */
static void evict_all(struct scene *scene)
{
	for (uint64_t i = 0; i < 2; i++) {
		database_box_fill(&scene->box, "much", i * MUCH, (i + 1) * MUCH, VALUE_BYTES);
		checkpoint(scene);
	}
	for (int i = 0; i < EVICTIONS; i++)
		(void)sopi_resident_evict(scene->box.db->engine->forest.resident);
}

/* A store that is dropped is written no more, but who reads it sees all of it, checkpoints or not. */
static void who_reads_a_dropped_store_sees_them(void **state)
{
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;
	sop_buf value = SOP_BUF_INIT;
	sop_txn *reader = NULL;
	struct scene scene;
	uint8_t key[8];

	(void)state;
	start(&scene);
	overwrite(&scene, 0, 1);
	die_and_open(&scene);
	options.mode = SOP_READ;
	TEST_OK(sop_begin(scene.box.db, &options, &reader, &scene.box.err), scene.box.err);
	TEST_OK(sop_get(reader, scene.store, test_key_u64(key, 1), &value, &scene.box.err),
		scene.box.err);
	TEST_OK(sop_store_drop(scene.txn, scene.store, &scene.box.err), scene.box.err);
	next(&scene);
	for (int i = 0; i < 2; i++)
		checkpoint(&scene);
	for (uint64_t turn = 0; turn < 2; turn++) {
		for (uint64_t i = 0; i < KEYS; i++) {
			const uint64_t round = i % STEP == 0;

			TEST_OK(sop_get(reader, scene.store, test_key_u64(key, i), &value,
					&scene.box.err),
				scene.box.err);
			assert_int_equal(*(uint8_t *)value.data, (uint8_t)(i + 7 * round));
		}
		if (turn == 0)
			evict_all(&scene);
	}
	sop_txn_free(reader);
	sop_buf_free(&value);
	leave(&scene);
	TEST_OK(sop_gc(scene.box.db, NULL, NULL, &scene.box.err), scene.box.err);
	assert_int_equal(database_verify(scene.box.db, "without the store"), 0);
	use(&scene);
	end(&scene);
}

/* What replaced no item in its leaf, as far as the log knows, is not left: the count would be wrong, or a value apart stay for
 * ever. Only the first change of a key knows. */
static void what_is_new_is_not_left(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene);
	for (uint64_t i = 0; i < KEYS; i += STEP) {
		if (i % (2 * STEP) == 0)
			cut(&scene, i);
		else
			put_bytes(&scene, i, 1, APART_BYTES);
	}
	next(&scene);
	checkpoint(&scene);
	for (uint64_t round = 2; round < 2 + ROUNDS; round++) {
		for (uint64_t i = 0; i < KEYS; i += STEP)
			put_bytes(&scene, i, round, VALUE_BYTES + i % 5 * round);
		next(&scene);
		overwrite(&scene, 3, round); /* so that keys displace each other where they are noted */
	}
	die_and_open(&scene);
	check_all(&scene);
	TEST_OK(sop_gc(scene.box.db, NULL, NULL, &scene.box.err), scene.box.err);
	database_box_check(&scene.box, &scene.before);
	end(&scene);
}

/* The first key of a leaf that is not in memory, behind one that is; the key behind it is of the same leaf. */
static uint64_t first_absent(const struct sopi_tree *tree, uint64_t at, struct sopi_vnode **leaf)
{
	struct sopi_path path = { .stays = false };
	size_t depth = SIZE_MAX;
	uint8_t bytes[8];

	for (uint64_t number = 0; number < KEYS; number++) {
		const sop_bytes key = test_key_u64(bytes, number);

		if (depth == SIZE_MAX)
			assert_int_equal(sopi_tree_path(tree, key.data, key.size, at, &path, NULL),
					 SOP_OK);
		else
			assert_int_equal(sopi_tree_path_above(tree, key.data, key.size, at, depth,
							      &path, NULL),
					 SOP_OK);
		depth = path.depth;
		*leaf = path.level[depth].vnode;
		if (atomic_load(&(*leaf)->head) == NULL)
			return number;
	}
	fail_msg("all leaves are in memory");
	return 0;
}

/* An overwrite of a key, as replay has it. Freed with free. */
static struct sopi_change overwriting(uint64_t number, uint64_t round, uint64_t position)
{
	struct sopi_operation *operation = calloc(1, sizeof *operation + 8 + VALUE_BYTES);

	assert_non_null(operation);
	operation->kind = SOPI_OP_PUT;
	operation->number = (int64_t)position;
	operation->replaces = true;
	operation->key_size = 8;
	operation->value_size = VALUE_BYTES;
	(void)test_key_u64(operation->bytes, number);
	memset(operation->bytes + 8, (int)(number + 7 * round), VALUE_BYTES);
	return (struct sopi_change){ operation, NULL };
}

static struct sopi_pending *made(const struct sopi_tree *tree, struct sopi_vnode *leaf,
				 uint64_t number, uint64_t round, uint64_t position)
{
	const struct sopi_change change = overwriting(number, round, position);
	struct sopi_pending *pending = NULL;

	assert_int_equal(sopi_pending_make(tree, leaf, &change, 1, position, &pending, NULL), SOP_OK);
	assert_non_null(pending);
	free((void *)change.newest);
	return pending;
}

static bool attach(struct scene *scene, const struct sopi_tree *tree, struct sopi_vnode *leaf,
		   struct sopi_pending *pending)
{
	struct sopi_engine *engine = scene->box.db->engine;
	bool attached;

	sopi_mutex_lock(&engine->commit_mutex);
	assert_int_equal(sopi_dirty_reserve(&engine->forest, NULL), SOP_OK);
	attached = sopi_pending_attach(tree, leaf, pending);
	sopi_mutex_unlock(&engine->commit_mutex);
	if (!attached)
		sopi_pending_free(&engine->forest, pending);
	return attached;
}

static void expect(struct scene *scene, uint64_t number, uint64_t round)
{
	sop_buf value = SOP_BUF_INIT;
	uint8_t key[8];

	TEST_OK(sop_get(scene->txn, scene->store, test_key_u64(key, number), &value, &scene->box.err),
		scene->box.err);
	assert_int_equal(*(uint8_t *)value.data, (uint8_t)(number + 7 * round));
	sop_buf_free(&value);
}

/* The changes of a leaf may be more than one part of a replay takes. The next part's are put together while those of the part
 * before it are left, and would take their place. */
static void what_was_made_before_others_came_does_not_take_their_place(void **state)
{
	struct sopi_engine *engine;
	struct sopi_pending *first, *second;
	struct sopi_vnode *leaf = NULL;
	struct sopi_tree *tree;
	struct scene scene;
	uint64_t at, number;

	(void)state;
	start(&scene);
	kill_and_open(&scene);
	engine = scene.box.db->engine;
	at = atomic_load(&engine->applied);
	tree = &sopi_catalog_find(&engine->catalog, SOPI_STORE_ID_FIRST)->tree;
	number = first_absent(tree, at, &leaf);
	first = made(tree, leaf, number, 1, at);
	second = made(tree, leaf, number + 1, 1, at);
	assert_true(attach(&scene, tree, leaf, first));
	assert_false(attach(&scene, tree, leaf, second));
	second = made(tree, leaf, number + 1, 2, at);
	assert_true(attach(&scene, tree, leaf, second));
	expect(&scene, number, 1);
	expect(&scene, number + 1, 2);
	end(&scene);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_are_not_read_but_where_changes_need_them),
		cmocka_unit_test(they_are_found_again_until_a_checkpoint_has_them),
		cmocka_unit_test(a_checkpoint_writes_them_as_patches_without_the_leaves),
		cmocka_unit_test(they_come_to_a_patch_that_there_is),
		cmocka_unit_test(commits_go_on_from_them),
		cmocka_unit_test(who_reads_a_dropped_store_sees_them),
		cmocka_unit_test(what_is_new_is_not_left),
		cmocka_unit_test(what_was_made_before_others_came_does_not_take_their_place),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
