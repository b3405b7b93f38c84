/* All connections of a loop: every queue they stand in, and every timeout.
 *
 * Each timeout is one constant for all connections. So a queue in order of arrival is also in order
 * of expiry: the next deadline is at its head. No heap and no timer wheel is needed, and expiry
 * costs what has expired, not what exists. */
#ifndef COMMON_CONNECTIONS_H
#define COMMON_CONNECTIONS_H

#include "clock.h"
#include "connection.h"
#include "context.h"
#include "log.h"
#include "stats.h"

#include <stddef.h>
#include <stdint.h>

TAILQ_HEAD(connection_queue, connection);

struct connections {
    struct connection_queue open;     /* those that the server does not end, oldest first */
    struct connection_queue idle;     /* the same ones, longest without activity first */
    struct connection_queue draining; /* those that the server ends, longest ending first */
    struct connection_queue retired;  /* closed in this wake-up */
    size_t count;                     /* in open and in draining */
    struct log_limit oversize_log;
};

void connections_init(struct connections *connections);

/* Takes over a connected non-blocking socket. Returns NULL when memory is short: fd is still the
 * caller's. */
struct connection *connections_open(struct connections *connections, int fd);

/* Undoes connections_open, for a connection that the API cannot watch. fd is the caller's again. */
void connections_discard(struct connections *connections, struct connection *connection);

/* The connection was active just now: its idle timeout begins again. */
void connections_touch(struct connections *connections, struct connection *connection);

/* The server has begun to end the connection: from now on only drain-timeout counts. */
void connections_begin_draining(struct connections *connections, const struct context *context,
                                struct connection *connection);

/* After connection_settle: moves the connection to where it stands in the queues now. Without an
 * idle timeout a message costs nothing here. */
static inline void connections_update(struct connections *connections,
                                      const struct context *context, struct connection *connection)
{
    if (connection->ending && connection->draining_ns == 0)
        connections_begin_draining(connections, context, connection);
    if (context->options->idle_timeout_ns != NEVER && connection->draining_ns == 0 &&
        connection->activity_ns == context->now_ns) /* a byte came or left in this wake-up */
        connections_touch(connections, connection);
}

/* Puts a connection aside and counts why it ended. Its descriptor stays open and its memory stays
 * valid until connections_reap. Invariant 6: so no event of the same wake-up can reach freed
 * memory, or a new connection that was given the same descriptor. Test: test_batch.py */
void connections_retire(struct connections *connections, struct context *context,
                        struct connection *connection);

/* Closes the descriptors and frees the memory of the retired, but for those that the kernel still
 * holds (watch.h). Returns how many there were. */
size_t connections_reap(struct connections *connections);

/* The next connection whose time is over, or NULL; *why says which timeout: CLOSE_idle,
 * CLOSE_lifetime, or CLOSE_stop for drain-timeout. Nothing is done to it. */
struct connection *connections_overdue(const struct connections *connections,
                                       const struct context *context, enum close_reason *why);

/* When connections_overdue will next return something: nanoseconds, or NEVER. */
uint64_t connections_deadline(const struct connections *connections, const struct options *options);

/* Ends all that are left, counted as stopped, and frees them. */
void connections_destroy(struct connections *connections, struct context *context);

#endif
