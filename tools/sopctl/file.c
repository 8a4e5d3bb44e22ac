#include "file.h"

#include "status.h"
#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 65536
#define BLOCK_BYTES 4096
#define FOLDER_DESCRIPTORS 16

static sop_status read_all(FILE *file, const char *path, size_t most, sop_buf *content, sop_error *err)
{
	char chunk[CHUNK_BYTES];

	for (;;) {
		const size_t size = fread(chunk, 1, sizeof chunk, file);

		if (size > most - content->size)
			return error_set(err, SOP_LIMIT, "%s is larger than %zu bytes", path, most);
		text_add(content, chunk, size);
		if (interrupted())
			return error_set(err, SOP_CANCELLED, "interrupted");
		if (size < sizeof chunk && ferror(file))
			return error_set(err, SOP_IO, "%s cannot be read: %s", path, strerror(errno));
		if (size < sizeof chunk)
			return SOP_OK;
	}
}

sop_status file_read(const char *path, size_t most, sop_buf *content, sop_error *err)
{
	FILE *file;
	sop_status status;

	text_clear(content);
	if (strcmp(path, "-") == 0)
		return read_all(stdin, "standard input", most, content, err);
	file = fopen(path, "rb");
	if (file == NULL)
		return error_set(err, errno == ENOENT ? SOP_NOT_FOUND : SOP_IO,
				 "%s cannot be opened: %s", path, strerror(errno));
	status = read_all(file, path, most, content, err);
	fclose(file);
	return status;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
	(void)about;
	(void)kind;
	(void)place;
	return remove(path);
}

void folder_remove(const char *path)
{
	(void)nftw(path, remove_one, FOLDER_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

static int by_length(const void *a, const void *b)
{
	const long long one = *(const long long *)a;
	const long long other = *(const long long *)b;

	return (one > other) - (one < other);
}

/* Times `rounds` flushes of `file` into `times`. Returns 0, or -1 and errno. */
static int time_flushes(int file, int rounds, long long *times)
{
	char block[BLOCK_BYTES];

	memset(block, 'x', sizeof block);
	for (int i = 0; i <= rounds; i++) {
		const long long began = now_ns();

		if (pwrite(file, block, sizeof block, 0) != sizeof block || fdatasync(file) != 0)
			return -1;
		if (i > 0) /* the first one also makes the file */
			times[i - 1] = now_ns() - began;
		block[0]++;
	}
	return 0;
}

long long flush_ns(const char *folder, int rounds, long long *worst)
{
	sop_buf path = SOP_BUF_INIT;
	long long *times = memory_of((size_t)rounds, sizeof *times);
	long long middle = -1;
	int file;
	int error;

	text_printf(&path, "%s/sopctl-flush.%ld", folder, (long)getpid());
	file = open(text_string(&path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file >= 0 && time_flushes(file, rounds, times) == 0) {
		qsort(times, (size_t)rounds, sizeof *times, by_length);
		middle = times[rounds / 2];
		*worst = times[rounds - 1];
	}
	error = errno;
	if (file >= 0) {
		close(file);
		unlink(text_string(&path));
	}
	sop_buf_free(&path);
	free(times);
	errno = error;
	return middle;
}
