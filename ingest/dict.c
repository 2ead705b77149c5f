#include "ingest/dict.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

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

static inline uint64_t word_at(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
    uint64_t mixed = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);

    return mixed ^ (mixed >> 32);
}

// Most texts are names of a few words: too short for a hash that has to get going first.
uint32_t dict_hash(struct text text)
{
    uint64_t hash = text.bytes;
    uint64_t word = 0;
    size_t at = 0;

    for (; at + sizeof word <= text.bytes; at += sizeof word) {
        hash = mix(hash, word_at(text.at + at));
    }
    if (at > 0) {
        word = word_at(text.at + text.bytes - sizeof word);
    } else {
        for (; at < text.bytes; at++) {
            word = word << 8 | (unsigned char)text.at[at];
        }
    }
    return (uint32_t)mix(hash, word);
}

// Names are short: two loads that overlap compare most of them, without a call.
static inline bool is_same(const char *a, const char *b, size_t bytes)
{
    if (bytes > 2 * sizeof(uint64_t)) {
        return memcmp(a, b, bytes) == 0;
    }
    if (bytes >= sizeof(uint64_t)) {
        size_t last = bytes - sizeof(uint64_t);
        return ((word_at(a) ^ word_at(b)) | (word_at(a + last) ^ word_at(b + last))) == 0;
    }
    size_t at = 0;
    while (at < bytes && a[at] == b[at]) {
        at++;
    }
    return at == bytes;
}

static inline bool is_text(const struct dict *dict, const struct dict_entry *entry,
                           struct text text)
{
    return entry->bytes == text.bytes &&
           is_same((const char *)dict->texts.data + entry->after - 1, text.at, text.bytes);
}

// Where the text stands, or the free place where it would.
static inline size_t find_place(const struct dict *dict, struct text text, uint32_t hash)
{
    size_t place = hash & (dict->capacity - 1);

    while (dict->entries[place].after > 0) {
        const struct dict_entry *entry = &dict->entries[place];
        if (entry->hash == hash && is_text(dict, entry, text)) {
            break;
        }
        place = (place + 1) & (dict->capacity - 1);
    }
    return place;
}

bool dict_find_hashed(const struct dict *dict, struct text text, uint32_t hash, uint32_t *out_code)
{
    if (dict->count == 0) {
        return false;
    }
    size_t place = find_place(dict, text, hash);
    if (dict->entries[place].after == 0) {
        return false;
    }
    *out_code = dict->entries[place].code;
    return true;
}

bool dict_find(const struct dict *dict, struct text text, uint32_t *out_code)
{
    return dict_find_hashed(dict, text, dict_hash(text), out_code);
}

static bool grow(struct dict *dict, struct tally_err *err)
{
    size_t capacity = dict->capacity ? dict->capacity * 2 : CAPACITY_MIN;
    struct dict_entry *entries = calloc(capacity, sizeof *entries);

    if (!entries) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu texts", capacity);
    }
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
    if (dict->count * 2 >= dict->capacity && !grow(dict, err)) {
        return false;
    }
    if (dict->texts.count + text.bytes >= UINT32_MAX || dict->count >= INT32_MAX) {
        return err_set(err, TALLY_LIMIT, "too many different texts");
    }
    struct dict_entry entry = {
        .hash = dict_hash(text),
        .after = (uint32_t)dict->texts.count + 1,
        .bytes = (uint32_t)text.bytes,
        .code = code,
    };
    bytes_put(&dict->texts, text.at, text.bytes);
    if (!dict->texts.ok) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a text of %zu bytes", text.bytes);
    }
    size_t place = find_place(dict, text, entry.hash);
    dict->entries[place] = entry;
    dict->count++;
    return true;
}

size_t dict_bytes(const struct dict *dict)
{
    return dict->capacity * sizeof *dict->entries + dict->texts.capacity;
}
