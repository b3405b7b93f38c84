/* What a message contains. The seed, the connection and the message's number alone determine its
 * size and its bytes. So nothing has to be kept to check an echo.
 *
 * The first 8 bytes of a payload are its identity: connection and number, mixed with the seed in an
 * invertible way. The rest is drawn from the identity. So a wrong echo itself tells which message
 * of which connection it was, if it was one of ours. */
#ifndef LOADGEN_PAYLOAD_H
#define LOADGEN_PAYLOAD_H

#include "wire_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PAYLOAD_CHOICES = 8,
    PAYLOAD_MOST_BYTES = 1 << 28, /* the largest value that the servers' --max-frame accepts */
    PAYLOAD_IDENTITY_BYTES = 8,
};

/* A distribution of sizes: a few choices with weights. Each choice is a range in which all sizes
 * are equally likely. A fixed size is one choice with one size. */
struct payload_sizes {
    uint32_t choices;
    uint32_t total_weight;
    struct {
        uint32_t least;
        uint32_t most;
        uint32_t weight;
    } choice[PAYLOAD_CHOICES];
    uint32_t most; /* the largest size of all choices */
};

/* Reads "64", "16-1024", or "64*9,4096-8192*1". Returns false for anything else. */
bool payload_parse(struct payload_sizes *sizes, const char *text);

/* The key that follows from the seed, and the identity of a message under that key. */
uint64_t payload_key(uint64_t seed);
uint64_t payload_identity(uint64_t key, uint32_t connection, uint64_t number);

/* Says whose identity it is. Any 8 bytes give some answer, so the caller must check it. */
void payload_owner(uint64_t key, uint64_t identity, uint32_t *connection, uint64_t *number);

/* The size in bytes of the payload with that identity. */
uint32_t payload_size(const struct payload_sizes *sizes, uint64_t identity);

/* The size in bytes of a frame with a payload of `size` bytes. Its reply has the same. */
static inline size_t payload_frame_size(uint32_t size)
{
    return PAYLOAD_OVERHEAD_BYTES + (size_t)size;
}

/* Writes `count` bytes of the frame that begin at `offset`, or of its reply. */
void payload_frame(uint64_t identity, uint32_t size, size_t offset, uint8_t *bytes, size_t count);
void payload_reply(uint64_t identity, uint32_t size, size_t offset, uint8_t *bytes, size_t count);

/* The size of the payload that a header announces. Any bytes give some answer. */
size_t payload_announced(const uint8_t *header);

/* The identity in a whole reply with a payload of `size` bytes, PAYLOAD_IDENTITY_BYTES or more. */
uint64_t payload_named(const uint8_t *reply, uint32_t size);

/* Whether these are the `count` bytes of the reply that begin at `offset`. */
bool payload_matches(uint64_t identity, uint32_t size, size_t offset, const uint8_t *bytes,
                     size_t count);

#endif
