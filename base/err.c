#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct tally_err *err, enum tally_code code, int sys_errno, const char *source)
{
    err->code = code;
    err->sys_errno = sys_errno;
    err->source = source;
    err->place[0] = '\0';
}

bool err_set_at(struct tally_err *err, enum tally_code code, const char *source, const char *format,
                ...)
{
    va_list args;

    fill(err, code, 0, source);
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return false;
}

bool err_sys_at(struct tally_err *err, const char *source, const char *format, ...)
{
    int saved = errno;
    bool full = saved == ENOSPC || saved == EDQUOT;
    va_list args;

    fill(err, full ? TALLY_NO_SPACE : TALLY_IO, saved, source);
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);

    size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, ": %s", strerror(saved));
    return false;
}

bool err_wrap_with(struct tally_err *err, const char *format, ...)
{
    char inner[sizeof err->message];
    va_list args;

    memcpy(inner, err->message, sizeof inner);
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);

    size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, ": %s", inner);
    return false;
}

bool err_place_at(struct tally_err *err, const char *format, ...)
{
    va_list args;

    if (err->place[0] != '\0') {
        return false;
    }
    va_start(args, format);
    vsnprintf(err->place, sizeof err->place, format, args);
    va_end(args);
    return false;
}
