#include "status.h"

#include "wording.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

int exit_code_of(sop_status status)
{
	switch (status) {
	case SOP_OK:
		return EXIT_OK;
	case SOP_NOT_FOUND:
	case SOP_EXISTS:
		return EXIT_NO;
	case SOP_MISUSE:
	case SOP_SCHEMA:
	case SOP_LIMIT:
		return EXIT_USAGE;
	case SOP_CONFLICT:
	case SOP_TIMEOUT:
	case SOP_CANCELLED:
	case SOP_UNKNOWN:
	case SOP_WOULD_BLOCK:
		return EXIT_AGAIN;
	case SOP_CORRUPT:
		return EXIT_CORRUPT;
	case SOP_LOCKED:
		return EXIT_LOCKED;
	case SOP_READ_ONLY:
	case SOP_UNSUPPORTED:
		return EXIT_REFUSED;
	default: /* the system; CLOSED and FORKED would be mistakes of ours */
		return EXIT_BROKEN;
	}
}

/* Does the text name the store? As it stands in quotes: a short name is a part of many a word. */
static bool names_store(const char *text, const char *store)
{
	char quoted[sizeof((sop_error *)NULL)->store + 2];

	(void)snprintf(quoted, sizeof quoted, "'%s'", store);
	return strstr(text, quoted) != NULL;
}

int report(FILE *to, const char *command, const sop_error *err)
{
	char room[WORDING_BYTES];
	const char *text = wording_of(err, room);

	fprintf(to, "sopctl %s: %s: %s", command, sop_status_name(err->status), text);
	if (err->store[0] != '\0' && !names_store(text, err->store))
		fprintf(to, " (store %s)", err->store);
	if (err->file[0] != '\0' && strstr(text, err->file) == NULL)
		fprintf(to, " (file %s)", err->file);
	if (err->offset >= 0 && err->file[0] != '\0')
		fprintf(to, " (at byte %lld)", (long long)err->offset);
	if (err->os_errno != 0)
		fprintf(to, " (%s)", strerror(err->os_errno));
	fputc('\n', to);
	return exit_code_of(err->status);
}

int complain(FILE *to, const char *command, sop_status status, const char *format, ...)
{
	va_list arguments;

	fprintf(to, "sopctl %s: %s: ", command, sop_status_name(status));
	va_start(arguments, format);
	vfprintf(to, format, arguments);
	va_end(arguments);
	fputc('\n', to);
	return exit_code_of(status);
}

sop_status error_set(sop_error *err, sop_status status, const char *format, ...)
{
	va_list arguments;

	*err = (sop_error)SOP_ERROR_INIT;
	err->status = status;
	err->traits = sop_status_traits(status);
	va_start(arguments, format);
	vsnprintf(err->message, sizeof err->message, format, arguments);
	va_end(arguments);
	return status;
}
