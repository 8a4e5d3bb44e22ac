/* A first look at SOP: typed keys, transactions, a conflict that is run again, a scan.
 * Build it against an installed SOP with: cc quickstart.c $(pkg-config --cflags --libs sopdb) */
#include <sop/sop.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Leaves the function with the first status that is not OK; `err` of that call says why. */
#define TRY(call)                                                                                  \
	do {                                                                                       \
		const sop_status tried = (call);                                                   \
		if (tried != SOP_OK)                                                               \
			return tried;                                                              \
	} while (0)

/* Keys are tuples: by region, the newest first. `left` rides along: in the key, never compared. */
static const char SCHEMA[] =
	"{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},{\"n\":\"hired\",\"t\":\"ts\",\"desc\":true},"
	"{\"n\":\"id\",\"t\":\"int\"}],\"ride\":[{\"n\":\"left\",\"t\":\"bool\",\"default\":false}]}";

struct app {
	sop_db *db;
	sop_schema *schema;
	sop_store *staff;
	sop_buf key, value; /* grow as needed and are used again and again */
};

struct employee {
	const char *region;
	int64_t hired_year, id, pay;
	int left;
};

static sop_status pack_key(struct app *app, const struct employee *who, sop_bytes *out, sop_error *err)
{
	const int64_t year_us = INT64_C(31556952000000); /* times are microseconds since 1970 */
	const sop_value fields[] = { sop_value_str(who->region),
				     sop_value_ts((who->hired_year - 1970) * year_us),
				     sop_value_int(who->id), sop_value_bool(who->left) };

	TRY(sop_key_pack(app->schema, fields, 4, &app->key, err));
	*out = (sop_bytes){ app->key.data, app->key.size };
	return SOP_OK;
}

static sop_status put(sop_txn *txn, struct app *app, const struct employee *who, sop_error *err)
{
	sop_bytes key;

	TRY(pack_key(app, who, &key, err));
	return sop_put(txn, app->staff, key, (sop_bytes){ &who->pay, sizeof who->pay }, err);
}

/* One transaction: the store and everybody in it appear at once, or nothing does. */
static sop_status found(sop_txn *txn, void *arg, sop_error *err)
{
	static const struct employee staff[] = {
		{ "US", 2018, 101, 5200, 0 }, { "US", 2023, 102, 4100, 0 },
		{ "US", 2021, 103, 4600, 1 }, { "DE", 2017, 104, 6000, 0 },
		{ "FR", 2019, 105, 4800, 0 },
	};
	struct app *app = arg;

	TRY(sop_store_create(txn, app->staff, err));
	for (size_t i = 0; i < sizeof staff / sizeof staff[0]; i++)
		TRY(put(txn, app, &staff[i], err));
	return SOP_OK;
}

/* Reads the pay of employee 104, adds `percent` to it, and writes it back. */
static sop_status add_percent(sop_txn *txn, struct app *app, int64_t percent, sop_error *err)
{
	struct employee who = { "DE", 2017, 104, 0, 0 };
	sop_bytes key;

	TRY(pack_key(app, &who, &key, err));
	TRY(sop_get(txn, app->staff, key, &app->value, err));
	memcpy(&who.pay, app->value.data, sizeof who.pay);
	who.pay += who.pay * percent / 100;
	printf("raise by %2" PRId64 " percent: %" PRId64 "\n", percent, who.pay);
	return put(txn, app, &who, err);
}

static sop_status raise_by_10(sop_txn *txn, void *arg, sop_error *err)
{
	return add_percent(txn, arg, 10, err);
}

/* Another transaction changes what this one has read: it conflicts, and sop_run runs it again. */
static sop_status raise_by_50(sop_txn *txn, void *arg, sop_error *err)
{
	struct app *app = arg;
	uint32_t attempts;

	TRY(add_percent(txn, app, 50, err));
	TRY(sop_txn_attempts(txn, &attempts, err));
	return attempts == 1 ? sop_run(app->db, NULL, raise_by_10, app, err) : SOP_OK;
}

/* Who works in the US, newest first. No value is read: `left` is in the key. */
static sop_status print_us(sop_txn *txn, void *arg, sop_error *err)
{
	struct app *app = arg;
	const sop_value us = sop_value_str("US");
	sop_range range = SOP_RANGE_INIT;
	sop_cursor *cursor = NULL;
	sop_entry entry;
	sop_value field[4];
	sop_status status;

	TRY(sop_key_pack_prefix(app->schema, &us, 1, &app->key, err));
	range.flags = SOP_RANGE_PREFIX;
	range.prefix = (sop_bytes){ app->key.data, app->key.size };
	TRY(sop_cursor_open(txn, app->staff, &range, SOP_CURSOR_KEYS, &cursor, err));
	while ((status = sop_cursor_next(cursor, &entry, err)) == SOP_OK) {
		size_t count;

		status = sop_key_unpack(app->schema, entry.key, field, 4, &count, &app->value, err);
		if (status != SOP_OK)
			break;
		if (!field[3].as.boolean)
			printf("in the US: employee %" PRId64 "\n", field[2].as.integer);
	}
	sop_cursor_free(cursor);
	return status == SOP_NOT_FOUND ? SOP_OK : status; /* the end is an answer, not an error */
}

static sop_status print_count(sop_txn *txn, void *arg, sop_error *err)
{
	struct app *app = arg;
	uint64_t count;

	TRY(sop_count(txn, app->staff, NULL, &count, err));
	printf("employees ever: %" PRIu64 "\n", count);
	return SOP_OK;
}

static sop_status run(struct app *app, sop_error *err)
{
	sop_store_options declared = SOP_STORE_OPTIONS_INIT;
	sop_txn_options reading = SOP_TXN_OPTIONS_INIT;

	TRY(sop_open("inmemory:", NULL, &app->db, err));
	TRY(sop_schema_parse((sop_bytes){ SCHEMA, strlen(SCHEMA) }, &app->schema, err));
	declared.schema = app->schema;
	TRY(sop_store_open(app->db, (sop_bytes){ "staff", 5 }, &declared, &app->staff, err));

	TRY(sop_run(app->db, NULL, found, app, err));
	TRY(sop_run(app->db, NULL, raise_by_50, app, err));
	reading.mode = SOP_READ; /* a snapshot: it never conflicts and holds nobody up */
	TRY(sop_run(app->db, &reading, print_us, app, err));
	return sop_run(app->db, &reading, print_count, app, err);
}

int main(void)
{
	struct app app = { 0 };
	sop_error err = SOP_ERROR_INIT;
	const sop_status status = run(&app, &err);

	if (status != SOP_OK)
		fprintf(stderr, "%s: %s\n", sop_status_name(status), err.message);
	sop_buf_free(&app.key);
	sop_buf_free(&app.value);
	sop_store_free(app.staff);
	sop_schema_free(app.schema);
	sop_db_free(app.db); /* closes it, too */
	return status == SOP_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
