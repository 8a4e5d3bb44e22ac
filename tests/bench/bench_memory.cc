/* SOP in memory beside a plain B-Tree in memory: reads, overwrites, inserts and scans.
 *
 * Every value that is read is checked in full, on both sides by the same code, and every database and
 * map is compared with what was written to it. Engines take turns; medians, and ratios within a
 * repetition, count: single times do not. See --help for what there is. */
#include "data.h"
#include "engine_peer.h"
#include "engine_sop.h"
#include "options.h"
#include "report.h"
#include "runner.h"
#include "workloads.h"

#include <memory>
#include <optional>
#include <string>
#include <unistd.h>

namespace {

constexpr int THREADS = 2;
constexpr char SCALING_CASES[] =
	"get1.renew,get100,update100,insert.asc,insert.random,scan.next,range100.next";

struct Options {
	size_t items = 1000000;
	size_t operations = 1000000; /* gets in one measurement; other workloads follow from it */
	int repetitions = 5;
	Clock clock = Clock::WALL;
	bool random_keys = false;
	bool scaling = false;
	bool large = false;
	bool progress = isatty(2) != 0;
	std::string only; /* run cases whose name begins with one of these, separated by commas */
	std::string engines; /* run these engines, separated by commas; all if empty */
	std::string json; /* file */

	std::vector<size_t> sizes() const
	{
		if (!scaling)
			return { items };
		return large ? std::vector<size_t>{ 100000, 1000000, 10000000 }
			     : std::vector<size_t>{ 100000, 1000000 };
	}
};

const char HELP[] =
	"usage: bench_memory [OPTION]...\n"
	"  --items N         records (1000000)\n"
	"  --operations N    gets in one measurement; other workloads follow from it (1000000)\n"
	"  --repetitions N   how often everything is measured (5)\n"
	"  --quick           200000 records, 200000 gets, 3 repetitions: about half a minute\n"
	"  --random-keys     16 random bytes as keys instead of 16 digits\n"
	"  --cpu             count the processor time of threads, if the machine has other work, too\n"
	"  --only A,B        only cases whose names begin with A or B\n"
	"  --engines A,B     only these of sop, fixed, string, sorted\n"
	"  --url URL         what sop opens (inmemory:), such as inmemory:?node_bytes=8192\n"
	"  --scaling         how the costs grow from 100000 to 1000000 records, with --large to 10000000\n"
	"  --json FILE       write all figures to FILE, too\n"
	"  --help            this text\n"
	"\n"
	"cases: get1.renew   one get in a transaction whose handle is renewed\n"
	"       get1.read    the same in one call, sop_read\n"
	"       get100, get100.many             100 gets in a transaction; in one call, sop_get_many\n"
	"       update1, update100              overwrites in a transaction\n"
	"       insert.asc, insert.random       1000 inserts in a transaction, into an empty store\n"
	"       insert.asc.many, ...            the same in one call, sop_put_many\n"
	"       scan.next, scan.fetch           all records, as views of a cursor; in packed batches\n"
	"       range100.next, range100.fetch   100 records from a random one on, a transaction each\n"
	"engines: sop\n"
	"         fixed, string: absl::btree_map behind a std::shared_mutex, with inline arrays or\n"
	"                        std::string as keys and values\n"
	"         sorted: binary search in a constant sorted array\n"
	"Ratios are to the faster of the two maps.\n";

/* The cases over one number of records, and what they work on. */
class Bench {
	const Options &options;
	const Data data;
	std::optional<Loaded<Sop>> sop;
	std::optional<Loaded<Fixed>> fixed;
	std::optional<Loaded<String>> string;
	std::optional<Loaded<Sorted>> sorted;

public:
	Results results;

	Bench(const Options &of, size_t items)
	    : options(of), data(items, of.operations, THREADS, of.random_keys)
	{
		results.items = items;
		load(sop);
		load(fixed);
		load(string);
		load(sorted);
		add_gets();
		add_updates();
		add_inserts();
		add_scans();
	}

	void run()
	{
		run_cases(results.cases, options.repetitions, options.progress);
	}

private:
	template <class Engine> void load(std::optional<Loaded<Engine>> &loaded)
	{
		if (in_list(options.engines, Engine::NAME, false))
			loaded.emplace(data);
	}

	/* A new case, unless the user wants others only. `operations` are those of one thread. */
	Case *add(const char *name, int threads, const char *unit, size_t operations)
	{
		Case one;

		if (!in_list(options.only, name, true))
			return nullptr;
		one.name = name;
		one.threads = threads;
		one.unit = unit;
		one.operations = (double)operations * threads;
		results.cases.push_back(one);
		return &results.cases.back();
	}

	template <class Engine, class Work>
	void read(Case *one, std::optional<Loaded<Engine>> &loaded, Work work)
	{
		const int threads = one->threads;

		if (loaded)
			one->engines[Engine::NAME] = [this, &loaded, threads, work](int) {
				return timed(options.clock, loaded->engine, threads, work);
			};
	}

	/* A workload of reads: `sop_work` on SOP, `work` on the others. */
	template <class SopWork, class Work>
	void reads(const char *name, const char *unit, size_t operations, double goal,
		   SopWork sop_work, Work work)
	{
		for (int threads = 1; threads <= THREADS; threads++) {
			Case *one = add(name, threads, unit, operations);

			if (one == nullptr)
				return;
			one->goal = goal;
			one->speedup_goal = 1.9;
			read(one, sop, sop_work);
			read(one, fixed, work);
			read(one, string, work);
			read(one, sorted, work);
		}
	}

	void add_gets()
	{
		const size_t count = options.operations / GROUP * GROUP;
		const auto get1 = [this, count](auto &session, int thread) {
			gets(session, data, data.picks[(size_t)thread].data(), count, 1);
		};
		const auto get100 = [this, count](auto &session, int thread) {
			gets(session, data, data.picks[(size_t)thread].data(), count, GROUP);
		};

		reads("get1.renew", "gets", count, 0.65, get1, get1);
		reads(
			"get1.read", "gets", count, 0.65,
			[this, count](Sop::Session &session, int thread) {
				const uint32_t *picks = data.picks[(size_t)thread].data();

				for (size_t i = 0; i < count; i++)
					session.read_one(data.keys[picks[i]], picks[i]);
			},
			get1);
		reads("get100", "gets", count, 0, get100, get100);
		reads(
			"get100.many", "gets", count, 0,
			[this, count](Sop::Session &session, int thread) {
				const uint32_t *picks = data.picks[(size_t)thread].data();

				for (size_t i = 0; i < count; i += GROUP) {
					session.read_begin();
					session.get_many(data, picks + i, GROUP);
					session.read_end();
				}
			},
			get100);
	}

	template <class Engine>
	void update(Case *one, std::optional<Loaded<Engine>> &loaded, size_t count, size_t group)
	{
		const int threads = one->threads;

		if (loaded)
			one->engines[Engine::NAME] = [this, &loaded, threads, count, group](int) {
				return measure_updates(options.clock, *loaded, data, threads, count,
						       group);
			};
	}

	void add_updates()
	{
		const size_t count = options.operations / 2 / GROUP * GROUP;

		for (const size_t group : { (size_t)1, GROUP }) {
			for (int threads = 1; threads <= THREADS; threads++) {
				Case *one = add(group == 1 ? "update1" : "update100", threads,
						"puts", count);

				if (one == nullptr)
					continue;
				update(one, sop, count, group);
				update(one, fixed, count, group);
				update(one, string, count, group);
			}
		}
	}

	/* Work on a new, empty engine, which is compared and measured afterwards. */
	template <class Engine, class Work>
	void fresh(Case *one, const std::optional<Loaded<Engine>> &wanted, Work work)
	{
		const int threads = one->threads;
		const std::string name = one->name;

		if (wanted)
			one->engines[Engine::NAME] = [this, name, threads, work](int) {
				Engine engine;
				const double seconds = timed(options.clock, engine, threads, work);

				if (threads == 1)
					results.bytes_per_item[name][Engine::NAME] =
						(double)engine.memory_bytes() / (double)data.items();
				compare(engine, data, std::vector<uint32_t>(data.items()));
				return seconds;
			};
	}

	template <class SopWork, class Work>
	void add_insert(const char *name, SopWork sop_work, Work work)
	{
		for (int threads = 1; threads <= THREADS; threads++) {
			Case *one = add(name, threads, "puts", data.items() / (size_t)threads);
			const auto with = [threads](auto kind) {
				return [threads, kind](auto &session, int thread) {
					kind(session, thread, threads);
				};
			};

			if (one == nullptr)
				return;
			fresh(one, sop, with(sop_work));
			fresh(one, fixed, with(work));
			fresh(one, string, with(work));
		}
	}

	void add_inserts()
	{
		for (const bool random : { false, true }) {
			const uint32_t *order = random ? data.shuffled.data() : nullptr;
			const auto one_by_one = [this, order](auto &session, int thread, int threads) {
				inserts(session, data, order, thread, threads);
			};
			const auto packed = [this, order](Sop::Session &session, int thread, int threads) {
				inserts_packed(session, data, order, thread, threads);
			};

			add_insert(random ? "insert.random" : "insert.asc", one_by_one, one_by_one);
			add_insert(random ? "insert.random.many" : "insert.asc.many", packed, one_by_one);
		}
	}

	void add_scans()
	{
		const size_t passes = std::max((size_t)1, 4 * options.operations / data.items());
		const size_t count = options.operations / 10;
		const auto all = [this, passes](auto walk) {
			return [this, passes, walk](auto &session, int) {
				scan_all(session, data, passes, walk);
			};
		};
		const auto ranges = [this, count](auto walk) {
			return [this, count, walk](auto &session, int thread) {
				scan_ranges(session, data, data.picks[(size_t)thread].data(), count, walk);
			};
		};

		reads("scan.next", "items", passes * data.items(), 0.50, all(ByViews()), all(ByViews()));
		reads("scan.fetch", "items", passes * data.items(), 0.50, all(ByBatches()),
		      all(ByViews()));
		reads("range100.next", "scans", count, 0, ranges(ByViews()), ranges(ByViews()));
		reads("range100.fetch", "scans", count, 0, ranges(ByBatches()), ranges(ByViews()));
	}
};

Options parse(int argc, char **argv)
{
	CommandLine line("bench_memory", HELP, argc, argv);
	Options options;

	while (line.next()) {
		if (line.is("--items")) {
			options.items = line.number(BATCH * THREADS);
		} else if (line.is("--operations")) {
			options.operations = line.number(BATCH);
		} else if (line.is("--repetitions")) {
			options.repetitions = (int)line.number(1);
		} else if (line.is("--quick")) {
			options.items = options.operations = 200000;
			options.repetitions = 3;
		} else if (line.is("--cpu")) {
			options.clock = Clock::CPU;
		} else if (line.is("--random-keys")) {
			options.random_keys = true;
		} else if (line.is("--only")) {
			options.only = line.value();
		} else if (line.is("--engines")) {
			options.engines = line.value();
		} else if (line.is("--url")) {
			Sop::url = line.value();
		} else if (line.is("--scaling")) {
			options.scaling = true;
		} else if (line.is("--large")) {
			options.large = true;
		} else if (line.is("--json")) {
			options.json = line.value();
		} else {
			line.unknown();
		}
	}
	if (options.scaling && options.only.empty())
		options.only = SCALING_CASES;
	if (options.scaling && options.engines.empty())
		options.engines = "sop,fixed";
	return options;
}

/* What was measured with what, as members of a JSON object. */
std::string about(const Options &options)
{
	return std::string("\"library\":\"") + sop_version() + "\",\"compiler\":\"" + __VERSION__ +
	       "\",\"processors\":" + std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) +
	       ",\"key_bytes\":" + std::to_string(KEY_BYTES) +
	       ",\"value_bytes\":" + std::to_string(VALUE_BYTES) + ",\"keys\":\"" +
	       (options.random_keys ? "random" : "digits") + "\",\"clock\":\"" +
	       (options.clock == Clock::CPU ? "cpu" : "wall") + "\"";
}

} // namespace

int main(int argc, char **argv)
{
	const Report report = { Sop::NAME,
				{ Fixed::NAME, String::NAME },
				{ Sop::NAME, Fixed::NAME, String::NAME, Sorted::NAME } };
	const Options options = parse(argc, argv);
	std::vector<Results> runs;

	std::printf("SOP %s: %zu-byte keys, %zu-byte values, %d repetitions\n", sop_version(),
		    KEY_BYTES, VALUE_BYTES, options.repetitions);
	for (const size_t items : options.sizes()) {
		Bench bench(options, items);

		bench.run();
		runs.push_back(bench.results);
		std::printf("\n%zu records\n", items);
		report.rates(runs.back());
		report.speedups(runs.back());
		report.memory(runs.back());
	}
	if (options.scaling)
		report.curve(runs);
	if (!options.json.empty())
		report.json(options.json, about(options), runs);
	return 0;
}
