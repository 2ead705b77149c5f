#include "daemon/pause.h"

#include <stdio.h>
#include <string.h>

bool pause_begin(struct pause *pause, const char *event, const char *file,
                 const struct tally_err *err, uint64_t now_ms)
{
    const char *name = file ? file : "";

    if (pause->event && strcmp(pause->event, event) == 0 && strcmp(pause->file, name) == 0 &&
        pause->err.code == err->code) {
        return false;
    }
    *pause = (struct pause){.event = event, .since_ms = now_ms, .err = *err};
    snprintf(pause->file, sizeof pause->file, "%s", name);
    return true;
}

bool pause_end(struct pause *pause, const char *event)
{
    bool over = pause->event && strcmp(pause->event, event) == 0;

    if (over) {
        pause->event = NULL;
    }
    return over;
}
