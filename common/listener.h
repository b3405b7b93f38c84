/* The listening socket, and what to do when no descriptor is left to accept with. */
#ifndef COMMON_LISTENER_H
#define COMMON_LISTENER_H

#include "address.h"
#include "error.h"
#include "log.h"
#include "options.h"
#include "stats.h"
#include "watch.h"

#include <stdbool.h>
#include <stdint.h>

struct listener {
    struct watch watch;
    int spare;                 /* a descriptor kept to be given up, or -1 */
    bool refusing;             /* the present run of refusals has its log line */
    uint64_t resting_until_ns; /* accepts nothing before; 0: not resting */
    uint64_t spare_used_ns;    /* when the spare descriptor last served to refuse a peer */
    struct log_limit log;
    char address[ADDRESS_BYTES]; /* as bound: with the port that the kernel picked */
};

enum accept_result {
    ACCEPT_DONE,
    ACCEPT_WOULD_BLOCK, /* no peer waits */
    ACCEPT_EXHAUSTED,   /* no descriptor or no memory: the listener rests */
};

/* Binds and listens (bind(2), listen(2)), or takes over a socket that listens already: inherited,
 * unless that is -1. Then --bind, --port and --backlog are not used. Returns 0, or -1 with error
 * filled and nothing left open. */
int listener_open(struct listener *listener, const struct options *options, int inherited,
                  struct error *error);

void listener_close(struct listener *listener);

/* READABLE, or NOTHING while it rests. */
unsigned listener_wants(const struct listener *listener);

/* Accepts one peer (accept(2)). After ACCEPT_DONE *fd is a non-blocking, close-on-exec descriptor
 * that the caller owns. After ACCEPT_EXHAUSTED the listener rests: until listener_wake, or for a
 * second, because another process may free descriptors too (ENFILE). At most one peer a second is
 * refused meanwhile. */
enum accept_result listener_accept(struct listener *listener, struct stats *stats, uint64_t now_ns,
                                   int *fd);

/* Until listener_accept has found the queue empty, no peer is refused for want of descriptors. */
void listener_keep_no_spare(struct listener *listener);

/* Counts a refused peer and closes fd. The first of a run of refusals is logged with the reason. */
void listener_refuse(struct listener *listener, struct stats *stats, int fd, const char *reason,
                     uint64_t now_ns);

/* Counts a peer that is served from now on: it ends a run of refusals. */
void listener_admit(struct listener *listener, struct stats *stats);

/* Begins a rest, of a second. */
void listener_rest(struct listener *listener);

/* Ends the rest: a descriptor has become free, or it is time to look again. */
void listener_wake(struct listener *listener);

#endif
