/* What a server keeps for each connection besides struct connection: a TLS session, say.
 *
 * It stands behind the struct connection, in the same piece of memory. extra.c says that there is
 * nothing. A server that has something defines both names itself; the linker then leaves extra.c
 * out. */
#ifndef COMMON_EXTRA_H
#define COMMON_EXTRA_H

#include "connection.h"

#include <stddef.h>

/* How many bytes. They are 0 when the connection begins. */
extern const size_t extra_bytes;

/* Called before the memory of the connection is freed. Its descriptor may be closed already. */
void extra_end(struct connection *connection);

/* Where they stand: aligned for pointers and 64-bit numbers. */
static inline void *extra_of(struct connection *connection)
{
    return connection + 1;
}

#endif
