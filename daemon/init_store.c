#include "daemon/init_store.h"

#include "store/cluster/schema.h"
#include "store/cluster/servers.h"

#include <stdio.h>
#include <sysexits.h>

// A person waits for --check, and so does `systemctl reload`.
enum { CHECK_TIMEOUT_MS = 5000, CHECK_RETRY_MS = 0 };

typedef bool with_tables(struct servers *servers, const struct rollup_def *defs, size_t count,
                         struct tally_err *err);

static bool ask(const struct config *config, const struct cluster_options *options,
                with_tables *with, struct tally_err *err)
{
    struct progress nobody = {0};
    struct servers *servers = servers_open(options, nobody, err);
    bool ok = servers && with(servers, config->defs, config->defs_count, err);

    servers_close(servers);
    return ok;
}

int init_store_exit_status(const struct tally_err *err)
{
    switch (err->code) {
    case TALLY_UNAVAILABLE:
        return EX_TEMPFAIL;
    case TALLY_CORRUPT:
    case TALLY_INVALID:
    case TALLY_NOT_FOUND:
    case TALLY_UNSUPPORTED:
        return EX_CONFIG;
    default:
        return EX_IOERR;
    }
}

int init_store(const struct config *config, const char *path)
{
    struct tally_err err;

    if (!config->cluster.used) {
        fprintf(stderr,
                "tallyd: --init-store is for `engine = clickhouse` in [store]; %s keeps "
                "its ledger on this machine, which needs none\n",
                path);
        return EX_USAGE;
    }
    if (!ask(config, &config->cluster, schema_init, &err)) {
        fprintf(stderr, "tallyd: --init-store: %s\n", err.message);
        return init_store_exit_status(&err);
    }
    printf("%s: database %s has its tables on %zu hosts\n", path, config->cluster.database,
           config->cluster.hosts_count);
    return EX_OK;
}

bool init_store_check(const struct config *config)
{
    struct cluster_options options = config->cluster; // what it points to is borrowed
    struct tally_err err;

    if (!options.used) {
        return true;
    }
    options.timeout_ms =
        options.timeout_ms < CHECK_TIMEOUT_MS ? options.timeout_ms : CHECK_TIMEOUT_MS;
    options.retry_ms = CHECK_RETRY_MS;
    if (ask(config, &options, schema_check, &err)) {
        return true;
    }
    if (err.code == TALLY_UNAVAILABLE) {
        fprintf(stderr, "[store]: the tables were not compared: %s\n", err.message);
        return true;
    }
    fprintf(stderr, "[store]: %s\n", err.message);
    return false;
}
