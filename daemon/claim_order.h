// daemon/claim_order.h - in which order files were claimed, for a start that finds several of them.
//
//   state/claim-order     [magic][bytes][z.csv \0 a.csv \0 m.csv \0][checksum]
//   state/claimed/        a.csv  m.csv  z.csv        which the folder does not tell: they were
//                                                    claimed within a tick of its clock
//
// Where a feed has no revisions the later file wins, so a kill in the middle of a group must not
// change the order. The names that may be claimed next are written before the first of them is. A
// power cut may lose what was written, or leave half of it: then there is no order, and
// scan_claimed goes by what the folder tells.
#ifndef DAEMON_CLAIM_ORDER_H
#define DAEMON_CLAIM_ORDER_H

#include "base/bytes.h"
#include "base/err.h"

// The file, made where it is missing. < 0: see err.
int claim_order_open(int state_dir_fd, struct tally_err *err);

// Names, each with a zero behind it. Requires: names->ok.
bool claim_order_write(int fd, const struct bytes *names, struct tally_err *err);

// The same, as they were written; none where the file
// is torn, missing or cannot be read. Memory: the caller's to bytes_done.
struct bytes claim_order_read(int state_dir_fd);

#endif
