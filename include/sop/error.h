/* Statuses and errors. Every fallible function returns a `sop_status` and takes a `sop_error *`
 * last. */
#ifndef SOP_ERROR_H
#define SOP_ERROR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SOP_API __attribute__((visibility("default")))
#else
#define SOP_API
#endif

/* The outcome of a call: 0 is success, every other status is negative and never renumbered. */
typedef int32_t sop_status;

/* What a program can act on, as bits of `sop_error.traits`. Retry loops look at these, not at the
 * status. */
/* The same call may succeed later. */
#define SOP_TRAIT_RETRY 1u
/* Roll the transaction back and run it again. */
#define SOP_TRAIT_ABORT 2u
/* Ask sop_txn_outcome before doing anything again. */
#define SOP_TRAIT_MAYBE_COMMITTED 4u
/* Close the database; reopening recovers. */
#define SOP_TRAIT_FATAL 8u
/* The program is wrong; repeating it cannot help. */
#define SOP_TRAIT_MISUSE 16u

/* The one table of statuses: X(NAME, number, traits, "what it means and what to do").
 * Names, numbers, texts and the exceptions of every language are generated from it. */
#define SOP_STATUS_TABLE(X)                                                                        \
	X(OK, 0, 0u, "success")                                                                    \
	X(NOT_FOUND, -1, 0u, "there is no such key, store or item")                                \
	X(EXISTS, -2, 0u, "the key, store or transaction id is already there")                     \
	X(CONFLICT, -3, SOP_TRAIT_RETRY | SOP_TRAIT_ABORT,                                         \
	  "another transaction changed what this one read; roll back and run it again")            \
	X(LOCKED, -4, SOP_TRAIT_RETRY, "it is open elsewhere, or here with other options")         \
	X(TIMEOUT, -5, SOP_TRAIT_RETRY, "the deadline has passed")                                 \
	X(CANCELLED, -6, 0u, "the transaction was cancelled")                                      \
	X(UNKNOWN, -7, SOP_TRAIT_MAYBE_COMMITTED,                                                  \
	  "the commit may or may not have happened; ask for its outcome")                          \
	X(CLOSED, -8, SOP_TRAIT_MISUSE, "the handle, or its parent, is closed")                    \
	X(FORKED, -9, SOP_TRAIT_MISUSE, "the handle was opened before fork; open it anew")         \
	X(READ_ONLY, -10, SOP_TRAIT_MISUSE, "writing is not allowed here")                         \
	X(SCHEMA, -11, SOP_TRAIT_MISUSE, "a key, value or schema has not the declared form")       \
	X(LIMIT, -12, SOP_TRAIT_MISUSE, "a size or number is beyond its limit")                    \
	X(NO_SPACE, -13, SOP_TRAIT_RETRY, "the storage is full; free some and try again")          \
	X(NO_MEMORY, -14, SOP_TRAIT_RETRY, "out of memory, or of file descriptors")                \
	X(IO, -15, 0u, "the operating system reported an I/O error")                               \
	X(CORRUPT, -16, SOP_TRAIT_FATAL, "stored bytes are damaged; run verify")                   \
	X(UNAVAILABLE, -17, SOP_TRAIT_RETRY, "a server cannot be reached")                         \
	X(UNSUPPORTED, -18, 0u, "this build, file system or version cannot do that")               \
	X(MISUSE, -19, SOP_TRAIT_MISUSE, "the call breaks a rule of the interface")                \
	X(FAILED, -20, SOP_TRAIT_FATAL, "the database stopped after an error; reopen it")          \
	X(WOULD_BLOCK, -21, SOP_TRAIT_RETRY, "the answer is not in memory; call in the waiting way")

enum {
#define SOP_STATUS_ENUM(name, number, traits, text) SOP_##name = (number),
	SOP_STATUS_TABLE(SOP_STATUS_ENUM)
#undef SOP_STATUS_ENUM
};

/* What went wrong, where, and what to do. Owned by the caller, of fixed size; a call allocates
 * nothing for it.
 * Only `size` must be set before a call (SOP_ERROR_INIT does); success leaves everything
 * untouched. */
typedef struct sop_error {
	size_t size; /* sizeof(sop_error) as the caller knows it, in bytes */
	sop_status status; /* what the call returned */
	uint32_t traits; /* SOP_TRAIT_... bits */
	int32_t os_errno; /* errno of the operating system, or 0 */
	uint32_t reserved; /* 0 */
	int64_t offset; /* place in `file` or in the input, in bytes, or -1 */
	char store[256]; /* name of the store concerned, or "" */
	char file[256]; /* path of the file concerned, relative to the database, or "" */
	char message[256]; /* one sentence in UTF-8: what, where, and what to do */
} sop_error;

/* Initialises a sop_error: `sop_error err = SOP_ERROR_INIT;` */
#define SOP_ERROR_INIT                                                                             \
	{                                                                                          \
		sizeof(sop_error), 0, 0, 0, 0, -1, { 0 }, { 0 },                                   \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

/* The name of `status`, such as "CONFLICT"; "?" for a number that is none. Never NULL, never
 * freed. Any thread. */
SOP_API const char *sop_status_name(sop_status status);

/* What `status` means and what to do about it, in English; never NULL, never freed. Any thread. */
SOP_API const char *sop_status_text(sop_status status);

/* The SOP_TRAIT_ bits of `status`; 0 for a number that is none. Any thread. */
SOP_API uint32_t sop_status_traits(sop_status status);

#ifdef __cplusplus
}
#endif

#endif
