/* Options by name. */
#ifndef SOPI_OPTIONS_H
#define SOPI_OPTIONS_H

#include "transaction/engine.h"

#include <sop/options.h>

struct sop_options {
	uint32_t tag;
	struct sopi_engine_options engine;
	uint32_t given; /* bit i: option i of the table was set */
};

/* The defaults. */
void sopi_options_init(sop_options *options);

/* Sets an option whose name and value are not NUL-terminated. */
sop_status sopi_options_set_part(sop_options *options, const char *name, size_t name_size,
				 const char *value, size_t value_size, const char *function,
				 sop_error *err);

/* Does an option differ that counts while a database is open? `text` receives the first one, as "name 1, not 2". Not
 * counted are what making a database takes and opening it does not. */
bool sopi_options_differ(const sop_options *there, const sop_options *asked, char *text, size_t size);

/* Takes over what `given` sets. */
void sopi_options_overlay(sop_options *options, const sop_options *given);

#endif
