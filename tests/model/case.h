/* One case: a database, its keys, and a sequence of operations that a seed makes. */
#ifndef MODEL_CASE_H
#define MODEL_CASE_H

#include "model/engine.h"

struct case_config {
	uint64_t seed;
	unsigned number;
	bool on_disk;
	uint32_t ops;
	uint32_t node_items;
	uint32_t node_bytes;
	uint32_t inline_value_bytes;
	struct universe universe;
	struct mix mix;
};

/* What a case did. */
struct case_result {
	bool ok;
	uint32_t failed_at; /* number of the operation */
	uint64_t operations; /* done on both sides and compared */
	uint64_t rows; /* compared besides */
	uint64_t commits;
	uint64_t conflicts;
	uint64_t verifies;
};

/* Runs the operations for which `left_out` (may be NULL) is 0. */
struct case_result case_run(const struct case_config *config, const uint8_t *left_out);

/* Makes operation `index` of a case. */
void case_op(const struct case_config *config, uint32_t index, struct op *op);

/* The operation that runs now, for a report of a crash. */
extern volatile uint32_t case_at;

#endif
