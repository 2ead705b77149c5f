// Texts and their codes: looked up alone and together, short and long, whatever lies behind them.
#include "ingest/dict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXTS = 3000, BYTES_MAX = 90, ROUNDS = 3000 };

// A text of one of few letters: many begin or end alike. Behind it stands anything.
struct sample {
    char padded[BYTES_MAX + WORDS_BYTES];
    size_t bytes;
};

static uint64_t random_state = 1;

static uint32_t roll(uint32_t sides)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % sides);
}

static struct text text_in(const struct sample *sample)
{
    return (struct text){.at = sample->padded, .bytes = sample->bytes};
}

static void fill(char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (char)roll(256);
    }
}

static void make_sample(struct sample *sample, uint32_t bytes_max)
{
    char letter = (char)('a' + roll(2));

    fill(sample->padded, sizeof sample->padded);
    sample->bytes = roll(bytes_max + 1);
    memset(sample->padded, letter, sample->bytes);
    for (uint32_t i = roll(3); i > 0 && sample->bytes > 0; i--) {
        sample->padded[roll((uint32_t)sample->bytes)] = (char)('a' + roll(26));
    }
}

// Adds what is absent; the code of the n-th text is n. Gives how many there are.
static uint32_t add_samples(struct dict *dict, struct sample *samples, uint32_t bytes_max)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < TEXTS; i++) {
        struct tally_err err;
        uint32_t code = 4711;
        bool known = false;
        make_sample(&samples[count], bytes_max);
        struct text text = text_in(&samples[count]);
        for (uint32_t j = 0; j < count && !known; j++) {
            known = text_equal(text_in(&samples[j]), text);
        }
        assert_int_equal(dict_find(dict, text, &code), known);
        if (!known) {
            assert_int_equal(code, 4711); // an output stays untouched
            assert_true(dict_add(dict, text, count++, &err));
        }
    }
    return count;
}

static uint32_t code_of(const struct sample *samples, uint32_t count, struct text text)
{
    for (uint32_t i = 0; i < count; i++) {
        if (text_equal(text_in(&samples[i]), text)) {
            return i;
        }
    }
    return DICT_ABSENT;
}

static void look_up_few(const struct dict *dict, const struct sample *samples, uint32_t count,
                        uint32_t bytes_max)
{
    struct sample wanted[DICT_FEW_MAX];
    struct dict_few few = {.count = roll(DICT_FEW_MAX + 1)};

    for (size_t i = 0; i < few.count; i++) {
        wanted[i] = samples[roll(count)];
        if (roll(4) == 0) {
            make_sample(&wanted[i], bytes_max);
        }
        fill(wanted[i].padded + wanted[i].bytes, WORDS_BYTES);
        few.text[i] = text_in(&wanted[i]);
    }
    dict_few_hash(dict, &few);
    dict_few_place(dict, &few);
    dict_few_find(dict, &few);
    for (size_t i = 0; i < few.count; i++) {
        uint32_t code = DICT_ABSENT;
        assert_int_equal(few.code[i], code_of(samples, count, few.text[i]));
        assert_int_equal(dict_find_hashed(dict, few.text[i], few.hash[i], &code),
                         few.code[i] != DICT_ABSENT);
        assert_int_equal(code, few.code[i]);
    }
}

// The longest text decides how much of each one is read at once.
static void texts_have_their_codes_whatever_lies_behind_them(void **state)
{
    static const uint32_t longest[] = {0, 5, 15, 16, 17, 32, 33, 48, 49, 63, 64, 65, BYTES_MAX};
    struct sample *samples = malloc((TEXTS + 1) * sizeof *samples);

    (void)state;
    assert_non_null(samples);
    for (size_t i = 0; i < sizeof longest / sizeof *longest; i++) {
        struct dict dict;
        dict_init(&dict);
        uint32_t count = add_samples(&dict, samples, longest[i]);
        for (int round = 0; round < ROUNDS / 10; round++) {
            look_up_few(&dict, samples, count, round % 2 ? longest[i] : BYTES_MAX);
        }
        dict_done(&dict);
    }
    free(samples);
}

static void empty_dict_finds_nothing(void **state)
{
    struct dict dict;
    uint32_t code = 4711;

    (void)state;
    dict_init(&dict);
    assert_false(dict_find(&dict, text_of(""), &code));
    assert_false(dict_find(&dict, text_of("Kabul"), &code));
    assert_int_equal(code, 4711);
    dict_done(&dict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_their_codes_whatever_lies_behind_them),
        cmocka_unit_test(empty_dict_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
