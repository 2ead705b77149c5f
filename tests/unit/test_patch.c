// A base and its patch, added up, say what one file says; no damage of either goes unseen.
#include "store/cells.h"
#include "store/rollup_read.h"

#include "tests/unit/one_core.h"
#include "tests/unit/report_fixture.h"
#include "tests/unit/rollup_look.h"

#include <stdlib.h>

static unsigned char *copy_of(const struct bytes *bytes)
{
    unsigned char *copy = malloc(bytes->count ? bytes->count : 1);

    assert_non_null(copy);
    memcpy(copy, bytes->data, bytes->count);
    return copy;
}

static struct rollup *open_pair(const struct bytes *base, const struct bytes *patch,
                                struct tally_err *err)
{
    return rollup_open_memory_pair(copy_of(base), base->count, copy_of(patch), patch->count, err);
}

// ---- two rollups say the same -------------------------------------------------------------

static void same_sums(const struct rollup_sums *a, const struct rollup_sums *b, size_t measures)
{
    assert_int_equal(a->incidents, b->incidents);
    for (size_t m = 0; m < measures; m++) {
        assert_true(a->measure[m].sum == b->measure[m].sum);
        assert_int_equal(a->measure[m].reported, b->measure[m].reported);
    }
}

static void same_texts(const struct rollup *a, const struct rollup *b)
{
    struct rollup_texts one;
    struct rollup_texts other;
    struct tally_err err;

    for (size_t dim = 0; dim < rollup_def(a)->dims_count; dim++) {
        assert_int_equal(rollup_values(a, dim), rollup_values(b, dim));
        assert_true(rollup_texts_init(&one, a, dim, &err) &&
                    rollup_texts_init(&other, b, dim, &err));
        for (size_t value = 0; value < one.count; value++) {
            size_t bytes;
            size_t other_bytes;
            const char *text = rollup_texts_get(&one, value, &bytes);
            const char *other_text = rollup_texts_get(&other, value, &other_bytes);
            assert_int_equal(bytes, other_bytes);
            assert_memory_equal(text, other_text, bytes);
        }
        rollup_texts_done(&one);
        rollup_texts_done(&other);
    }
}

static void same_groups(const struct rollup *a, const struct rollup *b)
{
    uint32_t one[ROLLUP_DIMS_MAX] = {0};
    uint32_t other[ROLLUP_DIMS_MAX] = {0};

    assert_int_equal(rollup_groups(a), rollup_groups(b));
    same_texts(a, b);
    for (size_t group = 0; group < rollup_groups(a); group++) {
        rollup_group_values(a, group, one);
        rollup_group_values(b, group, other);
        assert_memory_equal(one, other, sizeof one);
        assert_int_equal(rollup_find_group(a, one), group);
    }
}

static void same_entries(const struct rollup *a, const struct rollup *b, enum rollup_walk_over over)
{
    size_t measures = rollup_def(a)->measures_count;
    struct tally_err err = {.code = TALLY_OK};
    struct rollup_walk *one = rollup_walk_open(a, over, &err);
    struct rollup_walk *other = rollup_walk_open(b, over, &err);
    struct rollup_entry entry;
    struct rollup_entry other_entry;

    for (size_t group = 0; group < rollup_groups(a); group++) {
        rollup_walk_group(one, group);
        rollup_walk_group(other, group);
        while (rollup_walk_next(one, &entry, &err)) {
            assert_true(rollup_walk_next(other, &other_entry, &err));
            assert_int_equal(entry.first_day, other_entry.first_day);
            assert_int_equal(entry.last_day, other_entry.last_day);
            same_sums(&entry.sums, &other_entry.sums, measures);
        }
        look_check(err.code == TALLY_OK, &err);
        assert_false(rollup_walk_next(other, &other_entry, &err));
    }
    rollup_walk_close(one);
    rollup_walk_close(other);
}

static void same_windows(const struct rollup *a, const struct rollup *b)
{
    size_t measures = rollup_def(a)->measures_count;

    for (size_t group = 0; group < rollup_groups(a); group++) {
        for (int basis = BASIS_START; basis <= BASIS_INSIDE; basis++) {
            for (int32_t first = -2; first < 24; first += 3) {
                for (int32_t last = first; last < 30; last += 4) {
                    struct rollup_sums one;
                    struct rollup_sums other;
                    rollup_sums_clear(&one, measures);
                    rollup_sums_clear(&other, measures);
                    look_window(a, group, (enum basis)basis, first, last, &one);
                    look_window(b, group, (enum basis)basis, first, last, &other);
                    same_sums(&one, &other, measures);
                }
            }
        }
    }
}

static void same_head(const struct rollup *a, const struct rollup *b)
{
    assert_int_equal(rollup_generation(a), rollup_generation(b));
    assert_int_equal(rollup_cells(a), rollup_cells(b));
    assert_int_equal(rollup_spans(a), rollup_spans(b));
    assert_int_equal(rollup_any_day(a), rollup_any_day(b));
    assert_int_equal(rollup_first_day(a), rollup_first_day(b));
    assert_int_equal(rollup_last_day(a), rollup_last_day(b));
    assert_true(digest_equal(rollup_digest(a), rollup_digest(b)));
    for (size_t i = 0; i < rollup_def(a)->feeds_count; i++) {
        struct rollup_coverage one = rollup_coverage(a, i);
        struct rollup_coverage other = rollup_coverage(b, i);
        assert_int_equal(one.any, other.any);
        assert_int_equal(one.first_day, other.first_day);
        assert_int_equal(one.last_day, other.last_day);
    }
}

static void same_rollups(const struct rollup *a, const struct rollup *b)
{
    same_head(a, b);
    same_groups(a, b);
    same_entries(a, b, ROLLUP_WALK_CELLS);
    same_entries(a, b, ROLLUP_WALK_SPANS);
    same_windows(a, b);
}

// ---- a rollup that goes on ----------------------------------------------------------------

struct desk {
    struct fixture fixture;
    struct cells *cells; // published as base and patch
    struct bytes base;
    struct bytes patch;
    uint64_t generation;
    unsigned seed;
    int64_t revision;
};

static unsigned roll(struct desk *desk, unsigned below)
{
    desk->seed = desk->seed * 1103515245 + 12345;
    return desk->seed / 65536 % below;
}

static struct cells_provenance provenance_of(struct desk *desk, struct rollup_source *source)
{
    *source = (struct rollup_source){.batch = desk->generation,
                                     .time_ms = 1000,
                                     .feed = "acled",
                                     .feed_bytes = 5,
                                     .file = "a.csv",
                                     .file_bytes = 5};
    return (struct cells_provenance){.generation = desk->generation,
                                     .batches = desk->generation,
                                     .source = source,
                                     .sources_count = desk->generation > 0};
}

static struct bytes encode(struct desk *desk, struct cells *cells)
{
    struct rollup_source source;
    struct cells_provenance provenance = provenance_of(desk, &source);
    struct bytes bytes;

    bytes_init(&bytes);
    assert_true(cells_encode(cells, &desk->fixture.state, &provenance, &bytes, &desk->fixture.err));
    return bytes;
}

static void publish_base(struct desk *desk)
{
    bytes_done(&desk->base);
    desk->base = encode(desk, desk->cells);
    cells_set_base(desk->cells);
}

// False: the base has to be written anew.
static bool publish_patch(struct desk *desk)
{
    struct rollup_source source;
    struct cells_provenance provenance = provenance_of(desk, &source);
    bool possible = false;

    assert_true(cells_can_patch(desk->cells));
    assert_true(cells_encode_patch(desk->cells, &desk->fixture.state, &provenance, &desk->patch,
                                   &possible, &desk->fixture.err));
    return possible;
}

static void desk_open(struct desk *desk, unsigned seed)
{
    memset(desk, 0, sizeof *desk);
    fixture_open(&desk->fixture);
    desk->seed = seed;
    desk->cells = cells_open(&desk->fixture.state, &desk->fixture.def, &desk->fixture.err);
    assert_non_null(desk->cells);
    bytes_init(&desk->base);
    bytes_init(&desk->patch);
}

static void desk_close(struct desk *desk)
{
    cells_close(desk->cells);
    fixture_close(&desk->fixture);
    bytes_done(&desk->base);
    bytes_done(&desk->patch);
}

static void put(struct desk *desk, const char *id, int32_t day, int32_t lasts, const char *country,
                int64_t killed)
{
    fixture_put(&desk->fixture, &(struct fixture_incident){.id = id,
                                                           .first_day = day,
                                                           .last_day = day + lasts,
                                                           .country = country,
                                                           .actor = "army",
                                                           .killed = killed,
                                                           .wounded = FIXTURE_UNKNOWN,
                                                           .revision = ++desk->revision});
}

static void withdraw(struct desk *desk, const char *id)
{
    fixture_apply(&desk->fixture, ROWS_WITHDRAW,
                  &(struct fixture_incident){
                      .id = id, .country = "Chad", .actor = "army", .revision = ++desk->revision});
}

// What base and patch say is what one file says that was made of the same incidents.
static void is_the_sum(struct desk *desk)
{
    struct tally_err *err = &desk->fixture.err;
    struct cells *again = cells_open(&desk->fixture.state, &desk->fixture.def, err);
    struct bytes whole = encode(desk, again);
    struct rollup *want = rollup_open_memory(whole.data, whole.count, err);
    struct rollup *sum = open_pair(&desk->base, &desk->patch, err);

    look_check(want && sum, err);
    look_check(rollup_verify(want, err), err);
    look_check(rollup_verify(sum, err), err);
    same_rollups(sum, want);
    rollup_close(sum);
    rollup_close(want);
    state_unobserve(&desk->fixture.state, again);
    cells_close(again);
}

static void some_incidents(struct desk *desk)
{
    desk->generation++;
    put(desk, "a", 3, 0, "Chad", 3);
    put(desk, "b", 4, 2, "Chad", FIXTURE_UNKNOWN);
    put(desk, "c", 5, 0, "Mali", 70000);
    put(desk, "d", 20, 0, "Peru", 1);
}

static void patch_that_changes_nothing_adds_nothing(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, 1);
    some_incidents(&desk);
    publish_base(&desk);
    assert_true(publish_patch(&desk));
    is_the_sum(&desk);
    desk_close(&desk);
}

static void groups_come_and_go(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, 1);
    some_incidents(&desk);
    publish_base(&desk);
    desk.generation++;
    put(&desk, "e", 6, 1, "Benin", 5);
    put(&desk, "f", 7, 0, "Zambia", INT64_MAX);
    withdraw(&desk, "c");
    assert_true(publish_patch(&desk));
    is_the_sum(&desk);
    desk.generation++;
    withdraw(&desk, "e");             // one that came goes again
    put(&desk, "c", 6, 0, "Mali", 1); // and one that went comes back
    assert_true(publish_patch(&desk));
    is_the_sum(&desk);
    desk_close(&desk);
}

// One incident of many, as it stands in one round. Some are back in the fourth where they were in
// the first, so that differences which other cores wrote before them fall away.
static void put_in_round(struct desk *desk, int i, int round)
{
    char id[16];
    char country[16];
    int moved = round == 4 && i % 3 ? 1 : round;

    snprintf(id, sizeof id, "%d", i);
    snprintf(country, sizeof country, "%d", (i * 31 + (i % 5 == 0 ? moved * 7 : 0)) % 200);
    if (round > 1 && (i + round) % 17 == 0) {
        withdraw(desk, id);
    } else {
        put(desk, id, 1 + (i * 7919 + moved) % 18, i % 4 == 0 ? 1 + moved % 3 : 0, country,
            i % 9 ? i * moved : FIXTURE_UNKNOWN);
    }
}

// So many changes that several cores gather them.
static void any_number_of_cores_writes_the_same_patch(void **state)
{
    enum { COUNT = 9000, ROUNDS = 5 };
    struct desk desk;

    (void)state;
    desk_open(&desk, 1);
    some_incidents(&desk);
    for (int i = 0; i < COUNT; i++) {
        put_in_round(&desk, i, 1);
    }
    publish_base(&desk);
    struct cells *alone = cells_open(&desk.fixture.state, &desk.fixture.def, &desk.fixture.err);
    struct bytes base = encode(&desk, alone);
    cells_set_base(alone);
    bytes_done(&base);
    for (int round = 2; round <= ROUNDS; round++) {
        struct rollup_source source;
        struct bytes patch;
        bool possible;
        desk.generation++;
        for (int i = 0; i < COUNT; i++) {
            put_in_round(&desk, i, round);
        }
        assert_true(publish_patch(&desk));
        is_the_sum(&desk);
        bytes_init(&patch);
        struct cells_provenance provenance = provenance_of(&desk, &source);
        cpu_set_t all = use_one_core();
        assert_true(cells_encode_patch(alone, &desk.fixture.state, &provenance, &patch, &possible,
                                       &desk.fixture.err) &&
                    possible);
        use_cores(all);
        assert_int_equal(patch.count, desk.patch.count);
        assert_memory_equal(patch.data, desk.patch.data, patch.count);
        bytes_done(&patch);
    }
    cells_close(alone);
    desk_close(&desk);
}

static void correction_that_is_taken_back_leaves_an_empty_patch(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, 1);
    some_incidents(&desk);
    publish_base(&desk);
    assert_true(publish_patch(&desk));
    size_t nothing = desk.patch.count;
    put(&desk, "c", 9, 3, "Zambia", 8);
    assert_true(publish_patch(&desk));
    assert_true(desk.patch.count > nothing);
    put(&desk, "c", 5, 0, "Mali", 70000);
    assert_true(publish_patch(&desk));
    assert_int_equal(desk.patch.count, nothing);
    is_the_sum(&desk);
    desk_close(&desk);
}

// Nobody but the base knows which day comes after the first one.
static void first_day_that_is_gone_asks_for_a_new_base(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, 1);
    some_incidents(&desk);
    publish_base(&desk);
    withdraw(&desk, "a");
    assert_false(publish_patch(&desk));
    put(&desk, "e", 3, 0, "Mali", 1); // it is there again
    assert_true(publish_patch(&desk));
    is_the_sum(&desk);
    withdraw(&desk, "d"); // the last one
    assert_false(publish_patch(&desk));
    publish_base(&desk);
    assert_true(publish_patch(&desk));
    is_the_sum(&desk);
    desk_close(&desk);
}

// Some incidents come, change, move and go; ids, days and places are few, so that they meet.
static void change_at_random(struct desk *desk)
{
    static const char *const countries[] = {"", "Chad", "Mali", "Peru", "Benin", "Zambia", "Ñ"};
    static const char *const actors[] = {"army", "mob", "zealots"};
    char id[16];

    for (unsigned i = roll(desk, 30); i > 0; i--) {
        snprintf(id, sizeof id, "%u", roll(desk, 60));
        int32_t day = (int32_t)roll(desk, 25);
        struct fixture_incident one = {
            .feed = (int)roll(desk, 2),
            .id = id,
            .first_day = day,
            .last_day = day + (roll(desk, 3) ? 0 : (int32_t)roll(desk, 9)),
            .country = countries[roll(desk, 7)],
            .actor = actors[roll(desk, 3)],
            .killed = roll(desk, 4) ? (int64_t)roll(desk, 300) : FIXTURE_UNKNOWN,
            .wounded = roll(desk, 9) ? (int64_t)roll(desk, 3) : INT64_MAX - 5,
            .revision = ++desk->revision};
        fixture_apply(&desk->fixture, roll(desk, 4) ? ROWS_PUT : ROWS_WITHDRAW, &one);
    }
}

static void any_history_adds_up(void **state)
{
    unsigned patches = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 40; seed++) {
        struct desk desk;
        desk_open(&desk, seed);
        change_at_random(&desk);
        publish_base(&desk);
        for (int i = 0; i < 12; i++) {
            desk.generation++;
            change_at_random(&desk);
            if (roll(&desk, 6) > 0 && publish_patch(&desk)) {
                is_the_sum(&desk);
                patches++;
            } else {
                publish_base(&desk);
            }
        }
        desk_close(&desk);
    }
    assert_true(patches > 200);
}

// ---- damage -------------------------------------------------------------------------------

static void open_some(struct desk *desk)
{
    desk_open(desk, 1);
    some_incidents(desk);
    publish_base(desk);
    desk->generation++;
    put(desk, "a", 3, 4, "Chad", 4);
    put(desk, "e", 6, 1, "Benin", 500);
    withdraw(desk, "c");
    assert_true(publish_patch(desk));
}

static bool passes(const struct bytes *base, const struct bytes *patch, struct tally_err *err)
{
    struct rollup *rollup = open_pair(base, patch, err);
    bool ok = rollup && rollup_verify(rollup, err);

    rollup_close(rollup);
    return ok;
}

static void every_truncation_is_refused(void **state)
{
    struct tally_err err;
    struct desk desk;

    (void)state;
    open_some(&desk);
    for (size_t cut = 0; cut < desk.patch.count; cut++) {
        struct bytes shorter = desk.patch;
        shorter.count = cut;
        assert_null(open_pair(&desk.base, &shorter, &err));
        assert_int_equal(err.code, TALLY_CORRUPT);
        assert_string_not_equal(err.place, "");
    }
    bytes_put_u8(&desk.patch, 0);
    assert_null(open_pair(&desk.base, &desk.patch, &err));
    desk_close(&desk);
}

static void every_flipped_byte_is_noticed(void **state)
{
    static const unsigned char flips[] = {0x01, 0x80, 0xff};
    struct tally_err err;
    struct desk desk;

    (void)state;
    open_some(&desk);
    assert_true(passes(&desk.base, &desk.patch, &err));
    for (size_t i = 0; i < desk.patch.count * sizeof flips; i++) {
        desk.patch.data[i / sizeof flips] ^= flips[i % sizeof flips];
        if (passes(&desk.base, &desk.patch, &err)) {
            fail_msg("a flip of byte %zu of %zu passes", i / sizeof flips, desk.patch.count);
        }
        desk.patch.data[i / sizeof flips] ^= flips[i % sizeof flips];
    }
    desk_close(&desk);
}

static void patch_of_another_base_is_refused(void **state)
{
    struct tally_err err;
    struct desk desk;

    (void)state;
    open_some(&desk);
    desk.generation++;
    publish_base(&desk); // contains the patch
    assert_null(open_pair(&desk.base, &desk.patch, &err));
    assert_int_equal(err.code, TALLY_CORRUPT);
    assert_non_null(strstr(err.message, "another base"));
    desk_close(&desk);
}

static void patch_is_no_rollup_and_says_so(void **state)
{
    struct tally_err err;
    struct desk desk;

    (void)state;
    open_some(&desk);
    assert_null(rollup_open_memory(copy_of(&desk.patch), desk.patch.count, &err));
    assert_non_null(strstr(err.message, "a patch"));
    assert_null(open_pair(&desk.base, &desk.base, &err));
    assert_non_null(strstr(err.message, "not a patch"));
    desk_close(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patch_that_changes_nothing_adds_nothing),
        cmocka_unit_test(groups_come_and_go),
        cmocka_unit_test(any_number_of_cores_writes_the_same_patch),
        cmocka_unit_test(correction_that_is_taken_back_leaves_an_empty_patch),
        cmocka_unit_test(first_day_that_is_gone_asks_for_a_new_base),
        cmocka_unit_test(any_history_adds_up),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_byte_is_noticed),
        cmocka_unit_test(patch_of_another_base_is_refused),
        cmocka_unit_test(patch_is_no_rollup_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
