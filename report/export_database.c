// In order of execution: tables, one transaction of rows, then indexes and views.
#include "report/export.h"

#include "base/day.h"
#include "report/figures.h"
#include "report/number.h"
#include "report/period.h"
#include "report/select.h"
#include "report/sqlite.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DAY_SECONDS = 86400, FIGURES_MAX = 1 + 2 * ROLLUP_MEASURES_MAX };

struct exporting {
    struct sqlite sqlite;
    sqlite3 *database;
    const struct rollup *rollup;
    const struct rollup_def *def;
    int32_t last_day; // of the configured windows
    struct select select;
};

static bool refuse(const struct exporting *exporting, const char *doing, struct tally_err *err)
{
    return err_set(err, TALLY_IO, "%s: SQLite: %.160s", doing,
                   exporting->database ? exporting->sqlite.errmsg(exporting->database)
                                       : "out of memory");
}

static bool run_sql(const struct exporting *exporting, const char *sql, struct tally_err *err)
{
    return exporting->sqlite.exec(exporting->database, sql, NULL, NULL, NULL) == SQLITE_OK ||
           refuse(exporting, "lay out the database", err);
}

typedef void put_sql(FILE *sql, const struct rollup_def *def);

static bool run_put(const struct exporting *exporting, put_sql *put, struct tally_err *err)
{
    char *text = NULL;
    size_t bytes;
    FILE *sql = open_memstream(&text, &bytes);

    if (!sql) {
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    put(sql, exporting->def);
    bool done = fclose(sql) == 0 || err_set(err, TALLY_NO_MEMORY, "no memory");
    done = done && run_sql(exporting, text, err);
    free(text);
    return done;
}

// --- one row ---

static bool open_insert(const struct exporting *exporting, const char *table, size_t columns,
                        sqlite3_stmt **out_insert, struct tally_err *err)
{
    char sql[512];
    int used = snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?", table);

    for (size_t i = 1; i < columns; i++) {
        used += snprintf(sql + used, sizeof sql - (size_t)used, ",?");
    }
    snprintf(sql + used, sizeof sql - (size_t)used, ")");
    return exporting->sqlite.prepare_v2(exporting->database, sql, -1, out_insert, NULL) ==
               SQLITE_OK ||
           refuse(exporting, table, err);
}

static bool put_row(const struct exporting *exporting, sqlite3_stmt *insert, struct tally_err *err)
{
    if (exporting->sqlite.step(insert) != SQLITE_DONE) {
        return refuse(exporting, "write a row", err);
    }
    exporting->sqlite.reset(insert);
    return true;
}

static void bind_text(const struct exporting *exporting, sqlite3_stmt *insert, int at,
                      const char *text, size_t bytes)
{
    exporting->sqlite.bind_text(insert, at, text, (int)bytes, SQLITE_TRANSIENT);
}

static void bind_day(const struct exporting *exporting, sqlite3_stmt *insert, int at, int32_t day)
{
    char text[DAY_TEXT_BYTES];

    day_format_iso(day, text);
    bind_text(exporting, insert, at, text, strlen(text));
}

static void bind_epoch(const struct exporting *exporting, sqlite3_stmt *insert, int at, int32_t day)
{
    exporting->sqlite.bind_int64(insert, at, (sqlite3_int64)day * DAY_SECONDS);
}

// "(Chad, army)"
static void name_group(const struct exporting *exporting, size_t group, char *out, size_t out_bytes)
{
    size_t used = 0;

    for (size_t i = 0; i < exporting->def->dims_count && used < out_bytes; i++) {
        size_t bytes;
        const char *text = select_text(&exporting->select, group, i, &bytes);
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%.*s", i ? ", " : "",
                                 bytes < 40 ? (int)bytes : 40, text);
    }
}

static bool refuse_sum(const struct exporting *exporting, size_t group, size_t column,
                       struct tally_err *err)
{
    char name[120] = "";

    name_group(exporting, group, name, sizeof name);
    return err_set(err, TALLY_OVERFLOW,
                   "group (%s): %.64s is beyond 64 bits, which is all that SQLite holds. Export to "
                   ".csv instead",
                   name, column == 0 ? "incidents" : exporting->def->measures[(column - 1) / 2]);
}

static bool bind_figures(const struct exporting *exporting, sqlite3_stmt *insert, int at,
                         size_t group, const struct rollup_sums *sums, struct tally_err *err)
{
    struct sheet_value figures[FIGURES_MAX] = {0};
    size_t count = 1 + 2 * exporting->def->measures_count;

    figures_put(figures, exporting->def, exporting->select.row[group].measures, sums);
    for (size_t i = 0; i < count; i++) {
        if (figures[i].state != SHEET_GIVEN) {
            exporting->sqlite.bind_null(insert, at + (int)i);
            continue;
        }
        if (figures[i].number > INT64_MAX || figures[i].number < INT64_MIN) {
            return refuse_sum(exporting, group, i, err);
        }
        exporting->sqlite.bind_int64(insert, at + (int)i, (sqlite3_int64)figures[i].number);
    }
    return true;
}

// --- the tables ---

static bool put_group(const struct exporting *exporting, sqlite3_stmt *insert, size_t group,
                      struct tally_err *err)
{
    exporting->sqlite.bind_int64(insert, 1, (sqlite3_int64)group);
    for (size_t i = 0; i < exporting->def->dims_count; i++) {
        size_t bytes;
        const char *text = select_text(&exporting->select, group, i, &bytes);
        bind_text(exporting, insert, (int)i + 2, text, bytes);
    }
    return put_row(exporting, insert, err);
}

static bool put_cell(const struct exporting *exporting, sqlite3_stmt *insert, size_t group,
                     const struct rollup_entry *cell, struct tally_err *err)
{
    exporting->sqlite.bind_int64(insert, 1, (sqlite3_int64)group);
    bind_day(exporting, insert, 2, cell->first_day);
    bind_epoch(exporting, insert, 3, cell->first_day);
    return bind_figures(exporting, insert, 4, group, &cell->sums, err) &&
           put_row(exporting, insert, err);
}

static bool put_span(const struct exporting *exporting, sqlite3_stmt *insert, size_t group,
                     const struct rollup_entry *span, struct tally_err *err)
{
    exporting->sqlite.bind_int64(insert, 1, (sqlite3_int64)group);
    bind_day(exporting, insert, 2, span->first_day);
    bind_day(exporting, insert, 3, span->last_day);
    bind_epoch(exporting, insert, 4, span->first_day);
    bind_epoch(exporting, insert, 5, span->last_day);
    return bind_figures(exporting, insert, 6, group, &span->sums, err) &&
           put_row(exporting, insert, err);
}

typedef bool put_entry(const struct exporting *exporting, sqlite3_stmt *insert, size_t group,
                       const struct rollup_entry *entry, struct tally_err *err);

static bool put_entries(const struct exporting *exporting, sqlite3_stmt *insert, size_t group,
                        enum rollup_walk_over over, put_entry *put, struct tally_err *err)
{
    struct rollup_walk *walk = rollup_walk_open(exporting->rollup, over, err);
    struct rollup_entry entry;
    bool done = walk;

    if (done) {
        rollup_walk_group(walk, group);
    }
    while (done && rollup_walk_next(walk, &entry, err)) {
        done = put(exporting, insert, group, &entry, err);
    }
    rollup_walk_close(walk);
    return done && err->code == TALLY_OK;
}

static bool put_cells(const struct exporting *exporting, sqlite3_stmt *insert, size_t group,
                      struct tally_err *err)
{
    return put_entries(exporting, insert, group, ROLLUP_WALK_CELLS, put_cell, err);
}

static bool put_spans(const struct exporting *exporting, sqlite3_stmt *insert, size_t group,
                      struct tally_err *err)
{
    return put_entries(exporting, insert, group, ROLLUP_WALK_SPANS, put_span, err);
}

static bool put_window(const struct exporting *exporting, sqlite3_stmt *insert, size_t group,
                       uint32_t days, int previous, struct tally_err *err)
{
    struct rollup_sums sums = {0};
    struct period period;
    int64_t last_day = (int64_t)exporting->last_day - (previous ? days : 0);

    if (last_day < DAY_MIN || !period_of(days, (int32_t)last_day, &period, err)) {
        return true; // reaches back before the calendar
    }
    if (!rollup_add_window(exporting->rollup, NULL, group, BASIS_START, period.first_day,
                           period.last_day, &sums, err)) {
        return false;
    }
    exporting->sqlite.bind_int64(insert, 1, days);
    bind_text(exporting, insert, 2, previous ? "previous" : "last", previous ? 8 : 4);
    exporting->sqlite.bind_int64(insert, 3, (sqlite3_int64)group);
    bind_day(exporting, insert, 4, period.first_day);
    bind_day(exporting, insert, 5, period.last_day);
    return bind_figures(exporting, insert, 6, group, &sums, err) && put_row(exporting, insert, err);
}

static bool put_windows(const struct exporting *exporting, sqlite3_stmt *insert, size_t group,
                        struct tally_err *err)
{
    for (size_t i = 0; i < exporting->def->windows_count; i++) {
        for (int previous = 0; previous <= 1; previous++) {
            if (!put_window(exporting, insert, group, exporting->def->windows[i], previous, err)) {
                return false;
            }
        }
    }
    return true;
}

typedef bool put_of_group(const struct exporting *exporting, sqlite3_stmt *insert, size_t group,
                          struct tally_err *err);

static bool put_table(const struct exporting *exporting, const char *table, size_t keys,
                      size_t figures, put_of_group *put, struct tally_err *err)
{
    sqlite3_stmt *insert = NULL;

    if (!open_insert(exporting, table, keys + figures, &insert, err)) {
        return false;
    }
    bool done = true;
    for (size_t group = 0; done && group < rollup_groups(exporting->rollup); group++) {
        done = put(exporting, insert, group, err);
    }
    exporting->sqlite.finalize(insert);
    return done;
}

static bool put_day_rows(const struct exporting *exporting, sqlite3_stmt *insert,
                         struct tally_err *err)
{
    int64_t first = rollup_first_day(exporting->rollup);
    int64_t least = (int64_t)exporting->last_day - EXPORT_DAYS_MAX + 1;

    for (int64_t day = first > least ? first : least; day <= exporting->last_day; day++) {
        bind_day(exporting, insert, 1, (int32_t)day);
        bind_epoch(exporting, insert, 2, (int32_t)day);
        if (!put_row(exporting, insert, err)) {
            return false;
        }
    }
    return true;
}

static bool put_days(const struct exporting *exporting, struct tally_err *err)
{
    sqlite3_stmt *insert = NULL;

    if (!open_insert(exporting, "days", 2, &insert, err)) {
        return false;
    }
    bool done = put_day_rows(exporting, insert, err);
    exporting->sqlite.finalize(insert);
    return done;
}

// --- where it comes from ---

static bool put_texts(const struct exporting *exporting, const char *table,
                      const char *const *texts, size_t count, struct tally_err *err)
{
    sqlite3_stmt *insert = NULL;

    if (!open_insert(exporting, table, count, &insert, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (texts[i]) {
            bind_text(exporting, insert, (int)i + 1, texts[i], strlen(texts[i]));
        }
    }
    bool done = put_row(exporting, insert, err);
    exporting->sqlite.finalize(insert);
    return done;
}

static bool put_meta(const struct exporting *exporting, const char *key, const char *value,
                     struct tally_err *err)
{
    const char *const row[] = {key, value};

    return put_texts(exporting, "meta", row, 2, err);
}

static bool put_provenance(const struct exporting *exporting, const char *as_of,
                           struct tally_err *err)
{
    char digest[DIGEST_TEXT_BYTES];
    char generation[NUMBER_BYTES];
    char last_day[DAY_TEXT_BYTES];

    digest_format(rollup_digest(exporting->rollup), digest);
    number_format((bytes_i128)rollup_generation(exporting->rollup), '\0', generation);
    day_format_iso(exporting->last_day, last_day);
    return put_meta(exporting, "rollup", exporting->def->name, err) &&
           put_meta(exporting, "digest", digest, err) &&
           put_meta(exporting, "generation", generation, err) &&
           put_meta(exporting, "as_of", as_of, err) &&
           put_meta(exporting, "last_day", rollup_any_day(exporting->rollup) ? last_day : NULL,
                    err) &&
           put_meta(exporting, "tally_version", TALLY_VERSION, err);
}

static bool put_feed(const struct exporting *exporting, size_t feed, struct tally_err *err)
{
    const struct rollup_feed *of = &exporting->def->feeds[feed];
    struct rollup_coverage coverage = rollup_coverage(exporting->rollup, feed);
    char first[DAY_TEXT_BYTES];
    char last[DAY_TEXT_BYTES];
    const char *const row[] = {of->name,
                               coverage.any ? day_format_iso(coverage.first_day, first) : NULL,
                               coverage.any ? day_format_iso(coverage.last_day, last) : NULL};

    if (!put_texts(exporting, "feeds", row, 3, err)) {
        return false;
    }
    for (size_t m = 0; m < exporting->def->measures_count; m++) {
        const char *const has[] = {of->name, exporting->def->measures[m]};
        if (of->measures >> m & 1 && !put_texts(exporting, "feed_measures", has, 2, err)) {
            return false;
        }
    }
    return true;
}

static bool put_feeds(const struct exporting *exporting, struct tally_err *err)
{
    for (size_t i = 0; i < exporting->def->feeds_count; i++) {
        if (!put_feed(exporting, i, err)) {
            return false;
        }
    }
    return true;
}

// --- all of it ---

static bool refuse_name(const char *kind, const char *name, struct tally_err *err)
{
    return err_set(err, TALLY_INVALID,
                   "%s '%.64s' has the name of another column; SQLite takes small and capital "
                   "letters for the same. Export to .csv instead",
                   kind, name);
}

static bool is_taken(const char *name, char *const *names, size_t count)
{
    static const char *const ours[] = {"group_id",     "day",        "epoch",       "incidents",
                                       "first_day",    "last_day",   "days",        "which",
                                       "window_start", "window_end", "first_epoch", "last_epoch"};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strcasecmp(name, ours[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_names(const struct rollup_def *def, struct tally_err *err)
{
    for (size_t i = 0; i < def->dims_count; i++) {
        if (is_taken(def->dims[i], def->dims, i)) {
            return refuse_name("dimension", def->dims[i], err);
        }
    }
    for (size_t m = 0; m < def->measures_count; m++) {
        if (is_taken(def->measures[m], def->measures, m) ||
            is_taken(def->measures[m], def->dims, def->dims_count)) {
            return refuse_name("measure", def->measures[m], err);
        }
    }
    return true;
}

static bool fill(const struct exporting *exporting, const char *as_of, struct tally_err *err)
{
    size_t figures = 1 + 2 * exporting->def->measures_count;

    // The file is renamed into place only when all of it is there: no journal is needed.
    return run_sql(exporting, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;", err) &&
           run_put(exporting, export_put_tables, err) && put_provenance(exporting, as_of, err) &&
           put_feeds(exporting, err) &&
           put_table(exporting, "groups", 1, exporting->def->dims_count, put_group, err) &&
           put_table(exporting, "cells", 3, figures, put_cells, err) &&
           put_table(exporting, "spans", 5, figures, put_spans, err) &&
           (!rollup_any_day(exporting->rollup) ||
            (put_table(exporting, "windows", 5, figures, put_windows, err) &&
             put_days(exporting, err))) &&
           run_put(exporting, export_put_end, err) && run_sql(exporting, "COMMIT;", err);
}

static bool open_and_fill(struct exporting *exporting, const char *path, const char *as_of,
                          struct tally_err *err)
{
    bool done = exporting->sqlite.open_v2(path, &exporting->database, SQLITE_OPEN_READWRITE,
                                          NULL) == SQLITE_OK ||
                refuse(exporting, "open the database", err);

    done = done && fill(exporting, as_of, err);
    exporting->sqlite.close_v2(exporting->database);
    return done;
}

bool export_database(const struct rollup *rollup, const char *path, const char *as_of,
                     struct tally_err *err)
{
    struct exporting exporting = {.rollup = rollup, .def = rollup_def(rollup)};

    if (rollup_any_day(rollup)) {
        exporting.last_day = select_end_day(rollup);
    }
    if (!check_names(exporting.def, err) || !sqlite_load(&exporting.sqlite, err)) {
        return false;
    }
    bool done = select_each_group(&exporting.select, rollup, NULL, err);
    if (done) {
        done = open_and_fill(&exporting, path, as_of, err);
        select_done(&exporting.select);
    }
    sqlite_unload(&exporting.sqlite);
    return done;
}
