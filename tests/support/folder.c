/* Folders for databases on the real disk. */
#include "support/folder.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS_OPEN = 16, BLOCK_BYTES = 512 };

static pthread_mutex_t walking = PTHREAD_MUTEX_INITIALIZER; /* nftw tells its callback nothing of the caller */
static uint64_t sum;

static void make_under(const char *base, char path[TEST_PATH_BYTES])
{
	const char *wanted = getenv("TMPDIR");

	(void)snprintf(path, TEST_PATH_BYTES, "%s/sop-test-XXXXXX",
		       wanted != NULL && wanted[0] != '\0' ? wanted : base);
	if (mkdtemp(path) == NULL) {
		perror(path);
		abort();
	}
}

void test_folder_make(char path[TEST_PATH_BYTES])
{
	make_under("/tmp", path);
}

void test_folder_make_fast(char path[TEST_PATH_BYTES])
{
	make_under(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", path);
}

void test_folder_fresh(const char *folder, char *path, size_t room)
{
	static unsigned number;

	(void)snprintf(path, room, "%s/%u", folder, number++);
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	(void)about;
	(void)kind;
	(void)where;
	(void)remove(path);
	return 0;
}

void test_folder_remove(const char *path)
{
	(void)nftw(path, remove_entry, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS);
}

/* A file may go while it is looked at. */
static int add_entry(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	(void)path;
	(void)where;
	if (kind == FTW_F)
		sum += (uint64_t)about->st_blocks * BLOCK_BYTES;
	return 0;
}

uint64_t test_folder_disk_bytes(const char *path)
{
	uint64_t bytes;

	(void)pthread_mutex_lock(&walking);
	sum = 0;
	(void)nftw(path, add_entry, FOLDERS_OPEN, FTW_PHYS);
	bytes = sum;
	(void)pthread_mutex_unlock(&walking);
	return bytes;
}

static uint64_t add(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001B3u;
	return hash;
}

static uint64_t add_content(uint64_t hash, const char *path)
{
	FILE *file = fopen(path, "rb");
	char bytes[65536];
	size_t size;

	if (file == NULL)
		return hash;
	while ((size = fread(bytes, 1, sizeof bytes, file)) > 0)
		hash = add(hash, bytes, size);
	(void)fclose(file);
	return hash;
}

/* The order in which they come means nothing. */
static int add_fingerprint(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	uint64_t hash = add(1, path, strlen(path));

	(void)where;
	hash = add(hash, &kind, sizeof kind);
	hash = add(hash, &about->st_mtim, sizeof about->st_mtim);
	if (kind == FTW_F)
		hash = add_content(add(hash, &about->st_size, sizeof about->st_size), path);
	sum += hash;
	return 0;
}

uint64_t test_folder_fingerprint(const char *path)
{
	uint64_t fingerprint;

	(void)pthread_mutex_lock(&walking);
	sum = 0;
	(void)nftw(path, add_fingerprint, FOLDERS_OPEN, FTW_PHYS);
	fingerprint = sum;
	(void)pthread_mutex_unlock(&walking);
	return fingerprint;
}
