// daemon/loop.h - the event loop that owns everything and hands work to workers.
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include "daemon/config.h"
#include "daemon/inbox.h"
#include "store/store.h"

#include <sysexits.h>

// A sync failed: nobody knows what is on the disk until the next start has read it.
enum { LOOP_EXIT_SYNC_FAILED = EX_OSFILE };

struct loop_options {
    const struct config *config;
    const char *config_path; // read again at a SIGHUP, with `presets` as config_load takes it
    const char *presets;
    const struct inbox *inbox;
    struct store *store;
    int stop_fd; // an eventfd that is also the store's (store_options), told when the loop ends; or
                 // 0
    uint64_t retry_ms; // after which what had to wait is tried again; 0: 5 s
    const char *inbox_path;
    bool once;                       // end when the inbox is settled
    void (*on_ready)(void *context); // told when it listens; may be NULL
    void *context;
};

// Runs until SIGTERM, SIGINT, a fatal failure or, with `once`, until nothing is left to do.
// Returns an exit status: 0, 1 (once: a file was rejected), EX_IOERR, EX_OSERR, EX_TEMPFAIL (once:
// the store's servers cannot be reached), LOOP_EXIT_SYNC_FAILED.
int loop_run(const struct loop_options *options);

#endif
