// store/cluster/defs.h - what the daemons have said the rollups are (tally_rollups), for who reads
// without a configuration of theirs.
#ifndef STORE_CLUSTER_DEFS_H
#define STORE_CLUSTER_DEFS_H

#include "base/err.h"
#include "store/cluster/servers.h"
#include "store/rollup_def.h"

// The newest one of this name. False with err->code TALLY_OK: there is none.
bool defs_find(struct servers *servers, const char *name, struct rollup_def *out_def,
               struct tally_err *err);

#endif
