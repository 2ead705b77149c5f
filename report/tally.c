#include "report/tally.h"

#include "base/day.h"
#include "base/err.h"
#include "store/rollup_read.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)TALLY_DIMS_MAX == (int)ROLLUP_DIMS_MAX, "public bound");
static_assert((int)TALLY_MEASURES_MAX == (int)ROLLUP_MEASURES_MAX, "public bound");
static_assert((int)TALLY_DIGEST_BYTES == (int)DIGEST_TEXT_BYTES, "public bound");
static_assert((int)TALLY_DAY_BYTES == (int)DAY_TEXT_BYTES, "public bound");
static_assert((int)TALLY_INSIDE == (int)BASIS_INSIDE && (int)TALLY_END == (int)BASIS_END,
              "same bases");

struct tally_rollup {
    struct rollup *rollup;
};

struct tally_rollup *tally_open(const char *path, struct tally_err *err)
{
    struct tally_rollup *opened = malloc(sizeof *opened);

    if (!opened) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
        return NULL;
    }
    opened->rollup = rollup_open(AT_FDCWD, path, err);
    if (!opened->rollup) {
        free(opened);
        return NULL;
    }
    return opened;
}

void tally_close(struct tally_rollup *rollup)
{
    if (rollup) {
        rollup_close(rollup->rollup);
        free(rollup);
    }
}

static const struct rollup_def *def_of(const struct tally_rollup *rollup)
{
    return rollup_def(rollup->rollup);
}

const char *tally_name(const struct tally_rollup *rollup)
{
    return def_of(rollup)->name;
}

uint64_t tally_generation(const struct tally_rollup *rollup)
{
    return rollup_generation(rollup->rollup);
}

const char *tally_digest(const struct tally_rollup *rollup, char text[TALLY_DIGEST_BYTES])
{
    return digest_format(rollup_digest(rollup->rollup), text);
}

size_t tally_feeds(const struct tally_rollup *rollup)
{
    return def_of(rollup)->feeds_count;
}

const char *tally_feed(const struct tally_rollup *rollup, size_t feed)
{
    assert(feed < tally_feeds(rollup));
    return def_of(rollup)->feeds[feed].name;
}

struct tally_coverage tally_coverage(const struct tally_rollup *rollup, size_t feed)
{
    assert(feed < tally_feeds(rollup));
    struct rollup_coverage coverage = rollup_coverage(rollup->rollup, feed);

    return (struct tally_coverage){
        .any = coverage.any, .first_day = coverage.first_day, .last_day = coverage.last_day};
}

bool tally_feed_has(const struct tally_rollup *rollup, size_t feed, size_t measure)
{
    assert(feed < tally_feeds(rollup) && measure < tally_measures(rollup));
    return def_of(rollup)->feeds[feed].measures >> measure & 1;
}

size_t tally_dims(const struct tally_rollup *rollup)
{
    return def_of(rollup)->dims_count;
}

const char *tally_dim(const struct tally_rollup *rollup, size_t dim)
{
    assert(dim < tally_dims(rollup));
    return def_of(rollup)->dims[dim];
}

size_t tally_measures(const struct tally_rollup *rollup)
{
    return def_of(rollup)->measures_count;
}

const char *tally_measure(const struct tally_rollup *rollup, size_t measure)
{
    assert(measure < tally_measures(rollup));
    return def_of(rollup)->measures[measure];
}

int tally_find_dim(const struct tally_rollup *rollup, const char *name)
{
    return rollup_def_find_dim(def_of(rollup), name);
}

int tally_find_measure(const struct tally_rollup *rollup, const char *name)
{
    return rollup_def_find_measure(def_of(rollup), name);
}

size_t tally_windows(const struct tally_rollup *rollup)
{
    return def_of(rollup)->windows_count;
}

uint32_t tally_window_days(const struct tally_rollup *rollup, size_t window)
{
    assert(window < tally_windows(rollup));
    return def_of(rollup)->windows[window];
}

bool tally_any_day(const struct tally_rollup *rollup)
{
    return rollup_any_day(rollup->rollup);
}

int32_t tally_first_day(const struct tally_rollup *rollup)
{
    return rollup_any_day(rollup->rollup) ? rollup_first_day(rollup->rollup) : 0;
}

int32_t tally_last_day(const struct tally_rollup *rollup)
{
    return rollup_any_day(rollup->rollup) ? rollup_last_day(rollup->rollup) : 0;
}

size_t tally_groups(const struct tally_rollup *rollup)
{
    return rollup_groups(rollup->rollup);
}

const char *tally_text(const struct tally_rollup *rollup, size_t group, size_t dim,
                       size_t *out_bytes)
{
    assert(group < tally_groups(rollup) && dim < tally_dims(rollup));
    return rollup_text(rollup->rollup, group, dim, out_bytes);
}

int64_t tally_find_group(const struct tally_rollup *rollup, const char *const *texts)
{
    size_t bytes[ROLLUP_DIMS_MAX];

    for (size_t i = 0; i < tally_dims(rollup); i++) {
        bytes[i] = strlen(texts[i]);
    }
    return rollup_find_group(rollup->rollup, texts, bytes);
}

static bool check_sums(const struct tally_rollup *rollup, const struct rollup_sums *sums,
                       struct tally_err *err)
{
    for (size_t m = 0; m < tally_measures(rollup); m++) {
        bytes_i128 sum = sums->measure[m].sum;
        if (sum > INT64_MAX || sum < INT64_MIN) {
            return err_set(err, TALLY_OVERFLOW, "the sum of %.64s does not fit in 64 bits",
                           tally_measure(rollup, m));
        }
    }
    return true;
}

// Outputs stay untouched when a sum does not fit.
static bool put_sums(const struct tally_rollup *rollup, const struct rollup_sums *sums,
                     uint64_t *out_incidents, struct tally_sum *out_sums, struct tally_err *err)
{
    if (out_sums && !check_sums(rollup, sums, err)) {
        return false;
    }
    *out_incidents = sums->incidents;
    for (size_t m = 0; out_sums && m < tally_measures(rollup); m++) {
        out_sums[m] = (struct tally_sum){.sum = (int64_t)sums->measure[m].sum,
                                         .reported = sums->measure[m].reported};
    }
    return true;
}

// Zeroes only what the rollup's measures use: this is most of the cost of a small window.
static void clear_sums(const struct tally_rollup *rollup, struct rollup_sums *sums)
{
    sums->incidents = 0;
    memset(sums->measure, 0, tally_measures(rollup) * sizeof sums->measure[0]);
}

bool tally_window(const struct tally_rollup *rollup, size_t group, enum tally_basis basis,
                  int32_t first_day, int32_t last_day, uint64_t *out_incidents,
                  struct tally_sum *out_sums, struct tally_err *err)
{
    struct rollup_sums sums;

    assert(group < tally_groups(rollup));
    clear_sums(rollup, &sums);
    rollup_add_window(rollup->rollup, group, (enum basis)basis, first_day, last_day, &sums);
    return put_sums(rollup, &sums, out_incidents, out_sums, err);
}

// Positions of the texts among the values of their dimensions; a group compares numbers then.
struct wanted {
    bool asked[ROLLUP_DIMS_MAX];
    uint32_t value[ROLLUP_DIMS_MAX];
};

static bool find_value(const struct rollup *rollup, size_t dim, const char *text,
                       uint32_t *out_value)
{
    size_t text_bytes = strlen(text);
    size_t low = 0;
    size_t high = rollup_values(rollup, dim);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        size_t bytes;
        const char *value = rollup_value(rollup, dim, middle, &bytes);
        int order = memcmp(value, text, bytes < text_bytes ? bytes : text_bytes);
        order = order != 0 ? order : (bytes > text_bytes) - (bytes < text_bytes);
        if (order == 0) {
            *out_value = (uint32_t)middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static bool has_values(const struct tally_rollup *rollup, size_t group, const struct wanted *wanted)
{
    for (size_t i = 0; i < tally_dims(rollup); i++) {
        if (wanted->asked[i] && rollup_group_value(rollup->rollup, group, i) != wanted->value[i]) {
            return false;
        }
    }
    return true;
}

bool tally_window_all(const struct tally_rollup *rollup, const char *const *texts,
                      enum tally_basis basis, int32_t first_day, int32_t last_day,
                      uint64_t *out_incidents, struct tally_sum *out_sums, struct tally_err *err)
{
    struct wanted wanted = {.asked = {false}};
    struct rollup_sums sums;
    bool possible = true;

    clear_sums(rollup, &sums);
    for (size_t i = 0; texts && possible && i < tally_dims(rollup); i++) {
        wanted.asked[i] = texts[i];
        possible = !texts[i] || find_value(rollup->rollup, i, texts[i], &wanted.value[i]);
    }
    for (size_t group = 0; possible && group < tally_groups(rollup); group++) {
        if (has_values(rollup, group, &wanted)) {
            rollup_add_window(rollup->rollup, group, (enum basis)basis, first_day, last_day, &sums);
        }
    }
    return put_sums(rollup, &sums, out_incidents, out_sums, err);
}

uint64_t tally_cells(const struct tally_rollup *rollup, size_t group)
{
    uint64_t first;
    uint64_t count;

    assert(group < tally_groups(rollup));
    rollup_group_cells(rollup->rollup, group, &first, &count);
    return count;
}

bool tally_cell(const struct tally_rollup *rollup, size_t group, uint64_t cell, int32_t *out_day,
                uint64_t *out_incidents, struct tally_sum *out_sums, struct tally_err *err)
{
    struct rollup_sums sums;
    uint64_t first;
    uint64_t count;

    assert(group < tally_groups(rollup));
    rollup_group_cells(rollup->rollup, group, &first, &count);
    assert(cell < count);
    int32_t day = rollup_cell(rollup->rollup, first + cell, &sums);
    if (!put_sums(rollup, &sums, out_incidents, out_sums, err)) {
        return false;
    }
    *out_day = day;
    return true;
}

bool tally_verify(const struct tally_rollup *rollup, struct tally_err *err)
{
    return rollup_verify(rollup->rollup, err);
}

bool tally_day_parse(const char *text, int32_t *out_day)
{
    return day_parse_iso(text, strlen(text), out_day);
}

const char *tally_day_format(int32_t day, char text[TALLY_DAY_BYTES])
{
    assert(day >= DAY_MIN && day <= DAY_MAX);
    return day_format_iso(day, text);
}
