// daemon/config_keys.h - the keys of [tallyd]: one table for parser and help. Those of
// [store] are store/cluster/options.h's.
#ifndef DAEMON_CONFIG_KEYS_H
#define DAEMON_CONFIG_KEYS_H

#include "daemon/config.h"
#include "base/config_entries.h"

// Sets every key of [tallyd] to what holds without it; `presets` as config_load takes it.
bool config_keys_default(struct config *config, const char *presets, struct tally_err *err);

// Sets one key. Errors: TALLY_INVALID saying what is wrong and what would be right.
bool config_keys_set(struct config *config, const struct config_entry *entry,
                     struct tally_err *err);

#endif
