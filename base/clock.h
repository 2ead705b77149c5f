// base/clock.h - the time of day. It may step back; nothing here depends on it never doing so.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_now_ms(void); // since 1970, UTC

#endif
