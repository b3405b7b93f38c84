/* A run of pending bytes, and the memory that holds it.
 *
 * A buffer with nothing pending owns no memory. A recv(2) then goes into the scratch buffer that
 * all buffers share, and what can be sent at once is sent from there: the common case copies
 * nothing and allocates nothing. At the end of a turn the loan ends: only bytes that are still
 * pending move to memory of the buffer's own.
 *
 *     data          start                  end          capacity
 *      | used up    | pending              | room       |
 */
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include "context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So much freed memory malloc(3) may keep for the next burst, unless MALLOC_TRIM_THRESHOLD_ or
 * MALLOC_MMAP_THRESHOLD_ in the environment (mallopt(3)) says otherwise. */
enum { BUFFERS_KEPT_BYTES = 32 * 1024 * 1024 };

struct buffer {
    uint8_t *data; /* NULL while no byte is pending */
    uint32_t start;
    uint32_t end;
    uint32_t capacity;
    bool borrowed; /* data is not the buffer's own: the scratch buffer, only within a turn */
    bool lent;     /* the kernel reads or writes data after the turn (io_uring(7)): whoever lent it
                      ends the loan, and frees or takes back what the buffer has left by then */
};

/* Drops what is pending and frees the memory. */
void buffer_free(struct buffer *buffer, struct context *context);

/* For a buffer that has memory of its own, or needs some. They return false when memory is short.
 * Memory that is lent stays where it is and as it is: the buffer moves out of it. */
bool buffer_grow(struct buffer *buffer, struct context *context);
bool buffer_own(struct buffer *buffer, struct context *context);

/* Makes room behind end, and says where it begins. Sets *size to its length in bytes, which is
 * never 0: a recv into no room returns 0, and 0 means end of input. Returns NULL when memory is
 * short; what is pending stays. */
static inline uint8_t *buffer_room(struct buffer *buffer, struct context *context, size_t *size)
{
    if (buffer->data == NULL)
        *buffer =
            (struct buffer){.data = context->scratch, .capacity = SCRATCH_BYTES, .borrowed = true};
    else if (!buffer_grow(buffer, context))
        return NULL;
    *size = buffer->capacity - buffer->end;
    return buffer->data + buffer->end;
}

/* Ends a turn: gives the scratch buffer back, and frees memory that holds nothing. Returns false
 * when memory is short; the pending bytes are then lost. */
static inline bool buffer_settle(struct buffer *buffer, struct context *context)
{
    if (buffer->end != buffer->start)
        return !buffer->borrowed || buffer->lent || buffer_own(buffer, context);
    if (buffer->borrowed)
        *buffer = (struct buffer){0};
    else if (buffer->data != NULL)
        buffer_free(buffer, context);
    return true;
}

#endif
