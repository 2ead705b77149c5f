#include "base/checksum.h"
#include "store/cluster/schema_private.h"
#include "store/cluster/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct making {
    const struct cluster_options *options;
    const struct rollup_def *defs;
    size_t defs_count;
    struct schema_names names;
};

static void put_name(const struct making *making, struct bytes *sql, const char *name)
{
    schema_put_name(sql, making->options->database, name, "");
}

static void begin_view(const struct making *making, struct bytes *sql, const char *name)
{
    sql_print(sql, "CREATE VIEW ");
    put_name(making, sql, name);
    sql_print(sql, " AS ");
}

// ---- which batches count ------------------------------------------------------------------

// Rows of tally_batches that no later FORGET of their feed takes out, by (time_ms, batch).
static void put_unforgotten(const struct making *making, struct bytes *sql)
{
    sql_print(sql, " FROM ");
    put_name(making, sql, "tally_batches");
    sql_print(sql, " GLOBAL ANY LEFT JOIN (SELECT of_feed, max(time_ms) AS _ms, "
                   "argMax(batch, (time_ms, batch)) AS _forget FROM ");
    put_name(making, sql, "tally_batches");
    sql_print(sql, " WHERE mode = 4 AND number > 0 GROUP BY of_feed) AS _f USING (of_feed) "
                   "WHERE (time_ms > _ms OR (time_ms = _ms AND batch > _forget) OR _forget = 0)");
}

static void put_committed(const struct making *making, struct bytes *sql)
{
    begin_view(making, sql, "tally_committed");
    sql_print(sql, "SELECT of_feed, batch");
    put_unforgotten(making, sql);
    sql_print(sql, " AND number > 0 AND mode != 4");
}

static void put_coverage(const struct making *making, struct bytes *sql)
{
    begin_view(making, sql, "tally_coverage");
    sql_print(sql, "SELECT of_feed AS feed, min(first_day) AS first, max(last_day) AS last");
    put_unforgotten(making, sql);
    sql_print(sql, " AND any_day = 1 AND outcome IN (0, 3) GROUP BY of_feed");
}

// ---- cells --------------------------------------------------------------------------------

static void put_cells_local(const struct making *making, struct bytes *sql)
{
    begin_view(making, sql, "tally_cells_of_shard");
    for (size_t i = 0; i < making->defs_count; i++) {
        sql_print(sql, "%s", i > 0 ? " UNION ALL " : "");
        schema_put_cells(sql, making->options->database, &making->defs[i], &making->names);
    }
}

static void put_cells_shards(const struct making *making, struct bytes *sql)
{
    struct schema_table table = {.name = "tally_cells", .sharding = "0"};
    struct bytes columns;

    bytes_init(&columns);
    sql_print(&columns, "_rollup String");
    for (size_t i = 0; i < making->names.dims_count; i++) {
        sql_print(&columns, ", _d%zu String", i);
    }
    sql_print(&columns, ", _first Int32, _last Int32, _n UInt64");
    for (size_t i = 0; i < making->names.measures_count; i++) {
        sql_print(&columns, ", _m%zu Decimal(38, 0), _r%zu UInt64", i, i);
    }
    table.columns = sql_text(&columns);
    sql->ok = sql->ok && table.columns;
    sql_print(sql, "CREATE TABLE ");
    put_name(making, sql, "tally_cells_of_shards");
    sql_print(sql, " (%s) ENGINE = Distributed(", table.columns ? table.columns : "");
    sql_quote(sql, making->options->cluster, strlen(making->options->cluster));
    sql_print(sql, ", ");
    sql_quote(sql, making->options->database, strlen(making->options->database));
    sql_print(sql, ", 'tally_cells_of_shard', 0)");
    bytes_done(&columns);
}

static void put_rollup_is(struct bytes *sql, const struct rollup_def *def)
{
    sql_print(sql, "_rollup = ");
    sql_quote(sql, def->name, strlen(def->name));
}

// Each alternative of a condition; the last one closes it: "(a OR b OR 0)".
static void put_or(struct bytes *sql, bool *any)
{
    sql_print(sql, "%s", *any ? " OR " : "(");
    *any = true;
}

static void end_or(struct bytes *sql, bool any)
{
    sql_print(sql, "%s", any ? ")" : "0");
}

static void put_has_dim(const struct making *making, struct bytes *sql, const char *dim)
{
    bool any = false;

    for (size_t i = 0; i < making->defs_count; i++) {
        if (rollup_def_find_dim(&making->defs[i], dim) >= 0) {
            put_or(sql, &any);
            put_rollup_is(sql, &making->defs[i]);
        }
    }
    end_or(sql, any);
}

static bool a_feed_has(const struct rollup_def *def, int measure)
{
    for (size_t i = 0; i < def->feeds_count; i++) {
        if (def->feeds[i].measures >> measure & 1) {
            return true;
        }
    }
    return false;
}

static void put_feeds_with(struct bytes *sql, const struct rollup_def *def, int measure)
{
    const char *before = "";

    for (size_t i = 0; i < def->feeds_count; i++) {
        if (def->feeds[i].measures >> measure & 1) {
            sql_print(sql, "%s", before);
            sql_quote(sql, def->feeds[i].name, strlen(def->feeds[i].name));
            before = ", ";
        }
    }
}

static int place_of(const struct schema_names *names, const char *dim)
{
    for (size_t i = 0; i < names->dims_count; i++) {
        if (strcmp(names->dim[i], dim) == 0) {
            return (int)i;
        }
    }
    return -1;
}

// Whether a feed behind the row has a column for the measure (select.c: find_measures).
static void put_has_measure(const struct making *making, struct bytes *sql, const char *measure)
{
    bool any = false;

    for (size_t i = 0; i < making->defs_count; i++) {
        const struct rollup_def *def = &making->defs[i];
        int at = rollup_def_find_measure(def, measure);
        if (at < 0 || !a_feed_has(def, at)) {
            continue;
        }
        put_or(sql, &any);
        put_rollup_is(sql, def);
        if (rollup_def_find_dim(def, ROLLUP_DIM_FEED) >= 0) {
            sql_print(sql, " AND _d%d IN (", place_of(&making->names, ROLLUP_DIM_FEED));
            put_feeds_with(sql, def, at);
            sql_print(sql, ")");
        }
    }
    end_or(sql, any);
}

// Columns that people see. A name that is taken gets "_" behind it, and so does one that begins
// with it, as the views' own do: within a SELECT such a column would hide what they are made of.
enum { OUTER_NAME_BYTES = ROLLUP_NAME_BYTES_MAX + 32 };

struct outer {
    char (*name)[OUTER_NAME_BYTES];
    size_t count;
};

static bool is_taken(const struct outer *outer, const char *name)
{
    for (size_t i = 0; i < outer->count; i++) {
        if (strcmp(outer->name[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static const char *take_outer(struct outer *outer, const char *name, const char *suffix)
{
    char *taken = outer->name[outer->count];
    size_t bytes = (size_t)snprintf(taken, OUTER_NAME_BYTES, "%s%s%s", name, suffix,
                                    name[0] == '_' ? "_" : "");

    while (is_taken(outer, taken) && bytes + 2 < OUTER_NAME_BYTES) {
        taken[bytes++] = '_';
        taken[bytes] = '\0';
    }
    outer->count++;
    return taken;
}

static bool outer_init(struct outer *outer, const struct making *making, const char *const *fixed)
{
    size_t count = making->names.dims_count + 2 * making->names.measures_count + 16;

    *outer = (struct outer){.name = calloc(count, sizeof *outer->name)};
    for (size_t i = 0; outer->name && fixed[i]; i++) {
        take_outer(outer, fixed[i], "");
    }
    return outer->name;
}

static void put_dims(const struct making *making, struct bytes *sql, struct outer *outer)
{
    for (size_t i = 0; i < making->names.dims_count; i++) {
        sql_print(sql, ", if(");
        put_has_dim(making, sql, making->names.dim[i]);
        sql_print(sql, ", _d%zu, NULL) AS ", i);
        sql_name(sql, take_outer(outer, making->names.dim[i], ""));
    }
}

static void put_figures(const struct making *making, struct bytes *sql, struct outer *outer)
{
    sql_print(sql, ", _sn AS incidents");
    for (size_t i = 0; i < making->names.measures_count; i++) {
        const char *measure = making->names.measure[i];
        sql_print(sql, ", if(_sr%zu = 0, NULL, _sm%zu) AS ", i, i);
        sql_name(sql, take_outer(outer, measure, ""));
        sql_print(sql, ", if(_sr%zu > 0 OR ", i);
        put_has_measure(making, sql, measure);
        sql_print(sql, ", _sr%zu, NULL) AS ", i);
        sql_name(sql, take_outer(outer, measure, "_reported"));
    }
}

static void put_inner_dims(const struct making *making, struct bytes *sql)
{
    for (size_t i = 0; i < making->names.dims_count; i++) {
        sql_print(sql, ", _d%zu", i);
    }
}

// A day number as "2020-10-24" or "-0044-03-15": no version has a type of dates that far back.
// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", as base/day.c.
static void put_day_text(struct bytes *sql, const char *day)
{
    // A lambda is how SQL names a value that is used more than once. Days count from 0000-03-01
    // of 400 * 25 years earlier, so that none is negative.
    sql_print(
        sql,
        "arrayMap(_z -> arrayMap((_e, _c) -> arrayMap((_y, _o) -> arrayMap((_k, _m) -> "
        "arrayMap(_a -> concat(if(_a < 0, '-', ''), substring(toString(10000 + abs(_a)), 2), "
        "'-', substring(toString(100 + _m), 2), '-', substring(toString(100 + _o - "
        "intDiv(153 * _k + 2, 5) + 1), 2)), "
        "[_y + _c * 400 - 10000 + (_m <= 2)])[1], "
        "[intDiv(5 * _o + 2, 153)], "
        "[intDiv(5 * _o + 2, 153) + if(intDiv(5 * _o + 2, 153) < 10, 3, -9)])[1], "
        "[intDiv(_e - intDiv(_e, 1460) + intDiv(_e, 36524) - intDiv(_e, 146096), 365)], "
        "[_e - (365 * intDiv(_e - intDiv(_e, 1460) + intDiv(_e, 36524) - intDiv(_e, 146096), "
        "365) + intDiv(intDiv(_e - intDiv(_e, 1460) + intDiv(_e, 36524) - intDiv(_e, 146096), "
        "365), 4) - intDiv(intDiv(_e - intDiv(_e, 1460) + intDiv(_e, 36524) - "
        "intDiv(_e, 146096), 365), 100))])[1], "
        "[_z %% 146097], [intDiv(_z, 146097)])[1], "
        "[toInt64(%s) + 719468 + 146097 * 25])[1]",
        day);
}

static bool put_cells(const struct making *making, struct bytes *sql)
{
    static const char *const fixed[] = {"rollup",          "day",       "last_day", "day_number",
                                        "last_day_number", "incidents", NULL};
    struct outer outer;

    if (!outer_init(&outer, making, fixed)) {
        return false;
    }
    begin_view(making, sql, "tally_cells");
    sql_print(sql, "SELECT _rollup AS rollup");
    put_dims(making, sql, &outer);
    sql_print(sql, ", ");
    put_day_text(sql, "_first");
    sql_print(sql, " AS day, ");
    put_day_text(sql, "_last");
    sql_print(sql, " AS last_day, _first AS day_number, _last AS last_day_number");
    put_figures(making, sql, &outer);
    sql_print(sql, " FROM (SELECT _rollup");
    put_inner_dims(making, sql);
    sql_print(sql, ", _first, _last, sum(_n) AS _sn");
    for (size_t i = 0; i < making->names.measures_count; i++) {
        sql_print(sql, ", sum(_m%zu) AS _sm%zu, sum(_r%zu) AS _sr%zu", i, i, i, i);
    }
    sql_print(sql, " FROM ");
    put_name(making, sql, "tally_cells_of_shards");
    sql_print(sql, " GROUP BY _rollup");
    put_inner_dims(making, sql);
    sql_print(sql, ", _first, _last)");
    free(outer.name);
    return true;
}

// ---- windows ------------------------------------------------------------------------------

// The last day with data of each rollup (select.c: select_end_day): rollup, _end.
static void put_ends(const struct making *making, struct bytes *sql)
{
    sql_print(sql, "SELECT _rollup, if(_any = 1 AND _covered < _newest, _covered, _newest) AS _end "
                   "FROM (SELECT _rollup, max(_last) AS _newest FROM ");
    put_name(making, sql, "tally_cells_of_shards");
    sql_print(sql, " GROUP BY _rollup) AS _a ANY LEFT JOIN (");
    for (size_t i = 0; i < making->defs_count; i++) {
        const struct rollup_def *def = &making->defs[i];
        sql_print(sql, "%sSELECT ", i > 0 ? " UNION ALL " : "");
        sql_quote(sql, def->name, strlen(def->name));
        sql_print(sql, " AS _rollup, max(last) AS _covered, toUInt8(count() > 0) AS _any FROM ");
        put_name(making, sql, "tally_coverage");
        sql_print(sql, " WHERE feed IN (");
        for (size_t f = 0; f < def->feeds_count; f++) {
            sql_print(sql, "%s", f > 0 ? ", " : "");
            sql_quote(sql, def->feeds[f].name, strlen(def->feeds[f].name));
        }
        sql_print(sql, ")");
    }
    sql_print(sql, ") AS _b USING (_rollup)");
}

// The lengths of a rollup's windows, one row each.
static void put_windows(const struct making *making, struct bytes *sql)
{
    sql_print(sql, "arrayJoin(splitByChar(',', transform(_rollup, [");
    for (size_t i = 0; i < making->defs_count; i++) {
        sql_print(sql, "%s", i > 0 ? ", " : "");
        sql_quote(sql, making->defs[i].name, strlen(making->defs[i].name));
    }
    sql_print(sql, "], [");
    for (size_t i = 0; i < making->defs_count; i++) {
        const struct rollup_def *def = &making->defs[i];
        sql_print(sql, "%s'", i > 0 ? ", " : "");
        for (size_t w = 0; w < def->windows_count; w++) {
            sql_print(sql, "%s%" PRIu32, w > 0 ? "," : "", def->windows[w]);
        }
        sql_print(sql, "'");
    }
    sql_print(sql, "], '')))");
}

static void put_total_rollups(const struct making *making, struct bytes *sql)
{
    bool any = false;

    for (size_t i = 0; i < making->defs_count; i++) {
        if (making->defs[i].dims_count == 0) {
            put_or(sql, &any);
            put_rollup_is(sql, &making->defs[i]);
        }
    }
    end_or(sql, any);
}

static void put_window_sums(const struct making *making, struct bytes *sql)
{
    static const char in[] = "_first <= _end AND _first > _end - _days";

    sql_print(sql, "SELECT _rollup");
    put_inner_dims(making, sql);
    sql_print(sql, ", _end, _days, sumIf(_n, %s) AS _sn", in);
    for (size_t i = 0; i < making->names.measures_count; i++) {
        sql_print(sql, ", sumIf(_m%zu, %s) AS _sm%zu, sumIf(_r%zu, %s) AS _sr%zu", i, in, i, i, in,
                  i);
    }
    sql_print(sql, " FROM (SELECT _rollup");
    put_inner_dims(making, sql);
    sql_print(sql, ", _first, _n");
    for (size_t i = 0; i < making->names.measures_count; i++) {
        sql_print(sql, ", _m%zu, _r%zu", i, i);
    }
    sql_print(sql, ", _end, toInt32OrZero(_window) AS _days FROM (SELECT *, ");
    put_windows(making, sql);
    sql_print(sql, " AS _window FROM ");
    put_name(making, sql, "tally_cells_of_shards");
    sql_print(sql, ") AS _c ANY LEFT JOIN (");
    put_ends(making, sql);
    sql_print(sql, ") AS _e USING (_rollup) WHERE _window != '') GROUP BY _rollup");
    put_inner_dims(making, sql);
    sql_print(sql, ", _end, _days");
}

static bool put_window(const struct making *making, struct bytes *sql)
{
    static const char *const fixed[] = {"rollup", "window_start", "window_end", "days",
                                        "basis",  "incidents",    NULL};
    struct outer outer;

    if (!outer_init(&outer, making, fixed)) {
        return false;
    }
    begin_view(making, sql, "tally_window");
    sql_print(sql, "SELECT _rollup AS rollup");
    put_dims(making, sql, &outer);
    sql_print(sql, ", ");
    put_day_text(sql, "_end - _days + 1");
    sql_print(sql, " AS window_start, ");
    put_day_text(sql, "_end");
    sql_print(sql, " AS window_end, _days AS days, 'start' AS basis");
    put_figures(making, sql, &outer);
    sql_print(sql, " FROM (");
    put_window_sums(making, sql);
    sql_print(sql, ") WHERE _sn > 0 OR ");
    put_total_rollups(making, sql);
    free(outer.name);
    return true;
}

// ---- all ----------------------------------------------------------------------------------

static bool make(const struct making *making, struct schema_views *views, struct tally_err *err)
{
    static const char *const names[SCHEMA_VIEWS] = {
        "tally_committed", "tally_coverage", "tally_cells_of_shard", "tally_cells_of_shards",
        "tally_cells",     "tally_window",   "tally_views"};
    struct bytes *made = &views->view[SCHEMA_VIEWS - 1].sql;
    uint64_t sum = 0;

    for (size_t i = 0; i < SCHEMA_VIEWS; i++) {
        views->view[i].name = names[i];
    }
    put_committed(making, &views->view[0].sql);
    put_coverage(making, &views->view[1].sql);
    put_cells_local(making, &views->view[2].sql);
    put_cells_shards(making, &views->view[3].sql);
    bool ok = put_cells(making, &views->view[4].sql) && put_window(making, &views->view[5].sql);
    for (size_t i = 0; i + 1 < SCHEMA_VIEWS && ok; i++) {
        const struct bytes *sql = &views->view[i].sql;
        ok = sql->ok;
        sum = ok ? checksum64(sql->data, sql->count, sum) : 0;
    }
    begin_view(making, made, "tally_views");
    sql_print(made, "SELECT '%016" PRIx64 "' AS made", sum);
    for (size_t i = 0; i < SCHEMA_VIEWS; i++) {
        ok = sql_text(&views->view[i].sql) && ok;
    }
    return ok || err_set(err, TALLY_NO_MEMORY, "no memory for the views");
}

bool schema_views_init(struct schema_views *views, const struct cluster_options *options,
                       const struct rollup_def *defs, size_t defs_count, struct tally_err *err)
{
    struct making making = {.options = options, .defs = defs, .defs_count = defs_count};

    for (size_t i = 0; i < SCHEMA_VIEWS; i++) {
        bytes_init(&views->view[i].sql);
    }
    if (!schema_names_init(&making.names, defs, defs_count, err)) {
        return false;
    }
    bool ok = make(&making, views, err);
    schema_names_done(&making.names);
    return ok;
}

void schema_views_done(struct schema_views *views)
{
    for (size_t i = 0; i < SCHEMA_VIEWS; i++) {
        bytes_done(&views->view[i].sql);
    }
}
