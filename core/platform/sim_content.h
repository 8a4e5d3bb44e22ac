/* The bytes of a simulated file: pages that copies share until one of them is written. */
#ifndef SOPI_SIM_CONTENT_H
#define SOPI_SIM_CONTENT_H

#include <stddef.h>
#include <stdint.h>

struct sopi_sim_page;

/* All zero: an empty file. */
struct sopi_sim_content {
	uint64_t size;
	size_t page_count; /* entries of `pages` */
	struct sopi_sim_page **pages; /* NULL: a hole */
};

/* Memory of the simulation: it is there or the program ends. Not base/alloc.h, whose n-th failure is meant for the
 * code under test. */
void *sopi_sim_alloc(size_t size);
void *sopi_sim_resize(void *memory, size_t size);
char *sopi_sim_text(const char *text);
void sopi_sim_free(void *memory);

void sopi_sim_content_free(struct sopi_sim_content *content);

/* Makes `to`, which must be empty, the same as `from`. */
void sopi_sim_content_copy(struct sopi_sim_content *to, const struct sopi_sim_content *from);

/* Reads what lies below the size; returns how much. */
size_t sopi_sim_content_read(const struct sopi_sim_content *content, uint64_t offset, void *to,
			     size_t size);

/* Stores bytes without regard to the size: those beyond it show when it grows. */
void sopi_sim_content_put(struct sopi_sim_content *content, uint64_t offset, const void *from,
			  size_t size);

/* Fills the holes. */
void sopi_sim_content_reserve(struct sopi_sim_content *content, uint64_t offset, uint64_t size);

/* Sets the size; forgets what lies beyond it when it shrinks. */
void sopi_sim_content_set_size(struct sopi_sim_content *content, uint64_t size);

/* Forgets what lies beyond the size. */
void sopi_sim_content_trim(struct sopi_sim_content *content);

/* Pages that are not holes: in all, and among those that a write would touch. */
size_t sopi_sim_content_pages(const struct sopi_sim_content *content);
size_t sopi_sim_content_pages_in(const struct sopi_sim_content *content, uint64_t offset, uint64_t size);

#endif
