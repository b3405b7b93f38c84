/* What a call costs that finds nothing, sleeps, and is woken by its own timeout. */
#ifndef MICRO_SLEEPING_WAIT_H
#define MICRO_SLEEPING_WAIT_H

#include "watched.h"

struct sleeping_wait {
    double cpu_us; /* CPU time of the thread for a call, on average */
    double sleeps; /* how often a call gave up the CPU, on average */
    uint64_t calls;
};

/* No socket may be readable. Makes as many calls with this timeout as fit into span_ns, at least 5;
 * one before them does not count. The CPU time is all that the kernel charges to the thread: the
 * call, going to sleep and coming back. The interrupt of the timer is not part of it, nor is the
 * idle CPU. The two readings of the clock, around all calls together, are not subtracted. It is an
 * error if a call reports a socket, or if not even half of the calls slept. Returns 0, or -1 with
 * error filled. */
int sleeping_wait_measure(struct watched *watched, uint64_t span_ns, int milliseconds,
                          struct sleeping_wait *result, struct error *error);

#endif
