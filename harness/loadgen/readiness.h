/* Which descriptors are ready, and when the deadline comes: the small part of epoll(7) or kqueue(2)
 * that a client needs. It is edge-triggered. A descriptor is registered once, for everything. An
 * event says that something changed. The receiver of the event goes on until a call would block, or
 * a read is short. */
#ifndef LOADGEN_READINESS_H
#define LOADGEN_READINESS_H

#include "../../common/error.h"

#include <stdint.h>

enum { READINESS_BATCH = 512 };

enum ready_bits {
    READY_READ = 1,
    READY_WRITE = 2,
    READY_ENDED = 4, /* the peer has closed or reset: read until a read says so */
};

struct ready_event {
    void *owner;
    unsigned bits;
};

struct readiness;

/* Close it with readiness_close. Returns NULL with error filled on failure. */
struct readiness *readiness_open(struct error *error);
void readiness_close(struct readiness *readiness);

/* Watches fd until it is closed. What is ready already is reported by the next wait. Returns 0, or
 * -1 with errno set. */
int readiness_add(struct readiness *readiness, int fd, void *owner);

/* Waits until something is ready, or until deadline_ns of clock_now(). Does not wait when the
 * deadline has passed, or is 0. The timer is finer than a millisecond. Returns the number of
 * events, 0 at the deadline or on a signal, or -1 with errno set. With kqueue one descriptor can
 * have two events in a batch. */
int readiness_wait(struct readiness *readiness, uint64_t deadline_ns,
                   struct ready_event events[READINESS_BATCH]);

#endif
