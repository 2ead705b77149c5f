// store/incidents.h - the incidents of one feed in memory, and their index by id.
//
//   id --hash--> slot { 32 bits of the hash, row + 1 } --> row of 32 bytes, in order of arrival
//                                                          dims beside it, text codes
//
//   days, 64 bits:  [seen 14][flags 4][lasts 23][first day 23]
//
// Equal measures stand once: `values` is their code (store/state.h). Memory: 32 bytes an incident,
// 4 a dimension and 8 a slot, of which a third to two thirds are taken; 12 more where origins are
// kept.
//
// Rows move when one is added: a pointer is good until then.
#ifndef STORE_INCIDENTS_H
#define STORE_INCIDENTS_H

#include "base/day.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    INCIDENTS_MAX = UINT32_MAX / 2, // so that counts of incidents fit 32 bits
    INCIDENT_SEEN_MAX = (1 << 14) - 1,
};

enum incident_flags {
    INCIDENT_WITHDRAWN = 1, // counts nowhere; may come back
    INCIDENT_TOMBSTONE = 2, // withdrawn by a deletion of `revision`: only a newer one comes back
    INCIDENT_REVISION_NUMBER = 4,
    INCIDENT_REVISION_TEXT = 8,
};

struct incident {
    uint64_t id;      // id_code (store/id.h); the head is a code of the state's names
    int64_t revision; // a number, or the code of a text of the state's names
    uint32_t shape;   // of the state
    uint32_t values;  // code in the state's values
    uint64_t days;
};

enum {
    INCIDENT_DAY_BITS = 23,
    INCIDENT_FLAGS_AT = 2 * INCIDENT_DAY_BITS,
    INCIDENT_SEEN_AT = INCIDENT_FLAGS_AT + 4,
};
_Static_assert(DAY_MAX - DAY_MIN < 1 << INCIDENT_DAY_BITS, "a day takes 23 bits");

static inline int32_t incident_first_day(const struct incident *incident)
{
    return (int32_t)(incident->days & ((1U << INCIDENT_DAY_BITS) - 1)) + DAY_MIN;
}

static inline int32_t incident_last_day(const struct incident *incident)
{
    uint32_t lasts = (incident->days >> INCIDENT_DAY_BITS) & ((1U << INCIDENT_DAY_BITS) - 1);
    return incident_first_day(incident) + (int32_t)lasts;
}

static inline unsigned incident_flags(const struct incident *incident)
{
    return (incident->days >> INCIDENT_FLAGS_AT) & 15;
}

static inline bool incident_is_live(const struct incident *incident)
{
    return !(incident_flags(incident) & INCIDENT_WITHDRAWN);
}

// What the batch at hand has said of it, as a mark of the state; never part of the content.
static inline unsigned incident_seen(const struct incident *incident)
{
    return (unsigned)(incident->days >> INCIDENT_SEEN_AT);
}

// Requires: DAY_MIN <= first_day <= last_day <= DAY_MAX.
static inline uint64_t incident_days(int32_t first_day, int32_t last_day, unsigned flags,
                                     unsigned seen)
{
    return (uint64_t)(uint32_t)(first_day - DAY_MIN) |
           (uint64_t)(uint32_t)(last_day - first_day) << INCIDENT_DAY_BITS |
           (uint64_t)flags << INCIDENT_FLAGS_AT | (uint64_t)seen << INCIDENT_SEEN_AT;
}

void incident_set_flags(struct incident *incident, unsigned flags);
void incident_set_seen(struct incident *incident, unsigned seen);

// Which row of which file said it.
struct incident_origin {
    uint32_t batch;
    uint32_t record;
    uint32_t line;
};

struct incidents {
    struct incident *row;
    uint32_t *dims;                 // [capacity][dims_max]
    struct incident_origin *origin; // of each row; NULL: not kept
    uint64_t *slot;                 // hash, row + 1; 0 is free
    uint32_t count;
    uint32_t capacity;
    size_t slots;    // power of two
    size_t dims_max; // of all shapes of the feed
    bool keeps_origins;
};

void incidents_init(struct incidents *incidents, bool keeps_origins);
void incidents_done(struct incidents *incidents);

// Rows have room for so many dimensions from now on. Errors: TALLY_NO_MEMORY.
bool incidents_widen(struct incidents *incidents, size_t dims_count, struct tally_err *err);

// The dimensions of a row: dims_max of them, those beyond its shape are 0.
uint32_t *incidents_dims(const struct incidents *incidents, const struct incident *incident);

// NULL: absent.
struct incident *incidents_find(const struct incidents *incidents, uint64_t id);
// Room for `further` incidents at once. Errors: TALLY_NO_MEMORY; TALLY_LIMIT.
bool incidents_reserve(struct incidents *incidents, uint64_t further, struct tally_err *err);
// A zeroed row with this id. Requires: it is absent. NULL: as reserve.
struct incident *incidents_add(struct incidents *incidents, uint64_t id, struct tally_err *err);
// Asks for the memory that a find will look at, some finds ahead.
void incidents_prefetch(const struct incidents *incidents, uint64_t id);

#endif
