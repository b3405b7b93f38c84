/* Echo server on select(2).
 *
 * Try it:  build/select_srv --port 9000 &
 *          printf '\0\0\0\5hello' | nc -N 127.0.0.1 9000 | od -c
 *
 * The kernel remembers nothing between two waits. Each wait takes the whole question along: one bit
 * for each descriptor number, from 0 up to the highest.
 *
 * The loop that calls these functions is common/loop.c. A connection's turn is serve(), below or in
 * common/level.c. Compare it with a sibling: make compare A=select_srv B=poll_srv. The numbers in
 * brackets mark the same places in every server; docs/reading.md goes through them. */
#include "../common/clock.h"
#include "../common/loop.h"
#include "../common/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>

/* On some BSDs FD_SET and its like make the descriptor unsigned, which would be a warning here. */
#pragma GCC diagnostic ignored "-Wsign-conversion"

/* A bit says nothing about whose descriptor it is. The watches stand in an array beside the sets:
 * dense, so that our own walk costs what is watched, and not what the highest number is. */
struct mux {
    struct stats *stats;
    sigset_t wait_mask;
    fd_set want_read, want_write;   /* the question */
    fd_set ready_read, ready_write; /* the answer */
    int limit;                      /* no bit is set at this number or above: select's nfds */
    size_t count;
    int bits_unheard; /* reported since the signals were last unblocked */
    struct watch *watches[FD_SETSIZE];
};

/* The macros change bits in our own memory. The limit grows here. It comes down in lower_limit(),
 * once a wait, because a search for the highest bit would be too much for every change. */
static void set_interest(struct mux *mux, const struct watch *watch)
{
    FD_CLR(watch->fd, &mux->want_read);
    FD_CLR(watch->fd, &mux->want_write);
    if (watch->interest & READABLE)
        FD_SET(watch->fd, &mux->want_read);
    if (watch->interest & WRITABLE)
        FD_SET(watch->fd, &mux->want_write);
    if (watch->fd >= mux->limit)
        mux->limit = watch->fd + 1;
}

/* [6] Half-close: select cannot say "hang-up" or "error". Both make a descriptor ready for whatever
 * was asked, and neither means end of input: bytes sent before it may still wait in the socket.
 * Make the call that the connection wants; its return value says what happened (invariant 3). */
static unsigned select_readiness(const struct mux *mux, int fd)
{
    return (FD_ISSET(fd, &mux->ready_read) ? READABLE : NOTHING) |
           (FD_ISSET(fd, &mux->ready_write) ? WRITABLE : NOTHING);
}

int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = malloc(sizeof *mux);

    if (mux == NULL)
        return error_set(error, "malloc", "select", errno);
    *mux = (struct mux){.stats = loop->context.stats};
    FD_ZERO(&mux->want_read);
    FD_ZERO(&mux->want_write);
    return signals_catch(&mux->wait_mask, error);
}

void mux_close(struct mux *mux)
{
    free(mux);
}

/* [1] Register: a bit in a set of our own. The kernel is told nothing until the next wait.
 * A set has FD_SETSIZE bits, 1024: FD_SET beyond them writes over other memory (invariant 7). The
 * descriptor's number decides, not how many there are. A process with few sockets can have high
 * numbers, when it inherited or opened other descriptors. Test: test_descriptors.py */
int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    if (watch->fd >= FD_SETSIZE) {
        (void)snprintf(error->text, sizeof error->text, "descriptor %d is not below FD_SETSIZE, %d",
                       watch->fd, FD_SETSIZE);
        return -1;
    }
    watch->interest = READABLE;
    watch->slot = (uint32_t)mux->count;
    mux->watches[mux->count++] = watch;
    set_interest(mux, watch);
    return 0;
}

/* A change of interest is a store to memory: no system call, and it cannot fail. Here select and
 * poll are cheaper than epoll, which pays a call for it. */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if (watch_change(watch, wants, mux->stats))
        set_interest(mux, watch);
    return 0;
}

/* The last watch moves into the hole, so that the array stays dense. mux_wait() walks downwards: in
 * the middle of a walk it has looked at the last one already. Upwards it would skip it. */
void mux_remove(struct mux *mux, struct watch *watch)
{
    struct watch *last = mux->watches[--mux->count];

    watch->interest = NOTHING;
    set_interest(mux, watch);
    last->slot = watch->slot;
    mux->watches[last->slot] = last;
}

/* The kernel copies and scans the sets up to the limit, whether a number is used or not. When the
 * highest descriptors are closed, the limit must come down again. */
static void lower_limit(struct mux *mux)
{
    while (mux->limit > 0 && !FD_ISSET(mux->limit - 1, &mux->want_read) &&
           !FD_ISSET(mux->limit - 1, &mux->want_write))
        mux->limit--;
}

/* [2] Wait: the kernel copies the sets in, asks every descriptor whose bit is set, and writes its
 * answer over the question. So it gets copies. Before it sleeps it also puts itself on the wait
 * queue of every one, and takes itself off again when it wakes. It says how many bits are set, not
 * which: our walk looks at one watch after the other until it has found so many. All these costs
 * follow what is watched, and most of it is not ready.
 * [8] Timeouts: an argument of the call, computed for each. Nothing has to be set or stopped.
 * pselect(2) leaves the argument as it is. select(2) on Linux writes the time that was left into
 * it, so a program that uses it again waits for less and less. */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    struct timespec left;
    const struct timespec *timeout = clock_left(deadline_ns, loop->context.now_ns, &left);

    lower_limit(mux);
    mux->ready_read = mux->want_read;
    mux->ready_write = mux->want_write;
    int count = loop_woke(loop, pselect(mux->limit, &mux->ready_read, &mux->ready_write, NULL,
                                        timeout, &mux->wait_mask));
    if (count < 0)
        return -1;
    mux->bits_unheard += count;
    for (size_t i = mux->count; count > 0 && i > 0; i--) {
        struct watch *watch = mux->watches[i - 1];
        unsigned ready = select_readiness(mux, watch->fd);
        if (ready == NOTHING)
            continue;
        watch->ready |= (uint8_t)ready;
        loop_ready(loop, watch);
        count -= ready == (READABLE | WRITABLE) ? 2 : 1; /* the result counts bits */
    }
    return 0;
}

/* pselect(2) swaps the signal mask in one step with going to sleep. Unblocked by two calls instead,
 * a signal could come between them, and the wait would sleep through it. */
int mux_signal(struct mux *mux)
{
    return signals_take(&mux->bits_unheard);
}

int main(int argc, char **argv)
{
    static const struct server server = {
        .name = "select_srv", .wait = "select", .descriptor_ceiling = FD_SETSIZE};

    return loop_main(&server, argc, argv);
}
