// What the values of a row mean: dates, numbers, unknown, conditions, texts.
#include "tests/unit/ingest_case.h"

#include <assert.h>
#include <locale.h>
#include <uchar.h>
#include <wchar.h>

static void rejects(const char *lines, const char *row, const char *reason)
{
    struct ingest_case test = case_open(lines);
    char text[512];
    char want[64];

    snprintf(text, sizeof text, "id,date,n\n%s\nlast,2020-01-01,1\n", row);
    char *outcome = case_outcome(&test, text, strlen(text), SIZE_MAX);
    snprintf(want, sizeof want, "!%s r1 l2", reason);
    if (!strstr(outcome, want)) {
        fail_msg("%s gave %s", row, outcome);
    }
    free(outcome);
    case_close(&test);
}

static void accepts(const char *lines, const char *row, const char *want)
{
    struct ingest_case test = case_open(lines);
    char text[512];

    snprintf(text, sizeof text, "id,date,n\n%s\n", row);
    char *outcome = case_outcome(&test, text, strlen(text), SIZE_MAX);
    if (!strstr(outcome, want)) {
        fail_msg("%s gave %s", row, outcome);
    }
    free(outcome);
    case_close(&test);
}

static const char plain[] = "id = id\ndate = date\nmeasure.n = n\n";

static void iso_dates_are_read_with_or_without_a_time(void **state)
{
    (void)state;
    accepts(plain, "1,2017-01-30,1", "2017-01-30..2017-01-30");
    accepts(plain, "1,2017-01-30 00:00:00,1", "2017-01-30..2017-01-30");
    accepts(plain, "1,2017-01-30 00:00:00.000,1", "2017-01-30..2017-01-30");
    accepts(plain, "1,2017-01-30T00:21:14.160Z,1", "2017-01-30..2017-01-30");
    accepts(plain, "1,2017-01-30T23:21+02:00,1", "2017-01-30..2017-01-30");
    rejects(plain, "1,20170130,1", "date-unreadable");
    rejects(plain, "1,30/01/2017,1", "date-unreadable");
    rejects(plain, "1,2017-01-300,1", "date-unreadable");
    rejects(plain, "1,2017-01-30x,1", "date-unreadable");
    rejects(plain, "1,2017-02-29,1", "date-impossible");
    rejects(plain, "1,,1", "date-missing");
    rejects(plain, "1,0000-01-01,1", "date-year");
}

static void imprecise_dates_become_intervals(void **state)
{
    (void)state;
    accepts(plain, "1,2016-02,1", "2016-02-01..2016-02-29");
    accepts(plain, "1,2016,1", "2016-01-01..2016-12-31");
    accepts(plain, "1,2016-02-00,1", "2016-02-01..2016-02-29");
    accepts(plain, "1,2016-00-00,1", "2016-01-01..2016-12-31");
    accepts("id = id\ndate = date\nmeasure.n = n\ndate_format = %B %Y | %Y\n", "1,March 2016,1",
            "2016-03-01..2016-03-31");
}

static void several_formats_are_tried_in_order(void **state)
{
    static const char lines[] =
        "id = id\ndate = date\nmeasure.n = n\n"
        "date_format = %Y-%m-%d | %d %B %Y | %d/%m/%Y | %Y%m%d | %m/%d/%Y %I:%M:%S %p | %Y.%j\n";

    (void)state;
    accepts(lines, "1,2023-01-31,1", "2023-01-31..2023-01-31");
    accepts(lines, "1,16 May 2025,1", "2025-05-16..2025-05-16");
    rejects(lines, "1,1 sept 2025,1", "date-unreadable");
    accepts(lines, "1,1 Sep 2025,1", "2025-09-01..2025-09-01");
    accepts(lines, "1,18/04/2001,1", "2001-04-18..2001-04-18");
    accepts(lines, "1,20170130,1", "2017-01-30..2017-01-30");
    accepts(lines, "1,12/31/2017 09:58:00 PM,1", "2017-12-31..2017-12-31");
    accepts(lines, "1,2020.366,1", "2020-12-31..2020-12-31");
    rejects(lines, "1,2021.366,1", "date-impossible");
    rejects(lines, "1,2017113,1", "date-unreadable");
    rejects(lines, "1,18/04/01,1", "date-unreadable");
}

static void years_of_two_digits_need_a_century(void **state)
{
    (void)state;
    accepts("id = id\ndate = date\nmeasure.n = n\ndate_format = %d/%m/%y\ncentury = 2000\n",
            "1,18/04/01,1", "2001-04-18..2001-04-18");
    case_run("id = id\nyear = date\n", "id,date\n1,17\n2,2017\n",
             "+2 2017-01-01..2017-12-31 r2 l3\n!date-century r1 l2 @8 \"1,17\"\n"
             "END 2 rows, 1 rejected\n");
    accepts("id = id\nyear = date\nmeasure.n = n\ncentury = 0\n", "1,17,1",
            "0017-01-01..0017-12-31");
    accepts("id = id\nyear = date\nmeasure.n = n\nyear_min = -9999\n", "1,-2150,1",
            "-2150-01-01..-2150-12-31");
}

static void parts_of_dates_stand_in_columns_of_their_own(void **state)
{
    (void)state;
    case_run("id = id\nyear = y\nmonth = m\nday = d\nunknown = -99\n",
             "id,y,m,d\n1,2016,2,29\n2,2016,2,0\n3,2016,,\n4,2016,-99,-99\n5,2016.0,2.0,1.0\n"
             "6,2016,13,1\n7,2016,2,30\n8,,1,1\n9,x,1,1\n",
             "+1 2016-02-29..2016-02-29 r1 l2\n+2 2016-02-01..2016-02-29 r2 l3\n"
             "+3 2016-01-01..2016-12-31 r3 l4\n+4 2016-01-01..2016-12-31 r4 l5\n"
             "+5 2016-02-01..2016-02-01 r5 l6\n"
             "!date-impossible r6 l7 @73 \"6,2016,13,1\"\n"
             "!date-impossible r7 l8 @85 \"7,2016,2,30\"\n"
             "!date-missing r8 l9 @97 \"8,,1,1\"\n"
             "!date-unreadable r9 l10 @104 \"9,x,1,1\"\nEND 9 rows, 4 rejected\n");
}

// The detail of the only row, which is rejected.
static void details(const char *lines, const char *text, const char *want)
{
    struct ingest_case test = case_open(lines);
    struct case_file file = {
        .data = (const unsigned char *)text, .count = strlen(text), .block = SIZE_MAX};
    struct tally_err err;
    struct rows rows;
    struct ingest_turn turn = {.chunks = &rows, .chunks_max = 1};
    struct ingest *ingest = ingest_open((const struct feed *const *)test.feeds, 1, test.name,
                                        &test.limits, case_read, &file, &err);

    assert_non_null(ingest);
    rows_init(&rows);
    test.limits.chunk_rows = 1;
    ingest_next(ingest, &turn, &err); // refused at the end: it has bad rows only
    assert_int_equal(rows.rejects_count, 1);
    struct rows_span detail = rows.rejects[0].detail;
    assert_int_equal(detail.bytes, strlen(want));
    assert_memory_equal(rows_text(&rows, detail), want, detail.bytes);
    rows_done(&rows);
    ingest_close(ingest);
    case_close(&test);
}

static void impossible_date_in_parts_is_told_with_all_its_parts(void **state)
{
    static const char lines[] = "id = id\nyear = y\nmonth = m\nday = d\n";

    (void)state;
    details(lines, "id,y,m,d\n1,2016,2,30\n", "y-m-d: \"2016-2-30\" is no day of the calendar");
    details(lines, "id,y,m,d\n1,2016,13,\n", "y-m: \"2016-13\" is no day of the calendar");
    details(lines, "id,y,m,d\n1,20160,2,30\n",
            "y: \"20160\" is in a year that is not taken (year_min)");
}

static void last_day_comes_from_a_column_of_its_own(void **state)
{
    (void)state;
    case_run("id = id\ndate = a\nend_date = b\n",
             "id,a,b\n1,2020-01-01,2020-01-05\n2,2020-01-01,\n3,2020-01,2020-03\n"
             "4,2020-01-05,2020-01-01\n",
             "+1 2020-01-01..2020-01-05 r1 l2\n+2 2020-01-01..2020-01-01 r2 l3\n"
             "+3 2020-01-01..2020-03-31 r3 l4\n"
             "!date-order r4 l5 @63 \"4,2020-01-05,2020-01-01\"\nEND 4 rows, 1 rejected\n");
}

static void numbers_are_exact_and_whole(void **state)
{
    (void)state;
    accepts(plain, "1,2020-01-01, 007 ", "l2 7\n");
    accepts(plain, "1,2020-01-01,15960.0", "l2 15960\n");
    accepts(plain, "1,2020-01-01,9223372036854775807", "l2 9223372036854775807\n");
    accepts(plain, "1,2020-01-01,", "l2 ?\n");
    rejects(plain, "1,2020-01-01,9223372036854775808", "number-too-large");
    rejects(plain, "1,2020-01-01,12.5", "number-fraction");
    rejects(plain, "1,2020-01-01,-1", "number-negative");
    rejects(plain, "1,2020-01-01,\"1,234\"", "number-unreadable");
    rejects(plain, "1,2020-01-01,1e3", "number-unreadable");
    rejects(plain, "1,2020-01-01,n/a", "number-unreadable");
    rejects(plain, "1,2020-01-01,.", "number-unreadable");
}

static void listed_texts_mean_unknown(void **state)
{
    static const char lines[] =
        "id = id\ndate = date\ndim.n = n\nmeasure.m = n\nunknown = -99 NA (null) \"not known\"\n";

    (void)state;
    accepts(lines, "1,2020-01-01,NA", "[] ?\n");
    accepts(lines, "1,2020-01-01,(null)", "[] ?\n");
    accepts(lines, "1,2020-01-01,not known", "[] ?\n");
    accepts(lines, "1,2020-01-01,-99.0", "[-99.0] ?\n");
    accepts(lines, "1,2020-01-01,-099", "[-099] ?\n");
    rejects(lines, "NA,2020-01-01,1", "id-missing");
    rejects(lines, "1,NA,1", "date-missing");
}

static void ids_lose_a_zero_fraction_and_blanks(void **state)
{
    (void)state;
    accepts(plain, "\" 15960.0 \",2020-01-01,1", "+15960 2020");
    accepts(plain, "15960.5,2020-01-01,1", "+15960.5 2020");
    accepts(plain, "007,2020-01-01,1", "+007 2020");
    accepts(plain, "a.0,2020-01-01,1", "+a.0 2020");
}

static void a_number_that_is_listed_as_unknown_may_be_written_otherwise(void **state)
{
    static const char lines[] = "id = id\ndate = date\nmeasure.m = n\nunknown = 99\n";

    (void)state;
    accepts(lines, "1,2020-01-01,99", " ?\n");
    accepts(lines, "1,2020-01-01,99.0", " ?\n");
    accepts(lines, "1,2020-01-01,099", " ?\n");
    accepts(lines, "1,2020-01-01,98.0", " 98\n");
}

// What were several incidents would have become one.
static void numbers_that_a_spreadsheet_rounded_are_neither_ids_nor_revisions(void **state)
{
    static const char *const wrong[] = {"1.97E+11", "2E+12", "\"1,97E+11\""};
    static const char *const right[] = {"1.97E11", "1.97e+11", "12E+11",    "E+11",
                                        "1.E+11",  "1.97E+1",  "1.9x7E+11", "A1.97E+11"};
    static const char lines[] = "id = id\ndate = date\nrevision = n\n";
    char row[64];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(row, sizeof row, "%s,2020-01-01,1", wrong[i]);
        rejects(plain, row, "id-rounded");
        snprintf(row, sizeof row, "1,2020-01-01,%s", wrong[i]);
        rejects(lines, row, "revision-unreadable");
    }
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        snprintf(row, sizeof row, "%s,2020-01-01,1", right[i]);
        accepts(plain, row, "2020");
    }
}

// A point divides thousands there: 15.000 may not become 15.
static void with_decimal_commas_a_point_is_no_decimal_mark(void **state)
{
    static const char lines[] = "id = id\ndate = date\ndecimal = comma\nmeasure.m = n\n";

    (void)state;
    accepts(lines, "\"15960,0\",2020-01-01,\"7,0\"", "+15960 2020-01-01..2020-01-01 r1 l2 7\n");
    accepts(lines, "15960.0,2020-01-01,1", "+15960.0 2020");
    accepts(lines, "15.000,2020-01-01,1", "+15.000 2020");
    rejects(lines, "1,2020-01-01,15960.0", "number-unreadable");
}

static void measures_count_rows_and_meet_conditions(void **state)
{
    (void)state;
    case_run(
        "id = id\ndate = date\nmeasure.rows = count\nmeasure.killed = count where flag in Y, true\n"
        "measure.wounded = count where flag not in Y, true\nmeasure.dead = n where flag in Y\n",
        "id,date,flag,n\n1,2020-01-01,Y,5\n2,2020-01-01,N,5\n3,2020-01-01,,5\n"
        "4,2020-01-01,Y,\n5,2020-01-01,N,\n",
        "+1 2020-01-01..2020-01-01 r1 l2 1 1 0 5\n+2 2020-01-01..2020-01-01 r2 l3 1 0 1 0\n"
        "+3 2020-01-01..2020-01-01 r3 l4 1 ? ? ?\n+4 2020-01-01..2020-01-01 r4 l5 1 1 0 ?\n"
        "+5 2020-01-01..2020-01-01 r5 l6 1 0 1 0\nEND 5 rows, 0 rejected\n");
}

static void estimates_out_of_order_are_counted_and_kept(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\nmeasure.k.low = a\nmeasure.k = b\nmeasure.k.high = c\n",
             "id,date,a,b,c\n1,2020-01-01,1,2,3\n2,2020-01-01,3,2,4\n3,2020-01-01,5,,4\n"
             "4,2020-01-01,,,4\n",
             "+1 2020-01-01..2020-01-01 r1 l2 1 2 3\n+2 2020-01-01..2020-01-01 r2 l3 3 2 4\n"
             "+3 2020-01-01..2020-01-01 r3 l4 5 ? 4\n+4 2020-01-01..2020-01-01 r4 l5 ? ? 4\n"
             "END 4 rows, 0 rejected, 2 disordered\n");
    case_run("id = id\ndate = date\nmeasure.k.high = c\nmeasure.k.low = a\n",
             "id,date,a,c\n1,2020-01-01,1,3\n2,2020-01-01,3,2\n",
             "+1 2020-01-01..2020-01-01 r1 l2 3 1\n+2 2020-01-01..2020-01-01 r2 l3 2 3\n"
             "END 2 rows, 0 rejected, 1 disordered\n");
}

static void message_about_a_text_is_utf8_whatever_the_text(void **state)
{
    static const char name[] = "\u062a\u0627\u0631\u064a\u062e \u0627\u0644\u062d\u0627"
                               "\u062f\u062b\u0629 \u0627\u0644\u0623\u0648\u0644\u0649";
    char lines[200];
    char text[200];

    (void)state;
    snprintf(lines, sizeof lines, "id = id\ndate = %s\ndim.x = x\n", name);
    struct ingest_case test = case_open(lines);
    snprintf(text, sizeof text, "id,%s,x\n1,2020-01-01,a\xff\n", name);
    char *outcome = case_outcome(&test, text, strlen(text), SIZE_MAX);
    assert_non_null(strstr(outcome, "the first: line 2, x: \"a?\" is not UTF-8"));
    free(outcome);
    snprintf(text, sizeof text, "id,%s,x\n1,soon,a\n", name);
    outcome = case_outcome(&test, text, strlen(text), SIZE_MAX);
    assert_int_not_equal(mbsrtowcs(NULL, &(const char *){outcome}, 0, &(mbstate_t){0}), SIZE_MAX);
    free(outcome);
    case_close(&test);
}

static void says(const char *lines, const char *text, size_t bytes, const char *want)
{
    struct ingest_case test = case_open(lines);
    char *outcome = case_outcome(&test, text, bytes, SIZE_MAX);

    if (!strstr(outcome, want)) {
        fail_msg("'%s' does not say '%s'", outcome, want);
    }
    free(outcome);
    case_close(&test);
}

static void encoding_of_the_file_is_named(void **state)
{
    static const char windows[] = "id = id\ndate = date\ndim.x = x\nencoding = windows-1252\n";
    static const char row[] = "id,date,x\n1,2020-01-01,a\x81\n";
    static const char marked[] = "\xef\xbb\xbfid,date,x\n1,2020-01-01,a\x81\n";
    static const char id[] = "id,date,x\n\x81,2020-01-01,a\n";
    static const char utf16[] = "\xff\xfei\0d\0,\0d\0a\0t\0e\0,\0x\0\n\0"
                                "1\0,\0"
                                "2\0"
                                "0\0"
                                "2\0"
                                "0\0,\0\0\xd8x\0\n";

    (void)state;
    says(windows, row, sizeof row - 1, "x: \"a?\" is not windows-1252");
    says(windows, id, sizeof id - 1, "id: \"?\" is not windows-1252");
    says(windows, marked, sizeof marked - 1, "x: \"a?\" is not UTF-8"); // the mark decides
    says("id = id\ndate = date\ndim.x = x\n", utf16, sizeof utf16, "x: \"?x\" is not UTF-16LE");
}

static void invalid_utf8_rejects_the_row_where_it_is_read(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\ndim.x = x\n",
             "id,date,x,note\n1,2020-01-01,a\xff,\n2,2020-01-01,b,\xff\n",
             "+2 2020-01-01..2020-01-01 r2 l3 [b]\n"
             "!text-encoding r1 l2 @15 \"1,2020-01-01,a\xff,\"\nEND 2 rows, 1 rejected\n");
}

static void latin1_and_windows_1252_are_converted(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\ndim.x = caf\xc3\xa9\nencoding = latin1\n",
             "id,date,caf\xe9\n1,2020-01-01,C\xf3rdoba\n",
             "+1 2020-01-01..2020-01-01 r1 l2 [C\xc3\xb3rdoba]\nEND 1 rows, 0 rejected\n");
    case_run("id = id\ndate = date\ndim.x = x\nencoding = windows-1252\n",
             "id,date,x\n1,2020-01-01,\x80\n2,2020-01-01,\x81\n",
             "+1 2020-01-01..2020-01-01 r1 l2 [\xe2\x82\xac]\n"
             "!text-encoding r2 l3 @27 \"2,2020-01-01,\xff\"\nEND 2 rows, 1 rejected\n");
}

// The store holds no longer ones.
static void ids_and_revisions_of_more_than_4096_bytes_reject_the_row(void **state)
{
    enum { BYTES = 4097 };
    char file[BYTES + 64];
    char want[200];
    char longest[BYTES + 1];

    (void)state;
    memset(longest, 'x', BYTES);
    longest[BYTES] = '\0';
    for (int revision = 0; revision < 2; revision++) {
        snprintf(file, sizeof file, "id,date,rev\n%s,2020-01-01,%s\n2,2020-01-01,1\n",
                 revision ? "1" : longest, revision ? longest : "1");
        snprintf(want, sizeof want,
                 "+2 2020-01-01..2020-01-01 r2 l3 rev=1\n!%s r1 l2 @12 \"%.60s\"\n"
                 "END 2 rows, 1 rejected\n",
                 revision ? "revision-unreadable" : "id-too-long", strchr(file, '\n') + 1);
        case_run("id = id\ndate = date\nrevision = rev\n", file, want);
    }
}

static void every_name_of_utf8_is_read_as_it_is(void **state)
{
    static const char *const names[] = {"utf-8", "UTF8", "ASCII", "us-ascii"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char lines[80];
        snprintf(lines, sizeof lines, "id = id\ndate = date\ndim.x = x\nencoding = %s\n", names[i]);
        case_run(lines, "id,date,x\n1,2020-01-01,\xc3\xa9\n2,2020-01-01,\xe9\n",
                 "+1 2020-01-01..2020-01-01 r1 l2 [\xc3\xa9]\n"
                 "!text-encoding r2 l3 @26 \"2,2020-01-01,\xe9\"\nEND 2 rows, 1 rejected\n");
    }
}

static void utf16_is_told_by_its_mark(void **state)
{
    static const char16_t text[] = u"\xfeffid,date,x\r\n1,2020-01-01,\u00e9\n";
    struct ingest_case test = case_open("id = id\ndate = date\ndim.x = x\n");

    (void)state;
    case_expect_bytes(&test, text, sizeof text - 2,
                      "+1 2020-01-01..2020-01-01 r1 l2 [\xc3\xa9]\nEND 1 rows, 0 rejected\n");
    case_close(&test);
}

static void surrogates_cost_their_own_row_alone(void **state)
{
    // A pair; a high one alone; a low one alone; a pair the wrong way round; then all is well.
    static const char16_t text[] = {
        0xfeff, 'i', 'd', ',', 'd', 'a', 't',    'e',    ',',    'x',    '\n', '1', ',',
        '2',    '0', '2', '0', '-', '0', '1',    ',',    0xd83d, 0xde00, '\n', '2', ',',
        '2',    '0', '2', '0', '-', '0', '1',    ',',    0xd83d, '\n',   '3',  ',', '2',
        '0',    '2', '0', '-', '0', '1', ',',    0xde00, '\n',   '4',    ',',  '2', '0',
        '2',    '0', '-', '0', '1', ',', 0xde00, 0xd83d, '\n',   '5',    ',',  '2', '0',
        '2',    '0', '-', '0', '1', ',', 'a',    '\n'};
    struct ingest_case test = case_open("id = id\ndate = date\ndim.x = x\n");

    (void)state;
    case_expect_bytes(&test, text, sizeof text,
                      "+1 2020-01-01..2020-01-31 r1 l2 [\xf0\x9f\x98\x80]\n"
                      "+5 2020-01-01..2020-01-31 r5 l6 [a]\n"
                      "!text-encoding r2 l3 @27 \"2,2020-01,\xff\"\n"
                      "!text-encoding r3 l4 @39 \"3,2020-01,\xff\"\n"
                      "!text-encoding r4 l5 @51 \"4,2020-01,\xff\xff\"\nEND 5 rows, 3 rejected\n");
    case_close(&test);
}

static void marks_tell_every_unicode_encoding(void **state)
{
    static const char32_t wide[] = U"\xfeffid,date\n1,2020-01-01\n";
    struct ingest_case test = case_open("id = id\ndate = date\n");
    char32_t swapped[sizeof wide / sizeof *wide];

    (void)state;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        swapped[i] = __builtin_bswap32(wide[i]);
    }
    case_expect_bytes(&test, wide, sizeof wide - 4,
                      "+1 2020-01-01..2020-01-01 r1 l2\nEND 1 rows, 0 rejected\n");
    case_expect_bytes(&test, swapped, sizeof wide - 4,
                      "+1 2020-01-01..2020-01-01 r1 l2\nEND 1 rows, 0 rejected\n");
    case_run("id = id\ndate = date\n", "\xef\xbb\xbf\xef\xbb\xbfid,date\n1,2020-01-01\n",
             "REFUSED no feed has such columns; nearest is attacks, which needs id; the file has "
             "\xef\xbb\xbfid; rename or add a [feed] [made-up.csv]\n");
    case_close(&test);
}

// Every cut of a UTF-16 file: within a character it was cut short, whatever the row says.
static void file_that_ends_within_a_character_is_refused_whole(void **state)
{
    static const char16_t text[] = u"\xfeffid,date,x\n1,2020-01-01,b\U0001f600";
    struct ingest_case test = case_open("id = id\ndate = date\ndim.x = x\n");
    static const char want[] = "REFUSED cut short: it ends within a character; deliver the whole "
                               "file again [made-up.csv:2]\n";

    (void)state;
    for (size_t cut = 1; cut <= 3; cut++) {
        case_expect_bytes(&test, text, sizeof text - 2 - cut, want);
    }
    case_expect_bytes(
        &test, text, sizeof text - 2 - 4,
        "+1 2020-01-01..2020-01-01 r1 l2 [b]\nEND 1 rows, 0 rejected, unterminated\n");
    case_close(&test);
    case_run("id = id\ndate = date\n", "id,date,x\n1,2020-01-01,b\xf0\x9f\x98",
             "REFUSED cut short at line 2, record 1: it ends within a character; deliver the whole "
             "file again [made-up.csv:2]\n");
    case_run("id = id\ndate = date\n", "id,date,x\n1,2020-01-01,b\x80\x80\x80\x80\x80",
             "+1 2020-01-01..2020-01-01 r1 l2\nEND 1 rows, 0 rejected, unterminated\n");
}

static void revisions_are_numbers_texts_or_moments(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\nrevision = r\n",
             "id,date,r\n1,2020-01-01,1621482711\n2,2020-01-01,2020-05-01T10\n3,2020-01-01,\n",
             "+1 2020-01-01..2020-01-01 r1 l2 rev=1621482711\n"
             "+2 2020-01-01..2020-01-01 r2 l3 rev=2020-05-01T10\n"
             "+3 2020-01-01..2020-01-01 r3 l4\nEND 3 rows, 0 rejected\n");
    case_run("id = id\ndate = date\nrevision = r\n"
             "revision_format = %Y %b %d %I:%M:%S %p | %Y-%m-%dT%H:%M:%S%z\n",
             "id,date,r\n1,2020-01-01,2026 Jun 09 12:13:19 AM\n"
             "2,2020-01-01,2026-06-09T01:00:00+02:00\n3,2020-01-01,soon\n",
             "+1 2020-01-01..2020-01-01 r1 l2 rev=20260609001319\n"
             "+2 2020-01-01..2020-01-01 r2 l3 rev=20260608230000\n"
             "!revision-unreadable r3 l4 @86 \"3,2020-01-01,soon\"\nEND 3 rows, 1 rejected\n");
}

// Beyond milliseconds they are fractions of the same numbers, so that what is kept still orders.
static void moments_order_by_all_digits_of_their_fraction(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\nrevision = r\nrevision_format = %Y-%m-%d %H:%M:%S.%f\n",
             "id,date,r\n1,2020-01-01,2026-06-09 12:13:19.123456\n"
             "2,2020-01-01,2026-06-09 12:13:19.123400\n3,2020-01-01,2026-06-09 12:13:19.123\n"
             "4,2020-01-01,2026-06-09 12:13:19.1230000\n"
             "5,2020-01-01,2026-06-09 12:13:19.000000001\n"
             "6,2020-01-01,2026-06-09 12:13:19.0000000001\n",
             "+1 2020-01-01..2020-01-01 r1 l2 rev=20260609121319123.456000\n"
             "+2 2020-01-01..2020-01-01 r2 l3 rev=20260609121319123.400000\n"
             "+3 2020-01-01..2020-01-01 r3 l4 rev=20260609121319123\n"
             "+4 2020-01-01..2020-01-01 r4 l5 rev=20260609121319123\n"
             "+5 2020-01-01..2020-01-01 r5 l6 rev=20260609121319000.000001\n"
             "!revision-unreadable r6 l7 @211 \"6,2020-01-01,2026-06-09 12:13:19.0000000001\"\n"
             "END 6 rows, 1 rejected\n");
}

static void victims_of_one_id_add_up_wherever_they_stand(void **state)
{
    struct ingest_case test = case_open("id = id\ndate = date\nrows = per-victim\ndim.x = x\n"
                                        "measure.killed = n\n");

    (void)state;
    case_expect(&test,
                "id,date,x,n\n7,2020-01-01,a,1\n8,2020-01-02,b,\n7,2020-01-03,c,2\n8,soon,b,1\n"
                "7,2020-01-03,c,9223372036854775807\n",
                "+7 2020-01-01..2020-01-01 r1 l2 [a] 3\n+8 2020-01-02..2020-01-02 r2 l3 [b] ?\n"
                "!date-unreadable r4 l5 @62 \"8,soon,b,1\"\n"
                "!number-too-large r5 l6 @73 \"7,2020-01-03,c,9223372036854775807\"\n"
                "END 5 rows, 2 rejected\n");
    test.limits.chunk_rows = 1;
    case_expect(&test, "id,date,x,n\n7,2020-01-01,a,1\n8,2020-01-02,b,\n7,2020-01-03,c,2\n",
                "+7 2020-01-01..2020-01-01 r1 l2 [a] 3\n+8 2020-01-02..2020-01-02 r2 l3 [b] ?\n"
                "END 3 rows, 0 rejected\n");
    test.limits.memory_bytes_max = 1000;
    char *outcome =
        case_outcome(&test, "id,date,x,n\n7,2020-01-01,a,1\n8,2020-01-01,a,1\n", 46, 99);
    assert_non_null(strstr(outcome, "REFUSED "));
    free(outcome);
    case_close(&test);
}

// Else the file with the greatest revision would not win whatever the order of its rows.
static void victims_have_the_greatest_revision_of_their_rows(void **state)
{
    struct ingest_case test = case_open("id = id\ndate = date\nrevision = r\nrows = per-victim\n"
                                        "measure.killed = n\n");

    (void)state;
    case_expect(&test,
                "id,date,r,n\n1,2020-01-01,5,1\n2,2020-01-01,2021-a,1\n1,2020-01-01,10,2\n"
                "2,2020-01-01,2021-c,1\n1,2020-01-01,7,4\n2,2020-01-01,2021-b,1\n"
                "3,2020-01-01,,1\n3,2020-01-01,9,1\n",
                "+1 2020-01-01..2020-01-01 r1 l2 rev=10 7\n"
                "+2 2020-01-01..2020-01-01 r2 l3 rev=2021-c 3\n"
                "+3 2020-01-01..2020-01-01 r7 l8 rev=9 2\nEND 8 rows, 0 rejected\n");
    case_close(&test);
}

static void mapping_file_renames_texts(void **state)
{
    char path[] = "/tmp/test_ingest_map.XXXXXX";
    char lines[256];
    FILE *file = fdopen(mkstemp(path), "w");

    (void)state;
    assert_non_null(file);
    fputs("to,from\nKhyber,\"N.W.F.P.\"\nB,A\nC,B\n,none\n", file);
    assert_int_equal(fclose(file), 0);
    snprintf(lines, sizeof lines, "id = id\ndate = date\ndim.x = x\nmap.x = %s\n", path);
    case_run(lines,
             "id,date,x\n1,2020-01-01,N.W.F.P.\n2,2020-01-01,Khyber\n3,2020-01-01,A\n"
             "4,2020-01-01,B\n5,2020-01-01,none\n6,2020-01-01,other\n",
             "+1 2020-01-01..2020-01-01 r1 l2 [Khyber]\n+2 2020-01-01..2020-01-01 r2 l3 [Khyber]\n"
             "+3 2020-01-01..2020-01-01 r3 l4 [B]\n+4 2020-01-01..2020-01-01 r4 l5 [C]\n"
             "+5 2020-01-01..2020-01-01 r5 l6 []\n+6 2020-01-01..2020-01-01 r6 l7 [other]\n"
             "END 6 rows, 0 rejected\n");
    remove(path);
}

static void constants_and_first_of_several_columns(void **state)
{
    (void)state;
    case_run(
        "id = key | id\ndate = when | date\ndim.type = \"quake\"\ndim.x = x | y\noptional = x\n",
        "id,date,y\n1,2020-01-01,b\n",
        "+1 2020-01-01..2020-01-01 r1 l2 [quake|b]\nEND 1 rows, 0 rejected\n");
    case_run("id = id\ndate = date\ndim.x = x\nmeasure.n = n\noptional = x, n\n",
             "id,date\n1,2020-01-01\n",
             "+1 2020-01-01..2020-01-01 r1 l2 [] ?\nEND 1 rows, 0 rejected\n");
}

int main(void)
{
    assert(setlocale(LC_CTYPE, "C.UTF-8"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso_dates_are_read_with_or_without_a_time),
        cmocka_unit_test(imprecise_dates_become_intervals),
        cmocka_unit_test(several_formats_are_tried_in_order),
        cmocka_unit_test(years_of_two_digits_need_a_century),
        cmocka_unit_test(parts_of_dates_stand_in_columns_of_their_own),
        cmocka_unit_test(impossible_date_in_parts_is_told_with_all_its_parts),
        cmocka_unit_test(last_day_comes_from_a_column_of_its_own),
        cmocka_unit_test(numbers_are_exact_and_whole),
        cmocka_unit_test(listed_texts_mean_unknown),
        cmocka_unit_test(a_number_that_is_listed_as_unknown_may_be_written_otherwise),
        cmocka_unit_test(numbers_that_a_spreadsheet_rounded_are_neither_ids_nor_revisions),
        cmocka_unit_test(ids_lose_a_zero_fraction_and_blanks),
        cmocka_unit_test(with_decimal_commas_a_point_is_no_decimal_mark),
        cmocka_unit_test(measures_count_rows_and_meet_conditions),
        cmocka_unit_test(estimates_out_of_order_are_counted_and_kept),
        cmocka_unit_test(message_about_a_text_is_utf8_whatever_the_text),
        cmocka_unit_test(encoding_of_the_file_is_named),
        cmocka_unit_test(invalid_utf8_rejects_the_row_where_it_is_read),
        cmocka_unit_test(latin1_and_windows_1252_are_converted),
        cmocka_unit_test(ids_and_revisions_of_more_than_4096_bytes_reject_the_row),
        cmocka_unit_test(every_name_of_utf8_is_read_as_it_is),
        cmocka_unit_test(utf16_is_told_by_its_mark),
        cmocka_unit_test(surrogates_cost_their_own_row_alone),
        cmocka_unit_test(marks_tell_every_unicode_encoding),
        cmocka_unit_test(file_that_ends_within_a_character_is_refused_whole),
        cmocka_unit_test(revisions_are_numbers_texts_or_moments),
        cmocka_unit_test(moments_order_by_all_digits_of_their_fraction),
        cmocka_unit_test(victims_of_one_id_add_up_wherever_they_stand),
        cmocka_unit_test(victims_have_the_greatest_revision_of_their_rows),
        cmocka_unit_test(mapping_file_renames_texts),
        cmocka_unit_test(constants_and_first_of_several_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
