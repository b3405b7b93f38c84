#include "connection.h"

#include "address.h"
#include "buffer.h"
#include "clock.h"
#include "frame.h"

#include <errno.h>
#include <sys/socket.h>

static bool has_output(const struct connection *connection)
{
    return connection->whole > connection->start;
}

unsigned connection_wants(const struct connection *connection)
{
    unsigned wants = has_output(connection) ? WRITABLE : NOTHING;

    if (connection->state == CONNECTION_CLOSED)
        return NOTHING;
    if (!connection->paused && !connection->input_ended)
        wants |= READABLE;
    return wants;
}

void connection_close(struct connection *connection, enum close_reason reason)
{
    if (connection->state == CONNECTION_OPEN)
        connection->reason = (uint8_t)reason;
    connection->state = CONNECTION_CLOSED;
    connection->start = connection->whole = connection->used = 0;
}

/* The peer reset the connection or vanished, or the system is short of something. Invariant 1: a
 * reset closes this connection only; SIGPIPE is ignored (signals.c), EPIPE comes here.
 * Test: test_endings.py */
static enum io_result close_failed(struct connection *connection, int number)
{
    connection_close(connection,
                     number == ECONNRESET || number == EPIPE ? CLOSE_reset : CLOSE_error);
    return IO_END;
}

static bool would_block(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK;
}

/* Input stops counting: what is not a whole frame yet is dropped. */
static void stop_taking_frames(struct connection *connection, enum close_reason reason)
{
    connection->state = CONNECTION_FLUSHING;
    connection->reason = (uint8_t)reason;
    connection->used = connection->whole;
    connection->paused = false;
}

void connection_finish(struct connections *connections, struct connection *connection,
                       enum close_reason reason)
{
    if (connection->state == CONNECTION_CLOSED || connection->closing)
        return;
    if (connection->state == CONNECTION_OPEN)
        stop_taking_frames(connection, reason);
    TAILQ_REMOVE(&connections->open, connection, by_age);
    TAILQ_REMOVE(&connections->idle, connection, by_activity);
    connection->closing = true;
    connection->since_ns = connections->now_ns;
    TAILQ_INSERT_TAIL(&connections->closing, connection, by_age);
}

static void take_frames(struct connections *connections, struct connection *connection)
{
    const struct frame_scan scan =
        frame_scan(connection->data + connection->whole, connection->used - connection->whole,
                   connections->options->max_frame);

    connection->whole += (uint32_t)scan.whole;
    connections->stats->frames += scan.frames;
    if (scan.oversize) {
        char peer[ADDRESS_BYTES];
        error_print("%s: announced a frame above --max-frame %u: closing",
                    address_of_peer(connection->watch.fd, peer), connections->options->max_frame);
        connection_finish(connections, connection, CLOSE_oversize);
    }
}

/* Invariant 3: only a recv that returns 0 ends the input, never a hang-up reported by the API, so
 * all that was sent before it has been read. Test: test_endings.py */
static enum io_result end_of_input(struct connection *connection)
{
    connection->input_ended = true;
    if (connection->state == CONNECTION_OPEN)
        stop_taking_frames(connection,
                           connection->used > connection->whole ? CLOSE_truncated : CLOSE_end);
    return IO_END;
}

enum io_result connection_read(struct connections *connections, struct connection *connection)
{
    bool discard = connection->state != CONNECTION_OPEN;
    uint8_t *into = connections->scratch;
    size_t room = SCRATCH_BYTES;
    ssize_t count;

    if (!discard) {
        room = buffer_room(connections, connection);
        if (room == 0)
            return close_failed(connection, ENOMEM);
        into = connection->data + connection->used;
    }
    do {
        connections->stats->reads++;
        count = recv(connection->watch.fd, into, room, 0);
    } while (count < 0 && errno == EINTR);

    if (count == 0)
        return end_of_input(connection);
    if (count < 0 && would_block(errno)) {
        connections->stats->would_block++;
        return IO_WOULD_BLOCK;
    }
    if (count < 0)
        return close_failed(connection, errno);

    connections->stats->bytes_in += (uint64_t)count;
    connection->moved = true;
    if (!discard) {
        connection->used += (uint32_t)count;
        take_frames(connections, connection);
    }
    return (size_t)count < room ? IO_SHORT : IO_MORE;
}

/* Two marks, not one: at a single one every byte that leaves would switch reading on and off. */
static void update_pause(struct connections *connections, struct connection *connection)
{
    uint32_t output = connection->whole - connection->start;

    if (connection->state != CONNECTION_OPEN)
        return;
    if (!connection->paused && output >= connections->options->high_water) {
        connection->paused = true;
        connections->stats->pauses++;
    } else if (connection->paused && output <= connections->options->low_water) {
        connection->paused = false;
    }
}

enum io_result connection_write(struct connections *connections, struct connection *connection)
{
    size_t pending = connection->whole - connection->start;
    ssize_t count;

    do {
        connections->stats->writes++;
        count = send(connection->watch.fd, connection->data + connection->start, pending, 0);
    } while (count < 0 && errno == EINTR);

    if (count < 0 && would_block(errno)) {
        connections->stats->would_block++;
        return IO_WOULD_BLOCK;
    }
    if (count < 0)
        return close_failed(connection, errno);

    connections->stats->bytes_out += (uint64_t)count;
    connection->start += (uint32_t)count;
    connection->moved = true;
    if ((size_t)count == pending)
        return IO_MORE;
    connections->stats->partial_writes++;
    return IO_SHORT;
}

/* Once the output is gone: to a peer that has ended its stream, close; to any other, FIN first and
 * then linger, because close(2) with input unread sends a reset, and a reset destroys echoes that
 * are still under way (RFC 1122, 4.2.2.13). */
static void advance_close(struct connections *connections, struct connection *connection)
{
    if (connection->state == CONNECTION_FLUSHING && !has_output(connection)) {
        if (connection->input_ended)
            connection->state = CONNECTION_CLOSED;
        else if (shutdown(connection->watch.fd, SHUT_WR) == 0)
            connection->state = CONNECTION_LINGERING;
        else
            (void)close_failed(connection, errno);
    }
    if (connection->state == CONNECTION_LINGERING &&
        (connection->input_ended || connections->options->drain_timeout_ns == 0))
        connection->state = CONNECTION_CLOSED;
}

void connection_settle(struct connections *connections, struct connection *connection)
{
    if (connections->stopping)
        connection_finish(connections, connection, CLOSE_stop);
    buffer_settle(connections, connection);
    update_pause(connections, connection);
    advance_close(connections, connection);
    if (!connection->moved)
        return;
    connection->moved = false;
    if (connection->closing || connections->options->idle_timeout_ns == NEVER)
        return;
    connection->activity_ns = connections->now_ns;
    TAILQ_REMOVE(&connections->idle, connection, by_activity);
    TAILQ_INSERT_TAIL(&connections->idle, connection, by_activity);
}
