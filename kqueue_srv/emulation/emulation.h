/*
 * What the emulation's files share. No program includes this. Functions that apply a change return
 * 0 or an errno value, because kevent() returns errors as data. kqueue(2) of FreeBSD says what must
 * happen. epoll(7), timerfd_create(2), signalfd(2) and eventfd(2) say how it can be done here.
 */
#ifndef EMULATION_H
#define EMULATION_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/event.h>

#define NANOSECONDS_PER_SECOND      INT64_C(1000000000)
#define NANOSECONDS_PER_MILLISECOND INT64_C(1000000)

/* Everything that a kqueue can wait for. Each is one descriptor in the kqueue's outer epoll set. */
enum source { SOURCE_READ, SOURCE_WRITE, SOURCE_TIMER, SOURCE_SIGNAL, SOURCE_USER, SOURCE_COUNT };

/* One filter on one descriptor. It has 16 bytes, because there may be tens of thousands. */
struct registration {
    void *udata;
    uint32_t generation;
    uint8_t flags;
    uint8_t state;
};

/* All EVFILT_READ or all EVFILT_WRITE filters of a kqueue. See descriptors.c. */
struct descriptor_filters {
    int live;
    int parked;
    int16_t filter;
    uint32_t interest;
    uint32_t generation;
    struct registration *table;
    size_t capacity;
};

/* A filter without a descriptor: timer, signal or user event. See notes.c. */
struct note {
    uintptr_t ident;
    void *udata;
    intptr_t data;
    uint64_t count;
    int64_t expires;
    int64_t period;
    uint32_t fflags;
    uint16_t flags;
    bool enabled;
};

struct note_list {
    struct note *notes;
    size_t count;
    size_t capacity;
    size_t turn;
    int16_t filter;
};

struct timer_filters {
    int descriptor;
    struct note_list list;
};

struct signal_filters {
    int descriptor;
    sigset_t watched;
    sigset_t blocked_here;
    struct note_list list;
};

struct user_filters {
    struct note_list list;
};

struct kqueue_state {
    struct kqueue_state *next;
    int number;
    struct descriptor_filters read;
    struct descriptor_filters write;
    struct timer_filters timers;
    struct signal_filters signals;
    struct user_filters users;
    int doorbell;
    bool doorbell_rings;
    bool millisecond_waits;
    int first_source;
};

/* clock.c: nanoseconds of CLOCK_MONOTONIC. Sums and products stop at INT64_MAX. */
int64_t now_nanoseconds(void);
int64_t add_saturating(int64_t left, int64_t right);
int64_t multiply_saturating(int64_t left, int64_t right);
struct timespec timespec_from(int64_t nanoseconds);

/* descriptors.c: _open returns 0, or -1 with errno. _collect returns the number of events
 * stored. */
int descriptors_open(struct descriptor_filters *filters, int16_t filter);
void descriptors_close(struct descriptor_filters *filters);
int descriptors_change(struct descriptor_filters *filters, const struct kevent *change);
int descriptors_collect(struct descriptor_filters *filters, struct kevent *events, int room);

/* readiness.c: fills data, fflags and EV_EOF from what epoll said about a descriptor. */
void describe_read(struct kevent *event, int descriptor, uint32_t ready);
void describe_write(struct kevent *event, int descriptor, uint32_t ready);

/* notes.c: whether a change would give the filter another udata without adding it again. FreeBSD
 * takes the new one, NetBSD keeps the old one, so such a change is refused: EINVAL. EV_DISABLE may
 * come with any udata, because a filter reports nothing before EV_ENABLE comes. */
bool relies_on_udata(const void *known, const struct kevent *change);

/* notes.c: the returned pointer belongs to the list, and is valid until the list changes. */
struct note *notes_find(struct note_list *list, uintptr_t ident);
struct note *notes_add(struct note_list *list, const struct kevent *change);
int notes_update(struct note *note, const struct kevent *change);
void notes_remove(struct note_list *list, size_t index);
void notes_delete(struct note_list *list, struct note *note);
bool notes_pending(const struct note_list *list);
int notes_collect(struct note_list *list, struct kevent *events, int room);

int timers_open(struct timer_filters *timers);
void timers_close(struct timer_filters *timers);
int timers_change(struct timer_filters *timers, const struct kevent *change);
int timers_collect(struct timer_filters *timers, struct kevent *events, int room);

int signals_open(struct signal_filters *signals);
void signals_close(struct signal_filters *signals);
int signals_change(struct signal_filters *signals, const struct kevent *change);
int signals_collect(struct signal_filters *signals, struct kevent *events, int room);

int users_change(struct user_filters *users, const struct kevent *change);

/* wait.c: the second half of kevent(), with the same return value and errors. */
int wait_and_collect(struct kqueue_state *state, struct kevent *events, int room,
                     const struct timespec *timeout);
void doorbell_update(struct kqueue_state *state);

#endif
