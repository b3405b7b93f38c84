#include "transport.h"

#include "clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* EAGAIN and EWOULDBLOCK are one number on every system that we know; POSIX allows two. Neither is
 * an error: the readiness was used up, by an earlier call or by a checksum that failed after the
 * kernel had reported the packet (select(2), "Bugs"). */
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

/* recv(2) copies what has come out of the kernel's receive buffer, up to the room that there is. It
 * returns 0 for FIN and for nothing else, as long as the room is not 0: that is why
 * connection_room() never returns an empty one. */
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
    } while (count < 0 && errno == EINTR); /* a signal came before any byte: nothing is lost */

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
 * process, not this machine. A short count is normal. The rest stays pending; a server that forgets
 * it passes every test on an idle machine, and loses bytes under load (invariant 1). */
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

/* A slow reader: megabytes wait in the kernel's send buffer, so the server has nothing to send and
 * nothing to receive for minutes, and yet bytes move. Linux says how long ago it last sent data and
 * last heard an acknowledgement (tcp(7), TCP_INFO). A peer that does not read keeps the window
 * shut: no data is sent. A peer that has vanished acknowledges nothing. So both must be recent. */
bool transport_progressed(const struct connection *connection, uint64_t span_ns)
{
#ifdef __linux__
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    uint64_t millisecond = NANOSECONDS_A_SECOND / 1000;

    if (getsockopt(connection->watch.fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return false;
    return info.tcpi_last_data_sent * millisecond < span_ns &&
           info.tcpi_last_ack_recv * millisecond < span_ns;
#else
    (void)connection;
    (void)span_ns;
    return false;
#endif
}

void transport_send_fin(struct connection *connection, struct context *context)
{
    if (shutdown(connection->watch.fd, SHUT_WR) == 0)
        connection_fin_sent(connection, context);
    else
        connection_failed(connection, errno);
}
