#include "base/clock.h"
#include "store/cluster/servers_private.h"
#include "store/cluster/sql.h"

#include <stdlib.h>
#include <string.h>

enum { OLDEST_VERSION = 18016 };

// What one host says of itself and of the cluster.
struct look {
    unsigned version;
    uint32_t shards;
    int shard; // its own
    bool replicated;
};

static unsigned take_number(const char **at, const char *end)
{
    unsigned number = 0;

    while (*at < end && **at >= '0' && **at <= '9' && number < 100000) {
        number = number * 10 + (unsigned)(**at - '0');
        ++*at;
    }
    *at += *at < end && **at == '.';
    return number;
}

static unsigned version_of(const char *text, size_t bytes)
{
    const char *at = text;
    unsigned major = take_number(&at, text + bytes);
    unsigned minor = take_number(&at, text + bytes);

    return major * 1000 + (minor < 1000 ? minor : 999);
}

static bool read_look(const struct servers *servers, const char *host, const struct bytes *answer,
                      struct look *out, struct tally_err *err)
{
    const char *cluster = servers->options->cluster;
    struct cursor in = cursor_over(answer->data, answer->count);
    uint64_t replicas = 0;

    *out = (struct look){.shard = SERVERS_UNKNOWN};
    while (in.ok && cursor_left(&in) > 0) {
        size_t bytes = 0;
        const char *version = cursor_take_text(&in, &bytes);
        uint32_t shard = cursor_take_u32(&in);
        bool is_itself = cursor_take_u8(&in) != 0;
        if (!in.ok || shard == 0) {
            break;
        }
        if (shard > SERVERS_SHARDS_MAX) {
            return err_set(err, TALLY_INVALID, "%s: cluster '%s' has more than %d shards", host,
                           cluster, SERVERS_SHARDS_MAX);
        }
        if (is_itself && out->shard != SERVERS_UNKNOWN && out->shard != (int)shard - 1) {
            return err_set(err, TALLY_INVALID, "%s stands for several shards of cluster '%s'", host,
                           cluster);
        }
        out->version = version_of(version, bytes);
        out->shard = is_itself ? (int)shard - 1 : out->shard;
        out->shards = shard > out->shards ? shard : out->shards;
        replicas++;
    }
    out->replicated = replicas > out->shards;
    if (!in.ok || cursor_left(&in) > 0) {
        return err_set(err, TALLY_INVALID, "%s: what it says of cluster '%s' is not understood",
                       host, cluster);
    }
    if (out->shards == 0) {
        return err_set(err, TALLY_INVALID, "%s knows no cluster '%s' (remote_servers)", host,
                       cluster);
    }
    if (out->shard == SERVERS_UNKNOWN) {
        return err_set(err, TALLY_INVALID, "%s does not find itself in cluster '%s'", host,
                       cluster);
    }
    return true;
}

static bool take_look(struct servers *servers, size_t host, const struct bytes *answer,
                      struct tally_err *err)
{
    const char *name = servers->options->host[host];
    struct look look;

    if (!read_look(servers, name, answer, &look, err)) {
        return false;
    }
    if (look.version < OLDEST_VERSION) {
        return err_set(err, TALLY_INVALID,
                       "%s is ClickHouse %u.%u; 18.16 is the oldest that serves", name,
                       look.version / 1000, look.version % 1000);
    }
    if (servers->shards != 0 && servers->shards != look.shards) {
        return err_set(err, TALLY_INVALID, "%s knows %u shards of cluster '%s', others know %zu",
                       name, look.shards, servers->options->cluster, servers->shards);
    }
    servers->shards = look.shards;
    servers->replicated = servers->replicated || look.replicated;
    servers->host[host].shard = look.shard;
    if (servers->version == 0 || look.version < servers->version) {
        servers->version = look.version;
    }
    return true;
}

// Puts what each of the unknown hosts answered where it belongs; the first error that is for good
// ends it.
static bool take_looks(struct servers *servers, const struct task *tasks, size_t count,
                       struct tally_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (tasks[i].state == TASK_DONE) {
            if (!take_look(servers, tasks[i].index, tasks[i].out, err)) {
                return false;
            }
        } else if (tasks[i].err.code != TALLY_UNAVAILABLE) {
            *err = tasks[i].err;
            return false;
        }
    }
    return true;
}

static bool look_around(struct servers *servers, const struct request *request, uint64_t retry_ms,
                        struct tally_err *err)
{
    size_t hosts = servers->options->hosts_count;
    struct task *tasks = calloc(hosts, sizeof *tasks);
    struct bytes *answers = calloc(hosts, sizeof *answers);
    struct run_options options = {.retry_ms = retry_ms, .one_by_one = true};
    size_t count = 0;
    bool ok = tasks && answers;

    if (!ok) {
        err_set(err, TALLY_NO_MEMORY, "no memory for %zu hosts", hosts);
    }
    for (size_t i = 0; ok && i < hosts; i++) {
        if (servers->host[i].shard == SERVERS_UNKNOWN) {
            bytes_init(&answers[count]);
            tasks[count] = (struct task){
                .request = request, .out = &answers[count], .target = TASK_HOST, .index = i};
            count++;
        }
    }
    if (ok) {
        struct tally_err unavailable = {.code = TALLY_OK};
        servers_run(servers, tasks, count, &options, &unavailable);
        ok = take_looks(servers, tasks, count, err);
        if (ok && unavailable.code != TALLY_OK) {
            *err = unavailable; // for a shard that has no other
        }
    }
    for (size_t i = 0; i < count; i++) {
        bytes_done(&answers[i]);
    }
    free(answers);
    free(tasks);
    servers->looked_ns = clock_ticks_ns();
    return ok;
}

static bool has_host(const struct servers *servers, size_t shard)
{
    for (size_t i = 0; i < servers->options->hosts_count; i++) {
        if (servers->host[i].shard == (int)shard) {
            return true;
        }
    }
    return false;
}

static size_t unknown_hosts(const struct servers *servers)
{
    size_t count = 0;

    for (size_t i = 0; i < servers->options->hosts_count; i++) {
        count += servers->host[i].shard == SERVERS_UNKNOWN;
    }
    return count;
}

// Whether each shard has a host. *out_waits: none yet, but one that could not be reached may be it.
static bool is_covered(const struct servers *servers, bool *out_waits, struct tally_err *err)
{
    *out_waits = unknown_hosts(servers) > 0;
    if (servers->shards == 0) {
        return false;
    }
    for (size_t i = 0; i < servers->shards; i++) {
        if (!has_host(servers, i)) {
            return *out_waits ? false
                              : err_set(err, TALLY_INVALID,
                                        "no host of shard %zu of cluster '%s' is listed", i + 1,
                                        servers->options->cluster);
        }
    }
    return true;
}

bool servers_find(struct servers *servers, uint64_t retry_ms, struct tally_err *err)
{
    struct bytes sql;
    struct request request = {.outside = true};
    bool waits = false;

    bytes_init(&sql);
    sql_print(&sql, "SELECT version(), toUInt32(shard_num), toUInt8(is_local) "
                    "FROM system.clusters WHERE cluster = ");
    sql_quote(&sql, servers->options->cluster, strlen(servers->options->cluster));
    request.sql = sql_text(&sql);
    if (!request.sql) {
        bytes_done(&sql);
        return err_set(err, TALLY_NO_MEMORY, "no memory for a question");
    }
    // First whoever is there; only where that is too few, waits are worth it.
    bool ok = look_around(servers, &request, 0, err);
    bool covered = ok && is_covered(servers, &waits, err);
    if (ok && !covered && waits) {
        ok = look_around(servers, &request, retry_ms, err);
        covered = ok && is_covered(servers, &waits, err);
    }
    bytes_done(&sql);
    return covered;
}
