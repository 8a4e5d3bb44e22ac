/* SOP on disk beside LMDB and Berkeley DB: every commit is on stable storage before it returns.
 *
 * Every value that is read is checked in full, by the same code for all; after every workload that
 * writes, the database is compared with what was committed, closed, opened again and compared once
 * more. Engines take turns; medians, and ratios within a repetition, count: single times do not. See
 * --help for what there is. */
#include "data.h"
#include "engine_bdb.h"
#include "engine_lmdb.h"
#include "engine_sop.h"
#include "options.h"
#include "report.h"
#include "runner.h"
#include "workloads_durable.h"

#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <unistd.h>
#include <utility>

namespace {

constexpr int READERS = 2;
constexpr int WRITERS = 16;
constexpr size_t PICKS = 1 << 20; /* of each reading thread */
constexpr size_t MB = 1000000;

struct Options {
	size_t items = 200000;
	double seconds = 2; /* of a workload that has no natural end */
	int repetitions = 3;
	bool progress = isatty(2) != 0;
	std::string parent = "."; /* where the folder of the run is made */
	std::string rows; /* run rows whose name begins with one of these, separated by commas */
	std::string engines; /* run these engines, separated by commas; all if empty */
	std::string json; /* file */
};

const char HELP[] =
	"usage: bench_durable [OPTION]...\n"
	"  --items N         records (200000)\n"
	"  --milliseconds N  how long a workload runs that has no natural end (2000)\n"
	"  --repetitions N   how often everything is measured (3)\n"
	"  --quick           20000 records, 200 milliseconds\n"
	"  --dir DIR         where a folder is made for the run and removed at its end (.)\n"
	"  --rows A,B        only rows whose names begin with A or B\n"
	"  --engines A,B     only these of sop, lmdb, bdb\n"
	"  --sop-url URL     what sop opens, such as inmemory: or inredfs:@/db?cache_bytes=256MB;\n"
	"                    @ stands for its folder (@/db)\n"
	"  --json FILE       write all figures to FILE, too\n"
	"  --help            this text\n"
	"\n"
	"rows: bulk_seq, bulk_rand   1000 puts in a commit, into an empty database\n"
	"      commit1               one overwrite in a commit, 1 and 16 threads\n"
	"      get_rand              one get in a transaction, 1 and 2 threads\n"
	"      get_rand100           100 gets in a transaction\n"
	"      get_many100           the same; sop in one call, sop_get_many\n"
	"      scan_full             all records\n"
	"      scan_range100         100 records from a random one on, a transaction each\n"
	"      update_rand           100 overwrites in a commit\n"
	"      delete_rand           100 removals in a commit\n"
	"      ycsb_a, ycsb_b        50 and 95 gets in 100 operations, the others overwrites in a commit,\n"
	"                            zipfian, 2 threads\n"
	"      counters              16 threads, 64 keys, one addition in a commit\n"
	"engines: sop   sop_put_many for bulk, sop_read, sop_cursor_fetch, sop_add\n"
	"         lmdb  default settings; MDB_APPEND for bulk_seq\n"
	"         bdb   256 MB of cache, a checkpoint every 256 MB of log; scans in bulk\n"
	"Ratios are to the faster of the two others. `bytes to write(2)` are what an engine hands over,\n"
	"`bytes to storage` what the kernel accounts for it: whole folios of its cache, often too much.\n";

/* The folder of the run. */
std::string place;

/* Also at exit(), that is, after a wrong answer. */
void remove_place()
{
	std::error_code ignored;

	std::filesystem::remove_all(place, ignored);
}

void make_place(const std::string &parent)
{
	place = parent + "/bench_durable.XXXXXX";
	if (mkdtemp(place.data()) == nullptr) {
		std::perror(place.c_str());
		std::exit(2);
	}
	std::atexit(remove_place);
}

/* Lets the file system finish what is behind it: loading and removing would otherwise slow down the
 * flushes of whoever is measured next. */
void settle(const std::string &folder)
{
	const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (descriptor < 0 || syncfs(descriptor) != 0) {
		std::perror(folder.c_str());
		std::exit(2);
	}
	close(descriptor);
}

/* A new, empty database in a folder of its own, which goes with it. */
template <class Engine> class Fresh {
	const std::string folder;
	std::unique_ptr<Engine> open;

	static std::string next_folder()
	{
		static int number = 0;

		return place + "/" + Engine::NAME + std::to_string(number++);
	}

public:
	Fresh() : folder(next_folder())
	{
		std::filesystem::create_directory(folder);
		open = std::make_unique<Engine>(folder);
	}
	Fresh(const Fresh &) = delete;
	Fresh &operator=(const Fresh &) = delete;
	~Fresh()
	{
		open.reset();
		std::filesystem::remove_all(folder);
		settle(place);
	}

	Engine &engine()
	{
		return *open;
	}
	void close()
	{
		open.reset();
	}
	void reopen()
	{
		open = std::make_unique<Engine>(folder);
	}
	double megabytes() const
	{
		return (double)bytes_on_disk(folder) / (double)MB;
	}

	void load(const Data &data)
	{
		typename Engine::Session session(*open);

		bulk(session, data, nullptr);
		settle(folder);
	}
};

/* Names an engine where there is no object of it. */
template <class Engine> struct Kind {
	using Type = Engine;
};

/* The rows, and what they work on. */
class Bench {
	const Options &options;
	const Data data;
	const Zipf zipf;
	std::tuple<std::unique_ptr<Fresh<Sop>>, std::unique_ptr<Fresh<Lmdb>>, std::unique_ptr<Fresh<Bdb>>> loaded; /* for reading */

public:
	Results results;

	explicit Bench(const Options &of)
	    : options(of), data(of.items, PICKS, READERS, false), zipf(data)
	{
		results.items = options.items;
		add_bulk("bulk_seq", nullptr);
		add_bulk("bulk_rand", data.shuffled.data());
		add_commits();
		add_reads();
		add_groups();
		add_mixes();
		add_counters();
	}

	void run()
	{
		run_cases(results.cases, options.repetitions, options.progress);
	}

private:
	/* A new row, unless the user wants others only. Its operation is the only one: what engines
	 * measure are seconds for one. */
	Case *add(const char *name, int threads, const char *unit)
	{
		Case one;

		if (!in_list(options.rows, name, true))
			return nullptr;
		one.name = name;
		one.threads = threads;
		one.unit = unit;
		one.operations = 1;
		results.cases.push_back(one);
		return &results.cases.back();
	}

	/* Lets every wanted engine do measure(kind of engine), which returns Done. */
	template <class MeasureKind> void with_engines(Case *one, MeasureKind measure)
	{
		const auto with = [&](auto kind) {
			const char *name = decltype(kind)::Type::NAME;

			if (one != nullptr && in_list(options.engines, name, false))
				one->engines[name] = [kind, measure](int) {
					const Done done = measure(kind);

					return done.seconds / (double)done.operations;
				};
		};

		with(Kind<Sop>());
		with(Kind<Lmdb>());
		with(Kind<Bdb>());
	}

	void figure(const std::string &what, const char *engine, double value)
	{
		results.figures[what][engine].push_back(value);
	}

	void written(const std::string &row, const char *engine, const Written &since, double operations)
	{
		if (since.stored == 0)
			return;
		figure(row + ": bytes to write(2) for one", engine, (double)since.called / operations);
		figure(row + ": bytes to storage for one", engine, (double)since.stored / operations);
	}

	template <class Engine> Engine &loaded_engine()
	{
		auto &held = std::get<std::unique_ptr<Fresh<Engine>>>(loaded);

		if (held == nullptr) {
			held = std::make_unique<Fresh<Engine>>();
			held->load(data);
		}
		return held->engine();
	}

	/* Work on the database that is loaded once and only read. */
	template <class Work> void reads(const char *name, int threads, const char *unit, Work work)
	{
		with_engines(add(name, threads, unit), [this, threads, work](auto kind) {
			using Engine = typename decltype(kind)::Type;

			return counted(this->template loaded_engine<Engine>(), threads, work);
		});
	}

	void add_reads()
	{
		const double seconds = options.seconds;

		for (int threads = 1; threads <= READERS; threads++)
			reads("get_rand", threads, "gets", [this, seconds](auto &session, int thread) {
				return single_gets(session, data, thread, seconds);
			});
		reads("get_rand100", 1, "gets", [this, seconds](auto &session, int thread) {
			return grouped_gets(session, data, thread, seconds);
		});
		reads("get_many100", 1, "gets", [this, seconds](auto &session, int thread) {
			return many_gets(session, data, thread, seconds);
		});
		reads("scan_full", 1, "items", [this, seconds](auto &session, int thread) {
			return full_scans(session, data, thread, seconds);
		});
		reads("scan_range100", 1, "scans", [this, seconds](auto &session, int thread) {
			return range_scans(session, data, thread, seconds);
		});
	}

	/* Compares, and once more after closing and opening. */
	template <class Engine, class Compare> void prove(Fresh<Engine> &fresh, Compare compare)
	{
		compare(fresh.engine());
		if (Engine::persistent()) {
			fresh.close();
			fresh.reopen();
			compare(fresh.engine());
		}
	}

	/* Runs work(session, thread, generations) on a database of its own that holds all records, and
	 * then compares. */
	template <class Work>
	void overwriting(const char *name, int threads, const char *unit, Work work)
	{
		const std::string row = std::string(name) + " x" + std::to_string(threads);

		with_engines(add(name, threads, unit), [=](auto kind) {
			using Engine = typename decltype(kind)::Type;
			std::vector<uint32_t> generations(data.items());
			Fresh<Engine> fresh;

			fresh.load(data);
			const Written before = Written::now();
			const Done done =
				counted(fresh.engine(), threads, [&](auto &session, int thread) {
					return work(session, thread, generations);
				});
			const Written since = Written::now() - before;

			written(row, Engine::NAME, since, (double)done.operations);
			prove(fresh,
			      [&](Engine &engine) { compare_present(engine, data, generations); });
			return done;
		});
	}

	void add_commits()
	{
		const double seconds = options.seconds;

		for (const int threads : { 1, WRITERS })
			overwriting("commit1", threads, "commits",
				    [this, threads, seconds](auto &session, int thread, auto &generations) {
					    return overwrites(session, data, generations, thread,
							      threads, 1, seconds);
				    });
	}

	void add_groups()
	{
		const double seconds = options.seconds;

		overwriting("update_rand", 1, "puts",
			    [this, seconds](auto &session, int thread, auto &generations) {
				    return overwrites(session, data, generations, thread, 1, GROUP,
						      seconds);
			    });
		overwriting("delete_rand", 1, "deletes",
			    [this, seconds](auto &session, int, auto &generations) {
				    return deletes(session, data, generations, seconds);
			    });
	}

	void add_mixes()
	{
		for (const auto &[name, gets] : { std::pair("ycsb_a", 50u), std::pair("ycsb_b", 95u) }) {
			const uint32_t reads = gets;

			overwriting(name, READERS, "operations",
				    [this, reads](auto &session, int thread, auto &generations) {
					    return gets_and_puts(session, data, zipf, generations, thread,
								 READERS, reads, options.seconds);
				    });
		}
	}

	void add_bulk(const std::string &name, const uint32_t *order)
	{
		with_engines(add(name.c_str(), 1, "puts"), [this, name, order](auto kind) {
			using Engine = typename decltype(kind)::Type;
			Fresh<Engine> fresh;
			const Written before = Written::now();
			const Done done = counted(fresh.engine(), 1, [&](auto &session, int) {
				return bulk(session, data, order);
			});
			const Written since = Written::now() - before;

			written(name, Engine::NAME, since, (double)done.operations);
			if (Engine::persistent()) {
				figure(name + ": MB on disk", Engine::NAME, fresh.megabytes());
				fresh.close();
				figure(name + ": MB on disk when closed", Engine::NAME,
				       fresh.megabytes());
				fresh.reopen();
			}
			compare_present(fresh.engine(), data, std::vector<uint32_t>(data.items()));
			return done;
		});
	}

	void add_counters()
	{
		with_engines(add("counters", WRITERS, "commits"), [this](auto kind) {
			using Engine = typename decltype(kind)::Type;
			std::vector<std::atomic<uint64_t>> expected(COUNTERS);
			Fresh<Engine> fresh;
			const Done done = counted(fresh.engine(), WRITERS, [&](auto &session, int thread) {
				return additions(session, data, expected, thread, options.seconds);
			});

			prove(fresh,
			      [&](Engine &engine) { compare_counters(engine, data, expected); });
			return done;
		});
	}
};

Options parse(int argc, char **argv)
{
	CommandLine line("bench_durable", HELP, argc, argv);
	Options options;

	Sop::url = "@/db";
	while (line.next()) {
		if (line.is("--items")) {
			options.items = line.number(BATCH);
		} else if (line.is("--milliseconds")) {
			options.seconds = (double)line.number(1) / 1e3;
		} else if (line.is("--repetitions")) {
			options.repetitions = (int)line.number(1);
		} else if (line.is("--quick")) {
			options.items = 20000;
			options.seconds = 0.2;
		} else if (line.is("--dir")) {
			options.parent = line.value();
		} else if (line.is("--rows")) {
			options.rows = line.value();
		} else if (line.is("--engines")) {
			options.engines = line.value();
		} else if (line.is("--sop-url")) {
			Sop::url = line.value();
		} else if (line.is("--json")) {
			options.json = line.value();
		} else {
			line.unknown();
		}
	}
	return options;
}

/* What was measured with what, as members of a JSON object. */
std::string about(const Options &options)
{
	return "\"libraries\":[\"" + Sop::version() + "\",\"" + Lmdb::version() + "\",\"" +
	       Bdb::version() + "\"],\"compiler\":\"" + __VERSION__ +
	       "\",\"processors\":" + std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) +
	       ",\"key_bytes\":" + std::to_string(KEY_BYTES) +
	       ",\"value_bytes\":" + std::to_string(VALUE_BYTES) +
	       ",\"seconds\":" + std::to_string(options.seconds) + ",\"sop_url\":\"" + Sop::url +
	       "\"" + ",\"sop_durable\":" + (Sop::durable() ? "true" : "false");
}

} // namespace

int main(int argc, char **argv)
{
	const Report report = { Sop::NAME, { Lmdb::NAME, Bdb::NAME }, { Sop::NAME, Lmdb::NAME, Bdb::NAME } };
	const Options options = parse(argc, argv);

	make_place(options.parent);
	std::printf("%s\n%s\n%s\n", Sop::version().c_str(), Lmdb::version().c_str(),
		    Bdb::version().c_str());
	std::printf("%zu records, %zu-byte keys, %zu-byte values, %d repetitions\n", options.items,
		    KEY_BYTES, VALUE_BYTES, options.repetitions);
	if (!Sop::durable())
		std::printf("sop opens %s, NOT DURABLE: its figures compare with nothing here\n",
			    Sop::url.c_str());
	Bench bench(options);

	bench.run();
	report.rates(bench.results);
	report.figures(bench.results);
	if (!options.json.empty())
		report.json(options.json, about(options), { bench.results });
	return 0;
}
