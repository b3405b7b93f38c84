/* Preloaded: every second recv and every second send fails with EINTR, or, with REFUSE=EAGAIN, with
 * EAGAIN, and does nothing. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool refused(unsigned long *calls)
{
    const char *how = getenv("REFUSE");

    if (++*calls % 2 != 0)
        return false;
    errno = how != NULL && strcmp(how, "EAGAIN") == 0 ? EAGAIN : EINTR;
    return true;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
    static ssize_t (*real)(int, void *, size_t, int);
    static unsigned long calls;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "recv");
    return refused(&calls) ? -1 : real(fd, bytes, size, flags);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    static ssize_t (*real)(int, const void *, size_t, int);
    static unsigned long calls;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "send");
    return refused(&calls) ? -1 : real(fd, bytes, size, flags);
}
