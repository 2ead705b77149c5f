#include "store/cluster/figures.h"

#include "store/cluster/newest.h"
#include "store/cluster/shapes.h"
#include "store/cluster/sql.h"

#include <stdlib.h>
#include <string.h>

// A shape of one of the rollup's feeds.
struct known_shape {
    uint64_t hash;
    const struct shape *shape;
};

struct filling {
    struct servers *servers;
    struct servers_numbers committed;
    struct state *state;
    struct cells *cells;
    const struct rollup_def *def;
    const char *feed[ROLLUP_FEEDS_MAX]; // those that have said anything
    struct newest_of of;
    const char *name[CELLS_NAMES_MAX];
    size_t names_count;
    struct known_shape *shape;
    size_t shapes_count;
    struct bytes sql;
    struct bytes answer[SERVERS_SHARDS_MAX];
};

// ---- what is known of the feeds -----------------------------------------------------------

static bool is_asked(const struct rollup_def *def, const char *feed)
{
    for (size_t i = 0; i < def->feeds_count; i++) {
        if (strcmp(def->feeds[i].name, feed) == 0) {
            return true;
        }
    }
    return false;
}

static void add_feed(struct filling *filling, const char *feed)
{
    for (size_t i = 0; i < filling->of.feeds_count; i++) {
        if (strcmp(filling->feed[i], feed) == 0) {
            return;
        }
    }
    filling->feed[filling->of.feeds_count++] = feed;
}

static bool find_shapes(struct filling *filling, struct tally_err *err)
{
    const struct state *state = filling->state;

    filling->shape = malloc((state->shapes_count + 1) * sizeof *filling->shape);
    if (!filling->shape) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for the shapes of feeds");
    }
    for (size_t i = 0; i < state->shapes_count; i++) {
        struct known_shape *known = &filling->shape[filling->shapes_count];
        known->shape = state->shape[i];
        if (!is_asked(filling->def, known->shape->feed)) {
            continue;
        }
        if (!shapes_hash(known->shape, &known->hash, err)) {
            return false;
        }
        filling->shapes_count++;
        add_feed(filling, known->shape->feed);
    }
    return true;
}

// ---- the question -------------------------------------------------------------------------

// A name may stand in another place in each shape of a feed. How a value is found in one:
enum source { SOURCE_DIM, SOURCE_MEASURE, SOURCE_REPORTED };

static int place_in(enum source source, const struct shape *shape, const char *name)
{
    return source == SOURCE_DIM ? shape_find_dim(shape, name) : shape_find_measure(shape, name);
}

static void put_value(struct bytes *sql, enum source source, int place)
{
    static const char *const absent[] = {
        [SOURCE_DIM] = "''", [SOURCE_MEASURE] = "toInt64(0)", [SOURCE_REPORTED] = "toUInt8(0)"};
    static const char *const at[] = {
        [SOURCE_DIM] = "dims[", [SOURCE_MEASURE] = "measures[", [SOURCE_REPORTED] = NULL};

    if (place < 0) {
        sql_print(sql, "%s", absent[source]);
    } else if (source == SOURCE_REPORTED) {
        sql_print(sql, "toUInt8(bitAnd(bitShiftRight(reported, %d), 1))", place);
    } else {
        sql_print(sql, "%s%d]", at[source], place + 1);
    }
}

static void put_shapes_with(struct filling *filling, enum source source, const char *name,
                            int place)
{
    const char *before = "shape IN (";

    for (size_t i = 0; i < filling->shapes_count; i++) {
        const struct known_shape *known = &filling->shape[i];
        if (place_in(source, known->shape, name) == place) {
            sql_print(&filling->sql, "%s%llu", before, (unsigned long long)known->hash);
            before = ", ";
        }
    }
    sql_print(&filling->sql, ")");
}

// Whether a shape before this one has the name in the same place.
static bool was_put(const struct filling *filling, enum source source, const char *name, size_t at)
{
    int place = place_in(source, filling->shape[at].shape, name);

    for (size_t i = 0; i < at; i++) {
        if (place_in(source, filling->shape[i].shape, name) == place) {
            return true;
        }
    }
    return false;
}

// multiIf(shape IN (1, 2), dims[3], shape IN (3), '', dims[1]): the place of the first shape last.
static void put_by_shape(struct filling *filling, enum source source, const char *name)
{
    int first = place_in(source, filling->shape[0].shape, name);
    bool differ = false;

    for (size_t i = 1; i < filling->shapes_count; i++) {
        if (was_put(filling, source, name, i)) {
            continue;
        }
        int place = place_in(source, filling->shape[i].shape, name);
        sql_print(&filling->sql, "%s", differ ? "" : "multiIf(");
        put_shapes_with(filling, source, name, place);
        sql_print(&filling->sql, ", ");
        put_value(&filling->sql, source, place);
        sql_print(&filling->sql, ", ");
        differ = true;
    }
    put_value(&filling->sql, source, first);
    sql_print(&filling->sql, "%s", differ ? ")" : "");
}

// The columns of each incident by names of their own: d0 d1 ... m0 r0 m1 r1 ... `strange`: its
// shape is none of those that the log names.
static void put_incidents(struct filling *filling)
{
    struct bytes *sql = &filling->sql;

    sql_print(sql, "SELECT feed, op, first_day, last_day, shape NOT IN (");
    for (size_t i = 0; i < filling->shapes_count; i++) {
        sql_print(sql, "%s%llu", i ? ", " : "", (unsigned long long)filling->shape[i].hash);
    }
    sql_print(sql, ") AS strange");
    for (size_t i = 0; i < filling->names_count; i++) {
        sql_print(sql, ", ");
        put_by_shape(filling, SOURCE_DIM, filling->name[i]);
        sql_print(sql, " AS d%zu", i);
    }
    for (size_t i = 0; i < filling->def->measures_count; i++) {
        sql_print(sql, ", ");
        put_by_shape(filling, SOURCE_MEASURE, filling->def->measures[i]);
        sql_print(sql, " AS m%zu, ", i);
        put_by_shape(filling, SOURCE_REPORTED, filling->def->measures[i]);
        sql_print(sql, " AS r%zu", i);
    }
}

static void put_names(struct filling *filling)
{
    sql_print(&filling->sql, "feed, first_day, last_day");
    for (size_t i = 0; i < filling->names_count; i++) {
        sql_print(&filling->sql, ", d%zu", i);
    }
}

static const char *put_question(struct filling *filling, uint64_t range, uint64_t ranges)
{
    struct bytes *sql = &filling->sql;

    bytes_clear(sql);
    sql_print(sql, "SELECT ");
    put_names(filling);
    sql_print(sql, ", toUInt64(count()), max(strange)");
    for (size_t i = 0; i < filling->def->measures_count; i++) {
        sql_print(sql, ", sum(toDecimal128(m%zu, 0)), toUInt64(sum(r%zu))", i, i);
    }
    sql_print(sql, " FROM (");
    put_incidents(filling);
    newest_put(sql, &filling->of, range, ranges);
    sql_print(sql, ") WHERE op = 0 GROUP BY ");
    put_names(filling);
    return sql_text(sql);
}

// ---- the answers --------------------------------------------------------------------------

static bool take_text(struct filling *filling, struct cursor *in, uint32_t *out_code,
                      struct tally_err *err)
{
    size_t bytes = 0;
    const char *text = cursor_take_text(in, &bytes);

    return !text || texts_intern(&filling->state->texts, text, bytes, out_code, NULL, err);
}

static bool take_row(struct filling *filling, struct cursor *in, struct tally_err *err)
{
    uint32_t codes[CELLS_NAMES_MAX];
    struct rollup_entry entry;
    uint32_t feed = 0;

    if (!take_text(filling, in, &feed, err)) {
        return false;
    }
    entry.first_day = (int32_t)cursor_take_u32(in);
    entry.last_day = (int32_t)cursor_take_u32(in);
    for (size_t i = 0; i < filling->names_count; i++) {
        if (!take_text(filling, in, &codes[i], err)) {
            return false;
        }
    }
    entry.sums.incidents = cursor_take_u64(in);
    bool strange = cursor_take_u8(in) != 0;
    for (size_t i = 0; i < filling->def->measures_count; i++) {
        entry.sums.measure[i].sum = cursor_take_i128(in);
        entry.sums.measure[i].reported = cursor_take_u64(in);
    }
    if (!in->ok || strange) {
        return err_set(err, TALLY_CORRUPT, "%s",
                       in->ok ? "tally_versions: an incident of a shape that no batch has"
                              : "sums of a shard that end early");
    }
    return cells_add(filling->cells, filling->state, feed, codes, &entry, err);
}

static bool take_answers(struct filling *filling, struct tally_err *err)
{
    for (size_t i = 0; i < servers_shards(filling->servers); i++) {
        struct cursor in = cursor_over(filling->answer[i].data, filling->answer[i].count);
        while (cursor_left(&in) > 0) {
            if (!take_row(filling, &in, err)) {
                return err_wrap(err, "shard %zu", i + 1);
            }
        }
    }
    return true;
}

// All shards' answers, or none.
static bool ask(struct filling *filling, uint64_t range, uint64_t ranges, struct tally_err *err)
{
    struct servers_question question = {.sql = put_question(filling, range, ranges),
                                        .numbers = &filling->committed,
                                        .numbers_count = 1};

    for (size_t i = 0; i < servers_shards(filling->servers); i++) {
        bytes_clear(&filling->answer[i]);
    }
    return question.sql ? servers_ask_each(filling->servers, &question, filling->answer, err)
                        : err_set(err, TALLY_NO_MEMORY, "no memory for a question");
}

static bool ask_range(struct filling *filling, uint64_t range, uint64_t ranges,
                      struct tally_err *err)
{
    if (ask(filling, range, ranges, err)) {
        return take_answers(filling, err);
    }
    return newest_halves(ranges, err) && ask_range(filling, 2 * range, 2 * ranges, err) &&
           ask_range(filling, 2 * range + 1, 2 * ranges, err);
}

static bool fill(struct filling *filling, uint64_t range_versions, struct tally_err *err)
{
    uint64_t ranges;

    if (!find_shapes(filling, err)) {
        return false;
    }
    if (filling->shapes_count == 0 || filling->committed.count == 0) {
        return true;
    }
    if (!newest_ranges(filling->servers, &filling->of, range_versions, &ranges, err)) {
        return false;
    }
    for (uint64_t range = 0; range < ranges; range++) {
        if (!ask_range(filling, range, ranges, err)) {
            return false;
        }
    }
    return true;
}

bool figures_fill(struct servers *servers, const struct bytes *committed, struct state *state,
                  struct cells *cells, struct tally_err *err)
{
    return figures_fill_by(servers, committed, NEWEST_RANGE_VERSIONS, state, cells, err);
}

bool figures_fill_by(struct servers *servers, const struct bytes *committed,
                     uint64_t range_versions, struct state *state, struct cells *cells,
                     struct tally_err *err)
{
    struct filling *filling = calloc(1, sizeof *filling);

    if (!filling) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for figures");
    }
    filling->servers = servers;
    filling->committed =
        (struct servers_numbers){.name = "committed",
                                 .number = (const uint64_t *)(const void *)committed->data,
                                 .count = committed->count / sizeof(uint64_t)};
    filling->of.feed = filling->feed;
    filling->state = state;
    filling->cells = cells;
    filling->def = cells_def(cells);
    filling->names_count = cells_names(cells, filling->name);
    bytes_init(&filling->sql);
    for (size_t i = 0; i < SERVERS_SHARDS_MAX; i++) {
        bytes_init(&filling->answer[i]);
    }
    bool ok =
        fill(filling, range_versions, err) || err_wrap(err, "figures of %s", filling->def->name);
    for (size_t i = 0; i < SERVERS_SHARDS_MAX; i++) {
        bytes_done(&filling->answer[i]);
    }
    bytes_done(&filling->sql);
    free(filling->shape);
    free(filling);
    return ok;
}
