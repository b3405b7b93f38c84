/* Echo server on io_uring(7).
 *
 * Try it:  build/uring --port 9000 &
 *          printf '\0\0\0\5hello' | nc -N 127.0.0.1 9000 | od -c
 *
 * Completion, not readiness: the server does not ask whether a call would block, it hands the call
 * to the kernel, and is told when it is done. Two queues in memory that both share carry this: one
 * of calls to make, one of their results. One system call submits all the calls of a wake-up, and
 * waits for the next results.
 *
 * The loop that calls these functions is common/loop.c, as for the servers that wait for readiness.
 * What is different stands in three files: ring.c has the queues, flight.c the receive and the send
 * of a connection, and this one the rest. The numbers in brackets mark the same places in every
 * server; docs/reading.md goes through them. */
#include "../../common/clock.h"
#include "../../common/loop.h"
#include "../../common/signals.h"
#include "../../common/transport.h"
#include "flight.h"
#include "ring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Some 20 are normal: what becomes ready while the first are handled comes with the next wake-up. */
enum { SIGNALS = 4, LAST_LOOKS = 64 };

struct mux {
    struct loop *loop;
    struct ring ring;
    struct watch_queue starved; /* their receives wait for a landing; oldest first */
    unsigned listener;          /* KIND_ACCEPT, KIND_POLL, or NOT_ARMED */
    bool cancels_listener;
    bool is_full;         /* the accept that was armed last found no descriptor */
    bool changed;         /* a connection came or went since the limit was looked at */
    rlim_t accepts_below; /* the descriptor limit when the accept was armed */
    struct watch signals; /* signalfd(2) */
    struct signalfd_siginfo taken[SIGNALS];
    int signals_taken, signals_used;
};

static int read_signals(struct mux *mux)
{
    struct io_uring_sqe *entry = ring_entry(&mux->ring, &mux->signals, KIND_SIGNALS);

    if (entry == NULL)
        return -1;
    io_uring_prep_read(entry, mux->signals.fd, mux->taken, sizeof mux->taken, 0);
    mux->signals_taken = mux->signals_used = 0;
    return 0;
}

/* A signal is read like anything else: the read is in flight all the time. The descriptor blocks,
 * because a read of one that does not would fail at once with EAGAIN. */
int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = malloc(sizeof *mux);
    sigset_t set;

    if (mux == NULL)
        return error_set(error, "malloc", "uring", errno);
    *mux = (struct mux){.loop = loop, .signals.fd = -1};
    TAILQ_INIT(&mux->starved);
    signals_set(&set);
    mux->signals.fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (mux->signals.fd < 0)
        return error_set(error, "signalfd", "", errno);
    if (ring_open(&mux->ring, error) < 0)
        return -1;
    return read_signals(mux) < 0 ? error_set(error, "io_uring_enter", "", errno) : 0;
}

/* [3] Accept: one entry, and a completion for each peer. No budget: the kernel accepts all that
 * wait, and the wake-up that brings them serves the other connections, too.
 * [7] Out of descriptors: the multishot ends with EMFILE, even while nobody waits. Armed again at
 * once, it fails at once, hundreds of thousands of times a second. So from then on the listener is
 * polled: a completion says that a peer waits, and the loop accepts it, or refuses it and rests. */
static int update_listener(struct mux *mux, struct watch *watch, unsigned wants)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    bool armed = mux->listener != NOT_ARMED;

    /* The kernel takes the limit for an accept when it is armed, and keeps it: it has to be armed
     * again when somebody has changed the limit (prlimit(1)). */
    if (mux->changed || !armed)
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    bool stale = mux->changed && armed && limit.rlim_cur != mux->accepts_below;
    mux->changed = false;
    if (armed == (wants != NOTHING) && !stale)
        return 0;
    if (armed && mux->cancels_listener)
        return 0;
    unsigned kind = mux->is_full ? KIND_POLL : KIND_ACCEPT;
    struct io_uring_sqe *entry = ring_entry(&mux->ring, watch, armed ? KIND_CANCEL : kind);
    if (entry == NULL)
        return -1;
    mux->cancels_listener = armed;
    if (armed) {
        io_uring_prep_cancel64(entry, (uintptr_t)watch | mux->listener, 0);
        return 0;
    }
    mux->accepts_below = limit.rlim_cur;
    mux->listener = kind;
    if (mux->is_full)
        io_uring_prep_poll_add(entry, watch->fd, POLLIN);
    else
        io_uring_prep_multishot_accept(entry, watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    mux->is_full = false;
    return 0;
}

static void accept_completed(struct mux *mux, const struct completion *completion)
{
    struct loop *loop = mux->loop;
    struct listener *listener = &loop->service.listener;
    int fd = completion->result;
    bool polled = completion->kind == KIND_POLL;

    if (!completion->more)
        mux->listener = NOT_ARMED;
    if (fd == -ECANCELED)
        return;
    if (polled || fd < 0) { /* the loop's accept(2) finds out, and knows what to do */
        loop->peers_wait = true;
        mux->is_full = !polled;
        return;
    }
    loop->context.stats->accepts++;
    mux->changed = true;
    if (loop->stopping)
        listener_refuse(listener, loop->context.stats, fd, "the server stops",
                        loop->context.now_ns);
    else
        loop_admit(loop, fd);
}

static void unqueue(struct mux *mux, struct watch *watch)
{
    if (watch->queued)
        TAILQ_REMOVE(&mux->starved, watch, turn);
    watch->queued = false;
}

static void completed(struct mux *mux, const struct completion *completion)
{
    struct watch *watch = completion->of;
    struct connection *connection = connection_of(watch);

    if (watch == &mux->signals) {
        if (completion->kind != KIND_SIGNALS)
            return;
        mux->signals_taken = completion->result / (int)sizeof mux->taken[0];
        mux->signals_used = completion->result < 0 ? 1 : 0; /* 0 / size: read again */
    } else if (watch == &mux->loop->service.listener.watch) {
        if (completion->kind == KIND_CANCEL)
            mux->cancels_listener = false;
        else
            accept_completed(mux, completion);
    } else {
        bool ended = connection->state == CONNECTION_CLOSED;
        if (flight_completed(&mux->ring, connection, &mux->loop->context, completion)) {
            TAILQ_INSERT_TAIL(&mux->starved, watch, turn);
            watch->queued = true;
        }
        if (!ended)
            loop_settle(mux->loop, connection);
    }
}

static void take_completions(struct mux *mux, int most)
{
    struct completion completion;

    while (most-- > 0 && ring_completion(&mux->ring, &completion))
        completed(mux, &completion);
}

int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    struct loop *loop = mux->loop;
    int result;

    watch->interest = READABLE;
    if (watch == &loop->service.listener.watch)
        result = update_listener(mux, watch, READABLE);
    else
        result = flight_receive(&mux->ring, connection_of(watch), &loop->context);
    return result < 0 ? error_set(error, "io_uring_enter", "", errno) : 0;
}

/* A pause cancels the receive: left armed, it would go on filling landings for a peer that does not
 * read. A receive that found no landing is armed again by mux_wait(), when there is one. */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    struct connection *connection = connection_of(watch);
    struct loop *loop = mux->loop;

    if (watch == &loop->service.listener.watch)
        return update_listener(mux, watch, wants);
    (void)watch_change(watch, wants & READABLE, loop->context.stats);
    if ((wants & WRITABLE) && flight_send(&mux->ring, connection) < 0)
        return -1;
    if (!(wants & READABLE))
        return flight_stop_receiving(&mux->ring, connection);
    return watch->queued ? 0 : flight_receive(&mux->ring, connection, &loop->context);
}

/* The listener is closed when this returns, so its accept must be over: the open file would go on
 * listening. A connection has more time: connections_reap() passes over it while it is held. */
void mux_remove(struct mux *mux, struct watch *watch)
{
    if (watch != &mux->loop->service.listener.watch) {
        unqueue(mux, watch);
        mux->changed = true;
        flight_end(&mux->ring, connection_of(watch));
        return;
    }
    for (int looks = LAST_LOOKS; looks > 0 && mux->listener != NOT_ARMED; looks--) {
        (void)update_listener(mux, watch, NOTHING);
        take_completions(mux, ring_submit(&mux->ring));
    }
}

/* Nothing may be in flight when the memory is freed, and closing the ring does not wait for it. */
void mux_close(struct mux *mux)
{
    struct connections *all = &mux->loop->connections;
    struct connection *connection;
    struct io_uring_sqe *entry = NULL;

    while ((connection = TAILQ_FIRST(&all->open)) != NULL ||
           (connection = TAILQ_FIRST(&all->draining)) != NULL) {
        connection_close(connection, CLOSE_stop);
        loop_settle(mux->loop, connection);
    }
    mux->loop->stopping = true; /* an accept that is done by now is refused */
    for (int looks = LAST_LOOKS; looks > 0 && mux->ring.flying > 0; looks--) {
        if (entry == NULL && (entry = ring_entry(&mux->ring, &mux->signals, KIND_CANCEL)) != NULL)
            io_uring_prep_cancel64(entry, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
        take_completions(mux,
                         entry != NULL ? ring_wait(&mux->ring, NEVER, 0) : ring_submit(&mux->ring));
    }
    ring_close(&mux->ring);
    if (mux->signals.fd >= 0)
        (void)close(mux->signals.fd);
    free(mux);
}

/* [2] Wait: the kernel takes all entries first, and a send or an accept that can be done is done in
 * the call. Then it sleeps until there is a completion. The cost follows what is done: nothing is
 * registered, nothing is asked twice. Receives that found no landing are armed again at the end: by
 * now each landing that no send reads from is free.
 * [8] Timeouts: an argument of the call, computed for each. */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    struct watch *watch;
    int count = loop_woke(loop, ring_wait(&mux->ring, deadline_ns, loop->context.now_ns));

    take_completions(mux, count);
    for (unsigned landings = mux->ring.landings_free;
         landings > 0 && (watch = TAILQ_FIRST(&mux->starved)) != NULL; landings--) {
        unqueue(mux, watch);
        loop_settle(loop, connection_of(watch));
    }
    return count < 0 ? -1 : 0;
}

int mux_signal(struct mux *mux)
{
    if (mux->signals_used < mux->signals_taken)
        return (int)mux->taken[mux->signals_used++].ssi_signo;
    if (mux->signals_used > 0)
        (void)read_signals(mux);
    return 0;
}

/* [4] Read policy: the kernel reads. This is the last turn of a connection that the loop is about
 * to end: what has come already must be answered, and it may not be received yet. First what was
 * received, then the socket itself, or the bytes would change places. */
void serve(struct loop *loop, struct connection *connection)
{
    take_completions(loop->mux, LAST_LOOKS * LAST_LOOKS);
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection_wants(connection) & READABLE)
        (void)transport_read(connection, &loop->context);
    loop_settle(loop, connection);
}

int main(int argc, char **argv)
{
    static const struct server server = {.name = "uring", .wait = "io_uring_enter"};

    return loop_main(&server, argc, argv);
}
