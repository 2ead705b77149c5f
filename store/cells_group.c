#include "store/cells_group.h"

#include "base/checksum.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 64, SUM_BYTES = 16 };

bool cells_groups_init(struct cells_groups *groups, size_t dims_count, size_t measures_count,
                       struct tally_err *err)
{
    size_t stride = sizeof(struct cells_entry) + measures_count * (SUM_BYTES + sizeof(uint32_t));

    *groups = (struct cells_groups){.dims_count = dims_count,
                                    .measures_count = measures_count,
                                    .stride = (stride + 7) & ~(size_t)7,
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

// < 0: the entry stands before these days.
static int compare_days(const struct cells_entry *entry, int32_t first_day, int32_t last_day)
{
    if (entry->first_day != first_day) {
        return entry->first_day < first_day ? -1 : 1;
    }
    return entry->last_day < last_day ? -1 : entry->last_day > last_day;
}

// The first entry that does not stand before these days. New days mostly come last.
static uint32_t lower_bound(const struct cells_groups *groups, const struct cells_list *list,
                            int32_t first_day, int32_t last_day)
{
    uint32_t low = 0;
    uint32_t high = list->count;

    if (high > 0 && compare_days(cells_entry_at(groups, list, high - 1), first_day, last_day) < 0) {
        return high;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_days(cells_entry_at(groups, list, middle), first_day, last_day) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool insert_entry(const struct cells_groups *groups, struct cells_list *list, uint32_t index,
                         int32_t first_day, int32_t last_day, struct tally_err *err)
{
    size_t stride = groups->stride;

    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity + list->capacity / 2 + 1 : 4;
        unsigned char *data = realloc(list->data, capacity * stride);
        if (!data) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
        }
        list->data = data;
        list->capacity = capacity;
    }
    unsigned char *at = list->data + index * stride;
    memmove(at + stride, at, (list->count - index) * stride);
    memset(at, 0, stride);
    struct cells_entry head = {.first_day = first_day, .last_day = last_day};
    memcpy(at, &head, sizeof head);
    list->count++;
    return true;
}

static void add_to_entry(const struct cells_groups *groups, struct cells_entry *entry,
                         const struct cells_change *change)
{
    uint32_t step = change->sign > 0 ? 1 : UINT32_MAX; // -1, modulo 2^32

    assert(change->sign > 0 || entry->incidents > 0);
    entry->incidents += step;
    for (size_t i = 0; i < groups->measures_count; i++) {
        if (change->reported[i]) {
            bytes_i128 sum =
                cells_entry_sum(entry, i) + change->sign * (bytes_i128)change->value[i];
            memcpy(sum_at(entry, i), &sum, sizeof sum);
            reported_at(groups, entry)[i] += step;
        }
    }
}

static bool change_list(const struct cells_groups *groups, struct cells_list *list,
                        int32_t first_day, int32_t last_day, const struct cells_change *change,
                        struct tally_err *err)
{
    uint32_t index = lower_bound(groups, list, first_day, last_day);
    bool there = index < list->count &&
                 compare_days(cells_entry_at(groups, list, index), first_day, last_day) == 0;

    assert(there || change->sign > 0);
    if (!there && !insert_entry(groups, list, index, first_day, last_day, err)) {
        return false;
    }
    unsigned char *at = list->data + index * groups->stride;
    add_to_entry(groups, (struct cells_entry *)(void *)at, change);
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

bool cells_groups_change(struct cells_groups *groups, const uint32_t *codes,
                         const struct cells_change *change, struct tally_err *err)
{
    uint32_t index;

    if (!find_or_add(groups, codes, &index, err)) {
        return false;
    }
    struct cells_group *group = &groups->group[index];
    group->incidents += change->sign > 0 ? 1 : UINT32_MAX;
    return change_list(groups, &group->cells, change->first_day, change->first_day, change, err) &&
           (change->last_day == change->first_day ||
            change_list(groups, &group->spans, change->first_day, change->last_day, change, err));
}
