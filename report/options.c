#include "report/options.h"

#include "base/day.h"
#include "report/number.h"

#include <getopt.h>
#include <string.h>

enum {
    ARGS_NONE,
    ARGS_ROLLUP, // exactly one
    ARGS_FOLDER, // exactly one, for what comes out
    ARGS_FILES,  // any number
};

struct command {
    const char *name;
    const char *args;
    int args_kind;
    const char *help;
};

static const struct command commands[] = {
    [COMMAND_ROLLUPS] = {"rollups", "", ARGS_NONE, "the rollups there are"},
    [COMMAND_WINDOW] = {"window", "ROLLUP --days N", ARGS_ROLLUP,
                        "totals of the last N days, or of N days to --end"},
    [COMMAND_SERIES] = {"series", "ROLLUP --days N --from DATE --to DATE", ARGS_ROLLUP,
                        "the same for each end day from DATE to DATE, one row a day"},
    [COMMAND_EXPLAIN] = {"explain", "ROLLUP --days N", ARGS_ROLLUP,
                         "the incidents behind the figures of a window"},
    [COMMAND_DIFF] = {"diff", "ROLLUP --from TIME|BATCH --to TIME|BATCH", ARGS_ROLLUP,
                      "what changed between two states, by group or by incident"},
    [COMMAND_CLAIMS] = {"claims", "ROLLUP", ARGS_ROLLUP,
                        "what was claimed against what is recorded, and against its own parts"},
    [COMMAND_FILES] = {"files", "", ARGS_NONE,
                       "every file that came in and what it did, or the rejected rows"},
    [COMMAND_VERIFY] = {"verify", "[FILE]...", ARGS_FILES,
                        "check every checksum, and the rollups against the ledger"},
    [COMMAND_SALVAGE] =
        {"salvage", "DIR", ARGS_FOLDER,
         "copy what is whole of a damaged ledger into a new folder, say what is not"},
    [COMMAND_DUMP] = {"dump", "ROLLUP", ARGS_ROLLUP,
                      "every day cell as it is stored, or every span"},
    [COMMAND_REPORT] = {"report", "ROLLUP --days N --to FILE.html", ARGS_ROLLUP,
                        "a page to look at and to print: figures, charts, table, coverage"},
    [COMMAND_EXPORT] = {"export", "ROLLUP --to FILE.db|FILE.csv", ARGS_ROLLUP,
                        "a SQLite database for Grafana, R, DuckDB; or the day cells as CSV"},
    [COMMAND_STATUS] = {"status", "", ARGS_NONE, "what the running tallyd is at"},
    [COMMAND_RESCAN] = {"rescan", "", ARGS_NONE, "asks the running tallyd to look at its inbox"},
    [COMMAND_WAIT] = {"wait", "ROLLUP --after GENERATION", ARGS_ROLLUP,
                      "waits until the rollup is of a later generation, and prints that"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

#define ON(command) (1U << (command))
#define ON_ALL (~0U)
#define ON_FRONT ON(COMMAND_NONE) // before the command
#define ON_FIGURES (ON(COMMAND_WINDOW) | ON(COMMAND_SERIES) | ON(COMMAND_DIFF) | ON(COMMAND_REPORT))
#define ON_INCIDENTS (ON_FIGURES | ON(COMMAND_EXPLAIN))
#define ON_FILES (ON(COMMAND_REPORT) | ON(COMMAND_EXPORT))
#define ON_CONTROL (ON(COMMAND_STATUS) | ON(COMMAND_RESCAN))
#define ON_SHEETS                                                                                  \
    (ON_ALL & ~ON_FRONT &                                                                          \
     ~(ON(COMMAND_VERIFY) | ON(COMMAND_SALVAGE) | ON(COMMAND_WAIT) | ON_CONTROL | ON_FILES))

typedef bool set_option(struct options *options, const char *value, struct tally_err *err);

struct option_row {
    const char *name;
    const char *value; // NULL: takes none
    unsigned on;       // which commands
    char letter;       // 0: none
    set_option *set;
    const char *help;
};

bool options_parse_day(const char *option, const char *text, int32_t *out_day,
                       struct tally_err *err)
{
    return day_parse_iso(text, strlen(text), out_day) ||
           err_set(err, TALLY_INVALID,
                   "--%s %.40s is no date; write it as 2020-10-24, a day that exists", option,
                   text);
}

static bool set_config(struct options *options, const char *value, struct tally_err *err)
{
    (void)err;
    options->config = value;
    return true;
}

static bool set_state(struct options *options, const char *value, struct tally_err *err)
{
    (void)err;
    options->state = value;
    return true;
}

static bool set_help(struct options *options, const char *value, struct tally_err *err)
{
    (void)value;
    (void)err;
    options->help = true;
    return true;
}

static bool set_version(struct options *options, const char *value, struct tally_err *err)
{
    (void)value;
    (void)err;
    options->version = true;
    return true;
}

static bool set_days(struct options *options, const char *value, struct tally_err *err)
{
    char digits[16];
    size_t bytes = strlen(value);
    uint64_t days;

    // "50d" as in the configuration.
    bytes -= bytes > 1 && value[bytes - 1] == 'd';
    bool fits = bytes < sizeof digits;
    snprintf(digits, sizeof digits, "%.*s", fits ? (int)bytes : 0, value);
    if (!number_parse(digits, (uint64_t)(DAY_MAX - DAY_MIN), &days) || days == 0) {
        return err_set(err, TALLY_INVALID,
                       "--days %.40s: write a whole number of days, 1 or more, such as 50", value);
    }
    options->days = (uint32_t)days;
    return true;
}

static bool set_end(struct options *options, const char *value, struct tally_err *err)
{
    options->end_given = true;
    return options_parse_day("end", value, &options->end, err);
}

static bool set_from(struct options *options, const char *value, struct tally_err *err)
{
    (void)err;
    options->from = value;
    return true;
}

static bool set_to(struct options *options, const char *value, struct tally_err *err)
{
    (void)err;
    options->to = value;
    return true;
}

static bool set_basis(struct options *options, const char *value, struct tally_err *err)
{
    return basis_parse(value, &options->basis) ||
           err_set(err, TALLY_INVALID, "--basis %.40s: write start, end, overlap or inside", value);
}

static bool set_by(struct options *options, const char *value, struct tally_err *err)
{
    (void)err;
    options->by = value[0] != '\0' ? value : NULL;
    return true;
}

static bool add_where(struct options *options, const char *value, struct tally_err *err)
{
    if (options->where_count == OPTIONS_WHERE_MAX) {
        return err_set(err, TALLY_INVALID, "more than %d --where", OPTIONS_WHERE_MAX);
    }
    options->where[options->where_count++] = value;
    return true;
}

static bool set_compare(struct options *options, const char *value, struct tally_err *err)
{
    for (const char *at = value; at;) {
        size_t bytes = strcspn(at, ",");
        if (bytes == strlen("previous") && memcmp(at, "previous", bytes) == 0) {
            options->previous = true;
        } else if (bytes == strlen("year-ago") && memcmp(at, "year-ago", bytes) == 0) {
            options->year_ago = true;
        } else {
            return err_set(err, TALLY_INVALID,
                           "--compare %.40s: write previous, year-ago or previous,year-ago", value);
        }
        at = at[bytes] == ',' ? at + bytes + 1 : NULL;
    }
    return true;
}

static bool set_sort(struct options *options, const char *value, struct tally_err *err)
{
    (void)err;
    options->sort = value;
    return true;
}

static bool set_limit(struct options *options, const char *value, struct tally_err *err)
{
    options->limited = true;
    return number_parse(value, UINT32_MAX, &options->limit) ||
           err_set(err, TALLY_INVALID, "--limit %.40s: write a whole number of rows", value);
}

static bool set_as_of(struct options *options, const char *value, struct tally_err *err)
{
    (void)err;
    options->as_of = value;
    return true;
}

static bool set_engine(struct options *options, const char *value, struct tally_err *err)
{
    if (strcmp(value, "clickhouse") == 0) {
        options->engine = OPTIONS_ENGINE_CLICKHOUSE;
    } else if (strcmp(value, "ledger") == 0) {
        options->engine = OPTIONS_ENGINE_LEDGER;
    } else {
        return err_set(err, TALLY_INVALID, "--engine %.40s: write ledger or clickhouse", value);
    }
    return true;
}

static bool set_format(struct options *options, const char *value, struct tally_err *err)
{
    static const char *const names[] = {
        [PRINT_TABLE] = "table", [PRINT_CSV] = "csv", [PRINT_JSON] = "json"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i]) == 0) {
            options->format = (enum print_format)i;
            options->format_given = true;
            return true;
        }
    }
    options->openmetrics = strcmp(value, "openmetrics") == 0;
    return options->openmetrics ||
           err_set(err, TALLY_INVALID, "--format %.40s: write table, csv or json", value);
}

static bool set_follow(struct options *options, const char *value, struct tally_err *err)
{
    (void)value;
    (void)err;
    options->follow = true;
    return true;
}

static bool set_socket(struct options *options, const char *value, struct tally_err *err)
{
    (void)err;
    options->socket = value;
    return true;
}

static bool set_after(struct options *options, const char *value, struct tally_err *err)
{
    options->after_given = true;
    return number_parse(value, UINT64_MAX, &options->after) ||
           err_set(err, TALLY_INVALID, "--after %.40s: write a generation, such as 12", value);
}

static bool set_timeout(struct options *options, const char *value, struct tally_err *err)
{
    options->timeout_given = true;
    return number_parse(value, UINT32_MAX, &options->timeout_s) ||
           err_set(err, TALLY_INVALID, "--timeout %.40s: write a whole number of seconds", value);
}

static bool set_rejected(struct options *options, const char *value, struct tally_err *err)
{
    (void)value;
    (void)err;
    options->rejected = true;
    return true;
}

static bool set_incidents(struct options *options, const char *value, struct tally_err *err)
{
    (void)value;
    (void)err;
    options->incidents = true;
    return true;
}

static bool set_spans(struct options *options, const char *value, struct tally_err *err)
{
    (void)value;
    (void)err;
    options->spans = true;
    return true;
}

static bool set_force(struct options *options, const char *value, struct tally_err *err)
{
    (void)value;
    (void)err;
    options->force = true;
    return true;
}

static const struct option_row rows[] = {
    {"config", "FILE", ON_ALL, 'c', set_config,
     "configuration that names the state directory (/etc/tallyd/tallyd.conf)"},
    {"state", "DIR", ON_ALL & ~ON_CONTROL, 's', set_state,
     "the state directory itself (/var/lib/tallyd); status and rescan ask a socket instead"},
    {"days", "N", ON_INCIDENTS, 'n', set_days, "length of the window in calendar days"},
    {"end", "DATE", ON_INCIDENTS & ~ON(COMMAND_SERIES), 'e', set_end,
     "last day of the window (default: the last day with data)"},
    {"from", "X", ON(COMMAND_SERIES) | ON(COMMAND_DIFF), 0, set_from,
     "series: first end day; diff: the state before, as for --as-of"},
    {"to", "X", ON(COMMAND_SERIES) | ON(COMMAND_DIFF) | ON_FILES, 0, set_to,
     "series: last end day; diff: the state after; report, export: the file to write"},
    {"force", NULL, ON_FILES, 0, set_force, "replace a file that was not written by tally"},
    {"basis", "BASIS", ON_INCIDENTS, 0, set_basis,
     "which incidents belong to a window: start (default), end, overlap, inside"},
    {"by", "DIM,...", ON_FIGURES, 0, set_by, "one row for each combination of these dimensions"},
    {"where", "DIM=LIST", ON_INCIDENTS | ON(COMMAND_CLAIMS) | ON(COMMAND_DUMP), 'w', add_where,
     "only these values: a,b either; !a not; a* any that start so; repeat for more"},
    {"compare", "LIST", ON(COMMAND_WINDOW), 0, set_compare,
     "previous: the window right before; year-ago: the same a year earlier; or both"},
    {"as-of", "TIME|BATCH",
     (ON_INCIDENTS | ON(COMMAND_CLAIMS) | ON(COMMAND_EXPORT)) & ~ON(COMMAND_DIFF), 0, set_as_of,
     "the figures as they stood then: 3 is batch 3, 2020-10-24T12:30:00Z a time, 2020-10-24 the "
     "end of that day in UTC"},
    {"engine", "ENGINE", ON(COMMAND_WINDOW) | ON(COMMAND_SERIES), 0, set_engine,
     "add up now: ledger, for a rollup that has a file; or clickhouse, the cluster that [store] "
     "names, also without one"},
    {"incidents", NULL, ON(COMMAND_DIFF), 0, set_incidents, "list the incidents that changed"},
    {"rejected", NULL, ON(COMMAND_FILES), 0, set_rejected, "list the rows that were set aside"},
    {"spans", NULL, ON(COMMAND_DUMP), 0, set_spans,
     "the incidents that last more than a day, instead of the cells"},
    {"follow", NULL, ON(COMMAND_STATUS), 0, set_follow, "again every second, one line each"},
    {"socket", "PATH", ON_CONTROL, 0, set_socket,
     "where tallyd listens (`control` of the configuration, or /run/tallyd/control)"},
    {"after", "GENERATION", ON(COMMAND_WAIT), 0, set_after,
     "the generation that is known; 0: any, also of a rollup that is not there yet"},
    {"timeout", "S", ON(COMMAND_WAIT), 0, set_timeout, "give up after so many seconds"},
    {"sort", "[-]COLUMN", ON_SHEETS, 0, set_sort, "by any column; - puts the greatest first"},
    {"limit", "K", ON_SHEETS | ON(COMMAND_REPORT), 0, set_limit, "at most K rows"},
    {"format", "FORMAT", ON_ALL, 'f', set_format,
     "table, csv or json (table on a terminal, csv otherwise); of a status also openmetrics"},
    {"help", NULL, ON_ALL, 'h', set_help, "this text"},
    {"version", NULL, ON_ALL, 'V', set_version, "the version"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

const char *options_command_name(enum options_command command)
{
    return command == COMMAND_NONE ? "" : commands[command].name;
}

static bool find_command(const char *name, enum options_command *out_command, struct tally_err *err)
{
    for (size_t i = COMMAND_NONE + 1; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            *out_command = (enum options_command)i;
            return true;
        }
    }
    return err_set(err, TALLY_INVALID, "no command '%.40s'; tally --help lists them", name);
}

// getopt's own form of the table. `letters` starts with the mode characters.
static void make_getopt(const char *mode, struct option longs[ROWS + 1], char letters[ROWS * 2 + 4])
{
    char *at = stpcpy(letters, mode);

    for (size_t i = 0; i < ROWS; i++) {
        longs[i] = (struct option){.name = rows[i].name,
                                   .has_arg = rows[i].value ? required_argument : no_argument,
                                   .val = 256 + (int)i};
        if (rows[i].letter) {
            *at++ = rows[i].letter;
            if (rows[i].value) {
                *at++ = ':';
            }
        }
    }
    longs[ROWS] = (struct option){0};
    *at = '\0';
}

static const struct option_row *find_row(int found)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (found == 256 + (int)i || (rows[i].letter && found == rows[i].letter)) {
            return &rows[i];
        }
    }
    return NULL;
}

static bool take_option(struct options *options, int found, char *const *argv,
                        struct tally_err *err)
{
    const struct option_row *row = find_row(found);
    const char *command = options_command_name(options->command);

    if (found == ':') {
        return err_set(err, TALLY_INVALID, "%.60s needs a value; see tally %s --help",
                       argv[optind - 1], command);
    }
    if (!row) {
        return err_set(err, TALLY_INVALID, "no option %.60s; see tally %s%s--help",
                       argv[optind - 1], command, command[0] ? " " : "");
    }
    if (options->command == COMMAND_NONE && !(row->on & ON_FRONT)) {
        return err_set(err, TALLY_INVALID, "--%s belongs behind the command", row->name);
    }
    if (!(row->on & ON(options->command))) {
        return err_set(err, TALLY_INVALID, "tally %s has no option --%s; see tally %s --help",
                       command, row->name, command);
    }
    return row->set(options, optarg, err);
}

static bool take_options(struct options *options, const char *mode, int argc, char **argv,
                         struct tally_err *err)
{
    struct option longs[ROWS + 1];
    char letters[ROWS * 2 + 4];
    int found;

    make_getopt(mode, longs, letters);
    opterr = 0;
    optind = 0; // makes glibc start afresh
    while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (!take_option(options, found, argv, err)) {
            return false;
        }
    }
    return true;
}

static bool check_needs(const struct options *options, struct tally_err *err)
{
    const struct command *command = &commands[options->command];
    bool series = options->command == COMMAND_SERIES;
    bool diff = options->command == COMMAND_DIFF;

    bool folder = command->args_kind == ARGS_FOLDER;
    size_t args = folder || command->args_kind == ARGS_ROLLUP ? 1 : 0;

    if (options->args_count < args) {
        return err_set(err, TALLY_INVALID, "tally %s needs %s: tally %s %s", command->name,
                       folder ? "a new folder" : "a rollup", command->name, command->args);
    }
    if (command->args_kind != ARGS_FILES && options->args_count > args) {
        return err_set(err, TALLY_INVALID, "tally %s: '%.60s' is one argument too many",
                       command->name, options->args[args]);
    }
    if ((options->command == COMMAND_WINDOW || options->command == COMMAND_EXPLAIN ||
         options->command == COMMAND_REPORT || series) &&
        options->days == 0) {
        return err_set(err, TALLY_INVALID, "tally %s needs --days N", command->name);
    }
    if ((series || diff) && (!options->from || !options->to)) {
        return err_set(err, TALLY_INVALID, "tally %s needs --from and --to", command->name);
    }
    if ((ON(options->command) & ON_FILES) && !options->to) {
        return err_set(err, TALLY_INVALID, "tally %s needs --to FILE", command->name);
    }
    if (options->openmetrics && (options->command != COMMAND_STATUS || options->follow)) {
        return err_set(err, TALLY_INVALID, "--format openmetrics is of tally status alone");
    }
    if (options->command == COMMAND_WAIT && !options->after_given) {
        return err_set(err, TALLY_INVALID, "tally wait needs --after GENERATION");
    }
    if (diff && options->end_given && options->days == 0) {
        return err_set(err, TALLY_INVALID, "tally diff --end needs --days N as well");
    }
    return true;
}

bool options_parse(struct options *options, int argc, char **argv, struct tally_err *err)
{
    *options = (struct options){0};
    // First up to the command, which decides which options there are behind it.
    if (!take_options(options, "+:", argc, argv, err)) {
        return false;
    }
    if (options->config && options->state) {
        return err_set(err, TALLY_INVALID, "give either --config or --state, not both");
    }
    if (options->help || options->version) {
        return true;
    }
    if (optind >= argc) {
        return err_set(err, TALLY_INVALID, "no command; tally --help lists them");
    }
    int at = optind;
    if (!find_command(argv[at], &options->command, err) ||
        !take_options(options, ":", argc - at, argv + at, err)) {
        return false;
    }
    options->args = argv + at + optind;
    options->args_count = (size_t)(argc - at - optind);
    if (options->config && options->state) {
        return err_set(err, TALLY_INVALID, "give either --config or --state, not both");
    }
    return options->help || options->version || check_needs(options, err);
}

static void help_options(enum options_command command, FILE *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (!(rows[i].on & ON(command))) { // without a command: only what may stand before one
            continue;
        }
        char left[40];
        snprintf(left, sizeof left, "--%s%s%s", rows[i].name, rows[i].value ? " " : "",
                 rows[i].value ? rows[i].value : "");
        fprintf(out, "  %c%c%s %-20s  %s\n", rows[i].letter ? '-' : ' ',
                rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? "," : " ", left,
                rows[i].help);
    }
}

static void help_columns(enum options_command command, FILE *out)
{
    static const char *const columns[COMMANDS] = {
        [COMMAND_ROLLUPS] =
            "rollup, feeds, groups, cells, first_day, last_day, generation, bytes, digest",
        [COMMAND_WINDOW] =
            "the --by dimensions, window_start, window_end, days, basis, incidents,\n"
            "then M and M_reported for each measure M; with --compare incidents, M "
            "and\nM_reported again, prefixed previous_ and year_ago_",
        [COMMAND_SERIES] =
            "the --by dimensions, window_start, window_end, days, basis, incidents,\n"
            "then M and M_reported for each measure M",
        [COMMAND_EXPLAIN] =
            "the rollup's dimensions, feed, id, first_day, last_day, each measure,\n"
            "revision, batch, file, digest, record, line",
        [COMMAND_DIFF] =
            "the --by dimensions, before_incidents, after_incidents, change, then\n"
            "before_M, after_M and change_M for each measure M; only rows that changed.\n"
            "With --incidents: change (appeared, withdrawn, moved-day, moved-group, counts), "
            "feed,\n"
            "id, then before_ and after_ first_day, last_day, dimensions and measures",
        [COMMAND_CLAIMS] =
            "id, speaker, stated_on, first_day, last_day, measure, filter, qualifier, value,\n"
            "recorded_inside, recorded_start, recorded_overlap, recorded_low, recorded_high,\n"
            "reported, incidents, verdict, reason, parts_sum, parts_verdict, responses, part_of,\n"
            "feed, batch, file, digest, record, line.\n"
            "\n"
            "A claim stands for a set of numbers: at least N is N or more, over N is N+1 or more,\n"
            "at most N is 0 to N, under N is 0 to N-1, exactly N is N, about N is all within a\n"
            "tenth of N. What is recorded reaches from recorded_low, the least of the figures by\n"
            "basis inside and of M.low, to recorded_high, the greatest of those by overlap and of\n"
            "M.high. The verdict is\n"
            "  consistent      they have a number in common\n"
            "  above           all that is claimed lies above all that is recorded\n"
            "  below           all that is claimed lies below it\n"
            "  not-comparable  and reason says why\n"
            "It is about what is recorded: where incidents did not report the measure, more may\n"
            "have happened, and the reason of a claim above says so. --where on id, speaker,\n"
            "stated_on, measure, filter, qualifier, responses or part_of chooses claims; on a\n"
            "dimension of the rollup it holds for what is recorded",
        [COMMAND_FILES] =
            "file, digest, bytes, outcome, rows, added, revised, withdrawn, unchanged,\n"
            "rejected, batch, time, feed, older, conflicts, disordered, first_day, last_day,\n"
            "unterminated, reason. With --rejected: feed, file, digest, record, line, offset,\n"
            "reason, explanation, raw",
        [COMMAND_VERIFY] =
            "thing, state (ok, DAMAGED, LOST, whole, behind), detail; exit status 65 if any is\n"
            "damaged",
        [COMMAND_SALVAGE] = "lost, file, place, reason; exit status 65 if anything is lost",
        [COMMAND_DUMP] = "the rollup's dimensions, day, incidents, then M and M_reported for each\n"
                         "measure M; with --spans first_day and last_day instead of day",
        [COMMAND_REPORT] =
            "file, bytes: what was written. Without --by the page is by the first dimension;\n"
            "its table holds 200 groups, or --limit K. A file of that name is replaced if tally "
            "wrote it",
        [COMMAND_EXPORT] = "file, bytes: what was written. The name's ending decides: .db is a "
                           "SQLite\ndatabase, .csv what tally dump prints. A file of that name is "
                           "replaced if tally wrote it",
        [COMMAND_STATUS] =
            "area, name, key, value in CSV: area tallyd, feed, rollup or file; json "
            "is\nwhat the daemon says. Counts of files and rows are since its start. "
            "With --follow\ntime, generation, waiting, files, reading_bytes",
        [COMMAND_RESCAN] = "none",
        [COMMAND_WAIT] = "rollup, generation; without --format the generation alone, for $(...). "
                         "Exit\nstatus 75: nothing new within the time",
    };

    fprintf(out, "\nColumns: %s.\n", columns[command]);
}

void options_help(const struct options *options, FILE *out)
{
    if (options->command == COMMAND_NONE) {
        fputs("Usage: tally [-c FILE | --state DIR] COMMAND [OPTION]... [ARGUMENT]...\n"
              "Totals of incidents over rolling windows, from the rollups that tallyd keeps.\n"
              "\nCommands:\n",
              out);
        for (size_t i = COMMAND_NONE + 1; i < COMMANDS; i++) {
            fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
        }
        fputs("\nOptions before or behind a command:\n", out);
    } else {
        const struct command *command = &commands[options->command];
        fprintf(out, "Usage: tally %s %s [OPTION]...\n%s.\n\nOptions:\n", command->name,
                command->args, command->help);
    }
    help_options(options->command, out);
    if (options->command != COMMAND_NONE) {
        help_columns(options->command, out);
    }
    fputs("\nROLLUP is a name or the path of a .rollup file. Dates are ISO 8601. tally COMMAND "
          "--help\n"
          "says more. Exit status: 0, 64 usage, 65 damaged data, 66 not found, 69 a server does "
          "not answer,\n"
          "70 no memory or a fault of tally, 73 a sum beyond 64 bits, 74 I/O, 75 busy, 78 "
          "configuration.\n",
          out);
}
