/* What the snippets of docs/c-api.md stand on; tests/docs/check puts each of them into a function of this program.
 * Every snippet finds a new database with two stores:
 *   users   raw unique keys: ann, bob and cid, whose values are 30, 40 and 50 as text
 *   staff   keys of a schema (SCHEMA): two in the US, one in DE, with 8-byte values
 * and an open writing transaction `txn`, which is freed afterwards whatever the snippet made of it.
 * `folder`, `copy` and `restored` are paths of folders that are not there yet; they are removed afterwards. */
#ifndef TOUR_H
#define TOUR_H

#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */

#include <sop/sop.h>

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call)                                                                                  \
	do {                                                                                       \
		const sop_status tried = (call);                                                   \
		if (tried != SOP_OK)                                                               \
			return tried;                                                              \
	} while (0)

/* For the checks behind a snippet: says what is not so, and ends the program. */
#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static const char SCHEMA[] =
	"{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},{\"n\":\"hired\",\"t\":\"ts\",\"desc\":true},"
	"{\"n\":\"id\",\"t\":\"int\"}],\"ride\":[{\"n\":\"left\",\"t\":\"bool\",\"default\":false}]}";

static sop_db *db;
static sop_schema *schema;
static sop_store *users, *staff;
static sop_txn *txn;
static sop_error err = SOP_ERROR_INIT;
static char tour_place[] = "/tmp/sop-docs-XXXXXX";
static char folder[64], copy[64], restored[64];

/* The bytes of a text. */
static inline sop_bytes text(const char *of)
{
	return (sop_bytes){ of, strlen(of) };
}

/* A key of `staff` in `key`. */
static inline sop_status staff_key(const char *region, int64_t hired, int64_t id, int left, sop_buf *key)
{
	const sop_value fields[] = { sop_value_str(region), sop_value_ts(hired), sop_value_int(id),
				     sop_value_bool(left) };

	return sop_key_pack(schema, fields, 4, key, &err);
}

static sop_status tour_put_staff(const char *region, int64_t hired, int64_t id, int64_t pay)
{
	sop_buf key = SOP_BUF_INIT;
	sop_status status = staff_key(region, hired, id, 0, &key);

	if (status == SOP_OK)
		status = sop_put(txn, staff, (sop_bytes){ key.data, key.size },
				 (sop_bytes){ &pay, sizeof pay }, &err);
	sop_buf_free(&key);
	return status;
}

static sop_status tour_fill(void)
{
	TRY(sop_store_create(txn, users, &err));
	TRY(sop_store_create(txn, staff, &err));
	TRY(sop_put(txn, users, text("ann"), text("30"), &err));
	TRY(sop_put(txn, users, text("bob"), text("40"), &err));
	TRY(sop_put(txn, users, text("cid"), text("50"), &err));
	TRY(tour_put_staff("US", 1000, 101, 5200));
	TRY(tour_put_staff("US", 2000, 102, 4100));
	return tour_put_staff("DE", 1500, 103, 6000);
}

static sop_status tour_begin(void)
{
	sop_store_options typed = SOP_STORE_OPTIONS_INIT;

	TRY(sop_open("inmemory:", NULL, &db, &err));
	TRY(sop_schema_parse(text(SCHEMA), &schema, &err));
	typed.schema = schema;
	TRY(sop_store_open(db, text("users"), NULL, &users, &err));
	TRY(sop_store_open(db, text("staff"), &typed, &staff, &err));
	TRY(sop_begin(db, NULL, &txn, &err));
	TRY(tour_fill());
	TRY(sop_commit(txn, &err));
	return sop_txn_renew(txn, &err);
}

static void tour_make_place(void)
{
	strcpy(tour_place, "/tmp/sop-docs-XXXXXX");
	EXPECT(mkdtemp(tour_place) != NULL);
	snprintf(folder, sizeof folder, "%s/folder", tour_place);
	snprintf(copy, sizeof copy, "%s/copy", tour_place);
	snprintf(restored, sizeof restored, "%s/restored", tour_place);
}

static int tour_remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	(void)about, (void)kind, (void)where;
	return remove(path);
}

static void tour_end(void)
{
	EXPECT(nftw(tour_place, tour_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
	sop_txn_free(txn);
	sop_store_free(users);
	sop_store_free(staff);
	sop_schema_free(schema);
	sop_db_free(db);
}

/* Runs one snippet on a new database. */
static void tour_run(const char *place, sop_status (*snippet)(void))
{
	sop_status status = tour_begin();

	tour_make_place();
	if (status == SOP_OK)
		status = snippet();
	if (status != SOP_OK) {
		fprintf(stderr, "%s: %s: %s\n", place, sop_status_name(status), err.message);
		exit(1);
	}
	tour_end();
}

#endif
