/* What a process may know of itself and its host. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/platform.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void sopi_process_name(char name[SOPI_PROCESS_NAME_BYTES])
{
	char host[48] = "";

	if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
		snprintf(name, SOPI_PROCESS_NAME_BYTES, "process %ld", (long)getpid());
	else
		snprintf(name, SOPI_PROCESS_NAME_BYTES, "process %ld on %s", (long)getpid(), host);
}

/* The limit of the control group, or UINT64_MAX. */
static uint64_t group_limit_bytes(void)
{
	static const char *const files[] = { "/sys/fs/cgroup/memory.max",
					     "/sys/fs/cgroup/memory/memory.limit_in_bytes" };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char text[32] = "";
		char *end = text;
		unsigned long long bytes = 0;
		const int fd = open(files[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		if (read(fd, text, sizeof text - 1) > 0)
			bytes = strtoull(text, &end, 10);
		close(fd);
		if (end != text && bytes != 0)
			return bytes;
	}
	return UINT64_MAX;
}

uint64_t sopi_host_memory_bytes(void)
{
	const long pages = sysconf(_SC_PHYS_PAGES);
	const long page_bytes = sysconf(_SC_PAGESIZE);
	const uint64_t host = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes
							  : (uint64_t)1 << 30;
	const uint64_t group = group_limit_bytes();

	return group < host ? group : host;
}
