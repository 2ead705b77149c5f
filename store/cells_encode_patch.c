// store/cells_encode_patch.c - differences in memory as a patch of the base (cells_encode_patch).
//
// In order of execution: gather what is pending; find the groups that changed, went and came; sort
// what came, and number its texts; hand the differences to the encoder, group by group.
#include "store/cells_group.h"
#include "store/rollup_patch.h"

#include "base/prefetch.h"

#include <stdlib.h>
#include <string.h>

struct patching {
    const struct texts *texts;
    const struct cells_groups *groups;
    const struct cells_base *base;
    const struct rollup_def *def;
    uint32_t *cells_end; // of each group in memory: behind its differences
    uint32_t *spans_end;
    uint64_t *gone;
    uint32_t gone_count;
    uint64_t *changed;
    uint32_t changed_count;
    uint32_t *fresh; // groups in memory
    uint32_t fresh_count;
    uint32_t *numbers; // [fresh_count][dims]
    struct dictionary_text *added[ROLLUP_DIMS_MAX];
    uint32_t added_count[ROLLUP_DIMS_MAX];
    uint64_t *starts[2]; // of cells, of spans: [patch groups + 1]
    uint32_t *at[2];     // position of each difference that is written
    uint32_t count[2];
};

// ---- groups -------------------------------------------------------------------------------

static void find_ends(const struct cells_groups *groups, const struct cells_run *run, uint32_t *end)
{
    uint32_t at = 0;

    for (uint32_t group = 0; group < groups->count; group++) {
        while (at < run->count && cells_entry_at(groups, run->data, at)->group == group) {
            at++;
        }
        end[group] = at;
    }
}

static bool has_differences(const struct patching *patching, uint32_t group)
{
    uint32_t cells_first = group > 0 ? patching->cells_end[group - 1] : 0;
    uint32_t spans_first = group > 0 ? patching->spans_end[group - 1] : 0;

    return patching->cells_end[group] > cells_first || patching->spans_end[group] > spans_first;
}

static int compare_fresh(const void *left, const void *right, void *context)
{
    const struct patching *patching = context;
    const uint32_t *a = cells_group_codes(patching->groups, *(const uint32_t *)left);
    const uint32_t *b = cells_group_codes(patching->groups, *(const uint32_t *)right);

    for (size_t dim = 0; dim < patching->groups->keys.dims_count; dim++) {
        if (a[dim] != b[dim]) {
            const struct texts_entry *one = texts_get(patching->texts, a[dim]);
            const struct texts_entry *other = texts_get(patching->texts, b[dim]);
            return dictionary_compare(&(struct dictionary_text){one->text, one->bytes},
                                      &(struct dictionary_text){other->text, other->bytes});
        }
    }
    return 0;
}

static void find_groups(struct patching *patching)
{
    const struct cells_groups *groups = patching->groups;

    for (uint32_t i = 0; i < patching->base->groups; i++) {
        uint32_t group = patching->base->order[i];
        if (groups->group[group].incidents == 0) {
            patching->gone[patching->gone_count++] = i;
        } else if (has_differences(patching, group)) {
            patching->changed[patching->changed_count++] = i;
        }
    }
    for (uint32_t group = 0; group < groups->count; group++) {
        if (groups->group[group].base == CELLS_NO_BASE && groups->group[group].incidents > 0) {
            patching->fresh[patching->fresh_count++] = group;
        }
    }
    qsort_r(patching->fresh, patching->fresh_count, sizeof *patching->fresh, compare_fresh,
            patching);
}

// ---- texts that the base does not have ----------------------------------------------------

static int compare_texts(const void *left, const void *right)
{
    return dictionary_compare(left, right);
}

static bool find_text(const struct dictionary_text *texts, uint32_t count,
                      const struct dictionary_text *text, uint32_t *out_number)
{
    const struct dictionary_text *found =
        count ? bsearch(text, texts, count, sizeof *texts, compare_texts) : NULL;

    *out_number = found ? (uint32_t)(found - texts) : 0;
    return found;
}

static struct dictionary_text text_of(const struct patching *patching, uint32_t fresh, size_t dim)
{
    uint32_t code = cells_group_codes(patching->groups, patching->fresh[fresh])[dim];
    const struct texts_entry *text = texts_get(patching->texts, code);

    return (struct dictionary_text){text->text, text->bytes};
}

// Sorts, and leaves one of each.
static uint32_t make_distinct(struct dictionary_text *texts, uint32_t count)
{
    uint32_t left = 0;

    qsort(texts, count, sizeof *texts, compare_texts);
    for (uint32_t i = 0; i < count; i++) {
        if (left == 0 || dictionary_compare(&texts[left - 1], &texts[i]) != 0) {
            texts[left++] = texts[i];
        }
    }
    return left;
}

static bool number_texts(struct patching *patching, size_t dim)
{
    const struct cells_base *base = patching->base;
    size_t dims = patching->def->dims_count;
    struct dictionary_text *added = calloc(patching->fresh_count + (size_t)1, sizeof *added);
    uint32_t count = 0;
    uint32_t number;

    patching->added[dim] = added;
    for (uint32_t i = 0; added && i < patching->fresh_count; i++) {
        struct dictionary_text text = text_of(patching, i, dim);
        if (!find_text(base->texts[dim], base->texts_count[dim], &text, &number)) {
            added[count++] = text;
        }
    }
    count = added ? make_distinct(added, count) : 0;
    patching->added_count[dim] = count;
    for (uint32_t i = 0; added && i < patching->fresh_count; i++) {
        struct dictionary_text text = text_of(patching, i, dim);
        if (!find_text(base->texts[dim], base->texts_count[dim], &text, &number)) {
            find_text(added, count, &text, &number);
            number += base->texts_count[dim];
        }
        patching->numbers[i * dims + dim] = number;
    }
    return added;
}

// ---- differences --------------------------------------------------------------------------

static void put_range(struct patching *patching, bool spans, uint32_t group)
{
    const uint32_t *end = spans ? patching->spans_end : patching->cells_end;

    for (uint32_t i = group > 0 ? end[group - 1] : 0; i < end[group]; i++) {
        patching->at[spans][patching->count[spans]++] = i;
    }
}

static void list_differences(struct patching *patching, bool spans)
{
    uint32_t groups = patching->changed_count + patching->fresh_count;

    for (uint32_t i = 0; i < groups; i++) {
        patching->starts[spans][i] = patching->count[spans];
        put_range(patching, spans,
                  i < patching->changed_count ? patching->base->order[patching->changed[i]]
                                              : patching->fresh[i - patching->changed_count]);
    }
    patching->starts[spans][groups] = patching->count[spans];
}

static void list_numbers(void *context, bool spans, uint32_t index, bits_u128 *out)
{
    enum { AHEAD = 16 };
    const struct patching *patching = context;
    const struct cells_groups *groups = patching->groups;
    const unsigned char *data = spans ? groups->spans.data : groups->cells.data;
    const struct cells_entry *entry = cells_entry_at(groups, data, patching->at[spans][index]);

    if (index + AHEAD < patching->count[spans]) { // groups lie in another order in the file
        prefetch_to_read(cells_entry_at(groups, data, patching->at[spans][index + AHEAD]));
    }

    *out++ = (bits_u128)entry->first_day;
    if (spans) {
        *out++ = (bits_u128)(entry->last_day - entry->first_day);
    }
    *out++ = (bits_u128)(int32_t)entry->incidents;
    for (size_t m = 0; m < groups->measures_count; m++) {
        *out++ = (bits_u128)cells_entry_sum(entry, m);
        *out++ = (bits_u128)(int32_t)(entry->incidents - cells_entry_reported(groups, entry, m));
    }
}

// ---- the patch ----------------------------------------------------------------------------

static bool reserve(struct patching *patching)
{
    const struct cells_groups *groups = patching->groups;
    size_t all = groups->count + (size_t)1;
    size_t old = patching->base->groups + (size_t)1;

    patching->cells_end = calloc(all, sizeof(uint32_t));
    patching->spans_end = calloc(all, sizeof(uint32_t));
    patching->fresh = malloc(all * sizeof(uint32_t));
    patching->gone = malloc(old * sizeof(uint64_t));
    patching->changed = malloc(old * sizeof(uint64_t));
    for (int spans = 0; spans < 2; spans++) {
        size_t count = (spans ? groups->spans.count : groups->cells.count) + (size_t)1;
        patching->at[spans] = malloc(count * sizeof(uint32_t));
        patching->starts[spans] = malloc(all * sizeof(uint64_t));
    }
    return patching->cells_end && patching->spans_end && patching->fresh && patching->gone &&
           patching->changed && patching->at[0] && patching->at[1] && patching->starts[0] &&
           patching->starts[1];
}

static void release(struct patching *patching)
{
    free(patching->cells_end);
    free(patching->spans_end);
    free(patching->fresh);
    free(patching->gone);
    free(patching->changed);
    free(patching->numbers);
    for (int spans = 0; spans < 2; spans++) {
        free(patching->at[spans]);
        free(patching->starts[spans]);
    }
    for (size_t dim = 0; dim < ROLLUP_DIMS_MAX; dim++) {
        free(patching->added[dim]);
    }
}

static bool plan(struct patching *patching)
{
    const struct cells_groups *groups = patching->groups;

    if (!reserve(patching)) {
        return false;
    }
    find_ends(groups, &groups->cells, patching->cells_end);
    find_ends(groups, &groups->spans, patching->spans_end);
    find_groups(patching);
    size_t numbers = patching->fresh_count * patching->def->dims_count;
    patching->numbers = malloc((numbers + 1) * sizeof *patching->numbers);
    bool ok = patching->numbers;
    for (size_t dim = 0; ok && dim < patching->def->dims_count; dim++) {
        ok = number_texts(patching, dim);
    }
    if (ok) {
        list_differences(patching, false);
        list_differences(patching, true);
    }
    return ok;
}

static bool encode(struct patching *patching, struct rollup_content *content, struct bytes *out,
                   struct tally_err *err)
{
    const struct rollup_made *now = &patching->base->now;
    struct patch_content patch = {.content = content,
                                  .base = patching->base->file.frame,
                                  .first_day = now->days.first_day,
                                  .last_day = now->days.last_day,
                                  .gone = patching->gone,
                                  .gone_count = patching->gone_count,
                                  .changed = patching->changed,
                                  .changed_count = patching->changed_count,
                                  .numbers = patching->numbers,
                                  .fresh = patching->fresh_count};
    struct patch_source source = {.context = patching, .numbers = list_numbers};

    for (size_t dim = 0; dim < patching->def->dims_count; dim++) {
        content->texts[dim] = patching->added[dim];
        content->texts_count[dim] = patching->added_count[dim];
    }
    patch.cells = patch.spans = source;
    patch.cells.all = now->cells;
    patch.cells.count = patching->count[0];
    patch.cells.starts = patching->starts[0];
    patch.spans.all = now->spans;
    patch.spans.count = patching->count[1];
    patch.spans.starts = patching->starts[1];
    return rollup_digest_of_sums(patching->def, &now->sums, &patch.digest, err) &&
           patch_encode(&patch, out, err);
}

// Whether entries are left that begin on the first day and end on the last one.
static bool knows_days(const struct rollup_made *now)
{
    return now->days.first_count > 0 && now->days.last_count > 0;
}

bool cells_encode_patch(struct cells *cells, const struct state *state,
                        const struct cells_provenance *provenance, struct bytes *out,
                        bool *out_possible, struct tally_err *err)
{
    struct cells_base *base = cells_base(cells);
    struct patching patching = {.texts = &state->texts,
                                .groups = cells_groups(cells),
                                .base = base,
                                .def = cells_def(cells)};
    struct rollup_content content;

    *out_possible = false;
    if (!cells_groups_gather(cells_groups(cells), &state->texts, &base->now, err)) {
        return false;
    }
    if (!knows_days(&base->now)) {
        return true;
    }
    *out_possible = true;
    cells_fill_content(cells, state, provenance, &content);
    bool ok = plan(&patching) ? encode(&patching, &content, out, err)
                              : err_set(err, TALLY_NO_MEMORY, "no memory for the patch of %s",
                                        patching.def->name);
    release(&patching);
    return ok;
}
