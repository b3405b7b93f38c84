/* Echo server on epoll(7), edge-triggered, written otherwise than epoll_et. An event only puts its
 * watch into an array. One walk over the array serves everybody: those who had an event, and those
 * who had work left. A turn calls recv(2) until it would block, whatever the counts say, so it
 * needs neither EPOLLRDHUP nor EPOLLPRI. */
#include "../common/loop.h"
#include "../common/own_descriptors.h"
#include "../common/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 64, ROUNDS = 8 };

struct mux {
    int set;
    struct own_descriptors own;
    struct watch **work; /* NULL where a watch has gone meanwhile */
    size_t count;
    size_t capacity; /* twice as many as are watched: nothing has to grow in the middle of a turn */
    size_t watched;
};

static void give_work(struct mux *mux, struct watch *watch)
{
    if (watch->queued)
        return;
    watch->queued = true;
    watch->slot = (uint32_t)mux->count;
    mux->work[mux->count++] = watch;
}

static int reserve(struct mux *mux)
{
    size_t enough = 2 * (mux->watched + 1) + EVENTS;

    if (enough <= mux->capacity)
        return 0;
    struct watch **work = realloc(mux->work, 2 * enough * sizeof(struct watch *));
    if (work == NULL)
        return -1;
    mux->work = work;
    mux->capacity = 2 * enough;
    return 0;
}

static int ask(const struct mux *mux, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = watch}};

    return epoll_ctl(mux->set, EPOLL_CTL_ADD, watch->fd, &event);
}

int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = calloc(1, sizeof *mux);

    if (mux == NULL)
        return error_set(error, "calloc", "epoll", errno);
    mux->set = -1;
    if (own_open(&mux->own, error) < 0)
        return -1;
    mux->set = epoll_create1(EPOLL_CLOEXEC);
    if (mux->set < 0)
        return error_set(error, "epoll_create1", "", errno);
    if (ask(mux, &mux->own.signals, EPOLLIN) < 0 || ask(mux, &mux->own.timer, EPOLLIN) < 0)
        return error_set(error, "epoll_ctl", "own descriptors", errno);
    return 0;
}

void mux_close(struct mux *mux)
{
    if (mux->set >= 0)
        (void)close(mux->set);
    own_close(&mux->own);
    free(mux->work);
    free(mux);
}

int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    if (reserve(mux) < 0)
        return error_set(error, "realloc", "work", errno);
    if (ask(mux, watch, EPOLLIN | EPOLLOUT | EPOLLET) < 0)
        return error_set(error, "epoll_ctl", "EPOLL_CTL_ADD", errno);
    mux->watched++;
    return 0;
}

int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if (watch->ready & wants)
        give_work(mux, watch);
    return 0;
}

void mux_remove(struct mux *mux, struct watch *watch)
{
    if (watch->of_service)
        (void)epoll_ctl(mux->set, EPOLL_CTL_DEL, watch->fd, NULL);
    if (watch->queued)
        mux->work[watch->slot] = NULL;
    watch->queued = false;
    mux->watched--;
}

/* Those who come into the array during the walk stay for the next turn, after another wait. */
static void walk(struct mux *mux, struct loop *loop)
{
    size_t due = mux->count;

    for (size_t i = 0; i < due; i++) {
        struct watch *watch = mux->work[i];
        if (watch == NULL)
            continue;
        mux->work[i] = NULL;
        watch->queued = false;
        loop_ready(loop, watch);
    }
    mux->count -= due;
    for (size_t i = 0; i < mux->count; i++) {
        mux->work[i] = mux->work[i + due];
        if (mux->work[i] != NULL)
            mux->work[i]->slot = (uint32_t)i;
    }
}

int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    struct epoll_event events[EVENTS];

    if (own_timer_set(&mux->own, deadline_ns) < 0)
        return -1;
    int count = loop_woke(loop, epoll_wait(mux->set, events, EVENTS, mux->count > 0 ? 0 : -1));
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            watch->ready |= READABLE;
        if (events[i].events & ~(uint32_t)EPOLLIN)
            watch->ready |= WRITABLE;
        if (!own_has(&mux->own, watch))
            give_work(mux, watch);
    }
    if (count < 0)
        return -1;
    walk(mux, loop);
    return 0;
}

int mux_signal(struct mux *mux)
{
    return own_signal(&mux->own);
}

static unsigned to_do(const struct connection *connection)
{
    return connection->watch.ready & connection_wants(connection);
}

void serve(struct loop *loop, struct connection *connection)
{
    uint8_t *ready = &connection->watch.ready;

    for (int round = 0; round < ROUNDS && to_do(connection) != NOTHING; round++) {
        if ((to_do(connection) & WRITABLE) &&
            transport_write(connection, &loop->context) != TRANSPORT_ALL)
            *ready &= (uint8_t)~WRITABLE;
        if ((to_do(connection) & READABLE) &&
            transport_read(connection, &loop->context) == TRANSPORT_WOULD_BLOCK)
            *ready &= (uint8_t)~READABLE;
        if ((to_do(connection) & WRITABLE) &&
            transport_write(connection, &loop->context) != TRANSPORT_ALL)
            *ready &= (uint8_t)~WRITABLE;
        connection_settle(connection, &loop->context);
    }
    loop_settle(loop, connection);
}

int main(int argc, char **argv)
{
    static const struct server server = {.name = "epoll_et", .wait = "epoll"};

    return loop_main(&server, argc, argv);
}
