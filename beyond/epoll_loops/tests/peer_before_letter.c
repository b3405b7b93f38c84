/* Preloaded: right before the main thread writes a letter to a loop, a peer connects, sends one
 * frame and ends its stream. The loop finds both in one wait. For that the main thread goes first
 * whenever it is ready (SCHED_FIFO, sched(7)), if it may; all threads have to share one CPU. */
#include "../../../harness/suite/one_peer.h"

#include <dlfcn.h>
#include <sched.h>
#include <unistd.h>

ssize_t write(int fd, const void *bytes, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    const struct sched_param first = {.sched_priority = 1};

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "write");
    if (size == sizeof(int)) {
        (void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
        one_peer();
    }
    return real(fd, bytes, size);
}
