// daemon/control.h - the socket on which the daemon answers: JSON lines, one request one reply.
//
//     {"do":"status"}\n   -->   {"ok":true,"status":{...}}\n
//     {"do":"drop"}\n     -->   {"ok":false,"error":"..."}\n
//
// Bounds: CLIENTS_MAX clients, a request of CONTROL_LINE_BYTES, one reply in memory each. The next
// request of a client is looked at when its reply is written. Who neither asks nor reads for
// CONTROL_PATIENCE_MS is cut off, and so is who sends a line that is too long.
//
// Threads: of the loop thread.
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "base/bytes.h"
#include "base/err.h"
#include "daemon/control_request.h"

#include <uv.h>

#define CONTROL_GROUP "tally-read" // who may ask, where the system has this group

enum { CONTROL_CLIENTS_MAX = 16, CONTROL_PATIENCE_MS = 10000, CONTROL_FOLLOW_MS = 1000 };

// Appends one line with its line end.
typedef void control_on_request(void *context, const struct control_request *request,
                                struct bytes *reply);

struct control;

// NULL: TALLY_NO_MEMORY.
struct control *control_open(uv_loop_t *loop, control_on_request *on_request, void *context,
                             struct tally_err *err);

// A socket at `path` that nobody answers on is replaced.
bool control_listen(struct control *control, const char *path, struct tally_err *err);

// After its handles were closed and the loop has run. NULL is allowed.
void control_done(struct control *control);

#endif
