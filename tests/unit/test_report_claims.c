// Claims against what is recorded, and against their own parts.
#include "report/recorded.h"

#include "tests/unit/report_fixture.h"

static void stands(const char *qualifier, int64_t value, int64_t low, int64_t high,
                   const char *want)
{
    enum claim_qualifier parsed = CLAIM_EXACTLY;
    bytes_i128 gap;
    char got[64];

    assert_true(claim_qualifier_parse(qualifier, strlen(qualifier), &parsed));
    struct range recorded = {.low = low, .high = high};
    enum verdict verdict = verdict_of(range_claimed(parsed, value), recorded, &gap);
    snprintf(got, sizeof got, "%s %lld", verdict_name(verdict), (long long)gap);
    if (strcmp(got, want) != 0) {
        fail_msg("%s %lld against %lld..%lld: %s, wanted %s", qualifier, (long long)value,
                 (long long)low, (long long)high, got, want);
    }
}

static void verdicts_follow_their_definition(void **state)
{
    (void)state;
    stands("at least", 900, 855, 863, "above 37");
    stands("at least", 863, 855, 863, "consistent 0");
    stands("at least", 1, 855, 863, "consistent 0");
    stands("over", 863, 855, 863, "above 1");
    stands("over", 862, 855, 863, "consistent 0");
    stands("at most", 854, 855, 863, "below 1");
    stands("at most", 855, 855, 863, "consistent 0");
    stands("at most", 9999, 855, 863, "consistent 0");
    stands("under", 855, 855, 863, "below 1");
    stands("under", 856, 855, 863, "consistent 0");
    stands("under", 0, 0, 0, "below 1"); // nothing is less than nothing
    stands("exactly", 854, 855, 863, "below 1");
    stands("exactly", 860, 855, 863, "consistent 0");
    stands("exactly", 864, 855, 863, "above 1");
    stands("exactly", 0, 0, 0, "consistent 0");
    stands("about", 777, 855, 863, "below 1"); // 700 .. 854
    stands("about", 778, 855, 863, "consistent 0");
    stands("about", 958, 855, 863, "consistent 0"); // 863 .. 1053
    stands("about", 960, 855, 863, "above 1");
    stands("about", 9, 10, 10, "below 1"); // a tenth of 9 is less than one
    stands("about", INT64_MAX, 0, 5, "above 8301034833169298222");
}

// --- against a rollup ---

struct world {
    struct fixture fixture;
    struct rollup *rollup;
    int32_t first_day; // of the claims
    int32_t last_day;
    struct sheet sheet;
};

static void open_world(struct world *world)
{
    const int32_t day = fixture_day("2020-09-05");
    const struct fixture_incident incidents[] = {
        {0, "a", day, day, "Chad", "army", 10, 100, 1},
        {0, "b", day - 2, day + 1, "Chad", "mob", 4, FIXTURE_UNKNOWN, 1},
        {0, "c", day + 49, day + 49, "Mali", "army", 1, 50, 1},
        {1, "u", day, day + 49, "Niger", "army", 7, FIXTURE_UNKNOWN, 1},
    };

    memset(world, 0, sizeof *world);
    fixture_open(&world->fixture);
    for (size_t i = 0; i < sizeof incidents / sizeof incidents[0]; i++) {
        fixture_put(&world->fixture, &incidents[i]);
    }
    world->rollup = fixture_rollup(&world->fixture);
    world->first_day = day;
    world->last_day = day + 49;
    sheet_init(&world->sheet);
}

static void close_world(struct world *world)
{
    sheet_done(&world->sheet);
    rollup_close(world->rollup);
    fixture_close(&world->fixture);
}

static struct claim make_claim(const struct world *world, const char *measure, const char *filter,
                               enum claim_qualifier qualifier, int64_t value)
{
    struct claim claim = {.first_day = world->first_day,
                          .last_day = world->last_day,
                          .readable = true,
                          .qualifier = qualifier,
                          .value = value};

    assert_true(claim_measures_parse(measure, strlen(measure), &claim.measures));
    assert_true(claim_conditions_parse(filter, strlen(filter), &claim.conditions));
    return claim;
}

static void judged(struct world *world, const char *measure, const char *filter,
                   enum claim_qualifier qualifier, int64_t value, const char *want)
{
    struct claim claim = make_claim(world, measure, filter, qualifier, value);
    const char *where = "feed=acled";
    bool whole = strstr(filter, "feed=") != NULL;
    struct recorded recorded;
    struct tally_err err;
    const char *reason;
    char got[256];

    assert_true(recorded_find(&recorded, &claim, world->rollup, &where, whole ? 0 : 1,
                              &world->sheet, &err));
    enum verdict verdict = recorded_judge(&recorded, &claim, &world->sheet, &reason);
    snprintf(got, sizeof got, "%s: %s", verdict_name(verdict), reason);
    assert_string_equal(got, want);
}

static void what_nobody_reported_leaves_a_claim_above_open(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    // inside 11, overlap 15: the incident that began before the window
    judged(&world, "killed", "feed=acled", CLAIM_EXACTLY, 11, "consistent: ");
    judged(&world, "killed", "feed=acled", CLAIM_EXACTLY, 15, "consistent: ");
    judged(&world, "killed", "feed=acled", CLAIM_AT_LEAST, 16,
           "above: 1 above the highest recorded");
    judged(&world, "killed", "feed=acled", CLAIM_UNDER, 11, "below: 1 below the lowest recorded");
    judged(&world, "wounded", "feed=acled", CLAIM_AT_LEAST, 160,
           "above: 10 above the highest recorded; 1 of 3 incidents did not report wounded");
    judged(&world, "wounded", "feed=acled", CLAIM_AT_LEAST, 150, "consistent: ");
    judged(&world, "wounded", "feed=acled", CLAIM_AT_MOST, 150,
           "consistent: 1 of 3 incidents did not report wounded");
    judged(&world, "wounded", "feed=acled", CLAIM_AT_MOST, 140,
           "below: 10 below the lowest recorded");
    judged(&world, "killed+wounded", "feed=acled; country=Mali", CLAIM_EXACTLY, 51, "consistent: ");
    judged(&world, "incidents", "feed=acled", CLAIM_EXACTLY, 3, "consistent: ");
    judged(&world, "killed", "", CLAIM_AT_LEAST, 16,
           "above: 1 above the highest recorded; --where counts only feed=acled");
    close_world(&world);
}

static void what_cannot_be_compared_says_why(void **state)
{
    struct world world;

    (void)state;
    open_world(&world);
    judged(&world, "injured", "feed=acled", CLAIM_OVER, 1,
           "not-comparable: rollup harm has no measure injured");
    judged(&world, "killed", "feed=acled; district=x", CLAIM_OVER, 1,
           "not-comparable: no dimension 'district' in rollup harm; it has country, actor, feed");
    judged(&world, "killed", "feed=acled,ucdp", CLAIM_OVER, 1,
           "not-comparable: feeds acled, ucdp may report the same events; choose one by --where "
           "feed=NAME");
    judged(&world, "killed", "feed=gdelt", CLAIM_OVER, 1,
           "not-comparable: no feed of the rollup passes the filter");
    judged(&world, "wounded", "feed=ucdp", CLAIM_OVER, 1,
           "not-comparable: nobody reported wounded in its days");
    judged(&world, "killed", "feed=acled; country=Peru", CLAIM_EXACTLY, 0,
           "not-comparable: no incidents are recorded in its days");
    judged(&world, "incidents", "feed=acled; country=Peru", CLAIM_EXACTLY, 0, "consistent: ");
    world.last_day++;
    judged(&world, "killed", "feed=acled", CLAIM_OVER, 1,
           "not-comparable: feed acled covers through 2020-10-24; the claim ends 2020-10-25");
    world.first_day -= 100;
    world.last_day -= 60;
    judged(&world, "killed", "feed=acled", CLAIM_EXACTLY, 20,
           "not-comparable: feed acled begins on 2020-09-03; the claim ends 2020-08-26");
    world.last_day += 20;
    judged(&world, "killed", "feed=acled", CLAIM_EXACTLY, 20,
           "above: 6 above the highest recorded; feed acled begins on 2020-09-03; the claim "
           "starts 2020-05-28");
    close_world(&world);
}

static void a_rollup_may_count_only_what_is_claimed(void **state)
{
    struct fixture fixture;
    struct world world;

    (void)state;
    open_world(&world);
    rollup_close(world.rollup);
    assert_true(rollup_def_add_filter(&world.fixture.def, "actor", "army,mob", &fixture.err));
    world.rollup = fixture_rollup(&world.fixture);
    judged(&world, "killed", "feed=acled", CLAIM_OVER, 100,
           "above: 86 above the highest recorded; the rollup counts only actor=army,mob");
    judged(&world, "killed", "feed=acled; actor=army, mob", CLAIM_EXACTLY, 15, "consistent: ");
    judged(&world, "killed", "feed=acled; actor=mob", CLAIM_EXACTLY, 4, "consistent: ");
    judged(&world, "killed", "feed=acled; actor=police", CLAIM_EXACTLY, 4,
           "not-comparable: the rollup counts only actor=army,mob, not actor=police");
    judged(&world, "killed", "feed=acled; actor=!police", CLAIM_EXACTLY, 4,
           "not-comparable: the rollup counts only actor=army,mob, not actor=!police");
    close_world(&world);
}

static void parts_say(struct claim whole, struct range parts, const char *want)
{
    char text[CLAIMS_PARTS_BYTES];

    whole.parts = parts;
    whole.parts_count = 2;
    assert_string_equal(claims_parts_verdict(&whole, text), want);
}

static void a_statement_is_held_against_its_parts(void **state)
{
    struct claim whole = {
        .readable = true, .qualifier = CLAIM_AT_LEAST, .value = 900, .parts_complete = true};
    struct range parts =
        range_sum(range_claimed(CLAIM_EXACTLY, 261), range_claimed(CLAIM_EXACTLY, 602));
    struct range open =
        range_sum(range_claimed(CLAIM_AT_LEAST, 261), range_claimed(CLAIM_EXACTLY, 602));
    char text[CLAIMS_PARTS_BYTES];

    (void)state;
    parts_say(whole, parts, "37 short");
    parts_say(whole, open, "adds up"); // at least 863 may be 900
    whole.qualifier = CLAIM_ABOUT;
    parts_say(whole, parts, "adds up");
    whole.qualifier = CLAIM_AT_MOST;
    whole.value = 860;
    parts_say(whole, parts, "3 over");
    whole.qualifier = CLAIM_EXACTLY;
    whole.value = 863;
    parts_say(whole, parts, "adds up");
    whole.value = 2000;
    whole.parts_complete = false;
    parts_say(whole, parts, "not all measures have a part");
    whole.value = 500; // more cannot be less, whatever is missing
    parts_say(whole, parts, "363 over");
    whole.parts_count = 0;
    assert_string_equal(claims_parts_verdict(&whole, text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_follow_their_definition),
        cmocka_unit_test(what_nobody_reported_leaves_a_claim_above_open),
        cmocka_unit_test(what_cannot_be_compared_says_why),
        cmocka_unit_test(a_rollup_may_count_only_what_is_claimed),
        cmocka_unit_test(a_statement_is_held_against_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
