// tally rollups: what rollups the state directory holds.
#include "report/run.h"

#include "base/disk.h"
#include "report/origin.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_columns(struct sheet *sheet)
{
    sheet_add_column(sheet, SHEET_TEXT, 0, "", "rollup", "");
    sheet_add_column(sheet, SHEET_TEXT, 0, "", "feeds", "");
    sheet_add_column(sheet, SHEET_COUNT, 0, "", "groups", "");
    sheet_add_column(sheet, SHEET_COUNT, 0, "", "cells", "");
    sheet_add_column(sheet, SHEET_DAY, 0, "", "first_day", "");
    sheet_add_column(sheet, SHEET_DAY, 0, "", "last_day", "");
    sheet_add_column(sheet, SHEET_NUMBER, 0, "", "generation", "");
    sheet_add_column(sheet, SHEET_COUNT, 0, "", "bytes", "");
    sheet_add_column(sheet, SHEET_TEXT, 0, "", "digest", "");
    sheet_rank(sheet, "digest", 3);
    sheet_rank(sheet, "bytes", 2);
    sheet_rank(sheet, "cells", 2);
    sheet_rank(sheet, "groups", 1);
}

static const char *join_feeds(struct sheet *sheet, const struct rollup_def *def)
{
    const char *feeds = "";

    for (size_t i = 0; i < def->feeds_count; i++) {
        feeds = sheet_printf(sheet, "%s%s%s", feeds, i ? " " : "", def->feeds[i].name);
    }
    return feeds;
}

static bool add_row(struct sheet *sheet, const struct rollup *rollup, struct tally_err *err)
{
    char digest[DIGEST_TEXT_BYTES];
    const struct rollup_def *def = rollup_def(rollup);
    struct sheet_value *at = sheet_add_row(sheet, err);

    if (!at) {
        return false;
    }
    *at++ = sheet_copy(sheet, def->name, strlen(def->name));
    *at++ = sheet_name(join_feeds(sheet, def));
    *at++ = sheet_number((bytes_i128)rollup_groups(rollup));
    *at++ = sheet_number(rollup_cells(rollup));
    if (rollup_any_day(rollup)) {
        at[0] = sheet_number(rollup_first_day(rollup));
        at[1] = sheet_number(rollup_last_day(rollup));
    }
    at += 2;
    *at++ = sheet_number(rollup_generation(rollup));
    *at++ = sheet_number(rollup_bytes(rollup));
    digest_format(rollup_digest(rollup), digest);
    *at = sheet_copy(sheet, digest, strlen(digest));
    return true;
}

// A rollup that cannot be read must not hide the others: it is named, and the exit status says it.
static bool add_rollups(struct sheet *sheet, const struct options *options, const char *dir,
                        struct print *print, struct tally_err *damage, struct tally_err *err)
{
    struct disk_names names;

    if (!disk_list(AT_FDCWD, dir, &names, err)) {
        return origin_hint(options, err);
    }
    bool done = true;
    for (size_t i = 0; done && i < names.count; i++) {
        size_t bytes = strlen(names.name[i]);
        if (bytes <= 7 || strcmp(names.name[i] + bytes - 7, ".rollup") != 0) {
            continue;
        }
        const char *path = sheet_printf(sheet, "%s/%s", dir, names.name[i]);
        struct rollup *rollup = rollup_open(AT_FDCWD, path, damage);
        if (rollup) {
            done = add_row(sheet, rollup, err);
            rollup_close(rollup);
        } else {
            print_warning(print, "%s: %s", names.name[i], damage->message);
        }
    }
    disk_names_done(&names);
    return done;
}

static bool show(struct sheet *sheet, const struct options *options, struct print *print,
                 struct tally_err *err)
{
    struct tally_err damage = {.code = TALLY_OK};
    char *state = origin_state_dir(options, err);

    if (!state) {
        return false;
    }
    const char *dir = sheet_printf(sheet, "%s/rollup", state);
    free(state);
    add_columns(sheet);
    sheet->title = sheet_printf(sheet, "Rollups in %s", dir);
    if (!add_rollups(sheet, options, dir, print, &damage, err) ||
        (options->sort && !sheet_sort(sheet, options->sort, err))) {
        return false;
    }
    if (options->limited) {
        sheet_limit(sheet, options->limit);
    }
    if (!print_end(print, sheet, err)) {
        return false;
    }
    if (damage.code != TALLY_OK) {
        *err = damage;
    }
    return damage.code == TALLY_OK;
}

bool run_rollups(const struct options *options, struct print *print, struct tally_err *err)
{
    struct sheet sheet;

    sheet_init(&sheet);
    bool done = show(&sheet, options, print, err);
    sheet_done(&sheet);
    return done;
}
