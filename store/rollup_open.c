// store/rollup_open.c - a rollup file, mapped and checked (contracts in rollup_read.h).
#include "base/day.h"
#include "base/disk.h"
#include "store/cells.h"
#include "store/rollup_private.h"

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

static bool damaged(struct tally_err *err, const char *section, const char *what)
{
    err_set(err, TALLY_CORRUPT, "%s", what);
    return err_place(err, "section %s", section);
}

// ---- opening ------------------------------------------------------------------------------

static bool day_is_possible(int32_t day)
{
    return day >= DAY_MIN && day <= DAY_MAX;
}

static bool take_header(struct rollup *rollup, uint32_t *out_sections, struct tally_err *err)
{
    struct cursor in = cursor_over(rollup->data, rollup->bytes);
    const unsigned char *magic = cursor_take(&in, ROLLUP_MAGIC_BYTES);

    if (!magic || memcmp(magic, ROLLUP_MAGIC, ROLLUP_MAGIC_BYTES) != 0) {
        return damaged(err, "header", "not a rollup file");
    }
    uint16_t major = cursor_take_u16(&in);
    cursor_take_u16(&in); // a newer minor version only adds sections
    if (in.ok && major != ROLLUP_MAJOR) {
        return err_set(err, TALLY_UNSUPPORTED,
                       "rollup format %u; this program reads format %d: update it", major,
                       ROLLUP_MAJOR);
    }
    *out_sections = cursor_take_u32(&in);
    uint64_t bytes = cursor_take_u64(&in);
    rollup->generation = cursor_take_u64(&in);
    rollup->digest.low = cursor_take_u64(&in);
    rollup->digest.high = cursor_take_u64(&in);
    rollup->first_day = (int32_t)cursor_take_u32(&in);
    rollup->last_day = (int32_t)cursor_take_u32(&in);
    if (!in.ok || bytes != rollup->bytes) {
        return damaged(err, "header", "the file is not as long as its header says");
    }
    if (!day_is_possible(rollup->first_day) || !day_is_possible(rollup->last_day)) {
        return damaged(err, "header", "impossible day");
    }
    return *out_sections <= ROLLUP_SECTIONS_MAX ? true
                                                : damaged(err, "header", "too many sections");
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

static bool take_table(struct rollup *rollup, uint32_t sections, struct tally_err *err)
{
    size_t table_bytes = ROLLUP_HEADER_BYTES + (size_t)sections * ROLLUP_TABLE_ENTRY_BYTES;
    size_t body = table_bytes + sizeof(uint64_t);

    if (body + ROLLUP_MAGIC_BYTES > rollup->bytes ||
        bytes_get_u64(rollup->data + table_bytes) != checksum64(rollup->data, table_bytes, 0)) {
        return damaged(err, "header", "checksum does not match");
    }
    if (memcmp(rollup->data + rollup->bytes - ROLLUP_MAGIC_BYTES, ROLLUP_MAGIC,
               ROLLUP_MAGIC_BYTES) != 0) {
        return damaged(err, "trailer", "no magic at the end");
    }
    struct cursor in =
        cursor_over(rollup->data + ROLLUP_HEADER_BYTES, table_bytes - ROLLUP_HEADER_BYTES);
    uint64_t next = body;
    for (uint32_t i = 0; i < sections; i++) {
        uint32_t id = cursor_take_u32(&in);
        cursor_take_u32(&in);
        uint64_t offset = cursor_take_u64(&in);
        uint64_t bytes = cursor_take_u64(&in);
        uint64_t checksum = cursor_take_u64(&in);
        if (offset != next || offset > rollup->bytes || bytes > rollup->bytes - offset ||
            !is_filled(rollup, offset + bytes, &next)) {
            return damaged(err, "header", "the sections do not follow one another");
        }
        if (id >= ROLLUP_SCHEMA && id <= ROLLUP_PROVENANCE) { // others are skipped
            rollup->section[id] = (struct section){
                .data = rollup->data + offset, .bytes = (size_t)bytes, .checksum = checksum};
        }
    }
    return next == rollup->bytes - ROLLUP_MAGIC_BYTES
               ? true
               : damaged(err, "trailer", "the sections do not end where it begins");
}

static bool check_section(const struct rollup *rollup, enum rollup_section id,
                          struct tally_err *err)
{
    const struct section *section = &rollup->section[id];

    if (!section->data) {
        return damaged(err, section_names[id], "missing");
    }
    if (checksum64(section->data, section->bytes, id) != section->checksum) {
        return damaged(err, section_names[id], "checksum does not match");
    }
    return true;
}

static struct cursor section_cursor(const struct rollup *rollup, enum rollup_section id)
{
    return cursor_over(rollup->section[id].data, rollup->section[id].bytes);
}

static bool take_schema(struct rollup *rollup, struct tally_err *err)
{
    struct cursor in = section_cursor(rollup, ROLLUP_SCHEMA);

    if (!rollup_def_decode(&rollup->def, &in, err)) {
        return damaged(err, "schema", "malformed");
    }
    for (size_t i = 0; i < rollup->def.feeds_count; i++) {
        struct rollup_coverage *coverage = &rollup->coverage[i];
        coverage->any = cursor_take_u8(&in) != 0;
        coverage->first_day = (int32_t)cursor_take_u32(&in);
        coverage->last_day = (int32_t)cursor_take_u32(&in);
        in.ok =
            in.ok && day_is_possible(coverage->first_day) && day_is_possible(coverage->last_day);
    }
    return in.ok ? true : damaged(err, "schema", "malformed coverage");
}

static void skip_to_alignment(struct cursor *in, const unsigned char *start)
{
    cursor_take(in, (size_t)(0 - (uintptr_t)(in->at - start)) & (ROLLUP_ALIGNMENT - 1));
}

static bool take_dictionary(struct dictionary *dictionary, struct cursor *in,
                            const unsigned char *start)
{
    uint32_t last = 0;

    dictionary->count = cursor_take_u32(in);
    dictionary->ends = cursor_take(in, (size_t)dictionary->count * sizeof(uint32_t));
    for (uint32_t i = 0; in->ok && i < dictionary->count; i++) {
        uint32_t end = bytes_get_u32(dictionary->ends + i * sizeof end);
        in->ok = end >= last;
        last = end;
    }
    dictionary->texts = (const char *)cursor_take(in, last);
    skip_to_alignment(in, start);
    return in->ok;
}

static bool take_dictionaries(struct rollup *rollup, struct tally_err *err)
{
    struct cursor in = section_cursor(rollup, ROLLUP_DICTIONARY);
    const unsigned char *start = in.at;

    for (size_t i = 0; i < rollup->def.dims_count; i++) {
        if (!take_dictionary(&rollup->dictionary[i], &in, start)) {
            return damaged(err, "dictionary", "malformed");
        }
    }
    return true;
}

static bool take_starts(struct entries *entries, size_t groups, struct cursor *in)
{
    uint64_t last = 0;

    entries->starts = cursor_take(in, (groups + 1) * sizeof(uint64_t));
    for (size_t i = 0; in->ok && i <= groups; i++) {
        uint64_t start = bytes_get_u64(entries->starts + i * sizeof start);
        in->ok = start >= last && (i > 0 || start == 0);
        last = start;
    }
    entries->count = last;
    return in->ok;
}

static bool take_groups(struct rollup *rollup, struct tally_err *err)
{
    struct cursor in = section_cursor(rollup, ROLLUP_GROUPS);
    const unsigned char *start = in.at;
    size_t dims = rollup->def.dims_count;
    uint64_t groups = cursor_take_u64(&in);

    if (groups > rollup->bytes) { // each group takes more than a byte
        return damaged(err, "groups", "impossible count");
    }
    rollup->groups = (size_t)groups;
    rollup->values = cursor_take(&in, rollup->groups * dims * sizeof(uint32_t));
    skip_to_alignment(&in, start);
    for (size_t i = 0; in.ok && i < rollup->groups * dims; i++) {
        uint32_t value = bytes_get_u32(rollup->values + i * sizeof value);
        in.ok = value < rollup->dictionary[i % dims].count;
    }
    if (!in.ok || !take_starts(&rollup->cells, rollup->groups, &in) ||
        !take_starts(&rollup->spans, rollup->groups, &in)) {
        return damaged(err, "groups", "malformed");
    }
    return true;
}

static void take_column(struct column *column, uint64_t count, struct cursor *in,
                        const unsigned char *start)
{
    column->width = cursor_take_u32(in);
    cursor_take_u32(in);
    bool known = column->width == 1 || column->width == 2 || column->width == 4 ||
                 column->width == 8 || column->width == 16;
    if (!known || count > cursor_left(in) / column->width) {
        in->ok = false;
        return;
    }
    column->data = cursor_take(in, (size_t)count * column->width);
    skip_to_alignment(in, start);
}

// What no writer puts there, and what would overflow when it is added up: counts beyond 32 bits,
// sums beyond 2^32 values of 64 bits. Narrow columns cannot hold either.
static bool numbers_are_possible(const struct column *column, uint64_t count, bool sums)
{
    const bytes_i128 high = sums ? (bytes_i128)1 << 96 : UINT32_MAX;
    const bytes_i128 low = sums ? -high : 0;

    if (column->width < 8 || (sums && column->width < 16)) {
        return true;
    }
    struct cursor in = cursor_over(column->data, (size_t)count * column->width);
    for (uint64_t i = 0; i < count; i++) {
        bytes_i128 number =
            column->width == 8 ? (int64_t)cursor_take_u64(&in) : cursor_take_i128(&in);
        if (number < low || number > high) {
            return false;
        }
    }
    return true;
}

static bool entries_are_possible(const struct entries *entries, size_t measures)
{
    bool possible = numbers_are_possible(&entries->incidents, entries->count, false);

    for (size_t i = 0; possible && i < measures; i++) {
        possible = numbers_are_possible(&entries->sum[i], entries->count, true) &&
                   numbers_are_possible(&entries->reported[i], entries->count, false);
    }
    return possible;
}

static bool take_entries(struct rollup *rollup, enum rollup_section id, struct entries *entries,
                         struct tally_err *err)
{
    struct cursor in = section_cursor(rollup, id);
    const unsigned char *start = in.at;

    if (cursor_take_u64(&in) != entries->count) {
        return damaged(err, section_names[id], "not as many entries as the groups say");
    }
    take_column(&entries->first_day, entries->count, &in, start);
    entries->last_day = entries->first_day;
    if (id == ROLLUP_SPANS) {
        take_column(&entries->last_day, entries->count, &in, start);
    }
    take_column(&entries->incidents, entries->count, &in, start);
    for (size_t i = 0; i < rollup->def.measures_count; i++) {
        take_column(&entries->sum[i], entries->count, &in, start);
        take_column(&entries->reported[i], entries->count, &in, start);
    }
    if (!in.ok || entries->first_day.width != 4 || entries->last_day.width != 4) {
        return damaged(err, section_names[id], "malformed columns");
    }
    if (!entries_are_possible(entries, rollup->def.measures_count)) {
        return damaged(err, section_names[id], "impossible numbers");
    }
    for (uint64_t i = 0; i < entries->count; i++) {
        if (!day_is_possible((int32_t)bytes_get_u32(entries->first_day.data + i * 4)) ||
            !day_is_possible((int32_t)bytes_get_u32(entries->last_day.data + i * 4))) {
            return damaged(err, section_names[id], "impossible day");
        }
    }
    return true;
}

static bool take_provenance(struct rollup *rollup, struct tally_err *err)
{
    struct cursor in = section_cursor(rollup, ROLLUP_PROVENANCE);

    rollup->batches = cursor_take_varint(&in);
    uint64_t count = cursor_take_varint(&in);
    if (!in.ok || count > CELLS_SOURCES_MAX) {
        return damaged(err, "provenance", "malformed");
    }
    rollup->source = calloc((size_t)count + 1, sizeof *rollup->source);
    if (!rollup->source) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for provenance");
    }
    for (; rollup->sources < count; rollup->sources++) {
        struct rollup_source *source = &rollup->source[rollup->sources];
        source->batch = cursor_take_varint(&in);
        source->time_ms = (int64_t)cursor_take_u64(&in);
        source->digest.low = cursor_take_u64(&in);
        source->digest.high = cursor_take_u64(&in);
        source->feed = cursor_take_text(&in, &source->feed_bytes);
        source->file = cursor_take_text(&in, &source->file_bytes);
    }
    return in.ok ? true : damaged(err, "provenance", "too short");
}

static bool take_all(struct rollup *rollup, struct tally_err *err)
{
    uint32_t sections;

    if (!take_header(rollup, &sections, err) || !take_table(rollup, sections, err)) {
        return false;
    }
    for (int id = ROLLUP_SCHEMA; id <= ROLLUP_PROVENANCE; id++) {
        if (id != ROLLUP_HEADLINE && !check_section(rollup, (enum rollup_section)id, err)) {
            return false;
        }
    }
    return take_schema(rollup, err) && take_dictionaries(rollup, err) && take_groups(rollup, err) &&
           take_entries(rollup, ROLLUP_CELLS, &rollup->cells, err) &&
           take_entries(rollup, ROLLUP_SPANS, &rollup->spans, err) && take_provenance(rollup, err);
}

static struct rollup *open_data(const unsigned char *data, size_t bytes, bool mapped,
                                struct tally_err *err)
{
    struct rollup *rollup = calloc(1, sizeof *rollup);

    if (!rollup) {
        err_set(err, TALLY_NO_MEMORY, "no memory for a rollup");
        if (mapped) {
            munmap((void *)(uintptr_t)data, bytes);
        } else {
            free((void *)(uintptr_t)data);
        }
        return NULL;
    }
    rollup->data = data;
    rollup->bytes = bytes;
    rollup->mapped = mapped;
    if (!take_all(rollup, err)) {
        rollup_close(rollup);
        return NULL;
    }
    return rollup;
}

struct rollup *rollup_open_memory(unsigned char *data, size_t bytes, struct tally_err *err)
{
    return open_data(data, bytes, false, err);
}

struct rollup *rollup_open(int dir_fd, const char *path, struct tally_err *err)
{
    // O_NONBLOCK: a FIFO under this name must not hang the reader.
    int fd = disk_open(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, err);
    struct disk_entry entry = {0};

    if (fd < 0) {
        if (err->sys_errno == ENOENT) {
            err->code = TALLY_NOT_FOUND;
        }
        return NULL;
    }
    bool ok = disk_look_open(fd, &entry, err);
    if (ok && !entry.regular) {
        ok = err_set(err, TALLY_INVALID, "a %s, not a rollup file", entry.kind);
    }
    size_t bytes = (size_t)entry.bytes;
    if (ok && bytes < ROLLUP_HEADER_BYTES) {
        ok = damaged(err, "header", "not a rollup file");
    }
    void *data = ok ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (ok && data == MAP_FAILED) {
        ok = err_sys(err, "map %s", path);
    }
    disk_close(fd);
    struct rollup *rollup = ok ? open_data(data, bytes, true, err) : NULL;
    if (!rollup) {
        err_wrap(err, "%s", path);
    }
    return rollup;
}

void rollup_close(struct rollup *rollup)
{
    if (!rollup) {
        return;
    }
    if (rollup->mapped) {
        munmap((void *)(uintptr_t)rollup->data, rollup->bytes);
    } else {
        free((void *)(uintptr_t)rollup->data);
    }
    rollup_def_done(&rollup->def);
    free(rollup->source);
    free(rollup);
}

bool rollup_verify_headline(const struct rollup *rollup, struct tally_err *err)
{
    const struct section *section = &rollup->section[ROLLUP_HEADLINE];
    struct bytes want;

    if (!check_section(rollup, ROLLUP_HEADLINE, err)) {
        return false;
    }
    bytes_init(&want);
    rollup_encode_headline(rollup, &want);
    bool ok = want.ok && want.count == section->bytes &&
              memcmp(want.data, section->data, want.count) == 0;
    bytes_done(&want);
    return ok ? true : damaged(err, "headline", "does not say what the cells say");
}
