// tests/unit/entries_model.h - cells or spans in plain arrays, packed and opened: what the packed
// ones have to equal.
#ifndef TESTS_UNIT_ENTRIES_MODEL_H
#define TESTS_UNIT_ENTRIES_MODEL_H

#include "base/day.h"
#include "store/entries.h"

#include "tests/recount.h"
#include "tests/unit/packed.h"

enum { MODEL_GROUPS_MAX = 40, MODEL_ENTRIES_MAX = 3000 };

enum model_sums { MODEL_SMALL, MODEL_SIGNED, MODEL_WIDE, MODEL_EXTREME };

struct model {
    bool spans;
    uint32_t measures;
    uint32_t groups;
    uint32_t count[MODEL_GROUPS_MAX];
    struct rollup_entry *entry[MODEL_GROUPS_MAX]; // newest first, into `all`
    struct rollup_entry all[MODEL_ENTRIES_MAX];
    uint32_t used;
    int32_t first_day;
    int32_t last_day;
    uint64_t seed;
    struct bytes bytes;
    unsigned char *data; // a copy that ends where reading has to
    struct entries entries;
};

static inline bytes_i128 model_sum(struct model *model, enum model_sums kind)
{
    bytes_i128 sum = (bytes_i128)packed_number(&model->seed, kind == MODEL_SMALL ? 9 : 63);
    bool negative = kind != MODEL_SMALL && kind != MODEL_WIDE && packed_below(&model->seed, 2);

    if (kind == MODEL_WIDE || kind == MODEL_EXTREME) {
        sum <<= packed_below(&model->seed, 33); // below 2^96
    }
    return negative ? -sum : sum;
}

static inline void model_make_sums(struct model *model, enum model_sums kind,
                                   struct rollup_sums *sums)
{
    sums->incidents =
        1 + (packed_below(&model->seed, 3) == 0 ? packed_number(&model->seed, 31) : 0);
    for (uint32_t m = 0; m < model->measures; m++) {
        struct rollup_measure_sum *measure = &sums->measure[m];
        bool all = packed_below(&model->seed, 4) > 0;
        measure->reported = all ? sums->incidents : packed_below(&model->seed, sums->incidents + 1);
        measure->sum =
            measure->reported > 0 && packed_below(&model->seed, 3) > 0 ? model_sum(model, kind) : 0;
    }
}

static inline int model_compare(const void *left, const void *right)
{
    const struct rollup_entry *a = left;
    const struct rollup_entry *b = right;

    return a->first_day != b->first_day ? (a->first_day < b->first_day ? 1 : -1)
                                        : (a->last_day < b->last_day) - (a->last_day > b->last_day);
}

// A group of so many entries; `spread` days a piece, at least one between two cells.
static inline void model_add_group(struct model *model, uint32_t count, uint32_t spread,
                                   enum model_sums kind)
{
    struct rollup_entry *entry = &model->all[model->used];
    int32_t day = model->last_day - (int32_t)packed_below(&model->seed, 5);

    assert_true(model->groups < MODEL_GROUPS_MAX && model->used + count <= MODEL_ENTRIES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        entry[i].first_day = entry[i].last_day = day;
        if (model->spans) { // of one first day all are of different lengths
            entry[i].last_day += 1 + (int32_t)(i * 3 + packed_below(&model->seed, 3));
            entry[i].last_day += packed_below(&model->seed, 50) == 0 ? 10000 : 0;
        }
        model_make_sums(model, kind, &entry[i].sums);
        day -= (int32_t)packed_below(&model->seed, spread) + !model->spans;
        model->first_day = day < model->first_day ? day : model->first_day;
    }
    qsort(entry, count, sizeof *entry, model_compare);
    model->entry[model->groups] = entry;
    model->count[model->groups++] = count;
    model->used += count;
}

static inline uint32_t model_count(const void *context, bool spans, uint32_t group)
{
    const struct model *model = context;

    assert_true(spans == model->spans && group < model->groups);
    return model->count[group];
}

static inline void model_take(const void *context, bool spans, uint32_t group, uint32_t first,
                              uint32_t count, struct entries_plain *out)
{
    const struct model *model = context;

    assert_true(spans == model->spans && first + count <= model->count[group]);
    for (uint32_t i = 0; i < count; i++) {
        entries_plain_put(out, model->measures, i, &model->entry[group][first + i]);
    }
}

static inline void model_init(struct model *model, bool spans, uint32_t measures, uint64_t seed)
{
    memset(model, 0, sizeof *model);
    model->spans = spans;
    model->measures = measures;
    model->seed = seed;
    model->first_day = model->last_day = 18000;
}

static inline bool model_opens(const struct model *model, const unsigned char *data, size_t count,
                               struct entries *out)
{
    struct cursor in = cursor_over(data, count);
    return entries_open(out, model->spans, model->measures, model->groups, &in);
}

static inline void model_encode(struct model *model)
{
    struct entries_source source = {.context = model,
                                    .groups = model->groups,
                                    .measures = model->measures,
                                    .spans = model->spans,
                                    .count = model_count,
                                    .take = model_take};
    struct tally_err err;

    bytes_init(&model->bytes);
    assert_true(entries_encode(&model->bytes, &source, &err));
    model->data = packed_copy(model->bytes.data, model->bytes.count);
    assert_true(model_opens(model, model->data, model->bytes.count, &model->entries));
    assert_int_equal(model->entries.count, model->used);
}

static inline void model_done(struct model *model)
{
    free(model->data);
    bytes_done(&model->bytes);
}

// What add_cells or add_spans should add.
static inline void model_window(const struct model *model, uint32_t group, enum basis basis,
                                int32_t first_day, int32_t last_day, struct rollup_sums *sums)
{
    for (uint32_t i = 0; i < model->count[group]; i++) {
        recount_add(&model->entry[group][i], model->spans, model->measures, basis, first_day,
                    last_day, sums);
    }
}

#endif
