#include "line.h"

#include <string.h>

struct frame_scan line_scan(const uint8_t *bytes, size_t size, size_t fresh, uint32_t max_frame)
{
    struct frame_scan scan = {0};
    size_t seen = size - fresh;

    for (;;) {
        const uint8_t *found = memchr(bytes + seen, '\n', size - seen);
        size_t end = found != NULL ? (size_t)(found - bytes) : size;
        scan.oversize = end - scan.whole > max_frame;
        if (found == NULL || scan.oversize)
            return scan;
        scan.whole = seen = end + 1;
        scan.frames++;
    }
}
