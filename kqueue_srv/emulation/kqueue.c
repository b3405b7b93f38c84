/*
 * kqueue() and the change list of kevent(). The number that kqueue() returns is the outer epoll
 * set's. A list, which all threads share, leads from the number to our state.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "emulation.h"

/* The system's flags are ignored on input, so that a program can send an event back as a change. */
#define SYSTEM_FLAGS 0xf000
#define KNOWN_FLAGS                                                                                \
    (EV_ADD | EV_DELETE | EV_ENABLE | EV_DISABLE | EV_ONESHOT | EV_CLEAR | EV_RECEIPT)

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kqueue_state *all_kqueues;

static void release(struct kqueue_state *state)
{
    descriptors_close(&state->read);
    descriptors_close(&state->write);
    timers_close(&state->timers);
    signals_close(&state->signals);
    if (state->doorbell >= 0) {
        close(state->doorbell);
    }
    free(state->users.list.notes);
    free(state);
}

/* A number that was closed, or closed and reused, no longer holds our inner set. */
static bool is_open(const struct kqueue_state *state)
{
    struct epoll_event same = {.events = EPOLLIN, .data.u32 = SOURCE_READ};
    return epoll_ctl(state->number, EPOLL_CTL_MOD, state->read.live, &same) == 0;
}

/* We do not see close() on a kqueue. So what it left behind is freed when the next one is made. */
static void release_closed(void)
{
    struct kqueue_state **link = &all_kqueues;
    while (*link != NULL) {
        struct kqueue_state *state = *link;
        if (is_open(state)) {
            link = &state->next;
        } else {
            *link = state->next;
            release(state);
        }
    }
}

static int open_sources(struct kqueue_state *state)
{
    state->users.list.filter = EVFILT_USER;
    if (descriptors_open(&state->read, EVFILT_READ) < 0 ||
        descriptors_open(&state->write, EVFILT_WRITE) < 0 || timers_open(&state->timers) < 0 ||
        signals_open(&state->signals) < 0) {
        return -1;
    }
    state->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (state->doorbell < 0) {
        return -1;
    }
    const int descriptors[SOURCE_COUNT] = {[SOURCE_READ] = state->read.live,
                                           [SOURCE_WRITE] = state->write.live,
                                           [SOURCE_TIMER] = state->timers.descriptor,
                                           [SOURCE_SIGNAL] = state->signals.descriptor,
                                           [SOURCE_USER] = state->doorbell};
    for (uint32_t source = 0; source < SOURCE_COUNT; source++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};
        if (epoll_ctl(state->number, EPOLL_CTL_ADD, descriptors[source], &event) < 0) {
            return -1;
        }
    }
    return 0;
}

static struct kqueue_state *new_state(int number)
{
    struct kqueue_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return NULL;
    }
    state->number = number;
    state->read.live = state->read.parked = -1;
    state->write.live = state->write.parked = -1;
    state->timers.descriptor = state->signals.descriptor = state->doorbell = -1;
    if (open_sources(state) < 0) {
        int error = errno;
        release(state);
        errno = error;
        return NULL;
    }
    return state;
}

int kqueue(void)
{
    pthread_mutex_lock(&list_lock);
    release_closed();
    int number = epoll_create1(EPOLL_CLOEXEC);
    if (number >= 0) {
        struct kqueue_state *state = new_state(number);
        if (state != NULL) {
            state->next = all_kqueues;
            all_kqueues = state;
        } else {
            int error = errno;
            close(number);
            errno = error;
            number = -1;
        }
    }
    pthread_mutex_unlock(&list_lock);
    return number;
}

static struct kqueue_state *find_state(int number)
{
    pthread_mutex_lock(&list_lock);
    struct kqueue_state *state = all_kqueues;
    while (state != NULL && state->number != number) {
        state = state->next;
    }
    pthread_mutex_unlock(&list_lock);
    return state;
}

static int apply(struct kqueue_state *state, const struct kevent *change)
{
    bool contradiction = (change->flags & EV_ENABLE) != 0 && (change->flags & EV_DISABLE) != 0;
    if (contradiction || (change->flags & ~(SYSTEM_FLAGS | KNOWN_FLAGS)) != 0) {
        return EINVAL;
    }
    switch (change->filter) {
    case EVFILT_READ:
        return descriptors_change(&state->read, change);
    case EVFILT_WRITE:
        return descriptors_change(&state->write, change);
    case EVFILT_TIMER:
        return timers_change(&state->timers, change);
    case EVFILT_SIGNAL:
        return signals_change(&state->signals, change);
    case EVFILT_USER:
        return users_change(&state->users, change);
    default:
        return EINVAL;
    }
}

/*
 * Sets *reports to the number of EV_ERROR events stored. Returns false when there was no room for a
 * report. The remaining changes are then not applied, and kevent() has to return *error.
 */
static bool apply_all(struct kqueue_state *state, const struct kevent *changes, int number,
                      struct kevent *events, int room, int *reports, int *error)
{
    *reports = 0;
    for (int i = 0; i < number; i++) {
        /* A copy, because the report may be written into the same array. */
        struct kevent change = changes[i];
        *error = apply(state, &change);
        if (*error == 0 && (change.flags & EV_RECEIPT) == 0) {
            continue;
        }
        if (*reports == room) {
            return false;
        }
        change.flags = EV_ERROR;
        change.data = *error;
        events[(*reports)++] = change;
    }
    return true;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

int kevent(int kq, const struct kevent *changelist, int nchanges, struct kevent *eventlist,
           int nevents, const struct timespec *timeout)
{
    if (nchanges < 0 || nevents < 0) {
        return fail(EINVAL);
    }
    struct kqueue_state *state = find_state(kq);
    /* A pure wait asks the kernel about kq anyway. Only the other calls need this check. */
    if (state == NULL || ((nchanges > 0 || nevents == 0) && !is_open(state))) {
        return fail(fcntl(kq, F_GETFD) < 0 ? EBADF : EINVAL);
    }
    int reports = 0;
    int error = 0;
    bool all_applied = apply_all(state, changelist, nchanges, eventlist, nevents, &reports, &error);
    if (nchanges > 0) {
        doorbell_update(state);
    }
    if (!all_applied && error != 0) {
        return fail(error);
    }
    if (reports > 0 || !all_applied || nevents == 0) {
        return reports;
    }
    return wait_and_collect(state, eventlist, nevents, timeout);
}
