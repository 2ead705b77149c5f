// store/rollup_verify.c - what a rollup says, proved: content digest, headline, order of all.
#include "store/rollup_format.h"

#include <string.h>

// ---- content digest -----------------------------------------------------------------------

enum { DIGEST_CHUNK_BYTES = 64 * 1024 };

// A canonical stream of everything that the rollup says: docs/format.md, "Content digest".
struct digesting {
    const struct rollup *rollup;
    struct digest_stream *stream;
    struct bytes chunk;
};

static void flush(struct digesting *digesting)
{
    digest_stream_add(digesting->stream, digesting->chunk.data, digesting->chunk.count);
    digesting->chunk.count = 0;
}

static void put_sums(struct digesting *digesting, const struct rollup_sums *sums)
{
    bytes_put_u64(&digesting->chunk, sums->incidents);
    for (size_t i = 0; i < rollup_def(digesting->rollup)->measures_count; i++) {
        bytes_put_i128(&digesting->chunk, sums->measure[i].sum);
        bytes_put_u64(&digesting->chunk, sums->measure[i].reported);
    }
    if (digesting->chunk.count > DIGEST_CHUNK_BYTES) {
        flush(digesting);
    }
}

static void put_head(struct digesting *digesting)
{
    rollup_def_encode(rollup_def(digesting->rollup), &digesting->chunk);
    bytes_put_u64(&digesting->chunk, rollup_groups(digesting->rollup));
}

static void put_group(struct digesting *digesting, size_t group)
{
    const struct rollup *rollup = digesting->rollup;
    struct rollup_sums sums;
    uint64_t first;
    uint64_t count;

    for (size_t dim = 0; dim < rollup_def(rollup)->dims_count; dim++) {
        size_t bytes;
        const char *text = rollup_text(rollup, group, dim, &bytes);
        bytes_put_text(&digesting->chunk, text, bytes);
    }
    rollup_group_cells(rollup, group, &first, &count);
    bytes_put_u64(&digesting->chunk, count);
    for (uint64_t i = first; i < first + count; i++) {
        bytes_put_u32(&digesting->chunk, (uint32_t)rollup_cell(rollup, i, &sums));
        put_sums(digesting, &sums);
    }
    rollup_group_spans(rollup, group, &first, &count);
    bytes_put_u64(&digesting->chunk, count);
    for (uint64_t i = first; i < first + count; i++) {
        int32_t first_day;
        int32_t last_day;
        rollup_span(rollup, i, &first_day, &last_day, &sums);
        bytes_put_u32(&digesting->chunk, (uint32_t)first_day);
        bytes_put_u32(&digesting->chunk, (uint32_t)last_day);
        put_sums(digesting, &sums);
    }
}

bool rollup_content_digest(const struct rollup *rollup, struct digest *out_digest,
                           struct tally_err *err)
{
    struct digesting digesting = {.rollup = rollup, .stream = digest_stream_open(err)};

    if (!digesting.stream) {
        return false;
    }
    bytes_init(&digesting.chunk);
    put_head(&digesting);
    for (size_t i = 0; i < rollup_groups(rollup); i++) {
        put_group(&digesting, i);
    }
    bool ok = digesting.chunk.ok;
    flush(&digesting);
    *out_digest = digest_stream_value(digesting.stream);
    digest_stream_close(digesting.stream);
    bytes_done(&digesting.chunk);
    return ok ? true : err_set(err, TALLY_NO_MEMORY, "no memory for a content digest");
}

// ---- headline -----------------------------------------------------------------------------

// The last day that any feed of the rollup covers; false when none does.
static bool covered_through(const struct rollup *rollup, int32_t *out_day)
{
    bool any = false;

    for (size_t i = 0; i < rollup_def(rollup)->feeds_count; i++) {
        struct rollup_coverage coverage = rollup_coverage(rollup, i);
        if (coverage.any && (!any || coverage.last_day > *out_day)) {
            *out_day = coverage.last_day;
            any = true;
        }
    }
    return any;
}

static void put_window(const struct rollup *rollup, size_t group, int32_t first_day,
                       int32_t last_day, struct bytes *out)
{
    struct rollup_sums sums = {0};

    rollup_add_window(rollup, group, BASIS_START, first_day, last_day, &sums);
    bytes_put_u64(out, sums.incidents);
    for (size_t i = 0; i < rollup_def(rollup)->measures_count; i++) {
        bytes_i128 sum = sums.measure[i].sum;
        bool fits = sum > INT64_MIN && sum <= INT64_MAX;
        bytes_put_u64(out, fits ? (uint64_t)(int64_t)sum : (uint64_t)INT64_MIN);
        bytes_put_u64(out, sums.measure[i].reported);
    }
}

void rollup_encode_headline(const struct rollup *rollup, struct bytes *out)
{
    const struct rollup_def *def = rollup_def(rollup);
    int32_t end = 0;
    bool any = covered_through(rollup, &end);

    bytes_put_u32(out, any);
    bytes_put_u32(out, (uint32_t)end);
    for (size_t window = 0; any && window < def->windows_count; window++) {
        int32_t days = (int32_t)def->windows[window];
        for (size_t group = 0; group < rollup_groups(rollup); group++) {
            put_window(rollup, group, end - days + 1, end, out);
            put_window(rollup, group, end - 2 * days + 1, end - days, out);
        }
    }
}

// ---- verify -------------------------------------------------------------------------------

static bool wrong(struct tally_err *err, const char *section, const char *what)
{
    err_set(err, TALLY_CORRUPT, "%s", what);
    return err_place(err, "section %s", section);
}

static int compare_neighbours(const struct rollup *rollup, size_t group)
{
    for (size_t dim = 0; dim < rollup_def(rollup)->dims_count; dim++) {
        uint32_t a = rollup_group_value(rollup, group - 1, dim);
        uint32_t b = rollup_group_value(rollup, group, dim);
        if (a != b) {
            return a < b ? -1 : 1;
        }
    }
    return 0;
}

static bool verify_dictionary(const struct rollup *rollup, size_t dim, struct tally_err *err)
{
    for (size_t i = 1; i < rollup_values(rollup, dim); i++) {
        size_t a_bytes;
        size_t b_bytes;
        const char *a = rollup_value(rollup, dim, i - 1, &a_bytes);
        const char *b = rollup_value(rollup, dim, i, &b_bytes);
        int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);
        if (order > 0 || (order == 0 && a_bytes >= b_bytes)) {
            return wrong(err, "dictionary", "texts are not sorted");
        }
    }
    return true;
}

static bool verify_sums(const struct rollup *rollup, const struct rollup_sums *sums)
{
    bool ok = sums->incidents > 0 && sums->incidents <= UINT32_MAX;

    for (size_t i = 0; i < rollup_def(rollup)->measures_count; i++) {
        ok = ok && sums->measure[i].reported <= sums->incidents;
    }
    return ok;
}

static bool verify_group(const struct rollup *rollup, size_t group, struct tally_err *err)
{
    struct rollup_sums sums;
    uint64_t first;
    uint64_t count;
    int32_t day_before = INT32_MIN;
    int32_t last_before = INT32_MIN;

    rollup_group_cells(rollup, group, &first, &count);
    for (uint64_t i = first; i < first + count; i++) {
        int32_t day = rollup_cell(rollup, i, &sums);
        if (day <= day_before || !verify_sums(rollup, &sums)) {
            return wrong(err, "cells", "out of order or with impossible counts");
        }
        day_before = day;
    }
    day_before = INT32_MIN;
    rollup_group_spans(rollup, group, &first, &count);
    for (uint64_t i = first; i < first + count; i++) {
        int32_t day;
        int32_t last;
        rollup_span(rollup, i, &day, &last, &sums);
        bool sorted = day > day_before || (day == day_before && last > last_before);
        if (!sorted || last <= day || !verify_sums(rollup, &sums)) {
            return wrong(err, "spans", "out of order or with impossible counts");
        }
        day_before = day;
        last_before = last;
    }
    return true;
}

bool rollup_verify(const struct rollup *rollup, struct tally_err *err)
{
    struct digest digest;

    for (size_t dim = 0; dim < rollup_def(rollup)->dims_count; dim++) {
        if (!verify_dictionary(rollup, dim, err)) {
            return false;
        }
    }
    for (size_t group = 0; group < rollup_groups(rollup); group++) {
        if (group > 0 && compare_neighbours(rollup, group) >= 0) {
            return wrong(err, "groups", "not sorted");
        }
        if (!verify_group(rollup, group, err)) {
            return false;
        }
    }
    if (!rollup_content_digest(rollup, &digest, err)) {
        return false;
    }
    if (!digest_equal(digest, rollup_digest(rollup))) {
        return wrong(err, "header", "content digest does not match");
    }
    return rollup_verify_headline(rollup, err);
}
