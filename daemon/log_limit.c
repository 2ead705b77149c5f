#include "daemon/log_limit.h"

#include <stdio.h>
#include <string.h>

static void tell(struct log_limit_event *event, uint64_t now_ms)
{
    struct log_line line;

    if (event->suppressed > 0) {
        log_begin(&line, LOG_WARNING, "suppressed");
        log_text(&line, "of", event->name);
        log_number(&line, "count", event->suppressed);
        log_number(&line, "seconds", (now_ms - event->since_ms + 999) / 1000);
        log_end(&line);
    }
    event->since_ms = now_ms;
    event->said = 0;
    event->suppressed = 0;
}

static struct log_limit_event *find(struct log_limit *limit, const char *name)
{
    for (size_t i = 0; i < LOG_LIMIT_EVENTS; i++) {
        struct log_limit_event *event = &limit->event[i];
        if (event->name[0] == '\0') {
            snprintf(event->name, sizeof event->name, "%s", name);
        }
        if (strncmp(event->name, name, sizeof event->name - 1) == 0) {
            return event;
        }
    }
    return NULL;
}

static bool is_over(const struct log_limit_event *event, uint64_t now_ms)
{
    return event->name[0] && now_ms - event->since_ms >= LOG_LIMIT_MS;
}

bool log_limit_allows(struct log_limit *limit, const char *name, uint64_t now_ms)
{
    struct log_limit_event *event = find(limit, name);

    if (!event) {
        return true; // more kinds of events than there are
    }
    if (event->said == 0 || is_over(event, now_ms)) {
        tell(event, now_ms);
    }
    bool allowed = event->said < LOG_LIMIT_LINES;
    event->said += allowed;
    event->suppressed += !allowed;
    return allowed;
}

void log_limit_tell(struct log_limit *limit, uint64_t now_ms, bool all)
{
    for (size_t i = 0; i < LOG_LIMIT_EVENTS; i++) {
        struct log_limit_event *event = &limit->event[i];
        if (event->suppressed > 0 && (all || is_over(event, now_ms))) {
            tell(event, now_ms);
        }
    }
}
