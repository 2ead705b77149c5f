#include "report/history.h"

#include "report/history_private.h"
#include "report/origin.h"

struct history *history_open(const struct options *options, struct tally_err *err)
{
    struct cluster_options store;

    if (options->engine == OPTIONS_ENGINE_LEDGER) {
        return history_open_ledger(options, err);
    }
    if (!origin_read_store(options, &store, err)) {
        return NULL;
    }
    if (options->engine == OPTIONS_ENGINE_CLICKHOUSE || store.used) {
        return history_open_cluster(options, &store, err);
    }
    cluster_options_done(&store);
    return history_open_ledger(options, err);
}

void history_close(struct history *history)
{
    if (history) {
        history->engine->close(history);
    }
}

bool history_files(struct history *history, const struct replay_visitor *visitor,
                   struct tally_err *err)
{
    return history->engine->files(history, visitor, err);
}

bool history_find_def(struct history *history, const char *name, struct rollup_def *out_def,
                      struct tally_err *err)
{
    return history->engine->find_def(history, name, out_def, err);
}

bool history_verify(struct history *history, const char *dir, struct verify *check,
                    struct tally_err *err)
{
    return history->engine->verify(history, dir, check, err);
}
