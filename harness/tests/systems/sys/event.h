/* What <sys/event.h> of other systems has: names, and the types that differ. See types.h. */
#ifndef SYSTEMS_SYS_EVENT_H
#define SYSTEMS_SYS_EVENT_H

#include <stddef.h>
#include <stdint.h>

struct timespec;

#ifdef __NetBSD__
#define EVFILT_READ   0U
#define EVFILT_WRITE  1U
#define EVFILT_SIGNAL 5U
#define EVFILT_TIMER  6U
#define EV_ADD        0x0001U
#define EV_DELETE     0x0002U
#define EV_ONESHOT    0x0010U
#define EV_CLEAR      0x0020U
#define EV_ERROR      0x4000U
#define EV_EOF        0x8000U
#else
#define EVFILT_READ   (-1)
#define EVFILT_WRITE  (-2)
#define EVFILT_SIGNAL (-6)
#define EVFILT_TIMER  (-7)
#define EV_ADD        0x0001
#define EV_DELETE     0x0002
#define EV_ONESHOT    0x0010
#define EV_CLEAR      0x0020
#define EV_ERROR      0x4000
#define EV_EOF        0x8000
#endif

#ifdef __NetBSD__
#if __NetBSD_Version__ < 1000000000
typedef intptr_t other_udata;
#else
typedef void *other_udata;
#endif
typedef size_t other_count;
struct kevent {
    uintptr_t ident;
    uint32_t filter;
    uint32_t flags;
    uint32_t fflags;
    int64_t data;
    other_udata udata;
};
#else
typedef int other_count;
#ifdef __APPLE__
typedef intptr_t other_data;
#else
typedef int64_t other_data;
#endif
struct kevent {
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    other_data data;
    void *udata;
#ifdef __FreeBSD__
    uint64_t ext[4];
#endif
};
#endif

/* Without casts, so that a value of another type is seen. */
#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_)                             \
    do {                                                                                           \
        struct kevent *other_event = (event);                                                      \
        other_event->ident = (ident_);                                                             \
        other_event->filter = (filter_);                                                           \
        other_event->flags = (flags_);                                                             \
        other_event->fflags = (fflags_);                                                           \
        other_event->data = (data_);                                                               \
        other_event->udata = (udata_);                                                             \
    } while (0)

int kqueue(void);
int kevent(int kq, const struct kevent *changes, other_count change_count, struct kevent *events,
           other_count room, const struct timespec *timeout);

#endif
