// daemon/queue.h - names that wait for admission, in the order in which they will be taken.
#ifndef DAEMON_QUEUE_H
#define DAEMON_QUEUE_H

#include "base/err.h"

#include <stddef.h>

enum { QUEUE_NAMES_MAX = 1000000 }; // more are found again by the next look at the inbox

struct queue {
    char **name;
    size_t first; // names before it were taken
    size_t count; // end of the waiting names
    size_t capacity;
};

void queue_done(struct queue *queue);
void queue_clear(struct queue *queue);
size_t queue_waiting(const struct queue *queue);

// Copies the name; false when full or without memory. The newest name is not added twice.
bool queue_put(struct queue *queue, const char *name);
// The same in front of all others: a name that was taken and has to wait keeps its turn.
bool queue_put_back(struct queue *queue, const char *name);
// The caller frees it; NULL when none waits.
char *queue_take(struct queue *queue);

#endif
