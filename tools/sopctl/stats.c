/* stats: the figures of a database. */
#include "commands.h"
#include "figures.h"
#include "peek.h"
#include "status.h"
#include "text.h"
#include "try.h"

static sop_status metrics(struct access *access)
{
	sop_buf text = SOP_BUF_INIT;
	sop_status status = sop_db_metrics(access->db, &text, &access->err);
	FILE *out = access->invocation->out;

	if (status == SOP_OK)
		status = access_printed(access, output_bytes(out, text_bytes(&text)) && fflush(out) == 0);
	sop_buf_free(&text);
	return status;
}

static sop_status stats(struct access *access)
{
	struct facts facts = { .count = 0 };
	sop_stats now = SOP_STATS_INIT;
	sop_peek peek = SOP_PEEK_INIT;
	const bool as_metrics = option_of(access->invocation, "metrics")->given;
	const sop_status status = access_open(access, OPENING_LOOK);

	if (status == SOP_LOCKED && !as_metrics) {
		TRY(peek_figures(access, &now, &peek));
	} else {
		TRY(status);
		if (as_metrics)
			return metrics(access);
		TRY(sop_db_stats(access->db, &now, &access->err));
	}
	for (const struct figure *figure = figures; figure->name != NULL; figure++)
		fact_number(&facts, figure->name, figure_of(&now, figure));
	return print_facts(access, &facts);
}

static int run_stats(struct invocation *invocation)
{
	struct access access;

	access_begin(&access, invocation);
	return access_end(&access, stats(&access));
}

static const struct option_spec stats_options[] = {
	{ "metrics", 'm', OPTION_FLAG, NULL, NULL, 0, 0, NULL, "as OpenMetrics text" },
	OPTIONS_END,
};

const struct command command_stats = {
	.name = "stats",
	.summary = "the figures of a database",
	.help = "Prints counters since the database was opened, and levels now; sop/stats.h says what each one is. If another process has "
		"the database open, these are its figures, as it told them last.",
	.arguments = "URL",
	.arguments_min = 1,
	.arguments_max = 1,
	.options = stats_options,
	.run = run_stats,
	.takes = TAKES_OUTPUT,
};
