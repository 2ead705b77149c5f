#include "base/clock.h"
#include "store/cluster/replicas.h"
#include "store/cluster/servers_private.h"
#include "store/cluster/sql.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    NS_PER_MS = 1000000,
    WAIT_MS_MIN = 50,
    WAIT_MS_MAX = 5000,
    REPLICA_WAIT_MS = 50,
};

struct run {
    struct servers *servers;
    struct task *task;
    size_t count;
    const struct run_options *options;
    uint64_t started_ns;
    uint64_t now_ns;
    bool gave_up;
};

uint64_t servers_random(struct servers *servers)
{
    // xorshift64 (Marsaglia): who waits how long, nothing else.
    servers->random ^= servers->random << 13;
    servers->random ^= servers->random >> 7;
    servers->random ^= servers->random << 17;
    return servers->random;
}

static bool may_go_to(const struct servers *servers, const struct task *task, size_t host)
{
    switch (task->target) {
    case TASK_ANY_HOST:
        return servers->host[host].shard != SERVERS_UNKNOWN;
    case TASK_SHARD:
        return servers->host[host].shard == (int)task->index;
    case TASK_HOST:
        break;
    }
    return host == task->index;
}

static size_t hosts_of(const struct servers *servers, const struct task *task)
{
    size_t count = 0;

    for (size_t i = 0; i < servers->options->hosts_count; i++) {
        count += may_go_to(servers, task, i);
    }
    return count;
}

// The first one from `host` on, round. Requires: there is one.
static size_t next_host(const struct servers *servers, const struct task *task, size_t host)
{
    size_t count = servers->options->hosts_count;

    assert(count > 0);
    for (size_t i = 0; i < count; i++) {
        if (may_go_to(servers, task, (host + i) % count)) {
            return (host + i) % count;
        }
    }
    return host % count;
}

static size_t first_host(const struct servers *servers, const struct task *task)
{
    switch (task->target) {
    case TASK_ANY_HOST:
        return next_host(servers, task, servers->preferred_any);
    case TASK_SHARD:
        return next_host(servers, task, servers->preferred[task->index]);
    case TASK_HOST:
        break;
    }
    return task->index;
}

static void done(struct run *run, struct task *task)
{
    task->state = TASK_DONE;
    run->servers->host[task->host].reachable = true;
    if (task->target == TASK_ANY_HOST) {
        run->servers->preferred_any = task->host;
    } else if (task->target == TASK_SHARD) {
        run->servers->preferred[task->index] = task->host;
    }
}

static void fail(struct run *run, struct task *task)
{
    task->state = TASK_FAILED;
    run->gave_up = run->gave_up || !run->options->one_by_one;
}

// Growing, and never the same for two who wait for the same server.
static uint64_t wait_ms(struct servers *servers, size_t rounds)
{
    uint64_t most = WAIT_MS_MAX;

    if (rounds < 8 && (uint64_t)WAIT_MS_MIN << rounds < most) {
        most = (uint64_t)WAIT_MS_MIN << rounds;
    }
    return most / 2 + servers_random(servers) % (most / 2 + 1);
}

// What came of a try that is no answer.
static void take_back(struct run *run, struct task *task)
{
    run->servers->answer_bytes -= task->out->count - task->out_start;
    task->out->count = task->out_start;
}

// After a try that failed with task->err: the next host at once; after a round of all, a wait.
static void try_anew(struct run *run, struct task *task)
{
    size_t hosts = hosts_of(run->servers, task);

    assert(hosts > 0);
    take_back(run, task);
    task->tries++;
    task->waits_for_replica = false;
    run->servers->host[task->host].reachable = task->err.code != TALLY_UNAVAILABLE;
    if (task->err.code != TALLY_UNAVAILABLE) {
        fail(run, task);
        return;
    }
    uint64_t wait_ns = 0;
    if (task->tries % hosts == 0) {
        wait_ns = wait_ms(run->servers, task->tries / hosts - 1) * NS_PER_MS;
    }
    uint64_t passed_ns = run->now_ns - run->started_ns;
    bool late = passed_ns + wait_ns > run->options->retry_ms * NS_PER_MS;
    if (late && task->tries >= hosts) {
        err_wrap(&task->err, "tried %u times in %" PRIu64 " s", task->tries,
                 passed_ns / NS_PER_MS / 1000);
        fail(run, task);
        return;
    }
    task->state = TASK_WAITS;
    task->resume_ns = run->now_ns + wait_ns;
    task->host = next_host(run->servers, task, task->host + 1);
}

// ---- one request --------------------------------------------------------------------------

static void send_to(struct run *run, struct task *task, const struct request *request,
                    struct bytes *out, uint64_t limit_ms)
{
    struct servers *servers = run->servers;

    if (!request->sql) {
        err_set(&task->err, TALLY_NO_MEMORY, "no memory for a statement");
        try_anew(run, task);
    } else if (!transfer_start(servers, &task->transfer, request,
                               servers->options->host[task->host], out, limit_ms, &task->err)) {
        try_anew(run, task);
    }
}

static void send_own(struct run *run, struct task *task, struct bytes *sql)
{
    struct request request = {.outside = true, .sql = sql_text(sql)};

    bytes_clear(&task->replica);
    send_to(run, task, &request, &task->replica, run->servers->options->timeout_ms);
}

// Where shards have replicas, the one that is asked may have to catch up first (replicas.h).
static void start(struct run *run, struct task *task)
{
    const struct servers *servers = run->servers;
    bool replica = servers->replicated && task->target == TASK_SHARD && !task->request->rows;
    struct bytes sql;

    bytes_init(&sql);
    task->state = TASK_RUNS;
    take_back(run, task);
    if (!task->waits_for_replica) {
        task->tried_ns = run->now_ns;
    }
    if (replica && replicas_put_look(&sql, servers->options->database, task->request->sql)) {
        task->step = STEP_LOOK;
        send_own(run, task, &sql);
    } else {
        task->step = STEP_ASK;
        send_to(run, task, task->request, task->out, 0);
    }
    bytes_done(&sql);
}

// It is asked again, and passed over when it does not catch up.
static void wait_for_replica(struct run *run, struct task *task)
{
    if (run->now_ns - task->tried_ns > run->servers->options->timeout_ms * NS_PER_MS) {
        err_set(&task->err, TALLY_UNAVAILABLE, "%s is behind the other replicas of its shard",
                run->servers->options->host[task->host]);
        try_anew(run, task);
        return;
    }
    task->waits_for_replica = true;
    task->state = TASK_WAITS;
    task->resume_ns = run->now_ns + (uint64_t)REPLICA_WAIT_MS * NS_PER_MS;
}

static void look_at_replica(struct run *run, struct task *task)
{
    struct bytes sql;

    bytes_init(&sql);
    enum replica_state state = task->step == STEP_LOOK ? replicas_read_look(&task->replica, &sql)
                                                       : replicas_read_log(&task->replica);
    switch (state) {
    case REPLICA_UP:
        task->step = STEP_ASK;
        task->waits_for_replica = false;
        send_to(run, task, task->request, task->out, 0);
        break;
    case REPLICA_UNCLEAR:
        task->step = STEP_LOG;
        send_own(run, task, &sql);
        break;
    case REPLICA_BEHIND:
        wait_for_replica(run, task);
        break;
    }
    bytes_done(&sql);
}

static void drop(struct servers *servers, struct task *task)
{
    transfer_drop(servers, &task->transfer);
    transfer_drop(servers, &task->check);
    task->checking = false;
}

// A server that says nothing may be at work. It is asked beside: a question that it does not know
// any more was lost on the way.
static void start_check(struct run *run, struct task *task)
{
    struct servers *servers = run->servers;
    struct bytes sql;
    struct request request = {.outside = true};

    bytes_init(&sql);
    sql_print(&sql, "SELECT toUInt64(count()) FROM system.processes WHERE query_id = '%s'",
              task->transfer.id);
    request.sql = sql_text(&sql);
    bytes_clear(&task->check_answer);
    task->check_ns = run->now_ns;
    task->checking =
        request.sql &&
        transfer_start(servers, &task->check, &request, servers->options->host[task->host],
                       &task->check_answer, servers->options->timeout_ms, &task->err);
    bytes_done(&sql);
}

// A question may take as long as it takes. An insert is short: a server that is at work on it for
// long waits for a shard that says nothing, for some minutes more.
static bool is_stuck(const struct run *run, const struct task *task)
{
    return task->request->rows && run->now_ns - task->tried_ns > run->options->retry_ms * NS_PER_MS;
}

static void finish_check(struct run *run, struct task *task, CURLcode result)
{
    struct tally_err err;
    bool answered = transfer_finish(run->servers, &task->check, result, &err);
    struct cursor answer = cursor_over(task->check_answer.data, task->check_answer.count);
    // One that may not see the list of questions knows that the server lives.
    bool lives = answered ? cursor_take_u64(&answer) > 0 : err.code != TALLY_UNAVAILABLE;

    lives = lives && !is_stuck(run, task);

    task->checking = false;
    if (lives || task->transfer.moved_ns > task->check_ns) {
        task->transfer.moved_ns = run->now_ns;
        return;
    }
    err_set(&task->err, TALLY_UNAVAILABLE, "%s: no answer for %" PRIu64 " ms",
            run->servers->options->host[task->host], run->servers->options->timeout_ms);
    drop(run->servers, task);
    try_anew(run, task);
}

static void finish(struct run *run, struct task *task, CURLcode result)
{
    bool ok = transfer_finish(run->servers, &task->transfer, result, &task->err);

    drop(run->servers, task);
    if (ok && task->step != STEP_ASK) {
        look_at_replica(run, task);
    } else if (ok) {
        done(run, task);
    } else {
        try_anew(run, task);
    }
}

// Returns whether there was one.
static bool take_results(struct run *run)
{
    struct servers *servers = run->servers;
    bool any = false;
    int left;
    CURLMsg *message;

    while ((message = servers->curl.multi_info_read(servers->multi, &left))) {
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        any = true;
        for (size_t i = 0; i < run->count; i++) {
            struct task *task = &run->task[i];
            if (easy == task->transfer.easy) {
                finish(run, task, result);
                break;
            }
            if (easy == task->check.easy) {
                finish_check(run, task, result);
                break;
            }
        }
    }
    return any;
}

// Starts what is due, looks after what is silent. Returns whether a task is unfinished.
static bool look_after(struct run *run)
{
    uint64_t timeout_ns = run->servers->options->timeout_ms * NS_PER_MS;
    bool unfinished = false;

    for (size_t i = 0; i < run->count; i++) {
        struct task *task = &run->task[i];
        if (task->state == TASK_WAITS && run->now_ns >= task->resume_ns) {
            start(run, task);
        } else if (task->state == TASK_RUNS && !task->checking &&
                   run->now_ns - task->transfer.moved_ns >= timeout_ns &&
                   run->now_ns > task->transfer.moved_ns) {
            start_check(run, task);
        }
        unfinished = unfinished || task->state == TASK_WAITS || task->state == TASK_RUNS;
    }
    return unfinished;
}

static int poll_ms(const struct run *run)
{
    uint64_t least_ns = (uint64_t)SERVERS_STEP_MS * NS_PER_MS;

    for (size_t i = 0; i < run->count; i++) {
        const struct task *task = &run->task[i];
        if (task->state == TASK_WAITS) {
            uint64_t left_ns = task->resume_ns > run->now_ns ? task->resume_ns - run->now_ns : 0;
            least_ns = left_ns < least_ns ? left_ns : least_ns;
        }
    }
    return (int)(least_ns / NS_PER_MS) + (least_ns > 0);
}

// The process ends: nobody waits for an answer any more.
static void stop(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct task *task = &run->task[i];
        if (task->state == TASK_WAITS || task->state == TASK_RUNS) {
            err_set(&task->err, TALLY_UNAVAILABLE, "stopped while a server was asked");
            task->state = TASK_FAILED;
        }
    }
    run->gave_up = true;
}

static void wait_for_servers(struct run *run)
{
    struct servers *servers = run->servers;
    struct curl_waitfd stop_fd = {.fd = servers->stop_fd, .events = CURL_WAIT_POLLIN};
    unsigned count = servers->stop_fd > 0;

    servers->curl.multi_poll(servers->multi, &stop_fd, count, poll_ms(run), NULL);
    run->now_ns = clock_ticks_ns();
    if (stop_fd.revents != 0) {
        stop(run);
    }
}

static void run_all(struct run *run)
{
    struct servers *servers = run->servers;
    int running;

    while (!run->gave_up && look_after(run)) {
        servers->curl.multi_perform(servers->multi, &running);
        run->now_ns = clock_ticks_ns();
        bool any = take_results(run);
        progress_step(&servers->progress);
        if (!any) {
            wait_for_servers(run);
        }
    }
}

static bool conclude(struct run *run, struct tally_err *err)
{
    const struct task *failed = NULL;

    for (size_t i = 0; i < run->count; i++) {
        struct task *task = &run->task[i];
        drop(run->servers, task);
        bytes_done(&task->check_answer);
        bytes_done(&task->replica);
        failed = !failed && task->state == TASK_FAILED ? task : failed;
    }
    if (!failed) {
        return true;
    }
    *err = failed->err;
    for (size_t i = 0; i < run->count && !run->options->one_by_one; i++) {
        run->task[i].out->count = run->task[i].out_start;
    }
    return false;
}

bool servers_run(struct servers *servers, struct task *tasks, size_t count,
                 const struct run_options *options, struct tally_err *err)
{
    struct run run = {
        .servers = servers,
        .task = tasks,
        .count = count,
        .options = options,
        .started_ns = clock_ticks_ns(),
    };

    run.now_ns = run.started_ns;
    servers->answer_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        tasks[i].state = TASK_WAITS;
        tasks[i].out_start = tasks[i].out->count;
        tasks[i].host = first_host(servers, &tasks[i]);
        bytes_init(&tasks[i].check_answer);
        bytes_init(&tasks[i].replica);
    }
    run_all(&run);
    return conclude(&run, err);
}
