/* --starts-with: keys whose text begins so, as bounds. */
#ifndef SOPCTL_STARTS_H
#define SOPCTL_STARTS_H

#include "item_text.h"

/* The keys from `from` to before `to` that begin with the fields, or bytes, in `prefix`; each may be left out. */
struct starts {
	sop_buf prefix, from, to;
	bool has_prefix, has_from, has_to;
};
#define STARTS_INIT                                                                                \
	{                                                                                          \
		SOP_BUF_INIT, SOP_BUF_INIT, SOP_BUF_INIT, false, false, false                      \
	}

/* Reads `text`, a word of the command line: leading fields as key_of_text has them, the last of which is the beginning of
 * a text; without a schema, bytes. Returns OK; SCHEMA (the message names the field); LIMIT. */
sop_status starts_of_text(const struct item_format *format, sop_bytes text, struct starts *starts,
			  sop_error *err);
void starts_free(struct starts *starts);

#endif
