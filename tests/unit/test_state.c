// What a row of a committed batch does to the incidents: design.md, "Meaning, exactly".
#include "store/state.h"
#include "tests/state_put.h"

#include "store/rows.h"
#include "tests/state_dump.h"
#include "tests/unit/live_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// One row of a batch of its own.
struct word {
    const char *revision; // NULL: none
    int64_t killed;
    int op;
    enum batch_mode mode;
};

struct world {
    struct state state;
    struct shape *shape;
    struct batch_counts counts; // of the last row
    uint32_t batches;
    uint32_t marked;  // the last one that began
    int64_t observed; // live incidents, as an observer sees them
};

static void open_world(struct world *world)
{
    struct tally_err err;

    *world = (struct world){.shape = small_shape()};
    assert_true(state_init(&world->state, &err));
    assert_true(state_observe(&world->state, &live_count, &world->observed, &err));
}

static void close_world(struct world *world)
{
    state_done(&world->state);
    shape_close(world->shape);
}

static void apply_in(struct world *world, uint32_t batch_number, const char *id,
                     const struct word *word)
{
    struct tally_err err;
    const char *revision = word->revision ? word->revision : "";
    uint32_t dims[1] = {0};
    int64_t measures[1] = {word->killed};
    struct state_batch batch = {.number = batch_number, .mode = word->mode};
    struct ledger_row row = {.op = (uint8_t)word->op,
                             .id = id,
                             .id_bytes = strlen(id),
                             .first_day = 10,
                             .last_day = 10,
                             .revision = revision_of_text(revision, strlen(revision)),
                             .reported = 1,
                             .dims = dims,
                             .measures = measures};

    assert_true(state_add_shape(&world->state, world->shape, &batch.shape, &err));
    batch.feed = world->state.shape_feed[batch.shape];
    world->counts = (struct batch_counts){0};
    if (batch_number != world->marked) {
        state_next_mark(&world->state);
        world->marked = batch_number;
    }
    assert_true(state_put(&world->state, &batch, &row, &world->counts, &err));
}

static void apply(struct world *world, const char *id, struct word word)
{
    apply_in(world, ++world->batches, id, &word);
}

static void put(struct world *world, const char *revision, int64_t killed)
{
    apply(world, "x", (struct word){.revision = revision, .killed = killed, .op = ROWS_PUT});
}

static void withdraw(struct world *world, const char *revision)
{
    apply(world, "x", (struct word){.revision = revision, .op = ROWS_WITHDRAW});
}

static const struct incident *find(const struct world *world, const char *id)
{
    return state_find(&world->state, 0, id, strlen(id));
}

static void counts_with(const struct world *world, int64_t killed)
{
    const struct incident *incident = find(world, "x");

    assert_non_null(incident);
    assert_true(incident_is_live(incident));
    assert_int_equal(incident_measures(&world->state, incident)[0], killed);
    assert_int_equal(world->observed, 1);
    assert_int_equal(world->state.feed[0].live, 1);
}

static void counts_nowhere(const struct world *world)
{
    const struct incident *incident = find(world, "x");

    assert_true(!incident || !incident_is_live(incident));
    assert_int_equal(world->observed, 0);
    assert_int_equal(world->state.feed[0].live, 0);
}

// ---- upserts ------------------------------------------------------------------------------

static void newer_revision_replaces(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    put(&world, "1", 3);
    assert_int_equal(world.counts.added, 1);
    put(&world, "2", 5);
    assert_int_equal(world.counts.revised, 1);
    counts_with(&world, 5);
    put(&world, "10", 7); // as numbers, not as texts
    counts_with(&world, 7);
    close_world(&world);
}

static void older_revision_is_ignored(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    put(&world, "10", 3);
    put(&world, "9", 5);
    assert_int_equal(world.counts.older, 1);
    counts_with(&world, 3);
    put(&world, NULL, 5); // no revision is older than any
    assert_int_equal(world.counts.older, 1);
    counts_with(&world, 3);
    close_world(&world);
}

static void iso_times_compare_as_texts(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    put(&world, "2020-10-24T10:00:00", 3);
    put(&world, "2020-10-24T09:59:59", 5);
    counts_with(&world, 3);
    put(&world, "2020-10-24T10:00:01", 7);
    counts_with(&world, 7);
    close_world(&world);
}

static void without_revisions_the_later_row_wins(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    put(&world, NULL, 3);
    put(&world, NULL, 5);
    assert_int_equal(world.counts.revised, 1);
    assert_int_equal(world.counts.conflicts, 0);
    counts_with(&world, 5);
    put(&world, NULL, 5);
    assert_int_equal(world.counts.unchanged, 1);
    close_world(&world);
}

static void equal_revision_with_other_content_wins_and_is_counted(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    put(&world, "1", 3);
    put(&world, "1", 5);
    assert_int_equal(world.counts.conflicts, 1);
    assert_int_equal(world.counts.revised, 1);
    counts_with(&world, 5);
    put(&world, "1", 5);
    assert_int_equal(world.counts.conflicts, 0);
    assert_int_equal(world.counts.unchanged, 1);
    put(&world, "01", 5); // the same number
    assert_int_equal(world.counts.unchanged, 1);
    close_world(&world);
}

static void row_that_moves_says_so_once(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    put(&world, "1", 3);
    put(&world, "2", 3); // only the revision moved on
    assert_int_equal(world.counts.revised, 1);
    put(&world, "1", 3);
    assert_int_equal(world.counts.older, 1);
    counts_with(&world, 3);
    close_world(&world);
}

// ---- withdrawals --------------------------------------------------------------------------

static void deletion_without_revision_withdraws_what_is_there(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    put(&world, "5", 3);
    withdraw(&world, NULL);
    assert_int_equal(world.counts.withdrawn, 1);
    counts_nowhere(&world);
    withdraw(&world, NULL);
    assert_int_equal(world.counts.unchanged, 1);
    assert_int_equal(world.counts.withdrawn, 0);
    counts_nowhere(&world);
    close_world(&world);
}

static void withdrawn_incident_comes_back(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    put(&world, NULL, 3);
    withdraw(&world, NULL);
    put(&world, NULL, 3);
    assert_int_equal(world.counts.added, 1);
    assert_int_equal(world.counts.unchanged, 0);
    counts_with(&world, 3);
    withdraw(&world, NULL);
    put(&world, "1", 4);
    counts_with(&world, 4);
    close_world(&world);
}

static void deletion_of_nothing_without_revision_leaves_no_trace(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    withdraw(&world, NULL);
    assert_int_equal(world.counts.unchanged, 1);
    assert_null(find(&world, "x"));
    put(&world, "1", 3);
    counts_with(&world, 3);
    close_world(&world);
}

static void deletion_withdraws_the_same_and_older_revisions(void **state)
{
    static const char *const revisions[] = {"4", "5"};
    struct world world;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        open_world(&world);
        put(&world, revisions[i], 3);
        withdraw(&world, "5");
        assert_int_equal(world.counts.withdrawn, 1);
        counts_nowhere(&world);
        put(&world, revisions[i], 3);
        assert_int_equal(world.counts.older, 1);
        counts_nowhere(&world);
        put(&world, "6", 7);
        counts_with(&world, 7);
        close_world(&world);
    }
}

static void deletion_spares_a_newer_revision(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    put(&world, "6", 3);
    withdraw(&world, "5");
    assert_int_equal(world.counts.older, 1);
    assert_int_equal(world.counts.withdrawn, 0);
    counts_with(&world, 3);
    close_world(&world);
}

static void deletion_with_a_revision_holds_for_what_arrives_later(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    withdraw(&world, "5");
    put(&world, "4", 3);
    assert_int_equal(world.counts.older, 1);
    counts_nowhere(&world);
    put(&world, "5", 3);
    counts_nowhere(&world);
    put(&world, "6", 7);
    assert_int_equal(world.counts.added, 1);
    counts_with(&world, 7);
    withdraw(&world, "5"); // the same deletion again
    counts_with(&world, 7);
    close_world(&world);
}

static void newest_of_several_deletions_holds(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    withdraw(&world, "7");
    withdraw(&world, "5");
    put(&world, "6", 3);
    counts_nowhere(&world);
    put(&world, "8", 4);
    counts_with(&world, 4);
    close_world(&world);
}

static void deletion_with_revision_after_one_without_still_marks(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    put(&world, "1", 3);
    withdraw(&world, NULL);
    withdraw(&world, "9");
    put(&world, "5", 3);
    counts_nowhere(&world);
    close_world(&world);
}

// ---- any order ----------------------------------------------------------------------------

static void apply_permuted(struct world *world, const struct word *words, size_t count,
                           unsigned permutation)
{
    size_t left[8];

    for (size_t i = 0; i < count; i++) {
        left[i] = i;
    }
    for (size_t i = count; i > 0; i--) {
        size_t at = permutation % i;
        permutation /= (unsigned)i;
        apply(world, "x", words[left[at]]);
        left[at] = left[i - 1];
    }
}

static void arrival_order_does_not_matter_with_revisions(void **state)
{
    static const struct word words[] = {
        {.revision = "1", .killed = 1},         {.revision = "3", .killed = 3},
        {.revision = "5", .killed = 5},         {.revision = "4", .op = ROWS_WITHDRAW},
        {.revision = "2", .op = ROWS_WITHDRAW}, {.revision = "5", .killed = 5},
    };
    static const struct word deleted[] = {
        {.revision = "1", .killed = 1},         {.revision = "6", .op = ROWS_WITHDRAW},
        {.revision = "5", .killed = 5},         {.revision = "6", .killed = 6},
        {.revision = "2", .op = ROWS_WITHDRAW},
    };
    struct world world;

    (void)state;
    for (unsigned permutation = 0; permutation < 720; permutation++) {
        open_world(&world);
        apply_permuted(&world, words, 6, permutation);
        counts_with(&world, 5);
        close_world(&world);
    }
    for (unsigned permutation = 0; permutation < 120; permutation++) {
        open_world(&world);
        apply_permuted(&world, deleted, 5, permutation);
        counts_nowhere(&world);
        close_world(&world);
    }
}

// ---- snapshots ----------------------------------------------------------------------------

static void snapshot_rows_are_not_compared_with_what_is_kept(void **state)
{
    struct world world;
    struct word word = {.revision = "5", .killed = 3, .mode = BATCH_SNAPSHOT};

    (void)state;
    open_world(&world);
    put(&world, "9", 1);
    apply(&world, "x", word);
    assert_int_equal(world.counts.revised, 1);
    counts_with(&world, 3);
    word.revision = NULL;
    word.killed = 4;
    apply(&world, "x", word);
    counts_with(&world, 4);
    close_world(&world);
}

static void within_one_snapshot_the_newest_row_wins(void **state)
{
    struct world world;
    struct word newer = {.revision = "5", .killed = 5, .mode = BATCH_SNAPSHOT};
    struct word older = {.revision = "4", .killed = 4, .mode = BATCH_SNAPSHOT};

    (void)state;
    open_world(&world);
    put(&world, "9", 1);
    apply_in(&world, 2, "x", &newer);
    apply_in(&world, 2, "x", &older);
    assert_int_equal(world.counts.older, 1);
    counts_with(&world, 5);
    close_world(&world);
}

static void snapshot_row_does_not_pass_a_deletion_of_its_revision(void **state)
{
    struct world world;
    struct word word = {.revision = "5", .killed = 3, .mode = BATCH_SNAPSHOT};

    (void)state;
    open_world(&world);
    withdraw(&world, "5");
    apply(&world, "x", word);
    counts_nowhere(&world);
    word.revision = "6";
    apply(&world, "x", word);
    counts_with(&world, 3);
    close_world(&world);
}

static void kept_row_changes_nothing(void **state)
{
    struct world world;
    struct word word = {.op = ROWS_KEEP, .mode = BATCH_SNAPSHOT};

    (void)state;
    open_world(&world);
    put(&world, "1", 3);
    apply(&world, "x", word);
    apply(&world, "y", word);
    counts_with(&world, 3);
    assert_null(find(&world, "y"));
    close_world(&world);
}

// ---- memory -------------------------------------------------------------------------------

static void longer_revision_moves_an_incident_in_memory_and_not_in_the_index(void **state)
{
    struct world world;
    char revision[200];

    (void)state;
    open_world(&world);
    for (int i = 1; i < 150; i++) {
        memset(revision, 'r', (size_t)i);
        revision[i] = '\0';
        put(&world, revision, i);
        counts_with(&world, i);
    }
    put(&world, "s", 1);
    counts_with(&world, 1);
    assert_int_equal(state_incidents(&world.state), 1);
    close_world(&world);
}

static void many_ids_are_all_found_again(void **state)
{
    struct world world;
    struct state_walk walk = {0};
    char id[16];
    size_t walked = 0;

    (void)state;
    open_world(&world);
    for (int i = 0; i < 30000; i++) {
        snprintf(id, sizeof id, "id%d", i);
        apply(&world, id, (struct word){.killed = i});
    }
    assert_int_equal(world.observed, 30000);
    for (int i = 0; i < 30000; i++) {
        snprintf(id, sizeof id, "id%d", i);
        const struct incident *incident = find(&world, id);
        assert_non_null(incident);
        assert_int_equal(incident_measures(&world.state, incident)[0], i);
        struct id_text text;
        incident_id(&world.state, incident, &text);
        assert_string_equal(text.text, id);
    }
    while (state_next(&world.state, &walk)) {
        walked++;
    }
    assert_int_equal(walked, 30000);
    close_world(&world);
}

static void same_id_in_two_feeds_is_two_incidents(void **state)
{
    struct world world;
    struct tally_err err;

    (void)state;
    open_world(&world);
    put(&world, "1", 3);
    struct shape *ours = world.shape;
    world.shape = shape_open("ucdp", NULL, 0, (const char *const[]){"killed"}, 1, &err);
    put(&world, "1", 9);
    assert_int_equal(world.counts.added, 1);
    assert_int_equal(state_incidents(&world.state), 2);
    const struct incident *other = state_find(&world.state, 1, "x", 1);
    assert_non_null(other);
    assert_string_equal(state_feed_of(&world.state, other)->name, "ucdp");
    assert_int_equal(world.state.feed[0].live, 1);
    shape_close(world.shape);
    world.shape = ours;
    close_world(&world);
}

static void feed_that_gains_a_dimension_keeps_its_incidents(void **state)
{
    static const char *const dims[] = {"country", "actor"};
    static const char *const measures[] = {"killed", "wounded"};
    struct world world;
    struct tally_err err;
    uint16_t shape;

    (void)state;
    open_world(&world);
    put(&world, "1", 3);
    struct shape *wide = shape_open("acled", dims, 2, measures, 2, &err);
    assert_true(state_add_shape(&world.state, wide, &shape, &err));
    assert_int_equal(shape, 1);
    assert_int_equal(world.state.feeds_count, 1);
    counts_with(&world, 3);
    uint32_t codes[2] = {0};
    int64_t values[2] = {5, 7};
    struct ledger_row row = {.id = "x",
                             .id_bytes = 1,
                             .revision = revision_of_number(2),
                             .reported = 3,
                             .dims = codes,
                             .measures = values};
    struct state_batch batch = {.number = 2, .shape = shape};
    assert_true(state_put(&world.state, &batch, &row, &world.counts, &err));
    counts_with(&world, 5);
    assert_int_equal(incident_measures(&world.state, find(&world, "x"))[1], 7);
    assert_int_equal(state_incidents(&world.state), 1);
    shape_close(wide);
    close_world(&world);
}

static void same_content_in_another_shape_is_a_new_version(void **state)
{
    static const char *const measures[] = {"killed"};
    struct world world;
    struct tally_err err;

    (void)state;
    open_world(&world);
    put(&world, "1", 3);
    struct shape *ours = world.shape;
    world.shape = shape_open("acled", (const char *const[]){"province"}, 1, measures, 1, &err);
    put(&world, "1", 3);
    assert_int_equal(world.counts.unchanged, 0);
    assert_int_equal(find(&world, "x")->shape, 1);
    shape_close(world.shape);
    world.shape = ours;
    close_world(&world);
}

static void abandoned_batch_leaves_no_texts_feeds_and_shapes(void **state)
{
    struct world world;
    struct tally_err err;
    struct bytes before;
    struct bytes after;
    uint16_t shape;
    uint32_t code;

    (void)state;
    open_world(&world);
    put(&world, "1", 3);
    bytes_init(&before);
    bytes_init(&after);
    state_dump(&world.state, &before);
    struct state_mark mark = state_mark(&world.state);
    struct shape *other = shape_open("ucdp", NULL, 0, NULL, 0, &err);
    assert_true(state_add_shape(&world.state, other, &shape, &err));
    assert_true(texts_intern(&world.state.texts, "Chad", 4, &code, NULL, &err));
    state_cut(&world.state, mark);
    state_dump(&world.state, &after);
    assert_int_equal(before.count, after.count);
    assert_memory_equal(before.data, after.data, before.count);
    assert_null(state_find_feed(&world.state, "ucdp"));
    shape_close(other);
    bytes_done(&before);
    bytes_done(&after);
    close_world(&world);
}

static void coverage_grows_and_never_shrinks(void **state)
{
    struct world world;
    struct tally_err err;
    struct state_batch batch = {.number = 1};
    struct batch_end end = {.any_day = true, .first_day = 100, .last_day = 200};

    (void)state;
    open_world(&world);
    assert_true(state_add_shape(&world.state, world.shape, &batch.shape, &err));
    assert_true(state_apply_end(&world.state, &batch, &end, &err));
    end = (struct batch_end){.any_day = true, .first_day = 150, .last_day = 160};
    assert_true(state_apply_end(&world.state, &batch, &end, &err));
    end = (struct batch_end){.any_day = false, .first_day = -5, .last_day = 999};
    assert_true(state_apply_end(&world.state, &batch, &end, &err));
    const struct state_feed *feed = state_find_feed(&world.state, "acled");
    assert_int_equal(feed->first_day, 100);
    assert_int_equal(feed->last_day, 200);
    end = (struct batch_end){.any_day = true, .first_day = -300, .last_day = 201};
    assert_true(state_apply_end(&world.state, &batch, &end, &err));
    assert_int_equal(feed->first_day, -300);
    assert_int_equal(feed->last_day, 201);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newer_revision_replaces),
        cmocka_unit_test(older_revision_is_ignored),
        cmocka_unit_test(iso_times_compare_as_texts),
        cmocka_unit_test(without_revisions_the_later_row_wins),
        cmocka_unit_test(equal_revision_with_other_content_wins_and_is_counted),
        cmocka_unit_test(row_that_moves_says_so_once),
        cmocka_unit_test(deletion_without_revision_withdraws_what_is_there),
        cmocka_unit_test(withdrawn_incident_comes_back),
        cmocka_unit_test(deletion_of_nothing_without_revision_leaves_no_trace),
        cmocka_unit_test(deletion_withdraws_the_same_and_older_revisions),
        cmocka_unit_test(deletion_spares_a_newer_revision),
        cmocka_unit_test(deletion_with_a_revision_holds_for_what_arrives_later),
        cmocka_unit_test(newest_of_several_deletions_holds),
        cmocka_unit_test(deletion_with_revision_after_one_without_still_marks),
        cmocka_unit_test(arrival_order_does_not_matter_with_revisions),
        cmocka_unit_test(snapshot_rows_are_not_compared_with_what_is_kept),
        cmocka_unit_test(within_one_snapshot_the_newest_row_wins),
        cmocka_unit_test(snapshot_row_does_not_pass_a_deletion_of_its_revision),
        cmocka_unit_test(kept_row_changes_nothing),
        cmocka_unit_test(longer_revision_moves_an_incident_in_memory_and_not_in_the_index),
        cmocka_unit_test(many_ids_are_all_found_again),
        cmocka_unit_test(same_id_in_two_feeds_is_two_incidents),
        cmocka_unit_test(feed_that_gains_a_dimension_keeps_its_incidents),
        cmocka_unit_test(same_content_in_another_shape_is_a_new_version),
        cmocka_unit_test(abandoned_batch_leaves_no_texts_feeds_and_shapes),
        cmocka_unit_test(coverage_grows_and_never_shrinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
