#include "poll_masked.h"

#ifndef WITHOUT_PPOLL

int poll_masked_open(struct error *error)
{
    (void)error;
    return 0;
}

int poll_masked(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask)
{
    return ppoll(fds, count, timeout, mask);
}

#else

#include "../common/signals.h"

#include <errno.h>
#include <limits.h>

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

int poll_masked(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask)
{
    sigset_t before;

    fds[count] = (struct pollfd){.fd = pipe_end, .events = POLLIN};
    (void)sigprocmask(SIG_SETMASK, mask, &before);
    int ready = poll(fds, count + 1, milliseconds(timeout));
    int number = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = number;
    if (ready <= 0 || fds[count].revents == 0)
        return ready;
    if (ready > 1)
        return ready - 1;
    errno = EINTR;
    return -1;
}

#endif
