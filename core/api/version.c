/* The version, and what this build can do. */
#include <sop/version.h>

#include <string.h>

#define TEXT(x) #x
#define VERSION_TEXT(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

static const char *const features[] = { "inmemory", "inredfs" };

const char *sop_version(void)
{
	return VERSION_TEXT(SOP_VERSION_MAJOR, SOP_VERSION_MINOR, SOP_VERSION_PATCH);
}

int sop_has_feature(const char *name)
{
	if (name == NULL)
		return 0;
	for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
		if (strcmp(features[i], name) == 0)
			return 1;
	}
	return 0;
}
