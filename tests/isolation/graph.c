/* Directed graphs: Tarjan's strongly connected components with its own stack, and shortest
 * paths. */
#include "isolation/graph.h"

#include <stdlib.h>
#include <string.h>

#define NOWHERE SIZE_MAX
#define SINGLE_RW_TRIES_MAX 4096 /* so that a history full of anomalies is judged in seconds too */

const char *graph_kind_name(unsigned kind)
{
	switch (kind) {
	case GRAPH_WW:
		return "ww";
	case GRAPH_WR:
		return "wr";
	case GRAPH_RW:
		return "rw";
	default:
		return "time";
	}
}

void graph_init(struct graph *graph, size_t node_count)
{
	memset(graph, 0, sizeof *graph);
	graph->node_count = node_count;
}

void graph_edge(struct graph *graph, size_t from, size_t to, unsigned kind)
{
	const struct graph_edge edge = { from, to, kind };

	graph->edges = test_grow(graph->edges, graph->edge_count, &graph->edge_capacity,
				 sizeof *graph->edges);
	graph->edges[graph->edge_count++] = edge;
}

void graph_free(struct graph *graph)
{
	free(graph->edges);
	free(graph->starts);
	memset(graph, 0, sizeof *graph);
}

static int compare_edges(const void *left, const void *right)
{
	const struct graph_edge *a = left;
	const struct graph_edge *b = right;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	return (int)a->kind - (int)b->kind;
}

static void sort_edges(struct graph *graph)
{
	size_t edge = 0;

	if (graph->starts != NULL)
		return;
	graph->starts = test_alloc((graph->node_count + 1) * sizeof *graph->starts);
	if (graph->edge_count != 0)
		qsort(graph->edges, graph->edge_count, sizeof *graph->edges, compare_edges);
	for (size_t node = 0; node <= graph->node_count; node++) {
		while (edge < graph->edge_count && graph->edges[edge].from < node)
			edge++;
		graph->starts[node] = edge;
	}
}

/* ---- strongly connected components ----------------------------------------------------------- */

struct tarjan {
	const struct graph *graph;
	unsigned kinds;
	const bool *inside; /* nodes that count; NULL: all */
	struct graph_knots *knots;
	size_t *number; /* in the order of the visit, NOWHERE before it */
	size_t *low;
	size_t *next_edge;
	size_t *path; /* the nodes being visited, the outermost first */
	size_t path_count;
	size_t *stack; /* visited nodes without a component yet */
	size_t stack_count;
	size_t visited;
	size_t component_count;
	size_t knot_nodes;
};

static void enter(struct tarjan *tarjan, size_t node)
{
	tarjan->number[node] = tarjan->visited;
	tarjan->low[node] = tarjan->visited++;
	tarjan->next_edge[node] = tarjan->graph->starts[node];
	tarjan->path[tarjan->path_count++] = node;
	tarjan->stack[tarjan->stack_count++] = node;
}

/* The component of `node` is complete: everything above it on the stack. */
static void close_component(struct tarjan *tarjan, size_t node)
{
	struct graph_knots *knots = tarjan->knots;
	size_t *nodes = &knots->nodes[tarjan->knot_nodes];
	size_t count = 0;
	size_t member = NOWHERE;

	do {
		member = tarjan->stack[--tarjan->stack_count];
		knots->knot_of[member] = tarjan->component_count;
		nodes[count++] = member;
	} while (member != node);
	tarjan->component_count++;
	if (count < 2)
		return;
	tarjan->knot_nodes += count;
	knots->knots = test_grow(knots->knots, knots->count, &knots->capacity, sizeof *knots->knots);
	knots->knots[knots->count++] = (struct graph_knot){ nodes, count };
}

static void leave(struct tarjan *tarjan, size_t node)
{
	tarjan->path_count--;
	if (tarjan->path_count != 0) {
		const size_t parent = tarjan->path[tarjan->path_count - 1];

		if (tarjan->low[node] < tarjan->low[parent])
			tarjan->low[parent] = tarjan->low[node];
	}
	if (tarjan->low[node] == tarjan->number[node])
		close_component(tarjan, node);
}

static void follow(struct tarjan *tarjan, size_t node, const struct graph_edge *edge)
{
	if ((edge->kind & tarjan->kinds) == 0 || (tarjan->inside != NULL && !tarjan->inside[edge->to]))
		return;
	if (tarjan->number[edge->to] == NOWHERE)
		enter(tarjan, edge->to);
	else if (tarjan->knots->knot_of[edge->to] == NOWHERE &&
		 tarjan->number[edge->to] < tarjan->low[node])
		tarjan->low[node] = tarjan->number[edge->to];
}

static void visit(struct tarjan *tarjan, size_t root)
{
	enter(tarjan, root);
	while (tarjan->path_count != 0) {
		const size_t node = tarjan->path[tarjan->path_count - 1];

		if (tarjan->next_edge[node] == tarjan->graph->starts[node + 1])
			leave(tarjan, node);
		else
			follow(tarjan, node, &tarjan->graph->edges[tarjan->next_edge[node]++]);
	}
}

static size_t *new_places(size_t count)
{
	size_t *places = test_alloc(count * sizeof *places);

	for (size_t i = 0; i < count; i++)
		places[i] = NOWHERE;
	return places;
}

static void find_knots(const struct graph *graph, unsigned kinds, const bool *inside,
		       struct graph_knots *knots)
{
	const size_t nodes = graph->node_count;
	struct tarjan tarjan = { .graph = graph, .kinds = kinds, .inside = inside, .knots = knots };

	memset(knots, 0, sizeof *knots);
	knots->nodes = new_places(nodes);
	knots->knot_of = new_places(nodes);
	tarjan.number = new_places(nodes);
	tarjan.low = new_places(nodes);
	tarjan.next_edge = new_places(nodes);
	tarjan.path = new_places(nodes);
	tarjan.stack = new_places(nodes);
	for (size_t node = 0; node < nodes; node++) {
		if (tarjan.number[node] == NOWHERE && (inside == NULL || inside[node]))
			visit(&tarjan, node);
	}
	free(tarjan.number);
	free(tarjan.low);
	free(tarjan.next_edge);
	free(tarjan.path);
	free(tarjan.stack);
}

void graph_find_knots(struct graph *graph, struct graph_knots *knots)
{
	sort_edges(graph);
	find_knots(graph, GRAPH_ALL, NULL, knots);
}

void graph_knots_free(struct graph_knots *knots)
{
	free(knots->knots);
	free(knots->nodes);
	free(knots->knot_of);
	memset(knots, 0, sizeof *knots);
}

/* ---- cycles ---------------------------------------------------------------------------------- */

/* Finds the shortest path of `kinds` within `inside` from `from` to `to` (at least one edge);
 * came[node] is then the edge by which each node on it is reached. */
static bool find_path(const struct graph *graph, const bool *inside, unsigned kinds, size_t from,
		      size_t to, size_t *came)
{
	size_t *queue = test_alloc((graph->node_count + 1) * sizeof *queue);
	size_t head = 0;
	size_t tail = 0;

	for (size_t i = 0; i < graph->node_count; i++)
		came[i] = NOWHERE;
	queue[tail++] = from;
	while (head < tail && came[to] == NOWHERE) {
		const size_t node = queue[head++];

		for (size_t e = graph->starts[node]; e < graph->starts[node + 1]; e++) {
			const struct graph_edge *edge = &graph->edges[e];

			if ((edge->kind & kinds) == 0 || !inside[edge->to] || came[edge->to] != NOWHERE)
				continue;
			came[edge->to] = e;
			if (edge->to != from)
				queue[tail++] = edge->to;
		}
	}
	free(queue);
	return came[to] != NOWHERE;
}

/* Writes the path that find_path found into `cycle`, closing with an edge of `closing` kind
 * unless it is a cycle itself. */
static void take_path(const struct graph *graph, const size_t *came, size_t from, size_t to,
		      unsigned closing, struct graph_cycle *cycle)
{
	size_t length = 0;
	size_t node = to;
	size_t index = 0;

	do {
		node = graph->edges[came[node]].from;
		length++;
	} while (node != from);
	cycle->count = length + (from != to ? 1 : 0);
	index = length;
	if (from != to && index < GRAPH_CYCLE_MAX) {
		cycle->nodes[index] = to;
		cycle->kinds[index] = closing;
	}
	node = to;
	do {
		const struct graph_edge *edge = &graph->edges[came[node]];

		node = edge->from;
		index--;
		if (index < GRAPH_CYCLE_MAX) {
			cycle->nodes[index] = node;
			cycle->kinds[index] = edge->kind;
		}
	} while (node != from);
	if (cycle->count > GRAPH_CYCLE_MAX)
		cycle->count = GRAPH_CYCLE_MAX;
}

static bool find_plain(const struct graph *graph, const bool *inside, unsigned kinds, size_t *came,
		       struct graph_cycle *cycle)
{
	struct graph_knots knots;
	bool found = false;

	find_knots(graph, kinds, inside, &knots);
	if (knots.count != 0) {
		const size_t node = knots.knots[0].nodes[0];

		found = find_path(graph, inside, kinds, node, node, came);
		if (found)
			take_path(graph, came, node, node, 0, cycle);
	}
	graph_knots_free(&knots);
	return found;
}

static bool find_single(const struct graph *graph, const struct graph_knot *knot,
			const bool *inside, unsigned kinds, size_t *came, struct graph_cycle *cycle)
{
	size_t tries = 0;

	for (size_t i = 0; i < knot->count; i++) {
		const size_t node = knot->nodes[i];

		for (size_t e = graph->starts[node]; e < graph->starts[node + 1]; e++) {
			const struct graph_edge *edge = &graph->edges[e];

			if (edge->kind != GRAPH_RW || !inside[edge->to] || tries++ >= SINGLE_RW_TRIES_MAX)
				continue;
			if (!find_path(graph, inside, kinds, edge->to, node, came))
				continue;
			take_path(graph, came, edge->to, node, GRAPH_RW, cycle);
			return true;
		}
	}
	return false;
}

bool graph_find_cycle(const struct graph *graph, const struct graph_knot *knot, unsigned kinds,
		      bool single_rw, struct graph_cycle *cycle)
{
	bool *inside = test_alloc(graph->node_count * sizeof *inside);
	size_t *came = new_places(graph->node_count);
	bool found = false;

	memset(inside, 0, graph->node_count * sizeof *inside);
	for (size_t i = 0; i < knot->count; i++)
		inside[knot->nodes[i]] = true;
	memset(cycle, 0, sizeof *cycle);
	found = single_rw ? find_single(graph, knot, inside, kinds, came, cycle)
			  : find_plain(graph, inside, kinds, came, cycle);
	free(inside);
	free(came);
	return found;
}
