/* The random numbers of the host. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/posix.h"

#include <errno.h>
#include <sys/random.h>

static sop_status posix_fill(struct sopi_random *random, void *out, size_t size, sop_error *err)
{
	size_t done = 0;

	(void)random;
	while (done < size) {
		const ssize_t result = getrandom((char *)out + done, size - done, 0);

		if (result < 0 && errno == EINTR)
			continue;
		if (result <= 0)
			return sopi_fail(err, SOP_IO,
					 "the system gives no random numbers (errno %d)", errno);
		done += (size_t)result;
	}
	return SOP_OK;
}

const struct sopi_random_driver sopi_posix_random_driver = { .fill = posix_fill };
