#include "report/period.h"

#include "base/day.h"
#include "report/number.h"
#include "report/select.h"

bool period_of(uint32_t days, int32_t last_day, struct period *out_period, struct tally_err *err)
{
    char day[DAY_TEXT_BYTES];
    int64_t first_day = (int64_t)last_day - days + 1;

    if (first_day < DAY_MIN) {
        return err_set(err, TALLY_INVALID, "%u days to %s reach back before the calendar", days,
                       day_format_iso(last_day, day));
    }
    *out_period =
        (struct period){.first_day = (int32_t)first_day, .last_day = last_day, .days = days};
    return true;
}

bool period_holds(const struct period *period, enum basis basis, int32_t first_day,
                  int32_t last_day)
{
    bool starts = first_day >= period->first_day && first_day <= period->last_day;
    bool ends = last_day >= period->first_day && last_day <= period->last_day;

    switch (basis) {
    case BASIS_START:
        return starts;
    case BASIS_END:
        return ends;
    case BASIS_OVERLAP:
        return first_day <= period->last_day && last_day >= period->first_day;
    case BASIS_INSIDE:
        return starts && ends;
    }
    return false;
}

bool period_asked(const struct options *options, const struct rollup *rollup,
                  struct period *out_period, struct tally_err *err)
{
    if (options->end_given) {
        return period_of(options->days, options->end, out_period, err);
    }
    if (!rollup_any_day(rollup)) {
        return err_set(err, TALLY_NOT_FOUND, "rollup %.64s has no data yet; give --end DATE",
                       rollup_def(rollup)->name);
    }
    return period_of(options->days, select_end_day(rollup), out_period, err);
}

void period_warn_end(struct print *print, const struct rollup *rollup, const struct where *where,
                     int32_t last_day)
{
    const struct rollup_def *def = rollup_def(rollup);
    char covered[DAY_TEXT_BYTES];
    char end[DAY_TEXT_BYTES];

    day_format_iso(last_day, end);
    for (size_t i = 0; i < def->feeds_count; i++) {
        struct rollup_coverage coverage = rollup_coverage(rollup, i);
        if (!where_has_feed(where, def, i)) {
            continue;
        }
        if (!coverage.any) {
            print_warning(print, "feed %s has no data yet", def->feeds[i].name);
        } else if (coverage.last_day < last_day) {
            print_warning(print, "feed %s covers through %s; the window ends %s",
                          def->feeds[i].name, day_format_iso(coverage.last_day, covered), end);
        }
    }
}

void period_warn_start(struct print *print, const struct rollup *rollup, const struct where *where,
                       const char *window, int32_t first_day)
{
    const struct rollup_def *def = rollup_def(rollup);
    char covered[DAY_TEXT_BYTES];
    char start[DAY_TEXT_BYTES];

    day_format_iso(first_day, start);
    for (size_t i = 0; i < def->feeds_count; i++) {
        struct rollup_coverage coverage = rollup_coverage(rollup, i);
        if (where_has_feed(where, def, i) && coverage.any && coverage.first_day > first_day) {
            print_warning(print, "feed %s begins on %s; the %s window starts %s",
                          def->feeds[i].name, day_format_iso(coverage.first_day, covered), window,
                          start);
        }
    }
}

const char *period_title(struct sheet *sheet, const struct rollup *rollup,
                         const struct options *options, const struct period *period)
{
    char first[DAY_TEXT_BYTES];
    char last[DAY_TEXT_BYTES];
    char days[NUMBER_BYTES];
    const char *title =
        sheet_printf(sheet, "%s · %s day%s %s .. %s · by %s", rollup_def(rollup)->name,
                     number_format(period->days, ',', days), period->days == 1 ? "" : "s",
                     day_format_iso(period->first_day, first),
                     day_format_iso(period->last_day, last), basis_name(options->basis));

    for (size_t i = 0; i < options->where_count; i++) {
        title = sheet_printf(sheet, "%s · %s", title, options->where[i]);
    }
    if (options->as_of) {
        title = sheet_printf(sheet, "%s · as of %s", title, options->as_of);
    }
    return title;
}
