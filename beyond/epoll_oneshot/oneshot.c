#include "oneshot.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SLOTS_A_CHUNK = 1024 };

/* The number is atomic, because a thread with a late event looks at it while another thread arms
 * the connection. It also passes the connection on: who arms it stores the number (release), and
 * who has its event loads the number (acquire), and so sees all that the other thread has stored.
 * The kernel's own locks order the two as well, but the language knows nothing of them.
 * The owner is relaxed: it must find mistakes in the order of other things, and make no order. */
struct slot {
    struct watch *watch;
    atomic_uint arming;
#ifndef NDEBUG
    _Atomic(const void *) owner; /* the thread that has the connection in hands */
#endif
};

/* gcc -fanalyzer does not follow what is stored through a pointer to a pointer, and reports it as a
 * leak. */
#if defined __GNUC__ && !defined __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static struct slot *slot_of(const struct oneshot *oneshot, int fd)
{
    return &oneshot->chunks[fd / SLOTS_A_CHUNK][fd % SLOTS_A_CHUNK];
}

/* Memory for the slots up to this descriptor. It is never given back before the end, so a late
 * event always finds a slot. */
static int make_slot(struct oneshot *oneshot, int fd)
{
    while (oneshot->chunk_count <= (uint32_t)fd / SLOTS_A_CHUNK) {
        struct slot **chunks =
            realloc(oneshot->chunks, (oneshot->chunk_count + 1) * sizeof(struct slot *));
        if (chunks == NULL)
            return -1;
        oneshot->chunks = chunks;
        chunks[oneshot->chunk_count] = calloc(SLOTS_A_CHUNK, sizeof(struct slot));
        if (chunks[oneshot->chunk_count] == NULL)
            return -1;
        oneshot->chunk_count++;
    }
    return 0;
}

static unsigned next_arming(struct slot *slot)
{
    return atomic_fetch_add_explicit(&slot->arming, 1, memory_order_release) + 1;
}

static int control(int epoll, int operation, struct slot *slot, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events,
                                .data.u64 = (uint64_t)fd << 32 | next_arming(slot)};

    return epoll_ctl(epoll, operation, fd, &event);
}

int oneshot_add(struct oneshot *oneshot, int epoll, struct watch *watch, uint32_t flags,
                struct error *error)
{
    if (make_slot(oneshot, watch->fd) < 0)
        return error_set(error, "malloc", "slots", errno);
    struct slot *slot = slot_of(oneshot, watch->fd);
    slot->watch = watch;
    watch->interest = READABLE;
    if (control(epoll, EPOLL_CTL_ADD, slot, watch->fd, EPOLLIN | flags) < 0)
        return error_set(error, "epoll_ctl", "EPOLL_CTL_ADD", errno);
    return 0;
}

/* The order matters: everything is stored before the call, because the call gives the connection
 * away. */
int oneshot_arm(struct oneshot *oneshot, int epoll, struct watch *watch, unsigned wants,
                uint32_t flags, struct stats *stats)
{
    uint32_t events = (wants & READABLE ? EPOLLIN : 0U) | (wants & WRITABLE ? EPOLLOUT : 0U);

    watch->interest = (uint8_t)wants;
    stats->interest_changes++;
    return control(epoll, EPOLL_CTL_MOD, slot_of(oneshot, watch->fd), watch->fd, events | flags);
}

struct watch *oneshot_find(const struct oneshot *oneshot, const struct epoll_event *event)
{
    const struct slot *slot = slot_of(oneshot, (int)(event->data.u64 >> 32));

    if (atomic_load_explicit(&slot->arming, memory_order_acquire) != (uint32_t)event->data.u64)
        return NULL;
    return slot->watch;
}

void oneshot_forget(struct oneshot *oneshot, struct watch *watch)
{
    (void)next_arming(slot_of(oneshot, watch->fd));
}

void oneshot_close(struct oneshot *oneshot)
{
    for (uint32_t i = 0; i < oneshot->chunk_count; i++)
        free(oneshot->chunks[i]);
    free(oneshot->chunks);
}

#ifndef NDEBUG
static void expect(const void *owner, const void *expected, const struct watch *watch)
{
    if (owner == expected)
        return;
    error_print("descriptor %d is in the hands of two threads", watch->fd);
    abort();
}

void oneshot_take(struct oneshot *oneshot, const struct watch *watch, const void *who)
{
    struct slot *slot = slot_of(oneshot, watch->fd);

    expect(atomic_exchange_explicit(&slot->owner, who, memory_order_relaxed), NULL, watch);
}

void oneshot_give(struct oneshot *oneshot, const struct watch *watch, const void *who)
{
    struct slot *slot = slot_of(oneshot, watch->fd);

    expect(atomic_exchange_explicit(&slot->owner, NULL, memory_order_relaxed), who, watch);
}
#endif
