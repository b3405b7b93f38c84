#include "clock.h"

uint64_t clock_now(void)
{
    struct timespec now;

    /* Fails only for a clock that the system lacks. Linux, macOS and the BSDs have this one. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS_A_SECOND + (uint64_t)now.tv_nsec;
}

struct timespec clock_point(uint64_t ns)
{
    uint64_t seconds = ns / NANOSECONDS_A_SECOND;

    return (struct timespec){.tv_sec = (time_t)(seconds < INT32_MAX ? seconds : INT32_MAX),
                             .tv_nsec = (long)(ns % NANOSECONDS_A_SECOND)};
}

/* No wait is longer than a day: some kernels refuse more, or count it in too few ticks. Whoever
 * wakes up before a deadline waits again. */
static const uint64_t longest_ns = NANOSECONDS_A_SECOND * 24 * 60 * 60;

const struct timespec *clock_left(uint64_t deadline_ns, uint64_t now_ns, struct timespec *left)
{
    uint64_t span = deadline_ns > now_ns ? deadline_ns - now_ns : 0;

    if (deadline_ns == NEVER)
        return NULL;
    if (span > longest_ns)
        span = longest_ns;
    left->tv_sec = (time_t)(span / NANOSECONDS_A_SECOND);
    left->tv_nsec = (long)(span % NANOSECONDS_A_SECOND);
    return left;
}

int64_t clock_left_ms(uint64_t deadline_ns, uint64_t now_ns)
{
    const uint64_t millisecond = NANOSECONDS_A_SECOND / 1000;
    uint64_t span = deadline_ns > now_ns ? deadline_ns - now_ns : 1;

    if (span > longest_ns)
        span = longest_ns;
    return (int64_t)((span - 1) / millisecond + 1);
}
