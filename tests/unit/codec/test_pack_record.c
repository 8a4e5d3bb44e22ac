/* The records of a pack: what goes in comes out, and nothing else is taken for one, whatever its checksum says. */
#include "support/support.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "codec/pack_record.h"

#include <string.h>

enum { PACK = 0x1234 };

/* Puts the checksum right behind a change. */
static void seal(uint8_t *record, size_t size)
{
	sopi_store_u32le(record + size - 4, sopi_crc32c(0, record, size - 4));
}

static void head_and_frame_come_back(void **state)
{
	const struct sopi_record_origin from = { "f", 100, PACK };
	const struct sopi_pack_frame frame = { UINT64_MAX - 1, (uint64_t)1 << 40, 0xDEADBEEF };
	struct sopi_pack_frame again;
	uint8_t bytes[SOPI_PACK_FRAME_BYTES];
	sop_error err = SOP_ERROR_INIT;
	uint8_t kind = 0;

	(void)state;
	sopi_pack_head_encode(bytes, 2, PACK);
	TEST_OK(sopi_pack_head_decode(bytes, SOPI_PACK_HEAD_BYTES, &from, &kind, &err), err);
	assert_int_equal(kind, 2);
	bytes[20] = 1;
	seal(bytes, SOPI_PACK_HEAD_BYTES);
	TEST_STATUS(sopi_pack_head_decode(bytes, SOPI_PACK_HEAD_BYTES, &from, &kind, &err),
		    SOP_CORRUPT, err);
	sopi_pack_frame_encode(bytes, PACK, &frame);
	TEST_OK(sopi_pack_frame_decode(bytes, sizeof bytes, &from, &again, &err), err);
	assert_int_equal(again.key, frame.key);
	assert_int_equal(again.length, frame.length);
	assert_int_equal(again.crc, frame.crc);
	for (size_t size = 0; size < sizeof bytes; size++)
		TEST_STATUS(sopi_pack_frame_decode(bytes, size, &from, &again, &err), SOP_CORRUPT, err);
	for (size_t at = 5; at < 8; at++) {
		bytes[at] = 1;
		seal(bytes, sizeof bytes);
		TEST_STATUS(sopi_pack_frame_decode(bytes, sizeof bytes, &from, &again, &err),
			    SOP_CORRUPT, err);
		bytes[at] = 0;
	}
}

static void a_record_of_another_pack_or_format_is_refused(void **state)
{
	const struct sopi_record_origin other = { "f", 100, PACK + 1 };
	const struct sopi_record_origin from = { "f", 100, PACK };
	uint8_t bytes[SOPI_PACK_HEAD_BYTES];
	sop_error err = SOP_ERROR_INIT;
	uint8_t kind;

	(void)state;
	sopi_pack_head_encode(bytes, 1, PACK);
	TEST_STATUS(sopi_pack_head_decode(bytes, sizeof bytes, &other, &kind, &err), SOP_CORRUPT, err);
	assert_string_equal(err.file, "f");
	assert_int_equal(err.offset, 108);
	for (unsigned format = 0; format < 256; format++) {
		bytes[4] = (uint8_t)format;
		if (format != SOPI_PACK_FORMAT)
			TEST_STATUS(sopi_pack_head_decode(bytes, sizeof bytes, &from, &kind, &err),
				    format == 0 ? SOP_CORRUPT : SOP_UNSUPPORTED, err);
	}
}

/* An index of three blobs, of 10, 0 and 20 bytes. */
static void make_index(sop_buf *index)
{
	static const struct sopi_pack_slot slots[] = { { 7, 32, 10 }, { 8, 42, 0 }, { 9, 42, 20 } };

	assert_int_equal(sopi_pack_index_begin(index, NULL), SOP_OK);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(sopi_pack_index_room(index, NULL), SOP_OK);
		sopi_pack_index_add(index, &slots[i]);
	}
	sopi_pack_index_end(index, PACK);
}

static sop_status check(const sop_buf *index, size_t size, uint64_t offset, uint64_t *count)
{
	const struct sopi_record_origin from = { "f", offset, PACK };

	return sopi_pack_index_check(test_bytes(index->data, size), &from, count, NULL);
}

static void an_index_comes_back(void **state)
{
	sop_buf index = SOP_BUF_INIT;
	uint64_t count = 0;

	(void)state;
	make_index(&index);
	assert_int_equal(index.size, 28 + 3 * 24);
	assert_int_equal(check(&index, index.size, 62, &count), SOP_OK);
	assert_int_equal(count, 3);
	assert_int_equal(sopi_pack_index_slot(test_bytes(index.data, index.size), 2).key, 9);
	for (size_t size = 0; size < index.size; size++)
		assert_int_equal(check(&index, size, 62, &count), SOP_CORRUPT);
	sop_buf_free(&index);
}

/* Would fail if the bounds of blobs were taken from the index without a look. */
static void an_index_with_gaps_or_blobs_outside_is_refused(void **state)
{
	sop_buf index = SOP_BUF_INIT;
	uint64_t count = 0;

	(void)state;
	make_index(&index);
	assert_int_equal(check(&index, index.size, 61, &count), SOP_CORRUPT);
	assert_int_equal(check(&index, index.size, 63, &count), SOP_CORRUPT);
	assert_int_equal(check(&index, index.size, 31, &count), SOP_CORRUPT);
	for (size_t at = 16; at < index.size - 4; at++) { /* count, offsets, lengths; keys may be anything */
		uint8_t *byte = (uint8_t *)index.data + at;
		const bool is_key = at >= 24 && (at - 24) % 24 < 8;

		*byte ^= 1;
		seal(index.data, index.size);
		assert_int_equal(check(&index, index.size, 62, &count), is_key ? SOP_OK : SOP_CORRUPT);
		*byte ^= 1;
	}
	sop_buf_free(&index);
}

static void a_footer_fits_its_file(void **state)
{
	const struct sopi_pack_footer footer = { 62, 100, 30 };
	struct sopi_record_origin from = { "f", 162, PACK };
	uint8_t bytes[SOPI_PACK_FOOTER_BYTES];
	struct sopi_pack_footer again;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	sopi_pack_footer_encode(bytes, PACK, &footer);
	TEST_OK(sopi_pack_footer_decode(bytes, sizeof bytes, &from, &again, &err), err);
	assert_memory_equal(&again, &footer, sizeof footer);
	for (size_t at = 5; at < sizeof bytes - 4; at++) {
		bytes[at] ^= 1;
		seal(bytes, sizeof bytes);
		TEST_STATUS(sopi_pack_footer_decode(bytes, sizeof bytes, &from, &again, &err),
			    SOP_CORRUPT, err);
		bytes[at] ^= 1;
	}
	seal(bytes, sizeof bytes);
	from.offset = 163;
	TEST_STATUS(sopi_pack_footer_decode(bytes, sizeof bytes, &from, &again, &err), SOP_CORRUPT, err);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_and_frame_come_back),
		cmocka_unit_test(a_record_of_another_pack_or_format_is_refused),
		cmocka_unit_test(an_index_comes_back),
		cmocka_unit_test(an_index_with_gaps_or_blobs_outside_is_refused),
		cmocka_unit_test(a_footer_fits_its_file),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
