/* HTTP/1.1 server on epoll(7), level-triggered.
 *
 * Try it:  build/http --port 9000 --root docs &
 *          curl -i --data hello http://127.0.0.1:9000/echo; curl http://127.0.0.1:9000/protocol.md
 *
 * Level-triggered, because a turn here stops halfway in many ways: a file is under way, the peer
 * does not read, requests wait behind a reply. What a turn leaves is reported again by the next
 * wait, so nothing has to be remembered. The price is a change of interest for each file that does
 * not fit into the socket at once.
 *
 * The loop that calls these functions is common/loop.c. What stands behind a connection's turn is
 * in exchange.c (requests and replies), output.c (sending) and connection.c. */
#include "../../common/loop.h"

#include "exchange.h"
#include "output.h"
#include "site.h"
#include "stages.h"

#include "../../common/clock.h"
#include "../../common/own_descriptors.h"
#include "../../common/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* How many events one wait can report. What does not fit comes with the next wait. */
enum { EVENTS_A_WAIT = 256 };

/* How often a turn sends and then takes up requests that wait. A level-triggered API reports what
 * is left, so this bounds only how long the others wait. */
enum { SENDS_A_TURN = 16 };

struct mux {
    struct loop *loop;
    int fd;
    struct own_descriptors own; /* signals and time */
    struct stages stages;
    struct epoll_event events[EVENTS_A_WAIT];
};

/* The site is opened here, behind the listener: a root that is not there costs one line and exit
 * status 1, and no peer has seen the server yet. */
int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = malloc(sizeof *mux);

    if (mux == NULL)
        return error_set(error, "malloc", "epoll", errno);
    *mux = (struct mux){.loop = loop, .fd = -1};
    stages_init(&mux->stages);
    if (own_open(&mux->own, error) < 0 || site_open(&loop->context, error) < 0)
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
    site_close();
    free(mux);
}

/* Signals, time, the listener and the pipe of a restart are watched too, and no connection stands
 * behind them. */
static bool is_a_peer(const struct mux *mux, const struct watch *watch)
{
    return !own_has(&mux->own, watch) && !watch->of_service;
}

/* [1] Register: one system call in the life of a connection. The kernel puts an entry into a tree,
 * and from then on a packet that arrives puts that entry on the list of what is ready. The time of
 * the first stage begins here: a peer that connects and says nothing is closed after
 * keep-alive-timeout. */
int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    struct epoll_event event = {.data.ptr = watch, .events = EPOLLIN};

    if (epoll_ctl(mux->fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return error_set(error, "epoll_ctl", "EPOLL_CTL_ADD", errno);
    watch->interest = READABLE;
    if (is_a_peer(mux, watch))
        stages_update(&mux->stages, connection_of(watch));
    return 0;
}

/* A turn has ended: the connection may be in another stage, and may want something else. The first
 * is a few stores. The second is a call, but only if it is a change: when a reply gets stuck or has
 * left, and when reading pauses or goes on. */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    struct epoll_event event = {.data.ptr = watch};

    if (is_a_peer(mux, watch))
        stages_update(&mux->stages, connection_of(watch));
    if (!watch_change(watch, wants, mux->loop->context.stats))
        return 0;
    event.events = (wants & READABLE ? EPOLLIN : 0U) | (wants & WRITABLE ? EPOLLOUT : 0U);
    return epoll_ctl(mux->fd, EPOLL_CTL_MOD, watch->fd, &event);
}

/* close(2) takes a connection out of the set, but not a listener that another process has open,
 * too: epoll_lt says more. A file that is sent was never in the set: epoll_ctl(2) refuses regular
 * files (EPERM), since they are always ready. */
void mux_remove(struct mux *mux, struct watch *watch)
{
    if (watch->of_service)
        (void)epoll_ctl(mux->fd, EPOLL_CTL_DEL, watch->fd, NULL);
    if (is_a_peer(mux, watch))
        stages_leave(&mux->stages, connection_of(watch));
}

/* [6] Half-close: EPOLLHUP and EPOLLERR come unasked, and do not mean that the input has ended.
 * Requests that the peer sent before it may still wait in the socket. Make the call that the
 * connection wants; its return value says what happened (invariant 3). */
static unsigned readiness_of(uint32_t events)
{
    unsigned both = events & (EPOLLHUP | EPOLLERR) ? READABLE | WRITABLE : NOTHING;

    return both | (events & EPOLLIN ? READABLE : NOTHING) |
           (events & EPOLLOUT ? WRITABLE : NOTHING);
}

/* The timeouts of HTTP, beside those of common/connections.c, which end what is idle or too old.
 * Time never beats data that is waiting (invariant 8): each connection has a turn before its time
 * is up, and one that took a step in it is let go on. The walk takes the head of a queue again and
 * again: each step takes it out, or puts it at the tail with a later time. */
static void end_stages(struct mux *mux, struct loop *loop)
{
    struct connection *connection;

    while ((connection = stages_overdue(&mux->stages, loop->context.now_ns)) != NULL) {
        uint64_t since_ns = exchange_of(connection)->staying.since_ns;
        connection->watch.ready |= READABLE | WRITABLE;
        serve(loop, connection);
        if (connection->state != CONNECTION_OPEN ||
            exchange_of(connection)->staying.stage == STAGE_NONE ||
            exchange_of(connection)->staying.since_ns != since_ns)
            continue;
        exchange_time_is_over(connection);
        loop_settle(loop, connection);
    }
}

/* [2] Wait: the kernel asks each socket on its list of ready ones once more, and copies out an
 * event for each. One that was ready stays on the list: that is what "level" means.
 * [8] Timeouts: the loop's deadline, or that of a stage if it is earlier. A timer descriptor counts
 * nanoseconds, and costs a call only when a deadline comes nearer. */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    uint64_t stage_ns = stages_deadline(&mux->stages);

    if (own_timer_set(&mux->own, stage_ns < deadline_ns ? stage_ns : deadline_ns) < 0)
        return -1;
    int count = loop_woke(loop, epoll_wait(mux->fd, mux->events, EVENTS_A_WAIT, -1));
    for (int i = 0; i < count; i++) {
        struct watch *watch = mux->events[i].data.ptr;
        watch->ready |= (uint8_t)readiness_of(mux->events[i].events);
        if (!own_has(&mux->own, watch))
            loop_ready(loop, watch);
    }
    if (count >= 0)
        end_stages(mux, loop);
    return count >= 0 ? 0 : -1;
}

/* Signals stay blocked; the kernel keeps them pending until they are read here. */
int mux_signal(struct mux *mux)
{
    return own_signal(&mux->own);
}

/* A call is worth making if epoll has reported that it will do something, or if epoll was not asked
 * (watch.h), and only if the connection wants it. */
static bool worth(const struct connection *connection, unsigned what)
{
    return (watch_worth_trying(&connection->watch) & connection_wants(connection) & what) != 0;
}

/* [4] Read policy: one recv(2) a turn, which may bring a part of a request or hundreds of them.
 * connection_received() answers them at once, until its output is at the high-water mark.
 * [5] Partial write: replies are sent without asking whether there is room. When all have left,
 * connection_settle() takes up the requests that waited behind a file or at the high-water mark.
 * They make no event: recv(2) has brought them already. So their replies are sent here as well, and
 * when the budget runs out there is output, which makes the next wait report the connection. */
void serve(struct loop *loop, struct connection *connection)
{
    struct context *context = &loop->context;

    if (worth(connection, READABLE))
        (void)transport_read(connection, context);
    for (int budget = SENDS_A_TURN; budget > 0 && worth(connection, WRITABLE); budget--) {
        if (output_send(connection, context) != TRANSPORT_ALL)
            break;
        connection_settle(connection, context);
    }
    connection->watch.ready = NOTHING; /* the next wait looks again */
    loop_settle(loop, connection);
}

int main(int argc, char **argv)
{
    static const struct server server = {.name = "http", .wait = "epoll", .options = &site_options};

    return loop_main(&server, argc, argv);
}
