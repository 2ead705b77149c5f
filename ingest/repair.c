#include "ingest/repair.h"

#include "base/bytes.h"
#include "ingest/decode.h"
#include "ingest/memory.h"

#include <stdio.h>
#include <stdlib.h>

enum repair_column { COLUMN_FEED = 0, COLUMN_REASON = 6, COLUMN_RAW = 8, COLUMNS_COUNT = 9 };

static const char *const column_names[COLUMNS_COUNT] = {
    "feed", "file", "digest", "record", "line", "offset", "reason", "explanation", "raw"};

enum { OTHER_COLUMNS_BYTES_MAX = 64 * 1024 };

struct repair {
    struct ingest_limits limits;      // of the rows
    struct ingest_limits file_limits; // of the file that the rows stand in
    struct records *file;
    const struct feed *feed;
    struct bytes text; // raw text of the row at hand, and a line end
    struct memory memory;
    struct records *row;  // reads that text
    struct record record; // of the row, with its place in the file
    char detail[RECORDS_DETAIL_BYTES];
};

static const struct records_dialect file_dialect = {.delimiter = ',', .quoted = true};

// A raw text may be as long as a record, and its quotes are doubled.
static struct ingest_limits file_limits_of(const struct ingest_limits *limits)
{
    struct ingest_limits file_limits = *limits;
    size_t raw_bytes = limits->record_bytes_max < RECORDS_RAW_BYTES_MAX ? RECORDS_RAW_BYTES_MAX
                                                                        : limits->record_bytes_max;
    size_t record_bytes = raw_bytes * 2 + OTHER_COLUMNS_BYTES_MAX;

    file_limits.field_bytes_max = raw_bytes;
    file_limits.record_bytes_max =
        record_bytes < RECORDS_BYTES_HARD_MAX ? record_bytes : RECORDS_BYTES_HARD_MAX;
    file_limits.columns_max = COLUMNS_COUNT;
    return file_limits;
}

struct repair *repair_open(const struct ingest_limits *limits, decode_pull *pull, void *context,
                           struct tally_err *err)
{
    struct repair *repair = calloc(1, sizeof *repair);

    if (!repair) {
        err_set(err, TALLY_NO_MEMORY, "no memory to read repaired rows");
        return NULL;
    }
    repair->limits = *limits;
    repair->limits.parser = INGEST_LIBCSV; // each row is a text of its own, and there are few
    repair->file_limits = file_limits_of(&repair->limits);
    bytes_init(&repair->text);
    repair->file = records_open(file_dialect, &repair->file_limits, pull, context, err);
    if (!repair->file) {
        repair_close(repair);
        return NULL;
    }
    return repair;
}

void repair_close(struct repair *repair)
{
    if (repair) {
        records_close(repair->row);
        records_close(repair->file);
        bytes_done(&repair->text);
        free(repair);
    }
}

uint64_t repair_line(const struct repair *repair)
{
    return records_line(repair->file);
}

// --- recognising ---

static bool has_columns(const struct record *header)
{
    if (header->fields_count != COLUMNS_COUNT) {
        return false;
    }
    for (size_t i = 0; i < COLUMNS_COUNT; i++) {
        if (!text_is(header->fields[i], column_names[i])) {
            return false;
        }
    }
    return true;
}

bool repair_recognises(const unsigned char *head, size_t head_count,
                       const struct ingest_limits *limits, bool *out_recognised,
                       struct tally_err *err)
{
    struct memory memory = {.data = head, .count = head_count};
    struct decode *decode = decode_open(NULL, memory_pull, &memory, err);
    struct records *records =
        decode ? records_open(file_dialect, limits, decode_read, decode, err) : NULL;
    const struct record *header;
    bool ok = records != NULL;

    if (records) {
        enum records_step step = records_next(records, &header, err);
        *out_recognised = step == RECORDS_RECORD && has_columns(header);
        ok = step != RECORDS_ERROR || err->code != TALLY_NO_MEMORY; // else it is no repair
    }
    records_close(records);
    decode_close(decode);
    return ok;
}

// --- rows ---

// Reads a raw text as a record of the feed. `binding`: NULL for a header.
static enum records_step read_raw(struct repair *repair, struct text raw,
                                  const struct header_binding *binding,
                                  const struct record **out_record, struct tally_err *err)
{
    struct records_dialect dialect = {.delimiter = (unsigned char)repair->feed->delimiter,
                                      .quoted = repair->feed->quoted};

    bytes_clear(&repair->text);
    bytes_put(&repair->text, raw.at, raw.bytes);
    bytes_put_u8(&repair->text, '\n');
    if (!repair->text.ok) {
        err_set(err, TALLY_NO_MEMORY, "no memory for a repaired row");
        return RECORDS_ERROR;
    }
    repair->memory = (struct memory){.data = repair->text.data, .count = repair->text.count};
    records_close(repair->row);
    repair->row = records_open(dialect, &repair->limits, memory_pull, &repair->memory, err);
    if (!repair->row || (binding && !records_pick(repair->row, binding->slot, binding->columns,
                                                  binding->fields, err))) {
        return RECORDS_ERROR;
    }
    return records_next(repair->row, out_record, err);
}

static enum records_step give_broken(struct repair *repair, const char *reason, const char *detail)
{
    repair->record.reason = reason;
    snprintf(repair->detail, sizeof repair->detail, "%s", detail);
    repair->record.detail = repair->detail;
    return RECORDS_BROKEN;
}

static bool is_cut(const struct repair *repair, struct text raw)
{
    return raw.bytes >= RECORDS_RAW_BYTES_MAX || raw.bytes >= repair->limits.record_bytes_max;
}

// Whether the raw text holds more than this record.
static bool has_more(const struct repair *repair, const struct record *record)
{
    size_t end = (size_t)record->offset + record->raw.bytes;
    struct text rest = {.at = (const char *)repair->text.data + end,
                        .bytes = repair->text.count - end};

    return text_trim(rest).bytes > 0;
}

// The record in the raw text of a row, as if it stood in a file of its own feed.
static enum records_step give_row(struct repair *repair, const struct record *row,
                                  const struct header_binding *binding, struct tally_err *err)
{
    struct text raw = row->fields[COLUMN_RAW];
    const struct record *record = NULL;
    enum records_step step = read_raw(repair, raw, binding, &record, err);

    if (step == RECORDS_ERROR) {
        return step;
    }
    bool more = step == RECORDS_RECORD && has_more(repair, record);
    repair->record = *record;
    repair->record.line = row->line;
    repair->record.offset = row->offset;
    repair->record.unterminated = row->unterminated;
    repair->record.raw = (struct text){.at = (const char *)repair->text.data, .bytes = raw.bytes};
    if (is_cut(repair, raw)) {
        return give_broken(repair, "raw-cut",
                           "the raw text is too long to be repaired here and may be cut: correct "
                           "the original file and drop that");
    }
    if (step == RECORDS_END) {
        return give_broken(repair, "raw-empty", "the raw text holds no record");
    }
    if (more) {
        return give_broken(repair, "raw-several",
                           "the raw text holds several records: give each a row of its own");
    }
    return step == RECORDS_RECORD ? RECORDS_RECORD : RECORDS_BROKEN;
}

static bool check_row(const struct repair *repair, const struct record *row, struct tally_err *err)
{
    struct text feed = row->fields[COLUMN_FEED];

    if (!text_is(feed, repair->feed->name)) {
        return err_set(err, TALLY_REFUSED,
                       "rejected rows of feed %.60s and of feed %.*s in one file; drop those of "
                       "each feed in a file of their own",
                       repair->feed->name, feed.bytes < 60 ? (int)feed.bytes : 60, feed.at);
    }
    return !text_is(row->fields[COLUMN_REASON], "header") ||
           err_set(err, TALLY_REFUSED,
                   "a second row with reason header; drop the rejected rows of each file in a file "
                   "of their own");
}

enum records_step repair_next(struct repair *repair, const struct header_binding *binding,
                              const struct record **out_record, struct tally_err *err)
{
    const struct record *row;
    enum records_step step = records_next(repair->file, &row, err);

    if (step != RECORDS_RECORD) {
        *out_record = row;
        return step;
    }
    *out_record = &repair->record;
    return check_row(repair, row, err) ? give_row(repair, row, binding, err) : RECORDS_ERROR;
}

// --- the feed and its header ---

// The first row behind the columns' names.
static bool read_first(struct repair *repair, const struct record **out_row, struct tally_err *err)
{
    static const int32_t slot[COLUMNS_COUNT] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    enum records_step step = records_next(repair->file, out_row, err);

    if (step == RECORDS_RECORD) {
        if (!records_pick(repair->file, slot, COLUMNS_COUNT, COLUMNS_COUNT, err)) {
            return false;
        }
        step = records_next(repair->file, out_row, err);
    }
    switch (step) {
    case RECORDS_RECORD:
        return true;
    case RECORDS_END:
        return err_set(err, TALLY_REFUSED, "a CSV of rejected rows without any row");
    case RECORDS_BROKEN:
    case RECORDS_CUT_SHORT:
        return err_set(err, TALLY_REFUSED,
                       "the first of these rejected rows cannot be read: %.150s",
                       (*out_row)->detail);
    case RECORDS_HELD: // never: nobody holds them
    case RECORDS_ERROR:
        break;
    }
    return false;
}

static bool find_feed(struct repair *repair, const struct feed *const *feeds, size_t feeds_count,
                      struct text name, struct tally_err *err)
{
    for (size_t i = 0; i < feeds_count && !repair->feed; i++) {
        repair->feed = text_is(name, feeds[i]->name) ? feeds[i] : NULL;
    }
    return repair->feed ||
           err_set(err, TALLY_REFUSED, "rejected rows of feed \"%.*s\", which is not configured",
                   name.bytes < 60 ? (int)name.bytes : 60, name.at);
}

static bool check_feed(const struct feed *feed, struct tally_err *err)
{
    if (feed->per_victim) {
        return err_set(err, TALLY_REFUSED,
                       "feed %.60s has rows = per-victim: a repaired row alone would replace the "
                       "other victims of its incident; correct the original file and drop that",
                       feed->name);
    }
    return !feed->headerless || feed->column_counts_count == 1 ||
           err_set(err, TALLY_REFUSED,
                   "feed %.60s has no header and several column_counts: nobody can say which these "
                   "rows had; correct the original file and drop that",
                   feed->name);
}

static bool read_header(struct repair *repair, const struct record *row,
                        const struct record **out_header, struct tally_err *err)
{
    if (!text_is(row->fields[COLUMN_REASON], "header")) {
        return err_set(err, TALLY_REFUSED,
                       "the first of these rejected rows has to be the one with reason header: it "
                       "says what their columns are");
    }
    enum records_step step = read_raw(repair, row->fields[COLUMN_RAW], NULL, out_header, err);
    if (step == RECORDS_ERROR) {
        return false;
    }
    return step == RECORDS_RECORD ||
           err_set(err, TALLY_REFUSED, "the raw text of the row with reason header is no header");
}

const struct feed *repair_begin(struct repair *repair, const struct feed *const *feeds,
                                size_t feeds_count, const struct record **out_header,
                                struct tally_err *err)
{
    const struct record *row;

    if (!read_first(repair, &row, err) ||
        !find_feed(repair, feeds, feeds_count, row->fields[COLUMN_FEED], err) ||
        !check_feed(repair->feed, err)) {
        return NULL;
    }
    *out_header = NULL;
    if (repair->feed->headerless) {
        records_again(repair->file);
        return repair->feed;
    }
    return read_header(repair, row, out_header, err) ? repair->feed : NULL;
}
