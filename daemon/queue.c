#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

void queue_clear(struct queue *queue)
{
    for (size_t i = queue->first; i < queue->count; i++) {
        free(queue->name[i]);
    }
    queue->first = 0;
    queue->count = 0;
}

void queue_done(struct queue *queue)
{
    queue_clear(queue);
    free(queue->name);
    *queue = (struct queue){0};
}

size_t queue_waiting(const struct queue *queue)
{
    return queue->count - queue->first;
}

static bool make_room(struct queue *queue)
{
    if (queue->count < queue->capacity) {
        return true;
    }
    if (queue->first > queue->count / 2) { // close the gap that was taken
        memmove(queue->name, queue->name + queue->first,
                queue_waiting(queue) * sizeof(*queue->name));
        queue->count -= queue->first;
        queue->first = 0;
        return true;
    }
    size_t capacity = queue->capacity ? queue->capacity * 2 : 64;
    char **name = realloc(queue->name, capacity * sizeof(*name));
    if (!name) {
        return false;
    }
    queue->name = name;
    queue->capacity = capacity;
    return true;
}

bool queue_put(struct queue *queue, const char *name)
{
    if (queue_waiting(queue) > 0 && strcmp(queue->name[queue->count - 1], name) == 0) {
        return true;
    }
    if (queue_waiting(queue) >= QUEUE_NAMES_MAX || !make_room(queue)) {
        return false;
    }
    queue->name[queue->count] = strdup(name);
    return queue->name[queue->count] && ++queue->count;
}

bool queue_put_back(struct queue *queue, const char *name)
{
    if (queue->first == 0) {
        if (!make_room(queue)) {
            return false;
        }
        memmove(queue->name + 1, queue->name, queue->count * sizeof(*queue->name));
        queue->first++;
        queue->count++;
    }
    char *copy = strdup(name);
    if (copy) {
        queue->name[--queue->first] = copy;
    }
    return copy;
}

char *queue_take(struct queue *queue)
{
    return queue_waiting(queue) > 0 ? queue->name[queue->first++] : NULL;
}
