// store/cells_gather.c - changes as differences from the base file (contracts in cells_group.h).
//
// In order of execution: sort what is pending; merge it with the differences that are there, cells
// first, then spans; of each entry that changes on the way, take the digest of what it said off
// the sum and put that of what it says now on.
//
//   changes     | group 0 1 2 ...    | ... 17 18 19    |     each core merges those of whole groups
//   differences | of the same groups | of the same     |     to where they stand if nothing of the
//   merged      |                 :  |            :    |     cores before falls away: then they are
//   merged      |                 |            |             moved together
//
// Most of it is waiting for entries of the base, which lie all over the memory.
#include "store/cells_group.h"

#include "base/prefetch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// Changes ahead whose entries of the base are asked for: their lists, and then the entries.
enum { LISTS_AHEAD = 24, ENTRIES_AHEAD = 12 };
enum { CHANGES_LEAST = 1 << 11 }; // that a core is worth

// What one core does. Groups and their digests are its own.
struct gathering {
    struct cells_groups *groups;
    const struct texts *texts;
    bool spans;
    int32_t newest;         // day, before
    struct rollup_made now; // what there was before is the first core's, with the others' added
    const uint32_t *order;  // pending changes, sorted
    uint32_t count;
    uint32_t lists_asked; // changes
    uint32_t entries_asked;
    const unsigned char *old; // differences
    uint32_t old_count;
    unsigned char *out;
    uint32_t out_count;
    struct bytes piece;
    bool ok; // false: no memory for a piece
};

// ---- what an entry says -------------------------------------------------------------------

// Requires: index < gathering->count.
static const struct cells_entry *pending_at(const struct gathering *gathering, uint32_t index)
{
    return cells_entry_at(gathering->groups, gathering->groups->pending.data,
                          gathering->order[index]);
}

static const struct cells_entry *change_at(const struct gathering *gathering, uint32_t index)
{
    return index < gathering->count ? pending_at(gathering, index) : NULL;
}

static const struct cells_list *list_of(const struct gathering *gathering,
                                        const struct cells_entry *change)
{
    const struct cells_group *group = &gathering->groups->group[change->group];

    return gathering->spans ? &group->spans : &group->cells;
}

static void ask_for_entry(const struct gathering *gathering, const struct cells_list *list,
                          int32_t first_day)
{
    struct cells_columns columns;

    if (list->count > 0) {
        cells_list_open(gathering->groups, list, &columns);
        cells_list_prefetch(gathering->groups, &columns,
                            cells_list_guess(list, first_day, gathering->newest));
    }
}

// Entries of the base lie all over the memory: those of the changes behind the one at `at` are on
// their way while it is looked at.
static void ask_ahead(struct gathering *gathering, uint32_t at)
{
    uint32_t count = gathering->count;

    for (uint32_t *i = &gathering->lists_asked; *i < at + LISTS_AHEAD && *i < count; ++*i) {
        prefetch_to_read(list_of(gathering, pending_at(gathering, *i))->data);
    }
    for (uint32_t *i = &gathering->entries_asked; *i < at + ENTRIES_AHEAD && *i < count; ++*i) {
        const struct cells_entry *change = pending_at(gathering, *i);
        ask_for_entry(gathering, list_of(gathering, change), change->first_day);
    }
}

// The entry of the base with these days. False: it has none.
static bool find_entry(const struct gathering *gathering, const struct cells_entry *difference,
                       struct cells_entry *out)
{
    const struct cells_list *list = list_of(gathering, difference);
    struct cells_columns columns;
    uint32_t index;

    cells_list_open(gathering->groups, list, &columns);
    if (!cells_list_find(&columns, cells_list_guess(list, difference->first_day, gathering->newest),
                         difference->first_day, difference->last_day, &index)) {
        return false;
    }
    cells_list_get(gathering->groups, &columns, index, out);
    return true;
}

// An entry of the base and its difference, added; either may be NULL.
static void add_up(const struct cells_groups *groups, const struct cells_entry *base,
                   const struct cells_entry *difference, struct rollup_sums *out)
{
    uint32_t incidents = 0;

    rollup_sums_clear(out, groups->measures_count);
    for (int i = 0; i < 2; i++) {
        const struct cells_entry *entry = i == 0 ? base : difference;
        if (entry) {
            incidents += entry->incidents;
            for (size_t m = 0; m < groups->measures_count; m++) {
                struct rollup_measure_sum *measure = &out->measure[m];
                measure->sum += cells_entry_sum(entry, m);
                measure->reported =
                    (uint32_t)measure->reported + cells_entry_reported(groups, entry, m);
            }
        }
    }
    assert(incidents <= INCIDENTS_MAX); // never below zero
    out->incidents = incidents;
}

static bool is_nothing(const struct cells_groups *groups, const struct cells_entry *entry)
{
    bool nothing = entry->incidents == 0;

    for (size_t m = 0; nothing && m < groups->measures_count; m++) {
        nothing = cells_entry_sum(entry, m) == 0 && cells_entry_reported(groups, entry, m) == 0;
    }
    return nothing;
}

// ---- what follows from a change -----------------------------------------------------------

static struct digest digest_of_group(struct gathering *gathering, uint32_t group)
{
    const struct cells_groups *groups = gathering->groups;
    struct cells_group *of = &groups->group[group];

    if (!of->digested) {
        const uint32_t *codes = cells_group_codes(groups, group);
        bytes_clear(&gathering->piece);
        for (size_t dim = 0; dim < groups->keys.dims_count; dim++) {
            const struct texts_entry *text = texts_get(gathering->texts, codes[dim]);
            bytes_put_text(&gathering->piece, text->text, text->bytes);
        }
        of->digest = digest_of(gathering->piece.data, gathering->piece.count);
        of->digested = gathering->piece.ok;
        gathering->ok = gathering->ok && gathering->piece.ok;
    }
    return of->digest;
}

static struct digest digest_of_entry(struct gathering *gathering, uint32_t group,
                                     const struct rollup_entry *entry)
{
    return rollup_entry_digest(digest_of_group(gathering, group), entry,
                               gathering->groups->measures_count);
}

// An entry that nobody counted in any longer may have been the first or last one.
static void take_off_days(struct rollup_days *days, const struct rollup_entry *entry)
{
    days->first_count -= entry->first_day == days->first_day;
    days->last_count -= entry->last_day == days->last_day;
}

static void note_change(struct gathering *gathering, uint32_t group,
                        const struct rollup_entry *before, const struct rollup_entry *after)
{
    struct rollup_made *now = &gathering->now;
    struct digest *sum = gathering->spans ? &now->sums.spans : &now->sums.cells;
    uint64_t *entries = gathering->spans ? &now->spans : &now->cells;

    if (before->sums.incidents > 0) {
        *sum = digest_subtract(*sum, digest_of_entry(gathering, group, before));
    }
    if (after->sums.incidents > 0) {
        *sum = digest_add(*sum, digest_of_entry(gathering, group, after));
    }
    if (before->sums.incidents == 0 && after->sums.incidents > 0) {
        ++*entries;
        rollup_days_add(&now->days, after->first_day, after->last_day);
    } else if (before->sums.incidents > 0 && after->sums.incidents == 0) {
        --*entries;
        take_off_days(&now->days, before);
    }
}

// `before`: the difference that there was; NULL: none.
static void note_difference(struct gathering *gathering, const struct cells_entry *before,
                            const struct cells_entry *after)
{
    const struct cells_groups *groups = gathering->groups;
    struct cells_room room;
    const struct cells_entry *base = find_entry(gathering, after, &room.entry) ? &room.entry : NULL;
    struct rollup_entry was;
    struct rollup_entry is;

    was.first_day = is.first_day = after->first_day;
    was.last_day = is.last_day = after->last_day;
    add_up(groups, base, before, &was.sums);
    add_up(groups, base, after, &is.sums);
    note_change(gathering, after->group, &was, &is);
}

// ---- merging ------------------------------------------------------------------------------

// Where a change stands among differences; < 0: behind `difference`.
static int compare(const struct gathering *gathering, const struct cells_entry *difference,
                   const struct cells_entry *change)
{
    if (difference->group != change->group) {
        return difference->group < change->group ? -1 : 1;
    }
    return cells_compare_days(difference->first_day, difference->last_day, change->first_day,
                              gathering->spans ? change->last_day : change->first_day);
}

// The difference that a change belongs to, with all changes of its days, from *at on.
static void merge_changes(struct gathering *gathering, const struct cells_entry *before,
                          uint32_t *at, struct cells_entry *to)
{
    const struct cells_entry *change = change_at(gathering, *at);
    size_t stride = gathering->groups->stride;

    assert(change);
    ask_ahead(gathering, *at);
    if (before) {
        memcpy(to, before, stride);
    } else {
        memset(to, 0, stride);
        to->group = change->group;
        to->first_day = change->first_day;
        to->last_day = gathering->spans ? change->last_day : change->first_day;
    }
    for (; change && compare(gathering, to, change) == 0; change = change_at(gathering, ++*at)) {
        cells_entry_add(gathering->groups, to, change);
    }
    note_difference(gathering, before, to);
}

// What a run says is lost.
static bool reserve_run(struct cells_run *run, size_t count, size_t stride)
{
    if (count <= run->capacity) {
        return true;
    }
    size_t capacity = count + count / 2 < UINT32_MAX ? count + count / 2 : count;
    free(run->data);
    run->data = malloc(capacity * stride);
    run->capacity = run->data ? (uint32_t)capacity : 0;
    return run->data;
}

static void merge_part(void *context, unsigned part)
{
    struct gathering *gathering = (struct gathering *)context + part;
    const struct cells_groups *groups = gathering->groups;
    uint32_t at = 0;
    uint32_t taken = 0;
    uint32_t count = 0;

    while (taken < gathering->old_count || at < gathering->count) {
        unsigned char *place = gathering->out + count * groups->stride;
        struct cells_entry *to = (struct cells_entry *)(void *)place;
        const struct cells_entry *change = change_at(gathering, at);
        const struct cells_entry *from =
            taken < gathering->old_count ? cells_entry_at(groups, gathering->old, taken) : NULL;
        int order = !from ? 1 : !change ? -1 : compare(gathering, from, change);
        if (order < 0) {
            memcpy(to, from, groups->stride);
        } else {
            merge_changes(gathering, order == 0 ? from : NULL, &at, to);
        }
        taken += order <= 0;
        count += order < 0 || !is_nothing(groups, to);
    }
    gathering->out_count = count;
}

// ---- sharing out --------------------------------------------------------------------------

// The first change from `at` on of another group than the one before it.
static uint32_t first_of_group(const struct gathering *all, uint32_t at)
{
    while (at > 0 && at < all->count &&
           pending_at(all, at)->group == pending_at(all, at - 1)->group) {
        at++;
    }
    return at;
}

// The first difference that does not stand before the group of a change.
static uint32_t find_difference(const struct gathering *all, uint32_t change)
{
    uint32_t first = 0;
    uint32_t end = all->old_count;

    while (change < all->count && first < end) {
        uint32_t middle = first + (end - first) / 2;
        if (cells_entry_at(all->groups, all->old, middle)->group < pending_at(all, change)->group) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return change < all->count ? first : all->old_count;
}

// Of all changes and differences those of one core.
static struct gathering share_of(const struct gathering *all, unsigned part, unsigned parts)
{
    size_t stride = all->groups->stride;
    uint32_t from = first_of_group(all, (uint32_t)team_begin(all->count, part, parts));
    uint32_t end = first_of_group(all, (uint32_t)team_begin(all->count, part + 1, parts));
    uint32_t old_from = part > 0 ? find_difference(all, from) : 0;
    uint32_t old_end = part + 1 < parts ? find_difference(all, end) : all->old_count;
    struct gathering share = *all;

    bytes_init(&share.piece);
    share.order = all->order + from;
    share.count = end - from;
    share.old_count = old_end - old_from;
    if (share.old_count > 0) {
        share.old = all->old + old_from * stride;
    }
    share.out = all->out + ((size_t)from + old_from) * stride;
    if (part > 0) { // its counts are how many more there are, or fewer, modulo 2^64
        share.now = (struct rollup_made){
            .days = {.first_day = all->now.days.first_day, .last_day = all->now.days.last_day}};
    }
    return share;
}

static void join(struct gathering *all, const struct gathering *share)
{
    size_t stride = all->groups->stride;
    struct rollup_made *now = &all->now;

    memmove(all->out + all->out_count * stride, share->out, share->out_count * stride);
    all->out_count += share->out_count;
    all->ok = all->ok && share->ok;
    now->cells += share->now.cells;
    now->spans += share->now.spans;
    now->sums.cells = digest_add(now->sums.cells, share->now.sums.cells);
    now->sums.spans = digest_add(now->sums.spans, share->now.sums.spans);
    rollup_days_join(&now->days, &share->now.days);
}

// Requires: all->order and all->count are what is to be merged.
static bool merge_run(struct gathering *all, const struct cells_run *old, struct cells_run *out)
{
    struct gathering share[TEAM_PARTS_MAX];
    unsigned parts = team_parts(all->count, CHANGES_LEAST);

    out->count = 0;
    if (old->count == 0 && all->count == 0) { // there may be no memory to stand in
        return true;
    }
    if (!reserve_run(out, (size_t)old->count + all->count, all->groups->stride)) {
        return false;
    }
    all->old = old->data;
    all->old_count = old->count;
    all->out = out->data;
    for (unsigned part = 0; part < parts; part++) {
        share[part] = share_of(all, part, parts);
    }
    team_run(merge_part, share, parts);
    all->now = share[0].now;
    all->ok = share[0].ok;
    all->out_count = share[0].out_count;
    for (unsigned part = 1; part < parts; part++) {
        join(all, &share[part]);
    }
    for (unsigned part = 0; part < parts; part++) {
        bytes_done(&share[part].piece);
    }
    out->count = all->out_count;
    return true;
}

// Those of lasting incidents alone.
static uint32_t choose_spans(const struct cells_groups *groups, uint32_t *order)
{
    uint32_t chosen = 0;

    for (uint32_t i = 0; i < groups->pending.count; i++) {
        const struct cells_entry *change = cells_entry_at(groups, groups->pending.data, order[i]);
        if (change->last_day > change->first_day) {
            order[chosen++] = order[i];
        }
    }
    return chosen;
}

static void swap(struct cells_run *one, struct cells_run *other)
{
    struct cells_run was = *one;

    *one = *other;
    *other = was;
}

static bool merge_both(struct gathering *all, uint32_t *order)
{
    struct cells_groups *groups = all->groups;

    all->order = order;
    all->count = groups->pending.count;
    bool ok = merge_run(all, &groups->cells, &groups->spare_cells) && all->ok;
    all->spans = true;
    all->count = choose_spans(groups, order);
    ok = ok && merge_run(all, &groups->spans, &groups->spare_spans) && all->ok;
    if (ok) {
        swap(&groups->cells, &groups->spare_cells);
        swap(&groups->spans, &groups->spare_spans);
        groups->pending.count = 0;
    }
    return ok;
}

bool cells_groups_gather(struct cells_groups *groups, const struct texts *texts,
                         struct rollup_made *now, struct tally_err *err)
{
    struct gathering all = {
        .groups = groups, .texts = texts, .now = *now, .newest = now->days.last_day, .ok = true};

    if (!cells_groups_find_noted(groups, err)) {
        return false;
    }
    uint32_t *end = calloc(groups->count + (size_t)1, sizeof *end);
    uint32_t *order = calloc(groups->pending.count + (size_t)1, sizeof *order);

    assert(!groups->moved);
    if (end && order) {
        cells_sort_pending(groups, end, order);
    }
    bool ok = end && order && merge_both(&all, order);
    if (ok) {
        *now = all.now;
    }
    free(end);
    free(order);
    return ok ||
           err_set(err, TALLY_NO_MEMORY, "no memory to gather %u changes", groups->pending.count);
}
