#include "store/cells_group.h"

#include "base/checksum.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 64, SUM_BYTES = 16, PENDING_FIRST = 256, PENDING_MIN = 1 << 16 };

bool cells_groups_init(struct cells_groups *groups, size_t dims_count, size_t measures_count,
                       struct tally_err *err)
{
    size_t stride = sizeof(struct cells_entry) + measures_count * (SUM_BYTES + sizeof(uint32_t));

    *groups = (struct cells_groups){.dims_count = dims_count,
                                    .measures_count = measures_count,
                                    .stride = (stride + 7) & ~(size_t)7,
                                    .pending_stride = sizeof(struct cells_pending) +
                                                      measures_count * sizeof(int64_t),
                                    .slots = SLOTS_FIRST};
    groups->slot = calloc(groups->slots, sizeof *groups->slot);
    return groups->slot ? true : err_set(err, TALLY_NO_MEMORY, "no memory for groups");
}

void cells_groups_done(struct cells_groups *groups)
{
    for (uint32_t i = 0; i < groups->count; i++) {
        free(groups->group[i].cells.data);
        free(groups->group[i].spans.data);
    }
    free(groups->pending);
    free(groups->group);
    free(groups->codes);
    free(groups->slot);
    *groups = (struct cells_groups){0};
}

// ---- entries ------------------------------------------------------------------------------

const struct cells_entry *cells_entry_at(const struct cells_groups *groups,
                                         const struct cells_list *list, uint32_t index)
{
    return (const struct cells_entry *)(const void *)(list->data + index * groups->stride);
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

// Adds to the sums; *incidents may pass below zero on its way, as changes of a day come unsorted.
static void add_to_entry(const struct cells_groups *groups, struct cells_entry *entry,
                         const struct cells_pending *change, int64_t *incidents)
{
    const unsigned char *values = (const unsigned char *)(change + 1);

    *incidents += change->sign;
    for (size_t i = 0; i < groups->measures_count; i++) {
        if (change->reported >> i & 1) {
            int64_t value;
            memcpy(&value, values + i * sizeof value, sizeof value);
            bytes_i128 sum = cells_entry_sum(entry, i) + change->sign * (bytes_i128)value;
            memcpy(sum_at(entry, i), &sum, sizeof sum);
            reported_at(groups, entry)[i] += (uint32_t)change->sign;
        }
    }
}

// ---- settling -----------------------------------------------------------------------------

static struct cells_pending *pending_at(const struct cells_groups *groups, uint32_t index)
{
    return (struct cells_pending *)(void *)(groups->pending + index * groups->pending_stride);
}

static int compare_days(int32_t a_first, int32_t a_last, int32_t b_first, int32_t b_last)
{
    return a_first != b_first ? (a_first < b_first ? -1 : 1)
                              : (a_last > b_last) - (a_last < b_last);
}

static int compare_pending(const void *left, const void *right, void *context)
{
    const struct cells_pending *a = pending_at(context, *(const uint32_t *)left);
    const struct cells_pending *b = pending_at(context, *(const uint32_t *)right);

    return compare_days(a->first_day, a->last_day, b->first_day, b->last_day);
}

// The changes of one group, in order of their days.
struct merge {
    const struct cells_groups *groups;
    const uint32_t *order;
    uint32_t count;
    bool spans;
};

// Last day of the entry that a change belongs to; cells know only the first one.
static int32_t last_day_of(const struct merge *merge, const struct cells_pending *change)
{
    return merge->spans ? change->last_day : change->first_day;
}

// Takes all changes from *at on that belong to the entry that comes next: one of the list, if it
// does not stand behind them, or a new one. Returns the entry where it has incidents left.
static bool merge_next(const struct merge *merge, const struct cells_entry *from, uint32_t *at,
                       struct cells_entry *to, bool *out_used)
{
    const struct cells_pending *change =
        *at < merge->count ? pending_at(merge->groups, merge->order[*at]) : NULL;
    int order = !change ? -1
                : !from ? 1
                        : compare_days(from->first_day, from->last_day, change->first_day,
                                       last_day_of(merge, change));

    *out_used = order <= 0;
    if (order <= 0) {
        memcpy(to, from, merge->groups->stride);
    } else {
        memset(to, 0, merge->groups->stride);
        to->first_day = change->first_day;
        to->last_day = last_day_of(merge, change);
    }
    int64_t incidents = to->incidents;
    while (change && compare_days(to->first_day, to->last_day, change->first_day,
                                  last_day_of(merge, change)) == 0) {
        add_to_entry(merge->groups, to, change, &incidents);
        ++*at;
        change = *at < merge->count ? pending_at(merge->groups, merge->order[*at]) : NULL;
    }
    assert(incidents >= 0 && incidents <= UINT32_MAX);
    to->incidents = (uint32_t)incidents;
    return incidents > 0;
}

static bool merge_list(const struct merge *merge, const struct cells_list *list,
                       struct cells_list *out, struct tally_err *err)
{
    size_t stride = merge->groups->stride;
    unsigned char *data = malloc((list->count + (size_t)merge->count + 1) * stride);
    uint32_t count = 0;
    uint32_t taken = 0;

    if (!data) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
    }
    for (uint32_t at = 0; at < merge->count || taken < list->count;) {
        const struct cells_entry *from =
            taken < list->count ? cells_entry_at(merge->groups, list, taken) : NULL;
        bool used;
        count += merge_next(merge, from, &at, (struct cells_entry *)(void *)(data + count * stride),
                            &used);
        taken += used;
    }
    unsigned char *fitted = realloc(data, count > 0 ? count * stride : 1);
    *out = (struct cells_list){.data = fitted ? fitted : data, .count = count};
    return true;
}

// Those of lasting incidents alone; `out` has room for all.
static uint32_t choose_spans(const struct cells_groups *groups, const uint32_t *order,
                             uint32_t count, uint32_t *out)
{
    uint32_t chosen = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct cells_pending *change = pending_at(groups, order[i]);
        if (change->last_day > change->first_day) {
            out[chosen++] = order[i];
        }
    }
    return chosen;
}

// Both lists or, after a failure, neither.
static bool settle_group(struct cells_groups *groups, struct cells_group *group, uint32_t *order,
                         uint32_t count, uint32_t *scratch, struct tally_err *err)
{
    struct merge cells = {.groups = groups, .order = order, .count = count};
    struct merge spans = {.groups = groups, .order = scratch, .spans = true};
    uint64_t before = (uint64_t)group->cells.count + group->spans.count;
    struct cells_list new_cells;
    struct cells_list new_spans;

    qsort_r(order, count, sizeof *order, compare_pending, groups);
    spans.count = choose_spans(groups, order, count, scratch);
    if (!merge_list(&cells, &group->cells, &new_cells, err)) {
        return false;
    }
    if (!merge_list(&spans, &group->spans, &new_spans, err)) {
        free(new_cells.data);
        return false;
    }
    free(group->cells.data);
    free(group->spans.data);
    group->cells = new_cells;
    group->spans = new_spans;
    groups->entries += (uint64_t)new_cells.count + new_spans.count - before;
    for (uint32_t i = 0; i < count; i++) {
        pending_at(groups, order[i])->sign = 0;
    }
    return true;
}

// Positions of the changes by group: those of group g stand from end[g - 1] to end[g].
static void sort_by_group(const struct cells_groups *groups, uint32_t *end, uint32_t *order)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < groups->pending_count; i++) {
        end[pending_at(groups, i)->group] += pending_at(groups, i)->sign != 0;
    }
    for (uint32_t group = 0; group < groups->count; group++) {
        uint32_t count = end[group];
        end[group] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < groups->pending_count; i++) {
        if (pending_at(groups, i)->sign != 0) {
            order[end[pending_at(groups, i)->group]++] = i;
        }
    }
}

bool cells_groups_settle(struct cells_groups *groups, struct tally_err *err)
{
    uint32_t *end = calloc(groups->count + (size_t)1, sizeof *end);
    uint32_t *order = calloc(groups->pending_count + (size_t)1, sizeof *order);
    uint32_t *scratch = calloc(groups->pending_count + (size_t)1, sizeof *scratch);
    bool ok = (end && order && scratch) ||
              err_set(err, TALLY_NO_MEMORY, "no memory to merge %u changes", groups->pending_count);

    if (ok) {
        sort_by_group(groups, end, order);
    }
    for (uint32_t group = 0; ok && group < groups->count; group++) {
        uint32_t first = group > 0 ? end[group - 1] : 0;
        ok = end[group] == first || settle_group(groups, &groups->group[group], order + first,
                                                 end[group] - first, scratch, err);
    }
    groups->pending_count = ok ? 0 : groups->pending_count;
    free(end);
    free(order);
    free(scratch);
    return ok;
}

static bool reserve_pending(struct cells_groups *groups, struct tally_err *err)
{
    if (groups->pending_count < groups->pending_capacity) {
        return true;
    }
    if (groups->pending_count >= PENDING_MIN && groups->pending_count >= groups->entries / 4) {
        return cells_groups_settle(groups, err);
    }
    uint32_t capacity = groups->pending_capacity ? groups->pending_capacity * 2 : PENDING_FIRST;
    unsigned char *pending = realloc(groups->pending, capacity * groups->pending_stride);
    if (!pending) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
    }
    groups->pending = pending;
    groups->pending_capacity = capacity;
    return true;
}

// ---- groups -------------------------------------------------------------------------------

const uint32_t *cells_group_codes(const struct cells_groups *groups, uint32_t group)
{
    return groups->codes + group * groups->dims_count;
}

static void place(struct cells_groups *groups, uint32_t group)
{
    uint32_t mask = groups->slots - 1;
    uint32_t at = groups->group[group].hash & mask;

    while (groups->slot[at] != 0) {
        at = (at + 1) & mask;
    }
    groups->slot[at] = group + 1;
}

static bool reserve_group(struct cells_groups *groups, struct tally_err *err)
{
    if (groups->count == groups->capacity) {
        uint32_t capacity = groups->capacity ? groups->capacity * 2 : 64;
        size_t codes_bytes = capacity * groups->dims_count * sizeof(uint32_t);
        struct cells_group *group = realloc(groups->group, capacity * sizeof *group);
        groups->group = group ? group : groups->group;
        uint32_t *codes = realloc(groups->codes, codes_bytes ? codes_bytes : 1);
        groups->codes = codes ? codes : groups->codes;
        if (!group || !codes) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for groups");
        }
        groups->capacity = capacity;
    }
    if (groups->count < groups->slots / 2) {
        return true;
    }
    uint32_t *slot = calloc(groups->slots * (size_t)2, sizeof *slot);
    if (!slot) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for groups");
    }
    free(groups->slot);
    groups->slot = slot;
    groups->slots *= 2;
    for (uint32_t i = 0; i < groups->count; i++) {
        place(groups, i);
    }
    return true;
}

static bool find_or_add(struct cells_groups *groups, const uint32_t *codes, uint32_t *out_group,
                        struct tally_err *err)
{
    size_t codes_bytes = groups->dims_count * sizeof *codes;
    uint32_t hash = (uint32_t)checksum64(codes, codes_bytes, 0);
    uint32_t mask = groups->slots - 1;

    for (uint32_t at = hash & mask; groups->slot[at] != 0; at = (at + 1) & mask) {
        uint32_t group = groups->slot[at] - 1;
        if (groups->group[group].hash == hash &&
            memcmp(cells_group_codes(groups, group), codes, codes_bytes) == 0) {
            *out_group = group;
            return true;
        }
    }
    if (!reserve_group(groups, err)) {
        return false;
    }
    uint32_t group = groups->count;
    groups->group[group] = (struct cells_group){.hash = hash};
    memcpy(groups->codes + group * groups->dims_count, codes, codes_bytes);
    place(groups, group);
    groups->count++;
    *out_group = group;
    return true;
}

static void put_pending(struct cells_groups *groups, uint32_t group,
                        const struct cells_change *change)
{
    struct cells_pending *pending = pending_at(groups, groups->pending_count++);
    unsigned char *values = (unsigned char *)(pending + 1);

    *pending = (struct cells_pending){.group = group,
                                      .first_day = change->first_day,
                                      .last_day = change->last_day,
                                      .sign = change->sign};
    for (size_t i = 0; i < groups->measures_count; i++) {
        pending->reported |= (uint64_t)change->reported[i] << i;
        memcpy(values + i * sizeof(int64_t), &change->value[i], sizeof(int64_t));
    }
}

bool cells_groups_change(struct cells_groups *groups, const uint32_t *codes,
                         const struct cells_change *change, struct tally_err *err)
{
    uint32_t group;

    if (!reserve_pending(groups, err) || !find_or_add(groups, codes, &group, err)) {
        return false;
    }
    assert(change->sign > 0 || groups->group[group].incidents > 0);
    groups->group[group].incidents += change->sign > 0 ? 1 : UINT32_MAX;
    put_pending(groups, group, change);
    return true;
}
