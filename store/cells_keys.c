#include "store/cells_keys.h"

#include "base/prefetch.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 64, KEYS_FIRST = 32, NUMBER_BITS = 32 };

bool cells_keys_init(struct cells_keys *keys, size_t dims_count, struct tally_err *err)
{
    *keys = (struct cells_keys){.dims_count = dims_count, .slots = SLOTS_FIRST};
    keys->slot = calloc(keys->slots, sizeof *keys->slot);
    return keys->slot ? true : err_set(err, TALLY_NO_MEMORY, "no memory for groups");
}

void cells_keys_done(struct cells_keys *keys)
{
    free(keys->codes);
    free(keys->slot);
    *keys = (struct cells_keys){0};
}

// Codes are small numbers: each is spread over all bits before the next one comes.
static uint64_t hash_of(const struct cells_keys *keys, const uint32_t *codes)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15); // 2^64 by the golden ratio
    uint64_t hash = 0;

    for (size_t i = 0; i < keys->dims_count; i++) {
        hash = (hash ^ codes[i]) * odd;
        hash ^= hash >> 32;
    }
    return hash;
}

static bool equals(const struct cells_keys *keys, uint32_t number, const uint32_t *codes)
{
    const uint32_t *own = cells_keys_codes(keys, number);
    uint32_t differs = 0;

    for (size_t i = 0; i < keys->dims_count; i++) {
        differs |= own[i] ^ codes[i];
    }
    return differs == 0;
}

// Where a hash begins to be looked for, and what a slot keeps of it.
static uint32_t first_slot(const struct cells_keys *keys, uint64_t hash)
{
    return (uint32_t)hash & (keys->slots - 1);
}

static uint64_t slot_of(uint64_t hash, uint32_t number)
{
    return hash >> NUMBER_BITS << NUMBER_BITS | (number + 1);
}

static void place(struct cells_keys *keys, uint32_t number)
{
    uint64_t hash = hash_of(keys, cells_keys_codes(keys, number));
    uint32_t at = first_slot(keys, hash);

    while (keys->slot[at] != 0) {
        at = (at + 1) & (keys->slots - 1);
    }
    keys->slot[at] = slot_of(hash, number);
}

static bool reserve(struct cells_keys *keys, struct tally_err *err)
{
    if (keys->count == keys->capacity) {
        uint32_t capacity = keys->capacity ? keys->capacity * 2 : KEYS_FIRST;
        size_t bytes = capacity * keys->dims_count * sizeof *keys->codes;
        uint32_t *codes = realloc(keys->codes, bytes ? bytes : 1);
        if (!codes) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for groups");
        }
        keys->codes = codes;
        keys->capacity = capacity;
    }
    if (keys->count < keys->slots / 2) {
        return true;
    }
    uint64_t *slot = calloc(keys->slots * (size_t)2, sizeof *slot);
    if (!slot) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for groups");
    }
    free(keys->slot);
    keys->slot = slot;
    keys->slots *= 2;
    for (uint32_t i = 0; i < keys->count; i++) {
        place(keys, i);
    }
    return true;
}

uint64_t cells_keys_prefetch(const struct cells_keys *keys, const uint32_t *codes)
{
    uint64_t hash = hash_of(keys, codes);

    prefetch_to_read(&keys->slot[first_slot(keys, hash)]);
    return hash;
}

void cells_keys_prefetch_codes(const struct cells_keys *keys, uint64_t hash)
{
    uint64_t slot = keys->slot[first_slot(keys, hash)];

    if (slot != 0) {
        prefetch_to_read(cells_keys_codes(keys, (uint32_t)slot - 1));
    }
}

bool cells_keys_find(struct cells_keys *keys, const uint32_t *codes, uint32_t *out_number,
                     struct tally_err *err)
{
    return cells_keys_find_by(keys, codes, hash_of(keys, codes), out_number, err);
}

uint32_t cells_keys_look_up(const struct cells_keys *keys, const uint32_t *codes, uint64_t hash)
{
    uint64_t want = slot_of(hash, 0) >> NUMBER_BITS;

    for (uint32_t at = first_slot(keys, hash); keys->slot[at] != 0;
         at = (at + 1) & (keys->slots - 1)) {
        uint32_t number = (uint32_t)keys->slot[at] - 1;
        if (keys->slot[at] >> NUMBER_BITS == want && equals(keys, number, codes)) {
            return number;
        }
    }
    return CELLS_NO_KEY;
}

bool cells_keys_find_by(struct cells_keys *keys, const uint32_t *codes, uint64_t hash,
                        uint32_t *out_number, struct tally_err *err)
{
    *out_number = cells_keys_look_up(keys, codes, hash);
    if (*out_number != CELLS_NO_KEY) {
        return true;
    }
    if (!reserve(keys, err)) {
        return false;
    }
    uint32_t number = keys->count;
    if (keys->dims_count > 0) {
        memcpy(keys->codes + number * keys->dims_count, codes, keys->dims_count * sizeof *codes);
    }
    place(keys, number);
    keys->count++;
    *out_number = number;
    return true;
}
