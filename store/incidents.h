// store/incidents.h - the incidents of one feed in memory, and their index by id.
//
//   id --hash--> part { slot [tag 8][row + 1, 24] ... }  -->  rows of the part, in order of arrival
//
//   row   [id 8][day 4][seen 2][shape 2] [revision 0, 4 or 8][columns, 0-4 each][origin 12]
//                 |                                           |
//                 [flags 4][first day 23]                     values, lasts, each dimension
//
// What is behind the shape is as wide as the widest of the feed needs, and all rows are laid out
// anew when one needs more (incidents_fit): nothing is ever cut off. Equal measures stand once:
// `values` is their code (store/state.h). `lasts` is by how many days the last day is later than
// the first. A feed's incidents lie in 256 parts by hash. A part has rows and slots of its own, so
// that its index grows alone, and parts may be filled by different threads.
//
// Memory: a row, up to a sixteenth of it to spare, and 5 to 7 bytes of slots, up to 10 while parts
// grow one by one and leave slots behind. A row without origin takes 16 bytes, the revision, and 1
// byte a column where none of its codes is above 255, 2 where none is above 65,535: a dimension's
// are numbers of the state's texts, in the order in which they came.
//
// A row stays where it is until incidents_fit lays it out anew.
#ifndef STORE_INCIDENTS_H
#define STORE_INCIDENTS_H

#include "base/arena.h"
#include "base/day.h"
#include "base/err.h"
#include "store/shape.h"

#include <stddef.h>
#include <stdint.h>

enum {
    INCIDENTS_MAX = UINT32_MAX / 2, // so that counts of incidents fit 32 bits
    INCIDENT_SEEN_MAX = UINT16_MAX,
    INCIDENTS_PARTS = 256,
};

// What a row has in its columns.
enum incidents_column {
    INCIDENTS_VALUES, // code in the state's values
    INCIDENTS_LASTS,  // days from the first to the last
    INCIDENTS_DIM,    // code of the first dimension's text; those of the others follow
    INCIDENTS_COLUMNS_MAX = INCIDENTS_DIM + SHAPE_DIMS_MAX,
};

enum incident_flags {
    INCIDENT_WITHDRAWN = 1, // counts nowhere; may come back
    INCIDENT_TOMBSTONE = 2, // withdrawn by a deletion of `revision`: only a newer one comes back
    INCIDENT_REVISION_NUMBER = 4,
    INCIDENT_REVISION_TEXT = 8,
};

struct __attribute__((packed)) incident {
    uint64_t id; // id_code (store/id.h); the head is a code of the state's names
    uint32_t day;
    uint16_t seen;
    uint16_t shape; // of the state
};
_Static_assert(sizeof(struct incident) == 16, "revision and columns begin behind it");

enum { INCIDENT_DAY_BITS = 23 };
_Static_assert(DAY_MAX - DAY_MIN < 1 << INCIDENT_DAY_BITS, "a day takes 23 bits");

static inline int32_t incident_first_day(const struct incident *incident)
{
    return (int32_t)(incident->day & ((1U << INCIDENT_DAY_BITS) - 1)) + DAY_MIN;
}

static inline unsigned incident_flags(const struct incident *incident)
{
    return incident->day >> INCIDENT_DAY_BITS;
}

static inline bool incident_is_live(const struct incident *incident)
{
    return !(incident_flags(incident) & INCIDENT_WITHDRAWN);
}

// Requires: DAY_MIN <= first_day <= DAY_MAX.
static inline uint32_t incident_day(int32_t first_day, unsigned flags)
{
    return (uint32_t)(first_day - DAY_MIN) | (uint32_t)flags << INCIDENT_DAY_BITS;
}

static inline void incident_set_flags(struct incident *incident, unsigned flags)
{
    incident->day = incident_day(incident_first_day(incident), flags);
}

// What the batch at hand has said of it, as a mark of the state; never part of the content.
static inline unsigned incident_seen(const struct incident *incident)
{
    return incident->seen;
}

static inline void incident_set_seen(struct incident *incident, unsigned seen)
{
    incident->seen = (uint16_t)seen;
}

// Which row of which file said it.
struct incident_origin {
    uint32_t batch;
    uint32_t record;
    uint32_t line;
};

// Where the parts of a row stand behind its `struct incident`.
struct incidents_layout {
    uint32_t stride; // bytes a row
    uint32_t revision_bytes;
    uint32_t columns;                     // as many as any shape of the feed has
    uint32_t max[INCIDENTS_COLUMNS_MAX];  // greatest code that there is room for
    uint16_t at[INCIDENTS_COLUMNS_MAX];   // from the row's first byte
    uint8_t bytes[INCIDENTS_COLUMNS_MAX]; // 0 to 4
    uint16_t origin_at;
};

struct incidents_part {
    unsigned char **block; // of rows
    uint32_t *slot;        // 0 is free
    uint32_t count;        // of rows
    uint32_t indexed;      // of them, the first ones: those that the index knows
    uint32_t slots;
    uint32_t room; // for rows, in its blocks
    uint32_t blocks;
    uint32_t blocks_capacity;
};

struct incidents {
    struct incidents_part *part; // [INCIDENTS_PARTS]; NULL: there never was any incident
    struct arena rows;
    struct arena slots;
    size_t slots_left; // bytes of it that no part uses any more
    struct incidents_layout layout;
    bool keeps_origins;
};

void incidents_init(struct incidents *incidents, bool keeps_origins);
void incidents_done(struct incidents *incidents);
uint32_t incidents_count(const struct incidents *incidents);

// What rows that are about to be written need room for.
struct incidents_need {
    uint32_t revision_bytes;               // 0, 4 or 8: incidents_revision_bytes
    uint32_t columns;                      // INCIDENTS_DIM + dimensions
    uint32_t codes[INCIDENTS_COLUMNS_MAX]; // of each column all codes, or'ed
};
uint32_t incidents_revision_bytes(bool given, int64_t revision);
bool incidents_fits(const struct incidents *incidents, const struct incidents_need *need);
// Lays out all rows anew if need be: they move. Errors: TALLY_NO_MEMORY, and all is as before.
bool incidents_fit(struct incidents *incidents, const struct incidents_need *need,
                   struct tally_err *err);

// All that a row says beside its id and its origin. Requires: incidents_fits.
struct incidents_row {
    uint32_t day; // incident_day
    uint16_t seen;
    uint16_t shape;
    int64_t revision;
    uint32_t values;
    uint32_t lasts;
    const uint32_t *dims;
    size_t dims_count; // further ones of the feed get code 0
};
void incidents_write(const struct incidents *incidents, struct incident *incident,
                     const struct incidents_row *row);

// The further parts of a row.
int64_t incidents_revision(const struct incidents *incidents, const struct incident *incident);
void incidents_set_revision(const struct incidents *incidents, struct incident *incident,
                            int64_t revision);
uint32_t incidents_code(const struct incidents *incidents, const struct incident *incident,
                        size_t column);
// Requires: keeps_origins.
struct incident_origin incidents_origin(const struct incidents *incidents,
                                        const struct incident *incident);
void incidents_set_origin(const struct incidents *incidents, struct incident *incident,
                          struct incident_origin origin);

// NULL: absent.
struct incident *incidents_find(const struct incidents *incidents, uint64_t id);
// A hint: `further` incidents are about to be added, and the index grows at once instead of many
// times. Nothing happens where there is no memory, or where a feed cannot have so many.
void incidents_reserve(struct incidents *incidents, uint64_t further);
// Room in each part for so many rows and in its index, so that adding them cannot fail and touches
// nothing but the part. Errors: TALLY_NO_MEMORY; TALLY_LIMIT.
bool incidents_reserve_parts(struct incidents *incidents, const uint32_t further[INCIDENTS_PARTS],
                             struct tally_err *err);
// Of rows that are appended: room for them in each part, and in its index for those that are there.
bool incidents_reserve_rows(struct incidents *incidents, const uint32_t further[INCIDENTS_PARTS],
                            struct tally_err *err);
bool incidents_reserve_index(struct incidents *incidents, struct tally_err *err);
// In which part an id is.
uint8_t incidents_part(uint64_t id);
// A row with this id, of which all else is for the caller to set. Requires: it is absent, and the
// index knows all rows of its part. NULL: as incidents_reserve_parts.
struct incident *incidents_add(struct incidents *incidents, uint64_t id, struct tally_err *err);

// Many rows whose ids are most likely all new: each is appended to its part, which costs a line of
// memory that is written in order, and the parts' indexes take them later, part by part, while one
// index stays near the processor. Meanwhile they are not found.
//
// Requires: room for the row. Threads: parts are independent.
struct incident *incidents_append(struct incidents *incidents, uint64_t id);
// An id that was kept already, or appended before: `late` is gone when this returns.
typedef void incidents_meet(void *context, struct incident *kept, const struct incident *late);
// From here on all rows of part `number` are found. Those that were appended are met in order.
// Requires: room in its index. Threads: parts are independent.
void incidents_index(struct incidents *incidents, uint32_t number, incidents_meet *meet,
                     void *context);

// Asks for the memory that a find will look at, some finds ahead.
void incidents_prefetch(const struct incidents *incidents, uint64_t id);
// And for that of the row, when the first has had time to come.
void incidents_prefetch_row(const struct incidents *incidents, uint64_t id);

// All of them, part by part and in order of arrival within each; NULL ends. Start with {0}.
struct incidents_walk {
    uint32_t part;
    uint32_t row;
};
struct incident *incidents_next(const struct incidents *incidents, struct incidents_walk *walk);
// Where a walk stands behind its first `index` incidents. Requires: index < incidents_count.
struct incidents_walk incidents_walk_from(const struct incidents *incidents, uint32_t index);

#endif
