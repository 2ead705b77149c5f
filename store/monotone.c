#include "store/monotone.h"

#include <assert.h>

// ---- writing ------------------------------------------------------------------------------

static void put_rank(struct bytes *out, size_t high, size_t words)
{
    uint32_t ones = 0;

    for (size_t word = 0; out->ok && word < words; word++) {
        if (word % MONOTONE_CHUNK_WORDS == 0) {
            bytes_put_u32(out, ones);
        }
        if (out->ok) {
            ones += (uint32_t)__builtin_popcountll(bytes_get_u64(out->data + high + word * 8));
        }
    }
}

void monotone_encode(struct bytes *out, const uint64_t *values, uint32_t count)
{
    uint64_t last = count ? values[count - 1] : 0;
    uint32_t low_bits = count && last / count ? bits_length(last / count) - 1 : 0;
    uint64_t before = 0;
    size_t start = out->count;

    low_bits = low_bits < BITS_AT_ONCE ? low_bits : BITS_AT_ONCE;
    bytes_put_u32(out, count);
    bytes_put_u32(out, low_bits);
    bytes_put_u64(out, last >> low_bits);
    struct bits_writer writer = bits_writer(out);
    for (uint32_t i = 0; i < count; i++) {
        assert(i == 0 || values[i - 1] <= values[i]);
        bits_put(&writer, bits_low(values[i], low_bits), low_bits);
    }
    bits_align(&writer);
    bytes_put_filling(out, start);
    size_t high = out->count;
    for (uint32_t i = 0; i < count; i++) {
        bits_put_unary(&writer, (values[i] >> low_bits) - before);
        before = values[i] >> low_bits;
    }
    bits_put(&writer, 0, 1); // a zero closes it, so that a search for zeros ends
    bits_align(&writer);
    bytes_put_filling(out, start);
    put_rank(out, high, (out->count - high) / 8);
    bytes_put_filling(out, start);
}

// ---- opening ------------------------------------------------------------------------------

// Nothing but zeros behind the last low part.
static bool low_parts_end(const struct monotone *list, uint64_t words)
{
    uint64_t bits = (uint64_t)list->count * list->low_bits;
    return bits % 64 == 0 || bytes_get_u64(list->low + (words - 1) * 8) >> bits % 64 == 0;
}

// The ranks say how many ones stand before each chunk, and there is a one for each value.
static bool ranks_hold(const struct monotone *list, uint64_t words)
{
    uint64_t ones = 0;

    for (uint64_t word = 0; word < words; word++) {
        if (word % MONOTONE_CHUNK_WORDS == 0 &&
            monotone_rank(list, (uint32_t)(word / MONOTONE_CHUNK_WORDS)) != ones) {
            return false;
        }
        ones += (uint64_t)__builtin_popcountll(monotone_word(list, word));
    }
    return ones == list->count;
}

// And the last value's high part is the one that stands in front: no one comes behind it.
static bool is_sorted(const struct monotone *list)
{
    uint64_t before = 0;

    if (list->count == 0) {
        return list->last_high == 0;
    }
    struct monotone_walk walk = monotone_seek(list, 0);
    for (uint32_t i = 0; i < list->count; i++) {
        uint64_t value = monotone_next(list, &walk);
        if (value < before) {
            return false;
        }
        before = value;
    }
    return before >> list->low_bits == list->last_high;
}

bool monotone_open(struct monotone *list, struct cursor *in)
{
    list->count = cursor_take_u32(in);
    list->low_bits = cursor_take_u32(in);
    uint64_t last_high = cursor_take_u64(in);
    uint64_t left = cursor_left(in);
    uint64_t low_words = ((uint64_t)list->count * list->low_bits + 63) / 64;

    // Bounds first, so that nothing below can overflow: the list lies within what is left, and its
    // values in 64 bits.
    if (!in->ok || list->low_bits > BITS_AT_ONCE || last_high > left * 8 || low_words > left / 8 ||
        last_high > UINT64_MAX >> list->low_bits) {
        in->ok = false;
        return false;
    }
    uint64_t words = (list->count + last_high + 1 + 63) / 64;
    uint64_t chunks = (words + MONOTONE_CHUNK_WORDS - 1) / MONOTONE_CHUNK_WORDS;
    if (words > left / 8 || chunks > UINT32_MAX) {
        in->ok = false;
        return false;
    }
    list->last_high = last_high;
    list->chunks = (uint32_t)chunks;
    list->low = cursor_take(in, (size_t)low_words * 8);
    list->high = cursor_take(in, (size_t)words * 8);
    const unsigned char *start = in->at;
    list->rank = cursor_take(in, (size_t)chunks * 4);
    cursor_take_filling(in, start);
    in->ok = in->ok && low_parts_end(list, low_words) && ranks_hold(list, words) && is_sorted(list);
    return in->ok;
}
