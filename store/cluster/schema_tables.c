#include "store/cluster/schema_private.h"
#include "store/cluster/sql.h"

// Whoever puts rows into one of them puts these columns in this order (sql.h).
static const struct schema_table TABLES[] = {
    {
        .name = "tally_versions",
        .columns = "feed String, id_hash UInt64, id String, rank String, buried UInt8, "
                   "batch UInt64, record UInt64, op UInt8, revision String, shape UInt64, "
                   "first_day Int32, last_day Int32, reported UInt64, dims Array(String), "
                   "measures Array(Int64), line UInt64",
        // Never by day: a correction may move an incident to another.
        .partition = "bitShiftRight(id_hash, 61)",
        .order = "feed, id_hash, id, rank, buried, batch, record",
        .granularity = 1024, // a look-up of one id reads no more than that
        .sharding = "id_hash",
    },
    {
        .name = "tally_seen",
        .columns = "batch UInt64, feed String, id_hash UInt64, id String, put UInt8",
        .partition = "batch", // dropped as one
        .order = "id_hash, id, put",
        .sharding = "id_hash",
    },
    {
        .name = "tally_batches",
        .columns = "batch UInt64, number UInt32, writer String, time_ms Int64, outcome UInt8, "
                   "feed String, file String, digest String, records UInt64, rejected UInt64, "
                   "added UInt64, revised UInt64, withdrawn UInt64, unchanged UInt64, "
                   "older UInt64, conflicts UInt64, begin String, end String, mode UInt8, "
                   "of_feed String, any_day UInt8, first_day Int32, last_day Int32",
        .order = "batch",
        .sharding = "0",
    },
    {
        .name = "tally_shapes",
        .columns = "shape UInt64, feed String, dims Array(String), measures Array(String)",
        .order = "shape",
        .sharding = "0",
    },
    {
        .name = "tally_feeds",
        .columns = "feed String, writer String, by_revision UInt8, time_us UInt64",
        .order = "feed, writer",
        .sharding = "0",
    },
    {
        .name = "tally_rejects",
        .columns = "batch UInt64, record UInt64, line UInt64, offset UInt64, reason String, "
                   "detail String, raw String",
        .order = "batch, record, offset",
        .sharding = "0",
    },
    {
        .name = "tally_rollups",
        .columns = "name String, def String, time_us UInt64",
        .order = "name",
        .version = "time_us",
        .sharding = "0",
    },
};

size_t schema_tables_count(void)
{
    return sizeof TABLES / sizeof *TABLES;
}

const struct schema_table *schema_table_at(size_t index)
{
    return &TABLES[index];
}

void schema_put_name(struct bytes *sql, const char *database, const char *name, const char *suffix)
{
    sql_name(sql, database);
    sql_print(sql, ".%s%s", name, suffix);
}

// Where replicas of one shard meet; {shard} and {replica} are macros of the server's configuration.
static void put_replica(struct bytes *sql, const char *database, const char *name)
{
    struct bytes path;

    bytes_init(&path);
    sql_print(&path, "/clickhouse/tables/{shard}/%s/%s_local", database, name);
    sql->ok = sql->ok && path.ok;
    sql_quote(sql, (const char *)path.data, path.count);
    sql_print(sql, ", '{replica}'");
    bytes_done(&path);
}

void schema_put_local(struct bytes *sql, const struct schema_table *table, const char *database,
                      bool replicated)
{
    sql_print(sql, "CREATE TABLE IF NOT EXISTS ");
    schema_put_name(sql, database, table->name, "_local");
    sql_print(sql, " (%s) ENGINE = %sReplacingMergeTree(", table->columns,
              replicated ? "Replicated" : "");
    if (replicated) {
        put_replica(sql, database, table->name);
    }
    sql_print(sql, "%s%s)", replicated && table->version ? ", " : "",
              table->version ? table->version : "");
    if (table->partition) {
        sql_print(sql, " PARTITION BY %s", table->partition);
    }
    sql_print(sql, " ORDER BY (%s)", table->order);
    if (table->granularity > 0) {
        sql_print(sql, " SETTINGS index_granularity = %u", table->granularity);
    }
}

void schema_put_distributed(struct bytes *sql, const struct schema_table *table,
                            const struct cluster_options *options)
{
    sql_print(sql, "CREATE TABLE IF NOT EXISTS ");
    schema_put_name(sql, options->database, table->name, "");
    sql_print(sql, " (%s) ENGINE = Distributed(", table->columns);
    sql_quote(sql, options->cluster, strlen(options->cluster));
    sql_print(sql, ", ");
    sql_quote(sql, options->database, strlen(options->database));
    sql_print(sql, ", '%s_local', %s)", table->name, table->sharding);
}
