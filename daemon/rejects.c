#include "daemon/rejects.h"

#include "base/disk.h"
#include "daemon/inbox.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FLUSH_BYTES = 256 * 1024 };

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

bool rejects_write(const struct store *store, uint64_t key, uint64_t batch, const char *name,
                   int rejected_fd, char *out_name, struct tally_err *err)
{
    char temporary[INBOX_NAME_BYTES];
    char beside[INBOX_NAME_BYTES];
    struct writing writing = {.fd = -1};

    snprintf(beside, sizeof beside, "%.*s.batch-%llu.rejects.csv", INBOX_NAME_BYTES - 48, name,
             (unsigned long long)batch);
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
    if (!disk_rename(rejected_fd, temporary, rejected_fd, beside, err) ||
        !disk_sync_dir(rejected_fd, err)) {
        return false;
    }
    memcpy(out_name, beside, INBOX_NAME_BYTES);
    return true;
}
