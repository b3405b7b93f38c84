#include "frame.h"

/* Byte by byte: this is right for any byte order and any alignment. Compilers make one load of it.
 */
static uint32_t payload_length(const uint8_t *header)
{
    return (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 |
           (uint32_t)header[3];
}

struct frame_scan frame_scan(const uint8_t *bytes, size_t size, uint32_t max_frame)
{
    struct frame_scan scan = {0};

    while (size - scan.whole >= FRAME_HEADER_BYTES) {
        uint32_t length = payload_length(bytes + scan.whole);
        if (length > max_frame) {
            scan.oversize = true;
            break;
        }
        /* Compare with what is left, and add nothing: a sum could wrap where size_t has 32 bits. */
        if (length > size - scan.whole - FRAME_HEADER_BYTES)
            break;
        scan.whole += FRAME_HEADER_BYTES + (size_t)length;
        scan.frames++;
    }
    return scan;
}

size_t frame_missing(const uint8_t *bytes, size_t size)
{
    return size < FRAME_HEADER_BYTES ? 0 : FRAME_HEADER_BYTES + payload_length(bytes) - size;
}
