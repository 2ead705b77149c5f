#include "base/team.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>

struct member {
    team_part *part;
    void *context;
    unsigned number;
    bool started;
    pthread_t thread;
};

static unsigned cores(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

unsigned team_parts(size_t pieces, size_t pieces_least)
{
    size_t worth = pieces_least ? pieces / pieces_least : pieces;
    size_t parts = cores();

    parts = parts < worth ? parts : worth;
    parts = parts < TEAM_PARTS_MAX ? parts : TEAM_PARTS_MAX;
    return parts > 1 ? (unsigned)parts : 1;
}

size_t team_begin(size_t pieces, unsigned part, unsigned parts)
{
    return pieces / parts * part + pieces % parts * part / parts;
}

static void *run(void *context)
{
    struct member *member = context;

    member->part(member->context, member->number);
    return NULL;
}

// Some schedulers put a new thread beside the one that made it for its first milliseconds, which is
// as long as much of the work here takes. False: there is no other core.
static bool stay_away(pthread_attr_t *attributes)
{
    cpu_set_t set;
    int here = sched_getcpu();

    if (here < 0 || sched_getaffinity(0, sizeof set, &set) != 0) {
        return false;
    }
    CPU_CLR((size_t)here, &set);
    return CPU_COUNT(&set) > 0 && pthread_attr_setaffinity_np(attributes, sizeof set, &set) == 0;
}

// Signals are for the threads of the program: a thread inherits which ones are blocked.
static void start(struct member *member, unsigned parts)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;

    if (pthread_attr_init(&attributes) != 0) {
        return;
    }
    (void)stay_away(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 1; i < parts; i++) {
        member[i].started = pthread_create(&member[i].thread, &attributes, run, &member[i]) == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

void team_run(team_part *part, void *context, unsigned parts)
{
    struct member member[TEAM_PARTS_MAX];

    assert(parts >= 1 && parts <= TEAM_PARTS_MAX);
    for (unsigned i = 1; i < parts; i++) {
        member[i] = (struct member){.part = part, .context = context, .number = i};
    }
    if (parts > 1) {
        start(member, parts);
    }
    part(context, 0);
    for (unsigned i = 1; i < parts; i++) {
        if (member[i].started) {
            pthread_join(member[i].thread, NULL);
        } else {
            run(&member[i]);
        }
    }
}
