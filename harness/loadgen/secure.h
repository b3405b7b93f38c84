/* --tls: a flow's bytes inside TLS. Without OpenSSL the functions are there, and secure_open says
 * that it is missing. */
#ifndef LOADGEN_SECURE_H
#define LOADGEN_SECURE_H

#include "../../common/error.h"
#include "flow.h"
#include "wire.h"

#include <sys/socket.h>

/* Once, before any thread runs. ca: a file with the certificates to trust, or NULL: the server's
 * certificate is not looked at. Returns 0, or -1 with error filled. */
int secure_open(const char *ca, struct error *error);
void secure_close(void);

/* Makes the handshake on a connected flow, if secure_open was called, and waits for it: it belongs
 * to connecting, and no figure contains it. Returns 0, or -1 with errno set. */
int secure_begin(struct flow *flow);

/* Frees the session. orderly: sends close_notify, if it can. Call it before the descriptor is
 * closed. */
void secure_end(struct flow *flow, bool orderly);

/* As send(2) and recv(2), on a flow that has a session. The first takes all bytes, or as many as
 * the kernel has room for; flow->begun says how many the next call must offer at least. The second
 * returns what has come, as far as there is room: less than size means that the socket is empty. */
ssize_t secure_send(struct flow *flow, const void *bytes, size_t size);
ssize_t secure_receive(struct flow *flow, void *bytes, size_t size);

/* As recv(2) with MSG_PEEK: what is there of the stream inside TLS stays there. */
ssize_t secure_peek(struct flow *flow, void *bytes, size_t size);

static inline ssize_t flow_peek(struct flow *flow, void *bytes, size_t size)
{
    return flow->secure == NULL ? recv(flow->fd, bytes, size, MSG_PEEK)
                                : secure_peek(flow, bytes, size);
}

static inline ssize_t flow_send(struct flow *flow, const void *bytes, size_t size)
{
    return flow->secure == NULL ? wire_send(flow->fd, bytes, size) : secure_send(flow, bytes, size);
}

static inline ssize_t flow_take(struct flow *flow, void *bytes, size_t size)
{
    return flow->secure == NULL ? wire_receive(flow->fd, bytes, size)
                                : secure_receive(flow, bytes, size);
}

#endif
