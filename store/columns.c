#include "store/columns.h"

#include "base/bits.h"
#include "store/columns_private.h"

const struct columns_code *columns_code(enum cpu_level level)
{
    static const struct columns_code *const code[] = {
        [CPU_ANY] = &columns_code_portable,
#ifdef STORE_FOR_X86
        [CPU_V3] = &columns_code_v3,
        [CPU_V4] = &columns_code_v4,
#endif
    };

    return code[level];
}

void columns_encode(const struct columns *columns, struct bytes *out)
{
    columns_code(cpu_level())->encode(columns, out);
}

// ---- reading ------------------------------------------------------------------------------

static void take_numbers(const unsigned char *data, struct columns_span span, uint32_t count,
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

static bool take_packed(struct cursor *in, struct columns_span span, uint32_t count,
                        uint64_t *value)
{
    size_t bytes = ((size_t)span.width * count + 7) / 8;

    if (!in->ok || span.width > COLUMNS_WIDTH_MAX ||
        cursor_left(in) < bytes + COLUMNS_SLACK_BYTES) {
        return false;
    }
    take_numbers(cursor_take(in, bytes), span, count, value);
    return true;
}

static bool take_column(struct cursor *in, uint32_t count, uint64_t *value)
{
    uint8_t head = cursor_take_u8(in);
    struct columns_span span = {.width = head & ~(unsigned)COLUMNS_DIFFERENCES};
    uint64_t first = (uint64_t)cursor_take_zigzag(in);

    if (!(head & COLUMNS_DIFFERENCES)) {
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
    return cursor_left(&in) == COLUMNS_SLACK_BYTES;
}
