#include "connection.h"

#include "frame.h"
#include "line.h"

#include <errno.h>

/* Pending output is dropped: nobody will call send(2) for it any more. What send(2) took earlier is
 * in the kernel, and is not touched by this. The descriptor stays open until the end of the wake-up
 * (connections_reap), because an event of this wake-up may still name it. */
void connection_close(struct connection *connection, enum close_reason reason)
{
    if (connection->state == CONNECTION_OPEN)
        connection->reason = (uint8_t)reason;
    connection->state = CONNECTION_CLOSED;
    connection->input = INPUT_OVER;
    connection->output = 0;
    connection->buffer.start = connection->buffer.end; /* empty: the next settle frees it */
}

/* Invariant 1: a reset ends this connection and no other. ECONNRESET comes from recv(2) and from
 * send(2); EPIPE comes from send(2) instead of SIGPIPE, which signals.c has the kernel ignore.
 * Test: test_endings.py */
void connection_failed(struct connection *connection, int number)
{
    connection_close(connection,
                     number == ECONNRESET || number == EPIPE ? CLOSE_reset : CLOSE_error);
}

/* From here on input does not count. A frame that has begun is dropped: it can never be echoed.
 * A paused connection reads again. Otherwise it would want nothing when its output has left, and
 * an API that reports a hang-up unasked would report it for ever (invariant 4). */
static void stop_taking_frames(struct connection *connection, enum close_reason reason)
{
    connection->state = CONNECTION_FLUSHING;
    connection->reason = (uint8_t)reason;
    connection->buffer.end = connection->buffer.start + connection->output;
    if (connection->input == INPUT_PAUSED)
        connection->input = INPUT_WANTED; /* to be discarded: it needs no memory */
}

/* A connection that the peer has ended already keeps its reason, and is under drain-timeout from
 * now on, like every connection that the server ends. */
void connection_finish(struct connection *connection, enum close_reason reason)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->state == CONNECTION_OPEN)
        stop_taking_frames(connection, reason);
    connection->ending = true;
}

/* Invariant 3: only this ends the input. A hang-up that the API reports does not, because bytes
 * that the peer sent before it may still wait in the socket. A server that closes at the hang-up
 * loses the last requests. Test: test_endings.py */
void connection_ended(struct connection *connection)
{
    bool inside_a_frame = connection->buffer.end - connection->buffer.start > connection->output;

    connection->input = INPUT_OVER;
    if (connection->state == CONNECTION_OPEN)
        stop_taking_frames(connection, inside_a_frame ? CLOSE_truncated : CLOSE_end);
}

/* A frame leaves only when all of it has come. The scan begins behind the frames that are whole
 * already: a long frame that comes in pieces costs one look at its header for each piece. A line
 * has no header. So line_scan() is told how many bytes are new, and looks only at them. The choice
 * costs five instructions a message (docs/protocol.md). */
static void take_frames(struct connection *connection, struct context *context, size_t fresh)
{
    const struct options *options = context->options;
    const struct buffer *buffer = &connection->buffer;
    uint32_t scanned = buffer->start + connection->output;
    uint8_t *bytes = buffer->data + scanned;
    size_t size = buffer->end - scanned;
    const struct frame_scan scan = options->framing == FRAMING_LINE
                                       ? line_scan(bytes, size, fresh, options->max_frame)
                                       : frame_scan(bytes, size, options->max_frame);

    connection->output += (uint32_t)scan.whole;
    context->stats->frames += scan.frames;
    if (scan.oversize)
        connection_finish(connection, CLOSE_oversize);
}

/* What comes after the last frame that counts is read and thrown away. If nobody read it, close(2)
 * would send a reset: see connection_fin_sent(). */
void connection_received(struct connection *connection, struct context *context, size_t count)
{
    connection->activity_ns = context->now_ns;
    if (connection->state != CONNECTION_OPEN)
        return;
    connection->buffer.end += (uint32_t)count;
    take_frames(connection, context, count);
}

/* Back-pressure. While a connection is paused nobody reads from it: the kernel's receive buffer
 * fills, TCP closes the window, and the peer's own send(2) blocks. So the memory for one peer has a
 * bound, however much it sends. There are two marks. With a single one every send that makes a
 * little room would switch reading on, and the next recv(2) would switch it off again. */
static void update_pause(struct connection *connection, struct context *context)
{
    if (connection->input == INPUT_WANTED && connection->output >= context->options->high_water) {
        connection->input = INPUT_PAUSED;
        context->stats->pauses++;
    } else if (connection->input == INPUT_PAUSED &&
               connection->output <= context->options->low_water) {
        connection->input = INPUT_WANTED;
    }
}

/* The order matters. The buffer first: without memory the connection fails, and has no output left.
 * Then the pause, by the output that is really left. A connection with nothing to send and nothing
 * to receive is done. */
void connection_settle(struct connection *connection, struct context *context)
{
    if (!buffer_settle(&connection->buffer, context))
        connection_failed(connection, ENOMEM);
    if (connection->state == CONNECTION_OPEN)
        update_pause(connection, context);
    else if (connection->output == 0 && connection->input == INPUT_OVER)
        connection->state = CONNECTION_CLOSED;
}

/* Linux sends a reset at close(2) with input unread (RFC 1122, 4.2.2.13). A BSD sends FIN, and a
 * reset when more input comes. A reset makes the peer's kernel throw away echoes that its program
 * has not read yet. So the server sends FIN first, and lingers: it discards input until the peer
 * closes too, or until drain-timeout. With a drain-timeout of 0 there is no time to linger. */
void connection_fin_sent(struct connection *connection, const struct context *context)
{
    if (context->options->drain_timeout_ns == 0)
        connection_close(connection, CLOSE_stop); /* it has its reason already, and keeps it */
    else
        connection->state = CONNECTION_LINGERING;
}
