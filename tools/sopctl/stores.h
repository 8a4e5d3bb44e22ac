/* Making stores as the options of a command say. */
#ifndef SOPCTL_STORES_H
#define SOPCTL_STORES_H

#include "access.h"

#define STORE_OPTIONS                                                                                \
	{ "schema", '\0', OPTION_TEXT,                                                               \
	  "JSON",   NULL, 0,                                                                         \
	  0,	    NULL, "the fields of keys, or @FILE that has them; without it keys are bytes" }, \
		{ "duplicates", '\0', OPTION_FLAG, NULL, NULL, 0, 0, NULL, "keep equal keys" },      \
	{                                                                                            \
		"node-items", '\0', OPTION_INTEGER, "N", NULL, 0, 20000, "0",                        \
			"items in a node, 4 to 20000; 0: as many as fit"                             \
	}

/* Makes the store `name` in the transaction of `access`, as STORE_OPTIONS say. */
sop_status store_create(struct access *access, const char *name);

#endif
