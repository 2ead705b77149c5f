// store/store_batch.c - one batch: from chunks of rows to a commit (contracts in store.h).
#include "base/planted.h"
#include "store/snapshot.h"
#include "store/store_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAME_ROWS_MAX = 4096,
    FRAME_BYTES = 256 * 1024, // a frame is closed behind this
    ID_BYTES_MAX = 4096,      // of an id or revision; incidents stand in chunks of memory
};

// What the batch at hand has said of an incident so far: incident.seen = mark + one of these.
enum seen {
    SEEN_KEPT,          // a rejected row of a snapshot names it
    SEEN_EQUAL,         // a row says what is kept: left out of the ledger
    SEEN_WRITTEN,       // a row stands in the ledger
    SEEN_EQUAL_WRITTEN, // first the one, then the other
    SEEN_COUNT,
};

// ---- begin --------------------------------------------------------------------------------

static bool copy_text(char **slot, const char *text, struct tally_err *err)
{
    char *copy = strdup(text);

    if (!copy) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
    }
    free(*slot);
    *slot = copy;
    return true;
}

static void reset(struct pending *pending)
{
    bytes_clear(&pending->texts);
    bytes_clear(&pending->rows);
    memset(pending->map_count, 0, sizeof pending->map_count);
    pending->base = (struct ledger_row_base){0};
    pending->frame_rows = 0;
    pending->rows_count = 0;
    pending->skipped_unchanged = 0;
    pending->skipped_older = 0;
    pending->scopes_count = 0;
    pending->leant_on_count = 0;
    if (pending->scope_seen_bytes > 0) {
        memset(pending->scope_seen, 0, pending->scope_seen_bytes);
    }
    pending->newest = (struct revision){.kind = REVISION_NONE};
    pending->puts = 0;
}

// The next marks; when the numbers run out all start afresh.
static void next_mark(struct store *store)
{
    if (store->mark > UINT32_MAX - 2 * SEEN_COUNT) {
        struct state_walk walk = {0};
        struct incident *incident;
        while ((incident = state_next(&store->state, &walk)) != NULL) {
            incident->seen = 0;
        }
        store->mark = 0;
    }
    store->mark += SEEN_COUNT;
}

bool store_begin(struct store *store, const struct store_file *file, struct tally_err *err)
{
    struct pending *pending = &store->pending;
    struct batch_begin begin = {.mode = file->mode,
                                .feed = file->feed,
                                .feed_bytes = strlen(file->feed),
                                .file = file->name,
                                .file_bytes = strlen(file->name),
                                .header = file->header,
                                .header_bytes = strlen(file->header),
                                .scope_dim = file->scope_dim};

    assert(!pending->open);
    if (store->batches >= UINT32_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %u batches", UINT32_MAX);
    }
    reset(pending);
    next_mark(store);
    pending->mark = state_mark(&store->state);
    pending->open = true;
    pending->number = store->batches + 1;
    pending->mode = file->mode;
    pending->scope_dim = file->scope_dim;
    pending->at = ledger_end(store->ledger);
    struct bytes payload;
    bytes_init(&payload);
    batch_begin_encode(&begin, file->shape, &payload);
    bool ok = copy_text(&pending->feed_name, file->feed, err) &&
              copy_text(&pending->file, file->name, err) &&
              state_add_shape(&store->state, file->shape, &pending->shape, err) &&
              ledger_append(store->ledger, LEDGER_BEGIN, pending->number, &payload, err);
    bytes_done(&payload);
    if (ok) {
        pending->feed = store->state.shape_feed[pending->shape];
    }
    return ok;
}

// ---- frames -------------------------------------------------------------------------------

// Nothing to write is no frame; bytes that ran out of memory are an error, however few came.
static bool put_frame(struct store *store, enum ledger_kind kind, struct bytes *bytes,
                      struct tally_err *err)
{
    bool nothing = bytes->ok && bytes->count == 0;
    bool ok = nothing || ledger_append(store->ledger, kind, store->pending.number, bytes, err);

    bytes_clear(bytes);
    return ok;
}

static bool put_texts_frame(struct store *store, struct tally_err *err)
{
    return put_frame(store, LEDGER_TEXTS, &store->pending.texts, err);
}

// Texts stand in the ledger before the rows that use them.
static bool put_rows_frame(struct store *store, struct tally_err *err)
{
    struct pending *pending = &store->pending;

    if (!put_texts_frame(store, err)) {
        return false;
    }
    pending->base = (struct ledger_row_base){0};
    pending->frame_rows = 0;
    progress_step(&store->progress);
    return put_frame(store, LEDGER_ROWS, &pending->rows, err);
}

static bool put_row(struct store *store, const struct ledger_row *row, struct tally_err *err)
{
    struct pending *pending = &store->pending;

    ledger_row_encode(row, store->state.shape[pending->shape], &pending->base, &pending->rows);
    pending->rows_count++;
    pending->frame_rows++;
    return (pending->frame_rows < FRAME_ROWS_MAX && pending->rows.count < FRAME_BYTES) ||
           put_rows_frame(store, err);
}

static bool put_rejects(struct store *store, const struct rows *rows, struct tally_err *err)
{
    struct bytes payload;
    bool ok = true;

    bytes_init(&payload);
    for (size_t i = 0; ok && i < rows->rejects_count; i++) {
        const struct rows_reject *reject = &rows->rejects[i];
        bytes_put_varint(&payload, reject->record);
        bytes_put_varint(&payload, reject->line);
        bytes_put_varint(&payload, reject->offset);
        bytes_put_text(&payload, reject->reason, strlen(reject->reason));
        bytes_put_text(&payload, rows_text(rows, reject->detail), reject->detail.bytes);
        bytes_put_text(&payload, rows_text(rows, reject->raw), reject->raw.bytes);
        if (payload.count > FRAME_BYTES || i + 1 == rows->rejects_count) {
            ok = ledger_append(store->ledger, LEDGER_REJECTS, store->pending.number, &payload, err);
            bytes_clear(&payload);
        }
    }
    bytes_done(&payload);
    return ok;
}

// ---- append -------------------------------------------------------------------------------

static bool map_add(struct pending *pending, uint32_t dim, uint32_t code, struct tally_err *err)
{
    if (pending->map_count[dim] == pending->map_capacity[dim]) {
        uint32_t capacity = pending->map_capacity[dim] ? pending->map_capacity[dim] * 2 : 64;
        uint32_t *map = realloc(pending->map[dim], capacity * sizeof *map);
        if (!map) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
        }
        pending->map[dim] = map;
        pending->map_capacity[dim] = capacity;
    }
    pending->map[dim][pending->map_count[dim]++] = code;
    return true;
}

static bool map_text(struct store *store, uint32_t dim, const char *text, size_t bytes,
                     struct tally_err *err)
{
    struct pending *pending = &store->pending;
    uint32_t code;
    bool is_new;

    if (!texts_intern(&store->state.texts, text, bytes, &code, &is_new, err) ||
        !map_add(pending, dim, code, err)) {
        return false;
    }
    if (is_new) {
        if (pending->texts.count == 0) {
            bytes_put_varint(&pending->texts, code);
        }
        bytes_put_text(&pending->texts, text, bytes);
    }
    return pending->texts.count < FRAME_BYTES || put_texts_frame(store, err);
}

static bool map_new_texts(struct store *store, const struct rows *rows, struct tally_err *err)
{
    struct pending *pending = &store->pending;

    for (uint32_t dim = 0; dim < rows->shape->dims_count; dim++) {
        if (pending->map_count[dim] == 0 && !map_add(pending, dim, 0, err)) {
            return false; // code 0 is the empty text on both sides
        }
    }
    for (size_t i = 0; i < rows->new_texts_count; i++) {
        const struct rows_new_text *text = &rows->new_texts[i];
        if (!map_text(store, text->dim, rows_text(rows, text->text), text->text.bytes, err)) {
            return false;
        }
    }
    return true;
}

static bool append_put(struct store *store, const struct ledger_row *row, struct tally_err *err)
{
    struct pending *pending = &store->pending;
    struct incident *incident = state_find(&store->state, pending->feed, row->id, row->id_bytes);

    pending->puts++;
    if (pending->mode == BATCH_SNAPSHOT && !snapshot_note(pending, row, err)) {
        return false;
    }
    if (!incident) {
        return put_row(store, row, err);
    }
    bool live = !(incident->flags & INCIDENT_WITHDRAWN);
    bool equal_written = incident->seen == store->mark + SEEN_EQUAL_WRITTEN;
    bool written = incident->seen == store->mark + SEEN_WRITTEN || equal_written;
    bool equal = incident->seen == store->mark + SEEN_EQUAL || equal_written;
    if (live && !written && state_equals(&store->state, incident, pending->shape, row)) {
        incident->seen = store->mark + SEEN_EQUAL;
        pending->skipped_unchanged++;
        return true;
    }
    // A snapshot is not compared with what is kept, but the rows of one file are with each other.
    const struct revision kept = incident_revision(&store->state, incident);
    if ((pending->mode != BATCH_SNAPSHOT || equal) && revision_compare(&row->revision, &kept) < 0) {
        pending->skipped_older++;
        return pending->mode != BATCH_SNAPSHOT || snapshot_lean_on(store, incident, row, err);
    }
    incident->seen = store->mark + (equal ? SEEN_EQUAL_WRITTEN : SEEN_WRITTEN);
    return put_row(store, row, err);
}

// A planted bug: what is not in the ledger yet counts already.
static bool index_before_ledger(struct store *store, const struct ledger_row *row,
                                struct tally_err *err)
{
    const struct pending *pending = &store->pending;
    struct state_batch batch = {.number = (uint32_t)pending->number,
                                .mode = pending->mode,
                                .shape = pending->shape,
                                .feed = pending->feed};
    struct batch_counts counts = {0};

    return state_apply(&store->state, &batch, row, &counts, err);
}

static bool append_row(struct store *store, const struct rows *rows, size_t index,
                       struct tally_err *err)
{
    struct pending *pending = &store->pending;
    const struct row *from = &rows->row[index];
    const uint32_t *codes = rows_dims(rows, index);
    uint32_t dims[SHAPE_DIMS_MAX];
    struct ledger_row row = {.op = (uint8_t)from->op,
                             .id = rows_text(rows, from->id),
                             .id_bytes = from->id.bytes,
                             .record = from->record,
                             .line = from->line,
                             .first_day = from->first_day,
                             .last_day = from->last_day,
                             .revision = rows_revision(rows, index),
                             .reported = from->reported,
                             .dims = dims,
                             .measures = rows_measures(rows, index)};

    if (row.id_bytes > ID_BYTES_MAX || row.revision.bytes > ID_BYTES_MAX) {
        return err_set(err, TALLY_REFUSED, "record %llu: id or revision longer than %d bytes",
                       (unsigned long long)row.record, ID_BYTES_MAX);
    }
    for (size_t i = 0; i < rows->shape->dims_count; i++) {
        assert(codes[i] < pending->map_count[i]);
        dims[i] = pending->map[i][codes[i]];
    }
    if (from->op == ROWS_PUT) {
        return append_put(store, &row, err) &&
               (!PLANTED(INDEX_BEFORE_LEDGER) || index_before_ledger(store, &row, err));
    }
    struct incident *incident = state_find(&store->state, pending->feed, row.id, row.id_bytes);
    if (from->op == ROWS_KEEP) {
        if (incident && incident->seen < store->mark) {
            incident->seen = store->mark + SEEN_KEPT;
        }
        return true;
    }
    return put_row(store, &row, err);
}

bool store_append(struct store *store, const struct rows *rows, struct tally_err *err)
{
    assert(store->pending.open);
    if (!map_new_texts(store, rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows->count; i++) {
        if (!append_row(store, rows, i, err)) {
            return false;
        }
    }
    return put_rejects(store, rows, err);
}

// ---- snapshots ----------------------------------------------------------------------------

// What the snapshot no longer lists is withdrawn, as rows of their own.
static bool withdraw_missing(struct store *store, struct tally_err *err)
{
    struct state_walk walk = {0};
    const struct incident *incident;

    while ((incident = state_next(&store->state, &walk)) != NULL) {
        struct ledger_row row = {.op = ROWS_WITHDRAW};
        if (!snapshot_misses(store, incident)) {
            continue;
        }
        row.id = incident_id(&store->state, incident);
        row.id_bytes = incident->id_bytes;
        if (!put_row(store, &row, err)) {
            return false;
        }
    }
    return true;
}

// ---- commit -------------------------------------------------------------------------------

// A clock that stepped back must not put a batch before the one it follows.
static int64_t next_time_ms(struct store *store, int64_t now_ms)
{
    if (now_ms > store->last_time_ms) {
        store->last_time_ms = now_ms;
    }
    return store->last_time_ms;
}

static struct batch_end end_of(struct store *store, const struct store_file_end *file)
{
    const struct pending *pending = &store->pending;

    return (struct batch_end){.outcome = FILE_ACCEPTED,
                              .time_ms = next_time_ms(store, file->time_ms),
                              .digest = file->digest,
                              .bytes = file->bytes,
                              .records = file->records,
                              .rejected = file->rejected,
                              .skipped_unchanged = pending->skipped_unchanged,
                              .skipped_older = pending->skipped_older,
                              .disordered = file->disordered,
                              .rows = pending->rows_count,
                              .unterminated = file->unterminated,
                              .any_day = file->any_day,
                              .first_day = file->first_day,
                              .last_day = file->last_day,
                              .newest = pending->newest};
}

static int compare_codes(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

// Synced: it counts.
static bool commit(struct store *store, uint64_t batches, struct tally_err *err)
{
    if (!ledger_commit(store->ledger, err)) {
        return false;
    }
    store_mark_committed(store, batches);
    return true;
}

static bool put_commit(struct store *store, const struct store_file_end *file,
                       struct tally_err *err)
{
    struct pending *pending = &store->pending;
    struct batch_end end = end_of(store, file);
    struct bytes scopes;
    struct bytes payload;

    bytes_init(&scopes);
    bytes_init(&payload);
    end.scopes = pending->mode == BATCH_SNAPSHOT ? pending->scopes_count : 0;
    if (end.scopes > 0) {
        qsort(pending->scope, pending->scopes_count, sizeof *pending->scope, compare_codes);
    }
    for (size_t i = 0; i < end.scopes; i++) {
        bytes_put_varint(&scopes, pending->scope[i]);
        bytes_put_u8(&scopes, snapshot_in_force(store, pending->scope[i]));
    }
    end.scope_list = cursor_over(scopes.data, scopes.count);
    batch_end_encode(&end, &payload);
    bool ok = scopes.ok
                  ? ledger_append(store->ledger, LEDGER_COMMIT, pending->number, &payload, err) &&
                        commit(store, pending->number, err)
                  : err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
    bytes_done(&scopes);
    bytes_done(&payload);
    return ok;
}

// Reads the batch back into the state, as a restart would.
static bool apply(struct store *store, const struct store_file_end *file,
                  struct store_outcome *out_outcome, struct tally_err *err)
{
    struct pending *pending = &store->pending;
    struct replay_visitor visitor = {.context = store, .on_frame = store_on_frame};
    struct replay_file replayed;

    if (!replay_one(&store->state, store->reader, pending->at, &visitor, &replayed, err)) {
        return err_wrap(err, "apply batch %llu", (unsigned long long)pending->number);
    }
    store->batches = pending->number;
    struct accepted accepted = {.digest = file->digest,
                                .batch = pending->number,
                                .time_ms = store->last_time_ms,
                                .rejected = file->rejected,
                                .at = pending->at,
                                .feed = pending->feed,
                                .forgets = pending->mode == BATCH_FORGET,
                                .forgotten = pending->mode == BATCH_FORGET,
                                .file = pending->file};
    pending->file = NULL;
    pending->open = false;
    *out_outcome = (struct store_outcome){
        .outcome = FILE_ACCEPTED, .batch = pending->number, .counts = replayed.counts};
    return store_add_accepted(store, &accepted, err);
}

// Ends the batch without a trace but a note in the ledger.
static bool drop(struct store *store, const struct store_file_end *file, enum file_outcome outcome,
                 uint64_t batch, const char *reason, struct store_outcome *out_outcome,
                 struct tally_err *err)
{
    if (!store_abort(store, err) || !store_note(store, outcome, store->pending.feed_name,
                                                store->pending.file, file, "", reason, err)) {
        return false;
    }
    *out_outcome = (struct store_outcome){.outcome = outcome, .batch = batch};
    return true;
}

bool store_commit(struct store *store, const struct store_file_end *end,
                  struct store_outcome *out_outcome, struct tally_err *err)
{
    struct pending *pending = &store->pending;
    const struct accepted *before = store_lookup(store, end->digest);
    char reason[300];

    assert(pending->open);
    if (before) {
        snprintf(reason, sizeof reason, "the same bytes were accepted as %.200s in batch %llu",
                 before->file, (unsigned long long)before->batch);
        return drop(store, end, FILE_DUPLICATE, before->batch, reason, out_outcome, err);
    }
    if (pending->mode == BATCH_SNAPSHOT && pending->puts == 0) {
        return store_abort(store, err) &&
               err_set(err, TALLY_REFUSED,
                       "a snapshot without incidents would withdraw everything of feed %s; "
                       "withdraw by a deletions file if that is meant",
                       pending->feed_name);
    }
    if (pending->mode == BATCH_SNAPSHOT && snapshot_scopes_in_force(store) == 0) {
        return drop(store, end, FILE_SUPERSEDED, 0,
                    "a newer snapshot is in force for all that it covers", out_outcome, err);
    }
    if (pending->mode == BATCH_SNAPSHOT &&
        (!snapshot_check(store, err) || !withdraw_missing(store, err))) {
        return false;
    }
    if (!put_rows_frame(store, err) || !put_commit(store, end, err)) {
        return false;
    }
    // It is on the disk for good. What cannot be made of it now, a restart makes.
    store->broken = !apply(store, end, out_outcome, err);
    return !store->broken;
}

bool store_forget(struct store *store, const char *feed, int64_t time_ms, struct tally_err *err)
{
    struct shape *shape = shape_open(feed, NULL, 0, NULL, 0, err);
    struct store_file file = {.mode = BATCH_FORGET,
                              .feed = feed,
                              .name = "",
                              .header = "",
                              .scope_dim = -1,
                              .shape = shape};
    struct store_file_end end = {.time_ms = time_ms};
    struct store_outcome outcome;

    bool ok = shape && store_begin(store, &file, err) && store_commit(store, &end, &outcome, err);
    shape_close(shape);
    return ok;
}

bool store_abort(struct store *store, struct tally_err *err)
{
    if (!store->pending.open) {
        return true;
    }
    store->pending.open = false;
    state_cut(&store->state, store->pending.mark);
    return ledger_abort(store->ledger, err);
}

bool store_note(struct store *store, enum file_outcome outcome, const char *feed, const char *name,
                const struct store_file_end *file, const char *place, const char *reason,
                struct tally_err *err)
{
    struct batch_end end = {.outcome = outcome,
                            .time_ms = next_time_ms(store, file->time_ms),
                            .digest = file->digest,
                            .bytes = file->bytes,
                            .records = file->records,
                            .rejected = file->rejected,
                            .unterminated = file->unterminated,
                            .any_day = file->any_day && outcome == FILE_SUPERSEDED,
                            .first_day = file->first_day,
                            .last_day = file->last_day,
                            .file = name,
                            .file_bytes = strlen(name),
                            .feed = feed,
                            .feed_bytes = strlen(feed),
                            .place = place,
                            .place_bytes = strlen(place),
                            .reason = reason,
                            .reason_bytes = strlen(reason)};
    struct bytes payload;

    bytes_init(&payload);
    batch_end_encode(&end, &payload);
    bool ok = ledger_append(store->ledger, LEDGER_FILE, store->batches, &payload, err) &&
              commit(store, store->batches, err);
    bytes_done(&payload);
    if (ok && outcome == FILE_SUPERSEDED) {
        state_apply_note(&store->state, &end);
        store_mark_feed(store, feed);
    }
    if (!ok && !ledger_is_broken(store->ledger)) {
        struct tally_err ignored;
        ledger_abort(store->ledger, &ignored); // a half-written note must not stay in the way
    }
    return ok;
}
