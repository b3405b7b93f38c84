#include "pipe_polling.h"

#include "flight.h"

#include <errno.h>
#include <poll.h>

/* TRIES: polls that fail one after the other, and then no more. */
enum { TRIES = 8 };

/* The end of the pipe is reported without asking for it: POLLHUP (poll(2)). */
static int arm(struct ring *ring, struct watch *watch)
{
    struct io_uring_sqe *entry = ring_entry(ring, watch, KIND_POLL);

    if (entry == NULL)
        return -1;
    io_uring_prep_poll_add(entry, watch->fd, POLLIN);
    watch->held = true;
    return 0;
}

int pipe_polling_begin(struct pipe_polling *polling, struct ring *ring, struct watch *watch)
{
    polling->failures = 0;
    return arm(ring, watch);
}

/* A poll is over with its first completion, and armed again at once: if the loop's read(2) fails
 * for now, the pipe is reported again. Mostly the loop has heard enough and removes the pipe, and
 * the entry and its cancellation go to the kernel together.
 * After an error the loop looks, too. A poll that the kernel had no memory for is armed again, but
 * not for ever: each failure is a wake-up. What comes after the last one is found at
 * --restart-timeout, when restart_hear() reads first. */
void pipe_polling_completed(struct pipe_polling *polling, struct ring *ring, struct loop *loop,
                            struct watch *watch, const struct completion *completion)
{
    if (completion->kind != KIND_POLL)
        return;
    watch->held = false;
    if (watch->interest == NOTHING || loop->stopping)
        return;
    polling->failures = completion->result < 0 ? polling->failures + 1 : 0;
    if (polling->failures < TRIES)
        (void)arm(ring, watch);
    loop_ready(loop, watch);
}

/* The poll may end by itself before it is cancelled. From now on it is not armed again. */
int pipe_polling_cancel(struct ring *ring, struct watch *watch)
{
    watch->interest = NOTHING;
    struct io_uring_sqe *entry = ring_entry(ring, watch, KIND_CANCEL);
    if (entry == NULL)
        return -1;
    io_uring_prep_cancel64(entry, ring_token(watch, KIND_POLL), 0);
    return 0;
}
