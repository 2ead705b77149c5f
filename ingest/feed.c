#include "ingest/feed.h"

#include "ingest/feed_map.h"
#include "ingest/feed_spec.h"
#include "ingest/integer.h"

#include <fnmatch.h>
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

static bool claims(const struct feed *feed, const char *name)
{
    for (size_t i = 0; i < feed->files.count; i++) {
        if (fnmatch(feed->files.items[i].at, name, 0) == 0) {
            return true;
        }
    }
    return false;
}

bool feed_claims_file(const struct feed *feed, const char *name)
{
    static const char *const endings[] = {".gz", ".zst"};
    size_t bytes = strlen(name);

    if (claims(feed, name)) {
        return true;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending = strlen(endings[i]);
        if (bytes > ending && strcmp(name + bytes - ending, endings[i]) == 0) {
            char *plain = strndup(name, bytes - ending);
            bool found = plain && claims(feed, plain);
            free(plain);
            return found;
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

struct date_rules feed_date_rules(const struct feed *feed)
{
    return (struct date_rules){
        .formats = feed->date_formats.items,
        .formats_count = feed->date_formats.count,
        .century = feed->century,
        .year_min = feed->year_min,
    };
}

struct date_rules feed_revision_rules(const struct feed *feed)
{
    return (struct date_rules){
        .formats = feed->revision_formats.items,
        .formats_count = feed->revision_formats.count,
        .century = DATE_CENTURY_UNSET,
        .year_min = 0,
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
    if (feed->mode != FEED_DELETIONS && !has(feed, FEED_DATE) && !has(feed, FEED_YEAR)) {
        return invalid(feed, "date = COLUMN (or year, month and day) is missing", err);
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
    feed->shape =
        shape_open(feed->name, dims, feed->dims_count, measures, feed->measures_count, err);
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

static int find_estimate(const struct feed *feed, const char *best, const char *ending)
{
    char name[2 * SHAPE_NAME_BYTES_MAX];

    snprintf(name, sizeof name, "%s%s", best, ending);
    return shape_find_measure(feed->shape, name);
}

static void find_estimates(struct feed *feed)
{
    feed->estimates_count = 0;
    for (size_t i = 0; i < feed->measures_count; i++) {
        struct feed_estimate estimate = {
            .low = find_estimate(feed, feed->measures[i].name, ".low"),
            .best = (int)i,
            .high = find_estimate(feed, feed->measures[i].name, ".high"),
        };
        if (estimate.low >= 0 || estimate.high >= 0) {
            feed->estimates[feed->estimates_count++] = estimate;
        }
    }
}

bool feed_check(struct feed *feed, struct tally_err *err)
{
    drop_unset(feed);
    if (!check_modes(feed, err) || !check_dates(feed, err) || !check_layout(feed, err) ||
        !build_shape(feed, err) || !check_maps(feed, err)) {
        return false;
    }
    find_estimates(feed);
    return true;
}
