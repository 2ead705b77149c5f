#include "store/cluster/schema_private.h"
#include "store/cluster/sql.h"

#include "base/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- filters ------------------------------------------------------------------------------

static bool is_glob(const char *pattern)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '*' || *pattern == '?') {
            return true;
        }
        pattern += pattern[0] == '\\' && pattern[1] != '\0';
    }
    return false;
}

// The text that a pattern without wildcards stands for.
static void put_plain(struct bytes *sql, const char *pattern)
{
    struct bytes text;

    bytes_init(&text);
    for (; *pattern != '\0'; pattern++) {
        pattern += pattern[0] == '\\' && pattern[1] != '\0';
        bytes_put_u8(&text, (uint8_t)*pattern);
    }
    sql->ok = sql->ok && text.ok;
    sql_quote(sql, (const char *)text.data, text.count);
    bytes_done(&text);
}

// A text in hexadecimal digits, a blank behind each character of UTF-8 and behind each byte that
// belongs to none: what base/pattern.c takes for one.
#define CONTINUES "[89AB]."
#define CHARACTERS                                                                                 \
    "replaceRegexpAll(hex(%s), '("                                                                 \
    "[0-7].|(?:C[2-9A-F]|D.)" CONTINUES "|"                                                        \
    "(?:E0[AB].|E[1-9ABCEF]" CONTINUES "|ED[89].)" CONTINUES "|"                                   \
    "(?:F0[9AB].|F[123]" CONTINUES "|F48.)" CONTINUES CONTINUES "|..)', '\\\\1 ')"

// A regular expression over such a text: no character means anything else.
static void put_glob(struct bytes *sql, const char *pattern)
{
    const char *end = pattern + strlen(pattern);
    char bytes[PATTERN_CHARACTER_BYTES];

    while (pattern < end) {
        if (*pattern == '*' || *pattern == '?') {
            sql_print(sql, "%s", *pattern++ == '*' ? "(?:[^ ]+ )*" : "[^ ]+ ");
            continue;
        }
        size_t count = pattern_take_plain(&pattern, end, bytes);
        for (size_t i = 0; i < count; i++) {
            sql_print(sql, "%02X", (unsigned char)bytes[i]);
        }
        sql_print(sql, " ");
    }
}

static void put_plains(struct bytes *sql, const struct filter *filter, const char *text)
{
    const char *before = "";

    sql_print(sql, "%s IN (", text);
    for (size_t i = 0; i < filter->patterns_count; i++) {
        if (!is_glob(filter->patterns[i])) {
            sql_print(sql, "%s", before);
            put_plain(sql, filter->patterns[i]);
            before = ", ";
        }
    }
    sql_print(sql, ")");
}

static void put_globs(struct bytes *sql, const struct filter *filter, const char *text)
{
    const char *before = "";

    sql_print(sql, "match(" CHARACTERS ", '^(?:", text);
    for (size_t i = 0; i < filter->patterns_count; i++) {
        if (is_glob(filter->patterns[i])) {
            sql_print(sql, "%s", before);
            put_glob(sql, filter->patterns[i]);
            before = "|";
        }
    }
    sql_print(sql, ")$')");
}

void schema_put_filter(struct bytes *sql, const struct filter *filter, const char *text)
{
    size_t globs = 0;

    for (size_t i = 0; i < filter->patterns_count; i++) {
        globs += is_glob(filter->patterns[i]);
    }
    sql_print(sql, "%s(", filter->negated ? "NOT " : "");
    if (globs < filter->patterns_count) {
        put_plains(sql, filter, text);
        sql_print(sql, "%s", globs > 0 ? " OR " : "");
    }
    if (globs > 0) {
        put_globs(sql, filter, text);
    }
    sql_print(sql, "%s)", filter->patterns_count > 0 ? "" : "0");
}

// ---- cells --------------------------------------------------------------------------------

static int find(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool names_has(const char **names, size_t *count, const char *name)
{
    if (find(names, *count, name) < 0) {
        names[(*count)++] = name;
        return false;
    }
    return true;
}

bool schema_names_init(struct schema_names *names, const struct rollup_def *defs, size_t defs_count,
                       struct tally_err *err)
{
    *names = (struct schema_names){
        .dim = calloc(defs_count * ROLLUP_DIMS_MAX + 1, sizeof *names->dim),
        .measure = calloc(defs_count * ROLLUP_MEASURES_MAX + 1, sizeof *names->measure),
    };
    if (!names->dim || !names->measure) {
        schema_names_done(names);
        return err_set(err, TALLY_NO_MEMORY, "no memory for the columns of views");
    }
    for (size_t i = 0; i < defs_count; i++) {
        for (size_t d = 0; d < defs[i].dims_count; d++) {
            names_has(names->dim, &names->dims_count, defs[i].dims[d]);
        }
        for (size_t m = 0; m < defs[i].measures_count; m++) {
            names_has(names->measure, &names->measures_count, defs[i].measures[m]);
        }
    }
    return true;
}

void schema_names_done(struct schema_names *names)
{
    free(names->dim);
    free(names->measure);
    *names = (struct schema_names){0};
}

// What a rollup groups or filters by: _x0, _x1, ... within its question.
struct used {
    const char *name[ROLLUP_DIMS_MAX + ROLLUP_FILTERS_MAX];
    size_t count;
};

static void use_names(struct used *used, const struct rollup_def *def)
{
    *used = (struct used){.count = 0};
    for (size_t i = 0; i < def->dims_count; i++) {
        names_has(used->name, &used->count, def->dims[i]);
    }
    for (size_t i = 0; i < def->filters_count; i++) {
        names_has(used->name, &used->count, def->filters[i].dim);
    }
}

static bool is_feed(const char *name)
{
    return strcmp(name, ROLLUP_DIM_FEED) == 0;
}

static void put_feeds(struct bytes *sql, const struct rollup_def *def)
{
    sql_print(sql, "feed IN (");
    for (size_t i = 0; i < def->feeds_count; i++) {
        sql_print(sql, "%s", i > 0 ? ", " : "");
        sql_quote(sql, def->feeds[i].name, strlen(def->feeds[i].name));
    }
    sql_print(sql, ")");
}

// The newest version of each incident among those of batches that count (versions.h).
static void put_newest(struct bytes *sql, const char *database, const struct rollup_def *def)
{
    sql_print(sql, "SELECT feed, op, shape, first_day, last_day, reported, dims, measures FROM ");
    schema_put_name(sql, database, "tally_versions", "_local");
    sql_print(sql, " WHERE ");
    put_feeds(sql, def);
    sql_print(sql, " AND (feed, batch) IN (SELECT of_feed, batch FROM ");
    schema_put_name(sql, database, "tally_committed", "");
    sql_print(sql, ") ORDER BY id_hash, feed, id, rank DESC, buried DESC, batch DESC, record DESC "
                   "LIMIT 1 BY id_hash, feed, id");
}

static void put_place(struct bytes *sql, const char *list, const char *name, const char *as,
                      size_t i)
{
    sql_print(sql, ", indexOf(%s, ", list);
    sql_quote(sql, name, strlen(name));
    sql_print(sql, ") AS %s%zu", as, i);
}

// Where each shape has the names; 0: nowhere.
static void put_places(struct bytes *sql, const char *database, const struct rollup_def *def,
                       const struct used *used)
{
    sql_print(sql, "SELECT shape, toUInt8(1) AS _known");
    for (size_t i = 0; i < used->count; i++) {
        if (!is_feed(used->name[i])) {
            put_place(sql, "dims", used->name[i], "_p", i);
        }
    }
    for (size_t i = 0; i < def->measures_count; i++) {
        put_place(sql, "measures", def->measures[i], "_q", i);
    }
    sql_print(sql, " FROM ");
    schema_put_name(sql, database, "tally_shapes", "");
    sql_print(sql, " WHERE ");
    put_feeds(sql, def);
}

// One row an incident that counts: _x0 ..., first_day, last_day, _v0, _w0, ...
static void put_incidents(struct bytes *sql, const char *database, const struct rollup_def *def,
                          const struct used *used)
{
    sql_print(sql, "SELECT first_day, last_day");
    for (size_t i = 0; i < used->count; i++) {
        if (is_feed(used->name[i])) {
            sql_print(sql, ", feed AS _x%zu", i);
        } else {
            sql_print(sql, ", dims[_p%zu] AS _x%zu", i, i);
        }
    }
    for (size_t i = 0; i < def->measures_count; i++) {
        sql_print(sql,
                  ", measures[_q%zu] AS _v%zu, toUInt64(_q%zu > 0 AND bitAnd(bitShiftRight("
                  "reported, toUInt8(greatest(_q%zu, 1) - 1)), 1) = 1) AS _w%zu",
                  i, i, i, i, i);
    }
    sql_print(sql, " FROM (");
    put_newest(sql, database, def);
    sql_print(sql, ") AS _i ANY LEFT JOIN (");
    put_places(sql, database, def, used);
    sql_print(sql, ") AS _s USING (shape) WHERE op = 0 AND throwIf(_known = 0) = 0");
}

static void put_columns(struct bytes *sql, const struct rollup_def *def,
                        const struct schema_names *names, const struct used *used)
{
    sql_print(sql, "SELECT ");
    sql_quote(sql, def->name, strlen(def->name));
    sql_print(sql, " AS _rollup");
    for (size_t i = 0; i < names->dims_count; i++) {
        if (rollup_def_find_dim(def, names->dim[i]) < 0) {
            sql_print(sql, ", '' AS _d%zu", i);
        } else {
            sql_print(sql, ", _x%d AS _d%zu", find(used->name, used->count, names->dim[i]), i);
        }
    }
    sql_print(sql, ", first_day AS _first, last_day AS _last, toUInt64(count()) AS _n");
    for (size_t i = 0; i < names->measures_count; i++) {
        int at = rollup_def_find_measure(def, names->measure[i]);
        if (at < 0) {
            sql_print(sql, ", toDecimal128(0, 0) AS _m%zu, toUInt64(0) AS _r%zu", i, i);
        } else {
            // Of Int64 a sum would wrap without a word.
            sql_print(sql, ", sum(toDecimal128(_v%d, 0)) AS _m%zu, toUInt64(sum(_w%d)) AS _r%zu",
                      at, i, at, i);
        }
    }
}

void schema_put_cells(struct bytes *sql, const char *database, const struct rollup_def *def,
                      const struct schema_names *names)
{
    struct used used;
    char text[16];

    use_names(&used, def);
    put_columns(sql, def, names, &used);
    sql_print(sql, " FROM (");
    put_incidents(sql, database, def, &used);
    sql_print(sql, ")");
    for (size_t i = 0; i < def->filters_count; i++) {
        snprintf(text, sizeof text, "_x%d", find(used.name, used.count, def->filters[i].dim));
        sql_print(sql, i == 0 ? " WHERE " : " AND ");
        schema_put_filter(sql, &def->filters[i], text);
    }
    sql_print(sql, " GROUP BY first_day, last_day");
    for (size_t i = 0; i < def->dims_count; i++) {
        sql_print(sql, ", _x%zu", i); // they come first in use_names
    }
}
