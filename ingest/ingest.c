#include "ingest/ingest_private.h"
#include "ingest/summary.h"

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
    .block_bytes = (size_t)2 << 20,
};

enum { BLOCKS_SHARE = 8 }; // a part of what texts may take, for those that blocks see themselves

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

// What reading takes and the summary does not need.
static void release(struct ingest *ingest)
{
    if (ingest->victims_ready) {
        victims_done(&ingest->victims);
    }
    ingest->victims_ready = false;
    blocks_close(ingest->blocks);
    ingest->blocks = NULL;
    map_close(ingest->map);
    ingest->map = NULL;
    header_unbind(&ingest->binding);
    repair_close(ingest->repair);
    ingest->repair = NULL;
    records_close(ingest->records);
    ingest->records = NULL;
    decode_close(ingest->decode);
    ingest->decode = NULL;
}

void ingest_close(struct ingest *ingest)
{
    if (ingest) {
        release(ingest);
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
    if (!ingest_read_header(ingest, err)) {
        return false;
    }
    const struct feed *feed = ingest->summary.feed;
    size_t share = memory_share(ingest);
    ingest->binding.encoding = decode_encoding(ingest->decode);
    ingest->map = map_open(feed, &ingest->binding, share, err);
    if (!ingest->map) {
        return false;
    }
    if (feed->per_victim) {
        victims_init(&ingest->victims, feed->shape, share);
        ingest->victims_ready = true;
    }
    ingest->cores = ingest->limits.blocks ? ingest->limits.blocks : team_parts(SIZE_MAX, 1);
    ingest->alone = ingest->summary.repair || feed->per_victim || ingest->binding.columns < 2 ||
                    ingest->limits.parser == INGEST_LIBCSV;
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
    summary_note(&ingest->summary, ingest->summary.feed, incident);
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
    return ingest->blocks ? blocks_in_order_are_full(ingest->blocks, chunk)
                          : rows_are_full(chunk, &ingest->limits, 1, 1);
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

// Whether text enough was read to tell a large file, and others could map some of what follows.
static bool wants_blocks(const struct ingest *ingest)
{
    return !ingest->alone && !ingest->blocks && ingest->given_at == ingest->given_count &&
           records_place(ingest->records).offset >=
               blocks_first_bytes(&ingest->limits, ingest->cores);
}

// Reads until the chunk is full, the records end or are held, or blocks are wanted. *out_ended says
// whether they ended.
static bool read_records(struct ingest *ingest, struct rows *chunk, bool *out_ended,
                         struct tally_err *err)
{
    bool ok = take_few(ingest, chunk, err);

    *out_ended = false;
    while (ok && !*out_ended && !is_full(ingest, chunk) && !wants_blocks(ingest)) {
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
        case RECORDS_HELD:
            ingest->given_count = 0;
            return true;
        case RECORDS_END:
            ingest->given_count = 0;
            *out_ended = true;
            break;
        }
    }
    return ok;
}

// ---- on several cores -----------------------------------------------------------------------

// One core alone reads: the file is small, no record of it is proven plain, its rows are put
// together or repaired, or the caller takes one chunk.
static bool open_blocks(struct ingest *ingest, size_t chunks_max, struct tally_err *err)
{
    ingest->alone = ingest->cores < 2 || chunks_max < ingest->cores;
    if (!ingest->alone) {
        ingest->blocks =
            blocks_open(ingest->summary.feed, &ingest->binding, ingest->records, &ingest->limits,
                        ingest->cores - 1, memory_share(ingest) / BLOCKS_SHARE, err);
        return ingest->blocks;
    }
    return true;
}

// Records in order, while others map the blocks behind them.
struct in_order {
    struct ingest *ingest;
    const struct ingest_turn *turn;
    bool ok;
    bool ended;
    struct tally_err err;
};

static void read_in_order(void *context)
{
    struct in_order *reading = context;

    reading->ok =
        read_records(reading->ingest, &reading->turn->chunks[0], &reading->ended, &reading->err);
}

// As read_records, on as many cores as there are blocks.
static bool read_blocks(struct in_order *reading, struct ingest_turn *turn, struct tally_err *err)
{
    struct ingest *ingest = reading->ingest;
    struct blocks_meanwhile meanwhile = {.run = turn->meanwhile, .context = turn->context};
    unsigned taken = 0;

    blocks_read(ingest->blocks, ingest->records, read_in_order, reading, &meanwhile,
                turn->chunks + 1);
    if (!reading->ok) {
        return true;
    }
    bool full = ingest->given_at < ingest->given_count;
    if (!blocks_take(ingest->blocks, ingest->records, ingest->map, full, turn->chunks + 1,
                     &ingest->summary, &taken, err)) {
        return false;
    }
    turn->count = 1 + taken;
    if (!blocks_are_of_use(ingest->blocks)) {
        blocks_close(ingest->blocks);
        ingest->blocks = NULL;
        ingest->alone = true;
    }
    return true;
}

static void read_or_else(void *context, unsigned part)
{
    struct in_order *reading = context;

    if (part == 0) {
        read_in_order(reading);
    } else {
        reading->turn->meanwhile(reading->turn->context);
    }
}

static bool read_turn(struct ingest *ingest, struct ingest_turn *turn, bool *out_ended,
                      struct tally_err *err)
{
    struct in_order reading = {.ingest = ingest, .turn = turn};

    // Records that were given stay where they are until they are mapped.
    bool ok = !ingest->blocks || take_few(ingest, &turn->chunks[0], err);
    if (!ok) {
        return false;
    }
    ingest->meanwhile_done = true;
    if (ingest->blocks && ingest->given_at == ingest->given_count) {
        ok = read_blocks(&reading, turn, err);
    } else {
        team_run(read_or_else, &reading, turn->meanwhile ? 2 : 1);
    }
    *out_ended = reading.ended;
    if (ok && !reading.ok) {
        *err = reading.err;
    }
    return ok && reading.ok;
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

static bool advance(struct ingest *ingest, struct ingest_turn *turn, bool *out_ended,
                    struct tally_err *err)
{
    *out_ended = false;
    turn->count = 1;
    if (ingest->stage == STAGE_HEADER && !begin(ingest, err)) {
        return false;
    }
    rows_clear(&turn->chunks[0], ingest->summary.feed->shape);
    if (wants_blocks(ingest) && !open_blocks(ingest, turn->chunks_max, err)) {
        return false;
    }
    if (ingest->stage == STAGE_RECORDS) {
        bool read = false;
        if (!read_turn(ingest, turn, &read, err) || (read && !check_end(ingest, err))) {
            return false;
        }
        if (!read) {
            return true;
        }
        ingest->stage = STAGE_VICTIMS;
    }
    *out_ended = true;
    return !ingest->victims_ready || give_victims(ingest, &turn->chunks[0], out_ended, err);
}

enum ingest_step ingest_next(struct ingest *ingest, struct ingest_turn *turn, struct tally_err *err)
{
    bool ended;

    assert(ingest->stage != STAGE_OVER && turn->chunks_max > 0);
    if (ingest->stage == STAGE_HEADER) {
        rows_clear(&turn->chunks[0], NULL); // later ones keep their memory: their shape is known
    }
    ingest->meanwhile_done = false;
    bool ok = advance(ingest, turn, &ended, err);
    if (turn->meanwhile && !ingest->meanwhile_done) {
        turn->meanwhile(turn->context);
    }
    if (!ok) {
        return stop(ingest, err);
    }
    note_read(ingest);
    if (ended) {
        ingest->stage = STAGE_OVER;
        release(ingest); // storing it may take long
    }
    return ended ? INGEST_END : INGEST_CHUNK;
}
