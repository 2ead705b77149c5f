#include "store/incidents_private.h"

#include "base/fold.h"
#include "base/prefetch.h"
#include "base/team.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCKS_FIRST = 4,
    PART_ROWS_MAX = INCIDENTS_MAX / INCIDENTS_PARTS, // and 24 bits hold it
    SLOTS_FIRST = 16,
};

void incidents_init(struct incidents *incidents, bool keeps_origins)
{
    *incidents = (struct incidents){.keeps_origins = keeps_origins};
    arena_init(&incidents->rows, SIZE_MAX / 2);
    arena_init(&incidents->slots, SIZE_MAX / 2);
    incidents->rows.large_pages = true;
    incidents->slots.large_pages = true;
    incidents_set_places(&incidents->layout, keeps_origins);
}

void incidents_done(struct incidents *incidents)
{
    for (uint32_t i = 0; incidents->part && i < INCIDENTS_PARTS; i++) {
        free(incidents->part[i].block);
    }
    free(incidents->part);
    arena_done(&incidents->rows);
    arena_done(&incidents->slots);
    *incidents = (struct incidents){0};
}

uint32_t incidents_revision_bytes(bool given, int64_t revision)
{
    return !given ? 0 : revision >= INT32_MIN && revision <= INT32_MAX ? 4 : 8;
}

// ---- the parts of a row -------------------------------------------------------------------

int64_t incidents_revision(const struct incidents *incidents, const struct incident *incident)
{
    return row_take_revision(&incidents->layout, incident);
}

uint32_t incidents_code(const struct incidents *incidents, const struct incident *incident,
                        size_t column)
{
    return row_take_code(&incidents->layout, incident, column);
}

void incidents_set_revision(const struct incidents *incidents, struct incident *incident,
                            int64_t revision)
{
    row_put_revision(&incidents->layout, incident, revision);
    assert(row_take_revision(&incidents->layout, incident) == revision);
}

static void put_code(const struct incidents_layout *layout, struct incident *incident,
                     size_t column, uint32_t code)
{
    assert(code <= layout->max[column]);
    row_put_code(layout, incident, column, code);
}

// From the last column to the first, as row_put_code wants it.
void incidents_write(const struct incidents *incidents, struct incident *incident,
                     const struct incidents_row *row)
{
    const struct incidents_layout *layout = &incidents->layout;
    size_t end = layout->columns - INCIDENTS_DIM;

    for (; end > row->dims_count; end--) {
        put_code(layout, incident, INCIDENTS_DIM + end - 1, 0);
    }
    for (; end > 0; end--) {
        put_code(layout, incident, INCIDENTS_DIM + end - 1, row->dims[end - 1]);
    }
    put_code(layout, incident, INCIDENTS_LASTS, row->lasts);
    put_code(layout, incident, INCIDENTS_VALUES, row->values);
    row_put_revision(layout, incident, row->revision);
    assert(row_take_revision(layout, incident) == row->revision);
    incident->day = row->day;
    incident->seen = row->seen;
    incident->shape = row->shape;
}

struct incident_origin incidents_origin(const struct incidents *incidents,
                                        const struct incident *incident)
{
    struct incident_origin origin;

    memcpy(&origin, (const unsigned char *)incident + incidents->layout.origin_at, sizeof origin);
    return origin;
}

void incidents_set_origin(const struct incidents *incidents, struct incident *incident,
                          struct incident_origin origin)
{
    memcpy((unsigned char *)incident + incidents->layout.origin_at, &origin, sizeof origin);
}

// ---- rows of a part -----------------------------------------------------------------------

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory for incidents");
}

static bool add_block(struct incidents *incidents, struct incidents_part *part,
                      struct tally_err *err)
{
    if (part->blocks == part->blocks_capacity) {
        uint32_t capacity = part->blocks_capacity ? part->blocks_capacity * 2 : BLOCKS_FIRST;
        unsigned char **block = realloc(part->block, capacity * sizeof(unsigned char *));
        if (!block) {
            return no_memory(err);
        }
        part->block = block;
        part->blocks_capacity = capacity;
    }
    uint32_t count = block_rows(part->room);
    unsigned char *rows =
        arena_alloc(&incidents->rows, (size_t)count * incidents->layout.stride, err);
    if (!rows) {
        return false;
    }
    part->block[part->blocks++] = rows;
    part->room += count;
    return true;
}

// ---- index --------------------------------------------------------------------------------

// Every bit of the id reaches the upper bits of one half of the product and, by the fold, those of
// the hash. The constants are the binary digits of pi and e behind the point.
static uint64_t hash_of(uint64_t id)
{
    return fold(id ^ UINT64_C(0x243f6a8885a308d3), UINT64_C(0xb7e151628aed2a6b));
}

// Part, tag and place are bits 56-63, 48-55 and 0-31.
static struct incidents_part *part_of(const struct incidents *incidents, uint64_t hash)
{
    return &incidents->part[hash >> 56];
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 24) & 0xff000000;
}

static uint32_t place_of(const struct incidents_part *part, uint64_t hash)
{
    return (uint32_t)((uint64_t)(uint32_t)hash * part->slots >> 32);
}

static uint32_t place_behind(const struct incidents_part *part, uint32_t at)
{
    return at + 1 < part->slots ? at + 1 : 0;
}

// The row with this id, or NULL, and where its slot would be. Requires: the part has an index.
static struct incident *find_in(const struct incidents *incidents,
                                const struct incidents_part *part, uint64_t id, uint64_t hash,
                                uint32_t *out_free)
{
    uint32_t tag = tag_of(hash);
    uint32_t at = place_of(part, hash);
    uint32_t slot;

    for (; (slot = part->slot[at]) != 0; at = place_behind(part, at)) {
        if (((slot ^ tag) & 0xff000000) == 0) {
            struct incident *incident = row_at(incidents, part, (slot & 0xffffff) - 1);
            if (incident->id == id) {
                return incident;
            }
        }
    }
    *out_free = at;
    return NULL;
}

struct incident *incidents_find(const struct incidents *incidents, uint64_t id)
{
    uint64_t hash = hash_of(id);

    if (!incidents->part || part_of(incidents, hash)->slots == 0) {
        return NULL;
    }
    uint32_t unused;
    return find_in(incidents, part_of(incidents, hash), id, hash, &unused);
}

void incidents_prefetch(const struct incidents *incidents, uint64_t id)
{
    uint64_t hash = hash_of(id);

    if (incidents->part && part_of(incidents, hash)->slots > 0) {
        const struct incidents_part *part = part_of(incidents, hash);
        prefetch_to_read(&part->slot[place_of(part, hash)]);
    }
}

void incidents_prefetch_row(const struct incidents *incidents, uint64_t id)
{
    uint64_t hash = hash_of(id);

    if (!incidents->part || part_of(incidents, hash)->slots == 0) {
        return;
    }
    const struct incidents_part *part = part_of(incidents, hash);
    uint32_t tag = tag_of(hash);
    uint32_t slot;
    for (uint32_t at = place_of(part, hash); (slot = part->slot[at]) != 0;
         at = place_behind(part, at)) {
        if (((slot ^ tag) & 0xff000000) == 0) { // most likely the one
            const char *row = (const char *)row_at(incidents, part, (slot & 0xffffff) - 1);
            prefetch_to_read(row);
            prefetch_to_read(row + incidents->layout.stride - 1);
            return;
        }
    }
}

static void place(struct incidents_part *part, uint64_t hash, uint32_t row)
{
    uint32_t at = place_of(part, hash);

    while (part->slot[at] != 0) {
        at = place_behind(part, at);
    }
    part->slot[at] = tag_of(hash) | (row + 1);
}

static size_t slots_bytes(uint32_t slots)
{
    return slots * sizeof(uint32_t);
}

// A part's index in other memory. Requires: room for all its rows.
static void move_slots(const struct incidents *incidents, struct incidents_part *part,
                       uint32_t *slot, uint32_t slots)
{
    if (slots == 0) {
        return; // it has no index yet
    }
    if (slots == part->slots) {
        memcpy(slot, part->slot, slots_bytes(slots));
        part->slot = slot;
        return;
    }
    memset(slot, 0, slots_bytes(slots));
    part->slot = slot;
    part->slots = slots;
    for (uint32_t row = 0; row < part->indexed; row++) {
        place(part, hash_of(row_at(incidents, part, row)->id), row);
    }
}

// At most three quarters of the slots are taken.
static bool has_slots(const struct incidents_part *part, uint32_t count)
{
    return count <= part->slots / 4 * 3;
}

// As many as now where that is enough, otherwise for `spare` more.
static uint32_t slots_for(const struct incidents_part *part, uint32_t count, uint32_t spare)
{
    uint32_t slots = (count + spare + (count + spare) / 3) / 4 * 4 + 4;

    return has_slots(part, count) ? part->slots : slots > SLOTS_FIRST ? slots : SLOTS_FIRST;
}

// The index of all parts on its way to other memory.
struct renewal {
    struct incidents *incidents;
    uint32_t *slot[INCIDENTS_PARTS];
    uint32_t slots[INCIDENTS_PARTS];
    unsigned cores;
};

static void renew_share(void *context, unsigned core)
{
    struct renewal *renewal = context;
    size_t end = team_begin(INCIDENTS_PARTS, core + 1, renewal->cores);

    for (size_t i = team_begin(INCIDENTS_PARTS, core, renewal->cores); i < end; i++) {
        move_slots(renewal->incidents, &renewal->incidents->part[i], renewal->slot[i],
                   renewal->slots[i]);
    }
}

// All parts' index in memory of its own, with room for `each` rows more in each part.
static bool renew_slots(struct incidents *incidents, uint32_t each, struct tally_err *err)
{
    enum { ROWS_LEAST = 1 << 16 };
    struct renewal renewal = {.incidents = incidents,
                              .cores = team_parts(incidents_count(incidents), ROWS_LEAST)};
    struct arena arena;

    size_t slots = 0;

    arena_init(&arena, SIZE_MAX / 2);
    arena.large_pages = true;
    for (uint32_t i = 0; i < INCIDENTS_PARTS; i++) {
        const struct incidents_part *part = &incidents->part[i];
        renewal.slots[i] = slots_for(part, part->count + each, each / 32);
        slots += renewal.slots[i];
    }
    uint32_t *slot = arena_alloc(&arena, slots * sizeof *slot, err);
    if (!slot) {
        arena_done(&arena);
        return false;
    }
    for (uint32_t i = 0; i < INCIDENTS_PARTS; i++) {
        renewal.slot[i] = slot;
        slot += renewal.slots[i];
    }
    team_run(renew_share, &renewal, renewal.cores);
    arena_done(&incidents->slots);
    incidents->slots = arena;
    incidents->slots_left = 0;
    return true;
}

// A part alone grows by a quarter. What parts leave behind is given back once it is a third of all.
static bool reserve_slots(struct incidents *incidents, struct incidents_part *part, uint32_t count,
                          struct tally_err *err)
{
    if (has_slots(part, count)) {
        return true;
    }
    if (incidents->slots_left * 3 > incidents->slots.used_bytes &&
        !renew_slots(incidents, 0, err)) {
        return false;
    }
    uint32_t slots = slots_for(part, count, part->count / 4);
    uint32_t *slot = arena_alloc(&incidents->slots, slots_bytes(slots), err);
    if (!slot) {
        return false;
    }
    incidents->slots_left += slots_bytes(part->slots);
    move_slots(incidents, part, slot, slots);
    return true;
}

static bool too_many(struct tally_err *err)
{
    return err_set(err, TALLY_LIMIT, "more than %u incidents of one feed", (unsigned)INCIDENTS_MAX);
}

static bool make_parts(struct incidents *incidents, struct tally_err *err)
{
    if (!incidents->part) {
        incidents->part = calloc(INCIDENTS_PARTS, sizeof *incidents->part);
    }
    return incidents->part ? true : no_memory(err);
}

uint32_t incidents_count(const struct incidents *incidents)
{
    uint32_t count = 0;

    for (uint32_t i = 0; incidents->part && i < INCIDENTS_PARTS; i++) {
        count += incidents->part[i].count;
    }
    return count;
}

void incidents_reserve(struct incidents *incidents, uint64_t further)
{
    uint32_t each = (uint32_t)(further / INCIDENTS_PARTS); // hashes spread them evenly
    struct tally_err ignored;

    if (further > INCIDENTS_MAX - incidents_count(incidents) || !make_parts(incidents, &ignored)) {
        return;
    }
    for (uint32_t i = 0; each > 0 && i < INCIDENTS_PARTS; i++) {
        if (!has_slots(&incidents->part[i], incidents->part[i].count + each)) {
            (void)renew_slots(incidents, each, &ignored); // or all is as before
            return;
        }
    }
}

static bool reserve_rows(struct incidents *incidents, struct incidents_part *part, uint32_t further,
                         struct tally_err *err)
{
    if (further > PART_ROWS_MAX - part->count) {
        return too_many(err);
    }
    while (part->room < part->count + further) {
        if (!add_block(incidents, part, err)) {
            return false;
        }
    }
    return true;
}

bool incidents_reserve_rows(struct incidents *incidents, const uint32_t further[INCIDENTS_PARTS],
                            struct tally_err *err)
{
    bool ok = make_parts(incidents, err);

    for (uint32_t i = 0; ok && i < INCIDENTS_PARTS; i++) {
        ok = reserve_rows(incidents, &incidents->part[i], further[i], err);
    }
    return ok;
}

bool incidents_reserve_parts(struct incidents *incidents, const uint32_t further[INCIDENTS_PARTS],
                             struct tally_err *err)
{
    bool ok = incidents_reserve_rows(incidents, further, err);

    for (uint32_t i = 0; ok && i < INCIDENTS_PARTS; i++) {
        struct incidents_part *part = &incidents->part[i];
        ok = reserve_slots(incidents, part, part->count + further[i], err);
    }
    return ok;
}

bool incidents_reserve_index(struct incidents *incidents, struct tally_err *err)
{
    static const uint32_t none[INCIDENTS_PARTS];

    return incidents_reserve_parts(incidents, none, err);
}

uint8_t incidents_part(uint64_t id)
{
    return (uint8_t)(hash_of(id) >> 56);
}

struct incident *incidents_add(struct incidents *incidents, uint64_t id, struct tally_err *err)
{
    uint64_t hash = hash_of(id);

    if (!make_parts(incidents, err)) {
        return NULL;
    }
    struct incidents_part *part = part_of(incidents, hash);
    if (part->count == PART_ROWS_MAX) {
        too_many(err);
        return NULL;
    }
    if (!reserve_slots(incidents, part, part->count + 1, err) ||
        (part->count == part->room && !add_block(incidents, part, err))) {
        return NULL;
    }
    struct incident *incident = row_at(incidents, part, part->count);
    assert(part->indexed == part->count);
    incident->id = id;
    place(part, hash, part->count++);
    part->indexed = part->count;
    return incident;
}

struct incident *incidents_append(struct incidents *incidents, uint64_t id)
{
    struct incidents_part *part = part_of(incidents, hash_of(id));

    assert(part->count < part->room);
    struct incident *incident = row_at(incidents, part, part->count++);
    incident->id = id;
    return incident;
}

// The index of one part is near; a row's slot is asked for nearer still.
static void prefetch_slot_ahead(const struct incidents *incidents,
                                const struct incidents_part *part, uint32_t row, uint32_t end)
{
    enum { AHEAD = 16 };

    if (row + AHEAD < end) {
        uint64_t hash = hash_of(row_at(incidents, part, row + AHEAD)->id);
        prefetch_to_write(&part->slot[place_of(part, hash)]);
    }
}

void incidents_index(struct incidents *incidents, uint32_t number, incidents_meet *meet,
                     void *context)
{
    struct incidents_part *part = &incidents->part[number];
    uint32_t count = part->count;
    uint32_t at;

    part->count = part->indexed;
    for (uint32_t row = part->indexed; row < count; row++) {
        prefetch_slot_ahead(incidents, part, row, count);
        struct incident *late = row_at(incidents, part, row);
        uint64_t hash = hash_of(late->id);
        struct incident *kept = find_in(incidents, part, late->id, hash, &at);
        if (kept) {
            meet(context, kept, late);
            continue;
        }
        if (row != part->count) { // what was met left its place free
            memcpy(row_at(incidents, part, part->count), late, incidents->layout.stride);
        }
        part->slot[at] = tag_of(hash) | (++part->count);
    }
    part->indexed = part->count;
}

struct incident *incidents_next(const struct incidents *incidents, struct incidents_walk *walk)
{
    for (; incidents->part && walk->part < INCIDENTS_PARTS; walk->part++, walk->row = 0) {
        const struct incidents_part *part = &incidents->part[walk->part];
        if (walk->row < part->count) {
            return row_at(incidents, part, walk->row++);
        }
    }
    return NULL;
}

struct incidents_walk incidents_walk_from(const struct incidents *incidents, uint32_t index)
{
    struct incidents_walk walk = {.row = index};

    for (; walk.row >= incidents->part[walk.part].count; walk.part++) {
        walk.row -= incidents->part[walk.part].count;
    }
    return walk;
}
