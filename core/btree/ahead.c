/* Building leaves ahead of a commit, outside the commit mutex, and bringing what was built up to date. */
#include "btree/ahead.h"

#include "base/alloc.h"

enum {
	LINE_BYTES = 64, /* of a cache; it does not matter if they are others */
	SOON = 8,
	CHANGE_LINES = 3,
	WINDOW = 4096, /* items that are put together at a time: more than fit in any leaf */
	SIBLING_ITEMS_MAX = 1024, /* of a leaf that may be joined with its neighbour */
	SOURCES_MAX = 32, /* of a unit, so that few of its changes are merged again when one of them changes */
};

#ifdef SOP_TEST_HOOKS
_Atomic size_t sopi_ahead_changes_min = SOPI_AHEAD_CHANGES_MIN;
#endif

/* How much there was before a change was merged. */
struct sopi_ahead_note {
	uint64_t record;
	size_t values;
	uint64_t operations;
	int64_t effect;
};

struct building {
	struct sopi_ahead *ahead;
	struct sopi_apply apply; /* without a position */
	struct sopi_tree *tree;
	const struct sopi_change *changes;
	struct sopi_change *noted; /* the same, whose leaves are noted; NULL: they are not */
	size_t next, end; /* changes that are left */
	uint64_t at;
	struct sopi_path path; /* to the first source */
	bool is_last; /* of all leaves of the tree */
	size_t before; /* items of the sources */
	const char *coming, *coming_end; /* what is left of the next leaf to be asked for */
	bool dense; /* the last leaf took about as many changes as it has items */
	struct sopi_merging merging;
	struct sopi_ahead_unit unit;
	/* The pieces made so far. */
	size_t piece_first, piece_last, piece_count;
	struct sopi_separator separator; /* before the next one */
	size_t change; /* the first that is not in any */
	size_t note_at; /* its note */
	struct sopi_ahead_note done; /* what is in them */
};

static struct building building_of(struct sopi_ahead *ahead, struct sopi_tree *tree,
				   const struct sopi_change *changes, uint64_t at, bool records)
{
	return (struct building){ .ahead = ahead,
				  .apply = { .forest = tree->forest,
					     .scratch = &ahead->scratch,
					     .tree = tree,
					     .ahead = ahead,
					     .records = records },
				  .tree = tree,
				  .changes = changes,
				  .at = at,
				  .dense = true };
}

static struct sopi_ahead_note note_of(const struct building *b)
{
	return (struct sopi_ahead_note){ b->ahead->record_gone + b->ahead->scratch.record.size,
					 b->ahead->value_count, b->apply.operations, b->merging.effect };
}

sop_status sopi_ahead_value(struct sopi_ahead *ahead, struct sopi_value *old,
			    struct sopi_value *new, sop_error *err)
{
	SOP_TRY(sopi_grow(&ahead->values, ahead->value_count, &ahead->value_capacity,
			  sizeof *ahead->values, err));
	ahead->values[ahead->value_count++] = (struct sopi_ahead_value){ old, new };
	return SOP_OK;
}

static sop_status unit_add(struct sopi_ahead *ahead, const struct sopi_ahead_unit *unit, sop_error *err)
{
	SOP_TRY(sopi_grow(&ahead->units, ahead->unit_count, &ahead->unit_capacity,
			  sizeof *ahead->units, err));
	ahead->units[ahead->unit_count++] = *unit;
	return SOP_OK;
}

sop_status sopi_ahead_skip(struct sopi_ahead *ahead, size_t first, size_t end, sop_error *err)
{
	const struct sopi_ahead_unit unit = { .first = first, .end = end };

	return unit_add(ahead, &unit, err);
}

static sop_status source_add(struct sopi_ahead *ahead, struct sopi_vnode *vnode,
			     const struct sopi_block *block, sop_error *err)
{
	SOP_TRY(sopi_grow(&ahead->sources, ahead->source_count, &ahead->source_capacity,
			  sizeof *ahead->sources, err));
	ahead->sources[ahead->source_count++] = (struct sopi_ahead_source){ vnode, block };
	return SOP_OK;
}

/* ---- pieces ------------------------------------------------------------------------------------ */

static void pieces_begin(struct building *b)
{
	b->piece_first = SOPI_AHEAD_NONE;
	b->piece_last = SOPI_AHEAD_NONE;
	b->piece_count = 0;
	b->change = b->next;
	b->apply.operations = 0;
	b->merging.effect = 0;
	b->ahead->note_count = 0;
	b->note_at = 0;
	b->done = note_of(b);
}

/* Says which changes are in a piece: those up to number `end`, before which there was as much as `until`. */
static void count_changes(struct building *b, struct sopi_ahead_piece *piece, size_t end,
			  const struct sopi_ahead_note *until)
{
	piece->first = b->change;
	piece->end = end;
	piece->value_at = b->done.values;
	piece->value_end = until->values;
	piece->record_at = b->done.record;
	piece->record_end = until->record;
	piece->operations = until->operations - b->done.operations;
	piece->effect = until->effect - b->done.effect;
	b->change = end;
	b->done = *until;
}

/* The changes below `upper` are in the piece, or all of them. */
static void claim_changes(struct building *b, struct sopi_ahead_piece *piece,
			  const struct sopi_separator *upper)
{
	const struct sopi_ahead_note now = note_of(b);
	const size_t from = b->change;
	const size_t end = upper == NULL ? b->next
					 : sopi_changes_below(b->changes, from, b->next, upper);

	b->note_at += end - from;
	count_changes(b, piece, end, end == b->next ? &now : &b->ahead->notes[b->note_at]);
}

/* Forgets the notes of changes that are in pieces. */
static void drop_notes(struct building *b)
{
	struct sopi_ahead *ahead = b->ahead;

	ahead->note_count -= b->note_at;
	if (b->note_at != 0)
		memmove(ahead->notes, ahead->notes + b->note_at, ahead->note_count * sizeof *ahead->notes);
	b->note_at = 0;
}

/* A leaf of the items [from, to). All but the first one of a list are new nodes. */
static sop_status piece_build(struct building *b, size_t from, size_t to,
			      struct sopi_ahead_piece *piece, sop_error *err)
{
	struct sopi_forest *forest = b->tree->forest;

	SOP_TRY(sopi_leaf_page(&b->apply, b->tree, from, to, &piece->block, err));
	b->ahead->bytes += piece->block->capacity;
	if (b->piece_count == 0)
		return SOP_OK;
	piece->vnode = sopi_vnode_new(forest, piece->block, 0);
	if (piece->vnode != NULL)
		return SOP_OK;
	sopi_memory_give(&forest->memory, piece->block, piece->block->capacity);
	return sopi_fail(err, SOP_NO_MEMORY, "out of memory for a node");
}

/* Adds a leaf of the items [from, to) to the list; `upper`: the separator behind it, NULL: none of the list. */
static sop_status piece_add(struct building *b, size_t from, size_t to,
			    const struct sopi_separator *upper, sop_error *err)
{
	struct sopi_ahead *ahead = b->ahead;
	struct sopi_ahead_piece piece = { .separator = b->separator, .next = SOPI_AHEAD_NONE };

	SOP_TRY(sopi_grow(&ahead->pieces, ahead->piece_count, &ahead->piece_capacity,
			  sizeof *ahead->pieces, err));
	SOP_TRY(piece_build(b, from, to, &piece, err));
	claim_changes(b, &piece, upper);
	if (b->piece_count++ == 0)
		b->piece_first = ahead->piece_count;
	else
		ahead->pieces[b->piece_last].next = ahead->piece_count;
	b->piece_last = ahead->piece_count;
	ahead->pieces[ahead->piece_count++] = piece;
	return SOP_OK;
}

/* Makes leaves of what was merged; all of it, or all but the last of them, which more items may join. */
static sop_status cut(struct building *b, bool all, sop_error *err)
{
	struct sopi_scratch *scratch = &b->ahead->scratch;
	const size_t count = b->merging.count;
	size_t pieces = 1, kept;

	scratch->cuts[0] = 0;
	scratch->cuts[1] = (uint32_t)count;
	if (!sopi_leaf_fits(scratch, b->tree, count))
		pieces = sopi_leaf_cut(scratch, b->tree, count, b->merging.append && b->is_last);
	kept = all ? pieces : pieces - 1;
	SOPI_CHECK(kept > 0); /* no leaf holds a window's worth of items */
	for (size_t i = 0; i < kept; i++) {
		const size_t end = scratch->cuts[i + 1];
		struct sopi_separator upper = { .child = NULL };

		if (end < count)
			upper = sopi_separator_between(&scratch->items[end - 1], &scratch->items[end]);
		SOP_TRY(piece_add(b, scratch->cuts[i], end, end < count ? &upper : NULL, err));
		b->separator = upper;
	}
	drop_notes(b);
	b->merging.count = count - scratch->cuts[kept];
	memmove(scratch->items, scratch->items + scratch->cuts[kept],
		b->merging.count * sizeof *scratch->items);
	return SOP_OK;
}

/* Asks the processor for a change that comes soon and for a piece of the next leaf, so that they are there by then: they are
 * more than its caches hold. 100,000 changes in order took 138 ns each before and 108 after, at random 255 and 128. */
static inline void ask(struct building *b)
{
	const size_t at = SOON < b->end - b->next ? b->next + SOON : b->end - 1;
	const char *change = (const char *)b->changes[at].newest;

	for (size_t i = 0; i < CHANGE_LINES; i++)
		__builtin_prefetch(change + i * LINE_BYTES);
	if (b->coming == b->coming_end)
		return;
	__builtin_prefetch(b->coming);
	__builtin_prefetch(b->coming + LINE_BYTES);
	b->coming += (size_t)2 * LINE_BYTES;
}

/* The leaf behind that of the path will probably be next; the vnode behind it is asked for, too. */
static void foresee(struct building *b)
{
	const struct sopi_path *path = &b->path;
	const struct sopi_block *parent, *next;
	size_t child;

	b->coming = b->coming_end = NULL;
	if (path->depth == 0)
		return;
	parent = path->level[path->depth - 1].block;
	child = path->level[path->depth - 1].child;
	if (child + 2 <= parent->count)
		__builtin_prefetch(sopi_inner_children(parent)[child + 2]);
	if (child + 1 > parent->count)
		return;
	next = atomic_load_explicit(&sopi_inner_children(parent)[child + 1]->head, memory_order_acquire);
	if (next == NULL)
		return;
	b->coming = (const char *)next;
	b->coming_end = b->coming +
			(path->level[path->depth].block->capacity & ~(size_t)(2 * LINE_BYTES - 1));
}

/* Merges the next change. */
static sop_status merge_next(struct building *b, sop_error *err)
{
	struct sopi_ahead *ahead = b->ahead;

	ask(b);
	SOP_TRY(sopi_grow(&ahead->notes, ahead->note_count, &ahead->note_capacity,
			  sizeof *ahead->notes, err));
	ahead->notes[ahead->note_count++] = note_of(b);
	return sopi_merge_change(&b->apply, b->tree, &b->changes[b->next++], &b->merging, err);
}

/* ---- units ------------------------------------------------------------------------------------- */

/* How many deltas of a leaf are at or below `at`. */
static size_t deltas_at(const struct sopi_block *leaf, uint64_t at)
{
	const size_t count = atomic_load_explicit(&leaf->delta_count, memory_order_acquire);
	size_t seen = 0;

	while (seen < count && atomic_load_explicit(&sopi_leaf_delta_positions(leaf)[seen],
						    memory_order_relaxed) <= at)
		seen++;
	return seen;
}

/* The end of the next changes below `upper`. Where all items of a leaf are changed, the first guess is right: what lies
 * between is not touched before its turn. */
static size_t changes_below(struct building *b, const struct sopi_separator *upper)
{
	const size_t items = b->path.level[b->path.depth].block->count;
	const size_t left = b->end - b->next;
	size_t end = SOPI_AHEAD_NONE;

	if (b->dense && items > 0 && items <= left)
		end = sopi_changes_below(b->changes, b->next + items - 1,
					 b->next + items + (items < left), upper);
	if (end != b->next + items)
		end = sopi_changes_below(b->changes, b->next, b->end, upper);
	b->dense = (end - b->next) * 2 >= items;
	return end;
}

/* The next changes that the leaf of the path answers for: how many, and each is told its leaf. */
static size_t changes_of_leaf(struct building *b)
{
	struct sopi_vnode *leaf = b->path.level[b->path.depth].vnode;
	struct sopi_separator upper;
	size_t end = b->end;

	b->is_last = !sopi_path_upper(&b->path, &upper);
	if (!b->is_last)
		end = changes_below(b, &upper);
	for (size_t i = b->next; b->noted != NULL && i < end; i++)
		b->noted[i].leaf = leaf;
	return end - b->next;
}

/* Hands over what there is of the record, if it is much: so that it is written while the processor's cache has it, and that its
 * memory is bounded. It is not taken back. */
static sop_status spill(struct building *b, sop_error *err)
{
	struct sopi_ahead *ahead = b->ahead;

	if (ahead->spill == NULL || ahead->scratch.record.size < ahead->spill_bytes)
		return SOP_OK;
	return ahead->spill(ahead, ahead->spill_arg, err);
}

/* Merges a leaf and the next `count` changes, which are its own. */
static sop_status take_leaf(struct building *b, struct sopi_vnode *vnode,
			    const struct sopi_block *block, size_t count, sop_error *err)
{
	struct sopi_scratch *scratch = &b->ahead->scratch;
	struct sopi_merging *merging = &b->merging;
	const size_t most = (size_t)block->count + SOPI_DELTAS_MAX;

	SOP_TRY(source_add(b->ahead, vnode, block, err));
	/* The result never reaches the old items: it is cut whenever it has a window's worth of them, and each step
	 * adds at most all old ones and one. */
	merging->old_from = merging->count + WINDOW + most + 1;
	SOP_TRY(sopi_scratch_reserve(scratch, merging->old_from + most, 0, err));
	merging->old_count =
		sopi_leaf_gather_first(scratch, block, deltas_at(block, b->at), merging->old_from);
	merging->old_at = 0;
	merging->append = true;
	b->before += merging->old_count;
	for (size_t i = 0; i < count; i++) {
		SOP_TRY(merge_next(b, err));
		if (merging->count >= WINDOW) {
			SOP_TRY(cut(b, false, err));
			if (b->ahead->source_count == b->unit.source_at + 1) /* a sibling may be given up again */
				SOP_TRY(spill(b, err));
		}
	}
	sopi_merge_rest(scratch, merging);
	return SOP_OK;
}

/* Is so little left that a neighbour should take it in? */
static bool is_small(const struct building *b)
{
	return b->piece_count == 0 && b->path.depth > 0 &&
	       sopi_leaf_is_small(&b->ahead->scratch, b->tree, b->before, b->merging.count);
}

/* How far a building is, so that a step can be taken back. */
struct mark {
	struct sopi_merging merging;
	struct sopi_ahead_note note;
	size_t next, before, sources, notes;
};

static void go_back(struct building *b, const struct mark *mark)
{
	b->merging = mark->merging;
	b->next = mark->next;
	b->before = mark->before;
	b->apply.operations = mark->note.operations;
	b->ahead->source_count = mark->sources;
	b->ahead->note_count = mark->notes;
	b->ahead->value_count = mark->note.values;
	b->ahead->scratch.record.size = (size_t)(mark->note.record - b->ahead->record_gone);
}

/* Do what was there before and what was merged since fit in one leaf, well below its size? */
static bool fit_well(const struct building *b, const struct mark *mark)
{
	const size_t count = b->merging.count;
	const size_t share = mark->merging.count == 0 || count == mark->merging.count ? 1 : 2;
	const size_t bytes = sopi_leaf_bytes(b->ahead->scratch.items, count, 0);

	return bytes <= sopi_leaf_limit(b->tree, bytes, count) / share &&
	       count <= b->tree->items_max / share;
}

/* The leaf that the path's one is joined with under the mutex, once `sources` leaves from it on are one: the next below the
 * same parent, or the one before. NULL: there is none. */
static struct sopi_vnode *neighbour_of(const struct sopi_path *path, size_t sources)
{
	const struct sopi_block *parent;
	size_t child;

	if (path->depth == 0)
		return NULL;
	parent = path->level[path->depth - 1].block;
	child = path->level[path->depth - 1].child;
	if (child + sources <= parent->count)
		return sopi_inner_children(parent)[child + sources];
	return child > 0 ? sopi_inner_children(parent)[child - 1] : NULL;
}

/* No leaf stays empty. The neighbour of one that does is brought in now: under the mutex it would be missing, one attempt
 * for each, and every attempt builds and logs all of it anew. */
static sop_status bring_neighbour(struct building *b, size_t sources, sop_error *err)
{
	struct sopi_vnode *vnode = neighbour_of(&b->path, sources);
	const struct sopi_block *block;

	if (vnode == NULL || sopi_vnode_view(vnode, b->at) != NULL)
		return SOP_OK;
	return sopi_vnode_load(b->tree, vnode, b->at, b->path.depth, &block, err);
}

/* The same for the unit, if nothing is in it. */
static sop_status bring_if_empty(struct building *b, sop_error *err)
{
	if (b->merging.count > 0 || b->piece_count > 0)
		return SOP_OK;
	return bring_neighbour(b, b->ahead->source_count - b->unit.source_at, err);
}

/* How many of the next changes a leaf below the same parent answers for, when all before it are merged. */
static size_t changes_of_sibling(struct building *b, size_t child)
{
	const size_t level = b->path.depth - 1;
	const size_t first = b->path.level[level].child;
	const bool is_last = b->is_last;
	struct sopi_vnode *leaf = b->path.level[b->path.depth].vnode;
	size_t count;

	b->path.level[level].child = child;
	b->path.level[b->path.depth].vnode = sopi_inner_children(b->path.level[level].block)[child];
	count = changes_of_leaf(b);
	b->path.level[level].child = first;
	b->path.level[b->path.depth].vnode = leaf;
	b->is_last = is_last;
	return count;
}

/* Takes the next leaf below the same parent in, if both fit well below a page; *tried: there was one. */
static sop_status take_sibling(struct building *b, bool *taken, bool *tried, sop_error *err)
{
	const size_t level = b->path.depth - 1;
	const struct sopi_block *parent = b->path.level[level].block;
	const size_t child = b->path.level[level].child + b->ahead->source_count - b->unit.source_at;
	const struct mark mark = {
		b->merging,	     note_of(b), b->next, b->before, b->ahead->source_count,
		b->ahead->note_count
	};
	const struct sopi_block *block;
	struct sopi_vnode *vnode;
	size_t count;

	*taken = false;
	*tried = false;
	if (child > parent->count)
		return SOP_OK;
	SOP_TRY(bring_if_empty(b, err));
	vnode = sopi_inner_children(parent)[child];
	block = sopi_vnode_view(vnode, b->at);
	count = changes_of_sibling(b, child);
	if (block == NULL || count > SIBLING_ITEMS_MAX || block->count > SIBLING_ITEMS_MAX)
		return SOP_OK;
	SOP_TRY(take_leaf(b, vnode, block, count, err));
	*tried = true;
	*taken = fit_well(b, &mark);
	if (!*taken)
		go_back(b, &mark);
	return SOP_OK;
}

/* The separator at which the leaf of the path begins; empty: it is the first one. */
static struct sopi_separator lower_of(const struct sopi_path *path)
{
	struct sopi_separator lower = { .child = NULL };

	for (size_t depth = path->depth; depth-- > 0;) {
		if (path->level[depth].child > 0) {
			sopi_inner_describe(path->level[depth].block, path->level[depth].child - 1,
					    &lower);
			break;
		}
	}
	return lower;
}

/* And at which it ends; empty: it is the last one. */
static struct sopi_separator upper_of(const struct sopi_path *path)
{
	struct sopi_separator upper = { .child = NULL };

	(void)sopi_path_upper(path, &upper);
	return upper;
}

static void unit_begin(struct building *b)
{
	b->unit = (struct sopi_ahead_unit){ .first = b->next,
					    .at = b->at,
					    .source_at = b->ahead->source_count,
					    .lower = lower_of(&b->path) };
	b->merging = (struct sopi_merging){ .count = 0 };
	b->before = 0;
	b->separator = (struct sopi_separator){ .child = NULL };
	pieces_begin(b);
}

static sop_status unit_end(struct building *b, bool small, sop_error *err)
{
	if (b->merging.count > 0 || b->piece_count == 0)
		SOP_TRY(cut(b, true, err));
	b->unit.end = b->next;
	b->unit.source_count = b->ahead->source_count - b->unit.source_at;
	b->unit.piece_at = b->piece_first;
	b->unit.piece_count = b->piece_count;
	if (b->path.depth > 0)
		b->path.level[b->path.depth - 1].child += b->unit.source_count - 1;
	b->unit.upper = upper_of(&b->path);
	b->ahead->pieces[b->piece_first].small = small;
	return unit_add(b->ahead, &b->unit, err);
}

/* Builds for the `count` next changes, which are of the path's leaf, and for the leaves that it is joined with. */
static sop_status build_unit(struct building *b, size_t count, sop_error *err)
{
	bool taken = true, tried = true;

	unit_begin(b);
	if (b->dense)
		foresee(b);
	SOP_TRY(take_leaf(b, b->path.level[b->path.depth].vnode, b->path.level[b->path.depth].block,
			  count, err));
	while (taken && is_small(b) && b->ahead->source_count - b->unit.source_at < SOURCES_MAX)
		SOP_TRY(take_sibling(b, &taken, &tried, err));
	SOP_TRY(bring_if_empty(b, err));
	/* Where the neighbour was tried and is too large, nothing is left to be done unless the leaf is empty. */
	return unit_end(b, is_small(b) && (taken || !tried || b->merging.count == 0), err);
}

/* Leaves the `count` next changes, which are of the path's leaf, to the mutex; brings in what that will ask for. */
static sop_status skip_leaf(struct building *b, size_t count, sop_error *err)
{
	bool removes = b->at != SOPI_POSITION_HEAD;

	for (size_t i = 0; i < count; i++)
		removes = removes && b->changes[b->next + i].newest->kind == SOPI_OP_REMOVE;
	if (removes && b->path.level[b->path.depth].block->version.items <= count)
		SOP_TRY(bring_neighbour(b, 1, err));
	SOP_TRY(sopi_ahead_skip(b->ahead, b->next, b->next + count, err));
	b->next += count;
	return SOP_OK;
}

/* The way to the leaf of the next change. */
static sop_status find_leaf(struct building *b, sop_error *err)
{
	const struct sopi_operation *operation = b->changes[b->next].newest;

	b->path.stays = false;
	return sopi_tree_path(b->tree, sopi_operation_key(operation), operation->key_size, b->at,
			      &b->path, err);
}

sop_status sopi_ahead_build(struct sopi_ahead *ahead, struct sopi_tree *tree, struct sopi_change *changes,
			    size_t first, size_t end, uint64_t at, bool records, sop_error *err)
{
	struct building b = building_of(ahead, tree, changes, at, records);
	/* Few changes go into the room that a leaf has, under the mutex, in a microsecond each: so many in about 10 ms. */
	size_t spared = 2 * (sopi_ahead_changes_min - 1);

	b.noted = at != SOPI_POSITION_HEAD ? changes : NULL;
	b.next = first;
	b.end = end;
	while (b.next < b.end) {
		size_t count;
		bool few;

		SOP_TRY(find_leaf(&b, err));
		count = changes_of_leaf(&b);
		few = count <= SOPI_DELTAS_AT_ONCE && spared > 0;
		if (ahead->bytes >= ahead->bytes_max || few) {
			SOP_TRY(skip_leaf(&b, count, err));
			spared -= few;
		} else {
			SOP_TRY(build_unit(&b, count, err));
			SOP_TRY(spill(&b, err));
		}
	}
	return SOP_OK;
}

/* ---- bringing it up to date -------------------------------------------------------------------- */

bool sopi_ahead_is_fresh(const struct sopi_ahead *ahead, const struct sopi_ahead_unit *unit)
{
	for (size_t i = 0; i < unit->source_count; i++) {
		const struct sopi_ahead_source *source = &ahead->sources[unit->source_at + i];

		if (atomic_load_explicit(&source->vnode->head, memory_order_acquire) != source->block ||
		    sopi_vnode_changed(source->vnode, unit->at))
			return false;
	}
	return true;
}

static int compare_separators(const struct sopi_separator *a, const struct sopi_separator *b)
{
	const struct sopi_item_view x = sopi_separator_view(a), y = sopi_separator_view(b);

	return sopi_item_compare(&x, &y);
}

static bool is_open(const struct sopi_separator *separator)
{
	return separator->prefix_size + separator->key_size == 0;
}

sop_status sopi_ahead_lower(struct sopi_ahead *ahead, const struct sopi_separator *lower,
			    sop_bytes *out, sop_error *err)
{
	const size_t size = (size_t)lower->prefix_size + lower->key_size;
	uint8_t *key = sopi_arena_take(&ahead->scratch.arena, size + 1);

	if (key == NULL)
		return sopi_fail(err, SOP_NO_MEMORY, "out of memory for a key");
	if (lower->prefix_size != 0)
		memcpy(key, lower->prefix, lower->prefix_size);
	if (lower->key_size != 0)
		memcpy(key + lower->prefix_size, lower->key, lower->key_size);
	*out = (sop_bytes){ key, size };
	return SOP_OK;
}

/* The leaves that answer for the unit's range now, as new sources; *found: they are neighbours below one parent, and
 * answer for nothing else. */
static sop_status find_sources(struct building *b, const struct sopi_ahead_unit *unit, bool *found,
			       sop_error *err)
{
	struct sopi_path *path = &b->path;
	struct sopi_separator bound;
	const struct sopi_block *block;
	struct sopi_vnode *vnode;
	sop_bytes lower;

	*found = false;
	SOP_TRY(sopi_ahead_lower(b->ahead, &unit->lower, &lower, err));
	path->stays = false;
	SOP_TRY(sopi_tree_path(b->tree, lower.data, lower.size, b->at, path, err));
	bound = lower_of(path);
	if (compare_separators(&bound, &unit->lower) != 0)
		return SOP_OK;
	vnode = path->level[path->depth].vnode;
	block = path->level[path->depth].block;
	while (block != NULL) {
		const size_t level = path->depth - 1;

		SOP_TRY(source_add(b->ahead, vnode, block, err));
		bound = upper_of(path);
		*found = compare_separators(&bound, &unit->upper) == 0;
		if (*found || path->depth == 0 ||
		    path->level[level].child == path->level[level].block->count)
			return SOP_OK;
		if (!is_open(&unit->upper) && compare_separators(&bound, &unit->upper) > 0)
			return SOP_OK;
		vnode = sopi_inner_children(path->level[level].block)[++path->level[level].child];
		block = sopi_vnode_view(vnode, b->at);
	}
	return SOP_OK;
}

/* Puts the items of sources as of `at` behind the first `have` of the spare ones; returns how many there are then. */
static sop_status gather_sources(struct sopi_ahead *ahead, size_t from, size_t count, uint64_t at,
				 size_t *have, sop_error *err)
{
	for (size_t i = from; i < from + count; i++) {
		const struct sopi_block *block = ahead->sources[i].block;

		SOP_TRY(sopi_scratch_reserve(&ahead->spare, *have + block->count + SOPI_DELTAS_MAX,
					     0, err));
		*have += sopi_leaf_gather_first(&ahead->spare, block, deltas_at(block, at), *have);
	}
	return SOP_OK;
}

/* The first spare item at or behind `upper`, from number `from` on and below `end`. */
static size_t items_below(const struct sopi_ahead *ahead, const struct sopi_separator *upper,
			  size_t from, size_t end)
{
	while (upper != NULL && from < end) {
		const struct sopi_item_view view = sopi_separator_view(upper);

		if (sopi_item_compare(&ahead->spare.items[from], &view) >= 0)
			return from;
		from++;
	}
	return end;
}

/* Has any of the spare items been written behind `at`? */
static bool any_newer(const struct sopi_ahead *ahead, size_t from, size_t end, uint64_t at)
{
	while (from < end && ahead->spare.items[from].version <= at)
		from++;
	return from < end;
}

/* Puts the list of pieces that was just made where piece `at` is; the first of them keeps its node. */
static void replace_piece(struct building *b, size_t at)
{
	struct sopi_ahead *ahead = b->ahead;
	struct sopi_ahead_piece *piece = &ahead->pieces[at];
	struct sopi_ahead_piece *made = &ahead->pieces[b->piece_first];
	const struct sopi_ahead_piece old = *piece;

	ahead->bytes -= old.block->capacity;
	sopi_memory_give(&b->tree->forest->memory, old.block, old.block->capacity);
	ahead->pieces[b->piece_last].next = old.next;
	*piece = *made;
	made->block = NULL;
	piece->vnode = old.vnode;
	piece->separator = old.separator;
	piece->small = piece->block->count == 0;
	if (piece->vnode != NULL)
		atomic_store_explicit(&piece->vnode->head, piece->block, memory_order_relaxed);
}

/* Builds a piece again from the spare items [from, end) and its changes. */
static sop_status build_again(struct building *b, size_t at, size_t from, size_t end, sop_error *err)
{
	struct sopi_ahead *ahead = b->ahead;
	const struct sopi_ahead_piece piece = ahead->pieces[at];
	const size_t count = end - from;

	b->next = piece.first;
	b->end = piece.end;
	b->merging = (struct sopi_merging){ .old_from = count + piece.end - piece.first + 1,
					    .old_count = count };
	pieces_begin(b);
	SOP_TRY(sopi_scratch_reserve(&ahead->scratch, b->merging.old_from + count, 0, err));
	if (count != 0)
		memcpy(ahead->scratch.items + b->merging.old_from, ahead->spare.items + from,
		       count * sizeof *ahead->spare.items);
	while (b->next < piece.end)
		SOP_TRY(merge_next(b, err));
	sopi_merge_rest(&ahead->scratch, &b->merging);
	SOP_TRY(cut(b, true, err));
	replace_piece(b, at);
	return SOP_OK;
}

/* Builds those pieces again whose items have changed. The spare items up to `now` are what is there, those behind them,
 * up to `all`, what was there. */
static sop_status freshen_pieces(struct building *b, struct sopi_ahead_unit *unit, size_t now,
				 size_t all, sop_error *err)
{
	struct sopi_ahead *ahead = b->ahead;
	size_t new_from = 0, old_from = now;

	for (size_t at = unit->piece_at, next; at != SOPI_AHEAD_NONE; at = next) {
		const struct sopi_separator *upper;
		size_t new_end, old_end;

		next = ahead->pieces[at].next;
		upper = next != SOPI_AHEAD_NONE ? &ahead->pieces[next].separator : NULL;
		new_end = items_below(ahead, upper, new_from, now);
		old_end = items_below(ahead, upper, old_from, all);
		if (new_end - new_from != old_end - old_from ||
		    any_newer(ahead, new_from, new_end, unit->at)) {
			SOP_TRY(build_again(b, at, new_from, new_end, err));
			unit->piece_count += b->piece_count - 1;
		}
		new_from = new_end;
		old_from = old_end;
	}
	return SOP_OK;
}

sop_status sopi_ahead_freshen(struct sopi_ahead *ahead, struct sopi_tree *tree,
			      const struct sopi_change *changes, struct sopi_ahead_unit *unit,
			      uint64_t at, bool records, sop_error *err)
{
	struct building b = building_of(ahead, tree, changes, at, records);
	const size_t first = ahead->source_count;
	size_t now = 0, all;
	bool found;

	SOP_TRY(find_sources(&b, unit, &found, err));
	if (!found) {
		ahead->source_count = first;
		unit->stale = true;
		return SOP_OK;
	}
	SOP_TRY(gather_sources(ahead, first, ahead->source_count - first, at, &now, err));
	all = now;
	SOP_TRY(gather_sources(ahead, unit->source_at, unit->source_count, unit->at, &all, err));
	SOP_TRY(freshen_pieces(&b, unit, now, all, err));
	unit->source_at = first;
	unit->source_count = ahead->source_count - first;
	unit->at = at;
	return SOP_OK;
}

sop_status sopi_ahead_refresh(struct sopi_ahead *ahead, struct sopi_tree *tree,
			      const struct sopi_change *changes, size_t *unit, size_t end,
			      uint64_t at, bool records, size_t *count, sop_error *err)
{
	for (; *unit < ahead->unit_count && ahead->units[*unit].first < end; ++*unit) {
		struct sopi_ahead_unit *old = &ahead->units[*unit];

		if (old->piece_count == 0 || old->stale || sopi_ahead_is_fresh(ahead, old))
			continue;
		SOP_TRY(sopi_ahead_freshen(ahead, tree, changes, old, at, records, err));
		++*count;
	}
	return SOP_OK;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void piece_free(const struct sopi_ahead_piece *piece, struct sopi_forest *forest)
{
	if (piece->block == NULL)
		return;
	sopi_memory_give(&forest->memory, piece->block, piece->block->capacity);
	if (piece->vnode == NULL)
		return;
	atomic_fetch_sub_explicit(&forest->node_count, 1, memory_order_relaxed);
	sopi_memory_give(&forest->memory, piece->vnode, sizeof *piece->vnode);
}

void sopi_ahead_free(struct sopi_ahead *ahead, struct sopi_forest *forest)
{
	for (size_t i = 0; i < ahead->piece_count; i++)
		piece_free(&ahead->pieces[i], forest);
	sopi_scratch_free(&ahead->scratch);
	sopi_scratch_free(&ahead->spare);
	sopi_free(ahead->units);
	sopi_free(ahead->sources);
	sopi_free(ahead->pieces);
	sopi_free(ahead->values);
	sopi_free(ahead->notes);
	sopi_free(ahead->parts);
	memset(ahead, 0, sizeof *ahead);
}
