/* top: a database at work, watched from outside through what its process tells. */
#include "commands.h"
#include "figures.h"
#include "peek.h"
#include "status.h"
#include "terminal.h"
#include "text.h"
#include "try.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define HISTORY 60 /* samples that the line of commits shows */
#define NS_PER_MS 1000000LL

struct sample {
	sop_stats stats;
	sop_peek peek;
	bool open; /* some process has it open and tells */
};

struct top {
	struct access access;
	sop_buf folder;
	struct sample now;
	struct sample last; /* told before `now`, by the same process */
	bool paired; /* `last` is there */
	double history[HISTORY]; /* commits a second */
	size_t history_count;
	struct termios terminal; /* as it was */
	bool raw;
};

/* ---- samples */

/* Takes a sample. Returns OK also when nobody has it open, as long as there is a database. */
static sop_status take(struct top *top)
{
	struct sample next = { .stats = SOP_STATS_INIT, .peek = SOP_PEEK_INIT };
	const sop_status status =
		sop_stats_peek(text_string(&top->folder), &next.peek, &next.stats, &top->access.err);

	next.open = status == SOP_OK;
	if (status != SOP_OK && status != SOP_NOT_FOUND)
		return status;
	if (next.open && next.peek.written_ms == top->now.peek.written_ms &&
	    next.peek.running_ms == top->now.peek.running_ms) {
		top->now.peek.age_ms = next.peek.age_ms; /* nothing new was told: nothing has changed */
		return SOP_OK;
	}
	top->paired = next.open && top->now.open && next.peek.opened_ms == top->now.peek.opened_ms &&
		      next.peek.process == top->now.peek.process &&
		      next.peek.running_ms > top->now.peek.running_ms;
	top->last = top->now;
	top->now = next;
	return SOP_OK;
}

/* How much a counter grows in a second, by the last two that were told. What is older than a few seconds says that
 * nothing changes. */
static double rate(const struct top *top, size_t offset)
{
	const struct figure figure = { "", offset };
	const double ms = (double)(top->now.peek.running_ms - top->last.peek.running_ms);

	if (!top->paired || top->now.peek.age_ms > 3000)
		return 0;
	return (double)(figure_of(&top->now.stats, &figure) - figure_of(&top->last.stats, &figure)) *
	       1000 / ms;
}

#define RATE(top, name) rate(top, offsetof(sop_stats, name))

static void remember(struct top *top)
{
	if (top->history_count == HISTORY)
		memmove(top->history, top->history + 1, (HISTORY - 1) * sizeof top->history[0]);
	else
		top->history_count++;
	top->history[top->history_count - 1] = RATE(top, commits);
}

/* ---- a screen for people */

static void add_history(const struct top *top, sop_buf *screen)
{
	static const char *const blocks[] = { " ",
					      "\xE2\x96\x81",
					      "\xE2\x96\x82",
					      "\xE2\x96\x83",
					      "\xE2\x96\x84",
					      "\xE2\x96\x85",
					      "\xE2\x96\x86",
					      "\xE2\x96\x87",
					      "\xE2\x96\x88" };
	double most = 1;

	for (size_t i = 0; i < top->history_count; i++)
		most = top->history[i] > most ? top->history[i] : most;
	for (size_t i = 0; i < top->history_count; i++) {
		const size_t level = (size_t)(top->history[i] / most * 8 + 0.999);

		text_puts(screen, blocks[level > 8 ? 8 : level]);
	}
	text_puts(screen, "\n");
}

static void add_line(sop_buf *screen, const char *name)
{
	text_printf(screen, "%-14s", name);
}

static void add_rates(const struct top *top, sop_buf *screen)
{
	const sop_stats *stats = &top->now.stats;
	const struct {
		const char *name;
		double rate;
		uint64_t all;
	} lines[] = {
		{ "commits", RATE(top, commits), stats->commits },
		{ "reads", RATE(top, reads_ended), stats->reads_ended },
		{ "operations", RATE(top, operations), stats->operations },
		{ "conflicts", RATE(top, conflicts), stats->conflicts },
		{ "retries", RATE(top, retries), stats->retries },
		{ "rollbacks", RATE(top, rollbacks), stats->rollbacks },
		{ "flushes", RATE(top, flushes), stats->flushes },
		{ "cache reads", RATE(top, cache_reads), stats->cache_reads },
		{ "evictions", RATE(top, evictions), stats->evictions },
	};

	text_printf(screen, "%-14s%14s%20s\n", "", "a second", "since it was opened");
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		sop_buf number = SOP_BUF_INIT;

		text_count(&number, lines[i].all);
		text_printf(screen, "%-14s%14.1f%20s\n", lines[i].name, lines[i].rate,
			    text_string(&number));
		sop_buf_free(&number);
	}
}

static void add_size_of(sop_buf *screen, const char *name, uint64_t bytes, const char *of, uint64_t whole)
{
	add_line(screen, name);
	text_size(screen, bytes);
	text_puts(screen, of);
	if (whole > 0)
		text_size(screen, whole);
	text_putc(screen, '\n');
}

static void add_levels(const struct top *top, sop_buf *screen)
{
	const sop_stats *stats = &top->now.stats;
	const sop_peek *peek = &top->now.peek;

	add_line(screen, "latency");
	if (peek->commits_timed > 0) {
		text_puts(screen, "half of the commits ");
		text_duration(screen, (long long)peek->commit_p50_ns);
		text_puts(screen, ", 99% ");
		text_duration(screen, (long long)peek->commit_p99_ns);
		text_puts(screen, ", longest ");
		text_duration(screen, (long long)peek->commit_longest_ns);
	} else {
		text_puts(screen, "no commit was timed");
	}
	text_putc(screen, '\n');
	add_line(screen, "transactions");
	text_printf(screen, "%llu open, oldest ", (unsigned long long)stats->transactions_open);
	text_duration(screen, (long long)stats->oldest_snapshot_age_ms * NS_PER_MS);
	text_putc(screen, '\n');
	add_size_of(screen, "cache", stats->cache_bytes_used, " of ", stats->cache_bytes);
	add_size_of(screen, "dirty", stats->dirty_bytes, " not in a checkpoint", 0);
	add_size_of(screen, "old versions", stats->old_version_bytes, " kept for readers", 0);
	add_size_of(screen, "log", stats->log_bytes, " to read when opening", 0);
	add_size_of(screen, "data files", stats->pack_bytes_live, " alive of ", stats->pack_bytes);
	add_size_of(screen, "disk", stats->disk_bytes, " in all files", 0);
	if (stats->failed != 0)
		text_puts(screen,
			  "\033[31mit has stopped after an I/O error: close it and open it again\033[0m\n");
	if (stats->low_space != 0)
		text_puts(screen, "\033[31mshort of space: commits that add are refused\033[0m\n");
}

static void add_head(struct top *top, sop_buf *screen)
{
	const sop_peek *peek = &top->now.peek;

	text_printf(screen, "\033[1m%s\033[0m  ", text_string(&top->folder));
	if (!top->now.open) {
		text_puts(screen, "nobody has it open and tells; waiting\n");
		return;
	}
	text_printf(screen, "process %llu on %s, open for ", (unsigned long long)peek->process,
		    peek->host);
	text_duration(screen, (long long)(peek->running_ms + peek->age_ms) * NS_PER_MS);
	text_printf(screen, ", position %llu, %llu stores\n\n",
		    (unsigned long long)top->now.stats.position,
		    (unsigned long long)top->now.stats.stores);
}

static sop_status draw(struct top *top)
{
	sop_buf screen = SOP_BUF_INIT;
	FILE *out = top->access.invocation->out;
	bool written;

	add_head(top, &screen);
	if (top->now.open) {
		add_rates(top, &screen);
		text_putc(&screen, '\n');
		add_levels(top, &screen);
		text_puts(&screen, "\ncommits a second, the last ones at the right\n");
		add_history(top, &screen);
	}
	text_puts(&screen, "\nq quits");
	fputs("\033[H\033[J", out);
	written = fwrite(screen.data, 1, screen.size, out) == screen.size && fflush(out) == 0;
	sop_buf_free(&screen);
	return access_printed(&top->access, written);
}

/* ---- rows for programs */

static sop_status print_row(struct top *top)
{
	const sop_peek *peek = &top->now.peek;
	struct facts facts = { .count = 0 };

	fact_number(&facts, "process", peek->process);
	fact_number(&facts, "age_ms", peek->age_ms);
	fact_number(&facts, "running_ms", peek->running_ms);
	fact_number(&facts, "commits_per_second", (unsigned long long)RATE(top, commits));
	fact_number(&facts, "reads_per_second", (unsigned long long)RATE(top, reads_ended));
	fact_number(&facts, "conflicts_per_second", (unsigned long long)RATE(top, conflicts));
	fact_number(&facts, "commits_timed", peek->commits_timed);
	fact_number(&facts, "commit_p50_ns", peek->commit_p50_ns);
	fact_number(&facts, "commit_p99_ns", peek->commit_p99_ns);
	fact_number(&facts, "commit_longest_ns", peek->commit_longest_ns);
	for (const struct figure *figure = figures; figure->name != NULL; figure++)
		fact_number(&facts, figure->name, figure_of(&top->now.stats, figure));
	return print_facts(&top->access, &facts);
}

/* ---- the loop */

static void begin_screen(struct top *top)
{
	struct termios raw;

	fputs("\033[?1049h\033[?25l", top->access.invocation->out);
	if (!is_terminal(stdin) || tcgetattr(STDIN_FILENO, &top->terminal) != 0)
		return;
	raw = top->terminal;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	top->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void end_screen(struct top *top)
{
	fputs("\033[?25h\033[?1049l", top->access.invocation->out);
	fflush(top->access.invocation->out);
	if (top->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &top->terminal);
}

/* Waits until the next sample is due. Returns true if the user wants to quit. */
static bool wait_or_quit(const struct top *top, int64_t interval_ms)
{
	struct pollfd keys = { .fd = top->raw ? STDIN_FILENO : -1, .events = POLLIN };
	char key = '\0';

	if (poll(&keys, 1, (int)interval_ms) <= 0)
		return false;
	return read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == '\x1b';
}

static sop_status watch(struct top *top, bool people)
{
	const struct invocation *invocation = top->access.invocation;
	const int64_t interval_ms = option_of(invocation, "interval-ms")->integer;
	const int64_t most = option_of(invocation, "count")->integer;

	for (int64_t i = 1;; i++) {
		TRY(take(top));
		if (!people && !top->now.open)
			return top->access.err.status;
		remember(top);
		TRY(people ? draw(top) : print_row(top));
		if (i == most)
			return SOP_OK;
		if (wait_or_quit(top, interval_ms))
			return SOP_OK;
		TRY(access_check_signal(&top->access));
	}
}

static int run_top(struct invocation *invocation)
{
	struct top top;
	bool people;
	sop_status status;

	memset(&top, 0, sizeof top);
	access_begin(&top.access, invocation);
	url_folder(invocation->url, &top.folder);
	people = top.access.style.format == OUTPUT_TABLE && is_terminal(invocation->out);
	status = take(&top);
	if (status == SOP_OK && !top.now.open && top.now.peek.is_open == 0 && !people)
		status = top.access.err.status;
	if (status == SOP_OK && people)
		begin_screen(&top);
	if (status == SOP_OK)
		status = watch(&top, people);
	if (people)
		end_screen(&top);
	sop_buf_free(&top.folder);
	return access_end(&top.access, status);
}

static const struct option_spec top_options[] = {
	{ "interval-ms", 'i', OPTION_INTEGER, "N", NULL, 100, 3600000, "1000",
	  "milliseconds between two samples" },
	{ "count", 'n', OPTION_INTEGER, "N", NULL, 0, INT64_MAX, "0",
	  "end after so many; 0: when q is typed" },
	OPTIONS_END,
};

const struct command command_top = {
	.name = "top",
	.summary = "watch a database that another process has open",
	.help = "Shows commits, conflicts, retries, latencies, the cache, the oldest transaction and what is dirty, live, of a database "
		"that some process has open: through the figures that it leaves about once a second, so that it is not disturbed. "
		"Where standard output is no terminal, one object for each sample.",
	.arguments = "URL",
	.arguments_min = 1,
	.arguments_max = 1,
	.options = top_options,
	.run = run_top,
	.takes = TAKES_OUTPUT,
};
