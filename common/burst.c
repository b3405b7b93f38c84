#include "burst.h"

#include "buffer.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* By itself glibc gives back only what is free at the end of its heap. One small block there keeps
 * all that is below it: a peer that came during the burst is enough (58 of 58 MB stayed), or a TLS
 * session that began in it (75 of 100 MB). malloc_trim(3) gives back free pages anywhere.
 *
 * Those pages cost a page fault each when they are needed again, so it is called only when more is
 * free than may be kept. To know that, mallinfo2(3) walks the free blocks. So the server looks once
 * for BUFFERS_KEPT_BYTES that have come, and only when half of the buffers are gone. A burst of
 * several times that size allows several looks, and each of them finds half as much as the one
 * before. So what stays is bounded although some peers keep their buffers, and no look is wasted
 * while all buffers are full. Test: test_memory.py */
void burst_over(struct burst *burst, const struct stats *stats)
{
    if (stats->buffers > burst->most)
        burst->most = stats->buffers;
    if (stats->buffers > burst->most / 2 || burst->most == 0 ||
        stats->bytes_in - burst->looked_at < BUFFERS_KEPT_BYTES)
        return;
    burst->looked_at += BUFFERS_KEPT_BYTES;
    burst->most = stats->buffers;
#ifdef __GLIBC__
    if (mallinfo2().fordblks > BUFFERS_KEPT_BYTES)
        (void)malloc_trim(0);
#endif
}
