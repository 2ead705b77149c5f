// store/incidents_private.h - rows of incidents as incidents.c and incidents_fit.c know them.
#ifndef STORE_INCIDENTS_PRIVATE_H
#define STORE_INCIDENTS_PRIVATE_H

#include "store/incidents.h"

#include <endian.h>
#include <string.h>

// Rows of a part lie in blocks: 32 of 64 rows, and of each further size, which is twice that
// before,
// 16. So at most a sixteenth is room to spare, and there are few enough pointers to blocks to stay
// near the processor, however many rows there are.
enum {
    BLOCK_BITS = 6, // rows of the first blocks
    SIZE_BITS = 4,  // blocks of a size
};

// How often the size has doubled where a row is.
static inline uint32_t row_doubled(uint32_t row)
{
    enum { BITS = BLOCK_BITS + SIZE_BITS };
    return 31 - BITS - (uint32_t)__builtin_clz(row | 1U << BITS);
}

// Rows of the block that begins with a row.
static inline uint32_t block_rows(uint32_t row)
{
    return 1U << (BLOCK_BITS + row_doubled(row));
}

// Where the parts of a row stand, by how wide they are.
void incidents_set_places(struct incidents_layout *layout, bool keeps_origins);

static inline int64_t row_take_revision(const struct incidents_layout *layout,
                                        const struct incident *incident)
{
    int64_t wide;
    int32_t narrow;

    switch (layout->revision_bytes) {
    case 0:
        return 0;
    case sizeof narrow:
        memcpy(&narrow, incident + 1, sizeof narrow);
        return narrow;
    default:
        memcpy(&wide, incident + 1, sizeof wide);
        return wide;
    }
}

static inline void row_put_revision(const struct incidents_layout *layout,
                                    struct incident *incident, int64_t revision)
{
    int32_t narrow = (int32_t)revision;

    if (layout->revision_bytes == sizeof narrow) {
        memcpy(incident + 1, &narrow, sizeof narrow);
    } else if (layout->revision_bytes == sizeof revision) {
        memcpy(incident + 1, &revision, sizeof revision);
    }
}

// The last of four bytes that end where the column does: there are as many in front of any.
static inline uint32_t row_take_code(const struct incidents_layout *layout,
                                     const struct incident *incident, size_t column)
{
    uint32_t bytes = layout->bytes[column];
    uint32_t four;

    memcpy(&four, (const unsigned char *)incident + layout->at[column] + bytes - sizeof four,
           sizeof four);
    return (uint32_t)((uint64_t)le32toh(four) >> (32 - bytes * 8));
}

// Writes these four bytes: those in front of the column have to be written after it.
static inline void row_put_code(const struct incidents_layout *layout, struct incident *incident,
                                size_t column, uint32_t code)
{
    uint32_t bytes = layout->bytes[column];
    uint32_t four = htole32((uint32_t)((uint64_t)code << (32 - bytes * 8)));

    memcpy((unsigned char *)incident + layout->at[column] + bytes - sizeof four, &four,
           sizeof four);
}

static inline struct incident *row_in(unsigned char *const *block, uint32_t row, uint32_t stride)
{
    uint32_t doubled = row_doubled(row);
    uint32_t bits = BLOCK_BITS + doubled;
    void *at =
        block[(row >> bits) + (doubled << SIZE_BITS)] + (size_t)(row & ((1U << bits) - 1)) * stride;
    return at;
}

static inline struct incident *row_at(const struct incidents *incidents,
                                      const struct incidents_part *part, uint32_t row)
{
    return row_in(part->block, row, incidents->layout.stride);
}

#endif
