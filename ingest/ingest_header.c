// ingest_header.c - what the first bytes and the header of a file tell.
#include "ingest/ingest_private.h"

static ssize_t pull_source(void *context, void *data, size_t count, struct tally_err *err)
{
    return source_read(context, data, count, err);
}

// What the first bytes of the content tell: an ordinary file and its feed, or rejected rows.
static bool look_at_head(struct ingest *ingest, struct tally_err *err)
{
    const unsigned char *head;
    size_t head_count;

    if (!source_peek(ingest->source, HEADER_HEAD_BYTES + 1, &head, &head_count, err)) {
        return false;
    }
    if (head_count == 0) {
        return err_set(err, TALLY_REFUSED,
                       "the file is empty; a file without incidents still has "
                       "a header");
    }
    if (!repair_recognises(head, head_count, &ingest->limits, &ingest->summary.repair, err)) {
        return false;
    }
    if (ingest->summary.repair) {
        return true;
    }
    ingest->summary.feed = header_choose(ingest->feeds, ingest->feeds_count, ingest->name, head,
                                         head_count, &ingest->limits, err);
    return ingest->summary.feed;
}

static bool open_records(struct ingest *ingest, struct tally_err *err)
{
    const struct feed *feed = ingest->summary.feed;
    struct records_dialect dialect = {.delimiter = (unsigned char)feed->delimiter,
                                      .quoted = feed->quoted};
    bool ended;

    ingest->decode = decode_open(feed->encoding, pull_source, ingest->source, err);
    if (!ingest->decode) {
        return false;
    }
    ingest->records = records_open(dialect, &ingest->limits, decode_read, ingest->decode, err);
    return ingest->records &&
           records_skip_lines(ingest->records, feed->preamble_lines, &ended, err);
}

static bool bind_columns(struct ingest *ingest, const struct text *cells, size_t count,
                         struct tally_err *err)
{
    return header_bind(ingest->summary.feed, cells, count, &ingest->binding, err) &&
           (ingest->binding.missing == 0 ||
            err_set(err, TALLY_REFUSED, "the header lacks %s", ingest->binding.missing_names));
}

static bool keep_header(struct ingest *ingest, const struct record *record, struct tally_err *err)
{
    ingest->header = text_copy(record->raw);
    if (!ingest->header) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a header");
    }
    ingest->summary.header = ingest->header;
    ingest->summary.unterminated = record->unterminated;
    return true;
}

// Passes over HXL tags behind the header; any other record is left to be read again.
static bool skip_hxl(struct ingest *ingest, struct text *header, size_t header_count,
                     struct tally_err *err)
{
    const struct record *record;
    enum records_step step = records_next(ingest->records, &record, err);

    if (step == RECORDS_ERROR) {
        return false;
    }
    if (step != RECORDS_RECORD ||
        !header_is_hxl(header, header_count, record->fields, record->fields_count)) {
        records_again(ingest->records);
    }
    return true;
}

// The first cells of a header outlive its record: they tell whether there is an index column.
static bool read_header(struct ingest *ingest, struct tally_err *err)
{
    const struct record *record;

    enum records_step step = records_next(ingest->records, &record, err);
    if (step != RECORDS_RECORD) {
        return step == RECORDS_ERROR ? false
                                     : err_set(err, TALLY_REFUSED, "the header cannot be read");
    }
    if (!bind_columns(ingest, record->fields, record->fields_count, err)) {
        return false;
    }
    if (ingest->summary.feed->headerless) {
        records_again(ingest->records);
        return true;
    }
    if (!keep_header(ingest, record, err)) {
        return false;
    }
    struct text first = text_trim(record->fields[0]);
    bool index_column = first.bytes == 0 || text_is(first, "Unnamed: 0");
    struct text cell = text_of(index_column ? "" : "-");
    return skip_hxl(ingest, &cell, 1, err);
}

static bool begin_file(struct ingest *ingest, struct tally_err *err)
{
    return open_records(ingest, err) && read_header(ingest, err) &&
           records_pick(ingest->records, ingest->binding.slot, ingest->binding.columns,
                        ingest->binding.fields, err);
}

// The rows have the header of the file that they stood in, or that of their headerless feed.
static bool begin_repair(struct ingest *ingest, struct tally_err *err)
{
    const struct record *header;

    ingest->decode = decode_open(NULL, pull_source, ingest->source, err);
    if (!ingest->decode) {
        return false;
    }
    ingest->repair = repair_open(&ingest->limits, decode_read, ingest->decode, err);
    if (!ingest->repair) {
        return false;
    }
    ingest->summary.feed =
        repair_begin(ingest->repair, ingest->feeds, ingest->feeds_count, &header, err);
    if (!ingest->summary.feed) {
        return false;
    }
    return header ? bind_columns(ingest, header->fields, header->fields_count, err) &&
                        keep_header(ingest, header, err)
                  : bind_columns(ingest, NULL, ingest->summary.feed->column_counts[0], err);
}

bool ingest_read_header(struct ingest *ingest, struct tally_err *err)
{
    return look_at_head(ingest, err) &&
           (ingest->summary.repair ? begin_repair(ingest, err) : begin_file(ingest, err));
}
