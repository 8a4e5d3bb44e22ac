/* Stores whose descriptors are larger than values that lie in a leaf, on a simulated disk. */
#include "api/handle.h"
#include "platform/sim.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

enum { FIELDS = 64, NAME_BYTES = 250 };

/* The text of a schema with `FIELDS` sort fields, one integer and the rest of them too. */
static sop_schema *long_schema(void)
{
	static char text[FIELDS * (NAME_BYTES + 40)];
	size_t size = (size_t)snprintf(text, sizeof text, "{\"v\":1,\"sort\":[");
	sop_error err = SOP_ERROR_INIT;
	sop_schema *schema = NULL;

	for (int i = 0; i < FIELDS; i++)
		size += (size_t)snprintf(text + size, sizeof text - size,
					 "%s{\"n\":\"%0*d\",\"t\":\"int\"}", i == 0 ? "" : ",",
					 NAME_BYTES, i);
	(void)snprintf(text + size, sizeof text - size, "]}");
	TEST_OK(sop_schema_parse(test_text(text), &schema, &err), err);
	return schema;
}

struct place {
	struct sopi_sim_disk *disk;
	struct sopi_sim_process *process;
	sop_db *db;
	sop_store *store;
	sop_schema *schema;
};

static void open_again(struct place *p)
{
	sop_store_options declared = SOP_STORE_OPTIONS_INIT;
	sop_error err = SOP_ERROR_INIT;

	if (p->db != NULL) {
		sop_store_free(p->store);
		TEST_OK(sop_close(p->db, &err), err);
		sop_db_free(p->db);
		sopi_sim_process_free(p->process);
	}
	p->process = sopi_sim_process_new(p->disk, NULL, 1);
	TEST_OK(sopi_db_open_on("inredfs:/db?create=true", NULL, sopi_sim_platform(p->process),
				&p->db, &err),
		err);
	declared.schema = p->schema;
	TEST_OK(sop_store_open(p->db, test_text("long"), &declared, &p->store, &err), err);
}

/* Uses the store, which is made first if `create` says so. */
static void use(struct place *p, bool create)
{
	sop_value fields[FIELDS];
	sop_error err = SOP_ERROR_INIT;
	sop_buf key = SOP_BUF_INIT;
	sop_txn *txn = NULL;

	for (int i = 0; i < FIELDS; i++)
		fields[i] = sop_value_int(i);
	TEST_OK(sop_key_pack(p->schema, fields, FIELDS, &key, &err), err);
	TEST_OK(sop_begin(p->db, NULL, &txn, &err), err);
	if (create)
		TEST_OK(sop_store_create(txn, p->store, &err), err);
	TEST_OK(sop_put(txn, p->store, (sop_bytes){ key.data, key.size }, test_text("v"), &err), err);
	TEST_OK(sop_commit(txn, &err), err);
	sop_txn_free(txn);
	sop_buf_free(&key);
}

static void a_long_schema_stays_with_its_name(void **state)
{
	struct place p = { .disk = sopi_sim_disk_new(), .schema = long_schema() };
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	open_again(&p);
	use(&p, true);
	use(&p, false);
	open_again(&p); /* from the log */
	use(&p, false);
	TEST_OK(sop_checkpoint(p.db, &err), err);
	open_again(&p); /* from a page */
	use(&p, false);
	TEST_OK(sop_verify(p.db, NULL, NULL, NULL, NULL, &err), err);
	sop_store_free(p.store);
	TEST_OK(sop_close(p.db, &err), err);
	sop_db_free(p.db);
	sopi_sim_process_free(p.process);
	sopi_sim_disk_free(p.disk);
	sop_schema_free(p.schema);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_schema_stays_with_its_name),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
