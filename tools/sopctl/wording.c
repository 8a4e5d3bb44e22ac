#include "wording.h"

#include <stdio.h>
#include <string.h>

/* What is advice to a program, and the same for a user. tests/sopctl/test_wording.py finds what is not here. */
static const struct {
	const char *said;
	const char *meant;
} phrases[] = {
	{ "create it first, or check its name", "make it with create, or check its name" },
	{ "check the path, or set the option create",
	  "check the path; sopctl create makes one, and so does --create of import, load and exec" },
	{ "remove and run gc", "remove and run sopctl gc" },
	{ "pass the folder that a backup filled", "name the folder that sopctl backup filled" },
	{ "the database was opened with the option read_only; open it without",
	  "the database was opened to be read only" },
	{ "begin one for writing", "begin one with \"mode\":\"write\"" },
	{ "; check its name", "; docs/c-api.md lists them" }, /* of an option */
	{ "; look up what it takes", "" },
	{ "; pack keys as the store's schema says", "" },
	{ "; pack them as the store's schema says", "" },
};

/* Where the message begins behind the call that it names: "open: ". What is wrong with a schema begins alike, and stays. */
static const char *behind_call(const char *message)
{
	const size_t size = strspn(message, "abcdefghijklmnopqrstuvwxyz_");

	if (strncmp(message + size, ": ", 2) != 0 || strncmp(message, "schema", size) == 0)
		return message;
	return message + size + 2;
}

const char *wording_of(const sop_error *err, char room[WORDING_BYTES])
{
	const char *message = behind_call(err->message);

	if (message[0] == '\0')
		return sop_status_text(err->status);
	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
		const char *at = strstr(message, phrases[i].said);

		if (at == NULL)
			continue;
		snprintf(room, WORDING_BYTES, "%.*s%s%s", (int)(at - message), message,
			 phrases[i].meant, at + strlen(phrases[i].said));
		return room;
	}
	return message;
}
