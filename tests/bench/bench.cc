/* This library beside LMDB, RocksDB, SQLite, Berkeley DB and WiredTiger, each with the same durability.
 *
 * Every value that is read is checked in full, by the same code for all; after every row that writes, the
 * database is compared with what was committed, closed, opened again and compared once more. Engines take
 * turns; medians, and ratios within a repetition, count: single times do not. See --help for what there is. */
#include "options.h"
#include "report.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>

namespace {

constexpr size_t CACHE_MB_LEAST = 16;

const char HELP[] =
	"usage: bench [OPTION]...\n"
	"  --items N[,N...]  records (1000000); with several, all is measured with each and a curve is shown\n"
	"  --milliseconds N  how long a row runs that has no natural end (2000)\n"
	"  --repetitions N   how often everything is measured (3)\n"
	"  --quick           50000 records, 150 milliseconds\n"
	"  --cache-mb N      of every engine that has a cache (1024)\n"
	"  --cpu             count the processor time of the slowest thread: for rows that only read, on a machine that\n"
	"                    is busy with other work; blind for waiting\n"
	"  --random-keys     16 random bytes as keys instead of 16 digits\n"
	"  --dir DIR         where a folder is made for the run and removed at its end (.)\n"
	"  --rows A,B        only rows whose names begin with A or B\n"
	"  --engines A,B     only these; ratios are of the first one, in their order here\n"
	"  --memory          the same as --engines memory,map\n"
	"  --sop NAME=VALUE  an option of the library, such as node_bytes=8192; may be repeated\n"
	"  --json FILE       write all figures to FILE, too\n"
	"  --plant FAULT     let engines do something wrong, to see that it is found: loses-puts, loses-overwrites,\n"
	"                    flips-bits, keeps, skips-additions, forgets\n"
	"  --help            this text\n"
	"\n"
	"rows: bulk_seq, bulk_rand   1000 puts in a commit, into an empty database\n"
	"      get_rand, get_zipf    one get in a transaction; get_rand by 1 and by 2 threads\n"
	"      get_rand100           100 gets in a transaction\n"
	"      get_many100           the same in one call, where there is such a call\n"
	"      scan_full             all records in a transaction\n"
	"      scan_range100         100 records from a random one on in a transaction\n"
	"      commit1               one overwrite in a commit, 1 and 16 threads\n"
	"      update_rand           100 overwrites in a commit\n"
	"      delete_rand           100 removals in a commit\n"
	"      ycsb_a, b, c, e, f    zipfian, 2 threads, each operation a transaction: 50, 95 and 100 gets in 100\n"
	"                            operations, the others overwrites; 95 scans of 1 to 100 and 5 inserts, not durable;\n"
	"                            50 gets and 50 that read a record and change it\n"
	"      counters              16 threads, 64 keys: each commit reads one and writes 1 more\n"
	"      counters_add          the same with an addition that needs no reading, where there is one\n"
	"      counters_nosync       counters, not durable\n"
	"      open                  a closed database: opening it and one get; the system has its files in its cache\n"
	"      recover               one whose process died behind 128 MB of overwrites, 1000 in a commit: opening it and\n"
	"                            one get\n"
	"      ..._1k                the same with values of 1024 bytes, and a fifth of the records\n"
	"engines of this build:";

void print_help()
{
	std::fputs(HELP, stdout);
	for (const auto &kind : kinds())
		std::printf(" %s", kind.name);
	std::printf("\n");
}

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
	place = parent + "/bench.XXXXXX";
	if (mkdtemp(place.data()) == nullptr) {
		std::perror(place.c_str());
		std::exit(2);
	}
	std::atexit(remove_place);
}

/* The engines of `list`, in our order; all that are on disk by default if it is empty. */
std::vector<Kind> choose(const std::string &list, const std::string &fault)
{
	std::vector<Kind> chosen;

	for (const auto &kind : kinds()) {
		const bool on_its_own = !kind.persistent || std::string(kind.name) == "lmdb-map";

		if (list.empty() ? on_its_own : !in_list(list, kind.name, false))
			continue;
		chosen.push_back(kind);
		chosen.back().persistent |= fault == FORGETS;
	}
	for (const std::string &name : words_of(list)) {
		if (std::none_of(chosen.begin(), chosen.end(),
				 [&](const Kind &kind) { return name == kind.name; })) {
			std::fprintf(stderr, "bench: this build has no engine %s\n", name.c_str());
			std::exit(2);
		}
	}
	return chosen;
}

std::vector<size_t> numbers(CommandLine &line, size_t least)
{
	std::vector<size_t> numbers;

	for (const std::string &word : words_of(line.value()))
		numbers.push_back(line.to_number(word, least));
	return numbers;
}

/* `dying`: the folder of the database in which this process is to die; empty: none. */
Options parse(int argc, char **argv, std::string &dying)
{
	CommandLine line("bench", print_help, argc, argv);
	Options options;
	std::string engines;

	options.command.assign(argv, argv + argc);
	options.progress = isatty(2) != 0;
	while (line.next()) {
		if (line.is("--items")) {
			options.items = numbers(line, BATCH);
		} else if (line.is("--milliseconds")) {
			options.seconds = (double)line.number(1) / 1e3;
		} else if (line.is("--repetitions")) {
			options.repetitions = (int)line.number(1);
		} else if (line.is("--quick")) {
			options.items = { 50000 };
			options.seconds = 0.15;
		} else if (line.is("--cache-mb")) {
			options.cache_bytes = line.number(CACHE_MB_LEAST) << 20;
		} else if (line.is("--random-keys")) {
			options.random_keys = true;
		} else if (line.is("--cpu")) {
			options.processor_time = true;
		} else if (line.is("--dir")) {
			options.parent = line.value();
		} else if (line.is("--rows")) {
			options.rows = line.value();
		} else if (line.is("--engines")) {
			engines = line.value();
		} else if (line.is("--memory")) {
			engines = "memory,map";
		} else if (line.is("--sop")) {
			options.sop_options.push_back(line.pair());
		} else if (line.is("--json")) {
			options.json = line.value();
		} else if (line.is("--die-in")) { /* for the row `recover` alone, so no word about it in the help */
			dying = line.value();
		} else if (line.is("--plant")) {
			options.plant = line.value();
		} else {
			line.unknown();
		}
	}
	options.engines = choose(engines, options.plant);
	return options;
}

} // namespace

int main(int argc, char **argv)
{
	std::string dying;
	const Options options = parse(argc, argv, dying);
	const Report report(options);
	std::vector<Results> runs;

	if (!dying.empty())
		update_and_die(options, dying);
	make_place(options.parent);
	report.head();
	for (const size_t items : options.items) {
		Lab lab(options, place, items);

		lab.run();
		report.tables(lab.results);
		std::fflush(stdout);
		runs.push_back(lab.results);
	}
	if (runs.size() > 1)
		report.curve(runs);
	if (!options.json.empty())
		report.json(runs);
	return 0;
}
