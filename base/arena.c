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
    _Alignas(ALIGNMENT) unsigned char data[];
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

static bool add_block(struct arena *arena, size_t bytes, struct tally_err *err)
{
    // Blocks double with the arena, so that a large one costs few allocations. A block begins and
    // ends in small pages: of large pages, longer blocks have more.
    size_t want =
        arena->allocated_bytes > BLOCK_BYTES_MIN ? arena->allocated_bytes : BLOCK_BYTES_MIN;
    size_t want_max = (size_t)(arena->large_pages ? 32 : 8) << 20;
    want = want < want_max ? want : want_max;
    want = want < bytes ? bytes : want;

    size_t left = arena->bytes_max - arena->allocated_bytes;
    if (bytes > SIZE_MAX / 2 || bytes + sizeof(struct arena_block) > left) {
        return err_set(err, TALLY_LIMIT, "memory limit of %zu bytes reached", arena->bytes_max);
    }
    if (want + sizeof(struct arena_block) > left) {
        want = bytes;
    }
    struct arena_block *block = malloc(sizeof *block + want);
    if (!block) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu bytes", want);
    }
    if (arena->large_pages) {
        pages_advise_large(block, sizeof *block + want);
    }
    *block = (struct arena_block){.older = arena->newest, .bytes = want};
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
