/* Preloaded: what nobody can do from outside, right before or right after a server's wait.
 * RAISE_BEFORE=TEXT raises SIGTERM before the first wait that follows a send with TEXT in it.
 * HOLD_AFTER=N:M keeps the first wait that has N events or more to report from returning for
 * another M milliseconds.
 * STOP_BEFORE=TEXT stops the process (SIGSTOP) at each send with TEXT in it.
 * STOP_AT_CLOSE, set to anything, stops it where it closes a listening socket.
 * Over TLS a send has records: the text is looked for in what OpenSSL is given to send.
 */
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#if __has_include(<liburing.h>)
#include <liburing.h>
#endif

static bool is_due;

/* Does this variable of the environment name a text that is in these bytes? */
static bool asks_for(const char *variable, const void *bytes, size_t size)
{
    const char *text = getenv(variable);

    return text != NULL && memmem(bytes, size, text, strlen(text)) != NULL;
}

static void before_wait(void)
{
    static bool raised;

    if (raised || !is_due)
        return;
    raised = true;
    (void)kill(getpid(), SIGTERM); /* to the process: raise(3) would send it to this thread alone */
}

static int after_wait(int count)
{
    static bool held;
    const char *hold = getenv("HOLD_AFTER");
    struct timespec left;
    int least;
    long milliseconds;

    if (held || hold == NULL || sscanf(hold, "%d:%ld", &least, &milliseconds) != 2 || count < least)
        return count;
    held = true;
    left =
        (struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0)
        continue;
    return count;
}

static void note_send(const void *bytes, size_t size)
{
    if (asks_for("RAISE_BEFORE", bytes, size))
        is_due = true;
    if (asks_for("STOP_BEFORE", bytes, size))
        (void)raise(SIGSTOP);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    static ssize_t (*real)(int, const void *, size_t, int);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "send");
    note_send(bytes, size);
    return real(fd, bytes, size, flags);
}

int SSL_write_ex(void *ssl, const void *bytes, size_t size, size_t *written)
{
    static int (*real)(void *, const void *, size_t, size_t *);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "SSL_write_ex");
    note_send(bytes, size);
    return real(ssl, bytes, size, written);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    static int (*real)(struct pollfd *, nfds_t, int);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "poll");
    before_wait();
    return after_wait(real(fds, count, timeout));
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    static int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "ppoll");
    before_wait();
    return after_wait(real(fds, count, timeout, mask));
}

int pselect(int limit, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except,
            const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
    static int (*real)(int, fd_set *restrict, fd_set *restrict, fd_set *restrict,
                       const struct timespec *restrict, const sigset_t *restrict);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pselect");
    before_wait();
    return after_wait(real(limit, in, out, except, timeout, mask));
}

int epoll_wait(int fd, struct epoll_event *events, int room, int timeout)
{
    static int (*real)(int, struct epoll_event *, int, int);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
    before_wait();
    return after_wait(real(fd, events, room, timeout));
}

#if __has_include(<liburing.h>)
/* A send is submitted by the call that waits, so a ring's is both: STOP_BEFORE stops before it. */
int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **first,
                                     unsigned least, struct __kernel_timespec *timeout,
                                     sigset_t *mask)
{
    static int (*real)(struct io_uring *, struct io_uring_cqe **, unsigned,
                       struct __kernel_timespec *, sigset_t *);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit_and_wait_timeout");
    for (unsigned i = *ring->sq.khead; i != ring->sq.sqe_tail; i++) {
        const struct io_uring_sqe *entry = &ring->sq.sqes[i & ring->sq.ring_mask];
        if (entry->opcode == IORING_OP_SEND)
            /* An address is a number there. NOLINTNEXTLINE(performance-no-int-to-ptr) */
            note_send((const void *)(uintptr_t)entry->addr, entry->len);
    }
    before_wait();
    int result = real(ring, first, least, timeout, mask);
    (void)after_wait((int)io_uring_cq_ready(ring));
    return result;
}
#endif

static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t size = sizeof listening;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

int close(int fd)
{
    static int (*real)(int);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "close");
    if (getenv("STOP_AT_CLOSE") != NULL && is_listening(fd))
        (void)raise(SIGSTOP);
    return real(fd);
}
