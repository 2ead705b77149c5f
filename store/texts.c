#include "store/texts.h"

#include "base/fold.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 1024 };

// Odd: the binary digits of the golden ratio.
#define FACTOR UINT64_C(0x9e3779b97f4a7c15)

// Most are some bytes long: called for each row, so nothing is called in turn.
static inline uint32_t hash_of(const char *text, size_t bytes)
{
    uint64_t hash = UINT64_C(0x243f6a8885a308d3) + bytes; // the binary digits of pi
    uint64_t word = 0;

    for (; bytes >= sizeof word; bytes -= sizeof word, text += sizeof word) {
        memcpy(&word, text, sizeof word);
        hash = fold(hash ^ word, FACTOR);
    }
    for (word = 0; bytes > 0; bytes--) {
        word = word << 8 | (unsigned char)text[bytes - 1];
    }
    hash = fold(fold(hash ^ word, FACTOR), FACTOR);
    return (uint32_t)(hash ^ hash >> 32);
}

bool texts_init(struct texts *texts, enum texts_alignment alignment, struct tally_err *err)
{
    *texts = (struct texts){.alignment = alignment, .slots = SLOTS_FIRST};
    arena_init(&texts->arena, SIZE_MAX / 2);
    texts->slot = calloc(texts->slots, sizeof *texts->slot);
    uint32_t code;
    if (!texts->slot || !texts_intern(texts, "", 0, &code, NULL, err)) {
        texts_done(texts);
        return err_set(err, TALLY_NO_MEMORY, "no memory for texts");
    }
    return true;
}

void texts_done(struct texts *texts)
{
    arena_done(&texts->arena);
    free(texts->entry);
    free(texts->slot);
    *texts = (struct texts){0};
}

static void place(struct texts *texts, uint32_t code)
{
    uint32_t mask = texts->slots - 1;
    uint32_t at = texts->entry[code].hash & mask;

    while (texts->slot[at] != 0) {
        at = (at + 1) & mask;
    }
    texts->slot[at] = code + 1;
}

static bool place_all(struct texts *texts, uint32_t slots, struct tally_err *err)
{
    uint32_t *slot = calloc(slots, sizeof *slot);

    if (!slot) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %u text slots", slots);
    }
    free(texts->slot);
    texts->slot = slot;
    texts->slots = slots;
    for (uint32_t code = 0; code < texts->count; code++) {
        place(texts, code);
    }
    return true;
}

static bool reserve_one(struct texts *texts, struct tally_err *err)
{
    if (texts->count == texts->capacity) {
        uint32_t capacity = texts->capacity ? texts->capacity * 2 : 256;
        struct texts_entry *entry = realloc(texts->entry, capacity * sizeof *entry);
        if (!entry) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for %u texts", capacity);
        }
        texts->entry = entry;
        texts->capacity = capacity;
    }
    if (texts->count > UINT32_MAX / 4) {
        return err_set(err, TALLY_LIMIT, "more than %u different texts", texts->count);
    }
    return texts->count < texts->slots / 2 || place_all(texts, texts->slots * 2, err);
}

static bool find_hashed(const struct texts *texts, const char *text, size_t bytes, uint32_t hash,
                        uint32_t *out_code)
{
    uint32_t mask = texts->slots - 1;

    for (uint32_t at = hash & mask; texts->slot[at] != 0; at = (at + 1) & mask) {
        const struct texts_entry *entry = &texts->entry[texts->slot[at] - 1];
        if (entry->hash == hash && entry->bytes == bytes && memcmp(entry->text, text, bytes) == 0) {
            *out_code = texts->slot[at] - 1;
            return true;
        }
    }
    return false;
}

bool texts_find(const struct texts *texts, const char *text, size_t bytes, uint32_t *out_code)
{
    return find_hashed(texts, text, bytes, hash_of(text, bytes), out_code);
}

static char *copy(struct texts *texts, const char *text, size_t bytes, struct tally_err *err)
{
    if (texts->alignment == TEXTS_UNALIGNED) {
        return arena_text(&texts->arena, text, bytes, err);
    }
    char *to = arena_alloc(&texts->arena, bytes, err);
    return to && bytes > 0 ? memcpy(to, text, bytes) : to;
}

bool texts_intern(struct texts *texts, const char *text, size_t bytes, uint32_t *out_code,
                  bool *out_new, struct tally_err *err)
{
    uint32_t hash = hash_of(text, bytes);
    bool found = find_hashed(texts, text, bytes, hash, out_code);

    if (out_new) {
        *out_new = !found;
    }
    if (found) {
        return true;
    }
    if (bytes > UINT32_MAX / 2) {
        return err_set(err, TALLY_LIMIT, "text of %zu bytes", bytes);
    }
    char *kept = reserve_one(texts, err) ? copy(texts, text, bytes, err) : NULL;
    if (!kept) {
        return false;
    }
    texts->entry[texts->count] =
        (struct texts_entry){.text = kept, .bytes = (uint32_t)bytes, .hash = hash};
    place(texts, texts->count);
    *out_code = texts->count++;
    return true;
}

const struct texts_entry *texts_get(const struct texts *texts, uint32_t code)
{
    return &texts->entry[code];
}

void texts_cut(struct texts *texts, uint32_t count)
{
    if (count >= texts->count) {
        return;
    }
    texts->count = count;
    memset(texts->slot, 0, texts->slots * sizeof *texts->slot);
    for (uint32_t code = 0; code < count; code++) {
        place(texts, code);
    }
}
