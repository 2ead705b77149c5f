// store/replay_until.c - how far a replay goes, as people write it (contract in replay.h).
#include "store/replay.h"

#include "base/day.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct replay_until replay_all = {.batch = UINT64_MAX, .time_ms = INT64_MAX};

// "12:30:00" or "12:30:00.123", an optional Z behind it: milliseconds of the day.
static bool parse_clock(const char *at, int64_t *out_ms)
{
    unsigned part[3];

    for (int i = 0; i < 3; i++, at += 2) {
        if (i > 0 && *at++ != ':') {
            return false;
        }
        if (at[0] < '0' || at[0] > '5' || at[1] < '0' || at[1] > '9') {
            return false;
        }
        part[i] = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
    }
    unsigned ms = 999; // of a second that is named without its parts, all of it
    if (*at == '.') {
        ms = 0;
        at++;
        for (unsigned weight = 100; *at >= '0' && *at <= '9'; weight /= 10) {
            ms += (unsigned)(*at++ - '0') * weight;
        }
    }
    at += *at == 'Z';
    *out_ms = (part[0] * 3600 + part[1] * 60 + part[2]) * INT64_C(1000) + ms;
    return *at == '\0' && part[0] <= 23;
}

static bool parse_time(const char *text, int64_t *out_time_ms)
{
    enum { DATE_BYTES = 10, DAY_MS = 86400000 };
    int64_t clock_ms = DAY_MS - 1; // a date alone is the whole day
    int32_t day;

    if (strlen(text) < DATE_BYTES || !day_parse_iso(text, DATE_BYTES, &day)) {
        return false;
    }
    const char *clock = text + DATE_BYTES;
    if (*clock != '\0' &&
        ((*clock != 'T' && *clock != ' ') || !parse_clock(clock + 1, &clock_ms))) {
        return false;
    }
    *out_time_ms = (int64_t)day * DAY_MS + clock_ms;
    return true;
}

bool replay_until_parse(const char *text, struct replay_until *out_until, struct tally_err *err)
{
    struct replay_until until = replay_all;

    if (strchr(text, '-')) {
        if (!parse_time(text, &until.time_ms)) {
            return err_set(err, TALLY_INVALID,
                           "'%.40s' is no time: write 2020-10-24 or 2020-10-24T12:30:00Z (UTC)",
                           text);
        }
    } else {
        char *end;
        errno = 0;
        until.batch = strtoull(text, &end, 10);
        if (*text < '0' || *text > '9' || *end != '\0' || errno == ERANGE ||
            until.batch == replay_all.batch) {
            return err_set(err, TALLY_INVALID,
                           "'%.40s' is neither a batch number nor a time such as 2020-10-24", text);
        }
    }
    *out_until = until;
    return true;
}
