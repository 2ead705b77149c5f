#include "base/arena.h"

#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES_MIN = 64 * 1024, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *older;
    size_t bytes; // usable
    size_t used;
    unsigned char *data; // apart, so that whoever uses it first is the first to touch it
};

void arena_init(struct arena *arena, size_t bytes_max)
{
    *arena = (struct arena){.bytes_max = bytes_max};
}

static void free_older_than(struct arena *arena, struct arena_block *kept)
{
    struct arena_block *block = kept ? kept->older : arena->newest;

    while (block) {
        struct arena_block *older = block->older;
        arena->allocated_bytes -= sizeof *block + block->bytes;
        free(block->data);
        free(block);
        block = older;
    }
}

void arena_done(struct arena *arena)
{
    free_older_than(arena, NULL);
    *arena = (struct arena){0};
}

void arena_reset(struct arena *arena)
{
    arena->used_bytes = 0;
    if (arena->newest) {
        free_older_than(arena, arena->newest);
        arena->newest->older = NULL;
        arena->newest->used = 0;
    }
}

// Blocks double with the arena, so that a large one costs few allocations.
static size_t want_bytes(const struct arena *arena)
{
    enum { BYTES_MAX = 8 << 20, SMALL_PAGES_MAX = 512 * 1024 };
    size_t want =
        arena->allocated_bytes > BLOCK_BYTES_MIN ? arena->allocated_bytes : BLOCK_BYTES_MIN;

    if (arena->large_pages && want >= SMALL_PAGES_MAX) {
        size_t pages = (want + PAGES_LARGE_BYTES - 1) / PAGES_LARGE_BYTES;
        want = pages * PAGES_LARGE_BYTES;
    }
    return want < BYTES_MAX ? want : BYTES_MAX;
}

static bool add_block(struct arena *arena, size_t bytes, struct tally_err *err)
{
    size_t want = want_bytes(arena);
    want = want < bytes ? bytes : want;

    size_t left = arena->bytes_max - arena->allocated_bytes;
    if (bytes > SIZE_MAX / 2 || bytes + sizeof(struct arena_block) > left) {
        return err_set(err, TALLY_LIMIT, "memory limit of %zu bytes reached", arena->bytes_max);
    }
    if (want + sizeof(struct arena_block) > left) {
        want = bytes;
    }
    struct arena_block *block = malloc(sizeof *block);
    unsigned char *data = arena->large_pages ? pages_alloc(want) : malloc(want);
    if (!block || !data) {
        free(block);
        free(data);
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu bytes", want);
    }
    *block = (struct arena_block){.older = arena->newest, .bytes = want, .data = data};
    arena->newest = block;
    arena->allocated_bytes += sizeof *block + want;
    return true;
}

static void *take(struct arena *arena, size_t bytes, size_t alignment, struct tally_err *err)
{
    struct arena_block *block = arena->newest;
    size_t start = block ? (block->used + alignment - 1) & ~(alignment - 1) : 0;

    if (!block || start > block->bytes || bytes > block->bytes - start) {
        if (!add_block(arena, bytes, err)) {
            return NULL;
        }
        block = arena->newest;
        start = 0;
    }
    block->used = start + bytes;
    arena->used_bytes += bytes;
    return block->data + start;
}

void *arena_alloc(struct arena *arena, size_t bytes, struct tally_err *err)
{
    return take(arena, bytes, ALIGNMENT, err);
}

char *arena_text(struct arena *arena, const char *text, size_t bytes, struct tally_err *err)
{
    char *copy = take(arena, bytes + 1, 1, err);

    if (copy) {
        memcpy(copy, text, bytes);
        copy[bytes] = '\0';
    }
    return copy;
}
