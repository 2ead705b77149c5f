#include "report/sqlite/table.h"

#include "report/sqlite/plan.h"
#include "report/sqlite/scan.h"

#include <stdlib.h>
#include <string.h>

SQLITE_EXTENSION_INIT3

static const char *const table_names[TABLES] = {
    [TABLE_WINDOW] = "tally_window",
    [TABLE_SERIES] = "tally_series",
    [TABLE_CELLS] = "tally_cells",
    [TABLE_SPANS] = "tally_spans",
};

static const char *const usage[TABLES] = {
    [TABLE_WINDOW] = "ROLLUP, DAYS [, END [, BASIS]]",
    [TABLE_SERIES] = "ROLLUP, DAYS, FROM, TO [, BASIS]",
    [TABLE_CELLS] = "ROLLUP",
    [TABLE_SPANS] = "ROLLUP",
};

enum { USED_STAR_BIT = 63, TEXT_BYTES = 256 };

struct table {
    sqlite3_vtab base;
    struct catalog *catalog;
    struct columns columns;
    char *rollup; // of CREATE VIRTUAL TABLE; NULL: the first argument says it
};

// One use of a table in a statement.
struct use {
    sqlite3_vtab_cursor base;
    struct tally_rollup *rollup;
    char *name; // by which it was opened
    struct column *bound;
    sqlite3_value *argument[ARGUMENTS];
    bool open; // scan is
    struct scan scan;
};

static int fail(struct table *table, const struct tally_err *err)
{
    const char *place = err->place[0] ? err->place : table_names[table->columns.table];

    sqlite3_free(table->base.zErrMsg);
    table->base.zErrMsg = sqlite3_mprintf("%s: %s", place, err->message);
    return err->code == TALLY_NO_MEMORY ? SQLITE_NOMEM : SQLITE_ERROR;
}

// ---- connect ------------------------------------------------------------------------------

struct registration {
    struct catalog *catalog;
    enum columns_table table;
};

static void table_close(struct table *table)
{
    columns_done(&table->columns);
    catalog_close(table->catalog);
    free(table->rollup);
    free(table);
}

// 'it''s.rollup' or "it's.rollup" or harm.rollup, as it stands between the parentheses.
static char *unquote(const char *text)
{
    char quote = text[0];
    char *out = strdup(text);
    size_t bytes = 0;

    if (!out || (quote != '\'' && quote != '"')) {
        return out;
    }
    for (const char *at = text + 1; *at && !(at[0] == quote && at[1] != quote); at++) {
        at += at[0] == quote;
        out[bytes++] = *at;
    }
    out[bytes] = '\0';
    return out;
}

static bool take_columns(struct table *table, struct tally_err *err)
{
    if (!table->rollup) {
        return catalog_add_columns(table->catalog, &table->columns, err);
    }
    struct tally_rollup *rollup = catalog_open_rollup(table->catalog, table->rollup, err);
    bool done = rollup && columns_add(&table->columns, rollup, err);
    tally_close(rollup);
    return done;
}

// words: what stands between the parentheses of CREATE VIRTUAL TABLE.
static struct table *table_open(const struct registration *registration, int words_count,
                                const char *const *words, struct tally_err *err)
{
    struct table *table = calloc(1, sizeof *table);

    if (!table) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
        return NULL;
    }
    table->catalog = catalog_share(registration->catalog);
    columns_init(&table->columns, registration->table, words_count == 0);
    table->rollup = words_count == 1 ? unquote(words[0]) : NULL;
    bool done = words_count <= 1 || err_set(err, TALLY_INVALID, "one rollup a table");
    done =
        done && (words_count == 0 || table->rollup || err_set(err, TALLY_NO_MEMORY, "no memory"));
    if (!done || !take_columns(table, err)) {
        table_close(table);
        return NULL;
    }
    return table;
}

static int on_connect(sqlite3 *db, void *context, int argc, const char *const *argv,
                      sqlite3_vtab **out_table, char **out_message)
{
    struct tally_err err;
    struct table *table = table_open(context, argc - 3, argv + 3, &err);

    if (!table) {
        *out_message = sqlite3_mprintf("%s%s%s", err.place, err.place[0] ? ": " : "", err.message);
        return SQLITE_ERROR;
    }
    char *sql = columns_declare(&table->columns);
    int code = sql ? sqlite3_declare_vtab(db, sql) : SQLITE_NOMEM;
    sqlite3_free(sql);
    if (code != SQLITE_OK) {
        *out_message = sqlite3_mprintf("%s", sqlite3_errmsg(db));
        table_close(table);
        return code;
    }
    *out_table = &table->base;
    return SQLITE_OK;
}

static int on_disconnect(sqlite3_vtab *base)
{
    table_close((struct table *)base);
    return SQLITE_OK;
}

static int on_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    return plan_make(&((const struct table *)base)->columns, info);
}

// ---- filter -------------------------------------------------------------------------------

static int on_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out_use)
{
    struct table *table = (struct table *)base;
    struct use *use = calloc(1, sizeof *use);

    if (use) {
        use->bound = calloc(columns_count(&table->columns), sizeof *use->bound);
    }
    if (!use || !use->bound) {
        free(use);
        return SQLITE_NOMEM;
    }
    *out_use = &use->base;
    return SQLITE_OK;
}

static void end_scan(struct use *use)
{
    if (use->open) {
        scan_done(&use->scan);
        use->open = false;
    }
    for (size_t i = 0; i < ARGUMENTS; i++) {
        sqlite3_value_free(use->argument[i]);
        use->argument[i] = NULL;
    }
}

static int on_close(sqlite3_vtab_cursor *base)
{
    struct use *use = (struct use *)base;

    end_scan(use);
    tally_close(use->rollup);
    free(use->name);
    free(use->bound);
    free(use);
    return SQLITE_OK;
}

static bool open_rollup(struct use *use, const struct table *table, struct tally_err *err)
{
    const sqlite3_value *given = use->argument[ARGUMENT_ROLLUP];
    const char *name =
        table->rollup ? table->rollup : (const char *)sqlite3_value_text((sqlite3_value *)given);

    if (!name) {
        return err_set(err, TALLY_INVALID, "the rollup is NULL");
    }
    if (use->name && strcmp(use->name, name) == 0) {
        return true;
    }
    tally_close(use->rollup);
    free(use->name);
    use->rollup = NULL;
    use->name = strdup(name);
    if (!use->name) {
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    use->rollup = catalog_open_rollup(table->catalog, name, err);
    if (!use->rollup) {
        free(use->name);
        use->name = NULL;
    }
    return use->rollup != NULL;
}

static bool refuse_column(const struct table *table, const struct use *use, size_t position,
                          struct tally_err *err)
{
    return err_set(err, TALLY_INVALID, "rollup %.64s has no column '%.64s'%s",
                   tally_name(use->rollup), columns_name(&table->columns, position),
                   table->rollup ? " any more; open the database again" : "");
}

// A statement that names a column has to get it; one with * gets what the rollup has.
static bool bind_columns(struct use *use, const struct table *table, uint64_t used,
                         struct tally_err *err)
{
    const struct columns *columns = &table->columns;
    size_t visible = columns_visible(columns);
    uint64_t all = visible >= USED_STAR_BIT ? UINT64_MAX >> 1 : (UINT64_C(1) << visible) - 1;
    bool star = (used & all) == all;

    for (size_t i = 0; i < columns_count(columns); i++) {
        use->bound[i] = columns_bind(columns, i, use->rollup);
        bool named = i < USED_STAR_BIT && used >> i & 1 && (!star || table->rollup);
        if (use->bound[i].kind == COLUMN_NONE && named) {
            return refuse_column(table, use, i, err);
        }
    }
    const char *missing = columns_missing(columns, use->rollup);
    if (star && missing) {
        return err_set(err, TALLY_INVALID,
                       "column '%.64s' of rollup %.64s is not known here yet; %s", missing,
                       tally_name(use->rollup),
                       table->rollup ? "open the database again"
                                     : "name the rollup by SELECT tally_attach('PATH') first");
    }
    return true;
}

static bool take_day(const struct use *use, enum columns_argument argument, const char *name,
                     int32_t *out_day, struct tally_err *err)
{
    const char *text = (const char *)sqlite3_value_text(use->argument[argument]);

    if (!text || !tally_day_parse(text, out_day)) {
        return err_set(err, TALLY_INVALID, "%s is '%.40s', not a day such as '2020-10-24'", name,
                       text ? text : "NULL");
    }
    return true;
}

static bool is_given(const struct use *use, enum columns_argument argument)
{
    return use->argument[argument] && sqlite3_value_type(use->argument[argument]) != SQLITE_NULL;
}

static bool take_ends(const struct use *use, struct scan_asked *asked, struct tally_err *err)
{
    if (asked->table == TABLE_SERIES) {
        return take_day(use, ARGUMENT_FROM, "FROM", &asked->from, err) &&
               take_day(use, ARGUMENT_TO, "TO", &asked->to, err);
    }
    bool done = is_given(use, ARGUMENT_END) ? take_day(use, ARGUMENT_END, "END", &asked->to, err)
                                            : tally_end_day(use->rollup, &asked->to, err);
    asked->from = asked->to;
    return done;
}

static bool take_days(const struct use *use, struct scan_asked *asked, struct tally_err *err)
{
    sqlite3_value *given = use->argument[ARGUMENT_DAYS];
    int64_t days = sqlite3_value_int64(given);

    if (sqlite3_value_numeric_type(given) != SQLITE_INTEGER || days < 1 || days > INT32_MAX) {
        const char *text = (const char *)sqlite3_value_text(given);
        return err_set(err, TALLY_INVALID, "DAYS is '%.40s', not a number of days",
                       text ? text : "NULL");
    }
    asked->days = (uint32_t)days;
    return true;
}

static bool take_asked(const struct use *use, struct scan_asked *asked, struct tally_err *err)
{
    if (asked->table == TABLE_CELLS || asked->table == TABLE_SPANS) {
        return true;
    }
    const char *basis = (const char *)sqlite3_value_text(use->argument[ARGUMENT_BASIS]);
    if (is_given(use, ARGUMENT_BASIS) && !tally_basis_parse(basis, &asked->basis)) {
        return err_set(err, TALLY_INVALID, "BASIS is '%.40s', not start, end, overlap or inside",
                       basis);
    }
    if (!take_days(use, asked, err) || !take_ends(use, asked, err)) {
        return false;
    }
    return (int64_t)asked->from - asked->days + 1 >= TALLY_DAY_MIN ||
           err_set(err, TALLY_INVALID, "%u days reach back before the calendar", asked->days);
}

// What the plan took on dimensions of this rollup, as conditions of libtally.
struct conditions {
    char *text[TALLY_DIMS_MAX];
    size_t count;
    bool impossible; // = NULL
};

static void conditions_done(struct conditions *conditions)
{
    for (size_t i = 0; i < conditions->count; i++) {
        free(conditions->text[i]);
    }
}

static bool add_condition(struct conditions *conditions, const char *dim, sqlite3_value *value,
                          struct tally_err *err)
{
    if (sqlite3_value_type(value) == SQLITE_NULL) {
        conditions->impossible = true;
        return true;
    }
    const char *text = (const char *)sqlite3_value_text(value);
    if (!text || strlen(text) != (size_t)sqlite3_value_bytes(value)) {
        return text ? true : err_set(err, TALLY_NO_MEMORY, "no memory"); // a NUL: SQLite compares
    }
    size_t bytes = tally_condition(dim, text, NULL, 0);
    char *condition = malloc(bytes + 1);
    if (!condition) {
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    tally_condition(dim, text, condition, bytes + 1);
    conditions->text[conditions->count++] = condition;
    return true;
}

static bool take_conditions(const struct use *use, const char *positions, sqlite3_value **values,
                            int count, struct conditions *conditions, struct tally_err *err)
{
    for (int i = 0; i < count; i++) {
        struct column column = use->bound[plan_next(&positions)];
        if (column.kind == COLUMN_DIM &&
            !add_condition(conditions, tally_dim(use->rollup, column.index), values[i], err)) {
            return false;
        }
    }
    return true;
}

static bool keep_arguments(struct use *use, const struct table *table, const char *positions,
                           sqlite3_value **values, int count, struct tally_err *err)
{
    for (int i = 0; i < count; i++) {
        struct column column = columns_fixed(&table->columns, plan_next(&positions));
        if (column.kind == COLUMN_ARGUMENT) {
            use->argument[column.index] = sqlite3_value_dup(values[i]);
            if (!use->argument[column.index]) {
                return err_set(err, TALLY_NO_MEMORY, "no memory");
            }
        }
    }
    return true;
}

static bool start_scan(struct use *use, const struct table *table, const char *plan,
                       sqlite3_value **values, int count, struct tally_err *err)
{
    struct scan_asked asked = {.table = table->columns.table};
    struct conditions conditions = {.count = 0};
    const char *positions = plan_positions(plan);

    if (!keep_arguments(use, table, positions, values, count, err) ||
        !open_rollup(use, table, err) || !bind_columns(use, table, plan_used(plan), err) ||
        !take_asked(use, &asked, err)) {
        return false;
    }
    bool done = take_conditions(use, positions, values, count, &conditions, err);
    if (done) {
        use->open = true;
        done = scan_init(&use->scan, use->rollup, &asked, (const char *const *)conditions.text,
                         conditions.count, err);
    }
    if (done && conditions.impossible) {
        use->scan.ended = true;
    } else {
        done = done && scan_next(&use->scan, err);
    }
    conditions_done(&conditions);
    return done;
}

static bool refuse_arguments(const struct table *table, struct tally_err *err)
{
    const char *words = usage[table->columns.table];

    words += table->rollup ? strcspn(words, ",") : 0;
    return err_set(err, TALLY_INVALID, "write %s(%s)", table_names[table->columns.table],
                   words + strspn(words, ", "));
}

static int on_filter(sqlite3_vtab_cursor *base, int whole, const char *plan, int count,
                     sqlite3_value **values)
{
    struct use *use = (struct use *)base;
    struct table *table = (struct table *)base->pVtab;
    struct tally_err err = {.code = TALLY_OK};

    end_scan(use);
    bool done =
        whole ? start_scan(use, table, plan, values, count, &err) : refuse_arguments(table, &err);
    return done ? SQLITE_OK : fail(table, &err);
}

// ---- rows ---------------------------------------------------------------------------------

static int on_next(sqlite3_vtab_cursor *base)
{
    struct use *use = (struct use *)base;
    struct tally_err err;

    return scan_next(&use->scan, &err) ? SQLITE_OK : fail((struct table *)base->pVtab, &err);
}

static int on_eof(sqlite3_vtab_cursor *base)
{
    return ((const struct use *)base)->scan.ended;
}

static int on_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid)
{
    *out_rowid = (sqlite3_int64)((const struct use *)base)->scan.number;
    return SQLITE_OK;
}

static void put_dim(sqlite3_context *context, const struct scan *scan, size_t dim)
{
    char text[TEXT_BYTES];
    size_t bytes = scan_text(scan, dim, text, sizeof text);

    if (bytes < sizeof text) {
        sqlite3_result_text64(context, text, bytes, SQLITE_TRANSIENT, SQLITE_UTF8);
        return;
    }
    char *longer = sqlite3_malloc64(bytes + 1);
    if (!longer) {
        sqlite3_result_error_nomem(context);
        return;
    }
    scan_text(scan, dim, longer, bytes + 1);
    sqlite3_result_text64(context, longer, bytes, sqlite3_free, SQLITE_UTF8);
}

static void put_day(sqlite3_context *context, int32_t day)
{
    char text[TALLY_DAY_BYTES];

    sqlite3_result_text(context, tally_day_format(day, text), -1, SQLITE_TRANSIENT);
}

// What is unknown or absent stays NULL, which is what a result is from the start.
static void put_sum(sqlite3_context *context, const struct tally_sum *sum, enum column_kind kind)
{
    if (kind == COLUMN_SUM && sum->state == TALLY_KNOWN) {
        sqlite3_result_int64(context, sum->sum);
    }
    if (kind == COLUMN_REPORTED && sum->state != TALLY_ABSENT) {
        sqlite3_result_int64(context, (sqlite3_int64)sum->reported);
    }
}

static void put_argument(sqlite3_context *context, sqlite3_value *value)
{
    if (value) {
        sqlite3_result_value(context, value);
    }
}

static int on_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int position)
{
    const struct use *use = (const struct use *)base;
    const struct scan *scan = &use->scan;
    struct column column = use->bound[position];

    switch (column.kind) {
    case COLUMN_NONE:
        break;
    case COLUMN_DIM:
        put_dim(context, scan, column.index);
        break;
    case COLUMN_SUM:
    case COLUMN_REPORTED:
        put_sum(context, &scan->sums[column.index], column.kind);
        break;
    case COLUMN_FIRST_DAY:
        put_day(context, scan->entry.first_day);
        break;
    case COLUMN_LAST_DAY:
        put_day(context, scan->entry.last_day);
        break;
    case COLUMN_DAYS:
        sqlite3_result_int64(context, scan->asked.days);
        break;
    case COLUMN_BASIS:
        sqlite3_result_text(context, tally_basis_name(scan->asked.basis), -1, SQLITE_STATIC);
        break;
    case COLUMN_INCIDENTS:
        sqlite3_result_int64(context, (sqlite3_int64)scan->entry.incidents);
        break;
    case COLUMN_ARGUMENT:
        put_argument(context, use->argument[column.index]);
        break;
    case COLUMN_GROUPS_READ:
        sqlite3_result_int64(context, (sqlite3_int64)scan->groups_read);
        break;
    }
    return SQLITE_OK;
}

// ---- the module ---------------------------------------------------------------------------

static const sqlite3_module module = {
    .xCreate = on_connect, // the same as xConnect: each table also is there without being created
    .xConnect = on_connect,
    .xBestIndex = on_best_index,
    .xDisconnect = on_disconnect,
    .xDestroy = on_disconnect,
    .xOpen = on_open,
    .xClose = on_close,
    .xFilter = on_filter,
    .xNext = on_next,
    .xEof = on_eof,
    .xColumn = on_column,
    .xRowid = on_rowid,
};

static void on_forget(void *context)
{
    struct registration *registration = context;

    catalog_close(registration->catalog);
    free(registration);
}

int table_register(sqlite3 *db, struct catalog *catalog)
{
    for (int i = 0; i < TABLES; i++) {
        struct registration *registration = malloc(sizeof *registration);
        if (!registration) {
            return SQLITE_NOMEM;
        }
        *registration = (struct registration){.catalog = catalog_share(catalog),
                                              .table = (enum columns_table)i};
        int code = sqlite3_create_module_v2(db, table_names[i], &module, registration, on_forget);
        if (code != SQLITE_OK) {
            return code; // SQLite called on_forget
        }
    }
    return SQLITE_OK;
}
