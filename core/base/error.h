/* Filling sop_error, and the one idiom for passing a status on. */
#ifndef SOPI_ERROR_H
#define SOPI_ERROR_H

#include "base/check.h"

#include <sop/error.h>

/* Fills `err` (may be NULL) with `status`, its traits and a formatted message; returns `status`. */
sop_status sopi_fail(sop_error *err, sop_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));

/* The same, naming a store (`size` bytes of UTF-8 at `name`, cut to fit). */
sop_status sopi_fail_store(sop_error *err, sop_status status, const void *name, size_t size,
			   const char *format, ...) __attribute__((format(printf, 5, 6), cold));

/* Names a store in `err` (may be NULL), which a failure has filled. */
void sopi_error_name_store(sop_error *err, const void *name, size_t size) __attribute__((cold));

/* The same as sopi_fail, naming a file, a place in it (-1: none) and the errno (0: none). */
sop_status sopi_fail_file(sop_error *err, sop_status status, const char *file, int64_t offset,
			  int os_errno, const char *format, ...)
	__attribute__((format(printf, 6, 7), cold));

/* Passes a failure on. */
#define SOP_TRY(call)                                                                              \
	do {                                                                                       \
		const sop_status sop_try_ = (call);                                                \
		if (SOPI_UNLIKELY(sop_try_ != SOP_OK))                                             \
			return sop_try_;                                                           \
	} while (0)

/* Passes a failure on through the label `out:`, in a local named `status`. */
#define SOP_TRY_OUT(call)                                                                          \
	do {                                                                                       \
		status = (call);                                                                   \
		if (SOPI_UNLIKELY(status != SOP_OK))                                               \
			goto out;                                                                  \
	} while (0)

#endif
