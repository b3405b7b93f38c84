/*
 * The waiting half of kevent(). The kqueue's own descriptor is an outer epoll set of five: the live
 * sets of READ and WRITE, the timerfd, the signalfd, and a doorbell. It says which sources have
 * events. Only those are asked for their events.
 */
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "emulation.h"

#define FOREVER      INT64_MAX
#define NOTE_SOURCES (1U << SOURCE_TIMER | 1U << SOURCE_SIGNAL | 1U << SOURCE_USER)

/*
 * Three things have no descriptor that stays readable: signals already read, expirations already
 * counted, and triggered user events. The doorbell, an eventfd, is readable while any of them is
 * undelivered.
 */
void doorbell_update(struct kqueue_state *state)
{
    bool pending = notes_pending(&state->timers.list) || notes_pending(&state->signals.list) ||
                   notes_pending(&state->users.list);
    if (pending == state->doorbell_rings) {
        return;
    }
    uint64_t value = 1;
    ssize_t moved = pending ? write(state->doorbell, &value, sizeof value)
                            : read(state->doorbell, &value, sizeof value);
    if (moved == (ssize_t)sizeof value) {
        state->doorbell_rings = pending;
    }
}

/* Rounds up. If it rounded down, the loop would spin through the last fraction of a millisecond. */
static int milliseconds_up(int64_t nanoseconds)
{
    if (nanoseconds == FOREVER) {
        return -1;
    }
    int64_t milliseconds = nanoseconds / NANOSECONDS_PER_MILLISECOND +
                           (nanoseconds % NANOSECONDS_PER_MILLISECOND != 0);
    return milliseconds > INT_MAX ? INT_MAX : (int)milliseconds;
}

/* epoll_pwait2 counts in nanoseconds, but needs Linux 5.11. Sandboxes refuse it with EPERM. */
static int outer_wait(struct kqueue_state *state, struct epoll_event *ready, int64_t remaining)
{
#if defined(__GLIBC__) && !defined(EMULATION_MILLISECOND_WAITS)
#if __GLIBC_PREREQ(2, 35)
    if (!state->millisecond_waits) {
        struct timespec timeout = timespec_from(remaining);
        int got = epoll_pwait2(state->number, ready, SOURCE_COUNT,
                               remaining == FOREVER ? NULL : &timeout, NULL);
        if (got >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return got;
        }
        state->millisecond_waits = true;
    }
#endif
#endif
    return epoll_wait(state->number, ready, SOURCE_COUNT, milliseconds_up(remaining));
}

/* Returns a bit for each source that may have events; 0 when the time is up; -1 with errno. */
static int ready_sources(struct kqueue_state *state, int64_t remaining)
{
    struct epoll_event ready[SOURCE_COUNT];
    int got = outer_wait(state, ready, remaining);
    if (got < 0) {
        return -1;
    }
    unsigned sources = 0;
    for (int i = 0; i < got; i++) {
        /* Any other value means that kq was closed and its number now belongs to a foreign epoll
         * set. */
        if (ready[i].data.u32 < SOURCE_COUNT) {
            sources |= 1U << ready[i].data.u32;
        }
    }
    if ((sources & 1U << SOURCE_USER) != 0) {
        sources |= NOTE_SOURCES;
    }
    return (int)sources;
}

static int collect_source(struct kqueue_state *state, int source, struct kevent *events, int room)
{
    switch (source) {
    case SOURCE_READ:
        return descriptors_collect(&state->read, events, room);
    case SOURCE_WRITE:
        return descriptors_collect(&state->write, events, room);
    case SOURCE_TIMER:
        return timers_collect(&state->timers, events, room);
    case SOURCE_SIGNAL:
        return signals_collect(&state->signals, events, room);
    default:
        return notes_collect(&state->users.list, events, room);
    }
}

/* Begins each time behind the last source served. Otherwise a busy source could starve the
 * others. */
static int collect(struct kqueue_state *state, int sources, struct kevent *events, int room)
{
    int collected = 0;
    int first = state->first_source;
    for (int i = 0; i < SOURCE_COUNT && collected < room; i++) {
        int source = (first + i) % SOURCE_COUNT;
        if ((sources & 1 << source) == 0) {
            continue;
        }
        int got = collect_source(state, source, events + collected, room - collected);
        if (got > 0) {
            collected += got;
            state->first_source = (source + 1) % SOURCE_COUNT;
        }
    }
    doorbell_update(state);
    return collected;
}

/* Nanoseconds; FOREVER without a timeout; -1 when the timeout is invalid. */
static int64_t duration_of(const struct timespec *timeout)
{
    if (timeout == NULL) {
        return FOREVER;
    }
    if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= NANOSECONDS_PER_SECOND) {
        return -1;
    }
    int64_t seconds = multiply_saturating(timeout->tv_sec, NANOSECONDS_PER_SECOND);
    return add_saturating(seconds, timeout->tv_nsec);
}

/*
 * A wake-up can hold nothing for the caller: a disabled signal, or data that another thread has
 * read. Then this waits on for the rest of the time. So 0 always means that the time is up.
 */
int wait_and_collect(struct kqueue_state *state, struct kevent *events, int room,
                     const struct timespec *timeout)
{
    int64_t remaining = duration_of(timeout);
    if (remaining < 0) {
        errno = EINVAL;
        return -1;
    }
    bool timed = remaining > 0 && remaining != FOREVER;
    int64_t deadline = timed ? add_saturating(now_nanoseconds(), remaining) : 0;
    for (;;) {
        int sources = ready_sources(state, remaining);
        if (sources < 0) {
            return -1;
        }
        int collected = collect(state, sources, events, room);
        if (collected > 0 || remaining == 0) {
            return collected;
        }
        if (timed) {
            int64_t now = now_nanoseconds();
            remaining = now < deadline ? deadline - now : 0;
        }
    }
}
