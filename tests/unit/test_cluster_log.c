// The list of batches: rows as the cluster has them, and what they say of a moment.
#include "store/cluster/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES_MAX = 300 };

// Entries as a test writes them down: what they point into is kept here.
struct list {
    struct log_entry entry[ENTRIES_MAX];
    struct bytes shape[ENTRIES_MAX];
    char file[ENTRIES_MAX][24];
    size_t count;
    struct log log;
    struct tally_err err;
};

static void check(bool ok, const struct tally_err *err)
{
    if (!ok) {
        fail_msg("%s: %s", err->place, err->message);
    }
}

static struct list *list_open(void)
{
    struct list *list = calloc(1, sizeof *list);

    assert_non_null(list);
    log_init(&list->log);
    return list;
}

static void list_close(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        bytes_done(&list->shape[i]);
    }
    log_done(&list->log);
    free(list);
}

// A batch of a feed; times in seconds. It covers the day of its number.
static struct log_entry *add(struct list *list, uint64_t number, int64_t time, const char *feed,
                             enum batch_mode mode)
{
    static const char *const dims[] = {"country", "actor"};
    size_t at = list->count++;
    struct shape *shape = shape_open(feed, dims, 2, dims, 1, &list->err);

    assert_non_null(shape);
    bytes_init(&list->shape[at]);
    shape_encode(shape, &list->shape[at]);
    shape_close(shape);
    snprintf(list->file[at], sizeof list->file[at], "%llu-%lld.csv", (unsigned long long)number,
             (long long)time);
    list->entry[at] = (struct log_entry){
        .batch = 1000 + at,
        .number = number,
        .writer = "here",
        .begin = {.mode = mode,
                  .feed = "inbox",
                  .feed_bytes = 5,
                  .file = list->file[at],
                  .file_bytes = strlen(list->file[at]),
                  .header = "id,\"day\"",
                  .header_bytes = 8,
                  .scope_dim = -1,
                  .shape = cursor_over(list->shape[at].data, list->shape[at].count)},
        .end = {.time_ms = time * 1000,
                .digest = {number, (uint64_t)time},
                .any_day = mode != BATCH_FORGET,
                .first_day = (int32_t)number,
                .last_day = (int32_t)number},
    };
    return &list->entry[at];
}

static struct log_entry *add_note(struct list *list, int64_t time, enum file_outcome outcome,
                                  int32_t day)
{
    size_t at = list->count++;

    bytes_init(&list->shape[at]);
    list->entry[at] = (struct log_entry){.batch = 1000 + at,
                                         .writer = "there",
                                         .end = {.outcome = outcome,
                                                 .time_ms = time * 1000,
                                                 .any_day = true,
                                                 .first_day = day,
                                                 .last_day = day,
                                                 .file = "old.csv",
                                                 .file_bytes = 7,
                                                 .feed = "a",
                                                 .feed_bytes = 1,
                                                 .reason = "a newer one",
                                                 .reason_bytes = 11}};
    return &list->entry[at];
}

// As if the cluster had answered.
static void load(struct list *list)
{
    bytes_clear(&list->log.answer);
    check(log_encode(list->entry, list->count, &list->log.answer, &list->err), &list->err);
    check(log_decode(&list->log, &list->err), &list->err);
    assert_int_equal(list->log.count, list->count);
}

static struct replay_until batch(uint64_t number)
{
    return (struct replay_until){.batch = number, .time_ms = INT64_MAX};
}

static struct replay_until second(int64_t time)
{
    return (struct replay_until){.batch = UINT64_MAX, .time_ms = time * 1000};
}

// The keys that count, less 1000, as "0 2 3".
static void assert_committed(struct list *list, struct replay_until until, const char *want)
{
    struct bytes keys;
    char got[400] = "";

    bytes_init(&keys);
    check(log_committed(&list->log, &until, &keys, &list->err), &list->err);
    for (size_t i = 0; i < keys.count / sizeof(uint64_t); i++) {
        uint64_t key;
        size_t used = strlen(got);
        memcpy(&key, keys.data + i * sizeof key, sizeof key);
        snprintf(got + used, sizeof got - used, "%s%llu", used ? " " : "",
                 (unsigned long long)key - 1000);
    }
    bytes_done(&keys);
    assert_string_equal(got, want);
}

// ---- rows ---------------------------------------------------------------------------------

static void what_is_put_comes_back(void **state)
{
    struct list *list = list_open();
    struct bytes scopes;

    (void)state;
    bytes_init(&scopes);
    bytes_put_text(&scopes, "Chad", 4);
    bytes_put_u8(&scopes, 1);
    struct log_entry *entry = add(list, 7, 100, "a", BATCH_SNAPSHOT);
    entry->begin.scope_dim = 1;
    entry->counts = (struct batch_counts){1, 2, 3, 4, 5, 6};
    entry->end.records = 11;
    entry->end.rejected = 12;
    entry->end.rows = 13;
    entry->end.unterminated = true;
    entry->end.scopes = 1;
    entry->end.scope_list = cursor_over(scopes.data, scopes.count);
    entry->end.newest = revision_of_text("v2", 2);
    add_note(list, 101, FILE_DUPLICATE, -5);
    load(list);

    const struct log_entry *got = &list->log.entry[0];
    assert_int_equal(got->batch, 1000);
    assert_int_equal(got->number, 7);
    assert_string_equal(got->writer, "here");
    assert_string_equal(got->file, "7-100.csv");
    assert_string_equal(got->shape->feed, "a");
    assert_int_equal(got->begin.mode, BATCH_SNAPSHOT);
    assert_int_equal(got->begin.scope_dim, 1);
    assert_memory_equal(got->begin.header, "id,\"day\"", got->begin.header_bytes);
    assert_memory_equal(&got->counts, &entry->counts, sizeof got->counts);
    assert_int_equal(got->end.time_ms, 100000);
    assert_true(digest_equal(got->end.digest, entry->end.digest));
    assert_int_equal(got->end.records + got->end.rejected + got->end.rows, 36);
    assert_true(got->end.unterminated);
    assert_int_equal(cursor_left(&got->end.scope_list), scopes.count);
    assert_memory_equal(got->end.scope_list.at, scopes.data, scopes.count);
    assert_int_equal(revision_compare(&got->end.newest, &entry->end.newest), 0);

    got = &list->log.entry[1];
    assert_int_equal(got->number, 0);
    assert_null(got->shape);
    assert_string_equal(got->file, "old.csv");
    assert_string_equal(got->writer, "there");
    assert_int_equal(got->end.outcome, FILE_DUPLICATE);
    assert_memory_equal(got->end.reason, "a newer one", 11);
    bytes_done(&scopes);
    list_close(list);
}

static void what_was_put_twice_stands_once(void **state)
{
    struct list *list = list_open();

    (void)state;
    add(list, 1, 1, "a", BATCH_UPSERT);
    add(list, 2, 2, "a", BATCH_UPSERT);
    list->entry[2] = list->entry[1];
    check(log_encode(list->entry, 3, &list->log.answer, &list->err), &list->err);
    check(log_decode(&list->log, &list->err), &list->err);
    assert_int_equal(list->log.count, 2);
    assert_committed(list, replay_all, "0 1");
    list_close(list);
}

static void rows_that_are_cut_short_are_refused(void **state)
{
    struct list *list = list_open();

    (void)state;
    add(list, 1, 1, "a", BATCH_UPSERT);
    add_note(list, 2, FILE_SUPERSEDED, 3);
    load(list);
    size_t whole = list->log.answer.count;
    bytes_clear(&list->log.answer);
    check(log_encode(list->entry, 1, &list->log.answer, &list->err), &list->err);
    size_t first = list->log.answer.count;
    check(log_encode(list->entry + 1, 1, &list->log.answer, &list->err), &list->err);
    for (size_t count = 1; count < whole; count++) {
        list->log.answer.count = count;
        if (count != first) {
            assert_false(log_decode(&list->log, &list->err));
            assert_int_equal(list->err.code, TALLY_CORRUPT);
            assert_int_equal(list->log.count, 0);
        }
    }
    list_close(list);
}

// ---- moments ------------------------------------------------------------------------------

static void a_moment_is_a_number_or_a_time(void **state)
{
    struct list *list = list_open();

    (void)state;
    add(list, 1, 10, "a", BATCH_UPSERT);
    add(list, 2, 20, "b", BATCH_UPSERT);
    add_note(list, 25, FILE_REJECTED, 0);
    add(list, 3, 30, "a", BATCH_UPSERT);
    load(list);
    assert_committed(list, replay_all, "0 1 3");
    assert_committed(list, batch(0), "");
    assert_committed(list, batch(2), "0 1");
    assert_committed(list, second(9), "");
    assert_committed(list, second(29), "0 1");
    struct replay_until two = batch(2);
    struct replay_until one = batch(1);
    struct replay_until then = second(30);
    assert_true(log_holds(&list->log, &two, 2)); // the note before batch 3
    assert_false(log_holds(&list->log, &one, 2));
    assert_int_equal(log_newest(&list->log, &two), 2);
    assert_int_equal(log_newest(&list->log, &then), 3);
    assert_int_equal(log_newest(&list->log, &replay_all), 3);
    list_close(list);
}

// The clock of one of two machines is ahead: its batch stands behind one of a later number.
static void clocks_that_differ_take_no_batch_out(void **state)
{
    struct list *list = list_open();

    (void)state;
    add(list, 1, 10, "a", BATCH_UPSERT);
    add(list, 3, 20, "b", BATCH_UPSERT);
    add(list, 2, 30, "a", BATCH_UPSERT);
    add(list, 3, 31, "a", BATCH_UPSERT); // in the same moment as the other 3
    load(list);
    assert_committed(list, batch(2), "0 2");
    assert_committed(list, batch(3), "0 1 2 3");
    assert_committed(list, second(20), "0 1");
    list_close(list);
}

static void a_forget_takes_out_what_its_feed_said_before(void **state)
{
    struct list *list = list_open();

    (void)state;
    add(list, 1, 10, "a", BATCH_UPSERT);
    add(list, 2, 20, "b", BATCH_SNAPSHOT);
    add(list, 3, 30, "a", BATCH_FORGET);
    add(list, 4, 40, "a", BATCH_UPSERT);
    add(list, 5, 50, "b", BATCH_FORGET);
    add(list, 6, 60, "a", BATCH_FORGET);
    add(list, 7, 70, "a", BATCH_UPSERT);
    load(list);
    assert_committed(list, batch(2), "0 1");
    assert_committed(list, batch(3), "1");
    assert_committed(list, batch(4), "1 3");
    assert_committed(list, batch(5), "3");
    assert_committed(list, batch(6), "");
    assert_committed(list, replay_all, "6");
    list_close(list);
}

static void assert_covers(struct list *list, struct replay_until until, const char *name,
                          int32_t first_day, int32_t last_day)
{
    struct state made;

    check(state_init(&made, &list->err), &list->err);
    check(log_apply(&list->log, &until, &made, &list->err), &list->err);
    const struct state_feed *feed = state_find_feed(&made, name);
    if (first_day > last_day) {
        assert_true(!feed || !feed->any_day);
    } else {
        assert_true(feed && feed->any_day);
        assert_int_equal(feed->first_day, first_day);
        assert_int_equal(feed->last_day, last_day);
    }
    state_done(&made);
}

static void coverage_is_that_of_the_batches_and_superseded_files(void **state)
{
    struct list *list = list_open();

    (void)state;
    add_note(list, 5, FILE_SUPERSEDED, -100); // of a feed that is not known yet
    add(list, 1, 10, "a", BATCH_UPSERT);
    add(list, 2, 20, "a", BATCH_DELETIONS);
    add_note(list, 25, FILE_SUPERSEDED, 50);
    add_note(list, 26, FILE_REJECTED, 99);
    add(list, 3, 30, "b", BATCH_CLAIMS);
    add(list, 4, 40, "a", BATCH_FORGET);
    add(list, 5, 50, "a", BATCH_UPSERT);
    load(list);
    assert_covers(list, batch(0), "a", 1, 0);
    assert_covers(list, batch(1), "a", 1, 1);
    assert_covers(list, batch(2), "a", 1, 50);
    assert_covers(list, second(20), "a", 1, 2);
    assert_covers(list, batch(3), "b", 3, 3);
    assert_covers(list, batch(4), "a", 1, 0);
    assert_covers(list, replay_all, "a", 5, 5);
    struct state made;
    check(state_init(&made, &list->err), &list->err);
    check(log_apply(&list->log, &replay_all, &made, &list->err), &list->err);
    assert_true(state_find_feed(&made, "b")->claims);
    assert_false(state_find_feed(&made, "a")->claims);
    assert_int_equal(state_find_feed(&made, "a")->newest_ms, 50000);
    state_done(&made);
    list_close(list);
}

// ---- what a rollup file says of its making ------------------------------------------------

static struct cells_provenance sources(struct list *list, struct replay_until until,
                                       struct rollup_source out[ROLLUP_SOURCES_MAX])
{
    struct rollup_def def = {0};
    struct cells_provenance provenance;

    check(rollup_def_add_feed(&def, "a", &list->err), &list->err);
    check(rollup_def_add_feed(&def, "c", &list->err), &list->err);
    log_sources(&list->log, &until, &def, out, &provenance);
    rollup_def_done(&def);
    return provenance;
}

static void a_file_names_the_batches_of_its_feeds(void **state)
{
    struct rollup_source source[ROLLUP_SOURCES_MAX];
    struct list *list = list_open();

    (void)state;
    add(list, 1, 10, "a", BATCH_UPSERT);
    add(list, 2, 20, "b", BATCH_UPSERT);
    add_note(list, 21, FILE_SUPERSEDED, 1);
    add(list, 3, 30, "c", BATCH_UPSERT);
    add(list, 4, 40, "b", BATCH_UPSERT);
    load(list);
    struct cells_provenance made_by = sources(list, replay_all, source);
    assert_int_equal(made_by.generation, 3);
    assert_int_equal(made_by.batches, 2);
    assert_int_equal(made_by.sources_count, 2);
    assert_int_equal(source[0].batch, 1);
    assert_int_equal(source[1].batch, 3);
    assert_int_equal(source[1].time_ms, 30000);
    assert_memory_equal(source[1].feed, "c", source[1].feed_bytes);
    assert_memory_equal(source[1].file, "3-30.csv", source[1].file_bytes);
    made_by = sources(list, batch(2), source);
    assert_int_equal(made_by.generation, 1);
    made_by = sources(list, batch(0), source);
    assert_int_equal(made_by.generation + made_by.batches + made_by.sources_count, 0);
    list_close(list);
}

// A file lists the last hundred, and its numbers rise whatever the clocks said.
static void numbers_of_a_file_rise_strictly(void **state)
{
    struct rollup_source source[ROLLUP_SOURCES_MAX];
    struct list *list = list_open();

    (void)state;
    for (int i = 0; i < 250; i++) {
        // Pairs in the wrong order, and every tenth number twice.
        add(list, (uint64_t)(1 + (i ^ 1)), i, "a", BATCH_UPSERT);
        if (i % 10 == 0) {
            add(list, (uint64_t)(1 + (i ^ 1)), i, "c", BATCH_UPSERT);
        }
    }
    load(list);
    struct cells_provenance made_by = sources(list, replay_all, source);
    assert_int_equal(made_by.batches, 275);
    assert_int_equal(made_by.generation, 250);
    assert_int_equal(made_by.sources_count, ROLLUP_SOURCES_MAX);
    for (size_t i = 0; i < ROLLUP_SOURCES_MAX; i++) {
        assert_int_equal(source[i].batch, 151 + i);
        assert_memory_equal(source[i].feed, (151 + i) % 10 == 2 ? "c" : "a", 1);
    }
    list_close(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_comes_back),
        cmocka_unit_test(what_was_put_twice_stands_once),
        cmocka_unit_test(rows_that_are_cut_short_are_refused),
        cmocka_unit_test(a_moment_is_a_number_or_a_time),
        cmocka_unit_test(clocks_that_differ_take_no_batch_out),
        cmocka_unit_test(a_forget_takes_out_what_its_feed_said_before),
        cmocka_unit_test(coverage_is_that_of_the_batches_and_superseded_files),
        cmocka_unit_test(a_file_names_the_batches_of_its_feeds),
        cmocka_unit_test(numbers_of_a_file_rise_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
