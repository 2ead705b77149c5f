// tests/unit/store_case.h - a store in a folder of its own, and files of rows told in one line.
//
//     case_file(&room, BATCH_UPSERT, "one.csv", ROWS(ROW("a", 10, "Chad", 3)));
#ifndef TESTS_STORE_CASE_H
#define TESTS_STORE_CASE_H

#include "base/disk.h"
#include "store/embedded.h"
#include "tests/state_dump.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { CASE_UNKNOWN = -1 }; // a measure that was not reported

struct case_row {
    const char *id;
    int32_t day;
    const char *country; // NULL: unknown
    int64_t killed;
    const char *revision; // NULL: none
    int32_t lasts;        // days beyond the first
    enum rows_op op;
};

// Id, first day, country, killed; with a revision in front of them.
#define ROW(...) ROW_AT(NULL, __VA_ARGS__)
#define ROW_AT(revision_, id_, day_, country_, killed_)                                            \
    {                                                                                              \
        .id = (id_), .day = (day_), .country = (country_), .killed = (killed_),                    \
        .revision = (revision_)                                                                    \
    }
#define ROW_WITHDRAW(revision_, id_)                                                               \
    {                                                                                              \
        .id = (id_), .revision = (revision_), .op = ROWS_WITHDRAW                                  \
    }
#define ROW_KEEP(id_)                                                                              \
    {                                                                                              \
        .id = (id_), .op = ROWS_KEEP                                                               \
    }
// Rows and how many they are: two arguments.
#define ROWS(...)                                                                                  \
    (const struct case_row[]){__VA_ARGS__},                                                        \
        sizeof((const struct case_row[]){__VA_ARGS__}) / sizeof(struct case_row)

struct store_case {
    char dir[40];
    int fd;
    struct shape *shape;
    struct rollup_def def;
    struct store_options options;
    struct store *store;
    struct store_outcome outcome; // of the last file
    int64_t time_ms;              // of the next file
    struct tally_err err;
};

static inline void case_check(bool done, const struct tally_err *err)
{
    if (!done) {
        fail_msg("%s: %s", err->place, err->message);
    }
}

static inline void case_make_dir(char dir[40])
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    snprintf(dir, 40, "%s/tally-test-XXXXXX", parent);
    assert_non_null(mkdtemp(dir));
}

static inline int case_open_dir(const char *dir, const char *name)
{
    struct tally_err err;
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &err);
    case_check(fd >= 0, &err);
    return fd;
}

static inline void case_remove_dir(const char *dir)
{
    struct tally_err err;

    case_check(disk_remove_tree(AT_FDCWD, dir, &err), &err);
}

// The content of DIR/NAME; malloc'ed.
static inline unsigned char *case_load(const char *dir, const char *name, size_t *out_count)
{
    struct tally_err err;
    unsigned char *data;
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    case_check(disk_load(AT_FDCWD, path, SIZE_MAX / 2, &data, out_count, &err), &err);
    return data;
}

static inline void case_save(const char *dir, const char *name, const void *data, size_t count)
{
    struct tally_err err;
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = disk_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &err);
    case_check(fd >= 0 && disk_write_at(fd, data, count, 0, &err), &err);
    disk_close(fd);
}

static inline void case_flip(const char *dir, const char *name, size_t offset)
{
    size_t count;
    unsigned char *data = case_load(dir, name, &count);

    assert_true(offset < count);
    data[offset] ^= 0x40;
    case_save(dir, name, data, count);
    free(data);
}

static inline void case_cut(const char *dir, const char *name, size_t bytes)
{
    size_t count;
    unsigned char *data = case_load(dir, name, &count);

    assert_true(bytes <= count);
    case_save(dir, name, data, bytes);
    free(data);
}

// As if a power cut came before the mark of what was committed was written back.
static inline void case_lose_mark(struct store_case *room)
{
    case_check(disk_unlink(room->fd, "committed", &room->err), &room->err);
}

static inline bool case_start(struct store_case *room)
{
    room->store = store_open(room->fd, &room->options, &room->err);
    return room->store != NULL;
}

static inline void case_open(struct store_case *room)
{
    static const char *const dims[] = {"country"};
    static const char *const measures[] = {"killed"};
    struct tally_err *err = &room->err;

    memset(room, 0, sizeof *room);
    case_make_dir(room->dir);
    room->fd = case_open_dir(room->dir, "");
    room->shape = shape_open("acled", dims, 1, measures, 1, err);
    case_check(room->shape && rollup_def_set_name(&room->def, "harm", err) &&
                   rollup_def_add_feed(&room->def, "acled", err) &&
                   rollup_def_add_dim(&room->def, "country", err) &&
                   rollup_def_add_measure(&room->def, "killed", err) &&
                   rollup_def_add_window(&room->def, 50, err),
               err);
    room->def.feeds[0].measures = 1;
    room->options = (struct store_options){.segment_bytes_max = STORE_SEGMENT_BYTES,
                                           .defs = &room->def,
                                           .defs_count = 1,
                                           .patch_from_bytes = STORE_PATCH_FROM_BYTES};
    room->time_ms = INT64_C(1600000000000);
    case_check(case_start(room), err);
}

static inline void case_close(struct store_case *room)
{
    store_close(room->store);
    disk_close(room->fd);
    case_remove_dir(room->dir);
    shape_close(room->shape);
    rollup_def_done(&room->def);
}

// As a restart of the daemon.
static inline bool case_restart(struct store_case *room)
{
    store_close(room->store);
    return case_start(room);
}

// Texts get a code a row: the store joins equal ones.
static inline void case_fill(const struct shape *shape, struct rows *rows,
                             const struct case_row *from, size_t count)
{
    struct tally_err err;

    rows_init(rows);
    rows_clear(rows, shape);
    for (size_t i = 0; i < count; i++) {
        const char *country = from[i].country ? from[i].country : "";
        struct row *row = rows_add(rows, &err);
        struct rows_span text;
        case_check(row && rows_add_text(rows, from[i].id, strlen(from[i].id), &row->id, &err) &&
                       rows_add_text(rows, country, strlen(country), &text, &err) &&
                       rows_add_new_text(rows, 0, text, &err),
                   &err);
        row->op = from[i].op;
        row->record = i + 1;
        row->line = i + 2;
        row->first_day = from[i].day;
        row->last_day = from[i].day + from[i].lasts;
        rows_dims(rows, i)[0] = (uint32_t)i + 1;
        if (from[i].killed != CASE_UNKNOWN) {
            rows_measures(rows, i)[0] = from[i].killed;
            row->reported = 1;
        }
        if (from[i].revision) {
            struct revision revision = revision_of_text(from[i].revision, strlen(from[i].revision));
            row->revision_kind = revision.kind;
            row->revision_number = revision.number;
            case_check(rows_add_text(rows, from[i].revision, strlen(from[i].revision),
                                     &row->revision_text, &err),
                       &err);
        }
    }
}

static inline bool case_begin(struct store_case *room, enum batch_mode mode, int scope_dim,
                              const char *name)
{
    struct store_file file = {.mode = mode,
                              .feed = "acled",
                              .name = name,
                              .header = "id,date",
                              .scope_dim = scope_dim,
                              .shape = room->shape};

    return store_begin(room->store, &file, &room->err);
}

static inline bool case_append(struct store_case *room, const struct case_row *from, size_t count)
{
    struct rows rows;

    case_fill(room->shape, &rows, from, count);
    bool ok = store_append(room->store, &rows, &room->err);
    rows_done(&rows);
    return ok;
}

static inline bool case_commit(struct store_case *room, const char *content,
                               const struct case_row *from, size_t count)
{
    struct store_file_end end = {
        .digest = digest_of(content, strlen(content)), .time_ms = room->time_ms, .records = count};

    for (size_t i = 0; i < count; i++) {
        int32_t last = from[i].day + from[i].lasts;
        if (from[i].op != ROWS_PUT) {
            continue;
        }
        end.first_day = !end.any_day || from[i].day < end.first_day ? from[i].day : end.first_day;
        end.last_day = !end.any_day || last > end.last_day ? last : end.last_day;
        end.any_day = true;
    }
    room->time_ms += 1000;
    return store_commit(room->store, &end, &room->outcome, &room->err);
}

// One file from begin to commit; its name is its content too.
static inline bool case_try(struct store_case *room, enum batch_mode mode, int scope_dim,
                            const char *name, const struct case_row *rows, size_t count)
{
    return case_begin(room, mode, scope_dim, name) && case_append(room, rows, count) &&
           case_commit(room, name, rows, count);
}

static inline void case_file(struct store_case *room, enum batch_mode mode, const char *name,
                             const struct case_row *rows, size_t count)
{
    case_check(case_try(room, mode, -1, name, rows, count), &room->err);
}

static inline const struct incident *case_find(const struct store_case *room, const char *id)
{
    const struct state *state = &embedded_of(room->store)->state;
    const struct state_feed *feed = state_find_feed(state, "acled");

    assert_non_null(feed);
    return state_find(state, (uint32_t)(feed - state->feed), id, strlen(id));
}

// Killed, of an incident that counts.
static inline int64_t case_killed(const struct store_case *room, const char *id)
{
    const struct incident *incident = case_find(room, id);

    if (!incident || !incident_is_live(incident)) {
        fail_msg("%s does not count", id);
    }
    return incident_measures(&embedded_of(room->store)->state, incident)[0];
}

static inline bool case_counts(const struct store_case *room, const char *id)
{
    const struct incident *incident = case_find(room, id);
    return incident && incident_is_live(incident);
}

static inline uint64_t case_live(const struct store_case *room)
{
    const struct state_feed *feed = state_find_feed(&embedded_of(room->store)->state, "acled");
    return feed ? feed->live : 0;
}

static inline struct digest case_state_digest(const struct store_case *room)
{
    struct bytes bytes;

    bytes_init(&bytes);
    state_dump(&embedded_of(room->store)->state, &bytes);
    assert_true(bytes.ok);
    struct digest digest = digest_of(bytes.data, bytes.count);
    bytes_done(&bytes);
    return digest;
}

// Publishes, opens the rollup and proves it.
static inline struct rollup *case_rollup(struct store_case *room)
{
    case_check(store_publish(room->store, &room->err), &room->err);
    struct rollup *rollup = rollup_open(room->store->rollup_fd, "harm.rollup", &room->err);
    case_check(rollup && rollup_verify(rollup, &room->err), &room->err);
    return rollup;
}

static inline struct digest case_rollup_digest(struct store_case *room)
{
    struct rollup *rollup = case_rollup(room);
    struct digest digest = rollup_digest(rollup);

    rollup_close(rollup);
    return digest;
}

#endif
