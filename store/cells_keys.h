// store/cells_keys.h - groups by the codes of their dimension values (private to store/).
//
//   (17, 4, 230) --hash--> slot [hash 32][number + 1, 32] --> codes [number]: 17 4 230
//
// Numbers count from 0 in order of arrival. Cost: one slot and one key looked at, mostly.
#ifndef STORE_CELLS_KEYS_H
#define STORE_CELLS_KEYS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define CELLS_NO_KEY UINT32_MAX

struct cells_keys {
    size_t dims_count;
    uint32_t *codes; // [count][dims_count]
    uint64_t *slot;  // 0 is free
    uint32_t count;
    uint32_t capacity;
    uint32_t slots; // power of two
};

// Errors: TALLY_NO_MEMORY.
bool cells_keys_init(struct cells_keys *keys, size_t dims_count, struct tally_err *err);
void cells_keys_done(struct cells_keys *keys); // zeroed is allowed

// The number of these codes, added when new. Errors: TALLY_NO_MEMORY.
bool cells_keys_find(struct cells_keys *keys, const uint32_t *codes, uint32_t *out_number,
                     struct tally_err *err);

// The same in steps, for who looks up many: asks for the slot some of them ahead.
uint64_t cells_keys_prefetch(const struct cells_keys *keys, const uint32_t *codes);
// When that had time to come: asks for the codes that are most likely these.
void cells_keys_prefetch_codes(const struct cells_keys *keys, uint64_t hash);
// `hash`: what prefetch gave for these codes. The number of them; CELLS_NO_KEY: they are not there.
uint32_t cells_keys_look_up(const struct cells_keys *keys, const uint32_t *codes, uint64_t hash);
// As cells_keys_find.
bool cells_keys_find_by(struct cells_keys *keys, const uint32_t *codes, uint64_t hash,
                        uint32_t *out_number, struct tally_err *err);

static inline const uint32_t *cells_keys_codes(const struct cells_keys *keys, uint32_t number)
{
    return keys->codes + number * keys->dims_count;
}

#endif
