// ingest/feed_spec.h - the inside of a feed, for ingest/ alone.
//
// What a row is made of are its roles. Each role names columns, of which the first that a file
// has is read:
//
//   role   0   1         2     3     4      5    6..9     10    11
//          id  revision  date  year  month  day  end_...  days  days_end
//
//          12 ..  12+D ..   12+D+M ..
//          dims   measures  conditions
//
// Memory: everything a feed points to lies in its arena.
#ifndef INGEST_FEED_SPEC_H
#define INGEST_FEED_SPEC_H

#include "base/arena.h"
#include "ingest/date.h"
#include "ingest/dict.h"
#include "ingest/feed.h"
#include "ingest/text.h"
#include "store/claim.h"

#include <stdint.h>

enum feed_role {
    FEED_ID,
    FEED_REVISION,
    FEED_DATE,
    FEED_YEAR,
    FEED_MONTH,
    FEED_DAY,
    FEED_END_DATE,
    FEED_END_YEAR,
    FEED_END_MONTH,
    FEED_END_DAY,
    FEED_DAYS,
    FEED_DAYS_END,
    FEED_FIXED_ROLES
};

enum {
    FEED_ROLES_MAX = FEED_FIXED_ROLES + SHAPE_DIMS_MAX + 2 * SHAPE_MEASURES_MAX,
    FEED_COUNTS_MAX = 8, // numbers of columns that a headerless file may have
};

struct feed_list {
    struct text *items;
    size_t count;
};

// A file of texts that mean other texts.
struct feed_map {
    const char *dim;
    struct dict from; // code: index in `to`
    struct feed_list to;
};

struct feed_dim {
    const char *name;
    struct feed_list columns; // empty: a constant, or taken back
    struct text constant;     // at: NULL if it is none
    const struct feed_map *map;
};

struct feed_measure {
    const char *name;
    bool set;                           // false: taken back
    struct feed_list columns;           // empty: each row counts 1
    struct feed_list condition_columns; // empty: no condition
    struct feed_list condition_values;
    bool negated;
};

// Measures X.low, X, X.high that belong together; -1 where one is missing.
struct feed_estimate {
    int low;
    int best;
    int high;
};

// What a key was set to: the last word on it.
struct feed_said {
    const char *key;
    struct text value;
};

struct feed {
    struct arena boot;
    const char *name;
    enum feed_mode mode;
    bool claims;
    const char *deletes;
    const char *scope;
    struct feed_list files;
    struct feed_said *said;
    size_t said_count;

    // How the file is written.
    char delimiter;
    bool quoted;
    const char *encoding;
    char decimal;
    size_t preamble_lines;
    bool headerless;
    bool final_newline_required;
    struct feed_list columns; // of a headerless file, by position; empty where unnamed
    size_t column_counts[FEED_COUNTS_MAX];
    size_t column_counts_count;

    // What its columns mean.
    struct feed_list fixed[FEED_FIXED_ROLES];
    struct feed_dim dims[SHAPE_DIMS_MAX];
    size_t dims_count;
    struct feed_measure measures[SHAPE_MEASURES_MAX];
    size_t measures_count;
    struct feed_estimate estimates[SHAPE_MEASURES_MAX];
    size_t estimates_count;
    struct feed_map *maps[SHAPE_DIMS_MAX];
    size_t maps_count;
    struct feed_list optional;
    struct feed_list unknown;
    bool per_victim;

    // How its values are written.
    struct feed_list date_formats;
    struct feed_list revision_formats;
    bool two_digit_years;
    bool revision_fraction; // revision_formats hold %f
    int century;
    int year_min;

    // Rejected rows that are suffered: a count, or millionths of all rows; -1: any number.
    int64_t reject_max;
    int64_t reject_max_ppm;

    // Set by feed_check.
    struct shape *shape;
    int claim_dims[CLAIM_TEXTS]; // of a feed of claims: positions in dims; -1: it has none
};

size_t feed_roles_count(const struct feed *feed);
const struct feed_list *feed_role_columns(const struct feed *feed, size_t role);
bool feed_role_is_optional(const struct feed *feed, size_t role);

bool feed_is_unknown(const struct feed *feed, struct text text);

struct date_rules feed_date_rules(const struct feed *feed);
struct date_rules feed_revision_rules(const struct feed *feed);

#endif
