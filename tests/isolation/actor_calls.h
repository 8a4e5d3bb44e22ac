/* What the recorded calls of actor.c and actor_cursor.c share; not for workloads. */
#ifndef ISOLATION_ACTOR_CALLS_H
#define ISOLATION_ACTOR_CALLS_H

#include "isolation/actor.h"

#define ACTOR_KEY_PADDING_MAX 120

struct actor_key_room {
	uint8_t bytes[8 + ACTOR_KEY_PADDING_MAX];
};

/* The bytes of key number `key` in this world; numbers sort as their keys do. */
sop_bytes actor_key(const struct actor *actor, uint64_t key, struct actor_key_room *room);

/* The number of a key that was read; every byte of it is checked. */
uint64_t actor_read_key(struct actor *actor, sop_bytes bytes);

sop_range actor_range(const struct actor *actor, const struct key_range *range,
		      struct actor_key_room rooms[2]);

/* Gives way now and then; SOP_OK if the actor is not doomed. */
sop_status actor_ready(struct actor *actor);

#define ACTOR_MAY_MISS 1u /* NOT_FOUND is an answer */
#define ACTOR_MAY_EXIST 2u /* EXISTS is an answer */
#define ACTOR_ABOUT_STORES 4u /* ... about the store itself */

/* Whether a call was answered, so that it belongs into the record. */
static inline bool actor_answered(sop_status status)
{
	return status == SOP_OK || status == SOP_NOT_FOUND || status == SOP_EXISTS;
}

/* Judges the status of a call on `store`; dooms the actor unless it is an answer or
 * ACTOR_NO_STORE. */
sop_status actor_settle(struct actor *actor, const char *call, size_t store, sop_status status,
			unsigned allowed);

struct event *actor_event(struct actor *actor, enum event_kind kind, size_t store);

#endif
