// report/period.h - the days that a question is about, and what has to be said of them.
#ifndef REPORT_PERIOD_H
#define REPORT_PERIOD_H

#include "report/options.h"
#include "report/print.h"
#include "report/sheet.h"
#include "report/where.h"
#include "store/rollup_read.h"

#include <stdint.h>

struct period {
    int32_t first_day;
    int32_t last_day; // both included
    uint32_t days;
};

// The window of `days` days to `last_day`. Errors: TALLY_INVALID where the calendar ends.
bool period_of(uint32_t days, int32_t last_day, struct period *out_period, struct tally_err *err);

// Whether an incident of these days belongs to the window.
bool period_holds(const struct period *period, enum basis basis, int32_t first_day,
                  int32_t last_day);

// The window that was asked for: --end, or the last day with data.
bool period_asked(const struct options *options, const struct rollup *rollup,
                  struct period *out_period, struct tally_err *err);

// "feed acled covers through 2020-07-31; the window ends 2020-08-20", for each feed that counts.
void period_warn_end(struct print *print, const struct rollup *rollup, const struct where *where,
                     int32_t last_day);
// The same for a window to compare with that starts before a feed does.
void period_warn_start(struct print *print, const struct rollup *rollup, const struct where *where,
                       const char *window, int32_t first_day);

// "attacks · 50 days 2020-09-05 .. 2020-10-24 · by start · target=civilians · as of 3"
const char *period_title(struct sheet *sheet, const struct rollup *rollup,
                         const struct options *options, const struct period *period);

#endif
