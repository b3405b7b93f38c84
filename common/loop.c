/* One wake-up of the loop, and what surrounds it. Read it from loop_main() upwards.
 *
 *     mux_wait --> loop_ready --> serve --> loop_settle        for each descriptor that is ready
 *         |
 *         +-----> signals --> expiry --> reap --> accept          once a wake-up
 */
#include "loop.h"

#include "clock.h"
#include "transport.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* How many peers are accepted in one wake-up: a flood of new peers must not starve those that are
 * connected already. */
enum { ACCEPTS_A_TURN = 64 };

/* What is read from a peer at most before the server ends it: about as much as a socket holds. */
enum { LAST_BYTES = 4 * 1024 * 1024 };

/* The clock is read here, once a wake-up, and not for each connection: even without a system call
 * (vdso(7)) a reading costs a tenth of what a message costs in user space. It is read again only
 * where a timeout begins, because no timeout may come early by the time that the walk takes.
 *
 * EINTR is no error: a signal has come, and take_signals() will find it. The kernel never restarts
 * such a wait after a handler, not even with SA_RESTART (signal(7)). Nothing was reported then, so
 * the walk has nothing to do. */
int loop_woke(struct loop *loop, int result)
{
    struct listener *listener = &loop->service.listener;

    loop->context.stats->waits++;
    if (result < 0 && errno != EINTR)
        return -1;
    loop->context.now_ns = clock_now();
    if (loop->context.now_ns >= listener->resting_until_ns)
        listener_wake(listener);
    if (result <= 0)
        return 0;
    loop->context.stats->events += (uint64_t)result;
    return result;
}

/* The listener only leaves a note. Peers are accepted when the walk is over: see turn(). The pipe
 * of a restart leaves a note, too: something is due now, and expire() looks at it. A message costs
 * one comparison here, as it would if there were no restart.
 * No table leads from a descriptor to its connection. The API gave the watch back, and the watch is
 * the first member of its connection. */
void loop_ready(struct loop *loop, struct watch *watch)
{
    if (!watch->of_service)
        serve(loop, connection_of(watch));
    else if (watch == &loop->service.listener.watch)
        loop->peers_wait = true;
    else
        loop->deadline_ns = 0;
}

/* The only place that tells the API what a connection waits for, moves it between the queues, and
 * ends it. The order matters: first the bytes, which decide whether FIN is due, then the queues,
 * then the API. If the API cannot go on watching the connection (the kernel has no memory, for
 * instance), no event would ever come for it. So it ends, and no other connection notices.
 * The queues come before FIN, too: a connection that enters the queue of draining ones may have a
 * line in the log. Once both sides have sent FIN, the kernel does not know the peer's name. They
 * come again behind it, because some transports begin to drain there. */
void loop_settle(struct loop *loop, struct connection *connection)
{
    struct context *context = &loop->context;

    connection_settle(connection, context);
    connections_update(&loop->connections, context, connection);
    if (connection_owes_fin(connection)) {
        transport_send_fin(connection, context);
        connections_update(&loop->connections, context, connection);
    }
    if (connection->state == CONNECTION_CLOSED ||
        mux_update(loop->mux, &connection->watch, connection_wants(connection)) < 0) {
        mux_remove(loop->mux, &connection->watch);
        connections_retire(&loop->connections, context, connection);
    }
}

/* Takes over an accepted descriptor, or refuses the peer and says why. The kernel has completed the
 * handshake before accept(2) returns, so a refused peer has seen a successful connect(2). It learns
 * of the refusal when it reads the end of the stream; or a reset, if it has sent something already.
 * A refusal costs an accept(2) and a close(2), and tells the peer at once to try elsewhere. */
void loop_admit(struct loop *loop, int fd)
{
    struct listener *listener = &loop->service.listener;
    struct context *context = &loop->context;
    struct connection *connection = NULL;
    struct error error;
    const char *reason = loop->service.full;

    if (loop->connections.count < context->options->max_conns) {
        connection = connections_open(&loop->connections, fd);
        if (connection == NULL)
            reason = "no memory";
    }
    if (connection != NULL && mux_add(loop->mux, &connection->watch, &error) == 0) {
        listener_admit(listener, context->stats);
        return;
    }
    if (connection != NULL) {
        connections_discard(&loop->connections, connection);
        reason = error.text;
    }
    listener_refuse(listener, context->stats, fd, reason, context->now_ns);
}

/* [3] Accept: every peer that waits, up to a budget. One accept(2) a wake-up would cost a wait for
 * each new peer. For an edge-triggered API it would be wrong, because one event may stand for many
 * peers. The price is one accept(2) more, which returns EAGAIN and so says that the queue is empty.
 * If the budget runs out, a level-triggered API reports the listener again. For an edge-triggered
 * one mux_update() queues it, because no further event announces the peers that still wait.
 * [7] Out of descriptors: the listener rests. It wants nothing from the API until a descriptor is
 * free, or a second is over. If it stayed registered, every wait would return at once: the peer
 * that cannot be accepted still waits. listener.c says what happens to that peer. */
static void accept_peers(struct loop *loop)
{
    struct listener *listener = &loop->service.listener;
    int fd = -1;

    for (int budget = ACCEPTS_A_TURN; budget > 0; budget--) {
        enum accept_result result =
            listener_accept(listener, loop->context.stats, loop->context.now_ns, &fd);
        if (result == ACCEPT_WOULD_BLOCK)
            listener->watch.ready = NOTHING;
        if (result != ACCEPT_DONE)
            break;
        loop_admit(loop, fd);
    }
}

/* Before the server ends a connection, it answers what has come already. The wait may not have
 * reported that: a signal ended the wait, or the list of events was full, or the bytes came after
 * it. So this asks the socket itself, until a turn brings nothing: one turn may read only a part.
 * It costs a recv(2), which mostly returns EAGAIN, and only for a connection that is about to end.
 * A peer that never stops sending gets no more than LAST_BYTES. Returns false when the connection
 * is over after that. Test: test_alike.py */
static bool last_turn(struct loop *loop, struct connection *connection)
{
    const uint64_t *bytes_in = &loop->context.stats->bytes_in;
    uint64_t before, begin = *bytes_in;

    do {
        before = *bytes_in;
        connection->watch.ready |= READABLE | WRITABLE;
        serve(loop, connection);
    } while (connection->state != CONNECTION_CLOSED && *bytes_in != before &&
             *bytes_in - begin < LAST_BYTES);
    return connection->state != CONNECTION_CLOSED;
}

/* The API is told first. What remembers open files and not their numbers would go on reporting a
 * listener that another process has open. Once the number is closed here, nothing can stop that. */
static void stop_accepting(struct loop *loop)
{
    if (!loop->stopping)
        mux_remove(loop->mux, &loop->service.listener.watch);
    listener_close(&loop->service.listener);
    loop->stopping = true;
}

/* A peer may have woken this loop and no other (EPOLLEXCLUSIVE). If the listener were closed now,
 * that peer would wait until the next one comes and wakes another loop. So the API is told first:
 * no further peer wakes this loop. Then the loop accepts those that wait already. Where it has no
 * descriptor for them, it refuses nobody: the other program may have one. */
void loop_leave(struct loop *loop)
{
    struct listener *listener = &loop->service.listener;

    mux_remove(loop->mux, &listener->watch);
    listener_keep_no_spare(listener);
    if (listener->watch.fd >= 0)
        accept_peers(loop);
    listener_close(listener);
    loop->stopping = true;
    loop->service.restart.deadline_ns =
        clock_after(loop->context.now_ns, loop->context.options->drain_timeout_ns);
}

/* The pipe has been heard, or there is nothing more to hear from it. As ever, the API is told
 * before the descriptor is closed: another file may get the number in this very turn. */
static void end_restart(struct loop *loop)
{
    mux_remove(loop->mux, &loop->service.restart.watch);
    restart_close(&loop->service.restart);
}

/* [9] Stop: closing the listener makes the kernel refuse new peers, and reset those that wait in
 * the queue. Each connection answers what has come already. Then the server ends it: output leaves,
 * FIN follows, and drain-timeout bounds how long that takes. A new program that does not listen yet
 * is told to stop, too: whoever stops a server wants nobody to take its place.
 * The walk takes the head of the queue again and again, because each step takes the head out: it is
 * retired, or it moves to the queue of draining connections. */
static void begin_stop(struct loop *loop)
{
    struct connection *connection;

    if (restart_under_way(&loop->service.restart)) {
        restart_abandon(&loop->service.restart);
        end_restart(loop);
    }
    stop_accepting(loop);
    loop->finishing = true;
    loop->service.restart.deadline_ns = NEVER;
    while ((connection = TAILQ_FIRST(&loop->connections.open)) != NULL) {
        if (!last_turn(loop, connection))
            continue; /* it is retired: another one is at the head now */
        connection_finish(connection, CLOSE_stop);
        loop_settle(loop, connection);
    }
}

/* SIGUSR2: starts the new program with the listener, and watches the pipe by which it says that it
 * listens. This server goes on as before until then: see continue_restart(). The order matters. A
 * server that stops accepting first lets peers wait for as long as the new program takes to start.
 * When it does not start, nobody serves them. Test: test_restart.py */
static void begin_restart(struct loop *loop)
{
    struct service *service = &loop->service;
    struct restart *restart = &service->restart;
    struct error error;

    if (loop->stopping || restart_under_way(restart)) {
        service_no_restart(service, loop->stopping ? "this server is ending" : "one is under way",
                           loop->context.now_ns);
        return;
    }
    int result = restart_open(restart, &error);
    if (result == 0 && (result = mux_add(loop->mux, &restart->watch, &error)) < 0)
        restart_close(restart);
    if (result == 0 &&
        (result = restart_start(restart, service->argv, service->listener.watch.fd, &error)) < 0)
        end_restart(loop);
    if (result < 0)
        service_no_restart(service, error.text, loop->context.now_ns);
    else
        restart->deadline_ns = clock_after(clock_now(), service->options.restart_timeout_ns);
}

/* The new program listens. Both processes have the same listener now, with one queue of peers. So
 * this server can close it, and no peer notices: whoever waits in the queue waits for the other
 * one. Its connections go on as before until they end. drain-timeout bounds that, too: then the
 * server ends them as it does at a stop. The line that says so comes last: whoever connects after
 * it reaches the new program.
 * A new program that fails changes nothing: this server goes on, and a later SIGUSR2 tries again. A
 * program that neither listens nor ends is killed at --restart-timeout. */
static void continue_restart(struct loop *loop)
{
    struct service *service = &loop->service;
    struct restart *restart = &service->restart;
    struct error error;

    if (restart_under_way(restart)) {
        enum restart_result result = restart_hear(restart, loop->context.now_ns, &error);
        if (result == RESTART_WAITS)
            return;
        if (result == RESTART_FAILED) {
            service_no_restart(service, error.text, loop->context.now_ns);
            end_restart(loop);
            return;
        }
        stop_accepting(loop);
        service_hand_over(service, restart->pid, loop->context.now_ns);
        end_restart(loop);
        restart->deadline_ns = clock_after(loop->context.now_ns, service->options.drain_timeout_ns);
    }
    if (loop->stopping && loop->context.now_ns >= restart->deadline_ns)
        begin_stop(loop);
}

/* Signals are looked at once a wake-up, and never in a handler: a handler may call hardly any
 * function (signal-safety(7)), and this one prints and walks queues. The kernel keeps one pending
 * signal of each kind, not a count (signal(7)): two SIGTERM that come together may be one. */
static void take_signals(struct loop *loop)
{
    int number;

    while ((number = mux_signal(loop->mux)) != 0) {
        if (number == SIGUSR1)
            loop->context.stats->log_lines_left_out +=
                service_print_stats(&loop->service, loop->connections.count, stderr) < 0;
        else if (number == SIGUSR2)
            begin_restart(loop);
        else if (loop->finishing)
            loop->done = true; /* the second signal: end at once */
        else
            begin_stop(loop);
    }
}

/* Is it really idle? The last turn may just have brought something. And the kernel may still be
 * sending what send(2) took long ago: then bytes move, although no call of ours sees them. In that
 * case the timeout begins again. */
static bool is_idle(struct loop *loop, struct connection *connection)
{
    uint64_t timeout_ns = loop->context.options->idle_timeout_ns;

    if (clock_after(connection->activity_ns, timeout_ns) > loop->context.now_ns)
        return false;
    if (!transport_progressed(connection, timeout_ns))
        return true;
    connections_touch(&loop->connections, connection);
    return false;
}

/* Expiry costs what has expired: the queues are in order of their deadlines. Most wake-ups come
 * before the deadline that they waited for, and do not even look at the queues.
 * Invariant 8: a timeout never beats data that is waiting. A busy server may look at a connection
 * long after its request has arrived. So each connection has a last turn before it is ended, and
 * one that was active in it is not idle. Test: test_timeouts.py */
static void expire(struct loop *loop)
{
    struct connection *connection;
    enum close_reason why = CLOSE_idle;

    if (loop->context.now_ns < loop->deadline_ns)
        return;
    continue_restart(loop);
    while ((connection = connections_overdue(&loop->connections, &loop->context, &why)) != NULL) {
        if (!last_turn(loop, connection) || (why == CLOSE_idle && !is_idle(loop, connection)))
            continue;
        if (why == CLOSE_lifetime)
            connection_finish(connection, why);
        else
            connection_close(connection, why);
        loop_settle(loop, connection);
    }
}

/* The earliest moment at which something is due although no descriptor is ready: a timeout of a
 * connection, the end of the listener's rest, or the time by which a new program must listen. NEVER
 * lets the kernel put the process to sleep without a timer: an idle server uses no CPU (invariant
 * 2). A restart that is not under way has NEVER as its time. */
static uint64_t next_deadline(const struct loop *loop)
{
    uint64_t deadline_ns = connections_deadline(&loop->connections, loop->context.options);
    uint64_t rested_ns = loop->service.listener.resting_until_ns;

    if (loop->service.restart.deadline_ns < deadline_ns)
        deadline_ns = loop->service.restart.deadline_ns;
    return rested_ns != 0 && rested_ns < deadline_ns ? rested_ns : deadline_ns;
}

/* One wake-up. The order matters. Descriptors are closed only after every event has been looked at,
 * and peers are accepted only after that. The kernel gives a new peer the lowest free number, so
 * in any other order an event could reach a connection that took over the number of the one that
 * it was meant for (invariant 6). Test: test_batch.py */
static int turn(struct loop *loop)
{
    struct listener *listener = &loop->service.listener;

    loop->peers_wait = false;
    loop->deadline_ns = next_deadline(loop);
    burst_over(&loop->burst, loop->context.stats);
    if (mux_wait(loop->mux, loop, loop->deadline_ns) < 0)
        return -1;
    take_signals(loop);
    expire(loop);
    if (connections_reap(&loop->connections) > 0)
        listener_wake(listener);
    if (loop->stopping) {
        loop->done |= loop->connections.count == 0;
        return 0;
    }
    if (loop->peers_wait && listener_wants(listener)) /* an edge can come while it rests */
        accept_peers(loop);
    return mux_update(loop->mux, &listener->watch, listener_wants(listener));
}

/* The listener is watched like any connection. It never wants WRITABLE. Peers that came since
 * listen(2) wait in the kernel's queue, and the first wait reports them. */
int loop_open(struct loop *loop, struct error *error)
{
    struct service *service = &loop->service;

    connections_init(&loop->connections);
    loop->context = (struct context){
        .now_ns = clock_now(), .options = &service->options, .stats = &service->stats};
    loop->context.scratch = malloc(SCRATCH_BYTES);
    if (loop->context.scratch == NULL)
        return error_set(error, "malloc", "scratch buffer", errno);
    if (mux_open(loop, error) < 0)
        return -1;
    return mux_add(loop->mux, &service->listener.watch, error);
}

/* An error of the wait ends the server: without it no event would come, and to try again at once
 * would burn a core. */
int loop_run(struct loop *loop, struct error *error)
{
    while (!loop->done)
        if (turn(loop) < 0)
            return error_set(error, loop->service.server->wait, "", errno);
    return 0;
}

/* The mux is closed before the connections are destroyed. From then on nothing is reported, so no
 * connection has to be removed from the API. */
void loop_close(struct loop *loop)
{
    if (loop->mux != NULL)
        mux_close(loop->mux);
    connections_destroy(&loop->connections, &loop->context);
    free(loop->context.scratch);
}

/* The loop stands on the stack, and nothing in this file is static: two loops in one process share
 * nothing here.
 * The ready line comes when all is open: whoever reads it can connect, and is served. A test or a
 * script that waits for this line needs no sleep and no second attempt. */
int loop_main(const struct server *server, int argc, char **argv)
{
    struct loop loop = {0};
    struct error error;
    int status = EXIT_CANNOT_RUN;

    if (!service_open(&loop.service, server, argc, argv, &status))
        return status;
    int result = loop_open(&loop, &error);
    if (result == 0)
        result = service_announce(&loop.service, &error);
    if (result == 0)
        result = loop_run(&loop, &error);
    loop_close(&loop);
    return service_close(&loop.service, result < 0 ? &error : NULL);
}
