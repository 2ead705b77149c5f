// ingest/text.h - pieces of text that somebody else owns.
#ifndef INGEST_TEXT_H
#define INGEST_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    const char *at; // not terminated
    size_t bytes;
};

struct text text_of(const char *terminated);

static inline bool text_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Without blanks, tabs and line ends on either side.
static inline struct text text_trim(struct text text)
{
    if (text.bytes > 0 && (unsigned char)text.at[0] > ' ' &&
        (unsigned char)text.at[text.bytes - 1] > ' ') {
        return text; // as nearly all of them
    }
    while (text.bytes > 0 && text_is_blank(text.at[text.bytes - 1])) {
        text.bytes--;
    }
    while (text.bytes > 0 && text_is_blank(text.at[0])) {
        text.at++;
        text.bytes--;
    }
    return text;
}

bool text_equal(struct text a, struct text b);
bool text_is(struct text text, const char *terminated);
bool text_is_ignoring_case(struct text text, const char *terminated); // ASCII letters

// Cuts the first item off `*rest` at any of the bytes in `separators`; both ends are trimmed.
// False when nothing is left.
bool text_cut(struct text *rest, const char *separators, struct text *out_item);

bool text_is_utf8(struct text text);
// Whether more bytes belong to the last character than there are.
bool text_ends_within_character(struct text text);
// How many digits it begins with, as far as `digits_max`.
size_t text_count_digits(struct text text, size_t digits_max);

// A terminated copy that the caller frees; NULL without memory.
char *text_copy(struct text text);

#endif
