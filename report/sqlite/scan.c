#include "report/sqlite/scan.h"

bool scan_init(struct scan *scan, const struct tally_rollup *rollup, const struct scan_asked *asked,
               const char *const *where, size_t where_count, struct tally_err *err)
{
    const char *by[TALLY_DIMS_MAX];

    *scan = (struct scan){.rollup = rollup, .asked = *asked};
    for (size_t i = 0; i < tally_dims(rollup); i++) {
        by[i] = tally_dim(rollup, i);
    }
    scan->selection = tally_selection_open(rollup, by, tally_dims(rollup), where, where_count, err);
    return scan->selection != NULL;
}

static void close_group(struct scan *scan)
{
    tally_series_close(scan->series);
    tally_entries_close(scan->entries);
    scan->series = NULL;
    scan->entries = NULL;
}

void scan_done(struct scan *scan)
{
    close_group(scan);
    tally_selection_close(scan->selection);
    scan->selection = NULL;
}

// The total of a rollup without dimensions stays also where it is 0.
static bool shows(const struct scan *scan, bool any_incident)
{
    return any_incident || tally_dims(scan->rollup) == 0;
}

// Each of these makes one step: to a row (*out_found), or over something that is none.

static bool step_window(struct scan *scan, bool *out_found, struct tally_err *err)
{
    int32_t first = scan->entry.first_day = scan->asked.to - (int32_t)scan->asked.days + 1;
    int32_t last = scan->entry.last_day = scan->asked.to;

    if (!tally_selection_window(scan->selection, scan->row, scan->asked.basis, first, last,
                                &scan->entry.incidents, scan->sums, err)) {
        return false;
    }
    *out_found = shows(scan, scan->entry.incidents > 0);
    return true;
}

static bool any_in_series(const struct scan *scan, bool *out_any, struct tally_err *err)
{
    uint64_t incidents = 0;

    for (int64_t day = scan->asked.from; incidents == 0 && day <= scan->asked.to; day++) {
        if (!tally_series_window(scan->series, (int32_t)day, &incidents, NULL, err)) {
            return false;
        }
    }
    *out_any = incidents > 0;
    return true;
}

static bool open_series(struct scan *scan, struct tally_err *err)
{
    bool any = false;

    scan->series = tally_series_open(scan->selection, scan->row, scan->asked.basis,
                                     scan->asked.days, scan->asked.from, scan->asked.to, err);
    if (!scan->series || !any_in_series(scan, &any, err)) {
        return false;
    }
    scan->next_day = shows(scan, any) ? scan->asked.from : (int64_t)scan->asked.to + 1;
    return true;
}

static bool step_series(struct scan *scan, bool *out_found, struct tally_err *err)
{
    if (scan->next_day > scan->asked.to) {
        close_group(scan);
        return true;
    }
    int32_t last = scan->entry.last_day = (int32_t)scan->next_day++;
    scan->entry.first_day = last - (int32_t)scan->asked.days + 1;
    *out_found = tally_series_window(scan->series, last, &scan->entry.incidents, scan->sums, err);
    return *out_found;
}

static bool open_entries(struct scan *scan, struct tally_err *err)
{
    size_t count;
    const size_t *group = tally_selection_groups(scan->selection, scan->row, &count);

    if (count == 0) {
        return true; // the total of nothing
    }
    scan->entries = tally_entries_open(
        scan->rollup, group[0], scan->asked.table == TABLE_CELLS ? TALLY_CELLS : TALLY_SPANS, err);
    return scan->entries != NULL;
}

static bool step_entries(struct scan *scan, bool *out_found, struct tally_err *err)
{
    *out_found = tally_entries_next(scan->entries, &scan->entry, scan->sums, err);
    if (!*out_found && err->code == TALLY_OK) {
        close_group(scan);
        return true;
    }
    return *out_found;
}

static bool step_row(struct scan *scan, bool *out_found, struct tally_err *err)
{
    scan->row = scan->next_row++;
    scan->groups_read++;
    switch (scan->asked.table) {
    case TABLE_WINDOW:
        return step_window(scan, out_found, err);
    case TABLE_SERIES:
        return open_series(scan, err);
    default:
        return open_entries(scan, err);
    }
}

bool scan_next(struct scan *scan, struct tally_err *err)
{
    bool found = false;

    while (!found) {
        bool done;
        if (scan->series) {
            done = step_series(scan, &found, err);
        } else if (scan->entries) {
            done = step_entries(scan, &found, err);
        } else if (scan->next_row < tally_selection_rows(scan->selection)) {
            done = step_row(scan, &found, err);
        } else {
            scan->ended = true;
            return true;
        }
        if (!done) {
            return false;
        }
    }
    scan->number++;
    return true;
}

size_t scan_text(const struct scan *scan, size_t dim, char *out, size_t capacity)
{
    return tally_selection_text(scan->selection, scan->row, dim, out, capacity);
}
