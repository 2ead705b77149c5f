// report/run.h - the commands, each in a file of its own: fill a sheet, print it.
//
// All return false after filling err; main.c turns its code into the exit status.
#ifndef REPORT_RUN_H
#define REPORT_RUN_H

#include "base/err.h"
#include "report/options.h"
#include "report/print.h"

bool run_rollups(const struct options *options, struct print *print, struct tally_err *err);
bool run_window(const struct options *options, struct print *print, struct tally_err *err);
bool run_series(const struct options *options, struct print *print, struct tally_err *err);
bool run_explain(const struct options *options, struct print *print, struct tally_err *err);
bool run_diff(const struct options *options, struct print *print, struct tally_err *err);
bool run_files(const struct options *options, struct print *print, struct tally_err *err);
bool run_claims(const struct options *options, struct print *print, struct tally_err *err);
bool run_verify(const struct options *options, struct print *print, struct tally_err *err);
bool run_salvage(const struct options *options, struct print *print, struct tally_err *err);
bool run_status(const struct options *options, struct print *print, struct tally_err *err);
bool run_rescan(const struct options *options, struct print *print, struct tally_err *err);
bool run_wait(const struct options *options, struct print *print, struct tally_err *err);
bool run_dump(const struct options *options, struct print *print, struct tally_err *err);
bool run_report(const struct options *options, struct print *print, struct tally_err *err);
bool run_export(const struct options *options, struct print *print, struct tally_err *err);

#endif
