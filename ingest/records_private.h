// ingest/records_private.h - what records.c and records_plain.c share.
//
//   records.c        the buffer, and records as libcsv reads them: what a file means
//   records_plain.c  the same records, found by their structure alone where that is proven
//   records_ahead.c  text that is at hand, and others that read it further on
#ifndef INGEST_RECORDS_PRIVATE_H
#define INGEST_RECORDS_PRIVATE_H

#include "ingest/records.h"
#include "ingest/split.h"

#include <csv.h>

struct plain;
struct records_ahead;

// Where the next byte of one kind stands: no such byte lies between the last question and `at`.
struct seeker {
    char byte;
    size_t at; // in the buffer, or its end when there is none
};

struct records {
    struct records_dialect dialect;
    const struct ingest_limits *limits;
    decode_pull *pull;
    void *context;
    struct csv_parser csv;

    char *buffer;
    size_t capacity;
    size_t end;                  // of the text in the buffer
    uint64_t buffer_offset;      // of the buffer's first byte in the text
    bool pull_ended;             // there is no more text
    bool lent;                   // the buffer is that of other records
    bool held;                   // the text at hand stays where it is, and no more is pulled
    bool starved;                // for that reason
    size_t stop;                 // a record that would begin here or behind it is not given
    bool failed;                 // a pull ahead, by `late`: told when its text would be needed
    struct tally_err late;       //
    struct records_ahead *ahead; // text behind that at hand, or NULL
    struct seeker line_feed;
    struct seeker carriage_return;
    struct seeker nul;

    size_t record_at; // first byte of the record at hand
    size_t second_at; // first byte of its second line
    size_t next_at;   // first byte that was not fed yet
    uint64_t record_line;
    uint64_t next_line;
    uint64_t reread_bytes; // fed to libcsv beyond the first time

    int32_t *slot; // by column; NULL: every field is kept, in order
    size_t slots;
    size_t columns; // that a record must have; 0: any number
    size_t field_bytes_max;
    struct text *fields; // by slot, in values
    size_t fields_capacity;
    char *values;
    size_t values_count;
    size_t values_capacity;
    bool record_ended;
    bool no_memory;
    size_t long_field; // its column number, or 0

    struct plain *plain; // NULL: libcsv reads everything
    const struct split_code *code;
    size_t window_bytes;                // the least that is divided at once; tests make it small
    struct record few[RECORDS_FEW_MAX]; // plain ones, which are given next
    size_t few_at;
    size_t few_count;
    enum records_step step; // of the record at hand
    bool again;             // it is to be given once more
    struct record record;   // of libcsv
    char detail[RECORDS_DETAIL_BYTES];
};

// ---- records.c ----------------------------------------------------------------------------

// Begins the record at next_at.
void records_begin(struct records *records);

// Goes to where a record begins, with a fresh start.
void records_move(struct records *records, size_t at, uint64_t line);

// Room for so many more bytes of text. The buffer may move, as with records_pull.
bool records_reserve(struct records *records, size_t bytes, struct tally_err *err);

// ---- records_ahead.c ----------------------------------------------------------------------

// Adds text that was read ahead to that at hand. *out_any: there was some, or its end.
bool records_append_ahead(struct records *records, bool *out_any, struct tally_err *err);
void records_close_ahead(struct records_ahead *ahead); // NULL is allowed

// Adds text to the buffer; pull_ended when there is no more. The buffer may move, and so may what
// lies in it; the record at hand stays in it.
bool records_pull(struct records *records, struct tally_err *err);

// A record without its line end.
static inline struct text records_raw(const char *at, size_t bytes)
{
    bytes -= bytes > 0 && at[bytes - 1] == '\n';
    bytes -= bytes > 0 && at[bytes - 1] == '\r';
    return (struct text){.at = at, .bytes = bytes};
}

// ---- records_plain.c ----------------------------------------------------------------------

enum plain_step {
    PLAIN_RECORD,
    PLAIN_DOUBTFUL, // libcsv has to say
    PLAIN_ERROR,    // see err
};

// NULL: TALLY_NO_MEMORY. `slot`: as in records_pick. Of a longer record than `bytes_max` libcsv
// says what it is.
struct plain *plain_open(struct records_dialect dialect, const int32_t *slot, size_t columns,
                         size_t slots, size_t bytes_max, struct tally_err *err);
void plain_close(struct plain *plain); // NULL is allowed

// The record that was begun, if it is plain, and plain ones that follow: records->few. Pulls text
// only where libcsv would, too.
enum plain_step plain_next(struct records *records, struct tally_err *err);

#endif
