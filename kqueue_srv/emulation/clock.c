/* Time is one signed 64-bit count of nanoseconds. It covers 292 years and is easy to compare. */
#include <time.h>

#include "emulation.h"

int64_t now_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

/* Both operands are non-negative. */
int64_t add_saturating(int64_t left, int64_t right)
{
    return left > INT64_MAX - right ? INT64_MAX : left + right;
}

/* Both operands are non-negative, right is at least 1. */
int64_t multiply_saturating(int64_t left, int64_t right)
{
    return left > INT64_MAX / right ? INT64_MAX : left * right;
}

struct timespec timespec_from(int64_t nanoseconds)
{
    return (struct timespec){.tv_sec = (time_t)(nanoseconds / NANOSECONDS_PER_SECOND),
                             .tv_nsec = (long)(nanoseconds % NANOSECONDS_PER_SECOND)};
}
