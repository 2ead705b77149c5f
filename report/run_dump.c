// tally dump: every day cell of a rollup as it is stored, or every span.
#include "report/run.h"

#include "report/figures.h"
#include "report/origin.h"
#include "report/select.h"

struct dump {
    const struct rollup *rollup;
    const struct rollup_def *def;
    struct select select;
    struct sheet sheet;
    uint64_t rows_left; // of --limit
};

static void add_columns(struct dump *dump, bool spans)
{
    for (size_t i = 0; i < dump->def->dims_count; i++) {
        sheet_add_column(&dump->sheet, SHEET_TEXT, 0, "", dump->def->dims[i], "");
    }
    sheet_add_column(&dump->sheet, SHEET_DAY, 0, "", spans ? "first_day" : "day", "");
    if (spans) {
        sheet_add_column(&dump->sheet, SHEET_DAY, 0, "", "last_day", "");
    }
    figures_add_columns(&dump->sheet, dump->def, "");
    dump->sheet.title = sheet_printf(&dump->sheet, "%s · %s", dump->def->name,
                                     spans ? "incidents of more than a day" : "day cells");
}

static bool add_row(struct dump *dump, size_t row, const struct rollup_entry *entry, bool spans,
                    struct tally_err *err)
{
    struct sheet_value *at = sheet_add_row(&dump->sheet, err);

    if (!at) {
        return false;
    }
    for (size_t i = 0; i < dump->def->dims_count; i++) {
        size_t bytes;
        const char *text = select_text(&dump->select, row, i, &bytes);
        *at++ = sheet_text(text, bytes);
    }
    *at++ = sheet_number(entry->first_day);
    if (spans) {
        *at++ = sheet_number(entry->last_day);
    }
    figures_put(at, dump->def, dump->select.row[row].measures, &entry->sums);
    dump->rows_left--;
    return true;
}

static bool add_entries(struct dump *dump, size_t row, struct rollup_walk *walk, bool spans,
                        struct tally_err *err)
{
    struct rollup_entry entry;

    err->code = TALLY_OK;
    rollup_walk_group(walk, dump->select.group[dump->select.row[row].first]);
    while (dump->rows_left > 0 && rollup_walk_next(walk, &entry, err)) {
        if (!add_row(dump, row, &entry, spans, err)) {
            return false;
        }
    }
    return err->code == TALLY_OK;
}

static bool add_groups(struct dump *dump, const struct options *options, struct print *print,
                       struct tally_err *err)
{
    struct rollup_walk *walk =
        rollup_walk_open(dump->rollup, options->spans ? ROLLUP_WALK_SPANS : ROLLUP_WALK_CELLS, err);
    bool done = walk;

    for (size_t row = 0; done && row < dump->select.rows_count; row++) {
        // Without dimensions there is a row also where there is no group.
        done =
            dump->select.row[row].count == 0 || add_entries(dump, row, walk, options->spans, err);
        if (done && !options->sort) {
            print_rows(print, &dump->sheet);
        }
    }
    rollup_walk_close(walk);
    return done;
}

static bool show(struct dump *dump, const struct options *options, struct print *print,
                 struct tally_err *err)
{
    add_columns(dump, options->spans);
    if (options->sort && !sheet_sort(&dump->sheet, options->sort, err)) {
        return false;
    }
    // A sorted dump is cut after sorting.
    dump->rows_left = options->limited && !options->sort ? options->limit : UINT64_MAX;
    if (!add_groups(dump, options, print, err) ||
        (options->sort && !sheet_sort(&dump->sheet, options->sort, err))) {
        return false;
    }
    if (options->sort && options->limited) {
        sheet_limit(&dump->sheet, options->limit);
    }
    return print_end(print, &dump->sheet, err);
}

static bool dump_rollup(const struct options *options, const struct rollup *rollup,
                        struct print *print, struct tally_err *err)
{
    struct dump dump = {.rollup = rollup, .def = rollup_def(rollup)};
    struct where where;

    if (!where_init(&where, dump.def, options->where, options->where_count, err)) {
        return false;
    }
    bool done = select_each_group(&dump.select, rollup, &where, err);
    if (done) {
        sheet_init(&dump.sheet);
        done = show(&dump, options, print, err);
        sheet_done(&dump.sheet);
        select_done(&dump.select);
    }
    where_done(&where);
    return done;
}

bool run_dump(const struct options *options, struct print *print, struct tally_err *err)
{
    struct origin origin;

    if (!origin_open(&origin, options, ORIGIN_FIGURES, err)) {
        return false;
    }
    bool done = dump_rollup(options, origin.rollup, print, err);
    origin_close(&origin);
    return done;
}
