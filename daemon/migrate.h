// daemon/migrate.h - `tallyd --migrate`: the ledger moves to where [store] says it is.
//
//   engine = clickhouse     STATE/ledger --> the cluster
//   engine = ledger         the cluster of `hosts` --> STATE/ledger
//
// What is left behind stays as it is. Every rollup is written by the engine that the ledger moved
// to, and has to have the digest that the other one gives.
#ifndef DAEMON_MIGRATE_H
#define DAEMON_MIGRATE_H

#include "daemon/config.h"
#include "daemon/inbox.h"

// Says what it does, and on a terminal how far it is. Returns the exit status.
int migrate(const struct config *config, const struct inbox *inbox);

#endif
