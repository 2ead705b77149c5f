#include "tests/crash/power_daemon.h"

#include "daemon/queue.h"
#include "daemon/scan.h"

#include <stdlib.h>

enum { TRIES_MAX = 50 }; // on a disk without room, which finds some in the end

bool power_daemon_start(struct power_daemon *daemon)
{
    struct store_options options = {.segment_bytes_max = daemon->segment_bytes_max,
                                    .defs = daemon->config->defs,
                                    .defs_count = daemon->config->defs_count};

    daemon->store = NULL;
    if (!inbox_open(&daemon->inbox, "/state", &daemon->err)) {
        return false;
    }
    daemon->store = store_open(daemon->inbox.state_fd, &options, &daemon->err);
    if (!daemon->store) {
        inbox_close(&daemon->inbox);
    }
    return daemon->store != NULL;
}

void power_daemon_stop(struct power_daemon *daemon)
{
    if (daemon->store) {
        store_close(daemon->store);
        inbox_close(&daemon->inbox);
        daemon->store = NULL;
    }
}

static enum intake_result read_and_settle(struct power_daemon *daemon, struct intake *intake)
{
    return intake_settle(intake, daemon->store, intake_take_in(intake, daemon->store));
}

// False: fatal. What has to wait stays in claimed/.
static bool settle_group(struct power_daemon *daemon)
{
    struct group *group = &daemon->group;
    bool ok = true;

    if (group->count == 0) {
        return true;
    }
    group_settle(group, &daemon->inbox, daemon->config, daemon->store, (struct progress){0});
    for (size_t i = 0; i < group->ended; i++) {
        const struct group_file *file = &group->file[i];
        if (file->result == INTAKE_SETTLED && file->intake->lasts && daemon->on_settled) {
            daemon->on_settled(daemon->context, file->intake);
        }
        ok = ok && file->result != INTAKE_FATAL;
        daemon->err = file->err;
    }
    group_done(group);
    return ok;
}

static struct intake *open_claimed(struct power_daemon *daemon, const char *name)
{
    struct disk_entry entry;
    int fd = inbox_reopen(&daemon->inbox, name, &entry, &daemon->err);

    return fd < 0 ? NULL
                  : intake_open(&daemon->inbox, daemon->config, name, fd, entry.bytes, true,
                                (struct progress){0}, &daemon->err);
}

// False: fatal. A file that has to wait stays in claimed/ or in the inbox.
static bool end_file(struct power_daemon *daemon, struct intake *intake, enum intake_result result)
{
    if (result == INTAKE_SETTLED && daemon->on_settled) {
        daemon->on_settled(daemon->context, intake);
    }
    daemon->err = intake->err;
    intake_close(intake);
    return result != INTAKE_FATAL;
}

static bool take_claimed(struct power_daemon *daemon, const char *name)
{
    struct intake *intake = open_claimed(daemon, name);
    enum intake_result result;

    if (!intake) {
        return false;
    }
    if (!intake_retire_known(intake, daemon->store, NULL, &result)) {
        intake_close(intake);
        intake = open_claimed(daemon, name);
        if (!intake) {
            return false;
        }
        result = read_and_settle(daemon, intake);
    }
    return end_file(daemon, intake, result);
}

static bool take_new(struct power_daemon *daemon, const char *name)
{
    struct disk_entry entry;
    int fd;

    if (inbox_claim(&daemon->inbox, name, &fd, &entry, &daemon->err) != INBOX_CLAIMED) {
        return true; // the next look finds it again
    }
    if (daemon->group_files > 0) {
        return group_add(&daemon->group, name, fd, entry.bytes, 0, &daemon->err) &&
               (daemon->group.count < daemon->group_files || settle_group(daemon));
    }
    struct intake *intake = intake_open(&daemon->inbox, daemon->config, name, fd, entry.bytes,
                                        false, (struct progress){0}, &daemon->err);
    return intake && end_file(daemon, intake, read_and_settle(daemon, intake));
}

static bool publish(struct power_daemon *daemon)
{
    if (!store_publish(daemon->store, &daemon->err)) {
        return daemon->err.code == TALLY_NO_SPACE;
    }
    if (daemon->on_published) {
        daemon->on_published(daemon->context, daemon->store);
    }
    return true;
}

// As a daemon does that has nothing else to do.
static bool fold(struct power_daemon *daemon, enum store_patches least)
{
    while (!store_needs_publishing(daemon->store) && store_patches(daemon->store) >= least) {
        if (!store_fold(daemon->store, &daemon->err)) {
            return daemon->err.code == TALLY_NO_SPACE;
        }
    }
    return true;
}

static bool take_names(struct power_daemon *daemon, struct queue *queue,
                       bool (*take)(struct power_daemon *daemon, const char *name))
{
    char *name;
    bool ok = true;

    while (ok && (name = queue_take(queue)) != NULL) {
        ok = take(daemon, name) && (!daemon->publishes_each || daemon->group.count > 0 ||
                                    (publish(daemon) && fold(daemon, STORE_LARGE_PATCHES)));
        free(name);
    }
    ok = ok && settle_group(daemon);
    group_done(&daemon->group);
    return ok;
}

bool power_daemon_settle(struct power_daemon *daemon)
{
    struct queue queue = {0};
    bool ok = true;
    bool left = true;

    for (int i = 0; ok && left && i < TRIES_MAX; i++) {
        size_t waiting;
        ok = scan_claimed(&daemon->inbox, &queue, &daemon->err);
        left = queue_waiting(&queue) > 0;
        ok = ok && take_names(daemon, &queue, take_claimed) &&
             scan_inbox(&daemon->inbox, 0, &queue, &waiting, &daemon->err);
        left = left || queue_waiting(&queue) > 0;
        ok = ok && take_names(daemon, &queue, take_new) && publish(daemon) &&
             fold(daemon, STORE_PATCHES);
        left = ok && (left || store_needs_publishing(daemon->store) ||
                      store_patches(daemon->store) != STORE_NO_PATCH);
    }
    queue_done(&queue);
    return ok;
}
