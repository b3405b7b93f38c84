/* What OpenSSL sends and receives, as calls of this server. */
#ifndef TLS_WIRE_H
#define TLS_WIRE_H

#include "../../common/connection.h"

#include <openssl/bio.h>
#include <stdbool.h>

struct session;

/* A BIO over the connection's socket, for its session. NULL when memory is short. */
BIO *wire_new(struct connection *connection);

/* Sends what the session keeps (below, wire.c). Returns false when some of it is still there: the
 * socket is full, or the call has failed and session->number says how. Call it before SSL_read and
 * before FIN. Whatever else OpenSSL sends goes behind it by itself. */
bool wire_flush(struct session *session);

#endif
