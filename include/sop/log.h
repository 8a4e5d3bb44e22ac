/* Messages about what the library does, pulled by the program. Silent unless asked for. */
#ifndef SOP_LOG_H
#define SOP_LOG_H

#include <sop/database.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How grave a message is. */
typedef enum sop_log_level {
	SOP_LOG_OFF = 0, /* nothing is recorded (the default) */
	SOP_LOG_ERROR = 1,
	SOP_LOG_WARNING = 2,
	SOP_LOG_INFO = 3,
	SOP_LOG_DEBUG = 4
} sop_log_level;

/* One message. Initialise with SOP_LOG_MESSAGE_INIT. */
typedef struct sop_log_message {
	size_t struct_size; /* sizeof(sop_log_message) */
	uint32_t level; /* a sop_log_level */
	uint32_t lost; /* messages dropped before this one because nobody pulled */
	int64_t time_ns; /* nanoseconds since 1970 UTC */
	char text[512]; /* one sentence in UTF-8, NUL-terminated; never a key, a value or a secret */
} sop_log_message;

#define SOP_LOG_MESSAGE_INIT                                                                       \
	{                                                                                          \
		sizeof(sop_log_message), 0, 0, 0,                                                  \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

/* Records messages of `db` up to `level` (a sop_log_level) from now on, the newest 256 of them.
 * Handles of the same folder share them: what one takes another does not see.
 * err: filled on failure; may be NULL. Returns OK; MISUSE; CLOSED; FORKED; NO_MEMORY. Any thread. */
SOP_API sop_status sop_log_enable(sop_db *db, sop_log_level level, sop_error *err);

/* Takes the oldest recorded message of `db`.
 * message: receives it; struct_size must be set. timeout_ms: how long to wait for one, in
 * milliseconds; 0: not at all.
 * err: filled on failure; may be NULL.
 * Returns OK; NOT_FOUND: none came in time; MISUSE; CLOSED (also when the database is closed
 * meanwhile); FORKED. Any thread. */
SOP_API sop_status sop_log_next(sop_db *db, sop_log_message *message, int64_t timeout_ms, sop_error *err);

#ifdef __cplusplus
}
#endif

#endif
