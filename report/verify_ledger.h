// report/verify_ledger.h - `tally verify` of a ledger on this machine.
#ifndef REPORT_VERIFY_LEDGER_H
#define REPORT_VERIFY_LEDGER_H

#include "report/options.h"
#include "report/verify.h"

bool verify_ledger(const struct options *options, int ledger_fd, const char *dir,
                   struct verify *check, struct tally_err *err);

#endif
