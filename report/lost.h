// report/lost.h - what is lost of a damaged ledger, in words.
#ifndef REPORT_LOST_H
#define REPORT_LOST_H

#include "report/sheet.h"
#include "store/salvage.h"

// "batch 3", "batches 3-5", or what else it may be. In the sheet's memory, as the place.
const char *lost_batches(struct sheet *sheet, const struct salvage_lost *lost);
const char *lost_place(struct sheet *sheet, const struct salvage_lost *lost);

#endif
