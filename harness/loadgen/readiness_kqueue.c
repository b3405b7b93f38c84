/* On Linux this file is compiled only with -DREADINESS_KQUEUE, against an emulation of kqueue, to
 * check that it behaves like readiness_epoll.c. */
#if !defined(__linux__) || defined(READINESS_KQUEUE)

#include "readiness.h"

#include "../../common/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>

#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

struct readiness {
    int fd;
    struct kevent events[READINESS_BATCH];
};

struct readiness *readiness_open(struct error *error)
{
    struct readiness *readiness = malloc(sizeof *readiness);

    if (readiness == NULL) {
        (void)error_set(error, "malloc", "", errno);
        return NULL;
    }
    readiness->fd = kqueue();
    if (readiness->fd < 0) {
        (void)error_set(error, "kqueue", "", errno);
        free(readiness);
        return NULL;
    }
    return readiness;
}

void readiness_close(struct readiness *readiness)
{
    (void)close(readiness->fd);
    free(readiness);
}

int readiness_add(struct readiness *readiness, int fd, void *owner)
{
    struct kevent changes[2];
    /* An integer on NetBSD before 10. */
    __typeof__(changes[0].udata) udata = (__typeof__(udata))owner;

    EV_SET(&changes[0], (uintptr_t)fd, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, udata);
    EV_SET(&changes[1], (uintptr_t)fd, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0, udata);
    return kevent(readiness->fd, changes, 2, NULL, 0, NULL);
}

static unsigned bits_of(const struct kevent *event)
{
    unsigned bits = event->filter == EVFILT_WRITE ? READY_WRITE : READY_READ;

    if (event->flags & (EV_EOF | EV_ERROR))
        bits |= READY_READ | READY_ENDED;
    return bits;
}

int readiness_wait(struct readiness *readiness, uint64_t deadline_ns,
                   struct ready_event events[READINESS_BATCH])
{
    struct timespec left = {0, 0};
    const struct timespec *timeout = &left;

    if (deadline_ns > 0)
        timeout = clock_left(deadline_ns, clock_now(), &left);
    int count = kevent(readiness->fd, NULL, 0, readiness->events, READINESS_BATCH, timeout);
    if (count < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < count; i++)
        events[i] = (struct ready_event){(void *)readiness->events[i].udata,
                                         bits_of(&readiness->events[i])};
    return count;
}

#else

/* A file without a declaration is not valid C (C17, 6.9). */
extern int readiness_kqueue_is_for_others;

#endif
