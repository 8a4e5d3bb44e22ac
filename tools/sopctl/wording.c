#include "wording.h"

#include <stdio.h>
#include <string.h>

/* What is advice to a program, and the same for a user. tests/sopctl/test_wording.py finds what is not here. */
static const struct {
	const char *said;
	const char *meant;
} phrases[] = {
	{ "create it with sop_store_create, or check its name", "make it with create, or check its name" },
	{ "check the path, or set the option create",
	  "check the path; sopctl create makes one, and so does --create of import, load and exec" },
	{ "remove and run sop_gc", "remove and run sopctl gc" },
	{ "pass the folder that sop_backup filled", "name the folder that sopctl backup filled" },
	{ "the database was opened with the option read_only; open it without",
	  "the database was opened to be read only" },
	{ "begin one with SOP_WRITE", "begin one with \"mode\":\"write\"" },
	{ "; sop/options.h lists them", "; docs/c-api.md lists them" },
	{ "; sop/sop.h says what it takes", "" },
	{ "; make keys with sop_key_pack", "" },
	{ "; use sop_key_pack", "" },
};

/* Where the message begins behind the function that it names: "sop_open: ". */
static const char *behind_function(const char *message)
{
	size_t size;

	if (strncmp(message, "sop_", 4) != 0)
		return message;
	size = strspn(message, "abcdefghijklmnopqrstuvwxyz_");
	return strncmp(message + size, ": ", 2) == 0 ? message + size + 2 : message;
}

const char *wording_of(const sop_error *err, char room[WORDING_BYTES])
{
	const char *message = behind_function(err->message);

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
