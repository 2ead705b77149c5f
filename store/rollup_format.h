// store/rollup_format.h - numbers of the rollup file, version 2 (docs/format.md tells it in full).
//
//   [header 64][section table 32 each][checksum 8] [section]... [magic 8]      little-endian
//
// Private to store/: shared by the files that write and read it.
#ifndef STORE_ROLLUP_FORMAT_H
#define STORE_ROLLUP_FORMAT_H

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "store/dictionary.h"
#include "store/entries.h"
#include "store/rollup_read.h"

#define ROLLUP_MAGIC "\x89TALLY\r\n"
#define ROLLUP_PATCH_MAGIC "\x89TALPT\r\n"

enum {
    ROLLUP_V1 = 1, // read, no longer written
    ROLLUP_MAJOR = 2,
    ROLLUP_MINOR = 0,
    ROLLUP_MAGIC_BYTES = 8,
    ROLLUP_HEADER_BYTES = 64,
    ROLLUP_TABLE_ENTRY_BYTES = 32,
    ROLLUP_ALIGNMENT = 8,
    ROLLUP_SECTIONS_MAX = 64,
};

enum rollup_section {
    ROLLUP_SCHEMA = 1,
    ROLLUP_DICTIONARY = 2,
    ROLLUP_GROUPS = 3,
    ROLLUP_HEADLINE = 4,
    ROLLUP_CELLS = 5,
    ROLLUP_SPANS = 6,
    ROLLUP_PROVENANCE = 7,
};

// ---- writing ------------------------------------------------------------------------------

// What a rollup file is made of. Groups are sorted by their values, values by their texts' bytes.
struct rollup_content {
    const struct rollup_def *def;
    struct rollup_coverage coverage[ROLLUP_FEEDS_MAX];
    const struct dictionary_text *texts[ROLLUP_DIMS_MAX];
    uint32_t texts_count[ROLLUP_DIMS_MAX];
    const uint32_t *values;       // [groups][dims]
    struct entries_source source; // of cells and spans; `spans` is set as they are asked for
    uint64_t generation;
    uint64_t batches;
    const struct rollup_source *sources;
    size_t sources_count;
};

// First and last day of any incident (1 and 0 when there is none), and how many entries begin
// or end on them: while any does, entries may come and go without looking at all others.
struct rollup_days {
    int32_t first_day;
    int32_t last_day;
    uint64_t first_count;
    uint64_t last_count;
};
void rollup_days_add(struct rollup_days *days, int32_t first_day, int32_t last_day);
void rollup_days_join(struct rollup_days *days, const struct rollup_days *more);

// What the content digest adds up.
struct rollup_digest_sums {
    struct digest cells;
    struct digest spans;
};

// What is known of a file that was made: a patch of it goes on from there.
struct rollup_made {
    uint64_t frame; // the checksum behind its section table
    uint64_t cells;
    uint64_t spans;
    struct rollup_days days;
    struct rollup_digest_sums sums;
};

// The file, complete. `out_made` may be NULL. Errors: TALLY_NO_MEMORY.
bool rollup_encode(const struct rollup_content *content, struct rollup_made *out_made,
                   struct bytes *out, struct tally_err *err);

// The section of groups: keys of each dimension. `values`: [groups][dims], sorted. False: no
// memory.
bool rollup_encode_groups(struct bytes *out, size_t dims, const uint32_t *texts_count,
                          const uint32_t *values, uint32_t groups);

// ---- reading ------------------------------------------------------------------------------

// Bytes of the headline for these cells: what verify expects.
bool rollup_encode_headline(const struct rollup *rollup, struct bytes *out, struct tally_err *err);

// Whether the headline section is there, whole, and says what the cells say.
bool rollup_verify_headline(const struct rollup *rollup, struct tally_err *err);

// The digest of what the rollup says, independent of how it is packed.
bool rollup_content_digest(const struct rollup *rollup, struct digest *out_digest,
                           struct tally_err *err);
bool rollup_digest_of_sums(const struct rollup_def *def, const struct rollup_digest_sums *sums,
                           struct digest *out_digest, struct tally_err *err);
// Of one entry; `group`: the digest of its group's texts.
struct digest rollup_entry_digest(struct digest group, const struct rollup_entry *entry,
                                  size_t measures);

#endif
