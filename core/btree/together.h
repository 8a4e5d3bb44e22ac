/* Bringing in many nodes of one tree at once: the leaves of a commit. A second thread takes part, since taking pages apart
 * needs a processor as much as reading them does. It is begun when it is first of use, and sleeps else. */
#ifndef SOPI_TOGETHER_H
#define SOPI_TOGETHER_H

#include "btree/resident.h"

enum { SOPI_TOGETHER_MAX = 128 };

/* What one call brings in. */
struct sopi_together {
	struct sopi_resident *resident;
	const struct sopi_tree *tree;
	bool shared; /* the thread knows of it; from then on its mutex guards the rest */
	bool busy; /* the thread brings one in */
	size_t next; /* to be brought in */
	size_t count;
	struct sopi_vnode *failed; /* which the thread could not bring in; NULL: none */
	struct sopi_vnode *vnodes[SOPI_TOGETHER_MAX];
};

/* Begins with none. REQUIRES: not the commit mutex, until sopi_together_end. */
void sopi_together_begin(struct sopi_together *together, struct sopi_resident *resident,
			 const struct sopi_tree *tree);

/* Adds one that is not in memory; brings those before it in if they are many. Statuses of sopi_resident_bring. */
sop_status sopi_together_add(struct sopi_together *together, struct sopi_vnode *vnode, sop_error *err);

/* Brings in what is left. Must be called, also after a failure (as `status`), which it returns. */
sop_status sopi_together_end(struct sopi_together *together, sop_status status, sop_error *err);

/* Whether the thread may be asked to take part: not in the beginning. */
void sopi_helper_allow(struct sopi_resident *resident, bool allowed);

/* Ends it. REQUIRES: nobody brings anything in. */
void sopi_helper_end(struct sopi_resident *resident);

#endif
