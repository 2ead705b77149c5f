#include "ingest/dict.h"

#include "base/fold.h"
#include "base/pages.h"
#include "base/prefetch.h"

#include <stdlib.h>
#include <string.h>

enum {
    CAPACITY_MIN = 64,
    // Up to so many places, three of four stay free: most texts stand where they are looked for
    // first.
    CAPACITY_ROOMY_MAX = 64 * 1024,
};

#define INLINE static inline __attribute__((always_inline))

void dict_init(struct dict *dict)
{
    *dict = (struct dict){0};
    bytes_init(&dict->texts);
}

void dict_done(struct dict *dict)
{
    bytes_done(&dict->texts);
    free(dict->entries);
    *dict = (struct dict){0};
}

// ---- hashes -------------------------------------------------------------------------------

INLINE uint64_t hash_of_block(const char *at, const unsigned char *mask, uint64_t key)
{
    uint64_t low = words_at(at) & words_at(mask);
    uint64_t high = words_at(at + 8) & words_at(mask + 8);

    return fold(low, high ^ key);
}

// Blocks behind the end of a text are zero and add nothing, so that their number is no matter.
INLINE uint32_t hash_of_blocks(struct text text, size_t blocks)
{
    const unsigned char *mask = words_mask_of(text.bytes);
    uint64_t hash = hash_of_block(text.at, mask, UINT64_C(0x9e3779b97f4a7c15));

    if (blocks > 1) {
        hash ^= hash_of_block(text.at + 16, mask + 16, UINT64_C(0xc2b2ae3d27d4eb4f));
    }
    if (blocks > 2) {
        hash ^= hash_of_block(text.at + 32, mask + 32, UINT64_C(0x165667b19e3779f9));
    }
    if (blocks > 3) {
        hash ^= hash_of_block(text.at + 48, mask + 48, UINT64_C(0xd6e8feb86659fd93));
    }
    return (uint32_t)hash;
}

// Of a text that is longer than WORDS_BYTES.
static uint32_t hash_of_long(struct text text)
{
    size_t last = text.bytes - WORDS_BLOCK_BYTES;
    uint64_t hash = text.bytes;

    for (size_t at = 0; at < last; at += WORDS_BLOCK_BYTES) {
        hash = fold(words_at(text.at + at) ^ hash,
                    words_at(text.at + at + 8) ^ UINT64_C(0x9e3779b97f4a7c15));
    }
    return (uint32_t)fold(words_at(text.at + last) ^ hash,
                          words_at(text.at + last + 8) ^ UINT64_C(0xc2b2ae3d27d4eb4f));
}

__attribute__((noinline)) static uint32_t hash_of(struct text text)
{
    return text.bytes > WORDS_BYTES ? hash_of_long(text) : hash_of_blocks(text, WORDS_BLOCKS_MAX);
}

// ---- places -------------------------------------------------------------------------------

// What differs in a block of two texts, but only where the mask has ones.
INLINE uint64_t differing(const char *a, const char *b, const unsigned char *mask)
{
    return ((words_at(a) ^ words_at(b)) & words_at(mask)) |
           ((words_at(a + 8) ^ words_at(b + 8)) & words_at(mask + 8));
}

INLINE bool is_same(const char *a, const char *b, size_t bytes, size_t blocks)
{
    const unsigned char *mask = words_mask_of(bytes);
    uint64_t bits = differing(a, b, mask);

    if (blocks > 1) {
        bits |= differing(a + 16, b + 16, mask + 16);
    }
    if (blocks > 2) {
        bits |= differing(a + 32, b + 32, mask + 32);
    }
    if (blocks > 3) {
        bits |= differing(a + 48, b + 48, mask + 48);
    }
    return bits == 0;
}

static inline const char *text_of_entry(const struct dict *dict, const struct dict_entry *entry)
{
    return (const char *)dict->texts.data + entry->after - 1;
}

// The first place from `place` on where a text of this hash stands, or a free one.
static inline size_t next_place(const struct dict *dict, size_t place, uint32_t hash)
{
    while (dict->entries[place].after > 0 && dict->entries[place].hash != hash) {
        place = (place + 1) & (dict->capacity - 1);
    }
    return place;
}

// Where the text stands, or the free place where it would.
static size_t find_place(const struct dict *dict, struct text text, uint32_t hash)
{
    size_t place = next_place(dict, hash & (dict->capacity - 1), hash);

    while (dict->entries[place].after > 0) {
        const struct dict_entry *entry = &dict->entries[place];
        if (entry->bytes == text.bytes &&
            (text.bytes == 0 || memcmp(text_of_entry(dict, entry), text.at, text.bytes) == 0)) {
            break;
        }
        place = next_place(dict, (place + 1) & (dict->capacity - 1), hash);
    }
    return place;
}

bool dict_find_hashed(const struct dict *dict, struct text text, uint32_t hash, uint32_t *out_code)
{
    if (dict->count == 0) {
        return false;
    }
    const struct dict_entry *entry = &dict->entries[find_place(dict, text, hash)];
    if (entry->after == 0) {
        return false;
    }
    *out_code = entry->code;
    return true;
}

bool dict_find(const struct dict *dict, struct text text, uint32_t *out_code)
{
    char padded[WORDS_BYTES] = {0};
    struct text copy = {.at = padded, .bytes = text.bytes};

    if (text.bytes > 0 && text.bytes <= sizeof padded) {
        memcpy(padded, text.at, text.bytes);
    }
    return dict_find_hashed(dict, text, hash_of(text.bytes > sizeof padded ? text : copy),
                            out_code);
}

// ---- few ----------------------------------------------------------------------------------

// Compiled for each number of blocks, so that no loop ends where nobody expects it.
INLINE void hash_few(const struct dict *dict, struct dict_few *few, size_t blocks)
{
    const struct dict_entry *entries = dict->entries;
    size_t mask = dict->capacity - 1;

    for (size_t i = 0; i < few->count; i++) {
        struct text text = few->text[i];
        uint32_t hash =
            text.bytes > blocks * WORDS_BLOCK_BYTES ? hash_of(text) : hash_of_blocks(text, blocks);
        few->hash[i] = hash;
        prefetch_to_read(&entries[hash & mask]);
    }
}

// The work of a few with the number of blocks known to the compiler, which then has no loop over
// them whose end it would have to guess.
INLINE void by_blocks(const struct dict *dict, struct dict_few *few,
                      void (*work)(const struct dict *dict, struct dict_few *few, size_t blocks))
{
    switch (dict->blocks) {
    case 0:
    case 1:
        work(dict, few, 1);
        break;
    case 2:
        work(dict, few, 2);
        break;
    case 3:
        work(dict, few, 3);
        break;
    default:
        work(dict, few, 4);
    }
}

void dict_few_hash(const struct dict *dict, struct dict_few *few)
{
    by_blocks(dict, few, hash_few);
}

void dict_few_place(const struct dict *dict, struct dict_few *few)
{
    for (size_t i = 0; i < few->count; i++) {
        uint32_t hash = few->hash[i];
        size_t place = next_place(dict, hash & (dict->capacity - 1), hash);
        const char *text = text_of_entry(dict, &dict->entries[place]);
        few->place[i] = (uint32_t)place;
        prefetch_to_read(text);
        prefetch_to_read(text + dict->blocks * WORDS_BLOCK_BYTES);
    }
}

// A text that is long, or not the first one of its hash, or absent.
__attribute__((noinline)) static uint32_t find_other(const struct dict *dict,
                                                     const struct dict_few *few, size_t i)
{
    uint32_t code = DICT_ABSENT;

    dict_find_hashed(dict, few->text[i], few->hash[i], &code);
    return code;
}

INLINE void find_few(const struct dict *dict, struct dict_few *few, size_t blocks)
{
    for (size_t i = 0; i < few->count; i++) {
        const struct dict_entry *entry = &dict->entries[few->place[i]];
        struct text text = few->text[i];
        bool found = entry->after > 0 && entry->bytes == text.bytes &&
                     text.bytes <= blocks * WORDS_BLOCK_BYTES &&
                     is_same(text_of_entry(dict, entry), text.at, text.bytes, blocks);
        few->code[i] = found ? entry->code : find_other(dict, few, i);
    }
}

void dict_few_find(const struct dict *dict, struct dict_few *few)
{
    by_blocks(dict, few, find_few);
}

// ---- growing ------------------------------------------------------------------------------

static bool is_full(const struct dict *dict)
{
    return dict->count * (dict->capacity < CAPACITY_ROOMY_MAX ? 4 : 2) >= dict->capacity;
}

static bool grow(struct dict *dict, struct tally_err *err)
{
    size_t capacity = dict->capacity ? dict->capacity * 2 : CAPACITY_MIN;
    struct dict_entry *entries = capacity <= SIZE_MAX / sizeof *entries
                                     ? pages_alloc_passing(capacity * sizeof *entries)
                                     : NULL;

    if (!entries) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu texts", capacity);
    }
    memset(entries, 0, capacity * sizeof *entries);
    for (size_t i = 0; i < dict->capacity; i++) {
        if (dict->entries[i].after > 0) {
            size_t place = dict->entries[i].hash & (capacity - 1);
            while (entries[place].after > 0) {
                place = (place + 1) & (capacity - 1);
            }
            entries[place] = dict->entries[i];
        }
    }
    free(dict->entries);
    dict->entries = entries;
    dict->capacity = capacity;
    return true;
}

bool dict_add(struct dict *dict, struct text text, uint32_t code, struct tally_err *err)
{
    if (is_full(dict) && !grow(dict, err)) {
        return false;
    }
    if (dict->texts.count + text.bytes >= UINT32_MAX || dict->count >= INT32_MAX) {
        return err_set(err, TALLY_LIMIT, "too many different texts");
    }
    if (!bytes_reserve(&dict->texts, text.bytes + WORDS_BYTES)) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a text of %zu bytes", text.bytes);
    }
    struct text kept = {.at = (const char *)dict->texts.data + dict->texts.count,
                        .bytes = text.bytes};
    size_t blocks = words_blocks(text.bytes);
    struct dict_entry entry = {
        .after = (uint32_t)dict->texts.count + 1,
        .bytes = (uint32_t)text.bytes,
        .code = code,
    };
    bytes_put(&dict->texts, text.at, text.bytes);
    entry.hash = hash_of(kept);
    dict->entries[find_place(dict, kept, entry.hash)] = entry;
    dict->blocks = dict->blocks < blocks ? blocks : dict->blocks;
    dict->count++;
    return true;
}

size_t dict_bytes(const struct dict *dict)
{
    return dict->capacity * sizeof *dict->entries + dict->texts.capacity;
}
