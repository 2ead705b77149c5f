// ingest/records_plain.c - records whose structure proves what libcsv would say of them.
//
//   buffer   ...|<- window, divided by split.h ->|...
//                rec  rec  rec  ?  rec  rec  re       one after the other, each checked here
//                               |
//                               libcsv; behind it the window serves on if both see an end there
//
// A record is plain if it holds nothing doubtful, has as many fields as it should, and is shorter
// than any limit; and if no field that is wanted has doubled quotes. Anything else is left to
// libcsv, whose word is what a file means.
#include "ingest/records_private.h"

#include <stdlib.h>
#include <string.h>

struct plain {
    size_t columns;
    size_t bytes_max; // of a record
    uint32_t *column; // by slot
    size_t slots;
    struct text *fields; // of the few records that are given together, by slot

    uint64_t offset;   // in the text, of the window's first byte
    size_t bytes;      // of the window
    size_t bytes_next; // how many the next one may have
    size_t record;     // the next one of the window, as split.ends counts them
    size_t begin;      // its first field, as split.begins counts them
    size_t mark;       // the first mark that is not before it
    struct split split;
};

struct plain *plain_open(struct records_dialect dialect, const int32_t *slot, size_t columns,
                         size_t slots, size_t bytes_max, struct tally_err *err)
{
    struct plain *plain = malloc(sizeof *plain);
    uint32_t *column = calloc(slots + 1, sizeof *column);
    struct text *fields = calloc(RECORDS_FEW_MAX * slots + 1, sizeof *fields);

    if (!plain || !column || !fields) {
        free(plain);
        free(column);
        free(fields);
        err_set(err, TALLY_NO_MEMORY, "no memory for %zu columns", columns);
        return NULL;
    }
    plain->columns = columns;
    plain->bytes_max = bytes_max;
    for (size_t i = 0; i < columns; i++) {
        if (slot[i] >= 0) {
            column[slot[i]] = (uint32_t)i;
        }
    }
    plain->column = column;
    plain->slots = slots;
    plain->fields = fields;
    plain->offset = 0;
    plain->bytes = 0;
    plain->bytes_next = 0;
    plain->split.delimiter = (char)dialect.delimiter;
    plain->split.quoted = dialect.quoted;
    plain->split.begins[0] = 0;
    plain->split.ends_count = 0;
    plain->split.marks_count = 0;
    plain->record = 0;
    plain->begin = 0;
    plain->mark = 0;
    return plain;
}

void plain_close(struct plain *plain)
{
    if (plain) {
        free(plain->column);
        free(plain->fields);
        free(plain);
    }
}

// --- the window ---

static void pass_record(struct plain *plain)
{
    plain->begin = plain->split.ends[plain->record++];
}

// Whether the window has a record that begins at `offset`, and goes there.
static bool find_record(struct plain *plain, uint64_t offset)
{
    const struct split *split = &plain->split;
    uint64_t at = offset - plain->offset;

    if (offset < plain->offset || at > plain->bytes || at < split->begins[plain->begin]) {
        return false;
    }
    while (split->begins[plain->begin] < at && plain->record < split->ends_count) {
        pass_record(plain);
    }
    while (plain->mark < split->marks_count && split->marks[plain->mark] >> 1 < at) {
        plain->mark++;
    }
    return split->begins[plain->begin] == at && plain->record < split->ends_count;
}

// Divides what begins with the record at hand. *out_all: to the end of what is at hand.
static void divide(struct records *records, bool *out_all)
{
    struct plain *plain = records->plain;
    size_t left = records->end - records->record_at;

    plain->offset = records->buffer_offset + records->record_at;
    if (plain->bytes_next > SPLIT_BYTES_MAX) {
        plain->bytes_next = SPLIT_BYTES_MAX;
    }
    plain->bytes = left < plain->bytes_next ? left : plain->bytes_next;
    records->code->run(&plain->split, records->buffer + records->record_at, plain->bytes);
    plain->record = 0;
    plain->begin = 0;
    plain->mark = 0;
    *out_all = plain->bytes == left;
}

static bool is_doubtful(const struct split *split)
{
    for (size_t i = 0; i < split->marks_count; i++) {
        if (split->marks[i] & 1) {
            return true;
        }
    }
    return false;
}

// A window that holds the whole record at hand.
static enum plain_step find_window(struct records *records, struct tally_err *err)
{
    struct plain *plain = records->plain;
    uint64_t offset = records->buffer_offset + records->record_at;
    bool all = false;

    // Where the one before was of no use up to its end, little is divided in vain.
    bool used = plain->bytes > 0 && offset >= plain->offset + plain->bytes / 2;
    plain->bytes_next = used ? plain->bytes_next * 2 : records->window_bytes;
    for (;;) {
        divide(records, &all);
        if (plain->split.ends_count > 0) {
            return PLAIN_RECORD;
        }
        if (is_doubtful(&plain->split) || (all && records->pull_ended) ||
            plain->bytes == SPLIT_BYTES_MAX || plain->bytes > records->limits->record_bytes_max) {
            return PLAIN_DOUBTFUL;
        }
        if (!all) {
            plain->bytes_next *= 2;
        } else if (!records_pull(records, err)) {
            return PLAIN_ERROR;
        }
    }
}

// --- records ---

// Counts the physical lines of the next record, which ends before `end`, and passes over its marks.
// False: it holds something doubtful.
static bool count_lines(struct plain *plain, size_t end, uint64_t *out_lines)
{
    const struct split *split = &plain->split;
    size_t mark = plain->mark;
    bool doubtful = false;
    uint64_t lines = 1;

    for (; mark < split->marks_count && split->marks[mark] >> 1 < end; mark++) {
        doubtful = doubtful || split->marks[mark] & 1;
        lines++;
    }
    plain->mark = doubtful ? plain->mark : mark;
    *out_lines = lines;
    return !doubtful;
}

static struct text trim_blanks(struct text text)
{
    while (text.bytes > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
        text.at++;
        text.bytes--;
    }
    while (text.bytes > 0 && (text.at[text.bytes - 1] == ' ' || text.at[text.bytes - 1] == '\t')) {
        text.bytes--;
    }
    return text;
}

// A field that is quoted, or has blanks or a CR on either side. False: quotes are doubled within
// it.
__attribute__((noinline)) static bool take_odd_field(const struct plain *plain, size_t slot,
                                                     struct text *field)
{
    bool last = plain->column[slot] + 1 == plain->columns;
    struct text text = *field;

    text.bytes -= last && text.bytes > 0 && text.at[text.bytes - 1] == '\r';
    if (text.bytes > 0 && plain->split.quoted && text.at[0] == '"') { // and the last byte closes it
        *field = (struct text){.at = text.at + 1, .bytes = text.bytes - 2};
        return !memchr(field->at, '"', field->bytes);
    }
    *field = trim_blanks(text);
    return true;
}

// Of an empty field the byte behind it is looked at twice, so that it costs no decision.
static inline bool is_odd(const char *at, size_t bytes)
{
    return (unsigned char)at[0] <= '"' || (unsigned char)at[bytes - (bytes > 0)] <= ' ';
}

// What the fields are worth. False: quotes are doubled within one.
static inline bool take_fields(const struct plain *plain, const char *window,
                               const uint16_t *begins, struct text *fields)
{
    const uint32_t *column = plain->column;
    size_t slots = plain->slots;
    bool taken = true;

    for (size_t i = 0; i < slots; i++) {
        const uint16_t *begin = &begins[column[i]];
        const char *at = window + begin[0];
        size_t bytes = begin[1] - (size_t)1 - begin[0];
        fields[i] = (struct text){.at = at, .bytes = bytes};
        if (is_odd(at, bytes)) {
            taken = take_odd_field(plain, i, &fields[i]) && taken;
        }
    }
    return taken;
}

// Takes the window's next record, as far as it is plain.
static inline bool take_record(struct plain *plain, const char *window, struct text *fields,
                               uint64_t line, struct record *out, uint64_t *out_lines)
{
    const struct split *split = &plain->split;
    const uint16_t *begins = split->begins + plain->begin;
    size_t columns = split->ends[plain->record] - plain->begin;
    size_t begin = begins[0];
    size_t end = begins[columns];

    if (columns != plain->columns || end - begin > plain->bytes_max ||
        !count_lines(plain, end, out_lines) || !take_fields(plain, window, begins, fields)) {
        return false;
    }
    *out = (struct record){
        .line = line,
        .offset = plain->offset + begin,
        .raw = records_raw(window + begin, end - begin),
        .fields_count = columns,
        .fields = fields,
    };
    pass_record(plain);
    return true;
}

enum plain_step plain_next(struct records *records, struct tally_err *err)
{
    struct plain *plain = records->plain;

    if (!find_record(plain, records->buffer_offset + records->record_at)) {
        enum plain_step step = find_window(records, err);
        if (step != PLAIN_RECORD) {
            return step;
        }
    }
    const char *window = records->buffer + (plain->offset - records->buffer_offset);
    struct text *fields = plain->fields;
    uint64_t line = records->next_line;
    uint64_t lines;
    size_t count = 0;
    size_t stop = records->stop - (size_t)(window - records->buffer);
    while (count < RECORDS_FEW_MAX && plain->record < plain->split.ends_count &&
           plain->split.begins[plain->begin] < stop &&
           take_record(plain, window, fields, line, &records->few[count], &lines)) {
        fields += plain->slots;
        line += lines;
        count++;
    }
    records->few_count = count;
    records->next_line = line;
    records->next_at = (size_t)(window - records->buffer) + plain->split.begins[plain->begin];
    return count > 0 ? PLAIN_RECORD : PLAIN_DOUBTFUL;
}
