#include "ingest/words.h"

#define ONES_8 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define ONES_64 ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8

const unsigned char words_mask[2 * WORDS_BYTES] = {ONES_64};
