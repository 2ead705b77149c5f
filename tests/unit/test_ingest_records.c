// CSV as real exports write it: line ends, quotes, broken records, files that were cut short.
#include "tests/unit/ingest_case.h"

static const char plain[] = "id = id\ndate = date\nmeasure.killed = killed\n";

static void crlf_and_lf_within_quotes_count_lines(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\ndim.note = note\n",
             "id,date,note\r\n1,2020-01-01,\"a\nb\"\r\n2,2020-01-02,c\r\n",
             "+1 2020-01-01..2020-01-01 r1 l2 [a\nb]\n"
             "+2 2020-01-02..2020-01-02 r2 l4 [c]\nEND 2 rows, 0 rejected\n");
}

static void carriage_returns_alone_end_lines(void **state)
{
    (void)state;
    case_run(plain, "id,date,killed\r1,2020-01-01,3\r2,2020-01-02,4\r",
             "+1 2020-01-01..2020-01-01 r1 l2 3\n+2 2020-01-02..2020-01-02 r2 l3 4\n"
             "END 2 rows, 0 rejected\n");
}

static void blank_lines_are_passed_over(void **state)
{
    (void)state;
    case_run(plain, "\n\nid,date,killed\n\n  \n1,2020-01-01,3\n\n",
             "+1 2020-01-01..2020-01-01 r1 l6 3\nEND 1 rows, 0 rejected\n");
}

static void quotes_are_doubled_within_quotes_and_blanks_trimmed(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\ndim.note = note\n",
             "id,date,note\n \"1\" , 2020-01-01 ,\"say \"\"hi\"\", all\"\n",
             "+1 2020-01-01..2020-01-01 r1 l2 [say \"hi\", all]\nEND 1 rows, 0 rejected\n");
}

static void stray_quote_costs_its_own_record_alone(void **state)
{
    (void)state;
    case_run(plain, "id,date,killed\n1,2020-01-01,3\n2,20\"20,4\n3,2020-01-03,5\n",
             "+1 2020-01-01..2020-01-01 r1 l2 3\n+3 2020-01-03..2020-01-03 r3 l4 5\n"
             "!quote-in-field r2 l3 @30 \"2,20\"20,4\"\nEND 3 rows, 1 rejected\n");
}

static void open_quote_to_the_end_costs_its_own_record_alone(void **state)
{
    (void)state;
    case_run(plain, "id,date,killed\n1,2020-01-01,\"3\n2,2020-01-02,4\n3,2020-01-03,5\n",
             "+2 2020-01-02..2020-01-02 r2 l3 4\n+3 2020-01-03..2020-01-03 r3 l4 5\n"
             "!open-quote r1 l2 @15 \"1,2020-01-01,\"3\"\nEND 3 rows, 1 rejected\n");
}

static void quote_that_swallows_lines_is_read_again_line_by_line(void **state)
{
    (void)state;
    case_run(plain, "id,date,killed\n1,\"2020-01-01,3\n2,\"2020-01-02\",4\n3,2020-01-03,5\n",
             "+2 2020-01-02..2020-01-02 r2 l3 4\n+3 2020-01-03..2020-01-03 r3 l4 5\n"
             "!text-after-quote r1 l2 @15 \"1,\"2020-01-01,3\"\nEND 3 rows, 1 rejected\n");
}

static void wrong_number_of_fields_rejects_the_record(void **state)
{
    (void)state;
    case_run(plain, "id,date,killed\n1,2020-01-01\n2,2020-01-02,4,5\n3,2020-01-03,6\n",
             "+3 2020-01-03..2020-01-03 r3 l4 6\n!field-count r1 l2 @15 \"1,2020-01-01\"\n"
             "!field-count r2 l3 @28 \"2,2020-01-02,4,5\"\nEND 3 rows, 2 rejected\n");
}

static void nul_byte_rejects_the_record(void **state)
{
    static const char text[] = "id,date,killed\n1,2020-01-01,\0\n2,2020-01-02,4\n";
    struct ingest_case test = case_open(plain);

    (void)state;
    char *outcome = case_outcome(&test, text, sizeof text - 1, SIZE_MAX);
    assert_non_null(strstr(outcome, "!nul-byte r1 l2 @15"));
    assert_non_null(strstr(outcome, "+2 2020-01-02"));
    free(outcome);
    case_close(&test);
}

static void file_of_nul_bytes_is_refused(void **state)
{
    static const char text[5000] = {0};
    struct ingest_case test = case_open(plain);

    (void)state;
    case_expect_bytes(&test, text, sizeof text,
                      "REFUSED holds NUL bytes: not a CSV text, or UTF-16 without its mark (then "
                      "the feed needs encoding = utf-16le) [made-up.csv]\n");
    case_close(&test);
}

static void empty_file_is_refused(void **state)
{
    (void)state;
    case_run(plain, "",
             "REFUSED the file is empty; a file without incidents still has a header "
             "[made-up.csv]\n");
}

static void header_alone_is_a_file_without_incidents(void **state)
{
    (void)state;
    case_run(plain, "id,date,killed\n", "END 0 rows, 0 rejected\n");
    case_run(plain, "id,date,killed", "END 0 rows, 0 rejected, unterminated\n");
}

static void complete_last_record_without_line_end_counts(void **state)
{
    (void)state;
    case_run(plain, "id,date,killed\n1,2020-01-01,3",
             "+1 2020-01-01..2020-01-01 r1 l2 3\nEND 1 rows, 0 rejected, unterminated\n");
    case_run("id = id\ndate = date\nmeasure.killed = killed\nfinal_newline = required\n",
             "id,date,killed\n1,2020-01-01,3",
             "REFUSED cut short: the last line has no end, and final_newline = required "
             "[made-up.csv:2]\n");
}

static void incomplete_last_record_refuses_the_file(void **state)
{
    struct ingest_case test = case_open(plain);
    static const char *const torn[] = {"id,date,killed\n1,2020-01-01,3\n2,2020-0",
                                       "id,date,killed\n1,2020-01-01,3\n2,2020-01-02,\"4",
                                       "id,date,killed\n1,2020-01-01,3\n2,\"2020\n-01"};

    (void)state;
    for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
        char *outcome = case_outcome(&test, torn[i], strlen(torn[i]), 3);
        assert_non_null(strstr(outcome, "REFUSED cut short at line "));
        free(outcome);
    }
    case_close(&test);
}

static void byte_order_mark_before_a_quoted_field_is_stripped(void **state)
{
    (void)state;
    case_run(plain, "\xef\xbb\xbf\"id\",date,killed\n1,2020-01-01,3\n",
             "+1 2020-01-01..2020-01-01 r1 l2 3\nEND 1 rows, 0 rejected\n");
}

static void quote_none_takes_quotes_as_they_are(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\ndim.who = who\ndelimiter = tab\nquote = none\n",
             "id\tdate\twho\n1\t2020-01-01\tthe \"X\" group\n2\t2020-01-02\t\"Y\n",
             "+1 2020-01-01..2020-01-01 r1 l2 [the \"X\" group]\n"
             "+2 2020-01-02..2020-01-02 r2 l3 [\"Y]\nEND 2 rows, 0 rejected\n");
}

static void other_delimiters_are_words(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\nmeasure.n = n\ndelimiter = semicolon\ndecimal = comma\n",
             "id;date;n\n1;2020-01-01;15,0\n",
             "+1 2020-01-01..2020-01-01 r1 l2 15\nEND 1 rows, 0 rejected\n");
    case_run("id = id\ndate = date\nmeasure.n = n\ndelimiter = pipe\n",
             "id|date|n\n1|2020-01-01|15\n",
             "+1 2020-01-01..2020-01-01 r1 l2 15\nEND 1 rows, 0 rejected\n");
}

static void too_long_records_are_rejected_within_bounded_memory(void **state)
{
    struct ingest_case test = case_open(plain);
    size_t count = 400 * 1024;
    char *text = malloc(count);

    (void)state;
    test.limits.record_bytes_max = 1000;
    memset(text, 'x', count);
    memcpy(text, "id,date,killed\n1,2020-01-01,3\n", 30);
    memcpy(text + 200 * 1024, "\n2,2020-01-02,4\n", 16);
    memcpy(text + count - 17, "\n3,2020-01-03,5\r\n", 17);
    for (size_t block = 7; block < 100000; block *= 99) {
        char *outcome = case_outcome(&test, text, count, block);
        assert_non_null(strstr(outcome, "+2 2020-01-02..2020-01-02 r3 l4 4\n"));
        assert_non_null(strstr(outcome, "+3 2020-01-03..2020-01-03 r5 l6 5\n"));
        assert_non_null(strstr(outcome, "!record-too-long r2 l3 @30"));
        free(outcome);
    }
    free(text);
    case_close(&test);
}

static void first_record_may_be_broken(void **state)
{
    struct ingest_case test = case_open(plain);
    char text[200];
    char want[200];
    char raw[61];

    (void)state;
    test.limits.record_bytes_max = 40;
    for (int bytes = 41; bytes < 100; bytes++) {
        snprintf(text, sizeof text, "id,date,killed\n1,2020-01-01,%0*d\n2,2020-01-02,4\n",
                 bytes - 13, 0);
        snprintf(raw, sizeof raw, "%.40s", text + 15);
        snprintf(want, sizeof want,
                 "+2 2020-01-02..2020-01-02 r2 l3 4\n!record-too-long r1 l2 @15 \"%s\"\n"
                 "END 2 rows, 1 rejected\n",
                 raw);
        case_expect(&test, text, want);
    }
    case_close(&test);
    case_run(plain, "id,date,killed\n1,\"2020-01-01,3\n2,2020-01-02,4\n",
             "+2 2020-01-02..2020-01-02 r2 l3 4\n!open-quote r1 l2 @15 \"1,\"2020-01-01,3\"\n"
             "END 2 rows, 1 rejected\n");
}

static void values_move_along_when_a_record_grows(void **state)
{
    static const char start[] = "id,a,note,date\n7,first,\"";
    static const char end[] = "\",2020-01-01\n";
    struct ingest_case test = case_open("id = id\ndate = date\ndim.a = a\n");
    struct bytes text;

    (void)state;
    bytes_init(&text);
    bytes_put(&text, start, sizeof start - 1);
    for (int i = 0; i < 200000; i++) {
        bytes_put_u8(&text, '\n');
    }
    bytes_put(&text, end, sizeof end - 1);
    char *outcome = case_outcome(&test, text.data, text.count, 1000);
    assert_string_equal(outcome, "+7 2020-01-01..2020-01-01 r1 l2 [first]\n"
                                 "END 1 rows, 0 rejected\n");
    free(outcome);
    bytes_done(&text);
    case_close(&test);
}

static void long_field_rejects_its_record(void **state)
{
    struct ingest_case test = case_open(plain);

    (void)state;
    test.limits.field_bytes_max = 12;
    case_expect(&test, "id,date,killed\n1,2020-01-01,3\n2,2020-01-02 00:00,4\n",
                "+1 2020-01-01..2020-01-01 r1 l2 3\n"
                "!field-too-long r2 l3 @30 \"2,2020-01-02 00:00,4\"\nEND 2 rows, 1 rejected\n");
    case_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crlf_and_lf_within_quotes_count_lines),
        cmocka_unit_test(carriage_returns_alone_end_lines),
        cmocka_unit_test(blank_lines_are_passed_over),
        cmocka_unit_test(quotes_are_doubled_within_quotes_and_blanks_trimmed),
        cmocka_unit_test(stray_quote_costs_its_own_record_alone),
        cmocka_unit_test(open_quote_to_the_end_costs_its_own_record_alone),
        cmocka_unit_test(quote_that_swallows_lines_is_read_again_line_by_line),
        cmocka_unit_test(wrong_number_of_fields_rejects_the_record),
        cmocka_unit_test(nul_byte_rejects_the_record),
        cmocka_unit_test(file_of_nul_bytes_is_refused),
        cmocka_unit_test(empty_file_is_refused),
        cmocka_unit_test(header_alone_is_a_file_without_incidents),
        cmocka_unit_test(complete_last_record_without_line_end_counts),
        cmocka_unit_test(incomplete_last_record_refuses_the_file),
        cmocka_unit_test(byte_order_mark_before_a_quoted_field_is_stripped),
        cmocka_unit_test(quote_none_takes_quotes_as_they_are),
        cmocka_unit_test(other_delimiters_are_words),
        cmocka_unit_test(too_long_records_are_rejected_within_bounded_memory),
        cmocka_unit_test(first_record_may_be_broken),
        cmocka_unit_test(values_move_along_when_a_record_grows),
        cmocka_unit_test(long_field_rejects_its_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
