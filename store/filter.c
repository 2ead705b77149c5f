#include "store/filter.h"

#include "base/pattern.h"

#include <stdlib.h>
#include <string.h>

static bool add_pattern(struct filter *filter, const char *text, size_t bytes,
                        struct tally_err *err)
{
    char **patterns =
        realloc(filter->patterns, (filter->patterns_count + 1) * sizeof *filter->patterns);

    if (!patterns) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a filter");
    }
    filter->patterns = patterns;
    filter->patterns[filter->patterns_count] = strndup(text, bytes);
    if (!filter->patterns[filter->patterns_count]) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a filter");
    }
    filter->patterns_count++;
    return true;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

static bool is_plain_in_quotes(char c)
{
    return c == '*' || c == '?' || c == '\\';
}

// "..." : everything inside is literal, so what would be a wildcard gets its escape.
static bool add_quoted(struct filter *filter, const char **at, struct tally_err *err)
{
    const char *start = *at + 1;
    const char *end = strchr(start, '"');

    if (!end) {
        return err_set(err, TALLY_INVALID, "open quote in '%.80s'", *at);
    }
    char *literal = malloc(2 * (size_t)(end - start) + 1);
    size_t bytes = 0;
    if (!literal) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a filter");
    }
    for (const char *c = start; c < end; c++) {
        if (is_plain_in_quotes(*c)) {
            literal[bytes++] = '\\';
        }
        literal[bytes++] = *c;
    }
    bool ok = add_pattern(filter, literal, bytes, err);
    free(literal);
    *at = skip_blanks(end + 1);
    return ok;
}

// Length of the unquoted item at `at`, and without the blanks at its end. What has a backslash in
// front belongs to it, also a comma or a blank.
static size_t plain_bytes(const char *at, size_t *out_trimmed)
{
    size_t bytes = 0;

    *out_trimmed = 0;
    while (at[bytes] != '\0' && at[bytes] != ',') {
        bool escaped = at[bytes] == '\\' && at[bytes + 1] != '\0';
        bool blank = at[bytes] == ' ' || at[bytes] == '\t';
        bytes += 1 + escaped;
        *out_trimmed = blank ? *out_trimmed : bytes;
    }
    return bytes;
}

static bool add_plain(struct filter *filter, const char **at, struct tally_err *err)
{
    size_t trimmed;
    size_t bytes = plain_bytes(*at, &trimmed);
    bool ok = add_pattern(filter, *at, trimmed, err);

    *at += bytes;
    return ok;
}

static bool add_list(struct filter *filter, const char *list, struct tally_err *err)
{
    const char *at = skip_blanks(list);

    for (;;) {
        if (!(*at == '"' ? add_quoted(filter, &at, err) : add_plain(filter, &at, err))) {
            return false;
        }
        if (*at == '\0') {
            return true;
        }
        if (*at != ',') {
            return err_set(err, TALLY_INVALID, "text behind a closing quote: '%.80s'", at);
        }
        at = skip_blanks(at + 1);
    }
}

bool filter_init(struct filter *filter, const char *dim, const char *list, struct tally_err *err)
{
    *filter = (struct filter){.dim = strdup(dim)};
    list = skip_blanks(list);
    if (*list == '!') {
        filter->negated = true;
        list++;
    }
    if (!filter->dim) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a filter");
    }
    if (!add_list(filter, list, err)) {
        filter_done(filter);
        return false;
    }
    return true;
}

bool filter_add(struct filter *filter, const char *list, struct tally_err *err)
{
    list = skip_blanks(list);
    bool negated = *list == '!';

    if (negated != filter->negated) {
        return err_set(err, TALLY_INVALID,
                       "conditions on '%s' are partly with and partly without '!'", filter->dim);
    }
    return add_list(filter, list + negated, err);
}

void filter_done(struct filter *filter)
{
    free(filter->dim);
    for (size_t i = 0; i < filter->patterns_count; i++) {
        free(filter->patterns[i]);
    }
    free(filter->patterns);
    *filter = (struct filter){0};
}

bool filter_matches(const struct filter *filter, const char *text, size_t bytes)
{
    for (size_t i = 0; i < filter->patterns_count; i++) {
        if (pattern_matches(filter->patterns[i], text, bytes)) {
            return !filter->negated;
        }
    }
    return filter->negated;
}

bool filter_text(const struct filter *filter, char *out, size_t capacity, size_t *out_bytes)
{
    size_t bytes = 0;

    if (filter->negated || filter->patterns_count != 1) {
        return false;
    }
    for (const char *at = filter->patterns[0]; *at != '\0'; at++) {
        if (*at == '*' || *at == '?' || bytes == capacity) {
            return false;
        }
        at += at[0] == '\\' && at[1] != '\0';
        out[bytes++] = *at;
    }
    *out_bytes = bytes;
    return true;
}

void filter_encode(const struct filter *filter, struct bytes *out)
{
    bytes_put_text(out, filter->dim, strlen(filter->dim));
    bytes_put_u8(out, filter->negated);
    bytes_put_varint(out, filter->patterns_count);
    for (size_t i = 0; i < filter->patterns_count; i++) {
        bytes_put_text(out, filter->patterns[i], strlen(filter->patterns[i]));
    }
}

bool filter_decode(struct filter *filter, struct cursor *in, struct tally_err *err)
{
    size_t bytes = 0;
    const char *dim = cursor_take_text(in, &bytes);

    *filter = (struct filter){.dim = strndup(dim ? dim : "", bytes)};
    if (!filter->dim) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a filter");
    }
    uint8_t negated = cursor_take_u8(in);
    filter->negated = negated != 0;
    in->ok = in->ok && negated <= 1 && strlen(filter->dim) == bytes;
    uint64_t count = cursor_take_varint(in);
    for (uint64_t i = 0; i < count && in->ok; i++) {
        const char *pattern = cursor_take_text(in, &bytes);
        in->ok = pattern && !memchr(pattern, '\0', bytes);
        if (in->ok && !add_pattern(filter, pattern, bytes, err)) {
            filter_done(filter);
            return false;
        }
    }
    if (!in->ok) {
        filter_done(filter);
        return err_set(err, TALLY_CORRUPT, "malformed filter");
    }
    return true;
}
