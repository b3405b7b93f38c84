/* All connections of a server: their queues, their timeouts, their end. */
#include "buffer.h"
#include "clock.h"
#include "connection.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

int connections_init(struct connections *connections, const struct options *options,
                     struct stats *stats, struct error *error)
{
    *connections = (struct connections){.options = options, .stats = stats};
    TAILQ_INIT(&connections->open);
    TAILQ_INIT(&connections->idle);
    TAILQ_INIT(&connections->closing);
    TAILQ_INIT(&connections->retired);
    connections->scratch = malloc(SCRATCH_BYTES);
    if (connections->scratch == NULL)
        return error_set(error, "malloc", "scratch buffer", errno);
    return 0;
}

struct connection *connection_open(struct connections *connections, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL)
        return NULL;
    connection->watch = (struct watch){.fd = fd, .kind = WATCH_CONNECTION};
    connection->since_ns = connections->now_ns;
    connection->activity_ns = connections->now_ns;
    TAILQ_INSERT_TAIL(&connections->open, connection, by_age);
    TAILQ_INSERT_TAIL(&connections->idle, connection, by_activity);
    connections->count++;
    return connection;
}

static void leave_queues(struct connections *connections, struct connection *connection)
{
    connections->count--;
    if (connection->closing) {
        TAILQ_REMOVE(&connections->closing, connection, by_age);
    } else {
        TAILQ_REMOVE(&connections->open, connection, by_age);
        TAILQ_REMOVE(&connections->idle, connection, by_activity);
    }
}

void connection_discard(struct connections *connections, struct connection *connection)
{
    leave_queues(connections, connection);
    free(connection);
}

void connection_retire(struct connections *connections, struct connection *connection)
{
    if (connection->state == CONNECTION_OPEN) /* the loop could not go on watching it */
        connection->reason = CLOSE_error;
    connection->state = CONNECTION_CLOSED;
    buffer_free(connections, connection);
    connections->stats->closed[connection->reason]++;
    leave_queues(connections, connection);
    TAILQ_INSERT_TAIL(&connections->retired, connection, by_age);
}

size_t connections_reap(struct connections *connections)
{
    struct connection *connection;
    size_t reaped = 0;

    while ((connection = TAILQ_FIRST(&connections->retired)) != NULL) {
        TAILQ_REMOVE(&connections->retired, connection, by_age);
        (void)close(connection->watch.fd);
        free(connection);
        reaped++;
    }
    return reaped;
}

void connections_destroy(struct connections *connections)
{
    struct connection *connection;

    while ((connection = TAILQ_FIRST(&connections->open)) != NULL)
        connection_finish(connections, connection, CLOSE_stop);
    while ((connection = TAILQ_FIRST(&connections->closing)) != NULL)
        connection_retire(connections, connection);
    (void)connections_reap(connections);
    free(connections->scratch);
    connections->scratch = NULL;
}

static bool is_over(const struct connections *connections, uint64_t since_ns, uint64_t timeout_ns)
{
    return clock_after(since_ns, timeout_ns) <= connections->now_ns;
}

struct connection *connections_expired(struct connections *connections)
{
    const struct options *options = connections->options;
    struct connection *first = TAILQ_FIRST(&connections->closing);

    if (first != NULL && is_over(connections, first->since_ns, options->drain_timeout_ns)) {
        connection_close(first, CLOSE_stop); /* it has its reason already */
        return first;
    }
    first = TAILQ_FIRST(&connections->idle);
    if (first != NULL && is_over(connections, first->activity_ns, options->idle_timeout_ns)) {
        connection_close(first, CLOSE_idle);
        return first;
    }
    first = TAILQ_FIRST(&connections->open);
    if (first != NULL && is_over(connections, first->since_ns, options->max_lifetime_ns)) {
        connection_finish(connections, first, CLOSE_lifetime);
        return first;
    }
    return NULL;
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

uint64_t connections_deadline(const struct connections *connections)
{
    const struct options *options = connections->options;
    const struct connection *first = TAILQ_FIRST(&connections->closing);
    uint64_t deadline = NEVER;

    if (first != NULL)
        deadline = clock_after(first->since_ns, options->drain_timeout_ns);
    first = TAILQ_FIRST(&connections->idle);
    if (first != NULL)
        deadline = earlier(deadline, clock_after(first->activity_ns, options->idle_timeout_ns));
    first = TAILQ_FIRST(&connections->open);
    if (first != NULL)
        deadline = earlier(deadline, clock_after(first->since_ns, options->max_lifetime_ns));
    return deadline;
}
