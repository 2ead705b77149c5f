#include "daemon/scan.h"

#include "base/checksum.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { TOLD_MAX = 100000 };

struct arrival {
    const char *name;
    int64_t changed_ns;
};

void scan_memory_done(struct scan_memory *memory)
{
    free(memory->told);
    *memory = (struct scan_memory){0};
}

static bool remember(struct scan_memory *memory, struct scan_told told)
{
    if (memory->count == memory->capacity) {
        size_t capacity = memory->capacity ? memory->capacity * 2 : 16;
        struct scan_told *list =
            capacity <= TOLD_MAX ? realloc(memory->told, capacity * sizeof *list) : NULL;
        if (!list) {
            return false;
        }
        memory->told = list;
        memory->capacity = capacity;
    }
    memory->told[memory->count++] = told;
    return true;
}

bool scan_was_told(const struct scan_memory *memory, const char *name, int64_t changed_ns)
{
    uint64_t hash = checksum64(name, strlen(name), 0);

    for (size_t i = 0; i < memory->count; i++) {
        if (memory->told[i].name_hash == hash) {
            return memory->told[i].changed_ns == changed_ns;
        }
    }
    return false;
}

bool scan_is_news(struct scan_memory *memory, const char *name, int64_t changed_ns)
{
    uint64_t hash = checksum64(name, strlen(name), 0);

    for (size_t i = 0; i < memory->count; i++) {
        if (memory->told[i].name_hash == hash) {
            bool changed = memory->told[i].changed_ns != changed_ns;
            memory->told[i].changed_ns = changed_ns;
            return changed;
        }
    }
    // When there are too many to remember, silence is better than a flood.
    return remember(memory, (struct scan_told){.name_hash = hash, .changed_ns = changed_ns});
}

static int compare_arrivals(const void *left, const void *right)
{
    const struct arrival *a = left;
    const struct arrival *b = right;

    if (a->changed_ns != b->changed_ns) {
        return a->changed_ns < b->changed_ns ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

// A file whose clock lies in the future is as settled as it will ever look.
static bool has_settled(const struct disk_entry *entry, int64_t now, uint64_t settle_ms)
{
    int64_t age_ms = now - entry->modified_ms;
    return age_ms < 0 || (uint64_t)age_ms >= settle_ms;
}

static void queue_sorted(struct arrival *arrivals, size_t count, struct queue *queue)
{
    if (count > 0) {
        qsort(arrivals, count, sizeof *arrivals, compare_arrivals);
    }
    for (size_t i = 0; i < count; i++) {
        queue_put(queue, arrivals[i].name); // a full queue is made up for by the next look
    }
}

bool scan_inbox(const struct inbox *inbox, uint64_t settle_ms, struct queue *queue,
                size_t *out_waiting, struct tally_err *err)
{
    struct disk_names names;
    size_t count = 0;

    if (!disk_list(inbox->inbox_fd, ".", &names, err)) {
        return err_wrap(err, "look at the inbox");
    }
    struct arrival *arrivals = malloc((names.count + 1) * sizeof *arrivals);
    if (!arrivals) {
        disk_names_done(&names);
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu names", names.count);
    }
    *out_waiting = 0;
    int64_t now = clock_now_ms();
    for (size_t i = 0; i < names.count; i++) {
        struct disk_entry entry;
        struct tally_err gone;
        if (inbox_name_waits(names.name[i]) ||
            !disk_look(inbox->inbox_fd, names.name[i], &entry, &gone)) {
            continue;
        }
        if (entry.regular && !has_settled(&entry, now, settle_ms)) {
            ++*out_waiting;
            continue;
        }
        arrivals[count++] = (struct arrival){.name = names.name[i], .changed_ns = entry.changed_ns};
    }
    queue_clear(queue);
    queue_sorted(arrivals, count, queue);
    free(arrivals);
    disk_names_done(&names);
    return true;
}

bool scan_claimed(const struct inbox *inbox, struct queue *queue, struct tally_err *err)
{
    struct disk_names names;

    if (!disk_list(inbox->claimed_fd, ".", &names, err)) {
        return err_wrap(err, "look at claimed files");
    }
    for (size_t i = 0; i < names.count; i++) {
        queue_put(queue, names.name[i]);
    }
    disk_names_done(&names);
    return true;
}
