// Another set of rollups while the store is open: as if it had been started with it.
#include "tests/unit/store_case.h"

static void make_def(struct rollup_def *def, const char *name, const char *dim)
{
    struct tally_err err;

    memset(def, 0, sizeof *def);
    case_check(rollup_def_set_name(def, name, &err) && rollup_def_add_feed(def, "acled", &err) &&
                   (!dim || rollup_def_add_dim(def, dim, &err)) &&
                   rollup_def_add_measure(def, "killed", &err),
               &err);
    def->feeds[0].measures = 1;
}

static void take_in_some(struct store_case *room)
{
    case_file(room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3), ROW("b", 11, "Mali", 4)));
    case_file(room, BATCH_UPSERT, "two", ROWS(ROW("a", 12, "Chad", 5), ROW("c", 12, "Niger", 1)));
    case_file(room, BATCH_DELETIONS, "gone", ROWS(ROW_WITHDRAW(NULL, "b")));
}

static void set_rollups(struct store_case *room, const struct rollup_def *defs, size_t count)
{
    room->options.defs = defs;
    room->options.defs_count = count;
    case_check(store_set_rollups(room->store, defs, count, &room->err), &room->err);
}

// The bytes of a rollup file made now are those that a start makes.
static void same_as_after_a_restart(struct store_case *room, const char *path)
{
    size_t count;
    size_t again_count;

    case_check(store_publish(room->store, &room->err), &room->err);
    unsigned char *data = case_load(room->dir, path, &count);
    case_check(disk_unlink(room->fd, path, &room->err) && case_restart(room) &&
                   store_publish(room->store, &room->err),
               &room->err);
    unsigned char *again = case_load(room->dir, path, &again_count);
    assert_int_equal(count, again_count);
    assert_memory_equal(data, again, count);
    free(data);
    free(again);
}

static void new_rollup_is_filled_from_what_is_kept(void **state)
{
    struct store_case room;
    struct rollup_def defs[2];

    (void)state;
    case_open(&room);
    defs[0] = room.def;
    make_def(&defs[1], "all", NULL);
    take_in_some(&room);
    set_rollups(&room, defs, 2);
    assert_true(store_needs_publishing(room.store));
    same_as_after_a_restart(&room, "rollup/all.rollup");
    rollup_def_done(&defs[1]);
    case_close(&room);
}

static void changed_rollup_follows_its_new_definition(void **state)
{
    struct store_case room;
    struct rollup_def def;

    (void)state;
    case_open(&room);
    make_def(&def, "harm", NULL);
    take_in_some(&room);
    set_rollups(&room, &def, 1);
    case_file(&room, BATCH_UPSERT, "three", ROWS(ROW("d", 13, "Chad", 7)));
    same_as_after_a_restart(&room, "rollup/harm.rollup");
    rollup_def_done(&def);
    case_close(&room);
}

static void rollup_that_stays_is_not_written_again(void **state)
{
    struct store_case room;
    struct rollup_def defs[2];

    (void)state;
    case_open(&room);
    take_in_some(&room);
    case_check(store_publish(room.store, &room.err), &room.err);
    make_def(&defs[0], "all", NULL);
    defs[1] = room.def; // in another place of the list
    set_rollups(&room, &defs[1], 1);
    assert_false(store_needs_publishing(room.store));
    set_rollups(&room, defs, 2);
    case_file(&room, BATCH_UPSERT, "three", ROWS(ROW("d", 13, "Chad", 7)));
    same_as_after_a_restart(&room, "rollup/harm.rollup");
    rollup_def_done(&defs[0]);
    case_close(&room);
}

static void rollup_that_went_hears_nothing_more(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    take_in_some(&room);
    set_rollups(&room, NULL, 0);
    assert_int_equal(embedded_of(room.store)->state.observers_count, 0);
    case_file(&room, BATCH_UPSERT, "three", ROWS(ROW("d", 13, "Chad", 7)));
    assert_false(store_needs_publishing(room.store));
    set_rollups(&room, &room.def, 1);
    same_as_after_a_restart(&room, "rollup/harm.rollup");
    case_close(&room);
}

static void on_removed(void *context, const char *file)
{
    char *removed = context;
    strcat(strcat(removed, file), " ");
}

static void only_rollups_that_nobody_keeps_are_removed(void **state)
{
    struct store_case room;
    struct disk_names names;
    char removed[200] = "";

    (void)state;
    case_open(&room);
    take_in_some(&room);
    case_check(store_publish(room.store, &room.err), &room.err);
    case_save(room.dir, "rollup/old.rollup", "x", 1);
    case_save(room.dir, "rollup/har.rollup", "x", 1);
    case_save(room.dir, "rollup/notes.txt", "x", 1);
    case_save(room.dir, "rollup/.rollup", "x", 1);
    case_check(store_remove_strangers(room.store, on_removed, removed, &room.err), &room.err);
    assert_string_equal(removed, "har.rollup old.rollup ");
    case_check(disk_list(room.fd, "rollup", &names, &room.err), &room.err);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.name[0], ".rollup");
    assert_string_equal(names.name[1], "harm.rollup");
    assert_string_equal(names.name[2], "notes.txt");
    disk_names_done(&names);
    case_close(&room);
}

// A batch that is most of what is kept has its day cells added up at once, small ones change by
// change: the figures are the same, before and after a further batch.
static void a_large_batch_counts_as_small_ones_do(void **state)
{
    enum { COUNT = 70000, PIECE = 7000, ID_BYTES = 12 };
    static const char *const countries[] = {"Chad", "Mali", "Niger"};
    struct case_row *rows = calloc(COUNT, sizeof *rows);
    char(*ids)[ID_BYTES] = calloc(COUNT, ID_BYTES);
    struct store_case rooms[2];
    struct digest digests[2];
    char name[16];

    (void)state;
    assert_true(rows && ids);
    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i], ID_BYTES, "%d", i);
        rows[i] = (struct case_row){.id = ids[i],
                                    .day = i * 31 % 900,
                                    .country = countries[i % 3],
                                    .killed = i % 5 ? i : CASE_UNKNOWN,
                                    .lasts = i % 40 == 0 ? 5 : 0};
    }
    for (int r = 0; r < 2; r++) {
        size_t piece = r == 0 ? COUNT : PIECE;
        case_open(&rooms[r]);
        for (size_t from = 0; from < COUNT; from += piece) {
            snprintf(name, sizeof name, "%zu", from);
            case_file(&rooms[r], BATCH_UPSERT, name, rows + from, piece);
        }
        case_file(&rooms[r], BATCH_DELETIONS, "gone", ROWS(ROW_WITHDRAW(NULL, "77")));
        digests[r] = case_rollup_digest(&rooms[r]);
        same_as_after_a_restart(&rooms[r], "rollup/harm.rollup");
        case_close(&rooms[r]);
    }
    assert_true(digest_equal(digests[0], digests[1]));
    free(rows);
    free(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_batch_counts_as_small_ones_do),
        cmocka_unit_test(new_rollup_is_filled_from_what_is_kept),
        cmocka_unit_test(changed_rollup_follows_its_new_definition),
        cmocka_unit_test(rollup_that_stays_is_not_written_again),
        cmocka_unit_test(rollup_that_went_hears_nothing_more),
        cmocka_unit_test(only_rollups_that_nobody_keeps_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
