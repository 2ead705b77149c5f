#include "store/cluster/schema.h"

#include "base/clock.h"
#include "store/cluster/schema_private.h"
#include "store/cluster/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct schema {
    struct servers *servers;
    const struct cluster_options *options;
    const struct rollup_def *defs;
    size_t defs_count;
    struct bytes sql;
    struct bytes answer;
};

static void schema_open(struct schema *schema, struct servers *servers,
                        const struct rollup_def *defs, size_t defs_count)
{
    *schema = (struct schema){.servers = servers,
                              .options = servers_options(servers),
                              .defs = defs,
                              .defs_count = defs_count};
    bytes_init(&schema->sql);
    bytes_init(&schema->answer);
}

static void schema_close(struct schema *schema)
{
    bytes_done(&schema->sql);
    bytes_done(&schema->answer);
}

static struct bytes *anew(struct schema *schema)
{
    bytes_clear(&schema->sql);
    return &schema->sql;
}

static bool say(struct schema *schema, size_t host, const char *sql, struct tally_err *err)
{
    // What is made or looked at may be the database itself; names are said in full.
    struct servers_question question = {.sql = sql, .outside = true};

    bytes_clear(&schema->answer);
    return sql ? servers_ask_host(schema->servers, host, &question, &schema->answer, err)
               : err_set(err, TALLY_NO_MEMORY, "no memory for a statement");
}

static bool say_it(struct schema *schema, size_t host, struct tally_err *err)
{
    return say(schema, host, sql_text(&schema->sql), err);
}

static struct cursor answer_of(const struct schema *schema)
{
    return cursor_over(schema->answer.data, schema->answer.count);
}

static const char *host_of(const struct schema *schema, size_t host)
{
    return schema->options->host[host];
}

// Next column of an answer as a text of its own. NULL without memory.
static char *take_text(struct cursor *in)
{
    size_t bytes = 0;
    const char *text = cursor_take_text(in, &bytes);

    return strndup(text ? text : "", text ? bytes : 0);
}

// ---- replicas -----------------------------------------------------------------------------

// A server that has ZooKeeper and knows its place by macros keeps its tables together with the
// other replicas of its shard.
static bool find_replication(struct schema *schema, size_t host, bool *out_replicated,
                             struct tally_err *err)
{
    sql_print(anew(schema),
              "SELECT toUInt8((SELECT count() FROM system.tables WHERE database = 'system' AND "
              "name = 'zookeeper') > 0), toUInt8((SELECT uniqExact(macro) FROM system.macros WHERE "
              "macro IN ('shard', 'replica')) = 2), (SELECT max(replica_num) FROM system.clusters "
              "WHERE cluster = ");
    sql_quote(&schema->sql, schema->options->cluster, strlen(schema->options->cluster));
    sql_print(&schema->sql, ") > 1");
    if (!say_it(schema, host, err)) {
        return false;
    }
    struct cursor in = answer_of(schema);
    bool zookeeper = cursor_take_u8(&in) != 0;
    bool macros = cursor_take_u8(&in) != 0;
    bool several = cursor_take_u8(&in) != 0;
    *out_replicated = zookeeper && macros;
    if (several && !*out_replicated) {
        return err_set(err, TALLY_INVALID,
                       "%s: a shard has several servers, but this one has no %s to keep them equal",
                       host_of(schema, host),
                       zookeeper ? "macros {shard} and {replica}" : "ZooKeeper");
    }
    return true;
}

// ---- what is there ------------------------------------------------------------------------

static void put_table_is(struct schema *schema, const char *column, const char *name)
{
    sql_print(&schema->sql, " WHERE database = ");
    sql_quote(&schema->sql, schema->options->database, strlen(schema->options->database));
    sql_print(&schema->sql, " AND %s = '%s'", column, name);
}

// Engines and expressions are told with other blanks and quotes by every version.
static const char *pass_over(const char *text)
{
    return text + strspn(text, " '`()");
}

static bool alike(const char *told, const char *want)
{
    told = pass_over(told);
    want = pass_over(want);
    while (*told == *want && *told != '\0') {
        told = pass_over(told + 1);
        want = pass_over(want + 1);
    }
    return *told == *want;
}

struct looked {
    bool there;
    char *engine;
    char *engine_full;
    char *order;
    char *partition;
};

static void looked_done(struct looked *looked)
{
    free(looked->engine);
    free(looked->engine_full);
    free(looked->order);
    free(looked->partition);
}

static bool look(struct schema *schema, size_t host, const char *name, struct looked *out,
                 struct tally_err *err)
{
    *out = (struct looked){.there = false};
    sql_print(anew(schema),
              "SELECT engine, engine_full, sorting_key, partition_key FROM system.tables");
    put_table_is(schema, "name", name);
    if (!say_it(schema, host, err)) {
        return false;
    }
    struct cursor in = answer_of(schema);
    if (cursor_left(&in) == 0) {
        return true;
    }
    out->there = true;
    out->engine = take_text(&in);
    out->engine_full = take_text(&in);
    out->order = take_text(&in);
    out->partition = take_text(&in);
    if (!out->engine || !out->engine_full || !out->order || !out->partition) {
        looked_done(out);
        return err_set(err, TALLY_NO_MEMORY, "no memory for a table's description");
    }
    return true;
}

static bool differs(const struct schema *schema, size_t host, const char *table, const char *what,
                    const char *told, const char *want, struct tally_err *err)
{
    return err_set(err, TALLY_INVALID, "%s: table %s: %s is %s, not %s", host_of(schema, host),
                   table, what, told[0] != '\0' ? told : "none", want);
}

static bool is_missing(const struct schema *schema, size_t host, const char *name,
                       struct tally_err *err)
{
    return err_set(err, TALLY_INVALID, "%s: %s.%s is missing: tallyd --init-store makes it",
                   host_of(schema, host), schema->options->database, name);
}

// ---- columns ------------------------------------------------------------------------------

// The next of "name Type, name Type"; a type may have commas in parentheses. False: none.
static bool next_column(const char **at, char name[64], char type[64])
{
    size_t name_bytes = strcspn(*at, " ");
    size_t depth = 0;
    size_t bytes = 0;

    if (**at == '\0') {
        return false;
    }
    memcpy(name, *at, name_bytes);
    name[name_bytes] = '\0';
    *at += name_bytes + 1;
    while ((*at)[bytes] != '\0' && ((*at)[bytes] != ',' || depth > 0)) {
        depth += (*at)[bytes] == '(';
        depth -= (*at)[bytes] == ')';
        bytes++;
    }
    memcpy(type, *at, bytes);
    type[bytes] = '\0';
    *at += bytes;
    *at += strspn(*at, ", ");
    return true;
}

static bool check_column(const struct schema *schema, size_t host, const char *table,
                         struct cursor *in, const char *name, const char *type,
                         struct tally_err *err)
{
    char *told_name = take_text(in);
    char *told_type = take_text(in);
    bool ok = told_name && told_type;

    if (!ok) {
        err_set(err, TALLY_NO_MEMORY, "no memory for a column's name");
    } else if (!in->ok) {
        ok = err_set(err, TALLY_INVALID, "%s: table %s: column %s is missing",
                     host_of(schema, host), table, name);
    } else if (strcmp(told_name, name) != 0) {
        ok = err_set(err, TALLY_INVALID, "%s: table %s: column %s stands where %s should",
                     host_of(schema, host), table, told_name, name);
    } else if (strcmp(told_type, type) != 0) {
        ok = err_set(err, TALLY_INVALID, "%s: table %s: column %s is %s, not %s",
                     host_of(schema, host), table, name, told_type, type);
    }
    free(told_name);
    free(told_type);
    return ok;
}

static bool check_columns(struct schema *schema, size_t host, const char *table,
                          const char *columns, struct tally_err *err)
{
    char name[64];
    char type[64];

    sql_print(anew(schema), "SELECT name, type FROM system.columns");
    put_table_is(schema, "table", table);
    if (!say_it(schema, host, err)) {
        return false;
    }
    struct cursor in = answer_of(schema);
    while (next_column(&columns, name, type)) {
        if (!check_column(schema, host, table, &in, name, type, err)) {
            return false;
        }
    }
    if (cursor_left(&in) > 0) {
        char *further = take_text(&in);
        err_set(err, TALLY_INVALID, "%s: table %s: column %s is one too many",
                host_of(schema, host), table, further ? further : "");
        free(further);
        return false;
    }
    return true;
}

// ---- tables -------------------------------------------------------------------------------

static bool check_local(struct schema *schema, size_t host, const struct schema_table *table,
                        const char *name, bool replicated, struct tally_err *err)
{
    const char *engine = replicated ? "ReplicatedReplacingMergeTree" : "ReplacingMergeTree";
    const char *partition = table->partition ? table->partition : "";
    struct looked looked;
    bool ok = true;

    if (!look(schema, host, name, &looked, err)) {
        return false;
    }
    if (!looked.there) {
        return is_missing(schema, host, name, err);
    }
    if (strcmp(looked.engine, engine) != 0) {
        ok = differs(schema, host, name, "its engine", looked.engine, engine, err);
    } else if (!alike(looked.order, table->order)) {
        ok = differs(schema, host, name, "its sorting key", looked.order, table->order, err);
    } else if (!alike(looked.partition, partition)) {
        ok = differs(schema, host, name, "its partition key", looked.partition, partition, err);
    }
    looked_done(&looked);
    return ok && check_columns(schema, host, name, table->columns, err);
}

static bool check_distributed(struct schema *schema, size_t host, const struct schema_table *table,
                              struct tally_err *err)
{
    struct looked looked;
    bool ok = true;

    if (!look(schema, host, table->name, &looked, err)) {
        return false;
    }
    if (!looked.there) {
        return is_missing(schema, host, table->name, err);
    }
    schema_put_distributed(anew(schema), table, schema->options);
    const char *made = sql_text(&schema->sql);
    const char *engine = made ? strstr(made, "Distributed(") : NULL;
    if (!engine) {
        ok = err_set(err, TALLY_NO_MEMORY, "no memory for a statement");
    } else if (!alike(looked.engine_full, engine)) {
        ok = differs(schema, host, table->name, "its engine", looked.engine_full, engine, err);
    }
    looked_done(&looked);
    return ok && check_columns(schema, host, table->name, table->columns, err);
}

static bool check_tables(struct schema *schema, size_t host, bool replicated, struct tally_err *err)
{
    char name[64];

    for (size_t i = 0; i < schema_tables_count(); i++) {
        const struct schema_table *table = schema_table_at(i);
        snprintf(name, sizeof name, "%s_local", table->name);
        if (!check_local(schema, host, table, name, replicated, err) ||
            !check_distributed(schema, host, table, err)) {
            return false;
        }
    }
    return true;
}

static bool make_tables(struct schema *schema, size_t host, bool replicated, struct tally_err *err)
{
    const char *database = schema->options->database;

    sql_print(anew(schema), "CREATE DATABASE IF NOT EXISTS ");
    sql_name(&schema->sql, database);
    if (!say_it(schema, host, err)) {
        return false;
    }
    for (size_t i = 0; i < schema_tables_count(); i++) {
        const struct schema_table *table = schema_table_at(i);
        schema_put_local(anew(schema), table, database, replicated);
        if (!say_it(schema, host, err)) {
            return false;
        }
        schema_put_distributed(anew(schema), table, schema->options);
        if (!say_it(schema, host, err)) {
            return false;
        }
    }
    return true;
}

// ---- views --------------------------------------------------------------------------------

static bool is_view_there(struct schema *schema, size_t host, const char *name, bool *out_there,
                          struct tally_err *err)
{
    struct looked looked;

    if (!look(schema, host, name, &looked, err)) {
        return false;
    }
    *out_there = looked.there;
    looked_done(&looked);
    return true;
}

// tally_views says of which views it is the last one: so views of other rollups are found, and
// those that were not finished. *out_same: all are there as they should be.
static bool look_at_views(struct schema *schema, size_t host, const struct schema_views *views,
                          bool *out_same, struct tally_err *err)
{
    const char *last = (const char *)views->view[SCHEMA_VIEWS - 1].sql.data;
    const char *want = strchr(last, '\'');

    *out_same = true;
    for (size_t i = 0; i < SCHEMA_VIEWS; i++) {
        bool there;
        if (!is_view_there(schema, host, views->view[i].name, &there, err)) {
            return false;
        }
        if (!there) {
            *out_same = false;
            return true;
        }
    }
    sql_print(anew(schema), "SELECT made FROM ");
    schema_put_name(&schema->sql, schema->options->database, "tally_views", "");
    if (!say_it(schema, host, err)) {
        return false;
    }
    struct cursor in = answer_of(schema);
    char *made = take_text(&in);
    if (!made) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for the name of the views");
    }
    *out_same = want && strncmp(want + 1, made, strlen(made)) == 0 && made[0] != '\0';
    free(made);
    return true;
}

static bool check_views(struct schema *schema, size_t host, const struct schema_views *views,
                        struct tally_err *err)
{
    bool same;

    if (!look_at_views(schema, host, views, &same, err)) {
        return false;
    }
    return same ||
           err_set(err, TALLY_INVALID,
                   "%s: the views are of other rollups: tallyd --init-store makes them anew",
                   host_of(schema, host));
}

static bool drop_views(struct schema *schema, size_t host, const struct schema_views *views,
                       struct tally_err *err)
{
    for (size_t i = SCHEMA_VIEWS; i-- > 0;) {
        sql_print(anew(schema), "DROP TABLE IF EXISTS ");
        schema_put_name(&schema->sql, schema->options->database, views->view[i].name, "");
        if (!say_it(schema, host, err)) {
            return false;
        }
    }
    return true;
}

// View by view on all hosts, since one asks for another on all of them.
static bool make_on_hosts(struct schema *schema, const struct schema_views *views, const bool *due,
                          struct tally_err *err)
{
    size_t hosts = schema->options->hosts_count;

    for (size_t i = 0; i < SCHEMA_VIEWS * hosts; i++) {
        const struct schema_view *view = &views->view[i / hosts];
        if (due[i % hosts] && !say(schema, i % hosts, (const char *)view->sql.data, err)) {
            return err_wrap(err, "view %s", view->name);
        }
    }
    return true;
}

static bool make_views(struct schema *schema, const struct schema_views *views,
                       struct tally_err *err)
{
    bool due[CLUSTER_HOSTS_MAX];

    for (size_t host = 0; host < schema->options->hosts_count; host++) {
        bool same;
        if (!look_at_views(schema, host, views, &same, err) ||
            (!same && !drop_views(schema, host, views, err))) {
            return false;
        }
        due[host] = !same;
    }
    return make_on_hosts(schema, views, due, err);
}

// ---- the rollups --------------------------------------------------------------------------

static bool encode_rollups(const struct schema *schema, uint64_t time_us, struct bytes *out,
                           struct tally_err *err)
{
    struct bytes def;

    bytes_init(&def);
    for (size_t i = 0; i < schema->defs_count; i++) {
        bytes_clear(&def);
        rollup_def_encode(&schema->defs[i], &def);
        bytes_put_text(out, schema->defs[i].name, strlen(schema->defs[i].name));
        bytes_put_text(out, (const char *)def.data, def.count);
        bytes_put_u64(out, time_us);
        out->ok = out->ok && def.ok;
    }
    bytes_done(&def);
    return out->ok || err_set(err, TALLY_NO_MEMORY, "no memory for the rollups");
}

// Those that were put last, all at one time, are what holds.
static bool put_rollups(struct schema *schema, struct tally_err *err)
{
    struct bytes rows;

    bytes_init(&rows);
    bool ok = encode_rollups(schema, (uint64_t)clock_now_ms() * 1000, &rows, err) &&
              servers_insert_at(schema->servers, 0, "tally_rollups_local", &rows, err);
    bytes_done(&rows);
    return ok;
}

// ---- all of it ----------------------------------------------------------------------------

typedef bool on_host(struct schema *schema, size_t host, bool replicated, struct tally_err *err);

enum hosts { HOSTS_ALL, HOSTS_THERE };

// HOSTS_THERE: one that does not answer is passed over, since its shard has another.
static bool each_host(struct schema *schema, enum hosts which, on_host *act, struct tally_err *err)
{
    for (size_t host = 0; host < schema->options->hosts_count; host++) {
        bool replicated;
        if (which == HOSTS_THERE && servers_shard_of(schema->servers, host) < 0) {
            continue;
        }
        if (!find_replication(schema, host, &replicated, err) ||
            !act(schema, host, replicated, err)) {
            return false;
        }
    }
    return true;
}

bool schema_init(struct servers *servers, const struct rollup_def *defs, size_t defs_count,
                 struct tally_err *err)
{
    struct schema_views views;
    struct schema schema;

    schema_open(&schema, servers, defs, defs_count);
    bool ok = schema_views_init(&views, schema.options, defs, defs_count, err) &&
              each_host(&schema, HOSTS_ALL, make_tables, err) &&
              each_host(&schema, HOSTS_ALL, check_tables, err) &&
              (defs_count == 0 || (make_views(&schema, &views, err) && put_rollups(&schema, err)));
    schema_views_done(&views);
    schema_close(&schema);
    return ok;
}

bool schema_check(struct servers *servers, const struct rollup_def *defs, size_t defs_count,
                  struct tally_err *err)
{
    struct schema_views views;
    struct schema schema;

    schema_open(&schema, servers, defs, defs_count);
    bool ok = schema_views_init(&views, schema.options, defs, defs_count, err) &&
              each_host(&schema, defs_count > 0 ? HOSTS_ALL : HOSTS_THERE, check_tables, err);
    for (size_t host = 0; ok && defs_count > 0 && host < schema.options->hosts_count; host++) {
        ok = check_views(&schema, host, &views, err);
    }
    schema_views_done(&views);
    schema_close(&schema);
    return ok;
}
