// report/diff.h - what the two halves of `tally diff` share.
#ifndef REPORT_DIFF_H
#define REPORT_DIFF_H

#include "report/moment.h"
#include "report/options.h"
#include "report/period.h"
#include "report/sheet.h"
#include "report/origin.h"
#include "report/where.h"

struct diff {
    const struct options *options;
    const struct rollup_def *def;
    struct moment *before;
    struct moment *after;
    struct where where;
    struct by by;
    struct period period;
    struct sheet sheet;
};

// Fills the sheet with the incidents that changed.
bool diff_incidents(struct diff *diff, struct tally_err *err);

#endif
