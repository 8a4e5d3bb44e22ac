#include "problem.h"

#include "item_text.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>

void problem_write(const sop_problem *problem, sop_buf *out)
{
	text_putc(out, '{');
	if (problem->file.size > 0) {
		text_puts(out, "\"file\":");
		item_bytes_write(problem->file, out);
		if (problem->offset >= 0)
			text_printf(out, ",\"offset\":%" PRId64, problem->offset);
		text_putc(out, ',');
	}
	if (problem->store.size > 0) {
		text_puts(out, "\"store\":");
		item_bytes_write(problem->store, out);
		text_putc(out, ',');
	}
	text_puts(out, "\"kind\":");
	json_write_string(bytes_of(problem->kind), out);
	text_puts(out, ",\"message\":");
	json_write_string(bytes_of(problem->message), out);
	text_putc(out, '}');
}
