// store/restore.h - batches and notes that stand elsewhere, written into an embedded ledger as they
// stand there.
//
//   restore_begin -> restore_rows ... -> restore_end        restore_note
//
// Nothing is judged anew: which rows counted was settled where the batch came from. So rows are
// written as they come, a snapshot withdraws nothing by itself, and time, digest and counts are
// those of the origin. Batches are numbered 1, 2, 3 ... as they come. Everything lasts with the
// next store_sync.
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

#include "base/err.h"
#include "store/ledger_read.h"
#include "store/rows.h"
#include "store/store.h"

// Requires of all: `store` is a ledger of this machine (store_open). Errors: those of store_begin,
// store_append, store_seal.
bool restore_begin(struct store *store, const struct store_file *file, struct tally_err *err);
bool restore_rows(struct store *store, const struct rows *rows, struct tally_err *err);
bool restore_end(struct store *store, const struct batch_end *end, struct tally_err *err);
bool restore_note(struct store *store, const struct batch_end *end, struct tally_err *err);

// At which revision an incident is kept by now. False: it is not.
bool restore_find(const struct store *store, const char *feed, const char *id, size_t id_bytes,
                  struct revision *out_revision);

#endif
