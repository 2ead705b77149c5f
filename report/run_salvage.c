// tally salvage DIR: what is whole of a damaged ledger, in a new state directory; what is lost.
#include "report/run.h"

#include "base/disk.h"
#include "report/lost.h"
#include "report/origin.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

// A new state directory with an empty `ledger`.
static int make_ledger(const char *path, struct tally_err *err)
{
    struct disk_names names;

    if (!disk_mkdir(AT_FDCWD, path, 0755, err)) {
        return -1;
    }
    int fd = disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0 || !disk_list(fd, ".", &names, err)) {
        disk_close(fd);
        return -1;
    }
    bool empty = names.count == 0;
    disk_names_done(&names);
    int ledger_fd = -1;
    if (!empty) {
        err_set(err, TALLY_INVALID, "%.150s is not empty: name a new folder", path);
    } else if (disk_mkdir(fd, "ledger", 0750, err) && disk_mkdir(fd, "rollup", 0755, err) &&
               disk_sync_dir(fd, err)) {
        ledger_fd = disk_open(fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err);
    }
    disk_close(fd);
    return ledger_fd;
}

static bool on_lost(void *context, const struct salvage_lost *lost, struct tally_err *err)
{
    struct sheet *sheet = context;
    struct sheet_value *at = sheet_add_row(sheet, err);

    if (!at) {
        return false;
    }
    at[0] = sheet_name(lost_batches(sheet, lost));
    at[1] = sheet_copy(sheet, lost->file, lost->file_bytes);
    at[2] = sheet_name(lost_place(sheet, lost));
    at[3] = sheet_copy(sheet, lost->why, strlen(lost->why));
    return true;
}

static bool copy(struct sheet *sheet, int from_fd, const char *path, struct print *print,
                 struct salvage_counts *counts, struct tally_err *err)
{
    struct salvage_visitor visitor = {.context = sheet, .on_lost = on_lost};
    int to_fd = make_ledger(path, err);
    bool done = to_fd >= 0 && salvage(from_fd, to_fd, &visitor, counts, err);

    disk_close(to_fd);
    if (!done) {
        return false;
    }
    sheet->title =
        sheet_printf(sheet, "Lost; %llu batches and %llu notes are whole, in %s/ledger",
                     (unsigned long long)counts->batches, (unsigned long long)counts->notes, path);
    return print_end(print, sheet, err);
}

bool run_salvage(const struct options *options, struct print *print, struct tally_err *err)
{
    struct salvage_counts counts;
    struct sheet sheet;
    int from_fd = origin_open_segments(options, err);

    if (from_fd < 0) {
        return false;
    }
    sheet_init(&sheet);
    sheet_add_column(&sheet, SHEET_TEXT, 0, "", "lost", "");
    sheet_add_column(&sheet, SHEET_TEXT, 0, "", "file", "");
    sheet_add_column(&sheet, SHEET_TEXT, 0, "", "place", "");
    sheet_add_column(&sheet, SHEET_TEXT, SHEET_FOLDS, "", "reason", "");
    bool done = copy(&sheet, from_fd, options->args[0], print, &counts, err);
    sheet_done(&sheet);
    disk_close(from_fd);
    if (done && counts.lost > 0) {
        return err_set(err, TALLY_CORRUPT, "%llu lost; %llu batches and %llu notes are whole",
                       (unsigned long long)counts.lost, (unsigned long long)counts.batches,
                       (unsigned long long)counts.notes);
    }
    return done;
}
