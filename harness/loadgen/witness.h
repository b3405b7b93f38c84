/* A thread that only looks at the clock at fixed times. When it is late, something took the machine
 * away from it, and probably from the other threads too. */
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
    bool privileged; /* it has priority over ordinary threads (SCHED_FIFO) */
    int cpu;         /* the CPU it runs on, or -1 */
    atomic_bool stop;
    atomic_bool counting;
    uint64_t looks;   /* read this and what follows after witness_stop */
    uint64_t most_ns; /* the longest delay */
    uint64_t lost_ns; /* the sum of its delays, each less the first millisecond */
};

/* Starts the thread; cpu is the client's CPU, or -1. Returns 0, or -1 with error filled. */
int witness_start(struct witness *witness, int cpu, struct error *error);

/* Starts or stops counting. */
void witness_count(struct witness *witness, bool counting);

void witness_stop(struct witness *witness);

/* How much of the counted time stalls took; call it after witness_stop. If the witness could not
 * look at the clock at all, that counts too. */
uint64_t witness_lost_ns(const struct witness *witness, uint64_t counted_ns);

#endif
