// store/rollup_encode.c - the bytes of a rollup file (contracts in rollup_format.h).
//
// In order of execution: add up days, counts and digests of the entries; write the sections; put
// the file together. Digest and headline come from the entries as they are handed on, not from what
// was packed: rollup_verify, which reads, comes to the same only if packing lost nothing.
#include "store/rollup_private.h"

#include <stdlib.h>
#include <string.h>

struct encoding;

// What one part of the team finds out, of groups of its own.
struct part {
    struct encoding *encoding;
    struct entries_plain plain;
    struct bytes piece; // texts of a group
    bool no_memory;     // for one of the pieces
    uint64_t cells;
    uint64_t spans;
    struct rollup_days days;
    struct rollup_digest_sums sums;
};

struct encoding {
    const struct rollup_content *content;
    struct rollup_frame frame;
    struct rollup_made made;
    struct entries_shares shares; // by cells
    struct part *part;
};

static bool no_memory(const struct encoding *encoding, struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory to write %s", encoding->content->def->name);
}

// ---- sections -----------------------------------------------------------------------------

// The distinct beginnings of groups, dimension by dimension: `number` has each group's beginning
// so far, and gets that of one more dimension, whose values stand `dims` apart.
static uint32_t find_keys(const uint32_t *value, size_t dims, uint32_t groups, uint64_t texts_count,
                          uint32_t *number, uint64_t *keys)
{
    uint32_t count = 0;

    for (uint32_t group = 0; group < groups; group++) {
        uint64_t key = number[group] * texts_count + value[group * dims];
        if (count == 0 || keys[count - 1] != key) {
            keys[count++] = key;
        }
        number[group] = count - 1;
    }
    return count;
}

bool rollup_encode_groups(struct bytes *out, size_t dims, const uint32_t *texts_count,
                          const uint32_t *values, uint32_t groups)
{
    uint32_t *number = calloc((size_t)groups + 1, sizeof *number);
    uint64_t *keys = calloc((size_t)groups + 1, sizeof *keys);

    if (!number || !keys) {
        free(number);
        free(keys);
        return false;
    }
    bytes_put_u64(out, groups);
    for (size_t dim = 0; dim < dims; dim++) {
        uint32_t count = find_keys(values + dim, dims, groups, texts_count[dim], number, keys);
        monotone_encode(out, keys, count);
    }
    free(number);
    free(keys);
    return true;
}

static bool put_groups(struct encoding *encoding, struct tally_err *err)
{
    const struct rollup_content *content = encoding->content;

    return rollup_encode_groups(&encoding->frame.section[ROLLUP_GROUPS], content->def->dims_count,
                                content->texts_count, content->values, content->source.groups) ||
           no_memory(encoding, err);
}

static bool put_entries(struct encoding *encoding, bool spans, struct tally_err *err)
{
    struct entries_source source = encoding->content->source;

    source.spans = spans;
    return entries_encode(&encoding->frame.section[spans ? ROLLUP_SPANS : ROLLUP_CELLS], &source,
                          err);
}

void rollup_days_add(struct rollup_days *days, int32_t first_day, int32_t last_day)
{
    bool any = days->first_day <= days->last_day;

    if (!any || first_day <= days->first_day) {
        days->first_count = any && first_day == days->first_day ? days->first_count + 1 : 1;
        days->first_day = first_day;
    }
    if (!any || last_day >= days->last_day) {
        days->last_count = any && last_day == days->last_day ? days->last_count + 1 : 1;
        days->last_day = last_day;
    }
}

void rollup_days_join(struct rollup_days *days, const struct rollup_days *more)
{
    if (more->first_day > more->last_day) {
        return;
    }
    bool any = days->first_day <= days->last_day;
    if (!any || more->first_day < days->first_day) {
        days->first_day = more->first_day;
        days->first_count = 0;
    }
    if (!any || more->last_day > days->last_day) {
        days->last_day = more->last_day;
        days->last_count = 0;
    }
    days->first_count += days->first_day == more->first_day ? more->first_count : 0;
    days->last_count += days->last_day == more->last_day ? more->last_count : 0;
}

// ---- what the entries add up to -----------------------------------------------------------

static struct digest digest_of_group(struct part *part, uint32_t group)
{
    const struct rollup_content *content = part->encoding->content;
    size_t dims = content->def->dims_count;

    bytes_clear(&part->piece);
    for (size_t dim = 0; dim < dims; dim++) {
        const struct dictionary_text *text =
            &content->texts[dim][content->values[group * dims + dim]];
        bytes_put_text(&part->piece, text->text, text->bytes);
    }
    part->no_memory = part->no_memory || !part->piece.ok; // clearing forgets it
    return digest_of(part->piece.data, part->piece.count);
}

static void add_entries(struct part *part, bool spans, uint32_t group, struct digest of_group)
{
    const struct entries_source *source = &part->encoding->content->source;
    struct digest *sum = spans ? &part->sums.spans : &part->sums.cells;
    uint32_t count = source->count(source->context, spans, group);
    struct rollup_entry entry;

    *(spans ? &part->spans : &part->cells) += count;
    for (uint32_t first = 0; first < count; first += ENTRIES_BLOCK) {
        uint32_t left = count - first;
        uint32_t taken = left < ENTRIES_BLOCK ? left : ENTRIES_BLOCK;
        source->take(source->context, spans, group, first, taken, &part->plain);
        for (uint32_t i = 0; i < taken; i++) {
            entries_plain_get(&part->plain, source->measures, i, &entry);
            rollup_days_add(&part->days, entry.first_day, entry.last_day);
            *sum = digest_add(*sum, rollup_entry_digest(of_group, &entry, source->measures));
        }
    }
}

static void add_up_part(void *context, unsigned number)
{
    struct encoding *encoding = context;
    struct part *part = &encoding->part[number];

    for (uint32_t group = encoding->shares.begin[number];
         group < encoding->shares.begin[number + 1]; group++) {
        struct digest of_group = digest_of_group(part, group);
        add_entries(part, false, group, of_group);
        add_entries(part, true, group, of_group);
    }
}

// Days, counts and digests.
static bool add_up(struct encoding *encoding, struct tally_err *err)
{
    struct rollup_made *made = &encoding->made;
    bool ok = true;

    made->days = (struct rollup_days){.first_day = 1, .last_day = 0};
    team_run(add_up_part, encoding, encoding->shares.parts);
    for (unsigned i = 0; i < encoding->shares.parts; i++) {
        const struct part *part = &encoding->part[i];
        made->cells += part->cells;
        made->spans += part->spans;
        rollup_days_join(&made->days, &part->days);
        made->sums.cells = digest_add(made->sums.cells, part->sums.cells);
        made->sums.spans = digest_add(made->sums.spans, part->sums.spans);
        ok = ok && !part->no_memory;
    }
    return (ok || no_memory(encoding, err)) &&
           rollup_digest_of_sums(encoding->content->def, &made->sums, &encoding->frame.digest, err);
}

// ---- headline -----------------------------------------------------------------------------

// From the newest entry on, until one is older than the window.
static void add_window(struct part *part, uint32_t group, int32_t first_day, int32_t last_day,
                       struct rollup_sums *sums)
{
    const struct entries_source *source = &part->encoding->content->source;
    const struct entries_plain *plain = &part->plain;
    uint32_t count = source->count(source->context, false, group);

    rollup_sums_clear(sums, source->measures);
    for (uint32_t first = 0; first < count; first += ENTRIES_BLOCK) {
        uint32_t left = count - first;
        uint32_t taken = left < ENTRIES_BLOCK ? left : ENTRIES_BLOCK;
        source->take(source->context, false, group, first, taken, &part->plain);
        for (uint32_t i = 0; i < taken; i++) {
            if (plain->first_day[i] < first_day) {
                return;
            }
            if (plain->first_day[i] > last_day) {
                continue;
            }
            sums->incidents += plain->incidents[i];
            for (uint32_t m = 0; m < source->measures; m++) {
                sums->measure[m].sum += plain->sum[m][i];
                sums->measure[m].reported += plain->incidents[i] - plain->missing[m][i];
            }
        }
    }
}

// One window of all groups that is being filled.
struct window {
    struct encoding *encoding;
    const struct headline *headline;
    int32_t first_day;
    int32_t last_day;
    int64_t *number;
};

static void fill_part(void *context, unsigned number)
{
    const struct window *window = context;
    struct part *part = &window->encoding->part[number];
    const struct entries_shares *shares = &window->encoding->shares;
    struct rollup_sums sums;

    for (uint32_t group = shares->begin[number]; group < shares->begin[number + 1]; group++) {
        add_window(part, group, window->first_day, window->last_day, &sums);
        headline_put(window->headline, group, &sums, window->number);
    }
}

static bool fill_window(const struct headline *headline, int32_t first_day, int32_t last_day,
                        int64_t *number, struct tally_err *err)
{
    struct encoding *encoding = headline->context;
    struct window window = {
        .encoding = encoding, .headline = headline, .first_day = first_day, .last_day = last_day};

    (void)err; // nothing is reserved
    window.number = number;
    team_run(fill_part, &window, encoding->shares.parts);
    return true;
}

static bool put_headline(struct encoding *encoding, struct tally_err *err)
{
    const struct rollup_content *content = encoding->content;
    struct headline headline = {.context = encoding,
                                .def = content->def,
                                .coverage = content->coverage,
                                .groups = content->source.groups,
                                .fill = fill_window};

    return headline_encode(&headline, &encoding->frame.section[ROLLUP_HEADLINE], err);
}

// ---- the file -----------------------------------------------------------------------------

static bool put_file(struct encoding *encoding, struct bytes *out, struct tally_err *err)
{
    return rollup_encode_frame(&encoding->frame, ROLLUP_WHOLE, &encoding->made.frame, out) ||
           no_memory(encoding, err);
}

static bool reserve(struct encoding *encoding, struct tally_err *err)
{
    entries_share(&encoding->content->source, &encoding->shares);
    encoding->part = calloc(encoding->shares.parts, sizeof *encoding->part);
    if (!encoding->part) {
        return no_memory(encoding, err);
    }
    for (unsigned i = 0; i < encoding->shares.parts; i++) {
        encoding->part[i].encoding = encoding;
        encoding->part[i].days = (struct rollup_days){.first_day = 1, .last_day = 0};
        bytes_init(&encoding->part[i].piece);
    }
    return true;
}

static bool encode(struct encoding *encoding, struct bytes *out, struct tally_err *err)
{
    struct rollup_frame *frame = &encoding->frame;

    if (!reserve(encoding, err) || !add_up(encoding, err)) {
        return false;
    }
    frame->generation = encoding->content->generation;
    frame->first_day = encoding->made.days.first_day;
    frame->last_day = encoding->made.days.last_day;
    rollup_encode_sayings(encoding->content, frame);
    return put_groups(encoding, err) && put_headline(encoding, err) &&
           put_entries(encoding, false, err) && put_entries(encoding, true, err) &&
           put_file(encoding, out, err);
}

bool rollup_encode(const struct rollup_content *content, struct rollup_made *out_made,
                   struct bytes *out, struct tally_err *err)
{
    struct encoding encoding = {.content = content};

    rollup_frame_init(&encoding.frame);
    bool ok = encode(&encoding, out, err);
    rollup_frame_done(&encoding.frame);
    for (unsigned i = 0; encoding.part && i < encoding.shares.parts; i++) {
        bytes_done(&encoding.part[i].piece);
    }
    free(encoding.part);
    if (ok && out_made) {
        *out_made = encoding.made;
    }
    return ok;
}
