/*
 * EVFILT_TIMER: all timers of a kqueue share one timerfd, set to the earliest expiry. They do not
 * have one each, because a server starts a timer just when it has run out of descriptors. Every
 * change and every expiry looks at all timers: this is meant for a few.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "emulation.h"

#define NEVER INT64_MAX
/* The bounds of real kernels. FreeBSD and NetBSD make so many timers for all processes together
 * (kern.kq_calloutmax). NetBSD counts a timer's time in 32 bits of ticks. A usual tick is 10 ms. */
#define MOST_TIMERS          4096
#define NANOSECONDS_PER_TICK INT64_C(10000000)
#define MOST_NANOSECONDS     (INT32_MAX * NANOSECONDS_PER_TICK)

int timers_open(struct timer_filters *timers)
{
    timers->list.filter = EVFILT_TIMER;
    timers->descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return timers->descriptor < 0 ? -1 : 0;
}

void timers_close(struct timer_filters *timers)
{
    if (timers->descriptor >= 0) {
        close(timers->descriptor);
    }
    free(timers->list.notes);
}

/* Nanoseconds, or -1 when there is no time, the time is negative, or it has two units. */
static int64_t period_of(const struct kevent *change)
{
    int64_t amount = change->data;
    if (amount <= 0) {
        return -1;
    }
    switch (change->fflags) {
    case NOTE_SECONDS:
        return multiply_saturating(amount, NANOSECONDS_PER_SECOND);
    case 0:
    case NOTE_MSECONDS:
        return multiply_saturating(amount, NANOSECONDS_PER_MILLISECOND);
    case NOTE_USECONDS:
        return multiply_saturating(amount, 1000);
    case NOTE_NSECONDS:
        return amount;
    default:
        return -1;
    }
}

/* An expiry in the past makes the timerfd readable at once. Setting the timerfd also makes it
 * unreadable. */
static void set_alarm(const struct timer_filters *timers)
{
    int64_t earliest = NEVER;
    for (size_t i = 0; i < timers->list.count; i++) {
        const struct note *note = &timers->list.notes[i];
        if (note->enabled && note->expires < earliest) {
            earliest = note->expires;
        }
    }
    struct itimerspec alarm = {0};
    if (earliest != NEVER) {
        alarm.it_value = timespec_from(earliest);
    }
    timerfd_settime(timers->descriptor, TFD_TIMER_ABSTIME, &alarm, NULL);
}

/* A time that overflows NetBSD's counter of ticks makes a kernel with diagnostics panic. An error
 * would not do: a program that is prepared for a timer that fails would hide the mistake. */
static void panic_if_too_long(int64_t period)
{
    if (period > MOST_NANOSECONDS) {
        fprintf(stderr,
                "kqueue emulation: a timer of %" PRId64 " s is longer than NetBSD can count\n",
                period / NANOSECONDS_PER_SECOND);
        abort();
    }
}

static int add(struct timer_filters *timers, const struct kevent *change)
{
    int64_t period = period_of(change);
    if (period < 0) {
        return EINVAL;
    }
    panic_if_too_long(period);
    struct note *note = timers->list.count < MOST_TIMERS ? notes_add(&timers->list, change) : NULL;
    if (note == NULL) {
        return ENOMEM;
    }
    note->flags |= EV_CLEAR;
    note->period = period;
    note->expires = add_saturating(now_nanoseconds(), period);
    return 0;
}

/* Adding a timer again is refused: NetBSD would keep the period, FreeBSD would take the new one. A
 * program that deletes the timer first is right on both. */
static int change_known(struct timer_filters *timers, struct note *note,
                        const struct kevent *change)
{
    if ((change->flags & EV_DELETE) != 0) {
        notes_delete(&timers->list, note);
        return 0;
    }
    return (change->flags & EV_ADD) != 0 ? EEXIST : notes_update(note, change);
}

int timers_change(struct timer_filters *timers, const struct kevent *change)
{
    struct note *note = notes_find(&timers->list, change->ident);
    int error = ENOENT;
    if (note != NULL) {
        error = change_known(timers, note, change);
    } else if ((change->flags & EV_ADD) != 0) {
        error = add(timers, change);
    }
    if (error == 0) {
        set_alarm(timers);
    }
    return error;
}

static void count_expirations(struct note *note, int64_t now)
{
    if (!note->enabled || note->expires > now) {
        return;
    }
    if ((note->flags & EV_ONESHOT) != 0) {
        note->count = 1;
        note->expires = NEVER;
        return;
    }
    int64_t expirations = (now - note->expires) / note->period + 1;
    note->count += (uint64_t)expirations;
    note->expires = add_saturating(note->expires, expirations * note->period);
}

int timers_collect(struct timer_filters *timers, struct kevent *events, int room)
{
    int64_t now = now_nanoseconds();
    for (size_t i = 0; i < timers->list.count; i++) {
        count_expirations(&timers->list.notes[i], now);
    }
    int collected = notes_collect(&timers->list, events, room);
    set_alarm(timers);
    return collected;
}
