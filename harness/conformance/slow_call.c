/* Preloaded: makes one recv slow, and logs when calls return. SLOW_TEXT=TEXT: a recv that brings
 * TEXT takes 0.4 seconds; over TLS, an SSL_read_ex. SLOW_LOG=PATH: a line for each accept, send,
 * shutdown and close of a socket, "nanoseconds call descriptor" by CLOCK_MONOTONIC. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void note(const char *call, int fd)
{
    struct timespec now;
    FILE *log = fopen(getenv("SLOW_LOG"), "ae");

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (log == NULL)
        return;
    (void)fprintf(log, "%lld %s %d\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec, call, fd);
    (void)fclose(log);
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void sleep_if_slow(const void *bytes, size_t count)
{
    struct timespec delay = {.tv_nsec = 400000000};
    const char *text = getenv("SLOW_TEXT");

    if (text != NULL && memmem(bytes, count, text, strlen(text)) != NULL)
        while (nanosleep(&delay, &delay) != 0)
            continue;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
    ssize_t (*next)(int, void *, size_t, int) = (ssize_t(*)(int, void *, size_t, int))real("recv");
    ssize_t count = next(fd, bytes, size, flags);

    if (count > 0)
        sleep_if_slow(bytes, (size_t)count);
    return count;
}

int SSL_read_ex(void *ssl, void *bytes, size_t size, size_t *received)
{
    int (*next)(void *, void *, size_t, size_t *) =
        (int (*)(void *, void *, size_t, size_t *))real("SSL_read_ex");
    int result = next(ssl, bytes, size, received);

    if (result == 1)
        sleep_if_slow(bytes, *received);
    return result;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int) =
        (ssize_t(*)(int, const void *, size_t, int))real("send");
    ssize_t count = next(fd, bytes, size, flags);

    note("send", fd);
    return count;
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    int (*next)(int, struct sockaddr *, socklen_t *, int) =
        (int (*)(int, struct sockaddr *, socklen_t *, int))real("accept4");
    int accepted = next(fd, address, size, flags);

    if (accepted >= 0)
        note("accept", accepted);
    return accepted;
}

int shutdown(int fd, int how)
{
    int (*next)(int, int) = (int (*)(int, int))real("shutdown");

    note("shutdown", fd);
    return next(fd, how);
}

int close(int fd)
{
    int (*next)(int) = (int (*)(int))real("close");
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0)
        note("close", fd);
    return next(fd);
}
