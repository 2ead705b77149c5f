#include "ingest/text.h"

#include "base/utf8.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

struct text text_of(const char *terminated)
{
    return (struct text){.at = terminated, .bytes = strlen(terminated)};
}

bool text_equal(struct text a, struct text b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.at, b.at, a.bytes) == 0);
}

bool text_is(struct text text, const char *terminated)
{
    return text_equal(text, text_of(terminated));
}

bool text_is_ignoring_case(struct text text, const char *terminated)
{
    return strlen(terminated) == text.bytes && strncasecmp(text.at, terminated, text.bytes) == 0;
}

bool text_cut(struct text *rest, const char *separators, struct text *out_item)
{
    if (!rest->at) {
        return false;
    }
    for (size_t i = 0; i < rest->bytes; i++) {
        if (strchr(separators, rest->at[i])) {
            *out_item = text_trim((struct text){.at = rest->at, .bytes = i});
            *rest = (struct text){.at = rest->at + i + 1, .bytes = rest->bytes - i - 1};
            return true;
        }
    }
    *out_item = text_trim(*rest);
    *rest = (struct text){0};
    return true;
}

// Bytes of ASCII at the start: eight at a time, since most texts hold nothing else.
static size_t plain_bytes(const unsigned char *at, size_t left)
{
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    size_t count = 0;
    uint64_t word;

    for (; left - count >= sizeof word; count += sizeof word) {
        memcpy(&word, at + count, sizeof word);
        if (word & high_bits) {
            break;
        }
    }
    while (count < left && at[count] < 0x80) {
        count++;
    }
    return count;
}

bool text_is_utf8(struct text text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    size_t left = text.bytes;

    while (left > 0) {
        size_t plain = plain_bytes(at, left);
        at += plain;
        left -= plain;
        if (left == 0) {
            break;
        }
        size_t bytes = utf8_bytes((const char *)at, left);
        if (bytes == 0) {
            return false;
        }
        at += bytes;
        left -= bytes;
    }
    return true;
}

bool text_ends_within_character(struct text text)
{
    size_t back = 1;

    while (back < 4 && back < text.bytes &&
           ((unsigned char)text.at[text.bytes - back] & 0xc0) == 0x80) {
        back++;
    }
    return text.bytes > 0 && utf8_bytes_begun_by((unsigned char)text.at[text.bytes - back]) > back;
}

char *text_copy(struct text text)
{
    return strndup(text.at ? text.at : "", text.bytes);
}

size_t text_count_digits(struct text text, size_t digits_max)
{
    size_t count = 0;

    while (count < text.bytes && count < digits_max && text.at[count] >= '0' &&
           text.at[count] <= '9') {
        count++;
    }
    return count;
}
