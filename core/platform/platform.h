/* The platform port: everything that a database needs of the host, given to it at open.
 *
 * Nothing in the library outside core/platform (and core/base/alloc.c) calls the system for files, clocks, random
 * numbers or threads, so that a test may put a simulation in its place (sim.h). */
#ifndef SOPI_PLATFORM_H
#define SOPI_PLATFORM_H

#include <stdint.h>

struct sopi_clock; /* clock.h */
struct sopi_random; /* random.h */
struct sopi_files; /* file.h */

struct sopi_platform {
	struct sopi_clock *clock;
	struct sopi_random *random;
	struct sopi_files *files;
};

enum { SOPI_PROCESS_NAME_BYTES = 96 };

enum { SOPI_HOST_BYTES = 48 }; /* of a host's name, cut if need be, with the NUL */

/* The number of this process, and the name of its host; "" if it has none. */
void sopi_process_who(uint64_t *process, char host[SOPI_HOST_BYTES]);

/* Reads a name that sopi_process_name made; 0 and "" if it is none. */
void sopi_process_name_read(const char *name, uint64_t *process, char host[SOPI_HOST_BYTES]);

/* Who this process is, for people: "process 4711 on host7". */
void sopi_process_name(char name[SOPI_PROCESS_NAME_BYTES]);

/* The same of another process on this host. */
void sopi_process_name_of(uint64_t process, char name[SOPI_PROCESS_NAME_BYTES]);

/* The host's memory that this process may use, in bytes: of its control group where that is limited. */
uint64_t sopi_host_memory_bytes(void);

/* The host itself. Lives as long as the process; never closed. */
const struct sopi_platform *sopi_platform_posix(void);

#endif
