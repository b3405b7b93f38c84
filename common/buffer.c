#include "buffer.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum {
    LEAST_ROOM = 1024, /* enough room is this, or half of what is pending if that is more */
    GOOD_ROOM = 4096,  /* new room is this, or as much again as is pending if that is more */
    LARGE_BYTES = 16 * 1024,
    MAPPED_BYTES = 4 * 1024 * 1024,
    MAPPED_BYTES_32 = 512 * 1024,
};

void buffer_free(struct buffer *buffer, struct context *context)
{
    if (buffer->data != NULL && !buffer->borrowed) {
        if (!buffer->lent)
            free(buffer->data);
        context->stats->buffers--;
    }
    *buffer = (struct buffer){0};
}

/* By itself glibc gives memory back to the kernel whenever 128 KiB are free at the end of its heap.
 * Then the next buffer is made of new pages: the kernel zeroes each of them at a page fault. A
 * level-triggered server fills the buffers of many connections in turns, and all of them are empty
 * soon after. It paid 12 page faults for a message of 64 KiB, which cost more than the message.
 *
 * So from the first large buffer on up to BUFFERS_KEPT_BYTES stay, however many buffers there were:
 * what is above goes back to the kernel at once. A buffer above MAPPED_BYTES is a mapping of its
 * own, and its memory goes back when it is freed; a 32-bit glibc allows less than that
 * (mallopt(3)). Other systems' allocators keep freed memory for a while by themselves. Whoever sets
 * one of the two limits in the environment has decided otherwise, and mallopt would overrule that.
 * Test: test_memory.py */
static void keep_memory(struct context *context, uint32_t capacity)
{
    if (context->keeps_memory || capacity < LARGE_BYTES)
        return;
    context->keeps_memory = true;
#ifdef __GLIBC__
    if (getenv("MALLOC_TRIM_THRESHOLD_") != NULL || getenv("MALLOC_MMAP_THRESHOLD_") != NULL)
        return;
    (void)mallopt(M_TRIM_THRESHOLD, BUFFERS_KEPT_BYTES);
    if (mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES) == 0)
        (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES_32);
#endif
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
    keep_memory(context, buffer->end - buffer->start);
    uint8_t *data = malloc(buffer->end - buffer->start);

    if (data == NULL) {
        *buffer = (struct buffer){0};
        return false;
    }
    move_pending(buffer, context, data);
    buffer->borrowed = buffer->lent = false;
    buffer->capacity = buffer->end;
    context->stats->buffers++;
    return true;
}

/* Copies what is pending to new memory, and leaves the old memory to the kernel, which uses it. */
static bool move_out(struct buffer *buffer, struct context *context, uint32_t capacity)
{
    keep_memory(context, capacity);
    uint8_t *data = malloc(capacity);

    if (data == NULL)
        return false;
    move_pending(buffer, context, data);
    context->stats->buffers += buffer->borrowed;
    buffer->borrowed = buffer->lent = false;
    buffer->capacity = capacity;
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
    if (buffer->lent)
        return move_out(buffer, context, pending + wanted);
    if (buffer->start > 0)
        move_pending(buffer, context, buffer->data);
    if (buffer->capacity - pending >= wanted)
        return true;
    keep_memory(context, pending + wanted);
    uint8_t *data = realloc(buffer->data, (size_t)pending + wanted);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = pending + wanted;
    return true;
}
