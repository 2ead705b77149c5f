#include "tests/crash/sim_private.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sim_disk *sim_disk;

uint32_t sim_random(uint64_t *seed, uint32_t below)
{
    *seed += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = *seed;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((mixed >> 32) * below >> 32);
}

void *sim_grown(void *memory, size_t bytes)
{
    void *more = realloc(memory, bytes);
    assert(more);
    return more;
}

// ---- contents and names -------------------------------------------------------------------

static void content_size(struct content *content, size_t count)
{
    if (count > content->capacity) {
        content->capacity = count * 2;
        content->data = sim_grown(content->data, content->capacity);
    }
    if (count > content->count) {
        memset(content->data + content->count, 0, count - content->count);
    }
    content->count = count;
}

static void content_put(struct content *content, uint64_t offset, const void *data, size_t count)
{
    if (offset + count > content->count) {
        content_size(content, (size_t)offset + count);
    }
    if (count > 0) {
        memcpy(content->data + offset, data, count);
    }
}

void sim_content_copy(struct content *to, const struct content *from)
{
    content_size(to, 0);
    content_put(to, 0, from->data, from->count);
}

static bool same_key(const struct key *a, const struct key *b)
{
    return a->folder == b->folder && strcmp(a->name, b->name) == 0;
}

struct entry *sim_find(const struct names *names, const struct key *key)
{
    for (size_t i = 0; i < names->count; i++) {
        if (same_key(&names->entry[i].key, key)) {
            return &names->entry[i];
        }
    }
    return NULL;
}

static void names_put(struct names *names, const struct key *key, uint32_t node)
{
    struct entry *entry = sim_find(names, key);

    if (entry) {
        entry->node = node;
        return;
    }
    if (names->count == names->capacity) {
        names->capacity = names->capacity ? names->capacity * 2 : 32;
        names->entry = sim_grown(names->entry, names->capacity * sizeof *names->entry);
    }
    names->entry[names->count++] = (struct entry){.key = *key, .node = node};
}

static void names_drop(struct names *names, const struct key *key)
{
    struct entry *entry = sim_find(names, key);

    if (entry) {
        *entry = names->entry[--names->count];
    }
}

void sim_apply_name(struct names *names, const struct change *change)
{
    if (change->kind != LINK) {
        names_drop(names, &change->from);
    }
    if (change->kind != UNLINK) {
        names_put(names, &change->to, change->node);
    }
}

bool sim_is_name(const struct change *change)
{
    return change->kind >= LINK;
}

void sim_apply_data(struct content *content, const struct change *change)
{
    if (change->kind == CUT) {
        content_size(content, (size_t)change->offset);
    } else {
        content_put(content, change->offset, change->data, change->count);
    }
}

// ---- disks --------------------------------------------------------------------------------

uint32_t sim_add_node(struct sim_disk *to, bool folder)
{
    if ((to->nodes & (to->nodes - 1)) == 0) {
        to->node = sim_grown(to->node, (to->nodes ? to->nodes * 2 : 1) * sizeof *to->node);
    }
    to->node[to->nodes] = (struct node){.folder = folder, .changed_ns = ++to->clock_ns};
    return (uint32_t)to->nodes++;
}

static struct sim_disk *make(void)
{
    struct sim_disk *made = calloc(1, sizeof *made);

    assert(made);
    made->clock_ns = SECOND_NS;
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        made->handle[i].fd = NEVER;
    }
    return made;
}

struct sim_disk *sim_disk_open(void)
{
    struct sim_disk *made = make();

    sim_add_node(made, true);
    return made;
}

void sim_disk_restart(struct sim_disk *of)
{
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        if (of->handle[i].fd != NEVER) {
            close(of->handle[i].fd);
        }
        of->handle[i] = (struct handle){.fd = NEVER};
    }
    of->killed = false;
}

void sim_disk_close(struct sim_disk *of)
{
    sim_disk_restart(of);
    for (size_t i = 0; i < of->nodes; i++) {
        free(of->node[i].visible.data);
        free(of->node[i].kept.data);
    }
    for (size_t i = 0; i < of->pending_count; i++) {
        free(of->pending[i].data);
    }
    free(of->pending);
    free(of->node);
    free(of->visible.entry);
    free(of->kept.entry);
    free(of);
}

struct sim_disk *sim_disk_use(struct sim_disk *next)
{
    struct sim_disk *before = sim_disk;

    sim_disk = next;
    return before;
}

void sim_disk_on_change(struct sim_disk *of, sim_on_change *on_change, void *context)
{
    of->on_change = on_change;
    of->context = context;
}

bool sim_disk_was_killed(const struct sim_disk *of)
{
    return of->killed;
}

size_t sim_disk_pending(const struct sim_disk *of)
{
    return of->pending_count;
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t count)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

uint64_t sim_disk_hash(const struct sim_disk *of)
{
    uint64_t sum = of->visible.count;

    for (size_t i = 0; i < of->visible.count; i++) {
        const struct entry *entry = &of->visible.entry[i];
        const struct content *content = &of->node[entry->node].visible;
        uint64_t hash = hash_bytes(entry->key.folder, entry->key.name, strlen(entry->key.name) + 1);
        hash = hash_bytes(hash, content->data, content->count);
        sum += hash ^ hash >> 29; // whatever the order of the names
    }
    return sum;
}

// ---- the power cut ------------------------------------------------------------------------

enum keep { DROPPED, WHOLE, PREFIX, ZEROS, HOLE };

static enum keep torn(uint64_t *seed)
{
    return (enum keep)(WHOLE + sim_random(seed, 4));
}

static enum keep choose(size_t i, size_t count, size_t variant, uint64_t *seed)
{
    size_t at = variant - 2;

    if (variant < 2) {
        return variant == 0 ? DROPPED : WHOLE;
    }
    switch (at / count) {
    case 0: // this one alone
        return i == at ? torn(seed) : DROPPED;
    case 1: // all others
        return i == at - count ? DROPPED : WHOLE;
    case 2: // up to here
        return i < at - 2 * count ? WHOLE : i == at - 2 * count ? torn(seed) : DROPPED;
    default:
        return sim_random(seed, 2) ? torn(seed) : DROPPED;
    }
}

bool sim_depends(const struct change *later, const struct change *earlier)
{
    if (!sim_is_name(earlier)) {
        return false;
    }
    if (later->node == earlier->node) {
        return true;
    }
    const struct key *keys[2] = {&later->from, &later->to};
    for (int i = 0; i < 2; i++) {
        if (keys[i]->name[0] &&
            (same_key(keys[i], &earlier->from) || same_key(keys[i], &earlier->to))) {
            return true;
        }
    }
    return false;
}

static bool stands_alone(const struct sim_disk *of, size_t i, const enum keep *keep)
{
    for (size_t j = 0; j < i; j++) {
        if (keep[j] == DROPPED && sim_depends(&of->pending[i], &of->pending[j])) {
            return false;
        }
    }
    return true;
}

static void keep_write(struct content *content, const struct change *change, enum keep how,
                       uint64_t *seed)
{
    struct change part = *change;

    if (how == PREFIX) {
        part.count = sim_random(seed, (uint32_t)part.count + 1);
        content_put(content, part.offset, part.data, part.count);
        return;
    }
    if (how == WHOLE || part.count == 0) {
        sim_apply_data(content, change);
        return;
    }
    size_t hole = how == ZEROS ? 0 : sim_random(seed, (uint32_t)part.count);
    size_t end = how == ZEROS || hole + HOLE_BYTES > part.count ? part.count : hole + HOLE_BYTES;
    content_put(content, part.offset, part.data, hole);
    if (part.offset + end > content->count) {
        content_size(content, (size_t)part.offset + end); // zeros, as long as nothing else is there
    }
    content_put(content, part.offset + end, part.data + end, part.count - end);
}

static void copy_names(struct names *to, const struct names *from)
{
    for (size_t i = 0; i < from->count; i++) {
        names_put(to, &from->entry[i].key, from->entry[i].node);
    }
}

struct sim_disk *sim_disk_cut(const struct sim_disk *of, size_t variant, uint64_t *seed)
{
    struct sim_disk *image = make();
    enum keep *keep = sim_grown(NULL, (of->pending_count + 1) * sizeof *keep);

    for (size_t i = 0; i < of->nodes; i++) {
        uint32_t node = sim_add_node(image, of->node[i].folder);
        image->node[node].changed_ns = of->node[i].changed_ns;
        sim_content_copy(&image->node[node].visible, &of->node[i].kept);
    }
    image->clock_ns = of->clock_ns;
    copy_names(&image->visible, &of->kept);
    for (size_t i = 0; i < of->pending_count; i++) {
        const struct change *change = &of->pending[i];
        keep[i] = choose(i, of->pending_count, variant, seed);
        if (sim_is_name(change) && keep[i] != DROPPED) {
            keep[i] = stands_alone(of, i, keep) ? WHOLE : DROPPED;
        }
        if (keep[i] == DROPPED) {
            continue;
        }
        if (sim_is_name(change)) {
            sim_apply_name(&image->visible, change);
        } else if (change->kind == CUT) {
            sim_apply_data(&image->node[change->node].visible, change);
        } else {
            keep_write(&image->node[change->node].visible, change, keep[i], seed);
        }
    }
    free(keep);
    for (size_t i = 0; i < image->nodes; i++) {
        sim_content_copy(&image->node[i].kept, &image->node[i].visible);
    }
    copy_names(&image->kept, &image->visible);
    return image;
}

// ---- what others put there ----------------------------------------------------------------

static void put_node(struct sim_disk *to, const char *path, uint32_t node)
{
    struct sim_disk *before = sim_disk_use(to);
    struct key key = sim_locate(AT_FDCWD, path);

    names_put(&to->visible, &key, node);
    names_put(&to->kept, &key, node);
    sim_disk_use(before);
}

void sim_disk_put_folder(struct sim_disk *to, const char *path)
{
    put_node(to, path, sim_add_node(to, true));
}

void sim_disk_put_file(struct sim_disk *to, const char *path, const void *data, size_t count)
{
    uint32_t node = sim_add_node(to, false);

    content_put(&to->node[node].visible, 0, data, count);
    content_put(&to->node[node].kept, 0, data, count);
    put_node(to, path, node);
}
