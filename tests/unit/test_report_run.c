// The commands, from a ledger of two batches to the text that they print.
#include "report/run.h"

#include "base/disk.h"
#include "store/store.h"
#include "tests/unit/report_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORDS_MAX = 40 };

struct room {
    char state_dir[64];
    struct fixture fixture; // its shapes and its definition
    struct store *store;
    struct tally_err err;
};

static void check(bool done, const struct tally_err *err)
{
    if (!done) {
        fail_msg("%s: %s", err->place, err->message);
    }
}

static void add_row(struct rows *rows, const struct fixture_incident *incident, size_t number)
{
    const char *const texts[2] = {incident->country, incident->actor};
    const int64_t measures[2] = {incident->killed, incident->wounded};
    struct tally_err err;
    struct row *row = rows_add(rows, &err);

    assert_non_null(row);
    assert_true(rows_add_text(rows, incident->id, strlen(incident->id), &row->id, &err));
    row->record = number + 1;
    row->line = number + 2;
    row->first_day = incident->first_day;
    row->last_day = incident->last_day;
    row->revision_kind = REVISION_NUMBER;
    row->revision_number = incident->revision;
    for (uint32_t i = 0; i < 2; i++) {
        // A code for each row will do: the store joins equal texts.
        struct rows_span text;
        assert_true(rows_add_text(rows, texts[i], strlen(texts[i]), &text, &err));
        assert_true(rows_add_new_text(rows, i, text, &err));
        rows_dims(rows, number)[i] = (uint32_t)number + 1;
        if (measures[i] != FIXTURE_UNKNOWN) {
            rows_measures(rows, number)[i] = measures[i];
            row->reported |= UINT64_C(1) << i;
        }
    }
}

static void commit(struct room *room, const char *name, const struct fixture_incident *incidents,
                   size_t count)
{
    struct tally_err *err = &room->err;
    const struct shape *shape = room->fixture.shape[0];
    struct store_file file = {.mode = BATCH_UPSERT,
                              .feed = "acled",
                              .name = name,
                              .header = "id",
                              .scope_dim = -1,
                              .shape = shape};
    struct store_file_end end = {.digest = digest_of(name, strlen(name)),
                                 .time_ms = INT64_C(1603542600000),
                                 .bytes = 99,
                                 .records = count,
                                 .any_day = true,
                                 .first_day = fixture_day("2020-10-01"),
                                 .last_day = fixture_day("2020-10-24")};
    struct store_outcome outcome;
    struct rows rows;

    rows_init(&rows);
    rows_clear(&rows, shape);
    for (size_t i = 0; i < count; i++) {
        add_row(&rows, &incidents[i], i);
    }
    check(store_begin(room->store, &file, err), err);
    check(store_append(room->store, &rows, err), err);
    check(store_commit(room->store, &end, &outcome, err), err);
    rows_done(&rows);
}

static void fill_store(struct room *room)
{
    const int32_t day = fixture_day("2020-10-20");
    const struct fixture_incident first[] = {
        {0, "a", day, day, "Chad", "army", 3, FIXTURE_UNKNOWN, 1},
        {0, "b", day - 9, day + 2, "Chad", "mob", 4, 10, 1},
        {0, "c", day + 1, day + 1, "Mali", "army", FIXTURE_UNKNOWN, FIXTURE_UNKNOWN, 1},
    };
    const struct fixture_incident second[] = {
        {0, "a", day, day, "Mali", "army", 5, FIXTURE_UNKNOWN, 2},
        {0, "d", day, day, "Mali", "army", 1, 1, 1},
    };

    commit(room, "one.csv", first, 3);
    commit(room, "two.csv", second, 2);
    check(store_publish(room->store, &room->err), &room->err);
}

static int open_room(void **state)
{
    struct room *room = calloc(1, sizeof *room);

    assert_non_null(room);
    snprintf(room->state_dir, sizeof room->state_dir, "/tmp/tally-test-XXXXXX");
    assert_non_null(mkdtemp(room->state_dir));
    fixture_open(&room->fixture);
    struct store_options options = {
        .segment_bytes_max = STORE_SEGMENT_BYTES, .defs = &room->fixture.def, .defs_count = 1};
    int fd = disk_open(AT_FDCWD, room->state_dir, O_RDONLY | O_DIRECTORY, 0, &room->err);
    room->store = store_open(fd, &options, &room->err);
    check(room->store, &room->err);
    disk_close(fd);
    fill_store(room);
    *state = room;
    return 0;
}

static void remove_dir(const char *dir, const char *name)
{
    char path[128];
    struct tally_err err;
    struct disk_names names;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &err);
    assert_true(disk_list(fd, ".", &names, &err));
    for (size_t i = 0; i < names.count; i++) {
        assert_true(disk_unlink(fd, names.name[i], &err));
    }
    disk_names_done(&names);
    disk_close(fd);
    assert_int_equal(rmdir(path), 0);
}

static int close_room(void **state)
{
    struct room *room = *state;
    char path[128];

    store_close(room->store);
    remove_dir(room->state_dir, "ledger");
    remove_dir(room->state_dir, "rollup");
    snprintf(path, sizeof path, "%s/committed", room->state_dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(room->state_dir), 0);
    fixture_close(&room->fixture);
    free(room);
    return 0;
}

typedef bool run_command(const struct options *options, struct print *print, struct tally_err *err);

// What a command prints as CSV, warnings behind it. The caller frees it.
static char *run_line(const struct room *room, run_command *run, const char *line)
{
    char words[512];
    char *argv[WORDS_MAX + 1];
    int argc = 0;
    char *rest = words;
    struct options options;
    struct tally_err err;
    char *text;
    size_t bytes;

    snprintf(words, sizeof words, "tally --state %s %s", room->state_dir, line);
    for (char *word; (word = strsep(&rest, " ")) && argc < WORDS_MAX;) {
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    check(options_parse(&options, argc, argv, &err), &err);
    FILE *out = open_memstream(&text, &bytes);
    struct print print = {.out = out, .warnings = out, .format = PRINT_CSV};
    check(run(&options, &print, &err), &err);
    fclose(out);
    return text;
}

static void prints(const struct room *room, run_command *run, const char *line, const char *want)
{
    char *text = run_line(room, run, line);

    assert_string_equal(text, want);
    free(text);
}

#define HEAD                                                                                       \
    "window_start,window_end,days,basis,incidents,killed,killed_reported,wounded,"                 \
    "wounded_reported\n"
#define NO_UCDP "tally: warning: feed ucdp has no data yet\n"

static void window_totals_and_groups(void **state)
{
    prints(*state, run_window, "window harm --days 50 --end 2020-10-24",
           NO_UCDP HEAD "2020-09-05,2020-10-24,50,start,4,10,3,11,2\n");
    prints(*state, run_window, "window harm --days 3 --end 2020-10-22 --basis end --by country",
           NO_UCDP "country," HEAD "Chad,2020-10-20,2020-10-22,3,end,1,4,1,10,1\n"
                   "Mali,2020-10-20,2020-10-22,3,end,3,6,2,1,1\n");
    prints(*state, run_window,
           "window harm --days 3 --end 2020-10-22 --by country --where feed=acled --sort -killed "
           "--limit 1 --basis overlap",
           "country," HEAD "Mali,2020-10-20,2020-10-22,3,overlap,3,6,2,1,1\n");
    prints(*state, run_window, "window harm --days 3 --end 2020-10-22 --where country=Peru",
           NO_UCDP HEAD "2020-10-20,2020-10-22,3,start,0,,0,,0\n");
    prints(*state, run_window, "window harm --days 3 --end 2020-10-27 --where feed=acled",
           "tally: warning: feed acled covers through 2020-10-24; the window ends 2020-10-27\n" HEAD
           "2020-10-25,2020-10-27,3,start,0,,0,,0\n");
}

static void earlier_moments_are_reproduced(void **state)
{
    prints(*state, run_window, "window harm --days 50 --end 2020-10-24 --as-of 1",
           NO_UCDP HEAD "2020-09-05,2020-10-24,50,start,3,7,2,10,1\n");
    prints(*state, run_window, "window harm --days 50 --end 2020-10-24 --as-of 2020-10-24",
           NO_UCDP HEAD "2020-09-05,2020-10-24,50,start,4,10,3,11,2\n");
    prints(*state, run_window,
           "window harm --days 50 --end 2020-10-24 --as-of 2020-10-24T12:29:59Z",
           "tally: warning: feed acled has no data yet\n" NO_UCDP HEAD
           "2020-09-05,2020-10-24,50,start,0,,0,,0\n");
}

static void a_series_is_its_windows(void **state)
{
    prints(*state, run_series,
           "series harm --days 2 --from 2020-10-19 --to 2020-10-21 --where feed=acled",
           HEAD "2020-10-18,2020-10-19,2,start,0,,0,,0\n"
                "2020-10-19,2020-10-20,2,start,2,6,2,1,1\n"
                "2020-10-20,2020-10-21,2,start,3,6,2,1,1\n");
}

static void explain_lists_what_window_counts(void **state)
{
    char one[DIGEST_TEXT_BYTES];
    char two[DIGEST_TEXT_BYTES];
    char want[1024];

    digest_format(digest_of("one.csv", 7), one);
    digest_format(digest_of("two.csv", 7), two);
    snprintf(want, sizeof want,
             "country,actor,feed,id,first_day,last_day,killed,wounded,revision,batch,file,digest,"
             "record,line\n"
             "Mali,army,acled,a,2020-10-20,2020-10-20,5,,2,2,two.csv,%s,1,2\n"
             "Mali,army,acled,d,2020-10-20,2020-10-20,1,1,1,2,two.csv,%s,2,3\n"
             "Mali,army,acled,c,2020-10-21,2020-10-21,,,1,1,one.csv,%s,3,4\n",
             two, two, one);
    prints(*state, run_explain,
           "explain harm --days 50 --end 2020-10-24 --where country=Mali --where feed=acled", want);
    snprintf(want, sizeof want,
             "country,actor,feed,id,first_day,last_day,killed,wounded,revision,batch,file,digest,"
             "record,line\n"
             "Chad,mob,acled,b,2020-10-11,2020-10-22,4,10,1,1,one.csv,%s,2,3\n",
             one);
    prints(*state, run_explain,
           "explain harm --days 1 --end 2020-10-15 --basis overlap --where feed=acled", want);
}

static void diff_tells_groups_and_incidents(void **state)
{
    prints(*state, run_diff, "diff harm --from 1 --to 2 --by country",
           "country,before_incidents,after_incidents,change,before_killed,after_killed,"
           "change_killed,before_wounded,after_wounded,change_wounded\n"
           "Chad,2,1,-1,7,4,-3,10,10,0\n"
           "Mali,1,3,2,,6,6,,1,1\n");
    prints(*state, run_diff, "diff harm --from 1 --to 2 --days 3 --end 2020-10-12",
           "before_incidents,after_incidents,change,before_killed,after_killed,change_killed,"
           "before_wounded,after_wounded,change_wounded\n"
           "1,1,0,4,4,0,10,10,0\n");
    prints(*state, run_diff, "diff harm --from 1 --to 2 --incidents --where country=Mali",
           "change,feed,id,before_first_day,before_last_day,before_country,before_actor,"
           "before_feed,before_killed,before_wounded,after_first_day,after_last_day,"
           "after_country,after_actor,after_feed,after_killed,after_wounded\n"
           "\"moved-group,counts\",acled,a,2020-10-20,2020-10-20,Chad,army,acled,3,,2020-10-20,"
           "2020-10-20,Mali,army,acled,5,\n"
           "appeared,acled,d,,,,,,,,2020-10-20,2020-10-20,Mali,army,acled,1,1\n");
}

static void dump_and_verify_see_the_whole_file(void **state)
{
    char *text = run_line(*state, run_verify, "verify");

    assert_non_null(strstr(text, "ledger,ok,2 batches\n"));
    assert_non_null(strstr(text, "replay harm.rollup,ok,equals the ledger at batch 2\n"));
    free(text);
    prints(*state, run_dump, "dump harm --spans",
           "country,actor,feed,first_day,last_day,incidents,killed,killed_reported,wounded,"
           "wounded_reported\n"
           "Chad,mob,acled,2020-10-11,2020-10-22,1,4,1,10,1\n");
    prints(*state, run_dump, "dump harm --where country=Mali --limit 1",
           "country,actor,feed,day,incidents,killed,killed_reported,wounded,wounded_reported\n"
           "Mali,army,acled,2020-10-20,2,6,2,1,1\n");
}

static void files_tell_what_each_one_did(void **state)
{
    char *text = run_line(*state, run_files, "files --sort file");

    assert_non_null(strstr(text, ",99,accepted,3,3,0,0,0,0,1,2020-10-24T12:30:00.000Z,acled,"));
    assert_non_null(strstr(text, ",99,accepted,2,1,1,0,0,0,2,2020-10-24T12:30:00.000Z,acled,"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_totals_and_groups),
        cmocka_unit_test(earlier_moments_are_reproduced),
        cmocka_unit_test(a_series_is_its_windows),
        cmocka_unit_test(explain_lists_what_window_counts),
        cmocka_unit_test(diff_tells_groups_and_incidents),
        cmocka_unit_test(dump_and_verify_see_the_whole_file),
        cmocka_unit_test(files_tell_what_each_one_did),
    };
    return cmocka_run_group_tests(tests, open_room, close_room);
}
