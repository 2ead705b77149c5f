// tests/unit/live_count.h - a state of one shape, and observers that count what is live in it.
#ifndef TESTS_UNIT_LIVE_COUNT_H
#define TESTS_UNIT_LIVE_COUNT_H

#include "store/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline bool count_live(void *context, const struct state *state,
                              const struct incident *incident, int sign, unsigned core,
                              struct tally_err *err)
{
    int64_t *live = context;

    (void)err;
    assert_non_null(state_shape(state, incident));
    assert_int_equal(core, STATE_ALONE);
    *live += sign;
    return true;
}

// Told by one core alone. `context`: an int64_t.
static const struct state_observer live_count = {.on_change = count_live};

// What several cores may tell, each of which counts for itself.
struct live_by_core {
    int64_t live[TEAM_PARTS_MAX];
    unsigned begun;
};

static inline bool count_by_core(void *context, const struct state *state,
                                 const struct incident *incident, int sign, unsigned core,
                                 struct tally_err *err)
{
    struct live_by_core *by_core = context;

    (void)err;
    assert_non_null(state_shape(state, incident));
    assert_true(core == STATE_ALONE || (core < TEAM_PARTS_MAX && by_core->begun > 0));
    by_core->live[core == STATE_ALONE ? 0 : core] += sign;
    return true;
}

static inline bool begin_by_core(void *context, const struct state *state, struct tally_err *err)
{
    struct live_by_core *by_core = context;

    (void)state;
    (void)err;
    by_core->begun++;
    return true;
}

static const struct state_observer live_count_by_core = {.on_change = count_by_core,
                                                         .on_cores_begin = begin_by_core};

// Feed acled with a country and the killed. Memory: the caller's to close.
static inline struct shape *small_shape(void)
{
    static const char *const dims[] = {"country"};
    static const char *const measures[] = {"killed"};
    struct tally_err err;
    struct shape *shape = shape_open("acled", dims, 1, measures, 1, &err);

    assert_non_null(shape);
    return shape;
}

#endif
