// daemon/metrics.h - a status as OpenMetrics text.
//
// The subset that Prometheus' older text format reads as well: node_exporter's textfile collector
// knows no other. So there are no types beyond counter, gauge and histogram, and no timestamps
// behind values; tallyd_timestamp_seconds tells when the text was made.
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "daemon/status.h"

// Appends the whole text, with "# EOF" at its end. Check out->ok.
void metrics_text(const struct status *status, struct bytes *out);

#endif
