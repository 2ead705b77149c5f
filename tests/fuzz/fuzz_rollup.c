// tests/fuzz/fuzz_rollup.c - any bytes as a rollup file.
//
// The first byte says how much is mended before reading, so that the search gets past checksums:
// nothing, all checksums, or those and the content digest and the headline.
//
// Oracles: what opens can be read to its last byte; verify passes or says where it does not; what
// passes gives the same digest when its incidents are made up and encoded again.
#include "store/cells.h"
#include "store/rollup_format.h"
#include "store/rows.h"
#include "store/state.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { MEND_CHECKSUMS = 1, MEND_CONTENT = 2 };
enum { INCIDENTS_MAX = 500, OFFSET_SECTIONS = 12, OFFSET_BYTES = 16, OFFSET_DIGEST = 32 };

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
    require(rollup_content_digest(rollup, &digest, &err));
    bytes_init(&headline);
    rollup_encode_headline(rollup, &headline);
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

static void read_group(const struct rollup *rollup, size_t group)
{
    const struct rollup_def *def = rollup_def(rollup);
    const char *texts[ROLLUP_DIMS_MAX];
    size_t texts_bytes[ROLLUP_DIMS_MAX];
    struct rollup_sums sums = {0};
    uint64_t first;
    uint64_t count;

    for (size_t dim = 0; dim < def->dims_count; dim++) {
        texts[dim] = rollup_text(rollup, group, dim, &texts_bytes[dim]);
        touch(texts[dim], texts_bytes[dim]);
        require(rollup_group_value(rollup, group, dim) < rollup_values(rollup, dim));
    }
    require(rollup_find_group(rollup, texts, texts_bytes) < (int64_t)rollup_groups(rollup));
    rollup_group_cells(rollup, group, &first, &count);
    require(first + count <= rollup_cells(rollup));
    for (uint64_t i = first; i < first + count; i++) {
        rollup_cell(rollup, i, &sums);
    }
    rollup_group_spans(rollup, group, &first, &count);
    require(first + count <= rollup_spans(rollup));
    for (uint64_t i = first; i < first + count; i++) {
        int32_t first_day;
        int32_t last_day;
        rollup_span(rollup, i, &first_day, &last_day, &sums);
    }
    for (int basis = BASIS_START; basis <= BASIS_INSIDE; basis++) {
        sums = (struct rollup_sums){0};
        rollup_add_window(rollup, group, (enum basis)basis, 18000, 18049, &sums);
    }
}

static void read_all(const struct rollup *rollup)
{
    const struct rollup_def *def = rollup_def(rollup);

    for (size_t dim = 0; dim < def->dims_count; dim++) {
        for (size_t value = 0; value < rollup_values(rollup, dim); value++) {
            size_t bytes;
            const char *text = rollup_value(rollup, dim, value, &bytes);
            touch(text, bytes);
        }
    }
    for (size_t group = 0; group < rollup_groups(rollup); group++) {
        read_group(rollup, group);
    }
    for (size_t i = 0; i < rollup_sources(rollup); i++) {
        struct rollup_source source = rollup_source(rollup, i);
        touch(source.feed, source.feed_bytes);
        touch(source.file, source.file_bytes);
    }
}

// ---- making it again ----------------------------------------------------------------------

struct remake {
    const struct rollup *rollup;
    const struct rollup_def *def;
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
    size_t count = 0;

    *out_feed = 0;
    for (size_t dim = 0; dim < def->dims_count; dim++) {
        size_t bytes;
        const char *text = rollup_text(remake->rollup, group, dim, &bytes);
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
    bool ok = sums->incidents <= INCIDENTS_MAX - remake->ids;

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
        require(state_apply(&remake->state, &batch, &row, &counts, &remake->err));
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

// False: not to be made of incidents, or of too many.
static bool make_group(struct remake *remake, size_t group)
{
    uint32_t dims[ROLLUP_DIMS_MAX];
    uint64_t first;
    uint64_t cells;
    uint64_t span;
    uint64_t spans;
    uint64_t spans_end;
    size_t feed;

    if (!take_dims(remake, group, dims, &feed)) {
        return false;
    }
    rollup_group_cells(remake->rollup, group, &first, &cells);
    rollup_group_spans(remake->rollup, group, &span, &spans);
    spans_end = span + spans;
    for (uint64_t i = first; i < first + cells; i++) {
        struct rollup_sums rest;
        struct rollup_sums part;
        int32_t day = rollup_cell(remake->rollup, i, &rest);
        int32_t first_day;
        int32_t last_day;
        if (!can_make(remake, &rest)) {
            return false;
        }
        for (; span < spans_end; span++) {
            rollup_span(remake->rollup, span, &first_day, &last_day, &part);
            if (first_day != day) {
                break;
            }
            if (!can_make(remake, &part)) {
                return false;
            }
            make_incidents(remake, dims, feed, first_day, last_day, &part);
            take_off(remake, &part, &rest);
        }
        if (!can_make(remake, &rest)) {
            return false;
        }
        make_incidents(remake, dims, feed, day, day, &rest);
    }
    return cells > 0 && span == spans_end;
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
    bool made = true;
    for (size_t group = 0; made && group < rollup_groups(rollup); group++) {
        made = make_group(&remake, group);
    }
    if (made) {
        struct cells *cells = cells_open(&remake.state, remake.def, &remake.err);
        bytes_init(&bytes);
        require(cells && cells_encode(cells, &remake.state, &provenance, &bytes, &remake.err));
        struct rollup *again = rollup_open_memory(bytes.data, bytes.count, &remake.err);
        require(again && rollup_verify(again, &remake.err));
        require(digest_equal(rollup_digest(again), rollup_digest(rollup)));
        rollup_close(again);
        cells_close(cells);
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
        make_again(rollup);
    } else {
        require(err.code == TALLY_CORRUPT && err.place[0] && err.message[0]);
    }
    rollup_close(rollup);
    return 0;
}
