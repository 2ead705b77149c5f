#include "store/cluster/replicas.h"

#include "store/cluster/sql.h"

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || c == '_';
}

// The next table of a shard that a statement names. NULL: none.
static const char *next_table(const char *at, size_t *out_bytes)
{
    static const char first[] = "tally_";
    static const char last[] = "_local";

    while ((at = strstr(at, first))) {
        size_t bytes = 0;
        while (is_of_name(at[bytes])) {
            bytes++;
        }
        *out_bytes = bytes;
        if (bytes > sizeof last - 1 &&
            memcmp(at + bytes - (sizeof last - 1), last, sizeof last - 1) == 0) {
            return at;
        }
        at += bytes;
    }
    return NULL;
}

bool replicas_put_look(struct bytes *sql, const char *database, const char *statement)
{
    size_t bytes = 0;
    const char *table = next_table(statement, &bytes);

    if (!table) {
        return false;
    }
    sql_print(sql, "SELECT zookeeper_path, toUInt64(log_max_index), toUInt64(log_pointer), "
                   "toUInt64(inserts_in_queue) FROM system.replicas WHERE database = ");
    sql_quote(sql, database, strlen(database));
    sql_print(sql, " AND table IN (");
    for (const char *before = ""; table; before = ", ") {
        sql_print(sql, "%s'%.*s'", before, (int)bytes, table);
        table = next_table(table + bytes, &bytes);
    }
    sql_print(sql, ")");
    return true;
}

static void put_log(struct bytes *sql, const char *path, size_t bytes)
{
    struct bytes log;

    bytes_init(&log);
    sql_print(&log, "%.*s/log", (int)bytes, path);
    sql->ok = sql->ok && log.ok;
    sql_quote(sql, (const char *)log.data, log.count);
    bytes_done(&log);
}

enum replica_state replicas_read_look(const struct bytes *answer, struct bytes *next_sql)
{
    struct cursor in = cursor_over(answer->data, answer->count);
    bool unclear = false;

    while (in.ok && cursor_left(&in) > 0) {
        size_t bytes = 0;
        const char *path = cursor_take_text(&in, &bytes);
        uint64_t newest = cursor_take_u64(&in); // entry of the log
        uint64_t next = cursor_take_u64(&in);   // that it would read
        uint64_t waiting = cursor_take_u64(&in);
        if (!in.ok || waiting > 0 || (next <= newest && newest > 0)) {
            return REPLICA_BEHIND;
        }
        if (next == 0) { // as if entry 0 were there, where there is none
            sql_print(next_sql, "%sSELECT toUInt64(count()) FROM system.zookeeper WHERE path = ",
                      unclear ? " UNION ALL " : "");
            put_log(next_sql, path, bytes);
            unclear = true;
        }
    }
    return unclear ? REPLICA_UNCLEAR : REPLICA_UP;
}

enum replica_state replicas_read_log(const struct bytes *answer)
{
    struct cursor in = cursor_over(answer->data, answer->count);
    enum replica_state state = cursor_left(&in) > 0 ? REPLICA_UP : REPLICA_BEHIND;

    while (in.ok && cursor_left(&in) > 0) {
        if (cursor_take_u64(&in) > 0) {
            state = REPLICA_BEHIND;
        }
    }
    return in.ok ? state : REPLICA_BEHIND;
}
