// daemon/engine_mark.h - which engine has what a state directory took in.
//
//   state/ledger/000001.seg    something was taken in by engine = ledger
//   state/on-cluster           what was taken in is on a cluster: engine = clickhouse goes on
//
// Another `engine` in the configuration moves nothing. Without the mark tallyd would start with the
// figures of the engine that it is told, those of the other one left out, and nobody would notice.
#ifndef DAEMON_ENGINE_MARK_H
#define DAEMON_ENGINE_MARK_H

#include "base/err.h"

// Before the store is opened. Errors: TALLY_INVALID where the other engine has what was taken in,
// with what to do.
bool engine_mark_check(int state_dir_fd, bool on_cluster, struct tally_err *err);

// Once the store is open, or everything was moved: this engine has it from now on. Lasting when it
// returns.
bool engine_mark_set(int state_dir_fd, bool on_cluster, struct tally_err *err);

#endif
