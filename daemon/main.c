// daemon/main.c - tallyd: watches an inbox for incident feeds and keeps rollups up to date.
//
//   main.c       options, exit status             config*.c   tallyd.conf and presets
//   loop*.c      the event loop, what runs when   watch.c     hints from the kernel
//   scan.c       which files are ready            queue.c     in which order
//   inbox.c      admission and retirement         intake.c    one file's way into the store
//   rejects.c    rows that were set aside         log.c       what is said
//   notify.c     what systemd is told             pause.c     why nothing goes on
//   dry_run.c    the same on a copy               reread.c    a feed's files once more
//   unclosed.c   what is still being written      init_store.c the tables of a cluster
//   migrate.c    the ledger from one engine to the other       engine_mark.c which one has it
//   noted.c      what is told and cannot be moved yet
#include "base/disk.h"
#include "base/pages.h"
#include "daemon/config.h"
#include "daemon/dry_run.h"
#include "daemon/engine_mark.h"
#include "daemon/inbox.h"
#include "daemon/init_store.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/migrate.h"
#include "daemon/notify.h"
#include "daemon/reread.h"
#include "store/cluster/cluster_store.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

// From the folder of the executable.
#define PRESETS "../share/tallyd/feeds"
#define TALLY "tally"

struct arguments {
    const char *config;
    bool check;
    bool once;
    bool dry_run;
    bool init_store;
    bool migrate;
    const char *replay; // a feed; NULL: not given
    char **files;       // of --dry-run
    size_t files_count;
};

static void usage(FILE *out)
{
    fputs("usage: tallyd [-c FILE] [--once | --check | --dry-run CSV... | --replay FEED |\n"
          "                         --init-store | --migrate]\n"
          "\n"
          "Watches an inbox for CSV incident feeds, keeps every incident once at its newest\n"
          "revision, and writes rollups of rolling windows that `tally` and libtally read.\n"
          "\n"
          "  -c, --config FILE  configuration (/etc/tallyd/tallyd.conf), and FILE.d/*.conf\n"
          "      --once         settle everything in the inbox, write the rollups, exit;\n"
          "                     1 when a file was rejected, 75 when the servers of [store]\n"
          "                     cannot be reached\n"
          "      --check        read the configuration, say what is wrong with it, exit;\n"
          "                     78 when anything is\n"
          "      --dry-run CSV...  say what these files would change, taken in this order,\n"
          "                     and change nothing; 1 when one would be rejected, 66 when\n"
          "                     one is not there\n"
          "      --replay FEED  read all files of this feed again, under its mapping of now;\n"
          "                     66 when one is not in done/ any more, 1 when one is refused\n"
          "      --init-store   make the tables of [store] on its servers, where they are\n"
          "                     absent\n"
          "      --migrate      move the ledger to where [store] says that it is: into the\n"
          "                     cluster, or out of it; what it came from stays as it is\n"
          "  -h, --help         this\n"
          "      --version      the version\n"
          "\n"
          "Keys of the configuration:\n",
          out);
    for (size_t i = 0; i < config_keys_count(); i++) {
        struct config_key_help key = config_key_at(i);
        fprintf(out, "  [%s] %s = %s%s%s%s\n      %s\n", key.section, key.name, key.value,
                key.fallback && *key.fallback ? "  (" : "",
                key.fallback && *key.fallback ? key.fallback : "",
                key.fallback && *key.fallback ? ")" : "", key.help);
    }
    for (size_t i = 0; i < feed_keys_count(); i++) {
        struct feed_key_help key = feed_key_at(i);
        fprintf(out, "  [feed] %s = %s%s%s%s\n      %s\n", key.name, key.value,
                key.fallback && *key.fallback ? "  (" : "",
                key.fallback && *key.fallback ? key.fallback : "",
                key.fallback && *key.fallback ? ")" : "", key.help);
    }
}

// < 0: go on; else the exit status.
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    enum { ONCE = 256, CHECK, DRY_RUN, REPLAY, INIT_STORE, MIGRATE, VERSION };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},    {"once", no_argument, NULL, ONCE},
        {"check", no_argument, NULL, CHECK},         {"dry-run", no_argument, NULL, DRY_RUN},
        {"replay", required_argument, NULL, REPLAY}, {"init-store", no_argument, NULL, INIT_STORE},
        {"migrate", no_argument, NULL, MIGRATE},     {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, VERSION},     {0}};
    int option;

    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->config = optarg;
            break;
        case ONCE:
            arguments->once = true;
            break;
        case CHECK:
            arguments->check = true;
            break;
        case DRY_RUN:
            arguments->dry_run = true;
            break;
        case REPLAY:
            arguments->replay = optarg;
            break;
        case INIT_STORE:
            arguments->init_store = true;
            break;
        case MIGRATE:
            arguments->migrate = true;
            break;
        case 'h':
            usage(stdout);
            return EX_OK;
        case VERSION:
            puts("tallyd " TALLY_VERSION);
            return EX_OK;
        default:
            fputs("tallyd: see tallyd --help\n", stderr);
            return EX_USAGE;
        }
    }
    arguments->files = argv + optind;
    arguments->files_count = (size_t)(argc - optind);
    if (arguments->dry_run && optind == argc) {
        fputs("tallyd: --dry-run needs the files to try\n", stderr);
        return EX_USAGE;
    }
    if (optind < argc && !arguments->dry_run) {
        fprintf(stderr, "tallyd: '%s' is not understood; see tallyd --help\n", argv[optind]);
        return EX_USAGE;
    }
    return -1;
}

// What is shipped lies beside the program, where it is installed and where it is built.
static void find_shipped(const char *name, char path[PATH_MAX])
{
    char program[PATH_MAX];
    ssize_t bytes = readlink("/proc/self/exe", program, sizeof program - 1);

    program[bytes > 0 ? bytes : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash) {
        *slash = '\0';
    }
    snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - 64, program, name);
}

static void on_mistake(void *context, const struct tally_err *mistake)
{
    const struct arguments *arguments = context;

    if ((arguments->check && !log_is_journal()) || isatty(STDERR_FILENO)) {
        fprintf(stderr, "%s%s%s\n", mistake->place, mistake->place[0] ? ": " : "",
                mistake->message);
    } else {
        log_failure(LOG_ERROR, "configuration_wrong", NULL, mistake);
    }
}

static int status_of(const struct tally_err *err)
{
    switch (err->code) {
    case TALLY_CORRUPT:
    case TALLY_UNSUPPORTED:
    case TALLY_INVALID:
        return EX_CONFIG; // a restart would not help
    case TALLY_BUSY:
    case TALLY_UNAVAILABLE:
        return EX_TEMPFAIL;
    case TALLY_IO:
        return err->sys_errno == EACCES || err->sys_errno == EPERM || err->sys_errno == EROFS
                   ? EX_NOPERM // nor here
                   : EX_IOERR;
    case TALLY_NO_SPACE:
        return EX_IOERR;
    case TALLY_SYNC_FAILED:
        return LOOP_EXIT_SYNC_FAILED;
    default:
        return EX_SOFTWARE;
    }
}

struct running {
    const struct config *config;
    const struct store *store;
};

static void log_start(void *context)
{
    const struct running *running = context;
    const struct config *config = running->config;
    const struct store *store = running->store;
    struct log_line line;

    log_begin(&line, LOG_INFO, "started");
    log_text(&line, "version", TALLY_VERSION);
    log_text(&line, "state", config->state);
    log_text(&line, "engine", store_engine_name(store));
    log_number(&line, "feeds", config->feeds_count);
    log_number(&line, "rollups", config->defs_count);
    log_number(&line, "batches", store_batches(store));
    log_number(&line, "incidents", store_incidents(store));
    log_end(&line);
    if (store_recovered_bytes(store) > 0) {
        log_begin(&line, LOG_NOTICE, "tail_cut");
        log_number(&line, "bytes", store_recovered_bytes(store));
        log_end(&line);
    }
}

enum { TELL_OPENING_S = 5 };

// A long ledger takes longer to read than systemd waits by itself.
static void on_opening(void *context)
{
    time_t *told = context;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec - *told >= TELL_OPENING_S) {
        *told = now.tv_sec;
        notify_more_time();
        notify_status("reading the ledger");
    }
}

enum { REOPEN_S = 5 };

// Nobody is listened to yet: a signal ends the process here.
static struct store *open_store(const struct config *config, const struct inbox *inbox, bool once,
                                const struct store_options *options, struct tally_err *err)
{
    bool told = false;

    if (!config->cluster.used) {
        return store_open(inbox->state_fd, options, err);
    }
    for (;;) {
        struct store *store = cluster_store_open(inbox->state_fd, &config->cluster, options, err);
        if (store || once || err->code != TALLY_UNAVAILABLE) {
            return store;
        }
        if (!told) {
            log_failure(LOG_ERROR, "store_unavailable", NULL, err);
        }
        told = true;
        notify_more_time();
        notify_status("waiting for the store's servers");
        sleep(REOPEN_S);
    }
}

// Only of the engine that has what this state directory took in.
static struct store *open_own_store(const struct config *config, const struct inbox *inbox,
                                    bool once, const struct store_options *options,
                                    struct tally_err *err)
{
    bool on_cluster = config->cluster.used;
    struct store *store = engine_mark_check(inbox->state_fd, on_cluster, err)
                              ? open_store(config, inbox, once, options, err)
                              : NULL;

    if (store && !engine_mark_set(inbox->state_fd, on_cluster, err)) {
        store_close(store);
        store = NULL;
    }
    return store;
}

// What works on a copy of the ledger needs one that can be copied.
static bool has_ledger(const struct config *config, const char *option, const char *instead)
{
    if (config->cluster.used) {
        fprintf(stderr, "tallyd: %s is not available with engine = clickhouse: %s\n", option,
                instead);
    }
    return !config->cluster.used;
}

// engine_mark_check of a state directory that nobody opens for work. Absent: nothing was taken in.
static bool check_engine(const struct config *config, struct tally_err *err)
{
    int fd = disk_open(AT_FDCWD, config->state, O_RDONLY | O_DIRECTORY, 0, err);

    if (fd < 0) {
        return err->sys_errno == ENOENT;
    }
    bool ok = engine_mark_check(fd, config->cluster.used, err);
    disk_close(fd);
    return ok;
}

// What is only said: the configuration may be right, and the next command --migrate.
static bool say_engine(const struct config *config)
{
    struct tally_err err;

    if (check_engine(config, &err) || err.code != TALLY_INVALID) {
        return true;
    }
    fprintf(stderr, "[store]: %s\n", err.message);
    return false;
}

// What is only said: nobody but who wrote the feed knows whether its days are ever ambiguous.
static void say_day_orders(const struct config *config)
{
    for (size_t i = 0; i < config->feeds_count; i++) {
        if (feed_takes_both_day_orders(config->feeds[i])) {
            fprintf(stderr,
                    "[feed %s]: date_format takes day and month in both orders; days up to the "
                    "12th are read by the first format, whatever was meant\n",
                    feed_name(config->feeds[i]));
        }
    }
}

static int run_check(const struct config *config, const char *path)
{
    bool would_start = say_engine(config);

    if (!init_store_check(config)) {
        return EX_CONFIG;
    }
    say_day_orders(config);
    printf("%s: %zu feeds, %zu rollups, nothing wrong%s\n", path, config->feeds_count,
           config->defs_count,
           would_start ? "" : " in it; but tallyd would not start (78), for the reason above");
    return EX_OK;
}

static int run_dry(const struct arguments *arguments, const struct config *config)
{
    char tally[PATH_MAX];
    struct tally_err err;

    if (!has_ledger(config, "--dry-run",
                    "it tries the files on a copy of the ledger, and that of a cluster cannot be "
                    "copied. What the files say by themselves is told with engine = ledger and "
                    "another `state` in a configuration of its own")) {
        return EX_USAGE;
    }
    if (!check_engine(config, &err)) {
        fprintf(stderr, "tallyd: --dry-run: %s\n", err.message);
        return status_of(&err);
    }
    find_shipped(TALLY, tally);
    return dry_run(config, tally, arguments->files, arguments->files_count);
}

static bool has_feed(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->feeds_count; i++) {
        if (strcmp(feed_name(config->feeds[i]), name) == 0 &&
            feed_mode(config->feeds[i]) != FEED_DELETIONS) {
            return true;
        }
    }
    return false;
}

static int run_replay(const struct config *config, const char *feed)
{
    struct inbox inbox;
    struct tally_err err;

    if (!has_ledger(config, "--replay",
                    "it exchanges the ledger for another one at once, and that of a cluster cannot "
                    "be exchanged. Name another `database`, run --init-store, and put the files of "
                    "done/ back into the inbox, of each daemon that feeds the cluster")) {
        return EX_USAGE;
    }
    if (!has_feed(config, feed)) {
        fprintf(stderr,
                "tallyd: --replay: the configuration has no feed '%s' that keeps incidents\n",
                feed);
        return EX_USAGE;
    }
    if (!inbox_open(&inbox, config->state, &err)) {
        log_failure(LOG_ERROR, "start_failed", NULL, &err);
        return status_of(&err);
    }
    int status;
    if (engine_mark_check(inbox.state_fd, false, &err)) {
        status = reread_feed(config, &inbox, feed);
    } else {
        log_failure(LOG_ERROR, "start_failed", NULL, &err);
        status = status_of(&err);
    }
    inbox_close(&inbox);
    return status;
}

static int run_migrate(const struct config *config)
{
    struct inbox inbox;
    struct tally_err err;

    if (!inbox_open(&inbox, config->state, &err)) {
        fprintf(stderr, "tallyd: --migrate: %s\n", err.message);
        return status_of(&err);
    }
    int status = migrate(config, &inbox);
    inbox_close(&inbox);
    return status;
}

static int run(const struct arguments *arguments, const struct config *config, const char *presets)
{
    time_t told = 0;
    struct store_options options = {.segment_bytes_max = config->segment_bytes_max,
                                    .defs = config->defs,
                                    .defs_count = config->defs_count,
                                    .feeds = config->store_feeds,
                                    .feeds_count = config->store_feeds_count,
                                    .patch_from_bytes = config->patch_from_bytes,
                                    .progress = {.on_step = on_opening, .context = &told}};
    char inbox_path[PATH_MAX];
    struct inbox inbox;
    struct tally_err err;

    if (!arguments->once) {
        signal(SIGHUP, SIG_IGN); // until the loop listens for it
    }
    if (!inbox_open(&inbox, config->state, &err)) {
        log_failure(LOG_ERROR, "start_failed", NULL, &err);
        return status_of(&err);
    }
    options.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct store *store = reread_clean(&inbox, &err)
                              ? open_own_store(config, &inbox, arguments->once, &options, &err)
                              : NULL;
    int status;
    if (store) {
        struct running running = {.config = config, .store = store};
        snprintf(inbox_path, sizeof inbox_path, "%s/inbox", config->state);
        struct loop_options loop = {.config = config,
                                    .config_path = arguments->config,
                                    .presets = presets,
                                    .inbox = &inbox,
                                    .store = store,
                                    .stop_fd = options.stop_fd,
                                    .inbox_path = inbox_path,
                                    .once = arguments->once,
                                    .on_ready = log_start,
                                    .context = &running};
        status = loop_run(&loop);
    } else {
        log_failure(LOG_ERROR, "start_failed", NULL, &err);
        status = status_of(&err);
    }
    store_close(store);
    inbox_close(&inbox);
    close(options.stop_fd);
    return status;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.config = "/etc/tallyd/tallyd.conf"};
    char presets[PATH_MAX];
    struct config config;
    int status = parse_arguments(argc, argv, &arguments);

    if (status >= 0) {
        return status;
    }
    pages_one_heap();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); // a file size limit becomes EFBIG, an ordinary error
    signal(SIGIO, SIG_IGN);   // a lease that a writer breaks (disk_writers)
    find_shipped(PRESETS, presets);
    bool ok = config_load(&config, arguments.config, presets, on_mistake, &arguments);
    status = !ok                    ? EX_CONFIG
             : arguments.check      ? run_check(&config, arguments.config)
             : arguments.init_store ? init_store(&config, arguments.config)
             : arguments.migrate    ? run_migrate(&config)
             : arguments.dry_run    ? run_dry(&arguments, &config)
             : arguments.replay     ? run_replay(&config, arguments.replay)
                                    : run(&arguments, &config, presets);
    config_done(&config);
    return status;
}
