#include "base/pattern.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { NO_CHARACTER = 0xffffff }; // in front of a byte that belongs to none: above all characters

// A pattern or a text, from where it was not looked at yet.
struct rest {
    const char *at;
    const char *end;
};

// The first character of a text as a number: its bytes, so that numbers order as characters do.
static uint32_t number_of(const char *at, size_t left, size_t *out_bytes)
{
    size_t bytes = utf8_bytes(at, left);
    uint32_t number = bytes > 0 ? 0 : NO_CHARACTER;

    *out_bytes = bytes > 0 ? bytes : 1;
    for (size_t i = 0; i < *out_bytes; i++) {
        number = number << 8 | (unsigned char)at[i];
    }
    return number;
}

// Requires: there is a character.
static uint32_t take(struct rest *rest)
{
    size_t bytes;
    uint32_t number = number_of(rest->at, (size_t)(rest->end - rest->at), &bytes);

    rest->at += bytes;
    return number;
}

static bool begins_with(const struct rest *rest, char c)
{
    return rest->at < rest->end && *rest->at == c;
}

size_t pattern_take_plain(const char **pattern, const char *end,
                          char out_bytes[PATTERN_CHARACTER_BYTES])
{
    const char *behind[PATTERN_CHARACTER_BYTES] = {NULL};
    const char *at = *pattern;
    size_t count = 0;

    // A backslash may stand between the bytes of a character, too.
    while (count < PATTERN_CHARACTER_BYTES && at < end) {
        at += *at == '\\' && at + 1 < end;
        if (count > 0 && (unsigned char)*at < 0x80) {
            break;
        }
        out_bytes[count] = *at++;
        behind[count++] = at;
    }
    assert(count > 0);
    size_t bytes = utf8_bytes(out_bytes, count);
    bytes = bytes > 0 ? bytes : 1;
    *pattern = behind[bytes - 1];
    return bytes;
}

static uint32_t take_plain(struct rest *pattern)
{
    char bytes[PATTERN_CHARACTER_BYTES] = {0};
    size_t count = pattern_take_plain(&pattern->at, pattern->end, bytes);

    return number_of(bytes, count, &count);
}

// "[a-z_]" or "[!a-z_]"; a ] stands for itself in front. False: no set, since nothing closes it;
// the pattern stays where it is.
static bool take_set(struct rest *pattern, uint32_t character, bool *out_in)
{
    struct rest rest = {.at = pattern->at + 1, .end = pattern->end};
    bool negated = begins_with(&rest, '!') || begins_with(&rest, '^');
    bool found = false;

    rest.at += negated;
    for (bool first = true; first || !begins_with(&rest, ']'); first = false) {
        if (rest.at == rest.end) {
            return false;
        }
        uint32_t from = take_plain(&rest);
        uint32_t to = from;
        if (begins_with(&rest, '-') && rest.at + 1 < rest.end && rest.at[1] != ']') {
            rest.at++;
            to = take_plain(&rest);
        }
        found = found || (from <= character && character <= to);
    }
    pattern->at = rest.at + 1;
    *out_in = found != negated;
    return true;
}

// Whether what stands next in the pattern lets the character through; then it is passed over.
static bool lets_through(struct rest *pattern, uint32_t character, bool sets)
{
    struct rest rest = *pattern;
    bool in = false;

    if (rest.at == rest.end) {
        return false;
    }
    if (*rest.at == '?') {
        rest.at++;
        in = true;
    } else if (!(sets && *rest.at == '[' && take_set(&rest, character, &in))) {
        in = take_plain(&rest) == character;
    }
    if (in) {
        *pattern = rest;
    }
    return in;
}

// Wildcards by the usual two pointers: on a mismatch go back to behind the last '*'.
static bool matches(const char *terminated, const char *text, size_t bytes, bool sets)
{
    struct rest pattern = {.at = terminated, .end = terminated + strlen(terminated)};
    struct rest rest = {.at = text, .end = bytes > 0 ? text + bytes : text};
    struct rest star_pattern = {0};
    struct rest star_rest = {0};

    while (rest.at < rest.end) {
        struct rest behind = rest;
        if (begins_with(&pattern, '*')) {
            pattern.at++;
            star_pattern = pattern;
            star_rest = rest;
        } else if (lets_through(&pattern, take(&behind), sets)) {
            rest = behind;
        } else if (star_pattern.at) {
            take(&star_rest);
            pattern = star_pattern;
            rest = star_rest;
        } else {
            return false;
        }
    }
    while (begins_with(&pattern, '*')) {
        pattern.at++;
    }
    return pattern.at == pattern.end;
}

bool pattern_matches(const char *pattern, const char *text, size_t bytes)
{
    return matches(pattern, text, bytes, false);
}

bool pattern_matches_name(const char *pattern, const char *name, size_t bytes)
{
    return matches(pattern, name, bytes, true);
}
