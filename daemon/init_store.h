// daemon/init_store.h - the tables of a ledger on a cluster: made (tallyd --init-store), and
// compared (tallyd --check).
#ifndef DAEMON_INIT_STORE_H
#define DAEMON_INIT_STORE_H

#include "daemon/config.h"

// Makes what is absent on every host. Returns an exit status: 0; EX_USAGE where the ledger is on
// this machine; EX_TEMPFAIL where a server cannot be reached; EX_CONFIG where a table is there and
// differs. Says what it did, or what is wrong.
int init_store(const struct config *config, const char *path);

// Whether the tables are as init_store makes them, where the servers can be reached: those that
// cannot be are told, and nothing is wrong with them. True without a cluster.
bool init_store_check(const struct config *config);

// The exit status for what went wrong with a cluster that somebody is waiting for.
int init_store_exit_status(const struct tally_err *err);

#endif
