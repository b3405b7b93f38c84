#include "accepting.h"

#include "flight.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel takes the limit of descriptors for an accept when it is armed, and keeps it. So the
 * accept has to be armed again when somebody has changed the limit (prlimit(1)). To look costs a
 * call, and is worth one when a connection came or went. */
static bool is_stale(struct accepting *accepting)
{
    struct rlimit limit;
    bool looks = accepting->changed && accepting->armed == KIND_ACCEPT;

    accepting->changed = false;
    return looks && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
           limit.rlim_cur != accepting->accepts_below;
}

static void prepare(struct accepting *accepting, struct io_uring_sqe *entry, int fd)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    accepting->accepts_below = limit.rlim_cur;
    if (accepting->armed == KIND_POLL)
        io_uring_prep_poll_add(entry, fd, POLLIN);
    else
        io_uring_prep_multishot_accept(entry, fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* One entry, and a completion for each peer. There is no budget: the kernel accepts all that wait,
 * and the wake-up that brings them serves the other connections, too.
 * Without a descriptor the multishot ends with EMFILE, even while nobody waits, because the kernel
 * takes a descriptor before it looks for a peer. Armed again at once it ends at once, hundreds of
 * thousands of times a second. So from then on the listener is polled: a completion says that a
 * peer waits, and the loop accepts it, or refuses it and rests. Test: test_completion.py */
int accepting_update(struct accepting *accepting, struct ring *ring, struct watch *watch,
                     unsigned wants)
{
    bool is_armed = accepting->armed != NOT_ARMED;

    if (is_armed == (wants != NOTHING) && !is_stale(accepting))
        return 0;
    if (is_armed && accepting->cancelling)
        return 0;
    unsigned kind = accepting->is_full ? KIND_POLL : KIND_ACCEPT;
    struct io_uring_sqe *entry = ring_entry(ring, watch, is_armed ? KIND_CANCEL : kind);
    if (entry == NULL)
        return -1;
    accepting->cancelling = is_armed;
    if (is_armed) {
        io_uring_prep_cancel64(entry, ring_token(watch, accepting->armed), 0);
        return 0;
    }
    accepting->armed = kind;
    watch->held = true;
    accepting->is_full = false;
    prepare(accepting, entry, watch->fd);
    return 0;
}

/* An armed accept waits as EPOLLEXCLUSIVE does: the kernel takes one wake-up for enough, and does
 * not wake the new program, whose accept stands behind this one. If this one is cancelled then,
 * the peer waits until the next one comes. No more can wait here than the queue holds. */
void accepting_rest(struct loop *loop)
{
    struct context *context = &loop->context;
    int peer = -1;

    for (int most = loop->service.options.backlog; most > 0; most--) {
        if (listener_accept(&loop->service.listener, context->stats, context->now_ns, &peer) !=
            ACCEPT_DONE)
            break;
        loop_admit(loop, peer);
    }
}

/* After an error the loop's own accept(2) finds out what is wrong, and knows what to do. */
void accepting_completed(struct accepting *accepting, struct loop *loop,
                         const struct completion *completion)
{
    int fd = completion->result;

    if (completion->kind == KIND_CANCEL) {
        accepting->cancelling = false;
        return;
    }
    if (!completion->more) {
        accepting->armed = NOT_ARMED;
        loop->service.listener.watch.held = false;
    }
    if (fd == -ECANCELED)
        return;
    loop->context.stats->accepts += completion->kind == KIND_ACCEPT;
    loop->context.stats->would_block += fd == -EAGAIN;
    if (completion->kind == KIND_POLL || fd < 0) {
        loop->peers_wait = true;
        accepting->is_full = completion->kind != KIND_POLL;
        return;
    }
    accepting->changed = true;
    if (loop->stopping) { /* it was accepted before the accept could be cancelled */
        loop->context.stats->refused++;
        (void)close(fd);
    } else {
        loop_admit(loop, fd);
    }
}
