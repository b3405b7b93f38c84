/* Where a connection's bytes are kept.
 *
 * A connection with nothing pending owns no memory. A read then goes into a scratch buffer that all
 * connections share, and whole frames are sent from there: the common case copies nothing and
 * allocates nothing. Only what could not be sent, or is not a whole frame yet, moves to a buffer of
 * the connection's own when its turn ends. */
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include "connection.h"

#include <stddef.h>

/* What one recv can bring: enough for a socket's usual fill, small enough to stay in a cache. */
enum { SCRATCH_BYTES = 64 * 1024 };

/* Makes room after connection->used. Returns its size in bytes, never 0 but when memory is short:
 * a recv into no room would answer 0, which means end of file. */
size_t buffer_room(struct connections *connections, struct connection *connection);

/* Ends the loan of the scratch buffer, and frees a buffer that holds nothing. When memory is short,
 * the connection's state becomes CONNECTION_CLOSED. */
void buffer_settle(struct connections *connections, struct connection *connection);

/* Frees what the connection owns. */
void buffer_free(struct connections *connections, struct connection *connection);

#endif
