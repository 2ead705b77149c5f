#include "store/cluster/rank.h"

#include <stdint.h>

enum {
    RANK_NUMBER = 1,
    RANK_TEXT = 2,
    RANK_NEGATIVE = '-',
    RANK_POSITIVE = '0', // zero among them
    RANK_SHORT_MAX = 0xef,
    RANK_LONG = 0xff,
};

// More digits of the whole are a greater number. `flip` is 0xff where greater is to be less.
static void put_length(struct bytes *out, uint32_t bytes, uint8_t flip)
{
    if (bytes <= RANK_SHORT_MAX) {
        bytes_put_u8(out, (uint8_t)bytes ^ flip);
        return;
    }
    bytes_put_u8(out, RANK_LONG ^ flip);
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes_put_u8(out, (uint8_t)(bytes >> shift) ^ flip);
    }
}

static void put_digits(struct bytes *out, const char *digits, size_t count, uint8_t flip)
{
    for (size_t i = 0; i < count; i++) {
        bytes_put_u8(out, (uint8_t)digits[i] ^ flip);
    }
}

static void put_number(struct bytes *out, const struct revision_decimal *number)
{
    uint8_t flip = number->negative ? 0xff : 0;

    bytes_put_u8(out, RANK_NUMBER);
    bytes_put_u8(out, number->negative ? RANK_NEGATIVE : RANK_POSITIVE);
    put_length(out, (uint32_t)number->whole_bytes, flip);
    put_digits(out, number->whole, number->whole_bytes, flip);
    put_digits(out, number->fraction, number->fraction_bytes, flip);
    if (number->negative) {
        bytes_put_u8(out, 0xff); // -1.5 is greater than -1.55: above any digit
    }
}

void rank_put(struct bytes *out, const struct revision *revision)
{
    char number[REVISION_NUMBER_BYTES];
    struct revision_decimal decimal;
    size_t bytes;
    const char *text = revision_format(revision, number, &bytes);

    if (revision->kind == REVISION_NONE) {
        return;
    }
    if (revision_decimal_parse(text, bytes, &decimal)) {
        put_number(out, &decimal);
        return;
    }
    bytes_put_u8(out, RANK_TEXT);
    bytes_put(out, text, bytes);
}
