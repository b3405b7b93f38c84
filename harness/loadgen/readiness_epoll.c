#if defined(__linux__) && !defined(READINESS_KQUEUE)

#include "readiness.h"

#include "../../common/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct readiness {
    int fd;
    int timer;
    uint64_t timer_ns; /* what the timer is set to, or NEVER */
    struct epoll_event events[READINESS_BATCH];
};

struct readiness *readiness_open(struct error *error)
{
    struct readiness *readiness = malloc(sizeof *readiness);

    if (readiness == NULL) {
        (void)error_set(error, "malloc", "", errno);
        return NULL;
    }
    readiness->timer_ns = NEVER;
    readiness->fd = epoll_create1(EPOLL_CLOEXEC);
    readiness->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (readiness->fd < 0 || readiness->timer < 0 ||
        readiness_add(readiness, readiness->timer, readiness) < 0) {
        (void)error_set(error, readiness->fd < 0 ? "epoll_create1" : "timerfd_create", "", errno);
        readiness_close(readiness);
        return NULL;
    }
    return readiness;
}

void readiness_close(struct readiness *readiness)
{
    if (readiness->timer >= 0)
        (void)close(readiness->timer);
    if (readiness->fd >= 0)
        (void)close(readiness->fd);
    free(readiness);
}

int readiness_add(struct readiness *readiness, int fd, void *owner)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = owner};

    return epoll_ctl(readiness->fd, EPOLL_CTL_ADD, fd, &event);
}

/* A timerfd(2) takes nanoseconds, but epoll_wait's own timeout takes milliseconds. Re-arm only for
 * an earlier deadline: a deadline that moves with every wait must not cost a call each time. If it
 * fires too early, one wait ends without an event, and the timer is set again. */
static void set_timer(struct readiness *readiness, uint64_t deadline_ns)
{
    struct itimerspec when = {0};

    if (deadline_ns >= readiness->timer_ns)
        return;
    readiness->timer_ns = deadline_ns;
    when.it_value = clock_point(deadline_ns);
    (void)timerfd_settime(readiness->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static unsigned bits_of(uint32_t events)
{
    unsigned bits = (events & EPOLLIN ? READY_READ : 0U) | (events & EPOLLOUT ? READY_WRITE : 0U);

    if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
        bits |= READY_READ | READY_ENDED;
    return bits;
}

int readiness_wait(struct readiness *readiness, uint64_t deadline_ns,
                   struct ready_event events[READINESS_BATCH])
{
    int timeout_ms = 0;
    int ready = 0;

    if (deadline_ns > 0) {
        set_timer(readiness, deadline_ns);
        timeout_ms = -1;
    }
    int count = epoll_wait(readiness->fd, readiness->events, READINESS_BATCH, timeout_ms);
    if (count < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < count; i++) {
        if (readiness->events[i].data.ptr == readiness)
            readiness->timer_ns = NEVER; /* it has fired; no read needed when edge-triggered */
        else
            events[ready++] = (struct ready_event){readiness->events[i].data.ptr,
                                                   bits_of(readiness->events[i].events)};
    }
    return ready;
}

#else

/* A file without a declaration is not valid C (C17, 6.9). */
extern int readiness_epoll_is_for_linux;

#endif
