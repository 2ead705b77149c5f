#include "daemon/noted.h"

#include <stdlib.h>
#include <string.h>

// Its place, or count.
static size_t place_of(const struct noted *noted, const char *name)
{
    size_t at = 0;

    while (at < noted->count && strcmp(noted->file[at].name, name) != 0) {
        at++;
    }
    return at;
}

void noted_done(struct noted *noted)
{
    free(noted->file);
    *noted = (struct noted){0};
}

bool noted_put(struct noted *noted, const struct noted_file *file)
{
    noted_drop(noted, file->name);
    struct noted_file *grown = realloc(noted->file, (noted->count + 1) * sizeof *grown);
    if (!grown) {
        return false;
    }
    noted->file = grown;
    grown[noted->count++] = *file;
    return true;
}

void noted_drop(struct noted *noted, const char *name)
{
    size_t at = place_of(noted, name);

    if (at < noted->count) {
        noted->file[at] = noted->file[--noted->count];
    }
}

const struct noted_file *noted_find(const struct noted *noted, const char *name)
{
    size_t at = place_of(noted, name);
    return at < noted->count ? &noted->file[at] : NULL;
}
