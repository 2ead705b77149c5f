// The tables and views, made and looked at.
#include "store/cluster/defs.h"
#include "store/cluster/schema.h"
#include "tests/cluster/failing.h"
#include "tests/unit/fail.h"

#include <string.h>

static struct servers *servers;

static void nothing(void)
{
}

static bool find_defs(struct tally_err *err)
{
    struct rollup_def def = {0};
    struct tally_err none = {0};

    err->code = TALLY_OK;
    if (!defs_find(servers, "some", &def, err)) {
        return err->code == TALLY_OK ? err_set(err, TALLY_INVALID, "there is no rollup") : false;
    }
    fail_pause();
    bool same = rollup_def_equal(&def, &told_defs[1]);
    fail_resume();
    rollup_def_done(&def);
    if (!same) {
        return err_set(err, TALLY_INVALID, "the rollup is another one");
    }
    if (defs_find(servers, "nobody", &def, &none)) {
        rollup_def_done(&def);
        return err_set(err, TALLY_INVALID, "a rollup that is none");
    }
    *err = none;
    return none.code == TALLY_OK;
}

static bool play(struct tally_err *err)
{
    servers = servers_open(memo_options(), (struct progress){0}, err);
    return servers && schema_init(servers, told_defs, TOLD_DEFS, err) &&
           schema_check(servers, told_defs, TOLD_DEFS, err) &&
           schema_init(servers, told_defs, 1, err) && // fewer: the views are made anew
           schema_init(servers, told_defs, TOLD_DEFS, err) && find_defs(err) &&
           schema_check(servers, NULL, 0, err);
}

static void leave(void)
{
    servers_close(servers);
    servers = NULL;
}

// Whatever is half made, the next one makes whole.
static void recover(void)
{
    struct tally_err err;

    leave();
    servers = servers_open(memo_options(), (struct progress){0}, &err);
    MUST(servers, &err);
    MUST(schema_init(servers, told_defs, TOLD_DEFS, &err), &err);
    MUST(schema_check(servers, told_defs, TOLD_DEFS, &err) && find_defs(&err), &err);
}

const struct failing failing_schema = {.name = "schema",
                                       .root = MEMO_NOTHING,
                                       .sparse = 80,
                                       .prepare = nothing,
                                       .finish = nothing,
                                       .enter = nothing,
                                       .play = play,
                                       .go_on = nothing,
                                       .recover = recover,
                                       .leave = leave};
