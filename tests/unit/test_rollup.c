// The rollup file: the same bytes for the same incidents, and no damage that goes unseen.
#include "store/rollup_format.h"
#include "store/rollup_read.h"

#include "tests/unit/report_fixture.h"
#include "tests/unit/rollup_look.h"

#include <stdlib.h>

enum { CHAD_ARMY, CHAD_MOB, MALI_ARMY }; // groups of the small rollup, all of feed acled

static const struct fixture_incident some[] = {
    {0, "a", 100, 100, "Chad", "army", 3, FIXTURE_UNKNOWN, 1},
    {0, "b", 91, 102, "Chad", "mob", 4, 10, 1},
    {0, "c", 101, 101, "Mali", "army", FIXTURE_UNKNOWN, FIXTURE_UNKNOWN, 1},
    {0, "d", 100, 101, "Chad", "army", 70000, 1, 1},
    {0, "e", 102, 102, "Chad", "army", 5, 0, 1},
};
enum { SOME = sizeof some / sizeof *some };

static void open_some(struct fixture *fixture, unsigned permutation)
{
    size_t left[SOME];

    fixture_open(fixture);
    for (size_t i = 0; i < SOME; i++) {
        left[i] = i;
    }
    for (size_t i = SOME; i > 0; i--) {
        size_t at = permutation % i;
        permutation /= (unsigned)i;
        fixture_put(fixture, &some[left[at]]);
        left[at] = left[i - 1];
    }
}

static unsigned char *copy_of(const unsigned char *data, size_t count)
{
    unsigned char *copy = malloc(count ? count : 1);

    assert_non_null(copy);
    memcpy(copy, data, count);
    return copy;
}

// Whether the bytes pass as a rollup in every respect.
static bool passes(const unsigned char *data, size_t count, struct tally_err *err)
{
    struct rollup *rollup = rollup_open_memory(copy_of(data, count), count, err);
    bool ok = rollup && rollup_verify(rollup, err);

    rollup_close(rollup);
    return ok;
}

static void same_incidents_in_any_order_give_the_same_bytes(void **state)
{
    struct fixture fixture;
    size_t want_count;

    (void)state;
    open_some(&fixture, 0);
    unsigned char *want = fixture_encode(&fixture, &want_count);
    fixture_close(&fixture);
    for (unsigned permutation = 1; permutation < 120; permutation++) {
        size_t count;
        open_some(&fixture, permutation);
        unsigned char *data = fixture_encode(&fixture, &count);
        assert_int_equal(count, want_count);
        assert_memory_equal(data, want, count);
        free(data);
        fixture_close(&fixture);
    }
    free(want);
}

static void every_truncation_is_refused(void **state)
{
    struct fixture fixture;
    struct tally_err err;
    size_t count;

    (void)state;
    open_some(&fixture, 0);
    unsigned char *data = fixture_encode(&fixture, &count);
    for (size_t cut = 0; cut < count; cut++) {
        assert_null(rollup_open_memory(copy_of(data, cut), cut, &err));
        assert_int_equal(err.code, TALLY_CORRUPT);
        assert_string_not_equal(err.place, "");
    }
    unsigned char *longer = malloc(count + 1);
    memcpy(longer, data, count);
    longer[count] = 0;
    assert_null(rollup_open_memory(longer, count + 1, &err));
    free(data);
    fixture_close(&fixture);
}

static void every_flipped_byte_is_noticed(void **state)
{
    static const unsigned char flips[] = {0x01, 0x80, 0xff};
    struct fixture fixture;
    struct tally_err err;
    size_t count;
    size_t unseen = 0;
    size_t first = 0;

    (void)state;
    open_some(&fixture, 0);
    unsigned char *data = fixture_encode(&fixture, &count);
    assert_true(passes(data, count, &err));
    for (size_t i = 0; i < count * sizeof flips; i++) {
        data[i / sizeof flips] ^= flips[i % sizeof flips];
        if (passes(data, count, &err)) {
            first = unseen++ ? first : i / sizeof flips;
        }
        data[i / sizeof flips] ^= flips[i % sizeof flips];
    }
    free(data);
    fixture_close(&fixture);
    if (unseen > 0) {
        fail_msg("%zu flips pass; the first one is of byte %zu of %zu", unseen, first, count);
    }
}

static void newer_major_version_is_named_as_such(void **state)
{
    struct fixture fixture;
    struct tally_err err;
    size_t count;

    (void)state;
    open_some(&fixture, 0);
    unsigned char *data = fixture_encode(&fixture, &count);
    data[8]++;
    assert_null(rollup_open_memory(data, count, &err));
    assert_int_equal(err.code, TALLY_UNSUPPORTED);
    fixture_close(&fixture);
}

static void groups_are_sorted_and_found_by_their_texts(void **state)
{
    const char *texts[] = {"Chad", "mob", "acled"};
    struct fixture fixture;

    (void)state;
    open_some(&fixture, 7);
    struct rollup *rollup = fixture_rollup(&fixture);
    assert_int_equal(rollup_groups(rollup), 3);
    assert_int_equal(look_group(rollup, texts), CHAD_MOB);
    texts[0] = "Mali";
    assert_int_equal(look_group(rollup, texts), -1);
    texts[1] = "arm";
    assert_int_equal(look_group(rollup, texts), -1);
    assert_look_text(rollup, MALI_ARMY, 0, "Mali");
    assert_int_equal(rollup_values(rollup, 1), 2);
    rollup_close(rollup);
    fixture_close(&fixture);
}

// Counts what an incident-by-incident reading of the definition gives.
static struct rollup_sums recount(enum basis basis, int32_t first, int32_t last)
{
    struct rollup_sums sums = {0};

    for (size_t i = 0; i < SOME; i++) {
        const struct fixture_incident *one = &some[i];
        bool in = basis == BASIS_START     ? one->first_day >= first && one->first_day <= last
                  : basis == BASIS_END     ? one->last_day >= first && one->last_day <= last
                  : basis == BASIS_OVERLAP ? one->first_day <= last && one->last_day >= first
                                           : one->first_day >= first && one->last_day <= last;
        if (!in) {
            continue;
        }
        sums.incidents++;
        if (one->killed != FIXTURE_UNKNOWN) {
            sums.measure[0].sum += one->killed;
            sums.measure[0].reported++;
        }
        if (one->wounded != FIXTURE_UNKNOWN) {
            sums.measure[1].sum += one->wounded;
            sums.measure[1].reported++;
        }
    }
    return sums;
}

static void every_window_on_every_basis_equals_a_recount(void **state)
{
    struct fixture fixture;

    (void)state;
    open_some(&fixture, 3);
    struct rollup *rollup = fixture_rollup(&fixture);
    for (int basis = BASIS_START; basis <= BASIS_INSIDE; basis++) {
        for (int32_t end = 88; end < 106; end++) {
            for (int32_t days = 1; days < 16; days++) {
                struct rollup_sums want = recount((enum basis)basis, end - days + 1, end);
                struct rollup_sums sums = {0};
                for (size_t group = 0; group < rollup_groups(rollup); group++) {
                    look_window(rollup, group, (enum basis)basis, end - days + 1, end, &sums);
                }
                assert_int_equal(sums.incidents, want.incidents);
                for (size_t i = 0; i < 2; i++) {
                    assert_true(sums.measure[i].sum == want.measure[i].sum);
                    assert_int_equal(sums.measure[i].reported, want.measure[i].reported);
                }
            }
        }
    }
    rollup_close(rollup);
    fixture_close(&fixture);
}

static void window_reaches_to_the_ends_of_time(void **state)
{
    struct fixture fixture;
    struct rollup_sums sums = {0};
    const struct fixture_incident first = {0, "f", DAY_MIN, DAY_MIN, "Chad", "mob", 1, 1, 1};
    const struct fixture_incident last = {0, "l", DAY_MAX, DAY_MAX, "Chad", "mob", 1, 1, 1};
    const struct fixture_incident all = {0, "x", DAY_MIN, DAY_MAX, "Chad", "mob", 1, 1, 1};

    (void)state;
    fixture_open(&fixture);
    fixture_put(&fixture, &first);
    fixture_put(&fixture, &last);
    fixture_put(&fixture, &all);
    struct rollup *rollup = fixture_rollup(&fixture);
    assert_true(rollup_verify(rollup, &fixture.err));
    look_window(rollup, 0, BASIS_START, DAY_MIN, DAY_MAX, &sums);
    assert_int_equal(sums.incidents, 3);
    sums = (struct rollup_sums){0};
    look_window(rollup, 0, BASIS_OVERLAP, 0, 0, &sums);
    assert_int_equal(sums.incidents, 1);
    rollup_close(rollup);
    fixture_close(&fixture);
}

static void empty_rollup_is_a_whole_file(void **state)
{
    struct fixture fixture;
    struct tally_err err;
    size_t count;

    (void)state;
    fixture_open(&fixture);
    unsigned char *data = fixture_encode(&fixture, &count);
    assert_true(passes(data, count, &err));
    struct rollup *rollup = rollup_open_memory(data, count, &err);
    assert_int_equal(rollup_groups(rollup), 0);
    assert_false(rollup_any_day(rollup));
    assert_false(rollup_coverage(rollup, 0).any);
    rollup_close(rollup);
    fixture_close(&fixture);
}

static void digest_leaves_out_generation_and_provenance(void **state)
{
    struct rollup_source source = {.batch = 7,
                                   .time_ms = 99,
                                   .feed = "acled",
                                   .feed_bytes = 5,
                                   .file = "one.csv",
                                   .file_bytes = 7};
    struct cells_provenance other = {
        .generation = 9, .batches = 3, .source = &source, .sources_count = 1};
    struct rollup_provenance provenance;
    struct fixture fixture;
    struct bytes bytes;

    (void)state;
    open_some(&fixture, 0);
    struct rollup *plain = fixture_rollup(&fixture);
    struct cells *cells = cells_open(&fixture.state, &fixture.def, &fixture.err);
    bytes_init(&bytes);
    assert_true(cells_encode(cells, &fixture.state, &other, &bytes, &fixture.err));
    struct rollup *rollup = rollup_open_memory(bytes.data, bytes.count, &fixture.err);
    assert_non_null(rollup);
    assert_true(digest_equal(rollup_digest(plain), rollup_digest(rollup)));
    assert_int_equal(rollup_generation(rollup), 9);
    assert_true(rollup_provenance(rollup, &provenance, &fixture.err));
    assert_int_equal(provenance.batches, 3);
    assert_int_equal(provenance.sources, 1);
    assert_int_equal(provenance.source[0].batch, 7);
    assert_memory_equal(provenance.source[0].file, "one.csv", 7);
    rollup_close(rollup);
    rollup_close(plain);
    cells_close(cells);
    fixture_close(&fixture);
}

static void digest_tells_any_other_content_apart(void **state)
{
    static const struct fixture_incident others[] = {
        {0, "a", 100, 100, "Chad", "army", 3, 0, 2}, // 0 instead of unknown
        {0, "a", 100, 100, "Chad", "army", 4, FIXTURE_UNKNOWN, 2},
        {0, "a", 99, 99, "Chad", "army", 3, FIXTURE_UNKNOWN, 2},
        {0, "a", 100, 103, "Chad", "army", 3, FIXTURE_UNKNOWN, 2}, // lasts
        {0, "a", 100, 100, "Chad", "army ", 3, FIXTURE_UNKNOWN, 2},
    };
    struct fixture fixture;

    (void)state;
    open_some(&fixture, 0);
    struct rollup *was = fixture_rollup(&fixture);
    fixture_close(&fixture);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        open_some(&fixture, 0);
        fixture_put(&fixture, &others[i]);
        struct rollup *is = fixture_rollup(&fixture);
        assert_false(digest_equal(rollup_digest(was), rollup_digest(is)));
        rollup_close(is);
        fixture_close(&fixture);
    }
    rollup_close(was);
}

static void bases_have_names(void **state)
{
    enum basis basis;

    (void)state;
    assert_true(basis_parse("overlap", &basis));
    assert_int_equal(basis, BASIS_OVERLAP);
    assert_string_equal(basis_name(BASIS_INSIDE), "inside");
    assert_false(basis_parse("Start", &basis));
    assert_false(basis_parse("", &basis));
}

// However the entries are shared out; entries that begin or end on the outermost days are counted.
static void days_of_parts_join_to_those_of_all(void **state)
{
    static const int32_t first_days[] = {5, -3, 5, 7, -3, -3, 20};
    static const int32_t lasts[] = {2, 0, 15, 13, 23, 1, 0};
    enum { DAYS = sizeof first_days / sizeof *first_days };

    (void)state;
    for (int cut = 0; cut <= DAYS; cut++) {
        struct rollup_days all = {.first_day = 1, .last_day = 0};
        struct rollup_days part[2] = {all, all};
        struct rollup_days joined = all;
        for (int i = 0; i < DAYS; i++) {
            rollup_days_add(&all, first_days[i], first_days[i] + lasts[i]);
            rollup_days_add(&part[i >= cut], first_days[i], first_days[i] + lasts[i]);
        }
        rollup_days_join(&joined, &part[0]);
        rollup_days_join(&joined, &part[1]);
        assert_int_equal(joined.first_day, all.first_day);
        assert_int_equal(joined.last_day, all.last_day);
        assert_int_equal(joined.first_count, all.first_count);
        assert_int_equal(joined.last_count, all.last_count);
        assert_int_equal(joined.first_count, 3);
        assert_int_equal(joined.last_count, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_incidents_in_any_order_give_the_same_bytes),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_byte_is_noticed),
        cmocka_unit_test(newer_major_version_is_named_as_such),
        cmocka_unit_test(groups_are_sorted_and_found_by_their_texts),
        cmocka_unit_test(every_window_on_every_basis_equals_a_recount),
        cmocka_unit_test(window_reaches_to_the_ends_of_time),
        cmocka_unit_test(empty_rollup_is_a_whole_file),
        cmocka_unit_test(digest_leaves_out_generation_and_provenance),
        cmocka_unit_test(digest_tells_any_other_content_apart),
        cmocka_unit_test(bases_have_names),
        cmocka_unit_test(days_of_parts_join_to_those_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
