// A store on the cluster: opened, filled by two daemons, published, read at several moments.
//
// Whatever fails: the store that is opened afterwards holds what some number of whole batches make,
// at least those that were told as accepted, and takes in the rest.
#include "base/day.h"
#include "store/cells.h"
#include "store/cluster/cluster_store.h"
#include "store/cluster/figures.h"
#include "store/cluster/kept.h"
#include "store/cluster/log.h"
#include "tests/cluster/failing.h"

#include <string.h>

enum { BATCHES_MAX = TOLD_FILES, EARLIER = 3 };

struct room {
    char dir[48];
    int fd;
    struct store *store;
    uint64_t accepted; // batches of which the store has said that they last
};

static struct room own;
static struct room others;
static struct cluster_options options_of_other;
static struct {
    struct told_figures after[BATCHES_MAX + 1];
    uint64_t batches;
    uint64_t read; // sum over what the readings found
} quiet;

// ---- files ------------------------------------------------------------------------------------

static bool open_room(struct room *room, const struct cluster_options *cluster,
                      struct tally_err *err)
{
    struct store_options options = {.segment_bytes_max = STORE_SEGMENT_BYTES,
                                    .defs = told_defs,
                                    .defs_count = TOLD_DEFS,
                                    .feeds = told_feeds,
                                    .feeds_count = TOLD_FEEDS,
                                    .patch_from_bytes = STORE_PATCH_FROM_BYTES};

    room->store = cluster_store_open(room->fd, cluster, &options, err);
    return room->store;
}

static bool take_as_other(size_t index, struct tally_err *err)
{
    options_of_other = *memo_options();
    options_of_other.writer = (char *)"other";
    bool ok = open_room(&others, &options_of_other, err) && told_take(others.store, index, err) &&
              store_sync(others.store, err);
    store_close(others.store);
    others.store = NULL;
    return ok && store_refresh(own.store, err);
}

static void see_accepted(void)
{
    if (own.store && store_is_synced(own.store)) {
        own.accepted = store_batches(own.store);
    }
}

static bool take_file(size_t index, struct tally_err *err)
{
    bool ok = told_by_other(index) ? take_as_other(index, err) : told_take(own.store, index, err);

    see_accepted();
    return ok;
}

static bool take_files(struct told_figures *out, struct tally_err *err)
{
    for (size_t i = 0; i < told_count(); i++) {
        if (!take_file(i, err)) {
            return false;
        }
    }
    return told_publish(own.store, own.fd, out, err);
}

// ---- readings ---------------------------------------------------------------------------------

static bool on_reject(void *context, const struct replay_file *file,
                      const struct replay_reject *reject, struct tally_err *err)
{
    uint64_t *found = context;

    (void)file;
    (void)err;
    *found += reject->record;
    return true;
}

static bool read_rejects(uint64_t *found, struct tally_err *err)
{
    struct replay_visitor visitor = {.context = found, .on_reject = on_reject};
    struct store_accepted accepted;

    return !store_find_accepted(own.store, told_digest(0), &accepted) ||
           store_each_reject(own.store, accepted.key, &visitor, err);
}

static bool read_figures(struct servers *servers, const struct log *log,
                         const struct replay_until *until, const struct bytes *committed,
                         uint64_t *found, struct tally_err *err)
{
    struct rollup_source sources[ROLLUP_SOURCES_MAX];
    struct cells_provenance provenance;
    struct state state;
    struct bytes file;

    bytes_init(&file);
    if (!state_init(&state, err)) {
        return false;
    }
    struct cells *cells =
        log_apply(log, until, &state, err) ? cells_open(&state, &told_defs[0], err) : NULL;
    bool ok = cells && figures_fill_by(servers, committed, 2, &state, cells, err);
    if (ok) {
        log_sources(log, until, &told_defs[0], sources, &provenance);
        ok = cells_encode(cells, &state, &provenance, &file, err);
        *found += file.count;
    }
    cells_close(cells);
    state_done(&state);
    bytes_done(&file);
    return ok;
}

static bool wants(void *context, const struct state *state, uint16_t shape, const uint32_t *dims,
                  bool *out_wanted, struct tally_err *err)
{
    (void)context;
    (void)err;
    *out_wanted = state->shape[shape]->dims_count == 1 || dims[0] > 0;
    return true;
}

static bool read_kept(struct servers *servers, const struct log *log,
                      const struct replay_until *until, const struct bytes *committed,
                      uint64_t *found, struct tally_err *err)
{
    static const char *const feeds[] = {"attacks", "census", "release"};
    struct bytes touched;
    struct state state;

    bytes_init(&touched);
    for (size_t i = 0; i < log->count; i += 2) {
        bytes_put_u64(&touched, log->entry[i].batch);
    }
    struct kept_want want = {.feed = feeds,
                             .feeds_count = 3,
                             .first_day = DAY_MIN,
                             .last_day = DAY_MAX,
                             .wants = until == &replay_all ? NULL : wants,
                             .touched = until == &replay_all ? NULL : &touched,
                             .range_versions = 2};
    bool ok = touched.ok || err_set(err, TALLY_NO_MEMORY, "no memory for the test");
    if (ok && (ok = state_init(&state, err))) {
        state_keep_origins(&state);
        ok = log_apply(log, until, &state, err) &&
             kept_load(servers, log, committed, &want, &state, err);
        *found += ok ? state_incidents(&state) : 0;
        state_done(&state);
    }
    bytes_done(&touched);
    return ok;
}

static bool read_moment(struct servers *servers, const struct log *log,
                        const struct replay_until *until, uint64_t *found, struct tally_err *err)
{
    struct bytes committed;

    bytes_init(&committed);
    bool ok = log_committed(log, until, &committed, err) &&
              read_figures(servers, log, until, &committed, found, err) &&
              read_kept(servers, log, until, &committed, found, err);
    bytes_done(&committed);
    return ok;
}

// As `tally` does, which has no store.
static bool read_all(uint64_t *found, struct tally_err *err)
{
    static const struct replay_until earlier = {.batch = EARLIER, .time_ms = INT64_MAX};
    struct servers *servers = servers_open(memo_options(), (struct progress){0}, err);
    struct log log;

    log_init(&log);
    *found = 0;
    bool ok = servers && log_load(&log, servers, err) &&
              read_moment(servers, &log, &replay_all, found, err) &&
              read_moment(servers, &log, &earlier, found, err) && read_rejects(found, err);
    log_done(&log);
    servers_close(servers);
    return ok;
}

// ---- the scenario -----------------------------------------------------------------------------

// A reload of the configuration: the same rollups in another order, and one feed less.
static bool reload(struct tally_err *err)
{
    struct rollup_def turned[TOLD_DEFS] = {told_defs[1], told_defs[0]};

    return store_set_rollups(own.store, turned, TOLD_DEFS, err) &&
           store_set_feeds(own.store, told_feeds, TOLD_FEEDS - 1, err) &&
           store_set_feeds(own.store, told_feeds, TOLD_FEEDS, err);
}

static bool play(struct tally_err *err)
{
    struct told_figures figures;
    uint64_t found;

    if (!open_room(&own, memo_options(), err) || !take_files(&figures, err) || !reload(err) ||
        !read_all(&found, err)) {
        return false;
    }
    MUST(failing_lied || (told_equal(&figures, &quiet.after[quiet.batches]) && found == quiet.read),
         err);
    return true;
}

static void enter(void)
{
    own = others = (struct room){.fd = -1};
    told_make_dir(own.dir, &own.fd);
    told_make_dir(others.dir, &others.fd);
}

static void leave(void)
{
    store_close(own.store);
    store_close(others.store);
    told_remove_dir(own.dir, own.fd);
    told_remove_dir(others.dir, others.fd);
    own = others = (struct room){.fd = -1};
}

// As the daemon does: aborts the file at hand and takes all of them in again.
static void go_on(void)
{
    struct told_figures figures;
    struct tally_err err = {0};

    if (!own.store) {
        return;
    }
    MUST(store_abort(own.store, &err) && store_sync(own.store, &err), &err);
    see_accepted();
    MUST(take_files(&figures, &err), &err);
    MUST(store_batches(own.store) == quiet.batches, &err);
    MUST(told_equal(&figures, &quiet.after[quiet.batches]), &err);
}

static void recover(void)
{
    struct told_figures figures;
    struct tally_err err = {0};
    uint64_t found;
    uint64_t accepted = own.accepted;

    store_close(own.store);
    MUST(open_room(&own, memo_options(), &err), &err);
    uint64_t batches = store_batches(own.store);
    MUST(batches >= accepted && batches <= quiet.batches, &err);
    MUST(told_publish(own.store, own.fd, &figures, &err), &err);
    MUST(told_equal(&figures, &quiet.after[batches]), &err);
    MUST(take_files(&figures, &err), &err);
    MUST(store_batches(own.store) == quiet.batches, &err);
    MUST(told_equal(&figures, &quiet.after[quiet.batches]), &err);
    MUST(read_all(&found, &err), &err);
}

// The run that nothing disturbs: what each number of batches makes.
static void prepare(void)
{
    struct tally_err err = {0};

    memo_begin(MEMO_TABLES);
    enter();
    MUST(open_room(&own, memo_options(), &err), &err);
    MUST(told_publish(own.store, own.fd, &quiet.after[0], &err), &err);
    for (size_t i = 0; i < told_count(); i++) {
        MUST(take_file(i, &err), &err);
        quiet.batches = store_batches(own.store);
        MUST(told_publish(own.store, own.fd, &quiet.after[quiet.batches], &err), &err);
    }
    MUST(quiet.batches == TOLD_FILES - 4, &err); // aborted, again, and two that are refused
    MUST(read_all(&quiet.read, &err), &err);
    leave();
}

static void finish(void)
{
}

const struct failing failing_store = {.name = "store",
                                      .root = MEMO_TABLES,
                                      .sparse = 12,
                                      .prepare = prepare,
                                      .finish = finish,
                                      .enter = enter,
                                      .play = play,
                                      .go_on = go_on,
                                      .recover = recover,
                                      .leave = leave};
