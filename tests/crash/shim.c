// tests/crash/shim.c - preloaded into tallyd: lets the N-th change to the disk go wrong.
//
//   TALLY_FAULT=N:KIND      kill-before kill-after kill-torn   SIGKILL around the N-th change
//                           EIO ENOSPC EDQUOT                  it fails
//                           full                               from it on, nothing new finds room
//                           short                              it writes only half
//                           sync-drops                         a sync fails, and what was written
//                           to
//                                                              the file since the last one is gone
//   TALLY_FAULT_LOG=FILE    one line a change: its number, its name, what it was done to
//
// Everything goes through libc's syscall(), which is found once; a program that calls syscall()
// itself comes by here too. Writes to what is no regular file (logs, wake-ups) are no changes.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

enum kind { NONE, KILL_BEFORE, KILL_AFTER, KILL_TORN, FAIL, FULL, SHORT, SYNC_DROPS };
enum { UNDO_MAX = 4096 };

// What stood where an unsynced write went, so that it can be taken back.
struct undo {
    ino_t inode;
    off_t offset;
    off_t bytes_before; // of the file
    size_t count;
    unsigned char *data;
};

struct change {
    const char *name;
    const char *path; // NULL: it is done to the descriptor
    long number;      // of the system call
    long argument[6];
    bool writes; // argument[2] is a count of bytes
    bool grows;  // needs room on the disk
};

static struct {
    long (*call)(long, ...);
    atomic_long count;
    long at;
    enum kind kind;
    int error;
    int log_fd;
    struct undo undo[UNDO_MAX];
    size_t undo_count;
} shim = {.log_fd = -1};

static void parse_fault(const char *text)
{
    static const struct {
        const char *name;
        enum kind kind;
        int error;
    } kinds[] = {{"kill-before", KILL_BEFORE, 0}, {"kill-after", KILL_AFTER, 0},
                 {"kill-torn", KILL_TORN, 0},     {"EIO", FAIL, EIO},
                 {"ENOSPC", FAIL, ENOSPC},        {"EDQUOT", FAIL, EDQUOT},
                 {"full", FULL, ENOSPC},          {"short", SHORT, 0},
                 {"sync-drops", SYNC_DROPS, EIO}};
    char *name;

    shim.at = strtol(text, &name, 10);
    for (size_t i = 0; *name == ':' && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(name + 1, kinds[i].name) == 0) {
            shim.kind = kinds[i].kind;
            shim.error = kinds[i].error;
            return;
        }
    }
    fprintf(stderr, "shim: TALLY_FAULT=%s is not understood\n", text);
    _exit(127);
}

__attribute__((constructor)) static void init(void)
{
    void *found = dlsym(RTLD_NEXT, "syscall");
    const char *fault = getenv("TALLY_FAULT");
    const char *log = getenv("TALLY_FAULT_LOG");

    memcpy(&shim.call, &found, sizeof found);
    if (fault) {
        parse_fault(fault);
    }
    if (log) {
        shim.log_fd = (int)shim.call(SYS_openat, AT_FDCWD, log,
                                     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

static long carry_out(const struct change *change)
{
    const long *a = change->argument;
    return shim.call(change->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void note(const struct change *change, long number)
{
    char link[64];
    char target[4096] = "";
    char line[4200];

    if (shim.log_fd < 0) {
        return;
    }
    if (!change->path) {
        snprintf(link, sizeof link, "/proc/self/fd/%ld", change->argument[0]);
        ssize_t bytes = readlink(link, target, sizeof target - 1);
        target[bytes > 0 ? bytes : 0] = '\0';
    }
    int bytes = snprintf(line, sizeof line, "%ld %s %s\n", number, change->name,
                         change->path ? change->path : target);
    shim.call(SYS_write, shim.log_fd, line, (size_t)bytes);
}

_Noreturn static void die(void)
{
    shim.call(SYS_kill, getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

static long fail(void)
{
    errno = shim.error;
    return -1;
}

// ---- a sync that drops what it should have written ----------------------------------------

static void remember(int fd, size_t count, off_t offset)
{
    struct undo *undo = &shim.undo[shim.undo_count];
    struct stat status;

    if (shim.kind != SYNC_DROPS || shim.undo_count == UNDO_MAX || fstat(fd, &status) != 0) {
        return;
    }
    *undo = (struct undo){.inode = status.st_ino,
                          .offset = offset,
                          .bytes_before = status.st_size,
                          .data = malloc(count)};
    if (undo->data) {
        ssize_t got = pread(fd, undo->data, count, offset);
        undo->count = got > 0 ? (size_t)got : 0;
        shim.undo_count++;
    }
}

// The file as it was after its last sync; or only that it need not be taken back any more.
static void settle(int fd, bool drops)
{
    struct stat status;
    size_t left = 0;

    if (fstat(fd, &status) != 0) {
        return;
    }
    for (size_t i = shim.undo_count; drops && i-- > 0;) { // the newest write first
        const struct undo *undo = &shim.undo[i];
        if (undo->inode == status.st_ino) {
            shim.call(SYS_pwrite64, fd, (long)undo->data, (long)undo->count, (long)undo->offset);
            shim.call(SYS_ftruncate, fd, (long)undo->bytes_before);
        }
    }
    for (size_t i = 0; i < shim.undo_count; i++) {
        if (shim.undo[i].inode == status.st_ino) {
            free(shim.undo[i].data);
        } else {
            shim.undo[left++] = shim.undo[i];
        }
    }
    shim.undo_count = left;
}

static bool is_sync(const struct change *change)
{
    return change->number == SYS_fsync || change->number == SYS_fdatasync;
}

static long change_disk(struct change change)
{
    long number = atomic_fetch_add(&shim.count, 1) + 1;

    note(&change, number);
    if (shim.kind == FULL && number >= shim.at) {
        return change.grows ? fail() : carry_out(&change);
    }
    if (shim.kind == NONE || number != shim.at) {
        if (is_sync(&change)) {
            settle((int)change.argument[0], false);
        }
        return carry_out(&change);
    }
    switch (shim.kind) {
    case KILL_AFTER:
        carry_out(&change);
        die();
    case KILL_TORN:
        change.argument[2] /= 2;
        if (change.writes) {
            carry_out(&change);
        }
        die();
    case FAIL:
        return fail();
    case SYNC_DROPS:
        if (!is_sync(&change)) {
            return carry_out(&change);
        }
        settle((int)change.argument[0], true);
        return fail();
    case SHORT:
        change.argument[2] -= change.writes ? change.argument[2] / 2 : 0;
        return carry_out(&change);
    default:
        die();
    }
}

static bool is_file(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

// ---- what a program calls -----------------------------------------------------------------

static int open_at(int dir_fd, const char *path, int flags, unsigned mode)
{
    struct change change = {.name = "openat",
                            .path = path,
                            .number = SYS_openat,
                            .argument = {dir_fd, (long)path, flags, mode},
                            .grows = true};
    return (int)(flags & (O_CREAT | O_TRUNC) ? change_disk(change) : carry_out(&change));
}

int openat(int dir_fd, const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    unsigned mode = flags & O_CREAT ? va_arg(args, unsigned) : 0;
    va_end(args);
    return open_at(dir_fd, path, flags, mode);
}

int openat64(int dir_fd, const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    unsigned mode = flags & O_CREAT ? va_arg(args, unsigned) : 0;
    va_end(args);
    return open_at(dir_fd, path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t count)
{
    struct change change = {.name = "write",
                            .number = SYS_write,
                            .argument = {fd, (long)data, (long)count},
                            .writes = true,
                            .grows = true};
    return is_file(fd) ? change_disk(change) : carry_out(&change);
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset)
{
    remember(fd, count, offset);
    return change_disk((struct change){.name = "pwrite",
                                       .number = SYS_pwrite64,
                                       .argument = {fd, (long)data, (long)count, offset},
                                       .writes = true,
                                       .grows = true});
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset)
{
    return pwrite(fd, data, count, offset);
}

int ftruncate(int fd, off_t bytes)
{
    return (int)change_disk(
        (struct change){.name = "ftruncate", .number = SYS_ftruncate, .argument = {fd, bytes}});
}

int ftruncate64(int fd, off64_t bytes)
{
    return ftruncate(fd, bytes);
}

int fdatasync(int fd)
{
    return (int)change_disk(
        (struct change){.name = "fdatasync", .number = SYS_fdatasync, .argument = {fd}});
}

int fsync(int fd)
{
    return (int)change_disk(
        (struct change){.name = "fsync", .number = SYS_fsync, .argument = {fd}});
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    return (int)change_disk(
        (struct change){.name = "renameat",
                        .path = from,
                        .number = SYS_renameat2,
                        .argument = {from_fd, (long)from, to_fd, (long)to, flags}});
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return renameat2(from_fd, from, to_fd, to, 0);
}

int unlinkat(int dir_fd, const char *path, int flags)
{
    return (int)change_disk((struct change){.name = "unlinkat",
                                            .path = path,
                                            .number = SYS_unlinkat,
                                            .argument = {dir_fd, (long)path, flags}});
}

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    return (int)change_disk((struct change){.name = "mkdirat",
                                            .path = path,
                                            .number = SYS_mkdirat,
                                            .argument = {dir_fd, (long)path, mode},
                                            .grows = true});
}

// A read lease that somebody breaks: hold it long enough for a test to do so.
int fcntl(int fd, int command, ...)
{
    va_list args;

    va_start(args, command);
    long argument = va_arg(args, long);
    va_end(args);
    int result = (int)shim.call(SYS_fcntl, fd, command, argument);
    if (command == F_SETLEASE && argument == F_RDLCK && result == 0 && getenv("TALLY_HOLD_LEASE")) {
        note(&(struct change){.name = "lease", .argument = {fd}}, 0);
        usleep(300000);
    }
    return result;
}

int fcntl64(int fd, int command, ...)
{
    va_list args;

    va_start(args, command);
    long argument = va_arg(args, long);
    va_end(args);
    return fcntl(fd, command, argument);
}

static bool creates(const struct change *change)
{
    const struct open_how *how = (const struct open_how *)change->argument[2];
    return change->number == SYS_openat2 && how->flags & (O_CREAT | O_TRUNC);
}

long syscall(long number, ...)
{
    struct change change = {.name = "syscall", .number = number};
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        change.argument[i] = va_arg(args, long);
    }
    va_end(args);
    bool changes = creates(&change) || number == SYS_renameat2 || number == SYS_fallocate ||
                   number == SYS_copy_file_range;
    change.grows = changes && number != SYS_renameat2;
    return changes ? change_disk(change) : carry_out(&change);
}
