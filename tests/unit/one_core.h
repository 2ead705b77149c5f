// tests/unit/one_core.h - work that is shared out among cores (base/team.h), done by one alone.
#ifndef TESTS_UNIT_ONE_CORE_H
#define TESTS_UNIT_ONE_CORE_H

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// This thread may use one core from now on, until use_cores puts back what is returned.
static inline cpu_set_t use_one_core(void)
{
    cpu_set_t all;
    cpu_set_t one;

    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_ZERO(&one);
            CPU_SET(i, &one);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    return all;
}

static inline void use_cores(cpu_set_t cores)
{
    assert_int_equal(sched_setaffinity(0, sizeof cores, &cores), 0);
}

#endif
