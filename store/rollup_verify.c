// store/rollup_verify.c - what a rollup says, proved: order of all, content digest, headline.
//
// Content digest (docs/format.md): XXH3-128 over the definition, the sum of a digest of each cell
// and the sum of one of each span, modulo 2^128. Sums do not depend on order, and a changed cell
// changes them by the difference of two digests.
#include "store/rollup_sum.h"

#include <stdlib.h>
#include <string.h>

// ---- content digest -----------------------------------------------------------------------

struct digesting {
    const struct rollup *rollup;
    struct rollup_texts texts[ROLLUP_DIMS_MAX];
    uint32_t *values; // [groups][dims]
    struct bytes piece;
    bool no_memory; // for one of the pieces
};

static void put_digest(struct bytes *out, struct digest digest)
{
    bytes_put_u64(out, digest.low);
    bytes_put_u64(out, digest.high);
}

static struct digest digest_of_piece(struct digesting *digesting)
{
    digesting->no_memory = digesting->no_memory || !digesting->piece.ok;
    return digest_of(digesting->piece.data, digesting->piece.count);
}

static struct digest group_digest(struct digesting *digesting, size_t group)
{
    size_t dims = digesting->rollup->def.dims_count;

    bytes_clear(&digesting->piece);
    for (size_t dim = 0; dim < dims; dim++) {
        size_t bytes;
        const char *text =
            rollup_texts_get(&digesting->texts[dim], digesting->values[group * dims + dim], &bytes);
        bytes_put_text(&digesting->piece, text, bytes);
    }
    return digest_of_piece(digesting);
}

static unsigned char *put_word(unsigned char *at, uint64_t value)
{
    uint64_t word = htole64(value);

    memcpy(at, &word, sizeof word);
    return at + sizeof word;
}

struct digest rollup_entry_digest(struct digest group, const struct rollup_entry *entry,
                                  size_t measures)
{
    unsigned char piece[(4 + 3 * ROLLUP_MEASURES_MAX) * sizeof(uint64_t)];
    unsigned char *at = put_word(put_word(piece, group.low), group.high);

    at = put_word(at, (uint32_t)entry->first_day | (uint64_t)(uint32_t)entry->last_day << 32);
    at = put_word(at, entry->sums.incidents);
    for (size_t m = 0; m < measures; m++) {
        bits_u128 sum = (bits_u128)entry->sums.measure[m].sum;
        at = put_word(put_word(at, (uint64_t)sum), (uint64_t)(sum >> 64));
        at = put_word(at, entry->sums.measure[m].reported);
    }
    return digest_of(piece, (size_t)(at - piece));
}

static bool sum_digests(struct digesting *digesting, enum rollup_walk_over over,
                        struct digest *out_sum, struct tally_err *err)
{
    struct rollup_walk *walk = rollup_walk_open(digesting->rollup, over, err);
    struct rollup_entry entry;

    if (!walk) {
        return false;
    }
    *out_sum = (struct digest){0};
    err->code = TALLY_OK;
    for (size_t group = 0; err->code == TALLY_OK && group < digesting->rollup->groups; group++) {
        struct digest of_group = group_digest(digesting, group);
        rollup_walk_group(walk, group);
        while (rollup_walk_next(walk, &entry, err)) {
            struct digest of_entry =
                rollup_entry_digest(of_group, &entry, digesting->rollup->def.measures_count);
            *out_sum = digest_add(*out_sum, of_entry);
        }
    }
    rollup_walk_close(walk);
    return err->code == TALLY_OK;
}

bool rollup_digest_of_sums(const struct rollup_def *def, const struct rollup_digest_sums *sums,
                           struct digest *out_digest, struct tally_err *err)
{
    struct bytes all;

    bytes_init(&all);
    rollup_def_encode(def, &all);
    put_digest(&all, sums->cells);
    put_digest(&all, sums->spans);
    *out_digest = digest_of(all.data, all.count);
    bool ok = all.ok;
    bytes_done(&all);
    return ok || err_set(err, TALLY_NO_MEMORY, "no memory for a content digest");
}

static bool sum_all(struct digesting *digesting, struct rollup_digest_sums *out_sums,
                    struct tally_err *err)
{
    return sum_digests(digesting, ROLLUP_WALK_CELLS, &out_sums->cells, err) &&
           sum_digests(digesting, ROLLUP_WALK_SPANS, &out_sums->spans, err) &&
           (!digesting->no_memory ||
            err_set(err, TALLY_NO_MEMORY, "no memory for a content digest"));
}

static bool content_sums(const struct rollup *rollup, struct rollup_digest_sums *out_sums,
                         struct tally_err *err)
{
    struct digesting digesting = {.rollup = rollup};
    size_t dims = rollup->def.dims_count;
    bool ok = true;

    bytes_init(&digesting.piece);
    digesting.values = calloc(rollup->groups * dims + 1, sizeof *digesting.values);
    if (!digesting.values) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a content digest");
    }
    rollup_all_values(rollup, digesting.values);
    for (size_t dim = 0; ok && dim < dims; dim++) {
        ok = rollup_texts_init(&digesting.texts[dim], rollup, dim, err);
    }
    ok = ok && sum_all(&digesting, out_sums, err);
    for (size_t dim = 0; dim < dims; dim++) {
        rollup_texts_done(&digesting.texts[dim]);
    }
    free(digesting.values);
    bytes_done(&digesting.piece);
    return ok;
}

bool rollup_content_digest(const struct rollup *rollup, struct digest *out_digest,
                           struct tally_err *err)
{
    struct rollup_digest_sums sums;

    return content_sums(rollup, &sums, err) &&
           rollup_digest_of_sums(&rollup->def, &sums, out_digest, err);
}

// ---- order --------------------------------------------------------------------------------

static bool verify_dictionary(const struct rollup *rollup, size_t dim, struct tally_err *err)
{
    struct dictionary_walk walk = dictionary_walk(&rollup->dictionary[dim]);
    char *text = malloc((size_t)rollup->dictionary[dim].longest + 1);

    if (!text) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a text");
    }
    while (dictionary_next(&walk, text)) {
    }
    free(text);
    return walk.front_coded || rollup_damaged(err, "dictionary", "texts are not sorted");
}

// Keys rise, each beginning of groups goes on, and each value is some group's.
static bool verify_keys(const struct rollup *rollup, size_t dim, struct tally_err *err)
{
    const struct monotone *keys = &rollup->keys[dim];
    uint32_t parents = dim > 0 ? rollup->keys[dim - 1].count : keys->count > 0;
    uint32_t values = rollup->dictionary[dim].count;
    unsigned char *seen = calloc((size_t)values + 1, 1);
    uint64_t before = 0;
    uint32_t went_on = 0;
    uint32_t used = 0;
    bool rise = true;

    if (!seen) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %u values", values);
    }
    for (uint32_t i = 0; i < keys->count; i++) {
        uint64_t key = monotone_get(keys, i);
        went_on += i == 0 || key / values != before / values;
        used += seen[key % values] == 0;
        seen[key % values] = 1;
        rise = rise && (i == 0 || key > before);
        before = key;
    }
    free(seen);
    return (rise && went_on == parents && used == values) ||
           rollup_damaged(err, "groups", "not sorted, or with unused values");
}

static bool sums_are_possible(const struct rollup *rollup, const struct rollup_sums *sums)
{
    const bytes_i128 most = (bytes_i128)1 << 96;
    bool ok = sums->incidents > 0 && sums->incidents <= UINT32_MAX;

    for (size_t i = 0; i < rollup->def.measures_count; i++) {
        const struct rollup_measure_sum *measure = &sums->measure[i];
        ok = ok && measure->reported <= sums->incidents &&
             (measure->reported > 0 || measure->sum == 0) && measure->sum >= -most &&
             measure->sum <= most;
    }
    return ok;
}

// What all entries together have to say, set against what the section's head says.
struct extent {
    uint64_t count;
    int32_t newest;
    int32_t oldest;
    uint32_t longest;
    int32_t last_day;
};

static void extend(struct extent *extent, const struct rollup_entry *entry)
{
    uint32_t lasts = (uint32_t)(entry->last_day - entry->first_day);
    bool first = extent->count++ == 0;

    extent->newest = first || entry->first_day > extent->newest ? entry->first_day : extent->newest;
    extent->oldest = first || entry->first_day < extent->oldest ? entry->first_day : extent->oldest;
    extent->last_day =
        first || entry->last_day > extent->last_day ? entry->last_day : extent->last_day;
    extent->longest = lasts > extent->longest ? lasts : extent->longest;
}

static bool verify_group(const struct rollup *rollup, struct rollup_walk *walk, size_t group,
                         struct extent *extent, struct tally_err *err)
{
    struct rollup_entry entry;
    int64_t first_before = INT64_MIN;
    int64_t last_before = INT64_MIN;

    err->code = TALLY_OK;
    rollup_walk_group(walk, group);
    while (rollup_walk_next(walk, &entry, err)) {
        bool sorted = entry.first_day > first_before ||
                      (entry.first_day == first_before && entry.last_day > last_before);
        if (!sorted || !sums_are_possible(rollup, &entry.sums)) {
            return rollup_damaged(err, rollup_walk_section(walk),
                                  "out of order or with impossible counts");
        }
        extend(extent, &entry);
        first_before = entry.first_day;
        last_before = entry.last_day;
    }
    return err->code == TALLY_OK;
}

static bool is_as_said(const struct rollup *rollup, enum rollup_walk_over over,
                       const struct extent *extent)
{
    bool cells = over == ROLLUP_WALK_CELLS;
    const struct entries *entries = cells ? &rollup->cells : &rollup->spans;

    if (rollup->sum) {
        return extent->count == (cells ? rollup_cells(rollup) : rollup_spans(rollup));
    }
    return extent->count == entries->count && extent->newest == entries->newest &&
           extent->oldest == entries->oldest && extent->longest == entries->longest;
}

static bool verify_entries(const struct rollup *rollup, enum rollup_walk_over over,
                           struct extent *extent, struct tally_err *err)
{
    const struct entries *entries = over == ROLLUP_WALK_CELLS ? &rollup->cells : &rollup->spans;
    bool holds = rollup->sum != NULL; // its base has been proved

    *extent = (struct extent){0};
    if (!holds && !entries_verify(entries, &holds, err)) {
        return false;
    }
    struct rollup_walk *walk = rollup_walk_open(rollup, over, err);
    bool ok = walk && (holds || rollup_damaged(err, rollup_walk_section(walk),
                                               "a block or skip entry is not as it has to be"));
    for (size_t group = 0; ok && group < rollup->groups; group++) {
        uint64_t before = extent->count;
        ok = verify_group(rollup, walk, group, extent, err) &&
             (over != ROLLUP_WALK_CELLS || extent->count > before ||
              rollup_damaged(err, "groups", "one has no cells"));
    }
    ok = ok && (is_as_said(rollup, over, extent) ||
                rollup_damaged(err, rollup_walk_section(walk), "its head says something else"));
    rollup_walk_close(walk);
    return ok;
}

static bool verify_days(const struct rollup *rollup, struct tally_err *err)
{
    struct extent cells;
    struct extent spans;

    if (!verify_entries(rollup, ROLLUP_WALK_CELLS, &cells, err) ||
        !verify_entries(rollup, ROLLUP_WALK_SPANS, &spans, err)) {
        return false;
    }
    int32_t first_day = cells.count > 0 ? cells.oldest : 1;
    int32_t last_day =
        spans.count > 0 && spans.last_day > cells.last_day ? spans.last_day : cells.last_day;
    return (rollup->first_day == first_day && rollup->last_day == last_day) ||
           rollup_damaged(err, "header", "first and last day are not those of the cells");
}

// The spans of one first day, added up. Takes them off the walk; `span` is the next one then.
static bool take_day_of_spans(struct rollup_walk *walk, size_t measures, struct rollup_entry *span,
                              struct rollup_entry *out, struct tally_err *err)
{
    bool more = true;

    *out = *span;
    while ((more = rollup_walk_next(walk, span, err)) && span->first_day == out->first_day) {
        out->sums.incidents += span->sums.incidents;
        for (size_t m = 0; m < measures; m++) {
            out->sums.measure[m].reported += span->sums.measure[m].reported;
        }
    }
    return more;
}

static bool is_part_of(const struct rollup_entry *spans, const struct rollup_entry *cell,
                       size_t measures)
{
    bool ok = spans->first_day == cell->first_day && spans->sums.incidents <= cell->sums.incidents;

    for (size_t m = 0; m < measures; m++) {
        ok = ok && spans->sums.measure[m].reported <= cell->sums.measure[m].reported;
    }
    return ok;
}

// Incidents of several days stand in the cell of their first one as well: else a window by another
// basis than start would count fewer than none.
static bool verify_group_of_spans(struct rollup_walk *spans, struct rollup_walk *cells,
                                  size_t measures, struct tally_err *err)
{
    struct rollup_entry span;
    struct rollup_entry day;
    struct rollup_entry cell;
    bool more = rollup_walk_next(spans, &span, err);

    while (more) {
        more = take_day_of_spans(spans, measures, &span, &day, err);
        do {
            if (!rollup_walk_next(cells, &cell, err)) {
                return rollup_damaged(err, "spans", "not part of the cells");
            }
        } while (cell.first_day < day.first_day);
        if (!is_part_of(&day, &cell, measures)) {
            return rollup_damaged(err, "spans", "not part of the cells");
        }
    }
    return true;
}

// Requires: verify_entries passed both.
static bool verify_spans_in_cells(const struct rollup *rollup, struct tally_err *err)
{
    struct rollup_walk *cells = rollup_walk_open(rollup, ROLLUP_WALK_CELLS, err);
    struct rollup_walk *spans = rollup_walk_open(rollup, ROLLUP_WALK_SPANS, err);
    bool ok = cells && spans;

    for (size_t group = 0; ok && group < rollup->groups; group++) {
        rollup_walk_group(cells, group);
        rollup_walk_group(spans, group);
        ok = verify_group_of_spans(spans, cells, rollup->def.measures_count, err);
    }
    rollup_walk_close(cells);
    rollup_walk_close(spans);
    return ok;
}

// What follows from cells and spans, and what a rollup has beside them.
static bool verify_content(const struct rollup *rollup, struct tally_err *err)
{
    struct rollup_provenance provenance;
    struct digest digest;

    if (!verify_days(rollup, err) || !verify_spans_in_cells(rollup, err) ||
        !rollup_content_digest(rollup, &digest, err)) {
        return false;
    }
    if (!digest_equal(digest, rollup->digest)) {
        return rollup_damaged(err, "header", "content digest does not match");
    }
    return rollup_provenance(rollup, &provenance, err);
}

// Base, patch, and their sum; groups of the sum are sorted as they are merged.
static bool verify_sum(const struct rollup *rollup, struct tally_err *err)
{
    const struct rollup *base = rollup->sum->base;
    const struct patch *patch = &rollup->sum->patch;

    if (!rollup_verify(base, err)) {
        return err_wrap(err, "the base");
    }
    for (size_t dim = 0; dim < rollup->def.dims_count; dim++) {
        if (!verify_dictionary(patch->file, dim, err)) {
            return err_wrap(err, "the patch");
        }
    }
    return (patch_verify(patch, base, err) && verify_content(rollup, err)) ||
           err_wrap(err, "the patch");
}

bool rollup_verify(const struct rollup *rollup, struct tally_err *err)
{
    if (rollup->sum) {
        return verify_sum(rollup, err);
    }
    for (size_t dim = 0; dim < rollup->def.dims_count; dim++) {
        if (!verify_dictionary(rollup, dim, err) || !verify_keys(rollup, dim, err)) {
            return false;
        }
    }
    return verify_content(rollup, err) && rollup_verify_headline(rollup, err);
}
