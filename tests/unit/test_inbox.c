// What may come in, and where it goes.
#include "daemon/inbox.h"

#include "tests/unit/inbox_case.h"

#include <sys/socket.h>
#include <sys/un.h>

static void folders_are_made_and_locked(void **state)
{
    struct inbox_case *room = *state;
    struct inbox second;

    assert_true(inbox_case_has(room, "inbox"));
    assert_true(inbox_case_has(room, "claimed"));
    assert_true(inbox_case_has(room, "done"));
    assert_true(inbox_case_has(room, "rejected"));
    assert_false(inbox_open(&second, room->dir, &room->err));
    assert_int_equal(room->err.code, TALLY_BUSY);
    assert_non_null(strstr(room->err.message, room->dir));
    inbox_close(&room->inbox);
    assert_true(inbox_open(&room->inbox, room->dir, &room->err)); // the lock went with it
}

static void state_that_is_a_file_is_said_so(void **state)
{
    struct inbox_case *room = *state;
    struct inbox other;
    char path[64];

    inbox_case_drop(room, "plain", "x");
    snprintf(path, sizeof path, "%s/plain", room->dir);
    assert_false(inbox_open(&other, path, &room->err));
    assert_non_null(strstr(room->err.message, "state directory"));
}

static void claimed_file_moves_and_is_read_from_its_start(void **state)
{
    struct inbox_case *room = *state;
    struct disk_entry entry;
    char text[8] = {0};
    int fd = -1;

    inbox_case_drop(room, "inbox/a.csv", "content");
    assert_int_equal(inbox_claim(&room->inbox, "a.csv", &fd, &entry, &room->err), INBOX_CLAIMED);
    assert_int_equal(entry.bytes, 7);
    assert_int_equal(read(fd, text, 7), 7);
    assert_string_equal(text, "content");
    close(fd);
    assert_false(inbox_case_has(room, "inbox/a.csv"));
    assert_true(inbox_case_has(room, "claimed/a.csv"));
    fd = inbox_reopen(&room->inbox, "a.csv", &entry, &room->err);
    assert_true(fd >= 0);
    assert_int_equal(entry.bytes, 7);
    close(fd);
}

static void absent_name_is_gone(void **state)
{
    struct inbox_case *room = *state;
    struct disk_entry entry;
    int fd = -1;

    assert_int_equal(inbox_claim(&room->inbox, "a.csv", &fd, &entry, &room->err), INBOX_GONE);
    assert_int_equal(fd, -1);
    assert_int_equal(inbox_reopen(&room->inbox, "a.csv", &entry, &room->err), -1);
}

static void unfit(struct inbox_case *room, const char *name, const char *word)
{
    struct disk_entry entry;
    char path[64];
    int fd = -1;

    snprintf(path, sizeof path, "inbox/%s", name);
    assert_int_equal(inbox_claim(&room->inbox, name, &fd, &entry, &room->err), INBOX_UNFIT);
    assert_int_equal(fd, -1);
    if (!strstr(room->err.message, word)) {
        fail_msg("'%s' does not say '%s'", room->err.message, word);
    }
    assert_true(inbox_case_has(room, path)); // it stays
}

static void bind_socket(const char *dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s/inbox/socket", dir);
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address), 0);
    close(fd);
}

static void only_regular_files_with_one_link_are_fit(void **state)
{
    struct inbox_case *room = *state;
    int inbox_fd = room->inbox.inbox_fd;

    inbox_case_make_dir(room, "inbox/folder");
    unfit(room, "folder", "directory");
    assert_int_equal(mkfifoat(inbox_fd, "fifo", 0600), 0);
    unfit(room, "fifo", "FIFO");
    bind_socket(room->dir);
    unfit(room, "socket", "socket");
    assert_int_equal(symlinkat("/etc/passwd", inbox_fd, "link"), 0);
    unfit(room, "link", "symbolic link");
    assert_int_equal(symlinkat("nowhere", inbox_fd, "dangling"), 0);
    unfit(room, "dangling", "symbolic link");
    inbox_case_drop(room, "inbox/one", "x");
    assert_int_equal(linkat(inbox_fd, "one", inbox_fd, "two", 0), 0);
    unfit(room, "one", "2 hard links");
    unfit(room, "two", "2 hard links");
}

static void unreadable_file_is_unfit(void **state)
{
    struct inbox_case *room = *state;

    if (geteuid() == 0) {
        skip(); // root reads everything
    }
    inbox_case_drop(room, "inbox/a.csv", "x");
    assert_int_equal(fchmodat(room->inbox.inbox_fd, "a.csv", 0, 0), 0);
    unfit(room, "a.csv", "Permission denied");
}

static void names_do_not_lead_out_of_the_inbox(void **state)
{
    struct inbox_case *room = *state;
    struct disk_entry entry;
    int fd = -1;

    inbox_case_drop(room, "outside.csv", "x");
    assert_int_not_equal(inbox_claim(&room->inbox, "../outside.csv", &fd, &entry, &room->err),
                         INBOX_CLAIMED);
    assert_true(inbox_case_has(room, "outside.csv"));
    assert_int_equal(fd, -1);
}

static void file_that_is_still_open_for_writing_comes_later(void **state)
{
    struct inbox_case *room = *state;
    struct disk_entry entry;
    int fd = -1;

    inbox_case_drop(room, "inbox/a.csv", "x");
    int writer = openat(room->inbox.inbox_fd, "a.csv", O_WRONLY | O_APPEND);
    assert_int_equal(inbox_claim(&room->inbox, "a.csv", &fd, &entry, &room->err), INBOX_WRITING);
    assert_int_equal(fd, -1);
    assert_true(inbox_case_has(room, "inbox/a.csv"));
    close(writer);
    assert_int_equal(inbox_claim(&room->inbox, "a.csv", &fd, &entry, &room->err), INBOX_CLAIMED);
    close(fd);
}

static void second_file_of_a_name_that_is_worked_on_comes_later(void **state)
{
    struct inbox_case *room = *state;
    struct disk_entry entry;
    int fd = -1;

    inbox_case_drop(room, "claimed/a.csv", "being read");
    inbox_case_drop(room, "inbox/a.csv", "next");
    assert_int_equal(inbox_claim(&room->inbox, "a.csv", &fd, &entry, &room->err), INBOX_LATER);
    assert_int_equal(fd, -1);
    assert_true(inbox_case_has(room, "inbox/a.csv"));
    assert_true(inbox_case_has(room, "claimed/a.csv"));
}

static void retires_as(struct inbox_case *room, const char *name, const char *want)
{
    char retired[INBOX_NAME_BYTES];
    char path[INBOX_NAME_BYTES + 16];

    snprintf(path, sizeof path, "claimed/%s", name);
    inbox_case_drop(room, path, want);
    assert_true(inbox_retire(&room->inbox, name, room->inbox.done_fd, retired, &room->err));
    assert_string_equal(retired, want);
    assert_false(inbox_case_has(room, path));
    snprintf(path, sizeof path, "done/%s", want);
    assert_true(inbox_case_has(room, path));
}

static void retired_files_are_numbered_and_never_overwritten(void **state)
{
    struct inbox_case *room = *state;
    char longest[INBOX_NAME_BYTES];
    char numbered[INBOX_NAME_BYTES];

    retires_as(room, "a.csv", "a.csv");
    retires_as(room, "a.csv", "a.csv.2");
    retires_as(room, "a.csv.2", "a.csv.2.2");
    retires_as(room, "a.csv", "a.csv.3");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    retires_as(room, longest, longest);
    snprintf(numbered, sizeof numbered, "%.246s.2", longest);
    retires_as(room, longest, numbered);
    snprintf(numbered, sizeof numbered, "%.246s.3", longest);
    retires_as(room, longest, numbered);
}

static void retiring_what_is_not_there_says_so(void **state)
{
    struct inbox_case *room = *state;
    char retired[INBOX_NAME_BYTES];

    assert_false(inbox_retire(&room->inbox, "a.csv", room->inbox.rejected_fd, retired, &room->err));
    assert_non_null(strstr(room->err.message, "a.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        INBOX_TEST(folders_are_made_and_locked),
        INBOX_TEST(state_that_is_a_file_is_said_so),
        INBOX_TEST(claimed_file_moves_and_is_read_from_its_start),
        INBOX_TEST(absent_name_is_gone),
        INBOX_TEST(only_regular_files_with_one_link_are_fit),
        INBOX_TEST(unreadable_file_is_unfit),
        INBOX_TEST(names_do_not_lead_out_of_the_inbox),
        INBOX_TEST(file_that_is_still_open_for_writing_comes_later),
        INBOX_TEST(second_file_of_a_name_that_is_worked_on_comes_later),
        INBOX_TEST(retired_files_are_numbered_and_never_overwritten),
        INBOX_TEST(retiring_what_is_not_there_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
