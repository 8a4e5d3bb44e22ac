/* Filling sop_error, within the size that the caller knows. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "sop_"

void sopi_check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "sop: internal check failed at %s:%d: %s\n", file, line, what);
	abort();
}

static const struct {
	const char *name;
	uint32_t traits;
	const char *text;
} table[] = {
#define ROW(name, number, traits, text) [-(number)] = { #name, traits, text },
	SOP_STATUS_TABLE(ROW)
#undef ROW
};

static int row_of(sop_status status)
{
	const int count = (int)(sizeof table / sizeof *table);

	return status <= 0 && status > -count ? -status : -1;
}

const char *sop_status_name(sop_status status)
{
	const int row = row_of(status);

	return row < 0 ? "?" : table[row].name;
}

const char *sop_status_text(sop_status status)
{
	const int row = row_of(status);

	return row < 0 ? "not a status of this library" : table[row].text;
}

uint32_t sop_status_traits(sop_status status)
{
	const int row = row_of(status);

	return row < 0 ? 0 : table[row].traits;
}

/* Copies as much of the text as fits, never cutting a UTF-8 sequence in half. */
static void copy_text(char *to, size_t room, const char *from, size_t size)
{
	if (size > room - 1) {
		size = room - 1;
		while (size > 0 && ((unsigned char)from[size] & 0xC0) == 0x80)
			size--;
	}
	memcpy(to, from, size);
	to[size] = '\0';
}

/* Writes `full` into the caller's structure, which may be an older and shorter one. */
static void deliver(sop_error *err, sop_error *full)
{
	size_t size = err->size;

	if (size < offsetof(sop_error, offset))
		return; /* not initialised: nothing can be written safely */
	if (size > sizeof *full)
		size = sizeof *full;
	full->size = err->size;
	memcpy(err, full, size);
}

static void fill(sop_error *err, sop_status status, const sop_error *where, const char *format,
		 va_list args) __attribute__((format(printf, 4, 0)));

/* A message begins with the call that failed; what C puts before its name means nothing in other languages. */
static const char *without_prefix(const char *message)
{
	return strncmp(message, PREFIX, sizeof PREFIX - 1) == 0 ? message + sizeof PREFIX - 1 : message;
}

static void fill(sop_error *err, sop_status status, const sop_error *where, const char *format,
		 va_list args)
{
	sop_error full = *where;
	const char *message;
	char text[1024];
	int size;

	full.status = status;
	full.traits = sop_status_traits(status);
	size = vsnprintf(text, sizeof text, format, args);
	if (size < 0)
		size = 0;
	if ((size_t)size >= sizeof text)
		size = (int)sizeof text - 1;
	message = without_prefix(text);
	copy_text(full.message, sizeof full.message, message, (size_t)size - (size_t)(message - text));
	deliver(err, &full);
}

sop_status sopi_fail(sop_error *err, sop_status status, const char *format, ...)
{
	const sop_error nowhere = SOP_ERROR_INIT;
	va_list args;

	if (err == NULL)
		return status;
	va_start(args, format);
	fill(err, status, &nowhere, format, args);
	va_end(args);
	return status;
}

sop_status sopi_fail_store(sop_error *err, sop_status status, const void *name, size_t size,
			   const char *format, ...)
{
	sop_error where = SOP_ERROR_INIT;
	va_list args;

	if (err == NULL)
		return status;
	copy_text(where.store, sizeof where.store, name != NULL ? name : "", size);
	va_start(args, format);
	fill(err, status, &where, format, args);
	va_end(args);
	return status;
}

void sopi_error_name_store(sop_error *err, const void *name, size_t size)
{
	if (err != NULL && err->size >= offsetof(sop_error, store) + sizeof err->store)
		copy_text(err->store, sizeof err->store, name, size);
}

sop_status sopi_fail_file(sop_error *err, sop_status status, const char *file, int64_t offset,
			  int os_errno, const char *format, ...)
{
	sop_error where = SOP_ERROR_INIT;
	va_list args;

	if (err == NULL)
		return status;
	copy_text(where.file, sizeof where.file, file, strlen(file));
	where.offset = offset;
	where.os_errno = os_errno;
	va_start(args, format);
	fill(err, status, &where, format, args);
	va_end(args);
	return status;
}
