#include "base/utf8.h"

size_t utf8_bytes(const char *at, size_t left)
{
    const unsigned char *byte = (const unsigned char *)at;
    unsigned char c = byte[0];
    size_t bytes = utf8_bytes_begun_by(c);

    if (bytes == 0 || bytes > left) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((byte[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    // Too long a form, surrogates, beyond U+10FFFF.
    if ((c == 0xe0 && byte[1] < 0xa0) || (c == 0xed && byte[1] > 0x9f) ||
        (c == 0xf0 && byte[1] < 0x90) || (c == 0xf4 && byte[1] > 0x8f)) {
        return 0;
    }
    return bytes;
}
