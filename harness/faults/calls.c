/* The system calls. Each of them fails without having done anything. The exception is close, which
 * gives the descriptor back whatever it returns (close(2), "Dealing with error returns"). */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

struct itimerspec;
struct pollfd;
struct stat;

enum { REGISTERED = 4096, VARIABLES = 1000 };

/* How a descriptor is registered with epoll. After an injected EAGAIN the kernel owes it an
 * edge. */
static struct {
    int set;
    struct epoll_event event;
} registered[REGISTERED];

static void remember(int set, int operation, int fd, const struct epoll_event *event)
{
    if (fd < 0 || fd >= REGISTERED || operation == EPOLL_CTL_DEL)
        return;
    registered[fd].set = set;
    registered[fd].event = *event;
}

int __real_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);

/* A kernel that returns EAGAIN, or moves one byte, reports an edge when there is more. Here it has
 * already reported the edge for the data that is really there. So this makes the kernel look
 * again. */
static void owe_edge(int fd)
{
    int saved = errno;

    if (fd >= 0 && fd < REGISTERED && (registered[fd].event.events & EPOLLET))
        (void)__real_epoll_ctl(registered[fd].set, EPOLL_CTL_MOD, fd, &registered[fd].event);
    errno = saved;
}

static int fail_at(const struct fault *fault, int fd)
{
    if (fault->number == EAGAIN)
        owe_edge(fd);
    return fault_fail(fault);
}

WRAP(ssize_t, recv, int fd, void *bytes, size_t size, int flags)
{
    struct fault fault = FAULT_OF("recv");

    if (fault.fails)
        return fail_at(&fault, fd);
    ssize_t count = __real_recv(fd, bytes, fault.is_short && size > 0 ? 1 : size, flags);
    if (fault.is_short)
        owe_edge(fd);
    return count;
}

/* A kernel that returns EPIPE has sent SIGPIPE (send(2), MSG_NOSIGNAL). */
WRAP(ssize_t, send, int fd, const void *bytes, size_t size, int flags)
{
    struct fault fault = FAULT_OF("send");

    if (fault.fails && fault.number == EPIPE && !(flags & MSG_NOSIGNAL))
        (void)raise(SIGPIPE);
    if (fault.fails)
        return fail_at(&fault, fd);
    ssize_t count = __real_send(fd, bytes, fault.is_short && size > 0 ? 1 : size, flags);
    if (fault.is_short)
        owe_edge(fd);
    return count;
}

/* SIGPIPE as with send: no flag can prevent it here. */
WRAP(ssize_t, sendfile, int to, int from, off_t *at, size_t size)
{
    struct fault fault = FAULT_OF("sendfile");

    if (fault.fails && fault.number == EPIPE)
        (void)raise(SIGPIPE);
    if (fault.fails)
        return fail_at(&fault, to);
    return __real_sendfile(to, from, at, fault.is_short && size > 0 ? 1 : size);
}

WRAP(ssize_t, read, int fd, void *bytes, size_t size)
{
    struct fault fault = FAULT_OF("read");

    return fault.fails ? fail_at(&fault, fd) : __real_read(fd, bytes, size);
}

WRAP(ssize_t, write, int fd, const void *bytes, size_t size)
{
    struct fault fault = FAULT_OF("write");

    return fault.fails ? fail_at(&fault, fd) : __real_write(fd, bytes, size);
}

WRAP(int, accept, int fd, struct sockaddr *restrict address, socklen_t *restrict size)
{
    struct fault fault = FAULT_OF("accept");

    return fault.fails ? fail_at(&fault, fd)
                       : ledger_take_descriptor(__real_accept(fd, address, size), fault.path);
}

WRAP(int, accept4, int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    struct fault fault = FAULT_OF("accept4");

    return fault.fails
               ? fail_at(&fault, fd)
               : ledger_take_descriptor(__real_accept4(fd, address, size, flags), fault.path);
}

WRAP(int, close, int fd)
{
    struct fault fault = FAULT_OF("close");

    ledger_give_descriptor(fd);
    int result = __real_close(fd);
    return fault.fails ? fault_fail(&fault) : result;
}

WRAP(int, shutdown, int fd, int how)
{
    struct fault fault = FAULT_OF("shutdown");

    return fault.fails ? fault_fail(&fault) : __real_shutdown(fd, how);
}

WRAP(int, socket, int domain, int type, int protocol)
{
    struct fault fault = FAULT_OF("socket");

    return fault.fails ? fault_fail(&fault)
                       : ledger_take_descriptor(__real_socket(domain, type, protocol), fault.path);
}

WRAP(int, bind, int fd, const struct sockaddr *address, socklen_t size)
{
    struct fault fault = FAULT_OF("bind");

    return fault.fails ? fault_fail(&fault) : __real_bind(fd, address, size);
}

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t size);

/* Accepted sockets inherit the size of the send buffer. */
WRAP(int, listen, int fd, int backlog)
{
    struct fault fault = FAULT_OF("listen");
    const char *text = getenv("FAULT_SEND_BUFFER");

    if (fault.fails)
        return fault_fail(&fault);
    if (text != NULL) {
        int bytes = (int)strtol(text, NULL, 10);
        (void)__real_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    }
    return __real_listen(fd, backlog);
}

WRAP(int, setsockopt, int fd, int level, int name, const void *value, socklen_t size)
{
    struct fault fault = FAULT_OF("setsockopt");

    return fault.fails ? fault_fail(&fault) : __real_setsockopt(fd, level, name, value, size);
}

WRAP(int, getsockopt, int fd, int level, int name, void *restrict value, socklen_t *restrict size)
{
    struct fault fault = FAULT_OF("getsockopt");

    return fault.fails ? fault_fail(&fault) : __real_getsockopt(fd, level, name, value, size);
}

WRAP(int, getsockname, int fd, struct sockaddr *restrict address, socklen_t *restrict size)
{
    struct fault fault = FAULT_OF("getsockname");

    return fault.fails ? fault_fail(&fault) : __real_getsockname(fd, address, size);
}

WRAP(int, getpeername, int fd, struct sockaddr *restrict address, socklen_t *restrict size)
{
    struct fault fault = FAULT_OF("getpeername");

    return fault.fails ? fault_fail(&fault) : __real_getpeername(fd, address, size);
}

/* The optional argument of these three functions is an int, a pointer or missing. One long carries
 * each of them. */
static long argument_of(va_list arguments)
{
    return va_arg(arguments, long);
}

WRAP(int, open, const char *path, int flags, ...)
{
    struct fault fault = FAULT_OF("open");
    va_list arguments;

    va_start(arguments, flags);
    long mode = flags & (O_CREAT | O_TMPFILE) ? argument_of(arguments) : 0;
    va_end(arguments);
    return fault.fails ? fault_fail(&fault)
                       : ledger_take_descriptor(__real_open(path, flags, mode), fault.path);
}

WRAP(int, openat, int at, const char *path, int flags)
{
    struct fault fault = FAULT_OF("openat");

    return fault.fails ? fault_fail(&fault)
                       : ledger_take_descriptor(__real_openat(at, path, flags), fault.path);
}

/* The servers make only one call in this way: glibc has no function for openat2. */
WRAP(long, syscall, long number, int at, const char *path, const void *how, size_t size)
{
    struct fault fault = FAULT_OF("openat2");

    if (fault.fails)
        return fault_fail(&fault);
    long fd = __real_syscall(number, at, path, how, size);
    return ledger_take_descriptor((int)fd, fault.path);
}

WRAP(int, fstat, int fd, struct stat *status)
{
    struct fault fault = FAULT_OF("fstat");

    return fault.fails ? fault_fail(&fault) : __real_fstat(fd, status);
}

WRAP(int, fcntl, int fd, int command, ...)
{
    struct fault fault = FAULT_OF("fcntl");
    va_list arguments;

    va_start(arguments, command);
    long argument = argument_of(arguments);
    va_end(arguments);
    if (fault.fails)
        return fault_fail(&fault);
    int result = __real_fcntl(fd, command, argument);
    bool copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
    return copies ? ledger_take_descriptor(result, fault.path) : result;
}

WRAP(int, ioctl, int fd, unsigned long request, ...)
{
    struct fault fault = FAULT_OF("ioctl");
    va_list arguments;

    va_start(arguments, request);
    long argument = argument_of(arguments);
    va_end(arguments);
    return fault.fails ? fault_fail(&fault) : __real_ioctl(fd, request, argument);
}

WRAP(int, pipe, int ends[2])
{
    struct fault fault = FAULT_OF("pipe");

    if (fault.fails)
        return fault_fail(&fault);
    int result = __real_pipe(ends);
    for (int end = 0; result == 0 && end < 2; end++)
        (void)ledger_take_descriptor(ends[end], fault.path);
    return result;
}

WRAP(int, dup2, int from, int to)
{
    struct fault fault = FAULT_OF("dup2");

    return fault.fails ? fault_fail(&fault) : __real_dup2(from, to);
}

WRAP(int, access, const char *path, int mode)
{
    struct fault fault = FAULT_OF("access");

    return fault.fails ? fault_fail(&fault) : __real_access(path, mode);
}

WRAP(pid_t, fork, void)
{
    struct fault fault = FAULT_OF("fork");

    return fault.fails ? fault_fail(&fault) : __real_fork();
}

WRAP(pid_t, waitpid, pid_t pid, int *status, int options)
{
    struct fault fault = FAULT_OF("waitpid");

    return fault.fails ? fault_fail(&fault) : __real_waitpid(pid, status, options);
}

/* The new program is a server with the injector, too. In that one nothing fails, and it writes no
 * report: ours has the same name. */
WRAP(int, execve, const char *path, char *const arguments[], char *const environment[])
{
    struct fault fault = FAULT_OF("execve");
    char *kept[VARIABLES + 1];
    size_t count = 0;

    if (fault.fails)
        return fault_fail(&fault);
    for (; *environment != NULL && count < VARIABLES; environment++)
        if (strncmp(*environment, "FAULT=", 6) != 0 &&
            strncmp(*environment, "FAULT_REPORT=", 13) != 0)
            kept[count++] = *environment;
    kept[count] = NULL;
    return __real_execve(path, arguments, kept);
}

WRAP(int, pipe2, int ends[2], int flags)
{
    struct fault fault = FAULT_OF("pipe2");
    int result = fault.fails ? fault_fail(&fault) : __real_pipe2(ends, flags);

    for (int end = 0; end < 2 && result == 0; end++)
        (void)ledger_take_descriptor(ends[end], fault.path);
    return result;
}

WRAP(int, getrlimit, int resource, struct rlimit *limit)
{
    struct fault fault = FAULT_OF("getrlimit");

    return fault.fails ? fault_fail(&fault) : __real_getrlimit(resource, limit);
}

WRAP(int, setrlimit, int resource, const struct rlimit *limit)
{
    struct fault fault = FAULT_OF("setrlimit");

    return fault.fails ? fault_fail(&fault) : __real_setrlimit(resource, limit);
}

WRAP(int, sigaction, int number, const struct sigaction *action, struct sigaction *before)
{
    struct fault fault = FAULT_OF("sigaction");

    return fault.fails ? fault_fail(&fault) : __real_sigaction(number, action, before);
}

WRAP(int, sigprocmask, int how, const sigset_t *set, sigset_t *before)
{
    struct fault fault = FAULT_OF("sigprocmask");

    return fault.fails ? fault_fail(&fault) : __real_sigprocmask(how, set, before);
}

/* It returns its error, and does not set errno. */
WRAP(int, pthread_sigmask, int how, const sigset_t *set, sigset_t *before)
{
    struct fault fault = FAULT_OF("pthread_sigmask");

    return fault.fails ? fault.number : __real_pthread_sigmask(how, set, before);
}

/* It returns its error, as the above. */
WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes,
     void *(*begin)(void *), void *argument)
{
    struct fault fault = FAULT_OF("pthread_create");

    return fault.fails ? fault.number : __real_pthread_create(thread, attributes, begin, argument);
}

WRAP(int, pselect, int limit, fd_set *read, fd_set *write, fd_set *except,
     const struct timespec *timeout, const sigset_t *mask)
{
    struct fault fault = FAULT_OF("pselect");

    return fault.fails ? fault_fail(&fault)
                       : __real_pselect(limit, read, write, except, timeout, mask);
}

WRAP(int, ppoll, struct pollfd *fds, unsigned long count, const struct timespec *timeout,
     const sigset_t *mask)
{
    struct fault fault = FAULT_OF("ppoll");

    return fault.fails ? fault_fail(&fault) : __real_ppoll(fds, count, timeout, mask);
}

WRAP(int, poll, struct pollfd *fds, unsigned long count, int milliseconds)
{
    struct fault fault = FAULT_OF("poll");

    return fault.fails ? fault_fail(&fault) : __real_poll(fds, count, milliseconds);
}

WRAP(int, epoll_create1, int flags)
{
    struct fault fault = FAULT_OF("epoll_create1");

    return fault.fails ? fault_fail(&fault)
                       : ledger_take_descriptor(__real_epoll_create1(flags), fault.path);
}

WRAP(int, epoll_ctl, int set, int operation, int fd, struct epoll_event *event)
{
    static const char *const names[] = {
        [EPOLL_CTL_ADD] = "epoll_ctl_add",
        [EPOLL_CTL_MOD] = "epoll_ctl_mod",
        [EPOLL_CTL_DEL] = "epoll_ctl_del",
    };
    struct fault fault = FAULT_OF(names[operation]);

    if (fault.fails)
        return fault_fail(&fault);
    remember(set, operation, fd, event);
    return __real_epoll_ctl(set, operation, fd, event);
}

WRAP(int, epoll_wait, int set, struct epoll_event *events, int room, int milliseconds)
{
    struct fault fault = FAULT_OF("epoll_wait");

    return fault.fails ? fault_fail(&fault) : __real_epoll_wait(set, events, room, milliseconds);
}

WRAP(int, epoll_pwait2, int set, struct epoll_event *events, int room,
     const struct timespec *timeout, const sigset_t *mask)
{
    struct fault fault = FAULT_OF("epoll_pwait2");

    return fault.fails ? fault_fail(&fault) : __real_epoll_pwait2(set, events, room, timeout, mask);
}

WRAP(int, timerfd_create, int clock, int flags)
{
    struct fault fault = FAULT_OF("timerfd_create");

    return fault.fails ? fault_fail(&fault)
                       : ledger_take_descriptor(__real_timerfd_create(clock, flags), fault.path);
}

WRAP(int, timerfd_settime, int fd, int flags, const struct itimerspec *when,
     struct itimerspec *before)
{
    struct fault fault = FAULT_OF("timerfd_settime");

    return fault.fails ? fault_fail(&fault) : __real_timerfd_settime(fd, flags, when, before);
}

/* It makes a descriptor only when fd is -1. */
WRAP(int, signalfd, int fd, const sigset_t *set, int flags)
{
    struct fault fault = FAULT_OF(fd < 0 ? "signalfd" : "signalfd_change");

    if (fault.fails)
        return fault_fail(&fault);
    int result = __real_signalfd(fd, set, flags);
    return fd < 0 ? ledger_take_descriptor(result, fault.path) : result;
}

WRAP(int, eventfd, unsigned value, int flags)
{
    struct fault fault = FAULT_OF("eventfd");

    return fault.fails ? fault_fail(&fault)
                       : ledger_take_descriptor(__real_eventfd(value, flags), fault.path);
}
