// The files that the scenarios tell: all kinds of batches, and what is refused.
#include "base/disk.h"
#include "store/rollup_read.h"
#include "tests/cluster/failing.h"
#include "tests/unit/fail.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_MAX = 6, SHAPES = 4, UNKNOWN = -1, ATTACKS = 0, SWAPPED, CENSUS, RELEASE };

struct told_row {
    enum rows_op op;
    const char *id;
    const char *revision;
    int32_t day;
    int32_t lasts; // days beyond the first
    const char *dim[2];
    int64_t measure[2];
};

struct told {
    const char *name;
    int shape;
    enum batch_mode mode;
    bool scoped;
    bool by_other;
    bool refused;
    bool aborted;
    bool alone; // is synced by itself
    unsigned rejects;
    uint64_t content; // another file of this one is the same one
    struct told_row row[ROWS_MAX];
};

#define PUT(id_, revision_, day_, lasts_, a, b, m, n)                                              \
    {                                                                                              \
        .op = ROWS_PUT, .id = (id_), .revision = (revision_), .day = (day_), .lasts = (lasts_),    \
        .dim = {a, b}, .measure = {                                                                \
            m,                                                                                     \
            n                                                                                      \
        }                                                                                          \
    }
#define GONE(id_, revision_)                                                                       \
    {                                                                                              \
        .op = ROWS_WITHDRAW, .id = (id_), .revision = (revision_)                                  \
    }
#define KEEP(id_)                                                                                  \
    {                                                                                              \
        .op = ROWS_KEEP, .id = (id_), .revision = ""                                               \
    }

static const struct told files[TOLD_FILES] = {
    {.name = "attacks-1.csv",
     .alone = true,
     .rejects = 2,
     .content = 1,
     .row = {PUT("A1", "1", 10, 4, "Kabul", "civil", 3, 1), PUT("A2", "1", 11, 0, "", "army", 2, 0),
             PUT("A3", "2020-01-01", 12, 0, "Bal\\kh's\n", "", UNKNOWN, 7),
             PUT("A5", "2", 13, 0, "Herat", "civil", 1, 1)}},
    {.name = "aborted.csv",
     .aborted = true,
     .content = 2,
     .row = {PUT("A1", "9", 10, 0, "Kabul", "civil", 900, 0)}},
    {.name = "attacks-2.csv",
     .content = 3,
     .row = {PUT("A1", "2", 10, 1, "Herat", "civil", 5, UNKNOWN),
             PUT("A2", "1", 11, 0, "", "army", 2, 0), PUT("A5", "1", 13, 0, "Kabul", "civil", 8, 8),
             PUT("A4", "1", 14, 0, "Kabul", "police", 1, 1),
             PUT("A4", "2", 14, 0, "Kabul", "police", 2, 1)}},
    {.name = "gone.csv",
     .mode = BATCH_DELETIONS,
     .alone = true,
     .content = 4,
     .row = {GONE("A4", "3"), GONE("A9", "5"), GONE("A2", ""), GONE("A8", "")}},
    {.name = "again.csv",
     .content = 3,
     .row = {PUT("A1", "2", 10, 1, "Herat", "civil", 5, UNKNOWN)}},
    {.name = "census-1.csv",
     .shape = CENSUS,
     .mode = BATCH_SNAPSHOT,
     .scoped = true,
     .content = 5,
     .row = {PUT("C1", "5", 10, 0, "Kabul", NULL, 3, 0), PUT("C2", "5", 10, 0, "Herat", NULL, 4, 0),
             PUT("C3", "5", 10, 0, "", NULL, 5, 0), PUT("C4", "5", 11, 0, "Kabul", NULL, 1, 0)}},
    {.name = "census-2.csv",
     .shape = CENSUS,
     .mode = BATCH_SNAPSHOT,
     .scoped = true,
     .alone = true,
     .content = 6,
     .row = {PUT("C1", "5", 10, 0, "Kabul", NULL, 3, 0), PUT("C5", "6", 12, 2, "Kabul", NULL, 2, 0),
             PUT("C3", "6", 12, 0, "Mali", NULL, 5, 0)}},
    // Not in force for Kabul, of which it says what is kept, and another thing.
    {.name = "census-old.csv",
     .shape = CENSUS,
     .mode = BATCH_SNAPSHOT,
     .scoped = true,
     .content = 7,
     .row = {PUT("C1", "5", 10, 0, "Kabul", NULL, 3, 0), PUT("C5", "4", 12, 2, "Kabul", NULL, 9, 0),
             PUT("C1", "4", 10, 0, "Kabul", NULL, 3, 0), PUT("C8", "4", 12, 0, "Balkh", NULL, 1, 0),
             KEEP("C9")}},
    // An id in a scope that is not in force, and in another one.
    {.name = "census-torn.csv",
     .shape = CENSUS,
     .mode = BATCH_SNAPSHOT,
     .scoped = true,
     .refused = true,
     .content = 8,
     .row = {PUT("C1", "5", 10, 0, "Kabul", NULL, 3, 0), PUT("C1", "4", 10, 0, "Zabul", NULL, 3, 0),
             PUT("C8", "5", 12, 0, "Balkh", NULL, 1, 0)}},
    {.name = "release-1.csv",
     .shape = RELEASE,
     .mode = BATCH_SNAPSHOT,
     .content = 9,
     .row = {PUT("R1", "", 10, 0, "Chad", NULL, 3, 0), PUT("R2", "", 10, 0, "Mali", NULL, 4, 0),
             PUT("R3", "", 11, 0, "Mali", NULL, 4, 0)}},
    {.name = "release-2.csv",
     .shape = RELEASE,
     .mode = BATCH_SNAPSHOT,
     .rejects = 1,
     .content = 10,
     .row = {PUT("R1", "", 10, 0, "Chad", NULL, 2, 0), KEEP("R2")}},
    {.name = "empty.csv",
     .shape = RELEASE,
     .mode = BATCH_SNAPSHOT,
     .refused = true,
     .alone = true,
     .content = 11},
    {.name = "others.csv",
     .by_other = true,
     .alone = true,
     .content = 12,
     .row = {PUT("A1", "3", 10, 1, "Herat", "civil", 6, 2),
             PUT("A7", "1", 20, 0, "Kunduz", "civil", 1, 1)}},
    {.name = "swapped.csv",
     .shape = SWAPPED,
     .content = 13,
     .row = {PUT("A7", "2", 20, 0, "civil", "Kunduz", 4, 2),
             PUT("A6", "x1", 21, 0, "army", "Balkh", 1, 0)}},
    {.name = "nothing.csv", .content = 14},
    {.name = "late.csv",
     .alone = true,
     .content = 15,
     .row = {PUT("A4", "4", 14, 0, "Kabul", "police", 3, 3), PUT("A9", "5", 14, 0, "", "", 1, 1)}},
};

const struct store_feed told_feeds[TOLD_FEEDS] = {
    {.name = "attacks", .by_revision = true}, {.name = "census"}, {.name = "release"}};
struct rollup_def told_defs[TOLD_DEFS];
static struct shape *shapes[SHAPES];

// ---- shapes, rollups, folders -----------------------------------------------------------------

void told_open(void)
{
    static const char *const dims[SHAPES][2] = {
        {"place", "kind"}, {"kind", "place"}, {"place"}, {"country"}};
    static const char *const measures[SHAPES][2] = {
        {"killed", "wounded"}, {"wounded", "killed"}, {"dead"}, {"dead"}};
    static const char *const feeds[SHAPES] = {"attacks", "attacks", "census", "release"};
    struct tally_err err;

    for (size_t i = 0; i < SHAPES; i++) {
        size_t count = i < CENSUS ? 2 : 1;
        shapes[i] = shape_open(feeds[i], dims[i], count, measures[i], count, &err);
        MUST(shapes[i], &err);
    }
    MUST(rollup_def_set_name(&told_defs[0], "all", &err) &&
             rollup_def_add_feed(&told_defs[0], "attacks", &err) &&
             rollup_def_add_feed(&told_defs[0], "census", &err) &&
             rollup_def_add_feed(&told_defs[0], "release", &err) &&
             rollup_def_add_dim(&told_defs[0], "feed", &err) &&
             rollup_def_add_dim(&told_defs[0], "place", &err) &&
             rollup_def_add_measure(&told_defs[0], "killed", &err) &&
             rollup_def_add_measure(&told_defs[0], "dead", &err) &&
             rollup_def_add_window(&told_defs[0], 7, &err),
         &err);
    MUST(rollup_def_set_name(&told_defs[1], "some", &err) &&
             rollup_def_add_feed(&told_defs[1], "attacks", &err) &&
             rollup_def_add_dim(&told_defs[1], "kind", &err) &&
             rollup_def_add_measure(&told_defs[1], "wounded", &err) &&
             rollup_def_add_filter(&told_defs[1], "place", "! Nowhere, Zab*, \"Over, there\"",
                                   &err) &&
             rollup_def_add_filter(&told_defs[1], "kind", "civil, army, it?\\*", &err) &&
             rollup_def_add_window(&told_defs[1], 50, &err),
         &err);
}

void told_close(void)
{
    for (size_t i = 0; i < SHAPES; i++) {
        shape_close(shapes[i]);
    }
    for (size_t i = 0; i < TOLD_DEFS; i++) {
        rollup_def_done(&told_defs[i]);
    }
}

void told_make_dir(char dir[48], int *out_fd)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct tally_err err = {0};

    snprintf(dir, 48, "%s/tally-fail-XXXXXX", parent);
    MUST(mkdtemp(dir), &err);
    *out_fd = disk_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &err);
    MUST(*out_fd >= 0, &err);
}

void told_remove_dir(const char *dir, int fd)
{
    struct tally_err err;

    disk_close(fd);
    MUST(disk_remove_tree(AT_FDCWD, dir, &err), &err);
}

// ---- files ------------------------------------------------------------------------------------

size_t told_count(void)
{
    return TOLD_FILES;
}

bool told_by_other(size_t index)
{
    return files[index].by_other;
}

struct digest told_digest(size_t index)
{
    return (struct digest){files[index].content, 7};
}

static bool add_row(struct rows *rows, const struct told_row *from, struct tally_err *err)
{
    const struct revision revision = revision_of_text(from->revision, strlen(from->revision));
    struct row *row = rows_add(rows, err);

    if (!row || !rows_add_text(rows, from->id, strlen(from->id), &row->id, err) ||
        !rows_add_text(rows, from->revision, strlen(from->revision), &row->revision_text, err)) {
        return false;
    }
    row->op = from->op;
    row->record = rows->count;
    row->line = rows->count + 1;
    row->first_day = from->day;
    row->last_day = from->day + from->lasts;
    row->revision_kind = revision.kind;
    row->revision_number = revision.number;
    for (uint32_t i = 0; i < rows->shape->dims_count; i++) {
        const char *text = from->dim[i] ? from->dim[i] : "";
        struct rows_span at;
        if (!rows_add_text(rows, text, strlen(text), &at, err) ||
            !rows_add_new_text(rows, i, at, err)) {
            return false;
        }
        // One code a row. The empty text has the first one, and is never told.
        rows_dims(rows, rows->count - 1)[i] = text[0] ? (uint32_t)rows->count : 0;
    }
    for (size_t i = 0; i < rows->shape->measures_count; i++) {
        if (from->op == ROWS_PUT && from->measure[i] != UNKNOWN) {
            rows->row[rows->count - 1].reported |= UINT64_C(1) << i;
            rows_measures(rows, rows->count - 1)[i] = from->measure[i];
        }
    }
    return true;
}

static bool fill(struct rows *rows, const struct told *file, struct tally_err *err)
{
    rows_clear(rows, shapes[file->shape]);
    for (size_t i = 0; i < ROWS_MAX && file->row[i].id; i++) {
        if (!add_row(rows, &file->row[i], err)) {
            return false;
        }
    }
    for (unsigned i = 0; i < file->rejects; i++) {
        struct rows_reject *reject = rows_add_reject(rows, err);
        if (!reject || !rows_add_text(rows, "no date", 7, &reject->detail, err) ||
            !rows_add_text(rows, "A9,soon", 7, &reject->raw, err)) {
            return false;
        }
        reject->record = 20 + i;
        reject->line = 21 + i;
        reject->offset = 100;
        reject->reason = "date-unreadable";
    }
    return true;
}

static bool note(struct store *store, const struct told *file, const struct store_file_end *end,
                 struct tally_err *err)
{
    struct tally_err why = *err;

    return store_abort(store, err) && store_note(store, FILE_REJECTED, shapes[file->shape]->feed,
                                                 file->name, end, "1:2", why.message, err);
}

static bool tell(struct store *store, const struct told *file, const struct rows *rows,
                 struct tally_err *err)
{
    struct store_file begin = {.mode = file->mode,
                               .feed = shapes[file->shape]->feed,
                               .name = file->name,
                               .header = "id,rev,date",
                               .scope_dim = file->scoped ? 0 : -1,
                               .shape = shapes[file->shape]};
    struct store_file_end end = {.digest = {file->content, 7},
                                 .time_ms = 1600000000000 + (int64_t)file->content * 1000,
                                 .bytes = 100,
                                 .records = rows->count + file->rejects,
                                 .rejected = file->rejects,
                                 .any_day = file->mode != BATCH_DELETIONS,
                                 .first_day = 10,
                                 .last_day = 22};
    struct store_outcome outcome;

    if (!store_begin(store, &begin, err) || !store_append(store, rows, err)) {
        return false;
    }
    if (file->aborted) {
        return store_abort(store, err);
    }
    bool ok = store_seal(store, &end, &outcome, err);
    if (ok && file->refused) {
        return err_set(err, TALLY_INVALID, "%s is not refused", file->name);
    }
    if (!ok && file->refused && err->code == TALLY_REFUSED) {
        ok = note(store, file, &end, err);
    }
    return ok && (!file->alone || store_sync(store, err));
}

static int64_t phase_s;

void told_begin(enum told_phase phase)
{
    phase_s = 1600000000 + 1000 * (int64_t)phase;
    memo_clock(phase_s);
}

bool told_take(struct store *store, size_t index, struct tally_err *err)
{
    struct rows rows;

    memo_clock(phase_s + 10 * (int64_t)index);
    rows_init(&rows);
    bool ok = fill(&rows, &files[index], err) && tell(store, &files[index], &rows, err);
    rows_done(&rows);
    return ok;
}

// ---- figures ----------------------------------------------------------------------------------

static bool read_digest(int dir_fd, const char *name, struct digest *out, struct tally_err *err)
{
    int fd = disk_open(dir_fd, "rollup", O_RDONLY | O_DIRECTORY, 0, err);
    struct rollup *rollup = fd >= 0 ? rollup_open(fd, name, err) : NULL;
    bool ok = rollup && rollup_verify(rollup, err);

    if (ok) {
        *out = rollup_digest(rollup);
    }
    rollup_close(rollup);
    disk_close(fd);
    return ok;
}

bool told_publish(struct store *store, int dir_fd, struct told_figures *out, struct tally_err *err)
{
    if (!store_sync(store, err) || !store_publish(store, err)) {
        return false;
    }
    fail_pause();
    bool ok = read_digest(dir_fd, "all.rollup", &out->of[0], err) &&
              read_digest(dir_fd, "some.rollup", &out->of[1], err);
    fail_resume();
    return ok;
}

bool told_equal(const struct told_figures *a, const struct told_figures *b)
{
    return digest_equal(a->of[0], b->of[0]) && digest_equal(a->of[1], b->of[1]);
}
