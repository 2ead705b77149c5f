// report/history_ledger.c - the ledger of this machine: a moment is a replay (contracts in
// history.h and moment.h).
#include "base/disk.h"
#include "report/history_private.h"
#include "report/origin.h"
#include "report/verify_ledger.h"

#include <stdlib.h>

enum { NAMES_BYTES_MAX = 1 << 30 };

// Files are listed once: of the moment that went furthest.
struct ledger_history {
    struct history common;
    int fd;
    struct arena names;
    struct moment_file *file; // [batch - 1]
    size_t files_count;
    size_t files_capacity;
};

static struct ledger_history *ledger_of(struct history *history)
{
    return (struct ledger_history *)history; // its first member
}

static void close_ledger(struct history *history)
{
    struct ledger_history *ledger = ledger_of(history);

    disk_close(ledger->fd);
    arena_done(&ledger->names);
    free(ledger->file);
    free(ledger);
}

// ---- a moment -----------------------------------------------------------------------------

static bool reserve_file(struct ledger_history *ledger, struct tally_err *err)
{
    if (ledger->files_count < ledger->files_capacity) {
        return true;
    }
    size_t capacity = ledger->files_capacity ? ledger->files_capacity * 2 : 64;
    struct moment_file *grown = realloc(ledger->file, capacity * sizeof *grown);
    if (!grown) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu files", capacity);
    }
    ledger->file = grown;
    ledger->files_capacity = capacity;
    return true;
}

static bool on_file(void *context, const struct replay_file *file, struct tally_err *err)
{
    struct ledger_history *ledger = context;

    if (file->batch == 0 || file->batch <= ledger->files_count) {
        return true;
    }
    if (file->batch != ledger->files_count + 1) {
        return err_set(err, TALLY_CORRUPT, "batch %llu follows batch %zu",
                       (unsigned long long)file->batch, ledger->files_count);
    }
    const char *name = arena_text(&ledger->names, file->begin->file, file->begin->file_bytes, err);
    if (!name || !reserve_file(ledger, err)) {
        return false;
    }
    ledger->file[ledger->files_count++] =
        (struct moment_file){.batch = file->batch, .name = name, .digest = file->end->digest};
    return true;
}

static bool fill(struct moment *moment, struct tally_err *err)
{
    struct ledger_history *ledger = ledger_of(moment->history);
    struct replay_visitor visitor = {.context = ledger, .on_file = on_file};
    struct replay_end end;

    moment->state_ready = state_init(&moment->state, err);
    if (!moment->state_ready) {
        return false;
    }
    state_keep_origins(&moment->state);
    if (!replay(&moment->state, ledger->fd, &moment->until, &visitor, &end, err)) {
        return false;
    }
    moment->batches = end.batches;
    moment->cells = cells_open(&moment->state, moment->def, err);
    if (moment->cells) {
        moment->rollup = moment_encode(moment->cells, &moment->state, end.batches, err);
    }
    return moment->rollup != NULL;
}

static const struct moment_file *file_of(const struct moment *moment, uint32_t batch)
{
    const struct ledger_history *ledger = ledger_of(moment->history);

    return batch > 0 && batch <= ledger->files_count ? &ledger->file[batch - 1] : NULL;
}

// The replay has taken all incidents.

static bool take_behind(struct moment *moment, int32_t first_day, int32_t last_day,
                        const struct where *where, struct tally_err *err)
{
    (void)moment;
    (void)first_day;
    (void)last_day;
    (void)where;
    (void)err;
    return true;
}

static bool take_claims(struct moment *moment, struct tally_err *err)
{
    (void)moment;
    (void)err;
    return true;
}

static bool take_changed(struct moment *before, struct moment *after, struct tally_err *err)
{
    (void)before;
    (void)after;
    (void)err;
    return true;
}

// ---- the whole ledger ---------------------------------------------------------------------

static bool files(struct history *history, const struct replay_visitor *visitor,
                  struct tally_err *err)
{
    struct replay_end end;
    struct state state;

    if (!state_init(&state, err)) {
        return false;
    }
    bool ok = replay(&state, ledger_of(history)->fd, &replay_all, visitor, &end, err);
    state_done(&state);
    return ok;
}

// The rollups' files say it.
static bool find_def(struct history *history, const char *name, struct rollup_def *out_def,
                     struct tally_err *err)
{
    (void)history;
    (void)name;
    (void)out_def;
    err->code = TALLY_OK;
    return false;
}

static bool verify(struct history *history, const char *dir, struct verify *check,
                   struct tally_err *err)
{
    return verify_ledger(history->options, ledger_of(history)->fd, dir, check, err);
}

static const struct history_engine engine = {
    .close = close_ledger,
    .fill = fill,
    .take_behind = take_behind,
    .take_claims = take_claims,
    .take_changed = take_changed,
    .file = file_of,
    .by_number = true,
    .files = files,
    .find_def = find_def,
    .verify = verify,
};

struct history *history_open_ledger(const struct options *options, struct tally_err *err)
{
    struct ledger_history *ledger = calloc(1, sizeof *ledger);

    if (!ledger) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
        return NULL;
    }
    ledger->common = (struct history){.engine = &engine, .options = options};
    arena_init(&ledger->names, NAMES_BYTES_MAX);
    ledger->fd = origin_open_ledger(options, err);
    if (ledger->fd < 0) {
        close_ledger(&ledger->common);
        return NULL;
    }
    return &ledger->common;
}
