/* Texts of values. */
#include "codec/schema_text.h"

#include "codec/key_field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MICROSECONDS_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)
#define DAYS_TO_1970 INT64_C(719162) /* from 0001-01-01 */
#define DAYS_TO_10000 INT64_C(3652059)

enum { FLOAT_DIGITS_MAX = 17, FIXED_EXPONENT_LEAST = -4, FIXED_EXPONENT_MOST = 15 };

bool sopi_text_to_int(const char *text, size_t size, sop_value *value)
{
	const bool negative = size > 0 && text[0] == '-';
	const char *at = text + negative;
	const char *const end = text + size;
	uint64_t number = 0;

	if (at == end || (*at == '0' && end - at > 1))
		return false;
	for (; at < end; at++) {
		const unsigned digit = (unsigned)(unsigned char)*at - '0';

		if (digit > 9 || number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (negative) {
		if (number > (uint64_t)INT64_MAX + 1)
			return false;
		*value = sop_value_int(number == 0 ? 0 : -1 - (int64_t)(number - 1));
	} else {
		*value = number <= INT64_MAX ? sop_value_int((int64_t)number) : sop_value_uint(number);
	}
	return true;
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

bool sopi_text_to_bytes(const char *text, size_t size, uint8_t *to)
{
	if (size % 2 != 0)
		return false;
	for (size_t i = 0; i < size; i += 2) {
		const int high = hex_digit(text[i]);
		const int low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return false;
		*to++ = (uint8_t)(high * 16 + low);
	}
	return true;
}

/* Days from 0001-01-01 to the first day of `year`, in the Gregorian calendar. */
static int64_t days_before_year(int64_t year)
{
	const int64_t before = year - 1;

	return before * 365 + before / 4 - before / 100 + before / 400;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Reads `count` digits and moves `*at` behind them; -1 if there are fewer. */
static int take_digits(const char **at, const char *end, int count)
{
	int number = 0;

	if (end - *at < count)
		return -1;
	for (; count > 0; count--, (*at)++) {
		if (**at < '0' || **at > '9')
			return -1;
		number = number * 10 + (**at - '0');
	}
	return number;
}

static bool take_char(const char **at, const char *end, const char *any_of)
{
	if (*at == end || **at == '\0' || strchr(any_of, **at) == NULL)
		return false;
	(*at)++;
	return true;
}

/* "2024-02-29" to days since 0001-01-01. */
static bool take_date(const char **at, const char *end, int64_t *days)
{
	const int year = take_digits(at, end, 4);
	const bool dash = take_char(at, end, "-");
	const int month = take_digits(at, end, 2);
	const bool second_dash = take_char(at, end, "-");
	const int day = take_digits(at, end, 2);

	if (!dash || !second_dash || year < 1 || month < 1 || month > 12 || day < 1 ||
	    day > days_in_month(year, month))
		return false;
	*days = days_before_year(year) + day - 1;
	for (int before = 1; before < month; before++)
		*days += days_in_month(year, before);
	return true;
}

/* "23:59:59" and up to 6 decimals to microseconds. */
static bool take_time(const char **at, const char *end, int64_t *microseconds)
{
	const int hour = take_digits(at, end, 2);
	const bool colon = take_char(at, end, ":");
	const int minute = take_digits(at, end, 2);
	const bool second_colon = take_char(at, end, ":");
	const int second = take_digits(at, end, 2);
	int64_t unit = MICROSECONDS_PER_SECOND;

	if (!colon || !second_colon || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
	    second < 0 || second > 59)
		return false;
	*microseconds = (hour * 3600 + minute * 60 + second) * MICROSECONDS_PER_SECOND;
	if (!take_char(at, end, "."))
		return true;
	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		unit /= 10;
		if (unit == 0)
			return false; /* finer than a microsecond: an error, not a rounding */
		*microseconds += (**at - '0') * unit;
	}
	return unit < MICROSECONDS_PER_SECOND;
}

/* "Z" or "+05:30" to seconds east of Greenwich. */
static bool take_offset(const char **at, const char *end, int64_t *seconds)
{
	const bool west = *at < end && **at == '-';

	*seconds = 0;
	if (take_char(at, end, "Zz"))
		return true;
	if (!take_char(at, end, "+-"))
		return false;
	const int hour = take_digits(at, end, 2);
	const bool colon = take_char(at, end, ":");
	const int minute = take_digits(at, end, 2);

	*seconds = (hour * 3600 + minute * 60) * (west ? -1 : 1);
	return colon && hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

bool sopi_text_to_ts(const char *text, size_t size, sop_value *value)
{
	const char *const end = text + size;
	const char *at = text;
	int64_t days, microseconds, offset;

	if (!take_date(&at, end, &days) || !take_char(&at, end, "Tt") ||
	    !take_time(&at, end, &microseconds) || !take_offset(&at, end, &offset) || at != end)
		return false;
	*value = sop_value_ts(((days - DAYS_TO_1970) * SECONDS_PER_DAY - offset) * MICROSECONDS_PER_SECOND +
			      microseconds);
	return true;
}

bool sopi_ts_to_text(int64_t microseconds, char text[SOPI_NUMBER_TEXT_BYTES])
{
	const int64_t day_length = SECONDS_PER_DAY * MICROSECONDS_PER_SECOND;
	const bool before = microseconds % day_length < 0; /* C rounds towards 1970 */
	const int64_t rest = microseconds % day_length + (before ? day_length : 0);
	int64_t days = microseconds / day_length - before + DAYS_TO_1970;
	const int seconds = (int)(rest / MICROSECONDS_PER_SECOND);
	int64_t year = days / 366 + 1; /* never late, and at most 21 years early */
	int month = 1;
	int size;

	if (days < 0 || days >= DAYS_TO_10000)
		return false;
	while (days_before_year(year + 1) <= days)
		year++;
	days -= days_before_year(year);
	for (; days >= days_in_month((int)year, month); month++)
		days -= days_in_month((int)year, month);
	size = snprintf(text, SOPI_NUMBER_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%06d",
			(int)year, month, (int)days + 1, seconds / 3600, seconds / 60 % 60,
			seconds % 60, (int)(rest % MICROSECONDS_PER_SECOND));
	while (text[size - 1] == '0')
		size--;
	size -= text[size - 1] == '.';
	memcpy(text + size, "Z", 2);
	return true;
}

void sopi_float_to_text(double real, char text[SOPI_NUMBER_TEXT_BYTES])
{
	int digits = 1;
	int exponent;

	for (;; digits++) { /* 17 are always enough */
		snprintf(text, SOPI_NUMBER_TEXT_BYTES, "%.*e", digits - 1, real);
		if (digits == FLOAT_DIGITS_MAX || strtod(text, NULL) == real)
			break;
	}
	exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	if (exponent >= FIXED_EXPONENT_LEAST && exponent <= FIXED_EXPONENT_MOST)
		snprintf(text, SOPI_NUMBER_TEXT_BYTES, "%.*f",
			 digits - 1 > exponent ? digits - 1 - exponent : 1, real);
}
