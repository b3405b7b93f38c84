#include "transport.h"

#include <errno.h>
#include <sys/socket.h>

/* EAGAIN and EWOULDBLOCK are one number on Linux and the BSDs; POSIX allows two. Neither is an
 * error. The API reported what was true at that moment. An earlier call may have used it up since.
 * Linux may also have thrown a packet away: it can report data before it checks the checksum, and
 * drop the packet when it is wrong. A blocking socket would now stop the whole server.
 * Any other number is about this connection alone (invariant 1). */
static enum transport_result failed(struct connection *connection, struct context *context,
                                    int number)
{
    if (number == EAGAIN || number == EWOULDBLOCK) {
        context->stats->would_block++;
        return TRANSPORT_WOULD_BLOCK;
    }
    connection_failed(connection, number);
    return TRANSPORT_END;
}

/* recv(2) copies what has come out of the kernel's receive buffer, up to the room that there is.
 * That frees space there, and when enough is free the kernel tells the peer so, by a larger window
 * (RFC 9293, 3.8.6). A server that does not read makes the window shrink to 0: back-pressure.
 *
 * recv(2) returns 0 when the peer has sent FIN and all bytes before it have been read. With no room
 * it returns 0, too, and that would look like the end of a healthy connection. So connection_room()
 * never returns an empty room.
 *
 * EINTR: Linux interrupts only a call that sleeps, and this one does not sleep. POSIX allows EINTR
 * all the same, and to call again costs nothing. */
enum transport_result transport_read(struct connection *connection, struct context *context)
{
    size_t room = 0;
    uint8_t *into = connection_room(connection, context, &room);
    ssize_t count;

    if (into == NULL)
        return failed(connection, context, ENOMEM);
    do {
        context->stats->reads++;
        count = recv(connection->watch.fd, into, room, 0);
    } while (count < 0 && errno == EINTR); /* no byte was taken, so nothing is lost */

    if (count < 0)
        return failed(connection, context, errno);
    if (count == 0) {
        connection_ended(connection);
        return TRANSPORT_END;
    }
    context->stats->bytes_in += (uint64_t)count;
    connection_received(connection, context, (size_t)count);
    return (size_t)count < room ? TRANSPORT_SHORT : TRANSPORT_ALL;
}

/* send(2) copies what fits into the socket's send buffer, and returns: the bytes have left this
 * process, not this machine. The kernel keeps them until the peer's kernel acknowledges them.
 *
 * A short count is normal: the buffer is full. The rest stays pending. A server that forgets the
 * rest passes every test with small messages, and loses bytes when a peer reads slowly (invariant
 * 1). Linux calls the socket writable again when a third of its buffer is free, so the rest leaves
 * in large pieces and not in many small ones.
 *
 * A peer that has reset costs EPIPE, not the process: signals.c has the kernel ignore SIGPIPE. */
enum transport_result transport_write(struct connection *connection, struct context *context)
{
    size_t pending = 0;
    const uint8_t *output = connection_output(connection, &pending);
    ssize_t count;

    do {
        context->stats->writes++;
        count = send(connection->watch.fd, output, pending, 0);
    } while (count < 0 && errno == EINTR);

    if (count < 0)
        return failed(connection, context, errno);
    context->stats->bytes_out += (uint64_t)count;
    connection_sent(connection, context, (size_t)count);
    if ((size_t)count == pending)
        return TRANSPORT_ALL;
    context->stats->partial_writes++;
    return TRANSPORT_SHORT;
}

/* shutdown(2) queues FIN behind the bytes that are still in the send buffer, and returns at once.
 * So it destroys no echo, and it cannot block. It fails with ENOTCONN when a reset came first. */
void transport_send_fin(struct connection *connection, struct context *context)
{
    if (shutdown(connection->watch.fd, SHUT_WR) == 0)
        connection_fin_sent(connection, context);
    else
        connection_failed(connection, errno);
}
