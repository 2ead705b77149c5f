#include "report/options.h"

#include "tests/unit/report_fixture.h"

#include <stdlib.h>

enum { WORDS_MAX = 40 };

// Splits at blanks; the words have to outlive the options.
static bool parse(struct options *options, const char *line, struct tally_err *err)
{
    static char words[512];
    static char *argv[WORDS_MAX + 1];
    int argc = 0;
    char *rest = words;

    snprintf(words, sizeof words, "tally %s", line);
    for (char *word; (word = strsep(&rest, " ")) && argc < WORDS_MAX;) {
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return options_parse(options, argc, argv, err);
}

static void accepts(const char *line)
{
    struct options options;
    struct tally_err err;

    if (!parse(&options, line, &err)) {
        fail_msg("%s: %s", line, err.message);
    }
}

static void rejects(const char *line, const char *word)
{
    struct options options;
    struct tally_err err;

    assert_false(parse(&options, line, &err));
    assert_int_equal(err.code, TALLY_INVALID);
    if (!strstr(err.message, word)) {
        fail_msg("%s: '%s' is not in: %s", line, word, err.message);
    }
}

static void a_full_window_is_understood(void **state)
{
    struct options options;
    struct tally_err err;

    (void)state;
    assert_true(parse(&options,
                      "--state dir window harm --days 50d --end 2020-10-24 --basis overlap "
                      "--by country,actor --where actor=army -w country=!Chad "
                      "--compare year-ago,previous --sort -killed --limit 3 --format json",
                      &err));
    assert_int_equal(options.command, COMMAND_WINDOW);
    assert_string_equal(options.state, "dir");
    assert_int_equal(options.args_count, 1);
    assert_string_equal(options.args[0], "harm");
    assert_int_equal(options.days, 50);
    assert_int_equal(options.end, fixture_day("2020-10-24"));
    assert_int_equal(options.basis, BASIS_OVERLAP);
    assert_string_equal(options.by, "country,actor");
    assert_int_equal(options.where_count, 2);
    assert_true(options.previous && options.year_ago);
    assert_string_equal(options.sort, "-killed");
    assert_true(options.limited);
    assert_int_equal(options.limit, 3);
    assert_int_equal(options.format, PRINT_JSON);
}

static void options_may_stand_anywhere(void **state)
{
    struct options options;
    struct tally_err err;

    (void)state;
    assert_true(parse(&options, "window --days=7 harm --state dir", &err));
    assert_string_equal(options.args[0], "harm");
    assert_string_equal(options.state, "dir");
    assert_int_equal(options.days, 7);
}

static void lines_that_make_sense_pass(void **state)
{
    (void)state;
    accepts("rollups");
    accepts("-c file rollups --format csv");
    accepts("series r --days 50 --from 2020-01-01 --to 2020-02-01");
    accepts("explain r --days 50 --as-of 3");
    accepts("window r --days 50 --engine clickhouse");
    accepts("series r --days 5 --from 2020-01-01 --to 2020-02-01 --engine ledger --as-of 3");
    accepts("diff r --from 1 --to 2 --incidents");
    accepts("files --rejected");
    accepts("verify");
    accepts("verify a.rollup b.rollup");
    accepts("dump r --spans");
    accepts("window --help");
    accepts("--help");
    accepts("--version");
}

static void mistakes_are_named(void **state)
{
    (void)state;
    rejects("", "no command");
    rejects("windows r", "no command 'windows'");
    rejects("--days 3 window r", "--days"); // belongs behind the command
    rejects("--sort x rollups", "--sort");
    rejects("window r --days 0000000000000050", "--days");
    rejects("window r --days 000000000000050garbage", "--days");
    rejects("status --state /s", "tally status has no option --state");
    rejects("rescan -s /s", "tally rescan has no option --state");
    rejects("window", "needs a rollup");
    rejects("window r", "needs --days");
    rejects("window r s --days 3", "'s' is one argument too many");
    rejects("rollups r", "'r' is one argument too many");
    rejects("window r --days", "--days needs a value");
    rejects("window r --days 0", "1 or more");
    rejects("window r --days -3", "1 or more");
    rejects("window r --days 50x", "whole number");
    rejects("window r --days 99999999999", "whole number");
    rejects("window r --days 5 --end 2020-02-30", "a day that exists");
    rejects("window r --days 5 --end 24.10.2020", "write it as 2020-10-24");
    rejects("window r --days 5 --basis middle", "start, end, overlap or inside");
    rejects("window r --days 5 --compare last", "previous, year-ago");
    rejects("window r --days 5 --format xml", "table, csv or json");
    rejects("window r --days 5 --limit many", "number of rows");
    rejects("window r --days 5 --rejected", "has no option --rejected");
    rejects("window r --days 5 --colour", "no option --colour");
    rejects("window r --days 5 -x", "no option");
    rejects("series r --days 5 --from 2020-01-01", "--from and --to");
    rejects("diff r --from 1 --to 2 --end 2020-01-01", "--days");
    rejects("-c file --state dir rollups", "not both");
    rejects("-c file rollups --state dir", "not both");
}

static void help_names_every_command_and_column(void **state)
{
    struct options options = {.command = COMMAND_NONE};
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    (void)state;
    options_help(&options, out);
    for (int command = COMMAND_ROLLUPS; command <= COMMAND_DUMP; command++) {
        options.command = (enum options_command)command;
        options_help(&options, out);
    }
    fclose(out);
    assert_non_null(strstr(text, "Usage: tally series ROLLUP --days N --from DATE --to DATE"));
    assert_non_null(strstr(text, "--as-of TIME|BATCH"));
    assert_null(strstr(text, "(null)"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_window_is_understood),
        cmocka_unit_test(options_may_stand_anywhere),
        cmocka_unit_test(lines_that_make_sense_pass),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(help_names_every_command_and_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
