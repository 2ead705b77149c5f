// From the ledger to the state, at any past moment.
#include "store/replay.h"

#include "store/unpacker.h"
#include "tests/unit/crafted.h"
#include "tests/unit/one_core.h"

enum { BATCHES = 4 };

// Four batches a second apart and a note between the second and the third.
static void open_history(struct store_case *room, uint64_t segment_bytes_max,
                         struct digest out_states[BATCHES + 1])
{
    static const char *const names[] = {"one", "two", "three", "four"};
    static const struct case_row rows[BATCHES][2] = {
        {ROW_AT("1", "a", 10, "Chad", 3), ROW_AT("1", "b", 11, "Mali", 4)},
        {ROW_AT("2", "a", 12, "Peru", 5),
         {.id = "c", .day = 13, .country = "Mali", .killed = 1, .revision = "1", .lasts = 5}},
        {ROW_WITHDRAW(NULL, "b"), ROW_WITHDRAW("9", "z")},
        {ROW_AT("1", "b", 11, "Mali", 4), ROW_AT("2020-01-01", "d", 13, "Fiji", 1)},
    };

    case_open(room);
    room->options.segment_bytes_max = segment_bytes_max;
    case_check(case_restart(room), &room->err);
    out_states[0] = case_state_digest(room);
    for (size_t i = 0; i < BATCHES; i++) {
        case_file(room, i == 2 ? BATCH_DELETIONS : BATCH_UPSERT, names[i], rows[i], 2);
        out_states[i + 1] = case_state_digest(room);
        if (i == 1) {
            struct store_file_end end = {.digest = {1, 1}, .time_ms = room->time_ms - 500};
            assert_true(store_note(room->store, FILE_REJECTED, "acled", "bad.csv", &end,
                                   "bad.csv:1", "no header", &room->err));
        }
    }
}

// Rows are unpacked in rounds while those of the round before are applied. An id that comes again
// in a later round is applied behind the first one all the same, on one core and on all; so it is
// where rows wait for the index because most were new so far, until one withdraws, or until there
// are many of them and most were not. Each round needs wider rows than the one before: more
// values, and longer spans.
static void ids_that_come_again_rounds_later_are_applied_in_order(void **state)
{
    enum { ROUND = UNPACKER_FRAMES_MAX * COLUMNS_ROWS_MAX, COUNT = 7 * ROUND };
    enum { IDS = 4 * ROUND + 617, WITHDRAWN = 5, WITHDRAWS = 2 * ROUND + 9 };
    struct case_row *rows = malloc(COUNT * sizeof *rows);
    char(*ids)[16] = malloc(IDS * sizeof *ids);
    struct store_case room[2];

    (void)state;
    assert_true(rows && ids);
    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i % IDS], sizeof *ids, "id%d", i % IDS);
        rows[i] = (struct case_row)ROW(ids[i % IDS], i % 400, i % 3 ? "Chad" : "Mali", i);
        rows[i].lasts = i / ROUND * 100;
    }
    rows[WITHDRAWS] = (struct case_row)ROW_WITHDRAW(NULL, ids[WITHDRAWN]);
    for (int one = 0; one < 2; one++) {
        cpu_set_t all = one ? use_one_core() : (cpu_set_t){0};
        case_open(&room[one]);
        case_file(&room[one], BATCH_UPSERT, "one", rows, COUNT);
        if (one) {
            use_cores(all);
        }
        assert_int_equal(room[one].outcome.counts.added, IDS + 1); // the withdrawn one is back
        assert_int_equal(room[one].outcome.counts.revised, COUNT - IDS - 2);
        assert_int_equal(room[one].outcome.counts.withdrawn, 1);
        for (int i = COUNT - IDS; i < COUNT; i += 97) {
            const struct incident *incident = case_find(&room[one], rows[i].id);
            const struct state *kept = &embedded_of(room[one].store)->state;
            assert_int_equal(case_killed(&room[one], rows[i].id), i);
            assert_int_equal(incident_first_day(incident), rows[i].day);
            assert_int_equal(incident_last_day(kept, incident), rows[i].day + rows[i].lasts);
        }
    }
    assert_true(digest_equal(case_state_digest(&room[0]), case_state_digest(&room[1])));
    case_close(&room[0]);
    case_close(&room[1]);
    free(rows);
    free(ids);
}

struct seen {
    uint64_t files;
    uint64_t notes;
    uint64_t rows;
    uint64_t skip_batch;
    int64_t last_time_ms;
    bool backwards;
};

static bool on_begin(void *context, const struct replay_file *file, bool *out_skip,
                     struct tally_err *err)
{
    struct seen *seen = context;

    (void)err;
    *out_skip = file->batch == seen->skip_batch;
    assert_int_equal(file->end->records, 2); // its end is known already
    return true;
}

static bool on_file(void *context, const struct replay_file *file, struct tally_err *err)
{
    struct seen *seen = context;

    (void)err;
    seen->files++;
    seen->notes += file->batch == 0;
    seen->rows += file->counts.added + file->counts.revised + file->counts.withdrawn +
                  file->counts.unchanged + file->counts.older;
    assert_true((file->batch == 0) == (file->begin == NULL));
    seen->backwards = seen->backwards || file->end->time_ms < seen->last_time_ms;
    seen->last_time_ms = file->end->time_ms;
    return true;
}

static struct replay_visitor visitor_of(struct seen *seen)
{
    return (struct replay_visitor){.context = seen, .on_begin = on_begin, .on_file = on_file};
}

// The digest of the state at that moment.
static struct digest state_at(struct store_case *room, const char *until_text,
                              struct replay_end *out_end)
{
    struct replay_until until;
    struct state state;
    struct bytes bytes;

    case_check(replay_until_parse(until_text, &until, &room->err), &room->err);
    case_check(state_init(&state, &room->err), &room->err);
    case_check(
        replay(&state, embedded_of(room->store)->ledger_fd, &until, NULL, out_end, &room->err),
        &room->err);
    bytes_init(&bytes);
    state_dump(&state, &bytes);
    struct digest digest = digest_of(bytes.data, bytes.count);
    bytes_done(&bytes);
    state_done(&state);
    return digest;
}

static void state_as_of_each_batch_is_what_it_was_then(void **state)
{
    static const uint64_t segment_bytes[] = {1, 300, STORE_SEGMENT_BYTES};
    struct store_case room;
    struct digest want[BATCHES + 1];
    struct replay_end end;
    char text[8];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        open_history(&room, segment_bytes[i], want);
        for (unsigned batch = 0; batch <= BATCHES; batch++) {
            snprintf(text, sizeof text, "%u", batch);
            assert_true(digest_equal(state_at(&room, text, &end), want[batch]));
            assert_int_equal(end.batches, batch);
            assert_false(end.torn);
        }
        assert_true(digest_equal(state_at(&room, "99", &end), want[BATCHES]));
        case_close(&room);
    }
}

static void state_as_of_a_time_is_what_it_was_then(void **state)
{
    static const struct {
        const char *time;
        size_t batches;
    } cases[] = {
        {"2020-09-12", 0},           {"2020-09-12T23:59:59Z", 0},
        {"2020-09-13T12:26:39", 0},  {"2020-09-13T12:26:40", 1},
        {"2020-09-13 12:26:41Z", 2}, {"2020-09-13T12:26:42", 3},
        {"2020-09-13T12:26:43", 4},  {"2020-09-13", 4},
        {"9999-12-31", 4},           {"2020-09-13T12:26:40.000Z", 1},
    };
    struct store_case room;
    struct digest want[BATCHES + 1];
    struct replay_end end;

    (void)state;
    open_history(&room, STORE_SEGMENT_BYTES, want);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct digest got = state_at(&room, cases[i].time, &end);
        assert_int_equal(end.batches, cases[i].batches);
        assert_true(digest_equal(got, want[cases[i].batches]));
    }
    case_close(&room);
}

// `--as-of TIME` stops at the first batch beyond it: true only while times never go back.
static void times_in_the_ledger_never_go_backwards(void **state)
{
    struct store_case room;
    struct replay_end end;
    struct state fresh;
    struct seen seen = {0};
    struct replay_visitor visitor = visitor_of(&seen);
    static const struct case_row rows[] = {ROW("a", 10, "Chad", 3), ROW("b", 10, "Chad", 3)};

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", rows, 2);
    room.time_ms -= 3600000; // the machine's clock was set back
    case_file(&room, BATCH_DELETIONS, "two", rows, 2);
    assert_true(state_init(&fresh, &room.err));
    assert_true(
        replay(&fresh, embedded_of(room.store)->ledger_fd, &replay_all, &visitor, &end, &room.err));
    state_done(&fresh);
    case_close(&room);
    assert_int_equal(seen.files, 2);
    assert_false(seen.backwards);
}

static void visitor_sees_files_rows_and_notes_in_order(void **state)
{
    struct store_case room;
    struct digest want[BATCHES + 1];
    struct replay_end end;
    struct state fresh;
    struct seen seen = {0};
    struct replay_visitor visitor = visitor_of(&seen);

    (void)state;
    open_history(&room, 300, want);
    assert_true(state_init(&fresh, &room.err));
    assert_true(
        replay(&fresh, embedded_of(room.store)->ledger_fd, &replay_all, &visitor, &end, &room.err));
    state_done(&fresh);
    assert_int_equal(seen.files, BATCHES + 1);
    assert_int_equal(seen.notes, 1);
    assert_int_equal(seen.rows, 2 * BATCHES);
    assert_false(seen.backwards);
    seen = (struct seen){.skip_batch = 2};
    assert_true(state_init(&fresh, &room.err));
    assert_true(
        replay(&fresh, embedded_of(room.store)->ledger_fd, &replay_all, &visitor, &end, &room.err));
    assert_int_equal(seen.rows, 2 * BATCHES - 2);
    assert_null(state_find(&fresh, 0, "c", 1));
    assert_int_equal(end.batches, BATCHES);
    state_done(&fresh);
    case_close(&room);
}

static void until_is_a_batch_or_a_time(void **state)
{
    static const char *const wrong[] = {"",
                                        "x",
                                        "3x",
                                        " 3",
                                        "+3",
                                        "2020-13-01",
                                        "2020-02-30",
                                        "2020-10-24T",
                                        "2020-10-24T25:00:00",
                                        "2020-10-24T12:60:00",
                                        "2020-10-24T/0:00:00",
                                        "2020-10-24T1/:00:00",
                                        "2020-10-24T1x:00:00",
                                        "2020-10-24T12.30.00",
                                        "2020-10-24T12:30",
                                        "2020-10-24T12:30:00+01",
                                        "2020-10-24x12:30:00",
                                        "-3",
                                        "2020-10",
                                        "18446744073709551615", // would be all
                                        "99999999999999999999"};
    struct replay_until until;
    struct tally_err err;

    (void)state;
    assert_true(replay_until_parse("3", &until, &err));
    assert_int_equal(until.batch, 3);
    assert_true(until.time_ms == INT64_MAX);
    assert_true(replay_until_parse("1970-01-01", &until, &err)); // the whole day
    assert_int_equal(until.time_ms, 86399999);
    assert_true(until.batch == UINT64_MAX);
    assert_true(replay_until_parse("1970-01-01T00:00:00Z", &until, &err));
    assert_int_equal(until.time_ms, 999);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (replay_until_parse(wrong[i], &until, &err)) {
            fail_msg("'%s' passes", wrong[i]);
        }
        assert_int_equal(err.code, TALLY_INVALID);
    }
}

// ---- damage -------------------------------------------------------------------------------

static void damage_before_the_last_batch_is_refused_wherever_it_is(void **state)
{
    struct store_case room;
    struct digest want[BATCHES + 1];
    struct replay_until until = replay_all;
    size_t count;

    (void)state;
    open_history(&room, STORE_SEGMENT_BYTES, want);
    struct ledger_position last = embedded_of(room.store)->accepted[BATCHES - 1].at;
    free(case_load(room.dir, "ledger/000001.seg", &count));
    for (size_t i = 0; i < last.offset; i++) {
        struct replay_end end;
        struct state fresh;
        case_flip(room.dir, "ledger/000001.seg", i);
        assert_true(state_init(&fresh, &room.err));
        bool ok = replay(&fresh, embedded_of(room.store)->ledger_fd, &until, NULL, &end, &room.err);
        if (ok || room.err.code != TALLY_CORRUPT || room.err.place[0] == '\0') {
            fail_msg("byte %zu of %zu", i, count);
        }
        state_done(&fresh);
        case_flip(room.dir, "ledger/000001.seg", i);
    }
    case_close(&room);
}

static void damaged_store_does_not_start_and_is_not_changed(void **state)
{
    struct store_case room;
    struct digest want[BATCHES + 1];
    size_t count;
    size_t after_count;

    (void)state;
    open_history(&room, STORE_SEGMENT_BYTES, want);
    case_flip(room.dir, "ledger/000001.seg", 200);
    unsigned char *before = case_load(room.dir, "ledger/000001.seg", &count);
    assert_false(case_restart(&room));
    assert_int_equal(room.err.code, TALLY_CORRUPT);
    unsigned char *after = case_load(room.dir, "ledger/000001.seg", &after_count);
    assert_int_equal(count, after_count);
    assert_memory_equal(before, after, count);
    free(before);
    free(after);
    case_close(&room);
}

// A segment that is gone takes accepted batches with it; those behind it prove that.
static void missing_segment_is_damage(void **state)
{
    static const char *const gone[] = {"000001.seg", "000003.seg"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct store_case room;
        struct digest want[BATCHES + 1];
        open_history(&room, 1, want); // a frame a segment
        room.options.defs_count = 0;
        assert_true(disk_unlink(embedded_of(room.store)->ledger_fd, gone[i], &room.err));
        bool started = case_restart(&room);
        case_close(&room);
        if (started) {
            fail_msg("starts without %s", gone[i]);
        }
    }
}

static void missing_segment_between_two_batches_is_damage(void **state)
{
    static const struct case_row one = ROW("a", 10, "Chad", 3);
    struct store_case room;

    (void)state;
    case_open(&room);
    room.options.segment_bytes_max = 1;
    room.options.defs_count = 0;
    case_check(case_restart(&room), &room.err);
    case_file(&room, BATCH_UPSERT, "one", &one, 1);
    uint32_t last = ledger_committed(embedded_of(room.store)->ledger).segment;
    case_file(&room, BATCH_UPSERT, "two", &one, 0);
    case_file(&room, BATCH_UPSERT, "three", &one, 0);
    char name[LEDGER_SEGMENT_NAME_BYTES];
    ledger_segment_name(last + 1, name);
    assert_true(disk_unlink(embedded_of(room.store)->ledger_fd, name, &room.err));
    bool started = case_restart(&room);
    uint64_t batches = started ? store_batches(room.store) : 0;
    case_close(&room);
    if (started) {
        fail_msg("starts with %llu batches of 3", (unsigned long long)batches);
    }
}

// One batch that takes several segments: each id is a name of its own, which begins with `letter`.
static void open_long_batch(struct store_case *room, char letter)
{
    struct case_row rows[60] = {0};
    char ids[60][24];

    case_open(room);
    room->options.segment_bytes_max = 300;
    room->options.defs_count = 0;
    case_check(case_restart(room), &room->err);
    for (int i = 0; i < 60; i++) {
        snprintf(ids[i], sizeof ids[i], "%c-%03d-incident-number-x", letter, i);
        rows[i] = (struct case_row){.id = ids[i], .day = 10, .country = "Chad", .killed = 3};
    }
    case_file(room, BATCH_UPSERT, "one", rows, 60);
    assert_true(ledger_committed(embedded_of(room->store)->ledger).segment > 2);
}

// Its rows would be applied in another order.
static void segments_of_two_versions_are_no_batch(void **state)
{
    struct store_case room;
    struct bytes header;
    size_t count;

    (void)state;
    open_long_batch(&room, 'a');
    unsigned char *segment = case_load(room.dir, "ledger/000002.seg", &count);
    bytes_init(&header);
    bytes_put(&header, segment, 8);
    bytes_put_u32(&header, LEDGER_VERSION_ROWS);
    bytes_put_u32(&header, 2);
    bytes_put_u64(&header, checksum64(header.data, 16, 2));
    assert_int_equal(header.count, LEDGER_SEGMENT_HEADER_BYTES);
    memcpy(segment, header.data, header.count);
    case_save(room.dir, "ledger/000002.seg", segment, count);
    bytes_done(&header);
    free(segment);
    bool started = case_restart(&room);
    if (!started) {
        assert_int_equal(room.err.code, TALLY_CORRUPT);
        assert_non_null(strstr(room.err.message, "a batch without its end"));
    }
    case_close(&room);
    assert_false(started);
}

// One segment of a batch is that of another ledger: each frame is whole and stands where it stood,
// and yet no such batch was ever committed.
static void parts_of_two_ledgers_are_no_batch(void **state)
{
    struct store_case rooms[2];
    size_t count;

    (void)state;
    open_long_batch(&rooms[0], 'a');
    open_long_batch(&rooms[1], 'b');
    assert_int_equal(ledger_committed(embedded_of(rooms[0].store)->ledger).segment,
                     ledger_committed(embedded_of(rooms[1].store)->ledger).segment);
    unsigned char *other = case_load(rooms[1].dir, "ledger/000002.seg", &count);
    case_save(rooms[0].dir, "ledger/000002.seg", other, count);
    free(other);
    bool started = case_restart(&rooms[0]);
    if (!started) {
        assert_int_equal(rooms[0].err.code, TALLY_CORRUPT);
        assert_non_null(strstr(rooms[0].err.message, "parts of two ledgers"));
    }
    case_close(&rooms[0]);
    case_close(&rooms[1]);
    assert_false(started);
}

// ---- frames with a right checksum and a wrong content ---------------------------------------

static void is_corrupt(struct crafted *crafted, const char *says)
{
    struct replay_end end = {.batches = 77};
    struct state state;

    assert_true(state_init(&state, &crafted->err));
    assert_false(replay(&state, crafted->fd, &replay_all, NULL, &end, &crafted->err));
    assert_int_equal(crafted->err.code, TALLY_CORRUPT);
    assert_int_equal(end.batches, 77); // outputs stay as they were
    if (!strstr(crafted->err.message, says)) {
        fail_msg("'%s' does not say '%s'", crafted->err.message, says);
    }
    if (!strstr(crafted->err.place, "ledger/000001.seg@0x")) {
        fail_msg("'%s' is at '%s'", crafted->err.message, crafted->err.place);
    }
    state_done(&state);
}

static void never_believed(const struct crafted_batch *malformed)
{
    struct crafted crafted;

    crafted_open(&crafted);
    crafted_batch(&crafted, malformed);
    crafted_batch(&crafted, &(struct crafted_batch){.version = malformed->version, .before = 1});
    is_corrupt(&crafted, malformed->says);
    crafted_close(&crafted);
}

static void malformed_content_is_corrupt_and_never_believed(void **state)
{
    struct bytes text;

    (void)state;
    for (size_t i = 0; i < CRAFTED_MALFORMED; i++) {
        never_believed(&crafted_malformed[i]);
    }
    bytes_init(&text);
    for (uint32_t version = LEDGER_VERSION_ROWS; version <= LEDGER_VERSION; version++) {
        struct crafted_batch long_id = crafted_long_id(version, &text);
        never_believed(&long_id);
    }
    bytes_done(&text);
}

// Frames of which the core that meets one says so, whichever the others meet: told is the first.
static void of_several_malformed_frames_the_first_is_told(void **state)
{
    enum { FRAMES = 9, FIRST = 3 };
    struct columns *columns = calloc(1, sizeof *columns);
    struct ledger_frame frame = {0};
    const struct ledger_frame *wrong;
    struct unpacker unpacker;
    struct state_rows rows;
    struct crafted crafted;
    struct bytes payload;
    struct state inner;
    uint16_t shape;

    (void)state;
    assert_non_null(columns);
    crafted_open(&crafted);
    assert_true(state_init(&inner, &crafted.err));
    assert_true(state_add_shape(&inner, crafted.shape, &shape, &crafted.err));
    unpacker_init(&unpacker, &inner);
    bytes_init(&payload);
    for (int round = 0; round < 50; round++) {
        assert_true(unpacker_begin(&unpacker, shape, &crafted.err));
        for (uint32_t i = 0; i < FRAMES; i++) {
            columns->count = 1 + i % 2 * 1000;
            columns->dims_count = 1;
            columns->value[COLUMN_OP][0] = i >= FIRST ? 77 : 0;
            bytes_clear(&payload);
            columns_encode(columns, &payload);
            frame.at.offset = i;
            frame.payload = cursor_over(payload.data, payload.count);
            assert_true(unpacker_put_rows(&unpacker, &frame, &crafted.err));
        }
        assert_false(unpacker_take_rows(&unpacker, NULL, &rows, &wrong, &crafted.err));
        assert_int_equal(crafted.err.code, TALLY_CORRUPT);
        assert_non_null(wrong);
        assert_int_equal(wrong->at.offset, FIRST);
    }
    bytes_done(&payload);
    unpacker_done(&unpacker);
    state_done(&inner);
    crafted_close(&crafted);
    free(columns);
}

static void batches_that_do_not_follow_one_another_are_corrupt(void **state)
{
    static const struct {
        uint64_t before;
        const char *says;
    } cases[] = {{1, "batch 2 follows batch 0"},
                 {UINT64_MAX, "a frame outside a batch"}, // batch 0
                 {UINT32_MAX, "a frame outside a batch"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct crafted crafted;
        crafted_open(&crafted);
        crafted_batch(&crafted, &(struct crafted_batch){.version = 2, .before = cases[i].before});
        is_corrupt(&crafted, cases[i].says);
        crafted_close(&crafted);
    }
}

static bool refuse_to_begin(void *context, const struct replay_file *file, bool *out_skip,
                            struct tally_err *err)
{
    (void)out_skip;
    return file->batch != *(uint64_t *)context || err_set(err, TALLY_LIMIT, "enough");
}

static void visitor_that_refuses_ends_the_replay(void **state)
{
    uint64_t refused = 3;
    struct replay_visitor visitor = {.context = &refused, .on_begin = refuse_to_begin};
    struct replay_end end = {.batches = 77};
    struct digest want[BATCHES + 1];
    struct store_case room;
    struct state fresh;

    (void)state;
    open_history(&room, STORE_SEGMENT_BYTES, want);
    assert_true(state_init(&fresh, &room.err));
    assert_false(
        replay(&fresh, embedded_of(room.store)->ledger_fd, &replay_all, &visitor, &end, &room.err));
    assert_int_equal(room.err.code, TALLY_LIMIT);
    assert_int_equal(end.batches, 77);
    state_done(&fresh);
    case_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_that_come_again_rounds_later_are_applied_in_order),
        cmocka_unit_test(state_as_of_each_batch_is_what_it_was_then),
        cmocka_unit_test(state_as_of_a_time_is_what_it_was_then),
        cmocka_unit_test(times_in_the_ledger_never_go_backwards),
        cmocka_unit_test(visitor_sees_files_rows_and_notes_in_order),
        cmocka_unit_test(until_is_a_batch_or_a_time),
        cmocka_unit_test(damage_before_the_last_batch_is_refused_wherever_it_is),
        cmocka_unit_test(damaged_store_does_not_start_and_is_not_changed),
        cmocka_unit_test(missing_segment_is_damage),
        cmocka_unit_test(missing_segment_between_two_batches_is_damage),
        cmocka_unit_test(segments_of_two_versions_are_no_batch),
        cmocka_unit_test(parts_of_two_ledgers_are_no_batch),
        cmocka_unit_test(malformed_content_is_corrupt_and_never_believed),
        cmocka_unit_test(of_several_malformed_frames_the_first_is_told),
        cmocka_unit_test(batches_that_do_not_follow_one_another_are_corrupt),
        cmocka_unit_test(visitor_that_refuses_ends_the_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
