/* Echo server on kqueue(2): macOS and the BSDs. On Linux a stand-in takes the kernel's place.
 *
 * Try it:  build/kqueue_srv --port 9000 &
 *          printf '\0\0\0\5hello' | nc -N 127.0.0.1 9000 | od -c
 *
 * The kernel keeps a set of filters. A filter is one question about one thing: a descriptor to
 * read, a descriptor to write, a signal, a timer. One call, kevent(2), changes the set and waits.
 *
 * The loop that calls these functions is common/loop.c. A connection's turn is serve(), below or in
 * common/level.c. Compare it with a sibling: make compare A=epoll_lt B=kqueue_srv. The numbers in
 * brackets mark the same places in every server; docs/reading.md goes through them. */
#include "../common/clock.h"
#include "../common/loop.h"
#include "../common/signals.h"
#include "kevent.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIMER = 1 }; /* timers have numbers of their own, apart from descriptors */

struct mux {
    struct stats *stats;
    int fd;
    sigset_t signalled;
    uint64_t timer_ns; /* when the timer will fire, or NEVER */
    struct kevent *events;
    size_t capacity, watched; /* events that fit, descriptors watched */
};

/* One change, made at once. kevent(2) also takes changes along with a wait, which saves calls. But
 * then an error arrives as an event, perhaps after its connection is gone. */
static int change(const struct mux *mux, int ident, kevent_filter filter, unsigned short flags,
                  int64_t value, void *pointer)
{
    struct kevent event;
    /* kevent.h names the types of the fields, in which systems differ. */
    EV_SET(&event, (uintptr_t)ident, filter, flags, 0, value, (kevent_udata)pointer);
    return kevent(mux->fd, &event, 1, NULL, 0, NULL);
}

/* Signals are filters, too, so that one call waits for everything. They stay blocked for good. So
 * no handler runs and interrupts this server anywhere. */
int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = malloc(sizeof *mux);
    sigset_t wanted;

    if (mux == NULL)
        return error_set(error, "malloc", "kqueue", errno);
    *mux = (struct mux){.stats = loop->context.stats, .timer_ns = NEVER};
    (void)sigemptyset(&mux->signalled);
    mux->fd = kqueue();
    if (mux->fd < 0)
        return error_set(error, "kqueue", "", errno);
    signals_set(&wanted);
    for (int number; (number = signals_pop(&wanted)) != 0;)
        if (change(mux, number, EVFILT_SIGNAL, EV_ADD, 0, NULL) < 0)
            return error_set(error, "kevent", "EVFILT_SIGNAL", errno);
    return 0;
}

void mux_close(struct mux *mux)
{
    (void)close(mux->fd);
    free(mux->events);
    free(mux);
}

/* Room for two events a descriptor, four signals and a timer, before one more is watched. What
 * does not fit should come with the next wait, but libkqueue drops it. */
static int make_room(struct mux *mux)
{
    size_t enough = 2 * (mux->watched + 1) + 5;

    if (enough <= mux->capacity)
        return 0;
    struct kevent *events = realloc(mux->events, 2 * enough * sizeof *events);
    if (events == NULL)
        return -1;
    mux->events = events;
    mux->capacity = 2 * enough;
    return 0;
}

/* Reading and writing are two filters, each added and deleted alone. They are not disabled instead:
 * systems differ in what a disabled filter still reports, and in what EV_ADD does to it. */
static int set_interest(const struct mux *mux, struct watch *watch, unsigned before, unsigned wants)
{
    unsigned short read = wants & READABLE ? EV_ADD : EV_DELETE;
    unsigned short write = wants & WRITABLE ? EV_ADD : EV_DELETE;
    /* Each bit that differs is one filter to add or to delete, and one system call. */
    if ((before ^ wants) & READABLE && change(mux, watch->fd, EVFILT_READ, read, 0, watch) < 0)
        return -1;
    return (before ^ wants) & WRITABLE ? change(mux, watch->fd, EVFILT_WRITE, write, 0, watch) : 0;
}

/* [1] Register: once in the life of a connection. The kernel hangs a note (struct knote) onto the
 * socket. What arrives there later activates the note, which carries our pointer back. */
int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    if (make_room(mux) < 0 || set_interest(mux, watch, NOTHING, READABLE) < 0)
        return error_set(error, "kevent", "EV_ADD", errno);
    watch->interest = READABLE;
    mux->watched++;
    return 0;
}

/* A change of interest is one or two system calls, so it is made only when something has changed:
 * when output gets stuck or has left, and when reading pauses or goes on. */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    unsigned before = watch->interest;

    return watch_change(watch, wants, mux->stats) ? set_interest(mux, watch, before, wants) : 0;
}

/* A BSD kernel drops the filters of a descriptor at close(2). There these calls are not needed, and
 * cost a system call for each connection that ends. libkqueue on Linux does not see the close. It
 * would report events of the next owner of the number to this watch, whose memory is free by then
 * (invariant 6). */
void mux_remove(struct mux *mux, struct watch *watch)
{
    mux->watched--;
    (void)set_interest(mux, watch, watch->interest, NOTHING);
    watch->interest = NOTHING;
}

/* [8] Timeouts: a timer is one more filter. It is set only for an earlier deadline: an idle
 * deadline moves on with every byte, and a system call for each byte would double the cost of a
 * message. If it fires too early, the loop finds nothing expired, and sets it again. The kernel may
 * have no memory for a timer, and libkqueue no descriptor. Then the result is a timeout for the
 * wait itself. Otherwise it is NULL. */
static const struct timespec *set_timer(struct mux *mux, uint64_t deadline_ns, uint64_t now_ns,
                                        struct timespec *left)
{
    if (deadline_ns >= mux->timer_ns)
        return NULL;
    if (mux->timer_ns != NEVER) /* NetBSD keeps the old period of a timer that is added again */
        (void)change(mux, TIMER, EVFILT_TIMER, EV_DELETE, 0, NULL);
    int64_t ms = clock_left_ms(deadline_ns, now_ns);
    bool set = change(mux, TIMER, EVFILT_TIMER, EV_ADD | EV_ONESHOT, ms, NULL) == 0;
    mux->timer_ns = set ? deadline_ns : NEVER;
    return set ? NULL : clock_left(deadline_ns, now_ns, left);
}

/* [2] Wait: the kernel takes notes from its list of active ones, asks each filter once more, and
 * copies out an event for each that is true (kqueue(2)). A note without EV_CLEAR then goes back to
 * the list: this makes it level-triggered. The cost follows what is ready, not what is watched.
 * [6] Half-close: EV_EOF comes also while bytes are still unread. It does not mean end of input, so
 * nobody looks at it: a server that closes now loses those bytes. Make the call that the connection
 * wants; its return value says what happened (invariant 3). Test: test_endings.py */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    struct timespec left;
    const struct timespec *timeout = set_timer(mux, deadline_ns, loop->context.now_ns, &left);
    kevent_count room = (kevent_count)mux->capacity;
    int count = loop_woke(loop, kevent(mux->fd, NULL, 0, mux->events, room, timeout));
    for (int i = 0; i < count; i++) {
        const struct kevent *event = &mux->events[i];
        struct watch *watch = (struct watch *)event->udata;
        unsigned ready = event->filter == EVFILT_READ ? READABLE : WRITABLE;
        if (event->filter == EVFILT_SIGNAL) {
            (void)sigaddset(&mux->signalled, (int)event->ident);
        } else if (event->filter == EVFILT_TIMER) {
            mux->timer_ns = NEVER;
        } else if (watch->interest & ready) {
            /* An event of its other filter in this batch may have ended it (invariant 6). */
            watch->ready |= (uint8_t)ready;
            loop_ready(loop, watch);
        }
    }
    return count < 0 ? -1 : 0;
}

/* EVFILT_SIGNAL sees a signal also while it is blocked, and takes nothing from it: it stays pending
 * in the process, which never unblocks it. */
int mux_signal(struct mux *mux)
{
    return signals_pop(&mux->signalled);
}

int main(int argc, char **argv)
{
    static const struct server server = {
        .name = "kqueue_srv", .wait = "kevent", .implementation = KQUEUE_IMPLEMENTATION};

    return loop_main(&server, argc, argv);
}
