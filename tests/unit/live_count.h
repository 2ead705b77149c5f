// tests/unit/live_count.h - a state of one shape, and an observer that counts what is live in it.
#ifndef TESTS_UNIT_LIVE_COUNT_H
#define TESTS_UNIT_LIVE_COUNT_H

#include "store/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// An observer (state_observe). `context`: an int64_t.
static inline bool count_live(void *context, const struct state *state,
                              const struct incident *incident, int sign, struct tally_err *err)
{
    int64_t *live = context;

    (void)err;
    assert_non_null(state_shape(state, incident));
    *live += sign;
    return true;
}

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
