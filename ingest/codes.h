// ingest/codes.h - the texts of a file's dimensions and their codes.
//
//   records at hand    Syria,Homs   Chad,Sila   Syria,Idlib     few at once (records_next_few)
//                        |    |       |    |      |    |
//   looked up            1    1       2    2      1    absent   together, dimension by dimension
//   asked for            1    1       2    2      1    3        in turn: what is new gets a code
//   then
//
// Codes count up from 1 for each dimension, in the order of the records that were mapped. Texts
// that mean nothing, as the feed lists them, have code 0.
#ifndef INGEST_CODES_H
#define INGEST_CODES_H

#include "ingest/header.h"
#include "store/rows.h"

struct codes;

// `feed` and `binding` have to outlive it. All texts together take at most `bytes_max`.
// Errors: NULL, TALLY_NO_MEMORY.
struct codes *codes_open(const struct feed *feed, const struct header_binding *binding,
                         size_t bytes_max, struct tally_err *err);
void codes_close(struct codes *codes); // NULL is allowed

// Looks up the texts of a few records, RECORDS_FEW_MAX at most, which stay valid while their codes
// are asked for.
void codes_begin(struct codes *codes, const struct record *records, size_t count);

// Codes of one of these records, by dimension, valid until codes_begin. New texts go to `chunk`.
// NULL: *out_dim has the text *out_text, which is not UTF-8; or out_text->at is NULL:
// TALLY_NO_MEMORY, TALLY_LIMIT beyond bytes_max.
const uint32_t *codes_of(struct codes *codes, size_t record, struct rows *chunk, size_t *out_dim,
                         struct text *out_text, struct tally_err *err);

// ---- chunks that were mapped elsewhere --------------------------------------------------------

// What codes that others gave in the same file are here. Zeroed at first.
struct codes_alias {
    struct {
        uint32_t *code; // by theirs
        uint32_t count;
        uint32_t capacity;
    } dim[SHAPE_DIMS_MAX];
};
void codes_alias_done(struct codes_alias *alias); // of their next codes nothing is known

// Whether the new texts of a chunk are few beside what bytes_max leaves.
bool codes_have_room(const struct codes *codes, const struct rows *chunk);

// A chunk of theirs becomes one of ours: its rows get our codes, and of its new texts those stay
// listed that are new here. Requires: room, and all their chunks before were taken.
// Errors: TALLY_NO_MEMORY, TALLY_LIMIT.
bool codes_take(struct codes *codes, struct codes_alias *alias, struct rows *chunk,
                struct tally_err *err);

#endif
