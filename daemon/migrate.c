#include "daemon/migrate.h"

#include "base/disk.h"
#include "daemon/engine_mark.h"
#include "daemon/init_store.h"
#include "store/cells.h"
#include "store/cluster/cluster_store.h"
#include "store/cluster/figures.h"
#include "store/cluster/log.h"
#include "store/cluster/migrate.h"
#include "store/replay.h"
#include "store/rollup_read.h"
#include "store/state.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

struct moving {
    const struct config *config;
    const struct inbox *inbox;
    struct store *store; // of the engine that it moves to
    struct state state;  // what the ledger says
    bool shown;          // a line that tells how far it is
};

static void on_batch(void *context, uint64_t batch, uint64_t incidents)
{
    struct moving *moving = context;

    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\rbatch %llu, %llu incidents ", (unsigned long long)batch,
                (unsigned long long)incidents);
        moving->shown = true;
    }
}

static void end_line(struct moving *moving)
{
    if (moving->shown) {
        fputc('\n', stderr);
        moving->shown = false;
    }
}

// Without rollups, whose files may know more batches than have moved so far.
static struct store_options options_of(const struct config *config)
{
    return (struct store_options){.segment_bytes_max = config->segment_bytes_max,
                                  .feeds = config->store_feeds,
                                  .feeds_count = config->store_feeds_count,
                                  .patch_from_bytes = config->patch_from_bytes};
}

static int open_ledger(const struct moving *moving, struct tally_err *err)
{
    int fd = disk_open(moving->inbox->state_fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err);

    if (fd < 0) {
        err_wrap(err, "the ledger in %s", moving->config->state);
    }
    return fd;
}

// ---- into the cluster ---------------------------------------------------------------------

static bool move_in(struct moving *moving, struct migrate_end *out_end, struct tally_err *err)
{
    struct migrate_progress progress = {.on_batch = on_batch, .context = moving};
    struct store_options options = options_of(moving->config);
    int ledger_fd = open_ledger(moving, err);

    if (ledger_fd < 0) {
        return false;
    }
    state_keep_origins(&moving->state);
    moving->store =
        cluster_store_open(moving->inbox->state_fd, &moving->config->cluster, &options, err);
    bool ok = moving->store &&
              migrate_into(moving->store, ledger_fd, &moving->state, &progress, out_end, err);
    disk_close(ledger_fd);
    return ok;
}

static bool encode_kept(struct moving *moving, const struct rollup_def *def, struct bytes *out,
                        struct tally_err *err)
{
    struct cells_provenance nothing = {0};
    struct cells *cells = cells_open(&moving->state, def, err);
    bool ok = cells && cells_encode(cells, &moving->state, &nothing, out, err);

    if (cells) {
        state_unobserve(&moving->state, cells);
    }
    cells_close(cells);
    return ok;
}

// ---- out of it ----------------------------------------------------------------------------

static bool move_out(struct moving *moving, struct servers *servers, struct migrate_end *out_end,
                     struct tally_err *err)
{
    struct migrate_progress progress = {.on_batch = on_batch, .context = moving};
    struct store_options options = options_of(moving->config);

    moving->store = store_open(moving->inbox->state_fd, &options, err);
    if (!moving->store) {
        return false;
    }
    struct migrate_out out = {
        .servers = servers, .ledger_dir_fd = open_ledger(moving, err), .store = moving->store};
    bool ok = out.ledger_dir_fd >= 0 && migrate_out_of(&out, &progress, out_end, err);
    disk_close(out.ledger_dir_fd);
    return ok;
}

static bool encode_asked(struct servers *servers, const struct log *log,
                         const struct rollup_def *def, struct bytes *out, struct tally_err *err)
{
    struct cells_provenance nothing = {0};
    struct bytes committed;
    struct state state;

    if (!state_init(&state, err)) {
        return false;
    }
    bytes_init(&committed);
    bool ok = log_apply(log, &replay_all, &state, err) &&
              log_committed(log, &replay_all, &committed, err);
    struct cells *cells = ok ? cells_open(&state, def, err) : NULL;
    ok = cells && figures_fill(servers, &committed, &state, cells, err) &&
         cells_encode(cells, &state, &nothing, out, err);
    cells_close(cells);
    bytes_done(&committed);
    state_done(&state);
    return ok;
}

// What one engine makes of a rollup. `servers`: NULL for the ledger.
static bool made_by(struct moving *moving, struct servers *servers, const struct log *log,
                    const struct rollup_def *def, struct digest *out, struct tally_err *err)
{
    struct bytes file;

    bytes_init(&file);
    if (!(servers ? encode_asked(servers, log, def, &file, err)
                  : encode_kept(moving, def, &file, err))) {
        bytes_done(&file);
        return false;
    }
    struct rollup *rollup = rollup_open_memory(file.data, file.count, err); // takes the bytes over
    if (rollup) {
        *out = rollup_digest(rollup);
    }
    rollup_close(rollup);
    return rollup != NULL;
}

// ---- whether both say the same ------------------------------------------------------------

static bool compare(struct moving *moving, struct servers *servers, const struct log *log,
                    const struct rollup_def *def, struct tally_err *err)
{
    char kept_text[DIGEST_TEXT_BYTES];
    char asked_text[DIGEST_TEXT_BYTES];
    struct digest kept;
    struct digest asked;

    if (!made_by(moving, NULL, log, def, &kept, err) ||
        !made_by(moving, servers, log, def, &asked, err)) {
        return false;
    }
    digest_format(kept, kept_text);
    digest_format(asked, asked_text);
    if (!digest_equal(kept, asked)) {
        return err_set(err, TALLY_CORRUPT,
                       "rollup %s has digest %s in the cluster and %s in the ledger: keep what it "
                       "came from",
                       def->name, asked_text, kept_text);
    }
    printf("%s: digest %s, the same in both\n", def->name, kept_text);
    return true;
}

// As of the files that moved, of which a cluster may have others behind.
static bool compare_all(struct moving *moving, struct servers *servers, size_t files,
                        struct tally_err *err)
{
    const struct config *config = moving->config;
    struct log log;

    log_init(&log);
    bool ok = log_load(&log, servers, err);
    size_t all = log.count;
    log.count = files < all ? files : all;
    for (size_t i = 0; ok && i < config->defs_count; i++) {
        ok = compare(moving, servers, &log, &config->defs[i], err);
    }
    log.count = all;
    if (ok && files < all) {
        printf("the cluster has %zu further files, which others brought\n", all - files);
    }
    log_done(&log);
    return ok;
}

// What the ledger says now that all of it is there.
static bool read_back(struct moving *moving, struct tally_err *err)
{
    struct replay_end end;
    int ledger_fd = open_ledger(moving, err);
    bool ok = ledger_fd >= 0 && replay(&moving->state, ledger_fd, &replay_all, NULL, &end, err);

    disk_close(ledger_fd);
    return ok;
}

// Rollup files are those of before until both say the same.
static bool publish(struct moving *moving, struct tally_err *err)
{
    const struct config *config = moving->config;

    return store_set_rollups(moving->store, config->defs, config->defs_count, err) &&
           store_publish(moving->store, err);
}

static bool move(struct moving *moving, struct servers *servers, bool out, struct tally_err *err)
{
    struct migrate_end end;

    bool ok = out ? move_out(moving, servers, &end, err) : move_in(moving, &end, err);
    end_line(moving);
    if (!ok) {
        return false;
    }
    printf("%llu batches%s; %llu of them were there already\n", (unsigned long long)end.batches,
           out ? " out of the cluster" : " into the cluster", (unsigned long long)end.passed);
    if ((out && !read_back(moving, err)) ||
        !compare_all(moving, servers, out ? SIZE_MAX : end.files, err) || !publish(moving, err) ||
        !engine_mark_set(moving->inbox->state_fd, !out, err)) {
        return false;
    }
    printf("moved to engine = %s; what it came from is as it was%s%s\n",
           store_engine_name(moving->store), out ? "" : ": ",
           out ? "" : "remove the folder ledger when nobody needs it any more");
    return true;
}

int migrate(const struct config *config, const struct inbox *inbox)
{
    struct moving moving = {.config = config, .inbox = inbox};
    struct progress nobody = {0};
    struct servers *servers = NULL;
    struct tally_err err;

    if (config->cluster.hosts_count == 0) {
        fputs("tallyd: --migrate needs `hosts` and `cluster` in [store], also where engine = "
              "ledger: the cluster that the ledger moves into or comes from\n",
              stderr);
        return EX_USAGE;
    }
    bool ok = state_init(&moving.state, &err) &&
              (servers = servers_open(&config->cluster, nobody, &err)) != NULL &&
              move(&moving, servers, !config->cluster.used, &err);
    if (!ok) {
        fprintf(stderr, "tallyd: --migrate: %s\n", err.message);
    }
    store_close(moving.store);
    servers_close(servers);
    state_done(&moving.state);
    return ok ? EX_OK : init_store_exit_status(&err);
}
