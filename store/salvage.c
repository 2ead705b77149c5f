#include "store/salvage.h"

#include "base/day.h"
#include "store/ledger_write.h"
#include "store/rows.h"
#include "store/unpacker.h"

#include <stdlib.h>
#include <string.h>

enum { TEXTS_BYTES = 256 * 1024, SEGMENT_BYTES = 64 << 20, UNKNOWN = UINT32_MAX };

struct salvager {
    struct ledger_reader *reader;
    struct ledger *to; // NULL: only looks
    const struct salvage_visitor *visitor;
    struct salvage_counts *counts;
    uint32_t version;   // of the unit at hand
    uint64_t chain;     // over its frames
    struct state fresh; // of the new ledger: all but its incidents
    struct texts known; // all texts of version 1 that could be read
    uint32_t *code;     // of the old ledger -> in `known`
    uint32_t codes_count;
    uint32_t next_code; // that the next new text of the old ledger has
    uint64_t expected;  // the next batch of the old ledger
    bool in_told;       // what is read belongs to a batch that was told as lost
    struct ledger_position torn_at;
    struct tally_err torn; // TALLY_OK: not in a gap
    struct bytes begin;    // payload of the unit at hand
    struct bytes end;
    struct bytes texts; // frames being filled
    struct bytes rows;
    uint64_t rows_count; // of the batch at hand
    struct unpacker unpacker;
    uint32_t dims[SHAPE_DIMS_MAX];
    int64_t measures[SHAPE_MEASURES_MAX];
};

// What became of a unit.
enum fate { COPIED, LOST, FAILED };

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory to salvage a ledger");
}

static bool tell(struct salvager *salvager, const struct salvage_lost *lost, struct tally_err *err)
{
    salvager->counts->lost += lost->batches > 1 ? lost->batches : 1;
    return salvager->visitor->on_lost(salvager->visitor->context, lost, err);
}

static bool keep_payload(struct bytes *bytes, const struct ledger_frame *frame,
                         struct tally_err *err)
{
    bytes_clear(bytes);
    bytes_put(bytes, frame->payload.at, cursor_left(&frame->payload));
    return bytes->ok ? true : no_memory(err);
}

// ---- texts of version 1 -------------------------------------------------------------------

static bool learn(struct salvager *salvager, uint64_t code, const char *text, size_t bytes,
                  struct tally_err *err)
{
    if (code > (uint64_t)salvager->next_code + LEDGER_FRAME_BYTES_MAX) {
        return true; // more texts than could have been lost: no code of a sound ledger
    }
    if (code >= salvager->codes_count) {
        size_t count = ((size_t)code + 1) * 2;
        uint32_t *codes = realloc(salvager->code, count * sizeof *codes);
        if (!codes) {
            return no_memory(err);
        }
        memset(codes + salvager->codes_count, 0xff,
               (count - salvager->codes_count) * sizeof *codes);
        salvager->code = codes;
        salvager->codes_count = (uint32_t)count;
    }
    salvager->next_code = (uint32_t)code + 1;
    return texts_intern(&salvager->known, text, bytes, &salvager->code[code], NULL, err);
}

static bool learn_frame(struct salvager *salvager, const struct ledger_frame *frame,
                        struct tally_err *err)
{
    struct cursor in = frame->payload;
    uint64_t code = cursor_take_varint(&in);

    if (frame->kind != LEDGER_TEXTS || frame->version != LEDGER_VERSION_ROWS) {
        return true;
    }
    for (; in.ok && cursor_left(&in) > 0; code++) {
        size_t bytes;
        const char *text = cursor_take_text(&in, &bytes);
        if (text && !learn(salvager, code, text, bytes, err)) {
            return false;
        }
    }
    return true;
}

// A frame of the batch at hand.
static bool put(struct salvager *salvager, enum ledger_kind kind, const struct bytes *payload,
                struct tally_err *err)
{
    return !salvager->to ||
           ledger_append(salvager->to, kind, salvager->counts->batches + 1, payload, err);
}

static enum fate put_texts(struct salvager *salvager, struct tally_err *err)
{
    bool none = salvager->texts.ok && salvager->texts.count == 0;
    bool ok = none || put(salvager, LEDGER_TEXTS, &salvager->texts, err);

    bytes_clear(&salvager->texts);
    return ok ? COPIED : FAILED;
}

// The code in the new ledger. LOST: nobody knows the text any more.
static enum fate translate(struct salvager *salvager, uint64_t old, uint32_t *out_code,
                           struct tally_err *err)
{
    bool is_new;

    if (old >= salvager->codes_count || salvager->code[old] == UNKNOWN) {
        return LOST;
    }
    const struct texts_entry *text = texts_get(&salvager->known, salvager->code[old]);
    if (!texts_intern(&salvager->fresh.texts, text->text, text->bytes, out_code, &is_new, err)) {
        return FAILED;
    }
    if (is_new) {
        if (salvager->texts.count == 0) {
            bytes_put_varint(&salvager->texts, *out_code);
        }
        bytes_put_text(&salvager->texts, text->text, text->bytes);
    }
    return salvager->texts.count < TEXTS_BYTES ? COPIED : put_texts(salvager, err);
}

// ---- one batch ----------------------------------------------------------------------------

static enum fate copy_row(struct salvager *salvager, struct ledger_row *row,
                          const struct shape *shape, struct ledger_row_base *base,
                          struct tally_err *err)
{
    salvager->rows_count++;
    if (row->op > ROWS_KEEP || row->id_bytes > ID_BYTES_MAX || row->first_day < DAY_MIN ||
        row->last_day > DAY_MAX) {
        return LOST;
    }
    for (size_t i = 0; row->op == ROWS_PUT && i < shape->dims_count; i++) {
        enum fate fate = translate(salvager, salvager->dims[i], &salvager->dims[i], err);
        if (fate != COPIED) {
            return fate;
        }
    }
    ledger_row_encode(row, shape, base, &salvager->rows);
    return COPIED;
}

static enum fate copy_old_rows(struct salvager *salvager, const struct ledger_frame *frame,
                               const struct shape *shape, struct tally_err *err)
{
    struct ledger_row_base from = {0};
    struct ledger_row_base to = {0};
    struct cursor in = frame->payload;
    enum fate fate = COPIED;

    bytes_clear(&salvager->rows);
    while (fate == COPIED && cursor_left(&in) > 0) {
        struct ledger_row row;
        fate = ledger_row_decode(&row, shape, &from, salvager->dims, salvager->measures, &in)
                   ? copy_row(salvager, &row, shape, &to, err)
                   : LOST;
    }
    if (fate == COPIED) {
        fate = put_texts(salvager, err);
    }
    return fate == COPIED && !put(salvager, LEDGER_ROWS, &salvager->rows, err) ? FAILED : fate;
}

static enum fate fate_of(const struct tally_err *err)
{
    return err->code == TALLY_NO_MEMORY ? FAILED : LOST;
}

static enum fate check_rows(struct salvager *salvager, const struct ledger_frame *frame,
                            struct tally_err *err)
{
    const struct ledger_frame *wrong;
    struct state_rows rows;

    if (!unpacker_put_rows(&salvager->unpacker, frame, err) ||
        !unpacker_take_rows(&salvager->unpacker, NULL, &rows, &wrong, err)) {
        return fate_of(err);
    }
    salvager->rows_count += rows.count;
    return COPIED;
}

// A frame that leans on nothing outside its batch. What cannot be replayed is not copied.
static enum fate copy_frame(struct salvager *salvager, const struct ledger_frame *frame,
                            struct tally_err *err)
{
    enum fate fate = COPIED;

    if (frame->kind == LEDGER_ROWS) {
        fate = check_rows(salvager, frame, err);
    } else if (frame->kind != LEDGER_REJECTS &&
               !unpacker_take_codes(&salvager->unpacker, frame->kind, frame->payload, err)) {
        fate = fate_of(err);
    }
    return fate == COPIED && (!keep_payload(&salvager->rows, frame, err) ||
                              !put(salvager, frame->kind, &salvager->rows, err))
               ? FAILED
               : fate;
}

static enum fate put_end(struct salvager *salvager, struct batch_end *end, struct tally_err *err)
{
    struct ledger *to = salvager->to;

    end->chain = to ? ledger_batch_chain(to) : 0;
    bytes_clear(&salvager->rows);
    batch_end_encode(end, &salvager->rows);
    return put(salvager, LEDGER_COMMIT, &salvager->rows, err) && (!to || ledger_commit(to, err))
               ? COPIED
               : FAILED;
}

// Of version 1: its scope values by the codes of the new ledger.
static enum fate put_old_end(struct salvager *salvager, struct batch_end *end,
                             struct tally_err *err)
{
    struct bytes scopes;
    enum fate fate = COPIED;

    bytes_init(&scopes);
    for (uint64_t i = 0; fate == COPIED && i < end->scopes; i++) {
        uint32_t code = 0;
        fate = translate(salvager, cursor_take_varint(&end->scope_list), &code, err);
        bytes_put_varint(&scopes, code);
        bytes_put_u8(&scopes, cursor_take_u8(&end->scope_list));
    }
    if (fate == COPIED) {
        fate = end->scope_list.ok ? put_texts(salvager, err) : LOST;
    }
    end->scope_list = cursor_over(scopes.data, scopes.count);
    if (fate == COPIED) {
        fate = scopes.ok && put_end(salvager, end, err) == COPIED ? COPIED : FAILED;
    }
    if (!scopes.ok) {
        no_memory(err);
    }
    bytes_done(&scopes);
    return fate;
}

// Its frames are its own, and its scopes can be read.
static enum fate put_new_end(struct salvager *salvager, struct batch_end *end,
                             struct tally_err *err)
{
    struct cursor list = end->scope_list;
    struct state_end_scope scope;

    if (end->chain != salvager->chain) {
        return LOST;
    }
    for (uint64_t i = 0; i < end->scopes; i++) {
        if (!state_take_scope(&salvager->fresh, end, &list, &scope, err)) {
            return fate_of(err);
        }
    }
    return put_end(salvager, end, err);
}

static enum fate copy_end(struct salvager *salvager, struct tally_err *err)
{
    struct batch_end end;

    if (!batch_end_decode(&end, salvager->version,
                          cursor_over(salvager->end.data, salvager->end.count), err) ||
        end.rows != salvager->rows_count) {
        return LOST;
    }
    return salvager->version == LEDGER_VERSION_ROWS ? put_old_end(salvager, &end, err)
                                                    : put_new_end(salvager, &end, err);
}

// The frames behind BEGIN up to COMMIT, which are whole.
static enum fate copy_frames(struct salvager *salvager, const struct shape *shape,
                             struct tally_err *err)
{
    enum fate fate = COPIED;

    while (fate == COPIED) {
        struct ledger_frame frame;
        if (!ledger_reader_go_on(salvager->reader, &frame, err)) {
            return FAILED;
        }
        if (frame.kind == LEDGER_COMMIT) {
            return copy_end(salvager, err);
        }
        bool old = salvager->version == LEDGER_VERSION_ROWS;
        if (old && frame.kind == LEDGER_ROWS) {
            fate = copy_old_rows(salvager, &frame, shape, err);
        } else if (!old || frame.kind != LEDGER_TEXTS) { // old texts are written as rows use them
            fate = copy_frame(salvager, &frame, err);
        }
    }
    return fate;
}

// LOST leaves no trace in the new ledger.
static enum fate copy_batch(struct salvager *salvager, const struct shape *shape,
                            struct tally_err *err)
{
    struct state_mark mark = state_mark(&salvager->fresh);
    uint16_t added;

    bytes_clear(&salvager->texts);
    salvager->rows_count = 0;
    if ((salvager->to && !ledger_use_version(salvager->to, salvager->version, err)) ||
        !state_add_shape(&salvager->fresh, shape, &added, err) ||
        !unpacker_begin(&salvager->unpacker, added, err) ||
        !put(salvager, LEDGER_BEGIN, &salvager->begin, err)) {
        return FAILED;
    }
    enum fate fate = copy_frames(salvager, shape, err);
    if (fate == LOST) {
        state_cut(&salvager->fresh, mark);
        return !salvager->to || ledger_abort(salvager->to, err) ? LOST : FAILED;
    }
    salvager->counts->batches += fate == COPIED;
    return fate;
}

// Reads on to the COMMIT of the batch that begins here, and learns its texts. LOST: *out_why says
// what is there instead, and the reader stands there.
static enum fate find_end(struct salvager *salvager, uint64_t batch, const char **out_why,
                          struct tally_err *err)
{
    struct ledger_frame frame;

    for (;;) {
        switch (ledger_reader_next(salvager->reader, &frame, err)) {
        case LEDGER_FRAME:
            break;
        case LEDGER_TORN:
            *out_why = err->message;
            return LOST;
        case LEDGER_END:
            *out_why = "the ledger ends before it does";
            return LOST;
        case LEDGER_ERROR:
            return FAILED;
        }
        if (frame.batch != batch || frame.kind == LEDGER_BEGIN || frame.kind == LEDGER_FILE) {
            ledger_reader_seek(salvager->reader, frame.at);
            *out_why = "it has no end";
            return LOST;
        }
        if (frame.kind < LEDGER_TEXTS ||
            (frame.kind > LEDGER_COMMIT && frame.kind < LEDGER_NAMES) ||
            frame.kind > LEDGER_VALUES) {
            *out_why = "a frame of unknown kind";
            return LOST;
        }
        if (!learn_frame(salvager, &frame, err)) {
            return FAILED;
        }
        if (frame.kind == LEDGER_COMMIT) {
            return keep_payload(&salvager->end, &frame, err) ? COPIED : FAILED;
        }
        salvager->chain = ledger_chain(salvager->chain, frame.checksum);
    }
}

// A new feed's name takes a code as well, unseen. Behind damage nobody knows which.
static bool learn_feed(struct salvager *salvager, const char *feed, struct tally_err *err)
{
    uint32_t ignored;

    return salvager->counts->lost > 0 ||
           texts_find(&salvager->known, feed, strlen(feed), &ignored) ||
           learn(salvager, salvager->next_code, feed, strlen(feed), err);
}

static enum fate take_whole(struct salvager *salvager, const struct ledger_frame *frame,
                            const struct batch_begin *begin, const char **out_why,
                            struct tally_err *err)
{
    struct ledger_position rows = frame->next;
    struct tally_err torn = {.code = TALLY_OK};
    struct shape *shape = batch_begin_shape(begin, err);

    if (!shape) {
        *out_why = err->message;
        return fate_of(err);
    }
    enum fate fate = learn_feed(salvager, shape->feed, err)
                         ? find_end(salvager, frame->batch, out_why, err)
                         : FAILED;
    if (fate == COPIED) {
        ledger_reader_seek(salvager->reader, rows);
        *out_why =
            "its rows use texts that are lost, are malformed, or are those of another ledger";
        fate = copy_batch(salvager, shape, &torn);
        *err = fate == FAILED ? torn : *err;
    }
    shape_close(shape);
    return fate;
}

static bool take_batch(struct salvager *salvager, const struct ledger_frame *frame,
                       struct tally_err *err)
{
    struct salvage_lost lost = {.batch = frame->batch, .batches = 1, .from = frame->at};
    struct batch_begin begin;
    enum fate fate = LOST;

    if (!keep_payload(&salvager->begin, frame, err)) {
        return false;
    }
    salvager->version = frame->version;
    salvager->chain = ledger_chain(0, frame->checksum);
    salvager->expected = frame->batch + 1;
    salvager->in_told = false;
    if (batch_begin_decode(&begin, cursor_over(salvager->begin.data, salvager->begin.count), err)) {
        fate = take_whole(salvager, frame, &begin, &lost.why, err);
    } else {
        lost.why = err->message;
    }
    if (fate != LOST) {
        return fate == COPIED;
    }
    salvager->in_told = true;
    lost.file = begin.file ? begin.file : "";
    lost.file_bytes = begin.file ? begin.file_bytes : 0;
    return tell(salvager, &lost, err);
}

static bool take_note(struct salvager *salvager, const struct ledger_frame *frame,
                      struct tally_err *err)
{
    struct salvage_lost lost = {.file = "", .from = frame->at};
    struct batch_end end;

    if (!keep_payload(&salvager->end, frame, err)) {
        return false;
    }
    salvager->in_told = false;
    if (!batch_end_decode(&end, frame->version,
                          cursor_over(salvager->end.data, salvager->end.count), err)) {
        lost.why = err->message;
        return tell(salvager, &lost, err);
    }
    salvager->counts->notes++;
    return !salvager->to || (ledger_use_version(salvager->to, frame->version, err) &&
                             ledger_append(salvager->to, LEDGER_FILE, salvager->counts->batches,
                                           &salvager->end, err) &&
                             ledger_commit(salvager->to, err));
}

// ---- the whole ledger ---------------------------------------------------------------------

// Behind a gap: which batches should have been in it. `next`: the first one that is not; `at`:
// where reading goes on.
static bool close_gap(struct salvager *salvager, uint64_t next, struct ledger_position at,
                      struct tally_err *err)
{
    bool torn = salvager->torn.code != TALLY_OK;
    uint64_t missing = next > salvager->expected ? next - salvager->expected : 0;
    struct salvage_lost lost = {.batch = missing ? salvager->expected : 0,
                                .batches = missing,
                                .file = "",
                                .from = torn ? salvager->torn_at : at,
                                .why = torn ? salvager->torn.message : "it is not there"};

    salvager->torn.code = TALLY_OK;
    salvager->expected = next > salvager->expected ? next : salvager->expected;
    if (missing == 0 && salvager->in_told) {
        return true;
    }
    salvager->in_told = true;
    return tell(salvager, &lost, err);
}

static bool take_frame(struct salvager *salvager, const struct ledger_frame *frame,
                       struct tally_err *err)
{
    bool begins = frame->kind == LEDGER_BEGIN;
    bool in_gap = salvager->torn.code != TALLY_OK;

    if (!learn_frame(salvager, frame, err)) {
        return false;
    }
    // Frames of a batch whose beginning is lost belong to what was told, or is told now.
    uint64_t next = begins ? frame->batch : frame->batch + 1;
    if ((in_gap || next > salvager->expected) && !close_gap(salvager, next, frame->at, err)) {
        return false;
    }
    return begins ? take_batch(salvager, frame, err)
                  : frame->kind != LEDGER_FILE || take_note(salvager, frame, err);
}

// False with TALLY_OK: nothing more.
static bool pass_damage(struct salvager *salvager, struct tally_err *err)
{
    struct ledger_position at = ledger_reader_position(salvager->reader);
    struct tally_err why = *err;

    if (salvager->torn.code == TALLY_OK) {
        salvager->torn = why;
        salvager->torn_at = at;
    }
    return ledger_reader_resync(salvager->reader, err);
}

static bool take_all(struct salvager *salvager, struct tally_err *err)
{
    for (;;) {
        struct ledger_frame frame;
        switch (ledger_reader_next(salvager->reader, &frame, err)) {
        case LEDGER_FRAME:
            if (!take_frame(salvager, &frame, err)) {
                return false;
            }
            break;
        case LEDGER_END:
            if (ledger_reader_check_end(salvager->reader, err)) {
                return true;
            }
            if (err->code != TALLY_CORRUPT) {
                return false;
            }
            __attribute__((fallthrough)); // a segment is missing
        case LEDGER_TORN:
            if (!pass_damage(salvager, err)) {
                return err->code == TALLY_OK &&
                       close_gap(salvager, salvager->expected, salvager->torn_at, err);
            }
            break;
        case LEDGER_ERROR:
            return false;
        }
    }
}

static bool open_all(struct salvager *salvager, int from_dir_fd, int to_dir_fd,
                     struct tally_err *err)
{
    struct ledger_position first = {.segment = 1, .offset = LEDGER_SEGMENT_HEADER_BYTES};

    salvager->reader = ledger_reader_open(from_dir_fd, err);
    if (!salvager->reader || !learn(salvager, 0, "", 0, err)) {
        return false;
    }
    ledger_reader_be_lenient(salvager->reader);
    salvager->to = to_dir_fd < 0 ? NULL : ledger_open(to_dir_fd, first, SEGMENT_BYTES, err);
    return to_dir_fd < 0 || salvager->to;
}

// A ledger into which nothing came is as every new one, whatever version was tried.
static bool end_empty(struct salvager *salvager, struct tally_err *err)
{
    return !salvager->to || salvager->counts->batches + salvager->counts->notes > 0 ||
           ledger_use_version(salvager->to, LEDGER_VERSION, err);
}

bool salvage(int from_dir_fd, int to_dir_fd, const struct salvage_visitor *visitor,
             struct salvage_counts *out_counts, struct tally_err *err)
{
    struct salvager salvager = {.visitor = visitor, .counts = out_counts, .expected = 1};

    *out_counts = (struct salvage_counts){0};
    if (!state_init(&salvager.fresh, err)) {
        return false;
    }
    if (!texts_init(&salvager.known, TEXTS_UNALIGNED, err)) {
        state_done(&salvager.fresh);
        return false;
    }
    unpacker_init(&salvager.unpacker, &salvager.fresh);
    bytes_init(&salvager.begin);
    bytes_init(&salvager.end);
    bytes_init(&salvager.texts);
    bytes_init(&salvager.rows);
    bool ok = open_all(&salvager, from_dir_fd, to_dir_fd, err) && take_all(&salvager, err) &&
              end_empty(&salvager, err);
    ledger_reader_close(salvager.reader);
    ledger_close(salvager.to);
    bytes_done(&salvager.begin);
    bytes_done(&salvager.end);
    bytes_done(&salvager.texts);
    bytes_done(&salvager.rows);
    texts_done(&salvager.known);
    unpacker_done(&salvager.unpacker);
    state_done(&salvager.fresh);
    free(salvager.code);
    return ok;
}
