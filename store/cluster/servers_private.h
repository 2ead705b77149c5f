// store/cluster/servers_private.h - what the files behind servers.h share.
//
//   servers.c  what callers ask  --> servers_run.c  tasks, tried anew  --> transfer.c  one request
//   servers_find.c  which host is of which shard  --^
#ifndef STORE_CLUSTER_SERVERS_PRIVATE_H
#define STORE_CLUSTER_SERVERS_PRIVATE_H

#include "store/cluster/curl.h"
#include "store/cluster/servers.h"
#include "store/cluster/transfer.h"

enum {
    SERVERS_UNKNOWN = -1,  // a host that was never reached, so nobody knows of which shard it is
    SERVERS_STEP_MS = 100, // between two signs of life to whoever watches
};

struct servers_host {
    const char *name;
    int shard;
    bool reachable; // when it was asked last
};

struct servers {
    const struct cluster_options *options;
    struct progress progress;
    int stop_fd; // 0: none
    struct curl curl;
    CURLM *multi;
    struct curl_slist *headers; // who is asking; goes with every request
    struct servers_host host[CLUSTER_HOSTS_MAX];
    size_t shards;
    bool replicated;                      // a shard has several servers
    unsigned version;                     // of the oldest
    size_t preferred[SERVERS_SHARDS_MAX]; // the host that answered last
    size_t preferred_any;
    size_t answer_bytes;     // so far
    size_t answer_bytes_max; // of all answers to one question
    uint64_t run;            // tells this process's questions from those of others
    uint64_t asked;          // questions so far
    uint64_t random;
    uint64_t looked_ns; // when hosts that are not known were last looked for
};

// One request and where its answer goes.
struct task {
    const struct request *request;
    struct bytes *out;
    enum task_target { TASK_ANY_HOST, TASK_SHARD, TASK_HOST } target;
    size_t index;         // of the shard or host
    struct tally_err err; // of one that failed

    // Of servers_run.c.
    enum task_state { TASK_WAITS, TASK_RUNS, TASK_DONE, TASK_FAILED } state;
    size_t host;
    unsigned tries;
    uint64_t resume_ns;
    uint64_t tried_ns; // when the last try began
    size_t out_start;
    struct transfer transfer;
    struct transfer check; // asks whether the server is still at work on it
    struct bytes check_answer;
    enum task_step { STEP_LOOK, STEP_LOG, STEP_ASK } step; // replicas.h
    struct bytes replica;                                  // what it says of itself
    bool waits_for_replica;
    bool checking;
    uint64_t check_ns;
};

struct run_options {
    uint64_t retry_ms;
    bool one_by_one; // a task that fails does not end the others
};

// Runs all tasks at once. False: one failed, and err says why; then answers are as before.
bool servers_run(struct servers *servers, struct task *tasks, size_t count,
                 const struct run_options *options, struct tally_err *err);

// Asks the hosts that are not known yet who they are. False: one is of no use (TALLY_INVALID), or a
// shard has none (TALLY_UNAVAILABLE).
bool servers_find(struct servers *servers, uint64_t retry_ms, struct tally_err *err);

uint64_t servers_random(struct servers *servers);

#endif
