// store/rollup_sum.c - base and patch as one rollup (contracts in rollup_sum.h); which two files
// belong together (rollup_open).
//
// In order of execution: open the two; where groups came or went, rank all texts, merge the groups
// in order of their texts, number the values that are left, pack dictionaries and keys.
#include "store/rollup_sum.h"

#include "base/disk.h"
#include "base/planted.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool no_memory(const struct rollup *rollup, struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory to add up %s", rollup->def.name);
}

static bool disagree(struct tally_err *err, const char *section, const char *what)
{
    return rollup_damaged(err, section, what);
}

// ---- groups that came or went -------------------------------------------------------------

// One dimension: the texts of both, sorted.
struct ranking {
    struct rollup_texts old;
    struct rollup_texts added;
    struct dictionary_text *text; // by rank
    uint32_t *rank;               // by number
    uint32_t *value;              // by rank: that of the sum
    uint32_t count;
};

struct merging {
    struct rollup *rollup; // of the sum
    const struct rollup *base;
    const struct patch *patch;
    struct ranking ranking[ROLLUP_DIMS_MAX];
    uint32_t *old_values; // [groups of the base][dims]
    uint32_t *values;     // [groups of the sum][dims]: ranks, then values
    unsigned char *gone;  // by group of the base
    uint32_t groups;
};

static struct dictionary_text text_at(const struct rollup_texts *texts, uint32_t index)
{
    struct dictionary_text text;

    text.text = rollup_texts_get(texts, index, &text.bytes);
    return text;
}

// False: one text is in both.
static bool rank_texts(struct ranking *ranking)
{
    uint32_t old = 0;
    uint32_t added = 0;

    while (old < ranking->old.count || added < ranking->added.count) {
        struct dictionary_text one = {0};
        struct dictionary_text other = {0};
        int order = old < ranking->old.count ? -1 : 1;
        if (old < ranking->old.count) {
            one = text_at(&ranking->old, old);
        }
        if (added < ranking->added.count) {
            other = text_at(&ranking->added, added);
            order = order < 0 ? dictionary_compare(&one, &other) : order;
        }
        if (order == 0) {
            return false;
        }
        ranking->text[ranking->count] = order < 0 ? one : other;
        ranking->rank[order < 0 ? old++ : (uint32_t)ranking->old.count + added++] = ranking->count;
        ranking->count++;
    }
    return true;
}

static bool rank_dim(struct merging *merging, size_t dim, struct tally_err *err)
{
    struct ranking *ranking = &merging->ranking[dim];

    if (!rollup_texts_init(&ranking->old, merging->base, dim, err) ||
        !rollup_texts_init(&ranking->added, merging->patch->file, dim, err)) {
        return false;
    }
    size_t count = ranking->old.count + ranking->added.count + 1;
    ranking->text = calloc(count, sizeof *ranking->text);
    ranking->rank = calloc(count, sizeof *ranking->rank);
    ranking->value = calloc(count, sizeof *ranking->value);
    if (!ranking->text || !ranking->rank || !ranking->value) {
        return no_memory(merging->base, err);
    }
    return rank_texts(ranking) || disagree(err, "dictionary", "a text that the base has as well");
}

// The ranks of a group's texts; of the base, or a new one.
static void rank_group(const struct merging *merging, bool fresh, uint32_t group, uint32_t *out)
{
    size_t dims = merging->base->def.dims_count;

    for (size_t dim = 0; dim < dims; dim++) {
        uint32_t number = fresh ? patch_number(merging->patch, group, dim)
                                : merging->old_values[group * dims + dim];
        out[dim] = merging->ranking[dim].rank[number];
    }
}

static int compare_ranks(const uint32_t *a, const uint32_t *b, size_t dims)
{
    for (size_t dim = 0; dim < dims; dim++) {
        if (a[dim] != b[dim]) {
            return a[dim] < b[dim] ? -1 : 1;
        }
    }
    return 0;
}

static void put_group(struct merging *merging, bool fresh, uint32_t group, const uint32_t *ranks)
{
    struct rollup_sum *sum = merging->rollup->sum;
    size_t dims = merging->base->def.dims_count;

    memcpy(merging->values + merging->groups * dims, ranks, dims * sizeof *ranks);
    sum->base_group[merging->groups] = fresh ? ROLLUP_NO_GROUP : group;
    sum->patch_group[merging->groups] =
        fresh ? merging->patch->changed.count + group : ROLLUP_NO_GROUP;
    merging->groups++;
}

// False: new groups are out of order, or the base has one of them.
static bool merge_groups(struct merging *merging)
{
    uint32_t old_ranks[ROLLUP_DIMS_MAX];
    uint32_t new_ranks[ROLLUP_DIMS_MAX];
    size_t dims = merging->base->def.dims_count;
    uint32_t old = 0;
    uint32_t fresh = 0;

    while (old < merging->base->groups || fresh < merging->patch->fresh) {
        int order = old < merging->base->groups ? -1 : 1;
        if (order < 0) {
            rank_group(merging, false, old, old_ranks);
        }
        if (fresh < merging->patch->fresh) {
            rank_group(merging, true, fresh, new_ranks);
            order = order < 0 ? compare_ranks(old_ranks, new_ranks, dims) : order;
        }
        if (order == 0) {
            return false;
        }
        if (order > 0) {
            put_group(merging, true, fresh++, new_ranks);
        } else if (merging->gone[old++] == 0) {
            put_group(merging, false, old - 1, old_ranks);
        }
        if (merging->groups > 1 &&
            compare_ranks(merging->values + (merging->groups - 2) * dims,
                          merging->values + (merging->groups - 1) * dims, dims) >= 0 &&
            dims > 0) {
            return false;
        }
    }
    return merging->groups <= 1 || dims > 0;
}

// Values of the texts that are left; ranks become values, and texts move up.
static void number_values(struct merging *merging, size_t dim)
{
    struct ranking *ranking = &merging->ranking[dim];
    size_t dims = merging->base->def.dims_count;
    uint32_t count = 0;

    for (uint32_t group = 0; group < merging->groups; group++) {
        ranking->value[merging->values[group * dims + dim]] = 1;
    }
    for (uint32_t rank = 0; rank < ranking->count; rank++) {
        if (ranking->value[rank] != 0) {
            ranking->text[count] = ranking->text[rank];
            ranking->value[rank] = count++;
        }
    }
    ranking->count = count;
    for (uint32_t group = 0; group < merging->groups; group++) {
        uint32_t *value = &merging->values[group * dims + dim];
        *value = ranking->value[*value];
    }
}

// Dictionary and keys in bytes, and as sections of the sum.
static bool pack(struct merging *merging, struct tally_err *err)
{
    struct rollup *rollup = merging->rollup;
    struct bytes *packed = &rollup->sum->packed;
    size_t dims = rollup->def.dims_count;
    uint32_t texts_count[ROLLUP_DIMS_MAX];

    for (size_t dim = 0; dim < dims; dim++) {
        number_values(merging, dim);
        texts_count[dim] = merging->ranking[dim].count;
        dictionary_encode(packed, merging->ranking[dim].text, texts_count[dim]);
    }
    size_t dictionary_bytes = packed->count;
    bool ok = rollup_encode_groups(packed, dims, texts_count, merging->values, merging->groups);
    size_t bytes = packed->count;
    bytes_put_u64(packed, 0); // that reading a list may touch
    if (!ok || !packed->ok) {
        return no_memory(merging->base, err);
    }
    rollup->section[ROLLUP_DICTIONARY] =
        (struct section){.data = packed->data, .bytes = dictionary_bytes};
    rollup->section[ROLLUP_GROUPS] = (struct section){.data = packed->data + dictionary_bytes,
                                                      .bytes = bytes - dictionary_bytes};
    return rollup_take_dictionaries(rollup, err) && rollup_take_groups(rollup, err);
}

static bool reserve(struct merging *merging, struct tally_err *err)
{
    size_t dims = merging->base->def.dims_count;
    size_t old = merging->base->groups;
    size_t all = old + merging->patch->fresh;

    merging->old_values = calloc(old * dims + 1, sizeof *merging->old_values);
    merging->values = calloc(all * dims + 1, sizeof *merging->values);
    merging->gone = calloc(old + 1, 1);
    if (!merging->old_values || !merging->values || !merging->gone) {
        return no_memory(merging->base, err);
    }
    rollup_all_values(merging->base, merging->old_values);
    for (uint32_t i = 0; i < merging->patch->gone.count; i++) {
        merging->gone[monotone_get(&merging->patch->gone, i)] = 1;
    }
    return true;
}

static bool merge(struct merging *merging, struct tally_err *err)
{
    bool ok = reserve(merging, err);

    for (size_t dim = 0; ok && dim < merging->base->def.dims_count; dim++) {
        ok = rank_dim(merging, dim, err);
    }
    ok = ok && (merge_groups(merging) ||
                disagree(err, "groups", "new ones out of order, or of the base"));
    ok = ok && pack(merging, err);
    for (size_t dim = 0; dim < ROLLUP_DIMS_MAX; dim++) {
        struct ranking *ranking = &merging->ranking[dim];
        rollup_texts_done(&ranking->old);
        rollup_texts_done(&ranking->added);
        free(ranking->text);
        free(ranking->rank);
        free(ranking->value);
    }
    free(merging->old_values);
    free(merging->values);
    free(merging->gone);
    return ok;
}

// ---- joining ------------------------------------------------------------------------------

// Which patch group belongs to each group of the sum that the base has too.
static void find_changed(const struct rollup *rollup)
{
    struct rollup_sum *sum = rollup->sum;
    const struct monotone *changed = &sum->patch.changed;

    for (uint32_t i = 0, group = 0; i < changed->count; i++) {
        uint64_t base = monotone_get(changed, i);
        while (group < rollup->groups &&
               (sum->base_group[group] == ROLLUP_NO_GROUP || sum->base_group[group] < base)) {
            group++;
        }
        if (group < rollup->groups && sum->base_group[group] == base) {
            sum->patch_group[group] = i;
        }
    }
}

// Groups of the sum, and where each has its entries.
static bool add_groups(struct rollup *rollup, struct tally_err *err)
{
    struct rollup_sum *sum = rollup->sum;
    const struct patch *patch = &sum->patch;
    size_t groups = (size_t)sum->base->groups + patch->fresh + 1;

    sum->base_group = malloc(groups * sizeof *sum->base_group);
    sum->patch_group = malloc(groups * sizeof *sum->patch_group);
    if (!sum->base_group || !sum->patch_group) {
        return no_memory(sum->base, err);
    }
    if (patch->gone.count == 0 && patch->fresh == 0) {
        for (uint32_t group = 0; group < rollup->groups; group++) {
            sum->base_group[group] = group;
            sum->patch_group[group] = ROLLUP_NO_GROUP;
        }
    } else {
        struct merging merging = {.rollup = rollup, .base = sum->base, .patch = patch};
        if (!merge(&merging, err)) {
            return false;
        }
    }
    find_changed(rollup);
    return true;
}

// What the sum says of itself stands in the patch, all else in the base.
static void take_over(struct rollup *rollup, const struct rollup *patch)
{
    rollup->file_bytes += patch->file_bytes;
    rollup->generation = patch->generation;
    rollup->digest = patch->digest;
    rollup->first_day = patch->first_day;
    rollup->last_day = patch->last_day;
    memcpy(rollup->coverage, patch->coverage, sizeof rollup->coverage);
    rollup->section[ROLLUP_SCHEMA] = patch->section[ROLLUP_SCHEMA];
    rollup->section[ROLLUP_PROVENANCE] = patch->section[ROLLUP_PROVENANCE];
}

void rollup_sum_close(struct rollup_sum *sum)
{
    rollup_close(sum->base);
    rollup_close(sum->patch.file);
    free(sum->base_group);
    free(sum->patch_group);
    bytes_done(&sum->packed);
    free(sum);
}

struct rollup *rollup_join(struct rollup *base, struct rollup *patch, struct tally_err *err)
{
    struct rollup *rollup = calloc(1, sizeof *rollup);
    struct rollup_sum *sum = calloc(1, sizeof *sum);

    if (!rollup || !sum) {
        no_memory(base, err);
        free(rollup);
        free(sum);
        rollup_close(base);
        rollup_close(patch);
        return NULL;
    }
    *rollup = *base;
    rollup->sum = sum;
    sum->base = base;
    sum->patch.file = patch;
    bytes_init(&sum->packed);
    take_over(rollup, patch);
    if (!patch_open(&sum->patch, patch, base, err) || !add_groups(rollup, err)) {
        rollup_close(rollup);
        return NULL;
    }
    return rollup;
}

// ---- which two belong together ------------------------------------------------------------

// What a path leads to: a patch stands beside the file, not beside a link to it. NULL: no memory.
static char *real_path(int dir_fd, const char *path)
{
    struct disk_entry entry = {.regular = true};
    struct tally_err ignored;

    bool link = dir_fd == AT_FDCWD && disk_look(dir_fd, path, &entry, &ignored) && !entry.regular;
    char *real = link ? realpath(path, NULL) : NULL;
    return real ? real : strdup(path);
}

// The patch beside a base; NULL with TALLY_NOT_FOUND: there is none.
static struct rollup *map_patch(int dir_fd, const char *path, struct tally_err *err)
{
    char *real = real_path(dir_fd, path);
    char *name = NULL;

    if (!real || asprintf(&name, "%s%s", real, ROLLUP_PATCH_ENDING) < 0) {
        err_set(err, TALLY_NO_MEMORY, "no memory for a name");
        free(real);
        return NULL;
    }
    free(real);
    struct rollup *patch = rollup_map(dir_fd, name, ROLLUP_PATCH, err);
    free(name);
    return patch;
}

struct rollup *rollup_open(int dir_fd, const char *path, struct tally_err *err)
{
    struct rollup *base = rollup_map(dir_fd, path, ROLLUP_WHOLE, err);

    while (base) {
        struct tally_err absent; // which is no error
        struct rollup *patch = map_patch(dir_fd, path, &absent);
        if (!patch && absent.code != TALLY_NOT_FOUND) {
            rollup_close(base);
            *err = absent;
            return NULL;
        }
        if (patch && (patch->base == base->frame || PLANTED(PATCH_OF_ANY_BASE))) {
            struct rollup *rollup = rollup_join(base, patch, err);
            return rollup ? rollup : (err_wrap(err, "%s%s", path, ROLLUP_PATCH_ENDING), NULL);
        }
        rollup_close(patch);
        if (rollup_is_still(dir_fd, path, base)) {
            return base;
        }
        rollup_close(base); // the daemon has published another one meanwhile
        base = rollup_map(dir_fd, path, ROLLUP_WHOLE, err);
    }
    return NULL;
}

struct rollup *rollup_open_memory_pair(unsigned char *base, size_t base_bytes, unsigned char *patch,
                                       size_t patch_bytes, struct tally_err *err)
{
    struct rollup *whole = rollup_take(base, base_bytes, ROLLUP_WHOLE, err);
    struct rollup *file = NULL;

    if (whole) {
        file = rollup_take(patch, patch_bytes, ROLLUP_PATCH, err);
    } else {
        free(patch);
    }
    if (file && file->base == whole->frame) {
        return rollup_join(whole, file, err);
    }
    if (file) {
        rollup_damaged(err, "header", "the patch of another base");
    }
    rollup_close(file);
    rollup_close(whole);
    return NULL;
}
