/* The connection of common/connection.h, for HTTP: it replaces common/connection.c, which has the
 * framing of docs/protocol.md built in. The states and their order are the same. What differs: the
 * buffer holds input only, output is a room of its own, and a pause can end with requests that have
 * come already. */
#include "../../common/connection.h"

#include "exchange.h"
#include "output.h"
#include "site.h"

#include <errno.h>
#include <sys/types.h>

const size_t extra_bytes = sizeof(struct exchange);

void extra_end(struct connection *connection)
{
    output_drop(connection);
    buffer_free(&exchange_of(connection)->out, &site.replies);
}

void connection_close(struct connection *connection, enum close_reason reason)
{
    if (connection->state == CONNECTION_OPEN)
        connection->reason = (uint8_t)reason;
    connection->state = CONNECTION_CLOSED;
    connection->input = INPUT_OVER;
    connection->buffer.start = connection->buffer.end;
    output_drop(connection);
}

void connection_failed(struct connection *connection, int number)
{
    connection_close(connection,
                     number == ECONNRESET || number == EPIPE ? CLOSE_reset : CLOSE_error);
}

/* Before the server ends a connection, it answers what has come already. Requests that are held
 * have come. So at a stop, and at the end of its lifetime, the connection stays open until they are
 * taken up: nobody reads from it meanwhile, and drain-timeout counts already. Any other reason is
 * about the connection itself, and what stands behind is dropped. */
void connection_finish(struct connection *connection, enum close_reason reason)
{
    bool may_wait = reason == CLOSE_stop || reason == CLOSE_lifetime;

    if (connection->state == CONNECTION_CLOSED)
        return;
    connection->ending = true;
    if (connection->state != CONNECTION_OPEN)
        return;
    if (may_wait && exchange_of(connection)->held)
        connection->reason = (uint8_t)reason; /* for update_pause() */
    else
        exchange_take_no_more(connection, reason);
}

/* A paused connection is not read from. So when the input ends, every whole request in it has been
 * answered, and what stands in the buffer is the part of one. RFC 9112, 8: such a request is not
 * acted on. */
void connection_ended(struct connection *connection)
{
    bool inside =
        exchange_of(connection)->in_body || connection->buffer.start != connection->buffer.end;

    connection->input = INPUT_OVER;
    if (connection->state == CONNECTION_OPEN)
        exchange_take_no_more(connection, inside ? CLOSE_truncated : CLOSE_end);
}

void connection_received(struct connection *connection, struct context *context, size_t count)
{
    connection->activity_ns = context->now_ns;
    if (connection->state != CONNECTION_OPEN)
        return;
    connection->buffer.end += (uint32_t)count;
    exchange_take(connection, context);
}

/* Back-pressure, as in common/connection.c: while a connection is paused nobody reads from it, and
 * requests that have come wait in the buffer. When its output is down at the low-water mark, those
 * come first, since no event announces them. Only when they are used up is more read: otherwise a
 * turn could read more than it answers, and the buffer would grow for ever. */
static void update_pause(struct connection *connection, struct context *context)
{
    struct exchange *exchange = exchange_of(connection);

    if ((connection->input == INPUT_PAUSED || exchange->held) &&
        !exchange_is_busy(connection, context) &&
        connection->output <= context->options->low_water) {
        connection->input = INPUT_WANTED;
        exchange->held = false;
        exchange_take(connection, context);
    }
    if (connection->state == CONNECTION_OPEN && connection->ending && !exchange->held)
        exchange_take_no_more(connection, connection->reason);
    if (connection->state == CONNECTION_OPEN && connection->input == INPUT_WANTED &&
        (exchange->held || exchange_is_busy(connection, context))) {
        connection->input = INPUT_PAUSED;
        context->stats->pauses += connection->output > context->options->low_water;
    }
}

void connection_settle(struct connection *connection, struct context *context)
{
    if (connection->state == CONNECTION_OPEN)
        update_pause(connection, context);
    if (!buffer_settle(&connection->buffer, context) || !output_settle(connection))
        connection_failed(connection, ENOMEM);
    if (connection->state != CONNECTION_OPEN && connection->output == 0 &&
        connection->input == INPUT_OVER)
        connection->state = CONNECTION_CLOSED;
}

/* FIN is sent and the peer has not closed yet: from now on drain-timeout counts, whoever began it.
 * Before that it does not, if the peer has asked for the end: a large file may take minutes. */
void connection_fin_sent(struct connection *connection, const struct context *context)
{
    if (context->options->drain_timeout_ns == 0) {
        connection_close(connection, CLOSE_stop); /* it has its reason already, and keeps it */
        return;
    }
    connection->state = CONNECTION_LINGERING;
    connection->ending = true;
}
