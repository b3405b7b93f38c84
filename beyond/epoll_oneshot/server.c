/* Echo server on epoll(7) with EPOLLONESHOT: a pool of threads shares the connections.
 *
 * Try it:  build/epoll_oneshot --port 9000 --workers 2 &
 *          printf '\0\0\0\5hello' | nc -N 127.0.0.1 9000 | od -c
 *
 * One-shot: an event disarms its descriptor, until EPOLL_CTL_MOD arms it again. So the thread that
 * has the event has the connection, alone, until it arms it: no connection is in two threads, and
 * none needs a lock. Besides this it is level-triggered: what a turn leaves is reported when the
 * descriptor is armed again.
 *
 * The loop that calls these functions is common/loop.c, in a thread of its own. It accepts, lets
 * timeouts expire, closes and stops, always while the workers rest: pool.h. Compare it with its
 * sibling: make compare A=epoll_lt B=epoll_oneshot. The numbers in brackets mark the same places in
 * every server; docs/reading.md goes through them. */
#include "../../common/clock.h"
#include "../../common/loop.h"
#include "../../common/own_descriptors.h"
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* How many events one wait of the dispatcher can report. While the workers serve one batch, the
 * next one gathers: with a hundred busy connections there are some thirteen events a wait, and the
 * wait and the wake-up of a worker cost next to nothing a message.
 * A worker that waits by itself takes one event (pool.c). */
enum { EVENTS_A_WAIT = 256 };

struct mux {
    struct stats *stats;
    int fd; /* the loop's epoll; with a dispatcher it is that of the pool, too */
    struct own_descriptors own; /* signals and time */
    struct watch bell;          /* a worker has something for the loop */
    struct pool pool;
    struct epoll_event events[EVENTS_A_WAIT];
};

/* [6] Half-close: EPOLLHUP and EPOLLERR come unasked, even with an empty interest. They do not mean
 * end of input: bytes that the peer sent before it may still wait in the socket, and a server that
 * closes now loses them. Make the call that the connection wants; its return value says what
 * happened (invariant 3). Test: test_endings.py */
unsigned epoll_readiness(uint32_t events)
{
    if (events & (EPOLLHUP | EPOLLERR))
        return READABLE | WRITABLE;
    return (events & EPOLLIN ? READABLE : NOTHING) | (events & EPOLLOUT ? WRITABLE : NOTHING);
}

/* The loop's own turn of a connection: the last one before a timeout or a stop, and each one if
 * there are no workers. The workers rest meanwhile, so nobody else has the connection: take and
 * give say so, and abort the process if it is not true. */
void serve(struct loop *loop, struct connection *connection)
{
    struct oneshot *oneshot = &loop->mux->pool.oneshot;

    oneshot_take(oneshot, &connection->watch, loop);
    turn(connection, &loop->context);
    oneshot_give(oneshot, &connection->watch, loop);
    loop_settle(loop, connection);
}

/* If all workers wait on the epoll of the connections, the loop has another one: they must not
 * fetch the events of the listener, of signals and of time. */
static int open_second_epoll(struct mux *mux, struct error *error)
{
    mux->fd = epoll_create1(EPOLL_CLOEXEC);
    return mux->fd < 0 ? error_set(error, "epoll_create1", "", errno) : 0;
}

static void close_second_epoll(const struct mux *mux)
{
    if (settings.wait == WAIT_SHARED && mux->fd >= 0)
        (void)close(mux->fd);
}

/* Signals and time become descriptors, as in epoll_lt, and so does what a worker has to say: its
 * bell is an eventfd(2). A worker that ends a connection, or begins a timeout, must wake this
 * thread out of its wait, and no flag in memory could do that. Test: test_pitfalls_threads.py
 * The two eventfds and the second epoll are made now: at the end there may be no descriptor. */
int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = malloc(sizeof *mux);

    loop->mux = mux;
    if (mux == NULL)
        return error_set(error, "malloc", "epoll", errno);
    *mux = (struct mux){.stats = loop->context.stats, .fd = -1};
    pool_prepare(&mux->pool, &loop->connections);
    if (own_open(&mux->own, error) < 0 || pool_open(&mux->pool, &loop->context, error) < 0)
        return -1;
    mux->bell.fd = mux->pool.bell;
    mux->fd = mux->pool.epoll;
    if (settings.wait == WAIT_SHARED && open_second_epoll(mux, error) < 0)
        return -1;
    if (mux_add(mux, &mux->own.signals, error) < 0 || mux_add(mux, &mux->bell, error) < 0)
        return -1;
    return mux_add(mux, &mux->own.timer, error);
}

/* The workers end first, because they use all the rest. */
void mux_close(struct mux *mux)
{
    pool_close(&mux->pool, mux->stats);
    close_second_epoll(mux);
    own_close(&mux->own);
    free(mux);
}

static bool is_connection(const struct mux *mux, const struct watch *watch)
{
    return !watch->of_service && watch != &mux->bell && !own_has(&mux->own, watch);
}

/* [1] Register: one system call in the life of a connection, and another one for each turn:
 * mux_update(). The loop's own descriptors are not one-shot, because only the loop waits for
 * them. */
int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    if (is_connection(mux, watch))
        return oneshot_add(&mux->pool.oneshot, mux->pool.epoll, watch, EPOLLONESHOT, error);
    return oneshot_add(&mux->pool.oneshot, mux->fd, watch, 0, error);
}

/* With one-shot there is always something to tell: an armed descriptor is what a turn ends with.
 * So this is the system call that a message costs more than in epoll_lt.
 * A connection that the loop has served, because a timeout or a stop is about to end it, is armed
 * anew. That also makes an event late which a worker has fetched meanwhile. */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if (is_connection(mux, watch))
        return oneshot_arm(&mux->pool.oneshot, mux->pool.epoll, watch, wants, EPOLLONESHOT,
                           mux->stats);
    if (watch->interest == wants)
        return 0;
    return oneshot_arm(&mux->pool.oneshot, mux->fd, watch, wants, 0, mux->stats);
}

/* Events that were fetched before are late now. A connection needs no more: close(2) takes it out
 * of the set. The listener and the pipe of a restart may be open in another process, so close(2)
 * would leave them in: see epoll_lt/server.c. Test: test_restart.py */
void mux_remove(struct mux *mux, struct watch *watch)
{
    if (watch->of_service)
        (void)epoll_ctl(mux->fd, EPOLL_CTL_DEL, watch->fd, NULL);
    oneshot_forget(&mux->pool.oneshot, watch);
}

/* Hands the connections of a batch to the workers. Returns whether there is something for the loop:
 * a signal, a timeout, a peer, or a worker that has rung. Without workers the loop serves. */
static bool dispatch(struct mux *mux, struct loop *loop, int count)
{
    struct watch_queue batch = TAILQ_HEAD_INITIALIZER(batch);
    bool for_loop = settings.workers == 0;
    unsigned handed_out = 0;

    for (int i = 0; i < count; i++) {
        struct watch *watch = oneshot_find(&mux->pool.oneshot, &mux->events[i]);
        if (watch == NULL)
            continue;
        watch->ready |= (uint8_t)epoll_readiness(mux->events[i].events);
        if (is_connection(mux, watch) && settings.workers > 0) {
            TAILQ_INSERT_TAIL(&batch, watch, turn);
            handed_out++;
            continue;
        }
        for_loop = true;
        if (!own_has(&mux->own, watch) && watch != &mux->bell)
            loop_ready(loop, watch);
    }
    if (handed_out > 0)
        pool_push(&mux->pool, &batch, handed_out);
    return for_loop;
}

/* The bell was rung so many times; one look by the loop is the answer to all of them. */
static void stop_ringing(struct mux *mux)
{
    uint64_t rung;

    if (mux->bell.ready != NOTHING)
        (void)!read(mux->bell.fd, &rung, sizeof rung);
    mux->bell.ready = NOTHING;
}

/* Waits, and hands out. Returns whether there is something for the loop, or -1 with errno set. */
static int wait_once(struct mux *mux, struct loop *loop, int timeout)
{
    int count = loop_woke(loop, epoll_wait(mux->fd, mux->events, EVENTS_A_WAIT, timeout));

    return count < 0 ? -1 : dispatch(mux, loop, count);
}

/* [2] Wait: this is where the workers work. As long as there are only connections to hand out, the
 * loop goes back to the wait at once. When it returns from here, the workers rest.
 * Before it refuses a peer at --max-conns, it looks once more: a peer may have sent FIN while a
 * worker had its connection, and the re-arming has made an event of that only now.
 * [8] Timeouts: a timer descriptor, as in epoll_lt. It is set before the wait. A timeout that a
 * worker begins meanwhile may be due earlier: then it rings. */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    int result = 0;

    if (own_timer_set(&mux->own, deadline_ns) < 0)
        return -1;
    pool_release(&mux->pool);
    while (result == 0)
        result = wait_once(mux, loop, -1);
    pool_hold(&mux->pool, mux->stats);
    if (loop->peers_wait && loop->connections.count >= loop->context.options->max_conns) {
        result = wait_once(mux, loop, 0);
        pool_hold(&mux->pool, mux->stats);
    }
    stop_ringing(mux);
    return result < 0 ? -1 : 0;
}

/* Signals stay blocked in every thread; only this one reads them. */
int mux_signal(struct mux *mux)
{
    return own_signal(&mux->own);
}

static const struct server server = {
    .name = "epoll_oneshot", .wait = "epoll", .options = &settings_part};

int main(int argc, char **argv)
{
    return loop_main(&server, argc, argv);
}
