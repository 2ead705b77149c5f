// Many rows at once, on one core or several, against the same rows one by one.
#include "store/state.h"

#include "store/rows.h"
#include "tests/state_dump.h"
#include "tests/unit/live_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MANY_ROWS = 40000, MANY_IDS = 15000, SLICES = 3, LANES_MOST = 7 };

// Rows of many ids, each in several versions, at random; as text codes those of the state.
struct many {
    struct state_row row[MANY_ROWS];
    uint32_t dims[MANY_ROWS];
    struct state_row in_lanes[LANES_MOST][MANY_ROWS];
    struct state_slice slice[SLICES];
    uint32_t random;
};

static uint32_t roll(struct many *many, uint32_t sides)
{
    many->random = many->random * 1664525 + 1013904223;
    return (many->random >> 8) % sides;
}

static void make_many(struct many *many, struct state *state, uint32_t seed, bool puts_only)
{
    struct tally_err err;

    many->random = seed;
    for (uint32_t i = 0; i < MANY_ROWS; i++) {
        struct state_row *row = &many->row[i];
        int64_t killed = roll(many, 5);
        many->dims[i] = roll(many, 2);
        *row = (struct state_row){.op = roll(many, 8) == 0 && !puts_only ? ROWS_WITHDRAW : ROWS_PUT,
                                  .id = id_code(0, 1 + roll(many, MANY_IDS)),
                                  .dims = &many->dims[i],
                                  .first_day = (int32_t)roll(many, 3),
                                  .last_day = 3,
                                  .record = i,
                                  .line = i};
        if (roll(many, 4) > 0) {
            row->revision_kind = REVISION_NUMBER;
            row->revision = (int64_t)roll(many, 4) << (seed % 2 * 32);
        }
        assert_true(state_take_values(state, 1, 1, &killed, &row->values, &err));
    }
}

static struct state_slice slice_from(struct many *many, uint32_t from, uint32_t end, unsigned lanes)
{
    struct state_slice slice = {0};

    for (unsigned lane = 0; lane < lanes; lane++) {
        slice.row[lane] = &many->in_lanes[lane][from];
    }
    for (uint32_t i = from; i < end; i++) {
        uint8_t part = incidents_part(many->row[i].id);
        unsigned lane = state_lane(part, lanes);
        slice.row[lane][slice.count[lane]++] = many->row[i];
        slice.of_part[part]++;
    }
    return slice;
}

static struct state_rows many_from(struct many *many, uint32_t from, uint32_t count, unsigned lanes)
{
    struct state_rows rows = {
        .slice = many->slice,
        .slices = SLICES,
        .lanes = lanes,
        .count = count,
        .need = {.columns = INCIDENTS_DIM + 1, .revision_bytes = 8, .codes = {7, 3, 1}}};

    for (unsigned i = 0; i < SLICES; i++) {
        many->slice[i] = slice_from(many, from + (uint32_t)team_begin(count, i, SLICES),
                                    from + (uint32_t)team_begin(count, i + 1, SLICES), lanes);
    }
    return rows;
}

struct world {
    struct state state;
    struct state_batch batch;
    struct batch_counts counts;
    int64_t observed; // live incidents, as an observer sees them
};

static void open_world(struct world *world)
{
    struct tally_err err;
    struct shape *shape = small_shape();

    *world = (struct world){.observed = 0};
    assert_true(state_init(&world->state, &err));
    state_keep_origins(&world->state);
    assert_true(state_add_shape(&world->state, shape, &world->batch.shape, &err));
    shape_close(shape);
}

static void assert_same(const struct world *a, const struct world *b)
{
    struct bytes dump[2];

    for (int i = 0; i < 2; i++) {
        bytes_init(&dump[i]);
        state_dump(i == 0 ? &a->state : &b->state, &dump[i]);
    }
    assert_int_equal(dump[0].count, dump[1].count);
    assert_memory_equal(dump[0].data, dump[1].data, dump[0].count);
    assert_memory_equal(&a->counts, &b->counts, sizeof a->counts);
    bytes_done(&dump[0]);
    bytes_done(&dump[1]);
}

// `late`: nothing is looked up before all rows are there.
static void apply_many(struct many *many, struct world *world, uint32_t step, unsigned lanes,
                       bool late)
{
    struct tally_err err;

    for (uint32_t from = 0; from < MANY_ROWS; from += step) {
        uint32_t left = MANY_ROWS - from;
        struct state_rows rows = many_from(many, from, left < step ? left : step, lanes);
        rows.puts_only = rows.index_later = late;
        assert_true(state_apply_rows(&world->state, &world->batch, &rows, &world->counts, &err));
    }
    assert_true(!late || state_index_rows(&world->state, &world->batch, &world->counts, &err));
}

static void apply_one_by_one(const struct many *many, struct world *world)
{
    struct tally_err err;

    for (uint32_t i = 0; i < MANY_ROWS; i++) {
        assert_true(state_apply(&world->state, &world->batch, &many->row[i], &world->counts, &err));
    }
}

// World 0 takes them one by one, the others in lanes. The last one has an observer, so that one
// core has all its lanes; the two before it look nothing up before all rows of a batch are there,
// where a batch has puts alone.
static void many_rows_do_what_they_do_one_by_one(void **state)
{
    enum { BATCHES = 6, WORLDS = 7, WATCHED = WORLDS - 1, LATE = WATCHED - 2 };
    static const enum batch_mode modes[BATCHES] = {BATCH_UPSERT,    BATCH_SNAPSHOT, BATCH_UPSERT,
                                                   BATCH_DELETIONS, BATCH_SNAPSHOT, BATCH_UPSERT};
    static const bool puts_only[BATCHES] = {true, true, false, false, true, true};
    static const unsigned lanes[WORLDS] = {0, 1, 2, LANES_MOST, 1, LANES_MOST, 2};
    static struct many many;
    struct world world[WORLDS];
    struct tally_err err;

    (void)state;
    for (int i = 0; i < WORLDS; i++) {
        open_world(&world[i]);
    }
    struct world *watched = &world[WATCHED];
    assert_true(state_observe(&watched->state, count_live, &watched->observed, &err));
    for (uint32_t number = 0; number < BATCHES; number++) {
        for (int i = 0; i < WORLDS; i++) {
            world[i].batch.number = number;
            world[i].batch.mode = modes[number];
            state_next_mark(&world[i].state);
            make_many(&many, &world[i].state, number + 1, puts_only[number]);
            if (i == 0) {
                apply_one_by_one(&many, &world[i]);
            } else {
                apply_many(&many, &world[i], number % 2 == 0 ? MANY_ROWS : 17000, lanes[i],
                           puts_only[number] && i >= LATE && i < WATCHED);
                assert_same(&world[0], &world[i]);
            }
        }
    }
    assert_int_equal(watched->observed, watched->state.feed[0].live);
    assert_true(world[0].counts.conflicts > 0 && world[0].counts.older > 0);
    assert_true(world[0].counts.withdrawn > 0 && world[0].counts.unchanged > 0);
    for (int i = 0; i < WORLDS; i++) {
        state_done(&world[i].state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_rows_do_what_they_do_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
