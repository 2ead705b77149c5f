// What is whole of a damaged ledger comes out again, and what is not is told.
#include "store/salvage.h"

#include "tests/unit/crafted.h"

enum { LOST_MAX = 16 };

struct told {
    struct salvage_lost lost[LOST_MAX];
    char file[LOST_MAX][16];
    char why[LOST_MAX][128];
    size_t count;
};

struct rescue {
    char dir[40];
    int fd;
    struct told told;
    struct salvage_counts counts;
    struct tally_err err;
};

static bool on_lost(void *context, const struct salvage_lost *lost, struct tally_err *err)
{
    struct told *told = context;

    (void)err;
    assert_true(told->count < LOST_MAX);
    snprintf(told->file[told->count], sizeof told->file[0], "%.*s", (int)lost->file_bytes,
             lost->file);
    snprintf(told->why[told->count], sizeof told->why[0], "%s", lost->why);
    told->lost[told->count++] = *lost;
    return true;
}

static void rescue_from(struct rescue *rescue, int from_fd)
{
    struct salvage_visitor visitor = {.context = &rescue->told, .on_lost = on_lost};

    memset(rescue, 0, sizeof *rescue);
    case_make_dir(rescue->dir);
    rescue->fd = case_open_dir(rescue->dir, "");
    case_check(salvage(from_fd, rescue->fd, &visitor, &rescue->counts, &rescue->err), &rescue->err);
    assert_true(rescue->counts.lost >= rescue->told.count);
}

static void rescue_open(struct rescue *rescue, const struct store_case *room)
{
    int from = case_open_dir(room->dir, "ledger");

    rescue_from(rescue, from);
    disk_close(from);
}

static void rescue_close(struct rescue *rescue)
{
    disk_close(rescue->fd);
    case_remove_dir(rescue->dir);
}

// The state that a ledger gives, which has to be sound.
static struct digest state_of(int ledger_fd, uint64_t *out_batches)
{
    struct state state;
    struct replay_end end;
    struct tally_err err;
    struct bytes bytes;

    case_check(state_init(&state, &err) && replay(&state, ledger_fd, &replay_all, NULL, &end, &err),
               &err);
    bytes_init(&bytes);
    state_dump(&state, &bytes);
    struct digest digest = digest_of(bytes.data, bytes.count);
    bytes_done(&bytes);
    state_done(&state);
    *out_batches = end.batches;
    return digest;
}

static void note(struct store_case *room, const char *name)
{
    struct store_file_end end = {.digest = digest_of(name, strlen(name))};

    case_check(store_note(room->store, FILE_REJECTED, "acled", name, &end, "", "no", &room->err),
               &room->err);
}

// Four batches and two notes: texts shared and new, a snapshot by scope, several segments if small.
static void history(struct store_case *room, uint64_t segment_bytes_max)
{
    case_open(room);
    room->options.segment_bytes_max = segment_bytes_max;
    case_check(case_restart(room), &room->err);
    case_file(room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3), ROW("b", 11, "Mali", 4)));
    note(room, "odd");
    case_file(room, BATCH_UPSERT, "two", ROWS(ROW("c", 12, "acled", 5), ROW("a", 13, "Peru", 6)));
    case_check(case_try(room, BATCH_SNAPSHOT, 0, "three",
                        ROWS(ROW("d", 14, "Mali", 7), ROW("e", 15, "Peru", 8))),
               &room->err);
    case_file(room, BATCH_UPSERT, "four", ROWS(ROW("f", 16, "Fiji", CASE_UNKNOWN)));
    note(room, "end");
    store_close(room->store);
    room->store = NULL;
}

static void sound_ledger_comes_out_the_same(void **state)
{
    static const uint64_t sizes[] = {1 << 20, 300, 64};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct store_case room;
        struct rescue rescue;
        uint64_t batches;
        history(&room, sizes[i]);
        rescue_open(&rescue, &room);
        assert_int_equal(rescue.told.count, 0);
        assert_int_equal(rescue.counts.batches, 4);
        assert_int_equal(rescue.counts.notes, 2);
        int from = case_open_dir(room.dir, "ledger");
        struct digest want = state_of(from, &batches);
        assert_true(digest_equal(state_of(rescue.fd, &batches), want));
        assert_int_equal(batches, 4);
        disk_close(from);
        rescue_close(&rescue);
        case_close(&room);
    }
}

// One flipped byte costs one unit, or what rests on its texts; the rest is sound.
static void check_flip(struct store_case *room, const char *segment, size_t offset)
{
    struct rescue rescue;
    uint64_t batches;

    case_flip(room->dir, segment, offset);
    rescue_open(&rescue, room);
    state_of(rescue.fd, &batches);
    assert_int_equal(batches, rescue.counts.batches);
    bool header = offset < LEDGER_SEGMENT_HEADER_BYTES;
    uint64_t lost = rescue.counts.lost;
    if (header) {
        assert_int_equal(lost, 0);
    } else {
        assert_true(lost >= 1);
    }
    if (rescue.counts.batches + rescue.counts.notes + lost != 6) {
        fail_msg("%s@%zu: %llu batches, %llu notes, %llu lost", segment, offset,
                 (unsigned long long)rescue.counts.batches, (unsigned long long)rescue.counts.notes,
                 (unsigned long long)lost);
    }
    rescue_close(&rescue);
    case_flip(room->dir, segment, offset);
}

static void each_flipped_byte_costs_its_unit_alone(void **state)
{
    static const uint64_t sizes[] = {1 << 20, 300};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct store_case room;
        struct disk_names names;
        history(&room, sizes[i]);
        int fd = case_open_dir(room.dir, "ledger");
        case_check(disk_list(fd, ".", &names, &room.err), &room.err);
        disk_close(fd);
        assert_true(sizes[i] > 300 || names.count > 3);
        for (size_t s = 0; s < names.count; s++) {
            char path[32];
            size_t count;
            snprintf(path, sizeof path, "ledger/%s", names.name[s]);
            free(case_load(room.dir, path, &count));
            for (size_t offset = 0; offset < count; offset++) {
                check_flip(&room, path, offset);
            }
        }
        disk_names_done(&names);
        case_close(&room);
    }
}

static void lost_batch_is_named_and_the_others_count_anew(void **state)
{
    struct store_case room;
    struct rescue rescue;
    uint64_t batches;

    (void)state;
    case_open(&room);
    case_file(&room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3)));
    size_t first = (size_t)ledger_committed(embedded_of(room.store)->ledger).offset;
    case_file(&room, BATCH_UPSERT, "two", ROWS(ROW("b", 10, "Mali", 3)));
    size_t second = (size_t)ledger_committed(embedded_of(room.store)->ledger).offset;
    case_file(&room, BATCH_UPSERT, "three", ROWS(ROW("c", 10, "Mali", 3)));
    case_flip(room.dir, "ledger/000001.seg", second - 1); // in the COMMIT of two
    rescue_open(&rescue, &room);
    assert_int_equal(rescue.told.count, 1);
    assert_int_equal(rescue.told.lost[0].batch, 2);
    assert_int_equal(rescue.told.lost[0].from.offset, first);
    assert_string_equal(rescue.told.file[0], "two");
    assert_int_equal(rescue.counts.batches, 2); // the text that two brought is still there
    state_of(rescue.fd, &batches);
    assert_int_equal(batches, 2);
    rescue_close(&rescue);
    case_close(&room);
}

static void missing_segment_costs_what_was_in_it(void **state)
{
    struct store_case room;
    struct rescue rescue;
    struct disk_names names;
    uint64_t batches;

    (void)state;
    history(&room, 300);
    int fd = case_open_dir(room.dir, "ledger");
    case_check(disk_list(fd, ".", &names, &room.err), &room.err);
    for (size_t i = 0; i < names.count; i++) {
        assert_true(disk_rename(fd, names.name[i], fd, "away", &room.err));
        rescue_open(&rescue, &room);
        state_of(rescue.fd, &batches);
        assert_int_equal(batches, rescue.counts.batches);
        assert_true(rescue.counts.batches + rescue.counts.notes < 6);
        // Nothing behind the last one says that it was there.
        assert_true(rescue.counts.lost > 0 || i + 1 == names.count);
        rescue_close(&rescue);
        assert_true(disk_rename(fd, "away", fd, names.name[i], &room.err));
    }
    disk_names_done(&names);
    disk_close(fd);
    case_close(&room);
}

// What is copied can be replayed, also where each frame was whole and what it says was not.
static void lost_alone(const struct crafted_batch *malformed)
{
    bool was_batch = malformed->begin.kind != LEDGER_FILE;
    struct crafted crafted;
    struct rescue rescue;
    uint64_t batches;

    crafted_open(&crafted);
    crafted_batch(&crafted, malformed);
    crafted_batch(&crafted,
                  &(struct crafted_batch){.version = malformed->version, .before = was_batch});
    rescue_from(&rescue, crafted.fd);
    state_of(rescue.fd, &batches);
    assert_int_equal(batches, rescue.counts.batches);
    if (rescue.counts.batches != (malformed->told ? 1 : 2) ||
        rescue.counts.lost != (malformed->told ? 1 : 0)) {
        fail_msg("%s: %llu batches, %llu lost", malformed->says,
                 (unsigned long long)rescue.counts.batches, (unsigned long long)rescue.counts.lost);
    }
    if (malformed->told && !strstr(rescue.told.why[0], malformed->told)) {
        fail_msg("'%s' does not say '%s'", rescue.told.why[0], malformed->told);
    }
    rescue_close(&rescue);
    crafted_close(&crafted);
}

static void malformed_batch_is_lost_and_the_next_one_is_not(void **state)
{
    struct bytes text;

    (void)state;
    for (size_t i = 0; i < CRAFTED_MALFORMED; i++) {
        lost_alone(&crafted_malformed[i]);
    }
    bytes_init(&text);
    for (uint32_t version = LEDGER_VERSION_ROWS; version <= LEDGER_VERSION; version++) {
        struct crafted_batch long_id = crafted_long_id(version, &text);
        lost_alone(&long_id);
    }
    bytes_done(&text);
}

static void ledger_without_anything_whole_comes_out_as_a_new_one(void **state)
{
    static const struct ledger_position start = {1, LEDGER_SEGMENT_HEADER_BYTES};
    struct crafted crafted;
    struct rescue rescue;
    size_t count;

    (void)state;
    crafted_open(&crafted);
    crafted_batch(&crafted, &(struct crafted_batch){.version = LEDGER_VERSION_ROWS, .rows = 1});
    rescue_from(&rescue, crafted.fd);
    assert_int_equal(rescue.counts.lost, 1);
    unsigned char *data = case_load(rescue.dir, "000001.seg", &count);
    assert_int_equal(count, start.offset);
    assert_int_equal(bytes_get_u32(data + 8), LEDGER_VERSION);
    free(data);
    rescue_close(&rescue);
    crafted_close(&crafted);
}

// A look at what could be saved writes nothing and says the same.
static void salvage_to_nowhere_counts_the_same(void **state)
{
    struct told told = {.count = 0};
    struct salvage_visitor visitor = {.context = &told, .on_lost = on_lost};
    struct salvage_counts counts;
    struct store_case room;
    struct rescue rescue;

    (void)state;
    history(&room, 300);
    case_flip(room.dir, "ledger/000002.seg", 100);
    rescue_open(&rescue, &room);
    int from = case_open_dir(room.dir, "ledger");
    case_check(salvage(from, -1, &visitor, &counts, &rescue.err), &rescue.err);
    assert_true(counts.lost > 0);
    assert_memory_equal(&counts, &rescue.counts, sizeof counts);
    assert_int_equal(told.count, rescue.told.count);
    disk_close(from);
    rescue_close(&rescue);
    case_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_ledger_comes_out_the_same),
        cmocka_unit_test(each_flipped_byte_costs_its_unit_alone),
        cmocka_unit_test(lost_batch_is_named_and_the_others_count_anew),
        cmocka_unit_test(missing_segment_costs_what_was_in_it),
        cmocka_unit_test(malformed_batch_is_lost_and_the_next_one_is_not),
        cmocka_unit_test(ledger_without_anything_whole_comes_out_as_a_new_one),
        cmocka_unit_test(salvage_to_nowhere_counts_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
