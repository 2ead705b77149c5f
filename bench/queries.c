#include "bench/queries.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

// ---- reading ------------------------------------------------------------------------------

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    size_t bytes = 0;

    if (!file || getdelim(&data, &bytes, '\0', file) < 0) {
        err(EX_NOINPUT, "%s", path);
    }
    fclose(file);
    return data;
}

static struct query parse_line(char *line)
{
    struct query query = {.group = strtoll(strsep(&line, "\t"), NULL, 10)};

    query.last_day = line ? (int32_t)strtol(strsep(&line, "\t"), NULL, 10) : 0;
    for (size_t dim = 0; dim < QUERIES_DIMS; dim++) {
        query.texts[dim] = line ? strsep(&line, "\t") : NULL;
    }
    if (!query.texts[QUERIES_DIMS - 1] || line) {
        errx(EX_DATAERR, "a query is a group, a day and %d texts", QUERIES_DIMS);
    }
    return query;
}

struct queries queries_read(const char *path)
{
    struct queries queries = {.data = read_all(path)};
    char *at = queries.data;

    while (*at != '\0') {
        char *line = strsep(&at, "\n");
        struct query *grown = reallocarray(queries.query, queries.count + 1, sizeof *grown);
        if (!grown || !at) {
            errx(EX_DATAERR, "%s: no memory, or no line break at the end", path);
        }
        queries.query = grown;
        queries.query[queries.count++] = parse_line(line);
    }
    if (queries.count == 0 || queries.count % QUERIES_SLOW != 0) {
        errx(EX_DATAERR, "%s: not a multiple of %d queries", path, QUERIES_SLOW);
    }
    return queries;
}

void queries_done(struct queries *queries)
{
    free(queries->query);
    free(queries->data);
}

// ---- measuring ----------------------------------------------------------------------------

double queries_now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

// Sorts the times and prints the median and the least of them.
static void print_times(const char *name, double *ns, size_t count, double unit_ns)
{
    qsort(ns, count, sizeof *ns, compare);
    printf("\"%s\": %.4f, \"%s_least\": %.4f", name, ns[count / 2] / unit_ns, name,
           ns[0] / unit_ns);
}

static void print_sums(const char *name, const struct answers *sums)
{
    printf("\"%s_incidents\": %llu, \"%s_killed\": %lld", name, (unsigned long long)sums->incidents,
           name, (long long)sums->killed);
}

// A pass over all queries; the nanoseconds of one of them, for each batch.
static void pass_one(const struct queries *queries, const struct rival *rival, double *ns,
                     struct answers *slow, struct answers *sums)
{
    *sums = (struct answers){0};
    for (size_t i = 0; i < queries->count; i += QUERIES_SLOW) {
        double start = queries_now_ns();
        for (size_t j = i; j < i + QUERIES_SLOW; j++) {
            rival->one(rival->context, &queries->query[j], sums);
        }
        *ns++ = (queries_now_ns() - start) / QUERIES_SLOW;
        *slow = i == 0 ? *sums : *slow;
    }
}

static void measure_one(const struct queries *queries, const struct rival *rival)
{
    size_t batches = queries->count / QUERIES_SLOW;
    double *ns = calloc(batches * QUERIES_PASSES, sizeof *ns);
    struct answers slow;
    struct answers sums;

    if (!ns) {
        errx(EX_OSERR, "no memory");
    }
    pass_one(queries, rival, ns, &slow, &sums); // warms up
    for (size_t pass = 0; pass < QUERIES_PASSES; pass++) {
        pass_one(queries, rival, ns + pass * batches, &slow, &sums);
    }
    print_times("one_us", ns, batches * QUERIES_PASSES, 1e3);
    printf(", ");
    print_sums("slow", &slow);
    printf(", ");
    print_sums("one", &sums);
    free(ns);
}

static void measure_all(const struct queries *queries, const struct rival *rival)
{
    double ns[QUERIES_PASSES * QUERIES_DATES];
    struct answers sums = {0};

    rival->all(rival->context, queries->query[0].last_day, &sums); // warms up
    for (size_t i = 0; i < QUERIES_PASSES * QUERIES_DATES; i++) {
        sums = i % QUERIES_DATES == 0 ? (struct answers){0} : sums;
        double start = queries_now_ns();
        rival->all(rival->context, queries->query[i % QUERIES_DATES].last_day, &sums);
        ns[i] = queries_now_ns() - start;
    }
    printf(", ");
    print_times("all_ms", ns, QUERIES_PASSES * QUERIES_DATES, 1e6);
    printf(", ");
    print_sums("all", &sums);
}

static void measure_open(const struct rival *rival)
{
    double ns[QUERIES_OPENINGS];

    for (size_t i = 0; i < QUERIES_OPENINGS; i++) {
        double start = queries_now_ns();
        rival->open(rival->context);
        ns[i] = queries_now_ns() - start;
    }
    printf(", ");
    print_times("open_ms", ns, QUERIES_OPENINGS, 1e6);
}

void queries_measure(const struct queries *queries, const struct rival *rival)
{
    printf("\"%s\": {", rival->name);
    measure_one(queries, rival);
    if (rival->all) {
        measure_all(queries, rival);
    }
    if (rival->open) {
        measure_open(rival);
    }
    printf("}");
}
