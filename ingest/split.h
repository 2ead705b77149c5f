// ingest/split.h - where the fields and records of plain CSV end, 64 bytes at a time.
//
//     7,"two, or LF three",1 LF 8,none,0 LF
//     ^ ^                  ^    ^ ^    ^    ^   begins: behind delimiters and line feeds outside of
//                               :           :      quotes, where a field begins
//                               ^           ^   ends: which of them lie behind a record
//                ^                              marks: line feeds within quotes, and what is
//                doubtful
//
// Doubtful is what plain CSV does not have at its place: a quote that neither begins a field nor
// ends one nor is doubled within one, a CR without an LF behind it, a NUL. Up to the first doubtful
// byte, and from each record's end that libcsv sees as well, the text is divided as libcsv divides
// it. What fields are worth (blanks, doubled quotes, lengths, their number) is for the caller to
// see.
//
// One source a kind of machine: split_portable.c, split_v3.c, split_v4.c, split_neon.c; what they
// share is split_block.h. All find the same, which tests compare.
#ifndef INGEST_SPLIT_H
#define INGEST_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SPLIT_BLOCK_BYTES = 64,
    SPLIT_BYTES_MAX = 32 * 1024, // positions and their marks fit in 16 bits
    // Codes write up to a block's worth behind what they found.
    SPLIT_FOUND_MAX = SPLIT_BYTES_MAX + 2 * SPLIT_BLOCK_BYTES,
};

struct split {
    char delimiter; // none of quote, CR, LF, NUL and space
    bool quoted;
    size_t begins_count;
    size_t ends_count;
    size_t marks_count;
    uint16_t begins[SPLIT_FOUND_MAX]; // begins[0] = 0
    uint16_t ends[SPLIT_FOUND_MAX];   // begins[ends[i]] lies behind record i
    uint16_t marks[SPLIT_FOUND_MAX];  // 2 * position, + 1: doubtful
};

// Divides text that begins a record, from its first byte on.
// Requires: bytes <= SPLIT_BYTES_MAX. Cost: below a tenth of a nanosecond a byte with v4.
struct split_code {
    const char *name;
    void (*run)(struct split *split, const char *text, size_t bytes);
};
extern const struct split_code split_code_portable;
#ifdef SPLIT_FOR_X86
extern const struct split_code split_code_v3; // x86-64-v3 with PCLMUL
extern const struct split_code split_code_v4; // x86-64-v4 with VBMI2
#endif
#ifdef SPLIT_FOR_ARM
extern const struct split_code split_code_neon; // any 64-bit ARM machine
#endif
// The fastest that this machine runs.
const struct split_code *split_code(void);
// All that it runs, the portable one first; NULL behind the last.
const struct split_code *const *split_codes(void);

#endif
