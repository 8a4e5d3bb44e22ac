/* Every workload once more on disk: nearly all nodes are evicted and loaded again all the time, checkpoints run on end,
 * gc and verification now and then, and the database is opened again in between. */
#include "isolation/workloads.h"

#define WORKLOAD(test, run, transactions)                                                          \
	static void test(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		workload_must_pass_on_disk(run, transactions);                                     \
	}

WORKLOAD(lists_grow_in_one_order, workload_list_append, 6000)
WORKLOAD(the_sum_is_constant_in_every_scan, workload_bank, 6000)
WORKLOAD(no_update_of_a_hot_key_is_lost, workload_hot_keys, 3000)
WORKLOAD(of_two_keys_one_is_absent, workload_mutual_absence, 3000)
WORKLOAD(a_range_is_guarded, workload_range_guard, 6000)
WORKLOAD(the_first_insert_wins, workload_first_insert, 3000)
WORKLOAD(one_insert_of_a_key_wins, workload_unique_key, 3000)
WORKLOAD(stores_come_and_go, workload_catalog, 6000)
WORKLOAD(the_count_guards_an_insertion, workload_counts, 3000)
WORKLOAD(integers_change_in_one_order, workload_counters, 3000)
WORKLOAD(additions_never_conflict, workload_additions, 1500)
WORKLOAD(appends_and_trims, workload_appends, 6000)
WORKLOAD(runs_of_keys_come_and_go, workload_mass_delete, 3000)
WORKLOAD(cursors_walk_over_what_changes, workload_cursors, 3000)
WORKLOAD(equal_keys_keep_their_items, workload_duplicates, 3000)
WORKLOAD(everything_at_once, workload_mix, 9000)
WORKLOAD(old_versions_stay_for_readers, workload_long_readers, 3000)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_grow_in_one_order),
		cmocka_unit_test(the_sum_is_constant_in_every_scan),
		cmocka_unit_test(no_update_of_a_hot_key_is_lost),
		cmocka_unit_test(of_two_keys_one_is_absent),
		cmocka_unit_test(a_range_is_guarded),
		cmocka_unit_test(the_first_insert_wins),
		cmocka_unit_test(one_insert_of_a_key_wins),
		cmocka_unit_test(stores_come_and_go),
		cmocka_unit_test(the_count_guards_an_insertion),
		cmocka_unit_test(integers_change_in_one_order),
		cmocka_unit_test(additions_never_conflict),
		cmocka_unit_test(appends_and_trims),
		cmocka_unit_test(runs_of_keys_come_and_go),
		cmocka_unit_test(cursors_walk_over_what_changes),
		cmocka_unit_test(equal_keys_keep_their_items),
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(old_versions_stay_for_readers),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
