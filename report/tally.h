/* tally.h - libtally: exact totals over any window of days, from a rollup file of tallyd.
 *
 *     struct tally_err err;
 *     struct tally_rollup *rollup = tally_open("/var/lib/tallyd/rollup/attacks.rollup", &err);
 *     uint64_t incidents;
 *     struct tally_sum sums[TALLY_MEASURES_MAX];
 *     int32_t end = tally_last_day(rollup);
 *
 *     if (tally_window_all(rollup, NULL, TALLY_START, end - 49, end, &incidents, sums, &err))
 *         printf("%lld killed, reported by %llu of %llu incidents\n", (long long)sums[0].sum,
 *                (unsigned long long)sums[0].reported, (unsigned long long)incidents);
 *     tally_close(rollup);
 *
 * A rollup adds incidents up by group (one combination of dimension values) and day. A window of
 * N days that ends on day D is D-N+1 .. D, both included.
 *
 * Units: days count from 1970-01-01 (day 0) in the proleptic Gregorian calendar. Texts are UTF-8.
 * Errors: false or NULL after filling *err (tally_err.h), which has to be given; outputs stay
 * untouched then. Indexes out of range are the caller's bug: the program is aborted.
 * Memory: all texts live until tally_close and are not to be freed.
 * Threads: an open rollup never changes; any number of threads may read it. tallyd replaces a
 * rollup's file as a whole: what is open keeps its content, open it again to see the new one.
 */
#ifndef TALLY_H
#define TALLY_H

#include "tally_err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TALLY_API __attribute__((visibility("default")))
#else
#define TALLY_API
#endif

enum {
    TALLY_DIMS_MAX = 16,
    TALLY_MEASURES_MAX = 32,
    TALLY_DIGEST_BYTES = 33, /* 32 hexadecimal digits and the end */
    TALLY_DAY_BYTES = 16
};

/* Which windows an incident of several days belongs to. */
enum tally_basis {
    TALLY_START,   /* its first day lies in the window */
    TALLY_END,     /* its last day does */
    TALLY_OVERLAP, /* any of its days does: the upper bound */
    TALLY_INSIDE   /* all of its days do: the lower bound */
};

/* A measure over some incidents. Nothing reported is unknown, not 0. */
struct tally_sum {
    int64_t sum;
    uint64_t reported; /* how many of the incidents gave the measure */
};

/* The days that a feed has ever reported on. */
struct tally_coverage {
    bool any;
    int32_t first_day;
    int32_t last_day;
};

struct tally_rollup;

/* ---- A rollup file ----
 * Errors: TALLY_NOT_FOUND, TALLY_IO, TALLY_CORRUPT naming the section, TALLY_UNSUPPORTED for a
 * newer major version of the format.
 */
TALLY_API struct tally_rollup *tally_open(const char *path, struct tally_err *err);
TALLY_API void tally_close(struct tally_rollup *rollup); /* NULL is allowed */

/* ---- What it is ---- */
TALLY_API const char *tally_name(const struct tally_rollup *rollup);
/* The number of batches that it reflects. */
TALLY_API uint64_t tally_generation(const struct tally_rollup *rollup);
/* The digest of its content: same incidents, same digest. Returns `text`. */
TALLY_API const char *tally_digest(const struct tally_rollup *rollup,
                                   char text[TALLY_DIGEST_BYTES]);

TALLY_API size_t tally_feeds(const struct tally_rollup *rollup);
TALLY_API const char *tally_feed(const struct tally_rollup *rollup, size_t feed);
TALLY_API struct tally_coverage tally_coverage(const struct tally_rollup *rollup, size_t feed);
/* Whether the feed has such a measure at all. */
TALLY_API bool tally_feed_has(const struct tally_rollup *rollup, size_t feed, size_t measure);

TALLY_API size_t tally_dims(const struct tally_rollup *rollup);
TALLY_API const char *tally_dim(const struct tally_rollup *rollup, size_t dim);
TALLY_API size_t tally_measures(const struct tally_rollup *rollup);
TALLY_API const char *tally_measure(const struct tally_rollup *rollup, size_t measure);
/* Positions by name; -1: there is no such one. */
TALLY_API int tally_find_dim(const struct tally_rollup *rollup, const char *name);
TALLY_API int tally_find_measure(const struct tally_rollup *rollup, const char *name);
/* The configured windows, in days. Any other length can be asked for as well. */
TALLY_API size_t tally_windows(const struct tally_rollup *rollup);
TALLY_API uint32_t tally_window_days(const struct tally_rollup *rollup, size_t window);

/* Whether it holds any incident; only then do the two days mean something. */
TALLY_API bool tally_any_day(const struct tally_rollup *rollup);
TALLY_API int32_t tally_first_day(const struct tally_rollup *rollup);
TALLY_API int32_t tally_last_day(const struct tally_rollup *rollup);

/* ---- Groups, sorted by the bytes of their texts ---- */
TALLY_API size_t tally_groups(const struct tally_rollup *rollup);
/* The group's value of a dimension; NOT terminated: *out_bytes bytes. */
TALLY_API const char *tally_text(const struct tally_rollup *rollup, size_t group, size_t dim,
                                 size_t *out_bytes);
/* The group with these texts, one for each dimension in order; -1: there is none. */
TALLY_API int64_t tally_find_group(const struct tally_rollup *rollup, const char *const *texts);

/* ---- Windows: the days first_day .. last_day, both included ----
 * Shape: out_sums has room for tally_measures(rollup) sums; NULL leaves them out.
 * Errors: TALLY_OVERFLOW when a sum does not fit in 64 bits.
 * Cost: of one group, a search in its days.
 */
TALLY_API bool tally_window(const struct tally_rollup *rollup, size_t group, enum tally_basis basis,
                            int32_t first_day, int32_t last_day, uint64_t *out_incidents,
                            struct tally_sum *out_sums, struct tally_err *err);
/* All groups that have these texts; NULL in the place of a dimension lets every value pass, and
 * NULL for `texts` every group. That no group has them is no error: 0 incidents. */
TALLY_API bool tally_window_all(const struct tally_rollup *rollup, const char *const *texts,
                                enum tally_basis basis, int32_t first_day, int32_t last_day,
                                uint64_t *out_incidents, struct tally_sum *out_sums,
                                struct tally_err *err);

/* ---- Day cells: what a group's incidents that began on one day add up to ----
 * Cells of a group are 0 .. tally_cells - 1, oldest first; days without incidents have none.
 */
TALLY_API uint64_t tally_cells(const struct tally_rollup *rollup, size_t group);
TALLY_API bool tally_cell(const struct tally_rollup *rollup, size_t group, uint64_t cell,
                          int32_t *out_day, uint64_t *out_incidents, struct tally_sum *out_sums,
                          struct tally_err *err);

/* ---- Checks ----
 * Every checksum, the order of everything and the content digest, recomputed. tally_open checks
 * what reading needs to be safe; this finds any other changed byte. Errors: TALLY_CORRUPT.
 */
TALLY_API bool tally_verify(const struct tally_rollup *rollup, struct tally_err *err);

/* ---- Days ---- */
/* "2020-10-24", a day that exists. False: it is not. */
TALLY_API bool tally_day_parse(const char *text, int32_t *out_day);
/* Returns `text`. */
TALLY_API const char *tally_day_format(int32_t day, char text[TALLY_DAY_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
