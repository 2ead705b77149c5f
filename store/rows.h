// store/rows.h - one chunk of mapped rows, as ingest hands it to the store.
//
//   row[0] { id, days, revision }   dims[0 * D ..]   measures[0 * M ..]
//   row[1] { id, days, revision }   dims[1 * D ..]   measures[1 * M ..]      D, M: of the shape
//
// Dimension values are codes that count up from 0 for each dimension of one file. The text
// behind a new code stands in `new_texts` of the chunk that uses it first, in order of code;
// code 0 of every dimension is the empty text (unknown) and is never listed.
//
// Texts are spans of `texts`, so that a chunk can be moved between threads by pointer.
// Memory: a chunk is reused: rows_clear keeps its buffers.
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/revision.h"
#include "store/shape.h"

#include <stddef.h>
#include <stdint.h>

struct rows_span {
    uint32_t at; // offset in texts
    uint32_t bytes;
};

enum rows_op {
    ROWS_PUT,      // this is the incident
    ROWS_WITHDRAW, // a deletions file lists this id
    ROWS_KEEP,     // a rejected row of a snapshot whose id could be read: do not withdraw it
};

struct row {
    enum rows_op op;
    struct rows_span id;
    uint64_t record; // in the file, 1 = the first after the header
    uint64_t line;   // physical line where the record begins, 1 = first of the file
    int32_t first_day;
    int32_t last_day;
    enum revision_kind revision_kind;
    int64_t revision_number;
    struct rows_span revision_text;
    uint64_t reported; // bit m: measure m was given
};

struct rows_new_text {
    uint32_t dim;
    struct rows_span text;
};

// A row that was set aside.
struct rows_reject {
    uint64_t record;
    uint64_t line;
    uint64_t offset;         // of the record's first byte in the (inflated) file
    const char *reason;      // code, static: "date-unreadable"
    struct rows_span detail; // what exactly is wrong, for people
    struct rows_span raw;    // the record's bytes, without its line end, maybe cut
};

struct rows {
    const struct shape *shape; // of the file
    struct bytes texts;
    struct row *row;
    uint32_t *dims;    // [count][shape->dims_count]
    int64_t *measures; // [count][shape->measures_count]; 0 where not reported
    size_t count;
    size_t capacity;
    struct rows_new_text *new_texts;
    size_t new_texts_count;
    size_t new_texts_capacity;
    struct rows_reject *rejects;
    size_t rejects_count;
    size_t rejects_capacity;
};

void rows_init(struct rows *rows);
void rows_done(struct rows *rows);
void rows_clear(struct rows *rows, const struct shape *shape);

// Copies a text into the chunk. Errors: TALLY_NO_MEMORY; TALLY_LIMIT beyond 1 GiB of texts.
bool rows_add_text(struct rows *rows, const char *text, size_t bytes, struct rows_span *out,
                   struct tally_err *err);
const char *rows_text(const struct rows *rows, struct rows_span span);

// Appends one zeroed row with zeroed dims and measures. NULL: TALLY_NO_MEMORY.
struct row *rows_add(struct rows *rows, struct tally_err *err);
// The same with these dims and measures, zeros for NULL; every member of the row is for the caller
// to set.
struct row *rows_add_of(struct rows *rows, const uint32_t *dims, const int64_t *measures,
                        struct tally_err *err);
bool rows_add_new_text(struct rows *rows, uint32_t dim, struct rows_span text,
                       struct tally_err *err);
struct rows_reject *rows_add_reject(struct rows *rows, struct tally_err *err);

uint32_t *rows_dims(const struct rows *rows, size_t index);
int64_t *rows_measures(const struct rows *rows, size_t index);
struct revision rows_revision(const struct rows *rows, size_t index);

// About how much memory the content takes.
size_t rows_bytes(const struct rows *rows);

#endif
