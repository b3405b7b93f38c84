/* Which descriptors are ready, and when it is time: the little that a client needs of epoll(7) or
 * kqueue(2). Edge-triggered: registered once, for everything; an event says that something changed,
 * and whoever gets it goes on until a call would block, or a read comes back short. */
#ifndef LOADGEN_READINESS_H
#define LOADGEN_READINESS_H

#include "../../common/error.h"

#include <stdint.h>

enum { READINESS_BATCH = 512 };

enum ready_bits {
    READY_READ = 1,
    READY_WRITE = 2,
    READY_ENDED = 4, /* the peer has closed or reset: read until that is seen */
};

struct ready_event {
    void *owner;
    unsigned bits;
};

struct readiness;

/* To be closed with readiness_close. Returns NULL with error filled. */
struct readiness *readiness_open(struct error *error);
void readiness_close(struct readiness *readiness);

/* Watches fd until it is closed. An event for what is ready already comes with the next wait.
 * Returns 0, or -1 with errno set. */
int readiness_add(struct readiness *readiness, int fd, void *owner);

/* Waits until something is ready, or until deadline_ns of clock_now(); does not wait for a deadline
 * that has passed, nor when it is 0. The timer is finer than a millisecond. Returns how many events
 * there are, 0 at the deadline or on a signal, -1 with errno set. On kqueue one descriptor can have
 * two events in a batch. */
int readiness_wait(struct readiness *readiness, uint64_t deadline_ns,
                   struct ready_event events[READINESS_BATCH]);

#endif
