#include "report/figures.h"

#include "report/number.h"

#include <string.h>

size_t figures_add_columns(struct sheet *sheet, const struct rollup_def *def, const char *prefix)
{
    // A year ago goes before what was right before, and both before the figures themselves.
    unsigned rank = prefix[0] == 'y' ? 5 : prefix[0] == 'p' ? 4 : 0;
    size_t first = sheet_add_column(sheet, SHEET_COUNT, 0, prefix, "incidents", "");

    for (size_t m = 0; m < def->measures_count; m++) {
        const char *measure = def->measures[m];
        size_t sum = sheet_add_column(sheet, SHEET_COUNT, 0, prefix, measure, "");
        size_t reported =
            sheet_add_column(sheet, SHEET_COUNT, SHEET_REPORTED, prefix, measure, "_reported");
        sheet->column[reported].beside = first;
        sheet->column[sum].rank = rank ? rank : 1;
        sheet->column[reported].rank = rank ? 7 : 6; // the notes below say it as well
    }
    sheet->column[first].rank = rank;
    return first;
}

struct sheet_value *figures_put(struct sheet_value *at, const struct rollup_def *def,
                                uint64_t measures, const struct rollup_sums *sums)
{
    *at++ = sheet_number((bytes_i128)sums->incidents);
    for (size_t m = 0; m < def->measures_count; m++) {
        const struct rollup_measure_sum *sum = &sums->measure[m];
        // What was reported is shown even where the feeds of today have no such column.
        if (!(measures >> m & 1) && sum->reported == 0) {
            *at++ = sheet_absent();
            *at++ = sheet_absent();
            continue;
        }
        if (sum->reported > 0) {
            *at = sheet_number(sum->sum);
        }
        at++;
        *at++ = sheet_number((bytes_i128)sum->reported);
    }
    return at;
}

int figures_bar_column(const struct sheet *sheet, size_t first, size_t measures_count,
                       const char *sort)
{
    int sorted = sort ? sheet_find_column(sheet, sort + (sort[0] == '-')) : -1;

    if (sorted >= 0 && sheet->column[sorted].kind == SHEET_COUNT) {
        return sorted;
    }
    return (int)(measures_count > 0 ? first + 1 : first);
}

void figures_note_unknown(struct sheet *sheet, const struct rollup_def *def, uint64_t measures,
                          const struct rollup_sums *sums)
{
    for (size_t m = 0; m < def->measures_count; m++) {
        const struct rollup_measure_sum *sum = &sums->measure[m];
        char total[NUMBER_BYTES];
        char reported[NUMBER_BYTES];
        char incidents[NUMBER_BYTES];

        if (sum->reported == sums->incidents || (!(measures >> m & 1) && sum->reported == 0)) {
            continue;
        }
        number_format(sum->sum, ',', total);
        number_format((bytes_i128)sum->reported, ',', reported);
        number_format((bytes_i128)sums->incidents, ',', incidents);
        if (sum->reported == 0) {
            sheet_add_note(sheet, sheet_printf(sheet, "%s: reported by none of %s incidents",
                                               def->measures[m], incidents));
        } else {
            sheet_add_note(sheet, sheet_printf(sheet, "%s %s, reported by %s of %s incidents",
                                               total, def->measures[m], reported, incidents));
        }
    }
}
