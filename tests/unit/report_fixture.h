// tests/unit/report_fixture.h - small rollups in memory, put together without a ledger.
#ifndef TESTS_REPORT_FIXTURE_H
#define TESTS_REPORT_FIXTURE_H

#include "base/day.h"
#include "store/cells.h"
#include "store/rows.h"
#include "store/state.h"
#include "tests/state_put.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FIXTURE_UNKNOWN = -1 }; // a measure that was not reported

// Feed "acled" has killed and wounded, feed "ucdp" only killed.
struct fixture {
    struct state state;
    struct shape *shape[2];
    struct rollup_def def;
    struct tally_err err;
};

struct fixture_incident {
    int feed; // 0 acled, 1 ucdp
    const char *id;
    int32_t first_day;
    int32_t last_day;
    const char *country;
    const char *actor;
    int64_t killed;
    int64_t wounded;
    int64_t revision;
};

static inline int32_t fixture_day(const char *text)
{
    int32_t day = 0;

    assert_true(day_parse_iso(text, strlen(text), &day));
    return day;
}

static inline void fixture_open(struct fixture *fixture)
{
    static const char *const dims[] = {"country", "actor"};
    static const char *const measures[] = {"killed", "wounded"};
    struct tally_err *err = &fixture->err;

    memset(fixture, 0, sizeof *fixture);
    assert_true(state_init(&fixture->state, err));
    fixture->shape[0] = shape_open("acled", dims, 2, measures, 2, err);
    fixture->shape[1] = shape_open("ucdp", dims, 2, measures, 1, err);
    assert_true(rollup_def_set_name(&fixture->def, "harm", err));
    assert_true(rollup_def_add_feed(&fixture->def, "acled", err));
    assert_true(rollup_def_add_feed(&fixture->def, "ucdp", err));
    assert_true(rollup_def_add_dim(&fixture->def, "country", err));
    assert_true(rollup_def_add_dim(&fixture->def, "actor", err));
    assert_true(rollup_def_add_dim(&fixture->def, "feed", err));
    assert_true(rollup_def_add_measure(&fixture->def, "killed", err));
    assert_true(rollup_def_add_measure(&fixture->def, "wounded", err));
    assert_true(rollup_def_add_window(&fixture->def, 50, err));
    fixture->def.feeds[0].measures = 3;
    fixture->def.feeds[1].measures = 1;
}

static inline void fixture_close(struct fixture *fixture)
{
    state_done(&fixture->state);
    shape_close(fixture->shape[0]);
    shape_close(fixture->shape[1]);
    rollup_def_done(&fixture->def);
}

static inline uint32_t fixture_code(struct fixture *fixture, const char *text)
{
    uint32_t code;

    assert_true(
        texts_intern(&fixture->state.texts, text, strlen(text), &code, NULL, &fixture->err));
    return code;
}

static inline void fixture_apply(struct fixture *fixture, int op,
                                 const struct fixture_incident *incident)
{
    const struct shape *shape = fixture->shape[incident->feed];
    struct batch_end end = {
        .any_day = true, .first_day = incident->first_day, .last_day = incident->last_day};
    struct state_batch batch = {.number = 1, .mode = BATCH_UPSERT};
    struct batch_counts counts = {0};
    uint32_t dims[2] = {fixture_code(fixture, incident->country),
                        fixture_code(fixture, incident->actor)};
    int64_t measures[2] = {incident->killed, incident->wounded};
    struct ledger_row row = {.op = (uint8_t)op,
                             .id = incident->id,
                             .id_bytes = strlen(incident->id),
                             .record = 1,
                             .line = 2,
                             .first_day = incident->first_day,
                             .last_day = incident->last_day,
                             .revision = revision_of_number(incident->revision),
                             .dims = dims,
                             .measures = measures};

    for (size_t m = 0; m < shape->measures_count; m++) {
        if (measures[m] == FIXTURE_UNKNOWN) {
            measures[m] = 0;
        } else {
            row.reported |= UINT64_C(1) << m;
        }
    }
    assert_true(state_add_shape(&fixture->state, shape, &batch.shape, &fixture->err));
    assert_true(state_add_feed(&fixture->state, shape->feed, strlen(shape->feed), &batch.feed,
                               &fixture->err));
    assert_true(state_put(&fixture->state, &batch, &row, &counts, &fixture->err));
    assert_true(state_apply_end(&fixture->state, &batch, &end, &fixture->err));
}

static inline void fixture_put(struct fixture *fixture, const struct fixture_incident *incident)
{
    fixture_apply(fixture, ROWS_PUT, incident);
}

// The bytes of the rollup; malloc'ed.
static inline unsigned char *fixture_encode(struct fixture *fixture, size_t *out_count)
{
    struct cells_provenance provenance = {.generation = 1};
    struct cells *cells = cells_open(&fixture->state, &fixture->def, &fixture->err);
    struct bytes bytes;

    assert_non_null(cells);
    bytes_init(&bytes);
    assert_true(cells_encode(cells, &fixture->state, &provenance, &bytes, &fixture->err));
    cells_close(cells);
    *out_count = bytes.count;
    return bytes.data;
}

static inline struct rollup *fixture_rollup(struct fixture *fixture)
{
    size_t count;
    unsigned char *data = fixture_encode(fixture, &count);
    struct rollup *rollup = rollup_open_memory(data, count, &fixture->err);

    if (!rollup) {
        fail_msg("%s", fixture->err.message);
    }
    return rollup;
}

#endif
