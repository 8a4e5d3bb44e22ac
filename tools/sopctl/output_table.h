/* A table for people. The first rows decide how wide the columns are; the others follow as they come, so that a long
 * scan needs no memory. */
#ifndef SOPCTL_OUTPUT_TABLE_H
#define SOPCTL_OUTPUT_TABLE_H

#include "output.h"

struct table;

struct table *table_open(FILE *to, const struct output_style *style, const char *const *columns,
			 size_t count);
void table_row(struct table *table, const struct cell *cells);
/* Prints what is still held and frees `table`. */
void table_close(struct table *table);

#endif
