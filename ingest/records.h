// ingest/records.h - text in, CSV records out, each with its place.
//
// libcsv parses; this adds limits, exact places, and a fresh start after a broken record.
//
//   1  id,note            <- record: fed line by line until libcsv reports its end
//   2  7,"two            <- record begins at line 2 ...
//   3  lines"            <- ... and ends here
//   4  8,stray "quote    <- broken: reading starts afresh at line 5
//
// A record that breaks the rules is given back alone; reading starts afresh at the physical line
// after the one where that record began, so that a stray quote never costs its neighbours. For
// this the buffer holds the record at hand from its first line on.
#ifndef INGEST_RECORDS_H
#define INGEST_RECORDS_H

#include "ingest/decode.h"
#include "ingest/ingest.h"
#include "ingest/words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RECORDS_BYTES_HARD_MAX = 256 << 20,
    RECORDS_DETAIL_BYTES = 160,
    RECORDS_RAW_BYTES_MAX = 32 * 1024, // of a record that is set aside
    RECORDS_FEW_MAX = 16,              // records that are given together
};

struct records_dialect {
    unsigned char delimiter;
    bool quoted; // fields may stand within double quotes
};

struct record {
    uint64_t line;   // physical line where it begins, 1 = the first
    uint64_t offset; // of its first byte in the text
    struct text raw; // without its last line end; of a broken record its first line, maybe cut
    size_t fields_count;
    const struct text *fields; // by slot, see records_pick; all of them before it is called. Padded
    bool unterminated;         // the last record, without a line end
    const char *reason;        // of a broken record: code, static
    const char *detail;        // of a broken record, fewer than RECORDS_DETAIL_BYTES
};

enum records_step {
    RECORDS_RECORD,
    RECORDS_BROKEN, // the record breaks the rules; go on
    RECORDS_END,
    RECORDS_HELD, // while it is held: the text at hand is over, or the place to stop is reached
    RECORDS_CUT_SHORT, // the last record has no line end and breaks the rules, too
    RECORDS_ERROR,     // see err
};

struct records;

// `pull` gives the text. Limits used: field_bytes_max, record_bytes_max, columns_max.
// Errors: NULL, TALLY_NO_MEMORY, TALLY_INVALID for limits out of bounds.
struct records *records_open(struct records_dialect dialect, const struct ingest_limits *limits,
                             decode_pull *pull, void *context, struct tally_err *err);
void records_close(struct records *records); // NULL is allowed

// Passes over physical lines. False at the end of the text or on an error; then *out_ended says
// which.
bool records_skip_lines(struct records *records, size_t count, bool *out_ended,
                        struct tally_err *err);

// Memory: the record is valid until the next call.
enum records_step records_next(struct records *records, const struct record **out_record,
                               struct tally_err *err);

// The same, as many as are at hand: up to RECORDS_FEW_MAX that were read, or one of any other step.
enum records_step records_next_few(struct records *records, const struct record **out_records,
                                   size_t *out_count, struct tally_err *err);

// Physical line of the record at hand, for messages; of several the first.
uint64_t records_line(const struct records *records);

// The next records_next gives the record at hand once more. Requires: that one gave it, too.
void records_again(struct records *records);

// ---- text at hand, which several read ------------------------------------------------------

struct records_place {
    uint64_t offset; // in the text, where a record begins
    uint64_t line;   // that it begins in
};

// Where the next record begins that was not given. Requires: the last call gave all that were read
// together.
struct records_place records_place(const struct records *records);

// Pulls until `bytes` of text from there on are at hand, or no more can be had. What goes wrong is
// told when the text that is lacking is asked for. Returns how many are. `bytes_max`: the most that
// any call asks for, and what buffers are made for.
size_t records_fill(struct records *records, size_t bytes, size_t bytes_max);

// Reads so many bytes behind that text, while it is held: what records_fill will find there. Other
// calls may run on other threads meanwhile, but for those that pull. `bytes_max` as above.
void records_read_ahead(struct records *records, size_t bytes, size_t bytes_max);

// Until records_release the text at hand stays where it is: others may read it on other threads,
// and no record is given that begins at `stop` or behind it.
void records_hold(struct records *records, uint64_t stop);
void records_release(struct records *records);

// Goes on from a place that others found. Requires: not held, and a record begins there.
void records_go_on(struct records *records, struct records_place place);

// Others that read the same text with the same rules: columns, slots, limits. Errors: NULL,
// TALLY_NO_MEMORY.
struct records *records_open_beside(const struct records *records, struct tally_err *err);
// They begin at `place`, are held and never pull; good while `records` are held.
void records_begin_beside(struct records *beside, const struct records *records,
                          struct records_place place, uint64_t stop);

// The first place at `from` or behind it, and before `end`, where a record seems to begin: behind a
// line feed, and a record of as many columns follows. False: there is none. Only one who reads all
// text before it knows. Lines count from 1 there. `beside` are begun anew for it.
bool records_guess_beside(struct records *beside, const struct records *records, uint64_t from,
                          uint64_t end, struct records_place *out_place);

// From here on records must have `columns` fields, and field c goes to slot[c], or nowhere when
// that is negative. The slots are copied.
bool records_pick(struct records *records, const int32_t *slot, size_t columns, size_t slots,
                  struct tally_err *err);

#endif
