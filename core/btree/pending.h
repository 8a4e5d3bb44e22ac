/* Within btree and backend: changes of a leaf that lie beside it while it is on disk only. Replay leaves them there where a log
 * has overwritten a few of its items, so that opening a database need not read each leaf that a crash found changed.
 *
 * What is pending is put on the page when that is brought in, before anybody sees it (resident_load.c); or a checkpoint writes it
 * as a patch, and the leaf stays where it is. Until one of both has happened the vnode is dirty, so nothing of it is forgotten.
 * It is read and freed by whoever has claimed the vnode, and means something only while that has no version in memory.
 * docs/decisions/0018. */
#ifndef SOPI_PENDING_H
#define SOPI_PENDING_H

#include "btree/operation.h"
#include "btree/tree.h"

#include <sop/buffer.h>

struct sopi_page_id;
struct sopi_resident;

/* Puts changes, which only overwrite items, and what is pending of the leaf already, together. NULL in *out: it is in memory, or
 * this is too much of it, so that it should be brought in. position: of the newest change. NO_MEMORY. Any thread. */
sop_status sopi_pending_make(const struct sopi_tree *tree, struct sopi_vnode *vnode,
			     const struct sopi_change *changes, size_t count, uint64_t position,
			     struct sopi_pending **out, sop_error *err);

/* Gives up what no vnode has got. */
void sopi_pending_free(struct sopi_forest *forest, struct sopi_pending *pending);

/* Makes it what is pending of the leaf, in place of what was, and lists the leaf as dirty. False: the leaf is in memory by now, or about
 * to be, or has got something pending since this was made, which would be lost; nothing was done then. REQUIRES: the commit mutex, and room in the list; nobody reads below its position. */
bool sopi_pending_attach(const struct sopi_tree *tree, struct sopi_vnode *vnode,
			 struct sopi_pending *pending);

static inline bool sopi_vnode_has_pending(const struct sopi_vnode *vnode)
{
	return (atomic_load_explicit(&vnode->state, memory_order_acquire) & SOPI_VNODE_PENDING) != 0;
}

/* ---- of a vnode that the caller has claimed (btree/resident.h) ---------------------------------- */

/* The position of the newest change, and about how many bytes of a page they take. */
uint64_t sopi_pending_position(const struct sopi_vnode *vnode);
size_t sopi_pending_bytes(const struct sopi_vnode *vnode);

/* Would a patch of it cost less than its page, which has so many bytes (sopi_page_patch_pays)? */
bool sopi_pending_suits_patch(const struct sopi_vnode *vnode, uint64_t page_bytes);

/* Replaces the block of a leaf that was read by one with the changes; `block` is freed then. CORRUPT: an item that was overwritten is
 * not there; NO_MEMORY. */
sop_status sopi_pending_put_on(struct sopi_forest *forest, const struct sopi_vnode *vnode,
			       struct sopi_block **block, sop_error *err);

/* Appends the patch that says them to `out`. NO_MEMORY. */
sop_status sopi_pending_encode(const struct sopi_vnode *vnode, const struct sopi_page_id *id,
			       sop_buf *out, sop_error *err);

/* ---- the end of it ------------------------------------------------------------------------------ */

/* Takes the mark off a vnode that has a version by now, and frees what it was about. REQUIRES: it is claimed. */
void sopi_pending_done(struct sopi_forest *forest, struct sopi_vnode *vnode, struct sopi_pending *pending);

/* The disk says all of it: frees what is pending. False: a thread is just putting it on the page. Any thread. */
bool sopi_pending_drop(struct sopi_resident *resident, struct sopi_vnode *vnode);

/* Frees what is pending of a node that nobody can reach. */
void sopi_pending_forget(struct sopi_forest *forest, struct sopi_vnode *vnode);

#endif
