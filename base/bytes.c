#include "base/bytes.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

void bytes_init(struct bytes *bytes)
{
    *bytes = (struct bytes){.ok = true};
}

void bytes_done(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

void bytes_clear(struct bytes *bytes)
{
    bytes->count = 0;
    bytes->ok = true;
}

bool bytes_reserve(struct bytes *bytes, size_t further)
{
    if (further <= bytes->capacity - bytes->count) {
        return bytes->ok;
    }
    if (further > SIZE_MAX / 2 - bytes->count) {
        return bytes->ok = false;
    }
    size_t capacity = bytes->capacity ? bytes->capacity : 256;
    while (capacity < bytes->count + further) {
        capacity *= 2;
    }
    unsigned char *data = realloc(bytes->data, capacity);
    if (!data) {
        return bytes->ok = false;
    }
    bytes->data = data;
    bytes->capacity = capacity;
    return bytes->ok;
}

void bytes_put(struct bytes *bytes, const void *data, size_t count)
{
    if (count > 0 && bytes_reserve(bytes, count)) {
        memcpy(bytes->data + bytes->count, data, count);
        bytes->count += count;
    }
}

void bytes_put_u8(struct bytes *bytes, uint8_t value)
{
    bytes_put(bytes, &value, 1);
}

void bytes_put_u16(struct bytes *bytes, uint16_t value)
{
    value = htole16(value);
    bytes_put(bytes, &value, sizeof value);
}

void bytes_put_u32(struct bytes *bytes, uint32_t value)
{
    value = htole32(value);
    bytes_put(bytes, &value, sizeof value);
}

void bytes_put_u64(struct bytes *bytes, uint64_t value)
{
    value = htole64(value);
    bytes_put(bytes, &value, sizeof value);
}

void bytes_put_i128(struct bytes *bytes, bytes_i128 value)
{
    bytes_put_u64(bytes, (uint64_t)value);
    bytes_put_u64(bytes, (uint64_t)(value >> 64));
}

void bytes_put_varint(struct bytes *bytes, uint64_t value)
{
    unsigned char coded[10];
    size_t count = 0;

    while (value >= 0x80) {
        coded[count++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    coded[count++] = (unsigned char)value;
    bytes_put(bytes, coded, count);
}

void bytes_put_zigzag(struct bytes *bytes, int64_t value)
{
    bytes_put_varint(bytes, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void bytes_put_text(struct bytes *bytes, const char *text, size_t count)
{
    bytes_put_varint(bytes, count);
    bytes_put(bytes, text, count);
}

void bytes_put_filling(struct bytes *bytes, size_t start)
{
    static const unsigned char zeros[8];
    bytes_put(bytes, zeros, (0 - (bytes->count - start)) & 7);
}

void bytes_set_u32(struct bytes *bytes, size_t at, uint32_t value)
{
    if (bytes->ok) {
        value = htole32(value);
        memcpy(bytes->data + at, &value, sizeof value);
    }
}

void bytes_set_u64(struct bytes *bytes, size_t at, uint64_t value)
{
    if (bytes->ok) {
        value = htole64(value);
        memcpy(bytes->data + at, &value, sizeof value);
    }
}

struct cursor cursor_over(const void *data, size_t count)
{
    const unsigned char *at = data;
    return (struct cursor){.at = at, .end = count ? at + count : at, .ok = true};
}

size_t cursor_left(const struct cursor *cursor)
{
    return cursor->ok ? (size_t)(cursor->end - cursor->at) : 0;
}

const unsigned char *cursor_take(struct cursor *cursor, size_t count)
{
    if (!cursor->ok || count > (size_t)(cursor->end - cursor->at)) {
        cursor->ok = false;
        return NULL;
    }
    const unsigned char *taken = cursor->at;
    cursor->at += count;
    return taken;
}

void cursor_take_filling(struct cursor *cursor, const unsigned char *start)
{
    size_t count = (size_t)(0 - (uintptr_t)(cursor->at - start)) & 7;
    const unsigned char *filling = cursor_take(cursor, count);

    for (size_t i = 0; filling && i < count; i++) {
        cursor->ok = cursor->ok && filling[i] == 0;
    }
}

uint8_t cursor_take_u8(struct cursor *cursor)
{
    const unsigned char *at = cursor_take(cursor, 1);
    return at ? *at : 0;
}

uint16_t cursor_take_u16(struct cursor *cursor)
{
    const unsigned char *at = cursor_take(cursor, 2);
    return at ? (uint16_t)(at[0] | at[1] << 8) : 0;
}

uint32_t cursor_take_u32(struct cursor *cursor)
{
    const unsigned char *at = cursor_take(cursor, 4);
    return at ? bytes_get_u32(at) : 0;
}

uint64_t cursor_take_u64(struct cursor *cursor)
{
    const unsigned char *at = cursor_take(cursor, 8);
    return at ? bytes_get_u64(at) : 0;
}

bytes_i128 cursor_take_i128(struct cursor *cursor)
{
    uint64_t low = cursor_take_u64(cursor);
    int64_t high = (int64_t)cursor_take_u64(cursor);
    return (bytes_i128)high * ((bytes_i128)1 << 64) + low;
}

uint64_t cursor_take_varint(struct cursor *cursor)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = cursor_take_u8(cursor);
        if (!cursor->ok || (shift == 63 && byte > 1)) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            cursor->ok = byte != 0 || shift == 0; // else it would fit in fewer bytes
            return cursor->ok ? value : 0;
        }
    }
    cursor->ok = false;
    return 0;
}

int64_t cursor_take_zigzag(struct cursor *cursor)
{
    uint64_t coded = cursor_take_varint(cursor);
    return (int64_t)((coded >> 1) ^ (0 - (coded & 1)));
}

const char *cursor_take_text(struct cursor *cursor, size_t *out_count)
{
    uint64_t count = cursor_take_varint(cursor);

    if (!cursor->ok || count > (size_t)(cursor->end - cursor->at)) {
        cursor->ok = false;
        return NULL;
    }
    *out_count = (size_t)count;
    return (const char *)cursor_take(cursor, (size_t)count);
}
