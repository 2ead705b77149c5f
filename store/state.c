#include "store/state.h"

#include "store/rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void feed_done(struct state_feed *feed)
{
    for (size_t i = 0; i < feed->scopes_count; i++) {
        free(feed->scope[i].newest_text);
    }
    free(feed->scope);
    free(feed->name);
    incidents_done(&feed->incidents);
}

void state_done(struct state *state)
{
    texts_done(&state->texts);
    texts_done(&state->names);
    texts_done(&state->values);
    for (size_t i = 0; i < state->shapes_count; i++) {
        shape_close(state->shape[i]);
    }
    for (size_t i = 0; i < state->feeds_count; i++) {
        feed_done(&state->feed[i]);
    }
    free(state->shape);
    free(state->shape_feed);
    free(state->feed);
    free(state->observer);
    *state = (struct state){0};
}

bool state_init(struct state *state, struct tally_err *err)
{
    *state = (struct state){.mark = STATE_MARKS};
    bool ok = texts_init(&state->texts, TEXTS_UNALIGNED, err) &&
              texts_init(&state->names, TEXTS_UNALIGNED, err) &&
              texts_init(&state->values, TEXTS_ALIGNED, err);
    if (!ok) {
        state_done(state);
    }
    return ok;
}

void state_keep_origins(struct state *state)
{
    assert(state->feeds_count == 0);
    state->keeps_origins = true;
}

bool state_observe(struct state *state, const struct state_observer *observer, void *context,
                   struct tally_err *err)
{
    struct state_observer *grown =
        realloc(state->observer, (state->observers_count + 1) * sizeof *grown);

    if (!grown) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for an observer");
    }
    state->observer = grown;
    grown[state->observers_count] = *observer;
    grown[state->observers_count++].context = context;
    return true;
}

void state_unobserve(struct state *state, const void *context)
{
    size_t kept = 0;

    for (size_t i = 0; i < state->observers_count; i++) {
        if (state->observer[i].context != context) {
            state->observer[kept++] = state->observer[i];
        }
    }
    state->observers_count = kept;
}

bool state_add_feed(struct state *state, const char *name, size_t bytes, uint32_t *out_feed,
                    struct tally_err *err)
{
    for (uint32_t i = 0; i < state->feeds_count; i++) {
        if (strlen(state->feed[i].name) == bytes && memcmp(state->feed[i].name, name, bytes) == 0) {
            *out_feed = i;
            return true;
        }
    }
    struct state_feed *feeds = realloc(state->feed, (state->feeds_count + 1) * sizeof *state->feed);
    if (!feeds) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a feed");
    }
    state->feed = feeds;
    struct state_feed feed = {.name = strndup(name, bytes)};
    if (!feed.name || !texts_intern(&state->texts, name, bytes, &feed.text, NULL, err)) {
        free(feed.name);
        return err_set(err, TALLY_NO_MEMORY, "no memory for a feed");
    }
    incidents_init(&feed.incidents, state->keeps_origins);
    *out_feed = (uint32_t)state->feeds_count;
    state->feed[state->feeds_count++] = feed;
    return true;
}

const struct state_feed *state_find_feed(const struct state *state, const char *name)
{
    for (size_t i = 0; i < state->feeds_count; i++) {
        if (strcmp(state->feed[i].name, name) == 0) {
            return &state->feed[i];
        }
    }
    return NULL;
}

static bool grow_shapes(struct state *state, struct tally_err *err)
{
    size_t count = state->shapes_count + 1;
    struct shape **shape = realloc(state->shape, count * sizeof(struct shape *));

    if (shape) {
        state->shape = shape;
    }
    uint16_t *feed = shape ? realloc(state->shape_feed, count * sizeof *feed) : NULL;
    if (!feed) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a shape");
    }
    state->shape_feed = feed;
    return true;
}

bool state_add_shape(struct state *state, const struct shape *shape, uint16_t *out_shape,
                     struct tally_err *err)
{
    uint32_t feed;

    for (size_t i = 0; i < state->shapes_count; i++) {
        if (shape_equal(state->shape[i], shape)) {
            *out_shape = (uint16_t)i;
            return true;
        }
    }
    if (state->shapes_count == STATE_SHAPES_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %d different feed layouts", STATE_SHAPES_MAX);
    }
    if (!state_add_feed(state, shape->feed, strlen(shape->feed), &feed, err) ||
        !grow_shapes(state, err)) {
        return false;
    }
    struct shape *copy =
        shape_open(shape->feed, (const char *const *)shape->dims, shape->dims_count,
                   (const char *const *)shape->measures, shape->measures_count, err);
    if (!copy) {
        return false;
    }
    struct incidents_need need = {.columns = INCIDENTS_DIM + (uint32_t)shape->dims_count};
    if (!incidents_fit(&state->feed[feed].incidents, &need, err)) {
        shape_close(copy);
        return false;
    }
    state->shape_feed[state->shapes_count] = (uint16_t)feed;
    state->shape[state->shapes_count] = copy;
    *out_shape = (uint16_t)state->shapes_count++;
    return true;
}

struct state_mark state_mark(const struct state *state)
{
    return (struct state_mark){
        .texts = state->texts.count, .feeds = state->feeds_count, .shapes = state->shapes_count};
}

void state_cut(struct state *state, struct state_mark mark)
{
    while (state->shapes_count > mark.shapes) {
        shape_close(state->shape[--state->shapes_count]);
    }
    while (state->feeds_count > mark.feeds) {
        feed_done(&state->feed[--state->feeds_count]);
    }
    texts_cut(&state->texts, mark.texts);
}

// ---- what incidents share -----------------------------------------------------------------

static size_t make_values(size_t measures_count, uint64_t reported, const int64_t *measures,
                          int64_t *out)
{
    out[0] = (int64_t)reported;
    if (measures_count > 0) {
        memcpy(out + 1, measures, measures_count * sizeof *measures);
    }
    return (1 + measures_count) * sizeof *out;
}

bool state_take_values(struct state *state, size_t measures_count, uint64_t reported,
                       const int64_t *measures, uint32_t *out_values, struct tally_err *err)
{
    int64_t values[1 + SHAPE_MEASURES_MAX];
    size_t bytes = make_values(measures_count, reported, measures, values);

    return texts_intern(&state->values, (const char *)values, bytes, out_values, NULL, err);
}

bool state_find_values(const struct state *state, size_t measures_count, uint64_t reported,
                       const int64_t *measures, uint32_t *out_values)
{
    int64_t values[1 + SHAPE_MEASURES_MAX];
    size_t bytes = make_values(measures_count, reported, measures, values);

    return texts_find(&state->values, (const char *)values, bytes, out_values);
}

static bool take_name(struct state *state, const char *text, size_t bytes, uint32_t *out_name,
                      struct tally_err *err)
{
    return texts_intern(&state->names, text, bytes, out_name, NULL, err);
}

static bool take_revision(struct state *state, const struct revision *revision,
                          struct state_row *row, struct tally_err *err)
{
    uint32_t name = 0;

    if (revision->kind == REVISION_TEXT &&
        !take_name(state, revision->text, revision->bytes, &name, err)) {
        return false;
    }
    row->revision_kind = (uint8_t)revision->kind;
    row->revision = revision->kind == REVISION_TEXT     ? name
                    : revision->kind == REVISION_NUMBER ? revision->number
                                                        : 0;
    return true;
}

bool state_take_row(struct state *state, uint16_t shape, const struct ledger_row *row,
                    struct state_row *out_row, struct tally_err *err)
{
    static const int64_t no_measures[SHAPE_MEASURES_MAX];
    bool put = row->op == ROWS_PUT;
    struct id_parts id = id_split(row->id, row->id_bytes);
    uint32_t head;
    struct state_row made = {.op = row->op,
                             .first_day = row->first_day,
                             .last_day = row->last_day,
                             .record = (uint32_t)row->record,
                             .line = (uint32_t)row->line,
                             .dims = row->dims};

    bool ok = take_name(state, row->id, id.head_bytes, &head, err) &&
              take_revision(state, &row->revision, &made, err) &&

              state_take_values(state, state->shape[shape]->measures_count, put ? row->reported : 0,
                                put ? row->measures : no_measures, &made.values, err);
    if (ok) {
        made.id = id_code(head, id.number);
        *out_row = made;
    }
    return ok;
}

// ---- the parts of an incident -------------------------------------------------------------

static uint32_t code_of(const struct state *state, const struct incident *incident, size_t column)
{
    return incidents_code(&state_feed_of(state, incident)->incidents, incident, column);
}

uint32_t incident_dim(const struct state *state, const struct incident *incident, size_t dim)
{
    return code_of(state, incident, INCIDENTS_DIM + dim);
}

int32_t incident_last_day(const struct state *state, const struct incident *incident)
{
    return incident_first_day(incident) + (int32_t)code_of(state, incident, INCIDENTS_LASTS);
}

uint32_t incident_values(const struct state *state, const struct incident *incident)
{
    return code_of(state, incident, INCIDENTS_VALUES);
}

const int64_t *state_values(const struct state *state, uint32_t code)
{
    return (const int64_t *)(const void *)texts_get(&state->values, code)->text;
}

const struct shape *state_shape(const struct state *state, const struct incident *incident)
{
    return state->shape[incident->shape];
}

const struct state_feed *state_feed_of(const struct state *state, const struct incident *incident)
{
    return &state->feed[state->shape_feed[incident->shape]];
}

uint64_t incident_reported(const struct state *state, const struct incident *incident)
{
    return (uint64_t)state_values(state, incident_values(state, incident))[0];
}

const int64_t *incident_measures(const struct state *state, const struct incident *incident)
{
    return state_values(state, incident_values(state, incident)) + 1;
}

void incident_id(const struct state *state, const struct incident *incident, struct id_text *out)
{
    const struct texts_entry *head = texts_get(&state->names, id_head(incident->id));
    id_format(head->text, head->bytes, id_number(incident->id), out);
}

struct revision state_revision(const struct state *state, enum revision_kind kind, int64_t revision)
{
    if (kind != REVISION_TEXT) {
        return kind == REVISION_NUMBER ? revision_of_number(revision)
                                       : (struct revision){.kind = REVISION_NONE};
    }
    const struct texts_entry *name = texts_get(&state->names, (uint32_t)revision);
    return (struct revision){.kind = REVISION_TEXT, .text = name->text, .bytes = name->bytes};
}

static enum revision_kind revision_kind_of(const struct incident *incident)
{
    unsigned flags = incident_flags(incident);

    return flags & INCIDENT_REVISION_NUMBER ? REVISION_NUMBER
           : flags & INCIDENT_REVISION_TEXT ? REVISION_TEXT
                                            : REVISION_NONE;
}

struct revision incident_revision(const struct state *state, const struct incident *incident)
{
    return state_revision(state, revision_kind_of(incident),
                          incidents_revision(&state_feed_of(state, incident)->incidents, incident));
}

struct incident_origin incident_origin(const struct state *state, const struct incident *incident)
{
    assert(state->keeps_origins);
    return incidents_origin(&state_feed_of(state, incident)->incidents, incident);
}

struct incident *state_find(const struct state *state, uint32_t feed, const char *id,
                            size_t id_bytes)
{
    struct id_parts parts = id_split(id, id_bytes);
    uint32_t head;

    return texts_find(&state->names, id, parts.head_bytes, &head)
               ? incidents_find(&state->feed[feed].incidents, id_code(head, parts.number))
               : NULL;
}

struct incident *state_next(const struct state *state, struct state_walk *walk)
{
    for (; walk->feed < state->feeds_count; walk->feed++, walk->at = (struct incidents_walk){0}) {
        struct incident *incident = incidents_next(&state->feed[walk->feed].incidents, &walk->at);
        if (incident) {
            return incident;
        }
    }
    return NULL;
}

struct state_walk state_walk_from(const struct state *state, uint64_t index)
{
    struct state_walk walk = {0};

    for (; walk.feed < state->feeds_count; walk.feed++) {
        const struct incidents *incidents = &state->feed[walk.feed].incidents;
        uint32_t count = incidents_count(incidents);
        if (index < count) {
            walk.at = incidents_walk_from(incidents, (uint32_t)index);
            break;
        }
        index -= count;
    }
    return walk;
}

uint64_t state_incidents(const struct state *state)
{
    uint64_t count = 0;

    for (size_t i = 0; i < state->feeds_count; i++) {
        count += incidents_count(&state->feed[i].incidents);
    }
    return count;
}

// When the numbers run out all start afresh.
void state_next_mark(struct state *state)
{
    if (state->mark > INCIDENT_SEEN_MAX - 2 * STATE_MARKS) {
        struct state_walk walk = {0};
        struct incident *incident;
        while ((incident = state_next(state, &walk)) != NULL) {
            incident_set_seen(incident, 0);
        }
        state->mark = 0;
    }
    state->mark += STATE_MARKS;
}

bool state_notify(const struct state *state, const struct incident *incident, int sign,
                  unsigned core, struct tally_err *err)
{
    for (size_t i = 0; i < state->observers_count; i++) {
        const struct state_observer *observer = &state->observer[i];
        if (!observer->on_change(observer->context, state, incident, sign, core, err)) {
            return false;
        }
    }
    return true;
}

bool state_notify_begin(const struct state *state, bool *out_alone, struct tally_err *err)
{
    *out_alone = false;
    for (size_t i = 0; i < state->observers_count; i++) {
        *out_alone = *out_alone || !state->observer[i].on_cores_begin;
    }
    for (size_t i = 0; !*out_alone && i < state->observers_count; i++) {
        const struct state_observer *observer = &state->observer[i];
        if (!observer->on_cores_begin(observer->context, state, err)) {
            return false;
        }
    }
    return true;
}

uint32_t state_kept_scope(const struct state *state, const struct incident *incident,
                          uint16_t shape, int scope_dim)
{
    if (scope_dim < 0) {
        return 0;
    }
    int dim = incident->shape == shape ? scope_dim
                                       : shape_find_dim(state_shape(state, incident),
                                                        state->shape[shape]->dims[scope_dim]);
    return dim < 0 ? 0 : incident_dim(state, incident, (size_t)dim);
}
