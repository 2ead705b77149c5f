// tests/guard/look.c - look-ups to count the instructions of (guard.py).
//
//     guard_look FILE.rollup one COUNT    windows of one group, found by its texts
//     guard_look FILE.rollup all COUNT    windows of all groups at one date
//
// Which groups and days is a matter of COUNT alone. What is made ready does not depend on it, so
// that the difference of two counts is the look-ups'.
#include "report/tally.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { WINDOW_DAYS = 50, GROUP_STEP = 619, DAY_STEP = 97, TEXT_BYTES = 128 };

struct look {
    const struct tally_rollup *rollup;
    size_t count;
    size_t dims;
    size_t groups;
    char (*text)[TALLY_DIMS_MAX][TEXT_BYTES]; // of each group
    struct tally_sum *sums;                   // [groups][measures]
    uint64_t *incidents;
    uint64_t all; // what was found
};

static void check(bool ok, const struct tally_err *tally_err)
{
    if (!ok) {
        errx(EX_DATAERR, "%s: %s", tally_err->place, tally_err->message);
    }
}

static int32_t last_day_at(const struct look *look, size_t number)
{
    int32_t first = tally_first_day(look->rollup);
    int32_t days = tally_last_day(look->rollup) - first + 1;
    return first + (int32_t)(number * DAY_STEP % (size_t)days);
}

static void look_up_one(struct look *look)
{
    struct tally_err tally_err;

    for (size_t i = 0; i < look->count; i++) {
        const char *texts[TALLY_DIMS_MAX];
        int32_t last_day = last_day_at(look, i);
        for (size_t dim = 0; dim < look->dims; dim++) {
            texts[dim] = look->text[i * GROUP_STEP % look->groups][dim];
        }
        int64_t group = tally_find_group(look->rollup, texts);
        if (group < 0) {
            errx(EX_DATAERR, "a group is not found by its texts");
        }
        check(tally_window(look->rollup, (size_t)group, TALLY_START, last_day - WINDOW_DAYS + 1,
                           last_day, look->incidents, look->sums, &tally_err),
              &tally_err);
        look->all += look->incidents[0];
    }
}

static void look_up_all(struct look *look)
{
    const char *by[TALLY_DIMS_MAX];
    struct tally_err tally_err;

    for (size_t dim = 0; dim < look->dims; dim++) {
        by[dim] = tally_dim(look->rollup, dim);
    }
    struct tally_selection *selection =
        tally_selection_open(look->rollup, by, look->dims, NULL, 0, &tally_err);
    check(selection, &tally_err);
    for (size_t i = 0; i < look->count; i++) {
        int32_t last_day = last_day_at(look, i);
        check(tally_selection_windows(selection, TALLY_START, last_day - WINDOW_DAYS + 1, last_day,
                                      look->incidents, look->sums, &tally_err),
              &tally_err);
        for (size_t row = 0; row < look->groups; row++) {
            look->all += look->incidents[row];
        }
    }
    tally_selection_close(selection);
}

static void make_ready(struct look *look)
{
    look->dims = tally_dims(look->rollup);
    look->groups = tally_groups(look->rollup);
    look->text = calloc(look->groups, sizeof *look->text);
    look->incidents = calloc(look->groups, sizeof *look->incidents);
    look->sums = calloc(look->groups * tally_measures(look->rollup) + 1, sizeof *look->sums);
    if (look->groups == 0 || !look->text || !look->incidents || !look->sums) {
        errx(EX_OSERR, "no groups, or no memory");
    }
    for (size_t group = 0; group < look->groups; group++) {
        for (size_t dim = 0; dim < look->dims; dim++) {
            tally_text(look->rollup, group, dim, look->text[group][dim], TEXT_BYTES);
        }
    }
}

int main(int argc, char **argv)
{
    struct tally_err tally_err;
    struct look look = {.count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0};

    if (look.count == 0) {
        errx(EX_USAGE, "usage: guard_look FILE.rollup one|all COUNT");
    }
    struct tally_rollup *rollup = tally_open(argv[1], &tally_err);
    check(rollup, &tally_err);
    look.rollup = rollup;
    make_ready(&look);
    if (strcmp(argv[2], "one") == 0) {
        look_up_one(&look);
    } else {
        look_up_all(&look);
    }
    free(look.text);
    free(look.incidents);
    free(look.sums);
    tally_close(rollup);
    return look.all > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
