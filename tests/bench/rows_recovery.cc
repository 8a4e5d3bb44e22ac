/* From opening a database to its first answer: one that was closed, and one whose process died. */
#include "lab.h"
#include "options.h"

#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr size_t DYING_BYTES = (size_t)128 << 20; /* of records that are overwritten before a process dies */
constexpr double DYING_TIMES = 10; /* so many times what a row has, no longer */

/* What the commits of one that dies overwrite: the same in every process. */
class Overwrites {
	Random random{ 7 };

public:
	/* Calls write(index, generation) for each record of the next commit. */
	template <class Write> void next(const Data &data, uint32_t generation, Write write)
	{
		for (size_t i = 0; i < BATCH; i++)
			write(random.below(data.items()), generation);
	}
};

/* Opens it and reads one record, which has `generation`; returns the seconds. */
double time_to_first_get(Database &database, const Data &data, uint32_t index, uint32_t generation)
{
	const double begin = now_seconds();

	database.reopen();
	if (database.engine().session(data)->get(index) != generation)
		fail("opening shows another generation", index);
	return now_seconds() - begin;
}

Done open_closed(Lab &lab, const Data &data, const Kind &kind)
{
	Database &database = lab.loaded(kind, data);
	const Until until(lab.options.seconds);
	Done done;

	do {
		database.close();
		done.seconds += time_to_first_get(
			database, data, data.uniform[0][done.operations % data.uniform[0].size()], 0);
		done.operations++;
	} while (!until.over());
	return done;
}

/* The command of this process, which ends as the one that dies. Never returns. */
[[noreturn]] void become(const std::vector<std::string> &command)
{
	std::vector<char *> words;

	for (const std::string &word : command)
		words.push_back(const_cast<char *>(word.c_str()));
	words.push_back(nullptr);
	execv("/proc/self/exe", words.data());
	_exit(127);
}

/* What a process writes that is to tell how many commits it made; ends the program if it did not end well. */
uint32_t commits_told(pid_t child, int from)
{
	std::FILE *answer = fdopen(from, "r");
	unsigned commits = 0;
	int status = 0;
	const bool told = answer != nullptr && std::fscanf(answer, "%u", &commits) == 1;

	if (answer != nullptr)
		std::fclose(answer);
	if (waitpid(child, &status, 0) != child || status != 0 || !told) {
		std::fprintf(stderr, "bench: the process that was to die told no number of commits\n");
		std::exit(1);
	}
	return commits;
}

/* Has another process open the database, overwrite records and die; returns how many commits it made. */
uint32_t let_die(const Lab &lab, const Kind &kind, const std::string &folder)
{
	std::vector<std::string> command = lab.options.command;
	int ends[2];

	for (const std::string &word :
	     { std::string("--engines"), std::string(kind.name), std::string("--items"),
	       std::to_string(lab.results.items), std::string("--die-in"), folder })
		command.push_back(word);
	std::fflush(nullptr);
	const pid_t child = pipe(ends) == 0 ? fork() : -1;

	if (child < 0) {
		std::perror("bench: no process can be made");
		std::exit(2);
	}
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		become(command);
	}
	close(ends[1]);
	return commits_told(child, ends[0]);
}

Done open_dead(Lab &lab, const Data &data, const Kind &kind)
{
	Generations generations(data.items());
	Database database(kind, lab.options, lab.place, true);
	Overwrites overwrites;
	uint32_t last = 0;
	Done done;

	database.load(data, generations);
	database.close();
	const uint32_t commits = let_die(lab, kind, database.folder());

	for (uint32_t generation = 1; generation <= commits; generation++)
		overwrites.next(data, generation, [&](uint32_t index, uint32_t of) {
			generations[index] = of;
			last = index;
		});
	database.settle();
	lab.figure("recover: MB on disk before", kind, database.megabytes());
	done.seconds = time_to_first_get(database, data, last, commits);
	done.operations = 1;
	prove(
		database, kind, data, generations, [] {}, [] {});
	return done;
}

} // namespace

void update_and_die(const Options &options, const std::string &folder)
{
	const Data data(options.items[0], VALUE_BYTES, 0, 0, options.random_keys);
	Database database(options.engines[0], options, folder);
	const Until until(DYING_TIMES * options.seconds);
	const size_t commits = DYING_BYTES / data.record_bytes() / BATCH;
	const std::unique_ptr<Session> session = database.engine().session(data);
	Overwrites overwrites;
	Batch batch(data);
	uint32_t generation = 0;

	while (generation < commits && !until.over()) {
		batch.clear();
		overwrites.next(data, ++generation,
				[&](uint32_t index, uint32_t of) { batch.add(index, of); });
		session->put(batch);
	}
	std::printf("%u\n", (unsigned)generation);
	std::fflush(stdout);
	_exit(0);
}

void add_recovery_rows(Lab &lab)
{
	const Data &data = lab.small;

	lab.add_persistent("open", "opens",
			   [&](const Kind &kind) { return open_closed(lab, data, kind); });
	lab.add_persistent("recover", "opens",
			   [&](const Kind &kind) { return open_dead(lab, data, kind); });
}
