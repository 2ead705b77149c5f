// store/id.h - the id of an incident as one number that can be read back.
//
//   IED-0017  =  head IED-00 (a text of its own, by code) + number 17     code of the head | 17
//
// A trailing number of up to nine digits that begins with none of its leading zeros stands apart,
// so that the ids of a feed share few heads. Equal codes are equal ids and the other way round.
#ifndef STORE_ID_H
#define STORE_ID_H

#include <stddef.h>
#include <stdint.h>

enum {
    ID_BYTES_MAX = 4096,
    ID_DIGITS_MAX = 9,
};

struct id_parts {
    size_t head_bytes;
    uint32_t number; // 0: the id is its head
};

struct id_parts id_split(const char *id, size_t bytes);

static inline uint64_t id_code(uint32_t head, uint32_t number)
{
    return (uint64_t)head << 32 | number;
}

static inline uint32_t id_head(uint64_t code)
{
    return (uint32_t)(code >> 32);
}

static inline uint32_t id_number(uint64_t code)
{
    return (uint32_t)code;
}

// The id as it was; terminated as well.
struct id_text {
    size_t bytes;
    char text[ID_BYTES_MAX + ID_DIGITS_MAX + 1];
};
void id_format(const char *head, size_t head_bytes, uint32_t number, struct id_text *out);

#endif
