#include "store/cluster/defs.h"

#include "store/cluster/sql.h"

#include <string.h>

// No row: there is none.
static bool take_def(const struct bytes *answer, const char *name, struct rollup_def *out_def,
                     struct tally_err *err)
{
    struct cursor in = cursor_over(answer->data, answer->count);
    size_t bytes = 0;
    const char *def = cursor_take_text(&in, &bytes);

    if (answer->count == 0) {
        err->code = TALLY_OK;
        return false;
    }
    struct cursor encoded = cursor_over(def, def ? bytes : 0);
    return rollup_def_decode(out_def, &encoded, err) ||
           err_wrap(err, "tally_rollups: rollup %s", name);
}

bool defs_find(struct servers *servers, const char *name, struct rollup_def *out_def,
               struct tally_err *err)
{
    struct bytes answer;
    struct bytes sql;

    bytes_init(&answer);
    bytes_init(&sql);
    sql_print(&sql, "SELECT def FROM tally_rollups_local WHERE name = ");
    sql_quote(&sql, name, strlen(name));
    sql_print(&sql, " ORDER BY time_us DESC LIMIT 1");
    struct servers_question question = {.sql = sql_text(&sql)};
    bool ok = (question.sql || err_set(err, TALLY_NO_MEMORY, "no memory for a question")) &&
              servers_ask(servers, 0, &question, &answer, err) &&
              take_def(&answer, name, out_def, err);
    bytes_done(&answer);
    bytes_done(&sql);
    return ok;
}
