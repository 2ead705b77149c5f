#include "store/revision.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER_DIGITS_MAX = 18 };

static bool is_blank(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != ' ' && text[i] != '\t') {
            return false;
        }
    }
    return true;
}

static bool parse_number(const char *text, size_t bytes, int64_t *out_number)
{
    bool negative = bytes > 0 && text[0] == '-';
    size_t at = negative ? 1 : 0;
    int64_t number = 0;

    if (bytes == at || bytes - at > NUMBER_DIGITS_MAX) {
        return false;
    }
    for (; at < bytes; at++) {
        if (text[at] < '0' || text[at] > '9') {
            return false;
        }
        number = number * 10 + (text[at] - '0');
    }
    *out_number = negative ? -number : number;
    return true;
}

struct revision revision_of_text(const char *text, size_t bytes)
{
    int64_t number;

    if (is_blank(text, bytes)) {
        return (struct revision){.kind = REVISION_NONE};
    }
    if (parse_number(text, bytes, &number)) {
        return revision_of_number(number);
    }
    return (struct revision){.kind = REVISION_TEXT, .bytes = (uint32_t)bytes, .text = text};
}

struct revision revision_of_number(int64_t number)
{
    return (struct revision){.kind = REVISION_NUMBER, .number = number};
}

static int compare_texts(const struct revision *a, const struct revision *b)
{
    char number_a[REVISION_NUMBER_BYTES];
    char number_b[REVISION_NUMBER_BYTES];
    size_t bytes_a;
    size_t bytes_b;
    const char *text_a = revision_format(a, number_a, &bytes_a);
    const char *text_b = revision_format(b, number_b, &bytes_b);

    int order = memcmp(text_a, text_b, bytes_a < bytes_b ? bytes_a : bytes_b);
    return order != 0 ? order : (bytes_a > bytes_b) - (bytes_a < bytes_b);
}

int revision_compare(const struct revision *a, const struct revision *b)
{
    if (a->kind == REVISION_NONE || b->kind == REVISION_NONE) {
        return (a->kind != REVISION_NONE) - (b->kind != REVISION_NONE);
    }
    if (a->kind == REVISION_NUMBER && b->kind == REVISION_NUMBER) {
        return (a->number > b->number) - (a->number < b->number);
    }
    return compare_texts(a, b);
}

const char *revision_format(const struct revision *revision, char number[REVISION_NUMBER_BYTES],
                            size_t *out_bytes)
{
    switch (revision->kind) {
    case REVISION_TEXT:
        *out_bytes = revision->bytes;
        return revision->text;
    case REVISION_NUMBER:
        *out_bytes =
            (size_t)snprintf(number, REVISION_NUMBER_BYTES, "%lld", (long long)revision->number);
        return number;
    case REVISION_NONE:
        break;
    }
    *out_bytes = 0;
    return "";
}
