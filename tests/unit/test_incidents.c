// Incidents in memory: ids as numbers that read back, the index, and what a row holds.
#include "store/id.h"
#include "store/incidents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void splits(const char *id, const char *head, uint32_t number)
{
    struct id_parts parts = id_split(id, strlen(id));
    struct id_text back;

    assert_int_equal(parts.head_bytes, strlen(head));
    assert_memory_equal(id, head, strlen(head));
    assert_int_equal(parts.number, number);
    id_format(id, parts.head_bytes, parts.number, &back);
    assert_string_equal(back.text, id);
    assert_int_equal(back.bytes, strlen(id));
}

static void an_id_is_its_head_and_its_number(void **state)
{
    (void)state;
    splits("", "", 0);
    splits("AFG17", "AFG", 17);
    splits("IED-0017", "IED-00", 17);
    splits("17", "", 17);
    splits("0", "0", 0);
    splits("000", "000", 0);
    splits("a0", "a0", 0);
    splits("no-number", "no-number", 0);
    splits("7x", "7x", 0);
    splits("999999999", "", 999999999);
    splits("1000000000", "1000000000", 0);
    splits("12345678901", "12", 345678901);
    splits("90000000017", "900000000", 17);
    splits("4a-4-00f9b1c0de12", "4a-4-00f9b1c0de", 12);
}

// No two ids share head and number: among all of up to five characters of a small alphabet.
static void different_ids_have_different_parts(void **state)
{
    static const char alphabet[] = "0129x";
    char id[6];

    (void)state;
    for (unsigned n = 0; n < 3125; n++) {
        size_t bytes = n % 5 + 1;
        for (size_t i = 0, rest = n; i < bytes; i++, rest /= 5) {
            id[i] = alphabet[rest % 5];
        }
        id[bytes] = '\0';
        struct id_parts parts = id_split(id, bytes);
        struct id_text back;
        id_format(id, parts.head_bytes, parts.number, &back);
        assert_string_equal(back.text, id);
        assert_true(parts.number == 0 || id[parts.head_bytes] != '0');
    }
}

static void days_flags_and_mark_stand_apart(void **state)
{
    static const int32_t days[] = {DAY_MIN, -1, 0, 1, 19000, DAY_MAX};

    (void)state;
    for (size_t a = 0; a < 6; a++) {
        for (size_t b = a; b < 6; b++) {
            struct incident incident = {.days = incident_days(days[a], days[b], 9, 12345)};
            assert_int_equal(incident_first_day(&incident), days[a]);
            assert_int_equal(incident_last_day(&incident), days[b]);
            assert_int_equal(incident_flags(&incident), 9);
            assert_int_equal(incident_seen(&incident), 12345);
            incident_set_flags(&incident, 6);
            incident_set_seen(&incident, INCIDENT_SEEN_MAX);
            assert_int_equal(incident_first_day(&incident), days[a]);
            assert_int_equal(incident_last_day(&incident), days[b]);
            assert_int_equal(incident_flags(&incident), 6);
            assert_int_equal(incident_seen(&incident), INCIDENT_SEEN_MAX);
        }
    }
}

static uint64_t nth(uint32_t i)
{
    return id_code(i % 7, i * 3 + 1);
}

static void each_id_is_found_and_no_other(void **state)
{
    enum { COUNT = 50000 };
    struct incidents incidents;
    struct tally_err err;

    (void)state;
    incidents_init(&incidents, true);
    assert_true(incidents_widen(&incidents, 2, &err));
    assert_null(incidents_find(&incidents, 1));
    for (uint32_t i = 0; i < COUNT; i++) {
        if (i == 1000) {
            assert_true(incidents_reserve(&incidents, 20000, &err));
        }
        struct incident *incident = incidents_add(&incidents, nth(i), &err);
        assert_non_null(incident);
        incident->values = i;
        incidents_dims(&incidents, incident)[1] = i + 1;
    }
    assert_true(incidents_widen(&incidents, 5, &err)); // what stands there moves along
    assert_int_equal(incidents.count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct incident *incident = incidents_find(&incidents, nth(i));
        assert_non_null(incident);
        assert_int_equal(incident->values, i);
        assert_int_equal(incidents_dims(&incidents, incident)[1], i + 1);
        assert_int_equal(incidents_dims(&incidents, incident)[4], 0);
        assert_null(incidents_find(&incidents, nth(i) + 1));
    }
    incidents_done(&incidents);
}

static void more_than_can_be_counted_are_refused(void **state)
{
    struct incidents incidents;
    struct tally_err err;

    (void)state;
    incidents_init(&incidents, false);
    assert_false(incidents_reserve(&incidents, (uint64_t)INCIDENTS_MAX + 1, &err));
    assert_int_equal(err.code, TALLY_LIMIT);
    incidents_done(&incidents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_its_head_and_its_number),
        cmocka_unit_test(different_ids_have_different_parts),
        cmocka_unit_test(days_flags_and_mark_stand_apart),
        cmocka_unit_test(each_id_is_found_and_no_other),
        cmocka_unit_test(more_than_can_be_counted_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
