#include "store/cells_group.h"

#include "base/prefetch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SUM_BYTES = 16, RUN_FIRST = 256, PENDING_MIN = 1 << 16, FEW = 64, GROUPS_FIRST = 64 };
enum { SORTED_LEAST = 1 << 13 }; // changes that a core is worth

bool cells_groups_init(struct cells_groups *groups, size_t dims_count, size_t measures_count,
                       struct tally_err *err)
{
    size_t stride = sizeof(struct cells_entry) + measures_count * (SUM_BYTES + sizeof(uint32_t));

    *groups = (struct cells_groups){.measures_count = measures_count,
                                    .stride = (stride + 7) & ~(size_t)7};
    return cells_keys_init(&groups->keys, dims_count, err);
}

void cells_groups_done(struct cells_groups *groups)
{
    for (uint32_t i = 0; i < groups->count; i++) {
        free(groups->group[i].cells.data);
        free(groups->group[i].spans.data);
    }
    for (unsigned core = 0; core < TEAM_PARTS_MAX; core++) {
        free(groups->noted[core].changes.data);
        free(groups->noted[core].codes);
    }
    free(groups->pending.data);
    free(groups->cells.data);
    free(groups->spans.data);
    free(groups->spare_cells.data);
    free(groups->spare_spans.data);
    free(groups->group);
    cells_keys_done(&groups->keys);
    *groups = (struct cells_groups){0};
}

// ---- entries ------------------------------------------------------------------------------

static struct cells_entry *entry_at(const struct cells_groups *groups, unsigned char *data,
                                    size_t index)
{
    return (struct cells_entry *)(void *)(data + index * groups->stride);
}

const struct cells_entry *cells_entry_at(const struct cells_groups *groups,
                                         const unsigned char *data, size_t index)
{
    return (const struct cells_entry *)(const void *)(data + index * groups->stride);
}

static unsigned char *sum_at(struct cells_entry *entry, size_t measure)
{
    return (unsigned char *)(entry + 1) + measure * SUM_BYTES;
}

bytes_i128 cells_entry_sum(const struct cells_entry *entry, size_t measure)
{
    bytes_i128 sum;
    memcpy(&sum, (const unsigned char *)(entry + 1) + measure * SUM_BYTES, sizeof sum);
    return sum;
}

static uint32_t *reported_at(const struct cells_groups *groups, struct cells_entry *entry)
{
    return (uint32_t *)(void *)((unsigned char *)(entry + 1) + groups->measures_count * SUM_BYTES);
}

uint32_t cells_entry_reported(const struct cells_groups *groups, const struct cells_entry *entry,
                              size_t measure)
{
    const unsigned char *at =
        (const unsigned char *)(entry + 1) + groups->measures_count * SUM_BYTES;
    uint32_t reported;
    memcpy(&reported, at + measure * sizeof reported, sizeof reported);
    return reported;
}

void cells_entry_set(const struct cells_groups *groups, struct cells_entry *entry, size_t measure,
                     bytes_i128 sum, uint32_t reported)
{
    memcpy(sum_at(entry, measure), &sum, sizeof sum);
    reported_at(groups, entry)[measure] = reported;
}

void cells_entry_add(const struct cells_groups *groups, struct cells_entry *to,
                     const struct cells_entry *from)
{
    to->incidents += from->incidents;
    for (size_t i = 0; i < groups->measures_count; i++) {
        bytes_i128 sum = cells_entry_sum(to, i) + cells_entry_sum(from, i);
        memcpy(sum_at(to, i), &sum, sizeof sum);
        reported_at(groups, to)[i] += cells_entry_reported(groups, from, i);
    }
}

void cells_entry_add_one(const struct cells_groups *groups, struct cells_entry *to, size_t measure,
                         int64_t value)
{
    bytes_i128 sum = cells_entry_sum(to, measure) + value;

    memcpy(sum_at(to, measure), &sum, sizeof sum);
    reported_at(groups, to)[measure]++;
}

int cells_compare_days(int32_t a_first, int32_t a_last, int32_t b_first, int32_t b_last)
{
    return a_first != b_first ? (a_first < b_first ? -1 : 1)
                              : (a_last > b_last) - (a_last < b_last);
}

// ---- order of what is pending -------------------------------------------------------------

static const struct cells_entry *pending_at(const struct cells_groups *groups, uint32_t index)
{
    return cells_entry_at(groups, groups->pending.data, index);
}

static int compare_pending(const void *left, const void *right, void *context)
{
    const struct cells_entry *a = pending_at(context, *(const uint32_t *)left);
    const struct cells_entry *b = pending_at(context, *(const uint32_t *)right);

    return cells_compare_days(a->first_day, a->last_day, b->first_day, b->last_day);
}

// By days. Mostly a group has few changes.
static void sort_by_days(const struct cells_groups *groups, uint32_t *order, uint32_t count)
{
    if (count > FEW) {
        qsort_r(order, count, sizeof *order, compare_pending, (void *)(uintptr_t)groups);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        uint32_t one = order[i];
        uint32_t at = i;
        for (; at > 0 && compare_pending(&order[at - 1], &one, (void *)(uintptr_t)groups) > 0;
             at--) {
            order[at] = order[at - 1];
        }
        order[at] = one;
    }
}

struct sorting {
    const struct cells_groups *groups;
    const uint32_t *end;
    uint32_t *order;
    unsigned parts;
};

static void sort_part(void *context, unsigned part)
{
    const struct sorting *sorting = context;
    uint32_t group = (uint32_t)team_begin(sorting->groups->count, part, sorting->parts);
    uint32_t behind = (uint32_t)team_begin(sorting->groups->count, part + 1, sorting->parts);

    for (; group < behind; group++) {
        uint32_t first = group > 0 ? sorting->end[group - 1] : 0;
        sort_by_days(sorting->groups, sorting->order + first, sorting->end[group] - first);
    }
}

void cells_sort_pending(const struct cells_groups *groups, uint32_t *end, uint32_t *order)
{
    struct sorting sorting = {.groups = groups,
                              .end = end,
                              .order = order,
                              .parts = team_parts(groups->pending.count, SORTED_LEAST)};
    uint32_t sum = 0;

    for (uint32_t i = 0; i < groups->pending.count; i++) {
        end[pending_at(groups, i)->group]++;
    }
    for (uint32_t group = 0; group < groups->count; group++) {
        uint32_t count = end[group];
        end[group] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < groups->pending.count; i++) {
        order[end[pending_at(groups, i)->group]++] = i;
    }
    team_run(sort_part, &sorting, sorting.parts);
}

// ---- settling -----------------------------------------------------------------------------

// What is to be merged into a list, in order of its days.
struct merge {
    const struct cells_groups *groups;
    const unsigned char *data;
    const uint32_t *order; // positions in `data`; NULL: as it stands
    uint32_t count;
    bool spans;
};

static const struct cells_entry *change_at(const struct merge *merge, uint32_t index)
{
    return cells_entry_at(merge->groups, merge->data, merge->order ? merge->order[index] : index);
}

// Last day of the entry that a change belongs to; cells know only the first one.
static int32_t last_day_of(const struct merge *merge, const struct cells_entry *change)
{
    return merge->spans ? change->last_day : change->first_day;
}

// Takes all changes from *at on that belong to the entry that comes next: one of the list, if it
// does not stand behind them, or a new one. Returns how many incidents the entry has then, which
// may be none, or more than it can hold.
static uint64_t merge_next(const struct merge *merge, const struct cells_entry *from, uint32_t *at,
                           struct cells_entry *to, bool *out_used)
{
    const struct cells_entry *change = *at < merge->count ? change_at(merge, *at) : NULL;
    int order = !from     ? 1
                : !change ? -1
                          : cells_compare_days(from->first_day, from->last_day, change->first_day,
                                               last_day_of(merge, change));

    assert(from || change);
    *out_used = order <= 0;
    if (order <= 0) {
        memcpy(to, from, merge->groups->stride);
    } else {
        memset(to, 0, merge->groups->stride);
        to->first_day = change->first_day;
        to->last_day = last_day_of(merge, change);
    }
    int64_t incidents = to->incidents;
    while (change && cells_compare_days(to->first_day, to->last_day, change->first_day,
                                        last_day_of(merge, change)) == 0) {
        cells_entry_add(merge->groups, to, change);
        incidents += (int32_t)change->incidents;
        ++*at;
        change = *at < merge->count ? change_at(merge, *at) : NULL;
    }
    assert(incidents >= 0);
    return (uint64_t)incidents;
}

static bool merge_list(const struct merge *merge, const struct cells_list *list,
                       struct cells_list *out, struct tally_err *err)
{
    const struct cells_groups *groups = merge->groups;
    unsigned char *data = malloc((list->count + (size_t)merge->count + 1) * groups->stride);
    struct cells_columns columns;
    struct cells_room from;
    uint32_t count = 0;
    uint32_t taken = 0;

    if (!data) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
    }
    cells_list_open(groups, list, &columns);
    bool ok = true;
    for (uint32_t at = 0; ok && (at < merge->count || taken < list->count);) {
        bool used;
        if (taken < list->count) {
            cells_list_get(groups, &columns, taken, &from.entry);
        }
        uint64_t incidents = merge_next(merge, taken < list->count ? &from.entry : NULL, &at,
                                        entry_at(groups, data, count), &used);
        ok = incidents <= INCIDENTS_MAX ||
             err_set(err, TALLY_LIMIT, "more than %u incidents of one group on one day",
                     (unsigned)INCIDENTS_MAX);
        count += incidents > 0;
        taken += used;
    }
    ok = ok && cells_list_pack(groups, data, NULL, count, out, err);
    free(data);
    return ok;
}

// Both lists or, after a failure, neither.
static bool settle_group(struct cells_groups *groups, struct cells_group *group,
                         const struct merge *cells, const struct merge *spans,
                         struct tally_err *err)
{
    uint64_t before = (uint64_t)group->cells.count + group->spans.count;
    struct cells_list new_cells;
    struct cells_list new_spans;

    if (!merge_list(cells, &group->cells, &new_cells, err)) {
        return false;
    }
    if (!merge_list(spans, &group->spans, &new_spans, err)) {
        free(new_cells.data);
        return false;
    }
    free(group->cells.data);
    free(group->spans.data);
    group->cells = new_cells;
    group->spans = new_spans;
    groups->entries += (uint64_t)new_cells.count + new_spans.count - before;
    groups->moved = true;
    return true;
}

// What was merged before memory ran out counts nothing when it is merged again.
static void forget_merged(const struct cells_groups *groups, struct cells_run *run, uint32_t group)
{
    for (uint32_t i = 0; i < run->count; i++) {
        struct cells_entry *entry = entry_at(groups, run->data, i);
        if (entry->group < group) {
            entry->incidents = 0;
            memset(entry + 1, 0, groups->stride - sizeof *entry);
        }
    }
}

// How many entries from *at on are of this group; *at moves behind them.
static uint32_t take_group(const struct cells_groups *groups, const struct cells_run *run,
                           uint32_t group, uint32_t *at)
{
    uint32_t first = *at;

    while (*at < run->count && cells_entry_at(groups, run->data, *at)->group == group) {
        ++*at;
    }
    return *at - first;
}

static bool settle_differences(struct cells_groups *groups, struct tally_err *err)
{
    uint32_t cells_at = 0;
    uint32_t spans_at = 0;

    for (uint32_t group = 0; group < groups->count; group++) {
        struct merge cells = {.groups = groups, .data = groups->cells.data};
        struct merge spans = {.groups = groups, .data = groups->spans.data, .spans = true};
        // Without differences there may be no memory to move in.
        if (cells.data) {
            cells.data += cells_at * groups->stride;
        }
        if (spans.data) {
            spans.data += spans_at * groups->stride;
        }
        cells.count = take_group(groups, &groups->cells, group, &cells_at);
        spans.count = take_group(groups, &groups->spans, group, &spans_at);
        if (cells.count + spans.count > 0 &&
            !settle_group(groups, &groups->group[group], &cells, &spans, err)) {
            forget_merged(groups, &groups->cells, group);
            forget_merged(groups, &groups->spans, group);
            return false;
        }
    }
    groups->cells.count = 0;
    groups->spans.count = 0;
    return true;
}

// Those of lasting incidents alone; `out` has room for all.
static uint32_t choose_spans(const struct cells_groups *groups, const uint32_t *order,
                             uint32_t count, uint32_t *out)
{
    uint32_t chosen = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct cells_entry *change = pending_at(groups, order[i]);
        if (change->last_day > change->first_day) {
            out[chosen++] = order[i];
        }
    }
    return chosen;
}

static bool settle_pending(struct cells_groups *groups, const uint32_t *end, const uint32_t *order,
                           uint32_t *scratch, struct tally_err *err)
{
    for (uint32_t group = 0, first = 0; group < groups->count; first = end[group++]) {
        struct merge cells = {.groups = groups,
                              .data = groups->pending.data,
                              .order = order + first,
                              .count = end[group] - first};
        struct merge spans = cells;
        spans.spans = true;
        spans.order = scratch;
        spans.count = choose_spans(groups, cells.order, cells.count, scratch);
        if (cells.count > 0 && !settle_group(groups, &groups->group[group], &cells, &spans, err)) {
            forget_merged(groups, &groups->pending, group);
            return false;
        }
    }
    groups->pending.count = 0;
    return true;
}

bool cells_groups_settle(struct cells_groups *groups, struct tally_err *err)
{
    if (!cells_groups_find_noted(groups, err)) {
        return false;
    }
    uint32_t *end = calloc(groups->count + (size_t)1, sizeof *end);
    uint32_t *order = calloc(groups->pending.count + (size_t)1, sizeof *order);
    uint32_t *scratch = calloc(groups->pending.count + (size_t)1, sizeof *scratch);
    bool ok = (end && order && scratch) ||
              err_set(err, TALLY_NO_MEMORY, "no memory to merge %u changes", groups->pending.count);

    ok = ok && settle_differences(groups, err);
    if (ok) {
        cells_sort_pending(groups, end, order);
        ok = settle_pending(groups, end, order, scratch, err);
    }
    free(end);
    free(order);
    free(scratch);
    return ok;
}

bool cells_run_reserve(const struct cells_groups *groups, struct cells_run *run, size_t more,
                       struct tally_err *err)
{
    size_t capacity = run->capacity ? run->capacity : RUN_FIRST;

    if (more <= run->capacity - run->count) {
        return true;
    }
    while (capacity < run->count + more) {
        capacity *= 2;
    }
    unsigned char *data =
        capacity <= UINT32_MAX ? realloc(run->data, capacity * groups->stride) : NULL;
    if (!data) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
    }
    run->data = data;
    run->capacity = (uint32_t)capacity;
    return true;
}

uint64_t cells_groups_changes(const struct cells_groups *groups)
{
    return cells_groups_noted(groups) + groups->pending.count + groups->cells.count +
           groups->spans.count;
}

bool cells_groups_limit(struct cells_groups *groups, struct tally_err *err)
{
    uint64_t count = cells_groups_noted(groups) + groups->pending.count;

    return count < PENDING_MIN || count < groups->entries / 4 || cells_groups_settle(groups, err);
}

// ---- groups -------------------------------------------------------------------------------

const uint32_t *cells_group_codes(const struct cells_groups *groups, uint32_t group)
{
    return cells_keys_codes(&groups->keys, group);
}

static bool reserve_group(struct cells_groups *groups, struct tally_err *err)
{
    if (groups->count < groups->capacity) {
        return true;
    }
    uint32_t capacity = groups->capacity ? groups->capacity * 2 : GROUPS_FIRST;
    struct cells_group *group = realloc(groups->group, capacity * sizeof *group);
    if (!group) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for groups");
    }
    groups->group = group;
    groups->capacity = capacity;
    return true;
}

static bool find_by(struct cells_groups *groups, const uint32_t *codes, uint64_t hash,
                    uint32_t *out_group, struct tally_err *err)
{
    if (!reserve_group(groups, err) ||
        !cells_keys_find_by(&groups->keys, codes, hash, out_group, err)) {
        return false;
    }
    if (*out_group == groups->count) {
        groups->group[groups->count++] = (struct cells_group){.base = CELLS_NO_BASE};
    }
    return true;
}

bool cells_groups_find(struct cells_groups *groups, const uint32_t *codes, uint32_t *out_group,
                       struct tally_err *err)
{
    return find_by(groups, codes, cells_keys_prefetch(&groups->keys, codes), out_group, err);
}

// ---- changes ------------------------------------------------------------------------------

void cells_run_put(const struct cells_groups *groups, struct cells_run *run, uint32_t group,
                   const struct cells_change *change)
{
    struct cells_entry *entry = entry_at(groups, run->data, run->count++);

    memset(entry + 1, 0, groups->stride - sizeof *entry);
    *entry = (struct cells_entry){.first_day = change->first_day,
                                  .last_day = change->last_day,
                                  .incidents = (uint32_t)change->sign,
                                  .group = group};
    for (size_t i = 0; i < groups->measures_count; i++) {
        if (change->reported[i]) {
            bytes_i128 sum = change->sign * (bytes_i128)change->value[i];
            memcpy(sum_at(entry, i), &sum, sizeof sum);
            reported_at(groups, entry)[i] = (uint32_t)change->sign;
        }
    }
}

bool cells_groups_put(struct cells_groups *groups, uint32_t group,
                      const struct cells_change *change, struct tally_err *err)
{
    assert(cells_groups_noted(groups) == 0);
    if (!cells_groups_limit(groups, err) || !cells_run_reserve(groups, &groups->pending, 1, err)) {
        return false;
    }
    assert(change->sign > 0 || groups->group[group].incidents > 0);
    groups->group[group].incidents += (uint64_t)(int64_t)change->sign;
    cells_run_put(groups, &groups->pending, group, change);
    return true;
}

bool cells_groups_add(struct cells_groups *groups, const uint32_t *codes,
                      const struct rollup_entry *entry, struct tally_err *err)
{
    uint32_t group;

    if (!cells_groups_find_noted(groups, err) || !cells_groups_limit(groups, err) ||
        !cells_groups_find(groups, codes, &group, err) ||
        !cells_run_reserve(groups, &groups->pending, 1, err)) {
        return false;
    }
    struct cells_entry *to = entry_at(groups, groups->pending.data, groups->pending.count++);
    memset(to + 1, 0, groups->stride - sizeof *to);
    *to = (struct cells_entry){.first_day = entry->first_day,
                               .last_day = entry->last_day,
                               .incidents = (uint32_t)entry->sums.incidents,
                               .group = group};
    for (size_t i = 0; i < groups->measures_count; i++) {
        const struct rollup_measure_sum *measure = &entry->sums.measure[i];
        cells_entry_set(groups, to, i, measure->sum, (uint32_t)measure->reported);
    }
    groups->group[group].incidents += entry->sums.incidents;
    return true;
}
