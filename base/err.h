// base/err.h - filling a struct tally_err.
//
//     if (!ledger_open(dir, &ledger, err)) {
//         return err_wrap(err, "open store");
//     }
//
// All of them return false, so that reporting is one line. Messages that do not fit are cut.
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/tally_err.h"

#include <stdbool.h>

#define ERR_LINE_TEXT_(line) #line
#define ERR_LINE_TEXT(line) ERR_LINE_TEXT_(line)
#define ERR_HERE ERR_SOURCE_FILE ":" ERR_LINE_TEXT(__LINE__)
#ifndef ERR_SOURCE_FILE
#define ERR_SOURCE_FILE __FILE__
#endif

// Lets a static analyser, and the measure of what tests reach, see what the functions below return.
__attribute__((always_inline)) static inline bool err_false(bool ignored)
{
    (void)ignored;
    return false;
}

// A failure of our own finding.
#define err_set(err, code, ...) err_false(err_set_at((err), (code), ERR_HERE, __VA_ARGS__))

// A system call that failed: appends ": strerror(errno)"; ENOSPC and EDQUOT become TALLY_NO_SPACE.
#define err_sys(err, ...) err_false(err_sys_at((err), ERR_HERE, __VA_ARGS__))

bool err_set_at(struct tally_err *err, enum tally_code code, const char *source, const char *format,
                ...) __attribute__((format(printf, 4, 5)));
bool err_sys_at(struct tally_err *err, const char *source, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Puts what was being done in front of the message: "open store: ...".
#define err_wrap(err, ...) err_false(err_wrap_with((err), __VA_ARGS__))
bool err_wrap_with(struct tally_err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Says where in the input; keeps the first place that was said.
#define err_place(err, ...) err_false(err_place_at((err), __VA_ARGS__))
bool err_place_at(struct tally_err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
