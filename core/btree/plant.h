/* Bugs that tests plant, to prove that they would be found. Product builds have none of this. */
#ifndef SOPI_PLANT_H
#define SOPI_PLANT_H

#include "node/vnode.h"

enum sopi_plant {
	SOPI_PLANT_NONE,
	SOPI_PLANT_NO_ABSENCE, /* absence predicates are dropped */
	SOPI_PLANT_VALIDATE_OUTSIDE_ONLY, /* no validation inside the mutex */
	SOPI_PLANT_APPEND_SPLIT_NO_VERSION, /* a split at the end of a leaf leaves its version alone */
	SOPI_PLANT_PARENT_SLOT_IMAGE, /* a parent's slot names an image instead of a vnode */
	SOPI_PLANT_GC_IGNORES_SNAPSHOTS, /* old versions are freed though a snapshot needs them */
	SOPI_PLANT_NO_COUNT, /* counts are not validated */
	SOPI_PLANT_NO_CATALOG /* the existence of stores is not validated */
};

#ifdef SOP_TEST_HOOKS
extern _Atomic int sopi_planted;
#define SOPI_PLANTED(bug) (atomic_load_explicit(&sopi_planted, memory_order_relaxed) == (bug))

/* A copied inner page names, from now on, the versions of its children at or below `at`. */
void sopi_plant_image(const struct sopi_block *inner, uint64_t at);

struct sopi_tree;
struct sopi_operation;

/* The operation at `position` updates the images on the way to its key. */
void sopi_plant_image_path(const struct sopi_tree *tree, const struct sopi_operation *operation, uint64_t position);

/* The position at which a reader sees the child of an inner page. */
uint64_t sopi_plant_child_position(const struct sopi_block *inner, const struct sopi_vnode *child, uint64_t at);
#else
#define SOPI_PLANTED(bug) 0
#endif

#endif
