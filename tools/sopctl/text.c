#include "text.h"

#include "status.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

static void out_of_memory(void)
{
	fputs("sopctl: NO_MEMORY: out of memory; free some and try again\n", stderr);
	exit(EXIT_BROKEN);
}

void *memory_of(size_t count, size_t size)
{
	void *room = calloc(count == 0 ? 1 : count, size);

	if (room == NULL)
		out_of_memory();
	return room;
}

void *memory_grown(void *room, size_t count, size_t size)
{
	void *grown = reallocarray(room, count, size);

	if (grown == NULL)
		out_of_memory();
	return grown;
}

void text_add(sop_buf *buf, const void *data, size_t size)
{
	if (size == 0)
		return;
	if (buf->capacity - buf->size < size) {
		const size_t wanted = buf->size + size + buf->size / 2 + 64;

		if (wanted < size || sop_buf_reserve(buf, wanted, NULL) != SOP_OK)
			out_of_memory();
	}
	memcpy((char *)buf->data + buf->size, data, size);
	buf->size += size;
}

void text_puts(sop_buf *buf, const char *text)
{
	text_add(buf, text, strlen(text));
}

void text_putc(sop_buf *buf, char c)
{
	text_add(buf, &c, 1);
}

void text_printf(sop_buf *buf, const char *format, ...)
{
	char line[512];
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (size < 0)
		return;
	if ((size_t)size < sizeof line) {
		text_add(buf, line, (size_t)size);
	} else {
		char *longer = memory_of((size_t)size + 1, 1);

		va_start(arguments, format);
		vsnprintf(longer, (size_t)size + 1, format, arguments);
		va_end(arguments);
		text_add(buf, longer, (size_t)size);
		free(longer);
	}
}

void text_hex(sop_buf *buf, sop_bytes bytes)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *data = bytes.data;

	for (size_t i = 0; i < bytes.size; i++) {
		const char pair[2] = { digits[data[i] >> 4], digits[data[i] & 15] };

		text_add(buf, pair, 2);
	}
}

const char *text_string(sop_buf *buf)
{
	text_putc(buf, '\0');
	buf->size--;
	return buf->data;
}

sop_bytes bytes_of(const char *text)
{
	return (sop_bytes){ text, strlen(text) };
}

void text_count(sop_buf *buf, unsigned long long number)
{
	char digits[32];
	const size_t size = (size_t)snprintf(digits, sizeof digits, "%llu", number);

	for (size_t i = 0; i < size; i++) {
		if (i > 0 && (size - i) % 3 == 0)
			text_putc(buf, ',');
		text_putc(buf, digits[i]);
	}
}

void text_size(sop_buf *buf, unsigned long long bytes)
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB", "PB", "EB" };
	double number = (double)bytes;
	size_t unit = 0;

	while (number >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
		number /= 1024;
		unit++;
	}
	text_printf(buf, unit == 0 || number >= 100 ? "%.0f %s" : "%.1f %s", number, units[unit]);
}

void text_duration(sop_buf *buf, long long ns)
{
	const double us = (double)ns / 1e3;
	const long long s = (ns + 500000000) / 1000000000;

	if (us < 1000)
		text_printf(buf, "%.0f us", us);
	else if (us < 100e3)
		text_printf(buf, "%.1f ms", us / 1e3);
	else if (us < 999.5e3)
		text_printf(buf, "%.0f ms", us / 1e3);
	else if (s < 60)
		text_printf(buf, "%.1f s", us / 1e6);
	else if (s < 3600)
		text_printf(buf, "%lld min %lld s", s / 60, s % 60);
	else
		text_printf(buf, "%lld h %lld min", s / 3600, s % 3600 / 60);
}

size_t utf8_next(sop_bytes bytes, unsigned *code)
{
	static const unsigned lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *data = bytes.data;
	size_t size;
	unsigned value;

	if (bytes.size == 0)
		return 0;
	value = data[0];
	size = value < 0x80 ? 1 : value >= 0xF0 ? 4 : value >= 0xE0 ? 3 : 2;
	if ((value >= 0x80 && value < 0xC2) || value > 0xF4 || bytes.size < size)
		return 0;
	if (size > 1)
		value &= 0xFFu >> (size + 1);
	for (size_t i = 1; i < size; i++) {
		if ((data[i] & 0xC0) != 0x80)
			return 0;
		value = value << 6 | (data[i] & 0x3Fu);
	}
	if (value < lowest[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
		return 0;
	*code = value;
	return size;
}

/* The next piece of `bytes` as it is shown: receives up to 12 bytes in `shown` and its columns; returns the bytes of
 * `bytes` that it stands for. */
static size_t visible_piece(sop_bytes bytes, char shown[12], size_t *columns)
{
	const unsigned char first = *(const unsigned char *)bytes.data;
	unsigned code = 0;
	const size_t size = utf8_next(bytes, &code);

	if (size == 0 || code < 0x20 || (code >= 0x7F && code < 0xA0)) {
		const char *escape = first == '\n'   ? "\\n"
				     : first == '\t' ? "\\t"
				     : first == '\r' ? "\\r"
						     : NULL;

		if (escape != NULL)
			*columns = (size_t)snprintf(shown, 12, "%s", escape);
		else
			*columns = (size_t)snprintf(shown, 12, "\\x%02x", first);
		return 1;
	}
	memcpy(shown, bytes.data, size);
	shown[size] = '\0';
	*columns = code < 0x300			? 1
		   : wcwidth((wchar_t)code) < 0 ? 1
						: (size_t)wcwidth((wchar_t)code);
	return size;
}

static sop_bytes rest_of(sop_bytes bytes, size_t size)
{
	return (sop_bytes){ (const char *)bytes.data + size, bytes.size - size };
}

size_t text_visible(sop_buf *buf, sop_bytes bytes, size_t columns)
{
	const bool cut = columns > 0 && text_columns(bytes) > columns;
	const size_t room = cut ? columns - 1 : SIZE_MAX;
	size_t used = 0;

	while (bytes.size > 0) {
		char shown[12];
		size_t width;
		const size_t size = visible_piece(bytes, shown, &width);

		if (used + width > room)
			break;
		text_puts(buf, shown);
		used += width;
		bytes = rest_of(bytes, size);
	}
	if (cut) {
		text_puts(buf, "\xE2\x80\xA6");
		used++;
	}
	return used;
}

size_t text_columns(sop_bytes bytes)
{
	size_t used = 0;

	while (bytes.size > 0) {
		char shown[12];
		size_t width;

		bytes = rest_of(bytes, visible_piece(bytes, shown, &width));
		used += width;
	}
	return used;
}

bool utf8_valid(sop_bytes bytes)
{
	while (bytes.size > 0) {
		unsigned code;
		const size_t size = utf8_next(bytes, &code);

		if (size == 0)
			return false;
		bytes = rest_of(bytes, size);
	}
	return true;
}

long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}
