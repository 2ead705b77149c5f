// store/cluster/schema_private.h - what the files behind schema.h share.
//
//   schema.c         on every host: what is there, what is missing, what differs
//   schema_tables.c  the tables as statements
//   schema_views.c   the views as statements, of the rollups
//   schema_cells.c   the cells of one rollup, as a question to one shard
#ifndef STORE_CLUSTER_SCHEMA_PRIVATE_H
#define STORE_CLUSTER_SCHEMA_PRIVATE_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/cluster/options.h"
#include "store/rollup_def.h"

#include <stdbool.h>
#include <stddef.h>

struct schema_table {
    const char *name;      // of the Distributed table; that of a shard has _local behind it
    const char *columns;   // "name Type, name Type"
    const char *partition; // expression, or NULL
    const char *order;     // expression, without parentheses
    const char *version;   // column: of equal rows the greatest stays; or NULL
    unsigned granularity;  // rows between two marks; 0: the server's
    const char *sharding;  // expression: which shard a row goes to
};

size_t schema_tables_count(void);
const struct schema_table *schema_table_at(size_t index);
// "database.name" + suffix, quoted.
void schema_put_name(struct bytes *sql, const char *database, const char *name, const char *suffix);
void schema_put_local(struct bytes *sql, const struct schema_table *table, const char *database,
                      bool replicated);
void schema_put_distributed(struct bytes *sql, const struct schema_table *table,
                            const struct cluster_options *options);

// All dimensions and measures of some rollups, each once: the columns of the views.
struct schema_names {
    const char **dim;
    const char **measure;
    size_t dims_count;
    size_t measures_count;
};
// Errors: TALLY_NO_MEMORY.
bool schema_names_init(struct schema_names *names, const struct rollup_def *defs, size_t defs_count,
                       struct tally_err *err);
void schema_names_done(struct schema_names *names);

// The inner names of columns are _rollup, _d0 _d1 ..., _m0 _r0 _m1 _r1 ... in the order of
// schema_names: whatever the outer ones are, they are no trouble.
//
// SELECT ... of all sums of one shard for one rollup: _rollup, _d0 ..., _first, _last, _n, _m0,
// _r0...
void schema_put_cells(struct bytes *sql, const char *database, const struct rollup_def *def,
                      const struct schema_names *names);
// `text` passes the filter: an expression of one text column.
void schema_put_filter(struct bytes *sql, const struct filter *filter, const char *text);

// The views, in the order in which they can be made.
struct schema_view {
    const char *name;
    struct bytes sql; // CREATE ...
};
enum { SCHEMA_VIEWS = 7 };
struct schema_views {
    struct schema_view view[SCHEMA_VIEWS];
};
// Errors: TALLY_NO_MEMORY. schema_views_done is due all the same.
bool schema_views_init(struct schema_views *views, const struct cluster_options *options,
                       const struct rollup_def *defs, size_t defs_count, struct tally_err *err);
void schema_views_done(struct schema_views *views);

#endif
