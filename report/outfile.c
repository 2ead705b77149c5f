#include "report/outfile.h"

#include "base/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_BYTES = 4096, DATABASE_ID_AT = 68 };

static bool ends_with(const char *path, const char *ending)
{
    size_t bytes = strlen(path);
    size_t ending_bytes = strlen(ending);

    return bytes > ending_bytes && strcmp(path + bytes - ending_bytes, ending) == 0 &&
           path[bytes - ending_bytes - 1] != '/';
}

bool outfile_kind_of(const char *path, enum outfile_kind *out_kind, struct tally_err *err)
{
    static const struct {
        const char *ending;
        enum outfile_kind kind;
    } kinds[] = {
        {".db", OUTFILE_DATABASE}, {".sqlite", OUTFILE_DATABASE}, {".sqlite3", OUTFILE_DATABASE},
        {".csv", OUTFILE_CSV},     {".html", OUTFILE_PAGE},       {".htm", OUTFILE_PAGE},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (ends_with(path, kinds[i].ending)) {
            *out_kind = kinds[i].kind;
            return true;
        }
    }
    return err_set(err, TALLY_INVALID,
                   "--to %.120s: the name has to end in .db (SQLite), .csv or .html", path);
}

static bool is_database(const unsigned char *head, size_t count)
{
    static const char magic[16] = "SQLite format 3";
    const unsigned char id[4] = {OUTFILE_DATABASE_ID >> 24, OUTFILE_DATABASE_ID >> 16 & 0xff,
                                 OUTFILE_DATABASE_ID >> 8 & 0xff, OUTFILE_DATABASE_ID & 0xff};

    return count >= DATABASE_ID_AT + sizeof id && memcmp(head, magic, sizeof magic) == 0 &&
           memcmp(head + DATABASE_ID_AT, id, sizeof id) == 0;
}

// The header line of a dump: dimensions, then the day, then the incidents.
static bool is_csv(const unsigned char *head, size_t count)
{
    static const char mark[] = ",day,incidents";
    const unsigned char *end = memchr(head, '\n', count);
    size_t line = end ? (size_t)(end - head) : count;

    return memmem(head, line, mark, sizeof mark - 1) ||
           (line >= sizeof mark - 2 && memcmp(head, mark + 1, sizeof mark - 2) == 0);
}

static bool is_ours(enum outfile_kind kind, const unsigned char *head, size_t count)
{
    switch (kind) {
    case OUTFILE_DATABASE:
        return is_database(head, count);
    case OUTFILE_CSV:
        return is_csv(head, count);
    case OUTFILE_PAGE:
        return memmem(head, count, OUTFILE_PAGE_MARK, strlen(OUTFILE_PAGE_MARK));
    }
    return false;
}

static bool read_head(const struct outfile *file, unsigned char head[HEAD_BYTES],
                      ssize_t *out_count, struct tally_err *err)
{
    int fd = disk_open(file->dir_fd, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, err);

    if (fd < 0) {
        return false;
    }
    *out_count = disk_read_at(fd, head, HEAD_BYTES, 0, err);
    disk_close(fd);
    return *out_count >= 0;
}

// Whether what bears the name now may go.
static bool check_replaced(const struct outfile *file, enum outfile_kind kind, bool force,
                           struct tally_err *err)
{
    unsigned char head[HEAD_BYTES];
    struct disk_entry entry;
    ssize_t count;

    if (!disk_look(file->dir_fd, file->name, &entry, err)) {
        return err->sys_errno == ENOENT;
    }
    if (!entry.regular) {
        return err_set(err, TALLY_INVALID, "--to %.120s is a %s, not a file", file->path,
                       entry.kind);
    }
    if (force || entry.bytes == 0) {
        return true;
    }
    return read_head(file, head, &count, err) &&
           (is_ours(kind, head, (size_t)count) ||
            err_set(err, TALLY_INVALID,
                    "%.120s is there and was not written by tally; --force replaces it",
                    file->path));
}

static ssize_t write_stream(void *cookie, const char *data, size_t count)
{
    struct outfile *file = cookie;

    if (file->failed.code != TALLY_OK ||
        !disk_write_at(file->fd, data, count, file->bytes, &file->failed)) {
        return 0;
    }
    file->bytes += count;
    return (ssize_t)count;
}

static bool split_path(struct outfile *file, struct tally_err *err)
{
    const char *slash = strrchr(file->path, '/');
    int dir_bytes = slash ? (int)(slash - file->path) : 0;
    const char *name = slash ? slash + 1 : file->path;
    char *dir = NULL;

    if (asprintf(&dir, "%.*s", slash == file->path ? 1 : dir_bytes, file->path) < 0 ||
        asprintf(&file->temporary, "%s.%ld.tmp", name, (long)getpid()) < 0 ||
        asprintf(&file->written, "%.*s%s", slash ? dir_bytes + 1 : 0, file->path, file->temporary) <
            0 ||
        !(file->name = strdup(name))) {
        free(dir);
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    file->dir_fd = disk_open(AT_FDCWD, dir[0] ? dir : ".", O_RDONLY | O_DIRECTORY, 0, err);
    free(dir);
    return file->dir_fd >= 0;
}

static bool create(struct outfile *file, struct tally_err *err)
{
    static const cookie_io_functions_t to_disk = {.write = write_stream};
    struct tally_err ignored;

    // Left by a process of the same number that was killed.
    disk_unlink(file->dir_fd, file->temporary, &ignored);
    file->fd = disk_open(file->dir_fd, file->temporary, O_RDWR | O_CREAT | O_EXCL, 0666, err);
    if (file->fd < 0) {
        return false;
    }
    file->stream = fopencookie(file, "w", to_disk);
    return file->stream || err_set(err, TALLY_NO_MEMORY, "no memory");
}

bool outfile_open(struct outfile *file, const char *path, enum outfile_kind kind, bool force,
                  struct tally_err *err)
{
    *file = (struct outfile){.path = path, .dir_fd = -1, .fd = -1};
    if (split_path(file, err) && check_replaced(file, kind, force, err) && create(file, err)) {
        return true;
    }
    outfile_close(file);
    return false;
}

bool outfile_commit(struct outfile *file, struct tally_err *err)
{
    if (fflush(file->stream) != 0 || ferror(file->stream)) {
        if (file->failed.code == TALLY_OK) {
            return err_sys(err, "write %.120s", file->path);
        }
        *err = file->failed;
        return err_wrap(err, "write %.120s", file->path);
    }
    if (!disk_sync_data(file->fd, err) || !disk_bytes(file->fd, &file->bytes, err) ||
        !disk_rename(file->dir_fd, file->temporary, file->dir_fd, file->name, err)) {
        return err_wrap(err, "write %.120s", file->path);
    }
    free(file->temporary);
    file->temporary = NULL;
    return disk_sync_dir(file->dir_fd, err);
}

bool outfile_print(const struct outfile *file, struct print *print, struct tally_err *err)
{
    struct sheet sheet;

    sheet_init(&sheet);
    sheet.title = "Written";
    sheet_add_column(&sheet, SHEET_TEXT, SHEET_WHOLE, "", "file", "");
    sheet_add_column(&sheet, SHEET_COUNT, 0, "", "bytes", "");
    struct sheet_value *row = sheet_add_row(&sheet, err);
    if (row) {
        row[0] = sheet_name(file->path);
        row[1] = sheet_number((bytes_i128)file->bytes);
    }
    bool done = row && print_end(print, &sheet, err);
    sheet_done(&sheet);
    return done;
}

void outfile_close(struct outfile *file)
{
    struct tally_err ignored;

    if (file->stream) {
        fclose(file->stream);
    }
    if (file->fd >= 0) {
        disk_close(file->fd);
        if (file->temporary) {
            disk_unlink(file->dir_fd, file->temporary, &ignored);
        }
    }
    if (file->dir_fd >= 0) {
        disk_close(file->dir_fd);
    }
    free(file->temporary);
    free(file->written);
    free(file->name);
}
