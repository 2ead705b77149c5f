// report/verify_cluster.h - `tally verify` of a ledger on a cluster.
#ifndef REPORT_VERIFY_CLUSTER_H
#define REPORT_VERIFY_CLUSTER_H

#include "report/history.h"
#include "report/verify.h"
#include "store/cluster/log.h"
#include "store/cluster/servers.h"

bool verify_cluster(struct history *history, struct servers *servers, const struct log *log,
                    const char *dir, struct verify *check, struct tally_err *err);

#endif
