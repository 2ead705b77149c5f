// tests/state_put.h - a row by its texts, as a test writes it down, into a state.
#ifndef TESTS_STATE_PUT_H
#define TESTS_STATE_PUT_H

#include "store/state.h"

static inline bool state_put(struct state *state, const struct state_batch *batch,
                             const struct ledger_row *row, struct batch_counts *counts,
                             struct tally_err *err)
{
    struct state_row coded;

    return state_take_row(state, batch->shape, row, &coded, err) &&
           state_apply(state, batch, &coded, counts, err);
}

#endif
