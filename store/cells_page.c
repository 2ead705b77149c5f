// store/cells_page.c - incidents in order of groups to the lists of each (contract in
// cells_fill.h).
//
//   one group:   its days as a page, each used day marked   -->  list of cells in order of days
//                its lasting incidents sorted               -->  list of spans
#include "store/cells_fill.h"

#include "base/team.h"

#include <stdlib.h>
#include <string.h>

enum { TOLD_LEAST = 1 << 15, WORD_BITS = 64 }; // incidents of a range

// A range of groups, and what the part that fills them works with.
struct range {
    const struct paging *paging;
    uint32_t begin;
    uint32_t end;
    unsigned char *page;     // an entry a day
    uint64_t *used;          // a bit a day of the page; all 0 between two groups
    uint32_t *days;          // those that are used
    unsigned char *spans;    // entries
    uint32_t spans_capacity; // grows with the group that has the most
    uint64_t entries;        // in lists
    struct tally_err err;
    bool ok;
};

struct paging {
    struct cells *cells;
    struct cells_groups *groups;
    const struct state *state;
    const struct cells_sorted *sorted;
    struct range range[TEAM_PARTS_MAX];
};

static struct cells_entry *fresh_entry(const struct cells_groups *groups, unsigned char *data,
                                       size_t index, int32_t first_day, int32_t last_day)
{
    struct cells_entry *entry = (struct cells_entry *)(void *)(data + index * groups->stride);

    memset(entry, 0, groups->stride);
    entry->first_day = first_day;
    entry->last_day = last_day;
    return entry;
}

static void add_values(const struct paging *paging, uint16_t shape, uint32_t values,
                       struct cells_entry *to)
{
    const int *source = cells_measures_of(paging->cells, shape);
    const int64_t *told = state_values(paging->state, values);
    uint64_t reported = (uint64_t)told[0];
    const int64_t *measures = told + 1;

    to->incidents++;
    for (size_t m = 0; m < paging->groups->measures_count; m++) {
        if (source[m] >= 0 && reported >> source[m] & 1) {
            cells_entry_add_one(paging->groups, to, m, measures[source[m]]);
        }
    }
}

// ---- cells --------------------------------------------------------------------------------

// Incidents `begin` to `end`. Returns the last day of the page that is used.
static uint32_t fill_page(struct range *range, uint32_t begin, uint32_t end, int32_t first_day)
{
    const struct cells_groups *groups = range->paging->groups;
    const struct cells_sorted *sorted = range->paging->sorted;
    uint32_t last_day = 0;

    for (uint32_t i = begin; i < end; i++) {
        struct cells_told told = cells_told_get(sorted->form, sorted->told, i);
        uint32_t day = told.day;
        uint64_t bit = (uint64_t)1 << day % WORD_BITS;
        struct cells_entry *entry =
            (struct cells_entry *)(void *)(range->page + day * groups->stride);
        if (!(range->used[day / WORD_BITS] & bit)) {
            range->used[day / WORD_BITS] |= bit;
            fresh_entry(groups, range->page, day, first_day + (int32_t)day,
                        first_day + (int32_t)day);
        }
        add_values(range->paging, told.shape, told.values, entry);
        last_day = day > last_day ? day : last_day;
    }
    return last_day;
}

// Lists the days that are used, and forgets them. The last word that has any is that of last_day.
static uint32_t take_days(struct range *range, uint32_t last_day)
{
    uint32_t days = 0;

    for (uint32_t word = 0; word <= last_day / WORD_BITS; word++) {
        for (uint64_t used = range->used[word]; used != 0; used &= used - 1) {
            range->days[days++] = word * WORD_BITS + (uint32_t)__builtin_ctzll(used);
        }
        range->used[word] = 0;
    }
    return days;
}

static bool fill_cells(struct range *range, uint32_t begin, uint32_t end, int32_t first_day,
                       struct cells_list *out)
{
    uint32_t days = take_days(range, fill_page(range, begin, end, first_day));

    return cells_list_pack(range->paging->groups, range->page, range->days, days, out, &range->err);
}

// ---- spans --------------------------------------------------------------------------------

static int compare_lasting(const void *left, const void *right)
{
    const struct cells_lasting *a = left;
    const struct cells_lasting *b = right;

    return cells_compare_days(a->first_day, a->last_day, b->first_day, b->last_day);
}

static bool reserve_spans(struct range *range, uint32_t count)
{
    if (count <= range->spans_capacity) {
        return true;
    }
    free(range->spans);
    range->spans_capacity = 0;
    range->spans = malloc(count * range->paging->groups->stride);
    if (!range->spans) {
        return err_set(&range->err, TALLY_NO_MEMORY, "no memory for spans");
    }
    range->spans_capacity = count;
    return true;
}

static bool fill_spans(struct range *range, struct cells_lasting *lasting, uint32_t count,
                       struct cells_list *out)
{
    const struct cells_groups *groups = range->paging->groups;
    struct cells_entry *entry = NULL;
    uint32_t spans = 0;

    if (count == 0) {
        return true;
    }
    if (!reserve_spans(range, count)) {
        return false;
    }
    qsort(lasting, count, sizeof *lasting, compare_lasting);
    for (uint32_t i = 0; i < count; i++) {
        if (!entry || cells_compare_days(entry->first_day, entry->last_day, lasting[i].first_day,
                                         lasting[i].last_day) != 0) {
            entry = fresh_entry(groups, range->spans, spans++, lasting[i].first_day,
                                lasting[i].last_day);
        }
        add_values(range->paging, lasting[i].shape, lasting[i].values, entry);
    }
    return cells_list_pack(groups, range->spans, NULL, spans, out, &range->err);
}

// ---- ranges -------------------------------------------------------------------------------

static bool reserve_page(struct range *range)
{
    range->page = malloc(CELLS_PAGE_DAYS * range->paging->groups->stride);
    range->used = calloc(CELLS_PAGE_DAYS / WORD_BITS, sizeof *range->used);
    range->days = malloc(CELLS_PAGE_DAYS * sizeof *range->days);
    return (range->page && range->used && range->days) ||
           err_set(&range->err, TALLY_NO_MEMORY, "no memory for a page of days");
}

static bool fill_group(struct range *range, uint32_t group)
{
    const struct cells_sorted *sorted = range->paging->sorted;
    struct cells_group *of = &range->paging->groups->group[group];
    uint32_t told = group > 0 ? sorted->told_end[group - 1] : 0;
    uint32_t lasting = group > 0 ? sorted->lasting_end[group - 1] : 0;

    if (told == sorted->told_end[group]) {
        return true; // all have gone, or were put as changes
    }
    bool ok =
        fill_cells(range, told, sorted->told_end[group], sorted->first_day[group], &of->cells) &&
        fill_spans(range, sorted->lasting + lasting, sorted->lasting_end[group] - lasting,
                   &of->spans);
    range->entries += (uint64_t)of->cells.count + of->spans.count;
    return ok;
}

static void fill_part(void *context, unsigned part)
{
    struct paging *paging = context;
    struct range *range = &paging->range[part];

    range->ok = reserve_page(range);
    for (uint32_t group = range->begin; range->ok && group < range->end; group++) {
        range->ok = fill_group(range, group);
    }
    free(range->page);
    free(range->used);
    free(range->days);
    free(range->spans);
}

// Ranges that cost about as much each.
static unsigned share(struct paging *paging)
{
    uint32_t groups = paging->groups->count;
    const struct cells_sorted *sorted = paging->sorted;
    uint64_t work = groups > 0 ? sorted->work_end[groups - 1] : 0;
    unsigned parts = team_parts(groups > 0 ? sorted->told_end[groups - 1] : 0, TOLD_LEAST);
    uint32_t group = 0;

    for (unsigned part = 0; part < parts; part++) {
        size_t until = team_begin(work, part + 1, parts);
        paging->range[part] = (struct range){.paging = paging, .begin = group};
        while (group < groups && (part + 1 == parts || sorted->work_end[group] <= until)) {
            group++;
        }
        paging->range[part].end = group;
    }
    return parts;
}

bool cells_fill_pages(struct cells *cells, const struct state *state,
                      const struct cells_sorted *sorted, struct tally_err *err)
{
    struct paging paging = {
        .cells = cells, .groups = cells_groups(cells), .state = state, .sorted = sorted};
    unsigned parts = share(&paging);
    bool ok = true;

    team_run(fill_part, &paging, parts);
    for (unsigned part = 0; part < parts; part++) {
        const struct range *range = &paging.range[part];
        if (ok && !range->ok) {
            *err = range->err;
        }
        ok = ok && range->ok;
        paging.groups->entries += range->entries;
    }
    return ok;
}
