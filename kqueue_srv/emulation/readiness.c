/*
 * Turns what epoll says about a descriptor into data, fflags and EV_EOF.
 *
 * The trap: on Linux, reading a socket's error with SO_ERROR clears it. The program's next read()
 * would then see a clean end of file although the peer had reset. So the error stays where it is,
 * and fflags gets ECONNRESET for any error. Non-zero is right, and the number is the most likely
 * one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "emulation.h"

static void set_end(struct kevent *event, uint32_t ready)
{
    event->flags |= EV_EOF;
    if ((ready & EPOLLERR) != 0) {
        event->fflags = ECONNRESET;
    }
}

void describe_read(struct kevent *event, int descriptor, uint32_t ready)
{
    int available = 0;
    /* FIONREAD fails on a listening socket. It is ready because at least one connection waits. */
    event->data = ioctl(descriptor, FIONREAD, &available) == 0 ? available : 1;
    if ((ready & (EPOLLRDHUP | EPOLLHUP)) != 0) {
        set_end(event, ready);
    }
}

/* How many bytes fit into a pipe. PIPE_BUF when that is unknown: a ready pipe takes at least so
 * many. */
static int pipe_space(int descriptor)
{
    int queued = 0;
    int size = fcntl(descriptor, F_GETPIPE_SZ);
    if (size < 0 || ioctl(descriptor, FIONREAD, &queued) != 0) {
        return PIPE_BUF;
    }
    return size - queued;
}

void describe_write(struct kevent *event, int descriptor, uint32_t ready)
{
    int size = 0;
    int queued = 0;
    int space = 0;
    socklen_t length = sizeof size;
    if (getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, &length) == 0) {
        /* An upper bound: SO_SNDBUF includes Linux's own overhead. */
        space = ioctl(descriptor, SIOCOUTQ, &queued) == 0 ? size - queued : size;
        if ((ready & EPOLLHUP) != 0) {
            set_end(event, ready);
        }
    } else {
        space = pipe_space(descriptor);
        if ((ready & (EPOLLHUP | EPOLLERR)) != 0) {
            event->flags |= EV_EOF;
        }
    }
    event->data = space > 0 ? space : 1;
}
