/* Echo server on kqueue(2), written otherwise than kqueue_srv: both filters of a descriptor are
 * added once, and then enabled and disabled. Time is the timeout of the wait, so there is no timer.
 * Changes are collected and made together, before the wait. */
#include "../common/clock.h"
#include "../common/loop.h"
#include "../common/signals.h"
#include "kevent.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { EVENTS = 512 };

struct mux {
    struct stats *stats;
    int queue;
    sigset_t came;
    size_t count; /* of events that the last wait brought, and that the walk has not looked at */
    struct kevent events[EVENTS];
};

static struct kevent filter(uintptr_t ident, kevent_filter kind, unsigned flags, void *pointer)
{
    struct kevent event;

    EV_SET(&event, ident, kind, (unsigned short)flags, 0, 0, (kevent_udata)pointer);
    return event;
}

/* All of these at once. What cannot be made is reported as the error of the call. */
static int apply(const struct mux *mux, const struct kevent *changes, kevent_count count)
{
    return kevent(mux->queue, changes, count, NULL, 0, NULL);
}

int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = calloc(1, sizeof *mux);
    sigset_t wanted;
    int number;

    if (mux == NULL)
        return error_set(error, "calloc", "kqueue", errno);
    mux->stats = loop->context.stats;
    (void)sigemptyset(&mux->came);
    mux->queue = kqueue();
    if (mux->queue < 0)
        return error_set(error, "kqueue", "", errno);
    signals_set(&wanted);
    while ((number = signals_pop(&wanted)) != 0) {
        struct kevent change = filter((uintptr_t)number, EVFILT_SIGNAL, EV_ADD, NULL);
        if (apply(mux, &change, 1) < 0)
            return error_set(error, "kevent", "EVFILT_SIGNAL", errno);
    }
    return 0;
}

void mux_close(struct mux *mux)
{
    if (mux->queue >= 0)
        (void)close(mux->queue);
    free(mux);
}

int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    uintptr_t ident = (uintptr_t)watch->fd;
    const struct kevent both[] = {
        filter(ident, EVFILT_READ, EV_ADD, watch),
        filter(ident, EVFILT_WRITE, EV_ADD | EV_DISABLE, watch),
    };

    if (watch->of_service ? apply(mux, both, 1) < 0 : apply(mux, both, 2) < 0)
        return error_set(error, "kevent", "EV_ADD", errno);
    watch->interest = READABLE;
    return 0;
}

int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    unsigned differs = watch->interest ^ wants;
    uintptr_t ident = (uintptr_t)watch->fd;
    struct kevent changes[2];
    kevent_count count = 0;

    if (!watch_change(watch, wants, mux->stats))
        return 0;
    if (differs & READABLE)
        changes[count++] =
            filter(ident, EVFILT_READ, wants & READABLE ? EV_ENABLE : EV_DISABLE, watch);
    if (differs & WRITABLE)
        changes[count++] =
            filter(ident, EVFILT_WRITE, wants & WRITABLE ? EV_ENABLE : EV_DISABLE, watch);
    return apply(mux, changes, count);
}

/* Events of this wait that name the watch are forgotten: nobody may look at it any more. */
void mux_remove(struct mux *mux, struct watch *watch)
{
    const kevent_filter kinds[] = {EVFILT_READ, EVFILT_WRITE};

    for (int i = 0; i < (watch->of_service ? 1 : 2); i++) {
        struct kevent change = filter((uintptr_t)watch->fd, kinds[i], EV_DELETE, NULL);
        (void)apply(mux, &change, 1);
    }
    for (size_t i = 0; i < mux->count; i++)
        if ((void *)mux->events[i].udata == watch)
            mux->events[i] = filter(0, EVFILT_TIMER, 0, NULL);
}

int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    struct timespec left;
    int count = loop_woke(loop, kevent(mux->queue, NULL, 0, mux->events, EVENTS,
                                       clock_left(deadline_ns, loop->context.now_ns, &left)));

    mux->count = count > 0 ? (size_t)count : 0;
    for (size_t i = 0; i < mux->count; i++) {
        const struct kevent *event = &mux->events[i];
        struct watch *watch = (struct watch *)event->udata;
        if (event->filter == EVFILT_SIGNAL)
            (void)sigaddset(&mux->came, (int)event->ident);
        if (event->filter != EVFILT_READ && event->filter != EVFILT_WRITE)
            continue;
        unsigned now = event->filter == EVFILT_READ ? READABLE : WRITABLE;
        if ((watch->interest & now) == NOTHING)
            continue; /* its other event has changed that */
        watch->ready |= (uint8_t)now;
        loop_ready(loop, watch);
    }
    mux->count = 0;
    return count < 0 ? -1 : 0;
}

int mux_signal(struct mux *mux)
{
    return signals_pop(&mux->came);
}

int main(int argc, char **argv)
{
    static const struct server server = {
        .name = "kqueue_srv", .wait = "kevent", .implementation = KQUEUE_IMPLEMENTATION};

    return loop_main(&server, argc, argv);
}
