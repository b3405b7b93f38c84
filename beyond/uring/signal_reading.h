/* Signals, read by the ring like anything else: a read of a signalfd(2) is always in flight. */
#ifndef URING_SIGNAL_READING_H
#define URING_SIGNAL_READING_H

#include "../../common/error.h"
#include "../../common/watch.h"
#include "ring.h"

#include <sys/signalfd.h>

enum { SIGNALS_A_READ = 4 };

struct signal_reading {
    struct watch watch;
    struct signalfd_siginfo taken[SIGNALS_A_READ]; /* the kernel writes here */
    int count, used;
};

/* Opens the descriptor. The wanted signals must be blocked (signals_block). Returns 0, or -1 with
 * error filled; signal_reading_close is needed either way. */
int signal_reading_open(struct signal_reading *reading, struct error *error);

/* Nothing of it may be in flight. */
void signal_reading_close(struct signal_reading *reading);

/* Begins to read. Returns 0, or -1 with errno set. */
int signal_reading_begin(struct signal_reading *reading, struct ring *ring);

/* Takes a completion of the read in. */
void signal_reading_completed(struct signal_reading *reading, const struct completion *completion);

/* The number of a signal that has come, or 0; then the next read begins. */
int signal_reading_next(struct signal_reading *reading, struct ring *ring);

#endif
