// store/ledger_format.c - the payloads of ledger frames as bytes (contracts in ledger_read.h).
#include "store/ledger_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ledger_position_compare(struct ledger_position a, struct ledger_position b)
{
    if (a.segment != b.segment) {
        return a.segment < b.segment ? -1 : 1;
    }
    return a.offset < b.offset ? -1 : a.offset > b.offset;
}

const char *ledger_segment_name(uint32_t segment, char name[LEDGER_SEGMENT_NAME_BYTES])
{
    snprintf(name, LEDGER_SEGMENT_NAME_BYTES, "%06u.seg", segment);
    return name;
}

uint32_t ledger_segment_number(const char *name)
{
    char expected[LEDGER_SEGMENT_NAME_BYTES];
    unsigned long number = strtoul(name, NULL, 10);
    bool fits = number > 0 && number <= UINT32_MAX &&
                strcmp(ledger_segment_name((uint32_t)number, expected), name) == 0;
    return fits ? (uint32_t)number : 0;
}

uint64_t ledger_frame_seed(struct ledger_position at)
{
    return (uint64_t)at.segment << 40 ^ at.offset;
}

uint64_t ledger_chain(uint64_t chain, uint64_t frame_checksum)
{
    unsigned char bytes[sizeof(uint64_t)];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(frame_checksum >> 8 * i);
    }
    return checksum64(bytes, sizeof bytes, chain);
}

const char *file_outcome_name(enum file_outcome outcome)
{
    static const char *const names[] = {"accepted", "duplicate", "rejected", "superseded"};
    return names[outcome];
}

void batch_begin_encode(const struct batch_begin *begin, const struct shape *shape,
                        struct bytes *out)
{
    bytes_put_u8(out, (uint8_t)begin->mode);
    bytes_put_zigzag(out, begin->scope_dim);
    bytes_put_text(out, begin->feed, begin->feed_bytes);
    bytes_put_text(out, begin->file, begin->file_bytes);
    bytes_put_text(out, begin->header, begin->header_bytes);
    shape_encode(shape, out);
}

bool batch_begin_decode(struct batch_begin *begin, struct cursor in, struct tally_err *err)
{
    *begin = (struct batch_begin){.mode = (enum batch_mode)cursor_take_u8(&in)};
    int64_t scope_dim = cursor_take_zigzag(&in);
    begin->feed = cursor_take_text(&in, &begin->feed_bytes);
    begin->file = cursor_take_text(&in, &begin->file_bytes);
    begin->header = cursor_take_text(&in, &begin->header_bytes);
    begin->shape = in;
    if (!in.ok || begin->mode > BATCH_FORGET || scope_dim < -1 || scope_dim >= SHAPE_DIMS_MAX) {
        return err_set(err, TALLY_CORRUPT, "malformed begin of a batch");
    }
    begin->scope_dim = (int)scope_dim;
    return true;
}

struct shape *batch_begin_shape(const struct batch_begin *begin, struct tally_err *err)
{
    struct cursor in = begin->shape;
    struct shape *shape = shape_decode(&in, err);

    if (shape && begin->scope_dim >= (int)shape->dims_count) {
        shape_close(shape);
        err_set(err, TALLY_CORRUPT, "a scope that is no dimension of the feed");
        return NULL;
    }
    return shape;
}

static void put_revision(const struct revision *revision, struct bytes *out)
{
    bytes_put_u8(out, (uint8_t)revision->kind);
    if (revision->kind == REVISION_NUMBER) {
        bytes_put_zigzag(out, revision->number);
    } else if (revision->kind == REVISION_TEXT) {
        bytes_put_text(out, revision->text, revision->bytes);
    }
}

static struct revision take_revision(struct cursor *in)
{
    struct revision revision = {.kind = (enum revision_kind)cursor_take_u8(in)};
    size_t bytes = 0;

    if (revision.kind == REVISION_NUMBER) {
        revision.number = cursor_take_zigzag(in);
    } else if (revision.kind == REVISION_TEXT) {
        revision.text = cursor_take_text(in, &bytes);
        revision.bytes = (uint32_t)bytes;
    } else if (revision.kind != REVISION_NONE) {
        in->ok = false;
    }
    return revision;
}

enum { END_UNTERMINATED = 1, END_ANY_DAY = 2 };

void batch_end_encode(const struct batch_end *end, struct bytes *out)
{
    bytes_put_u8(out, (uint8_t)end->outcome);
    bytes_put_u8(out, (uint8_t)((end->unterminated ? END_UNTERMINATED : 0) |
                                (end->any_day ? END_ANY_DAY : 0)));
    bytes_put_u64(out, (uint64_t)end->time_ms);
    if (end->version != LEDGER_VERSION_ROWS) {
        bytes_put_u64(out, end->chain);
    }
    bytes_put_u64(out, end->digest.low);
    bytes_put_u64(out, end->digest.high);
    bytes_put_varint(out, end->bytes);
    bytes_put_varint(out, end->records);
    bytes_put_varint(out, end->rejected);
    bytes_put_varint(out, end->skipped_unchanged);
    bytes_put_varint(out, end->skipped_older);
    bytes_put_varint(out, end->disordered);
    bytes_put_varint(out, end->rows);
    bytes_put_zigzag(out, end->first_day);
    bytes_put_zigzag(out, end->last_day);
    bytes_put_text(out, end->file, end->file_bytes);
    bytes_put_text(out, end->feed, end->feed_bytes);
    bytes_put_text(out, end->place, end->place_bytes);
    bytes_put_text(out, end->reason, end->reason_bytes);
    put_revision(&end->newest, out);
    bytes_put_varint(out, end->scopes);
    bytes_put(out, end->scope_list.at, cursor_left(&end->scope_list));
}

bool batch_end_decode(struct batch_end *end, uint32_t version, struct cursor in,
                      struct tally_err *err)
{
    *end =
        (struct batch_end){.version = version, .outcome = (enum file_outcome)cursor_take_u8(&in)};
    uint8_t flags = cursor_take_u8(&in);
    end->unterminated = flags & END_UNTERMINATED;
    end->any_day = flags & END_ANY_DAY;
    end->time_ms = (int64_t)cursor_take_u64(&in);
    end->chain = version == LEDGER_VERSION_ROWS ? 0 : cursor_take_u64(&in);
    end->digest.low = cursor_take_u64(&in);
    end->digest.high = cursor_take_u64(&in);
    end->bytes = cursor_take_varint(&in);
    end->records = cursor_take_varint(&in);
    end->rejected = cursor_take_varint(&in);
    end->skipped_unchanged = cursor_take_varint(&in);
    end->skipped_older = cursor_take_varint(&in);
    end->disordered = cursor_take_varint(&in);
    end->rows = cursor_take_varint(&in);
    end->first_day = (int32_t)cursor_take_zigzag(&in);
    end->last_day = (int32_t)cursor_take_zigzag(&in);
    end->file = cursor_take_text(&in, &end->file_bytes);
    end->feed = cursor_take_text(&in, &end->feed_bytes);
    end->place = cursor_take_text(&in, &end->place_bytes);
    end->reason = cursor_take_text(&in, &end->reason_bytes);
    end->newest = take_revision(&in);
    end->scopes = cursor_take_varint(&in);
    end->scope_list = in;
    // A scope takes two bytes at least: a count beyond that stands behind no list.
    if (!in.ok || end->outcome > FILE_SUPERSEDED || end->scopes > cursor_left(&in) / 2) {
        return err_set(err, TALLY_CORRUPT, "malformed end of a batch");
    }
    return true;
}

// A row begins with one byte: its operation and which of the rarer parts follow.
enum {
    ROW_OP = 3,
    ROW_LASTS = 4,        // more than a day
    ROW_NUMBER = 8,       // revision
    ROW_TEXT = 16,        // revision
    ROW_ALL_REPORTED = 32 // every measure of the shape was given
};

static uint64_t all_reported(const struct shape *shape)
{
    return shape->measures_count == 64 ? UINT64_MAX : ((uint64_t)1 << shape->measures_count) - 1;
}

// Wraps on purpose: any difference of two int64 comes back by adding it, modulo 2^64.
static int64_t delta(int64_t value, int64_t base)
{
    return (int64_t)((uint64_t)value - (uint64_t)base);
}

static int64_t undelta(int64_t base, int64_t change)
{
    return (int64_t)((uint64_t)base + (uint64_t)change);
}

static void put_content(const struct ledger_row *row, const struct shape *shape,
                        struct ledger_row_base *base, struct bytes *out)
{
    bytes_put_zigzag(out, row->first_day - base->first_day);
    base->first_day = row->first_day;
    if (row->last_day != row->first_day) {
        bytes_put_varint(out, (uint64_t)(row->last_day - row->first_day));
    }
    for (size_t i = 0; i < shape->dims_count; i++) {
        bytes_put_varint(out, row->dims[i]);
    }
    if (row->reported != all_reported(shape)) {
        bytes_put_varint(out, row->reported);
    }
    for (size_t i = 0; i < shape->measures_count; i++) {
        if (row->reported >> i & 1) {
            bytes_put_zigzag(out, row->measures[i]);
        }
    }
}

void ledger_row_encode(const struct ledger_row *row, const struct shape *shape,
                       struct ledger_row_base *base, struct bytes *out)
{
    unsigned head = row->op;

    head |= row->revision.kind == REVISION_NUMBER ? ROW_NUMBER : 0;
    head |= row->revision.kind == REVISION_TEXT ? ROW_TEXT : 0;
    head |= row->last_day != row->first_day ? ROW_LASTS : 0;
    head |= row->reported == all_reported(shape) ? ROW_ALL_REPORTED : 0;
    bytes_put_u8(out, (uint8_t)head);
    bytes_put_text(out, row->id, row->id_bytes);
    bytes_put_zigzag(out, delta((int64_t)row->record, (int64_t)base->record));
    bytes_put_zigzag(out, delta((int64_t)row->line, (int64_t)base->line));
    base->record = row->record;
    base->line = row->line;
    if (row->revision.kind == REVISION_NUMBER) {
        bytes_put_zigzag(out, delta(row->revision.number, base->revision));
        base->revision = row->revision.number;
    } else if (row->revision.kind == REVISION_TEXT) {
        bytes_put_text(out, row->revision.text, row->revision.bytes);
    }
    if (row->op == 0) {
        put_content(row, shape, base, out);
    }
}

static void take_content(struct ledger_row *row, unsigned head, const struct shape *shape,
                         struct ledger_row_base *base, uint32_t *dims, int64_t *measures,
                         struct cursor *in)
{
    int64_t first = undelta(base->first_day, cursor_take_zigzag(in));
    uint64_t lasts = head & ROW_LASTS ? cursor_take_varint(in) : 0;

    if (first < INT32_MIN / 2 || first > INT32_MAX / 2 || lasts > INT32_MAX / 2) {
        in->ok = false;
        return;
    }
    row->first_day = base->first_day = (int32_t)first;
    row->last_day = (int32_t)first + (int32_t)lasts;
    for (size_t i = 0; i < shape->dims_count; i++) {
        uint64_t code = cursor_take_varint(in);
        in->ok = in->ok && code <= UINT32_MAX;
        dims[i] = (uint32_t)code;
    }
    row->reported = head & ROW_ALL_REPORTED ? all_reported(shape) : cursor_take_varint(in);
    for (size_t i = 0; i < shape->measures_count; i++) {
        measures[i] = row->reported >> i & 1 ? cursor_take_zigzag(in) : 0;
    }
}

bool ledger_row_decode(struct ledger_row *row, const struct shape *shape,
                       struct ledger_row_base *base, uint32_t *dims, int64_t *measures,
                       struct cursor *in)
{
    unsigned head = cursor_take_u8(in);

    *row = (struct ledger_row){.op = head & ROW_OP, .dims = dims, .measures = measures};
    row->id = cursor_take_text(in, &row->id_bytes);
    row->record = base->record = (uint64_t)undelta((int64_t)base->record, cursor_take_zigzag(in));
    row->line = base->line = (uint64_t)undelta((int64_t)base->line, cursor_take_zigzag(in));
    if (head & ROW_NUMBER) {
        row->revision.kind = REVISION_NUMBER;
        row->revision.number = base->revision = undelta(base->revision, cursor_take_zigzag(in));
    } else if (head & ROW_TEXT) {
        size_t bytes = 0;
        row->revision.kind = REVISION_TEXT;
        row->revision.text = cursor_take_text(in, &bytes);
        row->revision.bytes = (uint32_t)bytes;
    }
    if (row->op == 0 && in->ok) {
        take_content(row, head, shape, base, dims, measures, in);
    }
    return in->ok;
}
