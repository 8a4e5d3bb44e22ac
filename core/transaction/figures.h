/* Figures about a database at work: what sop_stats says. */
#ifndef SOPI_FIGURES_H
#define SOPI_FIGURES_H

#include "transaction/engine.h"

#include <sop/stats.h>

/* Fills all of `stats` but struct_size. REQUIRES: the engine is not closed meanwhile. */
void sopi_engine_get_stats(struct sopi_engine *engine, sop_stats *stats);

#endif
