#include "store/rollup_sum.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// ---- what it says -------------------------------------------------------------------------

const struct rollup_def *rollup_def(const struct rollup *rollup)
{
    return &rollup->def;
}

struct rollup_coverage rollup_coverage(const struct rollup *rollup, size_t feed)
{
    return rollup->coverage[feed];
}

uint64_t rollup_generation(const struct rollup *rollup)
{
    return rollup->generation;
}

struct digest rollup_digest(const struct rollup *rollup)
{
    return rollup->digest;
}

uint64_t rollup_bytes(const struct rollup *rollup)
{
    return rollup->file_bytes;
}

uint64_t rollup_patch_bytes(const struct rollup *rollup)
{
    return rollup->sum ? rollup->sum->patch.file->file_bytes : 0;
}

bool rollup_any_day(const struct rollup *rollup)
{
    return rollup_cells(rollup) > 0;
}

int32_t rollup_first_day(const struct rollup *rollup)
{
    return rollup->first_day;
}

int32_t rollup_last_day(const struct rollup *rollup)
{
    return rollup->last_day;
}

size_t rollup_groups(const struct rollup *rollup)
{
    return rollup->groups;
}

uint64_t rollup_cells(const struct rollup *rollup)
{
    return rollup->sum ? rollup->sum->patch.cells.all : rollup->cells.count;
}

uint64_t rollup_spans(const struct rollup *rollup)
{
    return rollup->sum ? rollup->sum->patch.spans.all : rollup->spans.count;
}

uint64_t rollup_section_bytes(const struct rollup *rollup, const char *name)
{
    for (int id = ROLLUP_SCHEMA; id <= ROLLUP_PROVENANCE; id++) {
        if (strcmp(rollup_section_name((enum rollup_section)id), name) == 0) {
            return rollup->section[id].bytes;
        }
    }
    return 0;
}

// ---- values -------------------------------------------------------------------------------

size_t rollup_values(const struct rollup *rollup, size_t dim)
{
    return rollup->dictionary[dim].count;
}

size_t rollup_value(const struct rollup *rollup, size_t dim, size_t value, char *out_text,
                    size_t capacity)
{
    assert(value < rollup->dictionary[dim].count);
    return dictionary_get(&rollup->dictionary[dim], (uint32_t)value, out_text, capacity);
}

bool rollup_find_value(const struct rollup *rollup, size_t dim, const char *text, size_t bytes,
                       uint32_t *out_value)
{
    return dictionary_find(&rollup->dictionary[dim], text, bytes, out_value);
}

static bool no_memory(const struct rollup *rollup, size_t dim, struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory for the %zu values of %s",
                   rollup_values(rollup, dim), rollup->def.dims[dim]);
}

bool rollup_texts_init(struct rollup_texts *texts, const struct rollup *rollup, size_t dim,
                       struct tally_err *err)
{
    struct dictionary_walk walk = dictionary_walk(&rollup->dictionary[dim]);
    char *text = malloc((size_t)rollup->dictionary[dim].longest + 1);
    struct bytes data;
    size_t count = 0;

    *texts = (struct rollup_texts){.count = rollup->dictionary[dim].count};
    texts->end = malloc((texts->count + 1) * sizeof *texts->end);
    bytes_init(&data);
    data.ok = text && texts->end;
    while (data.ok && dictionary_next(&walk, text)) {
        bytes_put(&data, text, walk.bytes);
        texts->end[count++] = data.count;
    }
    free(text);
    texts->data = (char *)data.data;
    if (!data.ok) {
        rollup_texts_done(texts);
        return no_memory(rollup, dim, err);
    }
    return true;
}

void rollup_texts_done(struct rollup_texts *texts)
{
    free(texts->data);
    free(texts->end);
    *texts = (struct rollup_texts){0};
}

const char *rollup_texts_get(const struct rollup_texts *texts, size_t value, size_t *out_bytes)
{
    size_t start = value > 0 ? texts->end[value - 1] : 0;

    *out_bytes = texts->end[value] - start;
    return texts->data ? texts->data + start : ""; // all texts are empty
}

// ---- groups -------------------------------------------------------------------------------

void rollup_group_values(const struct rollup *rollup, size_t group, uint32_t *out_values)
{
    uint64_t number = group;

    assert(group < rollup->groups);
    for (size_t dim = rollup->def.dims_count; dim > 0; dim--) {
        uint32_t values = rollup->dictionary[dim - 1].count;
        uint64_t key = monotone_get(&rollup->keys[dim - 1], (uint32_t)number);
        out_values[dim - 1] = (uint32_t)(key % values);
        number = key / values;
    }
}

// The beginnings of groups up to one dimension, one after another.
struct level {
    const struct monotone *keys;
    struct monotone_walk walk;
    int64_t number;  // of the beginning at hand; -1: none yet
    uint64_t parent; // number of the beginning that it goes on from
    uint32_t values; // of the dimension
    uint32_t value;
};

static void move_to(struct level *level, uint64_t number)
{
    while (level->number < (int64_t)number) {
        uint64_t key = monotone_next(level->keys, &level->walk);
        level->value = (uint32_t)(key % level->values);
        level->parent = key / level->values;
        level->number++;
    }
}

void rollup_all_values(const struct rollup *rollup, uint32_t *out_values)
{
    struct level level[ROLLUP_DIMS_MAX];
    size_t dims = rollup->def.dims_count;

    for (size_t dim = 0; dim < dims && rollup->groups > 0; dim++) {
        level[dim] = (struct level){.keys = &rollup->keys[dim],
                                    .walk = monotone_seek(&rollup->keys[dim], 0),
                                    .values = rollup->dictionary[dim].count,
                                    .number = -1};
    }
    for (uint32_t group = 0; group < rollup->groups; group++) {
        uint64_t number = group;
        for (size_t dim = dims; dim > 0; dim--) {
            move_to(&level[dim - 1], number);
            out_values[group * dims + dim - 1] = level[dim - 1].value;
            number = level[dim - 1].parent;
        }
    }
}

int64_t rollup_find_group(const struct rollup *rollup, const uint32_t *values)
{
    int64_t number = 0;

    for (size_t dim = 0; dim < rollup->def.dims_count; dim++) {
        const struct dictionary *dictionary = &rollup->dictionary[dim];
        if (values[dim] >= dictionary->count) {
            return -1;
        }
        number = rollup->code->find_key(&rollup->keys[dim],
                                        (uint64_t)number * dictionary->count + values[dim]);
        if (number < 0) {
            return -1;
        }
    }
    return rollup->groups > 0 ? number : -1;
}

// ---- windows ------------------------------------------------------------------------------

static bool add_blocks(const struct rollup *rollup, struct rollup_cursor *cursor, uint32_t group,
                       enum basis basis, int32_t first_day, int32_t last_day,
                       struct rollup_sums *sums, struct tally_err *err)
{
    if (!rollup->code->add_cells(&rollup->cells, &cursor->cells, group, first_day, last_day,
                                 sums)) {
        return rollup_damaged(err, "cells", "malformed block");
    }
    if (basis != BASIS_START && !rollup->code->add_spans(&rollup->spans, &cursor->spans, group,
                                                         basis, first_day, last_day, sums)) {
        return rollup_damaged(err, "spans", "malformed block");
    }
    return true;
}

static void add_differences(const struct patch *patch, uint32_t group, enum basis basis,
                            int32_t first_day, int32_t last_day, struct rollup_sums *sums)
{
    patch_add_cells(&patch->cells, group, first_day, last_day, sums);
    if (basis != BASIS_START) {
        patch_add_spans(&patch->spans, group, basis, first_day, last_day, sums);
    }
}

bool rollup_add_window(const struct rollup *rollup, struct rollup_cursor *cursor, size_t group,
                       enum basis basis, int32_t first_day, int32_t last_day,
                       struct rollup_sums *sums, struct tally_err *err)
{
    const struct rollup_sum *sum = rollup->sum;
    uint32_t base = sum ? sum->base_group[group] : (uint32_t)group;
    struct rollup_cursor none;

    assert(group < rollup->groups);
    if (!cursor) {
        none.cells.set = none.spans.set = false;
        cursor = &none;
    }
    if (base != ROLLUP_NO_GROUP &&
        !add_blocks(rollup, cursor, base, basis, first_day, last_day, sums, err)) {
        return false;
    }
    if (sum && sum->patch_group[group] != ROLLUP_NO_GROUP) {
        add_differences(&sum->patch, sum->patch_group[group], basis, first_day, last_day, sums);
    }
    return true;
}

const char *basis_name(enum basis basis)
{
    static const char *const names[] = {"start", "end", "overlap", "inside"};
    return names[basis];
}

bool basis_parse(const char *text, enum basis *out_basis)
{
    for (int i = BASIS_START; i <= BASIS_INSIDE; i++) {
        if (strcmp(text, basis_name((enum basis)i)) == 0) {
            *out_basis = (enum basis)i;
            return true;
        }
    }
    return false;
}
