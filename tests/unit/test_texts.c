// Each text once, by code.
#include "store/texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint32_t intern(struct texts *texts, const char *text)
{
    struct tally_err err;
    uint32_t code;

    assert_true(texts_intern(texts, text, strlen(text), &code, NULL, &err));
    return code;
}

static void codes_count_up_in_order_of_first_use(void **state)
{
    struct texts texts;
    struct tally_err err;
    uint32_t code;
    bool is_new;

    (void)state;
    assert_true(texts_init(&texts, TEXTS_UNALIGNED, &err));
    assert_int_equal(intern(&texts, ""), 0);
    assert_int_equal(intern(&texts, "Chad"), 1);
    assert_int_equal(intern(&texts, "Mali"), 2);
    assert_true(texts_intern(&texts, "Chad", 4, &code, &is_new, &err));
    assert_int_equal(code, 1);
    assert_false(is_new);
    assert_true(texts_intern(&texts, "Peru", 4, &code, &is_new, &err));
    assert_int_equal(code, 3);
    assert_true(is_new);
    assert_string_equal(texts_get(&texts, 2)->text, "Mali");
    assert_false(texts_find(&texts, "Fiji", 4, &code));
    texts_done(&texts);
}

static void texts_differ_by_any_byte_and_by_length(void **state)
{
    struct texts texts;
    struct tally_err err;
    uint32_t with_nul;

    (void)state;
    assert_true(texts_init(&texts, TEXTS_UNALIGNED, &err));
    uint32_t plain = intern(&texts, "a");
    assert_true(texts_intern(&texts, "a\0", 2, &with_nul, NULL, &err));
    assert_int_not_equal(plain, with_nul);
    assert_int_equal(texts_get(&texts, with_nul)->bytes, 2);
    assert_int_not_equal(intern(&texts, "A"), plain);
    assert_int_not_equal(intern(&texts, "a "), plain);
    texts_done(&texts);
}

static void many_texts_keep_their_codes_while_the_table_grows(void **state)
{
    struct texts texts;
    struct tally_err err;
    char text[16];
    uint32_t code;

    (void)state;
    assert_true(texts_init(&texts, TEXTS_UNALIGNED, &err));
    for (uint32_t i = 1; i <= 20000; i++) {
        snprintf(text, sizeof text, "t%u", i);
        assert_int_equal(intern(&texts, text), i);
    }
    for (uint32_t i = 1; i <= 20000; i++) {
        snprintf(text, sizeof text, "t%u", i);
        assert_true(texts_find(&texts, text, strlen(text), &code));
        assert_int_equal(code, i);
    }
    texts_done(&texts);
}

static void codes_that_were_cut_off_are_given_out_again(void **state)
{
    struct texts texts;
    struct tally_err err;
    char text[16];
    uint32_t code;

    (void)state;
    assert_true(texts_init(&texts, TEXTS_UNALIGNED, &err));
    intern(&texts, "kept");
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "gone%u", i);
        intern(&texts, text);
    }
    texts_cut(&texts, 2);
    assert_false(texts_find(&texts, "gone0", 5, &code));
    assert_true(texts_find(&texts, "kept", 4, &code));
    assert_true(texts_find(&texts, "", 0, &code));
    assert_int_equal(intern(&texts, "new"), 2);
    assert_int_equal(intern(&texts, "gone0"), 3);
    assert_string_equal(texts_get(&texts, 2)->text, "new");
    texts_cut(&texts, 100); // nothing there
    assert_int_equal(intern(&texts, "next"), 4);
    texts_done(&texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_count_up_in_order_of_first_use),
        cmocka_unit_test(texts_differ_by_any_byte_and_by_length),
        cmocka_unit_test(many_texts_keep_their_codes_while_the_table_grows),
        cmocka_unit_test(codes_that_were_cut_off_are_given_out_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
