/* What the string that sop_open is given names: a scheme that is known and what follows it, or a path. */
#ifndef SOPI_URL_H
#define SOPI_URL_H

#include "api/options.h"

enum { SOPI_FOLDER_BYTES_MAX = 4095 }; /* of the path of a database: what the host takes at most */

enum sopi_url_kind { SOPI_URL_MEMORY, SOPI_URL_FOLDER };

struct sopi_url {
	enum sopi_url_kind kind;
	char path[SOPI_FOLDER_BYTES_MAX + 1]; /* of a folder: verbatim; otherwise empty */
};

/* Reads `text` and sets the options that it names. A path is taken as it is; behind `inredfs:` it ends
 * at the first '?', which is where options begin: `inredfs:path?name=value&...`. Nothing is decoded,
 * so a path with a '?' in it, or one that begins like a url, is given as a path (`./inmemory:x`).
 * MISUSE, LIMIT, UNSUPPORTED. */
sop_status sopi_url_read(const char *text, struct sopi_url *url, sop_options *options,
			 const char *function, sop_error *err);

/* Is `text` a path of a folder, and no url? MISUSE, LIMIT. `name`: of the parameter. */
sop_status sopi_path_check(const char *text, const char *name, const char *function, sop_error *err);

#endif
