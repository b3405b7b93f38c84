#include "connections.h"

#include "address.h"
#include "extra.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* The queues are intrusive lists (queue(7)): their pointers stand in the connection itself. To join
 * or leave a queue is a few stores. It needs no memory, so it cannot fail, and nothing is searched:
 * a connection knows its own neighbours. */
void connections_init(struct connections *connections)
{
    TAILQ_INIT(&connections->open);
    TAILQ_INIT(&connections->idle);
    TAILQ_INIT(&connections->draining);
    TAILQ_INIT(&connections->retired);
    connections->count = 0;
    connections->oversize_log = (struct log_limit){0};
}

/* One piece of memory holds the connection and what the server keeps for it besides (extra.h): a
 * second malloc(3) would cost 16 bytes more.
 * calloc(3), because everything not named here begins as 0: no output, no interest, state OPEN. A
 * new connection is the youngest and the most recently active, so it goes to both tails. It gets no
 * buffer yet: most connections of a large server are idle (invariant 9). */
struct connection *connections_open(struct connections *connections, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection + extra_bytes);

    if (connection == NULL)
        return NULL;
    connection->watch.fd = fd;
    connection->opened_ns = connection->activity_ns = clock_now(); /* see connections_touch() */
    TAILQ_INSERT_TAIL(&connections->open, connection, by_age);
    TAILQ_INSERT_TAIL(&connections->idle, connection, by_activity);
    connections->count++;
    return connection;
}

/* A connection stands in open and in idle, or in draining. It never stands in all three, so open
 * and draining can share one pair of pointers, by_age. That saves 16 bytes a connection where a
 * pointer has 8. */
static void leave_queues(struct connections *connections, struct connection *connection)
{
    if (connection->draining_ns != 0) {
        TAILQ_REMOVE(&connections->draining, connection, by_age);
    } else {
        TAILQ_REMOVE(&connections->open, connection, by_age);
        TAILQ_REMOVE(&connections->idle, connection, by_activity);
    }
}

/* It is freed at once, and does not wait for connections_reap(): the API never watched it, so no
 * event can hold its address. */
void connections_discard(struct connections *connections, struct connection *connection)
{
    leave_queues(connections, connection);
    connections->count--;
    extra_end(connection);
    free(connection);
}

/* The queue stays sorted, because the latest activity goes to its tail. That costs the same with
 * ten connections and with ten thousand. A heap would cost more with every doubling.
 * The clock is read again: the wake-up may have served others for a while before this one, and the
 * timeout must not come early by that time. */
void connections_touch(struct connections *connections, struct connection *connection)
{
    connection->activity_ns = clock_now();
    TAILQ_REMOVE(&connections->idle, connection, by_activity);
    TAILQ_INSERT_TAIL(&connections->idle, connection, by_activity);
}

/* It leaves the idle queue: a peer that sends a byte now and then must not be able to keep a
 * connection that the server wants to end. Nothing the peer does moves it in the queue of draining
 * connections. drain-timeout is one constant, so the head of that queue is always due first. */
void connections_begin_draining(struct connections *connections, const struct context *context,
                                struct connection *connection)
{
    leave_queues(connections, connection);
    connection->draining_ns = clock_now(); /* not now_ns: see connections_touch() */
    TAILQ_INSERT_TAIL(&connections->draining, connection, by_age);
    if (connection->reason == CLOSE_oversize) {
        char peer[ADDRESS_BYTES];
        log_line(&connections->oversize_log, context->now_ns, context->stats,
                 "%s: a message above --max-frame %u: closing",
                 address_of_peer(connection->watch.fd, peer), context->options->max_frame);
    }
}

/* The connection is closed for the loop, and still open for the kernel. The kernel has written the
 * list of events before the walk began, and a later event in it may hold the address of this
 * connection. So its memory must outlive the walk (invariant 6). The buffer can go now: no event
 * points at it.
 *
 * To retire it twice would count it twice and break the queues. No queue that is walked leads to a
 * retired connection, and it wants nothing. An API that can report a descriptor twice in one batch
 * must look at the interest before it hands out the second event. */
void connections_retire(struct connections *connections, struct context *context,
                        struct connection *connection)
{
    connection_close(connection, CLOSE_error); /* still open: the API could not go on watching it */
    buffer_free(&connection->buffer, context);
    context->stats->closed[connection->reason]++;
    leave_queues(connections, connection);
    connections->count--;
    TAILQ_INSERT_TAIL(&connections->retired, connection, by_age);
}

/* close(2) frees the number at once, and accept(2) hands out the lowest free number: the next peer
 * may get the number of one that was just closed. So all closing is done here, after the walk and
 * before the accepting.
 *
 * close(2) does not wait for the peer. The kernel goes on alone: it sends what is left in its send
 * buffer, and FIN if that was not sent yet. If input is unread, Linux sends a reset instead, and
 * drops the send buffer. The result of close is not looked at: Linux has freed the descriptor even
 * when it returns EINTR, and a second close might hit another thread's file (close(2), "Dealing
 * with error returns from close()"). */
size_t connections_reap(struct connections *connections)
{
    struct connection *connection, *next;
    size_t reaped = 0;

    for (connection = TAILQ_FIRST(&connections->retired); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, by_age);
        if (connection->watch.held)
            continue;
        TAILQ_REMOVE(&connections->retired, connection, by_age);
        (void)close(connection->watch.fd);
        extra_end(connection);
        free(connection);
        reaped++;
    }
    return reaped;
}

/* The server was told to stop a second time, or the wait has failed. Pending output is lost. After
 * an orderly stop nothing is left, and this does nothing. */
void connections_destroy(struct connections *connections, struct context *context)
{
    struct connection *connection;

    while ((connection = TAILQ_FIRST(&connections->open)) != NULL ||
           (connection = TAILQ_FIRST(&connections->draining)) != NULL) {
        connection_close(connection, CLOSE_stop);
        connections_retire(connections, context, connection);
    }
    (void)connections_reap(connections);
}

/* When the timeout of the connection at the head of a queue is over. Nobody behind it can be due
 * earlier. NEVER when the queue is empty or the timeout is off: clock_after() adds so that NEVER
 * stays NEVER, instead of wrapping around to a moment that has passed. */
static uint64_t drain_deadline(const struct connections *connections, const struct options *options)
{
    const struct connection *first = TAILQ_FIRST(&connections->draining);

    return first == NULL ? NEVER : clock_after(first->draining_ns, options->drain_timeout_ns);
}

static uint64_t idle_deadline(const struct connections *connections, const struct options *options)
{
    const struct connection *first = TAILQ_FIRST(&connections->idle);

    return first == NULL ? NEVER : clock_after(first->activity_ns, options->idle_timeout_ns);
}

static uint64_t age_deadline(const struct connections *connections, const struct options *options)
{
    const struct connection *first = TAILQ_FIRST(&connections->open);

    return first == NULL ? NEVER : clock_after(first->opened_ns, options->max_lifetime_ns);
}

/* One at a time, because what the loop does with it changes the queues: a pointer to its neighbour,
 * kept across that, might point at memory that is free. The loop asks until nobody is due. A
 * connection that is both idle and too old counts as idle. */
struct connection *connections_overdue(const struct connections *connections,
                                       const struct context *context, enum close_reason *why)
{
    if (drain_deadline(connections, context->options) <= context->now_ns) {
        *why = CLOSE_stop;
        return TAILQ_FIRST(&connections->draining);
    }
    if (idle_deadline(connections, context->options) <= context->now_ns) {
        *why = CLOSE_idle;
        return TAILQ_FIRST(&connections->idle);
    }
    if (age_deadline(connections, context->options) <= context->now_ns) {
        *why = CLOSE_lifetime;
        return TAILQ_FIRST(&connections->open);
    }
    return NULL;
}

/* It is called before every wait, so it must be cheap: it looks at three heads, with one connection
 * or with ten thousand (invariant 8). Test: test_timeouts.py */
uint64_t connections_deadline(const struct connections *connections, const struct options *options)
{
    uint64_t deadline = drain_deadline(connections, options);
    uint64_t idle = idle_deadline(connections, options);
    uint64_t age = age_deadline(connections, options);

    if (idle < deadline)
        deadline = idle;
    return age < deadline ? age : deadline;
}
