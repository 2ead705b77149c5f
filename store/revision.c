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

static size_t digits(const char *text, size_t bytes)
{
    size_t count = 0;

    while (count < bytes && text[count] >= '0' && text[count] <= '9') {
        count++;
    }
    return count;
}

bool revision_decimal_parse(const char *text, size_t bytes, struct revision_decimal *out)
{
    *out = (struct revision_decimal){.negative = bytes > 0 && text[0] == '-', .fraction = ""};
    size_t sign = bytes > 0 && (text[0] == '-' || text[0] == '+');
    text += sign;
    bytes -= sign;
    out->whole = text;
    out->whole_bytes = digits(text, bytes);
    size_t read = out->whole_bytes;
    if (read > 0 && read < bytes && text[read] == '.') {
        out->fraction = text + read + 1;
        out->fraction_bytes = digits(out->fraction, bytes - read - 1);
        read += 1 + out->fraction_bytes;
    }
    while (out->whole_bytes > 0 && out->whole[0] == '0') {
        out->whole++;
        out->whole_bytes--;
    }
    while (out->fraction_bytes > 0 && out->fraction[out->fraction_bytes - 1] == '0') {
        out->fraction_bytes--;
    }
    out->negative = out->negative && out->whole_bytes + out->fraction_bytes > 0;
    return read > 0 && read == bytes;
}

static int compare_bytes(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);
    return order != 0 ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int compare_decimals(const struct revision_decimal *a, const struct revision_decimal *b)
{
    if (a->negative != b->negative) {
        return a->negative ? -1 : 1;
    }
    int order = a->whole_bytes != b->whole_bytes
                    ? (a->whole_bytes > b->whole_bytes) - (a->whole_bytes < b->whole_bytes)
                    : memcmp(a->whole, b->whole, a->whole_bytes);
    if (order == 0) {
        order = compare_bytes(a->fraction, a->fraction_bytes, b->fraction, b->fraction_bytes);
    }
    return a->negative ? -order : order;
}

static int compare_texts(const struct revision *a, const struct revision *b)
{
    char digits_a[REVISION_NUMBER_BYTES];
    char digits_b[REVISION_NUMBER_BYTES];
    struct revision_decimal decimal_a;
    struct revision_decimal decimal_b;
    size_t bytes_a;
    size_t bytes_b;
    const char *text_a = revision_format(a, digits_a, &bytes_a);
    const char *text_b = revision_format(b, digits_b, &bytes_b);

    bool number_a = revision_decimal_parse(text_a, bytes_a, &decimal_a);
    bool number_b = revision_decimal_parse(text_b, bytes_b, &decimal_b);

    if (number_a && number_b) {
        return compare_decimals(&decimal_a, &decimal_b);
    }
    // Numbers below texts, so that the three kinds together are one order.
    return number_a != number_b ? (number_b ? 1 : -1)
                                : compare_bytes(text_a, bytes_a, text_b, bytes_b);
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
