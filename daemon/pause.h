// daemon/pause.h - why intake or publishing does not go on, for the log and for whoever asks.
//
// A full disk is told once and not at each try; that it goes on again is told too.
#ifndef DAEMON_PAUSE_H
#define DAEMON_PAUSE_H

#include "base/err.h"
#include "daemon/inbox.h"

#include <stdint.h>

struct pause {
    const char *event;           // "intake_paused", "publish_failed"; NULL: all goes on
    uint64_t since_ms;           // on the loop's clock
    char file[INBOX_NAME_BYTES]; // or empty
    struct tally_err err;
};

// Whether it is news. `file` may be NULL.
bool pause_begin(struct pause *pause, const char *event, const char *file,
                 const struct tally_err *err, uint64_t now_ms);
// Whether this event is over now; another one stays.
bool pause_end(struct pause *pause, const char *event);

#endif
