#include "report/lost.h"

const char *lost_batches(struct sheet *sheet, const struct salvage_lost *lost)
{
    unsigned long long first = lost->batch;

    return lost->batches == 0 ? "a note, or what was never committed"
           : lost->batches == 1
               ? sheet_printf(sheet, "batch %llu", first)
               : sheet_printf(sheet, "batches %llu-%llu", first, first + lost->batches - 1);
}

const char *lost_place(struct sheet *sheet, const struct salvage_lost *lost)
{
    char name[LEDGER_SEGMENT_NAME_BYTES];

    return sheet_printf(sheet, "ledger/%s@0x%llx", ledger_segment_name(lost->from.segment, name),
                        (unsigned long long)lost->from.offset);
}
