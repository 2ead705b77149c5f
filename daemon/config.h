// daemon/config.h - the configuration: files in, checked feeds and rollups out.
//
//   /etc/tallyd/tallyd.conf, then /etc/tallyd/tallyd.conf.d/*.conf in order of name
//        [tallyd]  one                 -> paths, limits, intervals
//        [store]   one                 -> where the ledger is
//        [feed NAME]  any number       -> struct feed; `preset = X` first reads PRESETS/X.conf
//        [rollup NAME]  any number     -> struct rollup_def
//
// The same key in a later file replaces the earlier one. All mistakes are told, each with its
// file and line, not only the first.
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include "base/err.h"
#include "ingest/feed.h"
#include "ingest/ingest.h"
#include "store/cluster/options.h"
#include "store/rollup_def.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct config {
    char *state;                  // directory
    char *presets;                // directory of NAME.conf
    char *control;                // path of the control socket; NULL: none
    char *metrics;                // path of the metrics' file; NULL: none
    uint64_t metrics_interval_ms; // between two of its versions
    struct ingest_limits limits;
    uint64_t scan_interval_ms;    // between looks at the inbox, beside the kernel's hints
    uint64_t settle_ms;           // a file found without a hint has to be this old
    uint64_t publish_interval_ms; // rollups are written at most so often while files wait;
                                  // of a store that others write to: the time between two looks
    uint64_t segment_bytes_max;   // of the ledger
    uint64_t patch_from_bytes;    // rollup files of this size and more have patches
    struct cluster_options cluster;
    struct feed **feeds;
    size_t feeds_count;
    struct store_feed *store_feeds; // what the store is told of them
    size_t store_feeds_count;
    struct rollup_def *defs;
    size_t defs_count;
};

// Told once for each mistake.
typedef void config_on_mistake(void *context, const struct tally_err *mistake);

// `presets`: where shipped feeds are, unless the configuration says otherwise.
// False when there was any mistake.
bool config_load(struct config *config, const char *path, const char *presets,
                 config_on_mistake *on_mistake, void *context);
void config_done(struct config *config);

// The keys of [tallyd], [store] and [rollup NAME], and `preset`, for help and the manual. What else
// a feed has is feed_key_at's.
struct config_key_help {
    const char *section;
    const char *name;
    const char *value;
    const char *fallback;
    const char *help;
};
size_t config_keys_count(void);
struct config_key_help config_key_at(size_t index);

#endif
