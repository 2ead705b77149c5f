#include "store/ledger_read.h"

#include "base/checksum.h"
#include "base/disk.h"
#include "base/planted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { READ_AHEAD_BYTES = 256 * 1024 };

struct ledger_reader {
    int dir_fd;
    int segment_fd; // -1: none open
    uint32_t segment;
    uint32_t version; // of it
    bool lenient;
    struct ledger_position at;
    struct bytes buffer; // bytes of the segment from buffer_offset on
    uint64_t buffer_offset;
};

struct ledger_reader *ledger_reader_open(int ledger_dir_fd, struct tally_err *err)
{
    struct ledger_reader *reader = malloc(sizeof *reader);

    if (!reader) {
        err_set(err, TALLY_NO_MEMORY, "no memory for a ledger reader");
        return NULL;
    }
    *reader = (struct ledger_reader){
        .dir_fd = ledger_dir_fd,
        .segment_fd = -1,
        .version = LEDGER_VERSION,
        .at = {.segment = 1, .offset = LEDGER_SEGMENT_HEADER_BYTES},
    };
    bytes_init(&reader->buffer);
    return reader;
}

void ledger_reader_close(struct ledger_reader *reader)
{
    if (reader) {
        disk_close(reader->segment_fd);
        bytes_done(&reader->buffer);
        free(reader);
    }
}

void ledger_reader_seek(struct ledger_reader *reader, struct ledger_position position)
{
    reader->at = position;
    bytes_clear(&reader->buffer); // the tail may have been written anew
}

static enum ledger_step torn(const struct ledger_reader *reader, struct tally_err *err,
                             const char *what)
{
    char name[LEDGER_SEGMENT_NAME_BYTES];

    err_set(err, TALLY_CORRUPT, "%s", what);
    err_place(err, "ledger/%s@0x%llx", ledger_segment_name(reader->at.segment, name),
              (unsigned long long)reader->at.offset);
    return LEDGER_TORN;
}

// Makes `count` bytes from `offset` on available; *out_left says how many there are at most
// `count`. Reads ahead.
static bool fetch(struct ledger_reader *reader, uint64_t offset, size_t count,
                  const unsigned char **out_data, size_t *out_left, struct tally_err *err)
{
    struct bytes *buffer = &reader->buffer;
    uint64_t buffer_end = reader->buffer_offset + buffer->count;

    if (offset < reader->buffer_offset || offset + count > buffer_end) {
        size_t want = count > READ_AHEAD_BYTES ? count : READ_AHEAD_BYTES;
        bytes_clear(buffer);
        if (!bytes_reserve(buffer, want)) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for %zu bytes of ledger", want);
        }
        reader->buffer_offset = offset;
        while (buffer->count < want) {
            ssize_t got = disk_read_at(reader->segment_fd, buffer->data + buffer->count,
                                       want - buffer->count, offset + buffer->count, err);
            if (got < 0) {
                return false;
            }
            if (got == 0) {
                break;
            }
            buffer->count += (size_t)got;
        }
    }
    size_t skipped = (size_t)(offset - reader->buffer_offset);
    size_t left = buffer->count - skipped;
    *out_data = buffer->data + skipped;
    *out_left = left < count ? left : count;
    return true;
}

static bool header_is_valid(const unsigned char *data, uint32_t segment)
{
    uint32_t version = bytes_get_u32(data + 8);

    return memcmp(data, "TALLYSEG", 8) == 0 && version >= LEDGER_VERSION_ROWS &&
           version <= LEDGER_VERSION && bytes_get_u32(data + 12) == segment &&
           bytes_get_u64(data + 16) == checksum64(data, 16, segment);
}

// LEDGER_FRAME: the segment of reader->at is open.
static enum ledger_step open_segment(struct ledger_reader *reader, struct tally_err *err)
{
    char name[LEDGER_SEGMENT_NAME_BYTES];
    const unsigned char *data;
    size_t left;

    if (reader->segment_fd >= 0 && reader->segment == reader->at.segment) {
        return LEDGER_FRAME;
    }
    disk_close(reader->segment_fd);
    bytes_clear(&reader->buffer);
    reader->segment = reader->at.segment;
    ledger_segment_name(reader->segment, name);
    reader->segment_fd = disk_open(reader->dir_fd, name, O_RDONLY, 0, err);
    if (reader->segment_fd < 0) {
        return err->sys_errno == ENOENT ? LEDGER_END : LEDGER_ERROR;
    }
    if (!fetch(reader, 0, LEDGER_SEGMENT_HEADER_BYTES, &data, &left, err)) {
        return LEDGER_ERROR;
    }
    if (!reader->lenient &&
        (left < LEDGER_SEGMENT_HEADER_BYTES || !header_is_valid(data, reader->segment))) {
        disk_close(reader->segment_fd);
        reader->segment_fd = -1;
        return torn(reader, err, "not the header of this segment");
    }
    // Of a damaged header, which only a lenient reader passes: what it says if that can be, else as
    // the segment before.
    uint32_t version = left < LEDGER_SEGMENT_HEADER_BYTES ? 0 : bytes_get_u32(data + 8);
    if (version >= LEDGER_VERSION_ROWS && version <= LEDGER_VERSION) {
        reader->version = version;
    }
    return LEDGER_FRAME;
}

static enum ledger_kind kind_of(const unsigned char *frame)
{
    return (enum ledger_kind)(bytes_get_u32(frame + 4) & ~(uint32_t)LEDGER_BEHIND_UNSYNCED);
}

static enum ledger_step read_frame(struct ledger_reader *reader, struct ledger_frame *out_frame,
                                   struct tally_err *err)
{
    const unsigned char *data;
    size_t left;

    if (!fetch(reader, reader->at.offset, LEDGER_FRAME_HEADER_BYTES, &data, &left, err)) {
        return LEDGER_ERROR;
    }
    if (left == 0) {
        return LEDGER_END;
    }
    if (left < LEDGER_FRAME_HEADER_BYTES) {
        return torn(reader, err, "half a frame header");
    }
    uint32_t payload_bytes = bytes_get_u32(data);
    if (payload_bytes > LEDGER_FRAME_BYTES_MAX) {
        return torn(reader, err, "impossible frame length");
    }
    size_t frame_bytes = LEDGER_FRAME_HEADER_BYTES + (size_t)payload_bytes;
    if (!fetch(reader, reader->at.offset, frame_bytes, &data, &left, err)) {
        return LEDGER_ERROR;
    }
    if (left < frame_bytes) {
        return torn(reader, err, "half a frame");
    }
    uint64_t seed = ledger_frame_seed(reader->at) ^ checksum64(data, 16, 0);
    if (!PLANTED(NO_TORN_TAIL_CHECK) &&
        bytes_get_u64(data + 16) !=
            checksum64(data + LEDGER_FRAME_HEADER_BYTES, payload_bytes, seed)) {
        return torn(reader, err, "frame checksum does not match");
    }
    *out_frame = (struct ledger_frame){
        .kind = kind_of(data),
        .version = reader->version,
        .batch = bytes_get_u64(data + 8),
        .checksum = bytes_get_u64(data + 16),
        .at = reader->at,
        .next = {.segment = reader->at.segment, .offset = reader->at.offset + frame_bytes},
        .payload = cursor_over(data + LEDGER_FRAME_HEADER_BYTES, payload_bytes),
    };
    return LEDGER_FRAME;
}

enum ledger_step ledger_reader_next(struct ledger_reader *reader, struct ledger_frame *out_frame,
                                    struct tally_err *err)
{
    enum ledger_step step = open_segment(reader, err);

    if (step == LEDGER_FRAME) {
        step = read_frame(reader, out_frame, err);
    } else if (step == LEDGER_END) {
        reader->segment_fd = -1;
        return LEDGER_END;
    }
    if (step == LEDGER_END) { // of this segment: go on in the next one
        struct ledger_position here = reader->at;
        reader->at = (struct ledger_position){.segment = here.segment + 1,
                                              .offset = LEDGER_SEGMENT_HEADER_BYTES};
        step = open_segment(reader, err);
        if (step == LEDGER_END) {
            reader->segment_fd = -1;
            reader->at = here;
            return LEDGER_END;
        }
        return step == LEDGER_FRAME ? ledger_reader_next(reader, out_frame, err) : step;
    }
    if (step == LEDGER_FRAME) {
        reader->at = out_frame->next;
    }
    return step;
}

bool ledger_reader_go_on(struct ledger_reader *reader, struct ledger_frame *out_frame,
                         struct tally_err *err)
{
    switch (ledger_reader_next(reader, out_frame, err)) {
    case LEDGER_FRAME:
        return true;
    case LEDGER_END:
        torn(reader, err, "the rest of this unit is gone, and was there a moment ago");
        return false;
    case LEDGER_TORN:
    case LEDGER_ERROR:
        break;
    }
    return false;
}

struct ledger_position ledger_reader_position(const struct ledger_reader *reader)
{
    return reader->at;
}

// ---- damage or an unfinished tail ---------------------------------------------------------

// A whole frame at this place, or NULL. `at`: where data[0] stands.
static bool frame_is_whole(const unsigned char *data, size_t left, struct ledger_position at,
                           struct ledger_frame *out_frame)
{
    if (left < LEDGER_FRAME_HEADER_BYTES) {
        return false;
    }
    uint32_t payload_bytes = bytes_get_u32(data);
    enum ledger_kind kind = kind_of(data);
    if (kind < LEDGER_BEGIN || kind > LEDGER_VALUES || payload_bytes > LEDGER_FRAME_BYTES_MAX ||
        payload_bytes > left - LEDGER_FRAME_HEADER_BYTES) {
        return false;
    }
    uint64_t seed = ledger_frame_seed(at) ^ checksum64(data, 16, 0);
    if (bytes_get_u64(data + 16) !=
        checksum64(data + LEDGER_FRAME_HEADER_BYTES, payload_bytes, seed)) {
        return false;
    }
    *out_frame = (struct ledger_frame){
        .kind = kind,
        .batch = bytes_get_u64(data + 8),
        .next = {.segment = at.segment,
                 .offset = at.offset + LEDGER_FRAME_HEADER_BYTES + payload_bytes}};
    return true;
}

// Whether the unit of a whole frame was begun after all before it was synced.
static bool is_behind_synced(const unsigned char *frame)
{
    return PLANTED(UNSYNCED_IS_PROOF) || !(bytes_get_u32(frame + 4) & LEDGER_BEHIND_UNSYNCED);
}

// Whether whole frames behind the torn place show that a unit was committed after it.
static bool proves_damage(const unsigned char *data, size_t count, struct ledger_position start,
                          uint64_t batches)
{
    bool unit_ended = false;

    for (size_t i = 1; i < count;) {
        struct ledger_frame frame;
        struct ledger_position at = {.segment = start.segment, .offset = start.offset + i};
        if (!frame_is_whole(data + i, count - i, at, &frame)) {
            i++;
            continue;
        }
        if ((unit_ended || frame.batch > batches + 1) && is_behind_synced(data + i)) {
            return true;
        }
        unit_ended = frame.kind == LEDGER_COMMIT || frame.kind == LEDGER_FILE;
        i = (size_t)(frame.next.offset - start.offset);
    }
    return false;
}

// The least segment with a greater number, or 0.
static bool find_next_segment(const struct ledger_reader *reader, uint32_t *out_segment,
                              struct tally_err *err)
{
    struct disk_names names;

    if (!disk_list(reader->dir_fd, ".", &names, err)) {
        return false;
    }
    *out_segment = 0;
    for (size_t i = 0; i < names.count; i++) {
        uint32_t number = ledger_segment_number(names.name[i]);
        if (number > reader->at.segment && (*out_segment == 0 || number < *out_segment)) {
            *out_segment = number;
        }
    }
    disk_names_done(&names);
    return true;
}

bool ledger_reader_check_end(struct ledger_reader *reader, struct tally_err *err)
{
    char name[LEDGER_SEGMENT_NAME_BYTES];
    uint32_t later;

    if (!find_next_segment(reader, &later, err)) {
        return false;
    }
    if (later == 0) {
        return true;
    }
    err_set(err, TALLY_CORRUPT, "damaged ledger: a segment is missing or ends too early");
    return err_place(err, "ledger/%s", ledger_segment_name(reader->at.segment, name));
}

bool ledger_reader_check_tail(struct ledger_reader *reader, uint64_t batches, struct tally_err *err)
{
    char name[LEDGER_SEGMENT_NAME_BYTES];
    struct tally_err failure;
    unsigned char *data;
    size_t count;

    uint32_t later;

    if (!find_next_segment(reader, &later, &failure)) {
        *err = failure;
        return false;
    }
    if (later != 0) {
        return err_wrap(err, "damaged ledger");
    }
    // Segments are small next to memory; a batch of one frame may exceed the limit a little.
    if (!disk_load(reader->dir_fd, ledger_segment_name(reader->at.segment, name), SIZE_MAX / 2,
                   &data, &count, &failure)) {
        *err = failure;
        return false;
    }
    bool header_torn =
        reader->at.offset == LEDGER_SEGMENT_HEADER_BYTES &&
        (count < LEDGER_SEGMENT_HEADER_BYTES || !header_is_valid(data, reader->at.segment));
    size_t skipped = reader->at.offset < count ? (size_t)reader->at.offset : count;
    // A header is on the disk before any frame behind it.
    bool damage = header_torn ? count > LEDGER_SEGMENT_HEADER_BYTES
                              : proves_damage(data + skipped, count - skipped, reader->at, batches);
    free(data);
    return damage ? err_wrap(err, "damaged ledger") : true;
}

// ---- beyond damage ------------------------------------------------------------------------

void ledger_reader_be_lenient(struct ledger_reader *reader)
{
    reader->lenient = true;
}

// The first whole frame of a segment behind an offset; 0: none.
static bool find_frame(const struct ledger_reader *reader, uint32_t segment, uint64_t behind,
                       uint64_t *out_offset, struct tally_err *err)
{
    char name[LEDGER_SEGMENT_NAME_BYTES];
    unsigned char *data;
    size_t count;

    *out_offset = 0;
    if (!disk_load(reader->dir_fd, ledger_segment_name(segment, name), SIZE_MAX / 2, &data, &count,
                   err)) {
        return err->sys_errno == ENOENT; // it is the one that is missing
    }
    for (size_t i = (size_t)behind + 1; *out_offset == 0 && i < count; i++) {
        struct ledger_frame frame;
        struct ledger_position at = {.segment = segment, .offset = i};
        if (frame_is_whole(data + i, count - i, at, &frame)) {
            *out_offset = i;
        }
    }
    free(data);
    return true;
}

bool ledger_reader_resync(struct ledger_reader *reader, struct tally_err *err)
{
    uint32_t segment = reader->at.segment;
    uint64_t behind = reader->at.offset;
    uint64_t found = 0;

    while (segment != 0) {
        if (!find_frame(reader, segment, behind, &found, err)) {
            return false;
        }
        if (found != 0) {
            ledger_reader_seek(reader, (struct ledger_position){segment, found});
            return true;
        }
        reader->at = (struct ledger_position){segment, LEDGER_SEGMENT_HEADER_BYTES};
        behind = LEDGER_SEGMENT_HEADER_BYTES - 1;
        if (!find_next_segment(reader, &segment, err)) {
            return false;
        }
    }
    err->code = TALLY_OK;
    return false;
}
