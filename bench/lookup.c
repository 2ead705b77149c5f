// bench/lookup.c - how long look-ups in a rollup take, warm and in process, and where its bytes go.
//
//     bench_lookup FILE.rollup DAYS LAST-DAY...
//
// Prints one line of JSON: bytes by section; nanoseconds of one group's window found by its texts
// (through libtally, random groups at random dates); milliseconds of the window of every group at
// one date; the same with the code for any machine; microseconds to open the file. Medians of
// ROUNDS rounds. Dates are drawn from the days that the rollup covers.
#include "report/tally.h"
#include "store/rollup_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 15, QUERIES = 20000, TEXT_BYTES = 256 };

struct query {
    const char *texts[3]; // of the dimensions
    int32_t last_day;
};

static uint64_t checksum; // of all results, so that nothing is optimised away

static double now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static uint64_t random_below(uint64_t count)
{
    static uint64_t state = 88172645463325252;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint64_t)(((bits_u128)state * count) >> 64);
}

static void fail(const struct tally_err *err)
{
    fprintf(stderr, "bench_lookup: %s: %s\n", err->place, err->message);
    exit(1);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static struct query *draw_queries(const struct tally_rollup *rollup, int32_t days)
{
    struct query *queries = calloc(QUERIES, sizeof *queries);
    int32_t first = tally_first_day(rollup) + days - 1;
    uint64_t dates = (uint64_t)(tally_last_day(rollup) - first) + 1;

    for (size_t i = 0; queries && i < QUERIES; i++) {
        size_t group = (size_t)random_below(tally_groups(rollup));
        for (size_t dim = 0; dim < tally_dims(rollup); dim++) {
            char text[TEXT_BYTES];
            tally_text(rollup, group, dim, text, sizeof text);
            queries[i].texts[dim] = strdup(text);
        }
        queries[i].last_day = first + (int32_t)random_below(dates);
    }
    return queries;
}

static double one_group(const struct tally_rollup *rollup, const struct query *queries,
                        int32_t days)
{
    struct tally_sum sums[TALLY_MEASURES_MAX];
    struct tally_err err;
    uint64_t incidents;
    double start = now_ns();

    for (size_t i = 0; i < QUERIES; i++) {
        const struct query *query = &queries[i];
        int64_t group = tally_find_group(rollup, query->texts);
        if (!tally_window(rollup, (size_t)group, TALLY_START, query->last_day - days + 1,
                          query->last_day, &incidents, sums, &err)) {
            fail(&err);
        }
        checksum += incidents;
    }
    return (now_ns() - start) / QUERIES;
}

static double all_groups(const struct rollup *rollup, const struct entries_code *code, int32_t days,
                         int32_t last_day)
{
    struct rollup_sums sums;
    struct entries_cursor cursor = {0};
    double start = now_ns();

    for (uint32_t group = 0; group < rollup->groups; group++) {
        sums.incidents = 0;
        memset(sums.measure, 0, rollup->def.measures_count * sizeof *sums.measure);
        if (!code->add_cells(&rollup->cells, &cursor, group, last_day - days + 1, last_day,
                             &sums)) {
            fprintf(stderr, "bench_lookup: group %u cannot be read\n", group);
            exit(1);
        }
        checksum += sums.incidents;
    }
    return (now_ns() - start) / 1e6;
}

static void print_sections(const struct rollup *rollup)
{
    printf("\"sections\": {");
    for (int id = ROLLUP_SCHEMA; id <= ROLLUP_PROVENANCE; id++) {
        printf("\"%s\": %zu, ", rollup_section_name((enum rollup_section)id),
               rollup->section[id].bytes);
    }
    size_t frame = rollup->bytes;
    for (int id = ROLLUP_SCHEMA; id <= ROLLUP_PROVENANCE; id++) {
        frame -= rollup->section[id].bytes;
    }
    printf("\"frame\": %zu}, ", frame);
}

int main(int argc, char **argv)
{
    struct tally_err err;
    double one[ROUNDS];
    double all[ROUNDS];
    double portable[ROUNDS];
    double open[ROUNDS];

    if (argc != 3) {
        fprintf(stderr, "usage: bench_lookup FILE.rollup DAYS\n");
        return 64;
    }
    int32_t days = atoi(argv[2]);
    struct tally_rollup *rollup = tally_open(argv[1], &err);
    struct rollup *inner = rollup_open(-100, argv[1], &err);
    if (!rollup || !inner) {
        fail(&err);
    }
    struct query *queries = draw_queries(rollup, days);
    for (size_t i = 0; i < ROUNDS; i++) {
        int32_t last_day = queries[i].last_day;
        one[i] = one_group(rollup, queries, days);
        all[i] = all_groups(inner, inner->code, days, last_day);
        portable[i] = all_groups(inner, &entries_code_portable, days, last_day);
        double start = now_ns();
        struct tally_rollup *again = tally_open(argv[1], &err);
        open[i] = (now_ns() - start) / 1e3;
        tally_close(again);
    }
    printf("{\"groups\": %zu, \"cells\": %llu, \"bytes\": %zu, ", rollup_groups(inner),
           (unsigned long long)rollup_cells(inner), inner->bytes);
    print_sections(inner);
    printf("\"code\": \"%s\", \"one_group_ns\": %.0f, \"all_groups_ms\": %.3f, "
           "\"all_groups_portable_ms\": %.3f, \"open_us\": %.0f, \"checksum\": %llu}\n",
           inner->code->name, median(one), median(all), median(portable), median(open),
           (unsigned long long)checksum);
    free(queries);
    rollup_close(inner);
    tally_close(rollup);
    return 0;
}
