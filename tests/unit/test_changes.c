#include "store/changes.h"

#include "tests/unit/report_fixture.h"

enum { SEEN_MAX = 16 };

// "id kinds", in order of the id.
struct seen {
    const struct fixture *before;
    const struct fixture *after;
    char line[SEEN_MAX][64];
    size_t count;
};

static bool on_change(void *context, const struct change *change, struct tally_err *err)
{
    struct seen *seen = context;
    char kinds[CHANGE_KINDS_BYTES];
    bool there = change->after.incident;
    const struct incident *incident = there ? change->after.incident : change->before.incident;
    const struct state *state = there ? &seen->after->state : &seen->before->state;

    struct id_text id;

    (void)err;
    assert_true(seen->count < SEEN_MAX);
    incident_id(state, incident, &id);
    snprintf(seen->line[seen->count++], sizeof seen->line[0], "%.40s %s", id.text,
             change_kinds_format(change->kinds, kinds));
    return true;
}

static void find_changes(struct fixture *before, struct fixture *after, struct seen *seen)
{
    struct tally_err err;
    struct cells *cells_before = cells_open(&before->state, &before->def, &err);
    struct cells *cells_after = cells_open(&after->state, &after->def, &err);
    struct changes_state state_before = {&before->state, cells_before};
    struct changes_state state_after = {&after->state, cells_after};

    *seen = (struct seen){.before = before, .after = after};
    assert_true(changes_find(&state_before, &state_after, on_change, seen, &err));
    cells_close(cells_before);
    cells_close(cells_after);
}

static void assert_seen(const struct seen *seen, const char *line)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (strcmp(seen->line[i], line) == 0) {
            return;
        }
    }
    fail_msg("no change '%s'", line);
}

static void each_kind_of_change_is_told(void **state)
{
    static const struct fixture_incident was[] = {
        {0, "same", 10, 10, "Chad", "army", 1, 2, 1},
        {0, "day", 10, 10, "Chad", "army", 1, 2, 1},
        {0, "group", 10, 10, "Chad", "army", 1, 2, 1},
        {0, "counts", 10, 10, "Chad", "army", 1, FIXTURE_UNKNOWN, 1},
        {0, "all", 10, 10, "Chad", "army", 1, 2, 1},
        {0, "gone", 10, 10, "Chad", "army", 1, 2, 1},
        {1, "same", 10, 10, "Chad", "army", 7, 0, 1},
    };
    static const struct fixture_incident is[] = {
        {0, "new", 10, 10, "Peru", "army", 1, 2, 2}, // texts get other codes than before
        {0, "same", 10, 10, "Chad", "army", 1, 2, 2},
        {0, "day", 10, 11, "Chad", "army", 1, 2, 2},
        {0, "group", 10, 10, "Mali", "army", 1, 2, 2},
        {0, "counts", 10, 10, "Chad", "army", 1, 0, 2}, // unknown became zero
        {0, "all", 12, 12, "Mali", "army", 9, 2, 2},
        {0, "gone", 10, 10, "Chad", "army", 1, 2, 1},
        {1, "same", 10, 10, "Chad", "army", 7, 0, 1},
    };
    struct fixture before;
    struct fixture after;
    struct seen seen;

    (void)state;
    fixture_open(&before);
    fixture_open(&after);
    for (size_t i = 0; i < sizeof was / sizeof was[0]; i++) {
        fixture_put(&before, &was[i]);
    }
    for (size_t i = 0; i < sizeof is / sizeof is[0]; i++) {
        fixture_put(&after, &is[i]);
    }
    fixture_apply(&after, ROWS_WITHDRAW, &was[5]);
    find_changes(&before, &after, &seen);
    assert_int_equal(seen.count, 6);
    assert_seen(&seen, "new appeared");
    assert_seen(&seen, "day moved-day");
    assert_seen(&seen, "group moved-group");
    assert_seen(&seen, "counts counts");
    assert_seen(&seen, "all moved-day,moved-group,counts");
    assert_seen(&seen, "gone withdrawn");
    find_changes(&after, &before, &seen);
    assert_int_equal(seen.count, 6);
    assert_seen(&seen, "new withdrawn");
    assert_seen(&seen, "gone appeared");
    fixture_close(&before);
    fixture_close(&after);
}

static void leaving_the_filter_is_a_move(void **state)
{
    static const struct fixture_incident was = {0, "x", 10, 10, "Chad", "army", 1, 2, 1};
    static const struct fixture_incident is = {0, "x", 10, 10, "Mali", "army", 1, 2, 2};
    struct fixture before;
    struct fixture after;
    struct seen seen;

    (void)state;
    fixture_open(&before);
    fixture_open(&after);
    assert_true(rollup_def_add_filter(&before.def, "country", "Chad", &before.err));
    assert_true(rollup_def_add_filter(&after.def, "country", "Chad", &after.err));
    fixture_put(&before, &was);
    fixture_put(&after, &is);
    find_changes(&before, &after, &seen);
    assert_int_equal(seen.count, 1);
    assert_seen(&seen, "x moved-group");
    fixture_close(&before);
    fixture_close(&after);
}

static bool refuse(void *context, const struct change *change, struct tally_err *err)
{
    (void)change;
    ++*(size_t *)context;
    return err_set(err, TALLY_LIMIT, "enough");
}

// Whoever is told may stop it, by what appeared as by what is gone; and a state that never heard
// of the feed has none of its incidents.
static void first_refusal_ends_the_search(void **state)
{
    static const struct fixture_incident one = {0, "x", 10, 10, "Chad", "army", 1, 2, 1};
    static const struct fixture_incident two = {0, "y", 10, 10, "Chad", "army", 1, 2, 1};
    struct fixture with;
    struct fixture without;

    (void)state;
    fixture_open(&with);
    fixture_open(&without);
    fixture_put(&with, &one);
    fixture_put(&with, &two);
    struct cells *with_cells = cells_open(&with.state, &with.def, &with.err);
    struct cells *without_cells = cells_open(&without.state, &without.def, &without.err);
    struct changes_state sides[] = {{&with.state, with_cells}, {&without.state, without_cells}};
    for (int side = 0; side < 2; side++) {
        size_t told = 0;
        assert_false(changes_find(&sides[side], &sides[!side], refuse, &told, &with.err));
        assert_int_equal(told, 1);
        assert_int_equal(with.err.code, TALLY_LIMIT);
    }
    cells_close(with_cells);
    cells_close(without_cells);
    fixture_close(&with);
    fixture_close(&without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_change_is_told),
        cmocka_unit_test(leaving_the_filter_is_a_move),
        cmocka_unit_test(first_refusal_ends_the_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
