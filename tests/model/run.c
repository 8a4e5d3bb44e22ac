/* Chooses the cases of a plan, runs them, and shrinks the one that fails. */
#include "model/run.h"

#include "model/case.h"
#include "support/large.h"
#include "support/replay.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SHRINK_SECONDS_MAX = 60, /* for all attempts together */
	ATTEMPT_SECONDS_MAX = 20,
	OPS_PRINTED_MAX = 80,
};

static const struct plan *plan_now;
static unsigned case_now;

/* ---- configurations -------------------------------------------------------------------------------------------- */

static void set_sizes(struct mix *mix, uint32_t inline_bytes, unsigned profile)
{
	const uint32_t small[] = { 0, 8, 100, 20 };
	const uint32_t tiny[] = { 0, 8, 8, 16 };
	const uint32_t limit[] = { 0,
				   1,
				   8,
				   30,
				   100,
				   100,
				   inline_bytes - 1,
				   inline_bytes,
				   inline_bytes + 1,
				   3 * inline_bytes };
	const uint32_t large[] = { 8, 100, 100, 1000, 2000, 5000, 20000 };
	const struct {
		const uint32_t *sizes;
		unsigned count;
		uint32_t rare;
	} profiles[] = { { small, 4, 2000 },
			 { limit, 10, 30000 },
			 { tiny, 4, 0 },
			 { large, 7, 100000 },
			 { small, 4, 0 } };

	memcpy(mix->sizes, profiles[profile].sizes, profiles[profile].count * sizeof *mix->sizes);
	mix->size_count = profiles[profile].count;
	mix->rare_size = profiles[profile].rare;
}

/* Cases go through node_items x node_bytes x kind of keys, and through value sizes in another rhythm. */
static void configure(struct case_config *config, const struct plan *plan, unsigned number)
{
	static const uint32_t node_items[] = { 4, 5, 16, 0 };
	static const uint32_t node_bytes[] = { 1024, 4096 };
	static const uint32_t inline_bytes[] = { 1024, 64, 1024, 1024, 4000 };
	static const unsigned patience[] = { 1, 1, 2, 1, 8, 1, 40 };
	const enum key_kind kind = plan->kinds[number / 8 % plan->kind_count];
	const unsigned profile = (number / 3 + number / 8) % 5;

	memset(config, 0, sizeof *config);
	test_all_are_large(number % 3 == 1);
	test_replay_in_parts(number, true);
	config->seed = test_seed() * 1000003 + number;
	config->number = number;
	config->ops = plan->case_ops;
	config->on_disk = plan->on_disk;
	config->node_items = node_items[number % 4];
	config->node_bytes = node_bytes[number / 4 % 2];
	config->inline_value_bytes = inline_bytes[profile];
	config->mix.duplicates = plan->duplicates;
	config->mix.catalog = plan->catalog;
	config->mix.patience = patience[number % 7];
	set_sizes(&config->mix, config->inline_value_bytes, profile);
	universe_init(&config->universe, kind, kind == KEYS_HUGE ? plan->words / 4 : plan->words,
		      config->seed);
}

/* ---- shrinking ------------------------------------------------------------------------------------------------- */

static void silence(void)
{
	if (freopen("/dev/null", "w", stderr) == NULL || freopen("/dev/null", "w", stdout) == NULL)
		_exit(2);
}

/* Runs the case in a process of its own, so that it may crash or hang; true if all went well. */
static bool passes(const struct case_config *config, const uint8_t *left_out, bool quiet)
{
	int state = 0;
	pid_t child;

	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		(void)signal(SIGSEGV, SIG_DFL);
		(void)alarm(ATTEMPT_SECONDS_MAX);
		if (quiet)
			silence();
		_exit(case_run(config, left_out).ok ? 0 : 1);
	}
	return child > 0 && waitpid(child, &state, 0) == child && WIFEXITED(state) &&
	       WEXITSTATUS(state) == 0;
}

/* Leaves out runs of operations, long ones first, as long as the case fails without them. */
static void shrink(const struct case_config *config, uint8_t *left_out, uint32_t count)
{
	const int64_t end_ns = test_now_ns() + (int64_t)SHRINK_SECONDS_MAX * 1000000000;
	uint8_t *attempt = test_alloc(config->ops);

	for (uint32_t run = count / 2; run > 0; run /= 2) {
		for (uint32_t from = 0; from < count && test_now_ns() < end_ns; from += run) {
			const uint32_t size = from + run <= count ? run : count - from;

			if (memchr(left_out + from, 0, size) == NULL)
				continue;
			memcpy(attempt, left_out, config->ops);
			memset(attempt + from, 1, size);
			if (!passes(config, attempt, true))
				memcpy(left_out, attempt, config->ops);
		}
	}
	free(attempt);
}

static void explain(const struct case_config *config, uint32_t failed_at)
{
	uint8_t *left_out = test_alloc(config->ops);
	unsigned printed = 0;

	memset(left_out, 0, config->ops);
	memset(left_out + failed_at + 1, 1, config->ops - failed_at - 1);
	if (passes(config, left_out, true)) /* it shows only at the end, or not again */
		memset(left_out, 0, config->ops);
	shrink(config, left_out, config->ops);
	fprintf(stderr,
		"the operations that are enough (case %u, node_items %u, node_bytes %u, inline %u, keys %d):\n",
		config->number, config->node_items, config->node_bytes, config->inline_value_bytes,
		(int)config->universe.kind);
	for (uint32_t i = 0; i < config->ops && printed < OPS_PRINTED_MAX; i++) {
		struct op op;

		if (left_out[i] != 0)
			continue;
		case_op(config, i, &op);
		op_print(stderr, i, &op);
		printed++;
	}
	fprintf(stderr, "what they show:\n");
	(void)passes(config, left_out, false);
	free(left_out);
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static void print_case(void)
{
	fprintf(stderr, "  plan %s, case %u, operation %u: set SOP_TEST_CASE=%u besides\n",
		plan_now->name, case_now, (unsigned)case_at, case_now);
	test_print_replay();
}

static void crashed(int number)
{
	(void)signal(number, SIG_DFL);
	fprintf(stderr, "signal %d; SOP_TEST_SHRINK=1 shrinks it\n", number);
	print_case();
	(void)raise(number);
}

static bool run_case(const struct plan *plan, unsigned number, struct case_result *total)
{
	const char *shrinks = getenv("SOP_TEST_SHRINK");
	struct case_config config;
	struct case_result result = { .ok = true };

	case_now = number;
	configure(&config, plan, number);
	if (shrinks != NULL && shrinks[0] == '1' && !passes(&config, NULL, true)) {
		result.ok = false;
		result.failed_at = config.ops - 1;
	} else {
		result = case_run(&config, NULL);
	}
	if (!result.ok) {
		print_case();
		explain(&config, result.failed_at);
	}
	universe_free(&config.universe);
	total->operations += result.operations;
	total->rows += result.rows;
	total->commits += result.commits;
	total->conflicts += result.conflicts;
	total->verifies += result.verifies;
	return result.ok;
}

void run_plan(const struct plan *plan)
{
	const char *only = getenv("SOP_TEST_CASE");
	const int64_t start_ns = test_now_ns();
	const uint64_t wanted = test_scaled(plan->ops);
	struct case_result total = { .ok = true };
	unsigned number = 0;

	plan_now = plan;
	(void)signal(SIGABRT, crashed);
	(void)signal(SIGSEGV, crashed);
	if (only != NULL && only[0] != '\0')
		total.ok = run_case(plan, (unsigned)strtoul(only, NULL, 0), &total);
	else
		while (total.ok && total.operations < wanted)
			total.ok = run_case(plan, number++, &total);
	print_message("%s: %llu operations, %llu rows compared, %llu commits, %llu conflicts, %llu verifications, "
		      "%u cases, %.1f s\n",
		      plan->name, (unsigned long long)total.operations,
		      (unsigned long long)total.rows, (unsigned long long)total.commits,
		      (unsigned long long)total.conflicts, (unsigned long long)total.verifies,
		      number, (double)(test_now_ns() - start_ns) / 1e9);
	if (!total.ok)
		fail_msg("the library and the model differ, see above");
}
