// base/disk.c - each function one system call (contracts in disk.h); tests link another disk
// instead.
#include "base/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h> // renameat2
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

int disk_open(int dir_fd, const char *path, int flags, mode_t mode, struct tally_err *err)
{
    int fd;

    do {
        fd = openat(dir_fd, path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        err_sys(err, "open %s", path);
    }
    return fd;
}

void disk_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

static const char *kind_of(mode_t mode)
{
    return S_ISREG(mode)    ? "regular file"
           : S_ISDIR(mode)  ? "directory"
           : S_ISLNK(mode)  ? "symbolic link"
           : S_ISFIFO(mode) ? "FIFO"
           : S_ISSOCK(mode) ? "socket"
           : S_ISBLK(mode)  ? "block device"
           : S_ISCHR(mode)  ? "character device"
                            : "unknown thing";
}

static struct disk_entry entry_of(const struct stat *status)
{
    return (struct disk_entry){
        .regular = S_ISREG(status->st_mode),
        .kind = kind_of(status->st_mode),
        .links = status->st_nlink,
        .bytes = (uint64_t)status->st_size,
        .device = status->st_dev,
        .inode = status->st_ino,
        .modified_ms = status->st_mtim.tv_sec * INT64_C(1000) + status->st_mtim.tv_nsec / 1000000,
        .changed_ns = status->st_ctim.tv_sec * INT64_C(1000000000) + status->st_ctim.tv_nsec};
}

bool disk_look(int dir_fd, const char *path, struct disk_entry *out_entry, struct tally_err *err)
{
    struct stat status;

    if (fstatat(dir_fd, path, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_sys(err, "stat %s", path);
    }
    *out_entry = entry_of(&status);
    return true;
}

bool disk_look_open(int fd, struct disk_entry *out_entry, struct tally_err *err)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return err_sys(err, "fstat");
    }
    *out_entry = entry_of(&status);
    return true;
}

static bool is_plain_name(const char *path)
{
    return !strchr(path, '/') && strcmp(path, "..") != 0;
}

int disk_open_beneath(int dir_fd, const char *path, struct tally_err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    long fd;

    do {
        fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
    } while (fd < 0 && errno == EINTR);
    // systemd's RestrictSUIDSGID= takes openat2 away, since its filter cannot read the mode there.
    // Of a plain name nothing but the last step can be a symbolic link.
    if (fd < 0 && errno == ENOSYS && is_plain_name(path)) {
        return disk_open(dir_fd, path, (int)how.flags, 0, err);
    }
    if (fd < 0) {
        err_sys(err, "open %s", path);
    }
    return (int)fd;
}

// A read lease is refused while anybody has the file open for writing (fcntl(2), F_SETLEASE).
enum disk_writers disk_writers(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        fcntl(fd, F_SETLEASE, F_UNLCK);
        return DISK_WRITERS_NONE;
    }
    return errno == EAGAIN ? DISK_WRITERS_SOME : DISK_WRITERS_UNKNOWN;
}

bool disk_lock(int fd, struct tally_err *err)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        return true;
    }
    return errno == EWOULDBLOCK ? err_set(err, TALLY_BUSY, "somebody else holds the lock")
                                : err_sys(err, "lock");
}

ssize_t disk_read(int fd, void *data, size_t count, struct tally_err *err)
{
    ssize_t got;

    do {
        got = read(fd, data, count);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        err_sys(err, "read");
    }
    return got;
}

ssize_t disk_read_at(int fd, void *data, size_t count, uint64_t offset, struct tally_err *err)
{
    ssize_t got;

    do {
        got = pread(fd, data, count, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        err_sys(err, "read at %llu", (unsigned long long)offset);
    }
    return got;
}

bool disk_write_at(int fd, const void *data, size_t count, uint64_t offset, struct tally_err *err)
{
    const unsigned char *at = data;

    while (count > 0) {
        ssize_t put = pwrite(fd, at, count, (off_t)offset);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return err_sys(err, "write");
        }
        at += put;
        offset += (uint64_t)put;
        count -= (size_t)put;
    }
    return true;
}

bool disk_bytes(int fd, uint64_t *out_bytes, struct tally_err *err)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return err_sys(err, "fstat");
    }
    *out_bytes = (uint64_t)status.st_size;
    return true;
}

bool disk_truncate(int fd, uint64_t bytes, struct tally_err *err)
{
    int failed;

    do {
        failed = ftruncate(fd, (off_t)bytes);
    } while (failed && errno == EINTR);
    return failed ? err_sys(err, "ftruncate") : true;
}

// The kernel may have dropped what it could not write, and says so once only.
static bool sync_failed(const char *call, struct tally_err *err)
{
    err_sys(err, "%s", call);
    err->code = TALLY_SYNC_FAILED;
    return false;
}

bool disk_sync_data(int fd, struct tally_err *err)
{
    return fdatasync(fd) == 0 ? true : sync_failed("fdatasync", err);
}

void disk_sync_soon(int fd)
{
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); // it neither waits nor takes an error
}

bool disk_sync_dir(int dir_fd, struct tally_err *err)
{
    return fsync(dir_fd) == 0 ? true : sync_failed("fsync of a directory", err);
}

bool disk_forget(int fd, uint64_t offset, struct tally_err *err)
{
    int failed = posix_fadvise(fd, (off_t)offset, 0, POSIX_FADV_DONTNEED);

    errno = failed;
    return failed ? err_sys(err, "posix_fadvise") : true;
}

bool disk_room(int fd, uint64_t *out_bytes, struct tally_err *err)
{
    struct statvfs status;

    if (fstatvfs(fd, &status) != 0) {
        return err_sys(err, "fstatvfs");
    }
    // A file system that counts no blocks cannot say.
    *out_bytes = status.f_blocks > 0 ? (uint64_t)status.f_bavail * status.f_frsize : UINT64_MAX;
    return true;
}

bool disk_rename(int from_dir_fd, const char *from, int to_dir_fd, const char *to,
                 struct tally_err *err)
{
    if (renameat(from_dir_fd, from, to_dir_fd, to) != 0) {
        return err_sys(err, "rename %s to %s", from, to);
    }
    return true;
}

bool disk_rename_new(int from_dir_fd, const char *from, int to_dir_fd, const char *to,
                     struct tally_err *err)
{
    if (renameat2(from_dir_fd, from, to_dir_fd, to, RENAME_NOREPLACE) != 0) {
        return err_sys(err, "rename %s to %s", from, to);
    }
    return true;
}

bool disk_exchange(int one_dir_fd, const char *one, int other_dir_fd, const char *other,
                   struct tally_err *err)
{
    if (renameat2(one_dir_fd, one, other_dir_fd, other, RENAME_EXCHANGE) != 0) {
        return err_sys(err, "exchange %s and %s", one, other);
    }
    return true;
}

void disk_touch(int dir_fd, const char *path)
{
    (void)utimensat(dir_fd, path, NULL, AT_SYMLINK_NOFOLLOW);
}

bool disk_unlink(int dir_fd, const char *path, struct tally_err *err)
{
    if (unlinkat(dir_fd, path, 0) != 0 && errno != ENOENT) {
        return err_sys(err, "unlink %s", path);
    }
    return true;
}

bool disk_rmdir(int dir_fd, const char *path, struct tally_err *err)
{
    return unlinkat(dir_fd, path, AT_REMOVEDIR) == 0 ? true : err_sys(err, "rmdir %s", path);
}

bool disk_mkdir(int dir_fd, const char *path, mode_t mode, struct tally_err *err)
{
    if (mkdirat(dir_fd, path, mode) != 0 && errno != EEXIST) {
        return err_sys(err, "mkdir %s", path);
    }
    return true;
}

bool disk_list(int dir_fd, const char *path, struct disk_names *out_names, struct tally_err *err)
{
    struct disk_names names = {0};
    int fd = disk_open(dir_fd, path, O_RDONLY | O_DIRECTORY, 0, err);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir) {
        disk_close(fd);
        return fd < 0 ? false : err_sys(err, "list %s", path);
    }
    bool ok = true;
    struct dirent *entry;
    while (ok && (errno = 0, entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            ok = disk_names_add(&names, entry->d_name, err);
        }
    }
    if (ok && errno != 0) {
        ok = err_sys(err, "list %s", path);
    }
    closedir(dir);
    if (!ok) {
        disk_names_done(&names);
        return false;
    }
    disk_names_sort(&names);
    *out_names = names;
    return true;
}
