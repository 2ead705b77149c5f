// store/rollup_encode.c - the bytes of a rollup file (contracts in rollup_format.h).
//
// In order of execution: write the sections; put a draft of the file together and read it with the
// ordinary reader, for its headline and digest; put the file together.
#include "store/rollup_private.h"

#include <stdlib.h>
#include <string.h>

struct encoding {
    const struct rollup_content *content;
    struct rollup_frame frame;
    struct rollup_made made;
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

static void find_days(struct encoding *encoding)
{
    const struct entries_source *source = &encoding->content->source;
    struct rollup_made *made = &encoding->made;
    struct rollup_entry entry;

    made->days = (struct rollup_days){.first_day = 1, .last_day = 0};
    for (int spans = 0; spans <= 1; spans++) {
        for (uint32_t group = 0; group < source->groups; group++) {
            uint32_t count = source->open_group(source->context, spans, group);
            *(spans ? &made->spans : &made->cells) += count;
            for (uint32_t i = 0; i < count; i++) {
                source->entry(source->context, i, &entry);
                rollup_days_add(&made->days, entry.first_day, entry.last_day);
            }
        }
    }
}

// Reads the draft, which has neither headline nor digest, and learns both from it.
static bool read_draft(struct encoding *encoding, struct bytes *draft, struct tally_err *err)
{
    struct rollup *rollup = rollup_open_memory(draft->data, draft->count, err);

    bytes_init(draft); // its memory is the rollup's now
    if (!rollup) {
        return err_wrap(err, "read back %s", encoding->content->def->name);
    }
    bool ok =
        rollup_encode_headline(rollup, &encoding->frame.section[ROLLUP_HEADLINE], err) &&
        rollup_content_sums(rollup, &encoding->made.sums, err) &&
        rollup_digest_of_sums(&rollup->def, &encoding->made.sums, &encoding->frame.digest, err);
    rollup_close(rollup);
    return ok;
}

static bool put_file(struct encoding *encoding, struct bytes *out, struct tally_err *err)
{
    return rollup_encode_frame(&encoding->frame, ROLLUP_WHOLE, &encoding->made.frame, out) ||
           no_memory(encoding, err);
}

static bool encode(struct encoding *encoding, struct bytes *out, struct tally_err *err)
{
    struct rollup_frame *frame = &encoding->frame;

    find_days(encoding);
    frame->generation = encoding->content->generation;
    frame->first_day = encoding->made.days.first_day;
    frame->last_day = encoding->made.days.last_day;
    rollup_encode_sayings(encoding->content, frame);
    return put_groups(encoding, err) && put_entries(encoding, false, err) &&
           put_entries(encoding, true, err) && put_file(encoding, out, err) &&
           read_draft(encoding, out, err) && put_file(encoding, out, err);
}

bool rollup_encode(const struct rollup_content *content, struct rollup_made *out_made,
                   struct bytes *out, struct tally_err *err)
{
    struct encoding encoding = {.content = content};

    rollup_frame_init(&encoding.frame);
    bool ok = encode(&encoding, out, err);
    rollup_frame_done(&encoding.frame);
    if (ok && out_made) {
        *out_made = encoding.made;
    }
    return ok;
}
