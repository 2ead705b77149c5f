#include "report/print.h"

#include "report/figures.h"
#include "report/glyphs.h"
#include "report/number.h"
#include "tests/unit/report_fixture.h"

#include <stdlib.h>

struct page {
    struct sheet sheet;
    struct print print;
    char *text;
    size_t bytes;
};

static void open_page(struct page *page, enum print_format format)
{
    *page = (struct page){.print = {.format = format}};
    page->print.out = open_memstream(&page->text, &page->bytes);
    page->print.warnings = page->print.out;
    assert_non_null(page->print.out);
    sheet_init(&page->sheet);
}

static void assert_page(struct page *page, const char *want)
{
    struct tally_err err;

    assert_true(print_end(&page->print, &page->sheet, &err));
    fclose(page->print.out);
    assert_string_equal(page->text, want);
    free(page->text);
    sheet_done(&page->sheet);
}

static void fill_two_rows(struct sheet *sheet)
{
    struct tally_err err;

    sheet_add_column(sheet, SHEET_TEXT, 0, "", "place", "");
    sheet_add_column(sheet, SHEET_DAY, SHEET_NOT_IN_TABLE, "", "day", "");
    sheet_add_column(sheet, SHEET_COUNT, 0, "", "killed", "");
    sheet_add_column(sheet, SHEET_NUMBER, 0, "", "line", "");
    struct sheet_value *row = sheet_add_row(sheet, &err);
    row[0] = sheet_name("Chad, \"north\"\n");
    row[1] = sheet_number(fixture_day("2020-10-24"));
    row[2] = sheet_number(((bytes_i128)1 << 80) + 1);
    row[3] = sheet_number(-7);
    row = sheet_add_row(sheet, &err);
    row[0] = sheet_name(" \x1b[31mé\xff");
    row[2] = sheet_absent();
}

static void csv_is_quoted_where_it_must_be(void **state)
{
    struct page page;

    (void)state;
    open_page(&page, PRINT_CSV);
    fill_two_rows(&page.sheet);
    assert_page(&page, "place,day,killed,line\n"
                       "\"Chad, \"\"north\"\"\n\",2020-10-24,1208925819614629174706177,-7\n"
                       "\" \x1b[31mé\xff\",,,\n");
}

static void json_escapes_and_has_nulls(void **state)
{
    struct page page;

    (void)state;
    open_page(&page, PRINT_JSON);
    fill_two_rows(&page.sheet);
    assert_page(&page,
                "[\n{\"place\": \"Chad, \\\"north\\\"\\u000a\", \"day\": \"2020-10-24\", "
                "\"killed\": 1208925819614629174706177, \"line\": -7},\n"
                "{\"place\": \" \\u001b[31mé\xef\xbf\xbd\", \"day\": null, \"killed\": null, "
                "\"line\": null}\n]\n");
    open_page(&page, PRINT_JSON);
    assert_page(&page, "[]\n");
}

static void parts_make_one_document(void **state)
{
    struct tally_err err;
    struct page page;

    (void)state;
    open_page(&page, PRINT_JSON);
    sheet_add_column(&page.sheet, SHEET_COUNT, 0, "", "n", "");
    for (int i = 0; i < 3; i++) {
        sheet_add_row(&page.sheet, &err)[0] = sheet_number(i);
        print_rows(&page.print, &page.sheet);
    }
    assert_page(&page, "[\n{\"n\": 0},\n{\"n\": 1},\n{\"n\": 2}\n]\n");
}

static void tables_are_aligned_and_harmless(void **state)
{
    struct page page;

    (void)state;
    open_page(&page, PRINT_TABLE);
    fill_two_rows(&page.sheet);
    page.sheet.title = "harm";
    assert_page(&page, "harm\n\n"
                       "place                                       killed  line\n"
                       "Chad, \"north\"\\n  1,208,925,819,614,629,174,706,177    -7\n"
                       " \\x1b[31mé\\xff                              absent\n");
}

static void a_table_has_bars_a_total_and_notes(void **state)
{
    struct tally_err err;
    struct page page;

    (void)state;
    open_page(&page, PRINT_TABLE);
    sheet_add_column(&page.sheet, SHEET_TEXT, 0, "", "place", "");
    sheet_add_column(&page.sheet, SHEET_COUNT, 0, "", "killed", "");
    for (int i = 0; i < 3; i++) {
        struct sheet_value *row = sheet_add_row(&page.sheet, &err);
        row[0] = sheet_name(i == 0 ? "Kabul" : i == 1 ? "Herat" : "Balkh");
        row[1] = sheet_number(i == 0 ? 1600 : i == 1 ? 850 : 0);
    }
    struct sheet_value *total = sheet_add_total(&page.sheet, &err);
    total[0] = sheet_name("total");
    total[1] = sheet_number(2450);
    page.sheet.bar_column = 1;
    sheet_add_note(&page.sheet, "all of it");
    assert_page(&page, "place  killed\n"
                       "Kabul   1,600  ████████████████\n"
                       "Herat     850  ████████▌\n"
                       "Balkh       0\n"
                       "─────────────\n"
                       "total   2,450\n"
                       "\nall of it\n");
}

static void fill_wide(struct sheet *sheet)
{
    struct tally_err err;

    sheet_add_column(sheet, SHEET_TEXT, SHEET_WHOLE, "", "id", "");
    sheet_add_column(sheet, SHEET_TEXT, 0, "", "place", "");
    sheet_add_column(sheet, SHEET_COUNT, 0, "", "killed", "");
    sheet->column[sheet_add_column(sheet, SHEET_COUNT, 0, "", "wounded", "")].rank = 1;
    sheet->column[sheet_add_column(sheet, SHEET_COUNT, 0, "", "last", "")].rank = 4;
    sheet_add_column(sheet, SHEET_TEXT, SHEET_FOLDS, "", "why", "");
    for (int i = 0; i < 2; i++) {
        struct sheet_value *row = sheet_add_row(sheet, &err);
        row[0] = sheet_name(i ? "a-long-identifier-2" : "a-long-identifier-1");
        row[1] = sheet_name("a place with quite a long name");
        row[2] = sheet_number(i ? 1000000 : 500000);
        row[3] = sheet_number(7);
        row[4] = sheet_number(123456789);
        row[5] = i ? (struct sheet_value){0} : sheet_name("a reason");
    }
    sheet->bar_column = 2;
}

static void show_wide(size_t width, const char *want)
{
    struct page page;

    open_page(&page, PRINT_TABLE);
    fill_wide(&page.sheet);
    page.print.width = width;
    assert_page(&page, want);
}

static void a_wide_table_fits_and_says_what_is_missing(void **state)
{
    (void)state;
    show_wide(0, "id                   place                              killed  wounded  "
                 "       last  why\n"
                 "a-long-identifier-1  a place with quite a long name    500,000        7  "
                 "123,456,789  a reason  ████████\n"
                 "a-long-identifier-2  a place with quite a long name  1,000,000        7  "
                 "123,456,789            ████████████████\n");
    show_wide(95, "id                   place                              killed  wounded  "
                  "       last\n"
                  "a-long-identifier-1  a place with quite a long name    500,000        7  "
                  "123,456,789  ████▌\n"
                  "    why: a reason\n"
                  "a-long-identifier-2  a place with quite a long name  1,000,000        7  "
                  "123,456,789  █████████\n");
    show_wide(72, "id                   place                            killed  wounded\n"
                  "a-long-identifier-1  a place with quite a long n…    500,000        7\n"
                  "    why: a reason\n"
                  "a-long-identifier-2  a place with quite a long n…  1,000,000        7\n"
                  "\nNot shown for lack of room: last (--format csv has them)\n");
    show_wide(10, "id                   place            killed\n"
                  "a-long-identifier-1  a place wit…    500,000\n"
                  "    why: a reason\n"
                  "a-long-identifier-2  a place wit…  1,000,000\n"
                  "\nNot shown for lack of room: wounded,\nlast (--format csv has them)\n");
}

static void unknown_absent_and_zero_differ(void **state)
{
    struct rollup_sums sums = {.incidents = 2, .measure[0] = {.sum = 0, .reported = 1}};
    struct fixture fixture;
    struct tally_err err;
    struct page page;

    (void)state;
    fixture_open(&fixture);
    open_page(&page, PRINT_CSV);
    figures_add_columns(&page.sheet, &fixture.def, "previous_");
    figures_put(sheet_add_row(&page.sheet, &err), &fixture.def, 3, &sums);
    figures_put(sheet_add_row(&page.sheet, &err), &fixture.def, 1, &sums);
    assert_page(&page, "previous_incidents,previous_killed,previous_killed_reported,"
                       "previous_wounded,previous_wounded_reported\n"
                       "2,0,1,,0\n"
                       "2,0,1,,\n");
    fixture_close(&fixture);
}

static void fill_numbers(struct sheet *sheet)
{
    static const int numbers[] = {10, 9, -3, 10, 100};
    struct tally_err err;

    sheet_add_column(sheet, SHEET_TEXT, 0, "", "name", "");
    sheet_add_column(sheet, SHEET_COUNT, 0, "", "n", "");
    for (size_t i = 0; i < 6; i++) {
        struct sheet_value *row = sheet_add_row(sheet, &err);
        row[0] = sheet_copy(sheet, (char[]){(char)('a' + i)}, 1);
        if (i < 5) {
            row[1] = sheet_number(numbers[i]);
        }
    }
}

static void sorting_is_by_number_and_stable(void **state)
{
    struct tally_err err;
    struct page page;

    (void)state;
    open_page(&page, PRINT_CSV);
    fill_numbers(&page.sheet);
    assert_true(sheet_sort(&page.sheet, "n", &err));
    assert_page(&page, "name,n\nc,-3\nb,9\na,10\nd,10\ne,100\nf,\n");
    open_page(&page, PRINT_CSV);
    fill_numbers(&page.sheet);
    assert_true(sheet_sort(&page.sheet, "-n", &err));
    sheet_limit(&page.sheet, 3);
    assert_page(&page, "name,n\ne,100\na,10\nd,10\n");
    open_page(&page, PRINT_CSV);
    fill_numbers(&page.sheet);
    assert_false(sheet_sort(&page.sheet, "-m", &err));
    assert_string_equal(err.message, "no column 'm' to sort by; there are name, n");
    sheet_limit(&page.sheet, 0);
    assert_page(&page, "name,n\n");
}

static void widths_count_what_is_seen(void **state)
{
    (void)state;
    assert_int_equal(glyphs_width("", 0), 0);
    assert_int_equal(glyphs_width("كابل", strlen("كابل")), 4);
    assert_int_equal(glyphs_width("e\xcc\x81", 3), 1); // e and a combining acute
    assert_int_equal(glyphs_width("東京", strlen("東京")), 4);
    assert_int_equal(glyphs_width("\xe6\x9d", 2), 2); // cut short: two strange bytes
}

static void assert_put(const char *text, size_t width_max, const char *want)
{
    struct bytes out;

    bytes_init(&out);
    glyphs_put(&out, text, strlen(text), width_max);
    bytes_put_u8(&out, 0);
    assert_string_equal((const char *)out.data, want);
    bytes_done(&out);
}

static void long_and_steering_texts_are_tamed(void **state)
{
    (void)state;
    assert_put("Kandahar", 8, "Kandahar");
    assert_put("Kandahar", 7, "Kandah…");
    assert_put("東京都", 5, "東京…");
    assert_put("東京都", 4, "東…");
    assert_put("a\tb\x7f", 20, "a\\tb\\x7f");
    assert_put("\xe2\x80\xae"
               "evil",
               20, "\\u202eevil");
}

static void numbers_and_times_read_well(void **state)
{
    char text[NUMBER_BYTES];
    uint64_t number;

    (void)state;
    assert_string_equal(number_format(-1234567, ',', text), "-1,234,567");
    assert_string_equal(number_format(-123, ',', text), "-123");
    assert_string_equal(number_format(1000, '\0', text), "1000");
    assert_string_equal(number_format(0, ',', text), "0");
    bytes_i128 least = (bytes_i128)1 << 126;
    assert_string_equal(number_format(-least - least, '\0', text),
                        "-170141183460469231731687303715884105728");
    assert_string_equal(number_format_time(1603542600125, text), "2020-10-24T12:30:00.125Z");
    assert_string_equal(number_format_time(-1, text), "1969-12-31T23:59:59.999Z");
    assert_true(number_parse("18446744073709551615", UINT64_MAX, &number));
    assert_false(number_parse("18446744073709551616", UINT64_MAX, &number));
    assert_false(number_parse("5", 4, &number));
    assert_false(number_parse("", 4, &number));
    assert_false(number_parse("1x", 40, &number));
}

// A row with a text of 1 KiB of its own.
static bool add_long_row(struct sheet *sheet, struct tally_err *err)
{
    char text[1024];
    struct sheet_value *row = sheet_add_row(sheet, err);

    memset(text, 'x', sizeof text);
    if (row) {
        row[0] = sheet_copy(sheet, text, sizeof text);
    }
    return row;
}

// An answer of which some texts would be missing is none.
static void texts_without_room_are_told_and_nothing_is_printed(void **state)
{
    static const enum print_format formats[] = {PRINT_CSV, PRINT_JSON, PRINT_TABLE};

    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct tally_err err = {0};
        struct page page;
        open_page(&page, formats[i]);
        sheet_add_column(&page.sheet, SHEET_TEXT, 0, "", "raw", "");
        page.sheet.texts.bytes_max = 1 << 20;
        while (add_long_row(&page.sheet, &err)) {
            assert_true(page.sheet.rows_count < 2000);
        }
        assert_int_equal(err.code, TALLY_LIMIT);
        assert_false(print_end(&page.print, &page.sheet, &err));
        assert_non_null(strstr(err.message, "--where"));
        fclose(page.print.out);
        assert_null(strstr(page.text, "xxx"));
        free(page.text);
        sheet_done(&page.sheet);
    }
}

// Those that are printed in parts need room for a part.
static void texts_of_printed_rows_take_no_room(void **state)
{
    struct tally_err err;
    struct page page;

    (void)state;
    open_page(&page, PRINT_CSV);
    sheet_add_column(&page.sheet, SHEET_TEXT, 0, "", "raw", "");
    page.sheet.texts.bytes_max = 1 << 20;
    for (int row = 0; row < 5000; row++) {
        assert_true(add_long_row(&page.sheet, &err));
        if (row % 100 == 99) {
            print_rows(&page.print, &page.sheet);
        }
    }
    assert_true(print_end(&page.print, &page.sheet, &err));
    fclose(page.print.out);
    assert_int_equal(page.bytes, 4 + 5000 * 1025);
    free(page.text);
    sheet_done(&page.sheet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_is_quoted_where_it_must_be),
        cmocka_unit_test(json_escapes_and_has_nulls),
        cmocka_unit_test(parts_make_one_document),
        cmocka_unit_test(tables_are_aligned_and_harmless),
        cmocka_unit_test(a_table_has_bars_a_total_and_notes),
        cmocka_unit_test(a_wide_table_fits_and_says_what_is_missing),
        cmocka_unit_test(unknown_absent_and_zero_differ),
        cmocka_unit_test(sorting_is_by_number_and_stable),
        cmocka_unit_test(widths_count_what_is_seen),
        cmocka_unit_test(long_and_steering_texts_are_tamed),
        cmocka_unit_test(numbers_and_times_read_well),
        cmocka_unit_test(texts_without_room_are_told_and_nothing_is_printed),
        cmocka_unit_test(texts_of_printed_rows_take_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
