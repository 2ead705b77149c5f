#include "ingest/records_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PULL_BYTES = 64 * 1024,
    LIBCSV_BLOCK_BYTES = 4096,
    REREAD_RECORDS = 64, // re-reading that is free, in records of the greatest size
    REREAD_FACTOR = 4,   // and per byte of text
    WINDOW_BYTES = 1024,
};

static void *capped_realloc(void *data, size_t bytes)
{
    return bytes <= (size_t)RECORDS_BYTES_HARD_MAX + LIBCSV_BLOCK_BYTES ? realloc(data, bytes)
                                                                        : NULL;
}

static void start_libcsv(struct records *records)
{
    csv_init(&records->csv, CSV_STRICT | CSV_STRICT_FINI);
    csv_set_delim(&records->csv, records->dialect.delimiter);
    // Lines with a NUL never reach libcsv, so that as a quote it quotes nothing.
    csv_set_quote(&records->csv, records->dialect.quoted ? CSV_QUOTE : '\0');
    csv_set_realloc_func(&records->csv, capped_realloc);
    csv_set_blk_size(&records->csv, LIBCSV_BLOCK_BYTES);
}

struct records *records_open(struct records_dialect dialect, const struct ingest_limits *limits,
                             decode_pull *pull, void *context, struct tally_err *err)
{
    if (limits->record_bytes_max < 2 || limits->record_bytes_max > RECORDS_BYTES_HARD_MAX) {
        err_set(err, TALLY_INVALID, "record_bytes_max has to be 2 to %d", RECORDS_BYTES_HARD_MAX);
        return NULL;
    }
    struct records *records = calloc(1, sizeof *records);
    if (!records) {
        err_set(err, TALLY_NO_MEMORY, "no memory to read records");
        return NULL;
    }
    records->dialect = dialect;
    records->limits = limits;
    records->field_bytes_max = limits->field_bytes_max;
    records->pull = pull;
    records->context = context;
    records->line_feed.byte = '\n';
    records->carriage_return.byte = '\r';
    records->nul.byte = '\0';
    records->code = split_code();
    records->window_bytes = WINDOW_BYTES;
    records->next_line = 1;
    records->stop = SIZE_MAX;
    records->capacity = PULL_BYTES;
    records->buffer = malloc(records->capacity + WORDS_BYTES);
    start_libcsv(records);
    if (!records->buffer) {
        err_set(err, TALLY_NO_MEMORY, "no memory to read records");
        records_close(records);
        return NULL;
    }
    return records;
}

void records_close(struct records *records)
{
    if (records) {
        csv_free(&records->csv);
        plain_close(records->plain);
        free(records->slot);
        free(records->fields);
        free(records->values);
        records_close_ahead(records->ahead);
        if (!records->lent) {
            free(records->buffer);
        }
        free(records);
    }
}

// --- fields, as libcsv reports them ---

static bool reserve_fields(struct records *records, size_t count)
{
    if (count <= records->fields_capacity) {
        return true;
    }
    size_t capacity = records->fields_capacity ? records->fields_capacity * 2 : 64;
    capacity = capacity < count ? count : capacity;
    struct text *fields = realloc(records->fields, capacity * sizeof *fields);
    if (!fields) {
        return false;
    }
    memset(fields + records->fields_capacity, 0,
           (capacity - records->fields_capacity) * sizeof *fields);
    records->fields = fields;
    records->fields_capacity = capacity;
    return true;
}

// Room for all values of a record of `bytes` bytes. Fields that are there already move along.
static bool reserve_values(struct records *records, size_t bytes)
{
    if (bytes <= records->values_capacity) {
        return true;
    }
    size_t capacity = records->values_capacity ? records->values_capacity * 2 : 4096;
    capacity = capacity < bytes ? bytes : capacity;
    char *values = malloc(capacity + WORDS_BYTES);
    if (!values) {
        return false;
    }
    if (records->values_count > 0) {
        memcpy(values, records->values, records->values_count);
    }
    for (size_t i = 0; i < records->fields_capacity; i++) {
        struct text *field = &records->fields[i];
        field->at = field->at ? values + (field->at - records->values) : NULL;
    }
    free(records->values);
    records->values = values;
    records->values_capacity = capacity;
    return true;
}

// Kept out of line, so that a field that nobody asked for costs a look at its slot and no more.
__attribute__((noinline)) static void keep_field(struct records *records, size_t slot,
                                                 const void *data, size_t bytes)
{
    char *value = records->values + records->values_count;

    memcpy(value, data, bytes);
    records->fields[slot] = (struct text){.at = value, .bytes = bytes};
    records->values_count += bytes;
}

// Of a header, too long, or more than there should be.
__attribute__((noinline)) static void keep_other_field(struct records *records, size_t column,
                                                       const void *data, size_t bytes)
{
    if (bytes > records->limits->field_bytes_max && records->long_field == 0) {
        records->long_field = column + 1;
    }
    if (records->slot || column >= records->limits->columns_max) {
        return;
    }
    if (!reserve_fields(records, column + 1)) {
        records->no_memory = true;
        return;
    }
    keep_field(records, column, data, bytes);
}

static void on_field_parsed(void *data, size_t bytes, void *context)
{
    struct records *records = context;
    size_t column = records->record.fields_count++;

    if (column >= records->columns || bytes > records->field_bytes_max) {
        keep_other_field(records, column, data, bytes);
    } else if (records->slot[column] >= 0) {
        keep_field(records, (size_t)records->slot[column], data, bytes);
    }
}

static void on_record_parsed(int end, void *context)
{
    struct records *records = context;

    records->record_ended = true;
    records->record.unterminated = end == -1;
}

// Structure proves nothing of a single column: a blank line is no record.
static bool open_plain(struct records *records, size_t slots, struct tally_err *err)
{
    size_t bytes_max = records->limits->record_bytes_max;

    bytes_max = bytes_max < records->field_bytes_max ? bytes_max : records->field_bytes_max;
    plain_close(records->plain);
    records->plain = NULL;
    if (records->limits->parser == INGEST_LIBCSV || records->columns < 2) {
        return true;
    }
    records->plain =
        plain_open(records->dialect, records->slot, records->columns, slots, bytes_max, err);
    return records->plain;
}

bool records_pick(struct records *records, const int32_t *slot, size_t columns, size_t slots,
                  struct tally_err *err)
{
    int32_t *copy = malloc(columns * sizeof *copy + 1);

    if (!copy || !reserve_fields(records, slots)) {
        free(copy);
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu columns", columns);
    }
    memcpy(copy, slot, columns * sizeof *copy);
    free(records->slot);
    records->slot = copy;
    records->slots = slots;
    records->columns = columns;
    return open_plain(records, slots, err);
}

// --- lines ---

static size_t seek(struct seeker *seeker, const struct records *records, size_t from)
{
    if (seeker->at < from) {
        seeker->at = from;
    }
    if (seeker->at < records->end && records->buffer[seeker->at] != seeker->byte) {
        const char *found =
            memchr(records->buffer + seeker->at, seeker->byte, records->end - seeker->at);
        seeker->at = found ? (size_t)(found - records->buffer) : records->end;
    }
    return seeker->at;
}

static void move_back(struct records *records, size_t at)
{
    records->next_at = at;
    records->line_feed.at = at;
    records->carriage_return.at = at;
    records->nul.at = at;
}

static void shift_back(struct seeker *seeker, size_t bytes)
{
    seeker->at -= seeker->at < bytes ? seeker->at : bytes;
}

// Puts the record at hand at the front of the buffer.
static void compact(struct records *records)
{
    size_t gone = records->record_at;

    memmove(records->buffer, records->buffer + gone, records->end - gone);
    records->buffer_offset += gone;
    records->end -= gone;
    records->record_at = 0;
    records->next_at -= gone;
    records->second_at -= records->second_at < gone ? records->second_at : gone;
    shift_back(&records->line_feed, gone);
    shift_back(&records->carriage_return, gone);
    shift_back(&records->nul, gone);
}

bool records_reserve(struct records *records, size_t bytes, struct tally_err *err)
{
    if (records->capacity - records->end < bytes && records->record_at > 0) {
        compact(records);
    }
    if (records->capacity - records->end < bytes) {
        size_t capacity = records->capacity * 2;
        capacity = capacity - records->end < bytes ? records->end + bytes : capacity;
        char *buffer = realloc(records->buffer, capacity + WORDS_BYTES);
        if (!buffer) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for a record of %zu bytes", capacity);
        }
        records->buffer = buffer;
        records->capacity = capacity;
    }
    return true;
}

bool records_pull(struct records *records, struct tally_err *err)
{
    if (records->held) {
        records->starved = true;
        return err_set(err, TALLY_INVALID, "the text at hand is over");
    }
    bool any = false;
    if (!records_append_ahead(records, &any, err) || any) {
        return any;
    }
    if (records->failed) {
        *err = records->late;
        return false;
    }
    if (!records_reserve(records, PULL_BYTES / 2, err)) {
        return false;
    }
    size_t room = records->capacity - records->end;
    ssize_t got = records->pull(records->context, records->buffer + records->end,
                                room < PULL_BYTES ? room : PULL_BYTES, err);
    if (got < 0) {
        return false;
    }
    records->pull_ended = got == 0;
    records->end += (size_t)got;
    return true;
}

enum line_step { LINE_WHOLE, LINE_UNTERMINATED, LINE_NONE, LINE_TOO_LONG, LINE_ERROR };

// The physical line at next_at: it ends at LF, CR or CRLF.
static enum line_step find_line(struct records *records, size_t *out_end, struct tally_err *err)
{
    for (;;) {
        size_t feed = seek(&records->line_feed, records, records->next_at);
        size_t carriage = seek(&records->carriage_return, records, records->next_at);
        size_t mark = feed < carriage ? feed : carriage;
        // A CR at the very end may be half of a CRLF.
        bool whole =
            mark < records->end && (mark == feed || mark + 1 < records->end || records->pull_ended);
        bool pair = mark == carriage && feed == mark + 1 && feed < records->end;
        size_t end = whole ? mark + 1 + pair : records->end;
        if (end - records->record_at > records->limits->record_bytes_max) {
            return LINE_TOO_LONG;
        }
        *out_end = end;
        if (whole) {
            return LINE_WHOLE;
        }
        if (records->pull_ended) {
            return end > records->next_at ? LINE_UNTERMINATED : LINE_NONE;
        }
        if (!records_pull(records, err)) {
            return LINE_ERROR;
        }
    }
}

// Drops the line at next_at, however long it is. *out_terminated: whether it had an end.
static bool drop_line(struct records *records, bool *out_terminated, struct tally_err *err)
{
    for (;;) {
        size_t end;
        records->record_at = records->next_at;
        enum line_step step = find_line(records, &end, err);
        if (step == LINE_ERROR) {
            return false;
        }
        if (step != LINE_TOO_LONG) {
            records->next_at = step == LINE_NONE ? records->next_at : end;
            records->next_line += step == LINE_NONE ? 0 : 1;
            *out_terminated = step == LINE_WHOLE;
            return true;
        }
        // All but the last byte at hand, which may be a CR that an LF follows.
        size_t feed = records->line_feed.at;
        size_t carriage = records->carriage_return.at;
        size_t mark = feed < carriage ? feed : carriage;
        records->next_at = mark < records->end ? mark : records->end - 1;
    }
}

bool records_skip_lines(struct records *records, size_t count, bool *out_ended,
                        struct tally_err *err)
{
    *out_ended = false;
    for (size_t i = 0; i < count; i++) {
        bool terminated = false;
        if (!drop_line(records, &terminated, err)) {
            return false;
        }
        if (!terminated) {
            *out_ended = true;
            return false;
        }
    }
    return true;
}

// --- records ---

static bool broken(struct records *records, const char *reason, const char *detail)
{
    records->record.reason = reason;
    snprintf(records->detail, sizeof records->detail, "%s", detail);
    records->record.detail = records->detail;
    return false;
}

static bool broken_at(struct records *records, const char *reason, const char *what)
{
    char detail[RECORDS_DETAIL_BYTES];

    snprintf(detail, sizeof detail, "%s in column %zu", what, records->record.fields_count + 1);
    return broken(records, reason, detail);
}

void records_begin(struct records *records)
{
    records->record_at = records->next_at;
    records->second_at = 0;
    records->record_line = records->next_line;
    records->record.fields_count = 0;
    records->record.reason = NULL;
    records->record.unterminated = false;
    records->values_count = 0;
    records->record_ended = false;
    records->long_field = 0;
}

static void restart_libcsv(struct records *records)
{
    csv_free(&records->csv);
    start_libcsv(records);
}

void records_move(struct records *records, size_t at, uint64_t line)
{
    records->next_line = line;
    move_back(records, at);
    restart_libcsv(records);
    records_begin(records);
}

// Feeds one physical line. False: the record is broken.
static bool feed_line(struct records *records, size_t end)
{
    size_t at = records->next_at;

    if (seek(&records->nul, records, at) < end) {
        return broken(records, "nul-byte", "the record holds a NUL byte");
    }
    if (!reserve_values(records, end - records->record_at)) {
        records->no_memory = true;
        return false;
    }
    size_t fed = csv_parse(&records->csv, records->buffer + at, end - at, on_field_parsed,
                           on_record_parsed, records);
    if (fed == end - at) {
        return true;
    }
    if (csv_error(&records->csv) == CSV_ENOMEM) {
        records->no_memory = true;
        return false;
    }
    return records->csv.quoted
               ? broken_at(records, "text-after-quote", "text behind a closing quote")
               : broken_at(records, "quote-in-field", "a quote inside unquoted text");
}

static bool check_record(struct records *records)
{
    char detail[RECORDS_DETAIL_BYTES];
    size_t count = records->record.fields_count;

    if (records->columns > 0 && count != records->columns) {
        snprintf(detail, sizeof detail, "the record has %zu fields instead of %zu", count,
                 records->columns);
        return broken(records, "field-count", detail);
    }
    if (count > records->limits->columns_max) {
        snprintf(detail, sizeof detail, "the record has %zu fields; at most %zu are taken", count,
                 records->limits->columns_max);
        return broken(records, "field-count", detail);
    }
    if (records->long_field > 0) {
        snprintf(detail, sizeof detail, "the field in column %zu is longer than %zu bytes",
                 records->long_field, records->limits->field_bytes_max);
        return broken(records, "field-too-long", detail);
    }
    return true;
}

// Says where the record at hand stands, which ends before `end`.
static void place_record(struct records *records, size_t end)
{
    records->record.line = records->record_line;
    records->record.offset = records->buffer_offset + records->record_at;
    records->record.raw =
        records_raw(records->buffer + records->record_at, end - records->record_at);
    records->record.fields = records->fields;
}

// Keeps the first line's text in `values`: the buffer may move when a long line is dropped.
static bool keep_raw(struct records *records, size_t end)
{
    size_t bytes = end - records->record_at;

    bytes = bytes < RECORDS_RAW_BYTES_MAX ? bytes : RECORDS_RAW_BYTES_MAX;
    if (!reserve_values(records, bytes)) {
        return false;
    }
    memcpy(records->values, records->buffer + records->record_at, bytes);
    records->record.raw = records_raw(records->values, bytes);
    return true;
}

static enum records_step out_of_memory(struct tally_err *err)
{
    err_set(err, TALLY_NO_MEMORY, "no memory for a record");
    return RECORDS_ERROR;
}

static enum records_step give_up_rereading(struct tally_err *err)
{
    err_set(err, TALLY_REFUSED,
            "too many quotes that are opened and never closed; is `quote = none` meant?");
    return RECORDS_ERROR;
}

// Gives the record back and starts afresh behind its first line. `end`: of what was fed or at
// hand; `last`: no line end follows.
static enum records_step give_broken(struct records *records, size_t end, bool last,
                                     struct tally_err *err)
{
    bool several_lines = records->second_at > 0;
    size_t first_end = several_lines ? records->second_at : end;

    place_record(records, first_end);
    if (!keep_raw(records, first_end)) {
        return out_of_memory(err);
    }
    if (several_lines) {
        records->reread_bytes += end - records->second_at;
        records->next_line = records->record_line + 1;
        move_back(records, records->second_at);
    } else if (last) {
        return RECORDS_CUT_SHORT;
    } else {
        records->next_at = end;
        records->next_line = records->record_line + 1;
    }
    restart_libcsv(records);
    uint64_t text_bytes = records->buffer_offset + records->end;
    uint64_t free_bytes = (uint64_t)records->limits->record_bytes_max * REREAD_RECORDS;
    if (records->reread_bytes > free_bytes + text_bytes * REREAD_FACTOR) {
        return give_up_rereading(err);
    }
    return RECORDS_BROKEN;
}

static enum records_step give_too_long(struct records *records, struct tally_err *err)
{
    char detail[RECORDS_DETAIL_BYTES];

    snprintf(detail, sizeof detail, "the record is longer than %zu bytes%s",
             records->limits->record_bytes_max,
             records->second_at > 0 ? ": a quote is opened and not closed" : "");
    broken(records, records->second_at > 0 ? "open-quote" : "record-too-long", detail);
    if (records->second_at > 0) {
        return give_broken(records, records->next_at, false, err);
    }
    // As much of it as is at hand whatever the blocks in which the text came.
    size_t end = records->record_at + records->limits->record_bytes_max;
    place_record(records, end);
    if (!keep_raw(records, end)) {
        return out_of_memory(err);
    }
    bool terminated;
    if (!drop_line(records, &terminated, err)) {
        return RECORDS_ERROR;
    }
    restart_libcsv(records);
    return terminated ? RECORDS_BROKEN : RECORDS_CUT_SHORT;
}

static enum records_step give_record(struct records *records, size_t end, struct tally_err *err)
{
    if (!check_record(records)) {
        return give_broken(records, end, records->record.unterminated, err);
    }
    place_record(records, end);
    records->next_at = end;
    return RECORDS_RECORD;
}

// The text ended: what libcsv holds is the last record, or the start of one.
static enum records_step finish(struct records *records, size_t end, bool unterminated,
                                struct tally_err *err)
{
    bool closed = csv_fini(&records->csv, on_field_parsed, on_record_parsed, records) == 0;
    if (closed && !records->record_ended) {
        return RECORDS_END; // nothing but blanks was left
    }
    if (!closed) {
        broken_at(records, "open-quote", "a quote is opened and never closed");
    }
    return closed ? give_record(records, end, err) : give_broken(records, end, unterminated, err);
}

static enum records_step next_record(struct records *records, struct tally_err *err)
{
    records_begin(records);
    if (records->plain) {
        enum plain_step step = plain_next(records, err);
        if (step != PLAIN_DOUBTFUL) {
            return step == PLAIN_RECORD ? RECORDS_RECORD : RECORDS_ERROR;
        }
    }
    for (;;) {
        size_t end = records->next_at;
        if (end >= records->stop && !records->csv.quoted) {
            return RECORDS_HELD;
        }
        enum line_step step = find_line(records, &end, err);
        if (step == LINE_ERROR) {
            return RECORDS_ERROR;
        }
        if (step == LINE_TOO_LONG) {
            return give_too_long(records, err);
        }
        if (step == LINE_NONE) {
            return finish(records, end, false, err);
        }
        bool unterminated = step == LINE_UNTERMINATED;
        if (!feed_line(records, end)) {
            return records->no_memory ? out_of_memory(err)
                                      : give_broken(records, end, unterminated, err);
        }
        if (unterminated) {
            return finish(records, end, true, err);
        }
        records->next_line++;
        if (records->record_ended) {
            return give_record(records, end, err);
        }
        records->next_at = end;
        if (!records->csv.quoted) {
            records_begin(records); // a blank line
        } else if (records->second_at == 0) {
            records->second_at = end;
        }
    }
}

// Of a record that the text at hand does not hold nothing has been read.
static enum records_step next_step(struct records *records, struct tally_err *err)
{
    size_t at = records->next_at;
    uint64_t line = records->next_line;

    if (at >= records->stop) {
        return RECORDS_HELD;
    }
    enum records_step step = next_record(records, err);
    if (step == RECORDS_ERROR && records->starved) {
        records_move(records, at, line);
        return RECORDS_HELD;
    }
    return step;
}

// Those that are plain come from `few`, `count_max` of them at most.
static enum records_step give(struct records *records, size_t count_max,
                              const struct record **out_records, size_t *out_count,
                              struct tally_err *err)
{
    if (!records->again && records->few_at == records->few_count) {
        records->few_at = 0;
        records->few_count = 0;
        records->step = next_step(records, err);
    }
    records->again = false;
    if (records->no_memory) {
        return out_of_memory(err);
    }
    size_t count = records->few_count - records->few_at;
    if (count == 0) {
        *out_records = &records->record;
        *out_count = 1;
        return records->step;
    }
    const struct record *first = &records->few[records->few_at];
    *out_records = first;
    *out_count = count < count_max ? count : count_max;
    records->few_at += *out_count;
    records->record_at = (size_t)(first->offset - records->buffer_offset);
    records->record_line = first->line;
    return RECORDS_RECORD;
}

enum records_step records_next(struct records *records, const struct record **out_record,
                               struct tally_err *err)
{
    size_t count;

    return give(records, 1, out_record, &count, err);
}

enum records_step records_next_few(struct records *records, const struct record **out_records,
                                   size_t *out_count, struct tally_err *err)
{
    return give(records, RECORDS_FEW_MAX, out_records, out_count, err);
}

uint64_t records_line(const struct records *records)
{
    return records->record_line;
}

// What was no record has been passed over already and stays as it was reported.
void records_again(struct records *records)
{
    if (records->step != RECORDS_RECORD) {
        records->again = true;
        return;
    }
    records->few_at = records->few_count;
    records_move(records, records->record_at, records->record_line);
}
