// daemon/noted.h - files in claimed/ of which the ledger has a note already, and which could not be
// moved yet: refused, a duplicate, superseded.
//
//   noted, told, no room to move it --put--> [ bad.csv ] --find--> only moved --drop-->
//
// Of this run alone: the ledger does not say under which configuration a file was refused, so that
// the next start reads it again. An accepted file needs no place here: the ledger finds it.
#ifndef DAEMON_NOTED_H
#define DAEMON_NOTED_H

#include "daemon/inbox.h"
#include "store/store.h"

#include <stddef.h>

struct noted_file {
    char name[INBOX_NAME_BYTES];
    struct digest digest;
    struct store_outcome outcome;
    struct tally_err refused; // why, of one that was
};

// All zero is empty.
struct noted {
    struct noted_file *file;
    size_t count;
};

void noted_done(struct noted *noted);

// False: no memory for it.
bool noted_put(struct noted *noted, const struct noted_file *file);
void noted_drop(struct noted *noted, const char *name); // absent is fine
// NULL: absent. Valid until the next put or drop.
const struct noted_file *noted_find(const struct noted *noted, const char *name);

#endif
