#include "base/arena.h"

#include "base/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MEGABYTE = 1 << 20 };

static void memory_is_aligned_and_apart(void **state)
{
    struct tally_err err;
    struct arena arena;
    unsigned char *last = NULL;

    (void)state;
    arena_init(&arena, 8 * MEGABYTE);
    for (size_t bytes = 1; bytes < 1000; bytes++) {
        unsigned char *memory = arena_alloc(&arena, bytes, &err);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        memset(memory, (int)(bytes & 0xff), bytes);
        if (last) {
            assert_int_equal(last[bytes - 2], (bytes - 1) & 0xff);
        }
        last = memory;
    }
    assert_int_equal(arena.used_bytes, 999 * 1000 / 2);
    arena_done(&arena);
    assert_null(arena.newest);
}

static void texts_are_copied_and_terminated(void **state)
{
    struct tally_err err;
    struct arena arena;
    char text[] = "Herat and more";

    (void)state;
    arena_init(&arena, MEGABYTE);
    char *copy = arena_text(&arena, text, 5, &err);
    char *empty = arena_text(&arena, text, 0, &err);
    text[0] = 'x';
    assert_string_equal(copy, "Herat");
    assert_string_equal(empty, "");
    arena_done(&arena);
}

static void an_arena_that_is_full_says_so(void **state)
{
    struct tally_err err;
    struct arena arena;

    (void)state;
    arena_init(&arena, MEGABYTE);
    assert_null(arena_alloc(&arena, MEGABYTE + 1, &err));
    assert_int_equal(err.code, TALLY_LIMIT);
    assert_null(arena_alloc(&arena, SIZE_MAX - 8, &err));
    assert_int_equal(err.code, TALLY_LIMIT);

    size_t taken = 0;
    while (arena_alloc(&arena, 1000, &err)) {
        taken += 1000;
    }
    assert_int_equal(err.code, TALLY_LIMIT);
    assert_true(arena.allocated_bytes <= MEGABYTE);
    assert_true(taken > MEGABYTE / 2); // the cap is nearly reached, not lost to large blocks
    arena_done(&arena);
}

static void a_reset_arena_serves_again(void **state)
{
    struct tally_err err;
    struct arena arena;

    (void)state;
    arena_init(&arena, MEGABYTE);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 500; i++) {
            assert_non_null(arena_alloc(&arena, 1000, &err));
        }
        arena_reset(&arena);
        assert_int_equal(arena.used_bytes, 0);
    }
    arena_done(&arena);
}

static void an_unused_arena_can_be_reset_and_done(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, MEGABYTE);
    arena_reset(&arena);
    arena_done(&arena);
    arena_done(&arena);
}

static void check_large_pages(void *(*alloc)(size_t bytes))
{
    static const size_t sizes[] = {1, MEGABYTE, 3 * (size_t)MEGABYTE, 9 * (size_t)MEGABYTE + 1};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *data = alloc(sizes[i]);
        assert_non_null(data);
        memset(data, 1, sizes[i]);
        free(data);
    }
#ifndef __SANITIZE_ADDRESS__ // it ends whoever asks for more than there are addresses
    assert_null(alloc(SIZE_MAX / 4));
#endif
}

static void large_pages_are_had_or_not(void **state)
{
    (void)state;
    check_large_pages(pages_alloc);
    check_large_pages(pages_alloc_passing);
    assert_null(pages_alloc(SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_and_apart),
        cmocka_unit_test(texts_are_copied_and_terminated),
        cmocka_unit_test(an_arena_that_is_full_says_so),
        cmocka_unit_test(a_reset_arena_serves_again),
        cmocka_unit_test(an_unused_arena_can_be_reset_and_done),
        cmocka_unit_test(large_pages_are_had_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
