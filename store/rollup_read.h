// store/rollup_read.h - a rollup file, opened for reading.
//
//   rollup_open -> groups 0 .. G-1, sorted by their texts -> windows of any length, or the cells
//                  by day and the spans by first day, one after another
//
// docs/format.md is the layout. Opening maps the file and checks its header and the sections that
// figures come from: their checksums, and every offset and length that reading relies on; what is
// packed is checked as it is unpacked, so that no bytes make it read outside. Headline and
// provenance are checked when they are asked for, the rest by rollup_verify. The file is mapped
// privately; since tallyd replaces rollups by rename, an open one keeps its content.
//
// A large rollup has a patch beside it, which says what changed since it was written. Opened, the
// two are one rollup, with the groups, values, entries and digest of their sum.
//
// Files of format version 1 open as well: they are packed in memory first (rollup_v1.c).
//
// Threads: after opening, any number of threads may read; cursors and walks belong to one.
#ifndef STORE_ROLLUP_READ_H
#define STORE_ROLLUP_READ_H

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "store/entries.h"
#include "store/rollup_def.h"
#include "store/rollup_sums.h"

#include <stddef.h>
#include <stdint.h>

#define ROLLUP_ENDING ".rollup"
#define ROLLUP_PATCH_ENDING ".patch" // behind that of the base

struct rollup_coverage {
    bool any;
    int32_t first_day; // of all days that the feed ever reported on
    int32_t last_day;
};

struct rollup;

// The rollup of this name: a base alone, or added up with the patch beside it (PATH.patch), one
// state that was published. Errors: TALLY_NOT_FOUND, TALLY_IO, TALLY_CORRUPT naming the section,
// TALLY_UNSUPPORTED.
struct rollup *rollup_open(int dir_fd, const char *path, struct tally_err *err);
// Takes over malloc'ed bytes, also on failure.
struct rollup *rollup_open_memory(unsigned char *data, size_t bytes, struct tally_err *err);
// A base and its patch. TALLY_CORRUPT: they do not belong together.
struct rollup *rollup_open_memory_pair(unsigned char *base, size_t base_bytes, unsigned char *patch,
                                       size_t patch_bytes, struct tally_err *err);
void rollup_close(struct rollup *rollup); // NULL is allowed

const struct rollup_def *rollup_def(const struct rollup *rollup);
struct rollup_coverage rollup_coverage(const struct rollup *rollup, size_t feed);
uint64_t rollup_generation(const struct rollup *rollup);
struct digest rollup_digest(const struct rollup *rollup);
uint64_t rollup_bytes(const struct rollup *rollup);       // of the file, its patch included
uint64_t rollup_patch_bytes(const struct rollup *rollup); // 0: there is no patch
bool rollup_any_day(const struct rollup *rollup);
int32_t rollup_first_day(const struct rollup *rollup); // Requires: any_day
int32_t rollup_last_day(const struct rollup *rollup);  // last first_day or last_day of an incident

size_t rollup_groups(const struct rollup *rollup);
uint64_t rollup_cells(const struct rollup *rollup);
uint64_t rollup_spans(const struct rollup *rollup);

// ---- Values: the distinct texts of a dimension, sorted by bytes ----
size_t rollup_values(const struct rollup *rollup, size_t dim);
// Copies a value, or as much as fits in `capacity` bytes, not terminated. Returns its whole length.
size_t rollup_value(const struct rollup *rollup, size_t dim, size_t value, char *out_text,
                    size_t capacity);
bool rollup_find_value(const struct rollup *rollup, size_t dim, const char *text, size_t bytes,
                       uint32_t *out_value);

// All values of a dimension, unpacked. Cost: all of them; the caller's memory, some ten times as
// fast a value as rollup_value.
struct rollup_texts {
    char *data;
    size_t *end; // of each text in data; text i starts where text i - 1 ends
    size_t count;
};
bool rollup_texts_init(struct rollup_texts *texts, const struct rollup *rollup, size_t dim,
                       struct tally_err *err);
void rollup_texts_done(struct rollup_texts *texts);
// Not terminated; lives as long as `texts`.
const char *rollup_texts_get(const struct rollup_texts *texts, size_t value, size_t *out_bytes);

// ---- Groups: one value of each dimension ----
// Shape: dims_count values each.
void rollup_group_values(const struct rollup *rollup, size_t group, uint32_t *out_values);
// [groups][dims_count]. Cost: a few ns a value, far less than group by group.
void rollup_all_values(const struct rollup *rollup, uint32_t *out_values);
// The group with these values; -1: there is none.
int64_t rollup_find_group(const struct rollup *rollup, const uint32_t *values);

// ---- Windows ----
// Where the last look-up stood: makes that of the next group cheaper. Start with a zeroed one.
struct rollup_cursor {
    struct entries_cursor cells;
    struct entries_cursor spans;
};

// Adds a group's window first_day .. last_day (both ends included) to `sums`. `cursor` may be NULL.
// Errors: TALLY_CORRUPT; sums are of no use then.
bool rollup_add_window(const struct rollup *rollup, struct rollup_cursor *cursor, size_t group,
                       enum basis basis, int32_t first_day, int32_t last_day,
                       struct rollup_sums *sums, struct tally_err *err);

// ---- Cells and spans as they are, oldest first ----
enum rollup_walk_over { ROLLUP_WALK_CELLS, ROLLUP_WALK_SPANS };
struct rollup_walk;
struct rollup_walk *rollup_walk_open(const struct rollup *rollup, enum rollup_walk_over over,
                                     struct tally_err *err);
void rollup_walk_close(struct rollup_walk *walk); // NULL is allowed
// Starts on a group.
void rollup_walk_group(struct rollup_walk *walk, size_t group);
// False with err->code TALLY_OK: the group has no more. Errors: TALLY_CORRUPT.
bool rollup_walk_next(struct rollup_walk *walk, struct rollup_entry *out, struct tally_err *err);

// ---- Provenance: how many batches made it, and the last ones, oldest first ----
enum { ROLLUP_SOURCES_MAX = 100 };
struct rollup_source {
    uint64_t batch;
    int64_t time_ms; // since 1970, UTC
    struct digest digest;
    const char *feed; // not terminated; of the rollup
    size_t feed_bytes;
    const char *file;
    size_t file_bytes;
};
struct rollup_provenance {
    uint64_t batches;
    size_t sources;
    struct rollup_source source[ROLLUP_SOURCES_MAX];
};
bool rollup_provenance(const struct rollup *rollup, struct rollup_provenance *out,
                       struct tally_err *err);

// How many bytes of the file a section takes, by its name in docs/format.md: "cells". 0: unknown.
uint64_t rollup_section_bytes(const struct rollup *rollup, const char *name);

// Every checksum, the order of everything, the headline and the content digest, recomputed.
bool rollup_verify(const struct rollup *rollup, struct tally_err *err);

#endif
