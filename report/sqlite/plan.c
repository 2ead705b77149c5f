#include "report/sqlite/plan.h"

#include <stdlib.h>
#include <string.h>

SQLITE_EXTENSION_INIT3

enum { GROUPS_EXPECTED = 1 << 20, VALUES_EXPECTED = 16 };

#define IMPOSSIBLE_COST 1e99

struct plan {
    sqlite3_index_info *info;
    const struct columns *columns;
    int constraint[ARGUMENTS + TALLY_DIMS_MAX]; // that it takes, in the order of argv
    int count;
    int dims_count; // of these, on dimensions
    bool argument[ARGUMENTS];
    bool not_yet[ARGUMENTS]; // there, but of a table that comes later in this order of joining
    bool too_many;           // one behind the last argument falls on groups_read
};

static bool takes_column(const struct plan *plan, int column)
{
    for (int i = 0; i < plan->count; i++) {
        if (plan->info->aConstraint[plan->constraint[i]].iColumn == column) {
            return true;
        }
    }
    return false;
}

static void take_constraint(struct plan *plan, int constraint)
{
    int column = plan->info->aConstraint[constraint].iColumn;
    bool is_dim = columns_may_be_dim(plan->columns, (size_t)column);

    plan->constraint[plan->count++] = constraint;
    plan->dims_count += is_dim;
    plan->info->aConstraintUsage[constraint].argvIndex = plan->count;
    // SQLite compares dimensions once more: what is one here may be a figure in the next rollup.
    plan->info->aConstraintUsage[constraint].omit = !is_dim;
}

static bool is_by_bytes(const struct plan *plan, int constraint)
{
    return sqlite3_stricmp(sqlite3_vtab_collation(plan->info, constraint), "BINARY") == 0;
}

static void look_at(struct plan *plan, int constraint)
{
    const struct sqlite3_index_constraint *at = &plan->info->aConstraint[constraint];

    if (at->op != SQLITE_INDEX_CONSTRAINT_EQ || at->iColumn < 0 ||
        takes_column(plan, at->iColumn)) {
        return;
    }
    struct column column = columns_fixed(plan->columns, (size_t)at->iColumn);
    plan->too_many |= column.kind == COLUMN_GROUPS_READ;
    if (column.kind == COLUMN_ARGUMENT) {
        plan->argument[column.index] |= at->usable;
        plan->not_yet[column.index] |= !at->usable;
        if (at->usable) {
            take_constraint(plan, constraint);
        }
        return;
    }
    if (at->usable && columns_may_be_dim(plan->columns, (size_t)at->iColumn) &&
        plan->dims_count < TALLY_DIMS_MAX && is_by_bytes(plan, constraint)) {
        take_constraint(plan, constraint);
    }
}

static bool is_needed(enum columns_argument argument)
{
    return argument != ARGUMENT_END && argument != ARGUMENT_BASIS;
}

// SQLITE_CONSTRAINT: not in this order of joining. *out_whole: no argument is missing. A plan where
// one is makes no error: SQLite asks for plans of a part of the conditions as well.
static int check_arguments(const struct plan *plan, bool *out_whole)
{
    const struct columns *columns = plan->columns;

    *out_whole = !plan->too_many;
    for (size_t i = columns_visible(columns); i < columns_count(columns); i++) {
        struct column column = columns_fixed(columns, i);
        if (column.kind != COLUMN_ARGUMENT || plan->argument[column.index]) {
            continue;
        }
        if (plan->not_yet[column.index]) {
            return SQLITE_CONSTRAINT;
        }
        *out_whole = *out_whole && !is_needed((enum columns_argument)column.index);
    }
    return SQLITE_OK;
}

static char *make_text(const struct plan *plan)
{
    sqlite3_str *text = sqlite3_str_new(NULL);

    sqlite3_str_appendf(text, "%llx ", plan->info->colUsed);
    for (int i = 0; i < plan->count; i++) {
        sqlite3_str_appendf(text, "%d,", plan->info->aConstraint[plan->constraint[i]].iColumn);
    }
    for (int i = 0; i < plan->count; i++) {
        size_t column = (size_t)plan->info->aConstraint[plan->constraint[i]].iColumn;
        sqlite3_str_appendf(text, " %s%s", columns_name(plan->columns, column),
                            columns_may_be_dim(plan->columns, column) ? "=" : "");
    }
    return sqlite3_str_finish(text);
}

int plan_make(const struct columns *columns, sqlite3_index_info *info)
{
    struct plan plan = {.info = info, .columns = columns};
    bool whole;

    for (int i = 0; i < info->nConstraint; i++) {
        look_at(&plan, i);
    }
    int code = check_arguments(&plan, &whole);
    if (code != SQLITE_OK) {
        return code;
    }
    info->estimatedRows = GROUPS_EXPECTED;
    for (int i = 0; i < plan.dims_count; i++) {
        info->estimatedRows = info->estimatedRows / VALUES_EXPECTED + 1;
    }
    info->estimatedCost = whole ? (double)info->estimatedRows : IMPOSSIBLE_COST;
    info->idxNum = whole;
    info->idxStr = make_text(&plan);
    info->needToFreeIdxStr = 1;
    return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

uint64_t plan_used(const char *plan)
{
    return strtoull(plan, NULL, 16);
}

const char *plan_positions(const char *plan)
{
    return strchr(plan, ' ') + 1;
}

size_t plan_next(const char **positions)
{
    char *end;
    size_t position = strtoul(*positions, &end, 10);

    *positions = end + 1;
    return position;
}
