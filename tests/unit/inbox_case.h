// tests/unit/inbox_case.h - the folders of a daemon in a place of their own.
#ifndef TESTS_INBOX_CASE_H
#define TESTS_INBOX_CASE_H

#include "daemon/inbox.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define INBOX_TEST(test) cmocka_unit_test_setup_teardown(test, inbox_case_open, inbox_case_close)

struct inbox_case {
    char dir[40];
    struct inbox inbox;
    struct tally_err err;
};

static inline int inbox_case_open(void **state)
{
    struct inbox_case *room = calloc(1, sizeof *room);

    assert_non_null(room);
    // In memory where there is some: one test makes very many files.
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(room->dir, sizeof room->dir, "%s/tally-test-XXXXXX", parent);
    assert_non_null(mkdtemp(room->dir));
    if (!inbox_open(&room->inbox, room->dir, &room->err)) {
        fail_msg("%s", room->err.message);
    }
    *state = room;
    return 0;
}

static inline int inbox_case_close(void **state)
{
    struct inbox_case *room = *state;

    inbox_close(&room->inbox);
    assert_true(disk_remove_tree(AT_FDCWD, room->dir, &room->err));
    free(room);
    return 0;
}

static inline void inbox_case_drop(struct inbox_case *room, const char *path, const char *content)
{
    int fd = openat(room->inbox.state_fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static inline void inbox_case_make_dir(struct inbox_case *room, const char *path)
{
    assert_int_equal(mkdirat(room->inbox.state_fd, path, 0700), 0);
}

static inline void inbox_case_move(struct inbox_case *room, const char *from, const char *to)
{
    assert_int_equal(renameat(room->inbox.state_fd, from, room->inbox.state_fd, to), 0);
}

// Sets the time of its last change, so many seconds ago.
static inline void inbox_case_age(struct inbox_case *room, const char *path, long seconds)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - seconds}};

    assert_int_equal(utimensat(room->inbox.state_fd, path, times, 0), 0);
}

static inline bool inbox_case_has(struct inbox_case *room, const char *path)
{
    return faccessat(room->inbox.state_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#endif
