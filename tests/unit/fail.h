// tests/unit/fail.h - the N-th allocation, or the N-th call to the system, fails once.
//
// For tests that are linked with fail.c, which stands in front of these functions (ld --wrap):
// whatever base/, ingest/ and store/ call goes by it, what libc and other libraries call does not.
#ifndef TESTS_FAIL_H
#define TESTS_FAIL_H

#include <stdbool.h>

enum fail_kind {
    FAIL_MEMORY, // NULL
    FAIL_CALL,   // EIO
    FAIL_SIGNAL, // EINTR, of those that a signal may interrupt
};

// Hundreds of runs under a sanitizer take minutes: there it is every seventh allocation, unless
// TALLY_LONG is set, while all of them are tried without one.
long fail_step(enum fail_kind kind);
// From here on; `at` 1 is the next one.
void fail_arm(enum fail_kind kind, long at);
// The next one to which this thread comes by a way where none failed before: its call and what led
// to it. So each piece of code that has to do without is met once, however often it is passed.
void fail_arm_new(enum fail_kind kind);
// Whether it came to that, and which function it was.
bool fail_disarm(const char **out_name);

// What this thread does between these two neither fails nor counts: it is the test's own.
void fail_pause(void);
void fail_resume(void);
// How much more memory this thread took than it gave back, in blocks.
long fail_live(void);

#endif
