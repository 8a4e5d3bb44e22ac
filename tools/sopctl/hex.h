/* Hexadecimal, fast: what dump writes and load reads is nothing else. */
#ifndef SOPCTL_HEX_H
#define SOPCTL_HEX_H

#include <sop/buffer.h>

#include <stdbool.h>

/* The value of a hex digit of either case; -1 if it is none. */
int hex_digit(char digit);

/* Decodes `text` to text.size / 2 bytes at `to`. Returns false if it is no even number of hex digits. */
bool hex_decode(sop_bytes text, unsigned char *to);

/* Appends `bytes` as lower-case digits. */
void hex_write(sop_bytes bytes, sop_buf *out);

#endif
