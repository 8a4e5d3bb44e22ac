/* Any bytes as a key: refused, or exactly what its values are packed to. The first byte chooses one
 * of a few schemas. */
#include "base/check.h"
#include "codec/key.h"

#include <string.h>

enum { FIELDS_MAX = 8 };

static const char *const schemas[] = {
	"{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"str\"},{\"n\":\"b\",\"t\":\"int\"}]}",
	"{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"str\",\"desc\":true},"
	"{\"n\":\"b\",\"t\":\"int\",\"desc\":true}],\"ride\":[{\"n\":\"c\",\"t\":\"str\"}]}",
	"{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"bool\"},{\"n\":\"b\",\"t\":\"int\"},"
	"{\"n\":\"c\",\"t\":\"float\"},{\"n\":\"d\",\"t\":\"bytes\"},{\"n\":\"e\",\"t\":\"str\"},"
	"{\"n\":\"f\",\"t\":\"uuid\"},{\"n\":\"g\",\"t\":\"ts\"}]}",
	"{\"v\":1,\"sort\":[{\"n\":\"a\",\"t\":\"bool\",\"desc\":true},"
	"{\"n\":\"c\",\"t\":\"float\",\"desc\":true},{\"n\":\"d\",\"t\":\"bytes\",\"desc\":true},"
	"{\"n\":\"f\",\"t\":\"uuid\",\"desc\":true},{\"n\":\"g\",\"t\":\"ts\",\"desc\":true}],"
	"\"ride\":[{\"n\":\"h\",\"t\":\"float\",\"default\":1.5},{\"n\":\"i\",\"t\":\"int\"}]}",
};

enum { SCHEMAS = sizeof schemas / sizeof *schemas };

static const struct sopi_schema *schema_number(size_t number)
{
	static struct sopi_schema *parsed[SCHEMAS];
	const sop_bytes text = { schemas[number], strlen(schemas[number]) };

	if (parsed[number] == NULL)
		SOPI_CHECK(sopi_schema_parse(text, &parsed[number], NULL) == SOP_OK);
	return parsed[number];
}

static void check_same(const sop_buf *packed, const void *key, size_t size)
{
	SOPI_CHECK(packed->size == size);
	SOPI_CHECK(size == 0 || memcmp(packed->data, key, size) == 0);
}

/* Packing the values of an accepted key gives the key; a prefix of it, its beginning. */
static void check_packs_back(const struct sopi_schema *schema, sop_bytes key, size_t sort_size)
{
	sop_value values[FIELDS_MAX];
	sop_buf room = SOP_BUF_INIT;
	sop_buf packed = SOP_BUF_INIT;
	const sop_bytes ride = { (const uint8_t *)key.data + sort_size, key.size - sort_size };
	size_t count;

	SOPI_CHECK(sopi_key_unpack(schema, key, values, FIELDS_MAX, &count, &room, NULL) == SOP_OK);
	SOPI_CHECK(sopi_key_pack(schema, SOPI_KEY_WHOLE, values, count, &packed, NULL) == SOP_OK);
	check_same(&packed, key.data, key.size);
	SOPI_CHECK(sopi_key_pack(schema, SOPI_KEY_PREFIX, values, schema->sort_count, &packed, NULL) ==
		   SOP_OK);
	check_same(&packed, key.data, sort_size);
	SOPI_CHECK(sopi_ride_complete(schema, ride, &packed, NULL) == SOP_OK);
	SOPI_CHECK(packed.size >= ride.size && memcmp(packed.data, ride.data, ride.size) == 0);
	sop_buf_free(&packed);
	sop_buf_free(&room);
}

/* What is unescaped escapes to the bytes it was read from. */
static void check_raw(sop_bytes bytes)
{
	sop_buf raw = SOP_BUF_INIT;
	sop_buf escaped = SOP_BUF_INIT;
	size_t used;

	if (sopi_raw_unescape(bytes, &raw, &used, NULL) == SOP_OK) {
		const sop_bytes view = { raw.data, raw.size };

		SOPI_CHECK(sopi_raw_escape(view, &escaped, NULL) == SOP_OK);
		check_same(&escaped, bytes.data, used);
	}
	sop_buf_free(&raw);
	sop_buf_free(&escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sopi_schema *schema;
	sop_value values[FIELDS_MAX];
	sop_buf room = SOP_BUF_INIT;
	sop_bytes key;
	size_t sort_size, count;
	sop_status status;

	if (size == 0)
		return 0;
	schema = schema_number(data[0] % SCHEMAS);
	key = (sop_bytes){ data + 1, size - 1 };
	status = sopi_key_split(schema, key, &sort_size, NULL);
	if (status == SOP_OK)
		check_packs_back(schema, key, sort_size);
	SOPI_CHECK(sopi_key_unpack(schema, key, values, FIELDS_MAX, &count, &room, NULL) == status);
	(void)sopi_key_split_prefix(schema, key, &sort_size, NULL);
	check_raw(key);
	sop_buf_free(&room);
	return 0;
}
