// How the texts of a claim are read.
#include "store/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void measures_are(const char *text, const char *want)
{
    struct claim_measures measures;
    char got[256] = "refused";

    if (claim_measures_parse(text, strlen(text), &measures)) {
        got[0] = '\0';
        for (size_t i = 0; i < measures.count; i++) {
            size_t used = strlen(got);
            snprintf(got + used, sizeof got - used, "[%.*s]", (int)measures.name[i].bytes,
                     measures.name[i].at);
        }
    }
    assert_string_equal(got, want);
}

static void conditions_are(const char *text, const char *want)
{
    struct claim_conditions conditions;
    char got[256] = "refused";

    if (claim_conditions_parse(text, strlen(text), &conditions)) {
        got[0] = '\0';
        for (size_t i = 0; i < conditions.count; i++) {
            const struct claim_condition *condition = &conditions.condition[i];
            size_t used = strlen(got);
            snprintf(got + used, sizeof got - used, "[%.*s|%.*s]", (int)condition->dim.bytes,
                     condition->dim.at, (int)condition->list.bytes, condition->list.at);
        }
    }
    assert_string_equal(got, want);
}

static void several_measures_are_joined_by_plus(void **state)
{
    (void)state;
    measures_are("killed", "[killed]");
    measures_are(" killed + wounded", "[killed][wounded]");
    measures_are("killed.high", "[killed.high]");
    measures_are("a+b+c+d+e+f+g+h", "[a][b][c][d][e][f][g][h]");
    measures_are("a+b+c+d+e+f+g+h+i", "refused");
    measures_are("", "refused");
    measures_are("killed+", "refused");
    measures_are("+killed", "refused");
    measures_are("killed+killed", "refused");
}

static void conditions_stand_between_semicolons(void **state)
{
    (void)state;
    conditions_are("", "");
    conditions_are(" ; ", "");
    conditions_are("province=Kabul", "[province|Kabul]");
    conditions_are("province = Kabul, Herat ;target=!police;", "[province|Kabul, Herat]"
                                                               "[target|!police]");
    conditions_are("actor=\"a; b\"; x=y=z", "[actor|\"a; b\"][x|y=z]");
    conditions_are("target=", "[target|]");
    conditions_are("Kabul", "refused");
    conditions_are("=Kabul", "refused");
}

static void qualifiers_are_six(void **state)
{
    enum claim_qualifier qualifier;

    (void)state;
    for (size_t i = 0; i < CLAIM_QUALIFIERS; i++) {
        const char *name = claim_qualifier_name((enum claim_qualifier)i);
        assert_true(claim_qualifier_parse(name, strlen(name), &qualifier));
        assert_int_equal(qualifier, i);
    }
    assert_true(claim_qualifier_parse("At Least", 8, &qualifier));
    assert_int_equal(qualifier, CLAIM_AT_LEAST);
    assert_false(claim_qualifier_parse("at leas", 7, &qualifier));
    assert_false(claim_qualifier_parse("at least!", 9, &qualifier));
    assert_false(claim_qualifier_parse("", 0, &qualifier));
}

static void passes(enum claim_text which, const char *text)
{
    const char *reason;

    assert_null(claim_check(which, text, strlen(text), &reason));
}

static void fails(enum claim_text which, const char *text, const char *want)
{
    const char *reason = "";

    assert_non_null(claim_check(which, text, strlen(text), &reason));
    assert_string_equal(reason, want);
}

static void bad_texts_have_reasons(void **state)
{
    (void)state;
    passes(CLAIM_QUALIFIER, "OVER");
    fails(CLAIM_QUALIFIER, "roughly", "claim-qualifier");
    fails(CLAIM_MEASURE, "killed++wounded", "claim-measure");
    passes(CLAIM_FILTER, "target=!police,arm*");
    fails(CLAIM_FILTER, "target", "claim-filter");
    fails(CLAIM_FILTER, "target=\"open", "claim-filter");
    fails(CLAIM_FILTER, "target=\"a\" b", "claim-filter");
    passes(CLAIM_SPEAKER, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_measures_are_joined_by_plus),
        cmocka_unit_test(conditions_stand_between_semicolons),
        cmocka_unit_test(qualifiers_are_six),
        cmocka_unit_test(bad_texts_have_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
