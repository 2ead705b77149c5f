// Incidents in memory: ids as numbers that read back, the index, and what a row holds.
#include "store/id.h"
#include "store/incidents.h"
#include "store/incidents_private.h"

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

static void day_flags_and_mark_stand_apart(void **state)
{
    static const int32_t days[] = {DAY_MIN, -1, 0, 1, 19000, DAY_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        struct incident incident = {.day = incident_day(days[i], 9)};
        incident_set_seen(&incident, 12345);
        assert_int_equal(incident_first_day(&incident), days[i]);
        assert_int_equal(incident_flags(&incident), 9);
        assert_int_equal(incident_seen(&incident), 12345);
        incident_set_flags(&incident, 6);
        incident_set_seen(&incident, INCIDENT_SEEN_MAX);
        assert_int_equal(incident_first_day(&incident), days[i]);
        assert_int_equal(incident_flags(&incident), 6);
        assert_int_equal(incident_seen(&incident), INCIDENT_SEEN_MAX);
    }
}

static uint64_t nth(uint32_t i)
{
    return id_code(i % 7, i * 3 + 1);
}

// Codes of the columns, as many as the feed has.
static void write_row(const struct incidents *incidents, struct incident *incident,
                      int64_t revision, const uint32_t *codes)
{
    struct incidents_row row = {.revision = revision,
                                .values = codes[INCIDENTS_VALUES],
                                .lasts = codes[INCIDENTS_LASTS],
                                .dims = codes + INCIDENTS_DIM,
                                .dims_count = incidents->layout.columns - INCIDENTS_DIM};

    incidents_write(incidents, incident, &row);
}

static uint32_t values_of(const struct incidents *incidents, const struct incident *incident)
{
    return incidents_code(incidents, incident, INCIDENTS_VALUES);
}

static void each_id_is_found_and_no_other(void **state)
{
    enum { COUNT = 50000 };
    static bool met[COUNT];
    struct incidents incidents;
    struct incidents_walk walk = {0};
    struct incidents_need need = {.columns = INCIDENTS_DIM + 2, .codes = {COUNT, 0, 1, COUNT}};
    struct incident *incident;
    struct tally_err err;

    (void)state;
    incidents_init(&incidents, true);
    assert_null(incidents_find(&incidents, 1));
    assert_null(incidents_next(&incidents, &walk));
    assert_true(incidents_fit(&incidents, &need, &err));
    for (uint32_t i = 0; i < COUNT; i++) {
        if (i == 1000) {
            incidents_reserve(&incidents, 20000);
        }
        incident = incidents_add(&incidents, nth(i), &err);
        assert_non_null(incident);
        write_row(&incidents, incident, 0, (uint32_t[]){i, 0, 0, i + 1});
    }
    assert_int_equal(incidents_count(&incidents), COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        incident = incidents_find(&incidents, nth(i));
        assert_non_null(incident);
        assert_int_equal(values_of(&incidents, incident), i);
        assert_int_equal(incidents_code(&incidents, incident, INCIDENTS_LASTS), 0);
        assert_int_equal(incidents_code(&incidents, incident, INCIDENTS_DIM + 1), i + 1);
        assert_null(incidents_find(&incidents, nth(i) + 1));
    }
    walk = (struct incidents_walk){0};
    for (uint32_t i = 0; (incident = incidents_next(&incidents, &walk)) != NULL; i++) {
        struct incidents_walk from = incidents_walk_from(&incidents, i);
        assert_ptr_equal(incidents_next(&incidents, &from), incident);
        assert_false(met[values_of(&incidents, incident)]);
        met[values_of(&incidents, incident)] = true;
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(met[i]);
    }
    incidents_done(&incidents);
}

struct meeting {
    const struct incidents *incidents;
    uint32_t met;
};

static void count_meeting(void *context, struct incident *kept, const struct incident *late)
{
    struct meeting *meeting = context;

    assert_true(kept->id == late->id);
    assert_true(values_of(meeting->incidents, kept) < values_of(meeting->incidents, late));
    meeting->met++;
}

// Rows are appended twice, every third of them a third time: each id is kept once, as it came
// first, and in the order in which they came.
static void appended_rows_are_found_when_the_index_knows_them(void **state)
{
    enum { COUNT = 20000, ALL = 2 * COUNT + COUNT / 3 };
    static uint32_t room[INCIDENTS_PARTS];
    struct incidents incidents;
    struct incidents_walk walk = {0};
    struct incidents_need need = {.columns = INCIDENTS_DIM + 1, .codes = {ALL, 0, ALL}};
    struct incident *incident;
    struct meeting meeting = {.incidents = &incidents};
    struct tally_err err;

    (void)state;
    incidents_init(&incidents, false);
    assert_true(incidents_fit(&incidents, &need, &err));
    incident = incidents_add(&incidents, nth(0), &err); // known before
    assert_non_null(incident);
    write_row(&incidents, incident, 0, (uint32_t[]){0, 0, 0});
    for (uint32_t i = 1; i < ALL; i++) {
        uint64_t id = nth(i < 2 * COUNT ? i % COUNT : (i - 2 * COUNT) * 3);
        memset(room, 0, sizeof room);
        room[incidents_part(id)] = 1;
        assert_true(incidents_reserve_rows(&incidents, room, &err));
        incident = incidents_append(&incidents, id);
        write_row(&incidents, incident, 0, (uint32_t[]){i, 0, i});
    }
    assert_null(incidents_find(&incidents, nth(1)));
    assert_true(incidents_reserve_index(&incidents, &err));
    for (uint32_t part = 0; part < INCIDENTS_PARTS; part++) {
        incidents_index(&incidents, part, count_meeting, &meeting);
    }
    assert_int_equal(meeting.met, ALL - COUNT);
    memset(room, 0, sizeof room); // one more by itself
    room[incidents_part(nth(1))] = 1;
    assert_true(incidents_reserve_rows(&incidents, room, &err));
    incident = incidents_append(&incidents, nth(1));
    write_row(&incidents, incident, 0, (uint32_t[]){ALL, 0, 0});
    incidents_index(&incidents, incidents_part(nth(1)), count_meeting, &meeting);
    assert_int_equal(meeting.met, ALL - COUNT + 1);
    assert_int_equal(incidents_count(&incidents), COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        incident = incidents_find(&incidents, nth(i));
        assert_non_null(incident);
        assert_int_equal(values_of(&incidents, incident), i);
        assert_int_equal(incidents_code(&incidents, incident, INCIDENTS_DIM), i);
    }
    uint8_t part = 0;
    for (uint32_t last = 0; (incident = incidents_next(&incidents, &walk)) != NULL;
         last = values_of(&incidents, incident), part = incidents_part(incident->id)) {
        assert_true(incidents_part(incident->id) != part ||
                    values_of(&incidents, incident) >= last);
    }
    incidents_done(&incidents);
}

// What the i-th row of a feed says in its further parts.
static int64_t revision_of(uint32_t i)
{
    return i < 100 ? 0 : i < 200 ? -(int64_t)i : INT64_MIN + (int64_t)i * 1000003;
}

static uint32_t code_of(uint32_t i, uint32_t column)
{
    return (uint32_t)((uint64_t)(i % 8) << (i / 60 * 4 % 32)) + column;
}

static uint32_t columns_of(uint32_t i)
{
    return INCIDENTS_DIM + 1 + i / 100;
}

static void check_further(const struct incidents *incidents, uint32_t i, uint32_t rows)
{
    const struct incident *incident = incidents_find(incidents, nth(i));
    struct incident_origin origin = incidents_origin(incidents, incident);

    assert_true(incidents_revision(incidents, incident) == revision_of(i));
    assert_int_equal(origin.batch, i);
    assert_int_equal(origin.record, UINT32_MAX - i);
    assert_int_equal(origin.line, 7);
    for (uint32_t column = 0; column < columns_of(rows); column++) {
        assert_int_equal(incidents_code(incidents, incident, column),
                         column < columns_of(i) ? code_of(i, column) : 0);
    }
}

// Row by row something gets wider: a revision, the codes of a column, their number. All that was
// there before is read back after each.
static void rows_are_laid_out_anew_when_one_needs_more(void **state)
{
    enum { COUNT = 900 };
    struct incidents incidents;
    struct tally_err err;

    (void)state;
    incidents_init(&incidents, true);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct incidents_need need = {.revision_bytes =
                                          incidents_revision_bytes(i >= 100, revision_of(i)),
                                      .columns = columns_of(i)};
        for (uint32_t column = 0; column < need.columns; column++) {
            need.codes[column] = code_of(i, column);
        }
        bool moves = !incidents_fits(&incidents, &need);
        assert_true(incidents_fit(&incidents, &need, &err));
        assert_true(incidents_fits(&incidents, &need));
        struct incident *incident = incidents_add(&incidents, nth(i), &err);
        assert_non_null(incident);
        write_row(&incidents, incident, revision_of(i), need.codes);
        incidents_set_origin(&incidents, incident, (struct incident_origin){i, UINT32_MAX - i, 7});
        for (uint32_t before = moves ? 0 : i; before <= i; before++) {
            check_further(&incidents, before, i);
        }
    }
    incidents_done(&incidents);
}

static void a_row_takes_what_its_feed_needs(void **state)
{
    struct incidents incidents;
    struct incidents_need need = {.columns = INCIDENTS_DIM + 2, .codes = {255, 0, 65536, 256}};
    struct tally_err err;

    (void)state;
    assert_int_equal(incidents_revision_bytes(false, INT64_MAX), 0);
    assert_int_equal(incidents_revision_bytes(true, 0), 4);
    assert_int_equal(incidents_revision_bytes(true, INT32_MIN), 4);
    assert_int_equal(incidents_revision_bytes(true, INT32_MAX), 4);
    assert_int_equal(incidents_revision_bytes(true, (int64_t)INT32_MIN - 1), 8);
    assert_int_equal(incidents_revision_bytes(true, (int64_t)INT32_MAX + 1), 8);
    incidents_init(&incidents, false);
    assert_int_equal(incidents.layout.stride, 16);
    assert_true(incidents_fit(&incidents, &need, &err));
    assert_int_equal(incidents.layout.stride, 16 + 1 + 3 + 2);
    need.revision_bytes = 4;
    need.codes[INCIDENTS_LASTS] = DAY_MAX - DAY_MIN;
    assert_true(incidents_fit(&incidents, &need, &err));
    assert_int_equal(incidents.layout.stride, 16 + 4 + 1 + 3 + 3 + 2);
    incidents_done(&incidents);
}

// Blocks laid one behind the other here: then each row stands behind the one before it.
static void blocks_grow_and_hold_each_row_once(void **state)
{
    enum { ROWS = 1 << 16, BLOCKS_MAX = 256 };
    static unsigned char rows[ROWS];
    unsigned char *block[BLOCKS_MAX];
    uint32_t blocks = 0;

    (void)state;
    for (uint32_t room = 0; room < ROWS; room += block_rows(room)) {
        block[blocks++] = &rows[room];
        assert_true(block_rows(room) == 64 || block_rows(room) * 16 <= room);
    }
    assert_int_equal(blocks, 32 + 5 * 16);
    for (uint32_t row = 0; row < ROWS; row++) {
        assert_ptr_equal(row_in(block, row, 1), &rows[row]);
    }
}

// A shape with further dimensions that say nothing yet.
static void rows_stay_where_they_are_when_nothing_gets_wider(void **state)
{
    struct incidents incidents;
    struct incidents_need need = {
        .columns = INCIDENTS_DIM + 1, .codes = {[INCIDENTS_DIM] = 255}, .revision_bytes = 4};
    struct tally_err err;

    (void)state;
    incidents_init(&incidents, true);
    assert_true(incidents_fit(&incidents, &need, &err));
    struct incident *incident = incidents_add(&incidents, 17, &err);
    assert_non_null(incident);
    write_row(&incidents, incident, 3, (uint32_t[]){0, 0, 200});
    need = (struct incidents_need){.columns = INCIDENTS_DIM + 3, .codes = {[INCIDENTS_DIM] = 3}};
    assert_true(incidents_fit(&incidents, &need, &err));
    assert_ptr_equal(incidents_find(&incidents, 17), incident);
    assert_int_equal(incidents_code(&incidents, incident, INCIDENTS_DIM), 200);
    assert_int_equal(incidents_code(&incidents, incident, INCIDENTS_DIM + 2), 0);
    need.codes[INCIDENTS_DIM + 1] = 1;
    assert_true(incidents_fit(&incidents, &need, &err));
    incident = incidents_find(&incidents, 17);
    assert_int_equal(incidents_revision(&incidents, incident), 3);
    assert_int_equal(incidents_code(&incidents, incident, INCIDENTS_DIM), 200);
    incidents_done(&incidents);
}

static void more_than_there_can_be_are_no_hint(void **state)
{
    static const uint32_t too_many[INCIDENTS_PARTS] = {UINT32_MAX};
    struct incidents incidents;
    struct tally_err err;

    (void)state;
    incidents_init(&incidents, false);
    incidents_reserve(&incidents, (uint64_t)INCIDENTS_MAX + 1);
    assert_int_equal(incidents.slots.allocated_bytes, 0);
    incidents_reserve(&incidents, UINT64_MAX);
    assert_int_equal(incidents.slots.allocated_bytes, 0);
    assert_non_null(incidents_add(&incidents, 17, &err));
    incidents_reserve(&incidents, INCIDENTS_MAX); // one more than there is room for
    assert_int_equal(incidents_count(&incidents), 1);
    assert_non_null(incidents_find(&incidents, 17));
    assert_false(incidents_reserve_parts(&incidents, too_many, &err));
    assert_int_equal(err.code, TALLY_LIMIT);
    incidents_done(&incidents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_its_head_and_its_number),
        cmocka_unit_test(different_ids_have_different_parts),
        cmocka_unit_test(day_flags_and_mark_stand_apart),
        cmocka_unit_test(each_id_is_found_and_no_other),
        cmocka_unit_test(appended_rows_are_found_when_the_index_knows_them),
        cmocka_unit_test(rows_are_laid_out_anew_when_one_needs_more),
        cmocka_unit_test(a_row_takes_what_its_feed_needs),
        cmocka_unit_test(blocks_grow_and_hold_each_row_once),
        cmocka_unit_test(rows_stay_where_they_are_when_nothing_gets_wider),
        cmocka_unit_test(more_than_there_can_be_are_no_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
