// tests/fuzz/fuzz_rollup.c - any bytes as a rollup file.
//
// The first byte says how much is mended before reading, so that the search gets past checksums:
// nothing, all checksums, or those and the content digest and the headline.
//
// Oracles: what opens can be read to its last byte; verify passes or says where it does not; what
// passes has windows that equal a recount of its cells and spans, whichever code reads them, and
// the same digest when its incidents are made up and encoded again.
#include "base/day.h"
#include "store/cells.h"
#include "store/rollup_private.h"
#include "store/rows.h"
#include "store/state.h"
#include "tests/recount.h"
#include "tests/state_put.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { MEND_CHECKSUMS = 1, MEND_CONTENT = 2 };
enum { REMADE_MAX = 500, OFFSET_SECTIONS = 12, OFFSET_BYTES = 16, OFFSET_DIGEST = 32 };

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

// ---- mending ------------------------------------------------------------------------------

static void set_u64(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        at[i] = (unsigned char)(value >> 8 * i);
    }
}

static void mend_checksums(unsigned char *data, size_t bytes)
{
    uint64_t sections = bytes >= ROLLUP_HEADER_BYTES ? bytes_get_u32(data + OFFSET_SECTIONS) : 0;
    size_t table = ROLLUP_HEADER_BYTES + (size_t)sections * ROLLUP_TABLE_ENTRY_BYTES;

    if (bytes < ROLLUP_HEADER_BYTES || sections > ROLLUP_SECTIONS_MAX ||
        table + sizeof(uint64_t) + ROLLUP_MAGIC_BYTES > bytes) {
        return;
    }
    for (unsigned char *entry = data + ROLLUP_HEADER_BYTES; entry < data + table;
         entry += ROLLUP_TABLE_ENTRY_BYTES) {
        uint64_t offset = bytes_get_u64(entry + 8);
        uint64_t length = bytes_get_u64(entry + 16);
        if (offset <= bytes && length <= bytes - offset) {
            set_u64(entry + 24, checksum64(data + offset, (size_t)length, bytes_get_u32(entry)));
        }
    }
    set_u64(data + OFFSET_BYTES, bytes);
    memcpy(data, ROLLUP_MAGIC, ROLLUP_MAGIC_BYTES);
    memcpy(data + bytes - ROLLUP_MAGIC_BYTES, ROLLUP_MAGIC, ROLLUP_MAGIC_BYTES);
    set_u64(data + table, checksum64(data, table, 0));
}

static unsigned char *copy_of(const unsigned char *data, size_t bytes)
{
    unsigned char *copy = malloc(bytes ? bytes : 1);

    require(copy);
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

// Where the headline stands, if it is as long as it has to be.
static unsigned char *find_headline(unsigned char *data, size_t count)
{
    uint32_t sections = bytes_get_u32(data + OFFSET_SECTIONS);
    unsigned char *found = NULL;

    for (uint32_t i = 0; i < sections; i++) {
        unsigned char *entry = data + ROLLUP_HEADER_BYTES + (size_t)i * ROLLUP_TABLE_ENTRY_BYTES;
        if (bytes_get_u32(entry) == ROLLUP_HEADLINE) {
            found = bytes_get_u64(entry + 16) == count ? data + bytes_get_u64(entry + 8) : NULL;
        }
    }
    return found;
}

static void mend_content(unsigned char *data, size_t bytes)
{
    struct tally_err err;
    struct digest digest;
    struct bytes headline;
    struct rollup *rollup = rollup_open_memory(copy_of(data, bytes), bytes, &err);

    if (!rollup) {
        return;
    }
    bytes_init(&headline);
    if (!rollup_content_digest(rollup, &digest, &err) ||
        !rollup_encode_headline(rollup, &headline, &err)) {
        bytes_done(&headline);
        rollup_close(rollup);
        return;
    }
    set_u64(data + OFFSET_DIGEST, digest.low);
    set_u64(data + OFFSET_DIGEST + 8, digest.high);
    unsigned char *at = find_headline(data, headline.count);
    if (at) {
        memcpy(at, headline.data, headline.count);
    }
    mend_checksums(data, bytes);
    bytes_done(&headline);
    rollup_close(rollup);
}

// ---- reading ------------------------------------------------------------------------------

static uint64_t touch(const char *text, size_t bytes)
{
    return bytes > 0 ? checksum64(text, bytes, 0) : 0;
}

// What one code reads of the entries, each other reads as well.
static void compare_codes(const struct rollup *rollup, uint32_t group, enum basis basis,
                          int32_t first_day, int32_t last_day)
{
    struct rollup_sums want;
    bool any = false;

    for (const struct entries_code *const *code = entries_codes(); *code; code++) {
        struct rollup_cursor cursor = {0};
        struct rollup_sums sums = {0};
        bool ok =
            (*code)->add_cells(&rollup->cells, &cursor.cells, group, first_day, last_day, &sums) &&
            (basis == BASIS_START || (*code)->add_spans(&rollup->spans, &cursor.spans, group, basis,
                                                        first_day, last_day, &sums));
        require(!ok || !any || memcmp(&sums, &want, sizeof sums) == 0);
        want = ok && !any ? sums : want;
        any = any || ok;
    }
}

static void walk_group(const struct rollup *rollup, size_t group, enum rollup_walk_over over)
{
    struct tally_err err;
    struct rollup_walk *walk = rollup_walk_open(rollup, over, &err);
    struct rollup_entry entry;

    require(walk);
    rollup_walk_group(walk, group);
    while (rollup_walk_next(walk, &entry, &err)) {
        require(entry.first_day >= DAY_MIN && entry.last_day <= DAY_MAX);
    }
    require(err.code == TALLY_OK || (err.code == TALLY_CORRUPT && err.place[0]));
    rollup_walk_close(walk);
}

static void read_group(const struct rollup *rollup, size_t group)
{
    uint32_t values[ROLLUP_DIMS_MAX];
    struct tally_err err;

    rollup_group_values(rollup, group, values);
    for (size_t dim = 0; dim < rollup_def(rollup)->dims_count; dim++) {
        require(values[dim] < rollup_values(rollup, dim));
    }
    require(rollup_find_group(rollup, values) < (int64_t)rollup_groups(rollup));
    walk_group(rollup, group, ROLLUP_WALK_CELLS);
    walk_group(rollup, group, ROLLUP_WALK_SPANS);
    for (int basis = BASIS_START; basis <= BASIS_INSIDE; basis++) {
        struct rollup_sums sums = {0};
        int32_t last_day = rollup_last_day(rollup) - 3 * basis;
        require(rollup_add_window(rollup, NULL, group, (enum basis)basis, last_day - 49, last_day,
                                  &sums, &err) ||
                (err.code == TALLY_CORRUPT && err.place[0]));
        compare_codes(rollup, (uint32_t)group, (enum basis)basis, last_day - 49, last_day);
    }
}

static void read_all(const struct rollup *rollup)
{
    struct rollup_provenance provenance;
    struct rollup_texts texts;
    struct tally_err err;

    for (size_t dim = 0; dim < rollup_def(rollup)->dims_count; dim++) {
        require(rollup_texts_init(&texts, rollup, dim, &err));
        for (size_t value = 0; value < texts.count; value++) {
            char copy[64];
            size_t bytes;
            const char *text = rollup_texts_get(&texts, value, &bytes);
            touch(text, bytes);
            require(rollup_value(rollup, dim, value, copy, sizeof copy) == bytes);
            require(memcmp(copy, text, bytes < sizeof copy ? bytes : sizeof copy) == 0);
        }
        rollup_texts_done(&texts);
    }
    for (size_t group = 0; group < rollup_groups(rollup); group++) {
        read_group(rollup, group);
    }
    if (!rollup_provenance(rollup, &provenance, &err)) {
        require(err.code == TALLY_CORRUPT && err.place[0]);
        return;
    }
    for (size_t i = 0; i < provenance.sources; i++) {
        touch(provenance.source[i].feed, provenance.source[i].feed_bytes);
        touch(provenance.source[i].file, provenance.source[i].file_bytes);
    }
}

// ---- recounting ---------------------------------------------------------------------------

static void recount(const struct rollup *rollup, size_t group, enum rollup_walk_over over,
                    enum basis basis, int32_t first_day, int32_t last_day, struct rollup_sums *sums)
{
    struct tally_err err;
    struct rollup_walk *walk = rollup_walk_open(rollup, over, &err);
    struct rollup_entry entry;

    require(walk);
    rollup_walk_group(walk, group);
    while (rollup_walk_next(walk, &entry, &err)) {
        recount_add(&entry, over == ROLLUP_WALK_SPANS, rollup_def(rollup)->measures_count, basis,
                    first_day, last_day, sums);
    }
    require(err.code == TALLY_OK);
    rollup_walk_close(walk);
}

static void add_by_code(const struct rollup *rollup, const struct entries_code *code,
                        uint32_t group, enum basis basis, int32_t first_day, int32_t last_day,
                        struct rollup_sums *sums)
{
    struct rollup_cursor cursor = {0};

    require(code->add_cells(&rollup->cells, &cursor.cells, group, first_day, last_day, sums));
    require(
        code->add_spans(&rollup->spans, &cursor.spans, group, basis, first_day, last_day, sums));
}

// Requires: verify passes.
static void recount_windows(const struct rollup *rollup)
{
    for (uint32_t group = 0; group < rollup_groups(rollup); group++) {
        for (int basis = BASIS_START; basis <= BASIS_INSIDE; basis++) {
            int32_t last_day = rollup_last_day(rollup) - 20 * (int32_t)(group % 5) - 3 * basis;
            int32_t first_day = last_day - 49;
            struct rollup_sums want = {0};
            recount(rollup, group, ROLLUP_WALK_CELLS, (enum basis)basis, first_day, last_day,
                    &want);
            recount(rollup, group, ROLLUP_WALK_SPANS, (enum basis)basis, first_day, last_day,
                    &want);
            for (const struct entries_code *const *code = entries_codes(); *code; code++) {
                struct rollup_sums sums = {0};
                add_by_code(rollup, *code, group, (enum basis)basis, first_day, last_day, &sums);
                require(memcmp(&sums, &want, sizeof sums) == 0);
            }
        }
    }
}

// ---- making it again ----------------------------------------------------------------------

struct remake {
    const struct rollup *rollup;
    const struct rollup_def *def;
    struct rollup_texts texts[ROLLUP_DIMS_MAX];
    struct state state;
    uint16_t shape[ROLLUP_FEEDS_MAX];
    uint32_t ids;
    struct tally_err err;
};

static void open_feeds(struct remake *remake)
{
    const struct rollup_def *def = remake->def;
    const char *dims[ROLLUP_DIMS_MAX];
    size_t dims_count = 0;

    for (size_t i = 0; i < def->dims_count; i++) {
        if (strcmp(def->dims[i], ROLLUP_DIM_FEED) != 0) {
            dims[dims_count++] = def->dims[i];
        }
    }
    for (size_t i = 0; i < def->feeds_count; i++) {
        struct shape *shape =
            shape_open(def->feeds[i].name, dims, dims_count, (const char *const *)def->measures,
                       def->measures_count, &remake->err);
        require(shape && state_add_shape(&remake->state, shape, &remake->shape[i], &remake->err));
        struct rollup_coverage coverage = rollup_coverage(remake->rollup, i);
        struct state_feed *feed = &remake->state.feed[remake->state.shape_feed[remake->shape[i]]];
        feed->any_day = coverage.any;
        feed->first_day = coverage.first_day;
        feed->last_day = coverage.last_day;
        shape_close(shape);
    }
}

// False: incidents of no feed of the rollup.
static bool take_dims(struct remake *remake, size_t group, uint32_t *codes, size_t *out_feed)
{
    const struct rollup_def *def = remake->def;
    uint32_t values[ROLLUP_DIMS_MAX];
    size_t count = 0;

    *out_feed = 0;
    rollup_group_values(remake->rollup, group, values);
    for (size_t dim = 0; dim < def->dims_count; dim++) {
        size_t bytes;
        const char *text = rollup_texts_get(&remake->texts[dim], values[dim], &bytes);
        if (strcmp(def->dims[dim], ROLLUP_DIM_FEED) != 0) {
            require(texts_intern(&remake->state.texts, text, bytes, &codes[count++], NULL,
                                 &remake->err));
            continue;
        }
        size_t feed = 0;
        while (feed < def->feeds_count && (strlen(def->feeds[feed].name) != bytes ||
                                           memcmp(def->feeds[feed].name, text, bytes) != 0)) {
            feed++;
        }
        *out_feed = feed;
    }
    return *out_feed < def->feeds_count;
}

static bool can_make(const struct remake *remake, const struct rollup_sums *sums)
{
    bool ok = sums->incidents <= REMADE_MAX - remake->ids;

    for (size_t i = 0; i < remake->def->measures_count; i++) {
        bytes_i128 sum = sums->measure[i].sum;
        ok = ok && sums->measure[i].reported <= sums->incidents && sum >= INT64_MIN &&
             sum <= INT64_MAX && (sum == 0 || sums->measure[i].reported > 0);
    }
    return ok;
}

// As many incidents as the sums say: the first one carries all, the others report 0.
static void make_incidents(struct remake *remake, const uint32_t *dims, size_t feed,
                           int32_t first_day, int32_t last_day, const struct rollup_sums *sums)
{
    struct batch_counts counts = {0};
    struct state_batch batch = {.number = 1, .shape = remake->shape[feed]};

    batch.feed = remake->state.shape_feed[batch.shape];
    for (uint64_t i = 0; i < sums->incidents; i++) {
        int64_t measures[ROLLUP_MEASURES_MAX] = {0};
        uint32_t id = remake->ids++;
        struct ledger_row row = {.id = (const char *)&id,
                                 .id_bytes = sizeof id,
                                 .first_day = first_day,
                                 .last_day = last_day,
                                 .dims = dims,
                                 .measures = measures};
        for (size_t m = 0; m < remake->def->measures_count; m++) {
            row.reported |= (uint64_t)(i < sums->measure[m].reported) << m;
            measures[m] = i == 0 ? (int64_t)sums->measure[m].sum : 0;
        }
        require(state_put(&remake->state, &batch, &row, &counts, &remake->err));
    }
}

static void take_off(const struct remake *remake, const struct rollup_sums *part,
                     struct rollup_sums *sums)
{
    sums->incidents -= part->incidents;
    for (size_t i = 0; i < remake->def->measures_count; i++) {
        sums->measure[i].sum -= part->measure[i].sum;
        sums->measure[i].reported -= part->measure[i].reported;
    }
}

// The incidents of one day: what lasts longer stands in the cell as well.
struct day {
    const uint32_t *dims;
    size_t feed;
    struct rollup_entry cell;
};

static bool make_spans(struct remake *remake, struct day *day, struct rollup_walk *spans,
                       struct rollup_entry *span, bool *more)
{
    while (*more && span->first_day == day->cell.first_day) {
        if (!can_make(remake, &span->sums)) {
            return false;
        }
        make_incidents(remake, day->dims, day->feed, span->first_day, span->last_day, &span->sums);
        take_off(remake, &span->sums, &day->cell.sums);
        *more = rollup_walk_next(spans, span, &remake->err);
    }
    return true;
}

// False: not to be made of incidents, or of too many.
static bool make_group(struct remake *remake, size_t group, struct rollup_walk *cells,
                       struct rollup_walk *spans)
{
    uint32_t dims[ROLLUP_DIMS_MAX];
    struct rollup_entry span;
    struct day day = {.dims = dims};
    bool any = false;

    if (!take_dims(remake, group, dims, &day.feed)) {
        return false;
    }
    rollup_walk_group(cells, group);
    rollup_walk_group(spans, group);
    bool more = rollup_walk_next(spans, &span, &remake->err);
    while (rollup_walk_next(cells, &day.cell, &remake->err)) {
        int32_t first_day = day.cell.first_day;
        any = true;
        if (!can_make(remake, &day.cell.sums) || !make_spans(remake, &day, spans, &span, &more) ||
            !can_make(remake, &day.cell.sums)) {
            return false;
        }
        make_incidents(remake, dims, day.feed, first_day, first_day, &day.cell.sums);
    }
    return any && !more;
}

static bool make_groups(struct remake *remake)
{
    struct rollup_walk *cells = rollup_walk_open(remake->rollup, ROLLUP_WALK_CELLS, &remake->err);
    struct rollup_walk *spans = rollup_walk_open(remake->rollup, ROLLUP_WALK_SPANS, &remake->err);
    bool made = true;

    require(cells && spans);
    for (size_t group = 0; made && group < rollup_groups(remake->rollup); group++) {
        made = make_group(remake, group, cells, spans);
    }
    rollup_walk_close(cells);
    rollup_walk_close(spans);
    return made;
}

static bool is_plain(const struct rollup *rollup)
{
    const struct rollup_def *def = rollup_def(rollup);
    bool plain = def->filters_count == 0 && def->feeds_count > 0;

    for (size_t i = 0; i < def->feeds_count; i++) {
        struct rollup_coverage coverage = rollup_coverage(rollup, i);
        plain = plain && (coverage.any || (coverage.first_day == 0 && coverage.last_day == 0));
    }
    for (size_t dim = 0; dim < def->dims_count; dim++) {
        plain = plain && rollup_values(rollup, dim) <= rollup_groups(rollup);
    }
    return plain;
}

static void make_again(const struct rollup *rollup)
{
    struct remake remake = {.rollup = rollup, .def = rollup_def(rollup)};
    struct cells_provenance provenance = {.generation = 1};
    struct bytes bytes;

    if (!is_plain(rollup)) {
        return;
    }
    require(state_init(&remake.state, &remake.err));
    open_feeds(&remake);
    for (size_t dim = 0; dim < remake.def->dims_count; dim++) {
        require(rollup_texts_init(&remake.texts[dim], rollup, dim, &remake.err));
    }
    if (make_groups(&remake)) {
        struct cells *cells = cells_open(&remake.state, remake.def, &remake.err);
        bytes_init(&bytes);
        require(cells && cells_encode(cells, &remake.state, &provenance, &bytes, &remake.err));
        struct rollup *again = rollup_open_memory(bytes.data, bytes.count, &remake.err);
        require(again && rollup_verify(again, &remake.err));
        require(digest_equal(rollup_digest(again), rollup_digest(rollup)));
        rollup_close(again);
        cells_close(cells);
    }
    for (size_t dim = 0; dim < remake.def->dims_count; dim++) {
        rollup_texts_done(&remake.texts[dim]);
    }
    state_done(&remake.state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct tally_err err = {0};
    unsigned mend = bytes > 0 ? data[0] : 0;
    size_t count = bytes > 0 ? bytes - 1 : 0;
    unsigned char *copy = copy_of(bytes > 0 ? data + 1 : data, count);

    if (mend & MEND_CHECKSUMS) {
        mend_checksums(copy, count);
    }
    if (mend & MEND_CONTENT) {
        mend_content(copy, count);
    }
    struct rollup *rollup = rollup_open_memory(copy, count, &err);
    if (!rollup) {
        require(err.code == TALLY_UNSUPPORTED || (err.code == TALLY_CORRUPT && err.place[0]));
        require(err.message[0]);
        return 0;
    }
    read_all(rollup);
    if (rollup_verify(rollup, &err)) {
        recount_windows(rollup);
        make_again(rollup);
    } else {
        require(err.code == TALLY_CORRUPT && err.place[0] && err.message[0]);
    }
    rollup_close(rollup);
    return 0;
}
