// base/prefetch.h - asks for memory that will soon be looked at, so that it has time to come.
//
// __builtin_prefetch has no effect that gcc knows of: a function that does nothing else looks to it
// like one that does nothing, and it leaves out the calls. The empty asm is an effect.
#ifndef BASE_PREFETCH_H
#define BASE_PREFETCH_H

static inline void prefetch_to_read(const void *at)
{
    __asm__ volatile("");
    __builtin_prefetch(at, 0);
}

static inline void prefetch_to_write(const void *at)
{
    __asm__ volatile("");
    __builtin_prefetch(at, 1);
}

#endif
