// daemon/control_request.h - what a client of the control socket may say, byte by byte.
//
//   bytes as they come --control_feed--> one line --control_parse--> a request, or what is wrong
//
//   {"do":"status"}   {"do":"status","follow":true}   {"do":"metrics"}   {"do":"rescan"}
//
// Pure: no socket. A client may send anything: a line is at most CONTROL_LINE_BYTES long, nothing
// behind a longer one is read, and what is no request is answered with one sentence.
#ifndef DAEMON_CONTROL_REQUEST_H
#define DAEMON_CONTROL_REQUEST_H

#include "base/err.h"

#include <stddef.h>

enum { CONTROL_LINE_BYTES = 4096 };

enum control_do { CONTROL_STATUS, CONTROL_METRICS, CONTROL_RESCAN };

struct control_request {
    enum control_do what;
    bool follow; // of a status: again every second
};

// False: TALLY_INVALID in one sentence, printable ASCII.
bool control_parse(const char *line, size_t bytes, struct control_request *out,
                   struct tally_err *err);

// A line that is not complete yet.
struct control_line {
    char text[CONTROL_LINE_BYTES];
    size_t used;
};

enum control_step {
    CONTROL_MORE,     // all bytes were taken; the line goes on
    CONTROL_COMPLETE, // line->text holds `used` bytes, without the line end
    CONTROL_TOO_LONG, // nothing more of this client can be understood
};
// Takes bytes up to the end of one line; *out_taken says how many. After COMPLETE the
// caller empties the line: used = 0.
enum control_step control_feed(struct control_line *line, const char *data, size_t bytes,
                               size_t *out_taken);

#endif
