#include "store/cluster/kept.h"

#include "store/cluster/newest.h"
#include "store/cluster/shapes.h"
#include "store/cluster/sql.h"
#include "store/cluster/versions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// Which batch a key is: position in the log.
struct keyed {
    uint64_t batch;
    uint32_t index;
};

struct loading {
    struct servers *servers;
    const struct log *log;
    const struct kept_want *want;
    struct state *state;
    struct newest_of of;
    struct servers_numbers numbers[2]; // committed, touched
    struct keyed *keyed;               // sorted by batch
    struct shapes shapes;
    struct bytes sql;
    struct bytes answer[SERVERS_SHARDS_MAX];
    uint64_t found;
    uint64_t incidents_max;
};

static int compare_keyed(const void *left, const void *right)
{
    const struct keyed *a = left;
    const struct keyed *b = right;
    return (a->batch > b->batch) - (a->batch < b->batch);
}

static bool key_log(struct loading *loading, struct tally_err *err)
{
    const struct log *log = loading->log;

    loading->keyed = malloc((log->count + 1) * sizeof *loading->keyed);
    if (!loading->keyed) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu batches", log->count);
    }
    for (size_t i = 0; i < log->count; i++) {
        loading->keyed[i] = (struct keyed){.batch = log->entry[i].batch, .index = (uint32_t)i};
    }
    qsort(loading->keyed, log->count, sizeof *loading->keyed, compare_keyed);
    return true;
}

// 1 + its index in the log; 0: it is not there.
static uint32_t origin_of(const struct loading *loading, uint64_t batch)
{
    struct keyed key = {.batch = batch};
    const struct keyed *found =
        bsearch(&key, loading->keyed, loading->log->count, sizeof *loading->keyed, compare_keyed);

    return found ? found->index + 1 : 0;
}

// ---- the question -------------------------------------------------------------------------

static const char *put_question(struct loading *loading, uint64_t range, uint64_t ranges)
{
    struct bytes *sql = &loading->sql;

    bytes_clear(sql);
    sql_print(sql, "SELECT " VERSIONS_COLUMNS " FROM (SELECT " VERSIONS_COLUMNS);
    newest_put(sql, &loading->of, range, ranges);
    sql_print(sql, ") WHERE op = 0 AND first_day <= %d AND last_day >= %d",
              (int)loading->want->last_day, (int)loading->want->first_day);
    return sql_text(sql);
}

// ---- the answers --------------------------------------------------------------------------

static bool take_codes(struct loading *loading, const struct version *version, uint32_t *out_codes,
                       struct tally_err *err)
{
    struct cursor in = version->dims;

    for (size_t i = 0; i < version->dims_count; i++) {
        size_t bytes;
        const char *text = cursor_take_text(&in, &bytes);
        if (!texts_intern(&loading->state->texts, text, bytes, &out_codes[i], NULL, err)) {
            return false;
        }
    }
    return true;
}

static bool is_wanted(struct loading *loading, const struct version *version, bool *out_wanted,
                      struct tally_err *err)
{
    const struct shape *shape = shapes_find(&loading->shapes, version->shape);
    uint32_t codes[SHAPE_DIMS_MAX];
    uint16_t code;

    *out_wanted = true;
    if (!loading->want->wants || !shape || shape->dims_count != version->dims_count) {
        return true; // version_apply says what is wrong
    }
    return state_add_shape(loading->state, shape, &code, err) &&
           take_codes(loading, version, codes, err) &&
           loading->want->wants(loading->want->context, loading->state, code, codes, out_wanted,
                                err);
}

// Those beyond the limit are only counted.
static bool take_one(struct loading *loading, struct cursor *in, struct tally_err *err)
{
    struct version version;
    bool wanted;

    if (!version_take(&version, in)) {
        return err_set(err, TALLY_CORRUPT, "tally_versions: a malformed row");
    }
    if (!is_wanted(loading, &version, &wanted, err)) {
        return false;
    }
    if (!wanted || ++loading->found > loading->incidents_max) {
        return true;
    }
    uint32_t origin = origin_of(loading, version.batch);
    return origin > 0 ? version_apply(&version, &loading->shapes, origin, loading->state, err)
                      : err_set(err, TALLY_CORRUPT, "tally_versions: a batch that is not listed");
}

static bool take_answers(struct loading *loading, struct tally_err *err)
{
    for (size_t i = 0; i < servers_shards(loading->servers); i++) {
        struct cursor in = cursor_over(loading->answer[i].data, loading->answer[i].count);
        while (cursor_left(&in) > 0) {
            if (!take_one(loading, &in, err)) {
                return err_wrap(err, "shard %zu", i + 1);
            }
        }
    }
    return true;
}

// All shards' answers, or none.
static bool ask(struct loading *loading, uint64_t range, uint64_t ranges, struct tally_err *err)
{
    struct servers_question question = {.sql = put_question(loading, range, ranges),
                                        .numbers = loading->numbers,
                                        .numbers_count = loading->of.touched ? 2 : 1};

    for (size_t i = 0; i < servers_shards(loading->servers); i++) {
        bytes_clear(&loading->answer[i]);
    }
    return question.sql ? servers_ask_each(loading->servers, &question, loading->answer, err)
                        : err_set(err, TALLY_NO_MEMORY, "no memory for a question");
}

static bool ask_range(struct loading *loading, uint64_t range, uint64_t ranges,
                      struct tally_err *err)
{
    if (ask(loading, range, ranges, err)) {
        return take_answers(loading, err);
    }
    return newest_halves(ranges, err) && ask_range(loading, 2 * range, 2 * ranges, err) &&
           ask_range(loading, 2 * range + 1, 2 * ranges, err);
}

static bool load(struct loading *loading, struct tally_err *err)
{
    uint64_t each = loading->want->range_versions;
    uint64_t ranges;

    if (loading->want->feeds_count == 0 || loading->numbers[0].count == 0 ||
        (loading->of.touched && loading->numbers[1].count == 0)) {
        return true;
    }
    if (!key_log(loading, err) || !shapes_load(&loading->shapes, loading->servers, err) ||
        !newest_ranges(loading->servers, &loading->of, each ? each : KEPT_RANGE_VERSIONS, &ranges,
                       err)) {
        return false;
    }
    for (uint64_t range = 0; range < ranges; range++) {
        if (!ask_range(loading, range, ranges, err)) {
            return false;
        }
    }
    return loading->found <= loading->incidents_max ||
           err_set(err, TALLY_LIMIT, "%llu incidents, of which at most %llu are taken into memory",
                   (unsigned long long)loading->found, (unsigned long long)loading->incidents_max);
}

static struct servers_numbers numbers_of(const char *name, const struct bytes *bytes)
{
    return (struct servers_numbers){.name = name,
                                    .number = (const uint64_t *)(const void *)bytes->data,
                                    .count = bytes->count / sizeof(uint64_t)};
}

bool kept_load(struct servers *servers, const struct log *log, const struct bytes *committed,
               const struct kept_want *want, struct state *state, struct tally_err *err)
{
    struct loading *loading = calloc(1, sizeof *loading);

    assert(state->keeps_origins);
    if (!loading) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for incidents");
    }
    loading->servers = servers;
    loading->log = log;
    loading->want = want;
    loading->state = state;
    loading->of = (struct newest_of){
        .feed = want->feed, .feeds_count = want->feeds_count, .touched = want->touched};
    loading->numbers[0] = numbers_of("committed", committed);
    if (want->touched) {
        loading->numbers[1] = numbers_of("touched", want->touched);
    }
    loading->incidents_max = want->incidents_max ? want->incidents_max : KEPT_INCIDENTS_MAX;
    shapes_init(&loading->shapes);
    bytes_init(&loading->sql);
    for (size_t i = 0; i < SERVERS_SHARDS_MAX; i++) {
        bytes_init(&loading->answer[i]);
    }
    bool ok = load(loading, err);
    for (size_t i = 0; i < SERVERS_SHARDS_MAX; i++) {
        bytes_done(&loading->answer[i]);
    }
    bytes_done(&loading->sql);
    shapes_done(&loading->shapes);
    free(loading->keyed);
    free(loading);
    return ok;
}
