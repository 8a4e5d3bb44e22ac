/* Any text as a schema: refused, or its canonical text reads as the same schema and is written as
 * itself. */
#include "base/check.h"
#include "codec/key.h"
#include "codec/schema.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const sop_bytes json = { data, size };
	struct sopi_schema *schema = NULL;
	struct sopi_schema *again = NULL;
	sop_error err = SOP_ERROR_INIT;
	sop_bytes missing;

	if (sopi_schema_parse(json, &schema, &err) != SOP_OK) {
		SOPI_CHECK(strlen(err.message) > 0 && strlen(err.message) < sizeof err.message);
		return 0;
	}
	SOPI_CHECK(sopi_schema_parse(schema->text, &again, &err) == SOP_OK);
	SOPI_CHECK(again->text.size == schema->text.size);
	SOPI_CHECK(memcmp(again->text.data, schema->text.data, schema->text.size) == 0);
	SOPI_CHECK(sopi_schema_compare(schema, again, NULL, 0) == SOPI_SCHEMA_EQUAL);
	/* the defaults are a whole ride part */
	SOPI_CHECK(sopi_ride_missing(schema, schema->defaults, &missing, &err) == SOP_OK);
	SOPI_CHECK(missing.size == 0);
	sopi_schema_free(schema);
	sopi_schema_free(again);
	return 0;
}
