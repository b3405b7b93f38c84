/* Preloaded: when the server has heard that the new program listens, it waits for 0.2 seconds, so
 * that the new program falls asleep. Then a peer connects, sends one frame and ends its stream. The
 * server has not yet closed its listener. */
#include "../../../harness/suite/one_peer.h"

#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

ssize_t read(int fd, void *bytes, size_t size)
{
    static ssize_t (*real)(int, void *, size_t);
    struct timespec delay = {.tv_nsec = 200000000};

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "read");
    ssize_t count = real(fd, bytes, size);
    if (size == 1 && count == 1) {
        while (nanosleep(&delay, &delay) != 0)
            continue;
        one_peer();
    }
    return count;
}
