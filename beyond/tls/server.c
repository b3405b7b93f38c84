/* Echo server over TLS, on epoll(7) and OpenSSL 3.
 *
 * Try it:  build/tls --cert cert.pem --key key.pem --port 9000 &
 *          printf '\0\0\0\5hello' |
 *              timeout 2 openssl s_client -quiet -connect 127.0.0.1:9000 | od -c
 *
 * What is different from epoll_lt and epoll_et is what TLS makes of readiness: the kernel reports
 * records, and the loop wants frames. A call may wait for the other direction (session.c), and
 * bytes may have come that the kernel does not know of any more (the queue here). --trigger says
 * how epoll reports; the rest of this file is the same for both.
 *
 * The loop that calls these functions is common/loop.c. A connection's turn is serve(), in turn.c.
 * Compare it with a sibling: make compare A=epoll_et B=tls. The numbers in brackets mark the same
 * places in every server; docs/reading.md goes through them. */
#include "../../common/loop.h"
#include "../../common/own_descriptors.h"
#include "../../common/transport.h"

#include "certificates.h"
#include "handshakes.h"
#include "session.h"
#include "tls_options.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* How many events one wait can report. What does not fit comes with the next wait: the kernel takes
 * entries from the head of its list and adds them at the tail, so nobody is forgotten. */
enum { EVENTS_A_WAIT = 256 };

struct mux {
    struct loop *loop;
    int fd;
    struct own_descriptors own; /* signals and time */
    struct certificates certificates;
    struct session_queue handshakes;
    struct watch_queue again; /* Work is left here, but epoll will not report it. */
    int queued;               /* how many watches stand in it */
    struct epoll_event events[EVENTS_A_WAIT];
};

/* Only a connection has a session behind it. */
static bool is_connection(const struct mux *mux, const struct watch *watch)
{
    return !own_has(&mux->own, watch) && watch != &mux->certificates.hangups && !watch->of_service;
}

/* [6] Half-close: EPOLLHUP and EPOLLERR come unasked, even with an empty interest. They do not mean
 * end of input: bytes that the peer sent before it may still wait in the socket, and a server that
 * closes now loses them. TLS makes it more: only close_notify is an end that nobody can forge, and
 * it is among those bytes (invariant 3). Test: test_tls.py */
static unsigned epoll_readiness(uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
        return READABLE | WRITABLE | READ_ON;
    return (events & EPOLLIN ? READABLE : NOTHING) | (events & EPOLLOUT ? WRITABLE : NOTHING);
}

/* Signals and time become descriptors, so that one call waits for everything. SIGHUP is one more:
 * it makes the server read its certificate again. Everything that can fail fails here, before the
 * line that says that the server listens. */
int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = malloc(sizeof *mux);

    if (mux == NULL)
        return error_set(error, "malloc", "epoll", errno);
    *mux = (struct mux){.loop = loop, .fd = -1, .certificates.hangups.fd = -1};
    TAILQ_INIT(&mux->again);
    TAILQ_INIT(&mux->handshakes);
    if (own_open(&mux->own, error) < 0 || certificates_open(&mux->certificates, error) < 0)
        return -1;
    mux->fd = epoll_create1(EPOLL_CLOEXEC);
    if (mux->fd < 0)
        return error_set(error, "epoll_create1", "", errno);
    if (mux_add(mux, &mux->own.signals, error) < 0 || mux_add(mux, &mux->own.timer, error) < 0)
        return -1;
    return mux_add(mux, &mux->certificates.hangups, error);
}

/* Sessions outlive this: the loop frees them with their connections. */
void mux_close(struct mux *mux)
{
    if (mux->fd >= 0)
        (void)close(mux->fd);
    own_close(&mux->own);
    certificates_close(&mux->certificates);
    free(mux);
}

/* [1] Register: one system call in the life of a connection, and its handshake's time begins. The
 * session itself begins with the peer's first byte. Edge-triggered, all events are asked for at
 * once, and interest never changes. Level-triggered, EPOLLOUT would be reported for ever. The
 * descriptors for signals and time are level-triggered in either case: each is read once a
 * wake-up, and what is left in it must be reported again. */
int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

    watch->interest = READABLE;
    if (tls_options.trigger == TRIGGER_EDGE && !own_has(&mux->own, watch) &&
        watch != &mux->certificates.hangups) {
        event.events |= EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
        watch->interest = READABLE | WRITABLE;
    }
    if (epoll_ctl(mux->fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return error_set(error, "epoll_ctl", "EPOLL_CTL_ADD", errno);
    if (is_connection(mux, watch))
        handshakes_add(&mux->handshakes, session_of(connection_of(watch)));
    return 0;
}

/* Queues a watch that has work left, of which no event will tell: OpenSSL holds bytes that have
 * come already, in a record that it has decrypted a part of, or in records behind it. The kernel's
 * buffer is empty, so that epoll has nothing to report, not even level-triggered: a server that
 * just waits here waits for ever, and only with messages of some sizes.
 * Or, edge-triggered, the event for what is wanted now was delivered before the budget of a turn
 * ran out, or while reading was paused (invariant 5). Test: test_tls.py */
static void queue_again(struct mux *mux, struct watch *watch, bool work)
{
    if (!work || watch->queued)
        return;
    TAILQ_INSERT_TAIL(&mux->again, watch, turn);
    watch->queued = true;
    mux->queued++;
}

/* It is taken out before its turn, since the turn may queue it again. */
static void unqueue(struct mux *mux, struct watch *watch)
{
    TAILQ_REMOVE(&mux->again, watch, turn);
    watch->queued = false;
    mux->queued--;
}

/* wants is what the connection wants. What that waits for is the session's to say: SSL_read may
 * wait for room to send, for instance. Level-triggered, a change of interest is a system call, so
 * it is made only when something has changed. Edge-triggered, nothing changes. */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    bool edge = tls_options.trigger == TRIGGER_EDGE, work = false;

    if (is_connection(mux, watch)) {
        struct connection *connection = connection_of(watch);
        struct session *session = session_of(connection);
        if (session->shaken || connection->state != CONNECTION_OPEN) /* drain-timeout has begun */
            handshakes_remove(&mux->handshakes, session);
        work = session_has_bytes(session, wants);
        wants = session_interest(session, wants);
    }
    queue_again(mux, watch, work || (edge && (watch->ready & wants)));
    if (edge || !watch_change(watch, wants, mux->loop->context.stats))
        return 0;
    struct epoll_event event = {.data.ptr = watch};
    event.events = (wants & READABLE ? EPOLLIN : 0U) | (wants & WRITABLE ? EPOLLOUT : 0U);
    return epoll_ctl(mux->fd, EPOLL_CTL_MOD, watch->fd, &event);
}

/* close(2) takes a connection out of the set, but not a listener that another process has open,
 * too: epoll_lt says more.
 * A connection that ended in an orderly way has sent close_notify. This is for one that is closed
 * at once, because it was idle: its peer gets close_notify if the kernel has room for it. */
void mux_remove(struct mux *mux, struct watch *watch)
{
    if (watch->of_service)
        (void)epoll_ctl(mux->fd, EPOLL_CTL_DEL, watch->fd, NULL);
    if (watch->queued)
        unqueue(mux, watch);
    if (!is_connection(mux, watch))
        return;
    handshakes_remove(&mux->handshakes, session_of(connection_of(watch)));
    (void)session_close_notify(session_of(connection_of(watch)));
}

/* A turn by readiness, or by the queue. Those that the loop gives by itself, before it ends a
 * connection, are another matter: see turn.c. */
static void give_turn(struct mux *mux, struct watch *watch)
{
    if (is_connection(mux, watch))
        session_of(connection_of(watch))->reported = true;
    loop_ready(mux->loop, watch);
}

/* [2] Wait: for readiness, or not at all while work is queued: then it only asks. Only what was
 * queued before this wait is served in this turn, so that two busy peers take turns with everybody
 * else. A watch that stands in the queue is not served twice.
 * [8] Timeouts: the loop's deadlines, and the handshakes'. A timer descriptor counts nanoseconds,
 * and costs a call only when a deadline comes nearer. */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    int due = mux->queued;
    uint64_t handshake_ns = handshakes_deadline(&mux->handshakes);

    if (own_timer_set(&mux->own, handshake_ns < deadline_ns ? handshake_ns : deadline_ns) < 0)
        return -1;
    int count = loop_woke(loop, epoll_wait(mux->fd, mux->events, EVENTS_A_WAIT, due > 0 ? 0 : -1));
    if (count < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        struct watch *watch = mux->events[i].data.ptr; /* the pointer that mux_add() gave it */
        watch->ready |= (uint8_t)epoll_readiness(mux->events[i].events);
        if (watch == &mux->certificates.hangups)
            certificates_renew(&mux->certificates, loop->context.now_ns, loop->context.stats);
        else if (!own_has(&mux->own, watch) && !watch->queued)
            give_turn(mux, watch);
    }
    for (struct watch *watch; due > 0 && (watch = TAILQ_FIRST(&mux->again)) != NULL; due--) {
        unqueue(mux, watch);
        give_turn(mux, watch);
    }
    handshakes_expire(&mux->handshakes, loop);
    return 0;
}

/* Signals stay blocked for good; the kernel keeps them pending until they are read here. So no
 * handler interrupts this server anywhere, and none can be lost. */
int mux_signal(struct mux *mux)
{
    return own_signal(&mux->own);
}

int main(int argc, char **argv)
{
    static const struct server server = {
        .name = "tls", .wait = "epoll", .options = &tls_option_part};

    return loop_main(&server, argc, argv);
}
