// base/tally_err.h - the one error of tallyd and of libtally (installed beside tally.h).
//
// Every function that can fail takes a `struct tally_err *` last and returns false, NULL or a
// negative number after filling it. The struct is the caller's, lives anywhere, owns nothing.
#ifndef TALLY_ERR_H
#define TALLY_ERR_H

enum tally_code {
    TALLY_OK = 0,
    TALLY_INVALID,     // an argument, option or configuration that makes no sense
    TALLY_NOT_FOUND,   // no such rollup, group, dimension, measure, file
    TALLY_CORRUPT,     // bytes on disk that are not what their checksum or format says
    TALLY_UNSUPPORTED, // written by a newer major version
    TALLY_REFUSED,     // an input file that cannot be taken in as a whole
    TALLY_LIMIT,       // a configured limit or a cap was reached
    TALLY_OVERFLOW,    // a sum does not fit in 64 bits
    TALLY_IO,          // a system call failed; sys_errno says why
    TALLY_NO_SPACE,    // disk full or quota reached
    TALLY_NO_MEMORY,
    TALLY_BUSY,        // somebody else holds the lock
    TALLY_SYNC_FAILED, // what was written may not be on the disk: end, read the disk anew
    TALLY_UNAVAILABLE, // a server of the cluster cannot be reached: try again later
};

struct tally_err {
    enum tally_code code; // what callers switch on
    int sys_errno;        // 0 unless a system call failed
    const char *source;   // "store/ledger.c:212", static storage
    char place[96];       // where in the input: "feeds/03.csv:118", "000004.seg@0x1f40"; or empty
    char message[256];    // "commit batch 41: fdatasync: No space left on device"
};

#endif
