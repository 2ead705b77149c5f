#include "store/dictionary.h"

#include <string.h>

int dictionary_compare(const struct dictionary_text *a, const struct dictionary_text *b)
{
    size_t shorter = a->bytes < b->bytes ? a->bytes : b->bytes;
    int order = shorter > 0 ? memcmp(a->text, b->text, shorter) : 0;

    return order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

// ---- writing ------------------------------------------------------------------------------

static size_t shared_bytes(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t shorter = a_bytes < b_bytes ? a_bytes : b_bytes;
    size_t shared = 0;

    while (shared < shorter && a[shared] == b[shared]) {
        shared++;
    }
    return shared;
}

static void put_text(struct bytes *out, const struct dictionary_text *texts, uint32_t index)
{
    const struct dictionary_text *text = &texts[index];

    if (index % DICTIONARY_BUCKET == 0) {
        bytes_put_text(out, text->text, text->bytes);
        return;
    }
    const struct dictionary_text *before = text - 1;
    size_t shared = shared_bytes(before->text, before->bytes, text->text, text->bytes);
    bytes_put_varint(out, shared);
    bytes_put_text(out, text->text + shared, text->bytes - shared);
}

void dictionary_encode(struct bytes *out, const struct dictionary_text *texts, uint32_t count)
{
    size_t start = out->count;
    uint32_t longest = 0;

    for (uint32_t i = 0; i < count; i++) {
        longest = texts[i].bytes > longest ? (uint32_t)texts[i].bytes : longest;
    }
    bytes_put_u32(out, count);
    bytes_put_u32(out, longest);
    size_t total = out->count;
    bytes_put_u64(out, 0);
    size_t starts = out->count;
    for (uint32_t i = 0; i < count; i += DICTIONARY_BUCKET) {
        bytes_put_u32(out, 0);
    }
    size_t buckets = out->count;
    for (uint32_t i = 0; out->ok && i < count; i++) {
        if (i % DICTIONARY_BUCKET == 0) {
            size_t at = starts + i / DICTIONARY_BUCKET * 4;
            bytes_set_u32(out, at, (uint32_t)(out->count - buckets));
        }
        put_text(out, texts, i);
    }
    if (out->ok) {
        bytes_set_u64(out, total, out->count - buckets);
    }
    bytes_put_filling(out, start);
}

// ---- opening ------------------------------------------------------------------------------

// Walks every text: lengths lie within the buckets and each bucket starts where it should.
static bool texts_hold(const struct dictionary *dictionary, struct cursor *in)
{
    const unsigned char *start = in->at;
    uint64_t before = 0;
    uint64_t longest = 0;

    for (uint32_t i = 0; in->ok && i < dictionary->count; i++) {
        uint64_t shared = 0;
        if (i % DICTIONARY_BUCKET != 0) {
            shared = cursor_take_varint(in);
        } else if (bytes_get_u32(dictionary->starts + i / DICTIONARY_BUCKET * 4) !=
                   (uint64_t)(in->at - start)) {
            return false;
        }
        size_t rest;
        cursor_take_text(in, &rest);
        if (!in->ok || shared > before || rest > dictionary->longest ||
            shared > dictionary->longest - rest) {
            return false;
        }
        before = shared + rest;
        longest = before > longest ? before : longest;
    }
    return in->ok && cursor_left(in) == 0 && longest == dictionary->longest;
}

bool dictionary_open(struct dictionary *dictionary, struct cursor *in)
{
    const unsigned char *start = in->at;

    dictionary->count = cursor_take_u32(in);
    dictionary->longest = cursor_take_u32(in);
    uint64_t bytes = cursor_take_u64(in);
    uint64_t buckets = ((uint64_t)dictionary->count + DICTIONARY_BUCKET - 1) / DICTIONARY_BUCKET;

    if (!in->ok || buckets > cursor_left(in) / 4 || bytes > cursor_left(in) - buckets * 4) {
        in->ok = false;
        return false;
    }
    dictionary->starts = cursor_take(in, (size_t)buckets * 4);
    dictionary->buckets = cursor_take(in, (size_t)bytes);
    struct cursor texts = cursor_over(dictionary->buckets, (size_t)bytes);
    cursor_take_filling(in, start);
    in->ok = in->ok && texts_hold(dictionary, &texts);
    return in->ok;
}

// ---- reading ------------------------------------------------------------------------------

// A varint that opening has checked.
static size_t take_length(const unsigned char **at)
{
    size_t value = 0;
    unsigned shift = 0;

    for (;; shift += 7) {
        unsigned char byte = *(*at)++;
        value |= (size_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return value;
        }
    }
}

static const unsigned char *bucket_at(const struct dictionary *dictionary, uint32_t bucket)
{
    return dictionary->buckets + bytes_get_u32(dictionary->starts + bucket * (size_t)4);
}

// < 0: the bucket's first text stands before `text`. *out_shared: the bytes they share.
static int compare_head(const struct dictionary *dictionary, uint32_t bucket, const char *text,
                        size_t bytes, size_t *out_shared)
{
    const unsigned char *at = bucket_at(dictionary, bucket);
    size_t head_bytes = take_length(&at);
    const char *head = (const char *)at;
    size_t shared = shared_bytes(head, head_bytes, text, bytes);

    *out_shared = shared;
    if (shared == head_bytes || shared == bytes) {
        return (head_bytes > bytes) - (head_bytes < bytes);
    }
    return (unsigned char)head[shared] < (unsigned char)text[shared] ? -1 : 1;
}

// The text before stands before `text` and shares `shared` bytes with it; so does each that is
// skipped here.
static bool find_behind_head(const struct dictionary *dictionary, uint32_t bucket, const char *text,
                             size_t bytes, size_t shared, uint32_t *out_index)
{
    const unsigned char *at = bucket_at(dictionary, bucket);
    uint32_t first = bucket * DICTIONARY_BUCKET;
    size_t head_bytes = take_length(&at);

    at += head_bytes;
    for (uint32_t i = first + 1; i < first + DICTIONARY_BUCKET && i < dictionary->count; i++) {
        size_t with_before = take_length(&at);
        size_t rest = take_length(&at);
        const char *from = (const char *)at;
        at += rest;
        if (with_before < shared) {
            return false; // greater than the one before where that one equals `text`
        }
        if (with_before > shared) {
            continue; // still smaller where the one before is
        }
        size_t further = shared_bytes(from, rest, text + shared, bytes - shared);
        shared += further;
        if (shared == bytes) {
            *out_index = i;
            return further == rest;
        }
        if (further < rest && (unsigned char)from[further] > (unsigned char)text[shared]) {
            return false;
        }
    }
    return false;
}

bool dictionary_find(const struct dictionary *dictionary, const char *text, size_t bytes,
                     uint32_t *out_index)
{
    uint32_t low = 0;
    uint32_t high = (dictionary->count + DICTIONARY_BUCKET - 1) / DICTIONARY_BUCKET;
    size_t shared;

    while (low < high) { // the first bucket whose head stands behind `text`
        uint32_t middle = low + (high - low) / 2;
        int order = compare_head(dictionary, middle, text, bytes, &shared);
        if (order == 0) {
            *out_index = middle * DICTIONARY_BUCKET;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return false;
    }
    compare_head(dictionary, low - 1, text, bytes, &shared);
    return find_behind_head(dictionary, low - 1, text, bytes, shared, out_index);
}

struct dictionary_walk dictionary_walk(const struct dictionary *dictionary)
{
    return (struct dictionary_walk){
        .dictionary = dictionary, .at = dictionary->buckets, .front_coded = true};
}

bool dictionary_next(struct dictionary_walk *walk, char *text)
{
    if (walk->index == walk->dictionary->count) {
        return false;
    }
    bool head = walk->index % DICTIONARY_BUCKET == 0;
    size_t shared = head ? 0 : take_length(&walk->at);
    size_t rest = take_length(&walk->at);
    const char *from = (const char *)walk->at;
    if (walk->index > 0) {
        size_t could = head ? shared_bytes(text, walk->bytes, from, rest) : 0;
        size_t at = shared + could; // where it differs from the one before, or ends
        bool more = could < rest;
        walk->front_coded =
            walk->front_coded && more &&
            (at == walk->bytes || (unsigned char)text[at] < (unsigned char)from[could]);
    }
    memcpy(text + shared, from, rest);
    walk->at += rest;
    walk->bytes = shared + rest;
    walk->index++;
    return true;
}

size_t dictionary_get(const struct dictionary *dictionary, uint32_t index, char *out_text,
                      size_t capacity)
{
    uint32_t first = index / DICTIONARY_BUCKET * DICTIONARY_BUCKET;
    const unsigned char *at = bucket_at(dictionary, index / DICTIONARY_BUCKET);
    size_t bytes = 0;

    for (uint32_t i = first; i <= index; i++) {
        size_t shared = i == first ? 0 : take_length(&at);
        size_t rest = take_length(&at);
        if (shared < capacity) {
            memcpy(out_text + shared, at, rest < capacity - shared ? rest : capacity - shared);
        }
        at += rest;
        bytes = shared + rest;
    }
    return bytes;
}
