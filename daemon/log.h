// daemon/log.h - what the daemon says: one line an event, for journald and for people.
//
//     <6>event=batch_committed file=03.csv rows=812 rejects=3 ms=41
//
// The priority prefix (sd-daemon(3)) is left out on a terminal. Texts are escaped and bounded, so
// that no byte of a file name or a feed reaches the log raw. docs/operations.md lists every event.
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum log_priority { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6 };

enum {
    LOG_LINE_BYTES = 1200,
    LOG_TEXT_BYTES = 300,
    LOG_EVENT_BYTES = 32,
    LOG_SHOWN_BYTES = LOG_TEXT_BYTES + 24
};

struct log_line {
    char event[LOG_EVENT_BYTES];
    char text[LOG_LINE_BYTES];
    size_t used;
};

void log_begin(struct log_line *line, enum log_priority priority, const char *event);
void log_text(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, uint64_t value);
void log_ms(struct log_line *line, const char *key, uint64_t ns); // in ms, three decimals
void log_end(struct log_line *line);

// Whether what is said goes into the journal (systemd.exec(5), $JOURNAL_STREAM).
bool log_is_journal(void);

// event=EVENT file=FILE place=... error="...": `file` may be NULL. The first leaves the line open.
void log_begin_failure(struct log_line *line, enum log_priority priority, const char *event,
                       const char *file, const struct tally_err *err);
void log_failure(enum log_priority priority, const char *event, const char *file,
                 const struct tally_err *err);

// A name for people, printable whatever its bytes: as log_text shows it, without the quotes.
// Requires: out_bytes >= LOG_SHOWN_BYTES.
void log_escape(const char *value, char *out, size_t out_bytes);

// One line that is overwritten by the next: only on a terminal. `expected_ms`: how long the rest
// takes, or LOG_NOT_KNOWN.
#define LOG_NOT_KNOWN UINT64_MAX
void log_progress(const char *file, uint64_t bytes, uint64_t bytes_total, uint64_t rows,
                  uint64_t expected_ms);
void log_progress_done(void);

#endif
