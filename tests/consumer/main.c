/* A program of a user: built outside the project, against what `cmake --install` has put into a prefix. */
#include <sop/sop.h>

#include <stdio.h>
#include <string.h>

static sop_status fill(sop_txn *txn, void *arg, sop_error *err)
{
	sop_store *store = arg;
	const sop_status status = sop_store_create(txn, store, err);

	if (status != SOP_OK)
		return status;
	return sop_put(txn, store, (sop_bytes){ "ann", 3 }, (sop_bytes){ "30", 2 }, err);
}

static sop_status use(sop_db *db, sop_buf *value, sop_error *err)
{
	sop_store *store = NULL;
	sop_status status = sop_store_open(db, (sop_bytes){ "ages", 4 }, NULL, &store, err);

	if (status == SOP_OK)
		status = sop_run(db, NULL, fill, store, err);
	if (status == SOP_OK)
		status = sop_read(db, store, (sop_bytes){ "ann", 3 }, value, err);
	sop_store_free(store);
	return status;
}

int main(void)
{
	sop_error err = SOP_ERROR_INIT;
	sop_buf value = SOP_BUF_INIT;
	sop_db *db = NULL;
	sop_status status = sop_open("inmemory:", NULL, &db, &err);
	int ok;

	if (status == SOP_OK)
		status = use(db, &value, &err);
	ok = status == SOP_OK && value.size == 2 && memcmp(value.data, "30", 2) == 0;
	if (status != SOP_OK)
		fprintf(stderr, "%s: %s\n", sop_status_name(status), err.message);
	sop_buf_free(&value);
	sop_db_free(db);
	puts(ok ? "ok" : "wrong");
	return ok ? 0 : 1;
}
