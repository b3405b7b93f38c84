#ifdef __linux__
#include "epoll.h"

#include "../../common/clock.h"
#include "check.h"
#include "kernel.h"
#include "loop_check.h"

#include <errno.h>
#include <string.h>

int epoll_script_ctl(int fd, int operation, int which, const struct epoll_event *event)
{
    struct descriptor *descriptor = kernel_find(which);

    (void)kernel_find(fd);
    if (operation == EPOLL_CTL_DEL) { /* the listener: another process may keep it open */
        CHECK(descriptor->data != NULL, "descriptor %d is not watched", which);
        descriptor->data = NULL;
        descriptor->interest = NOTHING;
        return 0;
    }
    CHECK(operation == EPOLL_CTL_ADD && descriptor->data == NULL, "epoll_ctl %d", operation);
    if (loop_bench.add_fails) {
        errno = ENOSPC;
        return -1;
    }
    descriptor->data = event->data.ptr;
    descriptor->by_edges = event->events & EPOLLET;
    descriptor->interest = READABLE | (event->events & EPOLLOUT ? WRITABLE : NOTHING) |
                           (event->events & EPOLLRDHUP ? HANGUP : NOTHING) |
                           (event->events & EPOLLPRI ? URGENT : NOTHING);
    descriptor->news = true;
    return 0;
}

int epoll_script_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    struct kernel_event ready[DESCRIPTORS];
    int count = kernel_wait(ready, most < DESCRIPTORS ? most : DESCRIPTORS, timeout != 0);

    (void)kernel_find(fd);
    for (int i = 0; i < count; i++) {
        events[i].data.ptr = ready[i].data;
        events[i].events = (ready[i].ready & READABLE ? EPOLLIN : 0U) |
                           (ready[i].ready & WRITABLE ? EPOLLOUT : 0U) |
                           (ready[i].ready & HANGUP ? EPOLLRDHUP : 0U) |
                           (ready[i].ready & URGENT ? EPOLLPRI : 0U);
    }
    return count;
}

int epoll_script_settime(int fd, const struct itimerspec *when)
{
    CHECK(kernel_find(fd)->kind == A_TIMER, "descriptor %d is no timer", fd);
    kernel.timer_ns =
        (uint64_t)when->it_value.tv_sec * NANOSECONDS_A_SECOND + (uint64_t)when->it_value.tv_nsec;
    if (kernel.timer_ns == 0)
        kernel.timer_ns = NEVER;
    kernel_find(fd)->news = true; /* once it is over: one event for each setting */
    return 0;
}

ssize_t epoll_script_read(int fd, void *bytes, size_t size)
{
    struct signalfd_siginfo info = {.ssi_signo = (uint32_t)kernel.signals[0]};
    const uint64_t expirations = 1;

    if (!kernel_readiness(kernel_find(fd))) {
        errno = EAGAIN;
        return -1;
    }
    if (kernel_find(fd)->kind == A_TIMER) {
        CHECK(size == sizeof expirations, "%zu bytes of a timer", size);
        memcpy(bytes, &expirations, size);
        kernel.timer_ns = NEVER;
    } else {
        CHECK(size == sizeof info, "%zu bytes of a signal", size);
        memcpy(bytes, &info, size);
        (void)kernel_take_signal();
    }
    return (ssize_t)size;
}

#else
extern int epoll_script_unused;
#endif
