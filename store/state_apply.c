// store/state_apply.c - what the rows of a batch do to the incidents (contracts in state.h): design
// section 2 in code.
#include "store/state.h"

#include "base/team.h"
#include "store/rows.h"

#include <assert.h>

static unsigned revision_flags(enum revision_kind kind)
{
    return kind == REVISION_NUMBER ? INCIDENT_REVISION_NUMBER
           : kind == REVISION_TEXT ? INCIDENT_REVISION_TEXT
                                   : 0;
}

static struct incidents *incidents_of(const struct state *state, const struct state_batch *batch)
{
    return &state->feed[batch->feed].incidents;
}

// It was seen by the batch that is applied now, and said by this row.
static void note_origin(const struct state *state, struct incident *incident,
                        const struct state_batch *batch, const struct state_row *row)
{
    incident_set_seen(incident, state->mark);
    if (state->keeps_origins) {
        struct incident_origin origin = {
            .batch = batch->number, .record = row->record, .line = row->line};
        incidents_set_origin(incidents_of(state, batch), incident, origin);
    }
}

static void write_incident(const struct state *state, struct incident *incident,
                           const struct state_batch *batch, const struct state_row *row,
                           unsigned flags)
{
    bool put = row->op == ROWS_PUT;
    struct incidents_row said = {
        .day = incident_day(put ? row->first_day : 0, flags | revision_flags(row->revision_kind)),
        .seen = (uint16_t)state->mark,
        .shape = batch->shape,
        .revision = row->revision,
        .values = row->values,
        .lasts = put ? state_row_lasts(row) : 0,
        .dims = row->dims,
        .dims_count = put ? state->shape[batch->shape]->dims_count : 0,
    };

    incidents_write(incidents_of(state, batch), incident, &said);
    note_origin(state, incident, batch, row);
}

static struct incident *find(const struct state *state, const struct state_batch *batch,
                             const struct state_row *row)
{
    return incidents_find(incidents_of(state, batch), row->id);
}

static bool insert(struct state *state, const struct state_batch *batch,
                   const struct state_row *row, unsigned flags, struct incident **out_incident,
                   struct tally_err *err)
{
    *out_incident = incidents_add(incidents_of(state, batch), row->id, err);
    if (!*out_incident) {
        return false;
    }
    write_incident(state, *out_incident, batch, row, flags);
    return true;
}

static bool equals(const struct state *state, const struct incident *incident,
                   const struct state_batch *batch, const struct state_row *row)
{
    const struct revision kept = incident_revision(state, incident);
    const struct revision revision = state_revision(state, row->revision_kind, row->revision);
    bool equal = incident->shape == batch->shape &&
                 incident_values(state, incident) == row->values &&
                 incident_first_day(incident) == row->first_day &&
                 incident_last_day(state, incident) == row->last_day &&
                 kept.kind == revision.kind && revision_compare(&kept, &revision) == 0;

    for (size_t i = 0; equal && i < state->shape[batch->shape]->dims_count; i++) {
        equal = incident_dim(state, incident, i) == row->dims[i];
    }
    return equal;
}

static bool tell(const struct state *state, const struct incident *incident, int sign,
                 struct state_applied *applied)
{
    return state_notify(state, incident, sign, applied->core, &applied->err);
}

// Whether a row is newer than what is kept, or says something else at the same revision.
enum verdict { OLDER, SAME, CHANGED };

static enum verdict judge(const struct state *state, const struct incident *incident,
                          const struct state_batch *batch, const struct state_row *row,
                          struct batch_counts *counts)
{
    const struct revision kept = incident_revision(state, incident);
    const struct revision revision = state_revision(state, row->revision_kind, row->revision);
    int order = revision_compare(&revision, &kept);
    // A snapshot is one word: only its own rows are compared with each other.
    bool one_word = batch->mode == BATCH_SNAPSHOT && incident_seen(incident) != state->mark;

    if (incident_flags(incident) & INCIDENT_TOMBSTONE && revision.kind != REVISION_NONE) {
        return order > 0 ? CHANGED : OLDER;
    }
    if (order < 0 && !one_word) {
        return OLDER;
    }
    if (incident_is_live(incident) && equals(state, incident, batch, row)) {
        return SAME;
    }
    if (order == 0 && incident_is_live(incident) && revision.kind != REVISION_NONE) {
        counts->conflicts++;
    }
    return CHANGED;
}

static bool put_again(struct state *state, struct incident *incident,
                      const struct state_batch *batch, const struct state_row *row,
                      struct state_applied *applied)
{
    struct batch_counts *counts = &applied->counts;

    switch (judge(state, incident, batch, row, counts)) {
    case OLDER:
        counts->older++;
        return true;
    case SAME:
        counts->unchanged++;
        if (batch->mode == BATCH_SNAPSHOT) { // its further rows are compared with this one
            note_origin(state, incident, batch, row);
        }
        return true;
    case CHANGED:
        break;
    }
    if (incident_is_live(incident)) {
        counts->revised++;
        if (!tell(state, incident, -1, applied)) {
            return false;
        }
    } else {
        counts->added++; // it is back
    }
    write_incident(state, incident, batch, row, 0);
    return tell(state, incident, 1, applied);
}

static bool apply_put(struct state *state, const struct state_batch *batch,
                      const struct state_row *row, struct state_applied *applied)
{
    struct incident *incident = find(state, batch, row);

    if (incident) {
        return put_again(state, incident, batch, row, applied);
    }
    applied->counts.added++;
    return insert(state, batch, row, 0, &incident, &applied->err) &&
           tell(state, incident, 1, applied);
}

// Withdrawn at a revision: kept as a mark that only a newer version passes.
static bool bury(struct state *state, struct incident *incident, const struct state_batch *batch,
                 const struct state_row *row, struct tally_err *err)
{
    unsigned flags = INCIDENT_WITHDRAWN | INCIDENT_TOMBSTONE;

    if (!incident) {
        return insert(state, batch, row, flags, &incident, err);
    }
    write_incident(state, incident, batch, row, flags);
    return true;
}

static bool apply_withdraw(struct state *state, const struct state_batch *batch,
                           const struct state_row *row, struct state_applied *applied)
{
    struct batch_counts *counts = &applied->counts;
    struct incident *incident = find(state, batch, row);
    bool marked = row->revision_kind != REVISION_NONE;

    if (incident && marked) {
        const struct revision kept = incident_revision(state, incident);
        const struct revision revision = state_revision(state, row->revision_kind, row->revision);
        if (revision_compare(&revision, &kept) < 0) {
            counts->older++;
            return true;
        }
    }
    if (!incident || !incident_is_live(incident)) {
        counts->unchanged++;
        return !marked || bury(state, incident, batch, row, &applied->err);
    }
    counts->withdrawn++;
    if (!tell(state, incident, -1, applied)) {
        return false;
    }
    if (marked) {
        return bury(state, incident, batch, row, &applied->err);
    }
    incident_set_flags(incident, incident_flags(incident) | INCIDENT_WITHDRAWN);
    incident_set_seen(incident, state->mark);
    return true;
}

static bool apply_row(struct state *state, const struct state_batch *batch,
                      const struct state_row *row, struct state_applied *applied)
{
    switch (row->op) {
    case ROWS_PUT:
        return apply_put(state, batch, row, applied);
    case ROWS_WITHDRAW:
        return apply_withdraw(state, batch, row, applied);
    default:
        return true;
    }
}

static void add_counts(struct state *state, const struct state_batch *batch,
                       const struct batch_counts *more, struct batch_counts *counts)
{
    state->feed[batch->feed].live += more->added - more->withdrawn;
    counts->added += more->added;
    counts->revised += more->revised;
    counts->withdrawn += more->withdrawn;
    counts->unchanged += more->unchanged;
    counts->older += more->older;
    counts->conflicts += more->conflicts;
}

static struct incidents_need need_of(const struct state_row *row, size_t dims_count)
{
    bool put = row->op == ROWS_PUT;
    struct incidents_need need = {
        .columns = INCIDENTS_DIM + (put ? (uint32_t)dims_count : 0),
        .codes =
            {[INCIDENTS_VALUES] = row->values, [INCIDENTS_LASTS] = put ? state_row_lasts(row) : 0},
        .revision_bytes =
            incidents_revision_bytes(row->revision_kind != REVISION_NONE, row->revision)};

    for (uint32_t i = INCIDENTS_DIM; i < need.columns; i++) {
        need.codes[i] = row->dims[i - INCIDENTS_DIM];
    }
    return need;
}

bool state_apply(struct state *state, const struct state_batch *batch, const struct state_row *row,
                 struct batch_counts *counts, struct tally_err *err)
{
    struct incidents_need need = need_of(row, state->shape[batch->shape]->dims_count);
    struct state_applied applied = {.core = STATE_ALONE};

    if (!incidents_fit(incidents_of(state, batch), &need, err)) {
        return false;
    }
    bool ok = apply_row(state, batch, row, &applied);
    add_counts(state, batch, &applied.counts, counts);
    if (!ok) {
        *err = applied.err;
    }
    return ok;
}

// ---- many rows ----------------------------------------------------------------------------

// Asks for what later rows will look at, so that memory has time to answer: for a row's slot AHEAD
// rows before its turn, for the row that the slot leads to half as many.
enum { AHEAD = 16 };

static void prefetch_slot(const struct state_applying *applying, const struct state_row *row)
{
    incidents_prefetch(incidents_of(applying->state, applying->batch), row->id);
}

static void prefetch_row(const struct state_applying *applying, const struct state_applied *applied,
                         const struct state_row *row)
{
    // Only where some are kept already.
    if (applied->counts.added < applied->rows) {
        incidents_prefetch_row(incidents_of(applying->state, applying->batch), row->id);
    }
}

static void prefetch_first(const struct state_applying *applying,
                           const struct state_applied *applied, const struct state_row *row,
                           uint32_t count)
{
    for (uint32_t i = 0; i < AHEAD && i < count; i++) {
        prefetch_slot(applying, &row[i]);
    }
    for (uint32_t i = 0; i < AHEAD / 2 && i < count; i++) {
        prefetch_row(applying, applied, &row[i]);
    }
}

static void prefetch(const struct state_applying *applying, const struct state_applied *applied,
                     const struct state_row *row, uint32_t left)
{
    if (left > AHEAD) {
        prefetch_slot(applying, &row[AHEAD]);
    }
    if (left > AHEAD / 2) {
        prefetch_row(applying, applied, &row[AHEAD / 2]);
    }
}

// Nothing is asked for ahead: each part is written in order.
static void append_lane(const struct state_applying *applying, const struct state_slice *slice,
                        unsigned lane)
{
    struct state *state = applying->state;
    struct incidents *incidents = incidents_of(state, applying->batch);

    for (uint32_t i = 0; i < slice->count[lane]; i++) {
        const struct state_row *row = &slice->row[lane][i];
        write_incident(state, incidents_append(incidents, row->id), applying->batch, row, 0);
    }
}

static bool apply_lane(const struct state_applying *applying, const struct state_slice *slice,
                       unsigned lane, struct state_applied *applied)
{
    const struct state_row *row = slice->row[lane];

    prefetch_first(applying, applied, row, slice->count[lane]);
    for (uint32_t left = slice->count[lane]; left > 0; left--, row++) {
        prefetch(applying, applied, row, left);
        if (!apply_row(applying->state, applying->batch, row, applied)) {
            return false;
        }
        applied->rows++;
    }
    return true;
}

// How long lanes take differs by more than how many rows they have: it is the memory of their parts
// that is waited for. So a core takes one that no other has taken yet, until none is left.
void state_rows_apply(struct state_applying *applying, unsigned core)
{
    const struct state_rows *rows = applying->rows;
    struct state_applied *applied = &applying->core[core];
    unsigned lane;

    while (core < applying->cores && !applied->failed &&
           (lane = atomic_fetch_add(&applying->next, 1)) < rows->lanes) {
        for (unsigned s = 0; !applied->failed && s < rows->slices; s++) {
            if (rows->index_later) {
                append_lane(applying, &rows->slice[s], lane);
            } else {
                applied->failed = !apply_lane(applying, &rows->slice[s], lane, applied);
            }
        }
    }
}

// Makes room, so that nothing that one core does needs memory that another one may need too.
static bool reserve(struct incidents *incidents, const struct state_rows *rows,
                    struct tally_err *err)
{
    uint32_t count[INCIDENTS_PARTS] = {0};

    for (unsigned s = 0; s < rows->slices; s++) {
        for (uint32_t part = 0; part < INCIDENTS_PARTS; part++) {
            count[part] += rows->slice[s].of_part[part];
        }
    }
    return rows->index_later ? incidents_reserve_rows(incidents, count, err)
                             : incidents_reserve_parts(incidents, count, err);
}

bool state_rows_begin(struct state_applying *applying, struct state *state,
                      const struct state_batch *batch, const struct state_rows *rows,
                      struct tally_err *err)
{
    struct incidents *incidents = incidents_of(state, batch);
    bool alone;

    assert(!rows->index_later || (rows->puts_only && state->observers_count == 0));
    if (!incidents_fit(incidents, &rows->need, err) || !reserve(incidents, rows, err) ||
        !state_notify_begin(state, &alone, err)) {
        return false;
    }
    *applying = (struct state_applying){
        .state = state, .batch = batch, .rows = rows, .cores = alone ? 1 : TEAM_PARTS_MAX};
    for (unsigned core = 0; core < TEAM_PARTS_MAX; core++) {
        applying->core[core].core = alone ? STATE_ALONE : core;
    }
    return true;
}

bool state_rows_end(struct state_applying *applying, struct batch_counts *counts,
                    struct tally_err *err)
{
    bool ok = true;

    for (unsigned i = 0; i < TEAM_PARTS_MAX; i++) {
        const struct state_applied *applied = &applying->core[i];
        add_counts(applying->state, applying->batch, &applied->counts, counts);
        if (ok && applied->failed) {
            *err = applied->err;
            ok = false;
        }
    }
    return ok;
}

static void apply_part(void *context, unsigned part)
{
    state_rows_apply(context, part);
}

bool state_apply_rows(struct state *state, const struct state_batch *batch,
                      const struct state_rows *rows, struct batch_counts *counts,
                      struct tally_err *err)
{
    enum { ROWS_LEAST = 1 << 11 };
    unsigned cores = team_parts(rows->count, ROWS_LEAST);
    struct state_applying applying;

    if (!state_rows_begin(&applying, state, batch, rows, err)) {
        return false;
    }
    cores = cores < rows->lanes ? cores : rows->lanes;
    team_run(apply_part, &applying, cores < applying.cores ? cores : applying.cores);
    return state_rows_end(&applying, counts, err);
}

// ---- rows that were appended --------------------------------------------------------------

struct indexing {
    struct state *state;
    const struct state_batch *batch;
    atomic_uint next; // part that nobody has taken
    struct indexed {
        const struct indexing *indexing;
        struct state_applied applied;
        uint64_t appended;
        uint64_t met;
        uint32_t dims[SHAPE_DIMS_MAX];
    } core[TEAM_PARTS_MAX];
};

// What the row of the batch said, from what was written of it.
static struct state_row row_of(struct indexed *indexed, const struct incident *late)
{
    const struct state *state = indexed->indexing->state;
    const struct incidents *incidents = incidents_of(state, indexed->indexing->batch);
    struct incident_origin origin = {0};

    for (size_t i = 0; i < state->shape[late->shape]->dims_count; i++) {
        indexed->dims[i] = incidents_code(incidents, late, INCIDENTS_DIM + i);
    }
    if (state->keeps_origins) {
        origin = incidents_origin(incidents, late);
    }
    return (struct state_row){.id = late->id,
                              .revision = incidents_revision(incidents, late),
                              .dims = indexed->dims,
                              .values = incident_values(state, late),
                              .first_day = incident_first_day(late),
                              .last_day = incident_last_day(state, late),
                              .record = origin.record,
                              .line = origin.line,
                              .op = ROWS_PUT,
                              .revision_kind = (uint8_t)incident_revision(state, late).kind};
}

static void meet(void *context, struct incident *kept, const struct incident *late)
{
    struct indexed *indexed = context;
    const struct indexing *indexing = indexed->indexing;
    struct state_row row = row_of(indexed, late);

    indexed->met++; // nobody observes, so that nothing fails
    (void)put_again(indexing->state, kept, indexing->batch, &row, &indexed->applied);
}

static void index_parts(void *context, unsigned core)
{
    struct indexing *indexing = context;
    struct indexed *indexed = &indexing->core[core];
    struct incidents *incidents = incidents_of(indexing->state, indexing->batch);
    unsigned part;

    indexed->indexing = indexing;
    while ((part = atomic_fetch_add(&indexing->next, 1)) < INCIDENTS_PARTS) {
        indexed->appended += incidents->part[part].count - incidents->part[part].indexed;
        incidents_index(incidents, part, meet, indexed);
    }
    indexed->applied.counts.added += indexed->appended - indexed->met;
}

bool state_index_rows(struct state *state, const struct state_batch *batch,
                      struct batch_counts *counts, struct tally_err *err)
{
    enum { ROWS_LEAST = 1 << 15 };
    struct incidents *incidents = incidents_of(state, batch);
    struct indexing indexing = {.state = state, .batch = batch};

    if (!incidents_reserve_index(incidents, err)) {
        return false;
    }
    team_run(index_parts, &indexing, team_parts(incidents_count(incidents), ROWS_LEAST));
    for (unsigned i = 0; i < TEAM_PARTS_MAX; i++) {
        add_counts(state, batch, &indexing.core[i].applied.counts, counts);
    }
    return true;
}
