/* Several processes wait for one listener, and connections come one at a time: who wakes up? Linux
 * only: epoll(7), and /proc for the count of context switches. */
#ifndef MICRO_HERD_H
#define MICRO_HERD_H

#include "../../common/error.h"

#include <stdint.h>

enum herd_way {
    HERD_SHARED,    /* one listener, an epoll instance in each worker, level-triggered */
    HERD_EDGE,      /* the same, EPOLLET: accept until it would block */
    HERD_EXCLUSIVE, /* the same, EPOLLEXCLUSIVE */
    HERD_ONE_EPOLL, /* one listener in one epoll instance, on which all workers wait */
    HERD_REUSEPORT, /* a listener and an epoll instance for each worker (SO_REUSEPORT) */
};

extern const char *const herd_names[]; /* in that order; end with NULL */

enum { HERD_WORKERS_MOST = 64 };

struct herd_plan {
    enum herd_way way;
    uint32_t workers; /* at most HERD_WORKERS_MOST */
    uint32_t connections;
    /* Connections that are open at a time, fewer than workers; each keeps its worker busy until the
     * client ends it. 0: a worker ends each connection at once, so all are idle. */
    uint32_t busy;
};

struct herd_counts {
    struct herd_worker {
        uint64_t accepted;
        uint64_t would_block;     /* accept(2) found no connection */
        uint64_t waits;           /* times that epoll_wait returned an event */
        uint64_t switches;        /* voluntary context switches: it slept and was woken up */
    } workers[HERD_WORKERS_MOST]; /* in the order in which they registered the listener */
    uint64_t waited;              /* connections that no worker took, although a worker was idle */
};

/* Starts the workers, which register the listener one after the other, and makes the connections.
 * Each begins when all workers are asleep again, so no wake-up counts for two connections. Returns
 * 0, or -1 with error filled. No worker outlives the call or the caller. */
int herd_run(const struct herd_plan *plan, struct herd_counts *counts, struct error *error);

#endif
