/* ppoll(2), by the name of what it does, since macOS lacks it, and NetBSD before version 10.
 *
 * There a self-pipe stands in: the handlers of common/signals.c write a byte into it, so a signal
 * that comes between the change of the mask and the poll is not lost, but ends the poll at once. */
#ifndef POLL_SRV_POLL_MASKED_H
#define POLL_SRV_POLL_MASKED_H

#include "../common/error.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#ifdef __NetBSD__
#include <sys/param.h> /* __NetBSD_Version__ */
#endif

#if defined(__APPLE__) || (defined(__NetBSD__) && __NetBSD_Version__ < 1000000000)
#ifndef WITHOUT_PPOLL
#define WITHOUT_PPOLL
#endif
#endif

/* Entries that the array must have room for beyond count: the pipe's. */
enum { POLL_MASKED_SPARE = 1 };

/* Prepares for poll_masked, after signals_catch. Returns 0, or -1 with error filled. */
int poll_masked_open(struct error *error);

/* As ppoll(2): timeout NULL waits for ever; -1 with EINTR after a signal. */
int poll_masked(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask);

#endif
