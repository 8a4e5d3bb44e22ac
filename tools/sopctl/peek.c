#include "peek.h"

#include "text.h"
#include "try.h"

#include <string.h>

void url_folder(const char *url, sop_buf *folder)
{
	static const char scheme[] = "inredfs:";

	if (strncmp(url, scheme, sizeof scheme - 1) != 0) {
		text_puts(folder, url);
		return;
	}
	url += sizeof scheme - 1;
	text_add(folder, url, strcspn(url, "?"));
}

void url_shown(const char *url, sop_buf *text)
{
	const size_t scheme = strspn(url, "abcdefghijklmnopqrstuvwxyz");

	text_add(text, url, url[scheme] == ':' ? strcspn(url, "?") : strlen(url));
}

sop_status peek_figures(struct access *access, sop_stats *stats, sop_peek *peek)
{
	sop_buf folder = SOP_BUF_INIT;
	sop_buf age = SOP_BUF_INIT;
	sop_status status;

	url_folder(access->invocation->url, &folder);
	status = sop_stats_peek(text_string(&folder), peek, stats, &access->err);
	sop_buf_free(&folder);
	TRY(status);
	text_duration(&age, (long long)peek->age_ms * 1000000);
	fprintf(access->invocation->err, "process %llu has it open; this is what it told %s ago\n",
		(unsigned long long)peek->process, text_string(&age));
	sop_buf_free(&age);
	return SOP_OK;
}
