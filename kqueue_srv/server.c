/* Echo server on kqueue(2): macOS, FreeBSD, NetBSD, OpenBSD. On Linux it is built against a
 * stand-in, and says so (README.md).
 *
 * Read it from main() upwards, or beside a sibling: make compare A=epoll_lt B=kqueue_srv. The
 * numbers in brackets mark the same nine places in every server; docs/reading.md goes through them.
 */
#include "../common/clock.h"
#include "../common/service.h"
#include "../common/signals.h"

#include <sys/types.h> /* before sys/event.h, where the BSDs want it */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/event.h>
#include <unistd.h>

enum { ACCEPTS_A_TURN = 64, TIMER = 1 };

struct mux {
    struct stats *stats;
    int fd;
    sigset_t signalled;
    uint64_t timer_ns; /* when the timer goes off, or NEVER */
    struct kevent *events;
    size_t capacity;
    size_t watched;
    int next;
    int count;
};

struct server {
    struct service service;
    struct mux mux;
    bool done;
};

/* One change, made at once. kevent(2) takes changes along with the wait too, which saves calls; but
 * then an error arrives as an event, after its connection may be gone. */
static int change(const struct mux *mux, int ident, short filter, unsigned short flags,
                  int64_t value, void *pointer)
{
    struct kevent event;

    /* NetBSD had an integer where the others have a pointer: the cast suits both. */
    EV_SET(&event, (uintptr_t)ident, filter, flags, 0, value, (__typeof__(event.udata))pointer);
    return kevent(mux->fd, &event, 1, NULL, 0, NULL);
}

static int mux_open(struct mux *mux, struct stats *stats, struct error *error)
{
    *mux = (struct mux){.stats = stats, .timer_ns = NEVER};
    (void)sigemptyset(&mux->signalled);
    mux->fd = kqueue();
    if (mux->fd < 0)
        return error_set(error, "kqueue", "", errno);
    for (size_t i = 0; i < SIGNALS; i++)
        if (change(mux, signals_wanted[i], EVFILT_SIGNAL, EV_ADD, 0, NULL) < 0)
            return error_set(error, "kevent", "EVFILT_SIGNAL", errno);
    return 0;
}

static void mux_close(struct mux *mux)
{
    (void)close(mux->fd);
    free(mux->events);
}

/* Room for two events a descriptor, three signals and a timer: what does not fit should come with
 * the next wait, but libkqueue drops it. */
static int make_room(struct mux *mux)
{
    size_t capacity = mux->capacity ? 2 * mux->capacity : 64;

    if (2 * mux->watched + 4 <= mux->capacity)
        return 0;
    struct kevent *events = realloc(mux->events, capacity * sizeof *events);
    if (events == NULL)
        return -1;
    mux->events = events;
    mux->capacity = capacity;
    return 0;
}

/* Reading and writing are two filters, each added and deleted alone. They are not enabled and
 * disabled instead: a disabled filter still reports EV_EOF on some systems. */
static int set_filter(const struct mux *mux, struct watch *watch, unsigned changed, unsigned wants,
                      unsigned bit, short filter)
{
    if (!(changed & bit))
        return 0;
    return change(mux, watch->fd, filter, wants & bit ? EV_ADD : EV_DELETE, 0, watch);
}

static int set_interest(const struct mux *mux, struct watch *watch, unsigned wants)
{
    unsigned changed = watch->armed ^ wants;

    watch->armed = (uint8_t)wants;
    if (set_filter(mux, watch, changed, wants, READABLE, EVFILT_READ) < 0)
        return -1;
    return set_filter(mux, watch, changed, wants, WRITABLE, EVFILT_WRITE);
}

/* [1] Register: once a connection. The kernel keeps the set, and gives the pointer back with each
 * event. */
static int mux_add(struct mux *mux, struct watch *watch, unsigned wants, struct error *error)
{
    mux->watched++;
    if (make_room(mux) == 0 && set_interest(mux, watch, wants) == 0)
        return 0;
    mux->watched--;
    return error_set(error, "kevent", "EV_ADD", errno);
}

/* A change of interest is a system call, so it is made only when something did change. */
static int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if (watch->armed == wants)
        return 0;
    mux->stats->interest_changes++;
    return set_interest(mux, watch, wants);
}

/* A kernel takes the filters out of its set at close(2). libkqueue on Linux does not hear of that,
 * and would report the number's next owner to this one. */
static void mux_remove(struct mux *mux, struct watch *watch)
{
    mux->watched--;
    (void)set_interest(mux, watch, NOTHING);
}

/* [8] Timeouts: a timer is one more filter. It is set only to go off earlier than it would: an idle
 * deadline moves on with every byte, and a system call for each would double the cost of a message.
 * Gone off too early, it is set anew. */
static int set_timer(struct mux *mux, uint64_t deadline_ns, uint64_t now_ns)
{
    if (deadline_ns >= mux->timer_ns)
        return 0;
    if (mux->timer_ns != NEVER) /* NetBSD keeps the old period of a timer that is added again */
        (void)change(mux, TIMER, EVFILT_TIMER, EV_DELETE, 0, NULL);
    mux->timer_ns = deadline_ns;
    return change(mux, TIMER, EVFILT_TIMER, EV_ADD | EV_ONESHOT, clock_left_ms(deadline_ns, now_ns),
                  NULL);
}

/* [2] Wait: the call costs what is ready, not what is watched. */
static int mux_wait(struct mux *mux, const struct service *service)
{
    if (set_timer(mux, service_deadline(service), service->connections.now_ns) < 0)
        return -1;
    mux->stats->waits++;
    mux->next = 0;
    mux->count = kevent(mux->fd, NULL, 0, mux->events, (int)mux->capacity, NULL);
    if (mux->count < 0) {
        mux->count = 0;
        return errno == EINTR ? 0 : -1;
    }
    mux->stats->events += (uint64_t)mux->count;
    return 0;
}

/* The next watch that the wait found ready, with watch->ready set, or NULL.
 * [6] Half-close: EV_EOF comes with what is still to be read. It is not looked at: the call that
 * the connection wants is made, and tells. */
static struct watch *mux_next(struct mux *mux)
{
    while (mux->next < mux->count) {
        const struct kevent *event = &mux->events[mux->next++];
        unsigned ready = event->filter == EVFILT_READ ? READABLE : WRITABLE;

        if (event->filter == EVFILT_SIGNAL) {
            (void)sigaddset(&mux->signalled, (int)event->ident);
        } else if (event->filter == EVFILT_TIMER) {
            mux->timer_ns = NEVER;
        } else {
            struct watch *watch = (struct watch *)event->udata;
            /* One descriptor can have two events in a batch, and the first may have ended it. */
            if (!(watch->armed & ready))
                continue;
            watch->ready = (uint8_t)ready;
            return watch;
        }
    }
    return NULL;
}

/* The number of a signal that has come, or 0. */
static int mux_signal(struct mux *mux)
{
    return signals_pop(&mux->signalled);
}

/* [4] Read policy: one recv a wake-up. What it leaves is reported again by the next wait, after the
 * others have had their turn.
 * [5] Partial write: echoes are sent at once. Only when a send falls short does the connection want
 * WRITABLE, until its output is gone: a socket is writable nearly always, and would be reported for
 * ever. */
static void serve(struct server *server, struct watch *watch)
{
    struct connections *connections = &server->service.connections;
    struct connection *connection = connection_of(watch);

    if (watch->ready & connection_wants(connection) & READABLE)
        (void)connection_read(connections, connection);
    if ((watch->ready | ~watch->armed) & connection_wants(connection) & WRITABLE)
        (void)connection_write(connections, connection);
    connection_settle(connections, connection);
    watch->ready = NOTHING; /* the next wait looks again */
    if (connection->state == CONNECTION_CLOSED ||
        mux_update(&server->mux, watch, connection_wants(connection)) < 0) {
        mux_remove(&server->mux, watch);
        connection_retire(connections, connection);
    }
}

/* [3] Accept: all that wait, up to a budget; the rest is reported again.
 * [7] Out of descriptors: the listener refuses a peer a second at most, and wants nothing until a
 * descriptor is free. Left armed, it would be reported for ever. */
static void accept_peers(struct server *server)
{
    struct service *service = &server->service;
    struct connection *connection;
    struct error error;

    for (int budget = ACCEPTS_A_TURN; budget > 0; budget--) {
        enum accept_result result = service_accept(service, &connection);
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
    if (peers_wait)
        accept_peers(server);
    return mux_update(&server->mux, listener, listener_wants(&service->listener));
}

int main(int argc, char **argv)
{
    static struct server server;
    struct service *service = &server.service;
    struct error error;
    int status;

    if (!service_open(service, "kqueue_srv", KQUEUE_IMPLEMENTATION, 0, argc, argv, &status))
        return status;
    int result = mux_open(&server.mux, &service->stats, &error);
    if (result == 0)
        result = mux_add(&server.mux, &service->listener.watch, READABLE, &error);
    if (result == 0)
        result = service_announce(service, &error);
    while (result == 0 && !server.done)
        if ((result = turn(&server)) < 0)
            (void)error_set(&error, "kevent", "", errno);
    mux_close(&server.mux);
    return service_close(service, result < 0 ? &error : NULL);
}
