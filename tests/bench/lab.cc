/* Threads, folders, and the order in which engines take turns. */
#include "lab.h"
#include "options.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thread>
#include <time.h>
#include <unistd.h>

namespace {

constexpr size_t PICKS_MAX = 1 << 20; /* of each reading thread */
constexpr size_t PICKS_EACH = 10; /* for each record */
constexpr size_t LARGE_SHARE = 5; /* there are so many times fewer records with large values */
constexpr size_t WARM_BYTES = 400; /* for each record: about what engines and the system use for it */
constexpr double MB = 1e6;

/* Lets the file system finish what is behind it: loading and removing would otherwise slow down the
 * flushes of whoever is measured next. */
void settle_folder(const std::string &folder)
{
	const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (descriptor < 0 || syncfs(descriptor) != 0) {
		std::perror(folder.c_str());
		std::exit(2);
	}
	close(descriptor);
}

/* Takes memory, touches it and gives it back. A host takes the memory that its virtual machine does not use, and giving it
 * again costs more than clearing it: whoever comes first would pay for that, and those after it find it there. */
void warm_memory(size_t items)
{
	const size_t quarter = (size_t)sysconf(_SC_PHYS_PAGES) / 4 * (size_t)sysconf(_SC_PAGESIZE);
	const size_t bytes = std::min(items * WARM_BYTES, quarter);
	void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return;
	(void)madvise(memory, bytes, MADV_HUGEPAGE);
	std::memset(memory, 1, bytes);
	(void)munmap(memory, bytes);
}

std::string next_folder(const std::string &place, const char *name)
{
	static int number = 0;

	return place + "/" + name + std::to_string(number++);
}

double seconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

size_t picks(size_t items)
{
	return std::min(PICKS_MAX, PICKS_EACH * items);
}

void compare(Engine &engine, const Data &data, const Generations &generations)
{
	Expected expected(data, 0, &generations, false);

	engine.session(data)->scan(0, SIZE_MAX, expected);
	expected.expect_end(data.items());
}

} // namespace

double now_seconds()
{
	return seconds_of(CLOCK_MONOTONIC);
}

Done Lab::run_threads(Engine &engine, const Data &data, int threads, const Work &work) const
{
	const clockid_t clock = options.processor_time ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
	std::atomic<int> ready{ 0 };
	std::atomic<bool> go{ false };
	std::atomic<uint64_t> operations{ 0 };
	std::vector<double> seconds((size_t)threads);
	std::vector<std::thread> running;
	Done done;

	for (int thread = 0; thread < threads; thread++)
		running.emplace_back([&, thread] {
			const std::unique_ptr<Session> session = engine.session(data);

			ready++;
			while (!go.load(std::memory_order_acquire))
				std::this_thread::yield();
			const double begin = seconds_of(clock);

			operations += work(*session, thread);
			seconds[(size_t)thread] = seconds_of(clock) - begin;
		});
	while (ready.load() < threads)
		std::this_thread::yield();
	go.store(true, std::memory_order_release);
	for (auto &thread : running)
		thread.join();
	for (const double one : seconds)
		done.seconds = std::max(done.seconds, one);
	done.operations = operations;
	return done;
}

Written Written::now()
{
	std::FILE *file = std::fopen("/proc/self/io", "r");
	Written written;
	char line[128];

	while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
		std::sscanf(line, "wchar: %" SCNu64, &written.called);
		std::sscanf(line, "write_bytes: %" SCNu64, &written.stored);
	}
	if (file != nullptr)
		std::fclose(file);
	return written;
}

Database::Database(const Kind &of, const Options &options, const std::string &place, bool durable)
    : kind(of)
{
	setup.folder = next_folder(place, kind.name);
	setup.durable = durable;
	setup.cache_bytes = options.cache_bytes;
	setup.options = options.sop_options;
	fault = options.plant;
	std::filesystem::create_directory(setup.folder);
	reopen();
}

Database::Database(const Kind &of, const Options &options, const std::string &folder) : kind(of)
{
	setup.folder = folder;
	setup.cache_bytes = options.cache_bytes;
	setup.options = options.sop_options;
	fault = options.plant;
	reopen();
}

Database::~Database()
{
	const std::filesystem::path folder = setup.folder;

	open.reset();
	std::filesystem::remove_all(folder);
	if (kind.persistent)
		settle_folder(folder.parent_path());
}

void Database::reopen()
{
	open = plant(fault, kind.open(setup));
}

double Database::megabytes() const
{
	double bytes = 0;

	for (const auto &entry : std::filesystem::recursive_directory_iterator(setup.folder)) {
		struct stat about;

		if (lstat(entry.path().c_str(), &about) == 0)
			bytes += (double)about.st_blocks * 512;
	}
	return bytes / MB;
}

void Database::load(const Data &data, const Generations &generations)
{
	const std::unique_ptr<Session> session = open->session(data);
	Batch batch(data, true);

	for (size_t index = 0; index < data.items(); index++) {
		if (generations[index] != GONE)
			batch.add((uint32_t)index, generations[index]);
		if (batch.size() == BATCH || index + 1 == data.items()) {
			session->put(batch);
			batch.clear();
		}
	}
	if (kind.persistent)
		settle();
}

void Database::rest(const Data &data, const Generations &generations)
{
	if (!kind.persistent)
		return;
	close();
	reopen();
	compare(*open, data, generations);
	settle();
}

void Database::settle() const
{
	settle_folder(setup.folder);
}

void prove(Database &database, const Kind &kind, const Data &data, const Generations &generations,
	   const std::function<void()> &closed, const std::function<void()> &opened)
{
	compare(database.engine(), data, generations);
	if (!kind.persistent)
		return;
	database.close();
	closed();
	database.reopen();
	opened();
	compare(database.engine(), data, generations);
}

Lab::Lab(const Options &of, const std::string &folder, size_t items)
    : options(of), place(folder), small(items, VALUE_BYTES, picks(items), READERS, of.random_keys),
      large(std::max(items / LARGE_SHARE, BATCH), LARGE_VALUE_BYTES, picks(items), 1, of.random_keys)
{
	results.items = items;
	add_bulk_rows(*this);
	add_read_rows(*this);
	add_write_rows(*this);
	add_mixed_rows(*this);
	add_counter_rows(*this);
	add_recovery_rows(*this);
}

void Lab::add(const std::string &name, int threads, const char *unit,
	      std::function<Done(const Kind &)> measure)
{
	if (in_list(options.rows, name, true))
		results.rows.push_back({ name, threads, unit, std::move(measure), false, {} });
}

void Lab::add_persistent(const std::string &name, const char *unit,
			 std::function<Done(const Kind &)> measure)
{
	const size_t before = results.rows.size();

	if (std::any_of(options.engines.begin(), options.engines.end(),
			[](const Kind &kind) { return kind.persistent; }))
		add(name, 1, unit, std::move(measure));
	if (results.rows.size() > before)
		results.rows.back().of_persistent = true;
}

void Lab::written(const std::string &row, const Kind &kind, const Written &before, const Data &data,
		  uint64_t records)
{
	const Written now = Written::now();
	const double bytes = (double)(records * data.record_bytes());

	if (!kind.persistent || now.stored == 0 || records == 0)
		return;
	figure(row + ": bytes to write(2) for a byte", kind, (double)(now.called - before.called) / bytes);
	figure(row + ": bytes to storage for a byte", kind, (double)(now.stored - before.stored) / bytes);
}

Database &Lab::loaded(const Kind &kind, const Data &data)
{
	auto &held = loaded_databases[{ kind.name, &data }];

	if (held == nullptr) {
		held = std::make_unique<Database>(kind, options, place, true);
		held->load(data, Generations(data.items()));
	}
	return *held;
}

/* Who begins changes with the repetition, so that nobody always comes after the same other one. */
void Lab::run()
{
	const size_t count = options.engines.size();

	for (int repetition = 0; repetition < options.repetitions; repetition++) {
		for (auto &row : results.rows) {
			for (size_t turn = 0; turn < count; turn++) {
				const Kind &kind = options.engines[(turn + (size_t)repetition) % count];

				if (row.of_persistent && !kind.persistent)
					continue;
				if (options.progress)
					std::fprintf(stderr, "\r%d/%d %-20s %-12s", repetition + 1,
						     options.repetitions, row.title().c_str(),
						     kind.name);
				warm_memory(results.items);
				const Done done = row.measure(kind);

				row.rates[kind.name].push_back((double)done.operations / done.seconds);
			}
		}
	}
	if (options.progress)
		std::fprintf(stderr, "\r%-60s\r", "");
}
