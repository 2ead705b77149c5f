#include "base/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
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

int disk_open_beneath(int dir_fd, const char *path, struct tally_err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    long fd;

    do {
        fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        err_sys(err, "open %s", path);
    }
    return (int)fd;
}

// A read lease is refused while anybody has the file open for writing (fcntl(2), F_SETLEASE).
bool disk_is_being_written(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        fcntl(fd, F_SETLEASE, F_UNLCK);
        return false;
    }
    return errno == EAGAIN;
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

bool disk_sync_data(int fd, struct tally_err *err)
{
    return fdatasync(fd) == 0 ? true : err_sys(err, "fdatasync");
}

bool disk_sync_dir(int dir_fd, struct tally_err *err)
{
    return fsync(dir_fd) == 0 ? true : err_sys(err, "fsync of a directory");
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

bool disk_unlink(int dir_fd, const char *path, struct tally_err *err)
{
    if (unlinkat(dir_fd, path, 0) != 0 && errno != ENOENT) {
        return err_sys(err, "unlink %s", path);
    }
    return true;
}

bool disk_mkdir(int dir_fd, const char *path, mode_t mode, struct tally_err *err)
{
    if (mkdirat(dir_fd, path, mode) != 0 && errno != EEXIST) {
        return err_sys(err, "mkdir %s", path);
    }
    return true;
}

static bool write_synced(int dir_fd, const char *path, const void *data, size_t count, mode_t mode,
                         struct tally_err *err)
{
    int fd = disk_open(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC, mode, err);

    if (fd < 0) {
        return false;
    }
    bool ok = disk_write_at(fd, data, count, 0, err) && disk_sync_data(fd, err);
    disk_close(fd);
    return ok;
}

bool disk_replace(int dir_fd, const char *path, const void *data, size_t count, mode_t mode,
                  struct tally_err *err)
{
    char temporary[300];

    if ((size_t)snprintf(temporary, sizeof temporary, "%s.tmp", path) >= sizeof temporary) {
        return err_set(err, TALLY_INVALID, "name too long: %.80s", path);
    }
    if (!write_synced(dir_fd, temporary, data, count, mode, err)) {
        struct tally_err ignored;
        disk_unlink(dir_fd, temporary, &ignored);
        return err_wrap(err, "write %s", temporary);
    }
    return disk_rename(dir_fd, temporary, dir_fd, path, err) && disk_sync_dir(dir_fd, err);
}

static bool load_open(int fd, size_t bytes_max, unsigned char **out_data, size_t *out_count,
                      struct tally_err *err)
{
    size_t capacity = 65536;
    size_t count = 0;
    unsigned char *data = malloc(capacity);
    ssize_t got = 1;

    while (data && got > 0 && count <= bytes_max) {
        if (count == capacity) {
            unsigned char *grown = realloc(data, capacity *= 2);
            if (!grown) {
                free(data);
            }
            data = grown;
            continue;
        }
        got = disk_read(fd, data + count, capacity - count, err);
        count += got > 0 ? (size_t)got : 0;
    }
    if (!data) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu bytes", capacity);
    }
    if (got < 0 || count > bytes_max) {
        free(data);
        return got < 0 ? false : err_set(err, TALLY_LIMIT, "larger than %zu bytes", bytes_max);
    }
    *out_data = data;
    *out_count = count;
    return true;
}

bool disk_load(int dir_fd, const char *path, size_t bytes_max, unsigned char **out_data,
               size_t *out_count, struct tally_err *err)
{
    int fd = disk_open(dir_fd, path, O_RDONLY | O_NOCTTY, 0, err);

    if (fd < 0) {
        return false;
    }
    bool ok = load_open(fd, bytes_max, out_data, out_count, err);
    disk_close(fd);
    return ok ? true : err_wrap(err, "load %s", path);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_name(struct disk_names *names, size_t *capacity, const char *name)
{
    if (names->count == *capacity) {
        size_t grown = *capacity ? *capacity * 2 : 64;
        char **list = realloc(names->name, grown * sizeof *list);
        if (!list) {
            return false;
        }
        names->name = list;
        *capacity = grown;
    }
    names->name[names->count] = strdup(name);
    return names->name[names->count] && ++names->count;
}

bool disk_list(int dir_fd, const char *path, struct disk_names *out_names, struct tally_err *err)
{
    struct disk_names names = {0};
    size_t capacity = 0;
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
            ok = add_name(&names, &capacity, entry->d_name)
                     ? true
                     : err_set(err, TALLY_NO_MEMORY, "no memory for the names in %s", path);
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
    if (names.count > 0) {
        qsort(names.name, names.count, sizeof *names.name, compare_names);
    }
    *out_names = names;
    return true;
}

void disk_names_done(struct disk_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->name[i]);
    }
    free(names->name);
    *names = (struct disk_names){0};
}

static bool copy_bytes(int from_fd, int to_fd, struct tally_err *err)
{
    unsigned char data[65536];
    uint64_t offset = 0;
    ssize_t got;

    while ((got = disk_read(from_fd, data, sizeof data, err)) > 0) {
        if (!disk_write_at(to_fd, data, (size_t)got, offset, err)) {
            return false;
        }
        offset += (uint64_t)got;
    }
    return got == 0;
}

bool disk_copy(int from_dir_fd, const char *from, int to_dir_fd, const char *to, mode_t mode,
               struct tally_err *err)
{
    int from_fd = disk_open(from_dir_fd, from, O_RDONLY | O_NOCTTY, 0, err);
    int to_fd = from_fd < 0 ? -1 : disk_open(to_dir_fd, to, O_WRONLY | O_CREAT | O_EXCL, mode, err);
    bool ok = to_fd >= 0 && copy_bytes(from_fd, to_fd, err);

    disk_close(from_fd);
    disk_close(to_fd);
    return ok ? true : err_wrap(err, "copy %s", from);
}

static bool remove_below(int dir_fd, const char *path, struct tally_err *err)
{
    struct disk_names names;
    int fd = disk_open(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err);
    bool ok = fd >= 0 && disk_list(fd, ".", &names, err);

    if (!ok) {
        disk_close(fd);
        return false;
    }
    for (size_t i = 0; ok && i < names.count; i++) {
        ok = disk_remove_tree(fd, names.name[i], err);
    }
    disk_names_done(&names);
    disk_close(fd);
    return ok && (unlinkat(dir_fd, path, AT_REMOVEDIR) == 0 || err_sys(err, "rmdir %s", path));
}

bool disk_remove_tree(int dir_fd, const char *path, struct tally_err *err)
{
    struct disk_entry entry;

    if (!disk_look(dir_fd, path, &entry, err)) {
        return err->sys_errno == ENOENT;
    }
    return strcmp(entry.kind, "directory") == 0 ? remove_below(dir_fd, path, err)
                                                : disk_unlink(dir_fd, path, err);
}
