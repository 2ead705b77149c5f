#include "store/state.h"

#include "base/checksum.h"
#include "store/rows.h"

#include <stdlib.h>
#include <string.h>

enum {
    UNIT_BYTES = 8,
    CHUNK_UNITS_LOG2 = 17, // 1 MiB a chunk
    CHUNK_UNITS = 1 << CHUNK_UNITS_LOG2,
    CHUNKS_MAX = 1 << (32 - CHUNK_UNITS_LOG2),
    SLOTS_FIRST = 1024,
};

static void feed_done(struct state_feed *feed)
{
    for (size_t i = 0; i < feed->scopes_count; i++) {
        free(feed->scope[i].newest_text);
    }
    free(feed->scope);
    free(feed->name);
}

void state_done(struct state *state)
{
    texts_done(&state->texts);
    for (size_t i = 0; i < state->shapes_count; i++) {
        shape_close(state->shape[i]);
    }
    for (size_t i = 0; i < state->feeds_count; i++) {
        feed_done(&state->feed[i]);
    }
    for (size_t i = 0; i < state->chunks_count; i++) {
        free(state->chunk[i]);
    }
    free(state->shape);
    free(state->shape_feed);
    free(state->feed);
    free(state->chunk);
    free(state->slot);
    free(state->observer);
    *state = (struct state){0};
}

bool state_init(struct state *state, struct tally_err *err)
{
    *state = (struct state){.slots = SLOTS_FIRST, .chunk_used = CHUNK_UNITS};
    state->slot = calloc(state->slots, sizeof *state->slot);
    if (!state->slot) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for the id index");
    }
    if (!texts_init(&state->texts, err)) {
        state_done(state);
        return false;
    }
    return true;
}

bool state_observe(struct state *state, state_on_change *on_change, void *context,
                   struct tally_err *err)
{
    struct state_observer *observer =
        realloc(state->observer, (state->observers_count + 1) * sizeof *observer);

    if (!observer) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for an observer");
    }
    state->observer = observer;
    observer[state->observers_count++] =
        (struct state_observer){.on_change = on_change, .context = context};
    return true;
}

void state_unobserve(struct state *state, const void *context)
{
    size_t kept = 0;

    for (size_t i = 0; i < state->observers_count; i++) {
        if (state->observer[i].context != context) {
            state->observer[kept++] = state->observer[i];
        }
    }
    state->observers_count = kept;
}

bool state_add_feed(struct state *state, const char *name, size_t bytes, uint32_t *out_feed,
                    struct tally_err *err)
{
    for (uint32_t i = 0; i < state->feeds_count; i++) {
        if (strlen(state->feed[i].name) == bytes && memcmp(state->feed[i].name, name, bytes) == 0) {
            *out_feed = i;
            return true;
        }
    }
    struct state_feed *feeds = realloc(state->feed, (state->feeds_count + 1) * sizeof *state->feed);
    if (!feeds) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a feed");
    }
    state->feed = feeds;
    struct state_feed feed = {.name = strndup(name, bytes)};
    if (!feed.name || !texts_intern(&state->texts, name, bytes, &feed.text, NULL, err)) {
        free(feed.name);
        return err_set(err, TALLY_NO_MEMORY, "no memory for a feed");
    }
    *out_feed = (uint32_t)state->feeds_count;
    state->feed[state->feeds_count++] = feed;
    return true;
}

const struct state_feed *state_find_feed(const struct state *state, const char *name)
{
    for (size_t i = 0; i < state->feeds_count; i++) {
        if (strcmp(state->feed[i].name, name) == 0) {
            return &state->feed[i];
        }
    }
    return NULL;
}

static bool grow_shapes(struct state *state, struct tally_err *err)
{
    size_t count = state->shapes_count + 1;
    struct shape **shape = realloc(state->shape, count * sizeof(struct shape *));

    if (shape) {
        state->shape = shape;
    }
    uint16_t *feed = shape ? realloc(state->shape_feed, count * sizeof *feed) : NULL;
    if (!feed) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a shape");
    }
    state->shape_feed = feed;
    return true;
}

bool state_add_shape(struct state *state, const struct shape *shape, uint16_t *out_shape,
                     struct tally_err *err)
{
    uint32_t feed;

    for (size_t i = 0; i < state->shapes_count; i++) {
        if (shape_equal(state->shape[i], shape)) {
            *out_shape = (uint16_t)i;
            return true;
        }
    }
    if (state->shapes_count == STATE_SHAPES_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %d different feed layouts", STATE_SHAPES_MAX);
    }
    if (!state_add_feed(state, shape->feed, strlen(shape->feed), &feed, err) ||
        !grow_shapes(state, err)) {
        return false;
    }
    struct shape *copy =
        shape_open(shape->feed, (const char *const *)shape->dims, shape->dims_count,
                   (const char *const *)shape->measures, shape->measures_count, err);
    if (!copy) {
        return false;
    }
    state->shape_feed[state->shapes_count] = (uint16_t)feed;
    state->shape[state->shapes_count] = copy;
    *out_shape = (uint16_t)state->shapes_count++;
    return true;
}

struct state_mark state_mark(const struct state *state)
{
    return (struct state_mark){
        .texts = state->texts.count, .feeds = state->feeds_count, .shapes = state->shapes_count};
}

void state_cut(struct state *state, struct state_mark mark)
{
    while (state->shapes_count > mark.shapes) {
        shape_close(state->shape[--state->shapes_count]);
    }
    while (state->feeds_count > mark.feeds) {
        feed_done(&state->feed[--state->feeds_count]);
    }
    texts_cut(&state->texts, mark.texts);
}

// ---- incidents in memory ------------------------------------------------------------------

static struct incident *at_handle(const struct state *state, uint32_t handle)
{
    unsigned char *chunk = state->chunk[handle >> CHUNK_UNITS_LOG2];
    return (struct incident *)(void *)(chunk + (size_t)(handle & (CHUNK_UNITS - 1)) * UNIT_BYTES);
}

static bool add_chunk(struct state *state, struct tally_err *err)
{
    if (state->chunks_count == CHUNKS_MAX) {
        return err_set(err, TALLY_LIMIT, "incidents take more than 32 GiB");
    }
    unsigned char **list = realloc(state->chunk, (state->chunks_count + 1) * sizeof(*state->chunk));
    if (!list) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for incidents");
    }
    state->chunk = list;
    list[state->chunks_count] = malloc((size_t)CHUNK_UNITS * UNIT_BYTES);
    if (!list[state->chunks_count]) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for incidents");
    }
    // Handle 0 means a free slot, so the very first unit stays unused.
    state->chunk_used = state->chunks_count == 0 ? 1 : 0;
    state->chunks_count++;
    return true;
}

static bool alloc_incident(struct state *state, size_t bytes, uint32_t *out_handle,
                           struct tally_err *err)
{
    size_t units = (bytes + UNIT_BYTES - 1) / UNIT_BYTES;

    if (units >= CHUNK_UNITS) {
        return err_set(err, TALLY_LIMIT, "an incident of %zu bytes", bytes);
    }
    if (units > CHUNK_UNITS - state->chunk_used && !add_chunk(state, err)) {
        return false;
    }
    *out_handle = (uint32_t)(state->chunks_count - 1) << CHUNK_UNITS_LOG2 | state->chunk_used;
    state->chunk_used += (uint32_t)units;
    return true;
}

static size_t dims_bytes(const struct shape *shape)
{
    return (shape->dims_count * sizeof(uint32_t) + 7) & ~(size_t)7; // measures stand on 8
}

static size_t incident_size(const struct shape *shape, const struct ledger_row *row)
{
    size_t revision = row->revision.kind == REVISION_TEXT ? row->revision.bytes : 0;
    return sizeof(struct incident) + dims_bytes(shape) + shape->measures_count * sizeof(int64_t) +
           row->id_bytes + revision;
}

const struct shape *state_shape(const struct state *state, const struct incident *incident)
{
    return state->shape[incident->shape];
}

const struct state_feed *state_feed_of(const struct state *state, const struct incident *incident)
{
    return &state->feed[state->shape_feed[incident->shape]];
}

const uint32_t *incident_dims(const struct incident *incident)
{
    return (const uint32_t *)(const void *)(incident + 1);
}

const int64_t *incident_measures(const struct state *state, const struct incident *incident)
{
    const unsigned char *dims = (const unsigned char *)(incident + 1);
    return (const int64_t *)(const void *)(dims + dims_bytes(state_shape(state, incident)));
}

const char *incident_id(const struct state *state, const struct incident *incident)
{
    const struct shape *shape = state_shape(state, incident);
    return (const char *)(incident_measures(state, incident) + shape->measures_count);
}

struct revision incident_revision(const struct state *state, const struct incident *incident)
{
    struct revision revision = {.kind = REVISION_NONE};

    if (incident->flags & INCIDENT_REVISION_NUMBER) {
        revision = revision_of_number(incident->revision);
    } else if (incident->flags & INCIDENT_REVISION_TEXT) {
        revision.kind = REVISION_TEXT;
        revision.text = incident_id(state, incident) + incident->id_bytes;
        revision.bytes = (uint32_t)incident->revision;
    }
    return revision;
}

// ---- the id index -------------------------------------------------------------------------

static uint64_t hash_of(uint32_t feed, const char *id, size_t id_bytes)
{
    return checksum64(id, id_bytes, feed) >> 32;
}

// The slot that holds this id, or the free one where it belongs.
static size_t find_slot(const struct state *state, uint32_t feed, const char *id, size_t id_bytes,
                        uint64_t hash)
{
    size_t mask = state->slots - 1;
    size_t at = hash & mask;

    for (; state->slot[at] != 0; at = (at + 1) & mask) {
        if (state->slot[at] >> 32 != hash) {
            continue;
        }
        const struct incident *incident = at_handle(state, (uint32_t)state->slot[at]);
        if (incident->id_bytes == id_bytes && state->shape_feed[incident->shape] == feed &&
            memcmp(incident_id(state, incident), id, id_bytes) == 0) {
            break;
        }
    }
    return at;
}

struct incident *state_find(const struct state *state, uint32_t feed, const char *id,
                            size_t id_bytes)
{
    size_t at = find_slot(state, feed, id, id_bytes, hash_of(feed, id, id_bytes));
    return state->slot[at] ? at_handle(state, (uint32_t)state->slot[at]) : NULL;
}

static bool grow_index(struct state *state, struct tally_err *err)
{
    size_t slots = state->slots * 2;
    uint64_t *slot = calloc(slots, sizeof *slot);

    if (!slot) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for an id index of %zu slots", slots);
    }
    for (size_t i = 0; i < state->slots; i++) {
        if (state->slot[i] != 0) {
            size_t at = (state->slot[i] >> 32) & (slots - 1);
            while (slot[at] != 0) {
                at = (at + 1) & (slots - 1);
            }
            slot[at] = state->slot[i];
        }
    }
    free(state->slot);
    state->slot = slot;
    state->slots = slots;
    return true;
}

struct incident *state_next(const struct state *state, struct state_walk *walk)
{
    while (walk->slot < state->slots) {
        uint64_t slot = state->slot[walk->slot++];
        if (slot != 0) {
            return at_handle(state, (uint32_t)slot);
        }
    }
    return NULL;
}

// ---- applying rows ------------------------------------------------------------------------

bool state_notify(const struct state *state, const struct incident *incident, int sign,
                  struct tally_err *err)
{
    state->feed[state->shape_feed[incident->shape]].live += (uint64_t)(int64_t)sign;
    for (size_t i = 0; i < state->observers_count; i++) {
        const struct state_observer *observer = &state->observer[i];
        if (!observer->on_change(observer->context, state, incident, sign, err)) {
            return false;
        }
    }
    return true;
}

static bool is_live(const struct incident *incident)
{
    return !(incident->flags & INCIDENT_WITHDRAWN);
}

static uint16_t revision_flags(const struct revision *revision)
{
    return revision->kind == REVISION_NUMBER ? INCIDENT_REVISION_NUMBER
           : revision->kind == REVISION_TEXT ? INCIDENT_REVISION_TEXT
                                             : 0;
}

static void write_incident(struct incident *incident, const struct shape *shape,
                           const struct state_batch *batch, const struct ledger_row *row,
                           unsigned flags)
{
    const struct revision *revision = &row->revision;
    *incident = (struct incident){
        .batch = batch->number,
        .record = (uint32_t)row->record,
        .line = (uint32_t)row->line,
        .first_day = row->first_day,
        .last_day = row->last_day,
        .shape = batch->shape,
        .flags = (uint16_t)(flags | revision_flags(revision)),
        .id_bytes = (uint32_t)row->id_bytes,
        .revision = revision->kind == REVISION_TEXT ? revision->bytes : revision->number,
        .reported = row->reported,
    };
    unsigned char *at = (unsigned char *)(incident + 1);
    bool content = row->op == ROWS_PUT;
    if (shape->dims_count > 0 && content) {
        memcpy(at, row->dims, shape->dims_count * sizeof *row->dims);
    } else {
        memset(at, 0, dims_bytes(shape));
    }
    at += dims_bytes(shape);
    size_t measures_bytes = shape->measures_count * sizeof *row->measures;
    if (measures_bytes > 0 && content) {
        memcpy(at, row->measures, measures_bytes);
    } else {
        memset(at, 0, measures_bytes);
    }
    at += measures_bytes;
    memcpy(at, row->id, row->id_bytes);
    if (revision->kind == REVISION_TEXT) {
        memcpy(at + row->id_bytes, revision->text, revision->bytes);
    }
}

static bool insert(struct state *state, const struct state_batch *batch,
                   const struct ledger_row *row, unsigned flags, struct incident **out_incident,
                   struct tally_err *err)
{
    const struct shape *shape = state->shape[batch->shape];
    uint32_t handle;

    if (state->incidents >= STATE_INCIDENTS_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %u incidents", (unsigned)STATE_INCIDENTS_MAX);
    }
    if (state->incidents * 3 >= state->slots * 2 && !grow_index(state, err)) {
        return false;
    }
    if (!alloc_incident(state, incident_size(shape, row), &handle, err)) {
        return false;
    }
    *out_incident = at_handle(state, handle);
    write_incident(*out_incident, shape, batch, row, flags);
    uint64_t hash = hash_of(batch->feed, row->id, row->id_bytes);
    size_t at = find_slot(state, batch->feed, row->id, row->id_bytes, hash);
    state->slot[at] = hash << 32 | handle;
    state->incidents++;
    return true;
}

// The new version stands where the old one stood if it fits, else in new memory.
static bool replace(struct state *state, struct incident *incident, const struct state_batch *batch,
                    const struct ledger_row *row, unsigned flags, struct incident **out_incident,
                    struct tally_err *err)
{
    const struct shape *shape = state->shape[batch->shape];
    const struct revision old_revision = incident_revision(state, incident);
    const struct ledger_row old = {.id_bytes = incident->id_bytes, .revision = old_revision};
    uint32_t seen = incident->seen;

    if (incident_size(shape, row) > incident_size(state_shape(state, incident), &old)) {
        uint64_t hash = hash_of(batch->feed, row->id, row->id_bytes);
        size_t at = find_slot(state, batch->feed, row->id, row->id_bytes, hash);
        uint32_t handle;
        if (!alloc_incident(state, incident_size(shape, row), &handle, err)) {
            return false;
        }
        state->slot[at] = hash << 32 | handle;
        incident = at_handle(state, handle);
    }
    write_incident(incident, shape, batch, row, flags);
    incident->seen = seen;
    *out_incident = incident;
    return true;
}

bool state_equals(const struct state *state, const struct incident *incident, uint16_t shape,
                  const struct ledger_row *row)
{
    const struct shape *names = state->shape[shape];
    const struct revision revision = incident_revision(state, incident);

    return incident->shape == shape && incident->first_day == row->first_day &&
           incident->last_day == row->last_day && incident->reported == row->reported &&
           revision.kind == row->revision.kind &&
           revision_compare(&revision, &row->revision) == 0 &&
           (names->dims_count == 0 || memcmp(incident_dims(incident), row->dims,
                                             names->dims_count * sizeof *row->dims) == 0) &&
           (names->measures_count == 0 ||
            memcmp(incident_measures(state, incident), row->measures,
                   names->measures_count * sizeof *row->measures) == 0);
}

uint32_t state_kept_scope(const struct state *state, const struct incident *incident,
                          uint16_t shape, int scope_dim)
{
    if (scope_dim < 0) {
        return 0;
    }
    int dim = incident->shape == shape ? scope_dim
                                       : shape_find_dim(state_shape(state, incident),
                                                        state->shape[shape]->dims[scope_dim]);
    return dim < 0 ? 0 : incident_dims(incident)[dim];
}

// Whether a row is newer than what is kept, or says something else at the same revision.
enum verdict { OLDER, SAME, CHANGED };

static enum verdict judge(const struct state *state, const struct incident *incident,
                          const struct state_batch *batch, const struct ledger_row *row,
                          struct batch_counts *counts)
{
    const struct revision kept = incident_revision(state, incident);
    int order = revision_compare(&row->revision, &kept);
    // A snapshot is one word: only its own rows are compared with each other.
    bool one_word = batch->mode == BATCH_SNAPSHOT && incident->batch != batch->number;

    if (incident->flags & INCIDENT_TOMBSTONE && row->revision.kind != REVISION_NONE) {
        return order > 0 ? CHANGED : OLDER;
    }
    if (order < 0 && !one_word) {
        return OLDER;
    }
    if (is_live(incident) && state_equals(state, incident, batch->shape, row)) {
        return SAME;
    }
    if (order == 0 && is_live(incident) && row->revision.kind != REVISION_NONE) {
        counts->conflicts++;
    }
    return CHANGED;
}

static bool apply_put(struct state *state, const struct state_batch *batch,
                      const struct ledger_row *row, struct batch_counts *counts,
                      struct tally_err *err)
{
    struct incident *incident = state_find(state, batch->feed, row->id, row->id_bytes);

    if (!incident) {
        counts->added++;
        return insert(state, batch, row, 0, &incident, err) &&
               state_notify(state, incident, 1, err);
    }
    switch (judge(state, incident, batch, row, counts)) {
    case OLDER:
        counts->older++;
        return true;
    case SAME:
        counts->unchanged++;
        if (batch->mode == BATCH_SNAPSHOT) { // its further rows are compared with this one
            incident->batch = batch->number;
            incident->record = (uint32_t)row->record;
            incident->line = (uint32_t)row->line;
        }
        return true;
    case CHANGED:
        break;
    }
    if (is_live(incident)) {
        counts->revised++;
        if (!state_notify(state, incident, -1, err)) {
            return false;
        }
    } else {
        counts->added++; // it is back
    }
    return replace(state, incident, batch, row, 0, &incident, err) &&
           state_notify(state, incident, 1, err);
}

// Withdrawn at a revision: kept as a mark that only a newer version passes.
static bool bury(struct state *state, struct incident *incident, const struct state_batch *batch,
                 const struct ledger_row *row, struct tally_err *err)
{
    unsigned flags = INCIDENT_WITHDRAWN | INCIDENT_TOMBSTONE;

    if (!incident) {
        return insert(state, batch, row, flags, &incident, err);
    }
    return replace(state, incident, batch, row, flags, &incident, err);
}

static bool apply_withdraw(struct state *state, const struct state_batch *batch,
                           const struct ledger_row *row, struct batch_counts *counts,
                           struct tally_err *err)
{
    struct incident *incident = state_find(state, batch->feed, row->id, row->id_bytes);
    bool marked = row->revision.kind != REVISION_NONE;

    if (incident && marked) {
        const struct revision kept = incident_revision(state, incident);
        if (revision_compare(&row->revision, &kept) < 0) {
            counts->older++;
            return true;
        }
    }
    if (!incident || !is_live(incident)) {
        counts->unchanged++;
        return !marked || bury(state, incident, batch, row, err);
    }
    counts->withdrawn++;
    if (!state_notify(state, incident, -1, err)) {
        return false;
    }
    if (marked) {
        return bury(state, incident, batch, row, err);
    }
    incident->flags |= INCIDENT_WITHDRAWN;
    incident->batch = batch->number;
    return true;
}

bool state_apply(struct state *state, const struct state_batch *batch, const struct ledger_row *row,
                 struct batch_counts *counts, struct tally_err *err)
{
    switch (row->op) {
    case ROWS_PUT:
        return apply_put(state, batch, row, counts, err);
    case ROWS_WITHDRAW:
        return apply_withdraw(state, batch, row, counts, err);
    default:
        return true;
    }
}
