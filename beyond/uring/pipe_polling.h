/* The poll of the pipe by which a new program says that it listens (common/restart.h). */
#ifndef URING_PIPE_POLLING_H
#define URING_PIPE_POLLING_H

#include "../../common/loop.h"
#include "ring.h"

struct pipe_polling {
    unsigned failures; /* how many polls have failed one after the other */
};

/* Arms the poll. Returns 0, or -1 with errno set. */
int pipe_polling_begin(struct pipe_polling *polling, struct ring *ring, struct watch *watch);

/* Takes a completion of the pipe in, and tells the loop if it is worth a look. */
void pipe_polling_completed(struct pipe_polling *polling, struct ring *ring, struct loop *loop,
                            struct watch *watch, const struct completion *completion);

/* Puts a cancellation of the poll into the queue. The poll is over when watch->held is false.
 * Returns 0, or -1 with errno set. */
int pipe_polling_cancel(struct ring *ring, struct watch *watch);

#endif
