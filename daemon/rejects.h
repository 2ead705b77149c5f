// daemon/rejects.h - the rows of an accepted file that were set aside, as a CSV for people.
//
//   rejected/NAME.batch-7.rejects.csv
//   feed,file,digest,record,line,offset,reason,explanation,raw
//
//   attacks,NAME,...,0,0,0,header,correct the raw column ...,"id,date,killed"
//   attacks,NAME,...,2,3,30,date-unreadable,date: "soon" is ...,"7,soon,1"
//
// Written from the ledger, so that a restart writes the same file again. Somebody corrects the
// raw column and drops the file into the inbox: ingest/repair.h reads it. A headerless feed has
// no row with reason header.
//
// Nothing is overwritten: a file of that name may be one that is being corrected, or another one
// that was refused as a whole.
#ifndef DAEMON_REJECTS_H
#define DAEMON_REJECTS_H

#include "base/err.h"
#include "store/store.h"

// `key` as store_find_accepted gives it. `name` is the file's; out_name the CSV's, INBOX_NAME_BYTES
// long. Where other bytes stand under that name, ".2", ".3" ... goes behind it; the same bytes
// stay.
bool rejects_write(const struct store *store, uint64_t key, uint64_t batch, const char *name,
                   int rejected_fd, char *out_name, struct tally_err *err);

// Whether anything stands under the CSV's name.
bool rejects_stand(uint64_t batch, const char *name, int rejected_fd);

#endif
