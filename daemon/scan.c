#include "daemon/scan.h"

#include "base/checksum.h"
#include "base/clock.h"
#include "daemon/claim_order.h"

#include <stdlib.h>
#include <string.h>

struct arrival {
    const char *name;
    size_t turn; // of the claimed; the same for all in the inbox
    int64_t changed_ns;
    int64_t modified_ms; // the same
};

void scan_memory_done(struct scan_memory *memory)
{
    free(memory->told);
    *memory = (struct scan_memory){0};
}

static uint64_t hash_of(const char *name)
{
    return checksum64(name, strlen(name), 0) | 1; // 0 is a free slot
}

// Where the name stands, or the free slot where it belongs. Requires: slots > 0.
static struct scan_told *find_told(const struct scan_memory *memory, uint64_t hash)
{
    size_t at = (hash >> 1) & (memory->slots - 1);

    while (memory->told[at].name_hash != 0 && memory->told[at].name_hash != hash) {
        at = (at + 1) & (memory->slots - 1);
    }
    return &memory->told[at];
}

static bool make_room(struct scan_memory *memory)
{
    struct scan_memory grown = {.slots = memory->slots ? memory->slots * 2 : 64};

    if (memory->count * 2 < memory->slots) {
        return true;
    }
    grown.told = calloc(grown.slots, sizeof *grown.told);
    if (!grown.told) {
        return false;
    }
    for (size_t i = 0; i < memory->slots; i++) {
        if (memory->told[i].name_hash != 0) {
            *find_told(&grown, memory->told[i].name_hash) = memory->told[i];
        }
    }
    grown.count = memory->count;
    free(memory->told);
    *memory = grown;
    return true;
}

bool scan_was_told(const struct scan_memory *memory, const char *name, int64_t changed_ns)
{
    if (memory->slots == 0) {
        return false;
    }
    uint64_t hash = hash_of(name);
    const struct scan_told *told = find_told(memory, hash);
    return told->name_hash == hash && told->changed_ns == changed_ns;
}

bool scan_is_news(struct scan_memory *memory, const char *name, int64_t changed_ns)
{
    if (!make_room(memory)) {
        return false; // without memory, silence is better than a flood
    }
    uint64_t hash = hash_of(name);
    struct scan_told *told = find_told(memory, hash);
    bool news = told->name_hash == 0 || told->changed_ns != changed_ns;
    memory->count += told->name_hash == 0;
    *told = (struct scan_told){.name_hash = hash, .changed_ns = changed_ns};
    return news;
}

static int compare_arrivals(const void *left, const void *right)
{
    const struct arrival *a = left;
    const struct arrival *b = right;

    if (a->turn != b->turn) {
        return a->turn < b->turn ? -1 : 1;
    }
    if (a->changed_ns != b->changed_ns) {
        return a->changed_ns < b->changed_ns ? -1 : 1;
    }
    if (a->modified_ms != b->modified_ms) {
        return a->modified_ms < b->modified_ms ? -1 : 1;
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

// Where a name stands among those of the order; behind all where it does not.
static size_t turn_of(const struct bytes *order, const char *name)
{
    const char *at = (const char *)order->data;
    size_t turn = 0;

    for (size_t left = order->count; left > 0; turn++) {
        size_t bytes = strlen(at) + 1;
        if (strcmp(at, name) == 0) {
            return turn;
        }
        at += bytes;
        left -= bytes;
    }
    return SIZE_MAX;
}

bool scan_claimed(const struct inbox *inbox, struct queue *queue, struct tally_err *err)
{
    struct disk_names names;

    if (!disk_list(inbox->claimed_fd, ".", &names, err)) {
        return err_wrap(err, "look at claimed files");
    }
    struct arrival *arrivals = malloc((names.count + 1) * sizeof *arrivals);
    if (!arrivals) {
        disk_names_done(&names);
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu names", names.count);
    }
    struct bytes order = claim_order_read(inbox->state_fd);
    for (size_t i = 0; i < names.count; i++) {
        struct disk_entry entry = {0};
        struct tally_err gone;
        (void)disk_look(inbox->claimed_fd, names.name[i], &entry, &gone);
        arrivals[i] = (struct arrival){.name = names.name[i],
                                       .turn = turn_of(&order, names.name[i]),
                                       .changed_ns = entry.changed_ns,
                                       .modified_ms = entry.modified_ms};
    }
    queue_sorted(arrivals, names.count, queue);
    bytes_done(&order);
    free(arrivals);
    disk_names_done(&names);
    return true;
}
