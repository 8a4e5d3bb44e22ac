/* Random numbers from a seed: xoshiro256** (Blackman and Vigna), seeded by splitmix64. */
#include "platform/random.h"
#include "platform/sim_disk.h"
#include "platform/thread.h"

#include "base/bytes.h"

#include <string.h>

struct sim_random {
	struct sopi_random base;
	sopi_mutex mutex; /* guards `state`; a leaf of the lock order */
	uint64_t state[4];
};

uint64_t sopi_sim_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static uint64_t next(uint64_t state[4])
{
	const uint64_t result = rotate(state[1] * 5, 7) * 9;
	const uint64_t shifted = state[1] << 17;

	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= shifted;
	state[3] = rotate(state[3], 45);
	return result;
}

static sop_status sim_fill(struct sopi_random *base, void *out, size_t size, sop_error *err)
{
	struct sim_random *random = (struct sim_random *)base; /* `base` is the first member */
	unsigned char *to = out;

	(void)err;
	sopi_mutex_lock(&random->mutex);
	while (size > 0) {
		const size_t part = size < sizeof(uint64_t) ? size : sizeof(uint64_t);
		unsigned char bytes[sizeof(uint64_t)];

		sopi_store_u64le(bytes, next(random->state)); /* the same on every machine */
		memcpy(to, bytes, part);
		to += part;
		size -= part;
	}
	sopi_mutex_unlock(&random->mutex);
	return SOP_OK;
}

static const struct sopi_random_driver sim_driver = { .fill = sim_fill };

struct sopi_random *sopi_sim_random_new(uint64_t seed)
{
	struct sim_random *random = sopi_sim_alloc(sizeof *random);

	sopi_mutex_init(&random->mutex);
	random->base.driver = &sim_driver;
	for (size_t i = 0; i < 4; i++)
		random->state[i] = sopi_sim_next(&seed);
	return &random->base;
}

void sopi_sim_random_free(struct sopi_random *base)
{
	struct sim_random *random = (struct sim_random *)base;

	if (random == NULL)
		return;
	sopi_mutex_destroy(&random->mutex);
	sopi_sim_free(random);
}
