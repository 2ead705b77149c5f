// base/utf8.h - where characters begin and end in UTF-8.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

// Bytes of a character that begins with `c`, or 0: none does.
static inline size_t utf8_bytes_begun_by(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

// Bytes of the character that begins at `at`, or 0: not UTF-8. Requires: left > 0.
size_t utf8_bytes(const char *at, size_t left);

#endif
