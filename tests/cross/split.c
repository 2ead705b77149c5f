// tests/cross/split.c - every code that divides text against the portable one, as a program that
// needs nothing but the C library: it is built for another machine and run there by an emulator.
// tests/unit/test_split.c proves the portable one.
#include "ingest/split.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS = 20000, TEXT_BYTES = 900 };

static uint64_t random_state = 1;

static uint32_t roll(uint32_t sides)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % sides);
}

static size_t make_text(char *text)
{
    static const char bytes[] = {',', '"', '\n', '\r', ' ', 'a', '\0', ';', '\xff', '\x80', '\x8a'};
    size_t count = roll(TEXT_BYTES + 1);
    uint32_t kinds = 1 + roll(sizeof bytes); // few kinds: dense; many: rare
    uint32_t letters = roll(40);

    for (size_t i = 0; i < count; i++) {
        text[i] = roll(letters + 1) > 0 ? 'x' : bytes[roll(kinds)];
    }
    return count;
}

static bool are_same(const uint16_t *a, size_t a_count, const uint16_t *b, size_t b_count)
{
    return a_count == b_count && memcmp(a, b, a_count * sizeof *a) == 0;
}

static bool divides_alike(const struct split_code *code, const char *text, size_t bytes,
                          char delimiter, bool quoted)
{
    static struct split want;
    static struct split got;

    want.delimiter = got.delimiter = delimiter;
    want.quoted = got.quoted = quoted;
    split_code_portable.run(&want, text, bytes);
    code->run(&got, text, bytes);
    return are_same(got.begins, got.begins_count, want.begins, want.begins_count) &&
           are_same(got.ends, got.ends_count, want.ends, want.ends_count) &&
           are_same(got.marks, got.marks_count, want.marks, want.marks_count);
}

int main(void)
{
    static char window[SPLIT_BYTES_MAX];
    const struct split_code *const *codes = split_codes();
    char text[TEXT_BYTES];

    for (size_t i = 1; codes[i]; i++) {
        for (int round = 0; round < ROUNDS; round++) {
            size_t bytes = make_text(text);
            if (!divides_alike(codes[i], text, bytes, round % 3 ? ',' : ';', round % 5 != 0)) {
                printf("%s divides text %d otherwise than portable\n", codes[i]->name, round);
                return 1;
            }
        }
        for (const char *c = ",\n\"\r x"; *c; c++) {
            memset(window, *c, sizeof window);
            if (!divides_alike(codes[i], window, sizeof window, ',', true)) {
                printf("%s divides a window of %#x otherwise than portable\n", codes[i]->name,
                       (unsigned)*c);
                return 1;
            }
        }
        printf("%s divides %d texts as portable does\n", codes[i]->name, ROUNDS);
    }
    return 0;
}
