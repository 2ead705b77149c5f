#include "store/replay.h"

#include "store/rows.h"
#include "store/unpacker.h"

#include <stdlib.h>
#include <string.h>

// ---- one batch ----------------------------------------------------------------------------

// Everything that one unit of the ledger needs while it is applied.
struct unit {
    struct state *state;
    struct ledger_reader *reader;
    const struct replay_visitor *visitor;
    struct replay_file file;
    struct batch_begin begin;
    struct batch_end end;
    struct bytes begin_bytes; // copies: the reader's buffer moves on
    struct bytes end_bytes;
    struct state_batch batch;
    uint32_t *out; // scope values for which the snapshot is not in force, sorted
    size_t out_count;
    size_t out_capacity;
    uint64_t rows;
    uint64_t chain; // over the frames before COMMIT
    struct unpacker unpacker;
    struct state_rows unpacked; // not applied yet
    bool any_unpacked;
    bool guessed;        // how many of its rows are new
    bool index_later;    // most likely all others are
    uint64_t late;       // rows that the index does not know yet
    uint64_t late_added; // incidents that were added before these
};

static bool place(struct ledger_position at, struct tally_err *err)
{
    char name[LEDGER_SEGMENT_NAME_BYTES];

    return err_place(err, "ledger/%s@0x%llx", ledger_segment_name(at.segment, name),
                     (unsigned long long)at.offset);
}

static bool corrupt(const struct ledger_frame *frame, const char *what, struct tally_err *err)
{
    err_set(err, TALLY_CORRUPT, "batch %llu: %s", (unsigned long long)frame->batch, what);
    return place(frame->at, err);
}

// Says in which batch and where a decoder met what `err` tells.
static bool corrupt_within(const struct ledger_frame *frame, struct tally_err *err)
{
    place(frame->at, err);
    return err_wrap(err, "batch %llu", (unsigned long long)frame->batch);
}

// The same of what stands in the batch's first frame or its last.
static bool corrupt_batch(const struct unit *unit, struct tally_err *err)
{
    if (err->code != TALLY_CORRUPT) {
        return false;
    }
    place(unit->file.at, err);
    return err_wrap(err, "batch %llu", (unsigned long long)unit->file.batch);
}

static bool copy_payload(struct bytes *copy, const struct ledger_frame *frame,
                         struct tally_err *err)
{
    bytes_clear(copy);
    bytes_put(copy, frame->payload.at, cursor_left(&frame->payload));
    return copy->ok ? true : err_set(err, TALLY_NO_MEMORY, "no memory for a ledger frame");
}

static bool take_end(struct unit *unit, const struct ledger_frame *frame, struct tally_err *err)
{
    if (!copy_payload(&unit->end_bytes, frame, err)) {
        return false;
    }
    return batch_end_decode(&unit->end, frame->version,
                            cursor_over(unit->end_bytes.data, unit->end_bytes.count), err) ||
           corrupt_within(frame, err);
}

static bool take_commit(struct unit *unit, const struct ledger_frame *frame, struct tally_err *err)
{
    if (!take_end(unit, frame, err)) {
        return false;
    }
    return unit->end.version == LEDGER_VERSION_ROWS || unit->end.chain == unit->chain
               ? true
               : corrupt(frame, "frames that are not its own: parts of two ledgers are mixed", err);
}

enum found { FOUND_BATCH, FOUND_FILE, FOUND_NOTHING, FOUND_ERROR };

static void tell_frame(const struct unit *unit)
{
    if (unit->visitor && unit->visitor->on_frame) {
        unit->visitor->on_frame(unit->visitor->context);
    }
}

// Looks ahead to the COMMIT of the batch that begins here. NOTHING: the ledger ends before; then
// *out_torn says whether by bytes that are no frame (err says which).
static enum found find_commit(struct unit *unit, const struct ledger_frame *begin, bool *out_torn,
                              struct tally_err *err)
{
    struct ledger_frame frame;

    for (;;) {
        switch (ledger_reader_next(unit->reader, &frame, err)) {
        case LEDGER_END:
            return FOUND_NOTHING;
        case LEDGER_TORN:
            *out_torn = true;
            return FOUND_NOTHING;
        case LEDGER_ERROR:
            return FOUND_ERROR;
        case LEDGER_FRAME:
            tell_frame(unit);
            break;
        }
        if (frame.batch != begin->batch || frame.version != begin->version ||
            frame.kind == LEDGER_BEGIN || frame.kind == LEDGER_FILE) {
            corrupt(&frame, "a batch without its end", err);
            return FOUND_ERROR;
        }
        if (frame.kind == LEDGER_COMMIT) {
            return take_commit(unit, &frame, err) ? FOUND_BATCH : FOUND_ERROR;
        }
        unit->chain = ledger_chain(unit->chain, frame.checksum);
    }
}

// Finds the unit that starts at `from`. Afterwards the reader stands behind its first frame.
static enum found find_unit(struct unit *unit, struct ledger_position from, bool *out_torn,
                            struct tally_err *err)
{
    struct ledger_frame frame;

    *out_torn = false;
    unit->file = (struct replay_file){0};
    unit->rows = 0;
    ledger_reader_seek(unit->reader, from);
    switch (ledger_reader_next(unit->reader, &frame, err)) {
    case LEDGER_END:
        return FOUND_NOTHING;
    case LEDGER_TORN:
        *out_torn = true;
        return FOUND_NOTHING;
    case LEDGER_ERROR:
        return FOUND_ERROR;
    case LEDGER_FRAME:
        break;
    }
    unit->file = (struct replay_file){.at = frame.at, .end = &unit->end};
    if (frame.kind == LEDGER_FILE) {
        return take_end(unit, &frame, err) ? FOUND_FILE : FOUND_ERROR;
    }
    if (frame.kind != LEDGER_BEGIN || frame.batch == 0 || frame.batch > UINT32_MAX) {
        corrupt(&frame, "a frame outside a batch", err);
        return FOUND_ERROR;
    }
    if (!copy_payload(&unit->begin_bytes, &frame, err) ||
        !batch_begin_decode(&unit->begin,
                            cursor_over(unit->begin_bytes.data, unit->begin_bytes.count), err)) {
        corrupt_within(&frame, err);
        return FOUND_ERROR;
    }
    unit->file.batch = frame.batch;
    unit->file.begin = &unit->begin;
    unit->chain = ledger_chain(0, frame.checksum);
    enum found found = find_commit(unit, &frame, out_torn, err);
    if (found == FOUND_BATCH) {
        ledger_reader_seek(unit->reader, frame.next);
    }
    return found;
}

// The index grows once instead of many times: by all rows of a feed's first batch, and of a later
// one, after some of its rows, by all others where most of these were new, or by as many of them as
// if they were like these.
static void reserve(const struct unit *unit)
{
    enum { AT_ONCE_MAX = 1 << 24 }; // a damaged count costs no more than this
    struct incidents *incidents = &unit->state->feed[unit->batch.feed].incidents;
    uint64_t left = unit->end.rows < AT_ONCE_MAX ? unit->end.rows : AT_ONCE_MAX;

    if (unit->rows > 0) {
        left = left > unit->rows ? left - unit->rows : 0;
        if (unit->file.counts.added < unit->rows / 2) {
            left = left * unit->file.counts.added / unit->rows;
        }
    } else if (incidents_count(incidents) > 0) {
        return;
    }
    incidents_reserve(incidents, left);
}

static bool start_batch(struct unit *unit, struct tally_err *err)
{
    struct shape *shape = batch_begin_shape(&unit->begin, err);

    if (!shape) {
        return false;
    }
    unit->batch =
        (struct state_batch){.number = (uint32_t)unit->file.batch, .mode = unit->begin.mode};
    bool ok = state_add_shape(unit->state, shape, &unit->batch.shape, err);
    shape_close(shape);
    if (!ok) {
        return false;
    }
    unit->batch.feed = unit->state->shape_feed[unit->batch.shape];
    state_next_mark(unit->state);
    unit->any_unpacked = false;
    unit->guessed = false;
    unit->index_later = false;
    unit->late = 0;
    unit->late_added = 0;
    reserve(unit);
    return unpacker_begin(&unit->unpacker, unit->batch.shape, err);
}

// Of version 1: texts are numbered through the whole ledger.
static bool take_texts(struct unit *unit, const struct ledger_frame *frame, struct tally_err *err)
{
    struct cursor in = frame->payload;
    uint64_t code = cursor_take_varint(&in);

    for (; cursor_left(&in) > 0; code++) {
        size_t bytes = 0;
        const char *text = cursor_take_text(&in, &bytes);
        uint32_t given;
        if (text && !texts_intern(&unit->state->texts, text, bytes, &given, NULL, err)) {
            return false;
        }
        if (!text || given != code) {
            return corrupt(frame, "texts out of order", err);
        }
    }
    return in.ok ? true : corrupt(frame, "malformed texts", err);
}

static int compare_codes(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static bool add_out(struct unit *unit, uint32_t text, struct tally_err *err)
{
    if (unit->out_count == unit->out_capacity) {
        size_t capacity = unit->out_capacity ? unit->out_capacity * 2 : 64;
        uint32_t *out = realloc(unit->out, capacity * sizeof *out);
        if (!out) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for the scopes of a snapshot");
        }
        unit->out = out;
        unit->out_capacity = capacity;
    }
    unit->out[unit->out_count++] = text;
    return true;
}

// A snapshot may be in force for some of its scope values only: those of the others, mostly none.
static bool take_scopes_out(struct unit *unit, struct tally_err *err)
{
    struct cursor list = unit->end.scope_list;

    unit->out_count = 0;
    for (uint64_t i = 0; unit->begin.mode == BATCH_SNAPSHOT && i < unit->end.scopes; i++) {
        struct state_end_scope scope;
        if (!state_take_scope(unit->state, &unit->end, &list, &scope, err) ||
            (!scope.in_force && !add_out(unit, scope.text, err))) {
            return false;
        }
    }
    if (unit->out_count > 0) {
        qsort(unit->out, unit->out_count, sizeof *unit->out, compare_codes);
    }
    return true;
}

static bool scope_is_out(const struct unit *unit, const struct state_row *row)
{
    if (row->op != ROWS_PUT || unit->out_count == 0) {
        return false;
    }
    uint32_t text = unit->begin.scope_dim >= 0 ? row->dims[unit->begin.scope_dim] : 0;
    return bsearch(&text, unit->out, unit->out_count, sizeof text, compare_codes);
}

// Returns how many are kept.
static uint32_t leave_out_of(const struct unit *unit, struct state_slice *slice, unsigned lane)
{
    struct state_row *row = slice->row[lane];
    uint32_t kept = 0;

    for (uint32_t i = 0; i < slice->count[lane]; i++) {
        if (scope_is_out(unit, &row[i])) {
            slice->of_part[incidents_part(row[i].id)]--;
        } else {
            row[kept++] = row[i];
        }
    }
    slice->count[lane] = kept;
    return kept;
}

// What stands out of scope is only counted.
static void leave_out(struct unit *unit, struct state_rows *rows)
{
    uint32_t kept = 0;

    for (unsigned s = 0; s < rows->slices; s++) {
        for (unsigned lane = 0; lane < rows->lanes; lane++) {
            kept += leave_out_of(unit, &rows->slice[s], lane);
        }
    }
    unit->file.counts.older += rows->count - kept;
    rows->count = kept;
}

// A batch whose rows were mostly new so far goes on being so, most likely.
static bool mostly_new(uint64_t added, uint64_t rows)
{
    return added >= rows - rows / 4;
}

static bool index_late(struct unit *unit, struct tally_err *err)
{
    uint64_t rows = unit->late;

    if (rows == 0) {
        return true;
    }
    unit->late = 0;
    if (!state_index_rows(unit->state, &unit->batch, &unit->file.counts, err)) {
        return false;
    }
    unit->index_later = mostly_new(unit->file.counts.added - unit->late_added, rows);
    unit->late_added = unit->file.counts.added;
    return true;
}

// Before rows are applied: whether the index is to know them at once, and then all before them.
static bool choose_index(struct unit *unit, struct tally_err *err)
{
    struct state_rows *rows = &unit->unpacked;

    rows->index_later = unit->index_later && rows->puts_only && unit->state->observers_count == 0;
    return rows->index_later || index_late(unit, err);
}

// Unpacks the rows of the frames that wait, and applies those that were unpacked before meanwhile.
static bool unpack_and_apply(struct unit *unit, struct state_rows *out_rows, struct tally_err *err)
{
    const struct ledger_frame *wrong;
    struct state_applying applying;

    if (unit->any_unpacked &&
        (!choose_index(unit, err) ||
         !state_rows_begin(&applying, unit->state, &unit->batch, &unit->unpacked, err))) {
        return false;
    }
    bool ok = unpacker_take_rows(&unit->unpacker, unit->any_unpacked ? &applying : NULL, out_rows,
                                 &wrong, err);
    if (!ok && wrong) {
        corrupt_within(wrong, err);
    }
    struct tally_err unapplied;
    if (unit->any_unpacked && !state_rows_end(&applying, &unit->file.counts, &unapplied)) {
        *err = unapplied;
        return false;
    }
    return ok;
}

// The index takes appended rows when there are as many of them as it knows, and no few: a row that
// turns out to be no new incident has taken room for nothing until then.
static bool note_applied(struct unit *unit, struct tally_err *err)
{
    enum { ROWS_LEAST = 1 << 16, LATE_LEAST = 1 << 18 };
    const struct incidents *incidents = &unit->state->feed[unit->batch.feed].incidents;

    unit->any_unpacked = false;
    if (unit->unpacked.index_later) {
        unit->late += unit->unpacked.count;
        return unit->late < LATE_LEAST || unit->late * 2 < incidents_count(incidents) ||
               index_late(unit, err);
    }
    if (!unit->guessed && unit->rows >= ROWS_LEAST) {
        unit->guessed = true;
        unit->index_later = mostly_new(unit->file.counts.added, unit->rows);
        reserve(unit);
    }
    unit->late_added = unit->file.counts.added;
    return true;
}

static bool take_waiting_rows(struct unit *unit, struct tally_err *err)
{
    struct state_rows rows;

    if (!unpack_and_apply(unit, &rows, err) || (unit->any_unpacked && !note_applied(unit, err))) {
        return false;
    }
    unit->rows += rows.count;
    if (unit->out_count > 0) {
        leave_out(unit, &rows);
    }
    unit->unpacked = rows;
    unit->any_unpacked = true;
    return true;
}

// None waits then, and all are applied.
static bool take_last_rows(struct unit *unit, struct tally_err *err)
{
    if (unit->unpacker.frames > 0 && !take_waiting_rows(unit, err)) {
        return false;
    }
    return (!unit->any_unpacked || (choose_index(unit, err) &&
                                    state_apply_rows(unit->state, &unit->batch, &unit->unpacked,
                                                     &unit->file.counts, err) &&
                                    note_applied(unit, err))) &&
           index_late(unit, err);
}

static bool put_rows(struct unit *unit, const struct ledger_frame *frame, struct tally_err *err)
{
    if (!unpacker_put_rows(&unit->unpacker, frame, err)) {
        return corrupt_within(frame, err);
    }
    return unit->unpacker.frames < UNPACKER_FRAMES_MAX || take_waiting_rows(unit, err);
}

// ---- rows of version 1 --------------------------------------------------------------------

static bool old_row_is_sound(const struct unit *unit, const struct shape *shape,
                             const struct ledger_row *row)
{
    for (size_t i = 0; row->op == ROWS_PUT && i < shape->dims_count; i++) {
        if (row->dims[i] >= unit->state->texts.count) {
            return false;
        }
    }
    return row->op <= ROWS_KEEP && row->id_bytes <= ID_BYTES_MAX && row->first_day >= DAY_MIN &&
           row->last_day <= DAY_MAX;
}

static bool take_old_rows(struct unit *unit, const struct ledger_frame *frame,
                          struct tally_err *err)
{
    const struct shape *shape = unit->state->shape[unit->batch.shape];
    uint32_t dims[SHAPE_DIMS_MAX];
    int64_t measures[SHAPE_MEASURES_MAX];
    struct cursor in = frame->payload;
    struct ledger_row_base base = {0};

    while (cursor_left(&in) > 0) {
        struct ledger_row old;
        struct state_row row;
        if (!ledger_row_decode(&old, shape, &base, dims, measures, &in) ||
            !old_row_is_sound(unit, shape, &old)) {
            return corrupt(frame, "malformed row", err);
        }
        if (!state_take_row(unit->state, unit->batch.shape, &old, &row, err)) {
            return false;
        }
        unit->rows++;
        if (scope_is_out(unit, &row)) {
            unit->file.counts.older++;
        } else if (!state_apply(unit->state, &unit->batch, &row, &unit->file.counts, err)) {
            return false;
        }
    }
    return true;
}

static bool take_rejects(struct unit *unit, const struct ledger_frame *frame, struct tally_err *err)
{
    const struct replay_visitor *visitor = unit->visitor;
    struct cursor in = frame->payload;

    while (visitor && visitor->on_reject && cursor_left(&in) > 0) {
        struct replay_reject reject = {.record = cursor_take_varint(&in),
                                       .line = cursor_take_varint(&in),
                                       .offset = cursor_take_varint(&in)};
        reject.reason = cursor_take_text(&in, &reject.reason_bytes);
        reject.detail = cursor_take_text(&in, &reject.detail_bytes);
        reject.raw = cursor_take_text(&in, &reject.raw_bytes);
        if (!in.ok) {
            return corrupt(frame, "malformed rejects", err);
        }
        if (!visitor->on_reject(visitor->context, &unit->file, &reject, err)) {
            return false;
        }
    }
    return true;
}

static bool take_codes(struct unit *unit, const struct ledger_frame *frame, struct tally_err *err)
{
    return unpacker_take_codes(&unit->unpacker, frame->kind, frame->payload, err) ||
           corrupt_within(frame, err);
}

static bool take_frame(struct unit *unit, const struct ledger_frame *frame, bool skip,
                       struct tally_err *err)
{
    bool old = frame->version == LEDGER_VERSION_ROWS;

    switch (frame->kind) {
    case LEDGER_TEXTS:
        return old ? take_texts(unit, frame, err) : take_codes(unit, frame, err);
    case LEDGER_NAMES:
    case LEDGER_VALUES:
        return take_codes(unit, frame, err);
    case LEDGER_ROWS:
        return skip || (old ? take_old_rows(unit, frame, err) : put_rows(unit, frame, err));
    case LEDGER_REJECTS:
        return take_rejects(unit, frame, err);
    default:
        return corrupt(frame, "a frame of unknown kind", err);
    }
}

static bool apply_batch(struct unit *unit, struct tally_err *err)
{
    const struct replay_visitor *visitor = unit->visitor;
    struct ledger_frame frame;
    bool skip = false;

    if (visitor && visitor->on_begin &&
        !visitor->on_begin(visitor->context, &unit->file, &skip, err)) {
        return false;
    }
    if (!start_batch(unit, err) || !take_scopes_out(unit, err)) {
        return corrupt_batch(unit, err);
    }
    if (unit->batch.mode == BATCH_FORGET && !state_forget(unit->state, &unit->batch, err)) {
        return false;
    }
    for (;;) {
        if (!ledger_reader_go_on(unit->reader, &frame, err)) {
            return false;
        }
        tell_frame(unit);
        if (frame.kind == LEDGER_COMMIT) {
            break;
        }
        if (!take_frame(unit, &frame, skip, err)) {
            return false;
        }
    }
    if (!take_last_rows(unit, err)) {
        return false;
    }
    if (!skip && unit->rows != unit->end.rows) {
        return corrupt(&frame, "not as many rows as its end says", err);
    }
    unit->file.counts.unchanged += unit->end.skipped_unchanged;
    unit->file.counts.older += unit->end.skipped_older;
    return state_apply_end(unit->state, &unit->batch, &unit->end, err) || corrupt_batch(unit, err);
}

static bool apply_unit(struct unit *unit, enum found found, struct tally_err *err)
{
    const struct replay_visitor *visitor = unit->visitor;

    if (found == FOUND_FILE) {
        state_apply_note(unit->state, &unit->end);
    } else if (!apply_batch(unit, err)) {
        return false;
    }
    return !visitor || !visitor->on_file || visitor->on_file(visitor->context, &unit->file, err);
}

static void unit_init(struct unit *unit, struct state *state, struct ledger_reader *reader,
                      const struct replay_visitor *visitor)
{
    *unit = (struct unit){.state = state, .reader = reader, .visitor = visitor};
    bytes_init(&unit->begin_bytes);
    bytes_init(&unit->end_bytes);
    unpacker_init(&unit->unpacker, state);
}

static void unit_done(struct unit *unit)
{
    bytes_done(&unit->begin_bytes);
    bytes_done(&unit->end_bytes);
    unpacker_done(&unit->unpacker);
    free(unit->out);
}

bool replay_one(struct state *state, struct ledger_reader *reader, struct ledger_position from,
                const struct replay_visitor *visitor, struct replay_file *out_file,
                struct tally_err *err)
{
    struct unit unit;
    bool torn;

    unit_init(&unit, state, reader, visitor);
    enum found found = find_unit(&unit, from, &torn, err);
    bool ok = found != FOUND_ERROR;
    if (found == FOUND_NOTHING) {
        ok = torn ? false : err_set(err, TALLY_CORRUPT, "the batch just written is not there");
    }
    ok = ok && apply_unit(&unit, found, err);
    if (ok && out_file) {
        *out_file = unit.file;
        out_file->begin = NULL; // their bytes end with the unit
        out_file->end = NULL;
    }
    unit_done(&unit);
    return ok;
}

bool replay_rejects(struct ledger_reader *reader, struct ledger_position from,
                    const struct replay_visitor *visitor, struct tally_err *err)
{
    struct ledger_frame frame = {.kind = LEDGER_BEGIN};
    struct unit unit;
    bool torn;

    unit_init(&unit, NULL, reader, visitor);
    enum found found = find_unit(&unit, from, &torn, err);
    bool ok = found == FOUND_BATCH ||
              (found == FOUND_NOTHING && !torn && err_set(err, TALLY_NOT_FOUND, "no batch there"));
    while (ok && frame.kind != LEDGER_COMMIT) {
        ok = ledger_reader_go_on(reader, &frame, err) &&
             (frame.kind != LEDGER_REJECTS || take_rejects(&unit, &frame, err));
    }
    unit_done(&unit);
    return ok;
}

// ---- the whole ledger ---------------------------------------------------------------------

static bool is_beyond(const struct unit *unit, const struct replay_until *until)
{
    return (unit->file.batch > until->batch) || unit->end.time_ms > until->time_ms;
}

// Applies the units from the first one on, until the end, the limit or an error.
static bool replay_units(struct unit *unit, const struct replay_until *until,
                         struct replay_end *end, struct tally_err *err)
{
    for (;;) {
        bool torn;
        enum found found = find_unit(unit, end->at, &torn, err);
        if (found == FOUND_NOTHING) {
            end->torn = torn || unit->file.batch != 0;
            end->stopped = ledger_reader_position(unit->reader);
            return (torn ? ledger_reader_check_tail(unit->reader, end->batches, err)
                         : ledger_reader_check_end(unit->reader, err)) ||
                   err_wrap(err, "behind batch %llu", (unsigned long long)end->batches);
        }
        if (found == FOUND_ERROR) {
            return false;
        }
        if (is_beyond(unit, until)) {
            return true;
        }
        if (found == FOUND_BATCH && unit->file.batch != end->batches + 1) {
            err_set(err, TALLY_CORRUPT, "batch %llu follows batch %llu",
                    (unsigned long long)unit->file.batch, (unsigned long long)end->batches);
            return place(unit->file.at, err);
        }
        if (!apply_unit(unit, found, err)) {
            return false;
        }
        end->at = ledger_reader_position(unit->reader);
        end->batches += found == FOUND_BATCH;
    }
}

bool replay(struct state *state, int ledger_dir_fd, const struct replay_until *until,
            const struct replay_visitor *visitor, struct replay_end *out_end, struct tally_err *err)
{
    struct replay_end end = {.at = {.segment = 1, .offset = LEDGER_SEGMENT_HEADER_BYTES}};
    struct ledger_reader *reader = ledger_reader_open(ledger_dir_fd, err);
    struct unit unit;

    if (!reader) {
        return false;
    }
    unit_init(&unit, state, reader, visitor);
    bool ok = replay_units(&unit, until, &end, err);
    unit_done(&unit);
    ledger_reader_close(reader);
    if (ok) {
        *out_end = end;
    }
    return ok;
}
