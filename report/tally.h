/* tally.h - libtally: exact totals over any window of days, from a rollup file of tallyd.
 *
 *     struct tally_err err;
 *     struct tally_rollup *rollup = tally_open("civilian-harm.rollup", &err);
 *     struct tally_selection *kabul;
 *     struct tally_sum sums[TALLY_MEASURES_MAX];
 *     const char *where[] = {"province=Kabul"};
 *     uint64_t incidents;
 *     int32_t end;
 *
 *     if (rollup && tally_end_day(rollup, &end, &err) &&
 *         (kabul = tally_selection_open(rollup, NULL, 0, where, 1, &err)) &&
 *         tally_selection_window(kabul, 0, TALLY_START, end - 49, end, &incidents, sums, &err))
 *         printf("%lld killed, reported by %llu of %llu incidents\n", (long long)sums[0].sum,
 *                (unsigned long long)sums[0].reported, (unsigned long long)incidents);
 *
 * A rollup adds incidents up by group (one combination of dimension values) and day. A window of
 * N days that ends on day D is D-N+1 .. D, both included.
 *
 * Units: days count from 1970-01-01 (day 0) in the proleptic Gregorian calendar. Texts are UTF-8.
 * Errors: false or NULL after filling *err (tally_err.h), which has to be given; outputs stay
 * untouched then. Indexes out of range are the caller's bug: the program is aborted.
 * Memory: names live until tally_close and are not to be freed. Values of dimensions are copied as
 * by snprintf: at most `capacity` bytes with the end, which is always written unless capacity is
 * 0; what is returned is the length that the whole text has without the end.
 * Threads: an open rollup never changes, and neither does a selection or a series: any number of
 * threads may read one. Entries are a cursor: one thread at a time.
 * Files: the file is mapped. tallyd replaces it as a whole, by rename: what is open keeps its
 * content, open it again to see the new one. A file that another program cuts short in place while
 * it is open ends the reader with SIGBUS, as with any mapped file: replace files, or read a copy.
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
    TALLY_SERIES_DAYS_MAX = 366000, /* a thousand years */
    TALLY_DIGEST_BYTES = 33,        /* 32 hexadecimal digits and the end */
    TALLY_DAY_BYTES = 16,
    TALLY_DAY_MIN = -4371587, /* -9999-01-01 */
    TALLY_DAY_MAX = 2932896   /* 9999-12-31 */
};

/* Which windows an incident of several days belongs to. */
enum tally_basis {
    TALLY_START,   /* its first day lies in the window */
    TALLY_END,     /* its last day does */
    TALLY_OVERLAP, /* any of its days does: the upper bound */
    TALLY_INSIDE   /* all of its days do: the lower bound */
};

/* What is known of a measure. Unknown is not 0, and absent is not unknown. */
enum tally_state {
    TALLY_ABSENT,  /* no feed behind it has such a measure at all */
    TALLY_UNKNOWN, /* there is one, and none of the incidents gave it */
    TALLY_KNOWN
};

/* A measure over some incidents. */
struct tally_sum {
    int64_t sum;       /* 0 unless it is known */
    uint64_t reported; /* how many of the incidents gave the measure */
    enum tally_state state;
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
/* The day that windows end on when nobody says which: the last day with data, but not beyond what
 * the feeds cover (an incident known only to its year lasts to the year's end). Errors:
 * TALLY_NOT_FOUND while there is no incident. */
TALLY_API bool tally_end_day(const struct tally_rollup *rollup, int32_t *out_day,
                             struct tally_err *err);

/* ---- Groups, sorted by the bytes of their texts ---- */
TALLY_API size_t tally_groups(const struct tally_rollup *rollup);
/* The group's value of a dimension, copied; empty: not known. Returns its length. */
TALLY_API size_t tally_text(const struct tally_rollup *rollup, size_t group, size_t dim, char *out,
                            size_t capacity);
/* The group with these texts, one for each dimension in order; -1: there is none. */
TALLY_API int64_t tally_find_group(const struct tally_rollup *rollup, const char *const *texts);

/* ---- Windows: the days first_day .. last_day, both included ----
 * Shape: out_sums has room for tally_measures(rollup) sums; NULL leaves them out.
 * Errors: TALLY_OVERFLOW when a sum does not fit in 64 bits; TALLY_INVALID when the window ends
 * before it starts; TALLY_CORRUPT.
 * Cost: of one group, a search in its days.
 */
TALLY_API bool tally_window(const struct tally_rollup *rollup, size_t group, enum tally_basis basis,
                            int32_t first_day, int32_t last_day, uint64_t *out_incidents,
                            struct tally_sum *out_sums, struct tally_err *err);

/* ---- Selections: groups that match, joined to rows ----
 *
 *     groups                        (Chad, army) (Chad, police) (Mali, army) (Mali, mob)
 *     where {"actor=army,police"}   (Chad, army) (Chad, police) (Mali, army)
 *     by {"country"}                Chad                        Mali
 *
 * Rows are sorted by the bytes of their texts, in the order of `by`. Without `by` there is one row,
 * the total, also when nothing matches. A row may have no incident in a window; `tally window`
 * leaves it out then, unless it is the total.
 *
 * A condition is "DIM=LIST" as for --where: values with commas between them, any of which may
 * match; "!" in front of the list: none of them; "*" any characters, "?" one; quotes and
 * backslashes take such meanings away; an empty list: not known. Conditions on one dimension:
 * either; on several: all of them. The texts need not outlive the call.
 * Memory: a selection ends before its rollup does.
 * Errors: TALLY_INVALID for what is no condition, TALLY_NOT_FOUND never: no match is no error.
 */
struct tally_selection;
TALLY_API struct tally_selection *tally_selection_open(const struct tally_rollup *rollup,
                                                       const char *const *by, size_t by_count,
                                                       const char *const *where, size_t where_count,
                                                       struct tally_err *err);
TALLY_API void tally_selection_close(struct tally_selection *selection); /* NULL is allowed */
TALLY_API size_t tally_selection_rows(const struct tally_selection *selection);
/* The row's value of the dimension by[position], copied. Returns its length. */
TALLY_API size_t tally_selection_text(const struct tally_selection *selection, size_t row,
                                      size_t position, char *out, size_t capacity);
/* The groups that a row joins: a group each where `by` has all dimensions. Valid until the end of
 * the selection. */
TALLY_API const size_t *tally_selection_groups(const struct tally_selection *selection, size_t row,
                                               size_t *out_count);
/* A row's window, as tally_window. */
TALLY_API bool tally_selection_window(const struct tally_selection *selection, size_t row,
                                      enum tally_basis basis, int32_t first_day, int32_t last_day,
                                      uint64_t *out_incidents, struct tally_sum *out_sums,
                                      struct tally_err *err);
/* The window of every row, faster than one by one: incidents of [rows], sums of [rows][measures].
 * Where it fails, what they hold is of no use. Of many rows, each core that the calling thread may
 * run on (sched_setaffinity) adds up some; the threads for that take no signals, and end a moment
 * after the call. */
TALLY_API bool tally_selection_windows(const struct tally_selection *selection,
                                       enum tally_basis basis, int32_t first_day, int32_t last_day,
                                       uint64_t *out_incidents, struct tally_sum *out_sums,
                                       struct tally_err *err);
/* Whether the conditions let a feed pass: whose coverage to look at. */
TALLY_API bool tally_selection_has_feed(const struct tally_selection *selection, size_t feed);
/* The condition for exactly this text, "DIM=TEXT" with what has a meaning escaped, copied. Returns
 * its length. */
TALLY_API size_t tally_condition(const char *dim, const char *text, char *out, size_t capacity);

/* ---- Series: a row's windows of `days` days that end on each day from `from` to `to` ----
 * Cost: opening it walks the row's cells once, whatever the windows' length; then one addition.
 * Memory: 16 bytes a day for incidents and 32 for each measure, at most TALLY_SERIES_DAYS_MAX days.
 * Errors: TALLY_INVALID, TALLY_NO_MEMORY, TALLY_CORRUPT; of a window TALLY_OVERFLOW.
 */
struct tally_series;
TALLY_API struct tally_series *tally_series_open(const struct tally_selection *selection,
                                                 size_t row, enum tally_basis basis, uint32_t days,
                                                 int32_t from, int32_t to, struct tally_err *err);
TALLY_API void tally_series_close(struct tally_series *series); /* NULL is allowed */
/* Requires: from <= last_day <= to. */
TALLY_API bool tally_series_window(const struct tally_series *series, int32_t last_day,
                                   uint64_t *out_incidents, struct tally_sum *out_sums,
                                   struct tally_err *err);

/* ---- Entries: what the rollup holds of a group, oldest first ----
 * TALLY_CELLS: all its incidents, by their first day; days without incidents have no cell.
 * TALLY_SPANS: again those that last more than a day, by first and last day.
 */
enum tally_entries_kind { TALLY_CELLS, TALLY_SPANS };

struct tally_entry {
    int32_t first_day;
    int32_t last_day; /* of a cell: the same */
    uint64_t incidents;
};

struct tally_entries;
TALLY_API struct tally_entries *tally_entries_open(const struct tally_rollup *rollup, size_t group,
                                                   enum tally_entries_kind kind,
                                                   struct tally_err *err);
TALLY_API void tally_entries_close(struct tally_entries *entries); /* NULL is allowed */
/* False at the end, with err->code TALLY_OK, and for an error; TALLY_OVERFLOW passes the entry by,
 * so that the next call gives the one behind it. out_sums as for tally_window. */
TALLY_API bool tally_entries_next(struct tally_entries *entries, struct tally_entry *out_entry,
                                  struct tally_sum *out_sums, struct tally_err *err);

/* ---- Checks ----
 * Every checksum, the order of everything and the content digest, recomputed. tally_open checks
 * what reading needs to be safe; this finds any other changed byte. Errors: TALLY_CORRUPT.
 */
TALLY_API bool tally_verify(const struct tally_rollup *rollup, struct tally_err *err);

/* ---- Days and bases as texts ---- */
/* "2020-10-24", a day that exists. False: it is not. */
TALLY_API bool tally_day_parse(const char *text, int32_t *out_day);
/* Requires: TALLY_DAY_MIN to TALLY_DAY_MAX. Returns `text`. */
TALLY_API const char *tally_day_format(int32_t day, char text[TALLY_DAY_BYTES]);
/* The same day and month one year earlier, 29 February becoming 28. Requires: not the first year.
 */
TALLY_API int32_t tally_day_year_ago(int32_t day);
/* "start", "end", "overlap", "inside". */
TALLY_API const char *tally_basis_name(enum tally_basis basis);
TALLY_API bool tally_basis_parse(const char *text, enum tally_basis *out_basis);

#ifdef __cplusplus
}
#endif

#endif
