// base/pattern.h - texts with wildcards, in conditions and for names of files.
//
//     Z?rich      ? any one character         aid*       * any run of characters
//     a\*         \ takes the meaning from what is next; at the end it stands for itself
//     v[0-9]_[!x] in names of files: one of a set, one of any other
//
// A character is one of UTF-8; each byte that belongs to none is one by itself. There is no
// recursion: time is at most the product of both lengths.
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

enum { PATTERN_CHARACTER_BYTES = 4 };

// The text may hold a NUL.
bool pattern_matches(const char *pattern, const char *text, size_t bytes);
bool pattern_matches_name(const char *pattern, const char *name, size_t bytes); // with sets

// Takes the bytes of the character that stands for itself at `*pattern`, without backslashes, and
// says how many they are. Requires: *pattern < end, and no wildcard stands there.
size_t pattern_take_plain(const char **pattern, const char *end,
                          char out_bytes[PATTERN_CHARACTER_BYTES]);

#endif
