/* Echo server on poll(2).
 *
 * Try it:  build/poll_srv --port 9000 &
 *          printf '\0\0\0\5hello' | nc -N 127.0.0.1 9000 | od -c
 *
 * The kernel remembers nothing between two waits. Each wait takes the whole question along: one
 * entry of 8 bytes for each descriptor, in any order, whatever its number.
 *
 * The loop that calls these functions is common/loop.c. A connection's turn is serve(), below or
 * in common/level.c. Compare it with a sibling: make compare A=poll_srv B=epoll_lt. The numbers in
 * brackets mark the same places in every server; docs/reading.md goes through them. */
#include "../common/clock.h"
#include "../common/loop.h"
#include "../common/signals.h"
#include "poll_masked.h"

#include <errno.h>
#include <stdlib.h>

/* The array that the kernel reads, and beside it the watch of each entry: the kernel gives back the
 * descriptor's number, and no pointer of ours. Both stay dense, because the kernel would copy a
 * hole and look at it in every wait. */
struct mux {
    struct stats *stats;
    sigset_t wait_mask;
    struct pollfd *entries;
    struct watch **watches;
    size_t count;
    size_t capacity;
    int unheard; /* entries reported since the signals were last unblocked */
};

static short poll_interest(unsigned wants)
{
    return (short)((wants & READABLE ? POLLIN : 0) | (wants & WRITABLE ? POLLOUT : 0));
}

/* [6] Half-close: POLLHUP and POLLERR come unasked, even with an empty interest. They do not mean
 * end of input: bytes that the peer sent before it may still wait in the socket, and a server that
 * closes now loses them. Make the call that the connection wants; its return value says what
 * happened (invariant 3). Test: test_endings.py
 * POLLNVAL says that the descriptor is not open, which only a bug can bring about. Then the call
 * fails with EBADF and ends the connection. Otherwise every wait would return at once. */
static unsigned poll_readiness(int events)
{
    if (events & (POLLHUP | POLLERR | POLLNVAL))
        return READABLE | WRITABLE;
    return (events & POLLIN ? READABLE : NOTHING) | (events & POLLOUT ? WRITABLE : NOTHING);
}

int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = malloc(sizeof *mux);

    if (mux == NULL)
        return error_set(error, "malloc", "poll", errno);
    *mux = (struct mux){.stats = loop->context.stats};
    if (signals_catch(&mux->wait_mask, error) < 0)
        return -1;
    return poll_masked_open(error);
}

void mux_close(struct mux *mux)
{
    free(mux->entries);
    free(mux->watches);
    free(mux);
}

/* Doubling keeps the copies of realloc(3) cheap: at most two moves an entry, however many come. */
static int grow(struct mux *mux)
{
    size_t capacity = mux->capacity ? 2 * mux->capacity : 64;
    struct pollfd *entries = realloc(mux->entries, capacity * sizeof *entries);

    if (entries == NULL)
        return -1;
    mux->entries = entries;
    struct watch **watches = realloc(mux->watches, capacity * sizeof(struct watch *));
    if (watches == NULL)
        return -1;
    mux->watches = watches;
    mux->capacity = capacity;
    return 0;
}

/* [1] Register: an entry in an array of our own. The kernel hears of it at the next wait, and has
 * forgotten it when the wait returns. */
int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    if (mux->count + POLL_MASKED_SPARE >= mux->capacity && grow(mux) < 0)
        return error_set(error, "realloc", "poll array", errno);
    watch->interest = READABLE;
    watch->slot = (uint32_t)mux->count;
    mux->entries[mux->count] = (struct pollfd){.fd = watch->fd, .events = POLLIN};
    mux->watches[mux->count++] = watch;
    return 0;
}

/* A change of interest is a store to memory: no system call, and it cannot fail. Here poll and
 * select are cheaper than epoll, which pays a call for it. */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if (watch_change(watch, wants, mux->stats))
        mux->entries[watch->slot].events = poll_interest(wants);
    return 0;
}

/* The last entry moves into the hole, so that the arrays stay dense (invariant 7). mux_wait() walks
 * downwards: in the middle of a walk it has looked at the last one already. Upwards it would skip
 * it, and that connection would wait until something else happens. Test: test_batch.py */
void mux_remove(struct mux *mux, struct watch *watch)
{
    struct watch *last = mux->watches[--mux->count];

    last->slot = watch->slot;
    mux->entries[last->slot] = mux->entries[mux->count];
    mux->watches[last->slot] = last;
}

/* [2] Wait: the kernel copies the whole array in, asks every descriptor, and writes its answer into
 * each entry. Before it sleeps it also puts itself on the wait queue of every one, and takes itself
 * off again when it wakes. It says how many entries have an answer, not which: our walk looks at
 * one after the other until it has found so many. All these costs follow what is watched, and most
 * of it is not ready. In return, a wait that sees many ready descriptors at once wastes little.
 * [8] Timeouts: an argument of the call, computed for each. Nothing has to be set or stopped. */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    struct timespec left;
    const struct timespec *timeout = clock_left(deadline_ns, loop->context.now_ns, &left);

    int count =
        loop_woke(loop, poll_masked(mux->entries, (nfds_t)mux->count, timeout, &mux->wait_mask));
    mux->unheard += count > 0 ? count : 0;
    for (size_t i = mux->count; count > 0 && i > 0; i--) {
        const struct pollfd *entry = &mux->entries[i - 1];
        struct watch *watch = mux->watches[i - 1];
        if (entry->revents == 0)
            continue;
        watch->ready |= (uint8_t)poll_readiness(entry->revents);
        loop_ready(loop, watch);
        count--;
    }
    return count < 0 ? -1 : 0;
}

/* ppoll(2) swaps the signal mask in one step with going to sleep. Unblocked by two calls instead, a
 * signal could come between them, and the wait would sleep through it. */
int mux_signal(struct mux *mux)
{
    return signals_take(&mux->unheard);
}

int main(int argc, char **argv)
{
    static const struct server server = {.name = "poll_srv", .wait = "poll"};

    return loop_main(&server, argc, argv);
}
