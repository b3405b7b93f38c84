#include "buffer.h"

#include <stdlib.h>
#include <string.h>

enum {
    LEAST_ROOM = 1024, /* enough room is this, or half of what is pending if that is more */
    GOOD_ROOM = 4096,  /* new room is this, or as much again as is pending if that is more */
};

void buffer_free(struct buffer *buffer, struct context *context)
{
    if (buffer->data != NULL && !buffer->borrowed) {
        free(buffer->data);
        context->stats->buffers--;
    }
    *buffer = (struct buffer){0};
}

/* Moves what is pending to the front of data. Invariant 10, "the common case copies nothing": every
 * such copy is counted. Test: test_memory.py */
static void move_pending(struct buffer *buffer, struct context *context, uint8_t *data)
{
    uint32_t pending = buffer->end - buffer->start;

    memmove(data, buffer->data + buffer->start, pending);
    context->stats->copied_bytes += pending;
    buffer->data = data;
    buffer->start = 0;
    buffer->end = pending;
}

/* Copies what is pending out of the scratch buffer, into memory of exactly that size: more may not
 * come for a long time, and ten thousand such buffers may wait. */
bool buffer_own(struct buffer *buffer, struct context *context)
{
    uint8_t *data = malloc(buffer->end - buffer->start);

    if (data == NULL) {
        *buffer = (struct buffer){0};
        return false;
    }
    move_pending(buffer, context, data);
    buffer->borrowed = false;
    buffer->capacity = buffer->end;
    context->stats->buffers++;
    return true;
}

/* Room grows with what has come, so that a long frame costs few reads. It does not grow to what the
 * frame's header announces: four bytes must not make a server reserve a megabyte. */
bool buffer_grow(struct buffer *buffer, struct context *context)
{
    uint32_t pending = buffer->end - buffer->start;
    uint32_t enough = pending / 2 > LEAST_ROOM ? pending / 2 : LEAST_ROOM;
    uint32_t wanted = pending > GOOD_ROOM ? pending : GOOD_ROOM;

    if (buffer->capacity - buffer->end >= enough)
        return true;
    if (buffer->start > 0)
        move_pending(buffer, context, buffer->data);
    if (buffer->capacity - pending >= wanted)
        return true;
    uint8_t *data = realloc(buffer->data, (size_t)pending + wanted);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = pending + wanted;
    return true;
}
