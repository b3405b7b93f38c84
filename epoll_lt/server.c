/* Echo server on epoll(7), level-triggered.
 *
 * Try it:  build/epoll_lt --port 9000 &
 *          printf '\0\0\0\5hello' | nc -N 127.0.0.1 9000 | od -c
 *
 * The kernel keeps the set of watched descriptors, and a list of those that are ready.
 * Level-triggered: a descriptor stays on that list as long as it is ready. What a turn leaves
 * unread is reported again by the next wait, so a turn may stop anywhere.
 *
 * The loop that calls these functions is common/loop.c. A connection's turn is serve(), below or
 * in common/level.c. Compare it with a sibling: make compare A=epoll_lt B=epoll_et. The numbers in
 * brackets mark the same places in every server; docs/reading.md goes through them. */
#include "../common/loop.h"
#include "../common/own_descriptors.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* How many events one wait can report. What does not fit comes with the next wait: the kernel takes
 * entries from the head of its list and adds them at the tail, so nobody is forgotten. */
enum { EVENTS_A_WAIT = 256 };

struct mux {
    struct stats *stats;
    int fd;
    struct own_descriptors own; /* signals and time */
    struct epoll_event events[EVENTS_A_WAIT];
};

/* [6] Half-close: EPOLLHUP and EPOLLERR come unasked, even with an empty interest. They do not mean
 * end of input: bytes that the peer sent before it may still wait in the socket, and a server that
 * closes now loses them. Make the call that the connection wants; its return value says what
 * happened (invariant 3). Test: test_endings.py */
static unsigned epoll_readiness(uint32_t events)
{
    if (events & (EPOLLHUP | EPOLLERR))
        return READABLE | WRITABLE;
    return (events & EPOLLIN ? READABLE : NOTHING) | (events & EPOLLOUT ? WRITABLE : NOTHING);
}

/* Signals and time become descriptors, so that one call waits for everything. */
int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = malloc(sizeof *mux);

    if (mux == NULL)
        return error_set(error, "malloc", "epoll", errno);
    *mux = (struct mux){.stats = loop->context.stats, .fd = -1};
    if (own_open(&mux->own, error) < 0)
        return -1;
    mux->fd = epoll_create1(EPOLL_CLOEXEC);
    if (mux->fd < 0)
        return error_set(error, "epoll_create1", "", errno);
    if (mux_add(mux, &mux->own.signals, error) < 0)
        return -1;
    return mux_add(mux, &mux->own.timer, error);
}

void mux_close(struct mux *mux)
{
    if (mux->fd >= 0)
        (void)close(mux->fd);
    own_close(&mux->own);
    free(mux);
}

/* [1] Register: one system call in the life of a connection. The kernel puts an entry of its own
 * into a tree, and a callback onto the socket's wait queue: roughly 160 bytes together (epoll(7)).
 * From then on a packet that arrives puts the entry on the ready list, even if nobody waits. */
int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

    if (epoll_ctl(mux->fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return error_set(error, "epoll_ctl", "EPOLL_CTL_ADD", errno);
    watch->interest = READABLE;
    return 0;
}

/* A change of interest is a system call, so it is made only when something has changed: when output
 * gets stuck or has left, and when reading pauses or goes on. In the common case that is never. */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if (!watch_change(watch, wants, mux->stats))
        return 0;
    struct epoll_event event = {.data.ptr = watch};
    event.events = (wants & READABLE ? EPOLLIN : 0U) | (wants & WRITABLE ? EPOLLOUT : 0U);
    return epoll_ctl(mux->fd, EPOLL_CTL_MOD, watch->fd, &event);
}

/* A connection needs no call: close(2) takes it out of the set. The trap: the set holds the open
 * file, not the number. While another process has the listener open, the set goes on reporting it,
 * and after the close nobody can take it out any more (epoll(7), "Will closing a file descriptor
 * cause it to be removed"). Test: test_restart.py */
void mux_remove(struct mux *mux, struct watch *watch)
{
    if (watch->of_service)
        (void)epoll_ctl(mux->fd, EPOLL_CTL_DEL, watch->fd, NULL);
}

/* [2] Wait: the kernel takes entries from the ready list, asks each socket once more, and copies
 * out an event for each that is ready. The cost follows what is ready, not what is watched. An
 * entry that was ready goes back to the tail of the list: this is what "level" means.
 * [8] Timeouts: the timeout of epoll_wait(2) counts milliseconds. A timer descriptor counts
 * nanoseconds, and costs a call only when a deadline comes nearer. */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    if (own_timer_set(&mux->own, deadline_ns) < 0)
        return -1;
    int count = loop_woke(loop, epoll_wait(mux->fd, mux->events, EVENTS_A_WAIT, -1));
    for (int i = 0; i < count; i++) {
        struct watch *watch = mux->events[i].data.ptr; /* the pointer that mux_add() gave it */
        watch->ready |= (uint8_t)epoll_readiness(mux->events[i].events);
        if (!own_has(&mux->own, watch))
            loop_ready(loop, watch);
    }
    return count < 0 ? -1 : 0;
}

/* Signals stay blocked for good; the kernel keeps them pending until they are read here. So no
 * handler interrupts this server anywhere, and none can be lost. */
int mux_signal(struct mux *mux)
{
    return own_signal(&mux->own);
}

int main(int argc, char **argv)
{
    static const struct server server = {.name = "epoll_lt", .wait = "epoll"};

    return loop_main(&server, argc, argv);
}
