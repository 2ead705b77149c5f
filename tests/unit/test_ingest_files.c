// Whole files: which feed they belong to, modes, layouts, compression, budgets.
#include "tests/unit/ingest_case.h"

#include <errno.h>

#include <zlib.h>
#include <zstd.h>

static const char plain[] = "id = id\ndate = date\nmeasure.killed = killed\n";
static const char csv[] = "id,date,killed\n1,2020-01-01,3\n2,2020-01-02,4\n";
static const char csv_outcome[] = "+1 2020-01-01..2020-01-01 r1 l2 3\n"
                                  "+2 2020-01-02..2020-01-02 r2 l3 4\nEND 2 rows, 0 rejected\n";

static void expect_part(struct ingest_case *test, const void *data, size_t count, const char *part)
{
    char *outcome = case_outcome(test, data, count, SIZE_MAX);

    if (!strstr(outcome, part)) {
        fail_msg("wanted %s, got %s", part, outcome);
    }
    free(outcome);
}

static void columns_are_found_by_name_in_any_order_and_case(void **state)
{
    (void)state;
    case_run(plain, "KILLED,note,Date , ID\n3,x,2020-01-01,1\n",
             "+1 2020-01-01..2020-01-01 r1 l2 3\nEND 1 rows, 0 rejected\n");
}

static void file_of_no_feed_names_the_nearest_and_its_columns(void **state)
{
    struct ingest_case test = case_open(plain);

    (void)state;
    case_add(&test, "other", "id = event\ndate = day\nmeasure.killed = dead\n");
    expect_part(&test, "id,date,dead\n", 13,
                "nearest is attacks, which needs killed; the file has dead;");
    expect_part(&test, "id,date,killed,killed\n", 22, "which needs killed only once");
    case_close(&test);
}

static void totals_by_month_are_no_incidents(void **state)
{
    struct ingest_case test = case_open(plain);
    static const char text[] = "Country,Month,Year,Events,Fatalities\nX,May,2020,4,7\n";

    (void)state;
    expect_part(&test, text, strlen(text), "are totals by month, not incidents");
    case_close(&test);
}

static void wrong_delimiter_is_suspected(void **state)
{
    struct ingest_case test = case_open(plain);

    (void)state;
    // The feed with the fewest columns lacks the fewest of a single one; it is not the likeliest.
    case_add(&test, "small", "id = a\ndate = b\n");
    expect_part(
        &test, "id;date;killed\n", 15,
        "divided by semicolon; then the nearest is feed attacks: does that need delimiter = "
        "semicolon?");
    expect_part(&test, "b\ta\n", 4, "nearest is feed small: does that need delimiter = tab?");
    expect_part(&test, "x;y,id\n", 7, "no feed has such columns");
    expect_part(&test, "whatever\n", 9, "a single column (whatever) whatever divides it");
    case_close(&test);
}

static void most_columns_decide_and_a_tie_is_refused(void **state)
{
    struct ingest_case test = case_open(plain);

    (void)state;
    case_add(&test, "richer",
             "id = id\ndate = date\nmeasure.killed = killed\ndim.x = x\noptional = x\n");
    expect_part(&test, csv, strlen(csv), "fit feed attacks and feed richer alike");
    expect_part(&test, "id,date,killed,x\n1,2020-01-01,3,a\n", 34, "[a] 3");
    case_add(&test, "named", "id = id\ndate = date\nfiles = made-*.csv\n");
    expect_part(&test, csv, strlen(csv), "+1 2020-01-01..2020-01-01 r1 l2\n");
    case_close(&test);
}

static void gzip_and_zstd_are_told_by_content(void **state)
{
    struct ingest_case test = case_open(plain);
    unsigned char packed[1000];
    size_t count = 0;

    (void)state;
    for (size_t at = 0; at < strlen(csv); at += 23) { // two members
        z_stream zlib = {.next_in = (unsigned char *)csv + at,
                         .avail_in = (uInt)(at + 23 > strlen(csv) ? strlen(csv) - at : 23),
                         .next_out = packed + count,
                         .avail_out = (uInt)(sizeof packed - count)};
        assert_int_equal(deflateInit2(&zlib, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
        count = sizeof packed - zlib.avail_out;
        deflateEnd(&zlib);
    }
    case_expect_bytes(&test, packed, count, csv_outcome);
    expect_part(&test, packed, count - 5, "REFUSED cut short: the compressed content breaks off");
    packed[count] = 'x';
    expect_part(&test, packed, count + 1, "REFUSED bytes that are not gzip follow");
    count = ZSTD_compress(packed, sizeof packed, csv, 23, 3);
    count += ZSTD_compress(packed + count, sizeof packed - count, csv + 23, strlen(csv) - 23, 3);
    case_expect_bytes(&test, packed, count, csv_outcome);
    expect_part(&test, packed, count - 1, "REFUSED cut short: the compressed content breaks off");
    memset(packed + 6, 0x55, 12);
    expect_part(&test, packed, count, "REFUSED damaged zstd content");
    case_close(&test);
}

static void other_containers_are_named_with_what_to_do(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *want;
    } files[] = {
        {"PK\3\4\24\0\0\0\10\0", 10, "REFUSED is a ZIP archive"},
        {"PK\3\4\24\0\0\0\10\0", 10, "unzip -p"},
        {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", 10, "REFUSED is an Excel workbook (.xls)"},
        {"%PDF-1.7\n%\xe2\xe3", 11, "REFUSED is a PDF"},
        {"7z\xbc\xaf\x27\x1c\0\4", 8, "REFUSED is a 7z archive"},
        {"\xfd\x37zXZ\0\0\4", 8, "REFUSED is compressed with xz"},
        {"BZh91AY&SY\x12\x34", 12, "REFUSED is compressed with bzip2"},
        {"PAR1\x15\x04\x15\x10", 8, "REFUSED is a Parquet file"},
        {"SQLite format 3\0\x10\0", 18, "REFUSED is a SQLite database"},
    };
    struct ingest_case test = case_open("id = PAR1\ndate = date\n");

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        expect_part(&test, files[i].bytes, files[i].count, files[i].want);
    }
    // A text that only begins like one of them is read.
    expect_part(&test, "PAR1,date,PK\n1,2020-01-01,x\n", 28, "+1 2020-01-01..2020-01-01 r1 l2\n");
    expect_part(&test, "BZh91,date\n", 11, "no feed has such columns");
    expect_part(&test, "PK", 2, "a single column (PK) whatever divides it");
    case_close(&test);
}

static void content_that_inflates_too_far_is_refused(void **state)
{
    struct ingest_case test = case_open(plain);
    size_t bytes = 4 << 20;
    char *text = calloc(1, bytes);
    unsigned char packed[20000];

    (void)state;
    memset(text, '\n', bytes);
    memcpy(text, "id,date,killed", 14);
    size_t count = ZSTD_compress(packed, sizeof packed, text, bytes, 3);
    assert_false(ZSTD_isError(count));
    expect_part(&test, packed, count, "REFUSED inflates to more than 500 times its size");
    test.limits.inflated_bytes_max = 1 << 20;
    expect_part(&test, packed, count, "REFUSED inflates to more than 1048576 bytes");
    free(text);
    case_close(&test);
}

static void hxl_tags_are_passed_over_and_data_is_not(void **state)
{
    static const char lines[] = "id = id\ndate = date\ndim.note = note\n";

    (void)state;
    case_run(lines, "id,date,note\n,#date+start,\n1,2020-01-01,#hash\n",
             "+1 2020-01-01..2020-01-01 r1 l3 [#hash]\nEND 1 rows, 0 rejected\n");
    case_run(lines, "id,date,note\n1,2020-01-01,#hash\n",
             "+1 2020-01-01..2020-01-01 r1 l2 [#hash]\nEND 1 rows, 0 rejected\n");
    case_run(lines, ",id,date,note\n0,,#date,\n1,1,2020-01-01,x\n",
             "+1 2020-01-01..2020-01-01 r1 l3 [x]\nEND 1 rows, 0 rejected\n");
    case_run(lines, "Unnamed: 0,id,date,note\n0,#id,#date,\n1,1,2020-01-01,x\n",
             "+1 2020-01-01..2020-01-01 r1 l3 [x]\nEND 1 rows, 0 rejected\n");
    // An id may look like a mark, but not like a tag.
    case_run(lines, "id,date,note\n#3,,\n#4,2020-01-01,x\n",
             "+#4 2020-01-01..2020-01-01 r2 l3 [x]\n"
             "!date-missing r1 l2 @13 \"#3,,\"\nEND 2 rows, 1 rejected\n");
}

static void preamble_lines_are_passed_over(void **state)
{
    (void)state;
    case_run("id = id\ndate = date\npreamble = 3\n",
             "Notes \"of the\npublisher\n\nid,date\n1,2020-01-01\n",
             "+1 2020-01-01..2020-01-01 r1 l5\nEND 1 rows, 0 rejected\n");
    case_run("id = id\ndate = date\npreamble = 3\n", "a\nb",
             "REFUSED no header to tell the feed by: it ends within the 3 lines of preamble "
             "[made-up.csv]\n");
}

// Only so many bytes are looked at for a header: what stands behind them may well be one.
static void a_header_too_far_behind_is_not_said_to_be_missing(void **state)
{
    enum { FIRST_BYTES = 256 * 1024 };
    static char text[FIRST_BYTES + 100];

    (void)state;
    memset(text, 'a', FIRST_BYTES);
    snprintf(text + FIRST_BYTES, 100, "aa\nid,date\n1,2020-01-01\n");
    case_run("id = id\ndate = date\npreamble = 1\n", text,
             "REFUSED no header to tell the feed by: its first 256 KiB end within the 1 lines "
             "of preamble; shorten what stands before the header [made-up.csv]\n");
    memset(text, '\n', FIRST_BYTES + 1);
    case_run("id = id\ndate = date\npreamble = 1\n", text,
             "REFUSED no header to tell the feed by: its first 256 KiB hold nothing but blank "
             "lines; shorten what stands before the header [made-up.csv]\n");
    memset(text, 'a', FIRST_BYTES + 1);
    text[FIRST_BYTES - 10] = '\n';
    case_run(
        "id = id\ndate = date\npreamble = 1\n", text,
        "REFUSED no header to tell the feed by: its first 256 KiB end within its first record; "
        "shorten what stands before the header [made-up.csv]\n");
}

static void columns_of_headerless_files_are_named_in_the_feed(void **state)
{
    static const char lines[] = "id = key\ndate = when\nheader = none\nmeasure.n = n\n"
                                "columns = key, 3 when, n\ncolumn_counts = 4 5\n";

    (void)state;
    case_run(lines, "1,x,2020-01-01,7\n2,x,2020-01-02,8\n",
             "+1 2020-01-01..2020-01-01 r1 l1 7\n+2 2020-01-02..2020-01-02 r2 l2 8\n"
             "END 2 rows, 0 rejected\n");
    case_run(lines, "1,x,2020-01-01,7,url\n",
             "+1 2020-01-01..2020-01-01 r1 l1 7\nEND 1 rows, 0 rejected\n");
    case_run(lines, "1,2020-01-01\n",
             "REFUSED no feed has such columns; nearest is attacks, which needs 4 or 5 columns in "
             "all; "
             "the file has 2 columns; rename or add a [feed] [made-up.csv]\n");
}

static void deletions_list_ids_with_or_without_revision(void **state)
{
    (void)state;
    case_run("mode = deletions\ndeletes = acled\nid = event_id_cnty\nrevision = t\n",
             "event_id_cnty,t\nAFG1,1700\nAFG2,\n",
             "-AFG1 rev=1700\n-AFG2\nEND 2 rows, 0 rejected\n");
    struct feed *feed = case_feed("gone", "mode = deletions\ndeletes = acled\nid = id\n");
    assert_string_equal(feed_name(feed), "gone");
    assert_string_equal(feed_shape(feed)->feed, "acled"); // whose incidents they are
    feed_close(feed);
}

static void snapshot_keeps_rows_whose_id_can_be_read(void **state)
{
    static const char lines[] = "id = id\ndate = date\nmode = snapshot\n";

    (void)state;
    case_run(lines, "id,date\n1,2020-01-01\n2,soon\n",
             "+1 2020-01-01..2020-01-01 r1 l2\n=2\n!date-unreadable r2 l3 @21 \"2,soon\"\n"
             "END 2 rows, 1 rejected\n");
    case_run(lines, "id,date\n1,2020-01-01\n,2020-01-02\n",
             "REFUSED line 3, record 2: id is empty; a snapshot is refused when the id of a row "
             "cannot be read [made-up.csv:3]\n");
}

static void budget_of_rejected_rows(void **state)
{
    static const char text[] = "id,date\n1,2020-01-01\n2,soon\n3,later\n4,2020-01-02\n";
    struct ingest_case test = case_open("id = id\ndate = date\nreject_max = 1\n");

    (void)state;
    expect_part(&test, text, strlen(text), "REFUSED more than reject_max = 1 rows cannot be read");
    case_close(&test);
    test = case_open("id = id\ndate = date\nreject_max = 49.5%\n");
    expect_part(&test, text, strlen(text), "REFUSED 2 of 4 rows cannot be read");
    case_close(&test);
    test = case_open("id = id\ndate = date\nreject_max = 50%\n");
    expect_part(&test, text, strlen(text), "END 4 rows, 2 rejected");
    expect_part(&test, "id,date\n1,soon\n", 15, "REFUSED none of its 1 rows can be read");
    case_close(&test);
}

static void chunks_are_handed_over_as_they_fill(void **state)
{
    struct ingest_case test = case_open(plain);

    (void)state;
    test.limits.chunk_rows = 1;
    case_expect(&test, csv, csv_outcome);
    test.limits.records_max = 1;
    expect_part(&test, csv, strlen(csv), "REFUSED more than records_max = 1 records");
    case_close(&test);
}

static ssize_t fail_to_read(void *context, void *data, size_t count)
{
    (void)context;
    (void)data;
    (void)count;
    errno = EIO;
    return -1;
}

static void read_error_is_not_the_fault_of_the_file(void **state)
{
    struct ingest_case test = case_open(plain);
    struct tally_err err;
    struct rows rows;
    struct ingest_turn turn = {.chunks = &rows, .chunks_max = 1};

    (void)state;
    rows_init(&rows);
    struct ingest *ingest = ingest_open((const struct feed *const *)test.feeds, test.feeds_count,
                                        "x.csv", &test.limits, fail_to_read, NULL, &err);
    assert_int_equal(ingest_next(ingest, &turn, &err), INGEST_FAILED);
    assert_int_equal(err.code, TALLY_IO);
    ingest_close(ingest);
    rows_done(&rows);
    case_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_found_by_name_in_any_order_and_case),
        cmocka_unit_test(file_of_no_feed_names_the_nearest_and_its_columns),
        cmocka_unit_test(totals_by_month_are_no_incidents),
        cmocka_unit_test(wrong_delimiter_is_suspected),
        cmocka_unit_test(most_columns_decide_and_a_tie_is_refused),
        cmocka_unit_test(gzip_and_zstd_are_told_by_content),
        cmocka_unit_test(other_containers_are_named_with_what_to_do),
        cmocka_unit_test(content_that_inflates_too_far_is_refused),
        cmocka_unit_test(hxl_tags_are_passed_over_and_data_is_not),
        cmocka_unit_test(preamble_lines_are_passed_over),
        cmocka_unit_test(a_header_too_far_behind_is_not_said_to_be_missing),
        cmocka_unit_test(columns_of_headerless_files_are_named_in_the_feed),
        cmocka_unit_test(deletions_list_ids_with_or_without_revision),
        cmocka_unit_test(snapshot_keeps_rows_whose_id_can_be_read),
        cmocka_unit_test(budget_of_rejected_rows),
        cmocka_unit_test(chunks_are_handed_over_as_they_fill),
        cmocka_unit_test(read_error_is_not_the_fault_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
