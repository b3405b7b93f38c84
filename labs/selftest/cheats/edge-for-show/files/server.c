/* A server on poll(2) that registers each descriptor with epoll(7), too, edge-triggered, for
 * whoever looks. Nobody ever waits for that set. */
#include "../common/clock.h"
#include "../common/loop.h"
#include "../common/own_descriptors.h"
#include "../common/transport.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { FIRST_ENTRIES = 16 };

struct mux {
    struct stats *stats;
    struct own_descriptors own;
    struct pollfd *entries;
    struct watch **watches; /* NULL: this entry is free */
    uint32_t used;          /* entries from the first to the last one that is not free */
    uint32_t capacity;
    int show;
};

static int enlarge(struct mux *mux)
{
    uint32_t capacity = mux->capacity == 0 ? FIRST_ENTRIES : mux->capacity * 2;
    struct watch **watches = realloc(mux->watches, capacity * sizeof(struct watch *));
    if (watches == NULL)
        return -1;
    mux->watches = watches;
    struct pollfd *entries = realloc(mux->entries, capacity * sizeof(struct pollfd));
    if (entries == NULL)
        return -1;
    mux->entries = entries;
    mux->capacity = capacity;
    return 0;
}

int mux_open(struct loop *loop, struct error *error)
{
    struct mux *mux = loop->mux = calloc(1, sizeof *mux);

    if (mux == NULL)
        return error_set(error, "calloc", "poll", errno);
    mux->stats = loop->context.stats;
    mux->show = epoll_create1(EPOLL_CLOEXEC);
    if (own_open(&mux->own, error) < 0)
        return -1;
    return mux_add(mux, &mux->own.signals, error);
}

void mux_close(struct mux *mux)
{
    own_close(&mux->own);
    (void)close(mux->show);
    free(mux->watches);
    free(mux->entries);
    free(mux);
}

int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    uint32_t slot = 0;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = watch};

    (void)epoll_ctl(mux->show, EPOLL_CTL_ADD, watch->fd, &event);
    while (slot < mux->used && mux->watches[slot] != NULL)
        slot++;
    if (slot == mux->capacity && enlarge(mux) < 0)
        return error_set(error, "realloc", "poll array", errno);
    if (slot == mux->used)
        mux->used++;
    mux->entries[slot] = (struct pollfd){.fd = watch->fd, .events = POLLIN};
    mux->watches[slot] = watch;
    watch->slot = slot;
    watch->interest = READABLE;
    return 0;
}

int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    short events = 0;

    if (wants & READABLE)
        events |= POLLIN;
    if (wants & WRITABLE)
        events |= POLLOUT;
    (void)watch_change(watch, wants, mux->stats);
    mux->entries[watch->slot].events = events;
    return 0;
}

void mux_remove(struct mux *mux, struct watch *watch)
{
    mux->entries[watch->slot].fd = -1;
    mux->watches[watch->slot] = NULL;
    while (mux->used > 0 && mux->watches[mux->used - 1] == NULL)
        mux->used--;
}

int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    uint32_t asked = mux->used;
    int timeout_ms =
        deadline_ns == NEVER ? -1 : (int)clock_left_ms(deadline_ns, loop->context.now_ns);
    int count = loop_woke(loop, poll(mux->entries, asked, timeout_ms));

    for (uint32_t slot = 0; slot < asked && count > 0; slot++) {
        struct watch *watch = mux->watches[slot];
        short came = mux->entries[slot].revents;
        if (watch == NULL || came == 0)
            continue;
        if (came & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
            watch->ready |= READABLE;
        if (came & (POLLOUT | POLLHUP | POLLERR | POLLNVAL))
            watch->ready |= WRITABLE;
        if (watch != &mux->own.signals)
            loop_ready(loop, watch);
    }
    return count < 0 ? -1 : 0;
}

int mux_signal(struct mux *mux)
{
    return own_signal(&mux->own);
}

void serve(struct loop *loop, struct connection *connection)
{
    struct watch *watch = &connection->watch;

    if (watch_worth_trying(watch) & connection_wants(connection) & READABLE)
        (void)transport_read(connection, &loop->context);
    if (watch_worth_trying(watch) & connection_wants(connection) & WRITABLE)
        (void)transport_write(connection, &loop->context);
    watch->ready = NOTHING; /* the next wait looks again */
    loop_settle(loop, connection);
}

int main(int argc, char **argv)
{
    static const struct server server = {.name = "epoll_et", .wait = "epoll"};

    return loop_main(&server, argc, argv);
}
