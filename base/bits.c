#include "base/bits.h"

#include <assert.h>

struct bits_writer bits_writer(struct bytes *out)
{
    return (struct bits_writer){.out = out};
}

void bits_put_wide(struct bits_writer *writer, bits_u128 value, uint32_t count)
{
    for (; count > BITS_AT_ONCE; count -= BITS_AT_ONCE) {
        bits_put(writer, bits_low((uint64_t)value, BITS_AT_ONCE), BITS_AT_ONCE);
        value >>= BITS_AT_ONCE;
    }
    bits_put(writer, (uint64_t)value, count);
}

void bits_put_unary(struct bits_writer *writer, uint64_t zeros)
{
    for (; zeros >= BITS_AT_ONCE; zeros -= BITS_AT_ONCE) {
        bits_put(writer, 0, BITS_AT_ONCE);
    }
    bits_put(writer, UINT64_C(1) << zeros, (uint32_t)zeros + 1);
}

void bits_put_rice(struct bits_writer *writer, uint64_t value, uint32_t parameter)
{
    uint64_t zeros = value >> parameter;

    if (zeros < BITS_AT_ONCE && zeros + 1 + parameter <= BITS_AT_ONCE) { // the whole code at once
        uint64_t code = (UINT64_C(1) | bits_low(value, parameter) << 1) << zeros;
        bits_put(writer, code, (uint32_t)zeros + 1 + parameter);
        return;
    }
    bits_put_unary(writer, value >> parameter);
    bits_put(writer, bits_low(value, parameter), parameter);
}

void bits_put_golomb(struct bits_writer *writer, bits_u128 value, uint32_t parameter)
{
    bits_u128 head = (value >> parameter) + 1;
    uint32_t more = bits_length_wide(head) - 1;

    assert(head > 0 && more < 128);
    if (2 * more + 1 + parameter <= BITS_AT_ONCE) { // the whole code at once
        uint64_t low = bits_low((uint64_t)value, parameter) << more;
        uint64_t code = ((bits_low((uint64_t)head, more) | low) << 1 | 1) << more;
        bits_put(writer, code, 2 * more + 1 + parameter);
        return;
    }
    bits_put_unary(writer, more);
    bits_put_wide(writer, head & (((bits_u128)1 << more) - 1), more);
    bits_put(writer, bits_low((uint64_t)value, parameter), parameter);
}

void bits_align(struct bits_writer *writer)
{
    bits_put(writer, 0, (8 - writer->count) & 7);
}

uint32_t bits_rice_cost(uint64_t value, uint32_t parameter)
{
    return (uint32_t)(value >> parameter) + 1 + parameter;
}

uint32_t bits_golomb_cost(bits_u128 value, uint32_t parameter)
{
    return 2 * (bits_length_wide((value >> parameter) + 1) - 1) + 1 + parameter;
}

uint32_t bits_length_wide(bits_u128 value)
{
    uint64_t high = (uint64_t)(value >> 64);
    return high ? 64 + bits_length(high) : bits_length((uint64_t)value);
}

bits_u128 bits_get_wide(const unsigned char *data, uint64_t bit, uint32_t count)
{
    bits_u128 value = 0;
    uint32_t have = 0;

    for (; count - have > BITS_AT_ONCE; have += BITS_AT_ONCE) {
        value |= (bits_u128)bits_get(data, bit + have, BITS_AT_ONCE) << have;
    }
    return value | (bits_u128)bits_get(data, bit + have, count - have) << have;
}

bool bits_take_unary(const unsigned char *data, uint64_t limit, uint64_t *bit, uint32_t *out_zeros)
{
    uint64_t at = *bit;
    uint64_t word;

    while (at < limit && (word = bits_get(data, at, BITS_AT_ONCE)) == 0) {
        at += BITS_AT_ONCE;
    }
    if (at >= limit) {
        return false;
    }
    at += (uint64_t)__builtin_ctzll(word);
    *out_zeros = at - *bit > UINT32_MAX ? UINT32_MAX : (uint32_t)(at - *bit);
    *bit = at + 1;
    return *bit <= limit;
}

bool bits_take_golomb(const unsigned char *data, uint64_t limit, uint64_t *bit, uint32_t parameter,
                      bits_u128 *out_value)
{
    const uint32_t value_bits_max = 100;
    uint64_t at = *bit;
    uint32_t more;

    if (!bits_take_unary(data, limit, &at, &more) || more > value_bits_max ||
        more + parameter > value_bits_max || limit - at < more + parameter) {
        return false;
    }
    bits_u128 head = ((bits_u128)1 << more | bits_get_wide(data, at, more)) - 1;
    at += more;
    *out_value = head << parameter | bits_get(data, at, parameter);
    *bit = at + parameter;
    return true;
}
