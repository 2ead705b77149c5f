#include "report/tally_private.h"

#include "base/day.h"
#include "base/err.h"
#include "report/select.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)TALLY_DIMS_MAX == (int)ROLLUP_DIMS_MAX, "public bound");
static_assert((int)TALLY_MEASURES_MAX == (int)ROLLUP_MEASURES_MAX, "public bound");
static_assert((int)TALLY_DIGEST_BYTES == (int)DIGEST_TEXT_BYTES, "public bound");
static_assert((int)TALLY_DAY_BYTES == (int)DAY_TEXT_BYTES, "public bound");
static_assert(TALLY_DAY_MIN == DAY_MIN && TALLY_DAY_MAX == DAY_MAX, "same calendar");
static_assert((int)TALLY_INSIDE == (int)BASIS_INSIDE && (int)TALLY_END == (int)BASIS_END,
              "same bases");

static const struct rollup_def *def_of(const struct tally_rollup *rollup)
{
    return rollup_def(rollup->rollup);
}

static uint64_t measures_of_every_feed(const struct rollup_def *def)
{
    uint64_t measures = UINT64_MAX;

    for (size_t i = 0; i < def->feeds_count; i++) {
        measures &= def->feeds[i].measures;
    }
    return measures;
}

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
    opened->measures_every = measures_of_every_feed(def_of(opened));
    opened->feed_dim = rollup_def_find_dim(def_of(opened), ROLLUP_DIM_FEED);
    return opened;
}

void tally_close(struct tally_rollup *rollup)
{
    if (rollup) {
        rollup_close(rollup->rollup);
        free(rollup);
    }
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

bool tally_end_day(const struct tally_rollup *rollup, int32_t *out_day, struct tally_err *err)
{
    if (!rollup_any_day(rollup->rollup)) {
        return err_set(err, TALLY_NOT_FOUND, "rollup %.64s has no data yet", tally_name(rollup));
    }
    *out_day = select_end_day(rollup->rollup);
    return true;
}

// ---- groups -------------------------------------------------------------------------------

size_t tally_groups(const struct tally_rollup *rollup)
{
    return rollup_groups(rollup->rollup);
}

size_t tally_put_text(const char *text, size_t bytes, char *out, size_t capacity)
{
    if (capacity > 0) {
        size_t count = bytes < capacity ? bytes : capacity - 1;
        memcpy(out, text, count);
        out[count] = '\0';
    }
    return bytes;
}

size_t tally_text(const struct tally_rollup *rollup, size_t group, size_t dim, char *out,
                  size_t capacity)
{
    uint32_t values[ROLLUP_DIMS_MAX];

    assert(group < tally_groups(rollup) && dim < tally_dims(rollup));
    rollup_group_values(rollup->rollup, group, values);
    size_t bytes = rollup_value(rollup->rollup, dim, values[dim], out, capacity);
    if (capacity > 0) {
        out[bytes < capacity ? bytes : capacity - 1] = '\0';
    }
    return bytes;
}

int64_t tally_find_group(const struct tally_rollup *rollup, const char *const *texts)
{
    uint32_t values[ROLLUP_DIMS_MAX];

    for (size_t i = 0; i < tally_dims(rollup); i++) {
        if (!rollup_find_value(rollup->rollup, i, texts[i], strlen(texts[i]), &values[i])) {
            return -1;
        }
    }
    return rollup_find_group(rollup->rollup, values);
}

// ---- sums ---------------------------------------------------------------------------------

static bool too_large(const struct tally_rollup *rollup, size_t measure, struct tally_err *err)
{
    return err_set(err, TALLY_OVERFLOW, "the sum of %.64s does not fit in 64 bits",
                   tally_measure(rollup, measure));
}

bool tally_put_sums(const struct tally_rollup *rollup, uint64_t measures,
                    const struct rollup_sums *sums, uint64_t *out_incidents,
                    struct tally_sum *out_sums, struct tally_err *err)
{
    // By whether it was reported, and whether a feed has it. What was reported is known even where
    // the feeds of today have no such measure. Of many groups' windows about half are empty, in no
    // order that a processor could foresee: so there are no branches on it.
    static const enum tally_state state[2][2] = {{TALLY_ABSENT, TALLY_UNKNOWN},
                                                 {TALLY_KNOWN, TALLY_KNOWN}};
    size_t count = out_sums ? tally_measures(rollup) : 0;

    for (size_t m = 0; m < count; m++) {
        if (sums->measure[m].sum != (int64_t)sums->measure[m].sum) {
            return too_large(rollup, m, err);
        }
    }
    *out_incidents = sums->incidents;
    for (size_t m = 0; m < count; m++) {
        const struct rollup_measure_sum *sum = &sums->measure[m];
        bool reported = sum->reported > 0;
        out_sums[m].sum = (int64_t)sum->sum & -(int64_t)reported;
        out_sums[m].reported = sum->reported;
        out_sums[m].state = state[reported][measures >> m & 1];
    }
    return true;
}

// Bit m: some feed behind the group has measure m.
static uint64_t find_measures(const struct tally_rollup *rollup, size_t group)
{
    static const struct where everything = {.count = 0};
    char feed[ROLLUP_NAME_BYTES_MAX];

    if (rollup->feed_dim < 0) {
        return where_measures(&everything, def_of(rollup), NULL, 0);
    }
    uint32_t values[ROLLUP_DIMS_MAX];
    size_t dim = (size_t)rollup->feed_dim;
    rollup_group_values(rollup->rollup, group, values);
    size_t bytes = rollup_value(rollup->rollup, dim, values[dim], feed, sizeof feed);
    // No feed has a longer name.
    return bytes <= sizeof feed ? where_measures(&everything, def_of(rollup), feed, bytes) : 0;
}

// Looks at the group's feed only where that makes a difference.
static uint64_t measures_behind(const struct tally_rollup *rollup, size_t group,
                                const struct rollup_sums *sums)
{
    for (size_t m = 0; m < tally_measures(rollup); m++) {
        if (sums->measure[m].reported == 0 && !(rollup->measures_every >> m & 1)) {
            return find_measures(rollup, group);
        }
    }
    return rollup->measures_every;
}

bool tally_check_window(int32_t first_day, int32_t last_day, struct tally_err *err)
{
    if (first_day > last_day) {
        return err_set(err, TALLY_INVALID, "the window ends before it starts");
    }
    return true;
}

bool tally_window(const struct tally_rollup *rollup, size_t group, enum tally_basis basis,
                  int32_t first_day, int32_t last_day, uint64_t *out_incidents,
                  struct tally_sum *out_sums, struct tally_err *err)
{
    struct rollup_sums sums;

    assert(group < tally_groups(rollup));
    if (!tally_check_window(first_day, last_day, err)) {
        return false;
    }
    rollup_sums_clear(&sums, tally_measures(rollup));
    if (!rollup_add_window(rollup->rollup, NULL, group, (enum basis)basis, first_day, last_day,
                           &sums, err)) {
        return false;
    }
    return tally_put_sums(rollup, measures_behind(rollup, group, &sums), &sums, out_incidents,
                          out_sums, err);
}

// ---- entries ------------------------------------------------------------------------------

struct tally_entries {
    const struct tally_rollup *rollup;
    struct rollup_walk *walk;
    uint64_t measures; // as for tally_put_sums
};

struct tally_entries *tally_entries_open(const struct tally_rollup *rollup, size_t group,
                                         enum tally_entries_kind kind, struct tally_err *err)
{
    struct tally_entries *entries = malloc(sizeof *entries);

    assert(group < tally_groups(rollup));
    if (!entries) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
        return NULL;
    }
    *entries = (struct tally_entries){.rollup = rollup, .measures = find_measures(rollup, group)};
    entries->walk = rollup_walk_open(
        rollup->rollup, kind == TALLY_CELLS ? ROLLUP_WALK_CELLS : ROLLUP_WALK_SPANS, err);
    if (!entries->walk) {
        free(entries);
        return NULL;
    }
    rollup_walk_group(entries->walk, group);
    return entries;
}

void tally_entries_close(struct tally_entries *entries)
{
    if (entries) {
        rollup_walk_close(entries->walk);
        free(entries);
    }
}

bool tally_entries_next(struct tally_entries *entries, struct tally_entry *out_entry,
                        struct tally_sum *out_sums, struct tally_err *err)
{
    struct rollup_entry entry;
    uint64_t incidents;

    *err = (struct tally_err){.code = TALLY_OK};
    if (!rollup_walk_next(entries->walk, &entry, err) ||
        !tally_put_sums(entries->rollup, entries->measures, &entry.sums, &incidents, out_sums,
                        err)) {
        return false;
    }
    *out_entry = (struct tally_entry){
        .first_day = entry.first_day, .last_day = entry.last_day, .incidents = incidents};
    return true;
}

// ---- the rest -----------------------------------------------------------------------------

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

int32_t tally_day_year_ago(int32_t day)
{
    assert(day >= DAY_MIN && day <= DAY_MAX);
    return day_year_ago(day);
}

const char *tally_basis_name(enum tally_basis basis)
{
    assert(basis >= TALLY_START && basis <= TALLY_INSIDE);
    return basis_name((enum basis)basis);
}

bool tally_basis_parse(const char *text, enum tally_basis *out_basis)
{
    enum basis basis;

    if (!basis_parse(text, &basis)) {
        return false;
    }
    *out_basis = (enum tally_basis)basis;
    return true;
}
