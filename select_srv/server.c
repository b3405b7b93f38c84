/* Echo server on select(2).
 *
 * Read it from main() upwards, or beside a sibling: make compare A=select_srv B=poll_srv. The
 * numbers in brackets mark the same nine places in every server; docs/reading.md goes through them.
 */
#include "../common/clock.h"
#include "../common/service.h"
#include "../common/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/select.h>

enum { ACCEPTS_A_TURN = 64, EVENTS_UNHEARD = 16 };

/* Bits by descriptor number are all that select knows; whom they belong to stands in an array
 * beside them, dense, so that our own walk costs what is watched and not the highest number. */
struct mux {
    struct stats *stats;
    sigset_t wait_mask;
    fd_set want_read, want_write;   /* what to ask */
    fd_set ready_read, ready_write; /* what was answered */
    int limit;                      /* no bit is set at this number or above: select's nfds */
    struct watch *watches[FD_SETSIZE];
    size_t count;
    size_t next; /* places below it have not been looked at since the wait */
    int left;    /* of what the wait reported, how much has not been found */
    int unheard; /* events since signals were let in */
};

struct server {
    struct service service;
    struct mux mux;
    bool done;
};

static void set_interest(struct mux *mux, const struct watch *watch)
{
    FD_CLR(watch->fd, &mux->want_read);
    FD_CLR(watch->fd, &mux->want_write);
    if (watch->armed & READABLE)
        FD_SET(watch->fd, &mux->want_read);
    if (watch->armed & WRITABLE)
        FD_SET(watch->fd, &mux->want_write);
    if (watch->fd >= mux->limit)
        mux->limit = watch->fd + 1;
}

/* [6] Half-close: select has no word for a hang-up or an error. Both make a descriptor ready for
 * whatever was asked, and the call that the connection wants is made, and tells. */
static unsigned select_readiness(const struct mux *mux, int fd)
{
    return (FD_ISSET(fd, &mux->ready_read) ? READABLE : NOTHING) |
           (FD_ISSET(fd, &mux->ready_write) ? WRITABLE : NOTHING);
}

static int mux_open(struct mux *mux, struct stats *stats, struct error *error)
{
    *mux = (struct mux){.stats = stats};
    FD_ZERO(&mux->want_read);
    FD_ZERO(&mux->want_write);
    return signals_catch(&mux->wait_mask, error);
}

static void mux_close(struct mux *mux)
{
    (void)mux;
}

/* [1] Register: a bit in a set of our own. The kernel is told nothing until the next wait, and
 * remembers nothing after it. The set has FD_SETSIZE bits: FD_SET beyond them would write over
 * other memory. What counts is the descriptor's number, not how many there are. Test:
 * test_descriptors.py */
static int mux_add(struct mux *mux, struct watch *watch, unsigned wants, struct error *error)
{
    if (watch->fd >= FD_SETSIZE) {
        (void)snprintf(error->text, sizeof error->text, "descriptor %d is not below FD_SETSIZE, %d",
                       watch->fd, FD_SETSIZE);
        return -1;
    }
    watch->armed = (uint8_t)wants;
    watch->slot = (uint32_t)mux->count;
    mux->watches[mux->count] = watch;
    mux->count++;
    set_interest(mux, watch);
    return 0;
}

/* A change of interest is a store to memory: no system call, and it cannot fail. */
static int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if (watch->armed == wants)
        return 0;
    watch->armed = (uint8_t)wants;
    mux->stats->interest_changes++;
    set_interest(mux, watch);
    return 0;
}

/* The last entry moves into the hole. mux_next goes downwards, so in mid-batch it has looked at
 * that entry already; upwards it would skip it. */
static void mux_remove(struct mux *mux, struct watch *watch)
{
    size_t last = --mux->count;

    watch->armed = NOTHING;
    set_interest(mux, watch);
    mux->watches[watch->slot] = mux->watches[last];
    mux->watches[watch->slot]->slot = watch->slot;
}

/* [2] Wait: every number below the limit is asked, ready or not, watched or not. select writes its
 * answer over the question, so it gets a copy. Signals are let in for the time of the call only, by
 * its mask.
 * [8] Timeouts: an argument of the call, worked out anew for each. Nothing has to be set or
 * stopped. */
static int mux_wait(struct mux *mux, const struct service *service)
{
    struct timespec left;
    uint64_t deadline_ns = service_deadline(service);

    while (mux->limit > 0 && !FD_ISSET(mux->limit - 1, &mux->want_read) &&
           !FD_ISSET(mux->limit - 1, &mux->want_write))
        mux->limit--;
    mux->ready_read = mux->want_read;
    mux->ready_write = mux->want_write;
    mux->stats->waits++;
    mux->next = mux->count;
    mux->left =
        pselect(mux->limit, &mux->ready_read, &mux->ready_write, NULL,
                clock_left(deadline_ns, service->connections.now_ns, &left), &mux->wait_mask);
    if (mux->left < 0) {
        mux->left = 0;
        return errno == EINTR ? 0 : -1;
    }
    mux->stats->events += (uint64_t)mux->left;
    /* pselect delivers no signal when something is ready: a loop that never sleeps is deaf. */
    mux->unheard += mux->left;
    if (mux->unheard >= EVENTS_UNHEARD) {
        mux->unheard = 0;
        signals_let_in();
    }
    return 0;
}

/* The next watch that the wait found ready, with watch->ready set, or NULL. The answer stands
 * somewhere in the sets: they are walked until as many bits have been found as were reported. */
static struct watch *mux_next(struct mux *mux)
{
    while (mux->left > 0 && mux->next > 0) {
        struct watch *watch = mux->watches[--mux->next];
        unsigned ready = select_readiness(mux, watch->fd);

        if (ready == NOTHING)
            continue;
        mux->left -= ready == (READABLE | WRITABLE) ? 2 : 1; /* it counts bits, not descriptors */
        watch->ready = (uint8_t)ready;
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

    if (!service_open(service, "select_srv", NULL, FD_SETSIZE, argc, argv, &status))
        return status;
    int result = mux_open(&server.mux, &service->stats, &error);
    if (result == 0)
        result = mux_add(&server.mux, &service->listener.watch, READABLE, &error);
    if (result == 0)
        result = service_announce(service, &error);
    while (result == 0 && !server.done)
        if ((result = turn(&server)) < 0)
            (void)error_set(&error, "select", "", errno);
    mux_close(&server.mux);
    return service_close(service, result < 0 ? &error : NULL);
}
