/* Apart from transport.c, so that a server with a transport of its own can use it. */
#include "transport.h"

#include "clock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

/* A slow reader: megabytes wait in the kernel's send buffer. The server has nothing to send and
 * nothing to receive for minutes, and yet bytes move. Linux says how long ago it last sent data and
 * last heard an acknowledgement (tcp(7), TCP_INFO). A peer that does not read keeps its window
 * shut: no data is sent. A peer that has vanished acknowledges nothing. So both must be recent.
 * The kernel copies some 200 bytes out for this, and only for a connection that looks idle. */
bool transport_progressed(const struct connection *connection, uint64_t span_ns)
{
#ifdef __linux__
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    uint64_t millisecond = NANOSECONDS_A_SECOND / 1000;

    if (getsockopt(connection->watch.fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
        size < offsetof(struct tcp_info, tcpi_pmtu)) /* an old kernel knows fewer fields */
        return false;
    return info.tcpi_last_data_sent * millisecond < span_ns &&
           info.tcpi_last_ack_recv * millisecond < span_ns;
#else
    (void)connection;
    (void)span_ns;
    return false;
#endif
}
