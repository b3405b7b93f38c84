#include "buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_ROOM = 1024, /* with less than this, and than half of what is pending, make more */
    GOOD_ROOM = 4096,  /* more: this, or as much again as is pending */
};

void buffer_free(struct connections *connections, struct connection *connection)
{
    if (connection->data != NULL && !connection->borrowed) {
        free(connection->data);
        connections->buffers--;
    }
    connection->data = NULL;
    connection->borrowed = false;
    connection->start = connection->whole = connection->used = connection->capacity = 0;
}

/* Moves what is pending to the front of data, which is the connection's own or a fresh buffer. */
static void move_pending(struct connections *connections, struct connection *connection,
                         uint8_t *data)
{
    uint32_t pending = connection->used - connection->start;

    memmove(data, connection->data + connection->start, pending);
    connections->stats->copied_bytes += pending;
    connection->whole -= connection->start;
    connection->used = pending;
    connection->start = 0;
    connection->data = data;
}

/* From the scratch buffer to one of exactly the size that is pending: it may be long before more
 * comes, and ten thousand of these may wait. */
static bool own_pending(struct connections *connections, struct connection *connection)
{
    uint8_t *data = malloc(connection->used - connection->start);

    if (data == NULL)
        return false;
    move_pending(connections, connection, data);
    connection->borrowed = false;
    connection->capacity = connection->used;
    connections->buffers++;
    return true;
}

/* Room in step with what has come so far, so that a long frame costs a few reads; but not as much
 * as its header announces: four bytes must not make a server reserve a megabyte. */
static bool grow(struct connections *connections, struct connection *connection)
{
    uint32_t pending = connection->used - connection->start;
    uint32_t enough = pending / 2 > LEAST_ROOM ? pending / 2 : LEAST_ROOM;
    uint32_t wanted = pending > GOOD_ROOM ? pending : GOOD_ROOM;

    if (connection->capacity - connection->used >= enough)
        return true;
    if (connection->start > 0)
        move_pending(connections, connection, connection->data);
    if (connection->capacity - pending >= wanted)
        return true;
    uint8_t *data = realloc(connection->data, (size_t)pending + wanted);
    if (data == NULL)
        return false;
    connection->data = data;
    connection->capacity = pending + wanted;
    return true;
}

size_t buffer_room(struct connections *connections, struct connection *connection)
{
    if (connection->data == NULL) {
        connection->data = connections->scratch;
        connection->capacity = SCRATCH_BYTES;
        connection->borrowed = true;
    } else if (!grow(connections, connection)) {
        return 0;
    }
    return connection->capacity - connection->used;
}

void buffer_settle(struct connections *connections, struct connection *connection)
{
    if (connection->used == connection->start) {
        buffer_free(connections, connection);
    } else if (connection->borrowed && !own_pending(connections, connection)) {
        buffer_free(connections, connection);
        connection_close(connection, CLOSE_error);
    }
}
