// bench/lookup_sqlite.c - the look-ups of bench/lookup.c in SQLite, warm and in process.
//
//     bench_lookup_sqlite FILE.db QUERIES DAYS
//
// Prints one line of JSON: `sqlite-key` knows the number of the group, `sqlite-texts` finds it
// by its texts. Statements are prepared once. All groups at one date are asked for in both ways
// that SQLite has, one range of the key for each group or one pass over all cells; the quicker
// counts.
#include "bench/queries.h"

#include <err.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct looker {
    const char *path;
    sqlite3 *db;
    sqlite3_stmt *by_key;
    sqlite3_stmt *by_texts;
    sqlite3_stmt *all; // the one of the two that is quicker
    int32_t days;
};

static void check(sqlite3 *db, int code)
{
    if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) {
        errx(EX_DATAERR, "SQLite: %s", sqlite3_errmsg(db));
    }
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    check(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL));
    return statement;
}

// Parameters 1 and 2 of each statement are the first and the last day.
static void bind_days(const struct looker *looker, sqlite3_stmt *statement, int32_t last_day)
{
    check(looker->db, sqlite3_bind_int(statement, 1, last_day - looker->days + 1));
    check(looker->db, sqlite3_bind_int(statement, 2, last_day));
}

// The last two columns of each row are incidents and killed.
static void run(const struct looker *looker, sqlite3_stmt *statement, struct answers *sums)
{
    int code;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        int last = sqlite3_column_count(statement) - 1;
        sums->incidents += (uint64_t)sqlite3_column_int64(statement, last - 1);
        sums->killed += sqlite3_column_int64(statement, last);
    }
    check(looker->db, code);
    check(looker->db, sqlite3_reset(statement));
}

static void look_up_by_key(void *context, const struct query *query, struct answers *sums)
{
    const struct looker *looker = context;

    bind_days(looker, looker->by_key, query->last_day);
    check(looker->db, sqlite3_bind_int64(looker->by_key, 3, query->group));
    run(looker, looker->by_key, sums);
}

static void look_up_by_texts(void *context, const struct query *query, struct answers *sums)
{
    const struct looker *looker = context;

    bind_days(looker, looker->by_texts, query->last_day);
    for (int dim = 0; dim < QUERIES_DIMS; dim++) {
        check(looker->db,
              sqlite3_bind_text(looker->by_texts, 3 + dim, query->texts[dim], -1, SQLITE_STATIC));
    }
    run(looker, looker->by_texts, sums);
}

static void look_up_all(void *context, int32_t last_day, struct answers *sums)
{
    const struct looker *looker = context;

    bind_days(looker, looker->all, last_day);
    run(looker, looker->all, sums);
}

static void open_db(struct looker *looker)
{
    check(NULL, sqlite3_open_v2(looker->path, &looker->db, SQLITE_OPEN_READONLY, NULL));
    looker->by_key = prepare(looker->db, "SELECT sum(incidents), sum(killed) FROM cells"
                                         " WHERE group_id = ?3 AND day BETWEEN ?1 AND ?2");
    looker->by_texts =
        prepare(looker->db, "SELECT sum(incidents), sum(killed) FROM cells WHERE group_id ="
                            " (SELECT group_id FROM groups"
                            "  WHERE country = ?3 AND admin1 = ?4 AND event_type = ?5)"
                            " AND day BETWEEN ?1 AND ?2");
}

static void close_db(struct looker *looker)
{
    sqlite3_finalize(looker->by_key);
    sqlite3_finalize(looker->by_texts);
    sqlite3_close(looker->db);
}

static void open_and_close(void *context)
{
    const struct looker *given = context;
    struct looker looker = {.path = given->path};

    open_db(&looker);
    close_db(&looker);
}

static double time_of(struct looker *looker, sqlite3_stmt *statement, int32_t last_day)
{
    struct answers sums = {0};

    looker->all = statement;
    look_up_all(looker, last_day, &sums);
    double start = queries_now_ns();
    look_up_all(looker, last_day, &sums);
    return queries_now_ns() - start;
}

static void choose_all(struct looker *looker, const struct queries *queries)
{
    sqlite3_stmt *ranges =
        prepare(looker->db, "SELECT groups.group_id, sum(incidents), sum(killed) FROM groups"
                            " CROSS JOIN cells ON cells.group_id = groups.group_id"
                            " AND day BETWEEN ?1 AND ?2 GROUP BY groups.group_id");
    sqlite3_stmt *pass =
        prepare(looker->db, "SELECT group_id, sum(incidents), sum(killed) FROM cells"
                            " WHERE day BETWEEN ?1 AND ?2 GROUP BY group_id");
    int32_t last_day = queries->query[0].last_day;
    bool ranges_are_quicker = time_of(looker, ranges, last_day) < time_of(looker, pass, last_day);

    looker->all = ranges_are_quicker ? ranges : pass;
    sqlite3_finalize(ranges_are_quicker ? pass : ranges);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bench_lookup_sqlite FILE.db QUERIES DAYS\n");
        return EX_USAGE;
    }
    struct queries queries = queries_read(argv[2]);
    struct looker looker = {.path = argv[1], .days = (int32_t)strtol(argv[3], NULL, 10)};
    struct rival by_key = {.name = "sqlite-key", .context = &looker, .one = look_up_by_key};
    struct rival by_texts = {.name = "sqlite-texts",
                             .context = &looker,
                             .one = look_up_by_texts,
                             .all = look_up_all,
                             .open = open_and_close};

    open_db(&looker);
    check(looker.db, sqlite3_exec(looker.db, "PRAGMA cache_size = -262144", NULL, NULL, NULL));
    choose_all(&looker, &queries);
    printf("{");
    queries_measure(&queries, &by_key);
    printf(", ");
    queries_measure(&queries, &by_texts);
    printf("}\n");
    sqlite3_finalize(looker.all);
    close_db(&looker);
    queries_done(&queries);
    return EX_OK;
}
