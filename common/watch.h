/* One descriptor that the loop watches: the listener's, or a connection's.
 *
 * "Interest" is what the API was asked to report. "Readiness" is what it did report. Most bugs of
 * event loops come from taking one for the other, so each has a field of its own. */
#ifndef COMMON_WATCH_H
#define COMMON_WATCH_H

#include "stats.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Bits of interest and readiness, and of what a listener or a connection wants. */
enum readiness {
    NOTHING = 0,
    READABLE = 1,
    WRITABLE = 2,
    READ_ON = 4, /* readiness only: a short read does not mean that the socket is empty */
};

struct watch {
    int fd;
    uint32_t slot;    /* its index, for an API that keeps its interest in a dense array */
    uint8_t interest; /* what the API was last asked to report */
    uint8_t ready;    /* what it reported and no call has used up yet */
    bool queued;      /* stands in a queue of watches that have work left */
    bool held;        /* the kernel still works on it: it may be neither closed nor freed */
    bool of_service;  /* no connection stands behind it, and another process may share it */
    TAILQ_ENTRY(watch) turn;
};

TAILQ_HEAD(watch_queue, watch);

/* Notes what is wanted from now on. Returns true when that is a change, which the API must be told
 * and which is counted. Telling it again what it knows would cost a system call a message. */
static inline bool watch_change(struct watch *watch, unsigned wants, struct stats *stats)
{
    if (watch->interest == wants)
        return false;
    watch->interest = (uint8_t)wants;
    stats->interest_changes++;
    return true;
}

/* Which calls are worth making now: those for what was reported, and a send when the API was not
 * asked about writing. A send buffer nearly always has room, and send(2) says so when it has not.
 */
static inline unsigned watch_worth_trying(const struct watch *watch)
{
    return watch->ready | (~(unsigned)watch->interest & WRITABLE);
}

#endif
