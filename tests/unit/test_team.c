#include "base/team.h"

#include "tests/unit/one_core.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct adding {
    const uint32_t *number;
    size_t count;
    unsigned parts;
    uint64_t sum[TEAM_PARTS_MAX];
    unsigned times[TEAM_PARTS_MAX];
};

static void add_part(void *context, unsigned part)
{
    struct adding *adding = context;
    size_t end = team_begin(adding->count, part + 1, adding->parts);

    adding->times[part]++;
    for (size_t i = team_begin(adding->count, part, adding->parts); i < end; i++) {
        adding->sum[part] += adding->number[i];
    }
}

static void any_number_of_parts_does_all_of_it_once(void **state)
{
    enum { COUNT = 100003 };
    uint32_t *number = malloc(COUNT * sizeof *number);

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        number[i] = i;
    }
    for (unsigned parts = 1; parts <= TEAM_PARTS_MAX; parts++) {
        struct adding adding = {.number = number, .count = COUNT, .parts = parts};
        uint64_t sum = 0;
        team_run(add_part, &adding, parts);
        for (unsigned i = 0; i < TEAM_PARTS_MAX; i++) {
            assert_int_equal(adding.times[i], i < parts);
            sum += adding.sum[i];
        }
        assert_int_equal(sum, (uint64_t)COUNT * (COUNT - 1) / 2);
    }
    free(number);
}

// Several callers at once, again and again: no part is lost, done twice or given to another caller.
enum { CALLERS = 4, ROUNDS = 500, PARTS = 3 };

struct caller {
    pthread_t thread;
    unsigned rounds;
};

static void note_part(void *context, unsigned part)
{
    unsigned *times = context;
    times[part]++;
}

static void note_parts_within(void *context, unsigned part)
{
    unsigned(*times)[PARTS] = context;
    team_run(note_part, times[part], PARTS);
}

static void *call_again_and_again(void *context)
{
    struct caller *caller = context;

    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned times[PARTS][PARTS] = {0};
        bool once = true;
        team_run(note_parts_within, times, PARTS);
        for (unsigned i = 0; i < PARTS * PARTS; i++) {
            once = once && times[i / PARTS][i % PARTS] == 1;
        }
        caller->rounds += once;
    }
    return NULL;
}

static void callers_do_not_disturb_one_another(void **state)
{
    struct caller caller[CALLERS] = {0};

    (void)state;
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_create(&caller[i].thread, NULL, call_again_and_again, &caller[i]),
                         0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(caller[i].thread, NULL);
        assert_int_equal(caller[i].rounds, ROUNDS);
    }
}

// The thread sanitizer lets no child of several threads have threads. The allocator of the address
// sanitizer may be locked by another thread at the moment of fork, for good in the child.
static void skip_where_no_child_has_threads(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    skip();
#endif
}

// How a child of fork that calls `run` ends.
static int end_of_child(int (*run)(void))
{
    int status = -1;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        _exit(run());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run_a_team(void)
{
    unsigned times[PARTS] = {0};

    team_run(note_part, times, PARTS);
    return times[0] == 1 && times[1] == 1 && times[2] == 1 ? 0 : 1;
}

static void a_child_of_fork_has_a_team_of_its_own(void **state)
{
    (void)state;
    skip_where_no_child_has_threads();
    assert_int_equal(run_a_team(), 0); // threads that wait, which the child does not have
    assert_int_equal(end_of_child(run_a_team), 0);
}

// As the filters of a service do: what changes cores or priorities is refused.
static bool refuse_affinity(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setaffinity, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof steps[0], .filter = steps};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void note_thread(void *context, unsigned part)
{
    pid_t *thread = context;
    thread[part] = gettid();
}

enum { NO_FILTER = 77 };

static int run_a_team_under_a_filter(void)
{
    pid_t thread[PARTS] = {0};

    if (!refuse_affinity()) {
        return NO_FILTER;
    }
    team_run(note_thread, thread, PARTS);
    bool apart = thread[1] > 0 && thread[1] != thread[0] && thread[2] > 0 &&
                 thread[2] != thread[0]; // one may have done both
    return apart ? 0 : 1;
}

static void threads_that_may_not_choose_their_core_work_all_the_same(void **state)
{
    (void)state;
    skip_where_no_child_has_threads();
    int end = end_of_child(run_a_team_under_a_filter);
    if (end == NO_FILTER) {
        skip(); // this machine filters no system calls
    }
    assert_int_equal(end, 0);
}

static unsigned count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    unsigned count = 0;

    assert_non_null(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks));) {
        count += entry->d_name[0] != '.';
    }
    closedir(tasks);
    return count;
}

static void threads_without_work_end(void **state)
{
    unsigned times[PARTS] = {0};

    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); // it has one of its own
#endif
    team_run(note_part, times, PARTS);
    while (count_threads() > 1) { // or the test runs into its time limit
        usleep(1000);
    }
    team_run(note_part, times, PARTS);
    assert_int_equal(times[0] + times[1] + times[2], 2 * PARTS);
}

static void shares_differ_by_one_at_most(void **state)
{
    (void)state;
    for (size_t pieces = 0; pieces < 40; pieces++) {
        for (unsigned parts = 1; parts <= TEAM_PARTS_MAX; parts++) {
            assert_int_equal(team_begin(pieces, 0, parts), 0);
            assert_int_equal(team_begin(pieces, parts, parts), pieces);
            for (unsigned part = 0; part < parts; part++) {
                size_t share =
                    team_begin(pieces, part + 1, parts) - team_begin(pieces, part, parts);
                assert_in_range(share, pieces / parts, pieces / parts + 1);
            }
        }
    }
    assert_int_equal(team_begin(SIZE_MAX, 8, 8), SIZE_MAX);
}

static void little_work_is_not_shared(void **state)
{
    (void)state;
    assert_int_equal(team_parts(0, 1000), 1);
    assert_int_equal(team_parts(1999, 1000), 1);
    assert_in_range(team_parts(SIZE_MAX, 1000), 1, TEAM_PARTS_MAX);
    assert_in_range(team_parts(SIZE_MAX, 0), 1, TEAM_PARTS_MAX);
    cpu_set_t all = use_one_core();
    assert_int_equal(team_parts(SIZE_MAX, 1000), 1);
    use_cores(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_parts_does_all_of_it_once),
        cmocka_unit_test(callers_do_not_disturb_one_another),
        cmocka_unit_test(a_child_of_fork_has_a_team_of_its_own),
        cmocka_unit_test(threads_that_may_not_choose_their_core_work_all_the_same),
        cmocka_unit_test(threads_without_work_end),
        cmocka_unit_test(shares_differ_by_one_at_most),
        cmocka_unit_test(little_work_is_not_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
