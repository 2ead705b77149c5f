// Sums of incidents that another store has taken, put into day cells: the same bytes as one by one.
#include "store/cells.h"

#include "tests/unit/report_fixture.h"

#include <stdlib.h>

// The file that these cells give now, coverage aside: that of a feed only grows.
static struct bytes encode(struct fixture *fixture, struct cells *cells)
{
    struct cells_provenance provenance = {.generation = 1};
    struct bytes bytes;

    for (size_t i = 0; i < fixture->state.feeds_count; i++) {
        fixture->state.feed[i].any_day = false;
    }
    bytes_init(&bytes);
    assert_true(cells_encode(cells, &fixture->state, &provenance, &bytes, &fixture->err));
    return bytes;
}

static void same_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.data, b.data, a.count);
    bytes_done(&a);
    bytes_done(&b);
}

static struct cells *open_cells(struct fixture *fixture)
{
    struct cells *cells = cells_open(&fixture->state, &fixture->def, &fixture->err);

    assert_non_null(cells);
    return cells;
}

enum { SHARDS = 2, SUMS_MAX = 4096 };

// What one shard would answer: sums of its incidents that have the same feed, texts and days.
struct answer {
    uint32_t feed;
    uint32_t codes[3]; // of country, actor and target
    struct rollup_entry entry;
};
struct answers {
    struct answer answer[SUMS_MAX];
    size_t count;
};

static struct answer *find_answer(struct answers *answers, const struct answer *like)
{
    for (size_t i = 0; i < answers->count; i++) {
        struct answer *answer = &answers->answer[i];
        if (answer->feed == like->feed &&
            memcmp(answer->codes, like->codes, sizeof like->codes) == 0 &&
            answer->entry.first_day == like->entry.first_day &&
            answer->entry.last_day == like->entry.last_day) {
            return answer;
        }
    }
    assert_true(answers->count < SUMS_MAX);
    answers->answer[answers->count] = *like;
    return &answers->answer[answers->count++];
}

static void add_to_answers(struct fixture *fixture, struct answers *answers,
                           const struct fixture_incident *one)
{
    const int64_t values[2] = {one->killed, one->feed == 0 ? one->wounded : FIXTURE_UNKNOWN};
    struct answer like = {
        .feed = fixture_code(fixture, fixture->shape[one->feed]->feed),
        .codes = {fixture_code(fixture, one->country), fixture_code(fixture, one->actor)},
        .entry = {.first_day = one->first_day, .last_day = one->last_day}};
    struct rollup_sums *sums = &find_answer(answers, &like)->entry.sums;

    sums->incidents++;
    for (size_t m = 0; m < 2; m++) {
        if (values[m] != FIXTURE_UNKNOWN) {
            sums->measure[m].sum += values[m];
            sums->measure[m].reported++;
        }
    }
}

static struct fixture_incident any_incident(unsigned *seed, const char *id)
{
    static const char *const countries[] = {"Chad", "Mali", "Peru", "", "Chad, south"};
    static const char *const actors[] = {"army", "mob", ""};
    int32_t first_day = rand_r(seed) % 40 + (rand_r(seed) % 20 == 0 ? 2000000 : 0);
    int64_t killed = rand_r(seed) % 3 == 0 ? FIXTURE_UNKNOWN : rand_r(seed) % 9;

    return (struct fixture_incident){
        .id = id,
        .feed = rand_r(seed) % 2,
        .first_day = first_day,
        .last_day = first_day + (rand_r(seed) % 4 == 0 ? rand_r(seed) % 5 : 0),
        .country = countries[rand_r(seed) % 5],
        .actor = actors[rand_r(seed) % 3],
        .killed = killed >= 7 ? INT64_MAX - killed : killed,
        .wounded = rand_r(seed) % 2 ? FIXTURE_UNKNOWN : -5 - rand_r(seed) % 1000,
        .revision = 1};
}

static void add_answers(struct fixture *fixture, struct cells *cells, const struct answers *answers)
{
    for (size_t i = 0; i < answers->count; i++) {
        const struct answer *answer = &answers->answer[i];
        assert_true(cells_add(cells, &fixture->state, answer->feed, answer->codes, &answer->entry,
                              &fixture->err));
    }
}

static void sums_of_shards_give_the_bytes_of_their_incidents(void **state)
{
    struct answers *shard = calloc(SHARDS, sizeof *shard);
    unsigned seed = 7;
    char id[16];

    (void)state;
    assert_non_null(shard);
    for (int round = 0; round < 8; round++) {
        struct fixture told;
        struct fixture whole;
        fixture_open(&told);
        fixture_open(&whole);
        for (int i = 0; round % 4 > 0 && i < 2; i++) { // rounds without conditions, with some
            struct fixture *fixture = i == 0 ? &told : &whole;
            rollup_def_add_filter(&fixture->def, "country", "Ch*, \"\"", &fixture->err);
            rollup_def_add_filter(&fixture->def, round % 4 == 1 ? "feed" : "target",
                                  round % 4 == 3 ? "civilians" : "!ucdp", &fixture->err);
        }
        struct cells *sums = open_cells(&told);
        struct cells *want = open_cells(&whole);
        shard[0].count = shard[1].count = 0;
        for (int i = 0; i < 1500; i++) {
            snprintf(id, sizeof id, "%d", i);
            struct fixture_incident one = any_incident(&seed, id);
            fixture_put(&whole, &one);
            add_to_answers(&told, &shard[rand_r(&seed) % SHARDS], &one);
        }
        add_answers(&told, sums, &shard[0]);
        add_answers(&told, sums, &shard[1]);
        same_bytes(encode(&told, sums), encode(&whole, want));
        cells_close(sums);
        cells_close(want);
        fixture_close(&told);
        fixture_close(&whole);
    }
    free(shard);
}

static void sums_are_told_apart_by_what_groups_and_filters(void **state)
{
    const char *names[CELLS_NAMES_MAX];
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    assert_true(rollup_def_add_filter(&fixture.def, "target", "civilians", &fixture.err));
    assert_true(rollup_def_add_filter(&fixture.def, "feed", "acled", &fixture.err));
    assert_true(rollup_def_add_filter(&fixture.def, "actor", "army", &fixture.err));
    struct cells *cells = open_cells(&fixture);
    assert_int_equal(cells_names(cells, names), 3);
    assert_string_equal(names[0], "country");
    assert_string_equal(names[1], "actor");
    assert_string_equal(names[2], "target");
    cells_close(cells);
    fixture_close(&fixture);
}

static void sums_that_no_incidents_have_are_refused(void **state)
{
    struct fixture fixture;
    const uint32_t codes[2] = {0, 0};
    struct rollup_entry good = {.first_day = 1, .last_day = 2, .sums = {.incidents = 2}};
    struct rollup_entry bad[] = {good, good, good, good, good};

    (void)state;
    fixture_open(&fixture);
    struct cells *cells = open_cells(&fixture);
    assert_true(cells_add(cells, &fixture.state, 0, codes, &good, &fixture.err));
    bad[0].sums.incidents = 0;
    bad[1].last_day = 0;
    bad[2].sums.measure[0].reported = 3;
    bad[3].sums.measure[1].sum = 1;
    bad[4].last_day = DAY_MAX + 1;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(cells_add(cells, &fixture.state, 0, codes, &bad[i], &fixture.err));
        assert_int_equal(fixture.err.code, TALLY_CORRUPT);
    }
    cells_close(cells);
    fixture_close(&fixture);
}

// Several answers each fit, and together they do not; on two days they do.
static void more_incidents_of_a_day_than_an_entry_holds_are_refused(void **state)
{
    struct cells_provenance provenance = {.generation = 1};
    const uint32_t codes[2] = {0, 0};
    struct rollup_entry many = {.first_day = 1, .last_day = 1, .sums = {.incidents = 0}};
    struct fixture fixture;
    struct bytes bytes;

    (void)state;
    bytes_init(&bytes);
    fixture_open(&fixture);
    struct cells *cells = open_cells(&fixture);
    many.sums.incidents = (uint64_t)INCIDENTS_MAX + 1;
    assert_false(cells_add(cells, &fixture.state, 0, codes, &many, &fixture.err));
    assert_int_equal(fixture.err.code, TALLY_LIMIT);
    many.sums.incidents = INCIDENTS_MAX;
    for (int day = 1; day < 4; day++) { // a group may have more than 32 bits count
        many.first_day = many.last_day = day;
        assert_true(cells_add(cells, &fixture.state, 0, codes, &many, &fixture.err));
    }
    assert_true(cells_encode(cells, &fixture.state, &provenance, &bytes, &fixture.err));
    struct rollup *rollup = rollup_open_memory(bytes.data, bytes.count, &fixture.err);
    assert_true(rollup_verify(rollup, &fixture.err));
    rollup_close(rollup);
    for (int i = 0; i < 3; i++) { // 2^33 - 4 in all: 32 bits would not show it
        assert_true(cells_add(cells, &fixture.state, 0, codes, &many, &fixture.err));
    }
    bytes_init(&bytes);
    assert_false(cells_encode(cells, &fixture.state, &provenance, &bytes, &fixture.err));
    assert_int_equal(fixture.err.code, TALLY_LIMIT);
    bytes_done(&bytes);
    cells_close(cells);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_shards_give_the_bytes_of_their_incidents),
        cmocka_unit_test(sums_are_told_apart_by_what_groups_and_filters),
        cmocka_unit_test(sums_that_no_incidents_have_are_refused),
        cmocka_unit_test(more_incidents_of_a_day_than_an_entry_holds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
