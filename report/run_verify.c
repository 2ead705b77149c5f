// tally verify: every checksum of every rollup, and that each one equals what the ledger says.
//
//   rollup NAME   ok | DAMAGED   checksums, order, headline, content digest
//   ledger        ok | DAMAGED   every frame up to the last commit
//   ledger        LOST, whole    of a damaged one: what cannot be read, how much can
//   replay NAME   ok | DAMAGED   the rollup rebuilt from the ledger at its generation
//
// Where the ledger is on a cluster:
//
//   batches       ok             how many are listed
//   shard N       ok             versions that it has, and how many of them no batch counts
//   cluster NAME  ok | DAMAGED   the rollup added up by the shards as of its generation
//                 behind         a batch of that generation came after the file
#include "report/run.h"

#include "report/history.h"
#include "report/origin.h"
#include "report/verify.h"

#include <stdlib.h>

static bool check_state(struct verify *check, const struct options *options, struct tally_err *err)
{
    char *state = origin_state_dir(options, err);

    if (!state) {
        return false;
    }
    const char *dir = sheet_printf(&check->sheet, "%s/rollup", state);
    free(state);
    struct history *history = history_open(options, err);
    bool done = history && history_verify(history, dir, check, err);
    history_close(history);
    return done;
}

static bool check_files(struct verify *check, const struct options *options, struct tally_err *err)
{
    for (size_t i = 0; i < options->args_count; i++) {
        struct rollup *rollup = NULL;
        if (!verify_file(check, options->args[i], options->args[i], &rollup, err)) {
            return false;
        }
        rollup_close(rollup);
    }
    return true;
}

bool run_verify(const struct options *options, struct print *print, struct tally_err *err)
{
    struct verify check = {.damaged = 0};

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
