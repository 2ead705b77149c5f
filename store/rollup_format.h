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

// The file, complete. Errors: TALLY_NO_MEMORY.
bool rollup_encode(const struct rollup_content *content, struct bytes *out, struct tally_err *err);

// ---- reading ------------------------------------------------------------------------------

// Bytes of the headline for these cells: what the writer writes and verify expects.
bool rollup_encode_headline(const struct rollup *rollup, struct bytes *out, struct tally_err *err);

// Whether the headline section is there, whole, and says what the cells say.
bool rollup_verify_headline(const struct rollup *rollup, struct tally_err *err);

// The digest of what the rollup says, independent of how it is packed.
bool rollup_content_digest(const struct rollup *rollup, struct digest *out_digest,
                           struct tally_err *err);

#endif
