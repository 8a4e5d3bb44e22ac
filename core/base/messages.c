/* A ring of messages behind a flag that is held for a copy. */
#include "base/messages.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct sopi_messages_ring {
	uint64_t added; /* ever */
	uint64_t taken; /* ever, lost ones included */
	uint32_t lost; /* since the last one taken */
	sop_log_message messages[SOPI_MESSAGES_KEPT];
};

void sopi_messages_init(struct sopi_messages *messages)
{
	atomic_init(&messages->level, SOP_LOG_OFF);
	atomic_init(&messages->closed, false);
	atomic_flag_clear(&messages->busy);
	messages->ring = NULL;
}

void sopi_messages_destroy(struct sopi_messages *messages)
{
	sopi_free(messages->ring);
	messages->ring = NULL;
}

void sopi_messages_close(struct sopi_messages *messages)
{
	atomic_store(&messages->level, SOP_LOG_OFF);
	atomic_store(&messages->closed, true);
}

static void enter(struct sopi_messages *messages)
{
	while (atomic_flag_test_and_set_explicit(&messages->busy, memory_order_acquire)) {
	}
}

static void leave(struct sopi_messages *messages)
{
	atomic_flag_clear_explicit(&messages->busy, memory_order_release);
}

sop_status sopi_messages_enable(struct sopi_messages *messages, int level, sop_error *err)
{
	void *memory = NULL;

	if (level != SOP_LOG_OFF) {
		SOP_TRY(sopi_alloc_zeroed(sizeof *messages->ring, &memory, err));
		enter(messages);
		if (messages->ring == NULL) {
			messages->ring = memory;
			memory = NULL;
		}
		leave(messages);
		sopi_free(memory);
	}
	atomic_store(&messages->level, level);
	return SOP_OK;
}

void sopi_messages_note(struct sopi_messages *messages, int level, int64_t wall_ns,
			const char *format, ...)
{
	sop_log_message message = SOP_LOG_MESSAGE_INIT;
	struct sopi_messages_ring *ring;
	va_list args;

	if (level > atomic_load_explicit(&messages->level, memory_order_relaxed))
		return;
	message.level = (uint32_t)level;
	message.time_ns = wall_ns;
	va_start(args, format);
	vsnprintf(message.text, sizeof message.text, format, args);
	va_end(args);
	enter(messages);
	ring = messages->ring;
	if (ring != NULL) {
		if (ring->added - ring->taken == SOPI_MESSAGES_KEPT) {
			ring->taken++;
			ring->lost++;
		}
		ring->messages[ring->added++ % SOPI_MESSAGES_KEPT] = message;
	}
	leave(messages);
}

bool sopi_messages_take(struct sopi_messages *messages, sop_log_message *message)
{
	struct sopi_messages_ring *ring;
	bool there;

	enter(messages);
	ring = messages->ring;
	there = ring != NULL && ring->taken < ring->added;
	if (there) {
		*message = ring->messages[ring->taken++ % SOPI_MESSAGES_KEPT];
		message->lost = ring->lost;
		ring->lost = 0;
	}
	leave(messages);
	return there;
}
