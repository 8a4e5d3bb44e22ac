/* Named facts that make one answer. */
#ifndef SOPCTL_FACTS_H
#define SOPCTL_FACTS_H

#include "access.h"

#define FACTS_MAX 64

struct facts {
	const char *names[FACTS_MAX];
	struct cell cells[FACTS_MAX];
	char digits[FACTS_MAX][24];
	size_t count;
};

/* Adds a fact; what its cell points to must live until it is printed. */
void fact(struct facts *facts, const char *name, struct cell cell);
void fact_number(struct facts *facts, const char *name, unsigned long long number);
/* Adds the seconds in `ns`, with milliseconds. */
void fact_seconds(struct facts *facts, const char *name, long long ns);

/* Prints them. */
sop_status print_facts(struct access *access, const struct facts *facts);

#endif
