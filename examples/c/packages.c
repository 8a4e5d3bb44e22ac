/* The package index of a Debian machine as a database: loaded into typed stores, queried, changed by several threads at
 * once, verified.
 *
 *   apt-cache dumpavail | packages FOLDER       (without a folder: a small index of its own, in packages.db)
 *
 * Three stores hang together, and every transaction keeps them so:
 *   packages    by section, the largest first: its keys answer "the largest games" without a sort or a value
 *   names       by name: where the package is in `packages`
 *   needed      by name: how many packages depend on it, a counter that never conflicts */
#include <sop/sop.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Leaves the function with the first status that is not OK; `err` of that call says why. */
#define TRY(call)                                                                                  \
	do {                                                                                       \
		const sop_status tried = (call);                                                   \
		if (tried != SOP_OK)                                                               \
			return tried;                                                              \
	} while (0)

#define BATCH 2000 /* packages in a transaction of loading */
#define THREADS 4
#define MOVES 500 /* transactions of each thread */
#define LINE_BYTES 65536
#define TOP 5

/* `essential` rides along: it is in the key, to be read without the value, and never compared. */
static const char SCHEMA[] =
	"{\"v\":1,\"sort\":[{\"n\":\"section\",\"t\":\"str\"},{\"n\":\"size_kb\",\"t\":\"int\",\"desc\":true},"
	"{\"n\":\"name\",\"t\":\"str\"}],\"ride\":[{\"n\":\"essential\",\"t\":\"bool\",\"default\":false}]}";

static const char SAMPLE[] =
	"Package: chess\nSection: games\nInstalled-Size: 420\nDepends: libc6, libx11-6\nVersion: 1.2\n\n"
	"Package: go\nSection: games\nInstalled-Size: 77\nDepends: libc6\nVersion: 0.9\n\n"
	"Package: libc6\nSection: libs\nInstalled-Size: 12986\nEssential: yes\nVersion: 2.36\n\n"
	"Package: libx11-6\nSection: libs\nInstalled-Size: 1570\nDepends: libc6 (>= 2.34) | libc6-alt\nVersion: 1.8\n\n"
	"Package: ed\nSection: editors\nInstalled-Size: 110\nDepends: libc6\nVersion: 1.19\n";

struct package {
	char section[128];
	char name[256];
	int64_t size_kb;
	int essential;
	char *depends; /* as in the index */
	char version[256];
};

struct app {
	sop_db *db;
	sop_schema *schema;
	sop_store *packages, *names, *needed;
	FILE *index;
	struct package batch[BATCH];
	size_t count; /* in `batch` */
	uint64_t loaded;
};

static double now_s(void)
{
	struct timespec now;

	timespec_get(&now, TIME_UTC);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static sop_bytes bytes_of(const sop_buf *buf)
{
	return (sop_bytes){ buf->data, buf->size };
}

static sop_bytes text(const char *string)
{
	return (sop_bytes){ string, strlen(string) };
}

/* ---- reading the index */

static void take_field(struct package *package, const char *line)
{
	const char *value = strchr(line, ':');

	if (value == NULL || line[0] == ' ')
		return;
	value += strspn(value, ": ");
	if (strncmp(line, "Package:", 8) == 0)
		snprintf(package->name, sizeof package->name, "%s", value);
	else if (strncmp(line, "Section:", 8) == 0)
		snprintf(package->section, sizeof package->section, "%s", value);
	else if (strncmp(line, "Version:", 8) == 0)
		snprintf(package->version, sizeof package->version, "%s", value);
	else if (strncmp(line, "Installed-Size:", 15) == 0)
		package->size_kb = strtoll(value, NULL, 10);
	else if (strncmp(line, "Essential:", 10) == 0)
		package->essential = strcmp(value, "yes") == 0;
	else if (strncmp(line, "Depends:", 8) == 0) {
		free(package->depends);
		package->depends = strdup(value);
	}
}

/* Reads one paragraph of the index; 0 at its end. */
static int read_package(FILE *index, struct package *package)
{
	static char line[LINE_BYTES];

	memset(package, 0, sizeof *package);
	snprintf(package->section, sizeof package->section, "none");
	while (fgets(line, sizeof line, index) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			take_field(package, line);
		else if (package->name[0] != '\0')
			return 1;
	}
	return package->name[0] != '\0';
}

/* ---- loading */

static sop_status package_key(const struct app *app, const struct package *package, sop_buf *key,
			      sop_error *err)
{
	const sop_value fields[] = { sop_value_str(package->section), sop_value_int(package->size_kb),
				     sop_value_str(package->name), sop_value_bool(package->essential) };

	return sop_key_pack(app->schema, fields, 4, key, err);
}

/* Counts one more for each package that `depends` names: "libc6 (>= 2.34), libx11-6 | xlibs" are two, the first of
 * alternatives. sop_add reads nothing, so that no two transactions conflict over a counter. */
static sop_status count_needed(sop_txn *txn, struct app *app, const char *depends, sop_error *err)
{
	while (depends != NULL && *depends != '\0') {
		const size_t size = strcspn(depends, " ,|:(");

		if (size > 0)
			TRY(sop_add(txn, app->needed, (sop_bytes){ depends, size }, 1, err));
		depends = strchr(depends, ',');
		if (depends != NULL)
			depends += strspn(depends, ", ");
	}
	return SOP_OK;
}

static sop_status load_batch(sop_txn *txn, void *arg, sop_error *err)
{
	struct app *app = arg;
	char room[1024];
	sop_buf key = SOP_BUF_OVER(room), old = SOP_BUF_INIT;
	sop_status status = SOP_OK;

	for (size_t i = 0; i < app->count && status == SOP_OK; i++) {
		const struct package *package = &app->batch[i];

		/* Another version of it may be there already: the last one counts. */
		status = sop_get(txn, app->names, text(package->name), &old, err);
		if (status == SOP_OK)
			status = sop_remove(txn, app->packages, bytes_of(&old), 0, err);
		else if (status == SOP_NOT_FOUND)
			status = SOP_OK;
		if (status == SOP_OK)
			status = package_key(app, package, &key, err);
		if (status == SOP_OK)
			status = sop_put(txn, app->packages, bytes_of(&key), text(package->version), err);
		if (status == SOP_OK)
			status = sop_put(txn, app->names, text(package->name), bytes_of(&key), err);
		if (status == SOP_OK)
			status = count_needed(txn, app, package->depends, err);
	}
	sop_buf_free(&key);
	sop_buf_free(&old);
	return status;
}

static sop_status load(struct app *app, sop_error *err)
{
	int more = 1;

	while (more) {
		sop_status status;

		for (app->count = 0; app->count < BATCH; app->count++) {
			more = read_package(app->index, &app->batch[app->count]);
			if (!more)
				break;
		}
		status = sop_run(app->db, NULL, load_batch, app, err);
		for (size_t i = 0; i < app->count; i++)
			free(app->batch[i].depends);
		app->loaded += app->count;
		TRY(status);
	}
	return SOP_OK;
}

/* ---- queries: each in a read-only transaction, which never conflicts */

/* The largest packages of a section: the first keys of a prefix. No value is read. */
static sop_status print_largest(sop_txn *txn, void *arg, sop_error *err)
{
	struct app *app = arg;
	const sop_value games = sop_value_str("games");
	sop_range range = SOP_RANGE_INIT;
	sop_buf prefix = SOP_BUF_INIT, room = SOP_BUF_INIT;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status;

	TRY(sop_key_pack_prefix(app->schema, &games, 1, &prefix, err));
	range.flags = SOP_RANGE_PREFIX;
	range.prefix = bytes_of(&prefix);
	status = sop_cursor_open(txn, app->packages, &range, SOP_CURSOR_KEYS, &cursor, err);
	for (int i = 0; i < TOP && status == SOP_OK; i++) {
		sop_value field[4];
		size_t count;

		status = sop_cursor_next(cursor, &entry, err);
		if (status == SOP_OK)
			status = sop_key_unpack(app->schema, entry.key, field, 4, &count, &room, err);
		if (status == SOP_OK)
			printf("      %8.1f MB  %.*s\n", (double)field[1].as.integer / 1024,
			       (int)field[2].as.bytes.size, (const char *)field[2].as.bytes.data);
	}
	sop_cursor_free(cursor);
	sop_buf_free(&prefix);
	sop_buf_free(&room);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

struct counter {
	char name[64];
	int64_t number;
};

/* Keeps the TOP largest, largest first. */
static void keep_largest(struct counter *top, sop_bytes name, int64_t number)
{
	int at = TOP;

	while (at > 0 && top[at - 1].number < number)
		at--;
	if (at == TOP)
		return;
	memmove(&top[at + 1], &top[at], (size_t)(TOP - 1 - at) * sizeof *top);
	snprintf(top[at].name, sizeof top[at].name, "%.*s", (int)name.size, (const char *)name.data);
	top[at].number = number;
}

static int64_t integer_of(sop_bytes value)
{
	uint64_t number = 0;

	for (int i = 7; i >= 0 && value.size == 8; i--)
		number = number << 8 | ((const unsigned char *)value.data)[i];
	return (int64_t)number;
}

/* What most packages depend on: a scan of all counters. */
static sop_status print_needed(sop_txn *txn, void *arg, sop_error *err)
{
	struct app *app = arg;
	struct counter top[TOP] = { { "", 0 } };
	sop_cursor *cursor = NULL;
	sop_entry entry;
	int64_t all = 0;
	sop_status status;

	TRY(sop_cursor_open(txn, app->needed, NULL, 0, &cursor, err));
	while ((status = sop_cursor_next(cursor, &entry, err)) == SOP_OK) {
		keep_largest(top, entry.key, integer_of(entry.value));
		all += integer_of(entry.value);
	}
	for (int i = 0; i < TOP && top[i].number > 0; i++)
		printf("      %8" PRId64 "     %s\n", top[i].number, top[i].name);
	printf("      %8" PRId64 "     dependencies altogether\n", all);
	sop_cursor_free(cursor);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

/* ---- transactions from several threads */

struct mover {
	struct app *app;
	pthread_t thread;
	uint64_t random;
	uint64_t attempts;
	sop_status status;
	sop_error err;
};

/* The package at or behind a random name. */
static sop_status pick(sop_txn *txn, struct mover *mover, sop_buf *name, sop_buf *key, sop_error *err)
{
	const char letters[2] = { (char)('a' + mover->random % 26),
				  (char)('a' + mover->random / 26 % 26) };
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_status status;

	TRY(sop_cursor_open(txn, mover->app->names, NULL, 0, &cursor, err));
	status = sop_cursor_seek(cursor, (sop_bytes){ letters, 2 }, SOP_SEEK_GE, &entry, err);
	if (status == SOP_NOT_FOUND)
		status = sop_cursor_first(cursor, &entry, err);
	if (status == SOP_OK)
		status = sop_buf_reserve(name, entry.key.size + 1, err);
	if (status == SOP_OK)
		status = sop_buf_reserve(key, entry.value.size + 1, err);
	if (status == SOP_OK) {
		memcpy(name->data, entry.key.data, name->size = entry.key.size);
		memcpy(key->data, entry.value.data, key->size = entry.value.size);
	}
	sop_cursor_free(cursor);
	return status;
}

/* Moves a package: it grows by a kilobyte, so that its key changes. Removed, added and indexed at once, or not at all. */
static sop_status grow(sop_txn *txn, struct mover *mover, const sop_buf *name, const sop_buf *old,
		       sop_error *err)
{
	struct app *app = mover->app;
	sop_buf room = SOP_BUF_INIT, key = SOP_BUF_INIT, value = SOP_BUF_INIT;
	sop_value field[4];
	size_t count;
	sop_status status = sop_get(txn, app->packages, bytes_of(old), &value, err);

	if (status == SOP_OK)
		status = sop_key_unpack(app->schema, bytes_of(old), field, 4, &count, &room, err);
	if (status == SOP_OK) {
		field[1].as.integer++;
		status = sop_key_pack(app->schema, field, count, &key, err);
	}
	if (status == SOP_OK)
		status = sop_remove(txn, app->packages, bytes_of(old), 0, err);
	if (status == SOP_OK)
		status = sop_put(txn, app->packages, bytes_of(&key), bytes_of(&value), err);
	if (status == SOP_OK)
		status = sop_put(txn, app->names, bytes_of(name), bytes_of(&key), err);
	sop_buf_free(&room);
	sop_buf_free(&key);
	sop_buf_free(&value);
	return status;
}

static sop_status move_one(sop_txn *txn, void *arg, sop_error *err)
{
	struct mover *mover = arg;
	sop_buf name = SOP_BUF_INIT, old = SOP_BUF_INIT;
	sop_status status = pick(txn, mover, &name, &old, err);

	mover->attempts++;
	if (status == SOP_OK)
		status = grow(txn, mover, &name, &old, err);
	sop_buf_free(&name);
	sop_buf_free(&old);
	return status;
}

static void *move_many(void *arg)
{
	struct mover *mover = arg;
	sop_txn_options options = SOP_TXN_OPTIONS_INIT;

	options.deadline_ms = 60000;
	for (int i = 0; i < MOVES && mover->status == SOP_OK; i++) {
		mover->random = mover->random * 6364136223846793005u + 1442695040888963407u;
		mover->random ^= mover->random >> 33;
		mover->status = sop_run(mover->app->db, &options, move_one, mover, &mover->err);
	}
	return NULL;
}

static sop_status move_by_threads(struct app *app, sop_error *err)
{
	struct mover movers[THREADS];
	uint64_t attempts = 0;
	const double began = now_s();
	sop_status status = SOP_OK;

	for (int i = 0; i < THREADS; i++) {
		movers[i] = (struct mover){ .app = app, .random = (uint64_t)i + 1, .err = SOP_ERROR_INIT };
		if (pthread_create(&movers[i].thread, NULL, move_many, &movers[i]) != 0)
			abort();
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(movers[i].thread, NULL);
		attempts += movers[i].attempts;
		if (movers[i].status != SOP_OK) {
			status = movers[i].status;
			*err = movers[i].err;
		}
	}
	TRY(status);
	printf("   %d threads made a package grow %d times, each change in three places at once: %.2f s\n",
	       THREADS, THREADS * MOVES, now_s() - began);
	printf("   (each on stable storage when it was answered; run again after a conflict: %" PRIu64
	       ")\n",
	       attempts - THREADS * MOVES);
	return SOP_OK;
}

/* ---- is all as it should be? */

/* As many packages as names, each where its name says. */
static sop_status check(sop_txn *txn, void *arg, sop_error *err)
{
	struct app *app = arg;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_buf value = SOP_BUF_INIT;
	uint64_t packages, names = 0;
	sop_status status;

	TRY(sop_count(txn, app->packages, NULL, &packages, err));
	TRY(sop_cursor_open(txn, app->names, NULL, 0, &cursor, err));
	while ((status = sop_cursor_next(cursor, &entry, err)) == SOP_OK) {
		if (sop_get(txn, app->packages, entry.value, &value, err) != SOP_OK) {
			printf("   the package of a name is missing\n");
			exit(1);
		}
		names++;
	}
	sop_cursor_free(cursor);
	sop_buf_free(&value);
	if (names != packages) {
		printf("   %" PRIu64 " names of %" PRIu64 " packages\n", names, packages);
		exit(1);
	}
	printf("   %" PRIu64 " packages, each where its name says", packages);
	return status == SOP_NOT_FOUND ? SOP_OK : status;
}

static sop_status make_stores(sop_txn *txn, void *arg, sop_error *err)
{
	struct app *app = arg;

	TRY(sop_store_create(txn, app->packages, err));
	TRY(sop_store_create(txn, app->names, err));
	return sop_store_create(txn, app->needed, err);
}

static sop_status open_app(struct app *app, const char *folder, sop_error *err)
{
	sop_store_options typed = SOP_STORE_OPTIONS_INIT;
	sop_options *options = NULL;
	sop_status status;

	TRY(sop_schema_parse(text(SCHEMA), &app->schema, err));
	TRY(sop_options_new(&options, err));
	status = sop_options_set_bool(options, "create", 1, err);
	if (status == SOP_OK)
		status = sop_open(folder, options, &app->db, err);
	sop_options_free(options);
	TRY(status);
	typed.schema = app->schema;
	TRY(sop_store_open(app->db, text("packages"), &typed, &app->packages, err));
	TRY(sop_store_open(app->db, text("names"), NULL, &app->names, err));
	TRY(sop_store_open(app->db, text("needed"), NULL, &app->needed, err));
	return sop_run(app->db, NULL, make_stores, app, err);
}

static sop_status query(struct app *app, const char *title, sop_body body, sop_error *err)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	const double began = now_s();

	reading.mode = SOP_READ;
	printf("   %s\n", title);
	TRY(sop_run(app->db, &reading, body, app, err));
	printf("      in %.1f ms\n", (now_s() - began) * 1000);
	return SOP_OK;
}

static sop_status story(struct app *app, const char *folder, sop_error *err)
{
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;
	double began = now_s();

	TRY(open_app(app, folder, err));
	TRY(load(app, err));
	printf("   %" PRIu64 " packages loaded in %.2f s\n", app->loaded, now_s() - began);
	TRY(query(app, "the largest games, from the order of the keys alone:", print_largest, err));
	TRY(query(app, "what most packages depend on, from all counters:", print_needed, err));
	TRY(move_by_threads(app, err));
	reading.mode = SOP_READ;
	TRY(sop_run(app->db, &reading, check, app, err));
	began = now_s();
	TRY(sop_verify(app->db, NULL, NULL, NULL, NULL, err));
	printf("; every page and checksum verified in %.2f s\n", now_s() - began);
	return sop_close(app->db, err);
}

int main(int argc, char **argv)
{
	static struct app app; /* large: a batch of packages */
	sop_error err = SOP_ERROR_INIT;
	sop_status status;

	app.index = argc > 1 ? stdin : tmpfile();
	if (app.index == NULL)
		return 1;
	if (argc <= 1) {
		fputs(SAMPLE, app.index);
		rewind(app.index);
	}
	status = story(&app, argc > 1 ? argv[1] : "packages.db", &err);
	if (status != SOP_OK)
		fprintf(stderr, "%s: %s\n", sop_status_name(status), err.message);
	if (argc <= 1)
		fclose(app.index);
	sop_store_free(app.packages);
	sop_store_free(app.names);
	sop_store_free(app.needed);
	sop_db_free(app.db);
	sop_schema_free(app.schema);
	return status == SOP_OK ? 0 : 1;
}
