/* Filling sop_error: what fits, in whole characters, within the size that the caller knows. */
#include "base/error.h"

#include "support/support.h"

#include <string.h>

enum { TEXT_ROOM = 256 }; /* of every text in sop_error, with its NUL */

/* `size` bytes of text in two-byte characters (ä), the first shifted by `lead` letters. */
static const char *umlauts(char *room, size_t lead, size_t size)
{
	memset(room, 'x', lead);
	for (size_t at = lead; at < size; at += 2)
		memcpy(room + at, "\xC3\xA4", 2);
	room[size] = '\0';
	return room;
}

static void a_failure_fills_everything(void **state)
{
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	assert_int_equal(sopi_fail(&err, SOP_CONFLICT, "key %d of %s", 7, "seven"), SOP_CONFLICT);
	assert_int_equal(err.size, sizeof err);
	assert_int_equal(err.status, SOP_CONFLICT);
	assert_int_equal(err.traits, SOP_TRAIT_RETRY | SOP_TRAIT_ABORT);
	assert_int_equal(err.os_errno, 0);
	assert_int_equal(err.offset, -1);
	assert_string_equal(err.store, "");
	assert_string_equal(err.file, "");
	assert_string_equal(err.message, "key 7 of seven");
}

static void a_later_failure_leaves_nothing_of_an_earlier_one(void **state)
{
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	sopi_fail_file(&err, SOP_IO, "log/1.log", 4096, 5, "a long message about a file");
	assert_string_equal(err.file, "log/1.log");
	assert_int_equal(err.offset, 4096);
	assert_int_equal(err.os_errno, 5);
	sopi_fail_store(&err, SOP_NOT_FOUND, "accounts", 8, "short");
	assert_string_equal(err.store, "accounts");
	assert_string_equal(err.file, "");
	assert_int_equal(err.offset, -1);
	assert_int_equal(err.os_errno, 0);
	assert_string_equal(err.message, "short");
}

static void null_is_a_caller_who_does_not_ask(void **state)
{
	(void)state;
	assert_int_equal(sopi_fail(NULL, SOP_IO, "%s", "x"), SOP_IO);
	assert_int_equal(sopi_fail_store(NULL, SOP_LIMIT, "s", 1, "%s", "x"), SOP_LIMIT);
	assert_int_equal(sopi_fail_file(NULL, SOP_CORRUPT, "f", 0, 5, "%s", "x"), SOP_CORRUPT);
}

static void a_message_is_cut_between_characters(void **state)
{
	char room[400];
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	/* 255 bytes fit: with an even lead that is in the middle of a character */
	sopi_fail(&err, SOP_IO, "%s", umlauts(room, 0, 300));
	assert_int_equal(strlen(err.message), 254);
	assert_memory_equal(err.message, room, 254);
	sopi_fail(&err, SOP_IO, "%s", umlauts(room, 1, 301));
	assert_int_equal(strlen(err.message), 255);
	assert_memory_equal(err.message, room, 255);
}

static void a_message_that_just_fits_is_whole(void **state)
{
	char room[400];
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	sopi_fail(&err, SOP_IO, "%s", umlauts(room, 1, 255));
	assert_string_equal(err.message, room);
}

static void a_message_of_any_length_is_cut(void **state)
{
	static char room[5001];
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	for (size_t size = 1000; size <= 5000; size += 500) {
		memset(room, 'm', size);
		room[size] = '\0';
		sopi_fail(&err, SOP_IO, "%s", room);
		assert_int_equal(strlen(err.message), TEXT_ROOM - 1);
	}
	sopi_fail(&err, SOP_IO, "%s", umlauts(room, 0, 5000));
	assert_int_equal(strlen(err.message), 254);
}

static void store_and_file_are_cut_between_characters(void **state)
{
	char room[400];
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	umlauts(room, 0, 300);
	sopi_fail_store(&err, SOP_LIMIT, room, 300, "x");
	assert_int_equal(strlen(err.store), 254);
	assert_memory_equal(err.store, room, 254);
	sopi_fail_file(&err, SOP_IO, room, 0, 0, "x");
	assert_int_equal(strlen(err.file), 254);
	assert_memory_equal(err.file, room, 254);
}

static void a_store_is_as_long_as_is_said(void **state)
{
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	sopi_fail_store(&err, SOP_NOT_FOUND, "accounts", 3, "x");
	assert_string_equal(err.store, "acc");
	sopi_fail_store(&err, SOP_NOT_FOUND, NULL, 0, "x");
	assert_string_equal(err.store, "");
}

/* The room of a caller compiled against an older header, with a guard behind it. */
struct older {
	sop_error err;
	unsigned char guard[16];
};

static void an_older_and_shorter_structure_is_not_overrun(void **state)
{
	(void)state;
	for (size_t size = offsetof(sop_error, offset); size < sizeof(sop_error); size++) {
		struct older old;
		const unsigned char *byte = (const unsigned char *)&old;

		memset(&old, 0xEE, sizeof old);
		old.err.size = size;
		sopi_fail_file(&old.err, SOP_IO, "f", 3, 5, "message");
		assert_int_equal(old.err.size, size);
		assert_int_equal(old.err.status, SOP_IO);
		assert_int_equal(old.err.os_errno, 5);
		for (size_t at = size; at < sizeof old; at++)
			assert_int_equal(byte[at], 0xEE);
	}
}

static void a_structure_without_a_size_is_left_alone(void **state)
{
	(void)state;
	for (size_t size = 0; size < offsetof(sop_error, offset); size++) {
		struct older old;
		struct older before;

		memset(&old, 0xEE, sizeof old);
		old.err.size = size;
		before = old;
		assert_int_equal(sopi_fail(&old.err, SOP_IO, "message"), SOP_IO);
		assert_memory_equal(&old, &before, sizeof old);
	}
}

static void a_newer_and_longer_structure_keeps_its_rest(void **state)
{
	struct older newer;

	(void)state;
	memset(&newer, 0xEE, sizeof newer);
	newer.err.size = sizeof newer;
	sopi_fail(&newer.err, SOP_IO, "message");
	assert_int_equal(newer.err.size, sizeof newer);
	assert_string_equal(newer.err.message, "message");
	for (size_t at = 0; at < sizeof newer.guard; at++)
		assert_int_equal(newer.guard[at], 0xEE);
}

static void every_status_has_its_row(void **state)
{
	(void)state;
#define ROW(name, number, traits, text)                                                            \
	assert_int_equal(SOP_##name, number);                                                      \
	assert_string_equal(sop_status_name(number), #name);                                       \
	assert_string_equal(sop_status_text(number), text);                                        \
	assert_int_equal(sop_status_traits(number), traits);
	SOP_STATUS_TABLE(ROW)
#undef ROW
}

static void a_number_that_is_no_status_is_safe(void **state)
{
	static const sop_status none[] = { 1, 1000, INT32_MAX, -1000, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		assert_string_equal(sop_status_name(none[i]), "?");
		assert_non_null(sop_status_text(none[i]));
		assert_int_equal(sop_status_traits(none[i]), 0);
	}
}

static sop_status passes_on(sop_status with, int *reached)
{
	SOP_TRY(with);
	*reached += 1;
	return SOP_OK;
}

static sop_status passes_on_through_out(sop_status with, int *cleaned)
{
	sop_status status = SOP_OK;

	SOP_TRY_OUT(with);
	*cleaned += 10;
out:
	*cleaned += 1;
	return status;
}

static void try_returns_the_first_failure(void **state)
{
	int reached = 0;

	(void)state;
	assert_int_equal(passes_on(SOP_IO, &reached), SOP_IO);
	assert_int_equal(reached, 0);
	assert_int_equal(passes_on(SOP_OK, &reached), SOP_OK);
	assert_int_equal(reached, 1);
	reached = 0;
	assert_int_equal(passes_on_through_out(SOP_IO, &reached), SOP_IO);
	assert_int_equal(reached, 1);
	assert_int_equal(passes_on_through_out(SOP_OK, &reached), SOP_OK);
	assert_int_equal(reached, 12);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_fills_everything),
		cmocka_unit_test(a_later_failure_leaves_nothing_of_an_earlier_one),
		cmocka_unit_test(null_is_a_caller_who_does_not_ask),
		cmocka_unit_test(a_message_is_cut_between_characters),
		cmocka_unit_test(a_message_that_just_fits_is_whole),
		cmocka_unit_test(a_message_of_any_length_is_cut),
		cmocka_unit_test(store_and_file_are_cut_between_characters),
		cmocka_unit_test(a_store_is_as_long_as_is_said),
		cmocka_unit_test(an_older_and_shorter_structure_is_not_overrun),
		cmocka_unit_test(a_structure_without_a_size_is_left_alone),
		cmocka_unit_test(a_newer_and_longer_structure_keeps_its_rest),
		cmocka_unit_test(every_status_has_its_row),
		cmocka_unit_test(a_number_that_is_no_status_is_safe),
		cmocka_unit_test(try_returns_the_first_failure),
	};

	test_begin(argc, argv);
	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
