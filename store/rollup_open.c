// store/rollup_open.c - a rollup file, mapped and checked (contracts in rollup_read.h).
#include "base/day.h"
#include "base/disk.h"
#include "store/rollup_sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char *const section_names[] = {
    [ROLLUP_SCHEMA] = "schema",         [ROLLUP_DICTIONARY] = "dictionary",
    [ROLLUP_GROUPS] = "groups",         [ROLLUP_HEADLINE] = "headline",
    [ROLLUP_CELLS] = "cells",           [ROLLUP_SPANS] = "spans",
    [ROLLUP_PROVENANCE] = "provenance",
};

const char *rollup_section_name(enum rollup_section id)
{
    return section_names[id];
}

bool rollup_damaged(struct tally_err *err, const char *section, const char *what)
{
    err_set(err, TALLY_CORRUPT, "%s", what);
    return err_place(err, "section %s", section);
}

// ---- opening ------------------------------------------------------------------------------

static const char *magic_of(enum rollup_kind kind)
{
    return kind == ROLLUP_PATCH ? ROLLUP_PATCH_MAGIC : ROLLUP_MAGIC;
}

static bool take_magic(struct cursor *in, enum rollup_kind kind, struct tally_err *err)
{
    const unsigned char *magic = cursor_take(in, ROLLUP_MAGIC_BYTES);

    if (magic && memcmp(magic, magic_of(kind), ROLLUP_MAGIC_BYTES) == 0) {
        return true;
    }
    if (magic && memcmp(magic, magic_of(ROLLUP_PATCH), ROLLUP_MAGIC_BYTES) == 0) {
        return rollup_damaged(err, "header", "a patch: open the rollup that it stands beside");
    }
    return rollup_damaged(err, "header",
                          kind == ROLLUP_PATCH ? "not a patch of a rollup" : "not a rollup file");
}

static bool take_header(struct rollup *rollup, enum rollup_kind kind, uint32_t *out_sections,
                        struct tally_err *err)
{
    struct cursor in = cursor_over(rollup->data, rollup->bytes);

    if (!take_magic(&in, kind, err)) {
        return false;
    }
    rollup->major = cursor_take_u16(&in);
    cursor_take_u16(&in); // a newer minor version only adds sections
    if (in.ok && rollup->major != ROLLUP_MAJOR &&
        (rollup->major != ROLLUP_V1 || kind == ROLLUP_PATCH)) {
        return err_set(err, TALLY_UNSUPPORTED,
                       "rollup format %u; this program reads formats %d and %d: update it",
                       rollup->major, ROLLUP_V1, ROLLUP_MAJOR);
    }
    *out_sections = cursor_take_u32(&in);
    uint64_t bytes = cursor_take_u64(&in);
    rollup->generation = cursor_take_u64(&in);
    rollup->digest.low = cursor_take_u64(&in);
    rollup->digest.high = cursor_take_u64(&in);
    rollup->first_day = (int32_t)cursor_take_u32(&in);
    rollup->last_day = (int32_t)cursor_take_u32(&in);
    rollup->base = cursor_take_u64(&in);
    if (!in.ok || bytes != rollup->bytes) {
        return rollup_damaged(err, "header", "the file is not as long as its header says");
    }
    if (kind == ROLLUP_WHOLE && rollup->base != 0) {
        return rollup_damaged(err, "header", "something where zeros have to be");
    }
    if (!day_is_possible(rollup->first_day) || !day_is_possible(rollup->last_day)) {
        return rollup_damaged(err, "header", "impossible day");
    }
    return *out_sections <= ROLLUP_SECTIONS_MAX
               ? true
               : rollup_damaged(err, "header", "too many sections");
}

// Zeros up to the next multiple of 8, which is *out_next.
static bool is_filled(const struct rollup *rollup, uint64_t at, uint64_t *out_next)
{
    for (; at % ROLLUP_ALIGNMENT != 0; at++) {
        if (at >= rollup->bytes || rollup->data[at] != 0) {
            return false;
        }
    }
    *out_next = at;
    return true;
}

// Whether no earlier entry of the table has this one's id.
static bool is_new_id(const struct rollup *rollup, uint32_t entry, uint32_t id)
{
    for (uint32_t i = 0; i < entry; i++) {
        if (bytes_get_u32(rollup->data + ROLLUP_HEADER_BYTES + i * ROLLUP_TABLE_ENTRY_BYTES) ==
            id) {
            return false;
        }
    }
    return true;
}

// Sections follow one another from `next` to the magic at the end.
static bool take_entries_of_table(struct rollup *rollup, uint32_t sections, uint64_t next,
                                  struct tally_err *err)
{
    struct cursor in = cursor_over(rollup->data + ROLLUP_HEADER_BYTES,
                                   (size_t)sections * ROLLUP_TABLE_ENTRY_BYTES);

    for (uint32_t i = 0; i < sections; i++) {
        uint32_t id = cursor_take_u32(&in);
        uint32_t zero = cursor_take_u32(&in);
        uint64_t offset = cursor_take_u64(&in);
        uint64_t bytes = cursor_take_u64(&in);
        uint64_t checksum = cursor_take_u64(&in);
        if (zero != 0 || offset != next || offset > rollup->bytes ||
            bytes > rollup->bytes - offset || !is_filled(rollup, offset + bytes, &next) ||
            !is_new_id(rollup, i, id)) {
            return rollup_damaged(err, "header", "the sections do not follow one another");
        }
        if (id >= ROLLUP_SCHEMA && id <= ROLLUP_PROVENANCE) { // others are skipped
            rollup->section[id] = (struct section){
                .data = rollup->data + offset, .bytes = (size_t)bytes, .checksum = checksum};
        }
    }
    return next == rollup->bytes - ROLLUP_MAGIC_BYTES
               ? true
               : rollup_damaged(err, "trailer", "the sections do not end where it begins");
}

static bool take_table(struct rollup *rollup, enum rollup_kind kind, uint32_t sections,
                       struct tally_err *err)
{
    size_t table_bytes = ROLLUP_HEADER_BYTES + (size_t)sections * ROLLUP_TABLE_ENTRY_BYTES;
    size_t body = table_bytes + sizeof(uint64_t);

    if (body + ROLLUP_MAGIC_BYTES > rollup->bytes ||
        bytes_get_u64(rollup->data + table_bytes) != checksum64(rollup->data, table_bytes, 0)) {
        return rollup_damaged(err, "header", "checksum does not match");
    }
    rollup->frame = bytes_get_u64(rollup->data + table_bytes);
    if (memcmp(rollup->data + rollup->bytes - ROLLUP_MAGIC_BYTES, magic_of(kind),
               ROLLUP_MAGIC_BYTES) != 0) {
        return rollup_damaged(err, "trailer", "no magic at the end");
    }
    return take_entries_of_table(rollup, sections, body, err);
}

bool rollup_check_section(const struct rollup *rollup, enum rollup_section id,
                          struct tally_err *err)
{
    const struct section *section = &rollup->section[id];

    if (!section->data) {
        return rollup_damaged(err, section_names[id], "missing");
    }
    if (checksum64(section->data, section->bytes, id) != section->checksum) {
        return rollup_damaged(err, section_names[id], "checksum does not match");
    }
    return true;
}

struct cursor rollup_section_cursor(const struct rollup *rollup, enum rollup_section id)
{
    return cursor_over(rollup->section[id].data, rollup->section[id].bytes);
}

static bool take_coverage(struct rollup_coverage *coverage, struct cursor *in)
{
    uint8_t any = cursor_take_u8(in);

    coverage->any = any != 0;
    coverage->first_day = (int32_t)cursor_take_u32(in);
    coverage->last_day = (int32_t)cursor_take_u32(in);
    return in->ok && any <= 1 && coverage->first_day <= coverage->last_day &&
           (any || (coverage->first_day == 0 && coverage->last_day == 0)) &&
           day_is_possible(coverage->first_day) && day_is_possible(coverage->last_day);
}

static bool take_schema(struct rollup *rollup, struct tally_err *err)
{
    struct cursor in = rollup_section_cursor(rollup, ROLLUP_SCHEMA);

    if (!rollup_def_decode(&rollup->def, &in, err)) {
        return err->code == TALLY_NO_MEMORY ? false : rollup_damaged(err, "schema", "malformed");
    }
    for (size_t i = 0; i < rollup->def.feeds_count; i++) {
        in.ok = take_coverage(&rollup->coverage[i], &in) &&
                rollup->def.feeds[i].measures >> rollup->def.measures_count == 0;
    }
    return (in.ok && cursor_left(&in) == 0) ||
           rollup_damaged(err, "schema", "malformed coverage or measures");
}

bool rollup_take_dictionaries(struct rollup *rollup, struct tally_err *err)
{
    struct cursor in = rollup_section_cursor(rollup, ROLLUP_DICTIONARY);

    for (size_t i = 0; i < rollup->def.dims_count; i++) {
        if (!dictionary_open(&rollup->dictionary[i], &in)) {
            return rollup_damaged(err, "dictionary", "malformed");
        }
    }
    return cursor_left(&in) == 0 || rollup_damaged(err, "dictionary", "longer than its texts");
}

// The list is sorted, so that its last key bounds them all.
static bool keys_are_possible(const struct monotone *keys, uint32_t parents, uint32_t values)
{
    return keys->count == 0 || monotone_get(keys, keys->count - 1) < (uint64_t)parents * values;
}

bool rollup_take_groups(struct rollup *rollup, struct tally_err *err)
{
    struct cursor in = rollup_section_cursor(rollup, ROLLUP_GROUPS);
    uint64_t groups = cursor_take_u64(&in);
    uint32_t parents = 1;

    for (size_t i = 0; i < rollup->def.dims_count; i++) {
        if (!monotone_open(&rollup->keys[i], &in) ||
            !keys_are_possible(&rollup->keys[i], parents, rollup->dictionary[i].count)) {
            return rollup_damaged(err, "groups", "malformed");
        }
        parents = rollup->keys[i].count;
    }
    if (!in.ok || cursor_left(&in) != 0 || groups > UINT32_MAX - 1 ||
        (rollup->def.dims_count == 0 ? groups > 1 : groups != parents)) {
        return rollup_damaged(err, "groups", "impossible count");
    }
    rollup->groups = (uint32_t)groups;
    return true;
}

static bool take_entries(struct rollup *rollup, enum rollup_section id, struct tally_err *err)
{
    struct cursor in = rollup_section_cursor(rollup, id);
    bool spans = id == ROLLUP_SPANS;

    return entries_open(spans ? &rollup->spans : &rollup->cells, spans,
                        (uint32_t)rollup->def.measures_count, rollup->groups, &in) ||
           rollup_damaged(err, section_names[id], "malformed");
}

bool rollup_provenance(const struct rollup *rollup, struct rollup_provenance *out,
                       struct tally_err *err)
{
    struct cursor in = rollup_section_cursor(rollup, ROLLUP_PROVENANCE);

    if (!rollup_check_section(rollup, ROLLUP_PROVENANCE, err)) {
        return false;
    }
    *out = (struct rollup_provenance){.batches = cursor_take_varint(&in)};
    uint64_t count = cursor_take_varint(&in);
    uint64_t before = 0;
    if (!in.ok || count > ROLLUP_SOURCES_MAX || count > out->batches) {
        return rollup_damaged(err, "provenance", "malformed");
    }
    for (; out->sources < count; out->sources++) {
        struct rollup_source *source = &out->source[out->sources];
        source->batch = cursor_take_varint(&in);
        source->time_ms = (int64_t)cursor_take_u64(&in);
        source->digest.low = cursor_take_u64(&in);
        source->digest.high = cursor_take_u64(&in);
        source->feed = cursor_take_text(&in, &source->feed_bytes);
        source->file = cursor_take_text(&in, &source->file_bytes);
        in.ok = in.ok && source->batch > before && source->batch <= rollup->generation;
        before = source->batch;
    }
    return (in.ok && cursor_left(&in) == 0) ||
           rollup_damaged(err, "provenance", "not as long as its batches, or not in their order");
}

static bool take_frame(struct rollup *rollup, enum rollup_kind kind, struct tally_err *err)
{
    uint32_t sections;

    return take_header(rollup, kind, &sections, err) && take_table(rollup, kind, sections, err);
}

// Those that figures come from.
static bool take_sections(struct rollup *rollup, struct tally_err *err)
{
    static const enum rollup_section needed[] = {ROLLUP_SCHEMA, ROLLUP_DICTIONARY, ROLLUP_GROUPS,
                                                 ROLLUP_CELLS, ROLLUP_SPANS};

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!rollup_check_section(rollup, needed[i], err)) {
            return false;
        }
    }
    return take_schema(rollup, err) && rollup_take_dictionaries(rollup, err) &&
           rollup_take_groups(rollup, err) && take_entries(rollup, ROLLUP_CELLS, err) &&
           take_entries(rollup, ROLLUP_SPANS, err);
}

static void release(const unsigned char *data, size_t bytes, bool mapped)
{
    if (mapped) {
        munmap((void *)(uintptr_t)data, bytes);
    } else {
        free((void *)(uintptr_t)data);
    }
}

// A file of version 1 in today's packing, in memory.
static bool pack(struct rollup *rollup, struct tally_err *err)
{
    struct bytes packed;

    bytes_init(&packed);
    if (!rollup_v1_convert(rollup, &packed, err)) {
        bytes_done(&packed);
        return false;
    }
    release(rollup->data, rollup->bytes, rollup->mapped);
    *rollup = (struct rollup){.data = packed.data,
                              .bytes = packed.count,
                              .file_bytes = rollup->file_bytes,
                              .code = rollup->code};
    return true;
}

// Those of a rollup that figures come from; of a patch, what tells whether it is this base's.
static bool take_parts(struct rollup *rollup, enum rollup_kind kind, struct tally_err *err)
{
    if (kind == ROLLUP_PATCH) {
        return rollup_check_section(rollup, ROLLUP_SCHEMA, err) && take_schema(rollup, err);
    }
    return (rollup->major != ROLLUP_V1 ||
            (pack(rollup, err) && take_frame(rollup, ROLLUP_WHOLE, err))) &&
           take_sections(rollup, err);
}

static struct rollup *open_data(const unsigned char *data, size_t bytes, bool mapped,
                                enum rollup_kind kind, struct tally_err *err)
{
    struct rollup *rollup = calloc(1, sizeof *rollup);

    if (!rollup) {
        err_set(err, TALLY_NO_MEMORY, "no memory for a rollup");
        release(data, bytes, mapped);
        return NULL;
    }
    *rollup = (struct rollup){.data = data,
                              .bytes = bytes,
                              .file_bytes = bytes,
                              .mapped = mapped,
                              .code = entries_code()};
    if (!take_frame(rollup, kind, err) || !take_parts(rollup, kind, err)) {
        rollup_close(rollup);
        return NULL;
    }
    return rollup;
}

struct rollup *rollup_take(unsigned char *data, size_t bytes, enum rollup_kind kind,
                           struct tally_err *err)
{
    return open_data(data, bytes, false, kind, err);
}

struct rollup *rollup_open_memory(unsigned char *data, size_t bytes, struct tally_err *err)
{
    return rollup_take(data, bytes, ROLLUP_WHOLE, err);
}

static struct rollup *map_file(int fd, const char *path, enum rollup_kind kind,
                               struct tally_err *err)
{
    struct disk_entry entry = {0};

    bool ok = disk_look_open(fd, &entry, err);
    if (ok && !entry.regular) {
        ok = err_set(err, TALLY_INVALID, "a %s, not a rollup file", entry.kind);
    }
    size_t bytes = (size_t)entry.bytes;
    if (ok && bytes < ROLLUP_HEADER_BYTES) {
        ok = rollup_damaged(err, "header", "not a rollup file");
    }
    void *data = ok ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (ok && data == MAP_FAILED) {
        ok = err_sys(err, "map %s", path);
    }
    struct rollup *rollup = ok ? open_data(data, bytes, true, kind, err) : NULL;
    if (rollup) {
        rollup->device = entry.device;
        rollup->inode = entry.inode;
    }
    return rollup;
}

struct rollup *rollup_map(int dir_fd, const char *path, enum rollup_kind kind,
                          struct tally_err *err)
{
    // O_NONBLOCK: a FIFO under this name must not hang the reader.
    int fd = disk_open(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, err);

    if (fd < 0) {
        if (err->sys_errno == ENOENT) {
            err->code = TALLY_NOT_FOUND;
        }
        return NULL;
    }
    struct rollup *rollup = map_file(fd, path, kind, err);
    disk_close(fd);
    if (!rollup) {
        err_wrap(err, "%s", path);
    }
    return rollup;
}

bool rollup_is_still(int dir_fd, const char *path, const struct rollup *rollup)
{
    struct disk_entry entry = {0};
    struct tally_err ignored;
    int fd = disk_open(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &ignored);

    bool same = fd >= 0 && disk_look_open(fd, &entry, &ignored) && entry.device == rollup->device &&
                entry.inode == rollup->inode;
    disk_close(fd);
    return same;
}

void rollup_close(struct rollup *rollup)
{
    if (!rollup) {
        return;
    }
    if (rollup->sum) { // what it has of its base is borrowed
        rollup_sum_close(rollup->sum);
    } else {
        release(rollup->data, rollup->bytes, rollup->mapped);
        rollup_def_done(&rollup->def);
    }
    free(rollup);
}
