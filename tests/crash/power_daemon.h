// tests/crash/power_daemon.h - what tallyd does with its inbox, without the event loop.
//
//   start -> settle (claimed/, then inbox/, file by file or group by group; publishes) -> stop
//
// The same functions of daemon/ and store/ as in the daemon, on one thread.
#ifndef TESTS_CRASH_POWER_DAEMON_H
#define TESTS_CRASH_POWER_DAEMON_H

#include "daemon/group.h"

struct power_daemon {
    const struct config *config;
    uint64_t segment_bytes_max;
    size_t group_files;  // that share a sync; 0: each file is read and settled alone
    bool publishes_each; // after each file or group, else once at the end
    void (*on_settled)(void *context, const struct intake *intake); // NULL: nobody listens
    void (*on_published)(void *context, const struct store *store); // NULL: nobody listens
    void *context;
    struct inbox inbox;
    struct store *store; // NULL: did not start
    struct group group;
    struct tally_err err;
};

bool power_daemon_start(struct power_daemon *daemon);
// Until nothing is left. False: the process has to end; err says why.
bool power_daemon_settle(struct power_daemon *daemon);
void power_daemon_stop(struct power_daemon *daemon);

#endif
