// store/cells_encode.c - day cells in memory as the content of a rollup file (cells_encode).
//
// In order of execution: number the values of each dimension in sorted order, sort the groups by
// those numbers, hand their entries to the encoder as it asks for them.
#include "store/cells.h"
#include "store/cells_group.h"
#include "store/rollup_format.h"

#include <stdlib.h>
#include <string.h>

struct gathering {
    const struct state *state;
    struct cells *cells;
    struct cells_groups *groups;
    const struct rollup_def *def;
    uint32_t *order; // live groups, in canonical order
    uint32_t order_count;
    uint32_t *value;  // [order_count][dims]: number of the value, by position in `order`
    uint32_t *number; // scratch: text code -> number + 1 within the dimension at hand
    struct dictionary_text *texts[ROLLUP_DIMS_MAX];
    uint32_t texts_count[ROLLUP_DIMS_MAX];
};

// ---- dictionaries -------------------------------------------------------------------------

struct code_text {
    struct dictionary_text text;
    uint32_t code;
};

static int compare_texts(const void *left, const void *right)
{
    return dictionary_compare(&((const struct code_text *)left)->text,
                              &((const struct code_text *)right)->text);
}

static uint32_t gather_codes(struct gathering *gathering, size_t dim, struct code_text *codes)
{
    const struct texts *texts = &gathering->state->texts;
    uint32_t count = 0;

    memset(gathering->number, 0, texts->count * sizeof *gathering->number);
    for (uint32_t i = 0; i < gathering->order_count; i++) {
        uint32_t code = cells_group_codes(gathering->groups, gathering->order[i])[dim];
        if (gathering->number[code] == 0) {
            const struct texts_entry *text = texts_get(texts, code);
            gathering->number[code] = 1;
            codes[count++] = (struct code_text){.text = {text->text, text->bytes}, .code = code};
        }
    }
    return count;
}

static bool number_dim(struct gathering *gathering, size_t dim, struct code_text *codes)
{
    size_t dims = gathering->def->dims_count;
    uint32_t count = gather_codes(gathering, dim, codes);
    struct dictionary_text *texts = malloc((count + (size_t)1) * sizeof *texts);

    if (!texts) {
        return false;
    }
    qsort(codes, count, sizeof *codes, compare_texts);
    for (uint32_t i = 0; i < count; i++) {
        gathering->number[codes[i].code] = i + 1;
        texts[i] = codes[i].text;
    }
    for (uint32_t i = 0; i < gathering->order_count; i++) {
        uint32_t code = cells_group_codes(gathering->groups, gathering->order[i])[dim];
        gathering->value[i * dims + dim] = gathering->number[code] - 1;
    }
    gathering->texts[dim] = texts;
    gathering->texts_count[dim] = count;
    return true;
}

static bool number_values(struct gathering *gathering)
{
    size_t values = gathering->order_count * gathering->def->dims_count;
    struct code_text *codes = malloc((gathering->order_count + (size_t)1) * sizeof *codes);
    bool ok = codes;

    gathering->value = malloc((values + 1) * sizeof *gathering->value);
    gathering->number = malloc((gathering->state->texts.count + (size_t)1) * sizeof(uint32_t));
    ok = ok && gathering->value && gathering->number;
    for (size_t dim = 0; ok && dim < gathering->def->dims_count; dim++) {
        ok = number_dim(gathering, dim, codes);
    }
    free(codes);
    return ok;
}

// ---- groups -------------------------------------------------------------------------------

static bool collect_groups(struct gathering *gathering)
{
    const struct cells_groups *groups = gathering->groups;

    gathering->order = calloc(groups->count + (size_t)1, sizeof *gathering->order);
    for (uint32_t i = 0; gathering->order && i < groups->count; i++) {
        if (groups->group[i].incidents > 0) {
            gathering->order[gathering->order_count++] = i;
        }
    }
    return gathering->order;
}

static int compare_groups(const void *left, const void *right, void *context)
{
    const struct gathering *gathering = context;
    size_t dims = gathering->def->dims_count;
    const uint32_t *a = gathering->value + *(const uint32_t *)left * dims;
    const uint32_t *b = gathering->value + *(const uint32_t *)right * dims;

    for (size_t i = 0; i < dims; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}

static bool sort_groups(struct gathering *gathering)
{
    size_t dims = gathering->def->dims_count;
    size_t count = gathering->order_count;
    uint32_t *rank = malloc((count + 1) * sizeof *rank);
    uint32_t *order = calloc(count + 1, sizeof *order);
    uint32_t *value = malloc((count * dims + 1) * sizeof *value);

    if (!rank || !order || !value) {
        free(rank);
        free(order);
        free(value);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        rank[i] = i;
    }
    qsort_r(rank, count, sizeof *rank, compare_groups, gathering);
    for (size_t i = 0; i < count; i++) {
        order[i] = gathering->order[rank[i]];
        memcpy(value + i * dims, gathering->value + rank[i] * dims, dims * sizeof *value);
    }
    free(rank);
    free(gathering->order);
    free(gathering->value);
    gathering->order = order;
    gathering->value = value;
    return true;
}

// ---- entries ------------------------------------------------------------------------------

static const struct cells_list *list_of(const struct gathering *gathering, bool spans,
                                        uint32_t group)
{
    const struct cells_group *of = &gathering->groups->group[gathering->order[group]];
    return spans ? &of->spans : &of->cells;
}

static uint32_t count_entries(const void *context, bool spans, uint32_t group)
{
    return list_of(context, spans, group)->count;
}

static void take_entries(const void *context, bool spans, uint32_t group, uint32_t first,
                         uint32_t count, struct entries_plain *out)
{
    const struct gathering *gathering = context;
    struct cells_columns columns;

    cells_list_open(gathering->groups, list_of(gathering, spans, group), &columns);
    cells_list_take(gathering->groups, &columns, first, count, out);
}

// ---- the file -----------------------------------------------------------------------------

void cells_fill_content(struct cells *cells, const struct state *state,
                        const struct cells_provenance *provenance, struct rollup_content *out)
{
    const struct rollup_def *def = cells_def(cells);

    *out = (struct rollup_content){.def = def,
                                   .generation = provenance->generation,
                                   .batches = provenance->batches,
                                   .sources = provenance->source,
                                   .sources_count = provenance->sources_count};
    for (size_t i = 0; i < def->feeds_count; i++) {
        const struct state_feed *feed = state_find_feed(state, def->feeds[i].name);
        if (feed && feed->any_day) {
            out->coverage[i] = (struct rollup_coverage){
                .any = true, .first_day = feed->first_day, .last_day = feed->last_day};
        }
    }
}

static bool encode(struct gathering *gathering, const struct cells_provenance *provenance,
                   struct rollup_made *out_made, struct bytes *out, struct tally_err *err)
{
    const struct rollup_def *def = gathering->def;
    struct rollup_content content;

    cells_fill_content(gathering->cells, gathering->state, provenance, &content);
    content.values = gathering->value;
    content.source = (struct entries_source){.context = gathering,
                                             .groups = gathering->order_count,
                                             .measures = (uint32_t)def->measures_count,
                                             .count = count_entries,
                                             .take = take_entries};
    for (size_t dim = 0; dim < def->dims_count; dim++) {
        content.texts[dim] = gathering->texts[dim];
        content.texts_count[dim] = gathering->texts_count[dim];
    }
    return rollup_encode(&content, out_made, out, err);
}

// What a patch of this file goes on from. Takes over the lists of groups and texts.
static void remember(struct gathering *gathering, const struct rollup_made *made)
{
    struct cells_base *base = cells_base(gathering->cells);
    struct cells_groups *groups = gathering->groups;

    for (uint32_t group = 0; group < groups->count; group++) {
        groups->group[group].base = CELLS_NO_BASE;
    }
    for (uint32_t i = 0; i < gathering->order_count; i++) {
        groups->group[gathering->order[i]].base = i;
    }
    free(base->order);
    base->order = gathering->order;
    base->groups = gathering->order_count;
    gathering->order = NULL;
    for (size_t dim = 0; dim < gathering->def->dims_count; dim++) {
        free(base->texts[dim]);
        base->texts[dim] = gathering->texts[dim];
        base->texts_count[dim] = gathering->texts_count[dim];
        gathering->texts[dim] = NULL;
    }
    base->file = base->now = *made;
    base->made = true;
    groups->moved = false;
}

bool cells_encode(struct cells *cells, const struct state *state,
                  const struct cells_provenance *provenance, struct bytes *out,
                  struct tally_err *err)
{
    struct gathering gathering = {
        .state = state, .cells = cells, .groups = cells_groups(cells), .def = cells_def(cells)};
    struct rollup_made made;

    cells_base(cells)->made = cells_base(cells)->ready = false;
    if (!cells_groups_settle(cells_groups(cells), err)) {
        return false;
    }
    bool ok =
        (collect_groups(&gathering) && number_values(&gathering) && sort_groups(&gathering)) ||
        err_set(err, TALLY_NO_MEMORY, "no memory to write %s", gathering.def->name);

    ok = ok && encode(&gathering, provenance, &made, out, err);
    if (ok) {
        remember(&gathering, &made);
    }
    free(gathering.order);
    free(gathering.value);
    free(gathering.number);
    for (size_t dim = 0; dim < gathering.def->dims_count; dim++) {
        free(gathering.texts[dim]);
    }
    return ok;
}
