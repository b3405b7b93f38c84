/* Echo server with several loops: epoll(7), level-triggered, a thread for each loop.
 *
 * Try it:  build/epoll_loops --port 9000 --loops 4 --listen reuseport &
 *          printf '\0\0\0\5hello' | nc -N 127.0.0.1 9000 | od -c
 *
 * Each loop is common/loop.c as epoll_lt runs it, with an epoll instance and connections of its
 * own. So this file is that of epoll_lt, and differs where several loops meet: at the listener, at
 * what they share (team.h), and where signals come from. team.c has the threads.
 * Compare them: make compare A=epoll_lt B=epoll_loops. The numbers in brackets mark the same places
 * in every server; docs/reading.md goes through them. */
#include "../../common/clock.h"
#include "team.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* How many events one wait can report. What does not fit comes with the next wait. */
enum { EVENTS_A_WAIT = 256 };

/* Between mux_open() and mux_close() only the thread of this loop touches its mux. What team points
 * to is shared by all. */
struct mux {
    struct loop *loop;
    struct team *team;
    int fd;
    int reported;               /* by the last wait */
    bool closed;                /* a connection has ended since the last wait */
    bool may_refuse;            /* this loop has taken team->spare_used_ns for this turn */
    struct own_descriptors own; /* time; and, where other servers have signals, the letters */
    struct epoll_event events[EVENTS_A_WAIT];
};

/* [6] Half-close: EPOLLHUP and EPOLLERR come unasked, even with an empty interest. They do not mean
 * end of input: bytes that the peer sent before it may still wait in the socket. Make the call that
 * the connection wants; its return value says what happened (invariant 3). Test: test_endings.py */
static unsigned readiness_of(uint32_t events)
{
    unsigned ready = events & (EPOLLHUP | EPOLLERR) ? READABLE | WRITABLE : NOTHING;

    return ready | (events & EPOLLIN ? READABLE : 0U) | (events & EPOLLOUT ? WRITABLE : 0U);
}

/* Two watches of the mux stand for no connection, and are told by their address: the listener, and
 * what own_has() knows. */
static bool is_listener(const struct mux *mux, const struct watch *watch)
{
    return watch == &mux->loop->service.listener.watch;
}

/* A signalfd in each loop would be wrong: the kernel gives a signal to the one loop that reads it
 * first, and the others never hear of it. So the main thread takes the signals, and tells every
 * loop by a letter. Test: beyond/epoll_loops/tests/ */
int mux_open(struct loop *loop, struct error *error)
{
    struct member *member = member_of(loop);
    struct mux *mux = loop->mux = malloc(sizeof *mux);

    if (mux == NULL)
        return error_set(error, "malloc", "epoll", errno);
    *mux = (struct mux){.loop = loop, .team = member->team, .fd = -1};
    mux->own = (struct own_descriptors){.signals.fd = member->inbox, .timer_ns = NEVER};
    mux->own.timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (mux->own.timer.fd < 0)
        return error_set(error, "timerfd_create", "", errno);
    if ((mux->fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return error_set(error, "epoll_create1", "", errno);
    return mux_add(mux, &mux->own.signals, error) < 0 ? -1 : mux_add(mux, &mux->own.timer, error);
}

/* Called by the main thread, when the threads of all loops have ended. */
void mux_close(struct mux *mux)
{
    mux->own.signals.fd = -1; /* the inbox is the member's */
    own_close(&mux->own);
    if (mux->fd >= 0)
        (void)close(mux->fd);
    free(mux);
}

/* EPOLLEXCLUSIVE: of the loops that sleep, the kernel wakes one for a new peer and not all. It asks
 * them in the order in which they began to watch, so a loop that has nothing else to do gets all
 * peers. Only ADD may have this bit. MOD with it is EINVAL. */
static int watch_for(struct mux *mux, struct watch *watch, int operation, unsigned wants)
{
    struct epoll_event event = {.data.ptr = watch};

    event.events = (wants & READABLE ? EPOLLIN : 0U) | (wants & WRITABLE ? EPOLLOUT : 0U);
    if (chosen.listen == LISTEN_EXCLUSIVE && is_listener(mux, watch))
        event.events |= EPOLLEXCLUSIVE;
    return epoll_ctl(mux->fd, operation, watch->fd, &event);
}

/* [1] Register: one system call in the life of a connection. It never moves to another loop, so no
 * other thread ever touches it. To move it would need EPOLL_CTL_DEL here and ADD there, and a lock
 * around whatever both loops look at.
 * --max-conns counts the connections of all loops. With --listen handed the main thread has counted
 * this one already, and there is no listener to watch. */
int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    bool counts =
        !own_has(&mux->own, watch) && !is_listener(mux, watch) && chosen.listen != LISTEN_HANDED;

    if (watch->fd < 0)
        return 0;
    if (counts && !team_reserve(mux->team)) {
        *error = (struct error){"--max-conns reached"};
        return -1;
    }
    if (watch_for(mux, watch, EPOLL_CTL_ADD, READABLE) < 0) {
        int number = errno;
        if (counts)
            team_release(mux->team);
        return error_set(error, "epoll_ctl", "EPOLL_CTL_ADD", number);
    }
    watch->interest = READABLE;
    return 0;
}

/* The listener changes when it begins or ends a rest. The kernel refuses to modify an entry with
 * EPOLLEXCLUSIVE (EINVAL, epoll_ctl(2)), so it is taken out and put back in. MOD needs no memory,
 * ADD does. Where there is none (ENOMEM, ENOSPC), the listener rests for another second.
 * It does not rest if another loop has closed a descriptor since before_accepting(): that loop did
 * not know of the rest, and rings nobody. */
static int update_listener(struct mux *mux, struct watch *watch, unsigned wants)
{
    struct listener *listener = &mux->loop->service.listener;
    bool is_exclusive = chosen.listen == LISTEN_EXCLUSIVE;

    if (mux->may_refuse)
        atomic_store(&mux->team->spare_used_ns, listener->spare_used_ns);
    mux->may_refuse = false;
    if (watch->fd < 0 || watch->interest == wants)
        return 0;
    if (is_exclusive && wants != NOTHING && watch_for(mux, watch, EPOLL_CTL_ADD, wants) < 0) {
        listener_rest(listener);
        return 0;
    }
    if (!member_rests(member_of(mux->loop), wants == NOTHING))
        return 0;
    (void)watch_change(watch, wants, mux->loop->context.stats);
    if (!is_exclusive)
        return watch_for(mux, watch, EPOLL_CTL_MOD, wants);
    return wants == NOTHING ? epoll_ctl(mux->fd, EPOLL_CTL_DEL, watch->fd, NULL) : 0;
}

/* A change of interest is a system call, so it is made only when something has changed: when output
 * gets stuck or has left, and when reading pauses or goes on. In the common case that is never. No
 * lock is taken here but the kernel's own for this set, which nobody else uses. */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if (is_listener(mux, watch))
        return update_listener(mux, watch, wants);
    if (!watch_change(watch, wants, mux->loop->context.stats))
        return 0;
    return watch_for(mux, watch, EPOLL_CTL_MOD, wants);
}

/* A connection: close(2) takes it out of the set, unless its descriptor has a twin in a child that
 * is about to become another program (handover.c). The listener has to be taken out while its
 * number is open: the other loops have numbers for the same open file, so close(2) does not take it
 * out. It would be reported for ever, and nobody could take it out any more: EPOLL_CTL_DEL needs
 * the number (epoll(7)). Nothing is lost if it fails. */
void mux_remove(struct mux *mux, struct watch *watch)
{
    if (!is_listener(mux, watch)) {
        if (atomic_load(&mux->team->copying))
            (void)epoll_ctl(mux->fd, EPOLL_CTL_DEL, watch->fd, NULL);
        team_release(mux->team);
        mux->closed = true;
    } else if (watch->fd >= 0) {
        (void)epoll_ctl(mux->fd, EPOLL_CTL_DEL, watch->fd, NULL);
        if (watch->interest == NOTHING)
            team_ends_rest(mux->team);
    }
}

/* At most one peer a second is refused for want of descriptors, by all loops together. The time of
 * the last refusal is one number. A loop takes it before it accepts, and gives it back after that.
 * Who finds it taken may accept, but not refuse. Who has lost the spare leaves it to the others:
 * between close(2) and accept(2) another loop may take the slot.
 * What other loops have closed is looked at first: see update_listener(). */
static void before_accepting(struct mux *mux, struct listener *listener)
{
    team_look_for_free(mux->team, &member_of(mux->loop)->freed_seen, listener);
    if (listener->spare < 0)
        return;
    listener->spare_used_ns = atomic_exchange(&mux->team->spare_used_ns, NEVER);
    mux->may_refuse = listener->spare_used_ns != NEVER;
}

/* [2] Wait: each loop waits on a set of its own. What it reports concerns this loop alone, but for
 * a shared listener: every loop that watches it wakes up, and all but one find no peer. That is the
 * herd; --listen says how it is avoided.
 * [8] Timeouts: a timer descriptor counts nanoseconds, and costs a call only when a deadline comes
 * nearer. */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    if (mux->closed) /* and by now the loop has closed its descriptor */
        team_freed(mux->team);
    mux->closed = false;
    member_obeys(member_of(loop));
    if (own_timer_set(&mux->own, deadline_ns) < 0)
        return -1;
    mux->reported = loop_woke(loop, epoll_wait(mux->fd, mux->events, EVENTS_A_WAIT, -1));
    for (int i = 0; i < mux->reported; i++) {
        struct watch *watch = mux->events[i].data.ptr;
        watch->ready |= (uint8_t)readiness_of(mux->events[i].events);
        if (!own_has(&mux->own, watch))
            loop_ready(loop, watch);
    }
    if (loop->peers_wait)
        before_accepting(mux, &loop->service.listener);
    return mux->reported < 0 ? -1 : 0;
}

/* A stop that the main thread has heard of. It is told to every loop, and each loop takes it for
 * itself: SIGTERM twice means twice in each of them. The inbox counts as ready until all stops are
 * taken, as no further letter announces the second one. */
int mux_signal(struct mux *mux)
{
    if (mux->own.signals.ready == NOTHING)
        return 0;
    if (member_reads(member_of(mux->loop), mux->reported == 1))
        return SIGTERM;
    mux->own.signals.ready = NOTHING;
    return 0;
}

/* The options of this program stand in options.c, the threads in team.c. */
int main(int argc, char **argv)
{
    static const struct server server = {
        .name = "epoll_loops", .wait = "epoll", .options = &chosen_part};

    return team_main(&server, argc, argv);
}
