/* Whether bytes are UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef SOPI_KEY_UTF8_H
#define SOPI_KEY_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `mask` is XORed with every byte first, so that descending fields are checked as they lie. */
bool sopi_utf8_valid(const uint8_t *text, size_t size, uint8_t mask);

/* Whether valid UTF-8 contains a control character: U+0000 to U+001F, U+007F to U+009F. */
bool sopi_utf8_has_control(const uint8_t *text, size_t size);

#endif
