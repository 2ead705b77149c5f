// tally diff --incidents: each incident that changed, and in what.
#include "report/diff.h"

#include "store/changes.h"

#include <string.h>

static void add_side_columns(struct diff *diff, const char *prefix)
{
    struct sheet *sheet = &diff->sheet;

    sheet_add_column(sheet, SHEET_DAY, 0, prefix, "first_day", "");
    sheet_add_column(sheet, SHEET_DAY, 0, prefix, "last_day", "");
    for (size_t i = 0; i < diff->def->dims_count; i++) {
        sheet_add_column(sheet, SHEET_TEXT, 0, prefix, diff->def->dims[i], "");
    }
    for (size_t m = 0; m < diff->def->measures_count; m++) {
        sheet_add_column(sheet, SHEET_COUNT, 0, prefix, diff->def->measures[m], "");
    }
}

static bool side_counts(const struct diff *diff, const struct state *state,
                        const struct change_side *side)
{
    if (!side->incident ||
        !period_holds(&diff->period, diff->options->basis, incident_first_day(side->incident),
                      incident_last_day(state, side->incident))) {
        return false;
    }
    for (size_t i = 0; i < diff->def->dims_count; i++) {
        const struct texts_entry *text = texts_get(&state->texts, side->dims[i]);
        if (!where_matches(&diff->where, i, text->text, text->bytes)) {
            return false;
        }
    }
    return true;
}

static struct sheet_value *put_side(const struct diff *diff, struct sheet_value *at,
                                    const struct state *state, const struct change_side *side)
{
    const struct incident *incident = side->incident;
    int64_t value;

    if (!incident) {
        return at + 2 + diff->def->dims_count + diff->def->measures_count;
    }
    *at++ = sheet_number(incident_first_day(incident));
    *at++ = sheet_number(incident_last_day(state, incident));
    for (size_t i = 0; i < diff->def->dims_count; i++) {
        const struct texts_entry *text = texts_get(&state->texts, side->dims[i]);
        *at++ = sheet_text(text->text, text->bytes);
    }
    for (size_t m = 0; m < diff->def->measures_count; m++) {
        const char *measure = diff->def->measures[m];
        if (changes_measure(state, incident, measure, &value)) {
            *at = sheet_number(value);
        } else if (shape_find_measure(state_shape(state, incident), measure) < 0) {
            *at = sheet_absent();
        }
        at++;
    }
    return at;
}

static bool on_change(void *context, const struct change *change, struct tally_err *err)
{
    struct diff *diff = context;
    struct sheet *sheet = &diff->sheet;
    const struct state *before = moment_state(diff->before);
    const struct state *after = moment_state(diff->after);
    const struct state *named = change->after.incident ? after : before;
    const struct incident *incident =
        change->after.incident ? change->after.incident : change->before.incident;
    char kinds[CHANGE_KINDS_BYTES];
    struct id_text id;

    if (!side_counts(diff, before, &change->before) && !side_counts(diff, after, &change->after)) {
        return true;
    }
    struct sheet_value *at = sheet_add_row(sheet, err);
    if (!at) {
        return false;
    }
    change_kinds_format(change->kinds, kinds);
    *at++ = sheet_copy(sheet, kinds, strlen(kinds));
    *at++ = sheet_name(state_feed_of(named, incident)->name);
    incident_id(named, incident, &id);
    *at++ = sheet_copy(sheet, id.text, id.bytes);
    at = put_side(diff, at, before, &change->before);
    put_side(diff, at, after, &change->after);
    return true;
}

bool diff_incidents(struct diff *diff, struct tally_err *err)
{
    struct sheet *sheet = &diff->sheet;
    struct changes_state before = {moment_state(diff->before), moment_cells(diff->before)};
    struct changes_state after = {moment_state(diff->after), moment_cells(diff->after)};

    sheet_add_column(sheet, SHEET_TEXT, 0, "", "change", "");
    sheet_add_column(sheet, SHEET_TEXT, 0, "", "feed", "");
    sheet_add_column(sheet, SHEET_TEXT, SHEET_WHOLE, "", "id", "");
    add_side_columns(diff, "before_");
    add_side_columns(diff, "after_");
    if (!changes_find(&before, &after, on_change, diff, err)) {
        return false;
    }
    // By feed, then id, whatever the order in memory.
    return sheet_sort(sheet, "id", err) && sheet_sort(sheet, "feed", err);
}
