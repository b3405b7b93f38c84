/*
 * EVFILT_SIGNAL: one signalfd for all signals of a kqueue. A signalfd sees only signals that are
 * blocked. So adding the filter blocks the signal in the calling thread. Deleting the filter
 * unblocks the signal again, unless it was blocked before. While a signal is blocked, neither a
 * handler nor the default action runs. On the BSDs both would still run.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "emulation.h"

#define READ_AT_ONCE 8

int signals_open(struct signal_filters *signals)
{
    signals->list.filter = EVFILT_SIGNAL;
    sigemptyset(&signals->watched);
    sigemptyset(&signals->blocked_here);
    signals->descriptor = signalfd(-1, &signals->watched, SFD_NONBLOCK | SFD_CLOEXEC);
    return signals->descriptor < 0 ? -1 : 0;
}

/* The signals stay blocked: the thread that runs this need not be the thread that blocked them. */
void signals_close(struct signal_filters *signals)
{
    if (signals->descriptor >= 0) {
        close(signals->descriptor);
    }
    free(signals->list.notes);
}

static void count_deliveries(struct signal_filters *signals)
{
    struct signalfd_siginfo deliveries[READ_AT_ONCE];
    ssize_t got;
    while ((got = read(signals->descriptor, deliveries, sizeof deliveries)) > 0) {
        size_t number = (size_t)got / sizeof deliveries[0];
        for (size_t i = 0; i < number; i++) {
            struct note *note = notes_find(&signals->list, deliveries[i].ssi_signo);
            if (note != NULL) {
                note->count++;
            }
        }
    }
}

/* Blocks before watching: a signal that arrives in between is then pending, and the signalfd sees
 * it. */
static int watch(struct signal_filters *signals, int number)
{
    sigset_t wanted = signals->watched;
    if (sigaddset(&wanted, number) != 0) {
        return EINVAL;
    }
    sigset_t one;
    sigset_t before;
    sigemptyset(&one);
    sigaddset(&one, number);
    int error = pthread_sigmask(SIG_BLOCK, &one, &before);
    if (error != 0) {
        return error;
    }
    if (signalfd(signals->descriptor, &wanted, 0) < 0) {
        error = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return error;
    }
    signals->watched = wanted;
    if (sigismember(&before, number) == 0) {
        sigaddset(&signals->blocked_here, number);
    }
    return 0;
}

/*
 * Stops watching every signal that has lost its note. It first reads what is pending: that belongs
 * to the deleted filter, and must not cause the default action when the signal is unblocked.
 */
static void unwatch_lost(struct signal_filters *signals)
{
    count_deliveries(signals);
    sigset_t unblock;
    sigemptyset(&unblock);
    for (int number = 1; number <= SIGRTMAX; number++) {
        bool watched = sigismember(&signals->watched, number) == 1;
        if (!watched || notes_find(&signals->list, (uintptr_t)number) != NULL) {
            continue;
        }
        sigdelset(&signals->watched, number);
        if (sigismember(&signals->blocked_here, number) == 1) {
            sigdelset(&signals->blocked_here, number);
            sigaddset(&unblock, number);
        }
    }
    signalfd(signals->descriptor, &signals->watched, 0);
    pthread_sigmask(SIG_UNBLOCK, &unblock, NULL);
}

int signals_change(struct signal_filters *signals, const struct kevent *change)
{
    struct note *note = notes_find(&signals->list, change->ident);
    if (note != NULL) {
        if ((change->flags & EV_DELETE) == 0) {
            return notes_update(note, change);
        }
        notes_delete(&signals->list, note);
        unwatch_lost(signals);
        return 0;
    }
    if ((change->flags & EV_ADD) == 0) {
        return ENOENT;
    }
    if (change->ident < 1 || change->ident > (uintptr_t)SIGRTMAX) {
        return EINVAL;
    }
    note = notes_add(&signals->list, change);
    if (note == NULL) {
        return ENOMEM;
    }
    note->flags |= EV_CLEAR;
    int error = watch(signals, (int)change->ident);
    if (error != 0) {
        notes_delete(&signals->list, note);
    }
    return error;
}

int signals_collect(struct signal_filters *signals, struct kevent *events, int room)
{
    count_deliveries(signals);
    size_t before = signals->list.count;
    int collected = notes_collect(&signals->list, events, room);
    if (signals->list.count != before) {
        unwatch_lost(signals);
    }
    return collected;
}
