// tally report: the figures of a window as one page of HTML.
#include "report/run.h"

#include "report/origin.h"
#include "report/outfile.h"
#include "report/page.h"

#include <stdlib.h>

static bool write_page(const struct options *options, const struct rollup *rollup,
                       struct print *print, struct tally_err *err)
{
    struct outfile file;
    struct page *page = calloc(1, sizeof *page);

    if (!page) {
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    bool done = page_find(page, options, rollup, err);
    if (done) {
        done = outfile_open(&file, options->to, OUTFILE_PAGE, options->force, err);
        if (done) {
            done = page_write(page, file.stream, err) && outfile_commit(&file, err) &&
                   outfile_print(&file, print, err);
            outfile_close(&file);
        }
        period_warn_end(print, rollup, &page->where, page->period[PAGE_NOW].last_day);
        page_done(page);
    }
    free(page);
    return done;
}

bool run_report(const struct options *options, struct print *print, struct tally_err *err)
{
    enum outfile_kind kind;
    struct origin origin;

    if (!outfile_kind_of(options->to, &kind, err)) {
        return false;
    }
    if (kind != OUTFILE_PAGE) {
        return err_set(err, TALLY_INVALID,
                       "--to %.120s: tally report writes .html; tally export writes .db and .csv",
                       options->to);
    }
    if (!origin_open(&origin, options, ORIGIN_FIGURES, err)) {
        return false;
    }
    bool done = write_page(options, origin.rollup, print, err);
    origin_close(&origin);
    return done;
}
