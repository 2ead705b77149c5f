// tests/cluster/failing.h - a scenario in which everything fails once (failures.c), and what the
// scenarios have in common: feeds, files, rollups.
#ifndef TESTS_CLUSTER_FAILING_H
#define TESTS_CLUSTER_FAILING_H

#include "store/rollup_def.h"
#include "store/store.h"
#include "tests/cluster/memo.h"

#include <stdbool.h>
#include <stddef.h>

struct failing {
    const char *name;
    enum memo_root root;
    // In the short form what follows a failure is looked at in each so-manieth state of the
    // servers, and there for all failures: only the first one has to ask real servers.
    size_t sparse;
    void (*prepare)(void); // once, undisturbed: what the others compare with
    void (*finish)(void);  // once, at the end
    void (*enter)(void);   // makes what a run needs
    bool (*play)(struct tally_err *err);
    void (*go_on)(void);   // after a failure, with what is still open
    void (*recover)(void); // closes all, opens it anew, and checks
    void (*leave)(void);   // closes and removes all
};

extern bool failing_lied; // a server told what is not so: nobody can say what comes of it
extern const struct failing failing_schema;
extern const struct failing failing_store;
extern const struct failing failing_move;

// Ends the program unless it is so.
#define MUST(condition, err)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            failing_end(__FILE__, __LINE__, #condition, err);                                      \
        }                                                                                          \
    } while (0)
_Noreturn void failing_end(const char *file, int line, const char *what,
                           const struct tally_err *err);

// ---- files (failing_files.c) ------------------------------------------------------------------

enum { TOLD_FEEDS = 3, TOLD_FILES = 16, TOLD_DEFS = 2 };

extern const struct store_feed told_feeds[TOLD_FEEDS];
extern struct rollup_def told_defs[TOLD_DEFS];

// Keys follow from the clock: so each file has the same one in each run, whatever failed before it.
enum told_phase { TOLD_PLAY, TOLD_GO_ON, TOLD_RECOVER };
void told_begin(enum told_phase phase);

void told_open(void); // shapes and rollups
void told_close(void);
size_t told_count(void);
bool told_by_other(size_t index); // another daemon takes it in
struct digest told_digest(size_t index);
// Begins, appends, seals; one that has to be refused leaves a note.
bool told_take(struct store *store, size_t index, struct tally_err *err);

// The digests of both rollups that the store has published.
struct told_figures {
    struct digest of[TOLD_DEFS];
};
bool told_publish(struct store *store, int dir_fd, struct told_figures *out, struct tally_err *err);
bool told_equal(const struct told_figures *a, const struct told_figures *b);

void told_make_dir(char dir[48], int *out_fd);
void told_remove_dir(const char *dir, int fd);

#endif
