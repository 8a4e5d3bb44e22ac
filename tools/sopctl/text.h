/* Text that grows in a sop_buf, and numbers as people read them. A program that has no memory left for a line of
 * text cannot go on: it says so and ends, which a database survives. */
#ifndef SOPCTL_TEXT_H
#define SOPCTL_TEXT_H

#include <sop/buffer.h>

#include <stdbool.h>
#include <stdio.h>

/* Memory for `count` things of `size` bytes, zeroed; freed with free. */
void *memory_of(size_t count, size_t size);
/* `room`, which memory_of or this gave, grown to `count` things of `size` bytes. */
void *memory_grown(void *room, size_t count, size_t size);

/* Appends to `buf`. */
void text_add(sop_buf *buf, const void *data, size_t size);
void text_puts(sop_buf *buf, const char *text);
void text_putc(sop_buf *buf, char c);
void text_printf(sop_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends `bytes` in hexadecimal. */
void text_hex(sop_buf *buf, sop_bytes bytes);
/* Makes `buf` empty, keeping its memory. */
static inline void text_clear(sop_buf *buf)
{
	buf->size = 0;
}
/* The content with a NUL behind it. */
const char *text_string(sop_buf *buf);
/* The content as bytes. */
static inline sop_bytes text_bytes(const sop_buf *buf)
{
	return (sop_bytes){ buf->data, buf->size };
}
/* The bytes of a C string. */
sop_bytes bytes_of(const char *text);

/* A number with commas: 1,234,567. Appends. */
void text_count(sop_buf *buf, unsigned long long number);
/* A size in bytes as people read it: 17 B, 4.2 MB (powers of 1024). Appends. */
void text_size(sop_buf *buf, unsigned long long bytes);
/* A duration as people read it: 830 us, 12.5 ms, 3.4 s, 4 min 10 s, 2 h 5 min. Appends. */
void text_duration(sop_buf *buf, long long ns);
/* `bytes` on a terminal: control characters and malformed UTF-8 as \n, \x1b. Appends at most `columns` columns
 * (0: no limit), the last of which is an ellipsis where something is left out. Returns how many. */
size_t text_visible(sop_buf *buf, sop_bytes bytes, size_t columns);
/* The columns that text_visible would take without a limit. */
size_t text_columns(sop_bytes bytes);
/* Bytes of the UTF-8 character at the start of `bytes`; 0 if there is none or it is malformed. `code` receives it. */
size_t utf8_next(sop_bytes bytes, unsigned *code);

/* Whether `bytes` are UTF-8. */
bool utf8_valid(sop_bytes bytes);

/* Nanoseconds of a clock that never goes back. */
long long now_ns(void);

#endif
