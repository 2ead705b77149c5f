// tally - totals of incidents over rolling windows, from the rollups that tallyd keeps.
//
//   main.c        the command line in, an exit status out
//   options.c     one table of commands and options; --help comes from it
//   origin.c      configuration -> state directory -> rollup file, or a moment of the history
//   history*.c moment.c           batches of the past: of the ledger here, or of a cluster
//   run_*.c       one file a command: asks the core, fills a sheet, prints it
//   where.c select.c series.c     the core: which groups, which rows, which sums; no I/O
//   period.c figures.c            what commands share: days, columns of sums, warnings
//   verify*.c                     what is checked of a ledger, a cluster, a rollup
//   claims.c recorded.c verdict.c the core of tally claims
//   control_client.c              asking the running daemon
//   sheet.c       columns and rows; sorting
//   print*.c glyphs.c number.c    CSV, JSON, tables
//   export_*.c sqlite.c           a rollup as a SQLite database
//   page*.c chart.c html.c         a rollup as a page to look at
//   outfile.c     a file written beside and put in place
//   tally.c tally_selection.c     libtally, for programs; the command does not need it
#include "report/glyphs.h"
#include "report/number.h"
#include "report/options.h"
#include "report/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

enum { STDOUT_BYTES = 1 << 16 };

typedef bool run_command(const struct options *options, struct print *print, struct tally_err *err);

static run_command *const run[] = {
    [COMMAND_ROLLUPS] = run_rollups, [COMMAND_WINDOW] = run_window,   [COMMAND_SERIES] = run_series,
    [COMMAND_EXPLAIN] = run_explain, [COMMAND_DIFF] = run_diff,       [COMMAND_FILES] = run_files,
    [COMMAND_VERIFY] = run_verify,   [COMMAND_DUMP] = run_dump,       [COMMAND_CLAIMS] = run_claims,
    [COMMAND_EXPORT] = run_export,   [COMMAND_STATUS] = run_status,   [COMMAND_RESCAN] = run_rescan,
    [COMMAND_WAIT] = run_wait,       [COMMAND_SALVAGE] = run_salvage, [COMMAND_REPORT] = run_report,
};

static int exit_status(const struct tally_err *err)
{
    switch (err->code) {
    case TALLY_OK:
        return EX_OK;
    case TALLY_INVALID:
        return EX_USAGE;
    case TALLY_NOT_FOUND:
        return EX_NOINPUT;
    case TALLY_CORRUPT:
    case TALLY_UNSUPPORTED:
        return EX_DATAERR;
    case TALLY_OVERFLOW: // the file that was asked for cannot hold a figure
        return EX_CANTCREAT;
    case TALLY_REFUSED: // origin.c: the configuration is wrong
        return EX_CONFIG;
    case TALLY_IO:
        return err->sys_errno == ENOENT ? EX_NOINPUT : EX_IOERR;
    case TALLY_NO_SPACE:
    case TALLY_SYNC_FAILED:
        return EX_IOERR;
    case TALLY_BUSY:
        return EX_TEMPFAIL;
    case TALLY_UNAVAILABLE: // a server of the cluster
        return EX_UNAVAILABLE;
    case TALLY_LIMIT:
    case TALLY_NO_MEMORY:
        return EX_SOFTWARE;
    }
    return EX_SOFTWARE;
}

// Names of files and texts of feeds stand in messages.
static int fail(const struct tally_err *err)
{
    struct bytes text;

    bytes_init(&text);
    glyphs_put(&text, err->place, strlen(err->place), SIZE_MAX);
    bytes_put(&text, ": ", err->place[0] ? 2 : 0);
    glyphs_put(&text, err->message, strlen(err->message), SIZE_MAX);
    // What was printed so far stands above the message also where both go to one place.
    fflush(stdout);
    fprintf(stderr, "tally: %.*s\n", (int)text.count, (const char *)text.data);
    bytes_done(&text);
    return exit_status(err);
}

static int finish_text(void)
{
    struct tally_err err;

    if (fflush(stdout) != 0 || ferror(stdout)) {
        err_sys(&err, "write the output");
        return fail(&err);
    }
    return EX_OK;
}

// COLUMNS, or what the terminal says; 0: not known.
static size_t terminal_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    uint64_t width;

    if (columns && number_parse(columns, UINT16_MAX, &width)) {
        return (size_t)width;
    }
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static struct print open_print(const struct options *options)
{
    bool terminal = isatty(STDOUT_FILENO);
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    return (struct print){.out = stdout,
                          .warnings = stderr,
                          .width = terminal_width(),
                          .format = options->format_given ? options->format
                                    : terminal            ? PRINT_TABLE
                                                          : PRINT_CSV,
                          .styled = terminal && !(no_color && no_color[0] != '\0') &&
                                    !(term && strcmp(term, "dumb") == 0)};
}

int main(int argc, char **argv)
{
    struct options options;
    struct tally_err err = {.code = TALLY_OK};

    setvbuf(stdout, NULL, _IOFBF, STDOUT_BYTES);
    if (!options_parse(&options, argc, argv, &err)) {
        return fail(&err);
    }
    if (options.help) {
        options_help(&options, stdout);
        return finish_text();
    }
    if (options.version) {
        printf("tally %s\n", TALLY_VERSION);
        return finish_text();
    }
    struct print print = open_print(&options);
    return run[options.command](&options, &print, &err) ? EX_OK : fail(&err);
}
