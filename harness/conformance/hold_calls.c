/* Preloaded: holds a thread in the middle of what it does, until the test lets it go on. HOLD names
 * a directory. In it, "held-NAME" appears when a thread is held at NAME, and the FIFO "go-NAME",
 * which the test makes, lets it go on when somebody opens it for writing.
 *   recv     after a recv that brings the text HOLD_RECV
 *   re-arm   after the first EPOLL_CTL_MOD by the thread whose recv has brought the text HOLD_REARM
 *   event    after an epoll_wait that reports something while "hold-event" is there, once; when the
 *            same thread waits again, "again-event" appears
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static _Thread_local bool holds_re_arm, held_event;

static const char *path_of(const char *prefix, const char *name, char path[512])
{
    (void)snprintf(path, 512, "%s/%s%s", getenv("HOLD"), prefix, name);
    return path;
}

static void appear(const char *prefix, const char *name)
{
    char path[512];

    (void)close(open(path_of(prefix, name, path), O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
}

/* open(2) of a FIFO for reading sleeps until somebody opens it for writing. */
static void hold(const char *name)
{
    char path[512];

    appear("held-", name);
    (void)close(open(path_of("go-", name, path), O_RDONLY | O_CLOEXEC));
}

static bool asks_for(const char *variable, const void *bytes, ssize_t size)
{
    const char *text = getenv(variable);

    return text != NULL && size > 0 && memmem(bytes, (size_t)size, text, strlen(text)) != NULL;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
    ssize_t (*real)(int, void *, size_t, int) =
        (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
    ssize_t count = real(fd, bytes, size, flags);

    if (asks_for("HOLD_RECV", bytes, count))
        hold("recv");
    if (asks_for("HOLD_REARM", bytes, count))
        holds_re_arm = true;
    return count;
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    int (*real)(int, int, int, struct epoll_event *) =
        (int (*)(int, int, int, struct epoll_event *))dlsym(RTLD_NEXT, "epoll_ctl");
    int result = real(epoll, operation, fd, event);

    if (holds_re_arm && operation == EPOLL_CTL_MOD) {
        holds_re_arm = false;
        hold("re-arm");
    }
    return result;
}

int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
    static atomic_flag once = ATOMIC_FLAG_INIT;
    int (*real)(int, struct epoll_event *, int, int) =
        (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
    char path[512];

    if (held_event)
        appear("again-", "event");
    int count = real(epoll, events, room, timeout);
    if (count > 0 && access(path_of("hold-", "event", path), F_OK) == 0 &&
        !atomic_flag_test_and_set(&once)) {
        held_event = true;
        hold("event");
    }
    return count;
}
