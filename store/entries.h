// store/entries.h - the packed day cells or spans of a rollup file (private to store/).
//
//   group 0   block [newest entries ........ 128]  block [... the oldest]
//   group 1   block [...]                          one block or more a group, newest entry first
//   ...
//
//   block     count - 1, low width, age of its newest entry
//             ages of the others: Rice coded gaps, first all low parts, then all high parts
//             for each column: its numbers, as a list
//
//   list      dense: golomb(number) for each entry
//             sparse: for each number that is not 0: rice(entries skipped), golomb(number - 1);
//             behind the last one rice(what is left), unless nothing is
//             empty: nothing at all, every number is 0
//             in a block of more than 64 entries golomb(its bits) stands before each but the last
//
// Newest first, since what is asked most is the last N days: such a look-up stops early. Where a
// group has several blocks, a skip entry for each but the newest says where it stands, how old it
// begins, and what all newer entries add up to, so that any window touches two blocks at most.
// Parameters of the codes are chosen by class: about the logarithm of the group's entries.
//
// A section without entries is its head alone.
//
// docs/format.md, "Cells and spans", has it to the bit. entries_encode.c writes, entries_open.c
// checks what must hold for reading to stay inside, entries_decode.c reads, entries_verify.c proves
// the rest.
#ifndef STORE_ENTRIES_H
#define STORE_ENTRIES_H

#include "base/bits.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/team.h"
#include "store/monotone.h"
#include "store/rollup_sums.h"

#include <stddef.h>
#include <stdint.h>

enum {
    ENTRIES_BLOCK = 128,          // entries of a block at most
    ENTRIES_SHORT = 64,           // a block of so many says of no list how long it is
    ENTRIES_LENGTH_PARAMETER = 7, // of the code of a list's length
    ENTRIES_COUNT_BITS = 7,
    ENTRIES_LOW_BITS = 5, // of the number that says how wide the low parts of the gaps are
    ENTRIES_GAP_MAX = 7,  // greatest parameter of a sparse list's gaps; above it:
    ENTRIES_DENSE = 8,
    ENTRIES_EMPTY = 9,
    ENTRIES_CLASSES_MAX = 34,
    ENTRIES_PASS_BITS = 10,
    ENTRIES_PASSES = ENTRIES_GAP_MAX + 1,
    ENTRIES_PASS_USED = 6,      // a number of so many bits says how many a passage takes
    ENTRIES_PASS_NONE = 0xffc0, // more entries than a block has
    ENTRIES_COLUMNS_MAX = 2 + 2 * ROLLUP_MEASURES_MAX,
    ENTRIES_FIELDS_MAX = 2 + ENTRIES_COLUMNS_MAX, // of a skip entry: offset, age, totals
};

// Columns of a block: of spans first the length; then incidents; then each measure's sum and how
// many incidents lack it. What is stored is `length - 2` days, `incidents - 1`, the sum (zigzag
// coded where any sum of the measure is negative) and the number of incidents without it.
struct entries {
    bool spans;
    uint32_t measures;
    uint32_t columns;
    uint32_t groups;
    uint64_t count;
    int32_t newest; // first day of the newest and the oldest entry
    int32_t oldest;
    uint32_t longest; // days from first to last day of the longest span; 0 of cells
    uint64_t zigzag;  // bit m: sums of measure m
    uint32_t age_bits;
    uint32_t classes;
    const unsigned char *parameters; // u8 gap, u8 value; [classes][columns]
    struct monotone offsets;         // of each group's blocks, and their end
    struct monotone skips;           // skip entries before each group's, and all
    const unsigned char *skip;       // bits
    uint32_t skip_bits;              // of one entry
    uint32_t fields;
    uint8_t width[ENTRIES_FIELDS_MAX];
    uint32_t at[ENTRIES_FIELDS_MAX]; // bit of each field
    const unsigned char *blocks;
    // How reading passes over what a window does not count: of each sparse list with value
    // parameter 0, by its gap parameter. Index: bits of the list with a one behind them. What they
    // hold whole, entries * 64 + bits; ENTRIES_PASS_NONE: not one number.
    uint16_t pass[ENTRIES_PASSES][2 << ENTRIES_PASS_BITS];
};

enum { ENTRIES_FIELD_OFFSET, ENTRIES_FIELD_AGE, ENTRIES_FIELD_TOTALS };

static inline bool entries_is_zigzag(const struct entries *entries, size_t measure)
{
    return entries->zigzag >> measure & 1;
}

static inline bits_u128 entries_zigzag(bytes_i128 value)
{
    return (bits_u128)value << 1 ^ (bits_u128)(value >> 127);
}

static inline bytes_i128 entries_unzigzag(bits_u128 value)
{
    return (bytes_i128)(value >> 1 ^ -(value & 1));
}

// ---- writing ------------------------------------------------------------------------------

// Entries of one group in plain numbers, newest first.
struct entries_plain {
    int32_t first_day[ENTRIES_BLOCK];
    int32_t last_day[ENTRIES_BLOCK];
    uint32_t incidents[ENTRIES_BLOCK];
    uint32_t missing[ROLLUP_MEASURES_MAX][ENTRIES_BLOCK]; // incidents that lack the measure
    bytes_i128 sum[ROLLUP_MEASURES_MAX][ENTRIES_BLOCK];
};
void entries_plain_get(const struct entries_plain *plain, uint32_t measures, uint32_t index,
                       struct rollup_entry *out);
void entries_plain_put(struct entries_plain *plain, uint32_t measures, uint32_t index,
                       const struct rollup_entry *entry);

// Where the entries come from: group by group, each group's newest first, without empty ones.
// Threads: both are called by several at once.
struct entries_source {
    const void *context;
    uint32_t groups;
    uint32_t measures;
    bool spans;
    uint32_t (*count)(const void *context, bool spans, uint32_t group); // how many it has
    // `count` of them from `first` on, at most ENTRIES_BLOCK.
    void (*take)(const void *context, bool spans, uint32_t group, uint32_t first, uint32_t count,
                 struct entries_plain *out);
};

// Ranges of groups with about as many entries each, for team_run: part i has the groups from
// begin[i] to begin[i + 1].
struct entries_shares {
    unsigned parts;
    uint32_t begin[TEAM_PARTS_MAX + 1];
};
void entries_share(const struct entries_source *source, struct entries_shares *out);

// Appends the section: the same bytes, however many parts it is shared out among. Errors:
// TALLY_NO_MEMORY. Memory: the section once more, 16 bytes a group and as many a field of each skip
// entry; and of each part 250 KiB and 140 KB a column.
bool entries_encode(struct bytes *out, const struct entries_source *source, struct tally_err *err);

// ---- reading ------------------------------------------------------------------------------

// False: `in` is not such a section of so many groups.
bool entries_open(struct entries *entries, bool spans, uint32_t measures, uint32_t groups,
                  struct cursor *in);

// The blocks of one group.
struct entries_place {
    uint64_t begin; // bytes of its blocks
    uint64_t end;
    uint64_t skip; // its first skip entry
    uint32_t blocks;
};

// Makes the group behind the last one cheap to find. Zeroed: stands nowhere.
struct entries_cursor {
    struct monotone_walk offsets;
    struct monotone_walk skips;
    uint64_t offset;
    uint64_t skip;
    uint32_t group;
    bool set;
};

// Entries of one block, newest first, as they are stored.
struct entries_block {
    uint32_t count;
    uint64_t end; // bit behind it in `blocks` of its section
    uint32_t age[ENTRIES_BLOCK];
    bits_u128 column[ENTRIES_COLUMNS_MAX][ENTRIES_BLOCK];
};

// One entry of a block in plain numbers.
void entries_block_get(const struct entries *entries, const struct entries_block *block,
                       uint32_t index, struct rollup_entry *out);

// What a skip entry says: adds a block of cells to the totals of all columns, modulo 2^128; how a
// total is stored.
void entries_add_totals(const struct entries *entries, const struct entries_block *block,
                        bits_u128 total[ENTRIES_COLUMNS_MAX]);
bits_u128 entries_stored_total(const struct entries *entries, uint32_t column, bits_u128 total);

// What opening and reading leave unproved: that blocks are full, follow one another and end with
// zeros, that their numbers are possible, and that skip entries say what they skip. False: not so,
// or a block is malformed. Errors: TALLY_NO_MEMORY.
bool entries_verify(const struct entries *entries, bool *out_holds, struct tally_err *err);

// The reading half, compiled from one source for any machine and for newer ones: the same results
// for any section that rollup_verify passes. False: the bytes are no such block; on damaged bytes
// one code may stop early where another goes on to see the damage. Opening has checked what places
// need.
struct entries_code {
    const char *name;
    void (*find)(const struct entries *entries, struct entries_cursor *cursor, uint32_t group,
                 struct entries_place *out);
    // Adds the entries whose first day lies in first_day .. last_day.
    bool (*add_cells)(const struct entries *entries, struct entries_cursor *cursor, uint32_t group,
                      int32_t first_day, int32_t last_day, struct rollup_sums *sums);
    // Adds what the spans of a group change of it for another basis than start.
    bool (*add_spans)(const struct entries *entries, struct entries_cursor *cursor, uint32_t group,
                      enum basis basis, int32_t first_day, int32_t last_day,
                      struct rollup_sums *sums);
    bool (*load)(const struct entries *entries, const struct entries_place *place, uint32_t block,
                 struct entries_block *out);
    int64_t (*find_key)(const struct monotone *list, uint64_t key);
};
extern const struct entries_code entries_code_portable;
#ifdef STORE_FOR_X86
extern const struct entries_code entries_code_v3; // x86-64-v3: BMI2
extern const struct entries_code entries_code_v4; // x86-64-v4 with VBMI2
#endif
// The fastest that this machine runs.
const struct entries_code *entries_code(void);
// All that it runs, the portable one first; NULL behind the last.
const struct entries_code *const *entries_codes(void);

#endif
