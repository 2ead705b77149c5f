// report/control_client.h - asking a running tallyd through its socket (docs/operations.md).
//
//     control_connect -> control_ask -> control_next (of a status that follows) -> control_close
//
// One JSON object a line either way. A daemon that does not answer within CONTROL_WAIT_S is an
// error.
#ifndef REPORT_CONTROL_CLIENT_H
#define REPORT_CONTROL_CLIENT_H

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>

#include <jansson.h>

enum { CONTROL_WAIT_S = 10, CONTROL_REPLY_BYTES_MAX = 64 << 20 };

struct control_client {
    int fd;
    struct bytes input; // read and not yet handed out
};

// Errors: TALLY_NOT_FOUND when no tallyd listens there.
bool control_connect(struct control_client *client, const char *path, struct tally_err *err);
void control_close(struct control_client *client);

// Sends one line and waits for the reply, which is the caller's. NULL: the daemon refused it, ended
// or said something that is no reply; err says which.
json_t *control_ask(struct control_client *client, const char *request, struct tally_err *err);

// The next reply of a request that goes on. NULL with TALLY_NOT_FOUND: the daemon ended.
json_t *control_next(struct control_client *client, struct tally_err *err);

#endif
