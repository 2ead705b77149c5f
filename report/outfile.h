// report/outfile.h - a file for somebody else to open: there in full or not at all.
//
//   FILE.PID.tmp  --sync-->  renamed to FILE  -->  the folder synced
//
// A file of that name is replaced when it is one that tally wrote, or empty, or with --force.
#ifndef REPORT_OUTFILE_H
#define REPORT_OUTFILE_H

#include "base/err.h"
#include "report/print.h"

#include <stdint.h>
#include <stdio.h>

enum outfile_kind { OUTFILE_DATABASE, OUTFILE_CSV, OUTFILE_PAGE };

// How the first bytes of our own files are told from those of others.
#define OUTFILE_DATABASE_ID 0x74616c79 // "taly", application_id of a SQLite database
#define OUTFILE_PAGE_MARK "<meta name=\"generator\" content=\"tally "

struct outfile {
    const char *path; // as it was asked for
    char *name;       // without its folder
    char *temporary;  // beside it
    char *written;    // path of `temporary`, for libraries that open by path
    int dir_fd;
    int fd;
    uint64_t bytes;
    FILE *stream;
    struct tally_err failed; // of a write through the stream
};

// From the ending of its name. Errors: TALLY_INVALID saying what is right.
bool outfile_kind_of(const char *path, enum outfile_kind *out_kind, struct tally_err *err);

// Creates the file beside. `path` has to outlive it. Errors: TALLY_INVALID where something that is
// not ours bears the name.
bool outfile_open(struct outfile *file, const char *path, enum outfile_kind kind, bool force,
                  struct tally_err *err);
// Puts it in place. After it, as after a failure, outfile_close is due.
bool outfile_commit(struct outfile *file, struct tally_err *err);
// Prints what was written as one row: file, bytes.
bool outfile_print(const struct outfile *file, struct print *print, struct tally_err *err);
// Removes what was not put in place.
void outfile_close(struct outfile *file);

#endif
