// A ledger of this machine into the cluster, and out of it into another one.
//
// Whatever fails: the same migration goes on where it stood, and what comes out in the end has the
// figures of the ledger that went in.
#include "base/disk.h"
#include "store/cluster/cluster_store.h"
#include "store/cluster/migrate.h"
#include "store/cluster/servers.h"
#include "tests/cluster/failing.h"

#include <fcntl.h>
#include <string.h>

struct room {
    char dir[48];
    int fd;
    struct store *store;
};

static struct room from; // is made once
static struct room into;
static struct room out;
static struct told_figures want;

static bool open_room(struct room *room, bool cluster, struct tally_err *err)
{
    struct store_options options = {.segment_bytes_max = STORE_SEGMENT_BYTES,
                                    .defs = told_defs,
                                    .defs_count = TOLD_DEFS,
                                    .feeds = told_feeds,
                                    .feeds_count = TOLD_FEEDS,
                                    .patch_from_bytes = STORE_PATCH_FROM_BYTES};

    room->store = cluster ? cluster_store_open(room->fd, memo_options(), &options, err)
                          : store_open(room->fd, &options, err);
    return room->store;
}

static bool move_in(struct tally_err *err)
{
    struct migrate_progress nobody = {0};
    struct migrate_end end;
    struct state state;
    int fd = disk_open(from.fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err);
    bool ok = fd >= 0 && state_init(&state, err);

    if (ok) {
        state_keep_origins(&state);
        ok =
            open_room(&into, true, err) && migrate_into(into.store, fd, &state, &nobody, &end, err);
        state_done(&state);
    }
    if (fd >= 0) {
        disk_close(fd);
    }
    MUST(failing_lied || !ok || end.batches == store_batches(from.store), err);
    return ok;
}

static bool move_out(struct tally_err *err)
{
    struct migrate_progress nobody = {0};
    struct migrate_end end;
    struct migrate_out of = {.ledger_dir_fd = -1};

    if (!open_room(&out, false, err)) {
        return false;
    }
    of.store = out.store;
    of.ledger_dir_fd = disk_open(out.fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err);
    of.servers =
        of.ledger_dir_fd >= 0 ? servers_open(memo_options(), (struct progress){0}, err) : NULL;
    bool ok = of.servers && migrate_out_of(&of, &nobody, &end, err);
    servers_close(of.servers);
    if (of.ledger_dir_fd >= 0) {
        disk_close(of.ledger_dir_fd);
    }
    MUST(failing_lied || !ok || end.batches == store_batches(from.store), err);
    return ok;
}

static bool play(struct tally_err *err)
{
    struct told_figures figures;

    if (!move_in(err) || !told_publish(into.store, into.fd, &figures, err)) {
        return false;
    }
    MUST(failing_lied || told_equal(&figures, &want), err);
    if (!move_out(err) || !told_publish(out.store, out.fd, &figures, err)) {
        return false;
    }
    MUST(failing_lied || told_equal(&figures, &want), err);
    return true;
}

static void enter(void)
{
    into = out = (struct room){.fd = -1};
    told_make_dir(into.dir, &into.fd);
    told_make_dir(out.dir, &out.fd);
}

static void close_both(void)
{
    store_close(into.store);
    store_close(out.store);
    into.store = out.store = NULL;
}

static void leave(void)
{
    close_both();
    told_remove_dir(into.dir, into.fd);
    told_remove_dir(out.dir, out.fd);
}

// A migration is a command of its own: it ends, and is given again.
static void go_on(void)
{
    close_both();
}

static void recover(void)
{
    struct tally_err err = {0};

    close_both();
    MUST(play(&err), &err);
}

static void prepare(void)
{
    struct tally_err err = {0};

    from = (struct room){.fd = -1};
    told_make_dir(from.dir, &from.fd);
    MUST(open_room(&from, false, &err), &err);
    for (size_t i = 0; i < told_count(); i++) {
        MUST(told_take(from.store, i, &err), &err);
    }
    MUST(told_publish(from.store, from.fd, &want, &err), &err);
    memo_begin(MEMO_TABLES);
    enter();
    MUST(play(&err), &err);
    leave();
}

static void finish(void)
{
    store_close(from.store);
    told_remove_dir(from.dir, from.fd);
}

const struct failing failing_move = {.name = "move",
                                     .root = MEMO_TABLES,
                                     .sparse = 8,
                                     .prepare = prepare,
                                     .finish = finish,
                                     .enter = enter,
                                     .play = play,
                                     .go_on = go_on,
                                     .recover = recover,
                                     .leave = leave};
