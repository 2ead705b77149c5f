#include "ingest/feed.h"

#include "base/day.h"
#include "base/pattern.h"
#include "ingest/feed_map.h"
#include "ingest/feed_spec.h"
#include "ingest/integer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEED_BYTES_MAX = 64 << 20 };

struct feed *feed_open(const char *name, struct tally_err *err)
{
    struct feed *feed = calloc(1, sizeof *feed);

    if (!feed) {
        err_set(err, TALLY_NO_MEMORY, "no memory for feed %s", name);
        return NULL;
    }
    arena_init(&feed->boot, FEED_BYTES_MAX);
    feed->name = arena_text(&feed->boot, name, strlen(name), err);
    feed->delimiter = ',';
    feed->quoted = true;
    feed->decimal = '.';
    feed->century = DATE_CENTURY_UNSET;
    feed->year_min = 1;
    feed->reject_max = -1;
    feed->reject_max_ppm = -1;
    if (!feed->name) {
        feed_close(feed);
        return NULL;
    }
    return feed;
}

void feed_close(struct feed *feed)
{
    if (feed) {
        for (size_t i = 0; i < feed->maps_count; i++) {
            feed_map_close(feed->maps[i]);
        }
        shape_close(feed->shape);
        free(feed->said);
        arena_done(&feed->boot);
        free(feed);
    }
}

const char *feed_name(const struct feed *feed)
{
    return feed->name;
}

enum feed_mode feed_mode(const struct feed *feed)
{
    return feed->mode;
}

bool feed_is_claims(const struct feed *feed)
{
    return feed->claims;
}

bool feed_is_by_revision(const struct feed *feed)
{
    return feed->mode == FEED_UPSERT && feed->fixed[FEED_REVISION].count > 0;
}

bool feed_takes_both_day_orders(const struct feed *feed)
{
    return date_takes_both_orders(feed->date_formats.items, feed->date_formats.count);
}

const char *feed_target(const struct feed *feed)
{
    return feed->deletes ? feed->deletes : feed->name;
}

const struct shape *feed_shape(const struct feed *feed)
{
    return feed->shape;
}

int feed_scope_dim(const struct feed *feed)
{
    return feed->scope ? shape_find_dim(feed->shape, feed->scope) : -1;
}

static bool claims(const struct feed *feed, const char *name, size_t bytes)
{
    for (size_t i = 0; i < feed->files.count; i++) {
        if (pattern_matches_name(feed->files.items[i].at, name, bytes)) {
            return true;
        }
    }
    return false;
}

bool feed_claims_file(const struct feed *feed, const char *name)
{
    static const char *const endings[] = {".gz", ".zst"};
    size_t bytes = strlen(name);

    if (claims(feed, name, bytes)) {
        return true;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending = strlen(endings[i]);
        if (bytes > ending && strcmp(name + bytes - ending, endings[i]) == 0) {
            return claims(feed, name, bytes - ending);
        }
    }
    return false;
}

// --- roles ---

size_t feed_roles_count(const struct feed *feed)
{
    return FEED_FIXED_ROLES + feed->dims_count + 2 * feed->measures_count;
}

const struct feed_list *feed_role_columns(const struct feed *feed, size_t role)
{
    if (role < FEED_FIXED_ROLES) {
        return &feed->fixed[role];
    }
    role -= FEED_FIXED_ROLES;
    if (role < feed->dims_count) {
        return &feed->dims[role].columns;
    }
    role -= feed->dims_count;
    return role < feed->measures_count
               ? &feed->measures[role].columns
               : &feed->measures[role - feed->measures_count].condition_columns;
}

bool feed_role_is_optional(const struct feed *feed, size_t role)
{
    const struct feed_list *columns = feed_role_columns(feed, role);

    for (size_t i = 0; i < columns->count; i++) {
        for (size_t j = 0; j < feed->optional.count; j++) {
            if (text_equal(columns->items[i], feed->optional.items[j])) {
                return true;
            }
        }
    }
    return false;
}

bool feed_is_unknown(const struct feed *feed, struct text text)
{
    if (text.bytes == 0) {
        return true;
    }
    for (size_t i = 0; i < feed->unknown.count; i++) {
        if (text_equal(feed->unknown.items[i], text)) {
            return true;
        }
    }
    return false;
}

static bool is_iso_first(const struct feed_list *formats)
{
    return formats->count == 0 || date_is_iso_format(formats->items[0]);
}

static int32_t first_day_of(int year)
{
    return day_from_civil((struct day_civil){.year = year, .month = 1, .day = 1});
}

struct date_rules feed_date_rules(const struct feed *feed)
{
    return (struct date_rules){
        .formats = feed->date_formats.items,
        .formats_count = feed->date_formats.count,
        .iso_first = is_iso_first(&feed->date_formats),
        .century = feed->century,
        .year_min = feed->year_min,
        .day_min = first_day_of(feed->year_min),
    };
}

struct date_rules feed_revision_rules(const struct feed *feed)
{
    return (struct date_rules){
        .formats = feed->revision_formats.items,
        .formats_count = feed->revision_formats.count,
        .iso_first = is_iso_first(&feed->revision_formats),
        .century = DATE_CENTURY_UNSET,
        .year_min = 0,
        .day_min = first_day_of(0),
    };
}

// --- what is missing or contradictory ---

static bool invalid(const struct feed *feed, const char *what, struct tally_err *err)
{
    return err_set(err, TALLY_INVALID, "feed %s: %s", feed->name, what);
}

static bool has(const struct feed *feed, enum feed_role role)
{
    return feed->fixed[role].count > 0;
}

// An empty value took these back.
static void drop_unset(struct feed *feed)
{
    size_t dims = 0;
    size_t measures = 0;

    for (size_t i = 0; i < feed->dims_count; i++) {
        if (feed->dims[i].columns.count > 0 || feed->dims[i].constant.at) {
            feed->dims[dims++] = feed->dims[i];
        }
    }
    for (size_t i = 0; i < feed->measures_count; i++) {
        if (feed->measures[i].set) {
            feed->measures[measures++] = feed->measures[i];
        }
    }
    feed->dims_count = dims;
    feed->measures_count = measures;
}

static bool check_deletions(const struct feed *feed, struct tally_err *err)
{
    if (!feed->deletes) {
        return invalid(feed, "mode = deletions needs deletes = FEED", err);
    }
    if (feed->measures_count > 0) {
        return invalid(feed, "a deletions feed lists ids; a measure makes no sense there", err);
    }
    if (feed->dims_count > 0) {
        return invalid(feed, "a deletions feed lists ids; a dimension makes no sense there", err);
    }
    if (feed->per_victim) {
        return invalid(feed, "rows = per-victim makes no sense in a deletions feed", err);
    }
    return true;
}

static bool check_dates(const struct feed *feed, struct tally_err *err)
{
    bool ends = has(feed, FEED_END_DATE) || has(feed, FEED_END_YEAR) || has(feed, FEED_DAYS_END);

    if (feed->mode != FEED_DELETIONS && !has(feed, FEED_DATE) && !has(feed, FEED_YEAR) &&
        !(has(feed, FEED_DAYS) && ends)) {
        return invalid(feed, "date = COLUMN (or year, month and day) is missing", err);
    }
    if (has(feed, FEED_DAYS_END) && !has(feed, FEED_DAYS)) {
        return invalid(feed, "days_end belongs to days = COLUMN", err);
    }
    if ((has(feed, FEED_DATE) && has(feed, FEED_YEAR)) ||
        (has(feed, FEED_END_DATE) && has(feed, FEED_END_YEAR))) {
        return invalid(feed, "either date or year, month and day; not both", err);
    }
    if ((has(feed, FEED_DAY) && !has(feed, FEED_MONTH)) ||
        (has(feed, FEED_MONTH) && !has(feed, FEED_YEAR)) ||
        (has(feed, FEED_END_DAY) && !has(feed, FEED_END_MONTH)) ||
        (has(feed, FEED_END_MONTH) && !has(feed, FEED_END_YEAR))) {
        return invalid(feed, "a day needs a month, and a month a year", err);
    }
    if (feed->two_digit_years && feed->century == DATE_CENTURY_UNSET) {
        return invalid(feed, "%y reads years of two digits: century = 1900 or 2000 is missing",
                       err);
    }
    return true;
}

static bool check_layout(struct feed *feed, struct tally_err *err)
{
    if (feed->headerless && feed->columns.count == 0) {
        return invalid(feed, "header = none needs columns = NAME, NAME, ...", err);
    }
    if (!feed->headerless && feed->columns.count > 0) {
        return invalid(feed, "columns are named for files without a header: header = none", err);
    }
    if (feed->headerless && feed->column_counts_count == 0) {
        feed->column_counts[0] = feed->columns.count;
        feed->column_counts_count = 1;
    }
    return true;
}

static bool check_modes(const struct feed *feed, struct tally_err *err)
{
    if (!has(feed, FEED_ID)) {
        return invalid(feed, "id = COLUMN is missing", err);
    }
    if (feed->mode == FEED_DELETIONS) {
        return check_deletions(feed, err);
    }
    if (feed->deletes) {
        return invalid(feed, "deletes belongs to mode = deletions", err);
    }
    return !feed->scope || feed->mode == FEED_SNAPSHOT ||
           invalid(feed, "scope belongs to mode = snapshot", err);
}

// A claim without one of these says nothing that could be compared.
static bool check_claims(struct feed *feed, struct tally_err *err)
{
    static const enum claim_text required[] = {CLAIM_SPEAKER, CLAIM_MEASURE, CLAIM_QUALIFIER};

    if (!feed->claims) {
        return true;
    }
    for (size_t i = 0; i < CLAIM_TEXTS; i++) {
        feed->claim_dims[i] = shape_find_dim(feed->shape, claim_text_name((enum claim_text)i));
    }
    if (feed->mode != FEED_UPSERT || feed->per_victim) {
        return invalid(feed, "kind = claims needs mode = upsert and rows = per-incident", err);
    }
    if (feed->measures_count != 1 || shape_find_measure(feed->shape, CLAIM_VALUE) != 0) {
        return invalid(feed, "kind = claims needs measure.value = COLUMN, and no other", err);
    }
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        const char *name = claim_text_name(required[i]);
        if (feed->claim_dims[required[i]] < 0) {
            return err_set(err, TALLY_INVALID, "feed %s: kind = claims needs dim.%s = COLUMN",
                           feed->name, name);
        }
    }
    return true;
}

static bool check_maps(struct feed *feed, struct tally_err *err)
{
    for (size_t i = 0; i < feed->dims_count; i++) {
        feed->dims[i].map = feed_map_find(feed, feed->dims[i].name);
    }
    for (size_t i = 0; i < feed->maps_count; i++) {
        if (shape_find_dim(feed->shape, feed->maps[i]->dim) < 0) {
            return err_set(err, TALLY_INVALID, "feed %s: map.%s has no dim.%s", feed->name,
                           feed->maps[i]->dim, feed->maps[i]->dim);
        }
    }
    return true;
}

static bool build_shape(struct feed *feed, struct tally_err *err)
{
    const char *dims[SHAPE_DIMS_MAX];
    const char *measures[SHAPE_MEASURES_MAX];

    for (size_t i = 0; i < feed->dims_count; i++) {
        dims[i] = feed->dims[i].name;
    }
    for (size_t i = 0; i < feed->measures_count; i++) {
        measures[i] = feed->measures[i].name;
    }
    shape_close(feed->shape);
    // A shape names the feed whose incidents change: of deletions, that is another one.
    feed->shape =
        shape_open(feed_target(feed), dims, feed->dims_count, measures, feed->measures_count, err);
    if (!feed->shape) {
        return false;
    }
    for (size_t i = 0; i < feed->dims_count; i++) {
        if (shape_find_measure(feed->shape, dims[i]) >= 0) {
            return err_set(err, TALLY_INVALID, "feed %s: %s is a dimension and a measure",
                           feed->name, dims[i]);
        }
    }
    if (feed->scope && feed_scope_dim(feed) < 0) {
        return err_set(err, TALLY_INVALID, "feed %s: scope = %s is none of its dimensions",
                       feed->name, feed->scope);
    }
    return true;
}

// The measure whose name is `bytes` bytes of `name` and the ending, or -1.
static int find_estimate(const struct feed *feed, const char *name, size_t bytes,
                         const char *ending)
{
    char whole[2 * SHAPE_NAME_BYTES_MAX];

    snprintf(whole, sizeof whole, "%.*s%s", (int)bytes, name, ending);
    return shape_find_measure(feed->shape, whole);
}

// X with X.low or X.high or both; or the two of them without X, which is found by its X.low.
static void find_estimates(struct feed *feed)
{
    static const char low[] = ".low";

    feed->estimates_count = 0;
    for (size_t i = 0; i < feed->measures_count; i++) {
        const char *name = feed->measures[i].name;
        size_t bytes = strlen(name);
        bool is_low = bytes >= sizeof low && strcmp(name + bytes - (sizeof low - 1), low) == 0;
        bytes -= is_low ? sizeof low - 1 : 0;
        struct feed_estimate estimate = {
            .low = find_estimate(feed, name, bytes, low),
            .best = find_estimate(feed, name, bytes, ""),
            .high = find_estimate(feed, name, bytes, ".high"),
        };
        bool pair = is_low ? estimate.best < 0 && estimate.high >= 0
                           : estimate.low >= 0 || estimate.high >= 0;
        if (pair) {
            feed->estimates[feed->estimates_count++] = estimate;
        }
    }
}

bool feed_check(struct feed *feed, struct tally_err *err)
{
    drop_unset(feed);
    if (!check_modes(feed, err) || !check_dates(feed, err) || !check_layout(feed, err) ||
        !build_shape(feed, err) || !check_claims(feed, err) || !check_maps(feed, err)) {
        return false;
    }
    find_estimates(feed);
    return true;
}
