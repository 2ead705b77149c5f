// base/clock.h - the time of day, and time that passes.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

// Since 1970, UTC. It may step back; nothing here depends on it never doing so.
int64_t clock_now_ms(void);
uint64_t clock_ticks_ns(void); // since some moment; never steps back

#endif
