// store/cluster/judge.c - from waiting rows to versions (contracts in judge.h).
//
//   slice of rows -> ids -> every shard: the newest versions -> scratch state
//   rows -> state_apply -> ids that changed -> versions -> insert
#include "store/cluster/judge.h"

#include "store/cluster/kept.h"
#include "store/cluster/newest.h"
#include "store/cluster/sql.h"
#include "store/cluster/versions.h"

#include <stdlib.h>
#include <string.h>

enum { NO_CODE = UINT32_MAX };

// What a row did to its incident.
struct judge {
    struct batch *batch;
    struct state scratch;
    struct state_batch as; // the batch as the scratch state knows it
    uint32_t *code;        // of each text of the batch in the scratch state, or NO_CODE
    uint64_t *hash;        // of the ids of a slice
    uint64_t *changed;     // ids by the scratch state's code, of a slice
    size_t changed_count;
    unsigned kept_mark;   // incidents that the batch has not seen
    bool all_in_force;    // no row is out of scope
    struct bytes leaning; // ids whose row was left out, and says what is kept
    struct bytes versions;
};

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
}

static bool judge_init(struct judge *judge, struct batch *batch, struct tally_err *err)
{
    size_t texts = (size_t)batch->texts.count + 1;

    *judge = (struct judge){.batch = batch,
                            .code = malloc(texts * sizeof *judge->code),
                            .hash = malloc(BATCH_ROWS * sizeof *judge->hash),
                            .changed = malloc(BATCH_ROWS * sizeof *judge->changed)};
    bytes_init(&judge->versions);
    bytes_init(&judge->leaning);
    if (!judge->code || !judge->hash || !judge->changed) {
        return no_memory(err);
    }
    memset(judge->code, 0xff, texts * sizeof *judge->code);
    if (!state_init(&judge->scratch, err)) {
        return false;
    }
    state_keep_origins(&judge->scratch);
    judge->as = (struct state_batch){.number = batch->of.number, .mode = batch->of.mode};
    judge->kept_mark = judge->scratch.mark;
    judge->all_in_force = batch_scopes_in_force(batch) == batch->scopes_count;
    state_next_mark(&judge->scratch);
    bool ok = state_add_shape(&judge->scratch, batch->of.shape, &judge->as.shape, err);
    judge->as.feed = ok ? judge->scratch.shape_feed[judge->as.shape] : 0;
    return ok;
}

static void judge_done(struct judge *judge)
{
    if (judge->scratch.mark > 0) {
        state_done(&judge->scratch);
    }
    free(judge->code);
    free(judge->hash);
    free(judge->changed);
    bytes_done(&judge->versions);
    bytes_done(&judge->leaning);
}

// ---- what is kept -------------------------------------------------------------------------

static int compare_u64(const void *a, const void *b)
{
    uint64_t one;
    uint64_t other;

    memcpy(&one, a, sizeof one);
    memcpy(&other, b, sizeof other);
    return (one > other) - (one < other);
}

static size_t unique(uint64_t *number, size_t count)
{
    size_t kept = 0;

    qsort(number, count, sizeof *number, compare_u64);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || number[i] != number[i - 1]) {
            number[kept++] = number[i];
        }
    }
    return kept;
}

// The batches that count, and the one at hand.
static bool counting(const struct batch *batch, bool with_own, struct bytes *out,
                     struct tally_err *err)
{
    bytes_put(out, batch->of.committed->data, batch->of.committed->count);
    if (with_own) {
        bytes_put(out, &batch->of.key, sizeof batch->of.key);
    }
    return out->ok || no_memory(err);
}

static bool install(struct judge *judge, const struct version *version, struct tally_err *err)
{
    struct state *scratch = &judge->scratch;
    bool own = version->batch == judge->batch->of.key;

    if (state_find(scratch, judge->as.feed, version->id, version->id_bytes)) {
        return true; // an earlier slice of these rows asked for it
    }
    if (!version_apply(version, judge->batch->of.shapes, own ? judge->as.number : 0, scratch,
                       err)) {
        return false;
    }
    struct incident *incident = state_find(scratch, judge->as.feed, version->id, version->id_bytes);
    incident_set_seen(incident, own ? scratch->mark : judge->kept_mark);
    return true;
}

static bool install_all(struct judge *judge, const struct bytes *answer, struct tally_err *err)
{
    struct cursor in = cursor_over(answer->data, answer->count);
    struct version version;

    while (cursor_left(&in) > 0) {
        if (!version_take(&version, &in)) {
            return err_set(err, TALLY_CORRUPT, "tally_versions: a malformed version");
        }
        if (!install(judge, &version, err)) {
            return false;
        }
    }
    return true;
}

// Asks every shard and hands each answer on.
typedef bool take_answer(struct judge *judge, const struct bytes *answer, struct tally_err *err);

static bool ask(struct judge *judge, const struct servers_question *question, take_answer *take,
                struct tally_err *err)
{
    struct servers *servers = judge->batch->of.servers;
    size_t shards = servers_shards(servers);
    struct bytes answer[SERVERS_SHARDS_MAX];

    for (size_t i = 0; i < shards; i++) {
        bytes_init(&answer[i]);
    }
    bool ok = servers_ask_each(servers, question, answer, err);
    for (size_t i = 0; i < shards; i++) {
        ok = ok && take(judge, &answer[i], err);
        bytes_done(&answer[i]);
    }
    return ok;
}

static bool see_all(struct judge *judge, const struct bytes *answer, struct tally_err *err)
{
    struct cursor in = cursor_over(answer->data, answer->count);

    while (cursor_left(&in) > 0) {
        size_t bytes;
        const char *id = cursor_take_text(&in, &bytes);
        struct incident *incident =
            id ? state_find(&judge->scratch, judge->as.feed, id, bytes) : NULL;
        if (!id) {
            return err_set(err, TALLY_CORRUPT, "tally_seen: a malformed row");
        }
        if (incident) {
            incident_set_seen(incident, judge->scratch.mark);
        }
    }
    return true;
}

// Incidents that rows judged before said unchanged: they left no version of this batch.
static bool see_again(struct judge *judge, const struct servers_numbers *ids, struct tally_err *err)
{
    const struct batch *batch = judge->batch;
    struct bytes sql;

    if (batch->of.mode != BATCH_SNAPSHOT || !batch->flushed) {
        return true;
    }
    bytes_init(&sql);
    sql_print(&sql,
              "SELECT id FROM tally_seen_local WHERE batch = %llu AND put = 1 AND id_hash IN ids",
              (unsigned long long)batch->of.key);
    struct servers_question question = {.sql = sql_text(&sql), .numbers = ids, .numbers_count = 1};
    bool ok = question.sql ? ask(judge, &question, see_all, err) : no_memory(err);
    bytes_done(&sql);
    return ok;
}

// One range of the newest versions of the batch's feed.
struct part {
    const char *where;
    bool with_own; // those of the batch at hand count
    uint64_t range;
    uint64_t ranges;
};

static bool ask_newest(struct judge *judge, const struct part *part, const char *which,
                       const struct servers_numbers *ids, struct tally_err *err)
{
    const struct batch *batch = judge->batch;
    const char *feed = batch->of.shape->feed;
    struct newest_of of = {.feed = &feed, .feeds_count = 1, .where = part->where};
    struct bytes committed;
    struct bytes sql;

    bytes_init(&committed);
    bytes_init(&sql);
    sql_print(&sql, "SELECT " VERSIONS_COLUMNS " FROM (SELECT " VERSIONS_COLUMNS);
    newest_put(&sql, &of, part->range, part->ranges);
    sql_print(&sql, ")%s", which);
    bool ok = counting(batch, part->with_own, &committed, err);
    struct servers_numbers numbers[2] = {{.name = "committed",
                                          .number = (const uint64_t *)(const void *)committed.data,
                                          .count = committed.count / sizeof(uint64_t)}};
    if (ids) {
        numbers[1] = *ids;
    }
    struct servers_question question = {
        .sql = sql_text(&sql), .numbers = numbers, .numbers_count = ids ? 2 : 1};
    ok = ok && (question.sql ? ask(judge, &question, install_all, err) : no_memory(err));
    bytes_done(&committed);
    bytes_done(&sql);
    return ok;
}

static bool ask_kept(struct judge *judge, size_t count, struct tally_err *err)
{
    struct part part = {.where = "id_hash IN ids", .with_own = true, .ranges = 1};
    struct servers_numbers ids = {.name = "ids", .number = judge->hash, .count = count};

    return ask_newest(judge, &part, "", &ids, err) && see_again(judge, &ids, err);
}

// ---- rows ---------------------------------------------------------------------------------

static bool code_of(struct judge *judge, uint32_t place, uint32_t *out_code, struct tally_err *err)
{
    uint32_t *code = &judge->code[place];

    if (*code == NO_CODE) {
        const struct texts_entry *text = texts_get(&judge->batch->texts, place);
        if (!texts_intern(&judge->scratch.texts, text->text, text->bytes, code, NULL, err)) {
            return false;
        }
    }
    *out_code = *code;
    return true;
}

static bool is_out_of_scope(const struct judge *judge, size_t index)
{
    const struct batch *batch = judge->batch;
    const struct rows *rows = &batch->waiting;
    int dim = batch->of.scope_dim;

    if (judge->all_in_force || rows->row[index].op != ROWS_PUT) {
        return false;
    }
    uint32_t place = dim < 0 ? 0 : batch->dim[dim].place[rows_dims(rows, index)[dim]];
    for (size_t i = 0; i < batch->scopes_count; i++) {
        if (batch->scope[i].place == place) {
            return !batch_in_force(batch, &batch->scope[i]);
        }
    }
    return false;
}

// Whether a row says of an incident what is kept of it.
static bool equals(const struct judge *judge, const struct incident *incident,
                   const struct state_row *row)
{
    const struct state *scratch = &judge->scratch;
    const struct revision kept = incident_revision(scratch, incident);
    const struct revision revision = state_revision(scratch, row->revision_kind, row->revision);
    bool equal = incident_is_live(incident) && incident->shape == judge->as.shape &&
                 incident_values(scratch, incident) == row->values &&
                 incident_first_day(incident) == row->first_day &&
                 incident_last_day(scratch, incident) == row->last_day &&
                 kept.kind == revision.kind && revision_compare(&kept, &revision) == 0;

    for (size_t i = 0; equal && i < judge->batch->of.shape->dims_count; i++) {
        equal = incident_dim(scratch, incident, i) == row->dims[i];
    }
    return equal;
}

// A row of a scope for which the snapshot is not in force is only counted. One that says what is
// kept would have held back an older row of its id in another scope.
static bool leave_out(struct judge *judge, const struct state_row *row, struct tally_err *err)
{
    struct batch_counts *counts = &judge->batch->counts;
    struct incident *incident =
        incidents_find(&judge->scratch.feed[judge->as.feed].incidents, row->id);

    if (!incident || !equals(judge, incident, row)) {
        counts->older++;
        return true;
    }
    counts->unchanged++;
    bytes_put(&judge->leaning, &row->id, sizeof row->id);
    return judge->leaning.ok || no_memory(err);
}

static bool leans(const struct judge *judge, const struct state_row *row)
{
    const struct incident *incident =
        incidents_find(&judge->scratch.feed[judge->as.feed].incidents, row->id);
    const struct revision revision =
        state_revision(&judge->scratch, row->revision_kind, row->revision);
    bool found = false;

    for (size_t at = 0; !found && at < judge->leaning.count; at += sizeof row->id) {
        found = memcmp(judge->leaning.data + at, &row->id, sizeof row->id) == 0;
    }
    if (!found) {
        return false;
    }
    const struct revision kept = incident_revision(&judge->scratch, incident);
    return revision_compare(&revision, &kept) < 0;
}

// Whether the incident became another one by it; a burial of what is not there leaves a mark.
static bool has_changed(const struct batch_counts *before, const struct batch_counts *after,
                        const struct state_row *row)
{
    bool buried = row->op == ROWS_WITHDRAW && row->revision_kind != REVISION_NONE &&
                  after->unchanged > before->unchanged;

    return buried || after->added > before->added || after->revised > before->revised ||
           after->withdrawn > before->withdrawn;
}

static bool apply(struct judge *judge, const struct state_row *row, struct tally_err *err)
{
    struct batch_counts *counts = &judge->batch->counts;
    struct batch_counts before = *counts;
    struct state *scratch = &judge->scratch;

    if (!state_apply(scratch, &judge->as, row, counts, err)) {
        return false;
    }
    if (has_changed(&before, counts, row)) {
        struct incidents *incidents = &scratch->feed[judge->as.feed].incidents;
        struct incident_origin origin = {.batch = judge->as.number,
                                         .record = (uint32_t)row->record,
                                         .line = (uint32_t)row->line};
        incidents_set_origin(incidents, incidents_find(incidents, row->id), origin);
        judge->changed[judge->changed_count++] = row->id;
    }
    return true;
}

static bool judge_put(struct judge *judge, size_t index, const struct state_row *row,
                      struct tally_err *err)
{
    if (is_out_of_scope(judge, index)) {
        return leave_out(judge, row, err);
    }
    if (leans(judge, row)) {
        return err_set(err, TALLY_REFUSED,
                       "an id stands in a scope for which a newer snapshot is in force, and in "
                       "another scope as well; deliver the scopes in files of their own");
    }
    return apply(judge, row, err);
}

static bool judge_row(struct judge *judge, size_t index, struct tally_err *err)
{
    struct batch *batch = judge->batch;
    const struct rows *rows = &batch->waiting;
    const struct row *from = &rows->row[index];
    const uint32_t *dims = rows_dims(rows, index);
    uint32_t code[SHAPE_DIMS_MAX] = {0};
    struct state_row row;

    if (from->op == ROWS_KEEP) {
        return true;
    }
    for (size_t i = 0; from->op == ROWS_PUT && i < rows->shape->dims_count; i++) {
        if (!code_of(judge, batch->dim[i].place[dims[i]], &code[i], err)) {
            return false;
        }
    }
    struct ledger_row as_read = {.op = (uint8_t)from->op,
                                 .id = rows_text(rows, from->id),
                                 .id_bytes = from->id.bytes,
                                 .record = from->record,
                                 .line = from->line,
                                 .first_day = from->first_day,
                                 .last_day = from->last_day,
                                 .revision = rows_revision(rows, index),
                                 .reported = from->reported,
                                 .dims = code,
                                 .measures = rows_measures(rows, index)};
    return state_take_row(&judge->scratch, judge->as.shape, &as_read, &row, err) &&
           (from->op == ROWS_PUT ? judge_put(judge, index, &row, err) : apply(judge, &row, err));
}

// ---- versions -----------------------------------------------------------------------------

static bool put_versions(struct judge *judge, struct tally_err *err)
{
    struct batch *batch = judge->batch;
    struct state *scratch = &judge->scratch;
    const struct incidents *incidents = &scratch->feed[judge->as.feed].incidents;
    struct version_of of = {.batch = batch->of.key, .by_revision = batch->of.by_revision};
    size_t count = unique(judge->changed, judge->changed_count);

    bytes_clear(&judge->versions);
    for (size_t i = 0; i < count; i++) {
        const struct incident *incident = incidents_find(incidents, judge->changed[i]);
        if (!shapes_hash(state_shape(scratch, incident), &of.shape, err)) {
            return false;
        }
        version_put(scratch, incident, &of, &judge->versions);
    }
    judge->changed_count = 0;
    if (!judge->versions.ok) {
        return no_memory(err);
    }
    batch->versions += count;
    return count == 0 || servers_insert(batch->of.servers, "tally_versions", &judge->versions, err);
}

static bool judge_slice(struct judge *judge, size_t begin, size_t end, struct tally_err *err)
{
    const struct rows *rows = &judge->batch->waiting;

    for (size_t i = begin; i < end; i++) {
        const struct row *row = &rows->row[i];
        judge->hash[i - begin] = version_hash(rows_text(rows, row->id), row->id.bytes);
    }
    if (!ask_kept(judge, unique(judge->hash, end - begin), err)) {
        return false;
    }
    for (size_t i = begin; i < end; i++) {
        if (!judge_row(judge, i, err)) {
            return false;
        }
    }
    return put_versions(judge, err);
}

// ---- snapshots ----------------------------------------------------------------------------

static bool put_seen(const struct batch *batch, struct tally_err *err)
{
    const struct rows *rows = &batch->waiting;
    const char *feed = batch->of.shape->feed;
    struct bytes out;

    bytes_init(&out);
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->row[i];
        const char *id = rows_text(rows, row->id);
        bytes_put_u64(&out, batch->of.key);
        bytes_put_text(&out, feed, strlen(feed));
        bytes_put_u64(&out, version_hash(id, row->id.bytes));
        bytes_put_text(&out, id, row->id.bytes);
        bytes_put_u8(&out, row->op == ROWS_PUT);
    }
    bool ok = out.ok ? servers_insert(batch->of.servers, "tally_seen", &out, err) : no_memory(err);
    bytes_done(&out);
    return ok;
}

bool judge_waiting(struct batch *batch, struct tally_err *err)
{
    struct rows *rows = &batch->waiting;
    struct judge judge;

    if (rows->count == 0) {
        return true;
    }
    bool ok = judge_init(&judge, batch, err);
    for (size_t begin = 0; ok && begin < rows->count; begin += BATCH_ROWS) {
        size_t end = rows->count - begin < BATCH_ROWS ? rows->count : begin + BATCH_ROWS;
        ok = judge_slice(&judge, begin, end, err);
    }
    // Behind the judging: what stands in it was said by rows judged before.
    ok = ok && (batch->of.mode != BATCH_SNAPSHOT || put_seen(batch, err));
    judge_done(&judge);
    rows_clear(rows, batch->of.shape);
    batch->flushed = true;
    return ok;
}

// " AND <scope of the newest version> IN ('Chad', 'Mali')": those for which it is in force.
static void put_scopes(const struct batch *batch, struct bytes *sql)
{
    const char *dim = batch->of.shape->dims[batch->of.scope_dim];
    const char *separator = "";

    sql_print(sql, " AND multiIf(");
    for (size_t i = 0; i < batch->of.shapes->count; i++) {
        const struct shapes_entry *entry = &batch->of.shapes->entry[i];
        int at = shape_find_dim(entry->shape, dim);
        if (strcmp(entry->shape->feed, batch->of.shape->feed) == 0 && at >= 0) {
            sql_print(sql, "shape = %llu, dims[%d], ", (unsigned long long)entry->hash, at + 1);
        }
    }
    sql_print(sql, "'') IN (");
    for (size_t i = 0; i < batch->scopes_count; i++) {
        const struct texts_entry *text = texts_get(&batch->texts, batch->scope[i].place);
        if (batch_in_force(batch, &batch->scope[i])) {
            sql_print(sql, "%s", separator);
            sql_quote(sql, text->text, text->bytes);
            separator = ", ";
        }
    }
    sql_print(sql, ")");
}

static bool ask_missing(struct judge *judge, struct part *part, struct tally_err *err)
{
    const struct batch *batch = judge->batch;
    struct bytes which;

    bytes_init(&which);
    sql_print(&which, " WHERE op = 0");
    if (batch->of.scope_dim >= 0) {
        put_scopes(batch, &which);
    }
    const char *text = sql_text(&which);
    bool ok = text ? ask_newest(judge, part, text, NULL, err) : no_memory(err);
    bytes_done(&which);
    return ok;
}

// All that the scratch state holds.
static bool withdraw_all(struct judge *judge, struct tally_err *err)
{
    struct state *scratch = &judge->scratch;
    struct state_walk walk = {0};
    const struct incident *incident;
    struct id_text id;

    while ((incident = state_next(scratch, &walk)) != NULL) {
        incident_id(scratch, incident, &id);
        struct ledger_row gone = {.op = ROWS_WITHDRAW, .id = id.text, .id_bytes = id.bytes};
        struct state_row row;
        if (!state_take_row(scratch, judge->as.shape, &gone, &row, err) ||
            !apply(judge, &row, err) ||
            (judge->changed_count == BATCH_ROWS && !put_versions(judge, err))) {
            return false;
        }
    }
    return put_versions(judge, err);
}

bool judge_missing(struct batch *batch, struct tally_err *err)
{
    const char *feed = batch->of.shape->feed;
    struct newest_of of = {.feed = &feed, .feeds_count = 1};
    struct part part = {0};
    struct bytes where;

    bytes_init(&where);
    sql_print(&where,
              "(id_hash, id) NOT IN (SELECT id_hash, id FROM tally_seen_local WHERE batch = %llu)",
              (unsigned long long)batch->of.key);
    part.where = sql_text(&where);
    bool ok = part.where
                  ? newest_ranges(batch->of.servers, &of, KEPT_RANGE_VERSIONS, &part.ranges, err)
                  : no_memory(err);
    for (; ok && part.range < part.ranges; part.range++) {
        struct judge judge;
        ok = judge_init(&judge, batch, err) && ask_missing(&judge, &part, err) &&
             withdraw_all(&judge, err);
        judge_done(&judge);
    }
    bytes_done(&where);
    return ok;
}
