// store/rollup_headline.c - the totals of the configured windows, plain: written and proved.
//
// The writer takes them from what it packs (rollup_encode.c), the proof from what is read.
#include "store/rollup_private.h"

#include <stdlib.h>
#include <string.h>

// The last day that any feed of the rollup covers; false when none does.
static bool covered_through(const struct headline *headline, int32_t *out_day)
{
    bool any = false;

    for (size_t i = 0; i < headline->def->feeds_count; i++) {
        struct rollup_coverage coverage = headline->coverage[i];
        if (coverage.any && (!any || coverage.last_day > *out_day)) {
            *out_day = coverage.last_day;
            any = true;
        }
    }
    return any;
}

static int64_t narrow(bytes_i128 sum)
{
    return sum > INT64_MIN && sum <= INT64_MAX ? (int64_t)sum : INT64_MIN;
}

void headline_put(const struct headline *headline, uint32_t group, const struct rollup_sums *sums,
                  int64_t *number)
{
    size_t groups = headline->groups;

    number[group] = (int64_t)sums->incidents;
    for (size_t m = 0; m < headline->def->measures_count; m++) {
        number[(1 + 2 * m) * groups + group] = narrow(sums->measure[m].sum);
        number[(2 + 2 * m) * groups + group] = (int64_t)sums->measure[m].reported;
    }
}

// Narrowest width that holds every number of a column.
static uint32_t width_of(const int64_t *number, size_t count)
{
    uint32_t width = 1;

    for (size_t i = 0; i < count; i++) {
        while (width < 8 && (number[i] < -(INT64_C(1) << (8 * width - 1)) ||
                             number[i] >= INT64_C(1) << (8 * width - 1))) {
            width *= 2;
        }
    }
    return width;
}

static void put_column(const int64_t *numbers, size_t groups, size_t column, struct bytes *out)
{
    const int64_t *number = numbers + column * groups;
    bool reported = column > 0 && column % 2 == 0;
    // Width 0: all incidents of every group reported the measure.
    bool all = reported && memcmp(number, numbers, groups * sizeof *number) == 0;
    uint32_t width = all ? 0 : width_of(number, groups);

    bytes_put_u32(out, width);
    bytes_put_u32(out, 0);
    bytes_reserve(out, width * groups);
    for (size_t i = 0; width > 0 && i < groups; i++) {
        uint64_t value = htole64((uint64_t)number[i]);
        bytes_put(out, &value, width);
    }
    bytes_put_filling(out, 0);
}

static bool put_windows(const struct headline *headline, int32_t end, struct bytes *out,
                        struct tally_err *err)
{
    const struct rollup_def *def = headline->def;
    size_t columns = 1 + 2 * def->measures_count;
    int64_t *number = calloc(columns * ((size_t)headline->groups + 1), sizeof *number);
    bool ok = true;

    if (!number) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for the headline");
    }
    for (size_t i = 0; ok && i < 2 * def->windows_count; i++) {
        int32_t days = (int32_t)def->windows[i / 2];
        int32_t last_day = i % 2 == 0 ? end : end - days;
        ok = headline->fill(headline, last_day - days + 1, last_day, number, err);
        for (size_t column = 0; ok && column < columns; column++) {
            put_column(number, headline->groups, column, out);
        }
    }
    free(number);
    return ok && (out->ok || err_set(err, TALLY_NO_MEMORY, "no memory for the headline"));
}

bool headline_encode(const struct headline *headline, struct bytes *out, struct tally_err *err)
{
    int32_t end = 0;
    bool any = covered_through(headline, &end);

    bytes_put_u32(out, any);
    bytes_put_u32(out, (uint32_t)end);
    return !any || put_windows(headline, end, out, err);
}

// ---- of a rollup that is read -------------------------------------------------------------

static bool fill_window(const struct headline *headline, int32_t first_day, int32_t last_day,
                        int64_t *number, struct tally_err *err)
{
    const struct rollup *rollup = headline->context;
    struct rollup_cursor cursor = {0};

    for (uint32_t group = 0; group < rollup->groups; group++) {
        struct rollup_sums sums;
        rollup_sums_clear(&sums, rollup->def.measures_count);
        if (!rollup_add_window(rollup, &cursor, group, BASIS_START, first_day, last_day, &sums,
                               err)) {
            return false;
        }
        headline_put(headline, group, &sums, number);
    }
    return true;
}

bool rollup_encode_headline(const struct rollup *rollup, struct bytes *out, struct tally_err *err)
{
    struct headline headline = {.context = (void *)(uintptr_t)rollup,
                                .def = &rollup->def,
                                .coverage = rollup->coverage,
                                .groups = rollup->groups,
                                .fill = fill_window};

    return headline_encode(&headline, out, err);
}

bool rollup_verify_headline(const struct rollup *rollup, struct tally_err *err)
{
    const struct section *section = &rollup->section[ROLLUP_HEADLINE];
    struct bytes want;

    if (!rollup_check_section(rollup, ROLLUP_HEADLINE, err)) {
        return false;
    }
    bytes_init(&want);
    bool ok = rollup_encode_headline(rollup, &want, err);
    bool same =
        ok && want.count == section->bytes && memcmp(want.data, section->data, want.count) == 0;
    bytes_done(&want);
    return same ||
           (ok ? rollup_damaged(err, "headline", "does not say what the cells say") : false);
}
