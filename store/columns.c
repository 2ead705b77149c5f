#include "store/columns.h"

#include "base/bits.h"

#include <assert.h>
#include <string.h>

// A column begins with one byte: its width, and whether it stands as differences.
enum { WIDTH_MAX = 64, DIFFERENCES = 128, SLACK_BYTES = 8 };

// What a row of numbers takes: its least one, and bits for what the others exceed it by.
struct span {
    uint64_t least;
    uint32_t width;
};

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
static struct span span_of(const uint64_t *value, uint32_t count)
{
    int64_t least = (int64_t)value[0];
    int64_t greatest = least;

    if (are_equal(value, count)) {
        return (struct span){.least = value[0]};
    }
    for (uint32_t i = 1; i < count; i++) {
        int64_t signed_value = (int64_t)value[i];
        least = signed_value < least ? signed_value : least;
        greatest = signed_value > greatest ? signed_value : greatest;
    }
    return (struct span){.least = (uint64_t)least,
                         .width = bits_length((uint64_t)greatest - (uint64_t)least)};
}

static void put_packed(const uint64_t *value, uint32_t count, struct span span, struct bytes *out)
{
    struct bits_writer writer = bits_writer(out);

    if (span.width == 0) {
        return;
    }
    for (uint32_t i = 0; i < count && span.width <= BITS_AT_ONCE; i++) {
        bits_put(&writer, value[i] - span.least, span.width);
    }
    for (uint32_t i = 0; i < count && span.width > BITS_AT_ONCE; i++) {
        bits_put_wide(&writer, value[i] - span.least, span.width);
    }
    bits_align(&writer);
}

static void put_column(const uint64_t *value, uint32_t count, struct bytes *out)
{
    uint64_t difference[COLUMNS_ROWS_MAX];
    struct span plain = span_of(value, count);
    struct span moved = plain;

    if (plain.width > 0) {
        for (uint32_t i = 1; i < count; i++) {
            difference[i - 1] = value[i] - value[i - 1];
        }
        moved = span_of(difference, count - 1);
    }
    if (moved.width < plain.width) {
        bytes_put_u8(out, (uint8_t)(DIFFERENCES | moved.width));
        bytes_put_zigzag(out, (int64_t)value[0]);
        bytes_put_zigzag(out, (int64_t)moved.least);
        put_packed(difference, count - 1, moved, out);
    } else {
        bytes_put_u8(out, (uint8_t)plain.width);
        bytes_put_zigzag(out, (int64_t)plain.least);
        put_packed(value, count, plain, out);
    }
}

void columns_encode(const struct columns *columns, struct bytes *out)
{
    static const unsigned char slack[SLACK_BYTES];

    assert(columns->count > 0 && columns->count <= COLUMNS_ROWS_MAX);
    bytes_put_varint(out, columns->count);
    for (int column = 0; column < COLUMN_DIMS + (int)columns->dims_count; column++) {
        put_column(columns->value[column], columns->count, out);
    }
    bytes_put(out, slack, sizeof slack); // numbers are read eight bytes at a time
}

// ---- reading ------------------------------------------------------------------------------

static void take_numbers(const unsigned char *data, struct span span, uint32_t count,
                         uint64_t *value)
{
    uint64_t bit = 0;

    if (span.width == 0) {
        for (uint32_t i = 0; i < count; i++) {
            value[i] = span.least;
        }
    } else if (span.width <= BITS_AT_ONCE) {
        for (uint32_t i = 0; i < count; i++, bit += span.width) {
            value[i] = span.least + bits_get(data, bit, span.width);
        }
    } else {
        for (uint32_t i = 0; i < count; i++, bit += span.width) {
            value[i] = span.least + (uint64_t)bits_get_wide(data, bit, span.width);
        }
    }
}

static bool take_packed(struct cursor *in, struct span span, uint32_t count, uint64_t *value)
{
    size_t bytes = ((size_t)span.width * count + 7) / 8;

    if (!in->ok || span.width > WIDTH_MAX || cursor_left(in) < bytes + SLACK_BYTES) {
        return false;
    }
    take_numbers(cursor_take(in, bytes), span, count, value);
    return true;
}

static bool take_column(struct cursor *in, uint32_t count, uint64_t *value)
{
    uint8_t head = cursor_take_u8(in);
    struct span span = {.width = head & ~(unsigned)DIFFERENCES};
    uint64_t first = (uint64_t)cursor_take_zigzag(in);

    if (!(head & DIFFERENCES)) {
        span.least = first;
        return take_packed(in, span, count, value);
    }
    span.least = (uint64_t)cursor_take_zigzag(in);
    value[0] = first;
    if (!take_packed(in, span, count - 1, value + 1)) {
        return false;
    }
    for (uint32_t i = 1; i < count; i++) {
        value[i] += value[i - 1];
    }
    return true;
}

bool columns_decode(struct columns *columns, uint32_t dims_count, struct cursor in)
{
    uint64_t count = cursor_take_varint(&in);

    if (!in.ok || count == 0 || count > COLUMNS_ROWS_MAX) {
        return false;
    }
    columns->count = (uint32_t)count;
    columns->dims_count = dims_count;
    for (int column = 0; column < COLUMN_DIMS + (int)dims_count; column++) {
        if (!take_column(&in, columns->count, columns->value[column])) {
            return false;
        }
    }
    return cursor_left(&in) == SLACK_BYTES;
}
