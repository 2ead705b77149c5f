// tests/cluster/failures.c - whatever fails between the engine and its servers, and wherever: one
// clear error, nothing leaked, whole batches only.
//
//   cluster_failures HOSTS CLUSTER DATABASE SEED ROUNDS    as engines.py calls it; the last three
//                                                          are not used
//
// Each scenario (failing_*.c) runs once for every allocation that may fail, for every call to the
// system, for every request in every way, and for bytes of every answer that are false. Each time
// the store that is opened afterwards is looked at as a whole. TALLY_LONG: each one by itself,
// where otherwise one stands for all that come by the same way, and one state for its neighbours.
#include "tests/cluster/failing.h"
#include "tests/unit/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct failing *const scenarios[] = {&failing_schema, &failing_store, &failing_move};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

static const struct {
    const char *name;
    enum memo_fault fault;
    enum tally_code code;
} faults[] = {
    {"nobody heard", MEMO_UNREACHED, TALLY_UNAVAILABLE},
    {"done, unheard", MEMO_UNHEARD, TALLY_UNAVAILABLE},
    {"refused", MEMO_REFUSED, TALLY_INVALID},
    {"no space", MEMO_NO_SPACE, TALLY_NO_SPACE},
    {"no memory", MEMO_NO_MEMORY, TALLY_NO_MEMORY},
};
enum { FAULTS = sizeof faults / sizeof *faults, KINDS_MAX = 4096 };

bool failing_lied;
static bool every; // each one by itself
static int wrong;  // failures that were told as something else, or leaked

_Noreturn void failing_end(const char *file, int line, const char *what,
                           const struct tally_err *err)
{
    fprintf(stderr, "failures: %s:%d: not so: %s: code %d, %s %s (%s)\n", file, line, what,
            err->code, err->place, err->message, err->source);
    abort();
}

static void tell(const struct failing *scenario, const char *what, const char *why,
                 const struct tally_err *err)
{
    fprintf(stderr, "failures: %s: %s: %s: code %d, %s %s (%s)\n", scenario->name, what, why,
            err->code, err->place, err->message, err->source ? err->source : "");
    wrong++;
}

static long enter(const struct failing *scenario)
{
    long live = fail_live();

    memo_begin(scenario->root);
    told_begin(TOLD_PLAY);
    scenario->enter();
    return live;
}

// Whether what follows is looked at where the servers stand now.
static bool is_looked_at(const struct failing *scenario)
{
    static uint64_t state[KINDS_MAX];
    uint64_t now = memo_state();

    for (size_t i = 0; i < KINDS_MAX; i++) {
        if (state[i] == 0 || state[i] == now) {
            state[i] = now;
            return every || i % scenario->sparse == 0;
        }
    }
    return true;
}

static void go_on(const struct failing *scenario, bool ok)
{
    if (is_looked_at(scenario)) {
        if (!ok) {
            told_begin(TOLD_GO_ON);
            scenario->go_on();
        }
        told_begin(TOLD_RECOVER);
        scenario->recover();
    }
}

static void leave(const struct failing *scenario, const char *what, long live)
{
    struct tally_err none = {0};

    scenario->leave();
    if (fail_live() != live) {
        fprintf(stderr, "failures: %ld blocks\n", fail_live() - live);
        tell(scenario, what, "leaks", &none);
    }
}

// ---- allocations and calls --------------------------------------------------------------------

// False: there is no further one.
static bool fail_once(const struct failing *scenario, enum fail_kind kind, long at)
{
    enum tally_code want = kind == FAIL_MEMORY ? TALLY_NO_MEMORY : TALLY_IO;
    struct tally_err err = {0};
    const char *name;
    long live = enter(scenario);

    if (every) {
        fail_arm(kind, at);
    } else {
        fail_arm_new(kind);
    }
    bool ok = scenario->play(&err);
    bool failed = fail_disarm(&name);
    if (failed && strstr(name, "sync")) {
        want = TALLY_SYNC_FAILED;
    }
    if (!ok && (!failed || err.code != want || !err.message[0])) {
        tell(scenario, failed ? name : "nothing", "is told so", &err);
    }
    go_on(scenario, ok);
    leave(scenario, failed ? name : "nothing", live);
    return failed;
}

static void each_may_fail(const struct failing *scenario, enum fail_kind kind, const char *what)
{
    long at = 1;

    while (fail_once(scenario, kind, at)) {
        at++;
    }
    printf("failures: %s: %ld %s\n", scenario->name, at - 1, what);
    fflush(stdout);
}

// ---- requests ---------------------------------------------------------------------------------

static bool fail_request(const struct failing *scenario, size_t fault, long at)
{
    struct tally_err err = {0};
    const char *request;
    size_t bytes;
    char what[200];
    long live = enter(scenario);

    memo_arm(faults[fault].fault, at, 0);
    bool ok = scenario->play(&err);
    bool failed = memo_disarm(&request, &bytes);
    snprintf(what, sizeof what, "%s: %s", faults[fault].name, failed ? request : "no request");
    if (!ok && (!failed || err.code != faults[fault].code || !strstr(err.message, "memo: "))) {
        tell(scenario, what, "is told so", &err);
    }
    go_on(scenario, ok);
    leave(scenario, what, live);
    return failed;
}

static void each_request_may_fail(const struct failing *scenario)
{
    long count = 0;

    for (size_t fault = 0; fault < FAULTS; fault++) {
        // By turns: each request fails in one way, and in each way some.
        long at = every ? 1 : 1 + (long)fault;
        while (fail_request(scenario, fault, at)) {
            at += every ? 1 : FAULTS;
            count++;
        }
    }
    printf("failures: %s: %ld requests\n", scenario->name, count);
    fflush(stdout);
}

// ---- false answers ----------------------------------------------------------------------------

// Whatever a server says: an error or other figures, but never the end of the process. Returns
// false behind the last answer; *out_bytes: how many the true one has.
static bool answer_falsely(const struct failing *scenario, enum memo_fault fault, long at,
                           size_t where, const char **out_request, size_t *out_bytes)
{
    struct tally_err err = {0};
    long live = enter(scenario);

    memo_only(failing_lied = true);
    memo_arm(fault, at, where);
    bool ok = scenario->play(&err);
    bool failed = memo_disarm(out_request, out_bytes);
    memo_only(failing_lied = false);
    if (!ok && (err.code == TALLY_OK || !err.message[0])) {
        tell(scenario, *out_request, "is no error", &err);
    }
    leave(scenario, *out_request, live);
    return failed;
}

// Whether a question like this one had false answers of this kind: it differs in numbers alone.
static bool was_met(const char *request, size_t kind)
{
    static uint64_t met[KINDS_MAX];
    uint64_t sum = kind + 1;

    for (; *request != '\0'; request++) {
        sum =
            (*request >= '0' && *request <= '9') ? sum : (sum ^ (uint64_t)*request) * 1099511628211;
    }
    for (size_t i = 0; i < KINDS_MAX; i++) {
        if (met[i] == 0) {
            met[i] = sum;
            return false;
        }
        if (met[i] == sum) {
            return true;
        }
    }
    return true;
}

static long answer_at(const struct failing *scenario, enum memo_fault fault, long at, size_t bytes)
{
    size_t step = every ? 1 : 7;
    const char *request;
    long count = 0;

    for (size_t where = step; where < bytes; where += step) {
        answer_falsely(scenario, fault, at, where, &request, &bytes);
        count++;
    }
    return count;
}

static void each_answer_may_be_false(const struct failing *scenario)
{
    static const enum memo_fault kinds[] = {MEMO_EMPTY, MEMO_LONGER, MEMO_CUT, MEMO_GARBLED,
                                            MEMO_ZEROED};
    const char *request;
    long count = 0;
    size_t bytes = 0;

    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        bool by_byte = kinds[kind] != MEMO_EMPTY && kinds[kind] != MEMO_LONGER;
        for (long at = 1; answer_falsely(scenario, kinds[kind], at, 0, &request, &bytes); at++) {
            bool met = was_met(request, kind);
            count +=
                1 + (by_byte && (every || !met) ? answer_at(scenario, kinds[kind], at, bytes) : 0);
        }
    }
    printf("failures: %s: %ld false answers\n", scenario->name, count);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fputs("usage: cluster_failures HOSTS CLUSTER DATABASE SEED ROUNDS\n", stderr);
        return 2;
    }
    every = getenv("TALLY_LONG");
    memo_open(argv[1], argv[2]);
    told_open();
    for (size_t i = 0; i < SCENARIOS; i++) {
        told_begin(TOLD_PLAY);
        scenarios[i]->prepare();
        each_may_fail(scenarios[i], FAIL_MEMORY, "allocations");
        each_may_fail(scenarios[i], FAIL_CALL, "calls");
        each_request_may_fail(scenarios[i]);
        each_answer_may_be_false(scenarios[i]);
        scenarios[i]->finish();
    }
    printf("failures: %u requests to real servers\n", memo_asked());
    told_close();
    memo_close();
    return wrong > 0;
}
