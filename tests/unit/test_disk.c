#include "base/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES_MAX = 1 << 20 };

struct fixture {
    char path[64];
    int dir; // open on path
};

static int make_directory(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    if (!fixture) {
        return -1;
    }
    snprintf(fixture->path, sizeof fixture->path, "/tmp/tally-test-disk-XXXXXX");
    if (!mkdtemp(fixture->path)) {
        free(fixture);
        return -1;
    }
    fixture->dir = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = fixture;
    return fixture->dir < 0 ? -1 : 0;
}

static int remove_directory(void **state)
{
    struct fixture *fixture = *state;
    struct disk_names names;
    struct tally_err err;

    if (disk_list(fixture->dir, ".", &names, &err)) {
        for (size_t i = 0; i < names.count; i++) {
            if (unlinkat(fixture->dir, names.name[i], 0) != 0) {
                unlinkat(fixture->dir, names.name[i], AT_REMOVEDIR);
            }
        }
        disk_names_done(&names);
    }
    close(fixture->dir);
    rmdir(fixture->path);
    free(fixture);
    return 0;
}

static void put(int dir, const char *name, const char *content)
{
    struct tally_err err;

    if (!disk_replace(dir, name, content, strlen(content), 0644, &err)) {
        fail_msg("%s", err.message);
    }
}

static void holds(int dir, const char *name, const char *want)
{
    unsigned char *data = NULL;
    size_t count = 0;
    struct tally_err err;

    if (!disk_load(dir, name, BYTES_MAX, &data, &count, &err)) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(count, strlen(want));
    assert_memory_equal(data, want, count);
    free(data);
}

static bool is_there(int dir, const char *name)
{
    return faccessat(dir, name, F_OK, 0) == 0;
}

static void a_replaced_file_is_whole(void **state)
{
    const struct fixture *fixture = *state;

    put(fixture->dir, "rollup", "old");
    put(fixture->dir, "rollup", "newer and longer");
    holds(fixture->dir, "rollup", "newer and longer");
    put(fixture->dir, "rollup", "");
    holds(fixture->dir, "rollup", "");
    assert_false(is_there(fixture->dir, "rollup.tmp"));
}

static void a_failed_replacement_leaves_the_old_file(void **state)
{
    const struct fixture *fixture = *state;
    char name[300];
    struct tally_err err;

    put(fixture->dir, "rollup", "old");
    assert_true(disk_mkdir(fixture->dir, "rollup.tmp", 0755, &err));
    assert_false(disk_replace(fixture->dir, "rollup", "new", 3, 0644, &err));
    assert_int_equal(err.code, TALLY_IO);
    holds(fixture->dir, "rollup", "old");

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(disk_replace(fixture->dir, name, "new", 3, 0644, &err));
    assert_int_equal(err.code, TALLY_INVALID);
}

static void loading_stops_at_its_limit(void **state)
{
    const struct fixture *fixture = *state;
    unsigned char *data = NULL;
    size_t count = 0;
    struct tally_err err;

    put(fixture->dir, "file", "12345");
    assert_true(disk_load(fixture->dir, "file", 5, &data, &count, &err));
    assert_int_equal(count, 5);
    free(data);
    data = NULL;
    assert_false(disk_load(fixture->dir, "file", 4, &data, &count, &err));
    assert_int_equal(err.code, TALLY_LIMIT);
    assert_null(data);
}

static void large_files_are_loaded_whole(void **state)
{
    const struct fixture *fixture = *state;
    size_t want = 300001;
    unsigned char *data = NULL;
    size_t count = 0;
    struct tally_err err;
    char *content = malloc(want);

    assert_non_null(content);
    memset(content, 'y', want);
    assert_true(disk_replace(fixture->dir, "file", content, want, 0644, &err));
    assert_true(disk_load(fixture->dir, "file", BYTES_MAX, &data, &count, &err));
    assert_int_equal(count, want);
    assert_memory_equal(data, content, want);
    free(data);
    free(content);
}

static void what_is_absent_is_named(void **state)
{
    const struct fixture *fixture = *state;
    struct disk_names names;
    struct tally_err err;

    assert_int_equal(disk_open(fixture->dir, "nowhere", O_RDONLY, 0, &err), -1);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_non_null(strstr(err.message, "nowhere"));
    assert_false(disk_list(fixture->dir, "nowhere", &names, &err));
    assert_true(disk_unlink(fixture->dir, "nowhere", &err)); // gone is what was asked for
    assert_false(disk_rename(fixture->dir, "nowhere", fixture->dir, "here", &err));
    disk_close(-1);
}

static void bytes_are_written_and_read_in_place(void **state)
{
    const struct fixture *fixture = *state;
    char text[16] = "";
    uint64_t bytes = 0;
    struct tally_err err;
    int fd = disk_open(fixture->dir, "file", O_RDWR | O_CREAT, 0644, &err);

    assert_true(fd >= 0);
    assert_true(disk_write_at(fd, "0123456789", 10, 0, &err));
    assert_true(disk_write_at(fd, "abc", 3, 8, &err));
    assert_true(disk_sync_data(fd, &err));
    assert_true(disk_bytes(fd, &bytes, &err));
    assert_int_equal(bytes, 11);
    assert_int_equal(disk_read_at(fd, text, 5, 6, &err), 5);
    assert_memory_equal(text, "67abc", 5);
    assert_int_equal(disk_read_at(fd, text, 5, 9, &err), 2);
    assert_int_equal(disk_read_at(fd, text, 5, 11, &err), 0);
    assert_int_equal(disk_read(fd, text, sizeof text, &err), 11);
    assert_int_equal(disk_read(fd, text, sizeof text, &err), 0);
    assert_true(disk_truncate(fd, 4, &err));
    disk_close(fd);
    holds(fixture->dir, "file", "0123");
}

static void calls_on_a_closed_file_fail(void **state)
{
    char text[4];
    uint64_t bytes = 7;
    struct tally_err err;

    (void)state;
    assert_int_equal(disk_read(-1, text, sizeof text, &err), -1);
    assert_int_equal(disk_read_at(-1, text, sizeof text, 0, &err), -1);
    assert_false(disk_write_at(-1, "x", 1, 0, &err));
    assert_false(disk_bytes(-1, &bytes, &err));
    assert_int_equal(bytes, 7);
    assert_false(disk_truncate(-1, 0, &err));
    assert_false(disk_sync_data(-1, &err));
    assert_false(disk_sync_dir(-1, &err));
    assert_int_equal(err.sys_errno, EBADF);
}

static void a_full_disk_says_so(void **state)
{
    struct tally_err err;
    int fd = disk_open(AT_FDCWD, "/dev/full", O_WRONLY, 0, &err);

    (void)state;
    if (fd < 0) {
        skip();
    }
    assert_false(disk_write_at(fd, "x", 1, 0, &err));
    assert_int_equal(err.code, TALLY_NO_SPACE);
    disk_close(fd);
}

static void a_rename_to_something_new_never_replaces(void **state)
{
    const struct fixture *fixture = *state;
    struct tally_err err;

    put(fixture->dir, "a", "a");
    put(fixture->dir, "b", "b");
    assert_false(disk_rename_new(fixture->dir, "a", fixture->dir, "b", &err));
    assert_int_equal(err.sys_errno, EEXIST);
    holds(fixture->dir, "b", "b");
    assert_true(disk_rename_new(fixture->dir, "a", fixture->dir, "c", &err));
    assert_true(disk_rename(fixture->dir, "c", fixture->dir, "b", &err));
    assert_true(disk_sync_dir(fixture->dir, &err));
    holds(fixture->dir, "b", "a");
}

static void names_are_listed_in_byte_order(void **state)
{
    static const char *const want[] = {"B", "a", "a.csv", "sub", "\xc3\xa4"};
    const struct fixture *fixture = *state;
    struct disk_names names;
    struct tally_err err;

    assert_true(disk_list(fixture->dir, ".", &names, &err));
    assert_int_equal(names.count, 0);
    disk_names_done(&names);

    put(fixture->dir, "a.csv", "");
    put(fixture->dir, "\xc3\xa4", "");
    put(fixture->dir, "B", "");
    put(fixture->dir, "a", "");
    assert_true(disk_mkdir(fixture->dir, "sub", 0755, &err));
    assert_true(disk_mkdir(fixture->dir, "sub", 0755, &err)); // there already is fine
    assert_true(disk_list(fixture->dir, ".", &names, &err));
    assert_int_equal(names.count, sizeof want / sizeof *want);
    for (size_t i = 0; i < names.count; i++) {
        assert_string_equal(names.name[i], want[i]);
    }
    disk_names_done(&names);
    assert_int_equal(names.count, 0);
}

static void many_names_are_listed(void **state)
{
    const struct fixture *fixture = *state;
    struct disk_names names;
    struct tally_err err;
    char name[16];

    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "%03d.csv", i);
        disk_close(disk_open(fixture->dir, name, O_WRONLY | O_CREAT, 0644, &err));
    }
    assert_true(disk_list(fixture->dir, ".", &names, &err));
    assert_int_equal(names.count, 200);
    assert_string_equal(names.name[199], "199.csv");
    disk_names_done(&names);
}

static void exchange_gives_each_name_what_the_other_had(void **state)
{
    const struct fixture *fixture = *state;
    struct tally_err err;
    unsigned char *data;
    size_t count;

    assert_true(disk_mkdir(fixture->dir, "one", 0755, &err));
    put(fixture->dir, "two", "text");
    assert_true(disk_exchange(fixture->dir, "one", fixture->dir, "two", &err));
    assert_true(disk_load(fixture->dir, "one", 100, &data, &count, &err));
    assert_int_equal(count, 4);
    free(data);
    assert_false(disk_exchange(fixture->dir, "one", fixture->dir, "absent", &err));
    assert_int_equal(err.sys_errno, ENOENT);
}

static void a_failed_sync_is_told_apart(void **state)
{
    struct tally_err err;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0); // nothing that could be synced
    assert_false(disk_sync_data(ends[1], &err));
    assert_int_equal(err.code, TALLY_SYNC_FAILED);
    assert_int_equal(err.sys_errno, EINVAL);
    assert_false(disk_sync_dir(ends[1], &err));
    assert_int_equal(err.code, TALLY_SYNC_FAILED);
    close(ends[0]);
    close(ends[1]);
}

static void what_is_forgotten_is_read_again(void **state)
{
    const struct fixture *fixture = *state;
    struct tally_err err;

    put(fixture->dir, "kept", "on the disk");
    int fd = disk_open(fixture->dir, "kept", O_RDWR, 0, &err);
    assert_true(disk_sync_data(fd, &err));
    assert_true(disk_forget(fd, 3, &err));
    disk_close(fd);
    holds(fixture->dir, "kept", "on the disk");
    assert_false(disk_forget(-1, 0, &err));
    assert_int_equal(err.sys_errno, EBADF);
}

static void room_is_what_the_file_system_has(void **state)
{
    const struct fixture *fixture = *state;
    struct tally_err err;
    uint64_t bytes = 0;

    assert_true(disk_room(fixture->dir, &bytes, &err));
    assert_true(bytes > 0);
    int fd = disk_open(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY, 0, &err);
    assert_true(disk_room(fd, &bytes, &err)); // it counts no blocks: nothing keeps us from trying
    assert_true(bytes == UINT64_MAX);
    disk_close(fd);
    assert_false(disk_room(-1, &bytes, &err));
    assert_int_equal(err.sys_errno, EBADF);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

// What systemd's RestrictSUIDSGID= does to a process.
static bool take_openat2_away(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// 0: all as it should be; else which step was not. In a child, which stays without openat2.
static int open_without_openat2(int dir)
{
    struct tally_err err;
    struct tally_err link_err;
    struct tally_err path_err;
    struct tally_err parent_err;

    if (!take_openat2_away() || syscall(SYS_openat2, dir, "plain", NULL, 0) != -1 ||
        errno != ENOSYS) {
        return 1;
    }
    return disk_open_beneath(dir, "plain", &err) < 0                                           ? 2
           : disk_open_beneath(dir, "link", &link_err) >= 0 || link_err.sys_errno != ELOOP     ? 3
           : disk_open_beneath(dir, "a/plain", &path_err) >= 0 || path_err.sys_errno != ENOSYS ? 4
           : disk_open_beneath(dir, "..", &parent_err) >= 0 || parent_err.sys_errno != ENOSYS  ? 5
                                                                                               : 0;
}

static void plain_names_are_opened_without_openat2(void **state)
{
    const struct fixture *fixture = *state;
    int status = 0;

    put(fixture->dir, "plain", "x");
    assert_int_equal(symlinkat("plain", fixture->dir, "link"), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        exit(open_without_openat2(fixture->dir)); // not _exit: coverage is counted at the exit
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(a_replaced_file_is_whole),
        ON_DISK(a_failed_replacement_leaves_the_old_file),
        ON_DISK(loading_stops_at_its_limit),
        ON_DISK(large_files_are_loaded_whole),
        ON_DISK(what_is_absent_is_named),
        ON_DISK(bytes_are_written_and_read_in_place),
        cmocka_unit_test(calls_on_a_closed_file_fail),
        cmocka_unit_test(a_full_disk_says_so),
        cmocka_unit_test(a_failed_sync_is_told_apart),
        ON_DISK(what_is_forgotten_is_read_again),
        ON_DISK(room_is_what_the_file_system_has),
        ON_DISK(a_rename_to_something_new_never_replaces),
        ON_DISK(names_are_listed_in_byte_order),
        ON_DISK(many_names_are_listed),
        ON_DISK(exchange_gives_each_name_what_the_other_had),
        ON_DISK(plain_names_are_opened_without_openat2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
