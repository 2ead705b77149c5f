// store/columns_encode.c - columns written (contracts in columns.h).
//
// Compiled for any machine (columns_code_portable) and once more for each of COLUMNS_ENCODE: v3 for
// those with AVX2, v4 for those with AVX-512. One source: its loops go over numbers side by side,
// of which the compiler takes as many at a time as the machine can.
#include "store/columns_private.h"

#include "base/bits.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

// Whether all are the same: most columns of a frame, or their differences, are.
static bool are_equal(const uint64_t *value, uint32_t count)
{
    uint64_t other = 0;

    for (uint32_t i = 0; i < count; i++) {
        other |= value[i] ^ value[0];
    }
    return other == 0;
}

// The least and the greatest as signed numbers: codes, days and differences lie around zero.
static struct columns_span span_of(const uint64_t *value, uint32_t count)
{
    int64_t least = (int64_t)value[0];
    int64_t greatest = least;

    if (are_equal(value, count)) {
        return (struct columns_span){.least = value[0]};
    }
    for (uint32_t i = 1; i < count; i++) {
        int64_t signed_value = (int64_t)value[i];
        least = signed_value < least ? signed_value : least;
        greatest = signed_value > greatest ? signed_value : greatest;
    }
    return (struct columns_span){.least = (uint64_t)least,
                                 .width = bits_length((uint64_t)greatest - (uint64_t)least)};
}

// Bits on their way into a buffer that has room for them, as bits.h packs them.
struct packing {
    unsigned char *to;
    uint64_t held;
    uint32_t bits; // held, less than 64
};

static void put_word(unsigned char *to, uint64_t word)
{
    word = htole64(word);
    memcpy(to, &word, sizeof word);
}

// Requires: 1 <= width <= 64, and no bit of `value` above it.
static inline void pack(struct packing *packing, uint64_t value, uint32_t width)
{
    packing->held |= value << packing->bits;
    packing->bits += width;
    if (packing->bits >= 64) {
        put_word(packing->to, packing->held);
        packing->to += sizeof packing->held;
        packing->bits -= 64;
        packing->held = packing->bits > 0 ? value >> (width - packing->bits) : 0;
    }
}

static void put_packed(const uint64_t *value, uint32_t count, struct columns_span span,
                       struct bytes *out)
{
    size_t bytes = ((size_t)span.width * count + 7) / 8;
    uint32_t width = span.width;
    uint32_t i = 0;

    if (width == 0 || !bytes_reserve(out, bytes + sizeof(uint64_t))) {
        return;
    }
    struct packing packing = {.to = out->data + out->count};
    // Each step waits for the one before it: four numbers a step where they fit.
    for (; width <= 16 && i + 4 <= count; i += 4) {
        uint64_t two = (value[i] - span.least) | (value[i + 1] - span.least) << width;
        uint64_t more = (value[i + 2] - span.least) | (value[i + 3] - span.least) << width;
        pack(&packing, two | more << 2 * width, 4 * width);
    }
    for (; i < count; i++) {
        pack(&packing, value[i] - span.least, width);
    }
    put_word(packing.to, packing.held);
    out->count += bytes;
}

static void put_plain(const uint64_t *value, uint32_t count, struct columns_span span,
                      struct bytes *out)
{
    bytes_put_u8(out, (uint8_t)span.width);
    bytes_put_zigzag(out, (int64_t)span.least);
    put_packed(value, count, span, out);
}

static void put_column(const uint64_t *value, uint32_t count, struct bytes *out)
{
    uint64_t difference[COLUMNS_ROWS_MAX];
    struct columns_span plain = span_of(value, count);

    if (plain.width == 0) {
        put_plain(value, count, plain, out);
        return;
    }
    difference[0] = value[1] - value[0]; // there are two at least, which differ
    for (uint32_t i = 2; i < count; i++) {
        difference[i - 1] = value[i] - value[i - 1];
    }
    struct columns_span moved = span_of(difference, count - 1);
    if (moved.width >= plain.width) {
        put_plain(value, count, plain, out);
        return;
    }
    bytes_put_u8(out, (uint8_t)(COLUMNS_DIFFERENCES | moved.width));
    bytes_put_zigzag(out, (int64_t)value[0]);
    bytes_put_zigzag(out, (int64_t)moved.least);
    put_packed(difference, count - 1, moved, out);
}

static void encode(const struct columns *columns, struct bytes *out)
{
    static const unsigned char slack[COLUMNS_SLACK_BYTES];

    assert(columns->count > 0 && columns->count <= COLUMNS_ROWS_MAX);
    bytes_put_varint(out, columns->count);
    for (int column = 0; column < COLUMN_DIMS + (int)columns->dims_count; column++) {
        put_column(columns->value[column], columns->count, out);
    }
    bytes_put(out, slack, sizeof slack); // numbers are read eight bytes at a time
}

// ---- which code ---------------------------------------------------------------------------

#ifndef COLUMNS_ENCODE
#define COLUMNS_ENCODE portable
#endif
#define JOIN(a, b) a##b
#define NAMED(name) JOIN(columns_code_, name)
#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

const struct columns_code NAMED(COLUMNS_ENCODE) = {.name = TEXT(COLUMNS_ENCODE), .encode = encode};
