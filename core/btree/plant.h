/* The planted bug of parents that name images of their children; see base/plant.h. */
#ifndef SOPI_BTREE_PLANT_H
#define SOPI_BTREE_PLANT_H

#include "base/plant.h"
#include "node/vnode.h"

#ifdef SOP_TEST_HOOKS
struct sopi_tree;
struct sopi_operation;

/* A copied inner page shows, from now on, its children as of `at`. */
void sopi_plant_image(const struct sopi_block *inner, uint64_t at);

/* The operation at `position` updates the images on the way to its key. */
void sopi_plant_image_path(const struct sopi_tree *tree, const struct sopi_operation *operation,
			   uint64_t position);

/* The position at which a reader sees the child of an inner page. */
uint64_t sopi_plant_child_position(const struct sopi_block *inner, const struct sopi_vnode *child,
				   uint64_t at);
#endif

#endif
