#include "burst.h"

#include "buffer.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* By itself glibc gives back only what is free at the end of its heap, and one small block there
 * keeps all that is below it: a TLS session that began in the burst (75 of 100 MB stayed), or what
 * stands behind a connection (58 of 58 MB). malloc_trim(3) gives back free pages anywhere.
 *
 * Those pages cost a page fault each when they are needed again, so it is called only when more is
 * free than may be kept. That can be only after as much has come, and it is looked at when no
 * connection holds a buffer. Test: test_memory.py */
void burst_over(const struct context *context, uint64_t *looked)
{
    const struct stats *stats = context->stats;

    if (stats->bytes_in - *looked < BUFFERS_KEPT_BYTES || stats->buffers > 0)
        return;
    *looked = stats->bytes_in;
#ifdef __GLIBC__
    if (mallinfo2().fordblks > BUFFERS_KEPT_BYTES)
        (void)malloc_trim(0);
#endif
}
