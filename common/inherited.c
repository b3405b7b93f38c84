#include "inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number in an environment variable: 0 when it is not set. Only digits, so that "3abc" is not
 * taken for 3. Returns -1 with error filled when it is no number of a process or a descriptor. */
static long number_in(const char *name, struct error *error)
{
    const char *text = getenv(name);

    if (text == NULL)
        return 0;
    size_t length = strlen(text);
    if (length == 0 || length > 9 || strspn(text, "0123456789") != length) {
        (void)snprintf(error->text, sizeof error->text, "%s=%.100s: not a number", name, text);
        return -1;
    }
    return strtol(text, NULL, 10);
}

/* Whoever inherits a descriptor inherits it without FD_CLOEXEC, or it would be closed by now. A
 * program that this one starts must not get it by chance. */
static int take(const char *name, int fd, struct error *error)
{
    char text[80];

    (void)snprintf(text, sizeof text, "descriptor %d of %s", fd, name);
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? error_set(error, "fcntl", text, errno) : 0;
}

int inherited_find(struct inherited *inherited, struct error *error)
{
    *inherited = (struct inherited){.listener = -1, .ready = -1};
    long meant = number_in("LISTEN_PID", error);
    if (meant < 0)
        return -1;
    if (meant != (long)getpid())
        return 0;
    long count = number_in("LISTEN_FDS", error);
    long ready = number_in("READY_FD", error);
    if (count < 0 || ready < 0)
        return -1;
    if (count > 1) {
        (void)snprintf(error->text, sizeof error->text,
                       "LISTEN_FDS=%ld: this server takes one listening socket", count);
        return -1;
    }
    inherited->listener = count == 1 ? INHERITED_LISTENER : -1;
    inherited->ready = ready > 0 ? (int)ready : -1;
    if (count == 1 && take("LISTEN_FDS", inherited->listener, error) < 0)
        return -1;
    return ready > 0 ? take("READY_FD", inherited->ready, error) : 0;
}

/* If the one who waited has given up, this server must not go on: both would run. The pipe has no
 * reader then, and write(2) fails with EPIPE. */
int inherited_tell(struct inherited *inherited, struct error *error)
{
    ssize_t count;

    do
        count = write(inherited->ready, "\n", 1);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return error_set(error, "write", "READY_FD", errno);
    (void)close(inherited->ready);
    inherited->ready = -1;
    return 0;
}
