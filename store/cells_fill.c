// store/cells_fill.c - the day cells of all that a state holds, at once (contracts in
// cells_group.h).
//
//   incidents, as they stand --group of each--> counted --> scattered by group
//   one group:   its days as a page, each used day marked   -->  list of cells in order of days
//                its lasting incidents sorted               -->  list of spans
//
// Nothing is compared for the cells and no list grows: a start, and a batch that is most of what is
// kept, cost a few passes over the incidents. A group whose days lie too far apart for a page has
// its incidents put as changes, which are sorted.
#include "store/cells_group.h"

#include "base/pages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_DAYS = 1 << 15, WORD_BITS = 64, GROUP_NONE = -1 };

// What a cell needs to know of an incident.
struct told {
    int32_t first_day;
    int32_t last_day;
    uint32_t values; // code of the state
    uint32_t shape;
};

struct filling {
    struct cells *cells;
    struct cells_groups *groups;
    const struct state *state;
    int32_t *group_of; // each incident's, in order of the walk; GROUP_NONE: of none
    uint32_t *end;     // by group: where its incidents end in `told`
    struct told *told;
    unsigned char *page;                  // an entry a day
    uint64_t used[PAGE_DAYS / WORD_BITS]; // a bit a day of the page
    const struct told **lasting;          // scratch
};

// ---- incidents to their groups ------------------------------------------------------------

static bool choose_groups(struct filling *filling, struct tally_err *err)
{
    uint32_t codes[ROLLUP_DIMS_MAX];
    struct state_walk walk = {0};
    const struct incident *incident;
    uint32_t group;

    err->code = TALLY_OK;
    for (size_t i = 0; (incident = state_next(filling->state, &walk)) != NULL; i++) {
        filling->group_of[i] = GROUP_NONE;
        if (!incident_is_live(incident) ||
            !cells_matches(filling->cells, filling->state, incident, codes, err)) {
            if (err->code != TALLY_OK) {
                return false;
            }
            continue;
        }
        if (!cells_groups_find(filling->groups, codes, &group, err)) {
            return false;
        }
        filling->groups->group[group].incidents++;
        filling->group_of[i] = (int32_t)group;
    }
    return true;
}

static void scatter(struct filling *filling)
{
    const struct cells_groups *groups = filling->groups;
    struct state_walk walk = {0};
    const struct incident *incident;
    uint32_t sum = 0;

    for (uint32_t group = 0; group < groups->count; group++) {
        filling->end[group] = sum;
        sum += groups->group[group].incidents;
    }
    for (size_t i = 0; (incident = state_next(filling->state, &walk)) != NULL; i++) {
        if (filling->group_of[i] != GROUP_NONE) {
            filling->told[filling->end[filling->group_of[i]]++] =
                (struct told){.first_day = incident_first_day(incident),
                              .last_day = incident_last_day(incident),
                              .values = incident->values,
                              .shape = incident->shape};
        }
    }
}

// ---- one group ----------------------------------------------------------------------------

static void add_told(struct filling *filling, const struct told *told, struct cells_entry *to)
{
    const int *source = cells_measures_of(filling->cells, told->shape);
    const struct incident as_kept = {.values = told->values};
    uint64_t reported = incident_reported(filling->state, &as_kept);
    const int64_t *measures = incident_measures(filling->state, &as_kept);

    to->incidents++;
    for (size_t m = 0; m < filling->groups->measures_count; m++) {
        if (source[m] >= 0 && reported >> source[m] & 1) {
            cells_entry_add_one(filling->groups, to, m, measures[source[m]]);
        }
    }
}

static struct cells_entry *fresh_entry(const struct cells_groups *groups, unsigned char *at,
                                       int32_t first_day, int32_t last_day)
{
    struct cells_entry *entry = (struct cells_entry *)(void *)at;

    memset(entry, 0, groups->stride);
    entry->first_day = first_day;
    entry->last_day = last_day;
    return entry;
}

static bool find_days(const struct told *told, uint32_t count, int32_t *out_first_day)
{
    int32_t first_day = told[0].first_day;
    int32_t last_day = first_day;

    for (uint32_t i = 1; i < count; i++) {
        first_day = told[i].first_day < first_day ? told[i].first_day : first_day;
        last_day = told[i].first_day > last_day ? told[i].first_day : last_day;
    }
    *out_first_day = first_day;
    return last_day - first_day < PAGE_DAYS;
}

static uint32_t fill_page(struct filling *filling, const struct told *told, uint32_t count,
                          int32_t first_day)
{
    const struct cells_groups *groups = filling->groups;
    uint32_t days = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t day = (uint32_t)(told[i].first_day - first_day);
        unsigned char *at = filling->page + day * groups->stride;
        uint64_t bit = (uint64_t)1 << day % WORD_BITS;
        if (!(filling->used[day / WORD_BITS] & bit)) {
            filling->used[day / WORD_BITS] |= bit;
            fresh_entry(groups, at, told[i].first_day, told[i].first_day);
            days++;
        }
        add_told(filling, &told[i], (struct cells_entry *)(void *)at);
    }
    return days;
}

// Copies the days that are used and forgets them.
static void take_page(struct filling *filling, uint32_t days, unsigned char *out)
{
    size_t stride = filling->groups->stride;

    for (uint32_t word = 0; days > 0; word++) {
        for (uint64_t used = filling->used[word]; used != 0; used &= used - 1, days--) {
            uint32_t day = word * WORD_BITS + (uint32_t)__builtin_ctzll(used);
            memcpy(out, filling->page + day * stride, stride);
            out += stride;
        }
        filling->used[word] = 0;
    }
}

static bool fill_cells(struct filling *filling, const struct told *told, uint32_t count,
                       int32_t first_day, struct cells_list *out, struct tally_err *err)
{
    uint32_t days = fill_page(filling, told, count, first_day);
    unsigned char *data = malloc(days * filling->groups->stride);

    if (!data) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
    }
    take_page(filling, days, data);
    *out = (struct cells_list){.data = data, .count = days};
    return true;
}

static int compare_lasting(const void *left, const void *right)
{
    const struct told *a = *(const struct told *const *)left;
    const struct told *b = *(const struct told *const *)right;

    return cells_compare_days(a->first_day, a->last_day, b->first_day, b->last_day);
}

static bool fill_spans(struct filling *filling, const struct told *told, uint32_t count,
                       struct cells_list *out, struct tally_err *err)
{
    const struct cells_groups *groups = filling->groups;
    struct cells_entry *entry = NULL;
    uint32_t lasting = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (told[i].last_day > told[i].first_day) {
            filling->lasting[lasting++] = &told[i];
        }
    }
    if (lasting == 0) {
        return true;
    }
    qsort(filling->lasting, lasting, sizeof(struct told *), compare_lasting);
    out->data = malloc(lasting * groups->stride);
    if (!out->data) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for spans");
    }
    for (uint32_t i = 0; i < lasting; i++) {
        const struct told *one = filling->lasting[i];
        if (!entry || cells_compare_days(entry->first_day, entry->last_day, one->first_day,
                                         one->last_day) != 0) {
            entry = fresh_entry(groups, out->data + out->count++ * groups->stride, one->first_day,
                                one->last_day);
        }
        add_told(filling, one, entry);
    }
    return true;
}

// Too far apart for a page: as changes, which settling sorts.
static bool put_changes(struct filling *filling, uint32_t group, const struct told *told,
                        uint32_t count, struct tally_err *err)
{
    filling->groups->group[group].incidents = 0; // counted again one by one
    for (uint32_t i = 0; i < count; i++) {
        struct cells_change change;
        const struct incident as_kept = {
            .shape = told[i].shape,
            .values = told[i].values,
            .days = incident_days(told[i].first_day, told[i].last_day, 0, 0)};
        cells_change_of(filling->cells, filling->state, &as_kept, 1, &change);
        if (!cells_groups_change(filling->groups, cells_group_codes(filling->groups, group),
                                 &change, err)) {
            return false;
        }
    }
    return true;
}

static bool fill_group(struct filling *filling, uint32_t group, const struct told *told,
                       uint32_t count, struct tally_err *err)
{
    struct cells_group *of = &filling->groups->group[group];
    int32_t first_day;

    if (count == 0) {
        return true;
    }
    if (!find_days(told, count, &first_day)) {
        return put_changes(filling, group, told, count, err);
    }
    if (!fill_cells(filling, told, count, first_day, &of->cells, err) ||
        !fill_spans(filling, told, count, &of->spans, err)) {
        return false;
    }
    filling->groups->entries += (uint64_t)of->cells.count + of->spans.count;
    return true;
}

// ---- all ----------------------------------------------------------------------------------

static bool fill_groups(struct filling *filling, struct tally_err *err)
{
    uint32_t groups = filling->groups->count;
    uint64_t told = 0;

    for (uint32_t group = 0; group < groups; group++) {
        told += filling->groups->group[group].incidents;
    }
    if (told > UINT32_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %u incidents in one rollup", UINT32_MAX);
    }
    filling->end = calloc(groups + (size_t)1, sizeof *filling->end);
    filling->told = malloc((told + 1) * sizeof *filling->told);
    filling->lasting = malloc((told + 1) * sizeof *filling->lasting);
    filling->page = malloc(PAGE_DAYS * filling->groups->stride);
    if (!filling->end || !filling->told || !filling->lasting || !filling->page) {
        return err_set(err, TALLY_NO_MEMORY, "no memory to add up %llu incidents",
                       (unsigned long long)told);
    }
    pages_advise_large(filling->told, told * sizeof *filling->told);
    scatter(filling);
    for (uint32_t group = 0, from = 0; group < groups; from = filling->end[group++]) {
        if (!fill_group(filling, group, filling->told + from, filling->end[group] - from, err)) {
            return false;
        }
    }
    return true;
}

bool cells_fill(struct cells *cells, const struct state *state, struct tally_err *err)
{
    struct filling *filling = calloc(1, sizeof *filling);
    bool ok = filling;

    if (ok) {
        *filling = (struct filling){.cells = cells, .groups = cells_groups(cells), .state = state};
        filling->group_of = malloc((state_incidents(state) + 1) * sizeof *filling->group_of);
        ok = filling->group_of;
    }
    ok = ok ? choose_groups(filling, err) && fill_groups(filling, err)
            : err_set(err, TALLY_NO_MEMORY, "no memory to add up incidents");
    if (filling) {
        free(filling->group_of);
        free(filling->end);
        free(filling->told);
        free(filling->lasting);
        free(filling->page);
    }
    free(filling);
    return ok;
}
