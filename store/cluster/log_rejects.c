// store/cluster/log_rejects.c - the rows that a batch set aside (contract in log.h).
#include "store/cluster/log.h"

#include "store/cluster/sql.h"

static bool take_reject(struct replay_reject *out, struct cursor *in)
{
    *out = (struct replay_reject){
        .record = cursor_take_u64(in), .line = cursor_take_u64(in), .offset = cursor_take_u64(in)};
    out->reason = cursor_take_text(in, &out->reason_bytes);
    out->detail = cursor_take_text(in, &out->detail_bytes);
    out->raw = cursor_take_text(in, &out->raw_bytes);
    return in->ok;
}

static bool visit_rejects(const struct bytes *answer, const struct log_entry *entry,
                          const struct replay_visitor *visitor, struct tally_err *err)
{
    struct replay_file file = {.batch = entry->number,
                               .begin = &entry->begin,
                               .end = &entry->end,
                               .counts = entry->counts};
    struct cursor in = cursor_over(answer->data, answer->count);
    struct replay_reject reject;

    while (cursor_left(&in) > 0) {
        if (!take_reject(&reject, &in)) {
            return err_set(err, TALLY_CORRUPT, "tally_rejects: a malformed row");
        }
        if (!visitor->on_reject(visitor->context, &file, &reject, err)) {
            return false;
        }
    }
    return true;
}

bool log_each_reject(struct servers *servers, const struct log_entry *entry,
                     const struct replay_visitor *visitor, struct tally_err *err)
{
    struct bytes answer;
    struct bytes sql;

    bytes_init(&answer);
    bytes_init(&sql);
    sql_print(&sql,
              "SELECT DISTINCT record, line, offset, reason, detail, raw FROM tally_rejects_local "
              "WHERE batch = %llu ORDER BY record, offset",
              (unsigned long long)entry->batch);
    struct servers_question question = {.sql = sql_text(&sql)};
    bool ok = (question.sql || err_set(err, TALLY_NO_MEMORY, "no memory for a question")) &&
              servers_ask(servers, 0, &question, &answer, err) &&
              visit_rejects(&answer, entry, visitor, err);
    bytes_done(&answer);
    bytes_done(&sql);
    return ok;
}
