// base/progress.h - how long work says that it is not stuck.
//
//     progress_step(&store->progress);      after a read, a frame, a rollup: a bounded piece of
//     work
//
// Whoever watches is told from the thread that works, many times a second; telling has to be cheap.
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stddef.h>

struct progress {
    void (*on_step)(void *context); // NULL: nobody watches
    void *context;
};

static inline void progress_step(const struct progress *progress)
{
    if (progress->on_step) {
        progress->on_step(progress->context);
    }
}

#endif
