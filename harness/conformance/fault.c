/* Preloaded: FAULT=CALL:WHAT:N makes every N-th recv, send or accept of a process fail with EINTR
 * or EAGAIN, or, where WHAT is short, do one byte only. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static char call[16], what[16];
static unsigned every;
static unsigned long calls;

__attribute__((constructor)) static void read_fault(void)
{
    const char *text = getenv("FAULT");

    if (text == NULL || sscanf(text, "%15[a-z]:%15[A-Za-z]:%u", call, what, &every) != 3)
        every = 0;
}

static bool is_due(const char *name)
{
    return every != 0 && strcmp(name, call) == 0 && ++calls % every == 0;
}

/* Sets errno and returns true when the call has to fail. */
static bool fails(const char *name, size_t *size)
{
    if (!is_due(name))
        return false;
    if (strcmp(what, "short") == 0) {
        *size = 1;
        return false;
    }
    errno = strcmp(what, "EINTR") == 0 ? EINTR : EAGAIN;
    return true;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
    static ssize_t (*real)(int, void *, size_t, int);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "recv");
    return fails("recv", &size) ? -1 : real(fd, bytes, size, flags);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    static ssize_t (*real)(int, const void *, size_t, int);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "send");
    return fails("send", &size) ? -1 : real(fd, bytes, size, flags);
}

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    static int (*real)(int, struct sockaddr *restrict, socklen_t *restrict, int);
    size_t unused = 0;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "accept4");
    return fails("accept", &unused) ? -1 : real(fd, address, size, flags);
}
