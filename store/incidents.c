#include "store/incidents.h"

#include "base/pages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 64, ROWS_FIRST = 64 };

void incident_set_flags(struct incident *incident, unsigned flags)
{
    incident->days &= ~((uint64_t)15 << INCIDENT_FLAGS_AT);
    incident->days |= (uint64_t)flags << INCIDENT_FLAGS_AT;
}

void incident_set_seen(struct incident *incident, unsigned seen)
{
    incident->days &= ((uint64_t)1 << INCIDENT_SEEN_AT) - 1;
    incident->days |= (uint64_t)seen << INCIDENT_SEEN_AT;
}

void incidents_init(struct incidents *incidents, bool keeps_origins)
{
    *incidents = (struct incidents){.keeps_origins = keeps_origins};
}

void incidents_done(struct incidents *incidents)
{
    free(incidents->row);
    free(incidents->dims);
    free(incidents->origin);
    free(incidents->slot);
    *incidents = (struct incidents){0};
}

// Two rounds of multiplying and folding the 128-bit product: every bit of the id reaches every bit
// of the hash. The odd constants are the binary digits of pi and e behind the point.
static uint64_t hash_of(uint64_t id)
{
    __extension__ typedef unsigned __int128 u128;
    u128 product = (u128)(id ^ UINT64_C(0x243f6a8885a308d3)) * UINT64_C(0xb7e151628aed2a6b);
    uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);

    product = (u128)folded * UINT64_C(0x9e3779b97f4a7c15);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static const uint64_t TAG = UINT64_C(0xffffffff00000000);

struct incident *incidents_find(const struct incidents *incidents, uint64_t id)
{
    uint64_t hash = hash_of(id);
    size_t mask = incidents->slots - 1;

    if (incidents->slots == 0) {
        return NULL;
    }
    for (size_t at = hash & mask; incidents->slot[at] != 0; at = (at + 1) & mask) {
        uint64_t slot = incidents->slot[at];
        if ((slot ^ hash) >> 32 == 0 && incidents->row[(uint32_t)slot - 1].id == id) {
            return &incidents->row[(uint32_t)slot - 1];
        }
    }
    return NULL;
}

void incidents_prefetch(const struct incidents *incidents, uint64_t id)
{
    if (incidents->slots > 0) {
        __builtin_prefetch(&incidents->slot[hash_of(id) & (incidents->slots - 1)]);
    }
}

static void place(struct incidents *incidents, uint32_t row)
{
    uint64_t hash = hash_of(incidents->row[row].id);
    size_t mask = incidents->slots - 1;
    size_t at = hash & mask;

    while (incidents->slot[at] != 0) {
        at = (at + 1) & mask;
    }
    incidents->slot[at] = (hash & TAG) | (row + 1);
}

// The ids of all rows, some of them asked for ahead.
static void place_all(struct incidents *incidents)
{
    enum { AHEAD = 16 };

    for (uint32_t row = 0; row < incidents->count; row++) {
        if (row + AHEAD < incidents->count) {
            incidents_prefetch(incidents, incidents->row[row + AHEAD].id);
        }
        place(incidents, row);
    }
}

static bool reserve_slots(struct incidents *incidents, uint64_t count, struct tally_err *err)
{
    size_t slots = incidents->slots ? incidents->slots : SLOTS_FIRST;

    while (count * 3 > (uint64_t)slots * 2) {
        slots *= 2;
    }
    if (slots == incidents->slots) {
        return true;
    }
    uint64_t *slot = calloc(slots, sizeof *slot);
    if (!slot) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for an id index of %zu slots", slots);
    }
    pages_advise_large(slot, slots * sizeof *slot);
    free(incidents->slot);
    incidents->slot = slot;
    incidents->slots = slots;
    place_all(incidents);
    return true;
}

static bool reserve_rows(struct incidents *incidents, uint32_t count, struct tally_err *err)
{
    uint32_t capacity = incidents->capacity ? incidents->capacity : ROWS_FIRST;

    while (capacity < count) {
        capacity = capacity > INCIDENTS_MAX / 2 ? INCIDENTS_MAX : capacity * 2;
    }
    if (capacity == incidents->capacity) {
        return true;
    }
    struct incident *row = realloc(incidents->row, capacity * sizeof *row);
    if (row) {
        incidents->row = row;
        pages_advise_large(row + incidents->count, (capacity - incidents->count) * sizeof *row);
    }
    size_t dims_bytes = capacity * incidents->dims_max * sizeof(uint32_t);
    uint32_t *dims = dims_bytes > 0 ? realloc(incidents->dims, dims_bytes) : NULL;
    if (dims) {
        incidents->dims = dims;
    }
    struct incident_origin *origin = row && incidents->keeps_origins
                                         ? realloc(incidents->origin, capacity * sizeof *origin)
                                         : NULL;
    if (origin) {
        incidents->origin = origin;
    }
    if (!row || (dims_bytes > 0 && !dims) || (incidents->keeps_origins && !origin)) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %u incidents", capacity);
    }
    incidents->capacity = capacity;
    return true;
}

bool incidents_widen(struct incidents *incidents, size_t dims_count, struct tally_err *err)
{
    size_t old = incidents->dims_max;

    if (dims_count <= old) {
        return true;
    }
    uint32_t *dims = calloc((size_t)incidents->capacity * dims_count + 1, sizeof *dims);
    if (!dims) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu dimensions", dims_count);
    }
    for (uint32_t i = 0; old > 0 && i < incidents->count; i++) {
        memcpy(dims + i * dims_count, incidents->dims + i * old, old * sizeof *dims);
    }
    free(incidents->dims);
    incidents->dims = dims;
    incidents->dims_max = dims_count;
    return true;
}

uint32_t *incidents_dims(const struct incidents *incidents, const struct incident *incident)
{
    if (incidents->dims_max == 0) {
        return NULL;
    }
    return incidents->dims + (size_t)(incident - incidents->row) * incidents->dims_max;
}

bool incidents_reserve(struct incidents *incidents, uint64_t further, struct tally_err *err)
{
    if (further > INCIDENTS_MAX - incidents->count) {
        return err_set(err, TALLY_LIMIT, "more than %u incidents of one feed",
                       (unsigned)INCIDENTS_MAX);
    }
    uint32_t count = incidents->count + (uint32_t)further;
    return reserve_rows(incidents, count, err) && reserve_slots(incidents, count, err);
}

struct incident *incidents_add(struct incidents *incidents, uint64_t id, struct tally_err *err)
{
    if (!incidents_reserve(incidents, 1, err)) {
        return NULL;
    }
    uint32_t row = incidents->count++;
    incidents->row[row] = (struct incident){.id = id};
    if (incidents->dims_max > 0) {
        memset(incidents_dims(incidents, &incidents->row[row]), 0,
               incidents->dims_max * sizeof *incidents->dims);
    }
    if (incidents->keeps_origins) {
        incidents->origin[row] = (struct incident_origin){0};
    }
    place(incidents, row);
    return &incidents->row[row];
}
