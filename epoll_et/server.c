/* Echo server on epoll(7), edge-triggered.
 *
 * Try it:  build/epoll_et --port 9000 &
 *          printf '\0\0\0\5hello' | nc -N 127.0.0.1 9000 | od -c
 *
 * The kernel keeps the set of watched descriptors, and a list of those that are ready.
 * Edge-triggered: the wait that reports a descriptor takes it off that list, and only something new
 * puts it back. What a turn leaves is never reported again, so this server remembers it itself.
 *
 * The loop that calls these functions is common/loop.c. A connection's turn is serve(), below or
 * in common/level.c. Compare it with a sibling: make compare A=epoll_lt B=epoll_et. The numbers in
 * brackets mark the same places in every server; docs/reading.md goes through them. */
#include "../common/loop.h"
#include "../common/own_descriptors.h"
#include "../common/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* How many events one wait can report. What does not fit comes with the next wait: the kernel takes
 * entries from the head of its list and adds them at the tail, so nobody is forgotten. */
enum { EVENTS_A_WAIT = 256 };
enum { READS_A_TURN = 16 };

struct mux {
    struct stats *stats;
    int fd;
    struct own_descriptors own; /* signals and time */
    struct watch_queue again;   /* Work is left here, but epoll will not report it again. */
    int queued;                 /* how many watches stand in it */
    struct epoll_event events[EVENTS_A_WAIT];
};

/* [6] Half-close: EPOLLHUP and EPOLLERR come unasked, even with an empty interest. They do not mean
 * end of input: bytes that the peer sent before it may still wait in the socket, and a server that
 * closes now loses them. Make the call that the connection wants; its return value says what
 * happened (invariant 3). Test: test_endings.py */
static unsigned epoll_readiness(uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
        return READABLE | WRITABLE | READ_ON;
    return (events & EPOLLIN ? READABLE : NOTHING) | (events & EPOLLOUT ? WRITABLE : NOTHING);
}

/* Signals and time become descriptors, so that one call waits for everything. */
int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = malloc(sizeof *mux);

    if (mux == NULL)
        return error_set(error, "malloc", "epoll", errno);
    *mux = (struct mux){.stats = loop->context.stats, .fd = -1};
    TAILQ_INIT(&mux->again);
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
 * From then on a packet that arrives puts the entry on the ready list, even if nobody waits.
 * All events at once: an event that nobody wants now costs little, and interest never changes. */
int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

    if (!own_has(&mux->own, watch))
        event.events |= EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
    if (epoll_ctl(mux->fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return error_set(error, "epoll_ctl", "EPOLL_CTL_ADD", errno);
    return 0;
}

/* No system call. But the event for what is wanted now may have been delivered already: before the
 * budget of a turn ran out, or while reading was paused. epoll does not repeat it, so queue the
 * watch (invariant 5). Test: test_backpressure.py */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if ((watch->ready & wants) && !watch->queued) {
        TAILQ_INSERT_TAIL(&mux->again, watch, turn);
        watch->queued = true;
        mux->queued++;
    }
    return 0;
}

static void unqueue(struct mux *mux, struct watch *watch)
{
    TAILQ_REMOVE(&mux->again, watch, turn);
    watch->queued = false;
    mux->queued--;
}

/* The set holds the open file, and not the number. close(2) takes a connection out of it, but not a
 * listener that another process has open, too: epoll_lt says more. Test: test_restart.py */
void mux_remove(struct mux *mux, struct watch *watch)
{
    if (watch->of_service)
        (void)epoll_ctl(mux->fd, EPOLL_CTL_DEL, watch->fd, NULL);
    if (watch->queued)
        unqueue(mux, watch);
}

/* [2] Wait: the kernel takes entries from the ready list, asks each socket once more, and copies
 * out an event for each that is ready. The cost follows what is ready, not what is watched. An
 * entry does not go back to the list, even if it was ready: this is what "edge" means.
 * [8] Timeouts: the timeout of epoll_wait(2) counts milliseconds. A timer descriptor counts
 * nanoseconds, and costs a call only when a deadline comes nearer. */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    int due = mux->queued; /* Queued before this wait; only these are served in this turn. */

    if (own_timer_set(&mux->own, deadline_ns) < 0)
        return -1;
    int count = loop_woke(loop, epoll_wait(mux->fd, mux->events, EVENTS_A_WAIT, due > 0 ? 0 : -1));
    if (count < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        struct watch *watch = mux->events[i].data.ptr; /* the pointer that mux_add() gave it */
        watch->ready |= (uint8_t)epoll_readiness(mux->events[i].events);
        if (!own_has(&mux->own, watch) && !watch->queued)
            loop_ready(loop, watch);
    }
    for (struct watch *watch; due > 0 && (watch = TAILQ_FIRST(&mux->again)) != NULL; due--) {
        unqueue(mux, watch);
        loop_ready(loop, watch);
    }
    return 0;
}

/* Signals stay blocked for good; the kernel keeps them pending until they are read here. So no
 * handler interrupts this server anywhere, and none can be lost. */
int mux_signal(struct mux *mux)
{
    return own_signal(&mux->own);
}

/* [4] Read policy: until recv(2) would block, or brings less than it had room for: then the socket
 * was empty, and whatever comes later makes a new event (epoll(7), "Do I need to continuously
 * read/write a file descriptor until EAGAIN"). In two cases the socket is not empty after a short
 * count, and READ_ON says so. FIN may wait behind the bytes, and has had its event. And recv(2)
 * stops before an urgent byte (tcp(7), SIOCATMARK). Test: test_endings.py
 * The budget keeps one busy peer from starving the others. mux_update() queues what is left.
 * [5] Partial write: an echo is sent at once. When send(2) takes less than all of it, an event is
 * sure to come when there is room again, because EPOLLOUT is always registered. */
void serve(struct loop *loop, struct connection *connection)
{
    struct watch *watch = &connection->watch;

    for (int budget = READS_A_TURN; budget > 0; budget--) {
        if (watch->ready & connection_wants(connection) & READABLE) {
            enum transport_result result = transport_read(connection, &loop->context);
            if (result == TRANSPORT_WOULD_BLOCK)
                watch->ready &= (uint8_t)~READABLE & (uint8_t)~READ_ON;
            else if (result == TRANSPORT_SHORT && !(watch->ready & READ_ON))
                watch->ready &= (uint8_t)~READABLE;
        }
        if (watch->ready & connection_wants(connection) & WRITABLE)
            if (transport_write(connection, &loop->context) != TRANSPORT_ALL)
                watch->ready &= (uint8_t)~WRITABLE;
        if (!(watch->ready & connection_wants(connection)))
            break;
        connection_settle(connection, &loop->context); /* before the next read */
    }
    loop_settle(loop, connection);
}

int main(int argc, char **argv)
{
    static const struct server server = {.name = "epoll_et", .wait = "epoll"};

    return loop_main(&server, argc, argv);
}
