// report/select.h - the evaluation core: groups that match, joined to rows, summed over windows.
//
//   groups of the rollup   (Chad, army) (Chad, police) (Mali, army) (Mali, mob)
//   --where actor=army,police --by country
//   rows                   Chad: groups 0, 1        Mali: group 2
//
// Rows are sorted by the bytes of their texts, in the order of --by. Without --by there is one
// row, also when nothing matches. No I/O; nothing is printed here.
#ifndef REPORT_SELECT_H
#define REPORT_SELECT_H

#include "report/where.h"
#include "store/rollup_read.h"

#include <stddef.h>
#include <stdint.h>

struct select_row {
    size_t first; // in select.group
    size_t count;
    uint64_t measures; // bit m: some feed behind this row has measure m; others are absent
};

struct select {
    const struct rollup *rollup;
    struct by by;
    struct rollup_texts texts[ROLLUP_DIMS_MAX]; // of the dimensions of --by and --where
    uint32_t *values;                           // [groups][dims], of the group `first` and on
    size_t first;
    size_t *group; // groups that match, row by row
    size_t groups_count;
    struct select_row *row;
    size_t rows_count;
    uint64_t measures; // of all rows
};

bool select_init(struct select *select, const struct rollup *rollup, const struct where *where,
                 const struct by *by, struct tally_err *err);
// By all dimensions: one row a group that matches, in order of the groups. NULL: each.
bool select_each_group(struct select *select, const struct rollup *rollup,
                       const struct where *where, struct tally_err *err);
void select_done(struct select *select);

// The text of the row's dimension number `position` of --by. Not terminated; lives as long as the
// selection.
const char *select_text(const struct select *select, size_t row, size_t position,
                        size_t *out_bytes);

// The sums of a row over the days first_day .. last_day. `cursor` may be NULL; one that goes from
// row to row makes each cheaper. Errors: TALLY_CORRUPT.
bool select_window(const struct select *select, struct rollup_cursor *cursor, size_t row,
                   enum basis basis, int32_t first_day, int32_t last_day,
                   struct rollup_sums *out_sums, struct tally_err *err);
void sums_add(struct rollup_sums *sums, const struct rollup_sums *more, size_t measures_count);

// The last day with data, but not beyond what the feeds cover: an incident known only to its year
// reaches to the year's end, where nothing has been reported yet. Requires: rollup_any_day.
int32_t select_end_day(const struct rollup *rollup);

enum { SERIES_DAYS_MAX = 366000 }; // a thousand years

// The windows of `days` days of one row that end on each day of from .. to. Cost: the row's cells
// and spans once, then the days, whatever their length.
// Requires: from <= to, at most SERIES_DAYS_MAX days.
struct series {
    bytes_i128 *step; // [to - from + 1][1 + 2 * measures_count]
    size_t width;
    size_t measures_count;
    int32_t from;
    int32_t to;
    uint32_t days;
    enum basis basis;
};
bool series_init(struct series *series, size_t measures_count, enum basis basis, uint32_t days,
                 int32_t from, int32_t to, struct tally_err *err);
void series_done(struct series *series);
// Errors: TALLY_CORRUPT, TALLY_NO_MEMORY.
bool series_fill(struct series *series, const struct select *select, size_t row,
                 struct tally_err *err);
void series_at(const struct series *series, int32_t last_day, struct rollup_sums *out_sums);

#endif
