/* Connections whose handshake is not over, and its timeout.
 *
 * A peer that connects and is silent, or sends its handshake byte by byte, holds a descriptor and
 * the memory of a session. idle-timeout does not end the second, and both may be off. */
#ifndef TLS_HANDSHAKES_H
#define TLS_HANDSHAKES_H

#include "../../common/loop.h"
#include "session.h"

#include <stdint.h>

/* The connection was accepted just now. --handshake-timeout is the same for all, so the oldest is
 * the first that is due. */
void handshakes_add(struct session_queue *queue, struct session *session);

/* Its handshake is over, or the connection ends. Without effect on one that is not in the queue. */
void handshakes_remove(struct session_queue *queue, struct session *session);

/* When the first is due: CLOCK_MONOTONIC, or NEVER. */
uint64_t handshakes_deadline(const struct session_queue *queue);

/* Ends those that are due. */
void handshakes_expire(struct session_queue *queue, struct loop *loop);

#endif
