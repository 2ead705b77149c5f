// tests/fault/meddle.c - preloaded into tallyd: what others do between two of its calls.
//
//   TALLY_SWAP=FILE        FILE takes a name of the inbox right before tallyd renames that name
//   TALLY_SWAP_AGAIN=FILE  and this one right after it
//   TALLY_MEDDLE=WHAT      behind the first read of a claimed file somebody who still has it open
//                          makes it grow, truncates it behind one of its lines, or overwrites a
//                          byte
//   TALLY_CLOCK_BACK=MS    each look at the wall clock says so much less than the one before
//   TALLY_NO_HINTS=1       the kernel has no watch left for the inbox
//   TALLY_COUNTS=FILE      at the end: how many folders were listed, how many names looked at
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { KEPT_BYTES = 200000 }; // about: to the last whole line

static struct {
    atomic_bool swapped;
    atomic_bool meddled;
    atomic_long looks_at_clock;
    atomic_long listed;
    atomic_long looked;
} done;

static void *next_of(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

__attribute__((destructor)) static void tell_counts(void)
{
    const char *path = getenv("TALLY_COUNTS");
    FILE *out = path ? fopen(path, "w") : NULL;

    if (out) {
        fprintf(out, "%ld %ld\n", atomic_load(&done.listed), atomic_load(&done.looked));
        fclose(out);
    }
}

// Whether a descriptor is the folder of this name, or a file within it.
static bool is_within(int fd, const char *folder)
{
    char link[64];
    char target[4096];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, target, sizeof target - 1);
    target[bytes > 0 ? bytes : 0] = '\0';
    const char *found = strstr(target, folder);
    return found && (found[strlen(folder)] == '\0' || found[strlen(folder)] == '/');
}

static void put_there(const char *variable, int dir_fd, const char *name)
{
    const char *file = getenv(variable);

    if (file && syscall(SYS_renameat2, AT_FDCWD, file, dir_fd, name, 0) != 0) {
        perror(variable);
        _exit(127);
    }
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    bool first = is_within(from_fd, "/inbox") && !atomic_exchange(&done.swapped, true);

    if (first) {
        put_there("TALLY_SWAP", from_fd, from);
    }
    int result = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
    int saved = errno;
    if (first) {
        put_there("TALLY_SWAP_AGAIN", from_fd, from);
    }
    errno = saved;
    return result;
}

static void meddle(int fd, const char *what)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int writer = open(path, O_WRONLY | O_CLOEXEC);
    struct stat status;
    bool ok = writer >= 0 && fstat(writer, &status) == 0;
    if (strcmp(what, "grow") == 0) {
        ok = ok && pwrite(writer, "X-1,1,2020-10-05,Kabul,1,\n", 26, status.st_size) == 26;
    } else if (strcmp(what, "truncate") == 0) {
        char kept[KEPT_BYTES];
        ok = ok && pread(fd, kept, sizeof kept, 0) == sizeof kept;
        const char *end = ok ? memrchr(kept, '\n', sizeof kept) : NULL;
        ok = ok && end && ftruncate(writer, end + 1 - kept) == 0;
    } else {
        usleep(20000); // the time of a change has the grain of the kernel's clock tick
        ok = ok && pwrite(writer, "9", 1, status.st_size - 3) == 1;
    }
    if (!ok) {
        perror("TALLY_MEDDLE");
        _exit(127);
    }
    close(writer);
}

ssize_t read(int fd, void *data, size_t count)
{
    const char *what = getenv("TALLY_MEDDLE");
    ssize_t got = syscall(SYS_read, fd, data, count);
    int saved = errno;

    if (what && is_within(fd, "/claimed") && !atomic_exchange(&done.meddled, true)) {
        meddle(fd, what);
    }
    errno = saved;
    return got;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    const char *back = getenv("TALLY_CLOCK_BACK");
    int result = (int)syscall(SYS_clock_gettime, clock, time);

    if (back && clock == CLOCK_REALTIME) {
        long ms = strtol(back, NULL, 10) * atomic_fetch_add(&done.looks_at_clock, 1);
        time->tv_sec -= ms / 1000;
    }
    return result;
}

DIR *fdopendir(int fd)
{
    DIR *(*next)(int);
    void *found = next_of("fdopendir");

    memcpy(&next, &found, sizeof next);
    atomic_fetch_add(&done.listed, 1);
    return next(fd);
}

int fstatat(int dir_fd, const char *restrict path, struct stat *restrict status, int flags)
{
    atomic_fetch_add(&done.looked, 1);
    return (int)syscall(SYS_newfstatat, dir_fd, path, status, flags);
}

int fstatat64(int dir_fd, const char *restrict path, struct stat64 *restrict status, int flags)
{
    atomic_fetch_add(&done.looked, 1);
    return (int)syscall(SYS_newfstatat, dir_fd, path, status, flags);
}

int inotify_add_watch(int fd, const char *path, uint32_t events)
{
    if (getenv("TALLY_NO_HINTS")) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_inotify_add_watch, fd, path, events);
}
