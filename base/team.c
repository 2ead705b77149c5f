#include "base/team.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

enum { IDLE_MS = 20 }; // a thread without work ends behind this

// What one call of team_run has to do, on its stack. `left` is for who holds the lock.
struct work {
    team_part *part;
    void *context;
    unsigned left; // parts that others do
    pthread_cond_t done;
};

// A thread, on its own stack. It is in the list while it has no work.
struct member {
    struct work *work; // or NULL
    unsigned number;   // of the part
    int away_from;     // the core that it does not run on
    pthread_t thread;
    pthread_cond_t wake;
    struct member *next;
};

// What a new thread begins with, on the stack of the caller who waits for it.
struct first {
    struct work *work;
    unsigned number;
    int away_from;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // of all below, and of each member's work
static struct member *idle;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// ---- how many parts -----------------------------------------------------------------------

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

// ---- waiting ------------------------------------------------------------------------------

static struct timespec idle_until(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += IDLE_MS * 1000000L;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static void leave_idle(const struct member *member)
{
    struct member **at = &idle;

    while (*at != member) {
        at = &(*at)->next;
    }
    *at = member->next;
}

// ---- a thread -----------------------------------------------------------------------------

// False: none came, and the member is in no list any more.
static bool wait_for_work(struct member *member)
{
    struct timespec until = idle_until();

    pthread_mutex_lock(&lock);
    int waited = 0;
    while (!member->work && waited == 0) {
        waited = pthread_cond_timedwait(&member->wake, &lock, &until);
    }
    bool any = member->work;
    if (!any) {
        leave_idle(member);
    }
    pthread_mutex_unlock(&lock);
    return any;
}

static void do_part(struct member *member)
{
    struct work *work = member->work;

    work->part(work->context, member->number);
    pthread_mutex_lock(&lock);
    member->work = NULL;
    member->next = idle;
    idle = member;
    if (--work->left == 0) {
        pthread_cond_signal(&work->done);
    }
    pthread_mutex_unlock(&lock);
}

static void init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void *serve(void *context)
{
    const struct first *first = context;
    struct member member = {.work = first->work,
                            .number = first->number,
                            .away_from = first->away_from,
                            .thread = pthread_self()};

    init_cond(&member.wake);
    do {
        do_part(&member);
    } while (wait_for_work(&member));
    pthread_cond_destroy(&member.wake);
    return NULL;
}

// ---- handing out --------------------------------------------------------------------------

// A child of fork has one thread: that of its parent which made it.
static void begin_in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    idle = NULL;
}

static void begin(void)
{
    (void)pthread_atfork(NULL, NULL, begin_in_child);
}

// Some schedulers put a thread beside the one that it works for, for its first milliseconds, which
// is as long as much of the work here takes. False: there is no other core.
static bool cores_but(int here, cpu_set_t *out_set)
{
    if (here < 0 || sched_getaffinity(0, sizeof *out_set, out_set) != 0) {
        return false;
    }
    CPU_CLR((size_t)here, out_set);
    return CPU_COUNT(out_set) > 0;
}

// False: no thread waits.
static bool wake_one(struct work *work, unsigned number, int here)
{
    pthread_mutex_lock(&lock);
    struct member *member = idle;
    if (!member) {
        pthread_mutex_unlock(&lock);
        return false;
    }
    idle = member->next;
    cpu_set_t set;
    if (member->away_from != here && cores_but(here, &set)) {
        (void)pthread_setaffinity_np(member->thread, sizeof set, &set);
        member->away_from = here;
    }
    member->number = number;
    member->work = work;
    pthread_cond_signal(&member->wake);
    pthread_mutex_unlock(&lock);
    return true;
}

// `set`, or NULL: on any core.
static bool create(struct first *first, const cpu_set_t *set)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (set) {
        (void)pthread_attr_setaffinity_np(&attributes, sizeof *set, set);
    }
    bool created = pthread_create(&thread, &attributes, serve, first) == 0;
    pthread_attr_destroy(&attributes);
    return created;
}

// Where a filter of system calls lets nobody choose cores (tallyd.service), a thread begins on any.
// Signals are for the threads of the program: a thread inherits which ones are blocked.
static bool start_one(struct first *first)
{
    cpu_set_t set;
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started =
        (cores_but(first->away_from, &set) && create(first, &set)) || create(first, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void wait_for_done(struct work *work, unsigned done_here)
{
    pthread_mutex_lock(&lock);
    work->left -= done_here;
    while (work->left > 0) {
        pthread_cond_wait(&work->done, &lock);
    }
    pthread_mutex_unlock(&lock);
}

void team_run(team_part *part, void *context, unsigned parts)
{
    struct work work = {.part = part, .context = context, .left = parts - 1};
    struct first first[TEAM_PARTS_MAX];
    bool mine[TEAM_PARTS_MAX] = {true};
    unsigned done_here = 0;

    assert(parts >= 1 && parts <= TEAM_PARTS_MAX);
    if (parts == 1) {
        part(context, 0);
        return;
    }
    pthread_once(&once, begin);
    init_cond(&work.done);
    int here = sched_getcpu();
    for (unsigned i = 1; i < parts; i++) {
        first[i] = (struct first){.work = &work, .number = i, .away_from = here};
        mine[i] = !wake_one(&work, i, here) && !start_one(&first[i]);
    }
    for (unsigned i = 0; i < parts; i++) {
        if (mine[i]) {
            part(context, i);
            done_here += i > 0;
        }
    }
    wait_for_done(&work, done_here);
    pthread_cond_destroy(&work.done);
}
