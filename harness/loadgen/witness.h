/* A thread that does nothing but look at the clock at fixed times. When it is late, the machine was
 * taken away from it, and so, probably, from whoever else ran. */
#ifndef LOADGEN_WITNESS_H
#define LOADGEN_WITNESS_H

#include "../../common/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct witness {
    pthread_t thread;
    bool running;
    bool privileged; /* it runs ahead of ordinary threads (SCHED_FIFO) */
    int cpu;         /* where it runs, or -1 */
    atomic_bool stop;
    atomic_bool counting;
    uint64_t looks;   /* read the rest after witness_stop */
    uint64_t most_ns; /* the latest that it was */
    uint64_t lost_ns; /* all that it was late beyond the first millisecond, added up */
};

/* Starts the thread; cpu is where the client runs, or -1. Returns 0, or -1 with error filled. */
int witness_start(struct witness *witness, int cpu, struct error *error);

/* Counts from now on, or no longer. */
void witness_count(struct witness *witness, bool counting);

void witness_stop(struct witness *witness);

/* How much of the counted time was lost to stalls, after witness_stop. A witness that was kept from
 * looking at all counts too. */
uint64_t witness_lost_ns(const struct witness *witness, uint64_t counted_ns);

#endif
