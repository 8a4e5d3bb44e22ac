/* The cycle checker: from histories to edges. What is done with the graph is in graph.c. */
#include "isolation/cycles.h"

#include "isolation/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY SIZE_MAX

/* Who appended an element. */
struct append {
	uint64_t element;
	uint64_t list;
	size_t txn; /* NOBODY: the place in the table is free */
	bool is_last; /* its transaction appended nothing to the list after it */
	bool was_read; /* by another transaction */
};

/* The longest read of a list: the order of its elements. */
struct order {
	const uint64_t *elements;
	size_t count;
};

struct checker {
	const struct cycles_history *history;
	struct cycles_report *report;
	struct append *appends; /* a hash table by element */
	size_t append_mask;
	struct order *orders; /* by list */
	size_t list_count;
	struct graph graph;
};

const char *cycles_anomaly_name(enum cycles_anomaly anomaly)
{
	static const char *const names[CYCLES_ANOMALIES] = {
		"garbage",     "internal",     "incompatible order",
		"G1a",	       "G1b",	       "G0",
		"G1c",	       "G-single",     "G2",
		"G0-realtime", "G1c-realtime", "G-single-realtime",
		"G2-realtime",
	};

	return names[anomaly];
}

__attribute__((format(printf, 3, 4))) static void
note(struct cycles_report *report, enum cycles_anomaly anomaly, const char *format, ...)
{
	char what[CYCLES_TEXT_BYTES - 40];
	va_list arguments;

	report->anomalies[anomaly]++;
	if (report->text_count >= CYCLES_TEXTS_MAX)
		return;
	va_start(arguments, format);
	(void)vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	(void)snprintf(report->texts[report->text_count++], CYCLES_TEXT_BYTES, "%s: %s",
		       cycles_anomaly_name(anomaly), what);
}

/* ---- recording ------------------------------------------------------------------------------- */

void cycles_begin(struct cycles_history *history, int64_t begin_ns)
{
	const struct cycles_txn txn = { .op_first = history->op_count, .begin_ns = begin_ns };

	history->txns = test_grow(history->txns, history->txn_count, &history->txn_capacity,
				  sizeof *history->txns);
	history->txns[history->txn_count++] = txn;
}

static void push_op(struct cycles_history *history, const struct cycles_op *op)
{
	history->ops = test_grow(history->ops, history->op_count, &history->op_capacity,
				 sizeof *history->ops);
	history->ops[history->op_count++] = *op;
	history->txns[history->txn_count - 1].op_count++;
}

static void push_elements(struct cycles_history *history, const uint64_t *elements, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		history->elements = test_grow(history->elements, history->element_count,
					      &history->element_capacity, sizeof *history->elements);
		history->elements[history->element_count++] = elements[i];
	}
}

void cycles_append(struct cycles_history *history, uint64_t list, uint64_t element)
{
	const struct cycles_op op = { .list = list, .element = element, .is_append = true };

	push_op(history, &op);
}

void cycles_read(struct cycles_history *history, uint64_t list, const uint64_t *elements, size_t count)
{
	const struct cycles_op op = { .list = list,
				      .read_first = history->element_count,
				      .read_count = count };

	push_op(history, &op);
	push_elements(history, elements, count);
}

void cycles_end(struct cycles_history *history, bool committed, int64_t end_ns)
{
	history->txns[history->txn_count - 1].committed = committed;
	history->txns[history->txn_count - 1].end_ns = end_ns;
}

void cycles_merge(struct cycles_history *to, const struct cycles_history *from)
{
	for (size_t i = 0; i < from->txn_count; i++) {
		const struct cycles_txn *txn = &from->txns[i];

		cycles_begin(to, txn->begin_ns);
		for (size_t o = 0; o < txn->op_count; o++) {
			const struct cycles_op *op = &from->ops[txn->op_first + o];

			if (op->is_append)
				cycles_append(to, op->list, op->element);
			else
				cycles_read(to, op->list,
					    op->read_count != 0 ? &from->elements[op->read_first] : NULL,
					    op->read_count);
		}
		cycles_end(to, txn->committed, txn->end_ns);
	}
}

void cycles_free(struct cycles_history *history)
{
	free(history->txns);
	free(history->ops);
	free(history->elements);
	memset(history, 0, sizeof *history);
}

/* ---- who appended what ----------------------------------------------------------------------- */

static size_t slot_of(const struct checker *checker, uint64_t element)
{
	size_t slot = (size_t)(element * 0x9E3779B97F4A7C15u >> 20) & checker->append_mask;

	while (checker->appends[slot].txn != NOBODY && checker->appends[slot].element != element)
		slot = (slot + 1) & checker->append_mask;
	return slot;
}

/* Who appended `element` to `list`, or NULL. */
static struct append *append_of(const struct checker *checker, uint64_t list, uint64_t element)
{
	struct append *append = &checker->appends[slot_of(checker, element)];

	return append->txn != NOBODY && append->list == list ? append : NULL;
}

static const uint64_t *elements_of(const struct checker *checker, const struct cycles_op *op)
{
	return op->read_count != 0 ? &checker->history->elements[op->read_first] : NULL;
}

static void index_appends_of(struct checker *checker, size_t txn)
{
	const struct cycles_txn *record = &checker->history->txns[txn];
	const struct cycles_op *ops = &checker->history->ops[record->op_first];

	for (size_t i = 0; i < record->op_count; i++) {
		struct append append = { ops[i].element, ops[i].list, txn, true, false };

		if (ops[i].list >= checker->list_count)
			checker->list_count = ops[i].list + 1;
		if (!ops[i].is_append)
			continue;
		for (size_t later = i + 1; later < record->op_count; later++) {
			if (ops[later].is_append && ops[later].list == ops[i].list)
				append.is_last = false;
		}
		checker->appends[slot_of(checker, append.element)] = append;
	}
}

static void index_appends(struct checker *checker)
{
	size_t size = 16;

	while (size < 2 * checker->history->op_count + 1)
		size *= 2;
	checker->append_mask = size - 1;
	checker->appends = test_alloc(size * sizeof *checker->appends);
	for (size_t i = 0; i < size; i++)
		checker->appends[i].txn = NOBODY;
	for (size_t t = 0; t < checker->history->txn_count; t++)
		index_appends_of(checker, t);
}

/* ---- reads ----------------------------------------------------------------------------------- */

/* How many elements at the end of the read `op` were appended before it by its own transaction,
 * `ops` being the operations before it; NOBODY if they are not there as they should. */
static size_t own_elements(const struct checker *checker, const struct cycles_op *ops,
			   size_t before, const struct cycles_op *op)
{
	const uint64_t *elements = elements_of(checker, op);
	size_t own = 0;

	for (size_t i = before; i-- > 0;) {
		if (!ops[i].is_append || ops[i].list != op->list)
			continue;
		own++;
		if (own > op->read_count || elements[op->read_count - own] != ops[i].element)
			return NOBODY;
	}
	return own;
}

static bool begins_with(const uint64_t *longer, const uint64_t *shorter, size_t count)
{
	return count == 0 || memcmp(longer, shorter, count * sizeof *longer) == 0;
}

/* Whether what came from others is the same in this read and in those of the same list before
 * it. */
static bool agrees_with_earlier(const struct checker *checker, const struct cycles_op *ops,
				size_t index, size_t outside)
{
	for (size_t i = 0; i < index; i++) {
		size_t own = 0;

		if (ops[i].is_append || ops[i].list != ops[index].list)
			continue;
		own = own_elements(checker, ops, i, &ops[i]);
		if (own == NOBODY)
			continue;
		if (ops[i].read_count - own != outside ||
		    !begins_with(elements_of(checker, &ops[i]), elements_of(checker, &ops[index]), outside))
			return false;
	}
	return true;
}

/* Judges the elements of a read alone. `outside`: how many came from other transactions. */
static void check_elements(struct checker *checker, size_t txn, const struct cycles_op *op, size_t outside)
{
	const uint64_t *elements = elements_of(checker, op);

	for (size_t i = 0; i < op->read_count; i++) {
		struct append *append = append_of(checker, op->list, elements[i]);

		if (append == NULL) {
			note(checker->report, CYCLES_GARBAGE,
			     "transaction %zu read %llx in list %llu, which nobody appended", txn,
			     (unsigned long long)elements[i], (unsigned long long)op->list);
			continue;
		}
		append->was_read = append->was_read || i < outside;
		if (i < outside && append->txn != txn && !checker->history->txns[append->txn].committed)
			note(checker->report, CYCLES_G1A,
			     "transaction %zu read %llx in list %llu, which the aborted %zu appended",
			     txn, (unsigned long long)elements[i], (unsigned long long)op->list,
			     append->txn);
		if (i + 1 == outside && append->txn != txn && !append->is_last)
			note(checker->report, CYCLES_G1B,
			     "transaction %zu read list %llu in the middle of transaction %zu", txn,
			     (unsigned long long)op->list, append->txn);
	}
}

static void take_order(struct checker *checker, size_t txn, const struct cycles_op *op, size_t outside)
{
	struct order *order = &checker->orders[op->list];
	const uint64_t *elements = elements_of(checker, op);
	const size_t shorter = outside < order->count ? outside : order->count;

	if (!begins_with(order->elements, elements, shorter))
		note(checker->report, CYCLES_ORDER,
		     "transaction %zu read list %llu in another order than others did", txn,
		     (unsigned long long)op->list);
	if (outside > order->count) {
		order->elements = elements;
		order->count = outside;
	}
}

static void check_reads_of(struct checker *checker, size_t txn)
{
	const struct cycles_txn *record = &checker->history->txns[txn];
	const struct cycles_op *ops = &checker->history->ops[record->op_first];

	for (size_t i = 0; i < record->op_count; i++) {
		size_t own = 0;

		if (ops[i].is_append)
			continue;
		own = own_elements(checker, ops, i, &ops[i]);
		if (own == NOBODY || !agrees_with_earlier(checker, ops, i, ops[i].read_count - own))
			note(checker->report, CYCLES_INTERNAL,
			     "transaction %zu contradicts itself about list %llu", txn,
			     (unsigned long long)ops[i].list);
		if (own == NOBODY)
			continue;
		check_elements(checker, txn, &ops[i], ops[i].read_count - own);
		take_order(checker, txn, &ops[i], ops[i].read_count - own);
	}
}

static void check_duplicates(struct checker *checker, size_t list)
{
	const struct order *order = &checker->orders[list];

	for (size_t i = 0; i < order->count; i++) {
		for (size_t j = i + 1; j < order->count; j++) {
			if (order->elements[i] == order->elements[j])
				note(checker->report, CYCLES_GARBAGE, "%llx is twice in list %zu",
				     (unsigned long long)order->elements[i], list);
		}
	}
}

static void check_reads(struct checker *checker)
{
	for (size_t t = 0; t < checker->history->txn_count; t++) {
		if (checker->history->txns[t].committed)
			check_reads_of(checker, t);
	}
	for (size_t l = 0; l < checker->list_count; l++)
		check_duplicates(checker, l);
}

/* ---- edges ----------------------------------------------------------------------------------- */

/* The transaction that appended element `index` in the order of `list`, NOBODY if none that has
 * committed did. */
static size_t writer_at(const struct checker *checker, uint64_t list, size_t index)
{
	const struct append *append = append_of(checker, list, checker->orders[list].elements[index]);

	return append != NULL && checker->history->txns[append->txn].committed ? append->txn : NOBODY;
}

static void edge(struct checker *checker, size_t from, size_t to, unsigned kind)
{
	if (from == NOBODY || to == NOBODY || from == to)
		return;
	graph_edge(&checker->graph, from, to, kind);
	checker->report->edges++;
}

static void add_write_edges(struct checker *checker)
{
	for (size_t l = 0; l < checker->list_count; l++) {
		for (size_t i = 1; i < checker->orders[l].count; i++)
			edge(checker, writer_at(checker, l, i - 1), writer_at(checker, l, i), GRAPH_WW);
	}
}

/* Appends that no read shows come after all that any read shows. */
static void add_unread_edges(struct checker *checker)
{
	for (size_t slot = 0; slot <= checker->append_mask; slot++) {
		const struct append *append = &checker->appends[slot];
		const struct order *order = NULL;

		if (append->txn == NOBODY || append->was_read ||
		    !checker->history->txns[append->txn].committed)
			continue;
		order = &checker->orders[append->list];
		if (order->count != 0)
			edge(checker, writer_at(checker, append->list, order->count - 1),
			     append->txn, GRAPH_WW);
	}
}

/* Whoever read all of the longest read read what unread appends overwrote. */
static void add_unread_reader_edges(struct checker *checker, size_t reader, uint64_t list)
{
	for (size_t slot = 0; slot <= checker->append_mask; slot++) {
		const struct append *append = &checker->appends[slot];

		if (append->txn != NOBODY && !append->was_read && append->list == list &&
		    checker->history->txns[append->txn].committed)
			edge(checker, reader, append->txn, GRAPH_RW);
	}
}

static void add_read_edges_of(struct checker *checker, size_t txn, const bool *has_unread)
{
	const struct cycles_txn *record = &checker->history->txns[txn];
	const struct cycles_op *ops = &checker->history->ops[record->op_first];

	for (size_t i = 0; i < record->op_count; i++) {
		const struct order *order = &checker->orders[ops[i].list];
		size_t own = 0;
		size_t outside = 0;

		if (ops[i].is_append)
			continue;
		own = own_elements(checker, ops, i, &ops[i]);
		if (own == NOBODY)
			continue;
		outside = ops[i].read_count - own;
		if (outside != 0)
			edge(checker, writer_at(checker, ops[i].list, outside - 1), txn, GRAPH_WR);
		if (outside < order->count)
			edge(checker, txn, writer_at(checker, ops[i].list, outside), GRAPH_RW);
		else if (has_unread[ops[i].list])
			add_unread_reader_edges(checker, txn, ops[i].list);
	}
}

static void add_read_edges(struct checker *checker)
{
	bool *has_unread = test_alloc(checker->list_count * sizeof *has_unread);

	memset(has_unread, 0, checker->list_count * sizeof *has_unread);
	for (size_t slot = 0; slot <= checker->append_mask; slot++) {
		const struct append *append = &checker->appends[slot];

		if (append->txn != NOBODY && !append->was_read &&
		    checker->history->txns[append->txn].committed)
			has_unread[append->list] = true;
	}
	for (size_t t = 0; t < checker->history->txn_count; t++) {
		if (checker->history->txns[t].committed)
			add_read_edges_of(checker, t, has_unread);
	}
	free(has_unread);
}

/* ---- real time ------------------------------------------------------------------------------- */

struct moment {
	int64_t time_ns;
	size_t txn;
	bool is_end;
};

static int compare_moments(const void *left, const void *right)
{
	const struct moment *a = left;
	const struct moment *b = right;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return (int)a->is_end - (int)b->is_end; /* begins first: at the same time is not before */
}

/* Edges from the transactions that had ended when another began, leaving out those that follow
 * from others: `frontier` holds the ended ones that no other ended one came after; there are
 * never more of them than threads. */
static void add_time_edges(struct checker *checker)
{
	const struct cycles_history *history = checker->history;
	struct moment *moments = test_alloc(2 * history->txn_count * sizeof *moments);
	size_t *frontier = test_alloc(history->txn_count * sizeof *frontier);
	size_t moment_count = 0;
	size_t frontier_count = 0;

	for (size_t t = 0; t < history->txn_count; t++) {
		if (!history->txns[t].committed)
			continue;
		moments[moment_count++] = (struct moment){ history->txns[t].begin_ns, t, false };
		moments[moment_count++] = (struct moment){ history->txns[t].end_ns, t, true };
	}
	qsort(moments, moment_count, sizeof *moments, compare_moments);
	for (size_t i = 0; i < moment_count; i++) {
		const size_t txn = moments[i].txn;
		size_t kept = 0;

		for (size_t f = 0; f < frontier_count; f++) {
			if (!moments[i].is_end)
				edge(checker, frontier[f], txn, GRAPH_TIME);
			else if (history->txns[frontier[f]].end_ns >= history->txns[txn].begin_ns)
				frontier[kept++] = frontier[f];
		}
		if (moments[i].is_end) {
			frontier[kept++] = txn;
			frontier_count = kept;
		}
	}
	free(moments);
	free(frontier);
}

/* ---- cycles ---------------------------------------------------------------------------------- */

static void describe_cycle(const struct graph_cycle *cycle, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < cycle->count && used < size; i++) {
		const int written = snprintf(text + used, size - used, "%zu -%s-> ",
					     cycle->nodes[i], graph_kind_name(cycle->kinds[i]));

		used += written > 0 ? (size_t)written : 0;
	}
	if (used < size)
		(void)snprintf(text + used, size - used, "%zu", cycle->nodes[0]);
}

/* What is looked for in each knot of the graph, the gravest first; the first that is there gives
 * the knot its name. */
static const struct {
	enum cycles_anomaly anomaly;
	unsigned kinds;
	bool single_rw;
} searches[] = {
	{ CYCLES_G0, GRAPH_WW, false },
	{ CYCLES_G1C, GRAPH_WW | GRAPH_WR, false },
	{ CYCLES_G_SINGLE, GRAPH_WW | GRAPH_WR, true },
	{ CYCLES_G2, GRAPH_WW | GRAPH_WR | GRAPH_RW, false },
	{ CYCLES_G0_REALTIME, GRAPH_WW | GRAPH_TIME, false },
	{ CYCLES_G1C_REALTIME, GRAPH_WW | GRAPH_WR | GRAPH_TIME, false },
	{ CYCLES_G_SINGLE_REALTIME, GRAPH_WW | GRAPH_WR | GRAPH_TIME, true },
	{ CYCLES_G2_REALTIME, GRAPH_WW | GRAPH_WR | GRAPH_RW | GRAPH_TIME, false },
};

static void name_knot(struct checker *checker, const struct graph_knot *knot)
{
	char text[CYCLES_TEXT_BYTES - 100];

	for (size_t i = 0; i < sizeof searches / sizeof searches[0]; i++) {
		struct graph_cycle cycle;

		if (!graph_find_cycle(&checker->graph, knot, searches[i].kinds,
				      searches[i].single_rw, &cycle))
			continue;
		describe_cycle(&cycle, text, sizeof text);
		note(checker->report, searches[i].anomaly, "%zu transactions are entangled: %s",
		     knot->count, text);
		return;
	}
}

static void find_cycles(struct checker *checker)
{
	struct graph_knots knots;

	graph_find_knots(&checker->graph, &knots);
	for (size_t i = 0; i < knots.count; i++)
		name_knot(checker, &knots.knots[i]);
	graph_knots_free(&knots);
}

bool cycles_check(const struct cycles_history *history, struct cycles_report *report)
{
	struct checker checker = { .history = history, .report = report };
	uint64_t anomalies = 0;

	memset(report, 0, sizeof *report);
	index_appends(&checker);
	checker.orders = test_alloc(checker.list_count * sizeof *checker.orders);
	memset(checker.orders, 0, checker.list_count * sizeof *checker.orders);
	check_reads(&checker);
	graph_init(&checker.graph, history->txn_count);
	add_write_edges(&checker);
	add_unread_edges(&checker);
	add_read_edges(&checker);
	add_time_edges(&checker);
	find_cycles(&checker);
	for (size_t t = 0; t < history->txn_count; t++)
		report->txns += history->txns[t].committed;
	graph_free(&checker.graph);
	free(checker.orders);
	free(checker.appends);
	for (size_t i = 0; i < CYCLES_ANOMALIES; i++)
		anomalies += report->anomalies[i];
	return anomalies == 0;
}
