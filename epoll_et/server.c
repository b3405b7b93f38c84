/* Echo server on epoll(7), edge-triggered.
 *
 * Read it from main() upwards, or beside a sibling: make compare A=epoll_lt B=epoll_et. The numbers
 * in brackets mark the same nine places in every server; docs/reading.md goes through them. */
#include "../common/clock.h"
#include "../common/service.h"
#include "../common/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    ACCEPTS_A_TURN = 64,
    READS_A_TURN = 16,
    EVENTS_A_WAIT = 256, /* what does not fit comes with the next wait: the kernel takes turns */
};

struct mux {
    struct stats *stats;
    int fd;
    int signals;
    int timer;
    bool signalled;
    uint64_t timer_ns; /* when the timer goes off, or NEVER */
    int next;
    int count;
    struct watch_queue again; /* ready and wanted, though no edge will come for them */
    int queued;               /* how many those are */
    int due;                  /* of them, how many have their turn now */
    struct epoll_event events[EVENTS_A_WAIT];
};

struct server {
    struct service service;
    struct mux mux;
    bool done;
};

static unsigned epoll_readiness(uint32_t events)
{
    /* [6] Half-close: EPOLLRDHUP, EPOLLHUP and EPOLLERR say that a call will not block, not that
     * the input is at its end: the call that the connection wants is made, and tells. */
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        return READABLE | WRITABLE | HANGUP;
    return (events & EPOLLIN ? READABLE : NOTHING) | (events & EPOLLOUT ? WRITABLE : NOTHING);
}

/* A descriptor of the loop's own: its events carry a pointer to where it is kept. */
static int add_own(struct mux *mux, int *fd, const char *call, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};

    if (*fd < 0)
        return error_set(error, call, "", errno);
    if (epoll_ctl(mux->fd, EPOLL_CTL_ADD, *fd, &event) < 0)
        return error_set(error, "epoll_ctl", call, errno);
    return 0;
}

static int mux_open(struct mux *mux, struct stats *stats, struct error *error)
{
    sigset_t set;

    *mux = (struct mux){.stats = stats, .signals = -1, .timer = -1, .timer_ns = NEVER};
    TAILQ_INIT(&mux->again);
    mux->fd = epoll_create1(EPOLL_CLOEXEC);
    if (mux->fd < 0)
        return error_set(error, "epoll_create1", "", errno);
    signals_set(&set);
    mux->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (add_own(mux, &mux->signals, "signalfd", error) < 0)
        return -1;
    mux->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return add_own(mux, &mux->timer, "timerfd_create", error);
}

static void mux_close(struct mux *mux)
{
    (void)close(mux->timer);
    (void)close(mux->signals);
    (void)close(mux->fd);
}

/* [1] Register: once a connection, and for all events at once: an edge comes when something
 * changes, so one that nobody wants costs little, and interest never changes. The kernel keeps the
 * set, and gives the pointer back with each event. */
static int mux_add(struct mux *mux, struct watch *watch, unsigned wants, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = watch};

    watch->armed = (uint8_t)wants;
    if (epoll_ctl(mux->fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return error_set(error, "epoll_ctl", "", errno);
    return 0;
}

static void unqueue(struct mux *mux, struct watch *watch)
{
    TAILQ_REMOVE(&mux->again, watch, turn);
    watch->queued = false;
    mux->queued--;
}

/* No system call. But the edge for what is wanted now may have come before, while a budget was used
 * up or reading was paused, and it will not come again: such a watch has its turn without one. */
static int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    watch->armed = (uint8_t)wants;
    if ((watch->ready & wants) && !watch->queued) {
        TAILQ_INSERT_TAIL(&mux->again, watch, turn);
        watch->queued = true;
        mux->queued++;
    }
    return 0;
}

/* close(2) takes a descriptor out of the set, unless a duplicate of it is open (epoll(7), "Will
 * closing a file descriptor cause it to be removed"). Nobody duplicates one here. */
static void mux_remove(struct mux *mux, struct watch *watch)
{
    watch->armed = NOTHING;
    if (watch->queued)
        unqueue(mux, watch);
}

/* [8] Timeouts: a timer is one more descriptor. It is set only to go off earlier than it would: an
 * idle deadline moves on with every byte, and a system call for each would double the cost of a
 * message. Gone off too early, it is set anew. */
static int set_timer(struct mux *mux, uint64_t deadline_ns)
{
    struct itimerspec when = {0};

    if (deadline_ns >= mux->timer_ns)
        return 0;
    mux->timer_ns = deadline_ns;
    (void)clock_left(deadline_ns, 0, &when.it_value);
    return timerfd_settime(mux->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* [2] Wait: the call costs what is ready, not what is watched. It does not sleep while somebody is
 * to have a turn without an edge. */
static int mux_wait(struct mux *mux, const struct service *service)
{
    if (set_timer(mux, service_deadline(service)) < 0)
        return -1;
    mux->due = mux->queued;
    mux->stats->waits++;
    mux->next = 0;
    mux->count = epoll_wait(mux->fd, mux->events, EVENTS_A_WAIT, mux->due > 0 ? 0 : -1);
    if (mux->count < 0) {
        mux->count = 0;
        return errno == EINTR ? 0 : -1;
    }
    mux->stats->events += (uint64_t)mux->count;
    return 0;
}

/* The next watch that the wait found ready, or whose turn it is, with watch->ready set, or NULL.
 * What was ready stays so until a call would block. */
static struct watch *mux_next(struct mux *mux)
{
    while (mux->next < mux->count) {
        const struct epoll_event *event = &mux->events[mux->next++];
        uint64_t expirations;

        if (event->data.ptr == &mux->signals) {
            mux->signalled = true;
        } else if (event->data.ptr == &mux->timer) {
            (void)!read(mux->timer, &expirations, sizeof expirations);
            mux->timer_ns = NEVER;
        } else {
            struct watch *watch = event->data.ptr;
            watch->ready |= (uint8_t)epoll_readiness(event->events);
            if (!watch->queued)
                return watch;
        }
    }
    struct watch *watch = TAILQ_FIRST(&mux->again);
    if (mux->due == 0 || watch == NULL)
        return NULL;
    mux->due--;
    unqueue(mux, watch);
    return watch;
}

/* The number of a signal that has come, or 0. */
static int mux_signal(struct mux *mux)
{
    struct signalfd_siginfo info;

    if (mux->signalled && read(mux->signals, &info, sizeof info) == sizeof info)
        return (int)info.ssi_signo;
    mux->signalled = false;
    return 0;
}

/* [4] Read policy: until a recv would block, or brings less than it had room for (epoll(7), "Do I
 * need to continuously read/write a file descriptor until EAGAIN"), because no other edge will tell
 * of what is left. After a hang-up a short one is not enough: the end that follows it has had its
 * edge. A budget keeps one busy peer from starving the rest; what it leaves, mux_update sees to.
 * [5] Partial write: echoes are sent at once. When a send falls short, the edge that tells of room
 * again is sure to come, as EPOLLOUT is always armed. */
static void serve(struct server *server, struct watch *watch)
{
    struct connections *connections = &server->service.connections;
    struct connection *connection = connection_of(watch);

    for (int budget = READS_A_TURN; budget > 0; budget--) {
        if (watch->ready & connection_wants(connection) & READABLE) {
            enum io_result result = connection_read(connections, connection);
            if (result == IO_WOULD_BLOCK || (result == IO_SHORT && !(watch->ready & HANGUP)))
                watch->ready &= (uint8_t)~READABLE;
        }
        if (watch->ready & connection_wants(connection) & WRITABLE)
            if (connection_write(connections, connection) != IO_MORE)
                watch->ready &= (uint8_t)~WRITABLE;
        connection_settle(connections, connection);
        if (!(watch->ready & connection_wants(connection)))
            break;
    }
    if (connection->state == CONNECTION_CLOSED ||
        mux_update(&server->mux, watch, connection_wants(connection)) < 0) {
        mux_remove(&server->mux, watch);
        connection_retire(connections, connection);
    }
}

/* [3] Accept: all that wait, up to a budget; what it leaves, mux_update sees to: no edge will.
 * [7] Out of descriptors: the listener refuses a peer a second at most, and wants nothing until a
 * descriptor is free. No edge comes for those that wait meanwhile: its readiness is kept. */
static void accept_peers(struct server *server)
{
    struct service *service = &server->service;
    struct connection *connection;
    struct error error;

    for (int budget = ACCEPTS_A_TURN; budget > 0; budget--) {
        enum accept_result result = service_accept(service, &connection);
        if (result == ACCEPT_WOULD_BLOCK)
            service->listener.watch.ready = NOTHING;
        if (result == ACCEPT_WOULD_BLOCK || result == ACCEPT_EXHAUSTED)
            break;
        if (result == ACCEPT_REFUSED)
            continue;
        if (mux_add(&server->mux, &connection->watch, READABLE, &error) == 0)
            service_admit(service);
        else
            service_refuse(service, connection, error.text);
    }
}

/* [9] Stop: accept no more, serve what has come in one last read, then send what is pending. */
static void begin_stop(struct server *server)
{
    struct service *service = &server->service;
    struct connection *connection;

    mux_remove(&server->mux, &service->listener.watch);
    listener_close(&service->listener);
    service->connections.stopping = true;
    while ((connection = TAILQ_FIRST(&service->connections.open)) != NULL) {
        connection->watch.ready |= READABLE;
        serve(server, &connection->watch);
    }
}

static void take_signals(struct server *server)
{
    int number;

    while ((number = mux_signal(&server->mux)) != 0) {
        if (number == SIGUSR1)
            (void)service_print_stats(&server->service, stderr);
        else if (server->service.connections.stopping)
            server->done = true; /* told twice: at once */
        else
            begin_stop(server);
    }
}

static void expire(struct server *server)
{
    struct connection *connection;

    while ((connection = connections_expired(&server->service.connections)) != NULL)
        serve(server, &connection->watch);
}

/* One wake-up. Descriptors are closed after every event has been looked at, and accepted after
 * that, so no event can reach a connection that took over the number of the one that it was meant
 * for. */
static int turn(struct server *server)
{
    struct service *service = &server->service;
    struct watch *listener = &service->listener.watch;
    struct watch *watch;
    bool peers_wait = false;

    if (mux_wait(&server->mux, service) < 0)
        return -1;
    service_tick(service);
    while ((watch = mux_next(&server->mux)) != NULL) {
        if (watch == listener)
            peers_wait = true;
        else
            serve(server, watch);
    }
    take_signals(server);
    expire(server);
    if (connections_reap(&service->connections) > 0)
        listener_wake(&service->listener);
    if (service->connections.stopping) {
        server->done |= service->connections.count == 0;
        return 0;
    }
    if (peers_wait && listener_wants(&service->listener)) /* edges come while it rests, too */
        accept_peers(server);
    return mux_update(&server->mux, listener, listener_wants(&service->listener));
}

int main(int argc, char **argv)
{
    static struct server server;
    struct service *service = &server.service;
    struct error error;
    int status;

    if (!service_open(service, "epoll_et", NULL, 0, argc, argv, &status))
        return status;
    int result = mux_open(&server.mux, &service->stats, &error);
    if (result == 0)
        result = mux_add(&server.mux, &service->listener.watch, READABLE, &error);
    if (result == 0)
        result = service_announce(service, &error);
    while (result == 0 && !server.done)
        if ((result = turn(&server)) < 0)
            (void)error_set(&error, "epoll", "", errno);
    mux_close(&server.mux);
    return service_close(service, result < 0 ? &error : NULL);
}
