/* What rows work with: databases in folders of their own, threads, clocks, and what was measured. */
#ifndef BENCH_LAB_H
#define BENCH_LAB_H

#include "engine.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

constexpr int READERS = 2;
constexpr int WRITERS = 16;
constexpr size_t GROUP = 100; /* gets, overwrites in a transaction; items in a range scan */
constexpr size_t BATCH = 1000; /* puts in a commit of the bulk rows */

struct Options {
	std::vector<size_t> items = { 1000000 };
	double seconds = 2; /* of a row that has no natural end */
	int repetitions = 3;
	size_t cache_bytes = (size_t)1 << 30;
	bool random_keys = false;
	bool processor_time = false; /* of the slowest thread, in place of the time that has passed */
	bool progress = false;
	std::string parent = "."; /* where the folder of the run is made */
	std::string rows; /* those whose name begins with one of these, separated by commas; empty: all */
	std::vector<Kind> engines;
	std::vector<std::string> command; /* of this process */
	std::string json; /* file */
	std::string plant; /* a fault, to see that it is found */
	std::vector<std::pair<std::string, std::string>> sop_options;
};

double now_seconds();

/* The time that a row has. */
class Until {
	const double end;

public:
	explicit Until(double seconds) : end(now_seconds() + seconds)
	{
	}
	bool over() const
	{
		return now_seconds() >= end;
	}
};

/* Operations that were done, and the seconds that they took. */
struct Done {
	uint64_t operations = 0;
	double seconds = 0;
};

/* What a thread of a row does; returns how many operations. */
using Work = std::function<uint64_t(Session &session, int thread)>;

/* What this process has written so far; 0 where the system does not tell. */
struct Written {
	uint64_t called = 0; /* bytes handed to write, pwrite and so on; not what goes through a map */
	/* Bytes that the kernel owes or gave to storage. It counts what it makes dirty in its cache, which may be far more
	 * than a page where the file system caches in large folios. */
	uint64_t stored = 0;

	static Written now();
};

/* A database in a folder of its own, which goes with it. */
class Database {
	const Kind &kind;
	Setup setup;
	std::string fault; /* see plant() */
	std::unique_ptr<Engine> open;

public:
	Database(const Kind &of, const Options &options, const std::string &place, bool durable);
	/* One that is there, durable; only a process that dies may have it so. */
	Database(const Kind &of, const Options &options, const std::string &folder);
	Database(const Database &) = delete;
	Database &operator=(const Database &) = delete;
	~Database();

	Engine &engine()
	{
		return *open;
	}
	const std::string &folder() const
	{
		return setup.folder;
	}
	void close()
	{
		open.reset();
	}
	void reopen();
	/* Lets the file system finish what it has of it. */
	void settle() const;
	/* That its files take: what is preallocated counts, holes do not. */
	double megabytes() const;
	/* Puts every record that is not GONE. */
	void load(const Data &data, const Generations &generations);
	/* Closes it and opens it again, which ends what loading has left for later, and reads all of it. */
	void rest(const Data &data, const Generations &generations);
};

/* "commit1", 16 -> "commit1 x16" */
inline std::string title_of(const std::string &name, int threads)
{
	return threads == 1 ? name : name + " x" + std::to_string(threads);
}

/* A row of the table. */
struct Row {
	std::string name;
	int threads;
	const char *unit; /* of the rate, such as "gets" */
	std::function<Done(const Kind &kind)> measure;
	bool of_persistent; /* it has no meaning for engines in memory */
	std::map<std::string, std::vector<double>> rates; /* by engine: operations a second, by repetition */

	std::string title() const
	{
		return title_of(name, threads);
	}
};

/* Everything measured with one number of records. */
struct Results {
	size_t items = 0;
	std::vector<Row> rows;
	/* What else was measured: by what it is, by engine, by repetition. The less the better. */
	std::map<std::string, std::map<std::string, std::vector<double>>> figures;
};

/* The rows and the databases they share. */
class Lab {
	std::map<std::pair<std::string, const Data *>, std::unique_ptr<Database>> loaded_databases;

public:
	const Options &options;
	const std::string place; /* folder of the run */
	const Data small, large;
	Results results;

	Lab(const Options &of, const std::string &folder, size_t items);

	/* Adds a row, unless the user wants others only. */
	void add(const std::string &name, int threads, const char *unit,
		 std::function<Done(const Kind &)> measure);
	void figure(const std::string &what, const Kind &kind, double value)
	{
		results.figures[what][kind.name].push_back(value);
	}
	/* One that only persistent engines have. */
	void add_persistent(const std::string &name, const char *unit,
			    std::function<Done(const Kind &)> measure);
	/* Bytes written since `before` for each byte of `records`. */
	void written(const std::string &row, const Kind &kind, const Written &before,
		     const Data &data, uint64_t records);
	/* A database that holds all records and is only read. */
	Database &loaded(const Kind &kind, const Data &data);
	/* Runs work(session, thread) in `threads` threads that begin together, each with its own session. */
	Done run_threads(Engine &engine, const Data &data, int threads, const Work &work) const;
	/* Measures every row with every engine, again and again. */
	void run();
};

/* Calls step(place in `picks`), which uses `width` of them, until the time is over; returns how often. */
template <class Step>
uint64_t along(const std::vector<uint32_t> &picks, size_t width, double seconds, Step step)
{
	const Until until(seconds);
	uint64_t steps = 0;
	size_t at = 0;

	for (; !until.over(); steps++, at += width) {
		if (at + width > picks.size())
			at = 0;
		step(picks.data() + at);
	}
	return steps;
}

/* Compares everything in a database with what was committed, closes it, opens it again and compares once more.
 * Calls `closed` in between, and `opened` when it is open again: then nothing is owed any more, since some engines write
 * at opening what others write at closing. */
void prove(Database &database, const Kind &kind, const Data &data, const Generations &generations,
	   const std::function<void()> &closed, const std::function<void()> &opened);

/* The groups of rows, each in its own file. */
void add_bulk_rows(Lab &lab);
void add_read_rows(Lab &lab);
void add_write_rows(Lab &lab);
void add_mixed_rows(Lab &lab);
void add_counter_rows(Lab &lab);
void add_recovery_rows(Lab &lab);

/* What the process does that the row `recover` starts: overwrites records of the database in `folder`, says how many
 * commits that were, and ends without closing it. */
[[noreturn]] void update_and_die(const Options &options, const std::string &folder);

/* `engine`, whose sessions do something wrong: see plant.cc. What FORGETS is an engine in memory that is said to be
 * persistent. */
constexpr char FORGETS[] = "forgets";
std::unique_ptr<Engine> plant(const std::string &fault, std::unique_ptr<Engine> engine);

#endif
