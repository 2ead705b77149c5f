// tests/crash/sim_private.h - the parts of a disk in memory, shared by sim_disk.c and sim_calls.c.
#ifndef TESTS_CRASH_SIM_PRIVATE_H
#define TESTS_CRASH_SIM_PRIVATE_H

#include "tests/crash/sim_disk.h"

enum {
    NAME_BYTES = 80,
    HANDLES_MAX = 64,
    FIRST_FD = 1 << 20, // beyond all of the kernel's
    NEVER = -1,
    HOLE_BYTES = 64,
    SECOND_NS = 1000000000,
};

struct content {
    unsigned char *data;
    size_t count;
    size_t capacity;
};

struct node {
    bool folder;
    struct content visible;
    struct content kept;
    int64_t changed_ns;
};

struct key {
    uint32_t folder;
    char name[NAME_BYTES];
};

struct entry {
    struct key key;
    uint32_t node;
};

struct names {
    struct entry *entry;
    size_t count;
    size_t capacity;
};

enum kind { WRITE, CUT, LINK, UNLINK, RENAME };

struct change {
    enum kind kind;
    uint32_t node;
    uint64_t offset; // of a cut: the new length
    unsigned char *data;
    size_t count;
    struct key from; // UNLINK, RENAME
    struct key to;   // LINK, RENAME
};

struct handle {
    bool open;
    uint32_t node;
    uint64_t at;
    int fd; // the kernel's own, of a file that may be mapped; else NEVER
};

struct sim_disk {
    struct node *node;
    size_t nodes;
    struct names visible;
    struct names kept;
    struct change *pending;
    size_t pending_count;
    size_t pending_capacity;
    struct handle handle[HANDLES_MAX];
    sim_on_change *on_change;
    void *context;
    uint64_t calls;
    int64_t clock_ns;
    bool killed;
};

extern struct sim_disk *sim_disk; // in use

void *sim_grown(void *memory, size_t bytes);
void sim_content_copy(struct content *to, const struct content *from);
void sim_apply_data(struct content *content, const struct change *change);
void sim_apply_name(struct names *names, const struct change *change);
struct entry *sim_find(const struct names *names, const struct key *key);
uint32_t sim_add_node(struct sim_disk *to, bool folder);

bool sim_is_name(const struct change *change);
// Whether a change of names makes no sense without an earlier one.
bool sim_depends(const struct change *later, const struct change *earlier);

// The folder that a path's last name is in, and that name: "." stands for the folder itself.
struct key sim_locate(int dir_fd, const char *path);

#endif
