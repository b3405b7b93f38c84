/*
 * <sys/event.h> for Linux, so that a program written for native kqueue compiles there. Names and
 * numbers are FreeBSD's. What the emulation does not support is not declared. So a program that
 * needs it fails to compile and does not misbehave. README.md has the list.
 */
#ifndef EMULATION_SYS_EVENT_H
#define EMULATION_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

#define EVFILT_READ   (-1)
#define EVFILT_WRITE  (-2)
#define EVFILT_SIGNAL (-6)
#define EVFILT_TIMER  (-7)
#define EVFILT_USER   (-11)

/* What a change does. */
#define EV_ADD     0x0001
#define EV_DELETE  0x0002
#define EV_ENABLE  0x0004
#define EV_DISABLE 0x0008

/* How the event behaves: fixed when the event is first added. */
#define EV_ONESHOT 0x0010
#define EV_CLEAR   0x0020
#define EV_RECEIPT 0x0040

/* Set by kevent() only. */
#define EV_ERROR 0x4000
#define EV_EOF   0x8000

/* EVFILT_USER: the two top bits say what to do with the 24 low bits, which belong to the user. */
#define NOTE_FFNOP      0x00000000U
#define NOTE_FFAND      0x40000000U
#define NOTE_FFOR       0x80000000U
#define NOTE_FFCOPY     0xc0000000U
#define NOTE_FFCTRLMASK 0xc0000000U
#define NOTE_FFLAGSMASK 0x00ffffffU
#define NOTE_TRIGGER    0x01000000U

/* EVFILT_TIMER: the unit of data. The default is milliseconds. */
#define NOTE_SECONDS  0x00000001U
#define NOTE_MSECONDS 0x00000002U
#define NOTE_USECONDS 0x00000004U
#define NOTE_NSECONDS 0x00000008U

struct kevent {
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    intptr_t data;
    void *udata;
};

/* With the casts, callers can pass an int descriptor or a computed flag word under -Wconversion. */
#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_)                             \
    (*(event) = (struct kevent){.ident = (uintptr_t)(ident_),                                      \
                                .filter = (int16_t)(filter_),                                      \
                                .flags = (uint16_t)(flags_),                                       \
                                .fflags = (uint32_t)(fflags_),                                     \
                                .data = (intptr_t)(data_),                                         \
                                .udata = (udata_)})

/*
 * Makes an event queue. The caller owns the descriptor and closes it with close(2). A queue costs
 * 8 descriptors; the 7 inner ones stay open after close() until the next call of kqueue().
 * Returns -1 with errno EMFILE, ENFILE or ENOMEM. Follows kqueue(2), FreeBSD manual page.
 */
int kqueue(void);

/*
 * Applies nchanges changes, then fetches up to nevents events. It waits at most *timeout (seconds
 * and nanoseconds; NULL: without end; zero: not at all). Both lists stay the caller's and may be
 * the same array. udata is stored and returned, never followed. One kqueue belongs to one thread at
 * a time.
 *
 * Returns the number of events stored; 0 when the time is up or nevents is 0. A change that fails
 * becomes an event with EV_ERROR and an errno in data: EBADF (descriptor not open), ENOENT (nothing
 * there to change), EEXIST (timer there already), EINVAL (filter, flags, time, or other udata
 * without EV_ADD), EPERM (regular file), ENOMEM, ENOSPC. Without room for it, kevent returns -1
 * with that errno, and does not apply later changes. It also returns -1 with EBADF or EINVAL (kq
 * is not an open kqueue), EINVAL (negative length, invalid timeout), and EINTR (a handler ran; the
 * changes stay applied). A timer of more than 2^31 ticks ends the program with abort(3). README.md
 * says in what real kernels differ. Follows kqueue(2), FreeBSD manual page.
 */
int kevent(int kq, const struct kevent *changelist, int nchanges, struct kevent *eventlist,
           int nevents, const struct timespec *timeout);

#endif
