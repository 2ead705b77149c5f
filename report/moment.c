#include "report/moment.h"

#include "report/history_private.h"

#include <assert.h>
#include <stdlib.h>

struct rollup *moment_encode(struct cells *cells, const struct state *state, uint64_t generation,
                             struct tally_err *err)
{
    struct cells_provenance provenance = {.generation = generation};
    struct bytes bytes;

    bytes_init(&bytes);
    if (!cells_encode(cells, state, &provenance, &bytes, err)) {
        bytes_done(&bytes);
        return NULL;
    }
    return rollup_open_memory(bytes.data, bytes.count, err);
}

struct moment *moment_open(struct history *history, const struct rollup_def *def,
                           const struct replay_until *until, struct tally_err *err)
{
    struct moment *moment = calloc(1, sizeof *moment);

    if (!moment) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
        return NULL;
    }
    *moment = (struct moment){.history = history, .def = def, .until = *until};
    bytes_init(&moment->committed);
    if (!history->engine->fill(moment, err)) {
        moment_close(moment);
        return NULL;
    }
    if (until->batch != replay_all.batch && until->batch > moment->batches) {
        err_set(err, TALLY_NOT_FOUND, "there is no batch %llu yet: the last one is %llu",
                (unsigned long long)until->batch, (unsigned long long)moment->batches);
        moment_close(moment);
        return NULL;
    }
    return moment;
}

void moment_close(struct moment *moment)
{
    if (!moment) {
        return;
    }
    rollup_close(moment->rollup);
    cells_close(moment->cells);
    if (moment->state_ready) {
        state_done(&moment->state);
    }
    bytes_done(&moment->committed);
    free(moment);
}

static bool is_known(const struct moment *moment, const struct rollup_source *source)
{
    const struct moment_file *file =
        source->batch <= UINT32_MAX ? moment->history->engine->file(moment, (uint32_t)source->batch)
                                    : NULL;

    return file && digest_equal(file->digest, source->digest);
}

bool moment_check_file(const struct moment *moment, const struct rollup *file,
                       struct tally_err *err)
{
    struct rollup_provenance made;

    if (!moment->history->engine->by_number) {
        return true;
    }
    if (!rollup_provenance(file, &made, err)) {
        return false;
    }
    for (size_t i = 0; i < made.sources; i++) {
        const struct rollup_source *source = &made.source[i];
        bool before =
            source->batch <= moment->until.batch && source->time_ms <= moment->until.time_ms;
        if (before && !is_known(moment, source)) {
            return err_set(err, TALLY_INVALID,
                           "rollup %.64s counts batch %llu, %.*s, which is not in this ledger: say "
                           "with --state or --config where its own is",
                           rollup_def(file)->name, (unsigned long long)source->batch,
                           (int)(source->file_bytes < 80 ? source->file_bytes : 80), source->file);
        }
    }
    return true;
}

const struct rollup *moment_rollup(const struct moment *moment)
{
    return moment->rollup;
}

uint64_t moment_batches(const struct moment *moment)
{
    return moment->batches;
}

bool moment_take_behind(struct moment *moment, int32_t first_day, int32_t last_day,
                        const struct where *where, struct tally_err *err)
{
    return moment->history->engine->take_behind(moment, first_day, last_day, where, err);
}

bool moment_take_claims(struct moment *moment, struct tally_err *err)
{
    return moment->history->engine->take_claims(moment, err);
}

bool moment_take_changed(struct moment *before, struct moment *after, struct tally_err *err)
{
    assert(before->history == after->history);
    return before->history->engine->take_changed(before, after, err);
}

const struct state *moment_state(const struct moment *moment)
{
    assert(moment->cells);
    return &moment->state;
}

struct cells *moment_cells(const struct moment *moment)
{
    assert(moment->cells);
    return moment->cells;
}

const struct moment_file *moment_file(const struct moment *moment, const struct incident *incident)
{
    return moment->history->engine->file(moment, incident_origin(&moment->state, incident).batch);
}
