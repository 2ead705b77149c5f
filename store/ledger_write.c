#include "store/ledger_write.h"

#include "base/checksum.h"
#include "base/disk.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { GATHER_BYTES = 256 * 1024 };

struct ledger {
    int dir_fd;
    int segment_fd;
    uint64_t segment_bytes_max;
    struct ledger_position written;   // on its way to the disk up to here
    struct ledger_position committed; // synced up to here
    struct bytes gathered;            // frames behind `written`
    bool broken;
};

static int open_segment(struct ledger *ledger, uint32_t segment, int flags, struct tally_err *err)
{
    char name[LEDGER_SEGMENT_NAME_BYTES];
    return disk_open(ledger->dir_fd, ledger_segment_name(segment, name), flags, 0640, err);
}

// A new segment is whole and in its directory before a frame goes into it.
static bool start_segment(struct ledger *ledger, uint32_t segment, struct tally_err *err)
{
    unsigned char header[LEDGER_SEGMENT_HEADER_BYTES];
    struct bytes bytes;

    bytes_init(&bytes);
    bytes_put(&bytes, "TALLYSEG", 8);
    bytes_put_u32(&bytes, LEDGER_VERSION);
    bytes_put_u32(&bytes, segment);
    bytes_put_u64(&bytes, checksum64(bytes.data, 16, segment));
    bool ok = bytes.ok;
    memcpy(header, bytes.data, ok ? sizeof header : 0);
    bytes_done(&bytes);
    if (!ok) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a segment header");
    }
    int fd = open_segment(ledger, segment, O_RDWR | O_CREAT | O_TRUNC, err);
    if (fd < 0) {
        return false;
    }
    if (!disk_write_at(fd, header, sizeof header, 0, err)) {
        disk_close(fd);
        return false;
    }
    if (!disk_sync_data(fd, err) || !disk_sync_dir(ledger->dir_fd, err)) {
        ledger->broken = true;
        disk_close(fd);
        return false;
    }
    disk_close(ledger->segment_fd);
    ledger->segment_fd = fd;
    ledger->written =
        (struct ledger_position){.segment = segment, .offset = LEDGER_SEGMENT_HEADER_BYTES};
    return true;
}

// Removes segments behind the committed one and what stands behind the commit in it.
static bool cut_tail(struct ledger *ledger, struct tally_err *err)
{
    uint32_t segment = ledger->committed.segment;
    char name[LEDGER_SEGMENT_NAME_BYTES];
    struct disk_names names;
    bool cut = false;

    if (!disk_list(ledger->dir_fd, ".", &names, err)) {
        return false;
    }
    bool ok = true;
    for (size_t i = names.count; ok && i > 0; i--) { // newest first: never a gap
        unsigned long number = strtoul(names.name[i - 1], NULL, 10);
        if (number > segment && number <= UINT32_MAX &&
            strcmp(ledger_segment_name((uint32_t)number, name), names.name[i - 1]) == 0) {
            ok = disk_unlink(ledger->dir_fd, name, err);
            cut = true;
        }
    }
    disk_names_done(&names);
    uint64_t bytes = 0;
    ok = ok && disk_bytes(ledger->segment_fd, &bytes, err);
    if (ok && bytes > ledger->committed.offset) {
        ok = disk_truncate(ledger->segment_fd, ledger->committed.offset, err) &&
             disk_sync_data(ledger->segment_fd, err);
    }
    return ok && (!cut || disk_sync_dir(ledger->dir_fd, err));
}

// Goes on behind the last commit. Where there is none, the first segment is made anew: what stands
// there may be a header that a crash left half written.
static bool take_up(struct ledger *ledger, struct tally_err *err)
{
    bool fresh =
        ledger->committed.segment == 1 && ledger->committed.offset == LEDGER_SEGMENT_HEADER_BYTES;

    if (fresh) {
        return start_segment(ledger, 1, err) && cut_tail(ledger, err);
    }
    ledger->segment_fd = open_segment(ledger, ledger->committed.segment, O_RDWR, err);
    ledger->written = ledger->committed;
    return ledger->segment_fd >= 0 && cut_tail(ledger, err);
}

struct ledger *ledger_open(int dir_fd, struct ledger_position end, uint64_t segment_bytes_max,
                           struct tally_err *err)
{
    struct ledger *ledger = malloc(sizeof *ledger);

    if (!ledger) {
        err_set(err, TALLY_NO_MEMORY, "no memory for the ledger");
        return NULL;
    }
    *ledger = (struct ledger){.dir_fd = dir_fd,
                              .segment_fd = -1,
                              .segment_bytes_max = segment_bytes_max,
                              .committed = end};
    bytes_init(&ledger->gathered);
    if (!take_up(ledger, err)) {
        ledger_close(ledger);
        return NULL;
    }
    return ledger;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger) {
        disk_close(ledger->segment_fd);
        bytes_done(&ledger->gathered);
        free(ledger);
    }
}

static bool write_gathered(struct ledger *ledger, struct tally_err *err)
{
    if (!disk_write_at(ledger->segment_fd, ledger->gathered.data, ledger->gathered.count,
                       ledger->written.offset, err)) {
        return err_wrap(err, "write ledger");
    }
    ledger->written.offset += ledger->gathered.count;
    bytes_clear(&ledger->gathered);
    return true;
}

static bool sync_segment(struct ledger *ledger, struct tally_err *err)
{
    if (!disk_sync_data(ledger->segment_fd, err)) {
        ledger->broken = true;
        return err_wrap(err, "sync ledger");
    }
    return true;
}

static bool make_room(struct ledger *ledger, size_t frame_bytes, struct tally_err *err)
{
    uint64_t end = ledger_end(ledger).offset;

    if (end == LEDGER_SEGMENT_HEADER_BYTES || end + frame_bytes <= ledger->segment_bytes_max) {
        return true;
    }
    return write_gathered(ledger, err) && sync_segment(ledger, err) &&
           start_segment(ledger, ledger->written.segment + 1, err);
}

bool ledger_append(struct ledger *ledger, enum ledger_kind kind, uint64_t batch,
                   const struct bytes *payload, struct tally_err *err)
{
    if (!payload->ok || payload->count > LEDGER_FRAME_BYTES_MAX) {
        return err_set(err, payload->ok ? TALLY_LIMIT : TALLY_NO_MEMORY,
                       "ledger frame of %zu bytes", payload->count);
    }
    if (!make_room(ledger, LEDGER_FRAME_HEADER_BYTES + payload->count, err)) {
        return false;
    }
    struct bytes *gathered = &ledger->gathered;
    size_t start = gathered->count;
    uint64_t seed = ledger_frame_seed(ledger_end(ledger));
    bytes_put_u32(gathered, (uint32_t)payload->count);
    bytes_put_u32(gathered, (uint32_t)kind);
    bytes_put_u64(gathered, batch);
    seed ^= gathered->ok ? checksum64(gathered->data + start, 16, 0) : 0;
    bytes_put_u64(gathered, checksum64(payload->data, payload->count, seed));
    bytes_put(gathered, payload->data, payload->count);
    if (!gathered->ok) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a ledger frame");
    }
    return gathered->count < GATHER_BYTES || write_gathered(ledger, err);
}

bool ledger_commit(struct ledger *ledger, struct tally_err *err)
{
    if (!write_gathered(ledger, err) || !sync_segment(ledger, err)) {
        return false;
    }
    ledger->committed = ledger->written;
    return true;
}

bool ledger_abort(struct ledger *ledger, struct tally_err *err)
{
    bytes_clear(&ledger->gathered);
    if (ledger->written.segment != ledger->committed.segment) {
        disk_close(ledger->segment_fd);
        ledger->segment_fd = open_segment(ledger, ledger->committed.segment, O_RDWR, err);
    }
    if (ledger->segment_fd < 0 || !cut_tail(ledger, err)) {
        ledger->broken = true;
        return err_wrap(err, "cut the ledger back to its last commit");
    }
    ledger->written = ledger->committed;
    return true;
}

struct ledger_position ledger_end(const struct ledger *ledger)
{
    struct ledger_position end = ledger->written;
    end.offset += ledger->gathered.count;
    return end;
}

struct ledger_position ledger_committed(const struct ledger *ledger)
{
    return ledger->committed;
}

bool ledger_is_broken(const struct ledger *ledger)
{
    return ledger->broken;
}
