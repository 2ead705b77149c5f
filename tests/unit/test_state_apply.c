// Many rows at once, on one core or several, against the same rows one by one.
#include "store/state.h"

#include "store/cells.h"
#include "store/cells_group.h"
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

enum { MANY_ROWS = 40000, MANY_IDS = 15000, PLACES = 60, SLICES = 3, LANES_MOST = 7 };

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
        many->dims[i] = roll(many, PLACES + 2); // the empty text and the feed's, too
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
    for (int i = 0; i < PLACES; i++) {
        char place[16];
        uint32_t code;
        snprintf(place, sizeof place, "%s%d", i % 2 ? "acl" : "", i);
        assert_true(texts_intern(&world->state.texts, place, strlen(place), &code, NULL, &err));
    }
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

// Day cells of a state, which watch it from now on.
static struct cells *open_cells(struct world *world)
{
    struct rollup_def def = {0};
    struct tally_err err;

    assert_true(
        rollup_def_set_name(&def, "harm", &err) && rollup_def_add_feed(&def, "acled", &err) &&
        rollup_def_add_dim(&def, "country", &err) && rollup_def_add_measure(&def, "killed", &err) &&
        rollup_def_add_filter(&def, "country", "acl*", &err) &&
        rollup_def_add_window(&def, 50, &err));
    def.feeds[0].measures = 1;
    struct cells *cells = cells_open(&world->state, &def, &err);
    assert_non_null(cells);
    rollup_def_done(&def);
    return cells;
}

static struct bytes encode(struct world *world, struct cells *cells)
{
    struct cells_provenance provenance = {.generation = 1};
    struct bytes bytes;
    struct tally_err err;

    bytes_init(&bytes);
    assert_true(cells_encode(cells, &world->state, &provenance, &bytes, &err));
    return bytes;
}

// What they say is what cells say that see the state for the first time.
static void assert_cells_hold(struct world *world, struct cells *cells)
{
    struct cells *late = open_cells(world);
    struct bytes have = encode(world, cells);
    struct bytes want = encode(world, late);

    assert_int_equal(have.count, want.count);
    assert_memory_equal(have.data, want.data, want.count);
    bytes_done(&have);
    bytes_done(&want);
    assert_int_equal(cells_groups(late)->count, PLACES / 2 + 1); // the texts that pass
    state_unobserve(&world->state, late);
    cells_close(late);
}

// World 0 takes them one by one, the others in lanes. The last two have observers: of the one
// before the last, one core has all lanes, since its observer is told by one alone. The two before
// them look nothing up before all rows of a batch are there, where a batch has puts alone. Day
// cells see the last one too.
static void many_rows_do_what_they_do_one_by_one(void **state)
{
    enum { BATCHES = 6, WORLDS = 8, WATCHED = WORLDS - 2, LATE = WATCHED - 2 };
    static const enum batch_mode modes[BATCHES] = {BATCH_UPSERT,    BATCH_SNAPSHOT, BATCH_UPSERT,
                                                   BATCH_DELETIONS, BATCH_SNAPSHOT, BATCH_UPSERT};
    static const bool puts_only[BATCHES] = {true, true, false, false, true, true};
    static const unsigned lanes[WORLDS] = {0, 1, 2, LANES_MOST, 1, LANES_MOST, 2, LANES_MOST};
    static struct many many;
    struct world world[WORLDS];
    struct live_by_core by_core = {0};
    int64_t sum = 0;
    struct tally_err err;

    (void)state;
    for (int i = 0; i < WORLDS; i++) {
        open_world(&world[i]);
    }
    struct world *watched = &world[WATCHED];
    assert_true(state_observe(&watched->state, &live_count, &watched->observed, &err));
    assert_true(state_observe(&watched[1].state, &live_count_by_core, &by_core, &err));
    struct cells *cells = open_cells(&watched[1]);
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
        if (number % 2 == 1) { // what two batches said is looked up together
            assert_cells_hold(&watched[1], cells);
        }
    }
    cells_close(cells);
    assert_int_equal(watched->observed, watched->state.feed[0].live);
    for (int core = 0; core < TEAM_PARTS_MAX; core++) {
        sum += by_core.live[core];
    }
    assert_int_equal(sum, watched->observed);
    assert_true(by_core.begun >= BATCHES);
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
