#include "store/ledger_write.h"

#include "base/checksum.h"
#include "base/disk.h"
#include "base/planted.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum {
    GATHER_BYTES = 256 * 1024,
    SYNC_SOON_BYTES = 1 << 20, // from so many on the disk is told before it has to be done
};

struct ledger {
    int dir_fd;
    int segment_fd;
    uint32_t version; // of the segment at hand
    uint64_t segment_bytes_max;
    struct ledger_position written;   // on its way to the disk up to here
    struct ledger_position sealed;    // whole units up to here: an abort comes back to it
    struct ledger_position committed; // synced up to here
    struct bytes gathered;            // frames behind `written`
    uint64_t chain;                   // over the frames of the batch at hand
    bool broken;
};

bool ledger_settle(int dir_fd, struct ledger_position committed, struct tally_err *err)
{
    struct disk_names names;
    uint32_t newest = 0;
    char name[LEDGER_SEGMENT_NAME_BYTES];

    if (!disk_list(dir_fd, ".", &names, err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        uint32_t number = ledger_segment_number(names.name[i]);
        newest = number > newest ? number : newest;
    }
    disk_names_done(&names);
    if (newest == 0) {
        return true;
    }
    uint64_t from = newest == committed.segment ? committed.offset : 0;
    int fd = disk_open(dir_fd, ledger_segment_name(newest, name), O_RDWR, 0, err);
    bool ok = fd >= 0 && disk_sync_data(fd, err) && disk_forget(fd, from, err);
    disk_close(fd);
    return ok ? true : err_wrap(err, "settle ledger/%s", name);
}

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
    bytes_put_u32(&bytes, ledger->version);
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
        return err_wrap(err, "start a ledger segment");
    }
    if (!disk_write_at(fd, header, sizeof header, 0, err)) {
        disk_close(fd);
        return err_wrap(err, "start a ledger segment");
    }
    if (!disk_sync_data(fd, err) ||
        (!PLANTED(NO_DIRECTORY_SYNC) && !disk_sync_dir(ledger->dir_fd, err))) {
        ledger->broken = true;
        disk_close(fd);
        return err_wrap(err, "start a ledger segment");
    }
    disk_close(ledger->segment_fd);
    ledger->segment_fd = fd;
    ledger->written =
        (struct ledger_position){.segment = segment, .offset = LEDGER_SEGMENT_HEADER_BYTES};
    return true;
}

// Removes the segments behind the last whole unit, newest first and each for good, so that a crash
// leaves neither a gap nor a torn segment with another one behind it.
static bool drop_later_segments(struct ledger *ledger, struct tally_err *err)
{
    struct disk_names names;
    bool ok = disk_list(ledger->dir_fd, ".", &names, err);

    if (!ok) {
        return false;
    }
    for (size_t i = names.count; ok && i > 0; i--) {
        if (ledger_segment_number(names.name[i - 1]) > ledger->sealed.segment) {
            ok = disk_unlink(ledger->dir_fd, names.name[i - 1], err) &&
                 disk_sync_dir(ledger->dir_fd, err);
        }
    }
    disk_names_done(&names);
    return ok;
}

// Removes what stands behind the last whole unit.
static bool cut_tail(struct ledger *ledger, struct tally_err *err)
{
    uint64_t bytes;

    if (!drop_later_segments(ledger, err) || !disk_bytes(ledger->segment_fd, &bytes, err)) {
        return false;
    }
    return bytes <= ledger->sealed.offset ||
           (disk_truncate(ledger->segment_fd, ledger->sealed.offset, err) &&
            disk_sync_data(ledger->segment_fd, err));
}

// The segment of the last whole unit.
static bool open_sealed(struct ledger *ledger, struct tally_err *err)
{
    unsigned char version[sizeof(uint32_t)];

    ledger->segment_fd = open_segment(ledger, ledger->sealed.segment, O_RDWR, err);
    if (ledger->segment_fd < 0) {
        return false;
    }
    ssize_t got = disk_read_at(ledger->segment_fd, version, sizeof version, 8, err);
    ledger->version = got == sizeof version ? bytes_get_u32(version) : 0;
    return got >= 0;
}

// Goes on behind the last commit. Where there is none, the first segment is made anew: what stands
// there may be a header that a crash left half written.
static bool take_up(struct ledger *ledger, struct tally_err *err)
{
    bool fresh =
        ledger->sealed.segment == 1 && ledger->sealed.offset == LEDGER_SEGMENT_HEADER_BYTES;

    if (fresh) {
        return drop_later_segments(ledger, err) && start_segment(ledger, 1, err);
    }
    ledger->written = ledger->sealed;
    return open_sealed(ledger, err) && cut_tail(ledger, err);
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
                              .version = LEDGER_VERSION,
                              .segment_bytes_max = segment_bytes_max,
                              .sealed = end,
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
    assert(ledger->gathered.ok); // what a failed append left is cut off before anything is written
    if (!disk_write_at(ledger->segment_fd, ledger->gathered.data, ledger->gathered.count,
                       ledger->written.offset, err)) {
        return err_wrap(err, "write ledger");
    }
    ledger->written.offset += ledger->gathered.count;
    bytes_clear(&ledger->gathered);
    return true;
}

// All whole units are on the disk then: those of earlier segments were synced before this one.
static bool sync_segment(struct ledger *ledger, struct tally_err *err)
{
    if (!disk_sync_data(ledger->segment_fd, err) &&
        !(PLANTED(SYNC_RETRIED) && disk_sync_data(ledger->segment_fd, err))) {
        ledger->broken = true;
        return err_wrap(err, "sync ledger");
    }
    ledger->committed = ledger->sealed;
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

bool ledger_use_version(struct ledger *ledger, uint32_t version, struct tally_err *err)
{
    uint32_t segment = ledger->written.segment;
    uint32_t before = ledger->version;

    if (version == before) {
        return true;
    }
    if (!ledger_sync(ledger, err)) { // the one at hand, before the next one is begun
        return false;
    }
    if (ledger_end(ledger).offset > LEDGER_SEGMENT_HEADER_BYTES) {
        segment++;
    }
    ledger->version = version;
    if (!start_segment(ledger, segment, err)) {
        ledger->version = before; // that of the segment at hand still
        return false;
    }
    return true;
}

// A planted bug: the end of a batch is on the disk before what it ends.
static bool commit_before_rows(struct ledger *ledger, size_t start, struct tally_err *err)
{
    const struct bytes *gathered = &ledger->gathered;

    return disk_write_at(ledger->segment_fd, gathered->data + start, gathered->count - start,
                         ledger->written.offset + start, err) &&
           sync_segment(ledger, err);
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
    bytes_put_u32(gathered,
                  (uint32_t)kind | (ledger_is_synced(ledger) ? 0 : LEDGER_BEHIND_UNSYNCED));
    bytes_put_u64(gathered, batch);
    seed ^= gathered->ok ? checksum64(gathered->data + start, 16, 0) : 0;
    uint64_t checksum = checksum64(payload->data, payload->count, seed);
    ledger->chain = ledger_chain(kind == LEDGER_BEGIN ? 0 : ledger->chain, checksum);
    bytes_put_u64(gathered, checksum);
    bytes_put(gathered, payload->data, payload->count);
    if (!gathered->ok) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a ledger frame");
    }
    if (PLANTED(COMMIT_BEFORE_ROWS) && kind == LEDGER_COMMIT &&
        !commit_before_rows(ledger, start, err)) {
        return false;
    }
    return gathered->count < GATHER_BYTES || write_gathered(ledger, err);
}

// Of the segment at hand: those before it are synced.
static uint64_t unsynced_bytes(const struct ledger *ledger)
{
    bool same = ledger->committed.segment == ledger->written.segment;
    return ledger->written.offset - (same ? ledger->committed.offset : 0);
}

bool ledger_seal(struct ledger *ledger, struct tally_err *err)
{
    if (!write_gathered(ledger, err)) {
        return false;
    }
    ledger->sealed = ledger->written;
    if (unsynced_bytes(ledger) >= SYNC_SOON_BYTES) {
        disk_sync_soon(ledger->segment_fd); // while the batch is applied
    }
    return true;
}

bool ledger_sync(struct ledger *ledger, struct tally_err *err)
{
    if (PLANTED(ACCEPTED_BEFORE_SYNC) || PLANTED(COMMIT_BEFORE_ROWS)) {
        ledger->committed = ledger->sealed;
    }
    return ledger_is_synced(ledger) || sync_segment(ledger, err);
}

bool ledger_commit(struct ledger *ledger, struct tally_err *err)
{
    return ledger_seal(ledger, err) && ledger_sync(ledger, err);
}

bool ledger_abort(struct ledger *ledger, struct tally_err *err)
{
    bytes_clear(&ledger->gathered);
    if (ledger->written.segment != ledger->sealed.segment) {
        disk_close(ledger->segment_fd);
        (void)open_sealed(ledger, err);
    }
    if (ledger->segment_fd < 0 || !cut_tail(ledger, err)) {
        ledger->broken = true;
        return err_wrap(err, "cut the ledger back to its last whole unit");
    }
    ledger->written = ledger->sealed;
    return true;
}

uint64_t ledger_batch_chain(const struct ledger *ledger)
{
    return ledger->chain;
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

bool ledger_is_synced(const struct ledger *ledger)
{
    return ledger_position_compare(ledger->sealed, ledger->committed) == 0;
}

bool ledger_is_broken(const struct ledger *ledger)
{
    return ledger->broken;
}
