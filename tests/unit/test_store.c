// The writing half as a whole: files in, incidents and rollups out, and the same after a restart.
#include "store/store.h"

#include "tests/unit/store_case.h"
#include "tests/unit/rollup_look.h"

#include <sys/stat.h>

static void restart_changes_nothing(struct store_case *room)
{
    struct digest before = case_state_digest(room);
    struct digest rollup = case_rollup_digest(room);

    case_check(case_restart(room), &room->err);
    assert_true(digest_equal(case_state_digest(room), before));
    assert_true(digest_equal(case_rollup_digest(room), rollup));
}

// ---- batches ------------------------------------------------------------------------------

static void batch_counts_what_its_rows_did(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one",
              ROWS(ROW_AT("2", "a", 10, "Chad", 3), ROW_AT("2", "b", 11, "Mali", 4),
                   ROW_AT("2", "c", 12, "Mali", 5)));
    assert_int_equal(room.outcome.outcome, FILE_ACCEPTED);
    assert_int_equal(room.outcome.batch, 1);
    assert_int_equal(room.outcome.counts.added, 3);
    case_file(&room, BATCH_UPSERT, "two",
              ROWS(ROW_AT("2", "a", 10, "Chad", 3), ROW_AT("1", "b", 11, "Mali", 9),
                   ROW_AT("3", "c", 12, "Mali", 6), ROW_AT("2", "d", 12, "Mali", 5)));
    assert_int_equal(room.outcome.batch, 2);
    assert_int_equal(room.outcome.counts.unchanged, 1);
    assert_int_equal(room.outcome.counts.older, 1);
    assert_int_equal(room.outcome.counts.revised, 1);
    assert_int_equal(room.outcome.counts.added, 1);
    assert_int_equal(case_killed(&room, "b"), 4);
    assert_int_equal(case_killed(&room, "c"), 6);
    assert_int_equal(store_incidents(room.store), 4);
    restart_changes_nothing(&room);
    assert_int_equal(store_batches(room.store), 2);
    case_close(&room);
}

static void same_bytes_under_any_name_are_a_duplicate(void **state)
{
    struct store_case room;
    struct store_accepted accepted;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3)));
    struct digest before = case_state_digest(&room);
    assert_true(case_begin(&room, BATCH_UPSERT, -1, "other name"));
    assert_true(case_append(&room, ROWS(ROW("a", 10, "New text", 4))));
    assert_true(case_commit(&room, "one", ROWS(ROW("a", 10, "New text", 4))));
    assert_int_equal(room.outcome.outcome, FILE_DUPLICATE);
    assert_int_equal(room.outcome.batch, 1);
    assert_int_equal(store_batches(room.store), 1);
    assert_true(digest_equal(case_state_digest(&room), before));
    assert_true(store_find_accepted(room.store, digest_of("one", 3), &accepted));
    assert_string_equal(accepted.file, "one");
    restart_changes_nothing(&room);
    case_close(&room);
}

static void same_name_with_new_bytes_is_a_new_batch(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3)));
    assert_true(case_begin(&room, BATCH_UPSERT, -1, "one"));
    assert_true(case_append(&room, ROWS(ROW("a", 10, "Chad", 4))));
    assert_true(case_commit(&room, "new bytes", ROWS(ROW("a", 10, "Chad", 4))));
    assert_int_equal(room.outcome.outcome, FILE_ACCEPTED);
    assert_int_equal(room.outcome.batch, 2);
    assert_int_equal(case_killed(&room, "a"), 4);
    case_close(&room);
}

static void abandoned_batch_leaves_no_trace_and_its_codes_are_used_again(void **state)
{
    struct store_case room;
    size_t before_count;
    size_t after_count;

    (void)state;
    case_open(&room);
    assert_true(rollup_def_add_filter(&room.def, "country", "Mali", &room.err));
    case_check(case_restart(&room), &room.err);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3)));
    struct digest before = case_state_digest(&room);
    unsigned char *bytes = case_load(room.dir, "ledger/000001.seg", &before_count);
    assert_true(case_begin(&room, BATCH_UPSERT, -1, "gone"));
    assert_true(case_append(&room, ROWS(ROW("a", 10, "Peru", 9), ROW("z", 10, "Fiji", 9))));
    assert_true(store_abort(room.store, &room.err));
    assert_true(digest_equal(case_state_digest(&room), before));
    unsigned char *after = case_load(room.dir, "ledger/000001.seg", &after_count);
    assert_int_equal(before_count, after_count);
    assert_memory_equal(bytes, after, before_count);
    case_file(&room, BATCH_UPSERT, "two", ROWS(ROW("b", 10, "Mali", 5))); // takes the code of Peru
    struct rollup *rollup = case_rollup(&room);
    assert_int_equal(rollup_groups(rollup), 1);
    assert_look_text(rollup, 0, 0, "Mali");
    rollup_close(rollup);
    restart_changes_nothing(&room);
    free(bytes);
    free(after);
    case_close(&room);
}

static void id_may_be_long_but_not_endless(void **state)
{
    struct store_case room;
    char id[4098];

    (void)state;
    case_open(&room);
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    assert_false(case_try(&room, BATCH_UPSERT, -1, "one", ROWS(ROW(id, 10, "Chad", 3))));
    assert_int_equal(room.err.code, TALLY_REFUSED);
    assert_true(store_abort(room.store, &room.err));
    case_file(&room, BATCH_UPSERT, "two", ROWS(ROW(id + 1, 10, "Chad", 3)));
    assert_int_equal(case_killed(&room, id + 1), 3);
    case_close(&room);
}

static void batch_over_many_frames_and_segments_is_one_batch(void **state)
{
    enum { COUNT = 10000 };
    struct store_case room;
    static struct case_row rows[COUNT];
    static char ids[COUNT][16];
    static char countries[COUNT][16];

    (void)state;
    case_open(&room);
    room.options.segment_bytes_max = 1 << 16;
    case_check(case_restart(&room), &room.err);
    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i], sizeof ids[i], "id%d", i);
        snprintf(countries[i], sizeof countries[i], "place %d", i % 3000);
        rows[i] = (struct case_row){ids[i], i % 400, countries[i], i, NULL, i % 3, ROWS_PUT};
    }
    case_file(&room, BATCH_UPSERT, "one", rows, COUNT);
    assert_int_equal(room.outcome.counts.added, COUNT);
    assert_true(ledger_committed(embedded_of(room.store)->ledger).segment > 1);
    case_file(&room, BATCH_UPSERT, "two", rows, COUNT / 2);
    assert_int_equal(room.outcome.counts.unchanged, COUNT / 2);
    restart_changes_nothing(&room);
    case_close(&room);
}

// ---- snapshots ----------------------------------------------------------------------------

static void ids_missing_from_a_snapshot_are_withdrawn_and_come_back(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_SNAPSHOT, "r1", ROWS(ROW("a", 10, "Chad", 3), ROW("b", 11, "Mali", 4)));
    case_file(&room, BATCH_SNAPSHOT, "r2", ROWS(ROW("b", 11, "Mali", 4), ROW("c", 12, "Chad", 5)));
    assert_int_equal(room.outcome.counts.withdrawn, 1);
    assert_int_equal(room.outcome.counts.unchanged, 1);
    assert_int_equal(room.outcome.counts.added, 1);
    assert_false(case_counts(&room, "a"));
    assert_int_equal(case_live(&room), 2);
    restart_changes_nothing(&room);
    case_file(&room, BATCH_SNAPSHOT, "r3", ROWS(ROW("a", 10, "Chad", 3)));
    assert_int_equal(room.outcome.counts.withdrawn, 2);
    assert_int_equal(room.outcome.counts.added, 1);
    assert_int_equal(case_killed(&room, "a"), 3);
    restart_changes_nothing(&room);
    case_close(&room);
}

static void snapshot_of_a_scope_withdraws_within_it_only(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    assert_true(case_try(&room, BATCH_SNAPSHOT, 0, "chad 1",
                         ROWS(ROW("a", 10, "Chad", 3), ROW("b", 11, "Chad", 4))));
    assert_true(case_try(&room, BATCH_SNAPSHOT, 0, "mali 1", ROWS(ROW("m", 10, "Mali", 3))));
    assert_int_equal(case_live(&room), 3);
    assert_true(case_try(&room, BATCH_SNAPSHOT, 0, "chad 2", ROWS(ROW("b", 11, "Chad", 4))));
    assert_false(case_counts(&room, "a"));
    assert_int_equal(case_killed(&room, "m"), 3);
    // An incident that moves from one scope to another is in the file that lists it.
    assert_true(case_try(&room, BATCH_SNAPSHOT, 0, "mali 2",
                         ROWS(ROW("m", 10, "Mali", 3), ROW("b", 11, "Mali", 4))));
    assert_int_equal(case_killed(&room, "b"), 4);
    assert_true(case_try(&room, BATCH_SNAPSHOT, 0, "chad 3", ROWS(ROW("x", 11, "Chad", 1))));
    assert_int_equal(case_killed(&room, "b"), 4);
    assert_int_equal(case_live(&room), 3);
    restart_changes_nothing(&room);
    case_close(&room);
}

static void snapshot_does_not_compare_its_rows_one_by_one(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_SNAPSHOT, "r1",
              ROWS(ROW_AT("5", "a", 10, "Chad", 3), ROW_AT("6", "b", 10, "Chad", 1)));
    case_file(&room, BATCH_SNAPSHOT, "r2",
              ROWS(ROW_AT("4", "a", 10, "Chad", 2), ROW_AT("7", "b", 10, "Chad", 1)));
    assert_int_equal(room.outcome.outcome, FILE_ACCEPTED);
    assert_int_equal(case_killed(&room, "a"), 2);
    restart_changes_nothing(&room);
    case_close(&room);
}

static void older_snapshot_changes_nothing(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_SNAPSHOT, "r2", ROWS(ROW_AT("2020-02-01", "a", 10, "Chad", 3)));
    struct digest before = case_state_digest(&room);
    case_file(&room, BATCH_SNAPSHOT, "r1", ROWS(ROW_AT("2020-01-31", "b", 10, "Chad", 9)));
    assert_int_equal(room.outcome.outcome, FILE_SUPERSEDED);
    assert_int_equal(store_batches(room.store), 1);
    assert_true(digest_equal(case_state_digest(&room), before));
    restart_changes_nothing(&room);
    case_file(&room, BATCH_SNAPSHOT, "r3", ROWS(ROW_AT("2020-02-01", "b", 10, "Chad", 9)));
    assert_int_equal(room.outcome.outcome, FILE_ACCEPTED); // as new as what is in force
    assert_false(case_counts(&room, "a"));
    case_close(&room);
}

static void snapshot_may_be_in_force_for_some_of_its_scopes(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    assert_true(
        case_try(&room, BATCH_SNAPSHOT, 0, "chad new", ROWS(ROW_AT("9", "a", 10, "Chad", 3))));
    assert_true(
        case_try(&room, BATCH_SNAPSHOT, 0, "mali old", ROWS(ROW_AT("1", "m", 10, "Mali", 3))));
    assert_true(case_try(&room, BATCH_SNAPSHOT, 0, "both",
                         ROWS(ROW_AT("5", "x", 10, "Chad", 7), ROW_AT("5", "y", 10, "Mali", 7))));
    assert_int_equal(room.outcome.outcome, FILE_ACCEPTED);
    assert_int_equal(room.outcome.counts.older, 1);
    assert_int_equal(case_killed(&room, "a"), 3);
    assert_false(case_counts(&room, "x"));
    assert_false(case_counts(&room, "m"));
    assert_int_equal(case_killed(&room, "y"), 7);
    restart_changes_nothing(&room);
    case_close(&room);
}

static void unreadable_row_of_a_snapshot_keeps_its_incident(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_SNAPSHOT, "r1", ROWS(ROW("a", 10, "Chad", 3), ROW("b", 11, "Mali", 4)));
    case_file(&room, BATCH_SNAPSHOT, "r2", ROWS(ROW_KEEP("a"), ROW("c", 12, "Chad", 5)));
    assert_int_equal(case_killed(&room, "a"), 3);
    assert_false(case_counts(&room, "b"));
    restart_changes_nothing(&room);
    case_close(&room);
}

static void snapshot_without_incidents_is_refused_and_leaves_the_store_usable(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_SNAPSHOT, "r1", ROWS(ROW("a", 10, "Chad", 3)));
    struct digest before = case_state_digest(&room);
    assert_false(case_try(&room, BATCH_SNAPSHOT, -1, "r2", ROWS(ROW_KEEP("a"))));
    assert_int_equal(room.err.code, TALLY_REFUSED);
    assert_non_null(strstr(room.err.message, "acled"));
    assert_false(embedded_of(room.store)->pending.open); // store.h: "the batch is aborted then"
    assert_true(store_abort(room.store, &room.err));
    assert_true(digest_equal(case_state_digest(&room), before));
    restart_changes_nothing(&room);
    case_close(&room);
}

// One file says two things of one id: the newest counts, however often such a file comes.
// The row that says what is kept stands in no ledger. It counts all the same against those behind
// it, also when a row of a scope that is not in force came between.
static void unchanged_row_of_a_snapshot_is_not_forgotten(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_check(
        case_try(&room, BATCH_SNAPSHOT, 0, "mali", ROWS(ROW_AT("2020-09-09", "m", 10, "Mali", 7))),
        &room.err);
    case_check(
        case_try(&room, BATCH_SNAPSHOT, 0, "chad", ROWS(ROW_AT("2020-01-05", "a", 10, "Chad", 3))),
        &room.err);
    // In force for Chad only: what is said of Mali is older than what is known of it.
    case_check(case_try(&room, BATCH_SNAPSHOT, 0, "both",
                        ROWS(ROW_AT("2020-01-05", "a", 10, "Chad", 3),
                             ROW_AT("2020-01-06", "a", 10, "Mali", 4),
                             ROW_AT("2020-01-02", "a", 11, "Chad", 9))),
               &room.err);
    assert_int_equal(case_killed(&room, "a"), 3);
    // The same when the row of the other scope came first, so that all stand in the ledger.
    case_check(case_try(&room, BATCH_SNAPSHOT, 0, "again",
                        ROWS(ROW_AT("2020-01-06", "a", 10, "Mali", 4),
                             ROW_AT("2020-01-05", "a", 10, "Chad", 3),
                             ROW_AT("2020-01-02", "a", 11, "Chad", 9))),
               &room.err);
    assert_int_equal(case_killed(&room, "a"), 3);
    restart_changes_nothing(&room);
    case_close(&room);
}

// Whether the older row counts depends on an unchanged one that may not count: no guess is made.
static void snapshot_that_gives_an_id_to_two_scopes_may_be_refused(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_check(case_try(&room, BATCH_SNAPSHOT, 0, "chad",
                        ROWS(ROW_AT("2020-01-05", "a", 10, "Chad", 3),
                             ROW_AT("2020-09-09", "b", 10, "Chad", 1))),
               &room.err);
    struct digest before = case_state_digest(&room);
    assert_false(case_try(
        &room, BATCH_SNAPSHOT, 0, "both",
        ROWS(ROW_AT("2020-01-05", "a", 10, "Chad", 3), ROW_AT("2020-01-02", "a", 11, "Mali", 9))));
    assert_int_equal(room.err.code, TALLY_REFUSED);
    assert_non_null(strstr(room.err.message, "'Chad'"));
    assert_false(embedded_of(room.store)->pending.open);
    assert_true(digest_equal(case_state_digest(&room), before));
    // In force for both, the unchanged row counts and the older one does not.
    case_check(case_try(&room, BATCH_SNAPSHOT, 0, "newer",
                        ROWS(ROW_AT("2020-01-05", "a", 10, "Chad", 3),
                             ROW_AT("2020-01-02", "a", 11, "Mali", 9),
                             ROW_AT("2020-09-10", "c", 12, "Mali", 2))),
               &room.err);
    assert_int_equal(case_killed(&room, "a"), 3);
    restart_changes_nothing(&room);
    case_close(&room);
}

static void id_twice_in_a_snapshot_keeps_its_newest_row_every_time(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_SNAPSHOT, "r1",
              ROWS(ROW_AT("5", "a", 10, "Chad", 5), ROW_AT("4", "a", 10, "Chad", 4),
                   ROW_AT("5", "b", 10, "Chad", 1)));
    assert_int_equal(case_killed(&room, "a"), 5);
    case_file(&room, BATCH_SNAPSHOT, "r2",
              ROWS(ROW_AT("5", "a", 10, "Chad", 5), ROW_AT("4", "a", 10, "Chad", 4),
                   ROW_AT("5", "b", 10, "Chad", 2)));
    assert_int_equal(case_killed(&room, "a"), 5);
    case_close(&room);
}

static void later_row_of_one_file_wins_without_revisions(void **state)
{
    static const enum batch_mode modes[] = {BATCH_UPSERT, BATCH_SNAPSHOT};
    struct store_case room;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        case_open(&room);
        case_file(&room, modes[i], "r1", ROWS(ROW("a", 10, "Chad", 5), ROW("a", 10, "Chad", 4)));
        assert_int_equal(case_killed(&room, "a"), 4);
        case_file(&room, modes[i], "r2",
                  ROWS(ROW("a", 10, "Chad", 5), ROW("a", 10, "Chad", 4), ROW("b", 1, "", 1)));
        assert_int_equal(case_killed(&room, "a"), 4);
        case_file(&room, modes[i], "r3",
                  ROWS(ROW("a", 10, "Chad", 4), ROW("a", 10, "Chad", 5), ROW("b", 1, "", 2)));
        assert_int_equal(case_killed(&room, "a"), 5);
        restart_changes_nothing(&room);
        case_close(&room);
    }
}

// ---- deletions ----------------------------------------------------------------------------

static void deletions_withdraw_by_id(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one",
              ROWS(ROW_AT("5", "a", 10, "Chad", 3), ROW_AT("9", "b", 11, "Mali", 4)));
    case_file(&room, BATCH_DELETIONS, "two",
              ROWS(ROW_WITHDRAW("7", "a"), ROW_WITHDRAW("7", "b"), ROW_WITHDRAW("7", "z")));
    assert_int_equal(room.outcome.counts.withdrawn, 1);
    assert_int_equal(room.outcome.counts.older, 1);
    assert_false(case_counts(&room, "a"));
    assert_int_equal(case_killed(&room, "b"), 4);
    case_file(&room, BATCH_UPSERT, "three",
              ROWS(ROW_AT("6", "a", 10, "Chad", 3), ROW_AT("7", "z", 10, "Chad", 1)));
    assert_int_equal(case_live(&room), 1);
    restart_changes_nothing(&room);
    case_file(&room, BATCH_UPSERT, "four", ROWS(ROW_AT("8", "a", 10, "Chad", 8)));
    assert_int_equal(case_killed(&room, "a"), 8);
    restart_changes_nothing(&room);
    case_close(&room);
}

static void files_in_any_order_give_one_digest(void **state)
{
    static const struct case_row files[4][2] = {
        {ROW_AT("1", "a", 10, "Chad", 3), ROW_AT("1", "b", 11, "Mali", 4)},
        {ROW_AT("3", "a", 12, "Peru", 5), ROW_AT("1", "c", 13, "Mali", 1)},
        {ROW_AT("2", "a", 11, "Chad", 4),
         {.id = "b", .day = 15, .country = "Chad", .killed = 6, .revision = "2", .lasts = 4}},
        {ROW_WITHDRAW("2", "c"), ROW_WITHDRAW("1", "b")},
    };
    static const char *const names[] = {"f0", "f1", "f2", "f3"};
    struct digest want = {0};

    (void)state;
    for (unsigned permutation = 0; permutation < 24; permutation++) {
        struct store_case room;
        size_t left[4] = {0, 1, 2, 3};
        unsigned rest = permutation;
        case_open(&room);
        for (size_t i = 4; i > 0; i--) {
            size_t at = left[rest % i];
            left[rest % i] = left[i - 1];
            rest /= (unsigned)i;
            case_file(&room, at == 3 ? BATCH_DELETIONS : BATCH_UPSERT, names[at], files[at], 2);
        }
        struct digest digest = case_rollup_digest(&room);
        want = permutation == 0 ? digest : want;
        assert_true(digest_equal(digest, want));
        case_close(&room);
    }
}

// ---- rollups ------------------------------------------------------------------------------

static struct stat look_at(const struct store_case *room, const char *name)
{
    struct stat entry;
    char path[128];

    snprintf(path, sizeof path, "%s/%s", room->dir, name);
    assert_int_equal(stat(path, &entry), 0);
    return entry;
}

static void publishing_writes_only_what_changed(void **state)
{
    struct store_case room;
    struct rollup_def defs[2] = {0};

    (void)state;
    case_open(&room);
    defs[0] = room.def;
    assert_true(rollup_def_set_name(&defs[1], "other", &room.err) &&
                rollup_def_add_feed(&defs[1], "ucdp", &room.err));
    room.options.defs = defs;
    room.options.defs_count = 2;
    case_check(case_restart(&room), &room.err);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3)));
    assert_true(store_needs_publishing(room.store));
    assert_true(store_publish(room.store, &room.err));
    assert_false(store_needs_publishing(room.store));
    struct stat harm = look_at(&room, "rollup/harm.rollup");
    struct stat other = look_at(&room, "rollup/other.rollup");
    assert_true(store_publish(room.store, &room.err));
    assert_int_equal(look_at(&room, "rollup/harm.rollup").st_ino, harm.st_ino);
    case_file(&room, BATCH_UPSERT, "two", ROWS(ROW("b", 10, "Chad", 3)));
    assert_true(store_publish(room.store, &room.err));
    assert_int_not_equal(look_at(&room, "rollup/harm.rollup").st_ino, harm.st_ino);
    assert_int_equal(look_at(&room, "rollup/other.rollup").st_ino, other.st_ino);
    harm = look_at(&room, "rollup/harm.rollup");
    case_check(case_restart(&room), &room.err);
    assert_true(store_publish(room.store, &room.err));
    struct stat again = look_at(&room, "rollup/harm.rollup");
    assert_int_equal(again.st_ino, harm.st_ino);
    assert_int_equal(again.st_mtim.tv_nsec, harm.st_mtim.tv_nsec);
    rollup_def_done(&defs[1]);
    case_close(&room);
}

static void rollup_that_was_removed_or_damaged_comes_back_identical(void **state)
{
    struct store_case room;
    size_t count;
    size_t again_count;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3)));
    assert_true(store_publish(room.store, &room.err));
    unsigned char *want = case_load(room.dir, "rollup/harm.rollup", &count);
    for (int damage = 0; damage < 3; damage++) {
        if (damage == 0) {
            assert_true(disk_unlink(room.store->rollup_fd, "harm.rollup", &room.err));
        } else if (damage == 1) {
            case_flip(room.dir, "rollup/harm.rollup", count / 2);
        } else {
            case_cut(room.dir, "rollup/harm.rollup", 10);
        }
        case_check(case_restart(&room), &room.err);
        assert_true(store_publish(room.store, &room.err));
        unsigned char *data = case_load(room.dir, "rollup/harm.rollup", &again_count);
        assert_int_equal(again_count, count);
        assert_memory_equal(data, want, count);
        free(data);
    }
    free(want);
    case_close(&room);
}

static void rollup_that_knows_more_than_the_ledger_stops_the_start(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3)));
    size_t first = (size_t)ledger_committed(embedded_of(room.store)->ledger).offset;
    case_file(&room, BATCH_UPSERT, "two", ROWS(ROW("b", 10, "Chad", 3)));
    assert_true(store_publish(room.store, &room.err));
    case_cut(room.dir, "ledger/000001.seg", first);
    case_lose_mark(&room);
    assert_false(case_restart(&room));
    assert_int_equal(room.err.code, TALLY_CORRUPT);
    assert_non_null(strstr(room.err.message, "harm"));
    assert_non_null(strstr(room.err.message, "2 batches"));
    size_t count;
    free(case_load(room.dir, "ledger/000001.seg", &count));
    assert_int_equal(count, first); // nothing was changed
    int fd = case_open_dir(room.dir, "rollup");
    assert_true(disk_unlink(fd, "harm.rollup", &room.err));
    disk_close(fd);
    case_check(case_start(&room), &room.err);
    assert_int_equal(store_batches(room.store), 1);
    case_close(&room);
}

static void unfinished_tail_is_cut_off_and_told(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3)));
    size_t first = (size_t)ledger_committed(embedded_of(room.store)->ledger).offset;
    case_file(&room, BATCH_UPSERT, "two", ROWS(ROW("b", 10, "Chad", 3)));
    size_t second = (size_t)ledger_committed(embedded_of(room.store)->ledger).offset;
    for (size_t cut = first + 1; cut < second; cut += 3) {
        size_t count;
        unsigned char *data = case_load(room.dir, "ledger/000001.seg", &count);
        case_cut(room.dir, "ledger/000001.seg", cut);
        case_lose_mark(&room);
        case_check(case_restart(&room), &room.err);
        assert_int_equal(store_batches(room.store), 1);
        assert_int_equal(store_recovered_bytes(room.store), cut - first);
        assert_false(case_counts(&room, "b"));
        store_close(room.store);
        case_save(room.dir, "ledger/000001.seg", data, count);
        free(data);
        case_check(case_start(&room), &room.err);
    }
    assert_int_equal(case_live(&room), 2);
    case_close(&room);
}

static void feed_that_gains_a_dimension_goes_on(void **state)
{
    static const char *const dims[] = {"actor", "country"};
    static const char *const measures[] = {"wounded", "killed"};
    struct store_case room;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3), ROW("b", 10, "Chad", 4)));
    shape_close(room.shape);
    room.shape = shape_open("acled", dims, 2, measures, 2, &room.err);
    // The fixture fills the first dimension and measure: "Peru" is the actor now.
    case_file(&room, BATCH_UPSERT, "two", ROWS(ROW("b", 10, "Peru", 9), ROW("c", 10, "Peru", 9)));
    assert_int_equal(room.outcome.counts.revised, 1);
    assert_int_equal(room.outcome.counts.added, 1);
    struct rollup *rollup = case_rollup(&room);
    struct rollup_sums sums = {0};
    assert_int_equal(rollup_groups(rollup), 2); // unknown country, Chad
    look_window(rollup, 0, BASIS_START, 10, 10, &sums);
    assert_int_equal(sums.incidents, 2);
    assert_int_equal(sums.measure[0].reported, 0);
    sums = (struct rollup_sums){0};
    look_window(rollup, 1, BASIS_START, 10, 10, &sums);
    assert_int_equal(sums.incidents, 1);
    assert_true(sums.measure[0].sum == 3);
    rollup_close(rollup);
    restart_changes_nothing(&room);
    case_close(&room);
}

// A forgotten feed takes the same files as if nothing had ever come of it; other feeds stay.
static void forgotten_feed_starts_afresh(void **state)
{
    struct store_case room;
    struct store_accepted accepted;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW_AT("9", "a", 10, "Chad", 3)));
    case_file(&room, BATCH_DELETIONS, "gone", ROWS(ROW_WITHDRAW("9", "b")));
    case_check(store_forget(room.store, "acled", room.time_ms, &room.err), &room.err);
    assert_int_equal(store_batches(room.store), 3);
    struct store_feed_view feed = store_feed_at(room.store, 0);
    assert_int_equal(feed.incidents, 0);
    assert_false(feed.any_day);
    restart_changes_nothing(&room);
    assert_false(store_find_accepted(room.store, digest_of("one", 3), &accepted));
    // Older than what was forgotten, and below a deletion that was forgotten: both count.
    case_file(&room, BATCH_UPSERT, "two",
              ROWS(ROW_AT("1", "a", 12, "Chad", 5), ROW_AT("1", "b", 12, "Mali", 7)));
    assert_int_equal(room.outcome.counts.added, 2);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW_AT("9", "a", 10, "Chad", 3)));
    assert_int_equal(room.outcome.outcome, FILE_ACCEPTED);
    assert_int_equal(room.outcome.counts.revised, 1);
    restart_changes_nothing(&room);
    assert_true(store_find_accepted(room.store, digest_of("one", 3), &accepted));
    assert_int_equal(accepted.batch, 5);
    case_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_counts_what_its_rows_did),
        cmocka_unit_test(same_bytes_under_any_name_are_a_duplicate),
        cmocka_unit_test(same_name_with_new_bytes_is_a_new_batch),
        cmocka_unit_test(abandoned_batch_leaves_no_trace_and_its_codes_are_used_again),
        cmocka_unit_test(id_may_be_long_but_not_endless),
        cmocka_unit_test(batch_over_many_frames_and_segments_is_one_batch),
        cmocka_unit_test(ids_missing_from_a_snapshot_are_withdrawn_and_come_back),
        cmocka_unit_test(snapshot_of_a_scope_withdraws_within_it_only),
        cmocka_unit_test(snapshot_does_not_compare_its_rows_one_by_one),
        cmocka_unit_test(older_snapshot_changes_nothing),
        cmocka_unit_test(snapshot_may_be_in_force_for_some_of_its_scopes),
        cmocka_unit_test(unreadable_row_of_a_snapshot_keeps_its_incident),
        cmocka_unit_test(snapshot_without_incidents_is_refused_and_leaves_the_store_usable),
        cmocka_unit_test(unchanged_row_of_a_snapshot_is_not_forgotten),
        cmocka_unit_test(snapshot_that_gives_an_id_to_two_scopes_may_be_refused),
        cmocka_unit_test(id_twice_in_a_snapshot_keeps_its_newest_row_every_time),
        cmocka_unit_test(later_row_of_one_file_wins_without_revisions),
        cmocka_unit_test(deletions_withdraw_by_id),
        cmocka_unit_test(files_in_any_order_give_one_digest),
        cmocka_unit_test(publishing_writes_only_what_changed),
        cmocka_unit_test(rollup_that_was_removed_or_damaged_comes_back_identical),
        cmocka_unit_test(rollup_that_knows_more_than_the_ledger_stops_the_start),
        cmocka_unit_test(unfinished_tail_is_cut_off_and_told),
        cmocka_unit_test(feed_that_gains_a_dimension_goes_on),
        cmocka_unit_test(forgotten_feed_starts_afresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
