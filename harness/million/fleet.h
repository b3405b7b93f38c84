/* One epoll, and the processes that hold what it watches. */
#ifndef MILLION_FLEET_H
#define MILLION_FLEET_H

#include "crowd.h"
#include "holder.h"

#include <sys/epoll.h>
#include <sys/types.h>

struct fleet_holder {
    pid_t process; /* -1: gone, and waited for */
    int orders;
};

struct fleet {
    int epoll;
    uint32_t size; /* processes */
    uint32_t each; /* entries a process, but the last one may have fewer */
    struct fleet_holder *holders;
    struct epoll_event events[2]; /* of the last wait: one is expected, a second would be wrong */
};

/* Starts as many processes as `count` entries need with `each` a process, and lets them make the
 * entries, one process after the other. A process ends when this one does, however that ends. Call
 * stop_begin before it. Returns 0, or -1 with error filled. Call fleet_close in both cases. */
int fleet_open(struct fleet *fleet, enum entry_kind kind, uint64_t count, uint32_t each,
               struct error *error);

/* Lets them register all. *span_ns is the time in epoll_ctl(2), all calls together. Returns 0, or
 * -1 with error filled. */
int fleet_watch(struct fleet *fleet, uint64_t *span_ns, struct error *error);

/* Whether every process is still there: what one of them held would be missing. Returns 0, or -1
 * with error filled. */
int fleet_check(struct fleet *fleet, struct error *error);

/* The calls of the epoll, for the measurement. */
struct crowd fleet_crowd(struct fleet *fleet, uint64_t count);

/* Ends all processes and waits until they are gone. */
void fleet_close(struct fleet *fleet);

#endif
