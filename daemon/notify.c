#include "daemon/notify.h"

#include <stdio.h>
#include <time.h>

#include <systemd/sd-daemon.h>

enum { MORE_TIME_S = 30 };

// A message that is lost is systemd's to notice: there is nothing that we could do better.
static void tell(const char *message)
{
    (void)sd_notify(0, message);
}

void notify_ready(void)
{
    tell("READY=1");
}

void notify_reloading(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reading the configuration",
                     (unsigned long long)now.tv_sec * 1000000 +
                         (unsigned long long)now.tv_nsec / 1000);
}

void notify_stopping(void)
{
    tell("STOPPING=1\nSTATUS=finishing what is in flight");
}

void notify_alive(void)
{
    tell("WATCHDOG=1");
}

void notify_more_time(void)
{
    (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%d", MORE_TIME_S * 1000000);
}

void notify_status(const char *status)
{
    (void)sd_notifyf(0, "STATUS=%s", status);
}

uint64_t notify_watchdog_ms(void)
{
    uint64_t usec = 0;

    return sd_watchdog_enabled(0, &usec) > 0 ? usec / 1000 : 0;
}
