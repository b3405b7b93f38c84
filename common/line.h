/* Framing by lines (--framing line): any bytes up to the next '\n', and that. */
#ifndef COMMON_LINE_H
#define COMMON_LINE_H

#include "frame.h"

/* As frame_scan(). A length says at once where a frame ends, but the end of a line has to be looked
 * for. The last `fresh` of the bytes are those that no earlier call has seen. Only they are looked
 * at: a peer that sends a long line byte by byte would otherwise cost the square of it. */
struct frame_scan line_scan(const uint8_t *bytes, size_t size, size_t fresh, uint32_t max_frame);

#endif
