#include "store/entries_tally.h"

// ---- counting -----------------------------------------------------------------------------

static void count_number(struct numbers *numbers, bits_u128 value)
{
    if (value < NUMBERS_SMALL) {
        numbers->small[value]++;
    } else {
        numbers->length[bits_length_wide(value)]++;
    }
}

// Whether a number is 0 is a matter of chance, so that gaps are counted without asking.
void entries_tally_count(struct entries_tally *tally, const bits_u128 *column, uint32_t count)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < count; i++) {
        bool used = column[i] > 0;
        if (column[i] < NUMBERS_SMALL) {
            tally->all.small[(size_t)column[i]]++;
        } else {
            count_number(&tally->all, column[i]);
            count_number(&tally->above, column[i] - 1);
        }
        tally->gap[i - last] += used;
        last = used ? i + 1 : last;
    }
    tally->gap[count - last] += last < count;
}

static void add_numbers(struct numbers *to, const struct numbers *from)
{
    for (size_t i = 0; i < NUMBERS_SMALL; i++) {
        to->small[i] += from->small[i];
    }
    for (size_t i = 0; i < NUMBERS_LENGTHS; i++) {
        to->length[i] += from->length[i];
    }
}

void entries_tally_add(struct entries_tally *to, const struct entries_tally *from)
{
    add_numbers(&to->all, &from->all);
    add_numbers(&to->above, &from->above);
    for (size_t i = 0; i <= ENTRIES_BLOCK; i++) {
        to->gap[i] += from->gap[i];
    }
}

// ---- choosing -----------------------------------------------------------------------------

static uint64_t cost_of(const struct numbers *numbers, uint32_t parameter)
{
    uint64_t cost = 0;

    for (uint32_t value = 0; value < NUMBERS_SMALL; value++) {
        cost += numbers->small[value] * bits_golomb_cost(value, parameter);
    }
    for (uint32_t length = 1; length < NUMBERS_LENGTHS; length++) {
        if (numbers->length[length] > 0) {
            bits_u128 middle = (bits_u128)3 << (length - 1) >> 1;
            cost += numbers->length[length] * bits_golomb_cost(middle, parameter);
        }
    }
    return cost;
}

static uint64_t best_golomb(const struct numbers *numbers, uint8_t *out_parameter)
{
    uint64_t best = UINT64_MAX;

    for (uint32_t parameter = 0; parameter <= BITS_GOLOMB_MAX; parameter++) {
        uint64_t cost = cost_of(numbers, parameter);
        if (cost < best) {
            best = cost;
            *out_parameter = (uint8_t)parameter;
        }
    }
    return best;
}

static uint64_t best_rice(const uint64_t gap[ENTRIES_BLOCK + 1], uint8_t *out_parameter)
{
    uint64_t best = UINT64_MAX;

    for (uint32_t parameter = 0; parameter <= ENTRIES_GAP_MAX; parameter++) {
        uint64_t cost = 0;
        for (uint32_t i = 0; i <= ENTRIES_BLOCK; i++) {
            cost += gap[i] * bits_rice_cost(i, parameter);
        }
        if (cost < best) {
            best = cost;
            *out_parameter = (uint8_t)parameter;
        }
    }
    return best;
}

struct entries_parameters entries_tally_choose(const struct entries_tally *tally)
{
    struct entries_parameters dense = {.gap = ENTRIES_DENSE};
    struct entries_parameters sparse = {.gap = 0};
    struct numbers above = tally->above;
    uint64_t numbers = 0;

    for (size_t i = 1; i < NUMBERS_SMALL; i++) {
        numbers += tally->all.small[i];
        above.small[i - 1] += tally->all.small[i];
    }
    for (size_t i = 0; i < NUMBERS_LENGTHS; i++) {
        numbers += tally->all.length[i];
    }
    if (numbers == 0) {
        return (struct entries_parameters){.gap = ENTRIES_EMPTY};
    }
    uint64_t dense_cost = best_golomb(&tally->all, &dense.value);
    uint64_t sparse_cost = best_golomb(&above, &sparse.value) + best_rice(tally->gap, &sparse.gap);
    return dense_cost < sparse_cost ? dense : sparse;
}
