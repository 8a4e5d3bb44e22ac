#include "file.h"

#include "status.h"
#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_BYTES 65536

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
