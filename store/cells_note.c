// store/cells_note.c - what cores note of changes, and the groups that these are of (contracts in
// cells_group.h).
//
// In order of execution: each core puts changes and the codes of their groups at the end of its
// own; later all that was noted is copied behind what is pending, and its groups are looked up, on
// all cores; groups that are new are added by one; incidents are counted.
#include "store/cells_group.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKED_UP = 64 };        // at once
enum { NOTED_LEAST = 1 << 12 }; // changes that a core is worth

uint64_t cells_groups_noted(const struct cells_groups *groups)
{
    uint64_t count = 0;

    for (unsigned core = 0; core < TEAM_PARTS_MAX; core++) {
        count += groups->noted[core].changes.count;
    }
    return count;
}

// ---- noting -------------------------------------------------------------------------------

static bool reserve_noted(const struct cells_groups *groups, struct cells_noted *noted,
                          struct tally_err *err)
{
    if (!cells_run_reserve(groups, &noted->changes, 1, err)) {
        return false;
    }
    if (noted->codes_capacity == noted->changes.capacity) {
        return true;
    }
    size_t bytes = noted->changes.capacity * groups->keys.dims_count * sizeof *noted->codes;
    uint32_t *codes = realloc(noted->codes, bytes ? bytes : 1);
    if (!codes) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
    }
    noted->codes = codes;
    noted->codes_capacity = noted->changes.capacity;
    return true;
}

bool cells_groups_note(struct cells_groups *groups, unsigned core, const uint32_t *codes,
                       const struct cells_change *change, struct tally_err *err)
{
    struct cells_noted *noted = &groups->noted[core];
    size_t dims = groups->keys.dims_count;

    if (!reserve_noted(groups, noted, err)) {
        return false;
    }
    memcpy(noted->codes + noted->changes.count * dims, codes, dims * sizeof *codes);
    cells_run_put(groups, &noted->changes, CELLS_NO_KEY, change);
    return true;
}

// ---- groups -------------------------------------------------------------------------------

static struct cells_entry *entry_at(const struct cells_groups *groups, unsigned char *data,
                                    size_t index)
{
    return (struct cells_entry *)(void *)(data + index * groups->stride);
}

struct finding {
    struct cells_groups *groups;
    uint32_t first; // pending entry of the first one that was noted
    uint64_t count;
    unsigned parts;
};

static const uint32_t *codes_at(const struct cells_groups *groups, const struct cells_noted *noted,
                                uint32_t index)
{
    return noted->codes + (size_t)index * groups->keys.dims_count;
}

// The memory of many is asked for before one is looked at. `out`: their entries.
static void find_some(const struct cells_groups *groups, const struct cells_noted *noted,
                      uint32_t first, uint32_t count, unsigned char *out)
{
    uint64_t hash[LOOKED_UP];

    for (uint32_t i = 0; i < count; i++) {
        hash[i] = cells_keys_prefetch(&groups->keys, codes_at(groups, noted, first + i));
    }
    for (uint32_t i = 0; i < count; i++) {
        cells_keys_prefetch_codes(&groups->keys, hash[i]);
    }
    memcpy(out, noted->changes.data + first * groups->stride, count * groups->stride);
    for (uint32_t i = 0; i < count; i++) {
        entry_at(groups, out, i)->group =
            cells_keys_look_up(&groups->keys, codes_at(groups, noted, first + i), hash[i]);
    }
}

static void find_part(void *context, unsigned part)
{
    const struct finding *finding = context;
    const struct cells_groups *groups = finding->groups;
    size_t from = team_begin(finding->count, part, finding->parts);
    size_t end = team_begin(finding->count, part + 1, finding->parts);
    size_t before = 0; // that the cores before noted

    for (unsigned core = 0; core < TEAM_PARTS_MAX; core++) {
        const struct cells_noted *noted = &groups->noted[core];
        size_t behind = before + noted->changes.count;
        for (size_t at = from > before ? from : before; at < behind && at < end;) {
            size_t last = behind < end ? behind : end;
            size_t count = last - at < LOOKED_UP ? last - at : LOOKED_UP;
            find_some(groups, noted, (uint32_t)(at - before), (uint32_t)count,
                      groups->pending.data + (finding->first + at) * groups->stride);
            at += count;
        }
        before = behind;
    }
}

static bool add_groups(struct finding *finding, struct tally_err *err)
{
    struct cells_groups *groups = finding->groups;
    size_t at = finding->first;

    for (unsigned core = 0; core < TEAM_PARTS_MAX; core++) {
        const struct cells_noted *noted = &groups->noted[core];
        for (uint32_t i = 0; i < noted->changes.count; i++) {
            struct cells_entry *entry = entry_at(groups, groups->pending.data, at++);
            if (entry->group == CELLS_NO_KEY &&
                !cells_groups_find(groups, codes_at(groups, noted, i), &entry->group, err)) {
                return false;
            }
        }
    }
    return true;
}

// One core may have noted that an incident came, and another one, in the next batch, that it went:
// a group has none too few only when all are counted.
static void count_all(const struct finding *finding)
{
    const struct cells_groups *groups = finding->groups;

    for (size_t i = 0; i < finding->count; i++) {
        const struct cells_entry *entry =
            entry_at(groups, groups->pending.data, finding->first + i);
        groups->group[entry->group].incidents += (uint64_t)(int64_t)(int32_t)entry->incidents;
    }
    for (size_t i = 0; i < finding->count; i++) {
        const struct cells_entry *entry =
            entry_at(groups, groups->pending.data, finding->first + i);
        assert(groups->group[entry->group].incidents <= INT64_MAX);
    }
}

bool cells_groups_find_noted(struct cells_groups *groups, struct tally_err *err)
{
    struct finding finding = {
        .groups = groups, .first = groups->pending.count, .count = cells_groups_noted(groups)};

    if (finding.count == 0) {
        return true;
    }
    finding.parts = team_parts(finding.count, NOTED_LEAST);
    if (!cells_run_reserve(groups, &groups->pending, finding.count, err)) {
        return false;
    }
    team_run(find_part, &finding, finding.parts);
    if (!add_groups(&finding, err)) {
        return false;
    }
    count_all(&finding);
    groups->pending.count += (uint32_t)finding.count;
    for (unsigned core = 0; core < TEAM_PARTS_MAX; core++) {
        groups->noted[core].changes.count = 0;
    }
    return true;
}
