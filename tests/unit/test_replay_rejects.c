// Rows that were set aside, read from the ledger again.
#include "store/replay.h"

#include "base/disk.h"
#include "tests/unit/crafted.h"

#include <fcntl.h>

struct reader_of_rejects {
    size_t seen;
    size_t stop_at; // 0: never
};

static bool on_reject(void *context, const struct replay_file *file,
                      const struct replay_reject *reject, struct tally_err *err)
{
    struct reader_of_rejects *reader = context;

    (void)file;
    assert_int_equal(reject->record, 7 + reader->seen);
    return ++reader->seen != reader->stop_at || err_set(err, TALLY_LIMIT, "enough");
}

// Rows set aside: all of them, up to a refusal, up to where they are malformed, or of no batch.
static void rejects_are_read_until_somebody_refuses(void **state)
{
    static const char two[] = "\7\1\2\1r\1d\1x\x08\1\2\1r\1d\1x";
    static const struct {
        size_t bytes;
        size_t stop_at;
        size_t want_seen;
        enum tally_code want;
    } cases[] = {{sizeof two - 1, 0, 2, TALLY_OK},
                 {sizeof two - 1, 1, 1, TALLY_LIMIT},
                 {sizeof two - 2, 0, 1, TALLY_CORRUPT}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct crafted_batch batch = {
            .version = 2, .frame = {{LEDGER_REJECTS, .bytes = two, .count = cases[i].bytes}}};
        struct reader_of_rejects reader = {.stop_at = cases[i].stop_at};
        struct replay_visitor visitor = {.context = &reader, .on_reject = on_reject};
        struct ledger_position first = {1, LEDGER_SEGMENT_HEADER_BYTES};
        struct crafted crafted;
        crafted_open(&crafted);
        crafted_batch(&crafted, &batch);
        struct ledger_reader *from = ledger_reader_open(crafted.fd, &crafted.err);
        assert_int_equal(replay_rejects(from, first, &visitor, &crafted.err),
                         cases[i].want == TALLY_OK);
        assert_int_equal(reader.seen, cases[i].want_seen);
        assert_true(cases[i].want == TALLY_OK || crafted.err.code == cases[i].want);
        assert_false(replay_rejects(from, ledger_end(crafted.ledger), &visitor, &crafted.err));
        assert_int_equal(crafted.err.code, TALLY_NOT_FOUND);
        ledger_reader_close(from);
        crafted_close(&crafted);
    }
}

struct remover {
    int fd;
    uint64_t left; // bytes of the third segment; 0: it is gone
};

static bool take_segment_away(void *context, const struct replay_file *file,
                              const struct replay_reject *reject, struct tally_err *err)
{
    const struct remover *remover = context;

    (void)file;
    (void)reject;
    if (remover->left == 0) {
        return disk_unlink(remover->fd, "000003.seg", err);
    }
    int fd = disk_open(remover->fd, "000003.seg", O_WRONLY, 0, err);
    bool ok = fd >= 0 && disk_truncate(fd, remover->left, err);
    disk_close(fd);
    return ok;
}

// Half of the rows that were set aside are not all of them, even if the ledger was whole before.
static void rejects_that_are_gone_meanwhile_are_missed(void **state)
{
    char row[200] = "\7\1\2\1r\1d\x7f";

    (void)state;
    memset(row + 8, 'x', 127);
    for (uint64_t left = 0; left < 100; left += 40) {
        struct crafted_frame frame = {LEDGER_REJECTS, .bytes = row, .count = 8 + 127};
        struct crafted_batch batch = {.version = 2, .frame = {frame, frame}};
        struct ledger_position first = {1, LEDGER_SEGMENT_HEADER_BYTES};
        struct crafted crafted;
        crafted_open(&crafted);
        ledger_close(crafted.ledger);
        crafted.ledger = ledger_open(crafted.fd, first, 200, &crafted.err);
        crafted_batch(&crafted, &batch);
        assert_true(ledger_end(crafted.ledger).segment > 2);
        struct remover remover = {.fd = crafted.fd, .left = left};
        struct replay_visitor visitor = {.context = &remover, .on_reject = take_segment_away};
        struct ledger_reader *from = ledger_reader_open(crafted.fd, &crafted.err);
        assert_false(replay_rejects(from, first, &visitor, &crafted.err));
        assert_int_equal(crafted.err.code, TALLY_CORRUPT);
        ledger_reader_close(from);
        crafted_close(&crafted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rejects_are_read_until_somebody_refuses),
        cmocka_unit_test(rejects_that_are_gone_meanwhile_are_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
