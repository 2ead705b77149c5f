#include "report/moment.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES_BYTES_MAX = 1 << 30 };

struct moment {
    struct state state;
    bool state_ready;
    struct cells *cells;
    struct rollup *rollup;
    struct arena names;
    struct moment_file *file; // [batch - 1]
    size_t files_count;
    size_t files_capacity;
    struct replay_end end;
};

static bool on_file(void *context, const struct replay_file *file, struct tally_err *err)
{
    struct moment *moment = context;

    if (file->batch == 0) {
        return true;
    }
    if (file->batch != moment->files_count + 1) {
        return err_set(err, TALLY_CORRUPT, "batch %llu follows batch %zu",
                       (unsigned long long)file->batch, moment->files_count);
    }
    if (moment->files_count == moment->files_capacity) {
        size_t capacity = moment->files_capacity ? moment->files_capacity * 2 : 64;
        struct moment_file *grown = realloc(moment->file, capacity * sizeof *grown);
        if (!grown) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for %zu files", capacity);
        }
        moment->file = grown;
        moment->files_capacity = capacity;
    }
    const char *name = arena_text(&moment->names, file->begin->file, file->begin->file_bytes, err);
    if (!name) {
        return false;
    }
    moment->file[moment->files_count++] =
        (struct moment_file){.name = name, .digest = file->end->digest};
    return true;
}

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

static bool fill(struct moment *moment, int ledger_dir_fd, const struct rollup_def *def,
                 const struct replay_until *until, struct tally_err *err)
{
    struct replay_visitor visitor = {.context = moment, .on_file = on_file};

    moment->state_ready = state_init(&moment->state, err);
    if (!moment->state_ready) {
        return false;
    }
    state_keep_origins(&moment->state);
    if (!replay(&moment->state, ledger_dir_fd, until, &visitor, &moment->end, err)) {
        return false;
    }
    if (until->batch != replay_all.batch && until->batch > moment->end.batches) {
        return err_set(err, TALLY_NOT_FOUND, "there is no batch %llu yet: the last one is %llu",
                       (unsigned long long)until->batch, (unsigned long long)moment->end.batches);
    }
    moment->cells = cells_open(&moment->state, def, err);
    if (!moment->cells) {
        return false;
    }
    moment->rollup = moment_encode(moment->cells, &moment->state, moment->end.batches, err);
    return moment->rollup != NULL;
}

struct moment *moment_open(int ledger_dir_fd, const struct rollup_def *def,
                           const struct replay_until *until, struct tally_err *err)
{
    struct moment *moment = calloc(1, sizeof *moment);

    if (!moment) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
        return NULL;
    }
    arena_init(&moment->names, NAMES_BYTES_MAX);
    if (!fill(moment, ledger_dir_fd, def, until, err)) {
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
    arena_done(&moment->names);
    free(moment->file);
    free(moment);
}

const struct rollup *moment_rollup(const struct moment *moment)
{
    return moment->rollup;
}

const struct state *moment_state(const struct moment *moment)
{
    return &moment->state;
}

struct cells *moment_cells(const struct moment *moment)
{
    return moment->cells;
}

uint64_t moment_batches(const struct moment *moment)
{
    return moment->end.batches;
}

const struct moment_file *moment_file(const struct moment *moment, uint64_t batch)
{
    return batch > 0 && batch <= moment->files_count ? &moment->file[batch - 1] : NULL;
}
