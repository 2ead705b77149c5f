#include "daemon/unclosed.h"

#include "base/checksum.h"

#include <string.h>

// Its place, or count. The newest is asked for most: one who writes does so again and again.
static size_t place_of(const struct unclosed *unclosed, const char *name)
{
    uint64_t hash = checksum64(name, strlen(name), 0);

    for (size_t i = unclosed->count; i > 0; i--) {
        if (unclosed->name_hash[i - 1] == hash) {
            return i - 1;
        }
    }
    return unclosed->count;
}

bool unclosed_has(const struct unclosed *unclosed, const char *name)
{
    return place_of(unclosed, name) < unclosed->count;
}

void unclosed_put(struct unclosed *unclosed, const char *name)
{
    if (unclosed->count < UNCLOSED_MAX && !unclosed_has(unclosed, name)) {
        unclosed->name_hash[unclosed->count++] = checksum64(name, strlen(name), 0);
    }
}

void unclosed_drop(struct unclosed *unclosed, const char *name)
{
    size_t at = place_of(unclosed, name);

    if (at < unclosed->count) {
        unclosed->name_hash[at] = unclosed->name_hash[--unclosed->count];
    }
}

void unclosed_clear(struct unclosed *unclosed)
{
    unclosed->count = 0;
}
