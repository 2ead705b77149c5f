#include "daemon/dry_run.h"

#include "base/disk.h"
#include "daemon/inbox.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct trial {
    const struct config *config;
    const char *tally;
    char *const *files;
    size_t files_count;
    char state[256]; // the folder of the trial
    int files_fd;    // in it: copies of the files, called 0, 1, 2 ...
    uint64_t batches_before;
};

// Committed batches are all that the copy will hold: an unfinished tail is cut off there.
static bool copy_ledger(const struct config *config, int trial_fd, struct tally_err *err)
{
    struct disk_names names;
    char path[4200];

    snprintf(path, sizeof path, "%s/ledger", config->state);
    int from_fd = disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, err);
    if (from_fd < 0) {
        return err->sys_errno == ENOENT; // nothing kept yet
    }
    bool ok = disk_mkdir(trial_fd, "ledger", 0700, err) && disk_list(from_fd, ".", &names, err);
    if (ok) {
        int to_fd = disk_open(trial_fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err);
        ok = to_fd >= 0;
        for (size_t i = 0; ok && i < names.count; i++) {
            ok = disk_copy(from_fd, names.name[i], to_fd, names.name[i], 0600, err);
        }
        disk_close(to_fd);
        disk_names_done(&names);
    }
    disk_close(from_fd);
    return ok;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// The inbox would let it lie, and the trial say that nothing changes.
static bool may_be_feed(const char *path)
{
    const char *name = base_name(path);

    if (*name == '\0') {
        fprintf(stderr, "tallyd: --dry-run: %s is no file\n", path);
        return false;
    }
    if (inbox_name_waits(name)) {
        fprintf(stderr,
                "tallyd: --dry-run: %s would wait in the inbox, as all do whose name begins with a "
                "dot or ends in .tmp or .part; give a copy or a link that has the name under which "
                "it is to be dropped\n",
                path);
        return false;
    }
    return true;
}

// All are there, and there is room for them, before the first is tried.
static bool copy_files(int files_fd, char *const *files, size_t files_count, struct tally_err *err)
{
    for (size_t i = 0; i < files_count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        if (!disk_copy(AT_FDCWD, files[i], files_fd, number, 0600, err)) {
            err->code = err->sys_errno == ENOENT ? TALLY_NOT_FOUND : err->code;
            return false;
        }
    }
    return true;
}

// `tally diff` for one rollup, on our standard output.
static int print_diff(const struct trial *trial, const char *rollup, uint64_t batches)
{
    char from[24];
    char to[24];
    snprintf(from, sizeof from, "%llu", (unsigned long long)trial->batches_before);
    snprintf(to, sizeof to, "%llu", (unsigned long long)batches);
    const char *const arguments[] = {trial->tally, "--state", trial->state, "diff", rollup,
                                     "--from",     from,      "--to",       to,     NULL};
    pid_t child;
    int status;

    // posix_spawn does not write to the arguments; its type is older than const.
    int failed =
        posix_spawn(&child, trial->tally, NULL, NULL, (char *const *)(uintptr_t)arguments, environ);
    if (failed != 0) {
        fprintf(stderr, "tallyd: cannot run %s: %s\n", trial->tally, strerror(failed));
        return EX_OSERR;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

// One after the other, as they were given: of files that stand in the inbox together, which came
// first would be for the clock to say, and two of one name could not. -1: err.
static int take_files(const struct trial *trial, struct inbox *inbox, struct store *store,
                      struct tally_err *err)
{
    const struct loop_options loop = {
        .config = trial->config, .inbox = inbox, .store = store, .once = true};
    int worst = EX_OK;

    for (size_t i = 0; worst <= 1 && i < trial->files_count; i++) {
        const char *name = base_name(trial->files[i]);
        struct disk_entry entry;
        struct tally_err gone;
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        if (!disk_rename_new(trial->files_fd, number, inbox->inbox_fd, name, err)) {
            return -1;
        }
        int status = loop_run(&loop);
        bool waits = disk_look(inbox->inbox_fd, name, &entry, &gone) ||
                     disk_look(inbox->claimed_fd, name, &entry, &gone);
        if (status <= 1 && (waits || store_needs_publishing(store))) { // by a signal
            err_set(err, TALLY_IO, "stopped before %.200s was settled", name);
            return -1;
        }
        worst = status > worst ? status : worst;
    }
    return worst;
}

static int take_in(struct trial *trial, struct inbox *inbox, struct tally_err *err)
{
    struct store_options options = {.segment_bytes_max = trial->config->segment_bytes_max,
                                    .defs = trial->config->defs,
                                    .defs_count = trial->config->defs_count,
                                    .patch_from_bytes = trial->config->patch_from_bytes};
    struct store *store = store_open(inbox->state_fd, &options, err);

    if (!store) {
        return -1;
    }
    trial->batches_before = store_batches(store);
    int status = take_files(trial, inbox, store, err);
    uint64_t batches = store_batches(store);
    store_close(store);
    fflush(stdout);
    for (size_t i = 0; status >= 0 && status <= 1 && i < trial->config->defs_count; i++) {
        if (trial->config->defs_count > 1) {
            printf("%s# rollup %s\n", i ? "\n" : "", trial->config->defs[i].name);
            fflush(stdout);
        }
        int printed = print_diff(trial, trial->config->defs[i].name, batches);
        status = printed ? printed : status;
    }
    return status;
}

static int run_trial(struct trial *trial, struct tally_err *err)
{
    struct inbox inbox;

    if (!inbox_open(&inbox, trial->state, err)) {
        return -1;
    }
    bool ok = disk_mkdir(inbox.state_fd, "files", 0700, err) &&
              (trial->files_fd =
                   disk_open(inbox.state_fd, "files", O_RDONLY | O_DIRECTORY, 0, err)) >= 0 &&
              copy_files(trial->files_fd, trial->files, trial->files_count, err) &&
              copy_ledger(trial->config, inbox.state_fd, err);
    int status = ok ? take_in(trial, &inbox, err) : -1;
    disk_close(trial->files_fd);
    inbox_close(&inbox);
    return status;
}

int dry_run(const struct config *config, const char *tally, char *const *files, size_t files_count)
{
    struct config own = *config;
    struct trial trial = {
        .config = &own, .tally = tally, .files = files, .files_count = files_count, .files_fd = -1};
    const char *folder = getenv("TMPDIR");
    struct tally_err err;
    struct tally_err ignored;

    own.metrics = NULL; // those of the daemon stay
    for (size_t i = 0; i < files_count; i++) {
        if (!may_be_feed(files[i])) {
            return EX_USAGE;
        }
    }
    snprintf(trial.state, sizeof trial.state, "%.200s/tallyd-dry-run-XXXXXX",
             folder && *folder ? folder : "/tmp");
    if (!mkdtemp(trial.state)) {
        fprintf(stderr, "tallyd: cannot make %s: %s\n", trial.state, strerror(errno));
        return EX_CANTCREAT;
    }
    int status = run_trial(&trial, &err);
    if (status < 0) {
        log_failure(LOG_ERROR, "dry_run_failed", NULL, &err);
        status = err.code == TALLY_NOT_FOUND ? EX_NOINPUT
                 : err.code == TALLY_CORRUPT ? EX_CONFIG
                                             : EX_IOERR;
    }
    disk_remove_tree(AT_FDCWD, trial.state, &ignored);
    return status;
}
