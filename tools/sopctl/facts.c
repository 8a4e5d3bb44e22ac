#include "facts.h"

#include "text.h"

#include <string.h>

void fact(struct facts *facts, const char *name, struct cell cell)
{
	if (facts->count == FACTS_MAX)
		return;
	facts->names[facts->count] = name;
	facts->cells[facts->count++] = cell;
}

void fact_number(struct facts *facts, const char *name, unsigned long long number)
{
	if (facts->count < FACTS_MAX)
		fact(facts, name, cell_count(facts->digits[facts->count], number));
}

void fact_seconds(struct facts *facts, const char *name, long long ns)
{
	if (facts->count == FACTS_MAX)
		return;
	snprintf(facts->digits[facts->count], sizeof facts->digits[0], "%.3f", (double)ns / 1e9);
	fact(facts, name, (struct cell){ CELL_JSON, bytes_of(facts->digits[facts->count]) });
}

sop_status print_facts(struct access *access, const struct facts *facts)
{
	return access_printed(access, output_record(access->invocation->out, &access->style,
						    facts->names, facts->cells, facts->count));
}
