/* Signals and time as descriptors (signalfd(2), timerfd_create(2); Linux): two more things to
 * watch, so that one call waits for everything.
 *
 * They are watches like any other, but no connection stands behind them. Whoever waits sets their
 * ready field; the functions here look at it. */
#ifndef COMMON_OWN_DESCRIPTORS_H
#define COMMON_OWN_DESCRIPTORS_H

#include "error.h"
#include "watch.h"

#include <stdbool.h>
#include <stdint.h>

struct own_descriptors {
    struct watch signals;
    struct watch timer;
    uint64_t timer_ns; /* when the timer will be readable, or NEVER */
};

/* Opens both, non-blocking. The wanted signals must be blocked (signals_block). Returns 0, or -1
 * with error filled; own_close is needed either way. */
int own_open(struct own_descriptors *own, struct error *error);

void own_close(struct own_descriptors *own);

/* Is it one of these two? */
static inline bool own_has(const struct own_descriptors *own, const struct watch *watch)
{
    return watch == &own->signals || watch == &own->timer;
}

/* Takes a signal, if the descriptor was reported ready: returns its number, or 0 when there is none
 * left. One read(2). */
int own_signal(struct own_descriptors *own);

/* Call it when the timer was reported ready. Reads it (read(2)): it would stay ready otherwise. */
void own_timer_fired(struct own_descriptors *own);

/* Sets the timer to deadline_ns (timerfd_settime(2)). Returns 0, or -1 with errno set. */
int own_timer_move(struct own_descriptors *own, uint64_t deadline_ns);

/* Makes sure that the timer is readable at deadline_ns (CLOCK_MONOTONIC) or before. A call is made
 * only for an earlier deadline: an idle deadline moves on with every byte, and a system call for
 * each byte would double the cost of a message. When it fires too early, the loop finds nothing
 * expired, and sets it again. Returns 0, or -1 with errno set. */
static inline int own_timer_set(struct own_descriptors *own, uint64_t deadline_ns)
{
    if (own->timer.ready != NOTHING)
        own_timer_fired(own);
    return deadline_ns < own->timer_ns ? own_timer_move(own, deadline_ns) : 0;
}

#endif
