/* Directed graphs with kinds of edges: strongly connected parts and cycles in them, in linear
 * time and without recursion. */
#ifndef ISOLATION_GRAPH_H
#define ISOLATION_GRAPH_H

#include "support/support.h"

/* Kinds of edges between transactions, as bits. */
#define GRAPH_WW 1u /* the second overwrote what the first wrote */
#define GRAPH_WR 2u /* the second read what the first wrote */
#define GRAPH_RW 4u /* the second overwrote what the first read */
#define GRAPH_TIME 8u /* the first was answered before the second began */
#define GRAPH_ALL 15u

const char *graph_kind_name(unsigned kind);

struct graph_edge {
	size_t from;
	size_t to;
	unsigned kind;
};

struct graph {
	size_t node_count;
	struct graph_edge *edges;
	size_t edge_count;
	size_t edge_capacity;
	size_t *starts; /* once sorted: edges of node n are from starts[n] up to starts[n + 1] */
};

void graph_init(struct graph *graph, size_t node_count);
void graph_edge(struct graph *graph, size_t from, size_t to, unsigned kind);
void graph_free(struct graph *graph);

/* A part of the graph from each node of which all others can be reached: there is a cycle. */
struct graph_knot {
	const size_t *nodes;
	size_t count; /* at least 2 */
};

struct graph_knots {
	struct graph_knot *knots;
	size_t count;
	size_t capacity;
	size_t *nodes; /* of all knots */
	size_t *knot_of; /* by node: the number of its part, unique among knots and single nodes */
};

/* Finds all knots; graph_knots_free frees them. No edge may be added afterwards. */
void graph_find_knots(struct graph *graph, struct graph_knots *knots);
void graph_knots_free(struct graph_knots *knots);

#define GRAPH_CYCLE_MAX 24

struct graph_cycle {
	size_t nodes[GRAPH_CYCLE_MAX]; /* the first of them, if there are more */
	unsigned kinds[GRAPH_CYCLE_MAX]; /* of the edge from the node of the same index to the next */
	size_t count;
};

/* Finds a cycle within `knot` that has edges of `kinds` only, and, with `single_rw`, exactly one
 * GRAPH_RW besides. */
bool graph_find_cycle(const struct graph *graph, const struct graph_knot *knot, unsigned kinds,
		      bool single_rw, struct graph_cycle *cycle);

#endif
