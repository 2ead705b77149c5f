#include "store/cluster/servers.h"

#include "base/clock.h"
#include "base/disk.h"
#include "store/cluster/servers_private.h"
#include "store/cluster/sql.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PASSWORD_BYTES_MAX = 1024,
    LOOK_AGAIN_S = 30, // for hosts that were not there
};

static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool add_header(struct servers *servers, const char *name, const char *value,
                       struct tally_err *err)
{
    struct bytes line;

    bytes_init(&line);
    sql_print(&line, "%s: %s", name, value);
    const char *text = sql_text(&line);
    struct curl_slist *added = text ? servers->curl.slist_append(servers->headers, text) : NULL;
    if (text) {
        explicit_bzero(line.data, line.count);
    }
    bytes_done(&line);
    if (!added) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a header");
    }
    servers->headers = added;
    return true;
}

static bool load_password(const char *path, char password[PASSWORD_BYTES_MAX],
                          struct tally_err *err)
{
    unsigned char *data;
    size_t count;

    if (!disk_load(AT_FDCWD, path, PASSWORD_BYTES_MAX - 1, &data, &count, err)) {
        return err_wrap(err, "password file '%s'", path);
    }
    memcpy(password, data, count);
    password[count] = '\0';
    explicit_bzero(data, count);
    free(data);
    password[strcspn(password, "\r\n")] = '\0';
    if (password[0] == '\0' || !is_plain(password)) {
        explicit_bzero(password, PASSWORD_BYTES_MAX);
        return err_set(err, TALLY_INVALID, "password file '%s': its first line is no password",
                       path);
    }
    return true;
}

static bool add_password(struct servers *servers, const char *path, struct tally_err *err)
{
    char password[PASSWORD_BYTES_MAX];

    if (!load_password(path, password, err)) {
        return false;
    }
    bool ok = add_header(servers, "X-ClickHouse-Key", password, err);
    explicit_bzero(password, sizeof password);
    return ok;
}

// Who asks goes in headers and never in an address, which servers write to their logs.
static bool add_headers(struct servers *servers, struct tally_err *err)
{
    const struct cluster_options *options = servers->options;

    if (!is_plain(options->user)) {
        return err_set(err, TALLY_INVALID, "the user's name has control characters");
    }
    return add_header(servers, "X-ClickHouse-User", options->user, err) &&
           (!options->password_file || add_password(servers, options->password_file, err)) &&
           add_header(servers, "Expect", "", err);
}

static void set_limits(struct servers *servers)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);

    servers->answer_bytes_max = SIZE_MAX / 2;
    if (pages > 0 && page_bytes > 0) {
        servers->answer_bytes_max = (size_t)pages / 2 * (size_t)page_bytes;
    }
}

struct servers *servers_open(const struct cluster_options *options, struct progress progress,
                             struct tally_err *err)
{
    struct servers *servers = calloc(1, sizeof *servers);

    if (!servers) {
        err_set(err, TALLY_NO_MEMORY, "no memory for a cluster");
        return NULL;
    }
    if (!curl_load(&servers->curl, err)) {
        free(servers);
        return NULL;
    }
    servers->options = options;
    servers->progress = progress;
    servers->run = clock_ticks_ns() ^ (uint64_t)getpid() << 40 ^ (uint64_t)clock_now_ms() << 20;
    servers->random = servers->run | 1;
    set_limits(servers);
    for (size_t i = 0; i < options->hosts_count; i++) {
        servers->host[i].shard = SERVERS_UNKNOWN;
    }
    servers->multi = servers->curl.multi_init();
    if (!servers->multi) {
        err_set(err, TALLY_NO_MEMORY, "no memory for a cluster");
    }
    if (!servers->multi || !add_headers(servers, err) ||
        !servers_find(servers, options->retry_ms, err)) {
        servers_close(servers);
        return NULL;
    }
    return servers;
}

void servers_close(struct servers *servers)
{
    if (!servers) {
        return;
    }
    servers->curl.slist_free_all(servers->headers);
    if (servers->multi) {
        servers->curl.multi_cleanup(servers->multi);
    }
    curl_unload(&servers->curl);
    free(servers);
}

void servers_stop_by(struct servers *servers, int stop_fd)
{
    servers->stop_fd = stop_fd;
}

bool servers_is_reachable(const struct servers *servers, size_t host)
{
    return servers->host[host].reachable;
}

void servers_watch(struct servers *servers, struct progress progress)
{
    servers->progress = progress;
}

size_t servers_shards(const struct servers *servers)
{
    return servers->shards;
}

unsigned servers_version(const struct servers *servers)
{
    return servers->version;
}

const struct cluster_options *servers_options(const struct servers *servers)
{
    return servers->options;
}

int servers_shard_of(const struct servers *servers, size_t host)
{
    return servers->host[host].shard;
}

// A host that was down when all the others were found may be back.
static void look_again(struct servers *servers)
{
    struct tally_err ignored;
    uint64_t passed_s = (clock_ticks_ns() - servers->looked_ns) / 1000000000;

    for (size_t i = 0; i < servers->options->hosts_count && passed_s >= LOOK_AGAIN_S; i++) {
        if (servers->host[i].shard == SERVERS_UNKNOWN) {
            servers_find(servers, 0, &ignored);
            return;
        }
    }
}

static bool run_one(struct servers *servers, struct task *task, struct tally_err *err)
{
    struct run_options options = {.retry_ms = servers->options->retry_ms};

    look_again(servers);
    return servers_run(servers, task, 1, &options, err);
}

static struct request request_of(const struct servers_question *question)
{
    return (struct request){
        .sql = question->sql,
        .numbers = question->numbers,
        .numbers_count = question->numbers_count,
        .outside = question->outside,
    };
}

bool servers_ask(struct servers *servers, size_t shard, const struct servers_question *question,
                 struct bytes *out, struct tally_err *err)
{
    struct request request = request_of(question);
    struct task task = {.request = &request, .out = out, .target = TASK_SHARD, .index = shard};

    return run_one(servers, &task, err) || err_wrap(err, "shard %zu", shard + 1);
}

bool servers_ask_host(struct servers *servers, size_t host, const struct servers_question *question,
                      struct bytes *out, struct tally_err *err)
{
    struct request request = request_of(question);
    struct task task = {.request = &request, .out = out, .target = TASK_HOST, .index = host};

    return run_one(servers, &task, err);
}

bool servers_ask_each(struct servers *servers, const struct servers_question *question,
                      struct bytes *out, struct tally_err *err)
{
    struct request request = request_of(question);
    struct run_options options = {.retry_ms = servers->options->retry_ms};
    struct task *tasks = calloc(servers->shards, sizeof *tasks);

    if (!tasks) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a question");
    }
    look_again(servers);
    for (size_t i = 0; i < servers->shards; i++) {
        tasks[i] =
            (struct task){.request = &request, .out = &out[i], .target = TASK_SHARD, .index = i};
    }
    bool ok = servers_run(servers, tasks, servers->shards, &options, err);
    free(tasks);
    return ok;
}

static bool insert(struct servers *servers, struct task *task, const char *table,
                   const struct bytes *rows, struct tally_err *err)
{
    struct bytes sql;
    struct bytes nothing;

    if (!rows->ok) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for rows");
    }
    if (rows->count == 0) {
        return true;
    }
    bytes_init(&sql);
    bytes_init(&nothing);
    sql_print(&sql, "INSERT INTO %s FORMAT RowBinary", table);
    struct request request = {.sql = sql_text(&sql), .rows = rows};
    task->request = &request;
    task->out = &nothing;
    bool ok = request.sql ? run_one(servers, task, err)
                          : err_set(err, TALLY_NO_MEMORY, "no memory for an insert");
    task->request = NULL;
    task->out = NULL;
    bytes_done(&nothing);
    bytes_done(&sql);
    return ok || err_wrap(err, "insert into %s", table);
}

bool servers_insert(struct servers *servers, const char *table, const struct bytes *rows,
                    struct tally_err *err)
{
    struct task task = {.target = TASK_ANY_HOST};

    return insert(servers, &task, table, rows, err);
}

bool servers_insert_at(struct servers *servers, size_t shard, const char *table,
                       const struct bytes *rows, struct tally_err *err)
{
    struct task task = {.target = TASK_SHARD, .index = shard};

    return insert(servers, &task, table, rows, err);
}
