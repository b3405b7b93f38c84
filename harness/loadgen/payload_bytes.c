/* The bytes of a frame and of its reply, which is the same frame: docs/protocol.md. The labs have
 * other protocols, and another file in place of this one (labs/protocol). */
#include "payload.h"

#include "mix.h"

#include <string.h>

enum { WORD_BYTES = 8 };

/* The payload as words in the machine's own byte order, because only this process writes and reads
 * them. The identity is well mixed already. One more multiplication by an odd number is therefore
 * enough: the words differ from each other and from those of any other identity. */
static uint64_t word_at(uint64_t identity, uint64_t index)
{
    uint64_t word = (identity + index * GOLDEN) * UINT64_C(0xd1342543de82ef95);

    return index == 0 ? identity : word ^ (word >> 32);
}

size_t payload_announced(const uint8_t *header)
{
    return (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
}

/* The bytes of a header, in the order in which they are sent. */
static uint32_t header_word(uint32_t size)
{
    const uint8_t bytes[PAYLOAD_HEADER_BYTES] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16),
                                                 (uint8_t)(size >> 8), (uint8_t)size};
    uint32_t word;

    memcpy(&word, bytes, sizeof word);
    return word;
}

static size_t smaller(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* Part of a header, from `offset` on: returns how many of `count` bytes belong to it. */
static size_t header_part(size_t offset, size_t count)
{
    return offset < PAYLOAD_HEADER_BYTES ? smaller(PAYLOAD_HEADER_BYTES - offset, count) : 0;
}

/* Writes part of one word, at the end of a run of bytes that does not begin or end at a word
 * boundary. Returns the number of bytes. */
static size_t make_ragged(uint64_t identity, size_t position, uint8_t *bytes, size_t count)
{
    uint8_t whole[WORD_BYTES];
    uint64_t word = word_at(identity, position / WORD_BYTES);
    size_t from = position % WORD_BYTES;
    size_t part = smaller(count, WORD_BYTES - from);

    memcpy(whole, &word, sizeof whole);
    memcpy(bytes, whole + from, part);
    return part;
}

static size_t check_ragged(uint64_t identity, size_t position, const uint8_t *bytes, size_t count,
                           uint64_t *differences)
{
    uint8_t expected[WORD_BYTES];
    size_t part = make_ragged(identity, position, expected, count);

    *differences |= (uint64_t)(memcmp(bytes, expected, part) != 0);
    return part;
}

void payload_frame(uint64_t identity, uint32_t size, size_t offset, uint8_t *bytes, size_t count)
{
    const uint32_t header = header_word(size);
    size_t part = header_part(offset, count);

    if (part == PAYLOAD_HEADER_BYTES) /* nearly always; a copy of known size is one store */
        memcpy(bytes, &header, PAYLOAD_HEADER_BYTES);
    else
        memcpy(bytes, (const uint8_t *)&header + offset % PAYLOAD_HEADER_BYTES, part);
    bytes += part;
    count -= part;
    size_t at = 0;
    size_t position = offset + part - PAYLOAD_HEADER_BYTES;
    if (count > 0 && position % WORD_BYTES != 0)
        at = make_ragged(identity, position, bytes, count);
    for (; count - at >= WORD_BYTES; at += WORD_BYTES) {
        uint64_t word = word_at(identity, (position + at) / WORD_BYTES);
        memcpy(bytes + at, &word, WORD_BYTES);
    }
    if (at < count)
        (void)make_ragged(identity, position + at, bytes + at, count - at);
}

void payload_reply(uint64_t identity, uint32_t size, size_t offset, uint8_t *bytes, size_t count)
{
    payload_frame(identity, size, offset, bytes, count);
}

uint64_t payload_named(const uint8_t *reply, uint32_t size)
{
    uint64_t identity;

    (void)size;
    memcpy(&identity, reply + PAYLOAD_HEADER_BYTES, sizeof identity);
    return identity;
}

bool payload_matches(uint64_t identity, uint32_t size, size_t offset, const uint8_t *bytes,
                     size_t count)
{
    const uint32_t header = header_word(size);
    uint64_t differences = 0; /* collected: one branch at the end, none in the loop */
    size_t part = header_part(offset, count);

    if (part == PAYLOAD_HEADER_BYTES)
        differences |= (uint64_t)(memcmp(bytes, &header, PAYLOAD_HEADER_BYTES) != 0);
    else if (part > 0)
        differences |= (uint64_t)(memcmp(bytes, (const uint8_t *)&header + offset, part) != 0);
    bytes += part;
    count -= part;
    size_t at = 0;
    size_t position = offset + part - PAYLOAD_HEADER_BYTES;
    if (count > 0 && position % WORD_BYTES != 0)
        at = check_ragged(identity, position, bytes, count, &differences);
    for (; count - at >= WORD_BYTES; at += WORD_BYTES) {
        uint64_t word;
        memcpy(&word, bytes + at, WORD_BYTES);
        differences |= word ^ word_at(identity, (position + at) / WORD_BYTES);
    }
    if (at < count)
        (void)check_ragged(identity, position + at, bytes + at, count - at, &differences);
    return differences == 0;
}
