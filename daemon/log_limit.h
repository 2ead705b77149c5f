// daemon/log_limit.h - a flood of one event becomes a number.
//
//     event=file_unfit file=0001.csv ...        the first LOG_LIMIT_LINES of an event within
//     ...                                       LOG_LIMIT_MS are written, the rest is counted
//     event=suppressed of=file_unfit count=9800 seconds=10
//
// Each event has its own allowance, so that a flood of one hides no other.
#ifndef DAEMON_LOG_LIMIT_H
#define DAEMON_LOG_LIMIT_H

#include "daemon/log.h"

enum { LOG_LIMIT_LINES = 200, LOG_LIMIT_MS = 10000, LOG_LIMIT_EVENTS = 64 };

struct log_limit_event {
    char name[LOG_EVENT_BYTES]; // "": free
    uint64_t since_ms;          // its allowance began
    uint64_t said;
    uint64_t suppressed;
};
struct log_limit {
    struct log_limit_event event[LOG_LIMIT_EVENTS];
};

// Whether a line of this event may be written now; counted if not.
bool log_limit_allows(struct log_limit *limit, const char *event, uint64_t now_ms);

// Writes what was suppressed in allowances that are over; with `all` in those that are not, too.
void log_limit_tell(struct log_limit *limit, uint64_t now_ms, bool all);

#endif
