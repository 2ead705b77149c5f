#include "store/committed.h"

#include "base/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { MARK_BYTES = 40, CHECKED_BYTES = 32 };

static const char path[] = "committed";
static const char magic[] = "TALLYEND";

static const struct committed nothing = {
    .at = {.segment = 1, .offset = LEDGER_SEGMENT_HEADER_BYTES}};

// False: torn, or none of ours.
static bool decode(const unsigned char *data, struct committed *out_committed)
{
    struct cursor in = cursor_over(data, MARK_BYTES);

    if (memcmp(cursor_take(&in, 8), magic, 8) != 0) {
        return false;
    }
    out_committed->at.segment = cursor_take_u32(&in);
    cursor_take_u32(&in);
    out_committed->at.offset = cursor_take_u64(&in);
    out_committed->batches = cursor_take_u64(&in);
    return cursor_take_u64(&in) == checksum64(data, CHECKED_BYTES, 0);
}

bool committed_read(int state_dir_fd, struct committed *out_committed, struct tally_err *err)
{
    unsigned char data[MARK_BYTES];
    struct committed committed;
    int fd = disk_open(state_dir_fd, path, O_RDONLY, 0, err);

    if (fd < 0) {
        *out_committed = nothing;
        return err->sys_errno == ENOENT;
    }
    ssize_t got = disk_read_at(fd, data, sizeof data, 0, err);
    disk_close(fd);
    if (got < 0) {
        return err_wrap(err, "read %s", path);
    }
    *out_committed = got == MARK_BYTES && decode(data, &committed) ? committed : nothing;
    return true;
}

bool committed_check(const struct committed *committed, const struct replay_end *end,
                     struct tally_err *err)
{
    char name[LEDGER_SEGMENT_NAME_BYTES];
    char stopped[LEDGER_SEGMENT_NAME_BYTES];

    if (ledger_position_compare(committed->at, end->at) <= 0) {
        return true;
    }
    err_set(
        err, TALLY_CORRUPT,
        "damaged ledger: committed up to %s@0x%llx (%llu batches), readable up to %llu batches: "
        "restore it from a backup, or remove the file %s to go on without what is lost",
        ledger_segment_name(committed->at.segment, name), (unsigned long long)committed->at.offset,
        (unsigned long long)committed->batches, (unsigned long long)end->batches, path);
    return err_place(err, "ledger/%s@0x%llx", ledger_segment_name(end->stopped.segment, stopped),
                     (unsigned long long)end->stopped.offset);
}

int committed_open(int state_dir_fd, struct tally_err *err)
{
    return disk_open(state_dir_fd, path, O_RDWR | O_CREAT, 0640, err);
}

void committed_write(int fd, const struct committed *committed)
{
    struct tally_err ignored;
    struct bytes mark;

    bytes_init(&mark);
    bytes_put(&mark, magic, 8);
    bytes_put_u32(&mark, committed->at.segment);
    bytes_put_u32(&mark, 0);
    bytes_put_u64(&mark, committed->at.offset);
    bytes_put_u64(&mark, committed->batches);
    if (mark.ok) {
        bytes_put_u64(&mark, checksum64(mark.data, CHECKED_BYTES, 0));
    }
    if (mark.ok) {
        (void)disk_write_at(fd, mark.data, mark.count, 0, &ignored);
    }
    bytes_done(&mark);
}
