/* Framing: where whole frames end in a run of bytes. No input or output happens here.
 *
 * A frame is a 4-byte big-endian payload length N, then N bytes. With --framing line it is a line:
 * any bytes up to the next '\n', and that (docs/protocol.md). */
#ifndef COMMON_FRAME_H
#define COMMON_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_HEADER_BYTES = 4 };
#define FROM_MY_OWN_HEADER 1

enum framing { FRAMING_LENGTH, FRAMING_LINE };

struct frame_scan {
    size_t whole;    /* bytes, from the first on, that make up whole frames with their headers */
    uint64_t frames; /* how many frames those are */
    bool oversize;   /* the frame that starts at `whole` has a payload above max_frame bytes */
};

/* Scans size bytes that begin at a frame boundary. The caller keeps the tail after `whole` and
 * scans again from there when more bytes have come: a tail costs one look at its header, however
 * long it is. Cannot fail; any bytes are valid input. */
struct frame_scan frame_scan(const uint8_t *bytes, size_t size, uint32_t max_frame);

/* The same for lines. A length says at once where a frame ends, but the end of a line has to be
 * looked for. The last `fresh` of the bytes are those that no earlier call has seen. Only they are
 * looked at: a peer that sends a long line byte by byte would otherwise cost the square of it. */
struct frame_scan line_scan(const uint8_t *bytes, size_t size, size_t fresh, uint32_t max_frame);

/* How many bytes are missing of the frame that begins at bytes, of which size have come and which
 * is not whole; 0 while its header is not whole either. */
size_t frame_missing(const uint8_t *bytes, size_t size);

#endif
