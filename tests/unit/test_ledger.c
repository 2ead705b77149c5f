// Frames on the disk: whole, cut back, damaged.
#include "store/ledger_write.h"

#include "tests/unit/store_case.h"

struct room {
    char dir[40];
    int fd;
    struct ledger *ledger;
    struct tally_err err;
};

static const struct ledger_position start = {.segment = 1, .offset = LEDGER_SEGMENT_HEADER_BYTES};

static void open_room(struct room *room, uint64_t segment_bytes_max)
{
    case_make_dir(room->dir);
    room->fd = case_open_dir(room->dir, "");
    room->ledger = ledger_open(room->fd, start, segment_bytes_max, &room->err);
    case_check(room->ledger, &room->err);
}

static void close_room(struct room *room)
{
    ledger_close(room->ledger);
    disk_close(room->fd);
    case_remove_dir(room->dir);
}

static void append(struct room *room, enum ledger_kind kind, uint64_t batch, const char *text)
{
    struct bytes payload;

    bytes_init(&payload);
    bytes_put(&payload, text, strlen(text));
    case_check(ledger_append(room->ledger, kind, batch, &payload, &room->err), &room->err);
    bytes_done(&payload);
}

static void commit(struct room *room)
{
    case_check(ledger_commit(room->ledger, &room->err), &room->err);
}

// One unit: BEGIN, ROWS, COMMIT. Not synced.
static void seal_batch(struct room *room, uint64_t batch)
{
    append(room, LEDGER_BEGIN, batch, "begin");
    append(room, LEDGER_ROWS, batch, "some rows");
    append(room, LEDGER_COMMIT, batch, "the end");
    case_check(ledger_seal(room->ledger, &room->err), &room->err);
}

static void put_batch(struct room *room, uint64_t batch)
{
    seal_batch(room, batch);
    commit(room);
}

// Frames up to the first step that is none.
static size_t read_frames(struct room *room, struct ledger_reader *reader,
                          enum ledger_step *out_step)
{
    struct ledger_frame frame;
    size_t count = 0;

    while ((*out_step = ledger_reader_next(reader, &frame, &room->err)) == LEDGER_FRAME) {
        count++;
    }
    return count;
}

static size_t count_frames(struct room *room, enum ledger_step want)
{
    enum ledger_step step;
    struct ledger_reader *reader = ledger_reader_open(room->fd, &room->err);
    size_t count = read_frames(room, reader, &step);

    ledger_reader_close(reader);
    assert_int_equal(step, want);
    return count;
}

// After a torn place: may it be an unfinished tail?
static bool is_tail(struct room *room, uint64_t batches)
{
    enum ledger_step step;
    struct ledger_reader *reader = ledger_reader_open(room->fd, &room->err);

    read_frames(room, reader, &step);
    assert_int_equal(step, LEDGER_TORN);
    bool tail = ledger_reader_check_tail(reader, batches, &room->err);
    ledger_reader_close(reader);
    return tail;
}

// ---- writing and reading back -------------------------------------------------------------

static void frames_come_back_as_they_were_appended(void **state)
{
    static const uint64_t segment_bytes[] = {1, 100, 200, 1 << 20};
    struct room room;
    struct ledger_frame frame;
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof segment_bytes / sizeof *segment_bytes; i++) {
        open_room(&room, segment_bytes[i]);
        for (uint64_t batch = 1; batch < 40; batch++) {
            snprintf(text, sizeof text, "rows of %llu", (unsigned long long)batch);
            append(&room, LEDGER_ROWS, batch, text);
        }
        commit(&room);
        struct ledger_reader *reader = ledger_reader_open(room.fd, &room.err);
        for (uint64_t batch = 1; batch < 40; batch++) {
            snprintf(text, sizeof text, "rows of %llu", (unsigned long long)batch);
            assert_int_equal(ledger_reader_next(reader, &frame, &room.err), LEDGER_FRAME);
            assert_int_equal(frame.batch, batch);
            assert_int_equal(cursor_left(&frame.payload), strlen(text));
            assert_memory_equal(frame.payload.at, text, strlen(text));
        }
        assert_int_equal(ledger_reader_next(reader, &frame, &room.err), LEDGER_END);
        struct ledger_position end = ledger_reader_position(reader);
        assert_int_equal(ledger_position_compare(end, ledger_committed(room.ledger)), 0);
        ledger_reader_close(reader);
        close_room(&room);
    }
}

static void reader_at_the_end_sees_what_is_appended_later(void **state)
{
    struct room room;
    struct ledger_frame frame;

    (void)state;
    open_room(&room, 100);
    struct ledger_reader *reader = ledger_reader_open(room.fd, &room.err);
    assert_int_equal(ledger_reader_next(reader, &frame, &room.err), LEDGER_END);
    for (uint64_t batch = 1; batch < 10; batch++) {
        append(&room, LEDGER_FILE, batch, "note");
        commit(&room);
        assert_int_equal(ledger_reader_next(reader, &frame, &room.err), LEDGER_FRAME);
        assert_int_equal(frame.batch, batch);
        assert_int_equal(ledger_reader_next(reader, &frame, &room.err), LEDGER_END);
    }
    ledger_reader_close(reader);
    close_room(&room);
}

static void frame_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
    struct room room;
    struct bytes payload;

    (void)state;
    open_room(&room, 1000);
    bytes_init(&payload);
    assert_true(bytes_reserve(&payload, LEDGER_FRAME_BYTES_MAX + 1));
    memset(payload.data, 'x', LEDGER_FRAME_BYTES_MAX + 1);
    payload.count = LEDGER_FRAME_BYTES_MAX + 1;
    assert_false(ledger_append(room.ledger, LEDGER_ROWS, 1, &payload, &room.err));
    assert_int_equal(room.err.code, TALLY_LIMIT);
    payload.count = LEDGER_FRAME_BYTES_MAX;
    assert_true(ledger_append(room.ledger, LEDGER_ROWS, 1, &payload, &room.err));
    append(&room, LEDGER_COMMIT, 1, "");
    commit(&room);
    assert_int_equal(count_frames(&room, LEDGER_END), 2);
    bytes_done(&payload);
    close_room(&room);
}

static void abort_leaves_the_bytes_of_the_last_commit(void **state)
{
    static const uint64_t segment_bytes[] = {60, 1 << 20};
    struct room room;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char name[LEDGER_SEGMENT_NAME_BYTES];
        size_t before_count;
        size_t after_count;
        open_room(&room, segment_bytes[i]);
        put_batch(&room, 1);
        struct ledger_position end = ledger_committed(room.ledger);
        ledger_segment_name(end.segment, name);
        unsigned char *before = case_load(room.dir, name, &before_count);
        for (int frame = 0; frame < 5000; frame++) { // more than is gathered in memory
            append(&room, LEDGER_ROWS, 2, "rows that never came to count for anything at all");
            if (segment_bytes[i] == 60 && frame == 10) {
                break;
            }
        }
        assert_true(ledger_abort(room.ledger, &room.err));
        unsigned char *after = case_load(room.dir, name, &after_count);
        assert_int_equal(before_count, after_count);
        assert_memory_equal(before, after, before_count);
        assert_int_equal(count_frames(&room, LEDGER_END), 3);
        assert_int_equal(ledger_position_compare(ledger_end(room.ledger), end), 0);
        put_batch(&room, 2);
        assert_int_equal(count_frames(&room, LEDGER_END), 6);
        free(before);
        free(after);
        close_room(&room);
    }
}

static void abort_leaves_what_was_sealed_and_not_synced(void **state)
{
    static const uint64_t segment_bytes[] = {60, 200, 1 << 20};
    struct room room;

    (void)state;
    for (size_t i = 0; i < sizeof segment_bytes / sizeof *segment_bytes; i++) {
        open_room(&room, segment_bytes[i]);
        put_batch(&room, 1);
        seal_batch(&room, 2);
        struct ledger_position end = ledger_end(room.ledger);
        assert_int_equal(ledger_is_synced(room.ledger), false);
        for (int frame = 0; frame < 10; frame++) {
            append(&room, LEDGER_ROWS, 3, "rows that never came to count for anything at all");
        }
        assert_true(ledger_abort(room.ledger, &room.err));
        assert_int_equal(ledger_position_compare(ledger_end(room.ledger), end), 0);
        assert_int_equal(count_frames(&room, LEDGER_END), 6);
        seal_batch(&room, 3);
        case_check(ledger_sync(room.ledger, &room.err), &room.err);
        assert_true(ledger_is_synced(room.ledger));
        end = ledger_end(room.ledger);
        assert_int_equal(ledger_position_compare(ledger_committed(room.ledger), end), 0);
        assert_int_equal(count_frames(&room, LEDGER_END), 9);
        close_room(&room);
    }
}

static void opening_cuts_off_what_stands_behind_the_last_commit(void **state)
{
    struct room room;

    (void)state;
    open_room(&room, 100);
    put_batch(&room, 1);
    struct ledger_position end = ledger_committed(room.ledger);
    for (int i = 0; i < 10; i++) {
        append(&room, LEDGER_ROWS, 2, "never committed, over several segments");
    }
    commit(&room); // so that it reaches the disk; no COMMIT frame
    ledger_close(room.ledger);
    room.ledger = ledger_open(room.fd, end, 100, &room.err);
    case_check(room.ledger, &room.err);
    assert_int_equal(count_frames(&room, LEDGER_END), 3);
    put_batch(&room, 2);
    assert_int_equal(count_frames(&room, LEDGER_END), 6);
    close_room(&room);
}

// A power cut, or a kill, between making the file and writing its header.
static void first_segment_without_its_header_is_begun_afresh(void **state)
{
    static const size_t left_bytes[] = {0, 7, 23};
    struct room room;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        open_room(&room, 1000);
        ledger_close(room.ledger);
        case_cut(room.dir, "000001.seg", left_bytes[i]);
        assert_true(is_tail(&room, 0));
        room.ledger = ledger_open(room.fd, start, 1000, &room.err);
        case_check(room.ledger, &room.err);
        put_batch(&room, 1);
        assert_int_equal(count_frames(&room, LEDGER_END), 3);
        close_room(&room);
    }
}

// ---- damage -------------------------------------------------------------------------------

static void every_flipped_byte_of_a_segment_is_found(void **state)
{
    struct room room;
    size_t count;

    (void)state;
    open_room(&room, 1 << 20);
    put_batch(&room, 1);
    free(case_load(room.dir, "000001.seg", &count));
    for (size_t i = 0; i < count; i++) {
        case_flip(room.dir, "000001.seg", i);
        size_t whole = count_frames(&room, LEDGER_TORN);
        assert_true(whole < 3);
        assert_true(room.err.place[0] != '\0');
        case_flip(room.dir, "000001.seg", i);
    }
    assert_int_equal(count_frames(&room, LEDGER_END), 3);
    close_room(&room);
}

static void every_truncation_ends_at_a_border_or_is_torn(void **state)
{
    struct room room;
    size_t count;

    (void)state;
    open_room(&room, 1 << 20);
    put_batch(&room, 1);
    unsigned char *whole = case_load(room.dir, "000001.seg", &count);
    const size_t borders[] = {24, 24 + 24 + 5, 24 + 24 + 5 + 24 + 9};
    for (size_t cut = 0; cut < count; cut++) {
        bool border = cut == borders[0] || cut == borders[1] || cut == borders[2];
        case_save(room.dir, "000001.seg", whole, cut);
        count_frames(&room, border ? LEDGER_END : LEDGER_TORN);
        if (!border) {
            assert_true(is_tail(&room, 0));
        }
    }
    free(whole);
    close_room(&room);
}

static void frame_in_another_place_is_wrong(void **state)
{
    struct room room;
    size_t count;
    enum { FRAME = 24 + 5 };

    (void)state;
    open_room(&room, 1 << 20);
    append(&room, LEDGER_FILE, 0, "first");
    append(&room, LEDGER_FILE, 0, "other");
    commit(&room);
    unsigned char *data = case_load(room.dir, "000001.seg", &count);
    memcpy(data + 24 + FRAME, data + 24, FRAME); // a copy of the first
    case_save(room.dir, "000001.seg", data, count);
    assert_int_equal(count_frames(&room, LEDGER_TORN), 1);
    free(data);
    close_room(&room);
}

static void segment_under_another_number_is_wrong(void **state)
{
    struct room room;
    size_t count;

    (void)state;
    open_room(&room, 1 << 20);
    put_batch(&room, 1);
    unsigned char *data = case_load(room.dir, "000001.seg", &count);
    case_save(room.dir, "000002.seg", data, count);
    assert_int_equal(count_frames(&room, LEDGER_TORN), 3);
    free(data);
    close_room(&room);
}

static void unfinished_tail_is_no_damage(void **state)
{
    struct room room;
    size_t count;

    (void)state;
    open_room(&room, 1 << 20);
    put_batch(&room, 1);
    size_t committed = (size_t)ledger_committed(room.ledger).offset;
    put_batch(&room, 2);
    free(case_load(room.dir, "000001.seg", &count));
    case_flip(room.dir, "000001.seg", committed + 30); // BEGIN of 2 never reached the disk
    assert_true(is_tail(&room, 1));
    close_room(&room);
}

static void later_batch_proves_damage(void **state)
{
    struct room room;

    (void)state;
    open_room(&room, 1 << 20);
    put_batch(&room, 1);
    put_batch(&room, 2);
    case_flip(room.dir, "000001.seg", 50);
    assert_false(is_tail(&room, 0));
    assert_non_null(strstr(room.err.message, "damaged ledger"));
    assert_non_null(strstr(room.err.place, "000001.seg@0x"));
    close_room(&room);
}

static void begin_of_a_later_batch_proves_damage_too(void **state)
{
    struct room room;

    (void)state;
    open_room(&room, 1 << 20);
    put_batch(&room, 1);
    append(&room, LEDGER_BEGIN, 2, "begin");
    commit(&room);
    case_flip(room.dir, "000001.seg", 50);
    assert_false(is_tail(&room, 0));
    close_room(&room);
}

static void unit_behind_the_end_of_a_unit_proves_damage(void **state)
{
    struct room room;

    (void)state;
    open_room(&room, 1 << 20);
    append(&room, LEDGER_FILE, 0, "a refused file");
    commit(&room);
    append(&room, LEDGER_FILE, 0, "another one");
    commit(&room);
    append(&room, LEDGER_FILE, 0, "and another one");
    commit(&room);
    case_flip(room.dir, "000001.seg", 50); // two whole units stand behind the torn one
    assert_false(is_tail(&room, 0));
    close_room(&room);
}

// A power cut during the sync of three batches may leave the last ones whole and the first not.
static void batch_written_before_the_one_in_front_was_synced_proves_nothing(void **state)
{
    struct room room;

    (void)state;
    open_room(&room, 1 << 20);
    seal_batch(&room, 1);
    seal_batch(&room, 2);
    append(&room, LEDGER_FILE, 2, "a refused file");
    case_check(ledger_seal(room.ledger, &room.err), &room.err);
    seal_batch(&room, 3);
    case_flip(room.dir, "000001.seg", 50);
    assert_true(is_tail(&room, 0));
    case_check(ledger_sync(room.ledger, &room.err), &room.err);
    assert_true(is_tail(&room, 0)); // nobody can tell yet
    append(&room, LEDGER_BEGIN, 4, "begin");
    commit(&room);
    assert_false(is_tail(&room, 0));
    close_room(&room);
}

static void later_segment_proves_damage(void **state)
{
    struct room room;

    (void)state;
    open_room(&room, 60);
    put_batch(&room, 1);
    case_flip(room.dir, "000001.seg", 30);
    assert_false(is_tail(&room, 0));
    close_room(&room);
}

static void damaged_header_before_frames_is_damage(void **state)
{
    struct room room;

    (void)state;
    open_room(&room, 1 << 20);
    put_batch(&room, 1);
    case_flip(room.dir, "000001.seg", 3);
    assert_false(is_tail(&room, 0));
    close_room(&room);
}

// ---- payloads -----------------------------------------------------------------------------

static void rows_survive_encoding_with_the_most_distant_values(void **state)
{
    static const char *const names[] = {"a", "b"};
    const uint32_t dims[2] = {0, UINT32_MAX};
    const int64_t extremes[] = {INT64_MIN, INT64_MAX, 0, -1};
    const char *const revisions[] = {"", "-999999999999999999", "999999999999999999", "2020-01-01"};
    struct ledger_row_base base = {0};
    struct ledger_row row;
    struct bytes out;
    struct tally_err err;
    uint32_t got_dims[SHAPE_DIMS_MAX];
    int64_t got[SHAPE_MEASURES_MAX];

    (void)state;
    struct shape *shape = shape_open("f", names, 2, names, 2, &err);
    bytes_init(&out);
    for (unsigned i = 0; i < 64; i++) {
        const char *revision = revisions[i / 16];
        int64_t measures[2] = {extremes[i % 4], extremes[i / 4 % 4]};
        row = (struct ledger_row){.id = "id",
                                  .id_bytes = 2,
                                  .record = i % 2 ? UINT64_MAX : 0,
                                  .line = i % 3 ? 1 : UINT64_MAX,
                                  .first_day = i % 2 ? -4371587 : 2932896,
                                  .revision = revision_of_text(revision, strlen(revision)),
                                  .reported = 3,
                                  .dims = dims,
                                  .measures = measures};
        row.last_day = i % 2 ? 2932896 : row.first_day;
        ledger_row_encode(&row, shape, &base, &out);
    }
    struct cursor in = cursor_over(out.data, out.count);
    base = (struct ledger_row_base){0};
    for (unsigned i = 0; i < 64; i++) {
        assert_true(ledger_row_decode(&row, shape, &base, got_dims, got, &in));
        const char *revision = revisions[i / 16];
        struct revision want = revision_of_text(revision, strlen(revision));
        assert_int_equal(row.first_day, i % 2 ? -4371587 : 2932896);
        assert_int_equal(row.last_day, 2932896);
        assert_true(row.record == (i % 2 ? UINT64_MAX : 0));
        assert_true(row.line == (i % 3 ? 1 : UINT64_MAX));
        assert_int_equal(revision_compare(&row.revision, &want), 0);
        assert_true(got[0] == extremes[i % 4] && got[1] == extremes[i / 4 % 4]);
        assert_int_equal(got_dims[1], UINT32_MAX);
    }
    assert_int_equal(cursor_left(&in), 0);
    bytes_done(&out);
    shape_close(shape);
}

static void every_truncation_of_a_row_is_malformed(void **state)
{
    static const char *const names[] = {"a"};
    const uint32_t dims[1] = {300};
    const int64_t measures[1] = {70000};
    struct ledger_row row = {.id = "id",
                             .id_bytes = 2,
                             .record = 5000,
                             .line = 5001,
                             .first_day = 18000,
                             .last_day = 18400,
                             .revision = revision_of_text("2020-01-01", 10),
                             .reported = 1,
                             .dims = dims,
                             .measures = measures};
    struct tally_err err;
    struct bytes out;
    uint32_t got_dims[SHAPE_DIMS_MAX];
    int64_t got[SHAPE_MEASURES_MAX];

    (void)state;
    struct shape *shape = shape_open("f", names, 1, names, 1, &err);
    bytes_init(&out);
    ledger_row_encode(&row, shape, &(struct ledger_row_base){0}, &out);
    for (size_t cut = 0; cut < out.count; cut++) {
        struct cursor in = cursor_over(out.data, cut);
        struct ledger_row_base base = {0};
        assert_false(ledger_row_decode(&row, shape, &base, got_dims, got, &in));
    }
    bytes_done(&out);
    shape_close(shape);
}

static void ends_survive_encoding_and_no_truncation_passes(void **state)
{
    struct batch_end end = {.version = LEDGER_VERSION,
                            .outcome = FILE_SUPERSEDED,
                            .time_ms = -5,
                            .digest = {1, 2},
                            .bytes = 3,
                            .records = 4,
                            .rejected = 5,
                            .disordered = 6,
                            .rows = 7,
                            .unterminated = true,
                            .any_day = true,
                            .first_day = -100,
                            .last_day = 100,
                            .file = "f.csv",
                            .file_bytes = 5,
                            .feed = "acled",
                            .feed_bytes = 5,
                            .place = "f.csv:3",
                            .place_bytes = 7,
                            .reason = "why",
                            .reason_bytes = 3,
                            .newest = revision_of_text("2020", 4)};
    struct batch_end got;
    struct bytes out;
    struct tally_err err;

    (void)state;
    bytes_init(&out);
    batch_end_encode(&end, &out);
    assert_true(batch_end_decode(&got, LEDGER_VERSION, cursor_over(out.data, out.count), &err));
    assert_int_equal(got.outcome, FILE_SUPERSEDED);
    assert_int_equal(got.time_ms, -5);
    assert_true(got.unterminated && got.any_day);
    assert_int_equal(got.first_day, -100);
    assert_int_equal(got.rows, 7);
    assert_memory_equal(got.reason, "why", 3);
    assert_int_equal(got.newest.number, 2020);
    for (size_t cut = 0; cut < out.count; cut++) {
        assert_false(batch_end_decode(&got, LEDGER_VERSION, cursor_over(out.data, cut), &err));
        assert_int_equal(err.code, TALLY_CORRUPT);
    }
    bytes_done(&out);
}

// Replay walks the list once a row: a count that no list stands behind would never end.
static void scopes_beyond_their_list_are_malformed(void **state)
{
    struct batch_end end = {.version = LEDGER_VERSION, .scopes = UINT64_C(1) << 60};
    struct batch_end got;
    struct bytes out;
    struct tally_err err;

    (void)state;
    bytes_init(&out);
    batch_end_encode(&end, &out);
    assert_false(batch_end_decode(&got, LEDGER_VERSION, cursor_over(out.data, out.count), &err));
    assert_int_equal(err.code, TALLY_CORRUPT);
    bytes_done(&out);
}

static void day_that_no_number_holds_is_malformed(void **state)
{
    struct ledger_row_base base = {.first_day = -5};
    struct ledger_row row;
    struct tally_err err;
    struct bytes out;
    uint32_t dims[SHAPE_DIMS_MAX];
    int64_t measures[SHAPE_MEASURES_MAX];

    (void)state;
    struct shape *shape = shape_open("f", NULL, 0, NULL, 0, &err);
    bytes_init(&out);
    bytes_put(&out, "\x20\1i\0\0", 5);
    bytes_put_zigzag(&out, INT64_MIN);
    struct cursor in = cursor_over(out.data, out.count);
    assert_false(ledger_row_decode(&row, shape, &base, dims, measures, &in));
    bytes_done(&out);
    shape_close(shape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_back_as_they_were_appended),
        cmocka_unit_test(reader_at_the_end_sees_what_is_appended_later),
        cmocka_unit_test(frame_may_be_as_long_as_the_limit_and_no_longer),
        cmocka_unit_test(abort_leaves_the_bytes_of_the_last_commit),
        cmocka_unit_test(abort_leaves_what_was_sealed_and_not_synced),
        cmocka_unit_test(opening_cuts_off_what_stands_behind_the_last_commit),
        cmocka_unit_test(first_segment_without_its_header_is_begun_afresh),
        cmocka_unit_test(every_flipped_byte_of_a_segment_is_found),
        cmocka_unit_test(every_truncation_ends_at_a_border_or_is_torn),
        cmocka_unit_test(frame_in_another_place_is_wrong),
        cmocka_unit_test(segment_under_another_number_is_wrong),
        cmocka_unit_test(unfinished_tail_is_no_damage),
        cmocka_unit_test(later_batch_proves_damage),
        cmocka_unit_test(begin_of_a_later_batch_proves_damage_too),
        cmocka_unit_test(unit_behind_the_end_of_a_unit_proves_damage),
        cmocka_unit_test(batch_written_before_the_one_in_front_was_synced_proves_nothing),
        cmocka_unit_test(later_segment_proves_damage),
        cmocka_unit_test(damaged_header_before_frames_is_damage),
        cmocka_unit_test(rows_survive_encoding_with_the_most_distant_values),
        cmocka_unit_test(every_truncation_of_a_row_is_malformed),
        cmocka_unit_test(ends_survive_encoding_and_no_truncation_passes),
        cmocka_unit_test(scopes_beyond_their_list_are_malformed),
        cmocka_unit_test(day_that_no_number_holds_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
