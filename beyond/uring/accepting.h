/* The accept that is armed on the listener. */
#ifndef URING_ACCEPTING_H
#define URING_ACCEPTING_H

#include "../../common/loop.h"
#include "ring.h"

#include <stdbool.h>
#include <sys/resource.h>

struct accepting {
    unsigned armed;       /* KIND_ACCEPT, KIND_POLL, or NOT_ARMED */
    bool cancelling;      /* a cancellation is in flight */
    bool is_full;         /* the accept that was armed last found no descriptor */
    bool changed;         /* a connection came or went since the limit was looked at */
    rlim_t accepts_below; /* the descriptor limit when the accept was armed */
};

/* Arms it or cancels it, by what the listener wants. Returns 0, or -1 with errno set. */
int accepting_update(struct accepting *accepting, struct ring *ring, struct watch *watch,
                     unsigned wants);

/* At a restart, when the accept is over: accepts the peers for whom nobody else was woken. */
void accepting_rest(struct loop *loop);

/* Takes a completion of the listener in: a peer, or the end of the accept. */
void accepting_completed(struct accepting *accepting, struct loop *loop,
                         const struct completion *completion);

#endif
