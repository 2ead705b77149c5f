#include "daemon/rejects.h"

#include "base/disk.h"
#include "daemon/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FLUSH_BYTES = 256 * 1024, COMPARE_BYTES = 16 * 1024, SAME_NAME_MAX = 1000000 };

struct writing {
    int fd;
    uint64_t offset;
    struct bytes buffer;
    bool any_row;
};

static bool flush(struct writing *writing, struct tally_err *err)
{
    struct bytes *buffer = &writing->buffer;

    if (!buffer->ok) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for rejected rows");
    }
    if (!disk_write_at(writing->fd, buffer->data, buffer->count, writing->offset, err)) {
        return false;
    }
    writing->offset += buffer->count;
    bytes_clear(buffer);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// RFC 4180: quoted where a comma, a quote or a line end would mislead, or a blank be trimmed.
static void put_text(struct bytes *out, const char *text, size_t bytes, char behind)
{
    bool quoted = memchr(text, ',', bytes) || memchr(text, '"', bytes) ||
                  memchr(text, '\n', bytes) || memchr(text, '\r', bytes) ||
                  (bytes > 0 && (is_blank(text[0]) || is_blank(text[bytes - 1])));

    if (!quoted) {
        bytes_put(out, text, bytes);
    } else {
        bytes_put_u8(out, '"');
        for (size_t i = 0; i < bytes; i++) {
            if (text[i] == '"') {
                bytes_put_u8(out, '"');
            }
            bytes_put_u8(out, (uint8_t)text[i]);
        }
        bytes_put_u8(out, '"');
    }
    bytes_put_u8(out, (uint8_t)behind);
}

static void put_number(struct bytes *out, uint64_t number)
{
    char text[24];
    put_text(out, text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)number),
             ',');
}

static void put_row(struct bytes *out, const struct replay_file *file,
                    const struct replay_reject *reject)
{
    char digest[DIGEST_TEXT_BYTES];

    digest_format(file->end->digest, digest);
    put_text(out, file->begin->feed, file->begin->feed_bytes, ',');
    put_text(out, file->begin->file, file->begin->file_bytes, ',');
    put_text(out, digest, strlen(digest), ',');
    put_number(out, reject->record);
    put_number(out, reject->line);
    put_number(out, reject->offset);
    put_text(out, reject->reason, reject->reason_bytes, ',');
    put_text(out, reject->detail, reject->detail_bytes, ',');
    put_text(out, reject->raw, reject->raw_bytes, '\n');
}

// The header that the raw texts stood under, for whoever repairs them; a headerless feed has none.
static void put_header(struct bytes *out, const struct replay_file *file)
{
    static const char reason[] = "header";
    static const char explanation[] =
        "correct the raw column of the rows below and drop this file into the inbox";
    struct replay_reject header = {.reason = reason,
                                   .reason_bytes = sizeof reason - 1,
                                   .detail = explanation,
                                   .detail_bytes = sizeof explanation - 1,
                                   .raw = file->begin->header,
                                   .raw_bytes = file->begin->header_bytes};

    if (header.raw_bytes > 0) {
        put_row(out, file, &header);
    }
}

static bool on_reject(void *context, const struct replay_file *file,
                      const struct replay_reject *reject, struct tally_err *err)
{
    struct writing *writing = context;
    struct bytes *out = &writing->buffer;

    if (!writing->any_row) {
        put_header(out, file);
        writing->any_row = true;
    }
    put_row(out, file, reject);
    return out->count < FLUSH_BYTES || flush(writing, err);
}

static bool write_all(const struct store *store, uint64_t key, struct writing *writing,
                      struct tally_err *err)
{
    static const char header[] = "feed,file,digest,record,line,offset,reason,explanation,raw\n";
    struct replay_visitor visitor = {.context = writing, .on_reject = on_reject};

    bytes_put(&writing->buffer, header, sizeof header - 1);
    return store_each_reject(store, key, &visitor, err) && flush(writing, err) &&
           disk_sync_data(writing->fd, err);
}

// Whether a file holds what the one that was just written does, byte by byte. One that cannot be
// read holds something else: it stays, too.
static bool is_same(int rejected_fd, const char *name, const char *temporary, uint64_t bytes)
{
    unsigned char there[COMPARE_BYTES];
    unsigned char ours[COMPARE_BYTES];
    struct disk_entry entry;
    struct tally_err ignored;

    if (!disk_look(rejected_fd, name, &entry, &ignored) || !entry.regular || entry.bytes != bytes) {
        return false;
    }
    int fd = disk_open_beneath(rejected_fd, name, &ignored);
    int ours_fd = fd < 0 ? -1 : disk_open(rejected_fd, temporary, O_RDONLY, 0, &ignored);
    bool same = ours_fd >= 0;
    for (uint64_t at = 0; same && at < bytes;) {
        ssize_t got = disk_read_at(ours_fd, ours, sizeof ours, at, &ignored);
        same = got > 0 && disk_read_at(fd, there, (size_t)got, at, &ignored) == got &&
               memcmp(ours, there, (size_t)got) == 0;
        at += same ? (uint64_t)got : 0;
    }
    disk_close(fd);
    disk_close(ours_fd);
    return same;
}

// Under its name, or the first numbered one that is free: somebody may be correcting what stands
// there, or it is another file. The same bytes are those of a run that was killed then.
static bool give_name(int rejected_fd, const char *temporary, uint64_t bytes, const char *beside,
                      char *out_name, struct tally_err *err)
{
    for (unsigned copy = 1; copy < SAME_NAME_MAX; copy++) {
        int end = snprintf(out_name, INBOX_NAME_BYTES, "%s", beside);
        if (copy > 1) {
            snprintf(out_name + end, INBOX_NAME_BYTES - (size_t)end, ".%u", copy);
        }
        if (disk_rename_new(rejected_fd, temporary, rejected_fd, out_name, err)) {
            return true;
        }
        if (err->sys_errno != EEXIST) {
            return false;
        }
        if (is_same(rejected_fd, out_name, temporary, bytes)) {
            return disk_unlink(rejected_fd, temporary, err);
        }
    }
    return false;
}

static void name_beside(const char *name, uint64_t batch, char beside[INBOX_NAME_BYTES])
{
    // Room for a number behind it.
    snprintf(beside, INBOX_NAME_BYTES, "%.*s.batch-%llu.rejects.csv", INBOX_NAME_BYTES - 48, name,
             (unsigned long long)batch);
}

bool rejects_write(const struct store *store, uint64_t key, uint64_t batch, const char *name,
                   int rejected_fd, char *out_name, struct tally_err *err)
{
    char temporary[INBOX_NAME_BYTES];
    char beside[INBOX_NAME_BYTES];
    char named[INBOX_NAME_BYTES];
    struct writing writing = {.fd = -1};

    name_beside(name, batch, beside);
    snprintf(temporary, sizeof temporary, ".batch-%llu.rejects.tmp", (unsigned long long)batch);
    writing.fd = disk_open(rejected_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC, 0640, err);
    if (writing.fd < 0) {
        return false;
    }
    bytes_init(&writing.buffer);
    bool ok = write_all(store, key, &writing, err);
    bytes_done(&writing.buffer);
    disk_close(writing.fd);
    if (!ok) {
        struct tally_err ignored;
        disk_unlink(rejected_fd, temporary, &ignored);
        return err_wrap(err, "write %s", beside);
    }
    if (!give_name(rejected_fd, temporary, writing.offset, beside, named, err) ||
        !disk_sync_dir(rejected_fd, err)) {
        return false;
    }
    memcpy(out_name, named, INBOX_NAME_BYTES);
    return true;
}

bool rejects_stand(uint64_t batch, const char *name, int rejected_fd)
{
    char beside[INBOX_NAME_BYTES];
    struct disk_entry entry;
    struct tally_err ignored;

    name_beside(name, batch, beside);
    return disk_look(rejected_fd, beside, &entry, &ignored);
}
