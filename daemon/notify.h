// daemon/notify.h - what systemd is told (sd_notify(3)). Says nothing where nobody listens.
//
//   READY        the ledger is replayed and the inbox is watched
//   RELOADING    a SIGHUP came; READY again when the old or the new configuration is in force
//   STOPPING     nothing new is taken in; what is in flight is finished
//   WATCHDOG     nothing is in flight, or what is in flight came further since the last time
//   STATUS       one line for `systemctl status`
//   EXTEND_TIMEOUT_USEC   starting or stopping takes longer, and comes further
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_alive(void);
void notify_more_time(void);
void notify_status(const char *status);

// Within this time systemd wants to hear that we are alive; 0: it does not ask.
uint64_t notify_watchdog_ms(void);

#endif
