#include "ingest/ingest.h"

#include "ingest/decode.h"
#include "ingest/header.h"
#include "ingest/map.h"
#include "ingest/records.h"
#include "ingest/repair.h"
#include "ingest/source.h"
#include "ingest/victims.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct ingest_limits ingest_limits_default = {
    .field_bytes_max = (size_t)1 << 20,
    .record_bytes_max = (size_t)4 << 20,
    .columns_max = 4096,
    .records_max = (uint64_t)1 << 32,
    .inflated_bytes_max = (uint64_t)64 << 30,
    .inflate_ratio_max = 500,
    .memory_bytes_max = (size_t)256 << 20,
    .chunk_rows = 4096,
    .chunk_bytes = (size_t)2 << 20,
};

enum { HEAD_BYTES_MAX = 256 * 1024 };

enum ingest_stage {
    STAGE_HEADER, // nothing read yet
    STAGE_RECORDS,
    STAGE_VICTIMS, // all read; the incidents put together are handed over
    STAGE_OVER,    // END, REFUSED or FAILED was said
};

struct ingest {
    const struct feed *const *feeds;
    size_t feeds_count;
    char *name;
    struct ingest_limits limits;
    enum ingest_stage stage;

    struct source *source;
    struct decode *decode;
    struct records *records; // NULL while rejected rows are repaired ...
    struct repair *repair;   // ... and this is NULL else
    struct header_binding binding;
    const struct record *given; // records that were read together
    size_t given_count;
    size_t given_at; // the one at hand
    struct map *map;
    struct victims victims;
    bool victims_ready;
    struct incident incident;

    struct ingest_summary summary;
    char *header;                            // summary.header
    char first_reject[RECORDS_DETAIL_BYTES]; // why the first rejected row was rejected
};

struct ingest *ingest_open(const struct feed *const *feeds, size_t feeds_count, const char *name,
                           const struct ingest_limits *limits, ingest_read *read, void *context,
                           struct tally_err *err)
{
    struct ingest *ingest = calloc(1, sizeof *ingest);

    if (!ingest) {
        err_set(err, TALLY_NO_MEMORY, "no memory to take in a file");
        return NULL;
    }
    ingest->feeds = feeds;
    ingest->feeds_count = feeds_count;
    ingest->limits = *limits;
    ingest->summary.header = "";
    ingest->name = strdup(name);
    if (!ingest->name) {
        err_set(err, TALLY_NO_MEMORY, "no memory to take in a file");
    } else {
        ingest->source = source_open(read, context, &ingest->limits, err);
    }
    if (!ingest->source) {
        ingest_close(ingest);
        return NULL;
    }
    return ingest;
}

void ingest_close(struct ingest *ingest)
{
    if (ingest) {
        if (ingest->victims_ready) {
            victims_done(&ingest->victims);
        }
        map_close(ingest->map);
        header_unbind(&ingest->binding);
        repair_close(ingest->repair);
        records_close(ingest->records);
        decode_close(ingest->decode);
        source_close(ingest->source);
        free(ingest->header);
        free(ingest->name);
        free(ingest);
    }
}

const struct ingest_summary *ingest_summary(const struct ingest *ingest)
{
    return &ingest->summary;
}

static void note_read(struct ingest *ingest)
{
    ingest->summary.digest = source_digest(ingest->source);
    ingest->summary.bytes = source_bytes(ingest->source);
}

bool ingest_finish_digest(struct ingest *ingest, struct tally_err *err)
{
    bool ok = source_drain(ingest->source, err);

    note_read(ingest);
    return ok;
}

// --- outcomes ---

static enum ingest_step stop(struct ingest *ingest, struct tally_err *err)
{
    bool refused =
        err->code == TALLY_REFUSED || err->code == TALLY_LIMIT || err->code == TALLY_OVERFLOW;

    ingest->stage = STAGE_OVER;
    note_read(ingest);
    if (ingest->records || ingest->repair) {
        uint64_t line = ingest->given_at < ingest->given_count
                            ? ingest->given[ingest->given_at].line
                        : ingest->repair ? repair_line(ingest->repair)
                                         : records_line(ingest->records);
        err_place(err, "%.70s:%llu", ingest->name, (unsigned long long)line);
    } else {
        err_place(err, "%.90s", ingest->name);
    }
    return refused ? INGEST_REFUSED : INGEST_FAILED;
}

static bool refuse_cut_short(const struct ingest *ingest, const struct record *record,
                             struct tally_err *err)
{
    return err_set(err, TALLY_REFUSED,
                   "cut short at line %llu, record %llu: the last line has no end and %.120s; "
                   "deliver the whole file again",
                   (unsigned long long)record->line,
                   (unsigned long long)ingest->summary.records + 1, record->detail);
}

// --- the header ---

static ssize_t pull_source(void *context, void *data, size_t count, struct tally_err *err)
{
    return source_read(context, data, count, err);
}

// What the first bytes of the content tell: an ordinary file and its feed, or rejected rows.
static bool look_at_head(struct ingest *ingest, struct tally_err *err)
{
    const unsigned char *head;
    size_t head_count;

    if (!source_peek(ingest->source, HEAD_BYTES_MAX, &head, &head_count, err)) {
        return false;
    }
    if (head_count == 0) {
        return err_set(err, TALLY_REFUSED,
                       "the file is empty; a file without incidents still has "
                       "a header");
    }
    if (!repair_recognises(head, head_count, &ingest->limits, &ingest->summary.repair, err)) {
        return false;
    }
    if (ingest->summary.repair) {
        return true;
    }
    ingest->summary.feed = header_choose(ingest->feeds, ingest->feeds_count, ingest->name, head,
                                         head_count, &ingest->limits, err);
    return ingest->summary.feed;
}

static bool open_records(struct ingest *ingest, struct tally_err *err)
{
    const struct feed *feed = ingest->summary.feed;
    struct records_dialect dialect = {.delimiter = (unsigned char)feed->delimiter,
                                      .quoted = feed->quoted};
    bool ended;

    ingest->decode = decode_open(feed->encoding, pull_source, ingest->source, err);
    if (!ingest->decode) {
        return false;
    }
    ingest->records = records_open(dialect, &ingest->limits, decode_read, ingest->decode, err);
    return ingest->records &&
           records_skip_lines(ingest->records, feed->preamble_lines, &ended, err);
}

static bool bind_columns(struct ingest *ingest, const struct text *cells, size_t count,
                         struct tally_err *err)
{
    return header_bind(ingest->summary.feed, cells, count, &ingest->binding, err) &&
           (ingest->binding.missing == 0 ||
            err_set(err, TALLY_REFUSED, "the header lacks %s", ingest->binding.missing_names));
}

static bool keep_header(struct ingest *ingest, const struct record *record, struct tally_err *err)
{
    ingest->header = text_copy(record->raw);
    if (!ingest->header) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a header");
    }
    ingest->summary.header = ingest->header;
    ingest->summary.unterminated = record->unterminated;
    return true;
}

// Passes over HXL tags behind the header; any other record is left to be read again.
static bool skip_hxl(struct ingest *ingest, struct text *header, size_t header_count,
                     struct tally_err *err)
{
    const struct record *record;
    enum records_step step = records_next(ingest->records, &record, err);

    if (step == RECORDS_ERROR) {
        return false;
    }
    if (step != RECORDS_RECORD ||
        !header_is_hxl(header, header_count, record->fields, record->fields_count)) {
        records_again(ingest->records);
    }
    return true;
}

// The first cells of a header outlive its record: they tell whether there is an index column.
static bool read_header(struct ingest *ingest, struct tally_err *err)
{
    const struct record *record;

    enum records_step step = records_next(ingest->records, &record, err);
    if (step != RECORDS_RECORD) {
        return step == RECORDS_ERROR ? false
                                     : err_set(err, TALLY_REFUSED, "the header cannot be read");
    }
    if (!bind_columns(ingest, record->fields, record->fields_count, err)) {
        return false;
    }
    if (ingest->summary.feed->headerless) {
        records_again(ingest->records);
        return true;
    }
    if (!keep_header(ingest, record, err)) {
        return false;
    }
    struct text first = text_trim(record->fields[0]);
    bool index_column = first.bytes == 0 || text_is(first, "Unnamed: 0");
    struct text cell = text_of(index_column ? "" : "-");
    return skip_hxl(ingest, &cell, 1, err);
}

static bool begin_file(struct ingest *ingest, struct tally_err *err)
{
    return open_records(ingest, err) && read_header(ingest, err) &&
           records_pick(ingest->records, ingest->binding.slot, ingest->binding.columns,
                        ingest->binding.fields, err);
}

// The rows have the header of the file that they stood in, or that of their headerless feed.
static bool begin_repair(struct ingest *ingest, struct tally_err *err)
{
    const struct record *header;

    ingest->decode = decode_open(NULL, pull_source, ingest->source, err);
    if (!ingest->decode) {
        return false;
    }
    ingest->repair = repair_open(&ingest->limits, decode_read, ingest->decode, err);
    if (!ingest->repair) {
        return false;
    }
    ingest->summary.feed =
        repair_begin(ingest->repair, ingest->feeds, ingest->feeds_count, &header, err);
    if (!ingest->summary.feed) {
        return false;
    }
    return header ? bind_columns(ingest, header->fields, header->fields_count, err) &&
                        keep_header(ingest, header, err)
                  : bind_columns(ingest, NULL, ingest->summary.feed->column_counts[0], err);
}

// What the texts of dimensions, and the victims put together, may take each. While either grows,
// half as much again is in use, and the store keeps the texts a second time: 5/2 + 3/2 shares in
// all.
static size_t memory_share(const struct ingest *ingest)
{
    size_t inflating = source_memory(ingest->source);
    size_t bytes_max = ingest->limits.memory_bytes_max;
    size_t left = inflating < bytes_max ? bytes_max - inflating : 0;

    return ingest->summary.feed->per_victim ? left / 4 : left / 5 * 2;
}

static bool begin(struct ingest *ingest, struct tally_err *err)
{
    if (!look_at_head(ingest, err) ||
        !(ingest->summary.repair ? begin_repair(ingest, err) : begin_file(ingest, err))) {
        return false;
    }
    const struct feed *feed = ingest->summary.feed;
    size_t share = memory_share(ingest);
    ingest->map = map_open(feed, &ingest->binding, share, err);
    if (!ingest->map) {
        return false;
    }
    if (feed->per_victim) {
        victims_init(&ingest->victims, feed->shape, share);
        ingest->victims_ready = true;
    }
    ingest->stage = STAGE_RECORDS;
    return true;
}

// --- records ---

// The budget tells a file of another kind; among rejected rows any number may be wrong again.
static bool check_budget(const struct ingest *ingest, struct tally_err *err)
{
    int64_t max = ingest->summary.feed->reject_max;

    return max < 0 || ingest->summary.repair || ingest->summary.rejected <= (uint64_t)max ||
           err_set(err, TALLY_REFUSED,
                   "more than reject_max = %lld rows cannot be read; the first: %.120s",
                   (long long)max, ingest->first_reject);
}

static bool set_aside(struct ingest *ingest, const struct record *record, const char *reason,
                      const char *detail, struct rows *chunk, struct tally_err *err)
{
    size_t raw_bytes =
        record->raw.bytes < RECORDS_RAW_BYTES_MAX ? record->raw.bytes : RECORDS_RAW_BYTES_MAX;
    struct rows_reject *reject = rows_add_reject(chunk, err);

    if (!reject) {
        return false;
    }
    reject->record = ingest->summary.records;
    reject->line = record->line;
    reject->offset = record->offset + decode_mark_bytes(ingest->decode);
    reject->reason = reason;
    if (ingest->summary.rejected++ == 0) {
        snprintf(ingest->first_reject, sizeof ingest->first_reject, "line %llu, %s",
                 (unsigned long long)record->line, detail);
    }
    return rows_add_text(chunk, detail, strlen(detail), &reject->detail, err) &&
           rows_add_text(chunk, record->raw.at, raw_bytes, &reject->raw, err) &&
           check_budget(ingest, err);
}

static bool refuse_unidentified(const struct ingest *ingest, const struct record *record,
                                const char *detail, struct tally_err *err)
{
    return err_set(err, TALLY_REFUSED,
                   "line %llu, record %llu: %.120s; a snapshot is refused when the id of a row "
                   "cannot be read",
                   (unsigned long long)record->line, (unsigned long long)ingest->summary.records,
                   detail);
}

// What the feed covers: an incident known only to its year says nothing of the year's end.
static void note_days(struct ingest_summary *summary, const struct incident *incident)
{
    if (!summary->any_day || incident->first_day < summary->first_day) {
        summary->first_day = incident->first_day;
    }
    if (!summary->any_day || incident->covered_day > summary->last_day) {
        summary->last_day = incident->covered_day;
    }
    summary->any_day = true;
}

static bool accept(struct ingest *ingest, const struct record *record, struct rows *chunk,
                   struct tally_err *err)
{
    const struct incident *incident = &ingest->incident;

    if (ingest->victims_ready) {
        bool fits = true;
        if (!victims_add(&ingest->victims, incident, &fits, err)) {
            return false;
        }
        if (!fits) {
            return set_aside(ingest, record, "number-too-large",
                             "the sum over the victims of this id does not fit in 64 bits", chunk,
                             err);
        }
    } else if (!incident_put(incident, chunk, err)) {
        return false;
    }
    if (incident->op == ROWS_PUT) {
        note_days(&ingest->summary, incident);
    }
    ingest->summary.disordered += incident_is_disordered(ingest->summary.feed, incident);
    return true;
}

// Whether ids that the file lacks are withdrawn. Repaired rows are never all that a feed has.
static bool is_snapshot(const struct ingest *ingest)
{
    return ingest->summary.feed->mode == FEED_SNAPSHOT && !ingest->summary.repair;
}

// A snapshot does not withdraw the incident of a row that cannot be read.
static bool keep(struct ingest *ingest, struct rows *chunk, struct tally_err *err)
{
    if (!is_snapshot(ingest)) {
        return true;
    }
    ingest->incident.op = ROWS_KEEP;
    ingest->incident.revision = (struct revision){.kind = REVISION_NONE};
    ingest->incident.reported = 0;
    return incident_put(&ingest->incident, chunk, err);
}

static bool take_record(struct ingest *ingest, const struct record *record, struct rows *chunk,
                        struct tally_err *err)
{
    char detail[RECORDS_DETAIL_BYTES];
    const char *reason = "";

    ingest->summary.records++;
    switch (map_next(ingest->map, ingest->summary.records, chunk, &ingest->incident, &reason,
                     detail, err)) {
    case MAP_INCIDENT:
        return accept(ingest, record, chunk, err);
    case MAP_REJECTED:
        return set_aside(ingest, record, reason, detail, chunk, err) && keep(ingest, chunk, err);
    case MAP_REJECTED_NO_ID:
        return is_snapshot(ingest) ? refuse_unidentified(ingest, record, detail, err)
                                   : set_aside(ingest, record, reason, detail, chunk, err);
    case MAP_ERROR:
        break;
    }
    return false;
}

static bool take_broken(struct ingest *ingest, const struct record *record, struct rows *chunk,
                        struct tally_err *err)
{
    ingest->summary.records++;
    return is_snapshot(ingest)
               ? refuse_unidentified(ingest, record, record->detail, err)
               : set_aside(ingest, record, record->reason, record->detail, chunk, err);
}

// What only the whole file can tell.
static bool check_end(const struct ingest *ingest, struct tally_err *err)
{
    const struct ingest_summary *summary = &ingest->summary;
    int64_t ppm = summary->feed->reject_max_ppm;

    if (decode_is_cut(ingest->decode)) {
        return err_set(err, TALLY_REFUSED,
                       "cut short: it ends within a character; deliver the whole file again");
    }
    if (summary->unterminated && summary->feed->final_newline_required) {
        return err_set(err, TALLY_REFUSED,
                       "cut short: the last line has no end, and final_newline = required");
    }
    if (summary->records > 0 && summary->rejected == summary->records) {
        return err_set(err, TALLY_REFUSED, "none of its %llu rows can be read; the first: %.150s",
                       (unsigned long long)summary->records, ingest->first_reject);
    }
    if (ppm >= 0 && !summary->repair &&
        (bytes_i128)summary->rejected * 1000000 > (bytes_i128)summary->records * ppm) {
        return err_set(err, TALLY_REFUSED,
                       "%llu of %llu rows cannot be read, more than reject_max; the first: %.120s",
                       (unsigned long long)summary->rejected, (unsigned long long)summary->records,
                       ingest->first_reject);
    }
    return true;
}

static bool is_full(const struct ingest *ingest, const struct rows *chunk)
{
    return chunk->count >= ingest->limits.chunk_rows ||
           rows_bytes(chunk) >= ingest->limits.chunk_bytes;
}

static bool check_records_max(const struct ingest *ingest, struct tally_err *err)
{
    return ingest->summary.records < ingest->limits.records_max ||
           err_set(err, TALLY_LIMIT, "more than records_max = %llu records",
                   (unsigned long long)ingest->limits.records_max);
}

static bool check_last_character(const struct ingest *ingest, const struct record *record,
                                 struct tally_err *err)
{
    return !record->unterminated || !text_ends_within_character(record->raw) ||
           err_set(err, TALLY_REFUSED,
                   "cut short at line %llu, record %llu: it ends within a character; deliver the "
                   "whole file again",
                   (unsigned long long)record->line,
                   (unsigned long long)ingest->summary.records + 1);
}

static enum records_step read_few(struct ingest *ingest, struct tally_err *err)
{
    ingest->given_at = 0;
    ingest->given_count = 1;
    return ingest->repair
               ? repair_next(ingest->repair, &ingest->binding, &ingest->given, err)
               : records_next_few(ingest->records, &ingest->given, &ingest->given_count, err);
}

static bool take_few(struct ingest *ingest, struct rows *chunk, struct tally_err *err)
{
    while (ingest->given_at < ingest->given_count && !is_full(ingest, chunk)) {
        const struct record *record = &ingest->given[ingest->given_at];
        ingest->summary.unterminated = record->unterminated;
        if (!check_records_max(ingest, err) || !check_last_character(ingest, record, err) ||
            !take_record(ingest, record, chunk, err)) {
            return false;
        }
        ingest->given_at++;
    }
    return true;
}

// Reads until the chunk is full or the records end. *out_ended says which.
static bool read_records(struct ingest *ingest, struct rows *chunk, bool *out_ended,
                         struct tally_err *err)
{
    bool ok = take_few(ingest, chunk, err);

    *out_ended = false;
    while (ok && !*out_ended && !is_full(ingest, chunk)) {
        switch (read_few(ingest, err)) {
        case RECORDS_RECORD:
            map_begin(ingest->map, ingest->given, ingest->given_count);
            ok = take_few(ingest, chunk, err);
            break;
        case RECORDS_BROKEN:
            ok = check_records_max(ingest, err) && take_broken(ingest, ingest->given, chunk, err);
            ingest->given_at += ok;
            break;
        case RECORDS_CUT_SHORT:
            return refuse_cut_short(ingest, ingest->given, err);
        case RECORDS_ERROR:
            ingest->given_count = 0;
            return false;
        case RECORDS_END:
            ingest->given_count = 0;
            *out_ended = true;
            break;
        }
    }
    return ok;
}

static bool give_victims(struct ingest *ingest, struct rows *chunk, bool *out_ended,
                         struct tally_err *err)
{
    bool given = true;

    while (given && !is_full(ingest, chunk)) {
        if (!victims_give(&ingest->victims, chunk, &given, err)) {
            return false;
        }
    }
    *out_ended = !given;
    return true;
}

static bool advance(struct ingest *ingest, struct rows *chunk, bool *out_ended,
                    struct tally_err *err)
{
    *out_ended = false;
    if (ingest->stage == STAGE_HEADER && !begin(ingest, err)) {
        return false;
    }
    rows_clear(chunk, ingest->summary.feed->shape);
    if (ingest->stage == STAGE_RECORDS) {
        bool read = false;
        if (!read_records(ingest, chunk, &read, err) || (read && !check_end(ingest, err))) {
            return false;
        }
        if (!read) {
            return true;
        }
        ingest->stage = STAGE_VICTIMS;
    }
    *out_ended = true;
    return !ingest->victims_ready || give_victims(ingest, chunk, out_ended, err);
}

enum ingest_step ingest_next(struct ingest *ingest, struct rows *chunk, struct tally_err *err)
{
    bool ended;

    assert(ingest->stage != STAGE_OVER);
    if (ingest->stage == STAGE_HEADER) {
        rows_clear(chunk, NULL); // later ones keep their memory, since their shape is known
    }
    if (!advance(ingest, chunk, &ended, err)) {
        return stop(ingest, err);
    }
    note_read(ingest);
    ingest->stage = ended ? STAGE_OVER : ingest->stage;
    return ended ? INGEST_END : INGEST_CHUNK;
}
