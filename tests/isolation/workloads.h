/* Workloads: what the threads of a world do, each directed at a class of anomalies. Nodes have
 * four items (with every third seed: as many as fit into 1 KB), so that splits and merges happen
 * all the time. They are used by the tests of good engines and by those of planted bugs. */
#ifndef ISOLATION_WORKLOADS_H
#define ISOLATION_WORKLOADS_H

#include "isolation/actor.h"

/* Runs about so many transactions in a new world and judges them; what is wrong is noted as
 * failures. */
typedef struct verdict (*workload)(uint64_t transactions);

/* Lists that grow, judged by the cycle checker and by the replay oracle. */
struct verdict workload_list_append(uint64_t transactions);

/* Transfers between accounts that move, and full scans: the sum is constant in each. */
struct verdict workload_bank(uint64_t transactions);

/* Of two keys, each is inserted only where the other is absent: write skew on what is not there. */
struct verdict workload_mutual_absence(uint64_t transactions);

/* A range is counted or scanned, and gets an item only if it has few: phantoms. */
struct verdict workload_range_guard(uint64_t transactions);

/* Stores that are empty most of the time: first() finds nothing, then insert. */
struct verdict workload_first_insert(uint64_t transactions);

/* Many threads insert the same keys: exactly one wins each. */
struct verdict workload_unique_key(uint64_t transactions);

/* Stores are created, dropped, renamed and listed while others use them. */
struct verdict workload_catalog(uint64_t transactions);

/* The validated count of a store decides what is done. */
struct verdict workload_counts(uint64_t transactions);

/* add, min and max beside reads, puts and removals of the same keys. */
struct verdict workload_counters(uint64_t transactions);

/* Additions alone: none may ever conflict. */
struct verdict workload_additions(uint64_t transactions);

/* Threads append behind the last key and trim at the front: append splits, merges at the start. */
struct verdict workload_appends(uint64_t transactions);

/* Runs of keys come and go by ranges: splits and merges in the middle. */
struct verdict workload_mass_delete(uint64_t transactions);

/* Cursors walk both ways while their own transaction changes what they walk over. */
struct verdict workload_cursors(uint64_t transactions);

/* Equal keys and their item ids. */
struct verdict workload_duplicates(uint64_t transactions);

/* Everything at once, with savepoints, deadlines, cancellation and unvalidated reads. */
struct verdict workload_mix(uint64_t transactions);

/* Readers that look again and again at what many writers change: old versions must stay. */
struct verdict workload_long_readers(uint64_t transactions);

/* Read-modify-writes of a few hot keys: lost updates. */
struct verdict workload_hot_keys(uint64_t transactions);

/* Runs `run` in one new world after the other, each of another seed, until so many transactions
 * (scaled) have been checked; fails the test of cmocka if anything was wrong. */
void workload_must_pass(workload run, uint64_t transactions);

/* The same in worlds on disk, which are opened again between the parts of a round. */
void workload_must_pass_on_disk(workload run, uint64_t transactions);

/* ---- for the workloads ----------------------------------------------------------------------- */

/* What one thread does again and again; `how` varies from transaction to transaction. */
struct workload_plan {
	uint64_t transactions; /* of all threads together */
	void (*turn)(struct actor *actor, void *arg); /* about one transaction */
	void *arg;
};

/* Runs the plan in all threads of an open world. */
void workload_run_plan(struct world *world, const struct workload_plan *plan);

/* Runs the plan in all threads of an open world, judges it and closes the world. */
struct verdict workload_run(struct world *world, const struct workload_plan *plan);

/* Now and then reads some key in one call, as every turn of a plan does at its end. */
void workload_read_alone(struct actor *actor);

/* A way to repeat transactions, chosen at random. */
enum actor_how workload_any_how(struct actor *actor);

#endif
