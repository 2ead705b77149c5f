// store/cells_group.h - groups of day cells in memory (private to store/).
//
//   codes of the dimension values --hash--> group { cells by day, spans by (first, last) }
//
//   changes, as they come --> pending --(settle: by group, then by day)--> merged into the lists
//
// A change costs finding its group and a few words at the end of what is pending. Pending changes
// are merged when they are a quarter of all entries, or before the entries are read: each merge
// sorts what is pending and walks the lists that it touches once, so that no list is searched or
// moved for a single change.
//
// Cells and spans are entries of one kind, sorted by their days, of a stride that depends on the
// number of measures:
//
//   [struct cells_entry][sum 16 bytes] x measures [reported u32] x measures
#ifndef STORE_CELLS_GROUP_H
#define STORE_CELLS_GROUP_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/cells.h"
#include "store/rollup_def.h"

#include <stddef.h>
#include <stdint.h>

struct cells_entry {
    int32_t first_day;
    int32_t last_day; // of a cell: the same
    uint32_t incidents;
    uint32_t unused;
};

struct cells_list {
    unsigned char *data;
    uint32_t count;
};

struct cells_group {
    uint32_t hash;
    uint32_t incidents;      // in all cells; 0: the group is left out
    struct cells_list cells; // no entry without incidents
    struct cells_list spans;
};

// One change that waits; its values follow.
struct cells_pending {
    uint32_t group;
    int32_t first_day;
    int32_t last_day;
    int32_t sign;      // +1 or -1; 0: merged already
    uint64_t reported; // bit m
};

struct cells_groups {
    size_t dims_count;
    size_t measures_count;
    size_t stride; // bytes an entry
    unsigned char *pending;
    size_t pending_stride; // bytes a change
    uint32_t pending_count;
    uint32_t pending_capacity;
    uint64_t entries; // in all lists
    struct cells_group *group;
    uint32_t *codes; // [count][dims_count]
    uint32_t *slot;  // group + 1; 0 is free
    uint32_t count;
    uint32_t capacity;
    uint32_t slots; // power of two
};

struct cells_change {
    int32_t first_day;
    int32_t last_day;
    int sign; // +1 or -1
    int64_t value[ROLLUP_MEASURES_MAX];
    bool reported[ROLLUP_MEASURES_MAX];
};

bool cells_groups_init(struct cells_groups *groups, size_t dims_count, size_t measures_count,
                       struct tally_err *err);
void cells_groups_done(struct cells_groups *groups);
bool cells_groups_change(struct cells_groups *groups, const uint32_t *codes,
                         const struct cells_change *change, struct tally_err *err);
// Merges what is pending into the lists: before they are read. After a failure (no memory) it can
// be tried again.
bool cells_groups_settle(struct cells_groups *groups, struct tally_err *err);

const uint32_t *cells_group_codes(const struct cells_groups *groups, uint32_t group);
const struct cells_entry *cells_entry_at(const struct cells_groups *groups,
                                         const struct cells_list *list, uint32_t index);
bytes_i128 cells_entry_sum(const struct cells_entry *entry, size_t measure);
uint32_t cells_entry_reported(const struct cells_groups *groups, const struct cells_entry *entry,
                              size_t measure);

struct cells_groups *cells_groups(struct cells *cells);

#endif
