/* Echo server on io_uring(7).
 *
 * Try it:  build/uring --port 9000 &
 *          printf '\0\0\0\5hello' | nc -N 127.0.0.1 9000 | od -c
 *
 * Completion, not readiness. The server does not ask whether a call would block: it hands the call
 * to the kernel, and is told when it is done. Two queues in memory that both share carry this, one
 * of entries (calls to make), one of completions (their results). One system call submits all that
 * a wake-up has to say, and waits for the next completions.
 *
 * The loop that calls these functions is common/loop.c, as for the servers that wait for readiness.
 * What is different stands beside this file: ring.c has the queues, flight.c the receive and the
 * send of a connection, accepting.c the accept, signal_reading.c the signals, pipe_polling.c the
 * pipe of a restart. Compare this file with a sibling: make compare A=epoll_et B=uring. The numbers
 * in brackets mark the same places in every server; docs/reading.md goes through them. */
#include "../../common/clock.h"
#include "../../common/loop.h"
#include "../../common/transport.h"
#include "accepting.h"
#include "flight.h"
#include "pipe_polling.h"
#include "ring.h"
#include "signal_reading.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

/* LAST_LOOKS: how often the end asks the kernel whether the last entries are done. */
enum { LAST_LOOKS = 64 };

/* All that the kernel shares with the server stands in the ring. The rest says what is in flight,
 * because the kernel cannot be asked for that. */
struct mux {
    struct loop *loop;
    struct ring ring;
    struct accepting accepting;
    struct signal_reading signals;
    struct pipe_polling pipe;
    struct watch_queue starved; /* their receives wait for a landing, the oldest first */
};

/* The ring is made while the server starts: where it may not be made, one line says why, and the
 * exit status is 1. The kernel can forbid it to all programs, or a filter of system calls to this
 * one. Then the server does not fall back on another API: it would measure something else. */
int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = malloc(sizeof *mux);

    if (mux == NULL)
        return error_set(error, "malloc", "uring", errno);
    *mux = (struct mux){.loop = loop};
    TAILQ_INIT(&mux->starved);
    if (signal_reading_open(&mux->signals, error) < 0 || ring_open(&mux->ring, error) < 0)
        return -1;
    if (signal_reading_begin(&mux->signals, &mux->ring) < 0)
        return error_set(error, "io_uring_enter", "", errno);
    return 0;
}

static void unqueue(struct mux *mux, struct watch *watch)
{
    if (watch->queued)
        TAILQ_REMOVE(&mux->starved, watch, turn);
    watch->queued = false;
}

/* Each completion carries the address of the watch that its entry was given. */
static bool is_listener(const struct mux *mux, const struct watch *watch)
{
    return watch == &mux->loop->service.listener.watch;
}

/* Where a server for readiness would make a call, this one takes its result. A completion can come
 * for a connection that is retired already: its memory is still there, because the kernel holds it,
 * and nothing is left to do but to take back what was lent. */
static void take(struct mux *mux, const struct completion *completion)
{
    struct watch *watch = completion->of;
    struct connection *connection = connection_of(watch);

    if (watch == &mux->signals.watch) {
        signal_reading_completed(&mux->signals, completion);
    } else if (is_listener(mux, watch)) {
        accepting_completed(&mux->accepting, mux->loop, completion);
    } else if (watch->of_service) {
        pipe_polling_completed(&mux->pipe, &mux->ring, mux->loop, watch, completion);
    } else {
        bool is_retired = connection->state == CONNECTION_CLOSED;
        if (flight_completed(&mux->ring, connection, &mux->loop->context, completion)) {
            TAILQ_INSERT_TAIL(&mux->starved, watch, turn);
            watch->queued = true;
        }
        if (!is_retired)
            loop_settle(mux->loop, connection);
    }
}

/* A completion may lead to new entries. The kernel gets them with the next wait, all together. */
static void take_completions(struct mux *mux, int most)
{
    struct completion completion;

    while (most-- > 0 && ring_completion(&mux->ring, &completion))
        take(mux, &completion);
}

/* Nothing may be in flight when memory is freed, and closing the ring does not wait for that. So
 * all that is left is cancelled, by one entry, and its completions are taken. */
void mux_close(struct mux *mux)
{
    struct connections *all = &mux->loop->connections;
    struct connection *connection;
    bool cancelled = false;

    mux->loop->stopping = true; /* nobody is let in any more */
    while ((connection = TAILQ_FIRST(&all->open)) != NULL ||
           (connection = TAILQ_FIRST(&all->draining)) != NULL) {
        connection_close(connection, CLOSE_stop);
        loop_settle(mux->loop, connection);
    }
    for (int looks = LAST_LOOKS; looks > 0 && ring_in_flight(&mux->ring); looks--) {
        cancelled = cancelled || ring_cancel_all(&mux->ring, &mux->signals.watch, KIND_CANCEL) == 0;
        take_completions(mux,
                         cancelled ? ring_wait(&mux->ring, NEVER, 0) : ring_submit(&mux->ring));
    }
    ring_close(&mux->ring);
    signal_reading_close(&mux->signals);
    free(mux);
}

/* The receive is armed at once. No call is made: the entry goes with the next wait, together with
 * those of all other connections. A server for readiness pays a call here, or an entry in an array
 * that every wait copies in. For the listener it is an accept. The pipe of a restart is polled, and
 * restart_hear() reads it. */
int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    int result;

    watch->interest = READABLE;
    if (is_listener(mux, watch))
        result = accepting_update(&mux->accepting, &mux->ring, watch, READABLE);
    else if (watch->of_service)
        result = pipe_polling_begin(&mux->pipe, &mux->ring, watch);
    else
        result = flight_receive(&mux->ring, connection_of(watch), &mux->loop->context);
    return result < 0 ? error_set(error, "io_uring_enter", "", errno) : 0;
}

/* What is wanted becomes what is in flight. To want WRITABLE is to have output, so it is sent. A
 * pause cancels the receive: left armed, it would go on filling landings for a peer that does not
 * read. A receive that found no landing waits in the queue: armed again while all landings are
 * taken, it would end again at once. Test: test_backpressure.py */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    struct connection *connection = connection_of(watch);

    if (is_listener(mux, watch))
        return accepting_update(&mux->accepting, &mux->ring, watch, wants);
    (void)watch_change(watch, wants & READABLE, mux->loop->context.stats);
    if ((wants & WRITABLE) && flight_send(&mux->ring, connection) < 0)
        return -1;
    if (!(wants & READABLE))
        return flight_stop_receiving(&mux->ring, connection);
    return watch->queued ? 0 : flight_receive(&mux->ring, connection, &mux->loop->context);
}

/* A descriptor of the service is closed right after this, so its entry must be over by then. The
 * entry has the open file: the listener would go on listening after close(2), and accept peers for
 * nobody. shutdown(2) is no way out: it would end the listener for another process that shares it.
 * A peer that is accepted while the cancellation is under way is served like any other.
 * A connection has more time: connections_reap() passes over it while the kernel holds it. */
void mux_remove(struct mux *mux, struct watch *watch)
{
    if (!watch->of_service) {
        unqueue(mux, watch);
        mux->accepting.changed = true;
        flight_end(&mux->ring, connection_of(watch));
        return;
    }
    for (int looks = LAST_LOOKS; looks > 0 && watch->held; looks--) {
        if (is_listener(mux, watch))
            (void)accepting_update(&mux->accepting, &mux->ring, watch, NOTHING);
        else
            (void)pipe_polling_cancel(&mux->ring, watch);
        take_completions(mux, ring_submit(&mux->ring));
    }
    if (is_listener(mux, watch) && restart_under_way(&mux->loop->service.restart))
        accepting_rest(mux->loop);
}

/* [2] Wait: the kernel takes all entries first, and a send that can be done is done in the call.
 * Then it receives what has come, and sleeps if there is no completion. The cost follows what is
 * done. Nothing is asked twice, and no readiness is reported that a call then has to use up.
 * Receives that found no landing are armed at the end: by now each landing is free that no send
 * reads from. Test: test_completion.py
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

/* Signals stay blocked for good, as for the epoll servers: the kernel keeps them pending until they
 * are read. Here the read is in flight all the time. */
int mux_signal(struct mux *mux)
{
    return signal_reading_next(&mux->signals, &mux->ring);
}

/* [4] Read policy: the kernel receives until the socket is empty, some 32 landings in a row at most
 * before it looks at the next socket.
 * So this is no turn but the last one, of a connection that the loop is about to end: what has come
 * already must be answered, and the kernel may not have received it. First the completions, then
 * the socket itself, or bytes would change places. Test: test_pitfalls_wait.py */
void serve(struct loop *loop, struct connection *connection)
{
    take_completions(loop->mux, INT_MAX);
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
