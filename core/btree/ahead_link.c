/* Putting in place what was built ahead of a commit, under the commit mutex. */
#include "btree/ahead.h"

#include "base/alloc.h"
#include "btree/resident.h"

/* Units of one tree while they are put in place. */
struct linking {
	struct sopi_ahead *ahead;
	struct sopi_apply *apply;
	struct sopi_tree *tree;
	const struct sopi_change *changes;
	size_t next, end; /* units that are left */
	int64_t effect;
};

/* Gives a new node its place in the order of positions. */
static void link_new(struct linking *l, struct sopi_ahead_piece *piece)
{
	const uint64_t position = l->apply->position;

	piece->block->version.since = position;
	atomic_store_explicit(&piece->vnode->newest, position, memory_order_relaxed);
	atomic_store_explicit(&piece->vnode->ranged, position, memory_order_relaxed);
	sopi_apply_touch(l->apply, piece->vnode);
	piece->block = NULL;
}

/* The first piece is the new version of the first source. The root's contents go to new nodes altogether if they are
 * more than one. */
static sop_status link_first(struct linking *l, const struct sopi_ahead_unit *unit,
			     struct sopi_ahead_piece *piece, sop_error *err)
{
	struct sopi_vnode *source = l->ahead->sources[unit->source_at].vnode;
	struct sopi_block *block = piece->block;

	piece->block = NULL;
	if (source == l->tree->root && unit->piece_count > 1)
		return sopi_apply_new_vnode(l->apply, block, &piece->vnode, err);
	sopi_apply_push(l->apply, source, block);
	if (unit->piece_count > 1 || unit->source_count > 1)
		sopi_apply_ranged(l->apply, source);
	return SOP_OK;
}

static void book_piece(struct linking *l, const struct sopi_ahead_piece *piece)
{
	for (size_t i = piece->value_at; i < piece->value_end; i++)
		sopi_apply_value(l->apply, l->ahead->values[i].old, l->ahead->values[i].new);
	l->apply->operations += piece->operations;
	l->effect += piece->effect;
}

/* Puts the leaves of a unit in place; their parent does not know of them yet. */
static sop_status link_unit(struct linking *l, struct sopi_ahead_unit *unit, sop_error *err)
{
	struct sopi_forest *forest = l->apply->forest;

	for (size_t at = unit->piece_at; at != SOPI_AHEAD_NONE; at = l->ahead->pieces[at].next) {
		struct sopi_ahead_piece *piece = &l->ahead->pieces[at];

		SOP_TRY(sopi_dirty_reserve(forest, err));
		if (at == unit->piece_at)
			SOP_TRY(link_first(l, unit, piece, err));
		else
			link_new(l, piece);
		book_piece(l, piece);
	}
	for (size_t i = 1; i < unit->source_count; i++) {
		SOP_TRY(sopi_dirty_reserve(forest, err));
		SOP_TRY(sopi_apply_kill(l->apply, l->ahead->sources[unit->source_at + i].vnode, err));
	}
	atomic_fetch_add_explicit(&forest->split_count, unit->piece_count - 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&forest->merge_count, unit->source_count - 1, memory_order_relaxed);
	unit->linked = true;
	return SOP_OK;
}

/* The separators of all pieces but the first. REQUIRES: room. */
static size_t add_separators(struct linking *l, const struct sopi_ahead_unit *unit, size_t count)
{
	const struct sopi_ahead_piece *pieces = l->ahead->pieces;

	for (size_t at = pieces[unit->piece_at].next; at != SOPI_AHEAD_NONE; at = pieces[at].next) {
		struct sopi_separator *separator = &l->apply->scratch->separators[count++];

		*separator = pieces[at].separator;
		separator->child = pieces[at].vnode;
	}
	return count;
}

/* The root leaf's contents go to new leaves, or stay in it. */
static sop_status link_root(struct linking *l, struct sopi_ahead_unit *unit, sop_error *err)
{
	struct sopi_path path = { .depth = 0 };
	size_t count;

	SOP_TRY(link_unit(l, unit, err));
	if (unit->piece_count == 1)
		return SOP_OK;
	SOP_TRY(sopi_dirty_reserve(l->apply->forest, err));
	SOP_TRY(sopi_scratch_reserve(l->apply->scratch, 0, unit->piece_count, err));
	count = add_separators(l, unit, 0);
	path.level[0].vnode = l->tree->root;
	sopi_apply_ranged(l->apply, l->tree->root);
	return sopi_inner_replace(l->apply, l->tree, &path, 0,
				  l->ahead->pieces[unit->piece_at].vnode, count, true, err);
}

/* Are the unit's sources the children of `parent` from `child` on? */
static bool is_below(const struct linking *l, const struct sopi_ahead_unit *unit,
		     const struct sopi_block *parent, size_t child)
{
	const struct sopi_ahead_source *sources = l->ahead->sources + unit->source_at;

	if (unit->source_count > (size_t)parent->count + 1 - child)
		return false;
	for (size_t i = 0; i < unit->source_count; i++) {
		if (sopi_inner_children(parent)[child + i] != sources[i].vnode)
			return false;
	}
	return true;
}

/* The next unit that may be linked, up to date; NULL: there is none. */
static sop_status next_unit(struct linking *l, struct sopi_ahead_unit **out, sop_error *err)
{
	*out = NULL;
	for (; l->next < l->end; l->next++) {
		struct sopi_ahead_unit *unit = &l->ahead->units[l->next];

		if (unit->piece_count == 0 || unit->stale || unit->linked)
			continue;
		if (!sopi_ahead_is_fresh(l->ahead, unit))
			SOP_TRY(sopi_ahead_freshen(l->ahead, l->tree, l->changes, unit,
						   SOPI_POSITION_HEAD, l->apply->records, err));
		if (!unit->stale) {
			*out = unit;
			return SOP_OK;
		}
	}
	return SOP_OK;
}

/* What linking below one parent has made of its separators. */
struct parent {
	const struct sopi_block *block;
	size_t child; /* that comes next */
	size_t count; /* separators that are put together */
	size_t added_from; /* child behind which the first new one came; SIZE_MAX: none did */
	bool removed; /* some have gone */
};

/* Links a unit whose first source is the next child. */
static sop_status link_child(struct linking *l, struct parent *parent, struct sopi_ahead_unit *unit,
			     sop_error *err)
{
	const size_t left = parent->block->count - parent->child;

	if (!is_below(l, unit, parent->block, parent->child)) {
		unit->stale = true; /* its parent was split between them */
		return SOP_OK;
	}
	SOP_TRY(sopi_scratch_reserve(l->apply->scratch, 0, parent->count + unit->piece_count + left, err));
	SOP_TRY(link_unit(l, unit, err));
	if (unit->piece_count > 1 && parent->added_from == SIZE_MAX)
		parent->added_from = parent->child;
	parent->count = add_separators(l, unit, parent->count);
	parent->removed = parent->removed || unit->source_count > 1;
	parent->child += unit->source_count - 1;
	return SOP_OK;
}

/* Links the units below one parent, from its child `first` on, and puts its separators together. */
static sop_status link_children(struct linking *l, struct parent *parent, size_t first, sop_error *err)
{
	struct sopi_scratch *scratch = l->apply->scratch;

	SOP_TRY(sopi_scratch_reserve(scratch, 0, parent->block->count, err));
	for (; parent->child <= parent->block->count; parent->child++) {
		const struct sopi_vnode *child = sopi_inner_children(parent->block)[parent->child];
		struct sopi_ahead_unit *unit = NULL;

		if (parent->child > 0)
			sopi_inner_describe(parent->block, parent->child - 1,
					    &scratch->separators[parent->count++]);
		if (parent->child >= first)
			SOP_TRY(next_unit(l, &unit, err));
		if (unit != NULL && l->ahead->sources[unit->source_at].vnode == child)
			SOP_TRY(link_child(l, parent, unit, err));
	}
	return SOP_OK;
}

/* Links all units below the parent of `unit`, and lays that parent out once. */
static sop_status link_parent(struct linking *l, const struct sopi_ahead_unit *unit, sop_error *err)
{
	struct parent parent = { .added_from = SIZE_MAX };
	struct sopi_vnode *lowest;
	struct sopi_path path;
	sop_bytes lower;
	size_t level;

	SOP_TRY(sopi_ahead_lower(l->ahead, &unit->lower, &lower, err));
	SOP_TRY(sopi_tree_path(l->tree, lower.data, lower.size, SOPI_POSITION_HEAD, &path, err));
	SOPI_CHECK(path.depth > 0);
	level = path.depth - 1;
	parent.block = path.level[level].block;
	lowest = sopi_inner_children(parent.block)[0];
	SOP_TRY(link_children(l, &parent, path.level[level].child, err));
	SOP_TRY(sopi_dirty_reserve(l->apply->forest, err));
	if (parent.removed)
		return sopi_inner_shrink(l->apply, l->tree, &path, level, lowest, parent.count, err);
	if (parent.added_from == SIZE_MAX)
		return SOP_OK;
	return sopi_inner_replace(l->apply, l->tree, &path, level, lowest, parent.count,
				  parent.added_from == parent.block->count, err);
}

static sop_status link_all(struct linking *l, sop_error *err)
{
	struct sopi_ahead_unit *unit;

	for (;;) {
		SOP_TRY(next_unit(l, &unit, err));
		if (unit == NULL)
			return SOP_OK;
		if (l->ahead->sources[unit->source_at].vnode == l->tree->root)
			SOP_TRY(link_root(l, unit, err));
		else
			SOP_TRY(link_parent(l, unit, err));
		unit->stale = !unit->linked; /* so that this ends */
	}
}

/* Joins leaves that became small with neighbours that are in no unit. */
static sop_status join_small(struct linking *l, const struct sopi_ahead_unit *unit, sop_error *err)
{
	for (size_t at = unit->piece_at; at != SOPI_AHEAD_NONE; at = l->ahead->pieces[at].next) {
		const struct sopi_ahead_piece *piece = &l->ahead->pieces[at];
		sop_bytes lower;

		if (!piece->small)
			continue;
		SOP_TRY(sopi_ahead_lower(l->ahead, at == unit->piece_at ? &unit->lower : &piece->separator,
					 &lower, err));
		SOP_TRY(sopi_dirty_reserve(l->apply->forest, err));
		SOP_TRY(sopi_leaf_merge(l->apply, l->tree, lower.data, lower.size, err));
	}
	return SOP_OK;
}

/* Applies the changes of a unit that could not be linked. */
static sop_status apply_anew(struct linking *l, struct sopi_ahead_unit *unit, sop_error *err)
{
	const sop_buf *record = &l->apply->scratch->record;

	unit->record_at = record->size;
	SOP_TRY(sopi_apply_run(l->apply, l->tree, l->changes + unit->first, unit->end - unit->first,
			       &l->effect, err));
	unit->record_end = record->size;
	return SOP_OK;
}

sop_status sopi_ahead_apply(struct sopi_ahead *ahead, struct sopi_apply *apply, struct sopi_tree *tree,
			    const struct sopi_change *changes, size_t *unit, size_t end, sop_error *err)
{
	struct linking l = { .ahead = ahead, .apply = apply, .tree = tree, .changes = changes, .next = *unit };
	const size_t first = *unit;

	while (*unit < ahead->unit_count && ahead->units[*unit].first < end)
		++*unit;
	l.end = *unit;
	apply->tree = tree;
	SOP_TRY(link_all(&l, err));
	for (size_t i = first; i < *unit; i++) {
		if (!ahead->units[i].linked)
			SOP_TRY(apply_anew(&l, &ahead->units[i], err));
		else
			SOP_TRY(join_small(&l, &ahead->units[i], err));
	}
	return sopi_apply_count(apply, tree, l.effect, err);
}

/* ---- the record -------------------------------------------------------------------------------- */

/* Adds a part, or makes the last one longer by it. */
static sop_status part_add(struct sopi_ahead *ahead, const struct sopi_ahead_part *part,
			   size_t *count, sop_error *err)
{
	struct sopi_ahead_part *last = *count > 0 ? &ahead->parts[*count - 1] : NULL;

	if (part->size == 0)
		return SOP_OK;
	if (last != NULL && last->at + last->size == part->at &&
	    (last->bytes == NULL ? part->bytes == NULL : last->bytes + last->size == part->bytes)) {
		last->size += part->size;
		return SOP_OK;
	}
	SOP_TRY(sopi_grow(&ahead->parts, *count, &ahead->part_capacity, sizeof *ahead->parts, err));
	ahead->parts[(*count)++] = *part;
	return SOP_OK;
}

/* What was built for a unit says. */
static sop_status add_pieces(struct sopi_ahead *ahead, const struct sopi_ahead_unit *unit,
			     size_t *count, sop_error *err)
{
	for (size_t at = unit->piece_at; at != SOPI_AHEAD_NONE; at = ahead->pieces[at].next) {
		const struct sopi_ahead_piece *piece = &ahead->pieces[at];
		const struct sopi_ahead_part part = { NULL, piece->record_at,
						      (size_t)(piece->record_end - piece->record_at) };

		SOP_TRY(part_add(ahead, &part, count, err));
	}
	return SOP_OK;
}

/* What was applied for it under the mutex says. */
static sop_status add_applied(struct sopi_ahead *ahead, const struct sopi_ahead_unit *unit,
			      const sop_buf *record, size_t *count, sop_error *err)
{
	const struct sopi_ahead_part part = { (const uint8_t *)record->data + unit->record_at,
					      unit->record_at, unit->record_end - unit->record_at };

	return part_add(ahead, &part, count, err);
}

sop_status sopi_ahead_record(struct sopi_ahead *ahead, const struct sopi_apply *apply,
			     size_t *count, size_t *bytes, sop_error *err)
{
	*count = 0;
	*bytes = 0;
	for (size_t i = 0; i < ahead->unit_count; i++) {
		const struct sopi_ahead_unit *unit = &ahead->units[i];

		if (unit->linked)
			SOP_TRY(add_pieces(ahead, unit, count, err));
		else
			SOP_TRY(add_applied(ahead, unit, &apply->scratch->record, count, err));
	}
	for (size_t i = 0; i < *count; i++)
		*bytes += ahead->parts[i].size;
	return SOP_OK;
}
