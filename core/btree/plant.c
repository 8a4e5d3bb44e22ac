/* The planted bugs that need a memory of their own. Empty in product builds. */
#include "btree/plant.h"

#ifdef SOP_TEST_HOOKS
#include "base/alloc.h"
#include "btree/apply.h"

enum { IMAGES_MAX = 1 << 16 };

/* "this page shows that child as of that position": a ring, since a page that is forgotten merely
 * ends the bug. */
static struct image {
	const struct sopi_block *inner;
	const struct sopi_vnode *child;
	uint64_t position;
} images[IMAGES_MAX];
static atomic_flag images_busy = ATOMIC_FLAG_INIT;

static size_t image_slot(const struct sopi_block *inner, const struct sopi_vnode *child)
{
	const uint64_t mix = ((uintptr_t)inner >> 6) * 0x9E3779B97F4A7C15u ^
			     ((uintptr_t)child >> 6) * 0xC2B2AE3D27D4EB4Fu;

	return (size_t)(mix >> 40) % IMAGES_MAX;
}

static void image_set(const struct sopi_block *inner, const struct sopi_vnode *child,
		      uint64_t position, bool only_if_there)
{
	struct image *image = &images[image_slot(inner, child)];

	while (atomic_flag_test_and_set(&images_busy))
		sopi_cpu_relax();
	if (!only_if_there || (image->inner == inner && image->child == child))
		*image = (struct image){ inner, child, position };
	atomic_flag_clear(&images_busy);
}

void sopi_plant_image(const struct sopi_block *inner, uint64_t at)
{
	if (!SOPI_PLANTED(SOPI_PLANT_PARENT_SLOT_IMAGE))
		return;
	for (size_t i = 0; i <= inner->count; i++) {
		const struct sopi_vnode *child = sopi_inner_children(inner)[i];
		const struct sopi_block *seen = sopi_vnode_view(child, at);

		if (seen != NULL && sopi_vnode_changed(child, at))
			image_set(inner, child, at, false); /* the change above `at` is lost to readers */
	}
}

void sopi_plant_image_path(const struct sopi_tree *tree, const struct sopi_operation *operation,
			   uint64_t position)
{
	struct sopi_path path;

	if (!SOPI_PLANTED(SOPI_PLANT_PARENT_SLOT_IMAGE))
		return;
	if (sopi_tree_path(tree, sopi_operation_key(operation), operation->key_size,
			   SOPI_POSITION_HEAD, &path, NULL) != SOP_OK)
		return;
	for (size_t i = 0; i < path.depth; i++)
		image_set(path.level[i].block, path.level[i + 1].vnode, position, true);
}

uint64_t sopi_plant_child_position(const struct sopi_block *inner, const struct sopi_vnode *child,
				   uint64_t at)
{
	const struct image *image;

	if (SOPI_LIKELY(!SOPI_PLANTED(SOPI_PLANT_PARENT_SLOT_IMAGE)))
		return at;
	image = &images[image_slot(inner, child)];
	while (atomic_flag_test_and_set(&images_busy))
		sopi_cpu_relax();
	if (image->inner == inner && image->child == child && image->position < at)
		at = image->position;
	atomic_flag_clear(&images_busy);
	return at;
}
#endif
