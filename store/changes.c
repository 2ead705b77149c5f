#include "store/changes.h"

#include <stdio.h>
#include <string.h>

struct finding {
    const struct changes_state *before;
    const struct changes_state *after;
    const struct rollup_def *def;
    changes_on_change *on_change;
    void *context;
};

const char *change_kinds_format(unsigned kinds, char text[CHANGE_KINDS_BYTES])
{
    static const char *const names[] = {"appeared", "withdrawn", "moved-day", "moved-group",
                                        "counts"};
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (kinds >> i & 1 && used < CHANGE_KINDS_BYTES) {
            used += (size_t)snprintf(text + used, CHANGE_KINDS_BYTES - used, "%s%s",
                                     used ? "," : "", names[i]);
        }
    }
    return text;
}

bool changes_measure(const struct state *state, const struct incident *incident,
                     const char *measure, int64_t *out_value)
{
    int at = shape_find_measure(state_shape(state, incident), measure);

    if (at < 0 || !(incident_reported(state, incident) >> at & 1)) {
        return false;
    }
    *out_value = incident_measures(state, incident)[at];
    return true;
}

// side->incident becomes NULL where the incident does not count.
static bool take_side(const struct changes_state *of, const struct incident *incident,
                      struct change_side *side, struct tally_err *err)
{
    side->incident = NULL;
    if (!incident || !incident_is_live(incident)) {
        return true;
    }
    err->code = TALLY_OK;
    if (cells_matches(of->cells, of->state, incident, side->dims, err)) {
        side->incident = incident;
    }
    return err->code == TALLY_OK;
}

static const struct incident *find_other(const struct changes_state *of,
                                         const struct changes_state *other,
                                         const struct incident *incident)
{
    const struct state_feed *feed =
        state_find_feed(other->state, state_feed_of(of->state, incident)->name);

    if (!feed) {
        return NULL;
    }
    struct id_text id;
    incident_id(of->state, incident, &id);
    return state_find(other->state, (uint32_t)(feed - other->state->feed), id.text, id.bytes);
}

static bool same_dims(const struct finding *finding, const struct change *change)
{
    for (size_t i = 0; i < finding->def->dims_count; i++) {
        const struct texts_entry *a =
            texts_get(&finding->before->state->texts, change->before.dims[i]);
        const struct texts_entry *b =
            texts_get(&finding->after->state->texts, change->after.dims[i]);
        if (a->bytes != b->bytes || memcmp(a->text, b->text, a->bytes) != 0) {
            return false;
        }
    }
    return true;
}

static bool same_measures(const struct finding *finding, const struct change *change)
{
    for (size_t m = 0; m < finding->def->measures_count; m++) {
        const char *name = finding->def->measures[m];
        int64_t a = 0;
        int64_t b = 0;
        bool any_a = changes_measure(finding->before->state, change->before.incident, name, &a);
        bool any_b = changes_measure(finding->after->state, change->after.incident, name, &b);
        if (any_a != any_b || a != b) {
            return false;
        }
    }
    return true;
}

static unsigned compare(const struct finding *finding, const struct change *change)
{
    const struct incident *before = change->before.incident;
    const struct incident *after = change->after.incident;
    bool same_days = incident_first_day(before) == incident_first_day(after) &&
                     incident_last_day(finding->before->state, before) ==
                         incident_last_day(finding->after->state, after);

    return (same_days ? 0U : CHANGE_MOVED_DAY) |
           (same_dims(finding, change) ? 0U : CHANGE_MOVED_GROUP) |
           (same_measures(finding, change) ? 0U : CHANGE_COUNTS);
}

static bool is_live(const struct incident *incident)
{
    return incident && incident_is_live(incident);
}

static bool report(const struct finding *finding, struct change *change,
                   const struct incident *before, const struct incident *after,
                   struct tally_err *err)
{
    if (change->before.incident && change->after.incident) {
        change->kinds = compare(finding, change);
    } else if (is_live(before) && is_live(after)) {
        change->kinds = CHANGE_MOVED_GROUP; // out of the rollup's filters, or into them
    } else {
        change->kinds = change->after.incident ? CHANGE_APPEARED : CHANGE_WITHDRAWN;
    }
    return change->kinds == 0 || finding->on_change(finding->context, change, err);
}

// Everything that counts afterwards, against what it was.
static bool walk_after(const struct finding *finding, struct tally_err *err)
{
    struct state_walk walk = {0};
    const struct incident *after;

    while ((after = state_next(finding->after->state, &walk))) {
        struct change change = {.kinds = 0};
        if (!take_side(finding->after, after, &change.after, err)) {
            return false;
        }
        if (!change.after.incident) {
            continue;
        }
        const struct incident *before = find_other(finding->after, finding->before, after);
        if (!take_side(finding->before, before, &change.before, err) ||
            !report(finding, &change, before, after, err)) {
            return false;
        }
    }
    return true;
}

// What counted before and does not any more.
static bool walk_before(const struct finding *finding, struct tally_err *err)
{
    struct state_walk walk = {0};
    const struct incident *before;

    while ((before = state_next(finding->before->state, &walk))) {
        struct change change = {.kinds = 0};
        if (!take_side(finding->before, before, &change.before, err)) {
            return false;
        }
        if (!change.before.incident) {
            continue;
        }
        const struct incident *after = find_other(finding->before, finding->after, before);
        if (!take_side(finding->after, after, &change.after, err) ||
            (!change.after.incident && !report(finding, &change, before, after, err))) {
            return false;
        }
    }
    return true;
}

bool changes_find(const struct changes_state *before, const struct changes_state *after,
                  changes_on_change *on_change, void *context, struct tally_err *err)
{
    struct finding finding = {.before = before,
                              .after = after,
                              .def = cells_def(after->cells),
                              .on_change = on_change,
                              .context = context};

    return walk_after(&finding, err) && walk_before(&finding, err);
}
