// store/rollup_read.h - a rollup file, opened for reading.
//
//   rollup_open -> groups 0 .. G-1, sorted by their texts -> cells by day, spans by first day
//
// docs/format.md is the layout. A rollup that opened is safe to read to the last byte: all offsets
// were checked then, and so were the checksums of everything but provenance. The file is mapped
// privately; since tallyd replaces rollups by rename, an open one keeps its content.
//
// Threads: after opening, any number of threads may read.
#ifndef STORE_ROLLUP_READ_H
#define STORE_ROLLUP_READ_H

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "store/rollup_def.h"

#include <stddef.h>
#include <stdint.h>

enum basis {
    BASIS_START,   // first day in the window
    BASIS_END,     // last day in the window
    BASIS_OVERLAP, // any day in the window
    BASIS_INSIDE,  // all days in the window
};
const char *basis_name(enum basis basis);
bool basis_parse(const char *text, enum basis *out_basis);

// Exact sums: at most 2^63 int64 values fit in 128 bits.
struct rollup_measure_sum {
    bytes_i128 sum;
    uint64_t reported; // how many incidents gave this measure
};
struct rollup_sums {
    uint64_t incidents;
    struct rollup_measure_sum measure[ROLLUP_MEASURES_MAX]; // the first measures_count count
};

struct rollup_coverage {
    bool any;
    int32_t first_day; // of all days that the feed ever reported on
    int32_t last_day;
};

// The batches that made the rollup: the last ones, oldest first.
struct rollup_source {
    uint64_t batch;
    int64_t time_ms; // since 1970, UTC
    struct digest digest;
    const char *feed; // not terminated
    size_t feed_bytes;
    const char *file;
    size_t file_bytes;
};

struct rollup;

// Errors: TALLY_NOT_FOUND, TALLY_IO, TALLY_CORRUPT naming the section, TALLY_UNSUPPORTED.
struct rollup *rollup_open(int dir_fd, const char *path, struct tally_err *err);
// Takes over malloc'ed bytes, also on failure.
struct rollup *rollup_open_memory(unsigned char *data, size_t bytes, struct tally_err *err);
void rollup_close(struct rollup *rollup); // NULL is allowed

const struct rollup_def *rollup_def(const struct rollup *rollup);
struct rollup_coverage rollup_coverage(const struct rollup *rollup, size_t feed);
uint64_t rollup_generation(const struct rollup *rollup);
struct digest rollup_digest(const struct rollup *rollup);
uint64_t rollup_bytes(const struct rollup *rollup);
bool rollup_any_day(const struct rollup *rollup);
int32_t rollup_first_day(const struct rollup *rollup); // Requires: any_day
int32_t rollup_last_day(const struct rollup *rollup);  // last first_day or last_day of an incident

size_t rollup_groups(const struct rollup *rollup);
uint64_t rollup_cells(const struct rollup *rollup);
uint64_t rollup_spans(const struct rollup *rollup);

// Text of dimension `dim` of a group; not terminated, lives as long as the rollup.
const char *rollup_text(const struct rollup *rollup, size_t group, size_t dim, size_t *out_bytes);
// The group with these texts, in order of the dimensions; -1: there is none.
int64_t rollup_find_group(const struct rollup *rollup, const char *const *texts,
                          const size_t *texts_bytes);
// The distinct values of a dimension, sorted by bytes.
size_t rollup_values(const struct rollup *rollup, size_t dim);
const char *rollup_value(const struct rollup *rollup, size_t dim, size_t value, size_t *out_bytes);
// Position of a group's text among them.
uint32_t rollup_group_value(const struct rollup *rollup, size_t group, size_t dim);

// Adds a group's window first_day .. last_day (both ends included) to `sums`.
void rollup_add_window(const struct rollup *rollup, size_t group, enum basis basis,
                       int32_t first_day, int32_t last_day, struct rollup_sums *sums);

// One cell or span as it is stored.
void rollup_group_cells(const struct rollup *rollup, size_t group, uint64_t *out_first,
                        uint64_t *out_count);
int32_t rollup_cell(const struct rollup *rollup, uint64_t cell, struct rollup_sums *out_sums);
void rollup_group_spans(const struct rollup *rollup, size_t group, uint64_t *out_first,
                        uint64_t *out_count);
void rollup_span(const struct rollup *rollup, uint64_t span, int32_t *out_first_day,
                 int32_t *out_last_day, struct rollup_sums *out_sums);

// Provenance. Total number of batches, and the last ones in full.
uint64_t rollup_batches(const struct rollup *rollup);
size_t rollup_sources(const struct rollup *rollup);
struct rollup_source rollup_source(const struct rollup *rollup, size_t index);

// Every checksum, the order of everything, the headline and the content digest, recomputed.
bool rollup_verify(const struct rollup *rollup, struct tally_err *err);

#endif
