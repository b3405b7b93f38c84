#include "frame.h"

/* Every byte is a whole frame. */
struct frame_scan frame_scan(const uint8_t *bytes, size_t size, uint32_t max_frame)
{
    (void)bytes;
    (void)max_frame;
    return (struct frame_scan){.whole = size, .frames = size};
}

size_t frame_missing(const uint8_t *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    return 0;
}
