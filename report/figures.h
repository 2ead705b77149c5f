// report/figures.h - the columns that every command shows sums in.
//
//   incidents   killed   killed_reported   wounded   wounded_reported
//   480         261      480               602       341
//
// A measure that nobody reported is empty, not 0; one that no feed behind the row has is absent.
#ifndef REPORT_FIGURES_H
#define REPORT_FIGURES_H

#include "report/sheet.h"
#include "store/rollup_read.h"

#include <stddef.h>
#include <stdint.h>

// Adds 1 + 2 * measures columns whose names start with `prefix`. Returns the first one.
size_t figures_add_columns(struct sheet *sheet, const struct rollup_def *def, const char *prefix);

// Fills them. `measures`: bit m is set where measure m is not absent. Returns the next value.
struct sheet_value *figures_put(struct sheet_value *at, const struct rollup_def *def,
                                uint64_t measures, const struct rollup_sums *sums);

// The column that bars are drawn for: the one sorted by, else the first measure or incidents.
int figures_bar_column(const struct sheet *sheet, size_t first, size_t measures_count,
                       const char *sort);

// "602 wounded, reported by 341 of 480 incidents", for each measure that is not known of all.
void figures_note_unknown(struct sheet *sheet, const struct rollup_def *def, uint64_t measures,
                          const struct rollup_sums *sums);

#endif
