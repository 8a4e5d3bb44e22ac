#include "progress.h"

#include "terminal.h"
#include "text.h"

#include <string.h>

#define TERMINAL_INTERVAL_NS 100000000LL /* ten times a second */
#define LOG_INTERVAL_NS 10000000000LL /* a line every ten seconds */
#define BAR_COLUMNS 20

void progress_begin(struct progress *progress, FILE *to, const char *what, uint64_t total_bytes)
{
	memset(progress, 0, sizeof *progress);
	progress->to = to;
	progress->what = what;
	progress->terminal = to != NULL && is_terminal(to);
	progress->began_ns = now_ns();
	progress->told_ns = progress->began_ns;
	progress->total_bytes = total_bytes;
}

static void add_bar(sop_buf *line, uint64_t part, uint64_t whole)
{
	const double share = part >= whole ? 1 : (double)part / (double)whole;

	text_puts(line, "  [");
	for (int i = 0; i < BAR_COLUMNS; i++)
		text_putc(line, i < share * BAR_COLUMNS ? '#' : '.');
	text_printf(line, "] %3.0f%%", share * 100);
}

/* The part that has a rate, and what that says about the time left. */
static void add_rate(sop_buf *line, const struct progress *progress, long long ns)
{
	const double seconds = (double)ns / 1e9;
	const uint64_t done = progress->bytes - progress->base_bytes;

	if (seconds < 0.05)
		return;
	text_puts(line, "  ");
	if (progress->items > 0) {
		text_count(line, (unsigned long long)((double)progress->items / seconds));
		text_puts(line, "/s");
	} else {
		text_size(line, (unsigned long long)((double)done / seconds));
		text_puts(line, "/s");
	}
	if (progress->total_bytes > progress->bytes && done > 0) {
		const double left =
			(double)(progress->total_bytes - progress->bytes) * seconds / (double)done;

		text_puts(line, "  ");
		text_duration(line, (long long)(left * 1e9));
		text_puts(line, " left");
	}
}

static void tell(const struct progress *progress, long long now)
{
	sop_buf line = SOP_BUF_INIT;
	sop_buf cut = SOP_BUF_INIT;

	text_puts(&line, progress->what);
	if (progress->terminal && progress->total_bytes > 0)
		add_bar(&line, progress->bytes, progress->total_bytes);
	if (progress->items > 0) {
		text_puts(&line, "  ");
		text_count(&line, progress->items);
		text_puts(&line, " items");
	}
	text_puts(&line, "  ");
	text_size(&line, progress->bytes);
	if (progress->total_bytes > 0) {
		text_puts(&line, " of ");
		text_size(&line, progress->total_bytes);
	}
	add_rate(&line, progress, now - progress->began_ns);
	if (progress->terminal) {
		text_visible(&cut, text_bytes(&line), terminal_columns(progress->to) - 1);
		fprintf(progress->to, "\r\033[K%s", text_string(&cut));
	} else {
		fprintf(progress->to, "%s\n", text_string(&line));
	}
	fflush(progress->to);
	sop_buf_free(&cut);
	sop_buf_free(&line);
}

void progress_at(struct progress *progress, uint64_t items, uint64_t bytes)
{
	long long now;

	progress->items = items;
	progress->bytes = bytes;
	if (progress->to == NULL)
		return;
	now = now_ns();
	if (now - progress->told_ns < (progress->terminal ? TERMINAL_INTERVAL_NS : LOG_INTERVAL_NS))
		return;
	progress->told_ns = now;
	tell(progress, now);
}

void progress_end(struct progress *progress)
{
	if (progress->to != NULL && progress->terminal) {
		fputs("\r\033[K", progress->to);
		fflush(progress->to);
	}
}

int progress_call(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	struct progress *progress = arg;

	progress->total_bytes = total_bytes;
	progress_at(progress, 0, done_bytes);
	return interrupted();
}
