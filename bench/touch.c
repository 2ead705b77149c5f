// bench/touch.c - what the machine takes to hand out memory.
//
//     bench_touch BYTES     touches as much for the first time, in large pages as incidents lie in
//                           them, says how many ms that took, and gives it back
//
// Below a virtual machine memory that is given back may go to others within seconds; what is
// touched next has to come from there again, at 10 to 20 times the cost. Behind a run of this
// program as much is at hand.
#include "base/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

enum { SMALL_PAGE_BYTES = 4096 };

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    size_t bytes = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;

    if (bytes == 0) {
        fputs("usage: bench_touch BYTES\n", stderr);
        return EX_USAGE;
    }
    double start_ms = now_ms();
    volatile char *memory = pages_alloc(bytes);
    if (!memory) {
        fputs("bench_touch: no memory\n", stderr);
        return EX_OSERR;
    }
    for (size_t at = 0; at < bytes; at += SMALL_PAGE_BYTES) {
        memory[at] = 1;
    }
    printf("%.2f\n", now_ms() - start_ms);
    free((void *)memory);
    return EXIT_SUCCESS;
}
