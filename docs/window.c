/* window.c - the last days of a rollup by one dimension, as `tally window FILE --days N --by DIM`
 * prints them: cc window.c $(pkg-config --cflags --libs libtally) */
#include <stdio.h>
#include <stdlib.h>
#include <tally.h>

static int fail(const struct tally_err *err)
{
    fprintf(stderr, "%s%s%s\n", err->place, err->place[0] ? ": " : "", err->message);
    return 1;
}

/* Unknown and absent measures are empty, not 0. */
static void print_sum(const struct tally_sum *sum)
{
    printf(",");
    if (sum->state == TALLY_KNOWN)
        printf("%lld", (long long)sum->sum);
    printf(",");
    if (sum->state != TALLY_ABSENT)
        printf("%llu", (unsigned long long)sum->reported);
}

static int print_rows(const struct tally_rollup *rollup, const struct tally_selection *rows,
                      int32_t first, int32_t last)
{
    char start[TALLY_DAY_BYTES], end[TALLY_DAY_BYTES], text[256];
    struct tally_sum sums[TALLY_MEASURES_MAX];
    struct tally_err err;
    uint64_t incidents;

    tally_day_format(first, start);
    tally_day_format(last, end);
    for (size_t row = 0; row < tally_selection_rows(rows); row++) {
        if (!tally_selection_window(rows, row, TALLY_START, first, last, &incidents, sums, &err))
            return fail(&err);
        if (incidents == 0)
            continue;
        tally_selection_text(rows, row, 0, text, sizeof text);
        printf("%s,%s,%s,%d,start,%llu", text, start, end, (int)(last - first + 1),
               (unsigned long long)incidents);
        for (size_t m = 0; m < tally_measures(rollup); m++)
            print_sum(&sums[m]);
        printf("\n");
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct tally_err err;
    struct tally_rollup *rollup;
    struct tally_selection *rows;
    const char *by[1];
    int32_t end;

    if (argc != 4)
        return 64;
    by[0] = argv[3];
    if (!(rollup = tally_open(argv[1], &err)) || !tally_end_day(rollup, &end, &err) ||
        !(rows = tally_selection_open(rollup, by, 1, NULL, 0, &err)))
        return fail(&err);
    printf("%s,window_start,window_end,days,basis,incidents", argv[3]);
    for (size_t m = 0; m < tally_measures(rollup); m++)
        printf(",%s,%s_reported", tally_measure(rollup, m), tally_measure(rollup, m));
    printf("\n");
    int status = print_rows(rollup, rows, end - atoi(argv[2]) + 1, end);
    tally_selection_close(rows);
    tally_close(rollup);
    return status;
}
