// The words, numbers and scales of the page.
#include "report/chart.h"
#include "report/html.h"
#include "report/page.h"

#include "tests/unit/report_fixture.h"

#include <stdlib.h>

// What `put` writes, compared and freed.
#define writes(want, put)                                                                          \
    do {                                                                                           \
        char *made;                                                                                \
        size_t bytes;                                                                              \
        FILE *out = open_memstream(&made, &bytes);                                                 \
        put;                                                                                       \
        fclose(out);                                                                               \
        assert_string_equal(made, want);                                                           \
        free(made);                                                                                \
    } while (0)

#define TEXT(literal) literal, sizeof(literal) - 1

static void texts_are_escaped(void **state)
{
    (void)state;
    writes("&lt;b&gt;&amp;amp;&quot;&#39;", html_text(out, TEXT("<b>&amp;\"'")));
    writes("a b c", html_text(out, TEXT("a\nb\tc")));
    writes("\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd", html_text(out, TEXT("\0x\x1b\xff")));
    writes("\xef\xbf\xbdgnp", html_text(out, TEXT("\u202egnp")));
    writes("\xef\xbf\xbd\xef\xbf\xbd", html_text(out, TEXT("\xc0\xbc"))); // "<", overlong
    writes("<bdi>کابل</bdi>", html_value(out, TEXT("کابل")));
    writes("<i>not stated</i>", html_value(out, "", 0));
}

static void long_texts_end_in_an_ellipsis_between_characters(void **state)
{
    char text[HTML_TEXT_BYTES_MAX + 2];
    char want[HTML_TEXT_BYTES_MAX + 32];

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text + HTML_TEXT_BYTES_MAX - 1, "ü", 2); // would be cut in two
    snprintf(want, sizeof want, "<bdi>%.*s…</bdi>", HTML_TEXT_BYTES_MAX - 1, text);
    writes(want, html_value(out, text, sizeof text));
}

static void numbers_read_as_people_write_them(void **state)
{
    (void)state;
    writes("1,234,567", html_count(out, 1234567));
    writes("−1,234", html_count(out, -1234));
    writes("+47", html_change(out, 47));
    writes("−3", html_change(out, -3));
    writes("±0", html_change(out, 0));
    writes("+22\u00a0%", html_percent(out, 47, 214));
    writes("+1\u00a0%", html_percent(out, 1, 200)); // half away from 0
    writes("−1\u00a0%", html_percent(out, -1, 200));
    writes("under 1\u00a0%", html_percent(out, 2, 474));
    writes("+100\u00a0%", html_percent(out, (bytes_i128)1 << 120, (bytes_i128)1 << 120));
}

static void days_are_said_once(void **state)
{
    (void)state;
    writes("<time datetime=\"2020-09-05\">5 September</time> to "
           "<time datetime=\"2020-10-24\">24 October 2020</time>",
           html_days(out, fixture_day("2020-09-05"), fixture_day("2020-10-24")));
    writes("<time datetime=\"2020-10-05\">5</time> to "
           "<time datetime=\"2020-10-24\">24 October 2020</time>",
           html_days(out, fixture_day("2020-10-05"), fixture_day("2020-10-24")));
    writes("<time datetime=\"2019-10-05\">5 October 2019</time> to "
           "<time datetime=\"2020-10-24\">24 October 2020</time>",
           html_days(out, fixture_day("2019-10-05"), fixture_day("2020-10-24")));
    writes("<time datetime=\"2020-10-24\">24 October 2020</time>",
           html_days(out, fixture_day("2020-10-24"), fixture_day("2020-10-24")));
}

static void has_top(bytes_i128 max, bytes_i128 top, bytes_i128 tick)
{
    struct chart chart = {0};

    chart_set_top(&chart, max);
    assert_true(chart.top == top && chart.tick == tick);
    assert_true(chart.top >= max && chart_y(&chart, max) >= 0);
    assert_int_equal(chart_y(&chart, 0), CHART_Y);
    assert_int_equal(chart_y(&chart, chart.top), 0);
}

static void axes_end_at_round_numbers(void **state)
{
    bytes_i128 huge = (bytes_i128)1 << 120;
    struct chart chart = {0};

    (void)state;
    has_top(0, 1, 1);
    has_top(1, 1, 1);
    has_top(4, 4, 1);
    has_top(5, 6, 2);
    has_top(323, 400, 100);
    has_top(401, 600, 200);
    has_top(9807, 10000, 5000);
    chart_set_top(&chart, huge);
    assert_true(chart.top >= huge && chart.top / chart.tick <= 4);
    assert_int_equal(chart_y(&chart, chart.top), 0);
}

static void lines_have_gaps_where_nothing_is_known(void **state)
{
    bytes_i128 value[] = {0, 2, 0, 4, 4};
    bool known[] = {true, true, false, true, true};
    struct chart_line line = {.value = value, .known = known, .count = 5};

    (void)state;
    writes("<path class=\"line\" d=\"M0,1000 2500,500M7500,0 10000,0\"/>",
           chart_put_line(&((struct chart){.out = out, .from = 0, .to = 4, .step = 1, .top = 4}),
                          &line, "line", 0, 4));
    writes("<path class=\"fill\" d=\"M0,1000 2500,500 2500,1000 0,1000ZM7500,0 10000,0 "
           "10000,1000 7500,1000Z\"/>",
           chart_put_area(&((struct chart){.out = out, .from = 0, .to = 4, .step = 1, .top = 4}),
                          NULL, &line, "fill"));
}

static void participles_are_told_from_nouns(void **state)
{
    (void)state;
    assert_true(page_is_participle("killed"));
    assert_true(page_is_participle("wounded"));
    assert_false(page_is_participle("fatalities"));
    assert_false(page_is_participle("ed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(long_texts_end_in_an_ellipsis_between_characters),
        cmocka_unit_test(numbers_read_as_people_write_them),
        cmocka_unit_test(days_are_said_once),
        cmocka_unit_test(axes_end_at_round_numbers),
        cmocka_unit_test(lines_have_gaps_where_nothing_is_known),
        cmocka_unit_test(participles_are_told_from_nouns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
