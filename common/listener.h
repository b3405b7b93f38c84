/* The listening socket, and what to do when there is no descriptor left to accept with. */
#ifndef COMMON_LISTENER_H
#define COMMON_LISTENER_H

#include "address.h"
#include "error.h"
#include "options.h"
#include "stats.h"
#include "watch.h"

#include <stdbool.h>
#include <stdint.h>

struct listener {
    struct watch watch;        /* first, as in a connection */
    int spare;                 /* a descriptor kept to be given up, or -1 */
    bool refusing;             /* the current run of refusals has been reported */
    uint64_t resting_until_ns; /* accepts nothing before; 0: not resting */
    uint64_t spare_used_ns;    /* when the spare descriptor last served to refuse a peer */
    uint64_t reported_ns;
    char address[ADDRESS_BYTES]; /* as bound: with the port that the kernel picked */
};

enum accept_result {
    ACCEPT_EXHAUSTED = -2,   /* no descriptor or no memory: the listener rests */
    ACCEPT_WOULD_BLOCK = -1, /* nobody waits */
    ACCEPT_REFUSED,
    ACCEPT_DONE,
};

/* Binds and listens. Returns 0, or -1 with error filled and nothing left open. */
int listener_open(struct listener *listener, const struct options *options, struct error *error);

void listener_close(struct listener *listener);

/* READABLE, or NOTHING while it rests. */
unsigned listener_wants(const struct listener *listener);

/* Accepts one peer (accept(2)). Returns a non-blocking, close-on-exec descriptor that the caller
 * owns, ACCEPT_WOULD_BLOCK when nobody waits, or ACCEPT_EXHAUSTED when descriptors or memory ran
 * out. Then the listener rests: until listener_wake, or for a second, since the descriptors may be
 * another process's to free (ENFILE). At most one peer a second is refused meanwhile. */
int listener_accept(struct listener *listener, struct stats *stats, uint64_t now_ns);

/* Counts a refused peer and closes fd. The first of a run of refusals is reported, with reason. */
void listener_refuse(struct listener *listener, struct stats *stats, int fd, const char *reason,
                     uint64_t now_ns);

/* Counts a peer that is being served: ends a run of refusals. */
void listener_admit(struct listener *listener, struct stats *stats);

/* Ends the rest: a descriptor has become free, or it is late enough to look again. */
void listener_wake(struct listener *listener);

#endif
