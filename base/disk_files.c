// base/disk_files.c - whole files and folders, built of the calls in base/disk.c (contracts in
// disk.h).
#include "base/disk.h"

#include "base/planted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- names --------------------------------------------------------------------------------

bool disk_names_add(struct disk_names *names, const char *name, struct tally_err *err)
{
    bool full = (names->count & (names->count - 1)) == 0; // 0, or a power of two
    size_t capacity = names->count ? names->count * 2 : 1;
    char **list = full ? realloc(names->name, capacity * sizeof *list) : names->name;

    if (list) {
        names->name = list;
        names->name[names->count] = strdup(name);
    }
    if (!list || !names->name[names->count]) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for the names in a folder");
    }
    names->count++;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool disk_name_ends(const char *name, const char *ending)
{
    size_t bytes = strlen(name);
    size_t ending_bytes = strlen(ending);

    return bytes >= ending_bytes && strcmp(name + bytes - ending_bytes, ending) == 0;
}

void disk_names_sort(struct disk_names *names)
{
    if (names->count > 0) {
        qsort(names->name, names->count, sizeof *names->name, compare_names);
    }
}

void disk_names_done(struct disk_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->name[i]);
    }
    free(names->name);
    *names = (struct disk_names){0};
}

// ---- whole files --------------------------------------------------------------------------

static bool write_synced(int dir_fd, const char *path, const void *data, size_t count, mode_t mode,
                         struct tally_err *err)
{
    int fd = disk_open(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC, mode, err);

    if (fd < 0) {
        return false;
    }
    bool ok = disk_write_at(fd, data, count, 0, err) &&
              (PLANTED(NO_SYNC_BEFORE_RENAME) || disk_sync_data(fd, err));
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
    return disk_rename(dir_fd, temporary, dir_fd, path, err) &&
           (PLANTED(NO_DIRECTORY_SYNC) || disk_sync_dir(dir_fd, err));
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
    return ok && disk_rmdir(dir_fd, path, err);
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
