/* Node pages on disk: one version of a node as bytes, and back. Pure functions; docs/format.md has
 * every byte.
 *
 * A page holds used bytes only and is decoded once, into the form of block.h that is searched as it
 * lies. One node has one form: what decodes is what encoding gives. Every byte is checked before
 * anything is built, since a page may come from a damaged or hostile file. */
#ifndef SOPI_PAGE_H
#define SOPI_PAGE_H

#include "base/error.h"
#include "node/block.h"

#include <sop/buffer.h>

enum {
	SOPI_PAGE_FORMAT = 1, /* version of the format that is written */
	SOPI_PAGE_HEAD_BYTES = 32, /* what every page begins with */
};

/* The registry knows a patch by the virtual ID of its node with these bits; vids have fewer. */
#define SOPI_PAGE_PATCH_KEY ((uint64_t)3 << 62)

/* Which version of which node a page is. A *patch* has only those items of a leaf that are newer than another page of it,
 * its base, of which no item has been removed since. */
struct sopi_page_id {
	uint64_t vid;
	uint64_t store; /* its id */
	uint64_t position; /* at or above every change in the page; items' versions count down from it */
	uint64_t base; /* of a patch: the position of its base, which is below its own; 0: it is a whole page */
};

/* Where a page was read, for messages. */
struct sopi_page_origin {
	const char *file; /* path, or "" */
	int64_t offset; /* of the page in it, in bytes, or -1 */
};

/* Names a value that is kept apart from its leaf. */
struct sopi_page_locator {
	uint64_t (*locate)(void *arg, const struct sopi_value *value);
	void *arg;
};

/* What decoding asks its caller for. A failure of any of these ends the decoding with it; the block
 * is given back then, what `child` and `value` answered before stays the caller's. */
struct sopi_page_loader {
	/* A block of at least `size` bytes, its header cleared but for the capacity; NULL: out of
	 * memory. */
	struct sopi_block *(*block_new)(void *arg, size_t size);

	/* Takes back a block whose page could not be decoded. */
	void (*block_free)(void *arg, struct sopi_block *block);

	/* The vnode of a child. Must refuse (CORRUPT) one that no parent may name, or that another
	 * parent names: nothing else keeps pages from forming a cycle longer than one. */
	sop_status (*child)(void *arg, uint64_t vid, struct sopi_vnode **out, sop_error *err);

	/* The value of `size` bytes at a location that `locate` gave. Must refuse one that another
	 * item has. */
	sop_status (*value)(void *arg, uint64_t location, uint64_t size, struct sopi_value **out,
			    sop_error *err);
	void *arg;
};

/* Does a patch with what a reader at `at` sees that is newer than `base` pay, and are both together far from what a block
 * holds? Each patch says again what the one before it did, until a page ends that: if changes come one by one, least is
 * written for each where the bytes of the patch times its items are as much as two pages. Half of a page is the most. */
bool sopi_page_patch_pays(const struct sopi_block *leaf, uint64_t base, uint64_t at);

/* The key by which the registry knows a page, whose head is given. */
uint64_t sopi_page_key(const uint8_t *head);

/* Appends the page of `block` to `out`; a leaf's as a reader at `at` sees it, or, if id->base is not 0, a patch with what
 * is newer than that. REQUIRES: no item is newer than id->position. locator: may be NULL if no value is kept apart. LIMIT: with its deltas
 * the leaf is beyond what one block holds; NO_MEMORY. `out` is as before then. */
sop_status sopi_page_encode(const struct sopi_block *block, const struct sopi_page_id *id, uint64_t at,
			    const struct sopi_page_locator *locator, sop_buf *out, sop_error *err);

/* Checks all that can be checked without other pages. expected: NULL if any node will do. CORRUPT:
 * damaged, or not the page that was expected (misdirected or stale); UNSUPPORTED: of another
 * format. */
sop_status sopi_page_verify(sop_bytes page, const struct sopi_page_id *expected,
			    const struct sopi_page_origin *from, sop_error *err);

/* A patch, beside its base. */
struct sopi_page_patch {
	sop_bytes page; /* empty: there is none */
	uint64_t position; /* expected of it */
	struct sopi_page_origin from;
};

/* Checks a page and its patch in this way. */
sop_status sopi_page_check(sop_bytes page, const struct sopi_page_id *expected,
			   const struct sopi_page_origin *from, const struct sopi_page_patch *patch,
			   sop_error *err);

/* Told of each node and value that a page names; a status other than OK ends it and is returned. */
typedef sop_status (*sopi_page_reference_fn)(void *arg, bool is_value, uint64_t id, sop_error *err);

/* Checks a page and its patch and tells of their references, without building anything: what the patch replaces names
 * nothing. Statuses of sopi_page_verify and `fn`. */
sop_status sopi_page_references(sop_bytes page, const struct sopi_page_id *expected,
				const struct sopi_page_origin *from, const struct sopi_page_patch *patch,
				sopi_page_reference_fn fn, void *arg, sop_error *err);

/* Decodes a page into a block that is current from expected->position on, together with its patch, if that is neither NULL nor
 * empty, from patch->position on; a patch alone into a leaf that has its items only. Statuses of sopi_page_verify and the
 * loader; NO_MEMORY. */
sop_status sopi_page_decode(sop_bytes page, const struct sopi_page_id *expected,
			    const struct sopi_page_origin *from, const struct sopi_page_patch *patch,
			    const struct sopi_page_loader *loader, struct sopi_block **out,
			    sop_error *err);

#endif
