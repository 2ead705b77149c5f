// tests/fuzz/fuzz_patch.c - any bytes as a base and its patch.
//
//   [mend u8][bytes of the base u16][base][patch]
//
// What is mended: nothing; checksums of both, and which base the patch names; those and, of the
// patch, content digest, first and last day.
//
// Oracles: what opens can be read to its last entry; verify passes or says where it does not; what
// passes has windows that equal a recount of the sum's cells and spans.
#include "base/day.h"
#include "store/rollup_sum.h"
#include "tests/recount.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { MEND_CHECKSUMS = 1, MEND_CONTENT = 2 };
enum { OFFSET_SECTIONS = 12, OFFSET_DIGEST = 32, OFFSET_DAYS = 48, OFFSET_BASE = 56 };

struct piece {
    unsigned char *data;
    size_t bytes;
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static struct piece copy_of(const void *data, size_t bytes)
{
    struct piece piece = {.data = malloc(bytes ? bytes : 1), .bytes = bytes};

    require(piece.data);
    if (bytes > 0) {
        memcpy(piece.data, data, bytes);
    }
    return piece;
}

static struct rollup *open_copies(struct piece base, struct piece patch, struct tally_err *err)
{
    return rollup_open_memory_pair(copy_of(base.data, base.bytes).data, base.bytes,
                                   copy_of(patch.data, patch.bytes).data, patch.bytes, err);
}

// ---- mending ------------------------------------------------------------------------------

static void set_u64(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        at[i] = (unsigned char)(value >> 8 * i);
    }
}

// Where the checksum behind the section table stands; 0: there is none.
static size_t find_frame(struct piece piece)
{
    uint64_t sections = piece.bytes >= ROLLUP_HEADER_BYTES
                            ? bytes_get_u32(piece.data + OFFSET_SECTIONS)
                            : UINT64_MAX;
    size_t table = ROLLUP_HEADER_BYTES + (size_t)sections * ROLLUP_TABLE_ENTRY_BYTES;

    return sections <= ROLLUP_SECTIONS_MAX &&
                   table + sizeof(uint64_t) + ROLLUP_MAGIC_BYTES <= piece.bytes
               ? table
               : 0;
}

static void mend_checksums(struct piece piece)
{
    size_t table = find_frame(piece);

    for (size_t at = ROLLUP_HEADER_BYTES; at < table; at += ROLLUP_TABLE_ENTRY_BYTES) {
        unsigned char *entry = piece.data + at;
        uint64_t offset = bytes_get_u64(entry + 8);
        uint64_t length = bytes_get_u64(entry + 16);
        if (offset <= piece.bytes && length <= piece.bytes - offset) {
            set_u64(entry + 24,
                    checksum64(piece.data + offset, (size_t)length, bytes_get_u32(entry)));
        }
    }
    if (table > 0) {
        set_u64(piece.data + table, checksum64(piece.data, table, 0));
    }
}

static void mend_both(struct piece base, struct piece patch)
{
    size_t frame = find_frame(base);

    mend_checksums(base);
    if (frame > 0 && patch.bytes >= ROLLUP_HEADER_BYTES) {
        set_u64(patch.data + OFFSET_BASE, bytes_get_u64(base.data + frame));
    }
    mend_checksums(patch);
}

static void widen(const struct rollup *rollup, enum rollup_walk_over over, struct rollup_days *days)
{
    struct tally_err err;
    struct rollup_walk *walk = rollup_walk_open(rollup, over, &err);
    struct rollup_entry entry;

    require(walk);
    for (size_t group = 0; group < rollup_groups(rollup); group++) {
        rollup_walk_group(walk, group);
        while (rollup_walk_next(walk, &entry, &err)) {
            rollup_days_add(days, entry.first_day, entry.last_day);
        }
    }
    rollup_walk_close(walk);
}

static void mend_content(struct piece base, struct piece patch)
{
    struct rollup_days days = {.first_day = 1, .last_day = 0};
    struct tally_err err;
    struct digest digest;
    struct rollup *rollup = open_copies(base, patch, &err);

    if (rollup && rollup_content_digest(rollup, &digest, &err)) {
        widen(rollup, ROLLUP_WALK_CELLS, &days);
        widen(rollup, ROLLUP_WALK_SPANS, &days);
        set_u64(patch.data + OFFSET_DIGEST, digest.low);
        set_u64(patch.data + OFFSET_DIGEST + 8, digest.high);
        set_u64(patch.data + OFFSET_DAYS,
                (uint32_t)days.first_day | (uint64_t)(uint32_t)days.last_day << 32);
        mend_checksums(patch);
    }
    rollup_close(rollup);
}

// ---- reading ------------------------------------------------------------------------------

// False: the walk comes upon damage.
static bool recount(const struct rollup *rollup, size_t group, enum rollup_walk_over over,
                    enum basis basis, int32_t first_day, int32_t last_day, struct rollup_sums *sums)
{
    struct tally_err err;
    struct rollup_walk *walk = rollup_walk_open(rollup, over, &err);
    struct rollup_entry entry;

    require(walk);
    rollup_walk_group(walk, group);
    while (rollup_walk_next(walk, &entry, &err)) {
        require(entry.sums.incidents > 0);
        recount_add(&entry, over == ROLLUP_WALK_SPANS, rollup_def(rollup)->measures_count, basis,
                    first_day, last_day, sums);
    }
    require(err.code == TALLY_OK || (err.code == TALLY_CORRUPT && err.place[0]));
    rollup_walk_close(walk);
    return err.code == TALLY_OK;
}

static void compare_window(const struct rollup *rollup, size_t group, enum basis basis,
                           int32_t first_day, int32_t last_day, bool valid)
{
    size_t measures = rollup_def(rollup)->measures_count;
    struct rollup_sums want;
    struct rollup_sums got;
    struct tally_err err;

    rollup_sums_clear(&want, measures);
    rollup_sums_clear(&got, measures);
    bool read = rollup_add_window(rollup, NULL, group, basis, first_day, last_day, &got, &err);
    if (!valid) {
        return;
    }
    require(read && recount(rollup, group, ROLLUP_WALK_CELLS, basis, first_day, last_day, &want) &&
            recount(rollup, group, ROLLUP_WALK_SPANS, basis, first_day, last_day, &want));
    require(got.incidents == want.incidents);
    for (size_t m = 0; m < measures; m++) {
        require(got.measure[m].sum == want.measure[m].sum &&
                got.measure[m].reported == want.measure[m].reported);
    }
}

static void read_groups(const struct rollup *rollup, bool valid)
{
    static const int32_t days[][2] = {{0, 7}, {DAY_MIN, DAY_MAX}, {18262, 18312}, {18500, 18501}};
    uint32_t values[ROLLUP_DIMS_MAX];

    for (size_t group = 0; group < rollup_groups(rollup); group++) {
        rollup_group_values(rollup, group, values);
        require(!valid || rollup_find_group(rollup, values) == (int64_t)group);
        for (int i = 0; i < 4 * (int)(sizeof days / sizeof *days); i++) {
            compare_window(rollup, group, (enum basis)(i % 4), days[i / 4][0], days[i / 4][1],
                           valid);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct tally_err err = {0};

    if (bytes < 3) {
        return 0;
    }
    size_t base_bytes = (size_t)data[1] | (size_t)data[2] << 8;
    base_bytes = base_bytes <= bytes - 3 ? base_bytes : bytes - 3;
    struct piece base = copy_of(data + 3, base_bytes);
    struct piece patch = copy_of(data + 3 + base_bytes, bytes - 3 - base_bytes);
    if (data[0] & MEND_CHECKSUMS) {
        mend_both(base, patch);
    }
    if (data[0] & MEND_CONTENT) {
        mend_content(base, patch);
    }
    struct rollup *rollup =
        rollup_open_memory_pair(base.data, base.bytes, patch.data, patch.bytes, &err);
    if (!rollup) {
        require(err.code == TALLY_UNSUPPORTED || (err.code == TALLY_CORRUPT && err.place[0]));
        require(err.message[0]);
        return 0;
    }
    bool valid = rollup_verify(rollup, &err);
    require(valid || (err.code == TALLY_CORRUPT && err.place[0] && err.message[0]));
    read_groups(rollup, valid);
    rollup_close(rollup);
    return 0;
}
