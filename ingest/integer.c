#include "ingest/integer.h"

#include <string.h>

enum { PLAIN_DIGITS_MAX = 18 }; // below int64

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum integer_status parse_fraction(struct text digits)
{
    bool zero = true;

    for (size_t i = 0; i < digits.bytes; i++) {
        if (!is_digit(digits.at[i])) {
            return INTEGER_UNREADABLE;
        }
        zero = zero && digits.at[i] == '0';
    }
    return zero ? INTEGER_OK : INTEGER_FRACTION;
}

// "12" and "0", as nearly all counts are. False: it is none of these.
bool integer_parse_plain(struct text text, int64_t *out_number)
{
    int64_t number = 0;

    if (text.bytes == 0 || text.bytes > PLAIN_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.bytes; i++) {
        if (!is_digit(text.at[i])) {
            return false;
        }
        number = number * 10 + (text.at[i] - '0');
    }
    *out_number = number;
    return true;
}

static enum integer_status parse_any(struct text text, char decimal, int64_t *out_number)
{
    bool negative = text.bytes > 0 && text.at[0] == '-';
    size_t start = negative || (text.bytes > 0 && text.at[0] == '+') ? 1 : 0;
    size_t at = start;
    int64_t number = 0; // kept negative: int64 reaches further there
    bool fits = true;

    for (; at < text.bytes && is_digit(text.at[at]); at++) {
        fits = fits && !__builtin_mul_overflow(number, 10, &number) &&
               !__builtin_sub_overflow(number, text.at[at] - '0', &number);
    }
    if (at == start) {
        return INTEGER_UNREADABLE;
    }
    if (at < text.bytes) {
        if (text.at[at] != decimal) {
            return INTEGER_UNREADABLE;
        }
        enum integer_status status =
            parse_fraction((struct text){.at = text.at + at + 1, .bytes = text.bytes - at - 1});
        if (status != INTEGER_OK) {
            return status;
        }
    }
    if (!fits || (!negative && number == INT64_MIN)) {
        return INTEGER_TOO_LARGE;
    }
    *out_number = negative ? number : -number;
    return INTEGER_OK;
}

enum integer_status integer_parse(struct text text, char decimal, int64_t *out_number)
{
    return integer_parse_plain(text, out_number) ? INTEGER_OK
                                                 : parse_any(text, decimal, out_number);
}

struct text integer_without_zeros(struct text text, char decimal)
{
    if (text.bytes < 3 || text.at[text.bytes - 1] != '0') {
        return text;
    }
    const char *mark = memchr(text.at, decimal, text.bytes);
    if (!mark) {
        return text;
    }
    size_t whole = (size_t)(mark - text.at);
    size_t at = text.at[0] == '-' ? 1 : 0;
    if (at == whole) {
        return text;
    }
    for (; at < text.bytes; at++) {
        if (at != whole && (at < whole ? !is_digit(text.at[at]) : text.at[at] != '0')) {
            return text;
        }
    }
    return (struct text){.at = text.at, .bytes = whole};
}

bool integer_is_rounded(struct text text)
{
    enum { EXPONENT_BYTES = 4 }; // E+11
    const char *exponent = text.at + text.bytes - EXPONENT_BYTES;

    if (text.bytes <= EXPONENT_BYTES || memcmp(exponent, "E+", 2) != 0 ||
        text_count_digits((struct text){.at = exponent + 2, .bytes = 2}, 2) != 2 ||
        text_count_digits(text, 1) != 1) {
        return false;
    }
    if (text.bytes == 1 + EXPONENT_BYTES) {
        return true;
    }
    struct text fraction = {.at = text.at + 2, .bytes = text.bytes - 2 - EXPONENT_BYTES};
    return text.bytes > 2 + EXPONENT_BYTES && (text.at[1] == '.' || text.at[1] == ',') &&
           text_count_digits(fraction, fraction.bytes) == fraction.bytes;
}
