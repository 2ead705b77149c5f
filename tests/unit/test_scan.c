// Looks at the inbox: what is ready, oldest arrival first, and what was told already.
#include "daemon/scan.h"

#include "daemon/claim_order.h"

#include "tests/unit/inbox_case.h"

#include <time.h>

enum { SETTLE_MS = 60000, MANY = 100000 };

static void takes_all(struct queue *queue, const char *want)
{
    char got[1024] = "";
    char *name;

    while ((name = queue_take(queue)) != NULL) {
        size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s%s", used ? " " : "", name);
        free(name);
    }
    queue_done(queue);
    assert_string_equal(got, want);
}

static void scans(struct inbox_case *room, uint64_t settle_ms, const char *want,
                  size_t want_waiting)
{
    struct queue queue = {0};
    size_t waiting;

    assert_true(queue_put(&queue, "left over from the last look"));
    assert_true(scan_inbox(&room->inbox, settle_ms, &queue, &waiting, &room->err));
    takes_all(&queue, want);
    assert_int_equal(waiting, want_waiting);
}

static void pause_ms(long ms)
{
    struct timespec time = {.tv_nsec = ms * 1000000};

    nanosleep(&time, NULL);
}

static void files_come_in_the_order_of_their_arrival(void **state)
{
    struct inbox_case *room = *state;

    inbox_case_drop(room, "inbox/z.csv", "1");
    pause_ms(15);
    inbox_case_drop(room, "inbox/a.csv", "2");
    pause_ms(15);
    inbox_case_drop(room, "inbox/m.csv", "3");
    scans(room, 0, "z.csv a.csv m.csv", 0);
    pause_ms(15);
    inbox_case_move(room, "inbox/z.csv", "inbox/zz.csv"); // renamed in: it arrives now
    scans(room, 0, "a.csv m.csv zz.csv", 0);
}

static void file_keeps_its_turn_whatever_its_date_says(void **state)
{
    struct inbox_case *room = *state;

    inbox_case_drop(room, "inbox/first.csv", "1");
    pause_ms(15);
    inbox_case_drop(room, "inbox/second.csv", "2");
    pause_ms(15);
    inbox_case_drop(room, "inbox/third.csv", "3");
    pause_ms(15);
    inbox_case_age(room, "inbox/first.csv", 0); // touching changes the inode: it goes last
    scans(room, 0, "second.csv third.csv first.csv", 0);
}

static void names_that_are_still_being_written_wait(void **state)
{
    struct inbox_case *room = *state;

    inbox_case_drop(room, "inbox/.hidden.csv", "1");
    inbox_case_drop(room, "inbox/a.csv.tmp", "1");
    inbox_case_drop(room, "inbox/b.csv.part", "1");
    scans(room, 0, "", 0);
    assert_true(inbox_name_waits(".tmp"));
    assert_true(inbox_name_waits("x.part"));
    assert_false(inbox_name_waits("tmp"));
    assert_false(inbox_name_waits("x.partial"));
    assert_false(inbox_name_waits("x.tmp.csv"));
}

static void young_files_wait_and_are_counted(void **state)
{
    struct inbox_case *room = *state;

    inbox_case_drop(room, "inbox/young.csv", "1");
    inbox_case_drop(room, "inbox/old.csv", "1");
    inbox_case_age(room, "inbox/old.csv", 2 * SETTLE_MS / 1000);
    pause_ms(15);
    inbox_case_drop(room, "inbox/future.csv", "1");
    inbox_case_age(room, "inbox/future.csv", -3600);
    scans(room, SETTLE_MS, "old.csv future.csv", 1);
}

static void what_is_no_file_is_named_so_that_it_can_be_told(void **state)
{
    struct inbox_case *room = *state;

    inbox_case_make_dir(room, "inbox/folder");
    scans(room, SETTLE_MS, "folder", 0);
}

// The time is told, not judged: what a look costs the loop while a hundred thousand files wait.
static void a_hundred_thousand_files_are_found_by_one_look(void **state)
{
    struct inbox_case *room = *state;
    struct queue queue = {0};
    struct timespec from;
    struct timespec to;
    size_t waiting;
    char name[32];

    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "inbox/m%06d.csv", i);
        int fd = openat(room->inbox.state_fd, name, O_WRONLY | O_CREAT, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_true(scan_inbox(&room->inbox, 0, &queue, &waiting, &room->err));
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_int_equal(queue_waiting(&queue), MANY);
    print_message("%d names found by one look in %ld ms\n", (int)MANY,
                  (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
    queue_done(&queue);
}

static void finds_claimed(struct inbox_case *room, const char *want)
{
    struct queue queue = {0};

    assert_true(scan_claimed(&room->inbox, &queue, &room->err));
    takes_all(&queue, want);
}

// Claimed in this order, each with the zero behind it.
static void write_order(struct inbox_case *room, const char *names, size_t bytes)
{
    struct bytes order;
    int fd = claim_order_open(room->inbox.state_fd, &room->err);

    bytes_init(&order);
    bytes_put(&order, names, bytes);
    assert_true(fd >= 0 && claim_order_write(fd, &order, &room->err));
    bytes_done(&order);
    close(fd);
}

static void claimed_files_are_found_in_the_order_of_their_claims(void **state)
{
    static const char names[] = "gone.csv\0c.csv\0a.csv\0d.csv";
    struct inbox_case *room = *state;

    inbox_case_drop(room, "claimed/a.csv", "1");
    inbox_case_drop(room, "claimed/c.csv", "1");
    inbox_case_drop(room, "claimed/d.csv", "1");
    write_order(room, names, sizeof names);
    finds_claimed(room, "c.csv a.csv d.csv");
    write_order(room, "d.csv", sizeof "d.csv"); // what was longer before is left behind it
    pause_ms(15);
    inbox_case_move(room, "claimed/a.csv", "claimed/aa.csv");
    finds_claimed(room, "d.csv c.csv aa.csv");
}

// Then the time of the claim counts, which many files share, and that of the last writing.
static void torn_order_of_claims_is_none(void **state)
{
    static const char names[] = "c.csv\0b.csv\0a.csv";
    struct inbox_case *room = *state;
    struct stat entry;

    inbox_case_drop(room, "claimed/a.csv", "1");
    pause_ms(15);
    inbox_case_drop(room, "claimed/b.csv", "1");
    pause_ms(15);
    inbox_case_drop(room, "claimed/c.csv", "1");
    finds_claimed(room, "a.csv b.csv c.csv");
    write_order(room, names, sizeof names);
    finds_claimed(room, "c.csv b.csv a.csv");
    assert_int_equal(fstatat(room->inbox.state_fd, "claim-order", &entry, 0), 0);
    int fd = openat(room->inbox.state_fd, "claim-order", O_RDWR);
    for (off_t at = 0; at < entry.st_size; at++) {
        unsigned char byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        unsigned char flipped = byte ^ 1;
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        finds_claimed(room, "a.csv b.csv c.csv");
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    for (off_t bytes = entry.st_size; bytes-- > 0;) {
        assert_int_equal(ftruncate(fd, bytes), 0);
        finds_claimed(room, "a.csv b.csv c.csv");
    }
    close(fd);
}

static void each_thing_is_told_once_until_it_changes(void **state)
{
    struct scan_memory memory = {0};

    (void)state;
    assert_false(scan_was_told(&memory, "a", 1));
    assert_true(scan_is_news(&memory, "a", 1));
    assert_true(scan_was_told(&memory, "a", 1));
    assert_false(scan_is_news(&memory, "a", 1));
    assert_false(scan_was_told(&memory, "a", 2));
    assert_true(scan_is_news(&memory, "a", 2));
    assert_false(scan_was_told(&memory, "a", 1));
    assert_true(scan_is_news(&memory, "b", 2));
    assert_false(scan_is_news(&memory, "b", 2));
    assert_int_equal(memory.count, 2);
    scan_memory_done(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        INBOX_TEST(files_come_in_the_order_of_their_arrival),
        INBOX_TEST(file_keeps_its_turn_whatever_its_date_says),
        INBOX_TEST(names_that_are_still_being_written_wait),
        INBOX_TEST(young_files_wait_and_are_counted),
        INBOX_TEST(what_is_no_file_is_named_so_that_it_can_be_told),
        INBOX_TEST(a_hundred_thousand_files_are_found_by_one_look),
        INBOX_TEST(claimed_files_are_found_in_the_order_of_their_claims),
        INBOX_TEST(torn_order_of_claims_is_none),
        cmocka_unit_test(each_thing_is_told_once_until_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
