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

// Without blanks, tabs and line ends on either side.
struct text text_trim(struct text text);

bool text_equal(struct text a, struct text b);
bool text_is(struct text text, const char *terminated);
bool text_is_ignoring_case(struct text text, const char *terminated); // ASCII letters

// Cuts the first item off `*rest` at any of the bytes in `separators`; both ends are trimmed.
// False when nothing is left.
bool text_cut(struct text *rest, const char *separators, struct text *out_item);

bool text_is_utf8(struct text text);

// A terminated copy that the caller frees; NULL without memory.
char *text_copy(struct text text);

#endif
