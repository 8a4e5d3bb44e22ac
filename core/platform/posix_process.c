/* What a process may know of itself and its host. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "platform/platform.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void sopi_process_who(uint64_t *process, char host[SOPI_HOST_BYTES])
{
	memset(host, 0, SOPI_HOST_BYTES);
	*process = (uint64_t)getpid();
	if (gethostname(host, SOPI_HOST_BYTES - 1) != 0)
		host[0] = '\0';
}

void sopi_process_name_of(uint64_t process, char name[SOPI_PROCESS_NAME_BYTES])
{
	char host[SOPI_HOST_BYTES];
	uint64_t ours;

	sopi_process_who(&ours, host);
	snprintf(name, SOPI_PROCESS_NAME_BYTES, "process %" PRIu64 "%s%s", process,
		 host[0] == '\0' ? "" : " on ", host);
}

void sopi_process_name(char name[SOPI_PROCESS_NAME_BYTES])
{
	sopi_process_name_of((uint64_t)getpid(), name);
}

void sopi_process_name_read(const char *name, uint64_t *process, char host[SOPI_HOST_BYTES])
{
	static const char before[] = "process ", between[] = " on ";
	char *end = NULL;

	memset(host, 0, SOPI_HOST_BYTES);
	*process = 0;
	if (strncmp(name, before, sizeof before - 1) != 0 || name[sizeof before - 1] < '0' ||
	    name[sizeof before - 1] > '9')
		return;
	*process = strtoull(name + sizeof before - 1, &end, 10);
	if (strncmp(end, between, sizeof between - 1) == 0)
		memcpy(host, end + sizeof between - 1,
		       strnlen(end + sizeof between - 1, SOPI_HOST_BYTES - 1));
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
