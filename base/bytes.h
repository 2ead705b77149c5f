// base/bytes.h - little-endian bytes: a growing buffer to put into, a cursor to take from.
//
// Both are sticky: after the first failure every further call does nothing (a take gives 0) and
// `ok` stays false, so that a whole decode is checked once at its end.
//
// Variable integers are LEB128 (7 bits a byte, least significant first, at most 10 bytes);
// signed ones are zigzag coded first (0, -1, 1, -2, ... -> 0, 1, 2, 3, ...).
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// 128-bit sums: int64 values, up to 2^63 of them, can be added without a check.
__extension__ typedef __int128 bytes_i128;

struct bytes {
    unsigned char *data;
    size_t count;
    size_t capacity;
    bool ok; // false: memory ran out, content incomplete
};

void bytes_init(struct bytes *bytes);
void bytes_done(struct bytes *bytes);
void bytes_clear(struct bytes *bytes);                   // empties, keeps the memory
bool bytes_reserve(struct bytes *bytes, size_t further); // room for `further` more bytes

void bytes_put(struct bytes *bytes, const void *data, size_t count);
void bytes_put_u8(struct bytes *bytes, uint8_t value);
void bytes_put_u16(struct bytes *bytes, uint16_t value);
void bytes_put_u32(struct bytes *bytes, uint32_t value);
void bytes_put_u64(struct bytes *bytes, uint64_t value);
void bytes_put_i128(struct bytes *bytes, bytes_i128 value);
void bytes_put_varint(struct bytes *bytes, uint64_t value);
void bytes_put_zigzag(struct bytes *bytes, int64_t value);
void bytes_put_text(struct bytes *bytes, const char *text, size_t count); // varint length, bytes
// Zeros up to the next multiple of 8 from `start` on; cursor_take_filling takes them.
void bytes_put_filling(struct bytes *bytes, size_t start);

// Writes over bytes that were put before. Requires: at + 4 (8) <= count.
void bytes_set_u32(struct bytes *bytes, size_t at, uint32_t value);
void bytes_set_u64(struct bytes *bytes, size_t at, uint64_t value);

struct cursor {
    const unsigned char *at;
    const unsigned char *end;
    bool ok; // false: read past the end, or a malformed integer
};

struct cursor cursor_over(const void *data, size_t count);
size_t cursor_left(const struct cursor *cursor);
const unsigned char *cursor_take(struct cursor *cursor, size_t count); // NULL when too short
// Takes zeros, up to a multiple of 8 bytes from `start`. Other bytes there: not ok.
void cursor_take_filling(struct cursor *cursor, const unsigned char *start);
uint8_t cursor_take_u8(struct cursor *cursor);
uint16_t cursor_take_u16(struct cursor *cursor);
uint32_t cursor_take_u32(struct cursor *cursor);
uint64_t cursor_take_u64(struct cursor *cursor);
bytes_i128 cursor_take_i128(struct cursor *cursor);
uint64_t cursor_take_varint(struct cursor *cursor);
int64_t cursor_take_zigzag(struct cursor *cursor);
// The text is not terminated and points into the cursor's bytes. NULL when too short.
const char *cursor_take_text(struct cursor *cursor, size_t *out_count);

// Integers at an address that need not be aligned. Inline: look-ups live on them.
static inline uint32_t bytes_get_u32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static inline uint64_t bytes_get_u64(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

#endif
