/*
 * EVFILT_TIMER: all timers of a kqueue share one timerfd, set to the earliest expiry. They do not
 * have one each, because a server starts a timer just when it has run out of descriptors. Every
 * change and every expiry looks at all timers: this is meant for a few.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "emulation.h"

#define NEVER INT64_MAX

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

/* Nanoseconds, or -1 when the time is negative or has two units. */
static int64_t period_of(const struct kevent *change)
{
    int64_t amount = change->data;
    if (amount < 0) {
        return -1;
    }
    if (amount == 0 && (change->flags & EV_ONESHOT) == 0) {
        amount = 1;
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

static void start(struct note *note, int64_t period)
{
    note->count = 0;
    note->period = period;
    note->expires = add_saturating(now_nanoseconds(), period);
}

int timers_change(struct timer_filters *timers, const struct kevent *change)
{
    struct note *note = notes_find(&timers->list, change->ident);
    bool add = (change->flags & EV_ADD) != 0;
    if (note != NULL && (change->flags & EV_DELETE) != 0) {
        notes_delete(&timers->list, note);
        set_alarm(timers);
        return 0;
    }
    if (note == NULL && !add) {
        return ENOENT;
    }
    /* EV_ONESHOT of the first EV_ADD stays, and decides the meaning of a period of 0. */
    struct kevent effective = *change;
    if (note != NULL) {
        effective.flags = (uint16_t)((change->flags & ~EV_ONESHOT) | (note->flags & EV_ONESHOT));
    }
    int64_t period = add ? period_of(&effective) : 0;
    if (period < 0) {
        return EINVAL;
    }
    if (note == NULL) {
        note = notes_add(&timers->list, change);
        if (note == NULL) {
            return ENOMEM;
        }
        note->flags |= EV_CLEAR;
    } else {
        notes_update(note, change);
    }
    if (add) {
        start(note, period);
    }
    set_alarm(timers);
    return 0;
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
