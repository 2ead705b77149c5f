#include "daemon/engine_mark.h"

#include "base/disk.h"

#include <errno.h>

static const char path[] = "on-cluster";
static const char text[] = "What this tallyd took in is on a ClickHouse cluster: [store] in its "
                           "configuration.\n";

// *out_there: something stands under the name.
static bool look(int dir_fd, const char *name, bool *out_there, struct tally_err *err)
{
    struct disk_entry entry;

    *out_there = disk_look(dir_fd, name, &entry, err);
    return *out_there || err->sys_errno == ENOENT;
}

bool engine_mark_check(int state_dir_fd, bool on_cluster, struct tally_err *err)
{
    bool marked;
    bool has_ledger;

    if (!look(state_dir_fd, path, &marked, err) ||
        !look(state_dir_fd, "ledger/000001.seg", &has_ledger, err)) {
        return false;
    }
    if (on_cluster && !marked && has_ledger) {
        return err_set(err, TALLY_INVALID,
                       "engine = clickhouse, but the state directory has a ledger that was not "
                       "moved: `tallyd --migrate` moves it into the cluster; to go on without it, "
                       "move its folder `ledger` away");
    }
    if (!on_cluster && marked) {
        return err_set(err, TALLY_INVALID,
                       "engine = ledger, but what the state directory took in is on a cluster: "
                       "`tallyd --migrate` brings it back; to go on without it, remove the file "
                       "`on-cluster` there");
    }
    return true;
}

bool engine_mark_set(int state_dir_fd, bool on_cluster, struct tally_err *err)
{
    bool marked;

    if (!look(state_dir_fd, path, &marked, err)) {
        return false;
    }
    if (on_cluster == marked) {
        return true;
    }
    return on_cluster ? disk_replace(state_dir_fd, path, text, sizeof text - 1, 0640, err)
                      : disk_unlink(state_dir_fd, path, err) && disk_sync_dir(state_dir_fd, err);
}
