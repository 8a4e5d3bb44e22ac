/* The cycle checker: looks for anomalies in histories of lists that only grow, knowing nothing
 * of positions.
 *
 * Every transaction appends elements, each unique, to lists and reads whole lists. What was read
 * tells the order of the elements of a list, and so which transaction overwrote, read from, or
 * was overwritten by which; together with real time these are the edges of a graph that is free
 * of cycles if and only if the history is strictly serializable (as far as the reads show). The
 * idea and the names of the anomalies are those of Elle (Kingsbury and Alvaro, VLDB 2020) and
 * Adya. */
#ifndef ISOLATION_CYCLES_H
#define ISOLATION_CYCLES_H

#include "support/support.h"

enum cycles_anomaly {
	CYCLES_GARBAGE, /* read an element that nobody appended, or one twice in a list */
	CYCLES_INTERNAL, /* a transaction does not see its own appends, or two reads in it differ */
	CYCLES_ORDER, /* two reads of a list, neither of which begins with the other */
	CYCLES_G1A, /* read an element of an aborted transaction */
	CYCLES_G1B, /* read an element that its transaction had appended another to already */
	CYCLES_G0, /* a cycle of overwriting */
	CYCLES_G1C, /* a cycle of overwriting and reading from */
	CYCLES_G_SINGLE, /* a cycle with one "read what another overwrote": read skew, lost update */
	CYCLES_G2, /* with several: write skew */
	CYCLES_G0_REALTIME, /* the same with the help of real time: stale, but serializable */
	CYCLES_G1C_REALTIME,
	CYCLES_G_SINGLE_REALTIME,
	CYCLES_G2_REALTIME,
	CYCLES_ANOMALIES
};

const char *cycles_anomaly_name(enum cycles_anomaly anomaly);

struct cycles_op {
	uint64_t list;
	uint64_t element; /* of an append */
	size_t read_first; /* of a read: where its elements begin, and how many there are */
	size_t read_count;
	bool is_append;
};

struct cycles_txn {
	size_t op_first;
	size_t op_count;
	int64_t begin_ns;
	int64_t end_ns;
	bool committed;
};

/* The transactions of one thread or of all. */
struct cycles_history {
	struct cycles_txn *txns;
	size_t txn_count;
	size_t txn_capacity;
	struct cycles_op *ops;
	size_t op_count;
	size_t op_capacity;
	uint64_t *elements;
	size_t element_count;
	size_t element_capacity;
};

void cycles_begin(struct cycles_history *history, int64_t begin_ns);
void cycles_append(struct cycles_history *history, uint64_t list, uint64_t element);
void cycles_read(struct cycles_history *history, uint64_t list, const uint64_t *elements, size_t count);
void cycles_end(struct cycles_history *history, bool committed, int64_t end_ns);

/* Appends all of `from` to `to`. */
void cycles_merge(struct cycles_history *to, const struct cycles_history *from);
void cycles_free(struct cycles_history *history);

#define CYCLES_TEXTS_MAX 8
#define CYCLES_TEXT_BYTES 1000

struct cycles_report {
	uint64_t txns; /* committed ones, which are the nodes of the graph */
	uint64_t edges;
	uint64_t anomalies[CYCLES_ANOMALIES];
	size_t text_count;
	char texts[CYCLES_TEXTS_MAX][CYCLES_TEXT_BYTES];
};

/* Judges `history`; true if there is no anomaly. Lists are numbered from 0, densely. */
bool cycles_check(const struct cycles_history *history, struct cycles_report *report);

#endif
