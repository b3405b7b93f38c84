/* What is to be sent on a connection: bytes in a buffer, and a file behind them. */
#ifndef HTTP_OUTPUT_H
#define HTTP_OUTPUT_H

#include "../../common/connection.h"
#include "../../common/context.h"
#include "../../common/transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Adds bytes. No file may be under way. Returns false when memory is short. */
bool output_put(struct connection *connection, const uint8_t *bytes, size_t count);

/* Adds a file of `size` bytes, not 0, and takes over its descriptor. */
void output_file(struct connection *connection, int fd, off_t size);

/* One send(2) of the bytes, and if all of them left, one sendfile(2). Returns TRANSPORT_ALL when
 * nothing is left. */
enum transport_result output_send(struct connection *connection, struct context *context);

/* Ends a turn: gives the scratch buffer back. Returns false when memory is short. */
bool output_settle(struct connection *connection);

/* Drops all of it. */
void output_drop(struct connection *connection);

#endif
