// The mark of what was committed: it tells a lost end from a batch that never ended.
#include "store/committed.h"

#include "tests/unit/store_case.h"

static struct committed read_mark(const struct store_case *room)
{
    struct committed committed;
    struct tally_err err;

    case_check(committed_read(room->fd, &committed, &err), &err);
    return committed;
}

static void says_where_each_batch_ends(void **state)
{
    struct store_case room;
    size_t count;

    (void)state;
    case_open(&room);
    assert_int_equal(read_mark(&room).batches, 0);
    for (uint64_t batch = 1; batch <= 3; batch++) {
        char name[8] = {(char)('0' + batch)};
        case_file(&room, BATCH_UPSERT, name, ROWS(ROW(name, 10, "Chad", 3)));
        free(case_load(room.dir, "ledger/000001.seg", &count));
        assert_int_equal(read_mark(&room).batches, batch);
        assert_int_equal(read_mark(&room).at.segment, 1);
        assert_int_equal(read_mark(&room).at.offset, count);
    }
    case_close(&room);
}

static void moves_with_notes_too(void **state)
{
    struct store_case room;
    struct store_file_end end = {.digest = digest_of("x", 1)};

    (void)state;
    case_open(&room);
    uint64_t before = read_mark(&room).at.offset;
    case_check(store_note(room.store, FILE_REJECTED, "acled", "x", &end, "", "no", &room.err),
               &room.err);
    assert_int_equal(read_mark(&room).at.offset, before); // it is not on the disk yet
    case_check(store_sync(room.store, &room.err), &room.err);
    assert_true(read_mark(&room).at.offset > before);
    assert_int_equal(read_mark(&room).batches, 0);
    case_close(&room);
}

static void torn_or_flipped_knows_of_nothing(void **state)
{
    struct store_case room;
    size_t count;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3)));
    unsigned char *mark = case_load(room.dir, "committed", &count);
    for (size_t i = 0; i < count; i++) {
        case_save(room.dir, "committed", mark, i);
        assert_int_equal(read_mark(&room).batches, 0);
        mark[i] ^= 1;
        case_save(room.dir, "committed", mark, count);
        assert_int_equal(read_mark(&room).batches, 0);
        assert_int_equal(read_mark(&room).at.offset, LEDGER_SEGMENT_HEADER_BYTES);
        mark[i] ^= 1;
    }
    free(mark);
    case_check(case_restart(&room), &room.err); // and is made anew
    assert_int_equal(read_mark(&room).batches, 1);
    case_close(&room);
}

static void lost_end_stops_the_start_and_changes_nothing(void **state)
{
    struct store_case room;
    size_t count;
    size_t after;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3)));
    free(case_load(room.dir, "ledger/000001.seg", &count));
    for (size_t lost = 1; lost < 40; lost += 7) {
        case_cut(room.dir, "ledger/000001.seg", count - lost);
        assert_false(case_restart(&room));
        assert_int_equal(room.err.code, TALLY_CORRUPT);
        assert_non_null(strstr(room.err.place, "ledger/000001.seg@0x"));
        free(case_load(room.dir, "ledger/000001.seg", &after));
        assert_int_equal(after, count - lost);
        count -= lost;
    }
    case_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_where_each_batch_ends),
        cmocka_unit_test(moves_with_notes_too),
        cmocka_unit_test(torn_or_flipped_knows_of_nothing),
        cmocka_unit_test(lost_end_stops_the_start_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
