// store/entries_list.h - the list of one column of a block.
//
//   dense     golomb(number)  golomb(number)  ...           one for each entry
//   sparse    rice(gap) golomb(number - 1)  rice(gap) ...   one for each that is not 0
//
// Private to entries_decode.c, as entries_block.h is; the same bounds hold.
#ifndef STORE_ENTRIES_LIST_H
#define STORE_ENTRIES_LIST_H

#include "store/entries_block.h"

// What becomes of the numbers of a list: added up over a range of entries, added up by weight,
// or stored.
enum sink { SINK_RANGE, SINK_WEIGHTS, SINK_STORE };

struct list {
    const struct block *block;
    const uint16_t *pass; // NULL: there is no table for its parameters
    uint32_t gap;
    uint32_t value;
    bool zigzag;
    bool is_last;  // nothing is behind it
    bool is_tail;  // SINK_RANGE: what is behind it is empty, so that its end need not be found
    uint32_t from; // SINK_RANGE
    uint32_t to;
    const int8_t *weights; // SINK_WEIGHTS
    bits_u128 *out;        // SINK_STORE; zeroed
    // What the numbers add up to: those of one load, at most 128 of less than 2^56; and longer
    // ones, modulo 2^128.
    int64_t small;
    bits_u128 wide;
};

static inline int weight_in(const struct list *list, enum sink sink, uint32_t index)
{
    return sink == SINK_WEIGHTS ? list->weights[index] : index - list->from < list->to - list->from;
}

static inline bits_u128 list_total(const struct list *list)
{
    bytes_i128 small = list->small;
    return list->wide + (bits_u128)small;
}

// Bits at hand: several codes come out of one load.
struct load {
    uint64_t word; // `have` good bits, of which `at` is the first
    uint64_t at;
    uint32_t have;
};

static inline bool reload(struct load *load, const struct block *block)
{
    if (load->at > block->limit) {
        return false;
    }
    load->word = bits_at(block->data, load->at);
    load->have = BITS_AT_ONCE;
    return true;
}

// The zeros of a unary code at the front; 63 where the word is empty.
static inline uint32_t leading_zeros(const struct load *load)
{
    return (uint32_t)__builtin_ctzll(load->word | UINT64_C(1) << 63);
}

static inline void drop(struct load *load, uint32_t bits)
{
    load->word >>= bits;
    load->have -= bits;
    load->at += bits;
}

// A golomb code that the load holds whole, `zeros` at its front.
static inline uint64_t take_held(struct load *load, uint32_t zeros, uint32_t parameter)
{
    drop(load, zeros + 1);
    uint64_t head = (UINT64_C(1) << zeros) - 1 + bits_low(load->word, zeros);
    drop(load, zeros);
    uint64_t number = head << parameter | bits_low(load->word, parameter);
    drop(load, parameter);
    return number;
}

// A code that no load holds is read by itself. The copy of its place lets the loop around keep what
// it has at hand in registers.
static bool take_wide_gap(const struct list *list, uint64_t *at, uint32_t *out_gap)
{
    const struct block *block = list->block;
    uint32_t zeros;

    if (!bits_take_unary(block->data, block->limit, at, &zeros) || zeros > ENTRIES_BLOCK) {
        return false;
    }
    *out_gap = (zeros << list->gap) + (uint32_t)bits_get(block->data, *at, list->gap);
    *at += list->gap;
    return true;
}

static bool take_wide_number(struct list *list, enum sink sink, uint64_t *at, uint32_t index,
                             uint32_t plus)
{
    bits_u128 number;

    if (!bits_take_golomb(list->block->data, list->block->limit, at, list->value, &number)) {
        return false;
    }
    number += plus;
    if (sink == SINK_STORE) {
        list->out[index] = number;
        return true;
    }
    bits_u128 plain = list->zigzag ? (bits_u128)entries_unzigzag(number) : number;
    int weight = weight_in(list, sink, index);
    list->wide += weight > 0 ? plain : weight < 0 ? 0 - plain : 0;
    return true;
}

static inline bool take_gap(const struct list *list, uint32_t parameter, struct load *load,
                            uint32_t *index)
{
    uint32_t zeros = leading_zeros(load);

    if (zeros + 1 + parameter > load->have) {
        if (!reload(load, list->block)) {
            return false;
        }
        zeros = leading_zeros(load);
        if (zeros + 1 + parameter > load->have) {
            uint64_t at = load->at;
            uint32_t gap;
            if (!take_wide_gap(list, &at, &gap)) {
                return false;
            }
            *load = (struct load){.at = at};
            *index += gap;
            return true;
        }
    }
    drop(load, zeros + 1);
    *index += (zeros << parameter) + (uint32_t)bits_low(load->word, parameter);
    drop(load, parameter);
    return true;
}

static inline bool take_number(struct list *list, enum sink sink, uint32_t parameter,
                               struct load *load, uint32_t index, uint32_t plus, int64_t *small)
{
    uint32_t zeros = leading_zeros(load);

    if (2 * zeros + 1 + parameter > load->have) {
        if (!reload(load, list->block)) {
            return false;
        }
        zeros = leading_zeros(load);
        if (2 * zeros + 1 + parameter > load->have) {
            uint64_t at = load->at;
            bool taken = take_wide_number(list, sink, &at, index, plus);
            *load = (struct load){.at = at};
            return taken;
        }
    }
    uint64_t number = take_held(load, zeros, parameter) + plus;
    if (sink == SINK_STORE) {
        list->out[index] = number;
    } else {
        uint64_t plain = list->zigzag ? number >> 1 ^ (0 - (number & 1)) : number;
        *small += (int64_t)plain * weight_in(list, sink, index);
    }
    return true;
}

// Passes over numbers of a sparse list, some at a time, while all of them lie before entry `until`.
// Bits are loaded after so many steps as a load always has them for, and not where they run out:
// when that is, no processor foresees.
static inline bool pass_numbers(const struct list *list, uint32_t until, struct load *load,
                                uint32_t *index)
{
    enum { STEPS = BITS_AT_ONCE / ENTRIES_PASS_BITS };
    const uint16_t *passes = list->pass + (1U << ENTRIES_PASS_BITS);

    while (reload(load, list->block)) {
        for (uint32_t step = 0; step < STEPS; step++) {
            uint32_t pass = passes[bits_low(load->word, ENTRIES_PASS_BITS)];
            uint32_t next = *index + (pass >> ENTRIES_PASS_USED);
            if (next > until) {
                return true;
            }
            *index = next;
            // A shift by a register looks at its lowest six bits alone.
            drop(load, pass & ((1U << ENTRIES_PASS_USED) - 1));
        }
    }
    return false;
}

// The numbers of entries up to `end`. False: not a list.
static inline bool take_numbers(struct list *list, enum sink sink, bool dense, uint32_t end,
                                uint64_t *bit)
{
    const uint32_t gap = list->gap;
    const uint32_t value = list->value;
    struct load load = {.at = *bit};
    int64_t small = 0;

    for (uint32_t i = 0; i < end; i++) {
        if (!dense) {
            if (sink == SINK_RANGE && list->pass && i < list->from &&
                !pass_numbers(list, list->from, &load, &i)) {
                return false;
            }
            if (!take_gap(list, gap, &load, &i)) {
                return false;
            }
            if (i >= end) {
                if (i > list->block->count) {
                    return false; // more zeros than entries are left
                }
                break;
            }
        }
        if (!take_number(list, sink, value, &load, i, !dense, &small)) {
            return false;
        }
    }
    list->small = small;
    *bit = load.at;
    return true;
}

// The bit behind a list at *bit, which moves behind its length; 0: it does not say, and has to be
// read to its end. False: no length; one that no load holds is longer than 128 numbers are.
static inline bool take_length(const struct list *list, uint64_t *bit, uint64_t *out_end)
{
    const struct block *block = list->block;
    struct load load = {.at = *bit};

    *out_end = 0;
    if (list->is_last) {
        *out_end = block->limit;
        return true;
    }
    if (block->count <= ENTRIES_SHORT) {
        return true;
    }
    if (!reload(&load, block)) {
        return false;
    }
    uint32_t zeros = leading_zeros(&load);
    if (2 * zeros + 1 + ENTRIES_LENGTH_PARAMETER > load.have) {
        return false;
    }
    uint64_t length = take_held(&load, zeros, ENTRIES_LENGTH_PARAMETER);
    *bit = load.at;
    *out_end = load.at + length;
    return *out_end <= block->limit;
}

// Takes the numbers of a list of block->count entries at *bit, which moves behind it.
static inline bool take_list(struct list *list, enum sink sink, uint64_t *bit)
{
    const struct block *block = list->block;
    uint64_t end_bit;

    if (list->gap == ENTRIES_EMPTY) {
        return true;
    }
    if (!take_length(list, bit, &end_bit)) {
        return false;
    }
    const bool stops = sink == SINK_RANGE && (end_bit > 0 || list->is_tail);
    const uint32_t end = stops ? list->to : block->count;
    if (!(list->gap == ENTRIES_DENSE ? take_numbers(list, sink, true, end, bit)
                                     : take_numbers(list, sink, false, end, bit))) {
        return false;
    }
    if (list->is_tail) {
        return *bit <= block->limit;
    }
    if (end < block->count) {
        bool inside = *bit <= end_bit;
        *bit = end_bit;
        return inside;
    }
    return *bit <= block->limit && (list->is_last || end_bit == 0 || *bit == end_bit);
}

static inline struct list list_of(const struct entries *entries, const struct block *block,
                                  uint32_t column)
{
    uint32_t at = column - entries->spans; // 0: incidents, then a sum and what lacks it in turn
    bool sum = at % 2 == 1 && column >= entries->spans;

    bool passes =
        block->parameters[2 * column] < ENTRIES_PASSES && block->parameters[2 * column + 1] == 0;

    return (struct list){.block = block,
                         .pass = passes ? entries->pass[block->parameters[2 * column]] : NULL,
                         .gap = block->parameters[2 * column],
                         .value = block->parameters[2 * column + 1],
                         .zigzag = sum && entries_is_zigzag(entries, at / 2),
                         .is_last = column + 1 == entries->columns};
}

#endif
