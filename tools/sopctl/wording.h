/* What the library says, put for somebody who types commands and calls no functions. */
#ifndef SOPCTL_WORDING_H
#define SOPCTL_WORDING_H

#include <sop/error.h>

#define WORDING_BYTES 512

/* The message of `err`, or what its status means if it has none, without the names of functions, constants and headers;
 * in `room` or constant. */
const char *wording_of(const sop_error *err, char room[WORDING_BYTES]);

#endif
