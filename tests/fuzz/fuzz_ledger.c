// tests/fuzz/fuzz_ledger.c - any bytes as the ledger.
//
// The first byte says whether the rest is a segment as it is, or frames to be put into one with
// their right checksums: kind, batch, length in two bytes, payload, and so on. A COMMIT ties
// together the frames before it, as its writer would have.
//
// Oracles: replaying twice gives the same; a store opens if and only if the ledger can be replayed,
// and changes nothing if not; what was accepted can be appended to and replayed again; what is
// salvaged replays, and is all where nothing is damaged.
#include "base/disk.h"
#include "store/replay.h"
#include "store/salvage.h"
#include "store/embedded.h"
#include "tests/state_dump.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { FRAMES_OF_VERSION_1, SEGMENT_AS_IT_IS, CHAIN_AT = 10, CHAIN_BYTES = 8 };

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

// ---- the segment --------------------------------------------------------------------------

static void put_header(struct bytes *out, uint32_t version)
{
    bytes_put(out, "TALLYSEG", 8);
    bytes_put_u32(out, version);
    bytes_put_u32(out, 1);
    bytes_put_u64(out, checksum64(out->data, 16, 1));
}

static void put_frame(struct bytes *out, uint8_t kind, uint8_t batch, const unsigned char *payload,
                      size_t count)
{
    struct ledger_position at = {.segment = 1, .offset = out->count};
    size_t start = out->count;

    bytes_put_u32(out, (uint32_t)count);
    bytes_put_u32(out, kind);
    bytes_put_u64(out, batch);
    uint64_t seed = ledger_frame_seed(at) ^ checksum64(out->data + start, 16, 0);
    bytes_put_u64(out, checksum64(payload, count, seed));
    bytes_put(out, payload, count);
}

// As put_frame; a COMMIT of version 2 gets the chain over the frames before it.
static void put_tied(struct bytes *out, uint64_t *chain, uint32_t version, uint8_t kind,
                     uint8_t batch, const unsigned char *payload, size_t count)
{
    struct bytes tied;

    bytes_init(&tied);
    bytes_put(&tied, payload, count);
    if (version == LEDGER_VERSION && kind == LEDGER_COMMIT && count >= CHAIN_AT + CHAIN_BYTES) {
        bytes_clear(&tied);
        bytes_put(&tied, payload, CHAIN_AT);
        bytes_put_u64(&tied, *chain);
        bytes_put(&tied, payload + CHAIN_AT + CHAIN_BYTES, count - CHAIN_AT - CHAIN_BYTES);
    }
    size_t start = out->count;
    put_frame(out, kind, batch, tied.data, tied.count);
    *chain = ledger_chain(kind == LEDGER_BEGIN ? 0 : *chain, bytes_get_u64(out->data + start + 16));
    bytes_done(&tied);
}

static void put_frames(struct bytes *out, uint32_t version, const uint8_t *data, size_t bytes)
{
    struct cursor in = cursor_over(data, bytes);
    uint64_t chain = 0;

    put_header(out, version);
    while (cursor_left(&in) >= 4) {
        uint8_t kind = cursor_take_u8(&in);
        uint8_t batch = cursor_take_u8(&in);
        size_t count = cursor_take_u16(&in);
        count = count < cursor_left(&in) ? count : cursor_left(&in);
        put_tied(out, &chain, version, kind, batch, cursor_take(&in, count), count);
    }
}

// ---- a place for it -----------------------------------------------------------------------

struct place {
    char dir[40];
    int fd;
    int ledger_fd;
};

static void open_place(struct place *place, const struct bytes *segment)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct tally_err err;

    snprintf(place->dir, sizeof place->dir, "%s/tally-fuzz-XXXXXX", parent);
    require(mkdtemp(place->dir));
    place->fd = disk_open(AT_FDCWD, place->dir, O_RDONLY | O_DIRECTORY, 0, &err);
    require(place->fd >= 0 && disk_mkdir(place->fd, "ledger", 0700, &err));
    place->ledger_fd = disk_open(place->fd, "ledger", O_RDONLY | O_DIRECTORY, 0, &err);
    int fd = disk_open(place->ledger_fd, "000001.seg", O_WRONLY | O_CREAT, 0600, &err);
    require(fd >= 0 && disk_write_at(fd, segment->data, segment->count, 0, &err));
    disk_close(fd);
}

static void close_place(struct place *place)
{
    struct tally_err err;

    disk_close(place->ledger_fd);
    disk_close(place->fd);
    require(disk_remove_tree(AT_FDCWD, place->dir, &err));
}

// ---- oracles ------------------------------------------------------------------------------

static struct digest digest_of_state(const struct state *state)
{
    struct bytes dump;

    bytes_init(&dump);
    state_dump(state, &dump);
    require(dump.ok);
    struct digest digest = digest_of(dump.data, dump.count);
    bytes_done(&dump);
    return digest;
}

static bool replays(const struct place *place, struct digest *out_state, uint64_t *out_batches)
{
    struct tally_err err = {0};
    struct replay_end end = {0};
    struct state state;

    require(state_init(&state, &err));
    bool ok = replay(&state, place->ledger_fd, &replay_all, NULL, &end, &err);
    require(ok || (err.code != TALLY_OK && err.message[0]));
    *out_state = digest_of_state(&state);
    *out_batches = end.batches;
    state_done(&state);
    return ok;
}

static struct store *start(const struct place *place)
{
    static const struct store_options options = {.segment_bytes_max = 4096};
    struct tally_err err;

    return store_open(place->fd, &options, &err);
}

static void append_one(struct store *store)
{
    static const char *const dims[] = {"country"};
    struct tally_err err;
    struct shape *shape = shape_open("fuzz", dims, 1, NULL, 0, &err);
    struct store_file file = {
        .feed = "fuzz", .name = "f.csv", .header = "id", .scope_dim = -1, .shape = shape};
    struct store_file_end end = {.digest = {0xf1, 0xf2}, .records = 1};
    struct store_outcome outcome;
    struct rows_span text = {0};
    struct rows rows;

    rows_init(&rows);
    rows_clear(&rows, shape);
    struct row *row = rows_add(&rows, &err);
    require(row && rows_add_text(&rows, "Chad", 4, &text, &err) &&
            rows_add_new_text(&rows, 0, text, &err));
    row->id = text;
    rows_dims(&rows, 0)[0] = 1;
    require(store_begin(store, &file, &err));
    require(store_append(store, &rows, &err));
    require(store_commit(store, &end, &outcome, &err));
    rows_done(&rows);
    shape_close(shape);
}

static void goes_on(const struct place *place, struct digest state, uint64_t batches)
{
    struct digest again;
    uint64_t batches_again;
    struct store *store = start(place);

    require(store && store_batches(store) == batches);
    require(digest_equal(digest_of_state(&embedded_of(store)->state), state));
    require(replays(place, &again, &batches_again)); // with its tail cut off
    require(batches_again == batches && digest_equal(again, state));
    append_one(store);
    struct digest want = digest_of_state(&embedded_of(store)->state);
    uint64_t want_batches = store_batches(store);
    store_close(store);
    require(replays(place, &again, &batches_again));
    require(batches_again == want_batches && digest_equal(again, want));
}

static void stays_as_it_is(const struct place *place, const struct bytes *segment)
{
    struct tally_err err;
    unsigned char *data;
    size_t count;

    require(!start(place));
    require(disk_load(place->ledger_fd, "000001.seg", SIZE_MAX / 2, &data, &count, &err));
    require(count == segment->count && memcmp(data, segment->data, count) == 0);
    free(data);
}

static bool on_lost(void *context, const struct salvage_lost *lost, struct tally_err *err)
{
    (void)err;
    require(lost->why && lost->file);
    ++*(uint64_t *)context;
    return true;
}

static int salvage_to(const struct place *place, int from_fd, const char *name,
                      struct salvage_counts *counts)
{
    uint64_t told = 0;
    struct salvage_visitor visitor = {.context = &told, .on_lost = on_lost};
    struct tally_err err;

    require(disk_mkdir(place->fd, name, 0700, &err));
    int fd = disk_open(place->fd, name, O_RDONLY | O_DIRECTORY, 0, &err);
    require(fd >= 0 && salvage(from_fd, fd, &visitor, counts, &err));
    require(counts->lost >= told);
    return fd;
}

// What is whole replays, of a sound ledger all, and is whole to the last byte the next time.
static void can_be_salvaged(const struct place *place, bool sound, uint64_t batches)
{
    struct salvage_counts counts;
    struct salvage_counts again;
    struct place new = *place;
    struct digest ignored;
    uint64_t replayed;
    struct tally_err err;
    unsigned char *data[2];
    size_t count[2];

    new.ledger_fd = salvage_to(place, place->ledger_fd, "new", &counts);
    require(replays(&new, &ignored, &replayed) && replayed == counts.batches);
    require(!sound || replayed == batches);
    int fd = salvage_to(place, new.ledger_fd, "again", &again);
    require(again.batches == counts.batches && again.notes == counts.notes && again.lost == 0);
    require(disk_load(new.ledger_fd, "000001.seg", SIZE_MAX / 2, &data[0], &count[0], &err) &&
            disk_load(fd, "000001.seg", SIZE_MAX / 2, &data[1], &count[1], &err));
    require(count[0] == count[1] && memcmp(data[0], data[1], count[0]) == 0);
    free(data[0]);
    free(data[1]);
    disk_close(fd);
    disk_close(new.ledger_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct bytes segment;
    struct place place;
    struct digest first;
    struct digest second;
    uint64_t batches;
    uint64_t batches_again;

    bytes_init(&segment);
    if (bytes > 0 && data[0] == SEGMENT_AS_IT_IS) {
        bytes_put(&segment, data + 1, bytes - 1);
    } else {
        uint32_t version =
            bytes > 0 && data[0] != FRAMES_OF_VERSION_1 ? LEDGER_VERSION : LEDGER_VERSION_ROWS;
        put_frames(&segment, version, data + (bytes > 0), bytes - (bytes > 0));
    }
    require(segment.ok);
    open_place(&place, &segment);
    bool ok = replays(&place, &first, &batches);
    require(replays(&place, &second, &batches_again) == ok);
    require(batches == batches_again && digest_equal(first, second));
    can_be_salvaged(&place, ok, batches);
    if (ok) {
        goes_on(&place, first, batches);
    } else {
        stays_as_it_is(&place, &segment);
    }
    close_place(&place);
    bytes_done(&segment);
    return 0;
}
