/* The version of the library and what this build can do. */
#ifndef SOP_VERSION_H
#define SOP_VERSION_H

#include <sop/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of these headers. */
#define SOP_VERSION_MAJOR 0
#define SOP_VERSION_MINOR 1
#define SOP_VERSION_PATCH 0

/* The version of the library that is loaded, such as "0.1.0"; never NULL, never freed. Any thread.
 * */
SOP_API const char *sop_version(void);

/* Whether the library that is loaded has the feature `name` (NUL-terminated), such as "inmemory":
 * 1 or 0. Any thread. */
SOP_API int sop_has_feature(const char *name);

#ifdef __cplusplus
}
#endif

#endif
