// One file on several cores: the same as on one, and really on several.
#include "tests/unit/ingest_case.h"

static const char lines[] = "id = id\ndate = date\nrevision = rev\ndim.place = place\n"
                            "dim.kind = kind\nmeasure.killed = killed\nunknown = NA\n"
                            "optional = rev, kind, killed\nreject_max = 100000";
static const char header[] = "id,date,rev,place,kind,killed,notes\n";

static uint32_t roll(uint32_t *random, uint32_t sides)
{
    *random = *random * 1664525U + 1013904223U;
    return (*random >> 8) % sides;
}

// What the notes of a row hold, from plain to what looks like rows of their own.
enum notes { NOTES_PLAIN, NOTES_LINES, NOTES_ROWS, NOTES_BAD_ROWS, NOTES_BLANK };

static void put_notes(struct bytes *out, enum notes notes, uint32_t *random)
{
    switch (notes) {
    case NOTES_LINES:
        case_print(out, "\"two\nlines, and a \"\"word\"\"\"\n");
        return;
    case NOTES_ROWS:
        case_print(out,
                   "\"quoted:\n8%u,2019-01-01,1,Nowhere,none,9,\n9%u,2019-01-02,1,Nowhere,"
                   "none,9,\n\"\r\n",
                   roll(random, 1000), roll(random, 1000));
        return;
    case NOTES_BLANK:
        case_print(out, "\n\n\r\n");
        return;
    case NOTES_PLAIN:
    case NOTES_BAD_ROWS:
        break;
    }
    case_print(out, "%s\n", roll(random, 3) > 0 ? "nothing more" : "");
}

// How rows are made: one in so many has odd notes; digits that the number of a place has.
struct making {
    enum notes notes;
    unsigned one_in;
    int digits;
};

static void put_row(struct bytes *out, uint32_t id, const struct making *making, uint32_t *random)
{
    bool odd = roll(random, making->one_in) == 0;
    const char *date = odd && making->notes == NOTES_BAD_ROWS ? "soon" : "2020-03-04";

    case_print(out, "%u,%s,%u,Place %0*u,%s,%u,", id, date, roll(random, 5), making->digits,
               roll(random, 200), roll(random, 2) ? "NA" : "fire", roll(random, 30));
    put_notes(out, odd ? making->notes : NOTES_PLAIN, random);
}

static struct bytes make_file(struct making making, uint32_t rows)
{
    uint32_t random = (uint32_t)making.notes + 1;
    struct bytes out;

    bytes_init(&out);
    case_print(&out, "%s", header);
    for (uint32_t i = 0; i < rows; i++) {
        put_row(&out, i, &making, &random);
    }
    return out;
}

static size_t same_on_any_number(struct ingest_case *test, const struct bytes *file, size_t block)
{
    static const struct case_way alone = {.chunks_max = 1, .block_bytes = (size_t)1 << 20};
    char *want = case_outcome_by(test, file->data, file->count, block, &alone);
    size_t most = 0;

    for (unsigned blocks = 2; blocks <= 5; blocks += 3) {
        for (size_t bytes = 400; bytes < file->count; bytes *= 6) {
            size_t chunks = 0;
            struct case_way way = {.chunks_max = INGEST_CHUNKS_MAX,
                                   .block_bytes = bytes,
                                   .blocks = blocks,
                                   .chunks = &chunks};
            char *have = case_outcome_by(test, file->data, file->count, block, &way);
            assert_string_equal(have, want);
            free(have);
            most = chunks > most ? chunks : most;
        }
    }
    free(want);
    return most;
}

static void check(enum notes notes, unsigned one_in)
{
    struct ingest_case test = case_open(lines);
    struct bytes file = make_file((struct making){notes, one_in, 1}, 1000);

    // On one core it is one chunk.
    assert_true(same_on_any_number(&test, &file, SIZE_MAX) > 20);
    assert_true(same_on_any_number(&test, &file, 1000) > 20);
    // Chunks that are full before a block is reached, and records left over.
    for (size_t rows = 3; rows < 40; rows *= 3) {
        test.limits.chunk_rows = rows;
        same_on_any_number(&test, &file, 300);
    }
    bytes_done(&file);
    case_close(&test);
}

static void any_file_is_the_same_on_any_number_of_cores(void **state)
{
    (void)state;
    check(NOTES_PLAIN, 1000000);
    check(NOTES_LINES, 3);
    check(NOTES_BLANK, 4);
    check(NOTES_BAD_ROWS, 50);
    check(NOTES_ROWS, 20);
}

// A character that takes several bytes once it is UTF-8 may be the next one wherever a buffer ends.
static void characters_are_whole_wherever_a_buffer_ends(void **state)
{
    static const char letters[] = "\xe9\xe8\x80\xfc\xe9\xdf"; // of windows-1252: 2 and 3 bytes each
    struct ingest_case test = case_open("id = id\ndate = date\nrevision = rev\ndim.place = place\n"
                                        "measure.killed = killed\nencoding = windows-1252");
    struct bytes file;

    (void)state;
    bytes_init(&file);
    case_print(&file, "%s", header);
    for (uint32_t i = 0; i < 8000; i++) {
        case_print(&file, "%u,2020-03-04,1,%s%u,none,%u,%.*s\n", i, letters, i % 20, i % 7,
                   (int)(i % (sizeof letters)), letters);
    }
    static const struct case_way alone = {.chunks_max = 1, .block_bytes = (size_t)1 << 20};
    char *want = case_outcome_by(&test, file.data, file.count, SIZE_MAX, &alone);
    for (size_t bytes = 1600; bytes < 1616; bytes++) {
        size_t chunks = 0;
        struct case_way way = {
            .chunks_max = INGEST_CHUNKS_MAX, .block_bytes = bytes, .blocks = 2, .chunks = &chunks};
        char *have = case_outcome_by(&test, file.data, file.count, SIZE_MAX, &way);
        assert_string_equal(have, want);
        assert_true(chunks > 10);
        free(have);
    }
    free(want);
    bytes_done(&file);
    case_close(&test);
}

// What stands within quotes looks like rows more often than not.
static void text_that_looks_like_rows_is_none(void **state)
{
    struct ingest_case test = case_open(lines);
    struct bytes file = make_file((struct making){NOTES_ROWS, 1, 1}, 500);

    (void)state;
    same_on_any_number(&test, &file, SIZE_MAX);
    bytes_done(&file);
    case_close(&test);
}

static void limits_of_a_file_are_its_own(void **state)
{
    struct ingest_case test = case_open(lines);
    struct bytes file = make_file((struct making){NOTES_PLAIN, 1000000, 1}, 2000);

    (void)state;
    for (uint64_t records = 1990; records < 2001; records++) {
        test.limits.records_max = records;
        same_on_any_number(&test, &file, SIZE_MAX);
    }
    bytes_done(&file);
    case_close(&test);
}

// Of many different texts, the row is named at which there were too many.
static void memory_of_a_file_is_its_own(void **state)
{
    struct ingest_case test = case_open(lines);
    struct bytes file = make_file((struct making){NOTES_PLAIN, 1000000, 300}, 300);

    (void)state;
    for (size_t bytes = 40000; bytes < 250000; bytes += 12000) {
        test.limits.memory_bytes_max = bytes;
        same_on_any_number(&test, &file, SIZE_MAX);
    }
    bytes_done(&file);
    case_close(&test);
}

// Places that keep coming, one after the other: what blocks may know is at its end long before what
// the file may know. The place at which that was, and those behind it, keep their own rows.
static void blocks_that_know_too_many_texts_mix_up_none(void **state)
{
    enum { ROWS = 4000, PLACES_MAX = 100 };
    struct ingest_case test = case_open(lines);
    uint32_t random = 1;
    struct bytes file;

    (void)state;
    bytes_init(&file);
    case_print(&file, "%s", header);
    for (uint32_t i = 0; i < ROWS; i++) {
        case_print(&file, "%u,2020-03-04,1,Place %0300u,fire,3,\n", i,
                   roll(&random, 1 + i * PLACES_MAX / ROWS));
    }
    for (size_t bytes = 250000; bytes < 1000000; bytes += 50000) {
        test.limits.memory_bytes_max = bytes;
        same_on_any_number(&test, &file, SIZE_MAX);
    }
    bytes_done(&file);
    case_close(&test);
}

// An end within quotes, within a row, and a row that nobody can read far behind the first blocks.
static void an_end_is_told_where_it_is(void **state)
{
    static const char *const ends[] = {"9,2020-01-01,1,a,b,3,\"open\n1,2,3\n", "9,2020-01",
                                       "9,2020-01-01,1,a,b,3,x\n\n\n", "1,2,3\n"};
    struct ingest_case test = case_open(lines);

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct bytes file = make_file((struct making){NOTES_LINES, 10, 1}, 400);
        bytes_put(&file, ends[i], strlen(ends[i]));
        same_on_any_number(&test, &file, SIZE_MAX);
        bytes_done(&file);
    }
    case_close(&test);
}

// Long rows, then short ones: chunks are full before the next block is reached, and records are
// left over while buffers change places.
static void rows_that_get_shorter_fill_chunks(void **state)
{
    struct ingest_case test = case_open(lines);
    struct bytes file = make_file((struct making){NOTES_PLAIN, 1000000, 300}, 300);
    struct bytes shorter = make_file((struct making){NOTES_LINES, 50, 1}, 1500);

    (void)state;
    bytes_put(&file, shorter.data + strlen(header), shorter.count - strlen(header));
    for (size_t rows = 5; rows < 40; rows += 4) {
        test.limits.chunk_rows = rows;
        same_on_any_number(&test, &file, 300);
        same_on_any_number(&test, &file, SIZE_MAX);
    }
    bytes_done(&file);
    bytes_done(&shorter);
    case_close(&test);
}

static void count(void *context)
{
    ++*(int *)context;
}

static void count_turns(struct ingest_case *test, const struct bytes *file)
{
    struct case_file bytes = {.data = file->data, .count = file->count, .block = SIZE_MAX};
    struct rows rows[INGEST_CHUNKS_MAX];
    struct tally_err err;
    int done = 0;
    int turns = 0;
    struct ingest_turn turn = {
        .chunks = rows, .chunks_max = INGEST_CHUNKS_MAX, .meanwhile = count, .context = &done};

    for (size_t i = 0; i < INGEST_CHUNKS_MAX; i++) {
        rows_init(&rows[i]);
    }
    struct ingest *ingest = ingest_open((const struct feed *const *)test->feeds, 1, test->name,
                                        &test->limits, case_read, &bytes, &err);
    enum ingest_step step = INGEST_CHUNK;
    while (step == INGEST_CHUNK) {
        step = ingest_next(ingest, &turn, &err);
        assert_int_equal(done, ++turns);
    }
    assert_true(turns > 10);
    ingest_close(ingest);
    for (size_t i = 0; i < INGEST_CHUNKS_MAX; i++) {
        rows_done(&rows[i]);
    }
}

static void what_is_to_be_done_meanwhile_is_done_once(void **state)
{
    static const char *const more[] = {"", "\nrows = per-victim", "\nreject_max = 1"};
    struct bytes file = make_file((struct making){NOTES_BAD_ROWS, 500, 1}, 1000);

    (void)state;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        char settings[1024];
        snprintf(settings, sizeof settings, "%.*s%s", (int)(strstr(lines, "\nreject") - lines),
                 lines, more[i]);
        struct ingest_case test = case_open(settings);
        test.limits.block_bytes = 1000;
        test.limits.chunk_rows = 50;
        for (unsigned blocks = 1; blocks < 4; blocks++) {
            test.limits.blocks = blocks;
            count_turns(&test, &file);
        }
        case_close(&test);
    }
    bytes_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_file_is_the_same_on_any_number_of_cores),
        cmocka_unit_test(characters_are_whole_wherever_a_buffer_ends),
        cmocka_unit_test(text_that_looks_like_rows_is_none),
        cmocka_unit_test(limits_of_a_file_are_its_own),
        cmocka_unit_test(memory_of_a_file_is_its_own),
        cmocka_unit_test(blocks_that_know_too_many_texts_mix_up_none),
        cmocka_unit_test(an_end_is_told_where_it_is),
        cmocka_unit_test(rows_that_get_shorter_fill_chunks),
        cmocka_unit_test(what_is_to_be_done_meanwhile_is_done_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
