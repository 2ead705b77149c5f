#include "report/verify_cluster.h"

#include "report/moment.h"

#include <stdlib.h>

struct verifying {
    struct history *history;
    const struct log *log;
};

// ---- the list and the shards --------------------------------------------------------------

static bool check_batches(struct verify *check, const struct log *log, struct tally_err *err)
{
    unsigned long long batches = 0;

    for (size_t i = 0; i < log->count; i++) {
        batches += log->entry[i].number > 0;
    }
    return verify_ok(check, "batches",
                     sheet_printf(&check->sheet, "%llu batches and %llu files that made none",
                                  batches, (unsigned long long)log->count - batches),
                     err);
}

static bool add_shard(struct verify *check, size_t shard, const struct bytes *answer,
                      struct tally_err *err)
{
    struct sheet *sheet = &check->sheet;
    struct cursor in = cursor_over(answer->data, answer->count);
    unsigned long long versions = cursor_take_u64(&in);
    unsigned long long abandoned = cursor_take_u64(&in);

    if (!in.ok) {
        return err_set(err, TALLY_CORRUPT, "shard %zu: no count of versions", shard + 1);
    }
    const char *detail = sheet_printf(sheet, "%llu versions", versions);
    if (abandoned > 0) {
        detail = sheet_printf(sheet,
                              "%s, %llu of them of batches that were not committed: they count "
                              "nowhere",
                              detail, abandoned);
    }
    return verify_ok(check, sheet_printf(sheet, "shard %zu", shard + 1), detail, err);
}

static bool list_keys(const struct log *log, struct bytes *out, struct tally_err *err)
{
    for (size_t i = 0; i < log->count; i++) {
        bytes_put(out, &log->entry[i].batch, sizeof log->entry[i].batch);
    }
    return out->ok || err_set(err, TALLY_NO_MEMORY, "no memory for the list of batches");
}

static bool ask_shards(struct verify *check, struct servers *servers, const struct bytes *keys,
                       struct bytes *answer, struct tally_err *err)
{
    struct servers_numbers listed = {.name = "listed",
                                     .number = (const uint64_t *)(const void *)keys->data,
                                     .count = keys->count / sizeof(uint64_t)};
    struct servers_question question = {
        .sql = "SELECT toUInt64(count()), toUInt64(countIf(batch NOT IN listed)) FROM "
               "tally_versions_local",
        .numbers = &listed,
        .numbers_count = 1};

    if (!servers_ask_each(servers, &question, answer, err)) {
        return false;
    }
    for (size_t i = 0; i < servers_shards(servers); i++) {
        if (!add_shard(check, i, &answer[i], err)) {
            return false;
        }
    }
    return true;
}

static bool check_shards(struct verify *check, struct servers *servers, const struct log *log,
                         struct tally_err *err)
{
    struct bytes *answer = calloc(SERVERS_SHARDS_MAX, sizeof *answer);
    struct bytes keys;

    if (!answer) {
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    bytes_init(&keys);
    for (size_t i = 0; i < SERVERS_SHARDS_MAX; i++) {
        bytes_init(&answer[i]);
    }
    bool ok = list_keys(log, &keys, err) && ask_shards(check, servers, &keys, answer, err);
    for (size_t i = 0; i < SERVERS_SHARDS_MAX; i++) {
        bytes_done(&answer[i]);
    }
    bytes_done(&keys);
    free(answer);
    return ok;
}

// ---- rollups ------------------------------------------------------------------------------

static bool is_listed(const struct log *log, const struct rollup_source *source)
{
    for (size_t i = 0; i < log->count; i++) {
        const struct log_entry *entry = &log->entry[i];
        if (entry->number == source->batch && digest_equal(entry->end.digest, source->digest)) {
            return true;
        }
    }
    return false;
}

// *out_batches: how many the file says.
static bool check_sources(const struct log *log, const struct rollup *rollup, uint64_t *out_batches,
                          struct tally_err *err)
{
    struct rollup_provenance *made_by = malloc(sizeof *made_by);

    if (!made_by) {
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    bool ok = rollup_provenance(rollup, made_by, err);
    for (size_t i = 0; ok && i < made_by->sources; i++) {
        const struct rollup_source *source = &made_by->source[i];
        ok = is_listed(log, source) ||
             err_set(err, TALLY_CORRUPT, "batch %llu, file %.*s, is not in the cluster's list",
                     (unsigned long long)source->batch,
                     (int)(source->file_bytes < 100 ? source->file_bytes : 100), source->file);
    }
    *out_batches = ok ? made_by->batches : 0;
    free(made_by);
    return ok;
}

static uint64_t batches_of(const struct log *log, const struct rollup_def *def,
                           const struct replay_until *until)
{
    struct rollup_source *sources = calloc(ROLLUP_SOURCES_MAX, sizeof *sources);
    struct cells_provenance provenance = {0};

    if (sources) {
        log_sources(log, until, def, sources, &provenance);
    }
    free(sources);
    return provenance.batches;
}

static bool same_figures(const struct verifying *verifying, const struct rollup *rollup,
                         const struct replay_until *until, struct tally_err *err)
{
    struct moment *moment = moment_open(verifying->history, rollup_def(rollup), until, err);
    bool same = moment && verify_same(rollup, moment_rollup(moment), "cluster", err);

    moment_close(moment);
    return same;
}

// A generation that the cluster does not have is damage like figures that differ.
static bool compare(const struct verifying *verifying, const struct rollup *rollup,
                    bool *out_behind, struct tally_err *err)
{
    struct replay_until until = {.batch = rollup_generation(rollup), .time_ms = replay_all.time_ms};
    uint64_t newest = log_newest(verifying->log, &replay_all);
    uint64_t batches;

    *out_behind = false;
    if (until.batch > newest) {
        return err_set(err, TALLY_CORRUPT,
                       "the rollup says generation %llu, the cluster has %llu batches",
                       (unsigned long long)until.batch, (unsigned long long)newest);
    }
    if (!check_sources(verifying->log, rollup, &batches, err)) {
        return false;
    }
    *out_behind = batches < batches_of(verifying->log, rollup_def(rollup), &until);
    return *out_behind || same_figures(verifying, rollup, &until, err);
}

static bool check_rollup(void *context, struct verify *check, const struct rollup *rollup,
                         const char *name, struct tally_err *err)
{
    const struct verifying *verifying = context;
    struct tally_err damage = {.code = TALLY_OK};
    const char *thing = sheet_printf(&check->sheet, "cluster %s", name);
    unsigned long long generation = rollup_generation(rollup);
    bool behind;

    if (compare(verifying, rollup, &behind, &damage)) {
        return behind ? verify_row(check, thing, "behind",
                                   sheet_printf(&check->sheet,
                                                "a further batch %llu was committed after it: "
                                                "the next file has it",
                                                generation),
                                   err)
                      : verify_ok(check, thing,
                                  sheet_printf(&check->sheet, "equals the cluster at batch %llu",
                                               generation),
                                  err);
    }
    if (!verify_is_damage(&damage)) {
        *err = damage;
        return false;
    }
    return verify_damage(check, thing, &damage, err);
}

bool verify_cluster(struct history *history, struct servers *servers, const struct log *log,
                    const char *dir, struct verify *check, struct tally_err *err)
{
    struct verifying verifying = {.history = history, .log = log};

    return check_batches(check, log, err) && check_shards(check, servers, log, err) &&
           verify_folder(check, dir, check_rollup, &verifying, err);
}
