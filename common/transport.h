/* recv(2) and send(2) for a connection: what they return becomes what happened to the connection.
 *
 * Every call is counted. EINTR means "call again". EAGAIN is no error: the socket has nothing, or
 * takes nothing, right now. */
#ifndef COMMON_TRANSPORT_H
#define COMMON_TRANSPORT_H

#include "connection.h"
#include "context.h"

#include <stdbool.h>
#include <stdint.h>

enum transport_result {
    TRANSPORT_ALL,         /* the room was filled, so there may be more; or all output was sent */
    TRANSPORT_SHORT,       /* fewer bytes than asked for: the kernel's buffer is empty, or full */
    TRANSPORT_WOULD_BLOCK, /* EAGAIN */
    TRANSPORT_END,         /* the input ended, or an error closed the connection */
};

/* One recv(2), and the frames in what it brought. Settle the connection before the next one. */
enum transport_result transport_read(struct connection *connection, struct context *context);

/* One send(2) of all pending output. Call it only when the connection wants WRITABLE. */
enum transport_result transport_write(struct connection *connection, struct context *context);

/* Have bytes left the kernel's send buffer for the peer, and been acknowledged, within the last
 * span_ns? The server cannot see that progress by its own calls. Costs one getsockopt(2). False
 * where the system does not say. */
bool transport_progressed(const struct connection *connection, uint64_t span_ns);

/* Sends FIN (shutdown(2)): the peer sees the end of the stream, and can still send. */
void transport_send_fin(struct connection *connection, struct context *context);

#endif
