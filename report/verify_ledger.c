#include "report/verify_ledger.h"

#include "base/disk.h"
#include "report/lost.h"
#include "report/moment.h"
#include "report/origin.h"
#include "store/committed.h"

#include <fcntl.h>
#include <stdlib.h>

// The state replayed last, since rollups mostly share one generation.
struct rebuilt {
    int ledger_fd;
    struct state state;
    bool ready;
    uint64_t batches;
};

static bool rebuild(struct rebuilt *rebuilt, uint64_t generation, struct tally_err *err)
{
    struct replay_until until = replay_all;
    struct replay_end end;

    if (rebuilt->ready && rebuilt->batches == generation) {
        return true;
    }
    if (rebuilt->ready) {
        state_done(&rebuilt->state);
        rebuilt->ready = false;
    }
    until.batch = generation;
    if (!state_init(&rebuilt->state, err)) {
        return false;
    }
    if (!replay(&rebuilt->state, rebuilt->ledger_fd, &until, NULL, &end, err)) {
        state_done(&rebuilt->state);
        return false;
    }
    rebuilt->ready = true;
    rebuilt->batches = end.batches;
    if (end.batches != generation) {
        return err_set(err, TALLY_CORRUPT,
                       "the rollup says generation %llu, the ledger has %llu "
                       "batches",
                       (unsigned long long)generation, (unsigned long long)end.batches);
    }
    return true;
}

static bool same_content(struct rebuilt *rebuilt, const struct rollup *rollup,
                         struct tally_err *err)
{
    struct cells *cells = cells_open(&rebuilt->state, rollup_def(rollup), err);

    if (!cells) {
        return false;
    }
    struct rollup *again = moment_encode(cells, &rebuilt->state, rebuilt->batches, err);
    cells_close(cells);
    bool same = again && verify_same(rollup, again, "ledger", err);
    rollup_close(again);
    return same;
}

static bool check_replay(void *context, struct verify *check, const struct rollup *rollup,
                         const char *name, struct tally_err *err)
{
    struct rebuilt *rebuilt = context;
    struct tally_err damage = {.code = TALLY_OK};
    const char *thing = sheet_printf(&check->sheet, "replay %s", name);

    if (rebuild(rebuilt, rollup_generation(rollup), &damage) &&
        same_content(rebuilt, rollup, &damage)) {
        return verify_ok(check, thing,
                         sheet_printf(&check->sheet, "equals the ledger at batch %llu",
                                      (unsigned long long)rollup_generation(rollup)),
                         err);
    }
    if (!verify_is_damage(&damage)) {
        *err = damage;
        return false;
    }
    return verify_damage(check, thing, &damage, err);
}

static bool on_lost(void *context, const struct salvage_lost *lost, struct tally_err *err)
{
    struct verify *check = context;
    struct sheet *sheet = &check->sheet;
    bool named = lost->file_bytes > 0;
    const char *detail =
        sheet_printf(sheet, "%s%s%.*s at %s: %s", lost_batches(sheet, lost), named ? ", " : "",
                     (int)lost->file_bytes, lost->file, lost_place(sheet, lost), lost->why);

    return verify_row(check, "ledger", "LOST", detail, err);
}

// What a damaged ledger has lost: all else can be salvaged.
static bool add_lost(struct verify *check, int ledger_fd, struct tally_err *err)
{
    struct salvage_visitor visitor = {.context = check, .on_lost = on_lost};
    struct salvage_counts counts;

    if (!salvage(ledger_fd, -1, &visitor, &counts, err)) {
        return false;
    }
    return verify_row(check, "ledger", "whole",
                      sheet_printf(&check->sheet, "%llu batches; tally salvage copies them",
                                   (unsigned long long)counts.batches),
                      err);
}

static bool check_ledger(struct verify *check, int ledger_fd, const struct committed *committed,
                         bool *out_whole, struct tally_err *err)
{
    struct tally_err damage;
    struct replay_end end;
    struct state state;

    if (!state_init(&state, err)) {
        return false;
    }
    *out_whole = replay(&state, ledger_fd, &replay_all, NULL, &end, &damage) &&
                 committed_check(committed, &end, &damage);
    state_done(&state);
    if (*out_whole) {
        return verify_ok(check, "ledger",
                         sheet_printf(&check->sheet, "%llu batches%s",
                                      (unsigned long long)end.batches,
                                      end.torn ? ", and one that is not finished" : ""),
                         err);
    }
    if (!verify_is_damage(&damage)) {
        *err = damage;
        return false;
    }
    return verify_damage(check, "ledger", &damage, err) && add_lost(check, ledger_fd, err);
}

// Before the ledger is read: meanwhile it may grow.
static bool read_mark(const char *state, struct committed *out_committed, struct tally_err *err)
{
    int state_fd = disk_open(AT_FDCWD, state, O_RDONLY | O_DIRECTORY, 0, err);
    bool ok = state_fd >= 0 && committed_read(state_fd, out_committed, err);

    disk_close(state_fd);
    return ok;
}

bool verify_ledger(const struct options *options, int ledger_fd, const char *dir,
                   struct verify *check, struct tally_err *err)
{
    struct rebuilt rebuilt = {.ledger_fd = ledger_fd};
    struct committed committed;
    bool whole = false;
    char *state = origin_state_dir(options, err);
    bool done = state && read_mark(state, &committed, err) &&
                check_ledger(check, ledger_fd, &committed, &whole, err) &&
                // A damaged ledger has said so already.
                verify_folder(check, dir, whole ? check_replay : NULL, &rebuilt, err);

    free(state);
    if (rebuilt.ready) {
        state_done(&rebuilt.state);
    }
    return done;
}
