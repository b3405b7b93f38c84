/* Time: monotonic nanoseconds in 64 bits, which last for 584 years of uptime. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NANOSECONDS_A_SECOND UINT64_C(1000000000)
#define NEVER                UINT64_MAX

/* CLOCK_MONOTONIC in nanoseconds (clock_gettime(2)): not moved by anyone who sets the date. */
uint64_t clock_now(void);

/* start + span, or NEVER where that would overflow. */
static inline uint64_t clock_after(uint64_t start_ns, uint64_t span_ns)
{
    return span_ns > NEVER - start_ns ? NEVER : start_ns + span_ns;
}

/* A moment of CLOCK_MONOTONIC, for a call that takes one and not a span (timerfd_settime(2) with
 * TFD_TIMER_ABSTIME). At most 68 years after the start of the machine: what a time_t of 32 bits can
 * still say. Not clock_left() from 0, which ends at a day: after a day of uptime every deadline
 * would lie in the past. */
struct timespec clock_point(uint64_t ns);

/* The time from now to a deadline, for a call that takes a timespec: at most a day. Fills left and
 * returns it; the time is 0 for a deadline that has passed. Returns NULL for NEVER: such calls take
 * NULL for "no timeout". */
const struct timespec *clock_left(uint64_t deadline_ns, uint64_t now_ns, struct timespec *left);

/* As clock_left(), but in milliseconds, rounded up: at least 1 and at most a day. Rounded down, the
 * last fraction of a millisecond would be spent waking up again and again. Some kernels count in
 * ticks, and a long time overflows there. A caller that wakes up after a day waits again. */
int64_t clock_left_ms(uint64_t deadline_ns, uint64_t now_ns);

#endif
