// store/embedded_batch.c - one batch: from chunks of rows to a commit (contracts in store.h).
#include "base/planted.h"
#include "store/snapshot.h"
#include "store/embedded.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_BYTES = 256 * 1024 }; // a frame of rejects is closed behind this

// What the batch at hand has said of an incident so far: incident_seen is the state's mark + one of
// these; the mark alone is for a batch that is applied.
enum seen {
    SEEN_KEPT = 1,      // a rejected row of a snapshot names it
    SEEN_EQUAL,         // a row says what is kept: left out of the ledger
    SEEN_WRITTEN,       // a row stands in the ledger
    SEEN_EQUAL_WRITTEN, // first the one, then the other
    SEEN_COUNT,
};
_Static_assert((int)SEEN_COUNT <= (int)STATE_MARKS, "a batch has as many marks");

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
    pending->skipped_unchanged = 0;
    pending->skipped_older = 0;
    pending->scopes_count = 0;
    pending->leant_on_count = 0;
    if (pending->scope_seen_bytes > 0) {
        memset(pending->scope_seen, 0, pending->scope_seen_bytes);
    }
    if (pending->scope_known_bytes > 0) {
        memset(pending->scope_known, 0, pending->scope_known_bytes);
    }
    pending->newest = (struct revision){.kind = REVISION_NONE};
    pending->puts = 0;
}

bool embedded_begin(struct store *common, const struct store_file *file, struct tally_err *err)
{
    struct embedded *store = embedded_of(common);
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
    if (store->common.batches >= UINT32_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %u batches", UINT32_MAX);
    }
    reset(pending);
    state_next_mark(&store->state);
    pending->mark = state_mark(&store->state);
    pending->open = true;
    pending->number = store->common.batches + 1;
    pending->mode = file->mode;
    pending->scope_dim = file->scope_dim;
    if (!ledger_use_version(store->ledger, LEDGER_VERSION, err)) {
        return false;
    }
    pending->at = ledger_end(store->ledger);
    struct bytes payload;
    bytes_init(&payload);
    batch_begin_encode(&begin, file->shape, &payload);
    bool ok = copy_text(&pending->feed_name, file->feed, err) &&
              copy_text(&pending->file, file->name, err) &&
              state_add_shape(&store->state, file->shape, &pending->shape, err) &&
              packer_begin(&store->packer, store->ledger, pending->number, pending->shape, err) &&
              ledger_append(store->ledger, LEDGER_BEGIN, pending->number, &payload, err);
    bytes_done(&payload);
    if (ok) {
        pending->feed = store->state.shape_feed[pending->shape];
    }
    return ok;
}

// ---- append -------------------------------------------------------------------------------

bool embedded_put_rejects(struct embedded *store, const struct rows *rows, struct tally_err *err)
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

static bool append_put(struct embedded *store, const struct packer_row *row, struct tally_err *err)
{
    struct pending *pending = &store->pending;
    struct packer *packer = &store->packer;
    struct incident *incident = packer_find(packer, row, pending->feed);
    unsigned mark = store->state.mark;

    pending->puts++;
    if (pending->mode == BATCH_SNAPSHOT && !snapshot_note(store, row, err)) {
        return false;
    }
    if (!incident) {
        return packer_put(packer, row, err);
    }
    unsigned seen = incident_seen(incident);
    bool equal_written = seen == mark + SEEN_EQUAL_WRITTEN;
    bool written = seen == mark + SEEN_WRITTEN || equal_written;
    bool equal = seen == mark + SEEN_EQUAL || equal_written;
    if (incident_is_live(incident) && !written && packer_equals(packer, row, incident)) {
        incident_set_seen(incident, mark + SEEN_EQUAL);
        pending->skipped_unchanged++;
        return true;
    }
    // A snapshot is not compared with what is kept, but the rows of one file are with each other.
    const struct revision kept = incident_revision(&store->state, incident);
    if ((pending->mode != BATCH_SNAPSHOT || equal) && revision_compare(&row->revision, &kept) < 0) {
        pending->skipped_older++;
        return pending->mode != BATCH_SNAPSHOT || snapshot_lean_on(store, incident, row, err);
    }
    incident_set_seen(incident, mark + (equal ? SEEN_EQUAL_WRITTEN : SEEN_WRITTEN));
    return packer_put(packer, row, err);
}

// A planted bug: what is not in the ledger yet counts already.
static bool index_before_ledger(struct embedded *store, const struct packer_row *row,
                                const struct rows *rows, size_t index, struct tally_err *err)
{
    const struct pending *pending = &store->pending;
    struct state_batch batch = {.number = (uint32_t)pending->number,
                                .mode = pending->mode,
                                .shape = pending->shape,
                                .feed = pending->feed};
    struct batch_counts counts = {0};
    uint32_t dims[SHAPE_DIMS_MAX];
    struct state_row applied;

    for (size_t i = 0; i < rows->shape->dims_count; i++) {
        const struct texts_entry *text = texts_get(&store->packer.texts.seen, row->dims[i]);
        if (!texts_intern(&store->state.texts, text->text, text->bytes, &dims[i], NULL, err)) {
            return false;
        }
    }
    struct ledger_row as_read = {.op = row->op,
                                 .id = rows_text(rows, rows->row[index].id),
                                 .id_bytes = rows->row[index].id.bytes,
                                 .first_day = row->first_day,
                                 .last_day = row->last_day,
                                 .revision = row->revision,
                                 .reported = rows->row[index].reported,
                                 .dims = dims,
                                 .measures = rows_measures(rows, index)};
    return state_take_row(&store->state, pending->shape, &as_read, &applied, err) &&
           state_apply(&store->state, &batch, &applied, &counts, err);
}

static bool look_up(struct embedded *store, const struct rows *rows, size_t index,
                    struct packer_row *out_row, struct tally_err *err)
{
    const struct row *from = &rows->row[index];

    if (from->id.bytes > ID_BYTES_MAX || from->revision_text.bytes > ID_BYTES_MAX) {
        return err_set(err, TALLY_REFUSED, "record %llu: id or revision longer than %d bytes",
                       (unsigned long long)from->record, ID_BYTES_MAX);
    }
    if (!packer_look_up(&store->packer, rows, index, out_row, err)) {
        return false;
    }
    packer_expect(&store->packer, out_row, store->pending.feed);
    return true;
}

static bool append_row(struct embedded *store, const struct rows *rows, size_t index,
                       const struct packer_row *row, struct tally_err *err)
{
    if (row->op == ROWS_PUT) {
        return append_put(store, row, err) &&
               (!PLANTED(INDEX_BEFORE_LEDGER) || index_before_ledger(store, row, rows, index, err));
    }
    if (row->op == ROWS_KEEP) {
        struct incident *incident = packer_find(&store->packer, row, store->pending.feed);
        if (incident && incident_seen(incident) < store->state.mark) {
            incident_set_seen(incident, store->state.mark + SEEN_KEPT);
        }
        return true;
    }
    return packer_put(&store->packer, row, err);
}

bool embedded_append(struct store *common, const struct rows *rows, struct tally_err *err)
{
    struct embedded *store = embedded_of(common);
    enum { AHEAD = 16 };
    struct packer_row ahead[AHEAD];

    assert(store->pending.open);
    progress_step(&store->common.progress);
    if (!packer_add_texts(&store->packer, rows, err)) {
        return false;
    }
    // Looked up some rows ahead of their turn, so that memory has time to answer.
    for (size_t i = 0; i < rows->count + AHEAD; i++) {
        struct packer_row *row = &ahead[i % AHEAD];
        if (i >= AHEAD && i - AHEAD < rows->count &&
            !append_row(store, rows, i - AHEAD, row, err)) {
            return false;
        }
        if (i < rows->count && !look_up(store, rows, i, row, err)) {
            return false;
        }
        if (i >= AHEAD / 2 && i - AHEAD / 2 < rows->count) {
            packer_expect_soon(&store->packer, &ahead[(i - AHEAD / 2) % AHEAD],
                               store->pending.feed);
        }
    }
    return embedded_put_rejects(store, rows, err);
}

// ---- snapshots ----------------------------------------------------------------------------

// What the snapshot no longer lists is withdrawn, as rows of their own.
static bool withdraw_missing(struct embedded *store, struct tally_err *err)
{
    const struct incidents *incidents = &store->state.feed[store->pending.feed].incidents;
    struct incidents_walk walk = {0};
    const struct incident *incident;

    for (uint32_t i = 0; (incident = incidents_next(incidents, &walk)) != NULL; i++) {
        if (i % COLUMNS_ROWS_MAX == 0) {
            progress_step(&store->common.progress);
        }
        if (snapshot_misses(store, incident) &&
            !packer_put_withdrawal(&store->packer, incident, err)) {
            return false;
        }
    }
    return true;
}

// ---- commit -------------------------------------------------------------------------------

// A clock that stepped back must not put a batch before the one it follows.
static int64_t next_time_ms(struct embedded *store, int64_t now_ms)
{
    if (now_ms > store->last_time_ms) {
        store->last_time_ms = now_ms;
    }
    return store->last_time_ms;
}

static struct batch_end end_of(struct embedded *store, const struct store_file_end *file)
{
    const struct pending *pending = &store->pending;

    return (struct batch_end){.version = LEDGER_VERSION,
                              .outcome = FILE_ACCEPTED,
                              .time_ms = next_time_ms(store, file->time_ms),
                              .digest = file->digest,
                              .bytes = file->bytes,
                              .records = file->records,
                              .rejected = file->rejected,
                              .skipped_unchanged = pending->skipped_unchanged,
                              .skipped_older = pending->skipped_older,
                              .disordered = file->disordered,
                              .rows = store->packer.rows,
                              .unterminated = file->unterminated,
                              .any_day = file->any_day,
                              .first_day = file->first_day,
                              .last_day = file->last_day,
                              .newest = pending->newest};
}

// The end of a batch is one frame.
static bool put_end(struct embedded *store, const struct batch_end *end, struct tally_err *err)
{
    struct bytes payload;

    bytes_init(&payload);
    batch_end_encode(end, &payload);
    bool ok = (payload.count <= LEDGER_FRAME_BYTES_MAX ||
               err_set(err, TALLY_LIMIT,
                       "a snapshot of %llu scopes whose values take %zu bytes, where a batch has "
                       "room for %d; deliver it as several files, each with scopes of its own",
                       (unsigned long long)end->scopes, cursor_left(&end->scope_list),
                       LEDGER_FRAME_BYTES_MAX)) &&
              ledger_append(store->ledger, LEDGER_COMMIT, store->pending.number, &payload, err) &&
              ledger_seal(store->ledger, err);
    bytes_done(&payload);
    return ok;
}

static bool put_commit(struct embedded *store, const struct store_file_end *file,
                       struct tally_err *err)
{
    struct pending *pending = &store->pending;
    struct batch_end end = end_of(store, file);
    struct bytes scopes;

    bytes_init(&scopes);
    end.scopes = pending->mode == BATCH_SNAPSHOT ? pending->scopes_count : 0;
    for (size_t i = 0; i < end.scopes; i++) {
        const struct pending_scope *scope = &pending->scope[i];
        const struct texts_entry *text = texts_get(&store->packer.texts.seen, scope->place);
        bytes_put_text(&scopes, text->text, text->bytes);
        bytes_put_u8(&scopes, snapshot_in_force(store, scope->known));
    }
    end.chain = ledger_batch_chain(store->ledger);
    end.scope_list = cursor_over(scopes.data, scopes.count);
    bool ok = scopes.ok ? put_end(store, &end, err)
                        : err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
    bytes_done(&scopes);
    return ok;
}

// Day cells of a batch that is most of what is kept are added up anew behind it.
static bool is_large(const struct embedded *store)
{
    enum { LARGE_ROWS = 1 << 16 };
    uint64_t rows = store->packer.rows;

    return rows >= LARGE_ROWS && rows >= state_incidents(&store->state) / 4;
}

typedef bool with_cells(struct cells *cells, struct state *state, struct tally_err *err);

static bool each_of_feed(struct embedded *store, with_cells *with, struct tally_err *err)
{
    const char *feed = store->state.feed[store->pending.feed].name;
    bool ok = true;

    for (size_t i = 0; ok && i < store->rollups_count; i++) {
        ok = !embedded_rollup_has_feed(&store->rollup[i], feed) ||
             with(store->rollup[i].cells, &store->state, err);
    }
    return ok;
}

// Reads the batch back into the state, as a restart would.
bool embedded_apply(struct embedded *store, struct digest digest, uint64_t rejected,
                    struct store_outcome *out_outcome, struct tally_err *err)
{
    struct pending *pending = &store->pending;
    struct replay_visitor visitor = {.context = store, .on_frame = store_on_step};
    struct replay_file replayed;
    bool large = is_large(store);

    if ((large && !each_of_feed(store, cells_begin_anew, err)) ||
        !replay_one(&store->state, store->reader, pending->at, &visitor, &replayed, err) ||
        (large && !each_of_feed(store, cells_take_in, err))) {
        return err_wrap(err, "apply batch %llu", (unsigned long long)pending->number);
    }
    store->common.batches = pending->number;
    struct accepted accepted = {.digest = digest,
                                .batch = pending->number,
                                .time_ms = store->last_time_ms,
                                .rejected = rejected,
                                .at = pending->at,
                                .feed = pending->feed,
                                .forgets = pending->mode == BATCH_FORGET,
                                .forgotten = pending->mode == BATCH_FORGET,
                                .file = pending->file};
    pending->file = NULL;
    pending->open = false;
    *out_outcome = (struct store_outcome){
        .outcome = FILE_ACCEPTED, .batch = pending->number, .counts = replayed.counts};
    return embedded_add_accepted(store, &accepted, err);
}

struct store_open_batch embedded_open_batch(const struct store *common)
{
    const struct embedded *store = embedded_of_const(common);
    const struct pending *pending = &store->pending;
    bool snapshot = pending->mode == BATCH_SNAPSHOT;

    assert(pending->open);
    return (struct store_open_batch){.mode = pending->mode,
                                     .feed = pending->feed_name,
                                     .file = pending->file,
                                     .puts = pending->puts,
                                     .scopes_in_force =
                                         snapshot ? snapshot_scopes_in_force(store) : 0};
}

bool embedded_seal(struct store *common, const struct store_file_end *end,
                   struct store_outcome *out_outcome, struct tally_err *err)
{
    struct embedded *store = embedded_of(common);
    struct pending *pending = &store->pending;

    if (pending->mode == BATCH_SNAPSHOT &&
        (!snapshot_check(store, err) || !withdraw_missing(store, err))) {
        return false;
    }
    if (!packer_flush(&store->packer, err) || !put_commit(store, end, err)) {
        return false;
    }
    // It is whole in the ledger. What cannot be made of it now, a restart makes.
    store->broken = !embedded_apply(store, end->digest, end->rejected, out_outcome, err);
    return !store->broken;
}

bool embedded_sync(struct store *common, struct tally_err *err)
{
    struct embedded *store = embedded_of(common);
    assert(!store->pending.open);
    if (!ledger_sync(store->ledger, err)) {
        return false;
    }
    embedded_mark_committed(store, store->common.batches);
    return true;
}

bool embedded_forget(struct store *common, const char *feed, int64_t time_ms, struct tally_err *err)
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

    bool ok = shape && store_begin(common, &file, err) && store_commit(common, &end, &outcome, err);
    shape_close(shape);
    return ok;
}

bool embedded_abort(struct store *common, struct tally_err *err)
{
    struct embedded *store = embedded_of(common);
    if (!store->pending.open) {
        return true;
    }
    store->pending.open = false;
    state_cut(&store->state, store->pending.mark);
    return ledger_abort(store->ledger, err);
}

bool embedded_note(struct store *common, enum file_outcome outcome, const char *feed,
                   const char *name, const struct store_file_end *file, const char *place,
                   const char *reason, struct tally_err *err)
{
    struct embedded *store = embedded_of(common);
    struct batch_end end = {.version = LEDGER_VERSION,
                            .outcome = outcome,
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
    bool ok = ledger_use_version(store->ledger, LEDGER_VERSION, err) &&
              ledger_append(store->ledger, LEDGER_FILE, store->common.batches, &payload, err) &&
              ledger_seal(store->ledger, err);
    bytes_done(&payload);
    if (ok && outcome == FILE_SUPERSEDED) {
        state_apply_note(&store->state, &end);
        embedded_mark_feed(store, feed);
    }
    if (!ok && !ledger_is_broken(store->ledger)) {
        struct tally_err ignored;
        ledger_abort(store->ledger, &ignored); // a half-written note must not stay in the way
    }
    return ok;
}
