/* Echo server on poll(2).
 *
 * Read it from main() upwards, or beside a sibling: make compare A=select_srv B=poll_srv. The
 * numbers in brackets mark the same nine places in every server; docs/reading.md goes through them.
 */
#include "../common/clock.h"
#include "../common/service.h"
#include "../common/signals.h"
#include "poll_masked.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCEPTS_A_TURN = 64, EVENTS_UNHEARD = 16 };

/* The array that poll reads, and beside it whom each place belongs to. Both stay dense: a hole
 * would be copied into the kernel and looked at by every wait. */
struct mux {
    struct stats *stats;
    sigset_t wait_mask;
    struct pollfd *fds;
    struct watch **watches;
    size_t count;
    size_t capacity;
    size_t next; /* places below it have not been looked at since the wait */
    int left;    /* of what the wait reported, how much has not been found */
    int unheard; /* events since signals were let in */
};

struct server {
    struct service service;
    struct mux mux;
    bool done;
};

static short poll_interest(unsigned wants)
{
    return (short)((wants & READABLE ? POLLIN : 0) | (wants & WRITABLE ? POLLOUT : 0));
}

static unsigned poll_readiness(int events)
{
    /* [6] Half-close: POLLHUP and POLLERR come unasked. They say that a call will not block, not
     * that the input is at its end: the call that the connection wants is made, and tells. */
    if (events & (POLLHUP | POLLERR | POLLNVAL))
        return READABLE | WRITABLE;
    return (events & POLLIN ? READABLE : NOTHING) | (events & POLLOUT ? WRITABLE : NOTHING);
}

static int mux_open(struct mux *mux, struct stats *stats, struct error *error)
{
    *mux = (struct mux){.stats = stats};
    if (signals_catch(&mux->wait_mask, error) < 0)
        return -1;
    return poll_masked_open(error);
}

static void mux_close(struct mux *mux)
{
    free(mux->fds);
    free(mux->watches);
}

static int grow(struct mux *mux)
{
    size_t capacity = mux->capacity ? 2 * mux->capacity : 64;
    struct pollfd *fds = realloc(mux->fds, capacity * sizeof *fds);

    if (fds == NULL)
        return -1;
    mux->fds = fds;
    struct watch **watches = realloc(mux->watches, capacity * sizeof(struct watch *));
    if (watches == NULL)
        return -1;
    mux->watches = watches;
    mux->capacity = capacity;
    return 0;
}

/* [1] Register: an entry in an array of our own. The kernel is told nothing until the next wait,
 * and remembers nothing after it. */
static int mux_add(struct mux *mux, struct watch *watch, unsigned wants, struct error *error)
{
    if (mux->count + POLL_MASKED_SPARE >= mux->capacity && grow(mux) < 0)
        return error_set(error, "realloc", "poll array", errno);
    watch->armed = (uint8_t)wants;
    watch->slot = (uint32_t)mux->count;
    mux->fds[mux->count] = (struct pollfd){.fd = watch->fd, .events = poll_interest(wants)};
    mux->watches[mux->count] = watch;
    mux->count++;
    return 0;
}

/* A change of interest is a store to memory: no system call, and it cannot fail. */
static int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if (watch->armed == wants)
        return 0;
    watch->armed = (uint8_t)wants;
    mux->stats->interest_changes++;
    mux->fds[watch->slot].events = poll_interest(wants);
    return 0;
}

/* The last entry moves into the hole. mux_next goes downwards, so in mid-batch it has looked at
 * that entry already; upwards it would skip it. */
static void mux_remove(struct mux *mux, struct watch *watch)
{
    size_t last = --mux->count;

    mux->fds[watch->slot] = mux->fds[last];
    mux->watches[watch->slot] = mux->watches[last];
    mux->watches[watch->slot]->slot = watch->slot;
    watch->armed = NOTHING;
}

/* [2] Wait: the whole array is copied into the kernel and every entry asked, ready or not. Signals
 * are let in for the time of the call only, by its mask.
 * [8] Timeouts: an argument of the call, worked out anew for each. Nothing has to be set or
 * stopped. */
static int mux_wait(struct mux *mux, const struct service *service)
{
    struct timespec left;
    uint64_t deadline_ns = service_deadline(service);

    mux->stats->waits++;
    mux->next = mux->count;
    mux->left =
        poll_masked(mux->fds, (nfds_t)mux->count,
                    clock_left(deadline_ns, service->connections.now_ns, &left), &mux->wait_mask);
    if (mux->left < 0) {
        mux->left = 0;
        return errno == EINTR ? 0 : -1;
    }
    mux->stats->events += (uint64_t)mux->left;
    /* ppoll delivers no signal when something is ready: a loop that never sleeps is deaf. */
    mux->unheard += mux->left;
    if (mux->unheard >= EVENTS_UNHEARD) {
        mux->unheard = 0;
        signals_let_in();
    }
    return 0;
}

/* The next watch that the wait found ready, with watch->ready set, or NULL. The answer stands
 * somewhere in the array: it is walked until as many have been found as were reported. */
static struct watch *mux_next(struct mux *mux)
{
    while (mux->left > 0 && mux->next > 0) {
        const struct pollfd *entry = &mux->fds[--mux->next];
        struct watch *watch = mux->watches[mux->next];

        if (entry->revents == 0)
            continue;
        mux->left--;
        watch->ready = (uint8_t)poll_readiness(entry->revents);
        return watch;
    }
    return NULL;
}

/* The number of a signal that has come, or 0. */
static int mux_signal(struct mux *mux)
{
    (void)mux;
    return signals_take();
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

    if (!service_open(service, "poll_srv", NULL, 0, argc, argv, &status))
        return status;
    int result = mux_open(&server.mux, &service->stats, &error);
    if (result == 0)
        result = mux_add(&server.mux, &service->listener.watch, READABLE, &error);
    if (result == 0)
        result = service_announce(service, &error);
    while (result == 0 && !server.done)
        if ((result = turn(&server)) < 0)
            (void)error_set(&error, "poll", "", errno);
    mux_close(&server.mux);
    return service_close(service, result < 0 ? &error : NULL);
}
