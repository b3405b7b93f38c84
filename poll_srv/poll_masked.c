#include "poll_masked.h"

#ifndef WITHOUT_PPOLL

#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>
#include <time.h>

int poll_masked_open(struct error *error)
{
    (void)error;
    return 0;
}

static int poll_slice(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                      const sigset_t *mask)
{
    return ppoll(fds, count, timeout, mask);
}

#else

#include "../common/signals.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <time.h>

static int pipe_end = -1;

int poll_masked_open(struct error *error)
{
    pipe_end = signals_pipe(error);
    return pipe_end < 0 ? -1 : 0;
}

/* Up: rounded down, the last fraction of a millisecond would be spent waking up again and again. */
static int milliseconds(const struct timespec *timeout)
{
    if (timeout == NULL)
        return -1;
    if (timeout->tv_sec >= INT_MAX / 1000 - 1)
        return INT_MAX;
    return (int)timeout->tv_sec * 1000 + (int)((timeout->tv_nsec + 999999) / 1000000);
}

static int poll_slice(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                      const sigset_t *mask)
{
    sigset_t before;
    struct pollfd next = fds[count]; /* the first entry of the next slice, or nothing */

    fds[count] = (struct pollfd){.fd = pipe_end, .events = POLLIN};
    (void)sigprocmask(SIG_SETMASK, mask, &before);
    int ready = poll(fds, count + 1, milliseconds(timeout));
    int number = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = number;
    bool signalled = fds[count].revents != 0;
    fds[count] = next;
    if (ready <= 0 || !signalled)
        return ready;
    if (ready > 1)
        return ready - 1;
    errno = EINTR;
    return -1;
}

#endif

/* Not even a slice of one entry is allowed. Report all that is asked for: to try costs a call each,
 * and none of them blocks. */
static int report_all(struct pollfd *fds, nfds_t count)
{
    int ready = 0;

    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = fds[i].events;
        ready += fds[i].events != 0;
    }
    return ready;
}

/* The limit on descriptors can be lowered below what is open (prlimit(2)), and poll refuses more
 * entries than it allows. Then ask slice by slice. No slice may sleep, because another one could
 * become ready meanwhile: when nobody is ready, sleep a little and let the caller ask again. */
static int poll_in_slices(struct pollfd *fds, nfds_t count, nfds_t slice, const sigset_t *mask)
{
    const struct timespec now = {0};
    const struct timespec nap = {.tv_nsec = 10000000};
    int ready = 0;

    for (nfds_t start = 0; slice > 0 && start < count && ready >= 0; start += slice) {
        nfds_t size = count - start < slice ? count - start : slice;
        int found = poll_slice(fds + start, size, &now, mask);
        ready = found < 0 ? -1 : ready + found;
    }
    if (ready == 0)
        ready = poll_slice(fds, slice, &nap, mask);
    if (slice == 0 && ready < 0 && errno == EINVAL) { /* without ppoll the pipe is an entry, too */
        (void)nanosleep(&nap, NULL);
        ready = 0;
    }
    if (ready == 0 && slice == 0)
        ready = report_all(fds, count);
    if (ready < 0 && errno == EINVAL)
        errno = EINTR; /* the limit has changed again: let the caller ask again */
    return ready;
}

/* The limit may have been raised again since poll() looked at it. Then one slice holds all. */
int poll_masked(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask)
{
    int ready = poll_slice(fds, count, timeout, mask);
    struct rlimit limit;

    if (ready >= 0 || errno != EINVAL || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ready;
    /* Compared before it is cast: nfds_t is the narrower type on the BSDs and on macOS. */
    rlim_t slice = limit.rlim_cur > POLL_MASKED_SPARE ? limit.rlim_cur - POLL_MASKED_SPARE : 0;
    return poll_in_slices(fds, count, slice < (rlim_t)count ? (nfds_t)slice : count, mask);
}
