// tally export: a rollup as a SQLite database, or its day cells as CSV.
#include "report/run.h"

#include "report/export.h"
#include "report/origin.h"
#include "report/outfile.h"

static bool write_database(const struct options *options, const struct outfile *file,
                           struct tally_err *err)
{
    struct origin origin;

    if (!origin_open(&origin, options, ORIGIN_FIGURES, err)) {
        return false;
    }
    bool done = export_database(origin.rollup, file->written, options->as_of, err);
    origin_close(&origin);
    return done;
}

// What `tally dump` prints.
static bool write_csv(const struct options *options, const struct print *print,
                      const struct outfile *file, struct tally_err *err)
{
    struct print csv = {.out = file->stream, .warnings = print->warnings, .format = PRINT_CSV};

    return run_dump(options, &csv, err);
}

bool run_export(const struct options *options, struct print *print, struct tally_err *err)
{
    enum outfile_kind kind;
    struct outfile file;

    if (!outfile_kind_of(options->to, &kind, err)) {
        return false;
    }
    if (kind == OUTFILE_PAGE) {
        return err_set(
            err, TALLY_INVALID,
            "--to %.120s: tally export writes .db (SQLite) and .csv; tally report writes "
            ".html",
            options->to);
    }
    if (!outfile_open(&file, options->to, kind, options->force, err)) {
        return false;
    }
    bool done = (kind == OUTFILE_CSV ? write_csv(options, print, &file, err)
                                     : write_database(options, &file, err)) &&
                outfile_commit(&file, err) && outfile_print(&file, print, err);
    outfile_close(&file);
    return done;
}
