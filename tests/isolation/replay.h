/* The replay oracle: a complete check of strict serializability in linear time.
 *
 * Since every transaction says its position, the serial order is known: the history is played
 * again in that order on plain sorted arrays, and every answer that any transaction got must be
 * the answer that the arrays give. A transaction with a position of its own must have seen the
 * state just before it; any other, the state after its position, which is the one it read at, or
 * a later one if its changes came to nothing and were judged then. Besides, every attempt, also
 * one that conflicted or was rolled back, must have seen the state of the position it read at.
 * Real time: whoever was answered before another began lies before it. */
#ifndef ISOLATION_REPLAY_H
#define ISOLATION_REPLAY_H

#include "isolation/history.h"

enum replay_anomaly {
	REPLAY_POSITION, /* two with one position, a position that does not fit what was done, none at all */
	REPLAY_REAL_TIME, /* the serial order contradicts real time */
	REPLAY_READ, /* a look-up, a scan or a cursor saw something else */
	REPLAY_VERSION, /* the value was right, the version was not */
	REPLAY_COUNT, /* a count, or the number of items removed */
	REPLAY_ANSWER, /* EXISTS, NOT_FOUND or OK of a change */
	REPLAY_CATALOG, /* the list of stores, or whether one is there */
	REPLAY_ANOMALIES
};

#define REPLAY_TEXTS_MAX 8
#define REPLAY_TEXT_BYTES 1400

struct replay_report {
	uint64_t committed; /* transactions with a position of their own */
	uint64_t readers; /* that changed nothing and were answered OK */
	uint64_t aborted;
	uint64_t events; /* answers compared */
	int64_t standstill_ns; /* the longest time in which nobody was answered */
	uint64_t anomalies[REPLAY_ANOMALIES];
	const struct history_log *first_log; /* where the first of them is */
	const struct txn_record *first_txn;
	size_t text_count; /* the first few, as text */
	char texts[REPLAY_TEXTS_MAX][REPLAY_TEXT_BYTES];
};

const char *replay_anomaly_name(enum replay_anomaly anomaly);

/* Judges `history`; true if there is no anomaly. */
bool replay_check(const struct history *history, struct replay_report *report);

#endif
