#include "work.h"

#include "clock.h"

#include <time.h>

static uint64_t thread_time(void)
{
    struct timespec now;

    (void)clock_gettime((clockid_t)CLOCK_THREAD_CPUTIME_ID, &now); /* fails for a bad clock only */
    return (uint64_t)now.tv_sec * NANOSECONDS_A_SECOND + (uint64_t)now.tv_nsec;
}

/* The thread's own clock, not CLOCK_MONOTONIC: with more threads than processors, time passes while
 * a thread waits for its turn. To count that as work would make work done by many threads cheap. */
void work(uint64_t nanoseconds)
{
    if (nanoseconds == 0)
        return;
    for (uint64_t end = thread_time() + nanoseconds; thread_time() < end;)
        continue;
}
