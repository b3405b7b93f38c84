/* What OpenSSL sends and receives, as calls of this server. */
#ifndef TLS_WIRE_H
#define TLS_WIRE_H

#include "../../common/connection.h"

#include <openssl/bio.h>

/* A BIO over the connection's socket, for its session. NULL when memory is short. */
BIO *wire_new(struct connection *connection);

#endif
