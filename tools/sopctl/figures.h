/* The figures of a database at work, by name: what stats prints and top watches. */
#ifndef SOPCTL_FIGURES_H
#define SOPCTL_FIGURES_H

#include "facts.h"

struct figure {
	const char *name;
	size_t offset; /* in sop_stats, of a uint64_t */
};

extern const struct figure figures[]; /* ends with one without a name */

uint64_t figure_of(const sop_stats *stats, const struct figure *figure);

#endif
