// Rejected rows that somebody corrected: which file that is, what its rows mean, what stays wrong.
#include "tests/unit/ingest_case.h"

#define COLUMNS "feed,file,digest,record,line,offset,reason,explanation,raw\n"
#define HEADER COLUMNS "attacks,a.csv,0a,0,0,0,header,,\"id,date,killed\"\n"
#define ROW "attacks,a.csv,0a,1,2,20,date-missing,,"

static const char plain[] = "id = id\ndate = date\nmeasure.killed = killed\n";

static void expect_part(const char *lines, const char *text, const char *part)
{
    struct ingest_case test = case_open(lines);
    char *outcome = case_outcome(&test, text, strlen(text), SIZE_MAX);

    if (!strstr(outcome, part)) {
        fail_msg("wanted %s, got %s", part, outcome);
    }
    free(outcome);
    case_close(&test);
}

static void repaired_rows_are_those_of_an_ordinary_file(void **state)
{
    (void)state;
    case_run(plain, HEADER ROW "\"7,2020-01-01,3\"\n" ROW "\"\"\"8\"\", 2020-01-02 ,\"\n",
             "+7 2020-01-01..2020-01-01 r1 l3 3\n+8 2020-01-02..2020-01-02 r2 l4 ?\n"
             "END 2 rows, 0 rejected\n");
    case_run(plain, "\xef\xbb\xbf" HEADER ROW "\"7,2020-01-01,3\"",
             "+7 2020-01-01..2020-01-01 r1 l3 3\nEND 1 rows, 0 rejected, unterminated\n");
}

static void other_columns_are_no_repair(void **state)
{
    (void)state;
    expect_part(plain, "feed,file,digest,record,line,offset,reason,explanation\n",
                "REFUSED no feed has such columns");
    expect_part(plain, "feed,file,digest,record,line,offset,reason,raw,explanation\n",
                "REFUSED no feed has such columns");
    case_run("id = record\ndate = date\n",
             "feed,file,digest,record,line,offset,reason,explanation,raw,date\n"
             "a,b,c,7,e,f,g,h,i,2020-01-01\n",
             "+7 2020-01-01..2020-01-01 r1 l2\nEND 1 rows, 0 rejected\n");
}

static void lines_and_quotes_within_raw_are_those_of_the_record(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\ndim.note = note\n",
             COLUMNS "attacks,,,0,0,0,header,,\"id,date,note\"\n" ROW
                     "\"7,2020-01-01,\"\"a\r\nb, \"\"\"\"c\"\"\"\"\"\"\"\n" ROW
                     "\"8,2020-01-02,x\"\n",
             "+7 2020-01-01..2020-01-01 r1 l3 [a\r\nb, \"c\"]\n"
             "+8 2020-01-02..2020-01-02 r2 l5 [x]\nEND 2 rows, 0 rejected\n");
}

static void rows_still_wrong_are_rejected_with_their_own_raw(void **state)
{
    (void)state;
    case_run(plain,
             HEADER ROW "\"1,2020-01-01,3\"\n" ROW "\"2,soon,3\"\n" ROW "\"3,2020-01-03\"\n" ROW
                        "\"4,\"\"2020-01-04,3\"\n" ROW "\n" ROW
                        "\"6,2020-01-06,3\n7,2020-01-07,3\"\n",
             "+1 2020-01-01..2020-01-01 r1 l3 3\n"
             "!date-unreadable r2 l4 @162 \"2,soon,3\"\n"
             "!field-count r3 l5 @211 \"3,2020-01-03\"\n"
             "!open-quote r4 l6 @264 \"4,\"2020-01-04,3\"\n"
             "!raw-empty r5 l7 @321 \"\"\n"
             "!raw-several r6 l8 @360 \"6,2020-01-06,3\n7,2020-01-07,3\"\n"
             "END 6 rows, 5 rejected\n");
}

static void row_that_is_no_row_costs_itself_alone(void **state)
{
    (void)state;
    case_run(plain, HEADER "attacks,short\n" ROW "\"7,2020-01-01,3\"\n",
             "+7 2020-01-01..2020-01-01 r2 l4 3\n!field-count r1 l3 @107 \"attacks,short\"\n"
             "END 2 rows, 1 rejected\n");
}

static void raw_that_was_cut_stays_rejected(void **state)
{
    struct ingest_case test = case_open(plain);
    struct bytes text;

    (void)state;
    bytes_init(&text);
    bytes_put(&text, HEADER ROW "\"7,2020-01-01,3\"\n" ROW "\"8,2020-01-01,3",
              sizeof HEADER ROW "\"7,2020-01-01,3\"\n" ROW "\"8,2020-01-01,3" - 1);
    for (int i = 0; i < 32 * 1024; i++) {
        bytes_put_u8(&text, '0');
    }
    bytes_put(&text, "\"\n", 2);
    char *outcome = case_outcome(&test, text.data, text.count, 1000);
    assert_non_null(strstr(outcome, "+7 2020-01-01..2020-01-01 r1 l3 3\n!raw-cut r2 l4 @162"));
    free(outcome);
    bytes_done(&text);
    case_close(&test);
}

static void dialect_is_that_of_the_feed_and_text_is_utf8(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\ndim.x = x\ndelimiter = semicolon\nencoding = windows-1252\n",
             COLUMNS "attacks,,,0,0,0,header,,id;date;x\n" ROW
                     "\"7;2020-01-01;\"\"H\u00e9;\"\"\"\n",
             "+7 2020-01-01..2020-01-01 r1 l3 [H\u00e9;]\nEND 1 rows, 0 rejected\n");
    case_run("id = id\ndate = date\ndim.x = x\ndelimiter = tab\nquote = none\nheader = none\n"
             "columns = x, id, date\n",
             COLUMNS ROW "\"\t7\t2020-01-01\"\n" ROW "\"the \"\"X\"\"\t8\t2020-01-01\"\n" ROW
                         "9\t2020-01-01\n",
             "+7 2020-01-01..2020-01-01 r1 l2 []\n+8 2020-01-01..2020-01-01 r2 l3 [the \"X\"]\n"
             "!field-count r3 l4 @176 \"9\t2020-01-01\"\nEND 3 rows, 1 rejected\n");
}

static void repair_of_a_snapshot_withdraws_and_keeps_nothing(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\nmeasure.killed = killed\nmode = snapshot\n",
             HEADER ROW "\"7,2020-01-01,3\"\n" ROW "\"8,soon,3\"\n" ROW "\",2020-01-01,3\"\n",
             "+7 2020-01-01..2020-01-01 r1 l3 3\n!date-unreadable r2 l4 @162 \"8,soon,3\"\n"
             "!id-missing r3 l5 @211 \",2020-01-01,3\"\nEND 3 rows, 2 rejected\n");
}

static void repaired_deletions_are_deletions(void **state)
{
    (void)state;
    case_run("mode = deletions\ndeletes = acled\nid = event\nrevision = t\n",
             COLUMNS "attacks,,,0,0,0,header,,\"t,event\"\n" ROW "\"1700,AFG1\"\n",
             "-AFG1 rev=1700\nEND 1 rows, 0 rejected\n");
}

static void budget_does_not_hold_for_rejected_rows(void **state)
{
    static const char text[] = HEADER ROW "\"1,2020-01-01,3\"\n" ROW "\"2,soon,3\"\n";

    (void)state;
    expect_part("id = id\ndate = date\nreject_max = 0\n", text, "END 2 rows, 1 rejected");
    expect_part("id = id\ndate = date\nreject_max = 1%\n", text, "END 2 rows, 1 rejected");
    expect_part(plain, HEADER ROW "\"2,soon,3\"\n", "REFUSED none of its 1 rows can be read");
}

static void file_that_cannot_be_repaired_says_what_to_do(void **state)
{
    (void)state;
    expect_part(plain, COLUMNS "raids,,,0,0,0,header,,\n",
                "REFUSED rejected rows of feed \"raids\", which is not configured [made-up.csv:2]");
    expect_part(plain, HEADER ROW "\"1,2020-01-01,3\"\nraids,,,1,1,1,x,,\"1,2020-01-01,3\"\n",
                "REFUSED rejected rows of feed attacks and of feed raids in one file");
    expect_part(plain, COLUMNS ROW "\"1,2020-01-01,3\"\n",
                "REFUSED the first of these rejected rows has to be the one with reason header");
    expect_part(plain, COLUMNS, "REFUSED a CSV of rejected rows without any row");
    expect_part(plain, COLUMNS "attacks\n", "REFUSED the first of these rejected rows cannot");
    expect_part(plain, COLUMNS "attacks,,,0,0,0,header,,\"id,date\"\n",
                "REFUSED the header lacks killed");
    expect_part(plain, COLUMNS "attacks,,,0,0,0,header,,\n",
                "REFUSED the raw text of the row with reason header is no header");
    expect_part("id = id\ndate = date\nrows = per-victim\nmeasure.killed = killed\n", HEADER,
                "REFUSED feed attacks has rows = per-victim");
    expect_part("id = id\ndate = date\nheader = none\ncolumns = id, date\ncolumn_counts = 2 3\n",
                COLUMNS ROW "\"1,2020-01-01\"\n", "REFUSED feed attacks has no header and several");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repaired_rows_are_those_of_an_ordinary_file),
        cmocka_unit_test(other_columns_are_no_repair),
        cmocka_unit_test(lines_and_quotes_within_raw_are_those_of_the_record),
        cmocka_unit_test(rows_still_wrong_are_rejected_with_their_own_raw),
        cmocka_unit_test(row_that_is_no_row_costs_itself_alone),
        cmocka_unit_test(raw_that_was_cut_stays_rejected),
        cmocka_unit_test(dialect_is_that_of_the_feed_and_text_is_utf8),
        cmocka_unit_test(repair_of_a_snapshot_withdraws_and_keeps_nothing),
        cmocka_unit_test(repaired_deletions_are_deletions),
        cmocka_unit_test(budget_does_not_hold_for_rejected_rows),
        cmocka_unit_test(file_that_cannot_be_repaired_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
