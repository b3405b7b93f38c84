/*
 * EVFILT_READ and EVFILT_WRITE. Each of the two has epoll sets of its own, so one filter is one
 * epoll registration. Whether it is level or edge, on or off, it never affects the other filter.
 *
 * An enabled filter is registered in `live`. A disabled filter moves to `parked`, a set that nobody
 * waits for. epoll cannot mask hang-ups, and in a live set they would wake the program without end.
 *
 * The kernel decides what exists. It drops registrations when a descriptor is closed, and does not
 * tell us. Our table is then out of date. So every change starts with an epoll_ctl on the set where
 * the filter should be. ENOENT means that the descriptor was closed, and its number opened again
 * since.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "emulation.h"

#define KEPT_FLAGS     (EV_ONESHOT | EV_CLEAR | EV_RECEIPT)
#define FIRST_CAPACITY 64
/* The array is on the stack, 12 KiB. A second epoll_wait must not fill it, because that would
 * report some filters twice. */
#define COLLECTED_AT_ONCE 1024

enum registration_state { ABSENT, LIVE, PARKED };

int descriptors_open(struct descriptor_filters *filters, int16_t filter)
{
    filters->filter = filter;
    /* Without EPOLLRDHUP, a half-close that arrives after the data was read would not set
     * EV_EOF. */
    filters->interest = filter == EVFILT_READ ? EPOLLIN | EPOLLRDHUP : EPOLLOUT;
    filters->live = epoll_create1(EPOLL_CLOEXEC);
    filters->parked = epoll_create1(EPOLL_CLOEXEC);
    return filters->live < 0 || filters->parked < 0 ? -1 : 0;
}

void descriptors_close(struct descriptor_filters *filters)
{
    if (filters->live >= 0) {
        close(filters->live);
    }
    if (filters->parked >= 0) {
        close(filters->parked);
    }
    free(filters->table);
}

static struct registration *find(const struct descriptor_filters *filters, int descriptor)
{
    if ((size_t)descriptor >= filters->capacity) {
        return NULL;
    }
    struct registration *found = &filters->table[descriptor];
    return found->state == ABSENT ? NULL : found;
}

static int grow_table(struct descriptor_filters *filters, int descriptor)
{
    size_t capacity = filters->capacity == 0 ? FIRST_CAPACITY : filters->capacity;
    while (capacity <= (size_t)descriptor) {
        capacity *= 2;
    }
    if (capacity == filters->capacity) {
        return 0;
    }
    struct registration *grown = realloc(filters->table, capacity * sizeof *grown);
    if (grown == NULL) {
        return ENOMEM;
    }
    memset(grown + filters->capacity, 0, (capacity - filters->capacity) * sizeof *grown);
    filters->table = grown;
    filters->capacity = capacity;
    return 0;
}

/* One epoll_ctl on the set that belongs to the state. Returns 0 or an errno value. */
static int control(const struct descriptor_filters *filters, int operation, int descriptor,
                   const struct registration *registration, enum registration_state state)
{
    struct epoll_event event = {0};
    int set = filters->parked;
    if (state == LIVE) {
        set = filters->live;
        event.events = filters->interest;
        if ((registration->flags & EV_CLEAR) != 0) {
            event.events |= EPOLLET;
        }
    }
    /* The generation distinguishes this registration from one that outlived its descriptor. */
    event.data.u64 = (uint64_t)registration->generation << 32 | (uint32_t)descriptor;
    return epoll_ctl(set, operation, descriptor, &event) == 0 ? 0 : errno;
}

static int add(struct descriptor_filters *filters, int descriptor, const struct kevent *change)
{
    struct registration fresh = {.udata = change->udata,
                                 .generation = ++filters->generation,
                                 .flags = (uint8_t)(change->flags & KEPT_FLAGS),
                                 .state = (change->flags & EV_DISABLE) != 0 ? PARKED : LIVE};
    /* Ask the kernel first: a number that is no descriptor must not make the table grow. */
    int error = control(filters, EPOLL_CTL_ADD, descriptor, &fresh, fresh.state);
    if (error == EEXIST) {
        error = control(filters, EPOLL_CTL_MOD, descriptor, &fresh, fresh.state);
    }
    if (error != 0) {
        return error;
    }
    error = grow_table(filters, descriptor);
    if (error != 0) {
        control(filters, EPOLL_CTL_DEL, descriptor, &fresh, fresh.state);
        return error;
    }
    filters->table[descriptor] = fresh;
    return 0;
}

/* EPOLL_CTL_MOD makes the kernel look at the descriptor again: a condition that holds now is
 * reported again. Only EV_ENABLE enables: EV_ADD leaves a disabled filter disabled. */
static int modify(const struct descriptor_filters *filters, int descriptor,
                  struct registration *known, const struct kevent *change)
{
    if (relies_on_udata(known->udata, change)) {
        int gone = control(filters, EPOLL_CTL_MOD, descriptor, known, known->state);
        return gone != 0 ? gone : EINVAL;
    }
    enum registration_state wanted = known->state;
    if ((change->flags & EV_DISABLE) != 0) {
        wanted = PARKED;
    } else if ((change->flags & EV_ENABLE) != 0) {
        wanted = LIVE;
    }
    int error = 0;
    if (wanted == known->state) {
        error = control(filters, EPOLL_CTL_MOD, descriptor, known, wanted);
    } else {
        error = control(filters, EPOLL_CTL_DEL, descriptor, known, known->state);
        if (error == 0) {
            error = control(filters, EPOLL_CTL_ADD, descriptor, known, wanted);
            known->state = error == 0 ? (uint8_t)wanted : ABSENT;
        }
    }
    if (error == 0 && (change->flags & EV_ADD) != 0) {
        known->udata = change->udata;
    }
    return error;
}

int descriptors_change(struct descriptor_filters *filters, const struct kevent *change)
{
    if (change->ident > INT_MAX) {
        return EBADF;
    }
    int descriptor = (int)change->ident;
    struct registration *known = find(filters, descriptor);
    if (known != NULL) {
        bool deleting = (change->flags & EV_DELETE) != 0;
        int error = deleting ? control(filters, EPOLL_CTL_DEL, descriptor, known, known->state)
                             : modify(filters, descriptor, known, change);
        if (deleting || error == ENOENT || error == EBADF) {
            known->state = ABSENT;
        }
        if (error != ENOENT) {
            return error;
        }
    }
    if ((change->flags & EV_ADD) != 0) {
        return add(filters, descriptor, change);
    }
    return fcntl(descriptor, F_GETFD) < 0 ? EBADF : ENOENT;
}

static void fill_event(struct kevent *event, const struct descriptor_filters *filters,
                       const struct registration *known, int descriptor, uint32_t ready)
{
    *event = (struct kevent){.ident = (uintptr_t)descriptor,
                             .filter = filters->filter,
                             .flags = known->flags,
                             .udata = known->udata};
    if (filters->filter == EVFILT_READ) {
        describe_read(event, descriptor, ready);
    } else {
        describe_write(event, descriptor, ready);
    }
}

/* What does not fit stays in the kernel's ready list for the next call. That includes edges. */
int descriptors_collect(struct descriptor_filters *filters, struct kevent *events, int room)
{
    struct epoll_event ready[COLLECTED_AT_ONCE];
    int asked = room < COLLECTED_AT_ONCE ? room : COLLECTED_AT_ONCE;
    int got = epoll_wait(filters->live, ready, asked, 0);
    int collected = 0;
    for (int i = 0; i < got; i++) {
        int descriptor = (int)(uint32_t)ready[i].data.u64;
        struct registration *known = find(filters, descriptor);
        if (known == NULL || known->generation != ready[i].data.u64 >> 32) {
            continue;
        }
        fill_event(&events[collected++], filters, known, descriptor, ready[i].events);
        if ((known->flags & EV_ONESHOT) != 0) {
            control(filters, EPOLL_CTL_DEL, descriptor, known, LIVE);
            known->state = ABSENT;
        }
    }
    return collected;
}
