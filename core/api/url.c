/* Telling urls from paths, and reading the options in a url. */
#include "api/url.h"

#include "api/handle.h"

enum scheme { NONE, INMEMORY, INREDFS, INREDCFS };

/* The scheme that `text` begins with; *rest is what follows it. Without a known one it is a path. */
static enum scheme scheme_of(const char *text, const char **rest)
{
	static const struct {
		const char *name;
		enum scheme scheme;
	} schemes[] = { { "inmemory:", INMEMORY }, { "inredfs:", INREDFS }, { "inredcfs:", INREDCFS } };

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		const size_t size = strlen(schemes[i].name);

		if (strncmp(text, schemes[i].name, size) == 0) {
			*rest = text + size;
			return schemes[i].scheme;
		}
	}
	*rest = text;
	return NONE;
}

/* Sets the options behind the `?` of a url: name=value, separated by `&`. */
static sop_status read_query(const char *query, sop_options *options, const char *function, sop_error *err)
{
	while (*query != '\0') {
		const size_t size = strcspn(query, "&");
		const char *equals = memchr(query, '=', size);

		if (equals == NULL)
			return sopi_fail(err, SOP_MISUSE,
					 "%s: the url needs name=value behind the '?', not '%.*s'",
					 function, (int)(size < 64 ? size : 64), query);
		SOP_TRY(sopi_options_set_part(options, query, (size_t)(equals - query), equals + 1,
					      size - (size_t)(equals - query) - 1, function, err));
		query += size;
		if (*query == '&')
			query++;
	}
	return SOP_OK;
}

static sop_status read_memory(const char *rest, sop_options *options, const char *function, sop_error *err)
{
	if (*rest == '\0')
		return SOP_OK;
	if (*rest != '?')
		return sopi_fail(err, SOP_MISUSE,
				 "%s: nothing but '?name=value&...' may follow 'inmemory:'; leave the rest out",
				 function);
	return read_query(rest + 1, options, function, err);
}

static sop_status check_path_size(size_t size, const char *function, sop_error *err)
{
	if (size > SOPI_FOLDER_BYTES_MAX)
		return sopi_fail(err, SOP_LIMIT,
				 "%s: the path has %zu bytes; the limit is %d, a relative one may be shorter",
				 function, size, SOPI_FOLDER_BYTES_MAX);
	return SOP_OK;
}

static sop_status read_folder(const char *path, size_t size, struct sopi_url *url,
			      const char *function, sop_error *err)
{
	if (size == 0)
		return sopi_fail(err, SOP_MISUSE,
				 "%s: the url needs the path of a folder behind 'inredfs:'", function);
	SOP_TRY(check_path_size(size, function, err));
	url->kind = SOPI_URL_FOLDER;
	memcpy(url->path, path, size);
	url->path[size] = '\0';
	return SOP_OK;
}

sop_status sopi_url_read(const char *text, struct sopi_url *url, sop_options *options,
			 const char *function, sop_error *err)
{
	const char *rest;
	size_t size;

	url->kind = SOPI_URL_MEMORY;
	url->path[0] = '\0';
	if (*text == '\0')
		return sopi_misuse(err, function,
				   "url is empty; pass the path of a folder, or \"inmemory:\"");
	switch (scheme_of(text, &rest)) {
	case INMEMORY:
		return read_memory(rest, options, function, err);
	case INREDFS:
		size = strcspn(rest, "?");
		SOP_TRY(read_folder(rest, size, url, function, err));
		return rest[size] == '?' ? read_query(rest + size + 1, options, function, err) : SOP_OK;
	case INREDCFS:
		return sopi_fail(err, SOP_UNSUPPORTED,
				 "%s: this build has no 'inredcfs:' (databases in Cassandra); it has 'inredfs:' and 'inmemory:'",
				 function);
	case NONE:
		break;
	}
	return read_folder(text, strlen(text), url, function, err);
}

sop_status sopi_path_check(const char *text, const char *name, const char *function, sop_error *err)
{
	const char *rest;

	if (text == NULL || *text == '\0')
		return sopi_fail(err, SOP_MISUSE, "%s: %s is NULL or empty; pass the path of a folder",
				 function, name);
	if (scheme_of(text, &rest) != NONE)
		return sopi_fail(err, SOP_MISUSE,
				 "%s: %s must be the path of a folder, not a url; a path that looks like one begins with './'",
				 function, name);
	return check_path_size(strlen(text), function, err);
}
