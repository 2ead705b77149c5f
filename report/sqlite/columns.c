#include "report/sqlite/columns.h"

#include <sqlite3ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

SQLITE_EXTENSION_INIT3

#define REPORTED "_reported"

enum { FIXED_MAX = 5 };

struct fixed {
    const char *name; // NULL behind the last one
    enum column_kind kind;
};

static const struct fixed fixed[TABLES][FIXED_MAX + 1] = {
    [TABLE_WINDOW] = {{"window_start", COLUMN_FIRST_DAY},
                      {"window_end", COLUMN_LAST_DAY},
                      {"days", COLUMN_DAYS},
                      {"basis", COLUMN_BASIS},
                      {"incidents", COLUMN_INCIDENTS}},
    [TABLE_SERIES] = {{"window_start", COLUMN_FIRST_DAY},
                      {"window_end", COLUMN_LAST_DAY},
                      {"days", COLUMN_DAYS},
                      {"basis", COLUMN_BASIS},
                      {"incidents", COLUMN_INCIDENTS}},
    [TABLE_CELLS] = {{"day", COLUMN_FIRST_DAY}, {"incidents", COLUMN_INCIDENTS}},
    [TABLE_SPANS] = {{"first_day", COLUMN_FIRST_DAY},
                     {"last_day", COLUMN_LAST_DAY},
                     {"incidents", COLUMN_INCIDENTS}},
};

// In the order in which they are given. ARGUMENTS ends the list.
static const enum columns_argument arguments[TABLES][ARGUMENTS] = {
    [TABLE_WINDOW] = {ARGUMENT_ROLLUP, ARGUMENT_DAYS, ARGUMENT_END, ARGUMENT_BASIS, ARGUMENTS},
    [TABLE_SERIES] = {ARGUMENT_ROLLUP, ARGUMENT_DAYS, ARGUMENT_FROM, ARGUMENT_TO, ARGUMENT_BASIS,
                      ARGUMENTS},
    [TABLE_CELLS] = {ARGUMENT_ROLLUP, ARGUMENTS},
    [TABLE_SPANS] = {ARGUMENT_ROLLUP, ARGUMENTS},
};

// Names that no dimension or measure is likely to have.
static const char *const argument_names[ARGUMENTS] = {
    [ARGUMENT_ROLLUP] = "arg_rollup", [ARGUMENT_DAYS] = "arg_days", [ARGUMENT_END] = "arg_end",
    [ARGUMENT_FROM] = "arg_from",     [ARGUMENT_TO] = "arg_to",     [ARGUMENT_BASIS] = "arg_basis",
};

#define GROUPS_READ "groups_read"

static size_t fixed_count(const struct columns *columns)
{
    size_t count = 0;

    while (fixed[columns->table][count].name) {
        count++;
    }
    return count;
}

static const enum columns_argument *first_argument(const struct columns *columns)
{
    return arguments[columns->table] + !columns->takes_rollup;
}

static size_t arguments_count(const struct columns *columns)
{
    size_t count = 0;

    while (first_argument(columns)[count] != ARGUMENTS) {
        count++;
    }
    return count;
}

void columns_init(struct columns *columns, enum columns_table table, bool takes_rollup)
{
    *columns = (struct columns){.table = table, .takes_rollup = takes_rollup};
}

static void names_done(struct columns_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->name[i]);
    }
    free(names->name);
}

void columns_done(struct columns *columns)
{
    names_done(&columns->dims);
    names_done(&columns->figures);
}

size_t columns_visible(const struct columns *columns)
{
    return columns->dims.count + fixed_count(columns) + columns->figures.count;
}

size_t columns_count(const struct columns *columns)
{
    return columns_visible(columns) + arguments_count(columns) + 1;
}

const char *columns_name(const struct columns *columns, size_t position)
{
    size_t fixed_columns = fixed_count(columns);

    if (position < columns->dims.count) {
        return columns->dims.name[position];
    }
    position -= columns->dims.count;
    if (position < fixed_columns) {
        return fixed[columns->table][position].name;
    }
    position -= fixed_columns;
    if (position < columns->figures.count) {
        return columns->figures.name[position];
    }
    position -= columns->figures.count;
    return position < arguments_count(columns) ? argument_names[first_argument(columns)[position]]
                                               : GROUPS_READ;
}

struct column columns_fixed(const struct columns *columns, size_t position)
{
    size_t visible = columns_visible(columns);

    if (position >= visible) {
        position -= visible;
        return position < arguments_count(columns)
                   ? (struct column){COLUMN_ARGUMENT, first_argument(columns)[position]}
                   : (struct column){COLUMN_GROUPS_READ, 0};
    }
    if (position < columns->dims.count || position >= columns->dims.count + fixed_count(columns)) {
        return (struct column){COLUMN_NONE, 0};
    }
    return (struct column){fixed[columns->table][position - columns->dims.count].kind, 0};
}

bool columns_may_be_dim(const struct columns *columns, size_t position)
{
    return position < columns_visible(columns) &&
           columns_fixed(columns, position).kind == COLUMN_NONE;
}

static bool is_column(const struct columns *columns, const char *name)
{
    for (size_t i = 0; i < columns_count(columns); i++) {
        if (sqlite3_stricmp(columns_name(columns, i), name) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_name(struct columns *columns, struct columns_names *names, const char *name,
                     const char *suffix, struct tally_err *err)
{
    char *whole;

    if (asprintf(&whole, "%s%s", name, suffix) < 0) {
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    if (is_column(columns, whole)) {
        free(whole);
        return true;
    }
    char **grown = realloc(names->name, (names->count + 1) * sizeof *names->name);
    if (!grown) {
        free(whole);
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    names->name = grown;
    names->name[names->count++] = whole;
    return true;
}

bool columns_add(struct columns *columns, const struct tally_rollup *rollup, struct tally_err *err)
{
    for (size_t i = 0; i < tally_dims(rollup); i++) {
        if (!add_name(columns, &columns->dims, tally_dim(rollup, i), "", err)) {
            return false;
        }
    }
    for (size_t i = 0; i < tally_measures(rollup); i++) {
        const char *measure = tally_measure(rollup, i);
        if (!add_name(columns, &columns->figures, measure, "", err) ||
            !add_name(columns, &columns->figures, measure, REPORTED, err)) {
            return false;
        }
    }
    return true;
}

const char *columns_missing(const struct columns *columns, const struct tally_rollup *rollup)
{
    for (size_t i = 0; i < tally_dims(rollup); i++) {
        if (!is_column(columns, tally_dim(rollup, i))) {
            return tally_dim(rollup, i);
        }
    }
    for (size_t i = 0; i < tally_measures(rollup); i++) {
        if (!is_column(columns, tally_measure(rollup, i))) {
            return tally_measure(rollup, i);
        }
    }
    return NULL;
}

static bool is_reported(const char *name, const char *measure)
{
    size_t bytes = strlen(measure);

    return sqlite3_strnicmp(name, measure, (int)bytes) == 0 &&
           sqlite3_stricmp(name + bytes, REPORTED) == 0;
}

struct column columns_bind(const struct columns *columns, size_t position,
                           const struct tally_rollup *rollup)
{
    if (!columns_may_be_dim(columns, position)) {
        return columns_fixed(columns, position);
    }
    const char *name = columns_name(columns, position);
    for (size_t i = 0; i < tally_dims(rollup); i++) {
        if (sqlite3_stricmp(name, tally_dim(rollup, i)) == 0) {
            return (struct column){COLUMN_DIM, i};
        }
    }
    for (size_t i = 0; i < tally_measures(rollup); i++) {
        if (sqlite3_stricmp(name, tally_measure(rollup, i)) == 0) {
            return (struct column){COLUMN_SUM, i};
        }
    }
    for (size_t i = 0; i < tally_measures(rollup); i++) {
        if (is_reported(name, tally_measure(rollup, i))) {
            return (struct column){COLUMN_REPORTED, i};
        }
    }
    return (struct column){COLUMN_NONE, 0};
}

static const char *type_of(const struct columns *columns, size_t position)
{
    switch (columns_fixed(columns, position).kind) {
    case COLUMN_NONE:
        return position < columns->dims.count ? "TEXT" : "INTEGER";
    case COLUMN_FIRST_DAY:
    case COLUMN_LAST_DAY:
    case COLUMN_BASIS:
        return "TEXT";
    case COLUMN_ARGUMENT:
        return "HIDDEN";
    case COLUMN_GROUPS_READ:
        return "INTEGER HIDDEN";
    default:
        return "INTEGER";
    }
}

char *columns_declare(const struct columns *columns)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);

    sqlite3_str_appendall(sql, "CREATE TABLE x(");
    for (size_t i = 0; i < columns_count(columns); i++) {
        sqlite3_str_appendf(sql, "%s\"%w\" %s", i ? ", " : "", columns_name(columns, i),
                            type_of(columns, i));
    }
    sqlite3_str_appendall(sql, ")");
    return sqlite3_str_finish(sql);
}
