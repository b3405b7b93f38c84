#include "burst.h"

#include "buffer.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* In bytes that have come: the price of a look, and how many can be saved up. */
enum { LOOK_BYTES = BUFFERS_KEPT_BYTES / 16, MOST_PAID_BYTES = 16 * BUFFERS_KEPT_BYTES };

/* By itself glibc gives back only what is free at the end of its heap. One small block there keeps
 * all that is below it: a peer that came during the burst is enough (58 of 58 MB stayed), or a TLS
 * session that began in it (75 of 100 MB). malloc_trim(3) gives back free pages anywhere.
 *
 * Those pages cost a page fault each when they are needed again, so it is called only when more is
 * free than may be kept. To know that, mallinfo2(3) walks the free blocks. So both are paid for by
 * bytes that have come: giving back by as many as are kept, a look by a part of them. The server
 * looks when half of the buffers are gone, and again when half of the others are. So what stays is
 * bounded although some peers keep their buffers. When the last buffer is gone it looks although
 * less is paid: what stays then may stay for ever. Test: test_memory.py */
void burst_over(struct burst *burst, const struct stats *stats)
{
    if (stats->buffers > burst->most)
        burst->most = stats->buffers;
    uint64_t least = stats->buffers == 0 ? LOOK_BYTES : BUFFERS_KEPT_BYTES;
    if (stats->buffers > burst->most / 2 || burst->most == 0 ||
        stats->bytes_in - burst->spent < least)
        return;
    if (stats->bytes_in - burst->spent > MOST_PAID_BYTES)
        burst->spent = stats->bytes_in - MOST_PAID_BYTES;
    burst->most = stats->buffers;
    burst->spent += LOOK_BYTES;
#ifdef __GLIBC__
    if (mallinfo2().fordblks > BUFFERS_KEPT_BYTES) {
        burst->spent += BUFFERS_KEPT_BYTES - LOOK_BYTES;
        if (burst->spent > stats->bytes_in)
            burst->spent = stats->bytes_in;
        (void)malloc_trim(0);
    }
#endif
}
