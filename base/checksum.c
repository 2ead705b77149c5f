#include "base/checksum.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

uint64_t checksum64(const void *data, size_t count, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, count, seed);
}

struct digest digest_of(const void *data, size_t count)
{
    XXH128_hash_t hash = XXH3_128bits(data, count);
    return (struct digest){.low = hash.low64, .high = hash.high64};
}

bool digest_equal(struct digest a, struct digest b)
{
    return a.low == b.low && a.high == b.high;
}

struct digest digest_add(struct digest a, struct digest b)
{
    uint64_t low = a.low + b.low;
    return (struct digest){.low = low, .high = a.high + b.high + (low < a.low)};
}

struct digest digest_subtract(struct digest a, struct digest b)
{
    return (struct digest){.low = a.low - b.low, .high = a.high - b.high - (a.low < b.low)};
}

const char *digest_format(struct digest digest, char text[DIGEST_TEXT_BYTES])
{
    snprintf(text, DIGEST_TEXT_BYTES, "%016llx%016llx", (unsigned long long)digest.high,
             (unsigned long long)digest.low);
    return text;
}

static bool parse_half(const char *text, uint64_t *out_half)
{
    uint64_t half = 0;

    for (int i = 0; i < 16; i++) {
        char c = text[i];
        unsigned nibble = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                          : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                 : 16;
        if (nibble == 16) {
            return false;
        }
        half = half << 4 | nibble;
    }
    *out_half = half;
    return true;
}

bool digest_parse(const char *text, struct digest *out_digest)
{
    struct digest digest;

    if (strlen(text) != DIGEST_TEXT_BYTES - 1 || !parse_half(text, &digest.high) ||
        !parse_half(text + 16, &digest.low)) {
        return false;
    }
    *out_digest = digest;
    return true;
}

// xxHash's own state, under our name: callers need not include xxhash.h.
static XXH3_state_t *state_of(struct digest_stream *stream)
{
    return (XXH3_state_t *)stream;
}

struct digest_stream *digest_stream_open(struct tally_err *err)
{
    XXH3_state_t *state = XXH3_createState();

    if (!state) {
        err_set(err, TALLY_NO_MEMORY, "no memory for a digest");
        return NULL;
    }
    XXH3_128bits_reset(state);
    return (struct digest_stream *)state;
}

void digest_stream_add(struct digest_stream *stream, const void *data, size_t count)
{
    XXH3_128bits_update(state_of(stream), data, count);
}

struct digest digest_stream_value(const struct digest_stream *stream)
{
    XXH128_hash_t hash = XXH3_128bits_digest((const XXH3_state_t *)stream);
    return (struct digest){.low = hash.low64, .high = hash.high64};
}

void digest_stream_close(struct digest_stream *stream)
{
    if (stream) {
        XXH3_freeState(state_of(stream));
    }
}
