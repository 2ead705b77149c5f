// report/page.h - the page of `tally report`: its facts, found once, and its sections.
//
//   page_facts.c     which windows, which sums, which groups      no output
//   page_head.c      the sentence, what is not known, the figures to compare
//   page_chart.c     the rolling series, by chart.c; small multiples of the first groups
//   page_table.c     every group; window by window
//   page_foot.c      coverage, how to read it, provenance, the command
//   page_style.c page_script.c
//
// One file without any outside request. It says all without scripts; they add reading off the
// charts and sorting.
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "report/options.h"
#include "report/period.h"
#include "report/select.h"

#include <stdio.h>

enum { PAGE_NOW, PAGE_PREVIOUS, PAGE_YEAR_AGO, PAGE_PERIODS };

enum {
    PAGE_ROWS_MAX = 200, // of the table, unless --limit says another number
    PAGE_MULTIPLES_MAX = 12,
    PAGE_YEARS = 5, // that charts reach back, or ten windows
};

// What is counted: a measure with its estimates, or the incidents.
struct page_figure {
    const char *name;
    int measure; // -1: incidents
    int low;     // -1: the rollup has no such measure
    int high;
};

struct page_group {
    size_t row; // of `groups`
    struct rollup_sums sums[PAGE_PERIODS];
};

struct page {
    FILE *out;
    const struct options *options;
    const struct rollup *rollup;
    const struct rollup_def *def;
    struct where where;
    struct select total;  // one row
    struct select groups; // by --by, or the first dimension
    struct period period[PAGE_PERIODS];
    bool is_whole[PAGE_PERIODS]; // all feeds with data cover it
    struct rollup_sums sums[PAGE_PERIODS];
    struct page_figure figure[ROLLUP_MEASURES_MAX + 1]; // the measures, then incidents
    size_t figures_count;
    struct page_group *group; // the greatest of figure 0 first
    size_t groups_count;
    bool any_coverage;
    int32_t covered_first; // what all feeds with data cover
    int32_t covered_last;
    int32_t reached_first; // what any of them covers
    int32_t reached_last;
    int32_t chart_from;
    struct rollup_provenance provenance;
};

bool page_find(struct page *page, const struct options *options, const struct rollup *rollup,
               struct tally_err *err);
void page_done(struct page *page);

// Writes all of it.
bool page_write(struct page *page, FILE *out, struct tally_err *err);

enum page_state {
    PAGE_KNOWN,
    PAGE_UNKNOWN, // there are incidents, and none of them says
    PAGE_NONE,    // there are no incidents
    PAGE_ABSENT,  // no feed behind it has such a column
};
struct page_value {
    enum page_state state;
    bytes_i128 number;
};
// A measure (-1: incidents) of sums. `measures`: as of select_row.
struct page_value page_value(const struct rollup_sums *sums, int measure, uint64_t measures);
void page_put_value(FILE *out, struct page_value value);
uint64_t page_reported(const struct rollup_sums *sums, int measure);
bool page_has_range(const struct page_figure *figure); // both a low and a high estimate
// Whether the incidents that gave the figure are as many as those that gave its estimates: if not,
// the sums are not of the same incidents.
bool page_range_fits(const struct rollup_sums *sums, const struct page_figure *figure);
// "1,100 to 1,500"; "0 to 1, of 1 incident" where it does not fit.
void page_put_range(const struct page *page, const struct rollup_sums *sums,
                    const struct page_figure *figure, uint64_t measures);

// Whether the sums of the days to last_day are all that there will be, as far as feeds say.
bool page_is_whole(const struct page *page, int32_t first_day, int32_t last_day);

// Whether any feed has reported on any of these days: if not, no incidents means nothing.
bool page_is_reached(const struct page *page, int32_t first_day, int32_t last_day);
// "1 January 2019 to 24 October 2020": what all feeds with data cover.
void page_put_covered(const struct page *page);

// "50 days", "1 day"
void page_put_length(FILE *out, uint32_t days);
// The dimensions of a row of `groups`, with `between`.
void page_put_group(const struct page *page, size_t row, const char *between);

// "killed" reads as in "261 were killed"; "fatalities" does not.
bool page_is_participle(const char *name);

// The sections, in order.
void page_put_head(const struct page *page);
void page_put_figures(const struct page *page);
bool page_put_charts(const struct page *page, struct tally_err *err);
bool page_put_multiples(const struct page *page, struct tally_err *err);
void page_put_table(const struct page *page);
bool page_put_windows(const struct page *page, struct tally_err *err);
void page_put_foot(const struct page *page);

// Style and script, each with the digest that the page's content security policy names.
extern const char *const page_style[];
extern const char *const page_script[];
extern const char page_style_digest[];
extern const char page_script_digest[];

#endif
