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

struct pick {
    uint32_t column;
    uint32_t slot;
};

struct plain {
    size_t columns;
    struct pick *picks; // fields that are wanted
    size_t picks_count;

    uint64_t offset;   // in the text, of the window's first byte
    size_t bytes;      // of the window
    size_t bytes_next; // how many the next one may have
    size_t record;     // the next one of the window, as split.ends counts them
    size_t begin;      // its first field, as split.begins counts them
    size_t mark;       // the first mark that is not before it
    struct split split;
};

struct plain *plain_open(struct records_dialect dialect, const int32_t *slot, size_t columns,
                         struct tally_err *err)
{
    struct plain *plain = malloc(sizeof *plain);
    struct pick *picks = malloc(columns * sizeof *picks + 1);

    if (!plain || !picks) {
        free(plain);
        free(picks);
        err_set(err, TALLY_NO_MEMORY, "no memory for %zu columns", columns);
        return NULL;
    }
    plain->columns = columns;
    plain->picks = picks;
    plain->picks_count = 0;
    for (size_t i = 0; i < columns; i++) {
        if (slot[i] >= 0) {
            picks[plain->picks_count++] =
                (struct pick){.column = (uint32_t)i, .slot = (uint32_t)slot[i]};
        }
    }
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
        free(plain->picks);
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

// --- the record ---

// Counts the physical lines of the record at hand. False: it holds something doubtful.
static bool count_lines(const struct plain *plain, size_t end, uint64_t *out_lines)
{
    const struct split *split = &plain->split;
    bool doubtful = false;
    uint64_t lines = 1;

    for (size_t i = plain->mark; i < split->marks_count; i++) {
        uint16_t mark = split->marks[i];
        if (mark >> 1 >= end) {
            break;
        }
        doubtful = doubtful || mark & 1;
        lines++;
    }
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

// What a field is worth. False: quotes are doubled within it.
static inline bool take_field(const char *at, size_t bytes, bool quoted, struct text *out)
{
    if (bytes > 0 && quoted && at[0] == '"') { // and the last byte is the quote that closes it
        *out = (struct text){.at = at + 1, .bytes = bytes - 2};
        return !memchr(out->at, '"', out->bytes);
    }
    *out = (struct text){.at = at, .bytes = bytes};
    if (bytes > 0 && ((unsigned char)at[0] <= ' ' || (unsigned char)at[bytes - 1] <= ' ')) {
        *out = trim_blanks(*out);
    }
    return true;
}

static bool take_fields(struct records *records)
{
    const struct plain *plain = records->plain;
    const uint16_t *begins = plain->split.begins + plain->begin;
    const char *window = records->buffer + (plain->offset - records->buffer_offset);
    // Apart from what is written, so that none of it is looked up again for each field.
    const struct pick *picks = plain->picks;
    struct text *fields = records->fields;
    size_t count = plain->picks_count;
    size_t last = plain->columns - 1;
    bool quoted = plain->split.quoted;
    bool taken = true;

    for (size_t i = 0; i < count; i++) {
        size_t column = picks[i].column;
        const char *at = window + begins[column];
        size_t bytes = begins[column + 1] - (size_t)1 - begins[column];
        bytes -= column == last && bytes > 0 && at[bytes - 1] == '\r';
        taken = take_field(at, bytes, quoted, &fields[picks[i].slot]) && taken;
    }
    return taken;
}

enum plain_step plain_next(struct records *records, struct tally_err *err)
{
    struct plain *plain = records->plain;
    uint64_t lines;

    if (!find_record(plain, records->buffer_offset + records->record_at)) {
        enum plain_step step = find_window(records, err);
        if (step != PLAIN_RECORD) {
            return step;
        }
    }
    size_t begin = plain->split.begins[plain->begin];
    size_t end = plain->split.begins[plain->split.ends[plain->record]];
    size_t columns = plain->split.ends[plain->record] - plain->begin;
    if (!count_lines(plain, end, &lines) || columns != plain->columns ||
        end - begin > records->limits->record_bytes_max ||
        end - begin > records->limits->field_bytes_max || !take_fields(records)) {
        return PLAIN_DOUBTFUL;
    }
    pass_record(plain);
    records->record.fields_count = columns;
    records->next_at += end - begin;
    records->next_line += lines;
    records_place(records, records->next_at);
    return PLAIN_RECORD;
}
