// store/cells_fill.c - the day cells of all that a state holds, at once (contracts in
// cells_group.h).
//
//   slice of the incidents --> groups that it meets, counted ---+
//   slice of the incidents --> groups that it meets, counted ---+--> where each slice goes on in
//                                                               |    each group
//   slice --> its incidents behind those of earlier slices <----+
//
//   range of the groups --> pages --> lists                                        cells_page.c
//
// Nothing is compared for the cells and no list grows: a start, and a batch that is most of what is
// kept, cost a few passes over the incidents. A group whose days lie too far apart for a page has
// its incidents put as changes, which are sorted.
//
// Slices, and later ranges, are worked on at the same time and write to nothing in common. Memory
// meanwhile: 2 bytes an incident for its group, 4 where a slice meets very many, 4 to 8 for what a
// cell needs to know of it, and 16 more where it lasts.
#include "store/cells_fill.h"

#include "base/pages.h"
#include "base/prefetch.h"
#include "base/team.h"

#include <stdlib.h>
#include <string.h>

enum {
    INCIDENTS_LEAST = 1 << 15, // of a slice: they take some milliseconds
    MET_FIRST = 64,
    SOME_MAX = 16,
};
#define GROUP_NONE UINT32_MAX
#define NARROW_NONE UINT16_MAX

// What a slice knows of a group that it met.
struct met {
    uint32_t incidents;
    uint32_t lasting;
    int32_t first_day; // the first and the last first day
    int32_t last_day;
    uint32_t told_at; // where its incidents go
    uint32_t lasting_at;
    bool far;
};

// Where the next incident of a group goes that a slice met: apart, so that those of all groups lie
// in a near cache.
struct place {
    uint32_t told_at; // or PLACE_FAR
    int32_t first_day;
};
#define PLACE_FAR UINT32_MAX

struct slice {
    struct filling *filling;
    uint64_t begin; // incidents, in order of the walk
    uint64_t end;
    uint64_t matched;
    struct cells_keys keys;
    struct met *met; // by number of the slice's own
    uint32_t met_count;
    uint32_t met_capacity;
    uint32_t *group;     // of all, by number of the slice's own
    struct place *place; // by number of the slice's own
    uint16_t *narrow; // each incident's group, by number of the slice's own; NARROW_NONE: of none
    uint32_t *wide;   // instead, where numbers need it; GROUP_NONE
    struct cells_verdicts verdicts;
    struct tally_err err;
    bool ok;
};

struct filling {
    struct cells *cells;
    struct cells_groups *groups;
    const struct state *state;
    struct met *all; // by group
    bool any_far;
    unsigned slices_count;
    struct slice slice[TEAM_PARTS_MAX];
    struct cells_sorted sorted;
};

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory to add up incidents");
}

// ---- 1: groups ----------------------------------------------------------------------------

static bool reserve_met(struct slice *slice)
{
    if (slice->met_count < slice->met_capacity) {
        return true;
    }
    uint32_t capacity = slice->met_capacity ? slice->met_capacity * 2 : MET_FIRST;
    struct met *met = realloc(slice->met, capacity * sizeof *met);
    if (!met) {
        return no_memory(&slice->err);
    }
    slice->met = met;
    slice->met_capacity = capacity;
    return true;
}

// Some incidents whose groups are looked up together, so that the look-ups need not wait for one
// another's memory.
struct some {
    uint32_t count;
    const struct incident *incident[SOME_MAX]; // NULL: it is of no group
    uint64_t hash[SOME_MAX];
    uint32_t codes[SOME_MAX][ROLLUP_DIMS_MAX];
};

static bool match_some(struct slice *slice, struct state_walk *walk, struct some *some)
{
    const struct filling *filling = slice->filling;

    for (uint32_t i = 0; i < some->count; i++) {
        const struct incident *incident = state_next(filling->state, walk);
        bool in = incident_is_live(incident);
        if (in && !cells_match(filling->cells, filling->state, &slice->verdicts, incident,
                               some->codes[i], &in, &slice->err)) {
            return false;
        }
        some->incident[i] = in ? incident : NULL;
        some->hash[i] = in ? cells_keys_prefetch(&slice->keys, some->codes[i]) : 0;
    }
    return true;
}

static void count_met(const struct state *state, struct met *met, const struct incident *incident)
{
    int32_t day = incident_first_day(incident);

    if (met->incidents == 0) {
        met->first_day = met->last_day = day;
    }
    met->first_day = day < met->first_day ? day : met->first_day;
    met->last_day = day > met->last_day ? day : met->last_day;
    met->incidents++;
    met->lasting += incident_last_day(state, incident) > day;
}

// ---- each incident's group ----------------------------------------------------------------

// Of the incident at position `at` of the slice.
static uint32_t group_at(const struct slice *slice, uint64_t at)
{
    if (slice->wide) {
        return slice->wide[at];
    }
    return slice->narrow[at] == NARROW_NONE ? GROUP_NONE : slice->narrow[at];
}

// Numbers up to `at` once more, as wide as any can be.
static bool widen(struct slice *slice, uint64_t at)
{
    uint32_t *wide = pages_alloc_passing((slice->end - slice->begin) * sizeof *wide);

    if (!wide) {
        return no_memory(&slice->err);
    }
    for (uint64_t i = 0; i < at; i++) {
        wide[i] = group_at(slice, i);
    }
    free(slice->narrow);
    slice->narrow = NULL;
    slice->wide = wide;
    return true;
}

static bool note_groups(struct slice *slice, uint64_t at, const uint32_t *numbers, uint32_t count)
{
    if (!slice->wide && slice->met_count >= NARROW_NONE && !widen(slice, at)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (slice->wide) {
            slice->wide[at + i] = numbers[i];
        } else {
            slice->narrow[at + i] = (uint16_t)numbers[i]; // GROUP_NONE becomes NARROW_NONE
        }
    }
    return true;
}

static bool meet_some(struct slice *slice, const struct some *some, uint32_t *out_numbers)
{
    for (uint32_t i = 0; i < some->count; i++) {
        out_numbers[i] = GROUP_NONE;
        if (!some->incident[i]) {
            continue;
        }
        if (!reserve_met(slice) || !cells_keys_find_by(&slice->keys, some->codes[i], some->hash[i],
                                                       &out_numbers[i], &slice->err)) {
            return false;
        }
        if (out_numbers[i] == slice->met_count) {
            slice->met[slice->met_count++] = (struct met){0};
        }
        prefetch_to_write(&slice->met[out_numbers[i]]);
    }
    for (uint32_t i = 0; i < some->count; i++) {
        if (some->incident[i]) {
            count_met(slice->filling->state, &slice->met[out_numbers[i]], some->incident[i]);
            slice->matched++;
        }
    }
    return true;
}

static bool meet_groups(struct slice *slice)
{
    const struct filling *filling = slice->filling;
    struct state_walk walk = state_walk_from(filling->state, slice->begin);
    uint64_t count = slice->end - slice->begin;
    uint32_t numbers[SOME_MAX];
    struct some some;

    slice->narrow = pages_alloc_passing((count + 1) * sizeof *slice->narrow);
    if (!slice->narrow) {
        return no_memory(&slice->err);
    }
    for (uint64_t i = 0; i < count; i += some.count) {
        some.count = count - i < SOME_MAX ? (uint32_t)(count - i) : SOME_MAX;
        if (!match_some(slice, &walk, &some) || !meet_some(slice, &some, numbers) ||
            !note_groups(slice, i, numbers, some.count)) {
            return false;
        }
    }
    return true;
}

static void meet_part(void *context, unsigned part)
{
    struct filling *filling = context;
    struct slice *slice = &filling->slice[part];

    slice->ok = cells_keys_init(&slice->keys, filling->groups->keys.dims_count, &slice->err) &&
                meet_groups(slice);
    cells_verdicts_done(&slice->verdicts);
}

// ---- joining ------------------------------------------------------------------------------

static void join_met(struct met *to, const struct met *from)
{
    if (to->incidents == 0) {
        to->first_day = from->first_day;
        to->last_day = from->last_day;
    }
    to->first_day = from->first_day < to->first_day ? from->first_day : to->first_day;
    to->last_day = from->last_day > to->last_day ? from->last_day : to->last_day;
    to->incidents += from->incidents;
    to->lasting += from->lasting;
}

// Numbers the groups of all slices in order of arrival.
static bool number_groups(struct filling *filling, struct tally_err *err)
{
    for (unsigned s = 0; s < filling->slices_count; s++) {
        struct slice *slice = &filling->slice[s];
        slice->group = malloc((slice->met_count + (size_t)1) * sizeof *slice->group);
        slice->place = malloc((slice->met_count + (size_t)1) * sizeof *slice->place);
        if (!slice->group || !slice->place) {
            return no_memory(err);
        }
        for (uint32_t i = 0; i < slice->met_count; i++) {
            if (!cells_groups_find(filling->groups, cells_keys_codes(&slice->keys, i),
                                   &slice->group[i], err)) {
                return false;
            }
        }
        cells_keys_done(&slice->keys);
    }
    return true;
}

// An incident costs about as much as a cell, of which there are no more than days or incidents.
static uint64_t work_of(const struct met *met)
{
    uint32_t days = (uint32_t)(met->last_day - met->first_day) + 1;

    return (uint64_t)met->incidents + (days < met->incidents ? days : met->incidents);
}

// Where each group begins and ends. Of those that are too far apart nothing is put in order.
static void place_groups(struct filling *filling)
{
    struct cells_groups *groups = filling->groups;
    struct cells_sorted *sorted = &filling->sorted;
    uint32_t told = 0;
    uint32_t lasting = 0;
    uint64_t work = 0;

    for (unsigned s = 0; s < filling->slices_count; s++) {
        const struct slice *slice = &filling->slice[s];
        for (uint32_t i = 0; i < slice->met_count; i++) {
            join_met(&filling->all[slice->group[i]], &slice->met[i]);
        }
    }
    for (uint32_t group = 0; group < groups->count; group++) {
        struct met *met = &filling->all[group];
        met->far = met->last_day - met->first_day >= CELLS_PAGE_DAYS;
        filling->any_far = filling->any_far || met->far;
        met->told_at = told;
        met->lasting_at = lasting;
        if (!met->far) {
            groups->group[group].incidents = met->incidents;
            told += met->incidents;
            lasting += met->lasting;
            work += work_of(met);
        }
        sorted->first_day[group] = met->first_day;
        sorted->told_end[group] = told;
        sorted->lasting_end[group] = lasting;
        sorted->work_end[group] = work;
    }
}

// Where each slice goes on in each group, behind the slices before it.
static void place_slices(struct filling *filling)
{
    for (unsigned s = 0; s < filling->slices_count; s++) {
        const struct slice *slice = &filling->slice[s];
        for (uint32_t i = 0; i < slice->met_count; i++) {
            struct met *met = &slice->met[i];
            struct met *all = &filling->all[slice->group[i]];
            met->far = all->far;
            met->lasting_at = all->lasting_at;
            slice->place[i] = (struct place){.told_at = all->far ? PLACE_FAR : all->told_at,
                                             .first_day = all->first_day};
            all->told_at += met->incidents;
            all->lasting_at += met->lasting;
        }
    }
}

static uint32_t bits_for(uint32_t greatest)
{
    return greatest == 0 ? 0 : 32 - (uint32_t)__builtin_clz(greatest);
}

static struct cells_told_form form_for(const struct state *state)
{
    enum { DAY_BITS = 16, STEP_BITS = 16, LEAST_BITS = 32 };
    uint32_t values_bits = bits_for(state->values.count);
    uint32_t bits = DAY_BITS + values_bits + bits_for((uint32_t)state->shapes_count - 1);

    bits = bits > LEAST_BITS ? bits : LEAST_BITS;
    return (struct cells_told_form){.stride = (bits + STEP_BITS - 1) / STEP_BITS * STEP_BITS / 8,
                                    .values_bits = values_bits};
}

static bool reserve_sorted(struct filling *filling, struct tally_err *err)
{
    struct cells_sorted *sorted = &filling->sorted;
    size_t groups = (size_t)filling->groups->count + 1;
    uint64_t told = 0;
    uint64_t lasting = 0;

    for (unsigned s = 0; s < filling->slices_count; s++) {
        told += filling->slice[s].matched;
        for (uint32_t i = 0; i < filling->slice[s].met_count; i++) {
            lasting += filling->slice[s].met[i].lasting;
        }
    }
    if (told > UINT32_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %u incidents in one rollup", UINT32_MAX);
    }
    filling->all = calloc(groups, sizeof *filling->all);
    sorted->told_end = malloc(groups * sizeof *sorted->told_end);
    sorted->lasting_end = malloc(groups * sizeof *sorted->lasting_end);
    sorted->first_day = malloc(groups * sizeof *sorted->first_day);
    sorted->work_end = malloc(groups * sizeof *sorted->work_end);
    sorted->form = form_for(filling->state);
    sorted->told = pages_alloc_passing((told + 1) * sorted->form.stride);
    sorted->lasting = malloc((lasting + 1) * sizeof *sorted->lasting);
    if (!filling->all || !sorted->told_end || !sorted->lasting_end || !sorted->first_day ||
        !sorted->work_end || !sorted->told || !sorted->lasting) {
        return no_memory(err);
    }
    return true;
}

// ---- in order of groups -------------------------------------------------------------------

static void sort_part(void *context, unsigned part)
{
    const struct filling *filling = context;
    const struct cells_sorted *sorted = &filling->sorted;
    const struct slice *slice = &filling->slice[part];
    struct state_walk walk = state_walk_from(filling->state, slice->begin);

    for (uint64_t i = 0; i < slice->end - slice->begin; i++) {
        const struct incident *incident = state_next(filling->state, &walk);
        uint32_t number = group_at(slice, i);
        if (number == GROUP_NONE || slice->place[number].told_at == PLACE_FAR) {
            continue;
        }
        struct place *place = &slice->place[number];
        int32_t first_day = incident_first_day(incident);
        int32_t last_day = incident_last_day(filling->state, incident);
        uint32_t values = incident_values(filling->state, incident);
        cells_told_put(sorted->form, sorted->told, place->told_at++,
                       (struct cells_told){.values = values,
                                           .day = (uint16_t)(first_day - place->first_day),
                                           .shape = incident->shape});
        if (last_day > first_day) {
            sorted->lasting[slice->met[number].lasting_at++] =
                (struct cells_lasting){.first_day = first_day,
                                       .last_day = last_day,
                                       .values = values,
                                       .shape = incident->shape};
        }
    }
}

// Of groups that are too far apart for a page: as changes, which settling sorts.
static bool put_far(struct filling *filling, struct tally_err *err)
{
    for (unsigned s = 0; filling->any_far && s < filling->slices_count; s++) {
        const struct slice *slice = &filling->slice[s];
        struct state_walk walk = state_walk_from(filling->state, slice->begin);
        for (uint64_t i = 0; i < slice->end - slice->begin; i++) {
            const struct incident *incident = state_next(filling->state, &walk);
            uint32_t number = group_at(slice, i);
            if (number == GROUP_NONE || !slice->met[number].far) {
                continue;
            }
            struct cells_change change;
            cells_change_of(filling->cells, filling->state, incident, 1, &change);
            if (!cells_groups_put(filling->groups, slice->group[number], &change, err)) {
                return false;
            }
        }
    }
    return true;
}

// ---- all ----------------------------------------------------------------------------------

static bool find_groups(struct filling *filling, struct tally_err *err)
{
    uint64_t incidents = state_incidents(filling->state);

    filling->slices_count = team_parts(incidents, INCIDENTS_LEAST);
    for (unsigned s = 0; s < filling->slices_count; s++) {
        filling->slice[s] =
            (struct slice){.filling = filling,
                           .begin = team_begin(incidents, s, filling->slices_count),
                           .end = team_begin(incidents, s + 1, filling->slices_count)};
    }
    team_run(meet_part, filling, filling->slices_count);
    for (unsigned s = 0; s < filling->slices_count; s++) {
        if (!filling->slice[s].ok) {
            *err = filling->slice[s].err;
            return false;
        }
    }
    return number_groups(filling, err);
}

static void forget_groups(struct filling *filling)
{
    for (unsigned s = 0; s < filling->slices_count; s++) {
        free(filling->slice[s].narrow);
        free(filling->slice[s].wide);
        filling->slice[s].narrow = NULL;
        filling->slice[s].wide = NULL;
    }
}

static bool fill(struct filling *filling, struct tally_err *err)
{
    if (!cells_know_shapes(filling->cells, filling->state, err) || !find_groups(filling, err) ||
        !reserve_sorted(filling, err)) {
        return false;
    }
    place_groups(filling);
    place_slices(filling);
    team_run(sort_part, filling, filling->slices_count);
    if (!put_far(filling, err)) {
        return false;
    }
    forget_groups(filling); // before the lists take memory
    return cells_fill_pages(filling->cells, filling->state, &filling->sorted, err);
}

static void release(struct filling *filling)
{
    for (unsigned s = 0; s < filling->slices_count; s++) {
        cells_keys_done(&filling->slice[s].keys);
        free(filling->slice[s].met);
        free(filling->slice[s].group);
        free(filling->slice[s].place);
    }
    forget_groups(filling);
    free(filling->all);
    free(filling->sorted.told);
    free(filling->sorted.lasting);
    free(filling->sorted.told_end);
    free(filling->sorted.lasting_end);
    free(filling->sorted.first_day);
    free(filling->sorted.work_end);
    free(filling);
}

bool cells_fill(struct cells *cells, const struct state *state, struct tally_err *err)
{
    struct filling *filling = calloc(1, sizeof *filling);

    if (!filling) {
        return no_memory(err);
    }
    filling->cells = cells;
    filling->groups = cells_groups(cells);
    filling->state = state;
    bool ok = fill(filling, err);
    release(filling);
    return ok;
}
