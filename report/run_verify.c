// tally verify: every checksum of every rollup, and that each one equals what the ledger says.
//
//   rollup NAME   ok | DAMAGED   checksums, order, headline, content digest
//   ledger        ok | DAMAGED   every frame up to the last commit
//   ledger        LOST, whole    of a damaged one: what cannot be read, how much can
//   replay NAME   ok | DAMAGED   the rollup rebuilt from the ledger at its generation
#include "report/run.h"

#include "base/disk.h"
#include "report/lost.h"
#include "report/moment.h"
#include "report/origin.h"
#include "store/committed.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct check {
    struct sheet sheet;
    size_t damaged;
    size_t checked;
};

// The state replayed last, since rollups mostly share one generation.
struct rebuilt {
    struct state state;
    bool ready;
    uint64_t batches;
};

static bool add_row(struct check *check, const char *thing, const char *state, const char *detail,
                    struct tally_err *err)
{
    struct sheet_value *at = sheet_add_row(&check->sheet, err);

    if (!at) {
        return false;
    }
    at[0] = sheet_name(thing);
    at[1] = sheet_name(state);
    at[2] = sheet_name(detail);
    check->checked++;
    return true;
}

static bool add_ok(struct check *check, const char *thing, const char *detail,
                   struct tally_err *err)
{
    return add_row(check, thing, "ok", detail, err);
}

static bool add_damage(struct check *check, const char *thing, const struct tally_err *damage,
                       struct tally_err *err)
{
    const char *detail = damage->place[0] != '\0'
                             ? sheet_printf(&check->sheet, "%s: %s", damage->place, damage->message)
                             : sheet_printf(&check->sheet, "%s", damage->message);

    check->damaged++;
    return add_row(check, thing, "DAMAGED", detail, err);
}

// Only what is wrong with the bytes is damage; a file that cannot be read is an error.
static bool is_damage(const struct tally_err *err)
{
    return err->code == TALLY_CORRUPT || err->code == TALLY_UNSUPPORTED;
}

static const char *size_of(struct sheet *sheet, const struct rollup *rollup)
{
    unsigned long long bytes = rollup_bytes(rollup);
    unsigned long long patch = rollup_patch_bytes(rollup);

    return patch == 0 ? sheet_printf(sheet, "%llu bytes", bytes)
                      : sheet_printf(sheet, "%llu bytes and a patch of %llu", bytes - patch, patch);
}

// *out_rollup stays NULL when it is damaged.
static bool check_rollup(struct check *check, const char *path, const char *thing,
                         struct rollup **out_rollup, struct tally_err *err)
{
    struct tally_err damage;
    struct rollup *rollup = rollup_open(AT_FDCWD, path, &damage);

    if (rollup && rollup_verify(rollup, &damage)) {
        char digest[DIGEST_TEXT_BYTES];
        const char *detail = sheet_printf(&check->sheet, "%s, generation %llu, digest %s",
                                          size_of(&check->sheet, rollup),
                                          (unsigned long long)rollup_generation(rollup),
                                          digest_format(rollup_digest(rollup), digest));
        *out_rollup = rollup;
        return add_ok(check, thing, detail, err);
    }
    rollup_close(rollup);
    if (!is_damage(&damage)) {
        *err = damage;
        return false;
    }
    return add_damage(check, thing, &damage, err);
}

static bool rebuild(struct rebuilt *rebuilt, int ledger_fd, uint64_t generation,
                    struct tally_err *err)
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
    if (!replay(&rebuilt->state, ledger_fd, &until, NULL, &end, err)) {
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
    char there[DIGEST_TEXT_BYTES];
    char here[DIGEST_TEXT_BYTES];
    struct cells *cells = cells_open(&rebuilt->state, rollup_def(rollup), err);

    if (!cells) {
        return false;
    }
    struct rollup *again = moment_encode(cells, &rebuilt->state, rebuilt->batches, err);
    cells_close(cells);
    if (!again) {
        return false;
    }
    bool same = digest_equal(rollup_digest(again), rollup_digest(rollup));
    if (!same) {
        err_set(err, TALLY_CORRUPT, "the file has digest %s, the ledger gives %s",
                digest_format(rollup_digest(rollup), there),
                digest_format(rollup_digest(again), here));
    }
    rollup_close(again);
    return same;
}

static bool check_replay(struct check *check, struct rebuilt *rebuilt, int ledger_fd,
                         const struct rollup *rollup, const char *thing, struct tally_err *err)
{
    struct tally_err damage = {.code = TALLY_OK};

    if (rebuild(rebuilt, ledger_fd, rollup_generation(rollup), &damage) &&
        same_content(rebuilt, rollup, &damage)) {
        return add_ok(check, thing,
                      sheet_printf(&check->sheet, "equals the ledger at batch %llu",
                                   (unsigned long long)rollup_generation(rollup)),
                      err);
    }
    if (!is_damage(&damage)) {
        *err = damage;
        return false;
    }
    return add_damage(check, thing, &damage, err);
}

static bool on_lost(void *context, const struct salvage_lost *lost, struct tally_err *err)
{
    struct check *check = context;
    struct sheet *sheet = &check->sheet;
    bool named = lost->file_bytes > 0;
    const char *detail =
        sheet_printf(sheet, "%s%s%.*s at %s: %s", lost_batches(sheet, lost), named ? ", " : "",
                     (int)lost->file_bytes, lost->file, lost_place(sheet, lost), lost->why);

    return add_row(check, "ledger", "LOST", detail, err);
}

// What a damaged ledger has lost: all else can be salvaged.
static bool add_lost(struct check *check, int ledger_fd, struct tally_err *err)
{
    struct salvage_visitor visitor = {.context = check, .on_lost = on_lost};
    struct salvage_counts counts;

    if (!salvage(ledger_fd, -1, &visitor, &counts, err)) {
        return false;
    }
    return add_row(check, "ledger", "whole",
                   sheet_printf(&check->sheet, "%llu batches; tally salvage copies them",
                                (unsigned long long)counts.batches),
                   err);
}

static bool check_ledger(struct check *check, int ledger_fd, const struct committed *committed,
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
        return add_ok(check, "ledger",
                      sheet_printf(&check->sheet, "%llu batches%s", (unsigned long long)end.batches,
                                   end.torn ? ", and one that is not finished" : ""),
                      err);
    }
    if (!is_damage(&damage)) {
        *err = damage;
        return false;
    }
    return add_damage(check, "ledger", &damage, err) && add_lost(check, ledger_fd, err);
}

static bool check_stored(struct check *check, struct rebuilt *rebuilt, int ledger_fd,
                         const char *dir, const char *name, struct tally_err *err)
{
    struct rollup *rollup = NULL;
    const char *path = sheet_printf(&check->sheet, "%s/%s", dir, name);
    const char *thing = sheet_printf(&check->sheet, "rollup %s", name);

    if (!check_rollup(check, path, thing, &rollup, err)) {
        return false;
    }
    // A damaged ledger has said so already.
    bool done = !rollup || ledger_fd < 0 ||
                check_replay(check, rebuilt, ledger_fd, rollup,
                             sheet_printf(&check->sheet, "replay %s", name), err);
    rollup_close(rollup);
    return done;
}

static bool check_rollups(struct check *check, int ledger_fd, const char *dir,
                          struct tally_err *err)
{
    struct rebuilt rebuilt = {.ready = false};
    struct disk_names names;
    bool done = true;

    if (!disk_list(AT_FDCWD, dir, &names, err)) {
        return false;
    }
    for (size_t i = 0; done && i < names.count; i++) {
        size_t bytes = strlen(names.name[i]);
        if (bytes > 7 && strcmp(names.name[i] + bytes - 7, ".rollup") == 0) {
            done = check_stored(check, &rebuilt, ledger_fd, dir, names.name[i], err);
        }
    }
    if (rebuilt.ready) {
        state_done(&rebuilt.state);
    }
    disk_names_done(&names);
    return done;
}

// Before the ledger is read: meanwhile it may grow.
static bool read_mark(const char *state, struct committed *out_committed, struct tally_err *err)
{
    int state_fd = disk_open(AT_FDCWD, state, O_RDONLY | O_DIRECTORY, 0, err);
    bool ok = state_fd >= 0 && committed_read(state_fd, out_committed, err);

    disk_close(state_fd);
    return ok;
}

static bool check_state(struct check *check, const struct options *options, struct tally_err *err)
{
    struct committed committed;
    bool whole = false;
    char *state = origin_state_dir(options, err);

    if (!state) {
        return false;
    }
    const char *dir = sheet_printf(&check->sheet, "%s/rollup", state);
    bool done = read_mark(state, &committed, err);
    free(state);
    int ledger_fd = done ? origin_open_ledger(options, err) : -1;
    if (ledger_fd < 0) {
        return false;
    }
    done = check_ledger(check, ledger_fd, &committed, &whole, err) &&
           check_rollups(check, whole ? ledger_fd : -1, dir, err);
    disk_close(ledger_fd);
    return done;
}

static bool check_files(struct check *check, const struct options *options, struct tally_err *err)
{
    for (size_t i = 0; i < options->args_count; i++) {
        struct rollup *rollup = NULL;
        if (!check_rollup(check, options->args[i], options->args[i], &rollup, err)) {
            return false;
        }
        rollup_close(rollup);
    }
    return true;
}

bool run_verify(const struct options *options, struct print *print, struct tally_err *err)
{
    struct check check = {.damaged = 0};

    sheet_init(&check.sheet);
    sheet_add_column(&check.sheet, SHEET_TEXT, 0, "", "thing", "");
    sheet_add_column(&check.sheet, SHEET_TEXT, 0, "", "state", "");
    sheet_add_column(&check.sheet, SHEET_TEXT, SHEET_FOLDS, "", "detail", "");
    bool done = options->args_count > 0 ? check_files(&check, options, err)
                                        : check_state(&check, options, err);
    done = done && print_end(print, &check.sheet, err);
    sheet_done(&check.sheet);
    if (done && check.damaged > 0) {
        return err_set(err, TALLY_CORRUPT, "%zu of %zu checks found damage", check.damaged,
                       check.checked);
    }
    return done;
}
