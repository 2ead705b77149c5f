// The SQL that lays out an exported database. Columns bear the names of `tally dump`.
#include "report/export.h"
#include "report/outfile.h"

#define DAY_SECONDS 86400

// A name as SQL writes it, whatever it holds: "killed.low".
static void put_name(FILE *sql, const char *name, const char *suffix)
{
    putc('"', sql);
    for (; *name; name++) {
        if (*name == '"') {
            putc('"', sql);
        }
        putc(*name, sql);
    }
    fprintf(sql, "%s\"", suffix);
}

static void put_figure_columns(FILE *sql, const struct rollup_def *def)
{
    fputs("  incidents INTEGER NOT NULL", sql);
    for (size_t m = 0; m < def->measures_count; m++) {
        fputs(",\n  ", sql);
        put_name(sql, def->measures[m], "");
        fputs(" INTEGER,\n  ", sql);
        put_name(sql, def->measures[m], "_reported");
        fputs(" INTEGER", sql);
    }
}

static void put_groups(FILE *sql, const struct rollup_def *def)
{
    fputs("CREATE TABLE groups (\n  group_id INTEGER PRIMARY KEY", sql);
    for (size_t i = 0; i < def->dims_count; i++) {
        fputs(",\n  ", sql);
        put_name(sql, def->dims[i], "");
        fputs(" TEXT NOT NULL", sql);
    }
    fputs("\n) STRICT;\n", sql);
}

void export_put_tables(FILE *sql, const struct rollup_def *def)
{
    fprintf(sql, "PRAGMA application_id = %d;\nPRAGMA user_version = %d;\n", OUTFILE_DATABASE_ID,
            EXPORT_SCHEMA_VERSION);
    fputs("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID;\n"
          "CREATE TABLE feeds (feed TEXT PRIMARY KEY, first_day TEXT, last_day TEXT)"
          " STRICT, WITHOUT ROWID;\n"
          "CREATE TABLE feed_measures (feed TEXT NOT NULL REFERENCES feeds, measure TEXT NOT NULL,"
          " PRIMARY KEY (feed, measure)) STRICT, WITHOUT ROWID;\n"
          "CREATE TABLE days (day TEXT PRIMARY KEY, epoch INTEGER NOT NULL UNIQUE)"
          " STRICT, WITHOUT ROWID;\n",
          sql);
    put_groups(sql, def);
    fputs("CREATE TABLE cells (\n  group_id INTEGER NOT NULL REFERENCES groups,\n"
          "  day TEXT NOT NULL,\n  epoch INTEGER NOT NULL,\n",
          sql);
    put_figure_columns(sql, def);
    fputs(",\n  PRIMARY KEY (group_id, epoch)\n) STRICT, WITHOUT ROWID;\n"
          "CREATE TABLE spans (\n  group_id INTEGER NOT NULL REFERENCES groups,\n"
          "  first_day TEXT NOT NULL,\n  last_day TEXT NOT NULL,\n"
          "  first_epoch INTEGER NOT NULL,\n  last_epoch INTEGER NOT NULL,\n",
          sql);
    put_figure_columns(sql, def);
    fputs(",\n  PRIMARY KEY (group_id, first_epoch, last_epoch)\n) STRICT, WITHOUT ROWID;\n"
          "CREATE TABLE windows (\n  days INTEGER NOT NULL,\n"
          "  which TEXT NOT NULL CHECK (which IN ('last', 'previous')),\n"
          "  group_id INTEGER NOT NULL REFERENCES groups,\n"
          "  window_start TEXT NOT NULL,\n  window_end TEXT NOT NULL,\n",
          sql);
    put_figure_columns(sql, def);
    fputs(",\n  PRIMARY KEY (days, which, group_id)\n) STRICT, WITHOUT ROWID;\n", sql);
}

// , g."country", g."actor"
static void put_dims(FILE *sql, const struct rollup_def *def)
{
    for (size_t i = 0; i < def->dims_count; i++) {
        fputs(", g.", sql);
        put_name(sql, def->dims[i], "");
    }
}

// Each column of figures between `open` and `close`, under its own name.
static void put_figures(FILE *sql, const struct rollup_def *def, const char *open,
                        const char *close)
{
    fprintf(sql, ", %sincidents%s AS incidents", open, close);
    for (size_t m = 0; m < def->measures_count; m++) {
        for (int reported = 0; reported <= 1; reported++) {
            const char *suffix = reported ? "_reported" : "";
            fprintf(sql, ", %s", open);
            put_name(sql, def->measures[m], suffix);
            fprintf(sql, "%s AS ", close);
            put_name(sql, def->measures[m], suffix);
        }
    }
}

// One row for each day and each group that has an incident in the days up to it. A condition on
// the day or on a dimension is pushed below the sums, since it is on what they are grouped by.
static void put_window(FILE *sql, const struct rollup_def *def, uint32_t days)
{
    long long back = (long long)(days - 1) * DAY_SECONDS;

    fprintf(sql,
            "CREATE VIEW window_%ud AS\n"
            "SELECT date(d.epoch - %lld, 'unixepoch') AS window_start, d.day AS window_end,\n"
            "  d.epoch AS epoch",
            days, back);
    put_dims(sql, def);
    put_figures(sql, def, "sum(c.", ")");
    fprintf(sql,
            "\nFROM days d JOIN cells c ON c.epoch BETWEEN d.epoch - %lld AND d.epoch\n"
            "JOIN groups g ON g.group_id = c.group_id\n"
            "GROUP BY d.day, d.epoch, g.group_id",
            back);
    put_dims(sql, def);
    fputs(";\n", sql);
}

// A day without incidents: none, and measures that nobody reported.
static void put_empty_day(FILE *sql, const struct rollup_def *def)
{
    uint64_t measures = 0;

    for (size_t i = 0; i < def->feeds_count; i++) {
        measures |= def->feeds[i].measures;
    }
    fputs(", 0", sql);
    for (size_t m = 0; m < def->measures_count; m++) {
        fputs(measures >> m & 1 ? ", NULL, 0" : ", NULL, NULL", sql);
    }
}

// One row for each day: the total of all groups. Cost: the cells once, then the days once.
static void put_window_total(FILE *sql, const struct rollup_def *def, uint32_t days)
{
    long long back = (long long)(days - 1) * DAY_SECONDS;
    char close[96];

    snprintf(close, sizeof close,
             ") OVER (ORDER BY epoch RANGE BETWEEN %lld PRECEDING AND CURRENT ROW)", back);
    fprintf(sql,
            "CREATE VIEW window_%ud_total AS\n"
            "SELECT date(d.epoch - %lld, 'unixepoch') AS window_start, d.day AS window_end,\n"
            "  d.epoch AS epoch",
            days, back);
    put_figures(sql, def, "w.", "");
    fputs("\nFROM (SELECT epoch", sql);
    put_figures(sql, def, "sum(", close);
    fputs("\n  FROM (SELECT epoch", sql);
    put_figures(sql, def, "sum(", ")");
    fputs("\n    FROM (SELECT epoch", sql);
    put_figures(sql, def, "", "");
    fputs(" FROM cells UNION ALL SELECT epoch", sql);
    put_empty_day(sql, def);
    fputs(" FROM days)\n    GROUP BY epoch)) w\nJOIN days d ON d.epoch = w.epoch;\n", sql);
}

void export_put_end(FILE *sql, const struct rollup_def *def)
{
    fputs("CREATE INDEX cells_by_epoch ON cells (epoch);\n"
          "CREATE VIEW day_cells AS\nSELECT c.day AS day, c.epoch AS epoch",
          sql);
    put_dims(sql, def);
    put_figures(sql, def, "c.", "");
    fputs("\nFROM cells c JOIN groups g ON g.group_id = c.group_id;\n"
          "CREATE VIEW latest AS\nSELECT w.days AS days, w.which AS which,"
          " w.window_start AS window_start, w.window_end AS window_end",
          sql);
    put_dims(sql, def);
    put_figures(sql, def, "w.", "");
    fputs("\nFROM windows w JOIN groups g ON g.group_id = w.group_id;\n", sql);
    for (size_t i = 0; i < def->windows_count; i++) {
        put_window(sql, def, def->windows[i]);
        put_window_total(sql, def, def->windows[i]);
    }
    fputs("ANALYZE;\n", sql);
}
