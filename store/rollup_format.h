// store/rollup_format.h - numbers of the rollup file, version 1 (docs/format.md tells it in full).
//
//   [header 64][section table 32 each][checksum 8] [section]... [magic 8]      little-endian
//
// Private to store/: shared by rollup_encode.c and rollup_read.c.
#ifndef STORE_ROLLUP_FORMAT_H
#define STORE_ROLLUP_FORMAT_H

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "store/rollup_read.h"

#define ROLLUP_MAGIC "\x89TALLY\r\n"

enum {
    ROLLUP_MAJOR = 1,
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

// Bytes of the headline for these totals: what the writer writes and verify expects.
void rollup_encode_headline(const struct rollup *rollup, struct bytes *out);

// Whether the headline section is there, whole, and says what the cells say.
bool rollup_verify_headline(const struct rollup *rollup, struct tally_err *err);

// The digest of what the rollup says, independent of how it is packed.
bool rollup_content_digest(const struct rollup *rollup, struct digest *out_digest,
                           struct tally_err *err);

#endif
