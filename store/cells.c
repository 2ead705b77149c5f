#include "store/cells.h"

#include "store/cells_group.h"

#include <stdlib.h>
#include <string.h>

// Where the rollup's names are in one shape.
enum { SOURCE_ABSENT = -1, SOURCE_FEED = -2 };

struct shape_map {
    bool included;
    int dim[ROLLUP_DIMS_MAX];
    int filter[ROLLUP_FILTERS_MAX];
    int measure[ROLLUP_MEASURES_MAX];
};

// What a filter said of each text code, asked once.
enum { VERDICT_OPEN = 0, VERDICT_YES, VERDICT_NO };

struct cells {
    struct rollup_def def;
    struct shape_map *map; // by shape of the state
    size_t maps_count;
    struct shape_map names;                         // of what cells_names says, in place of a shape
    struct cells_verdicts verdicts[TEAM_PARTS_MAX]; // by core
    struct cells_groups groups;
    struct cells_base base;
};

enum { CHANGES_MAX = 1 << 18 }; // in a patch: beyond that it costs as much as the base

static int find_source(const struct shape *shape, const char *dim)
{
    return strcmp(dim, ROLLUP_DIM_FEED) == 0 ? SOURCE_FEED : shape_find_dim(shape, dim);
}

static void make_map(const struct rollup_def *def, const struct shape *shape, struct shape_map *map)
{
    *map = (struct shape_map){0};
    for (size_t i = 0; i < def->feeds_count; i++) {
        map->included = map->included || strcmp(def->feeds[i].name, shape->feed) == 0;
    }
    for (size_t i = 0; i < def->dims_count; i++) {
        map->dim[i] = find_source(shape, def->dims[i]);
    }
    for (size_t i = 0; i < def->filters_count; i++) {
        map->filter[i] = find_source(shape, def->filters[i].dim);
    }
    for (size_t i = 0; i < def->measures_count; i++) {
        map->measure[i] = shape_find_measure(shape, def->measures[i]);
    }
}

bool cells_know_shapes(struct cells *cells, const struct state *state, struct tally_err *err)
{
    if (cells->maps_count >= state->shapes_count) {
        return true;
    }
    struct shape_map *map = realloc(cells->map, state->shapes_count * sizeof *map);
    if (!map) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for rollup %s", cells->def.name);
    }
    cells->map = map;
    for (; cells->maps_count < state->shapes_count; cells->maps_count++) {
        make_map(&cells->def, state->shape[cells->maps_count], &map[cells->maps_count]);
    }
    return true;
}

static uint32_t code_at(const struct state *state, const struct incident *incident, int source)
{
    return source == SOURCE_FEED     ? state_feed_of(state, incident)->text
           : source == SOURCE_ABSENT ? 0
                                     : incident_dim(state, incident, (size_t)source);
}

void cells_verdicts_done(struct cells_verdicts *verdicts)
{
    for (size_t i = 0; i < ROLLUP_FILTERS_MAX; i++) {
        free(verdicts->of[i]);
    }
    *verdicts = (struct cells_verdicts){0};
}

static bool ask_filter(const struct rollup_def *def, const struct state *state, size_t filter,
                       uint32_t code, struct cells_verdicts *verdicts, bool *out_passes,
                       struct tally_err *err)
{
    uint32_t known = verdicts->count[filter];

    if (code >= known) {
        uint32_t count = state->texts.capacity;
        uint8_t *of = realloc(verdicts->of[filter], count);
        if (!of) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for a filter of %s", def->name);
        }
        memset(of + known, VERDICT_OPEN, count - known);
        verdicts->of[filter] = of;
        verdicts->count[filter] = count;
    }
    uint8_t *verdict = &verdicts->of[filter][code];
    if (*verdict == VERDICT_OPEN) {
        const struct texts_entry *text = texts_get(&state->texts, code);
        bool passes = filter_matches(&def->filters[filter], text->text, text->bytes);
        *verdict = passes ? VERDICT_YES : VERDICT_NO;
    }
    *out_passes = *verdict == VERDICT_YES;
    return true;
}

bool cells_match(const struct cells *cells, const struct state *state,
                 struct cells_verdicts *verdicts, const struct incident *incident,
                 uint32_t *out_codes, bool *out_in, struct tally_err *err)
{
    const struct shape_map *map = &cells->map[incident->shape];
    const struct rollup_def *def = &cells->def;

    *out_in = map->included;
    for (size_t i = 0; *out_in && i < def->filters_count; i++) {
        uint32_t code = code_at(state, incident, map->filter[i]);
        if (!ask_filter(def, state, i, code, verdicts, out_in, err)) {
            return false;
        }
    }
    for (size_t i = 0; out_codes && i < def->dims_count; i++) {
        out_codes[i] = code_at(state, incident, map->dim[i]);
    }
    return true;
}

bool cells_matches(struct cells *cells, const struct state *state, const struct incident *incident,
                   uint32_t *out_codes, struct tally_err *err)
{
    bool in = false;

    err->code = TALLY_OK;
    return cells_know_shapes(cells, state, err) &&
           cells_match(cells, state, &cells->verdicts[0], incident, out_codes, &in, err) && in;
}

void cells_change_of(const struct cells *cells, const struct state *state,
                     const struct incident *incident, int sign, struct cells_change *out)
{
    const int64_t *told = state_values(state, incident_values(state, incident));
    uint64_t reported = (uint64_t)told[0];
    const int64_t *measures = told + 1;

    out->first_day = incident_first_day(incident);
    out->last_day = incident_last_day(state, incident);
    out->sign = sign;
    for (size_t i = 0; i < cells->def.measures_count; i++) {
        int source = cells->map[incident->shape].measure[i];
        out->reported[i] = source >= 0 && (reported >> source & 1);
        out->value[i] = out->reported[i] ? measures[source] : 0;
    }
}

const int *cells_measures_of(const struct cells *cells, uint32_t shape)
{
    return cells->map[shape].measure;
}

static bool note(struct cells *cells, const struct state *state, const struct incident *incident,
                 int sign, unsigned core, struct tally_err *err)
{
    uint32_t codes[ROLLUP_DIMS_MAX];
    struct cells_change change;
    bool in;

    if (!cells_match(cells, state, &cells->verdicts[core], incident, codes, &in, err)) {
        return false;
    }
    if (!in) {
        return true;
    }
    cells_change_of(cells, state, incident, sign, &change);
    return cells_groups_note(&cells->groups, core, codes, &change, err);
}

static bool on_change(void *context, const struct state *state, const struct incident *incident,
                      int sign, unsigned core, struct tally_err *err)
{
    struct cells *cells = context;

    return core == STATE_ALONE
               ? cells_know_shapes(cells, state, err) && cells_groups_limit(&cells->groups, err) &&
                     note(cells, state, incident, sign, 0, err)
               : note(cells, state, incident, sign, core, err);
}

static bool on_cores_begin(void *context, const struct state *state, struct tally_err *err)
{
    struct cells *cells = context;

    return cells_know_shapes(cells, state, err) && cells_groups_limit(&cells->groups, err);
}

// ---- sums from elsewhere --------------------------------------------------------------------

static size_t add_name(const char **names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return count;
        }
    }
    if (strcmp(name, ROLLUP_DIM_FEED) == 0) {
        return count;
    }
    names[count] = name;
    return count + 1;
}

static size_t list_names(const struct rollup_def *def, const char *names[CELLS_NAMES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < def->dims_count; i++) {
        count = add_name(names, count, def->dims[i]);
    }
    for (size_t i = 0; i < def->filters_count; i++) {
        count = add_name(names, count, def->filters[i].dim);
    }
    return count;
}

size_t cells_names(const struct cells *cells, const char *names[CELLS_NAMES_MAX])
{
    return list_names(&cells->def, names);
}

static bool make_names(struct cells *cells, struct tally_err *err)
{
    const char *names[CELLS_NAMES_MAX];
    size_t count = list_names(&cells->def, names);
    struct shape *shape = shape_open(cells->def.name, names, count, NULL, 0, err);

    if (!shape) {
        return false;
    }
    make_map(&cells->def, shape, &cells->names);
    shape_close(shape);
    return true;
}

static bool is_possible(const struct rollup_def *def, const struct rollup_entry *entry)
{
    bool possible = entry->sums.incidents > 0 && entry->first_day >= DAY_MIN &&
                    entry->last_day >= entry->first_day && entry->last_day <= DAY_MAX;

    for (size_t i = 0; i < def->measures_count; i++) {
        const struct rollup_measure_sum *measure = &entry->sums.measure[i];
        possible = possible && measure->reported <= entry->sums.incidents &&
                   (measure->reported > 0 || measure->sum == 0);
    }
    return possible;
}

bool cells_passes(struct cells *cells, const struct state *state, uint32_t feed,
                  const uint32_t *codes, uint32_t *out_group, bool *out_passes,
                  struct tally_err *err)
{
    const struct rollup_def *def = &cells->def;
    const struct shape_map *map = &cells->names;
    bool in = true;

    for (size_t i = 0; in && i < def->filters_count; i++) {
        uint32_t code = map->filter[i] == SOURCE_FEED ? feed : codes[map->filter[i]];
        if (!ask_filter(def, state, i, code, &cells->verdicts[0], &in, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < def->dims_count; i++) {
        out_group[i] = map->dim[i] == SOURCE_FEED ? feed : codes[map->dim[i]];
    }
    *out_passes = in;
    return true;
}

bool cells_add(struct cells *cells, const struct state *state, uint32_t feed, const uint32_t *codes,
               const struct rollup_entry *entry, struct tally_err *err)
{
    uint32_t group[ROLLUP_DIMS_MAX];
    bool in;

    if (!is_possible(&cells->def, entry)) {
        return err_set(err, TALLY_CORRUPT, "sums of %s that no incidents have", cells->def.name);
    }
    if (entry->sums.incidents > INCIDENTS_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %u incidents of one group on one day",
                       (unsigned)INCIDENTS_MAX);
    }
    cells->base.made = cells->base.ready = false;
    return cells_passes(cells, state, feed, codes, group, &in, err) &&
           (!in || cells_groups_add(&cells->groups, group, entry, err));
}

// ---- opening --------------------------------------------------------------------------------

static bool copy_def(struct rollup_def *out, const struct rollup_def *def, struct tally_err *err)
{
    struct bytes bytes;

    bytes_init(&bytes);
    rollup_def_encode(def, &bytes);
    struct cursor cursor = cursor_over(bytes.data, bytes.count);
    bool ok = bytes.ok ? rollup_def_decode(out, &cursor, err)
                       : err_set(err, TALLY_NO_MEMORY, "no memory for rollup %s", def->name);
    bytes_done(&bytes);
    return ok;
}

struct cells *cells_open(struct state *state, const struct rollup_def *def, struct tally_err *err)
{
    struct cells *cells = calloc(1, sizeof *cells);

    if (!cells) {
        err_set(err, TALLY_NO_MEMORY, "no memory for rollup %s", def->name);
        return NULL;
    }
    if (!copy_def(&cells->def, def, err) || !make_names(cells, err) ||
        !cells_groups_init(&cells->groups, def->dims_count, def->measures_count, err) ||
        !cells_take_in(cells, state, err)) {
        cells_close(cells);
        return NULL;
    }
    return cells;
}

void cells_close(struct cells *cells)
{
    if (!cells) {
        return;
    }
    for (unsigned core = 0; core < TEAM_PARTS_MAX; core++) {
        cells_verdicts_done(&cells->verdicts[core]);
    }
    for (size_t i = 0; i < ROLLUP_DIMS_MAX; i++) {
        free(cells->base.texts[i]);
    }
    free(cells->base.order);
    cells_groups_done(&cells->groups);
    rollup_def_done(&cells->def);
    free(cells->map);
    free(cells);
}

const struct rollup_def *cells_def(const struct cells *cells)
{
    return &cells->def;
}

bool cells_begin_anew(struct cells *cells, struct state *state, struct tally_err *err)
{
    const struct rollup_def *def = &cells->def;

    state_unobserve(state, cells);
    cells->base.made = cells->base.ready = false;
    cells_groups_done(&cells->groups);
    return cells_groups_init(&cells->groups, def->dims_count, def->measures_count, err);
}

bool cells_take_in(struct cells *cells, struct state *state, struct tally_err *err)
{
    static const struct state_observer observer = {.on_change = on_change,
                                                   .on_cores_begin = on_cores_begin};

    return cells_fill(cells, state, err) && state_observe(state, &observer, cells, err);
}

struct cells_groups *cells_groups(struct cells *cells)
{
    return &cells->groups;
}

struct cells_base *cells_base(struct cells *cells)
{
    return &cells->base;
}

void cells_set_base(struct cells *cells)
{
    cells->base.ready = cells->base.made;
}

bool cells_can_patch(const struct cells *cells)
{
    const struct cells_groups *groups = &cells->groups;

    return cells->base.ready && !groups->moved && cells_groups_changes(groups) <= CHANGES_MAX;
}
