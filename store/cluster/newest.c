#include "store/cluster/newest.h"

#include "store/cluster/sql.h"

#include <stdlib.h>
#include <string.h>

static void put_feeds(struct bytes *sql, const struct newest_of *of)
{
    for (size_t i = 0; i < of->feeds_count; i++) {
        sql_print(sql, "%s", i == 0 ? "feed IN (" : ", ");
        sql_quote(sql, of->feed[i], strlen(of->feed[i]));
    }
    sql_print(sql, ")");
}

static bool take_counts(const struct bytes *answer, size_t shards, uint64_t *out_most,
                        struct tally_err *err)
{
    *out_most = 0;
    for (size_t i = 0; i < shards; i++) {
        struct cursor in = cursor_over(answer[i].data, answer[i].count);
        uint64_t count = cursor_take_u64(&in);
        if (!in.ok || cursor_left(&in) > 0) {
            return err_set(err, TALLY_CORRUPT, "shard %zu: no count of versions", i + 1);
        }
        *out_most = count > *out_most ? count : *out_most;
    }
    return true;
}

static bool ask_most(struct servers *servers, const struct newest_of *of, uint64_t *out_most,
                     struct tally_err *err)
{
    struct bytes answer[SERVERS_SHARDS_MAX];
    size_t shards = servers_shards(servers);
    struct bytes sql;

    bytes_init(&sql);
    for (size_t i = 0; i < shards; i++) {
        bytes_init(&answer[i]);
    }
    sql_print(&sql, "SELECT count() FROM tally_versions_local WHERE ");
    put_feeds(&sql, of);
    struct servers_question question = {.sql = sql_text(&sql)};
    bool ok = (question.sql || err_set(err, TALLY_NO_MEMORY, "no memory for a question")) &&
              servers_ask_each(servers, &question, answer, err) &&
              take_counts(answer, shards, out_most, err);
    for (size_t i = 0; i < shards; i++) {
        bytes_done(&answer[i]);
    }
    bytes_done(&sql);
    return ok;
}

bool newest_ranges(struct servers *servers, const struct newest_of *of, uint64_t range_versions,
                   uint64_t *out_ranges, struct tally_err *err)
{
    uint64_t most;

    if (!ask_most(servers, of, &most, err)) {
        return false;
    }
    *out_ranges = 1;
    while (*out_ranges < NEWEST_RANGES_MAX && most / *out_ranges > range_versions) {
        *out_ranges *= 2;
    }
    return true;
}

static void put_where(struct bytes *sql, const struct newest_of *of, uint64_t range,
                      uint64_t ranges)
{
    unsigned long long step = UINT64_MAX / ranges; // from the first hash of a range to its last
    unsigned long long first = range * (step + 1);

    put_feeds(sql, of);
    if (ranges > 1) {
        sql_print(sql, " AND id_hash >= %llu AND id_hash <= %llu", first, first + step);
    }
}

void newest_put(struct bytes *sql, const struct newest_of *of, uint64_t range, uint64_t ranges)
{
    sql_print(sql, " FROM tally_versions_local WHERE ");
    put_where(sql, of, range, ranges);
    sql_print(sql, " AND batch IN committed");
    if (of->where) {
        sql_print(sql, " AND %s", of->where);
    }
    if (of->touched) {
        sql_print(sql,
                  " AND (feed, id_hash) IN (SELECT feed, id_hash FROM tally_versions_local WHERE ");
        put_where(sql, of, range, ranges);
        sql_print(sql, " AND batch IN touched)");
    }
    sql_print(sql, " ORDER BY id_hash, feed, id, rank DESC, buried DESC, batch DESC, record DESC "
                   "LIMIT 1 BY id_hash, feed, id");
}
