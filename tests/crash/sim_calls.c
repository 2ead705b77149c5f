// tests/crash/sim_calls.c - the functions of base/disk.c over a disk in memory.
#include "tests/crash/sim_private.h"

#include "base/clock.h"
#include "base/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// ---- changes ------------------------------------------------------------------------------

static void add_pending(struct change change)
{
    if (change.count > 0) {
        change.data = memcpy(sim_grown(NULL, change.count), change.data, change.count);
    }
    if (sim_disk->pending_count == sim_disk->pending_capacity) {
        sim_disk->pending_capacity =
            sim_disk->pending_capacity ? sim_disk->pending_capacity * 2 : 64;
        sim_disk->pending =
            sim_grown(sim_disk->pending, sim_disk->pending_capacity * sizeof *sim_disk->pending);
    }
    sim_disk->pending[sim_disk->pending_count++] = change;
}

static void change_name(struct change change)
{
    sim_apply_name(&sim_disk->visible, &change);
    sim_disk->node[change.node].changed_ns = ++sim_disk->clock_ns;
    add_pending(change);
}

static void change_data(struct change change)
{
    sim_apply_data(&sim_disk->node[change.node].visible, &change);
    sim_disk->node[change.node].changed_ns = ++sim_disk->clock_ns;
    add_pending(change);
}

// Applies the pending changes that are marked to what is kept, or drops them.
static void settle(const bool *marked, bool dropped)
{
    size_t left = 0;

    for (size_t i = 0; i < sim_disk->pending_count; i++) {
        struct change *change = &sim_disk->pending[i];
        if (!marked[i]) {
            sim_disk->pending[left++] = *change;
            continue;
        }
        if (!dropped && sim_is_name(change)) {
            sim_apply_name(&sim_disk->kept, change);
        } else if (!dropped) {
            sim_apply_data(&sim_disk->node[change->node].kept, change);
        }
        free(change->data);
    }
    sim_disk->pending_count = left;
}

static void settle_data(uint32_t node, bool dropped)
{
    bool *marked = sim_grown(NULL, sim_disk->pending_count + 1);

    for (size_t i = 0; i < sim_disk->pending_count; i++) {
        marked[i] = !sim_is_name(&sim_disk->pending[i]) && sim_disk->pending[i].node == node;
    }
    settle(marked, dropped);
    free(marked);
}

// The names of a folder, and what they rest on.
static void settle_names(uint32_t folder, bool dropped)
{
    bool *marked = sim_grown(NULL, sim_disk->pending_count + 1);

    for (size_t i = sim_disk->pending_count; i-- > 0;) {
        const struct change *change = &sim_disk->pending[i];
        marked[i] =
            sim_is_name(change) && ((change->from.name[0] && change->from.folder == folder) ||
                                    (change->to.name[0] && change->to.folder == folder));
        for (size_t j = i + 1; !dropped && j < sim_disk->pending_count; j++) {
            marked[i] = marked[i] || (marked[j] && sim_is_name(&sim_disk->pending[j]) &&
                                      sim_depends(&sim_disk->pending[j], change));
        }
    }
    settle(marked, dropped);
    free(marked);
}

static bool fails(int error, const char *name, struct tally_err *err)
{
    errno = error;
    return err_sys(err, "%s", name);
}

static enum sim_fault ask(const char *name, const char *path)
{
    struct sim_call call = {.name = name, .path = path, .number = ++sim_disk->calls};

    if (!sim_disk->killed && sim_disk->on_change) {
        enum sim_fault fault = sim_disk->on_change(sim_disk->context, &call);
        sim_disk->killed = fault == SIM_KILLED;
        return fault;
    }
    return sim_disk->killed ? SIM_KILLED : SIM_FINE;
}

// Whether a call that changes the disk may go on; one that grows a file needs room.
static bool may_change(const char *name, const char *path, bool grows, struct tally_err *err)
{
    enum sim_fault fault = ask(name, path);

    if (fault == SIM_KILLED || fault == SIM_EIO) {
        return fails(EIO, name, err);
    }
    return fault == SIM_ENOSPC && grows ? fails(ENOSPC, name, err) : true;
}

// ---- base/disk.h: finding -----------------------------------------------------------------

static struct handle *handle_of(int fd)
{
    for (int i = 0; i < HANDLES_MAX; i++) {
        struct handle *handle = &sim_disk->handle[i];
        if (handle->open && (handle->fd == NEVER ? FIRST_FD + i : handle->fd) == fd) {
            return handle;
        }
    }
    return NULL;
}

static uint32_t parent_of(uint32_t node)
{
    for (size_t i = 0; i < sim_disk->visible.count; i++) {
        if (sim_disk->visible.entry[i].node == node) {
            return sim_disk->visible.entry[i].key.folder;
        }
    }
    return 0;
}

// The folder that a path's last name is in, and that name: "." stands for the folder itself.
struct key sim_locate(int dir_fd, const char *path)
{
    struct key key = {.folder = dir_fd == AT_FDCWD ? 0 : handle_of(dir_fd)->node};

    for (;;) {
        path += strspn(path, "/");
        size_t bytes = strcspn(path, "/");
        assert(bytes < NAME_BYTES);
        memcpy(key.name, path, bytes);
        key.name[bytes] = '\0';
        path += bytes;
        if (strcmp(key.name, "..") == 0) {
            key.folder = parent_of(key.folder);
            memcpy(key.name, ".", 2);
        }
        if (*path == '\0') {
            return key;
        }
        const struct entry *entry = sim_find(&sim_disk->visible, &key);
        if (strcmp(key.name, ".") != 0) {
            key.folder = entry ? entry->node : UINT32_MAX;
        }
    }
}

static int64_t node_at(const struct key *key)
{
    if (key->name[0] == '\0' || strcmp(key->name, ".") == 0) {
        return key->folder == UINT32_MAX ? NEVER : (int64_t)key->folder;
    }
    const struct entry *entry = sim_find(&sim_disk->visible, key);
    return entry ? (int64_t)entry->node : NEVER;
}

static int new_handle(uint32_t node, int fd)
{
    for (int i = 0; i < HANDLES_MAX; i++) {
        if (!sim_disk->handle[i].open) {
            sim_disk->handle[i] = (struct handle){.open = true, .node = node, .fd = fd};
            return fd == NEVER ? FIRST_FD + i : fd;
        }
    }
    assert(!"too many open files");
    return -1;
}

// Rollups are mapped by their readers, so that they get a descriptor of the kernel's.
static int new_mapped(uint32_t node)
{
    const struct content *content = &sim_disk->node[node].visible;
    int fd = memfd_create("rollup", MFD_CLOEXEC);
    ssize_t put = fd < 0 ? -1 : write(fd, content->data, content->count);

    assert(put == (ssize_t)content->count);
    return new_handle(node, fd);
}

static bool ends_with(const char *path, const char *ending)
{
    size_t bytes = strlen(path);
    return bytes > strlen(ending) && strcmp(path + bytes - strlen(ending), ending) == 0;
}

static bool is_rollup(const char *path)
{
    return ends_with(path, ".rollup") || ends_with(path, ".rollup.patch");
}

int disk_open(int dir_fd, const char *path, int flags, mode_t mode, struct tally_err *err)
{
    struct key key = sim_locate(dir_fd, path);
    int64_t node = node_at(&key);

    (void)mode;
    if (node != NEVER && flags & O_CREAT && flags & O_EXCL) {
        fails(EEXIST, path, err);
        return -1;
    }
    if (node == NEVER && (!(flags & O_CREAT) || key.folder == UINT32_MAX)) {
        fails(ENOENT, path, err);
        return -1;
    }
    if (node == NEVER || (flags & O_TRUNC && sim_disk->node[node].visible.count > 0)) {
        if (!may_change("open", path, true, err)) {
            return -1;
        }
    }
    if (node == NEVER) {
        node = sim_add_node(sim_disk, false);
        change_name((struct change){.kind = LINK, .node = (uint32_t)node, .to = key});
    } else if (flags & O_TRUNC && sim_disk->node[node].visible.count > 0) {
        change_data((struct change){.kind = CUT, .node = (uint32_t)node});
    }
    bool mapped = (flags & O_ACCMODE) == O_RDONLY && is_rollup(path);
    return mapped ? new_mapped((uint32_t)node) : new_handle((uint32_t)node, NEVER);
}

void disk_close(int fd)
{
    struct handle *handle = fd < 0 ? NULL : handle_of(fd);

    if (handle) {
        if (handle->fd != NEVER) {
            close(handle->fd);
        }
        *handle = (struct handle){.fd = NEVER};
    }
}

static struct disk_entry entry_of(uint32_t number)
{
    const struct node *node = &sim_disk->node[number];

    return (struct disk_entry){.regular = !node->folder,
                               .kind = node->folder ? "directory" : "regular file",
                               .links = 1,
                               .bytes = node->visible.count,
                               .device = 1,
                               .inode = number,
                               .changed_ns = node->changed_ns};
}

bool disk_look(int dir_fd, const char *path, struct disk_entry *out_entry, struct tally_err *err)
{
    struct key key = sim_locate(dir_fd, path);
    int64_t node = node_at(&key);

    if (node == NEVER) {
        return fails(ENOENT, path, err);
    }
    *out_entry = entry_of((uint32_t)node);
    return true;
}

bool disk_look_open(int fd, struct disk_entry *out_entry, struct tally_err *err)
{
    (void)err;
    *out_entry = entry_of(handle_of(fd)->node);
    return true;
}

int disk_open_beneath(int dir_fd, const char *path, struct tally_err *err)
{
    return disk_open(dir_fd, path, O_RDONLY, 0, err);
}

enum disk_writers disk_writers(int fd)
{
    (void)fd;
    return DISK_WRITERS_NONE;
}

bool disk_lock(int fd, struct tally_err *err)
{
    (void)fd;
    (void)err;
    return true;
}

bool disk_list(int dir_fd, const char *path, struct disk_names *out_names, struct tally_err *err)
{
    struct key key = sim_locate(dir_fd, path);
    int64_t node = node_at(&key);
    struct disk_names names = {0};

    if (node == NEVER || !sim_disk->node[node].folder) {
        return fails(node == NEVER ? ENOENT : ENOTDIR, path, err);
    }
    for (size_t i = 0; i < sim_disk->visible.count; i++) {
        if (sim_disk->visible.entry[i].key.folder == node &&
            !disk_names_add(&names, sim_disk->visible.entry[i].key.name, err)) {
            return false;
        }
    }
    disk_names_sort(&names);
    *out_names = names;
    return true;
}

// ---- base/disk.h: reading and writing -----------------------------------------------------

ssize_t disk_read_at(int fd, void *data, size_t count, uint64_t offset, struct tally_err *err)
{
    const struct content *content = &sim_disk->node[handle_of(fd)->node].visible;

    (void)err;
    if (offset >= content->count) {
        return 0;
    }
    size_t left = content->count - (size_t)offset;
    count = count < left ? count : left;
    memcpy(data, content->data + offset, count);
    return (ssize_t)count;
}

ssize_t disk_read(int fd, void *data, size_t count, struct tally_err *err)
{
    struct handle *handle = handle_of(fd);
    ssize_t got = disk_read_at(fd, data, count, handle->at, err);

    handle->at += got > 0 ? (uint64_t)got : 0;
    return got;
}

// Some of a write still finds room on a disk that is full.
static bool half_fits(bool ok, const struct tally_err *err)
{
    return !ok && err->code == TALLY_NO_SPACE;
}

bool disk_write_at(int fd, const void *data, size_t count, uint64_t offset, struct tally_err *err)
{
    struct change change = {.kind = WRITE,
                            .node = handle_of(fd)->node,
                            .offset = offset,
                            .data = (unsigned char *)(uintptr_t)data,
                            .count = count};

    if (count == 0) {
        return true;
    }
    bool ok = may_change("write", "", true, err);
    change.count = half_fits(ok, err) ? count / 2 : count;
    if (ok || change.count < count) {
        change_data(change);
    }
    return ok;
}

bool disk_bytes(int fd, uint64_t *out_bytes, struct tally_err *err)
{
    (void)err;
    *out_bytes = sim_disk->node[handle_of(fd)->node].visible.count;
    return true;
}

bool disk_truncate(int fd, uint64_t bytes, struct tally_err *err)
{
    if (!may_change("truncate", "", false, err)) {
        return false;
    }
    change_data((struct change){.kind = CUT, .node = handle_of(fd)->node, .offset = bytes});
    return true;
}

static bool may_sync(const char *name, bool *out_drops, struct tally_err *err)
{
    enum sim_fault fault = ask(name, "");

    *out_drops = fault == SIM_SYNC_FAILS;
    if (fault == SIM_FINE || fault == SIM_ENOSPC) {
        return true;
    }
    fails(EIO, name, err);
    err->code = TALLY_SYNC_FAILED;
    return false;
}

bool disk_sync_data(int fd, struct tally_err *err)
{
    bool drops;
    bool ok = may_sync("sync_data", &drops, err);

    if (ok || drops) {
        settle_data(handle_of(fd)->node, drops);
    }
    return ok;
}

// Any of what is pending may reach the disk at any time, asked for or not.
void disk_sync_soon(int fd)
{
    (void)fd;
}

bool disk_sync_dir(int dir_fd, struct tally_err *err)
{
    bool drops;
    bool ok = may_sync("sync_dir", &drops, err);

    // Names that a failed sync leaves behind stay pending: no file system forgets them alone.
    if (ok) {
        settle_names(handle_of(dir_fd)->node, false);
    }
    return ok;
}

bool disk_forget(int fd, uint64_t offset, struct tally_err *err)
{
    uint32_t number = handle_of(fd)->node;
    struct node *node = &sim_disk->node[number];

    (void)offset; // what stands before it was synced and is the same
    (void)err;
    sim_content_copy(&node->visible, &node->kept);
    for (size_t i = 0; i < sim_disk->pending_count; i++) {
        if (!sim_is_name(&sim_disk->pending[i]) && sim_disk->pending[i].node == number) {
            sim_apply_data(&node->visible, &sim_disk->pending[i]);
        }
    }
    return true;
}

bool disk_room(int fd, uint64_t *out_bytes, struct tally_err *err)
{
    (void)fd;
    (void)err;
    *out_bytes = UINT64_MAX;
    return true;
}

// ---- base/disk.h: names -------------------------------------------------------------------

static bool rename_to(int from_dir_fd, const char *from, int to_dir_fd, const char *to,
                      bool replaces, struct tally_err *err)
{
    struct change change = {
        .kind = RENAME, .from = sim_locate(from_dir_fd, from), .to = sim_locate(to_dir_fd, to)};
    int64_t node = node_at(&change.from);

    if (node == NEVER) {
        return fails(ENOENT, from, err);
    }
    if (!replaces && node_at(&change.to) != NEVER) {
        return fails(EEXIST, to, err);
    }
    if (!may_change("rename", from, false, err)) {
        return false;
    }
    change.node = (uint32_t)node;
    change_name(change);
    return true;
}

bool disk_rename(int from_dir_fd, const char *from, int to_dir_fd, const char *to,
                 struct tally_err *err)
{
    return rename_to(from_dir_fd, from, to_dir_fd, to, true, err);
}

bool disk_rename_new(int from_dir_fd, const char *from, int to_dir_fd, const char *to,
                     struct tally_err *err)
{
    return rename_to(from_dir_fd, from, to_dir_fd, to, false, err);
}

void disk_touch(int dir_fd, const char *path)
{
    (void)dir_fd;
    (void)path; // times are no content
}

bool disk_unlink(int dir_fd, const char *path, struct tally_err *err)
{
    struct change change = {.kind = UNLINK, .from = sim_locate(dir_fd, path)};
    int64_t node = node_at(&change.from);

    if (node == NEVER) {
        return true;
    }
    if (!may_change("unlink", path, false, err)) {
        return false;
    }
    change.node = (uint32_t)node;
    change_name(change);
    return true;
}

bool disk_rmdir(int dir_fd, const char *path, struct tally_err *err)
{
    return disk_unlink(dir_fd, path, err);
}

bool disk_mkdir(int dir_fd, const char *path, mode_t mode, struct tally_err *err)
{
    struct key key = sim_locate(dir_fd, path);

    (void)mode;
    if (node_at(&key) != NEVER) {
        return true;
    }
    if (!may_change("mkdir", path, true, err)) {
        return false;
    }
    change_name((struct change){.kind = LINK, .node = sim_add_node(sim_disk, true), .to = key});
    return true;
}

// ---- base/clock.h -------------------------------------------------------------------------

int64_t clock_now_ms(void)
{
    return INT64_C(1600000000000); // the same in every run
}

uint64_t clock_ticks_ns(void)
{
    return 0; // no time passes
}
