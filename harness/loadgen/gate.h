/* Where the threads of a run wait for each other, and the times that they share afterwards. */
#ifndef LOADGEN_GATE_H
#define LOADGEN_GATE_H

#include "load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t awaited; /* workers that have not arrived yet */
    bool shut;        /* the run will not take place */
    const struct load *load;
    uint64_t start_ns; /* 0: not open yet. These two change once, when the gate opens */
    uint64_t measure_from_ns;
    _Atomic uint64_t measure_to_ns; /* moved to an earlier time to end the run */
    atomic_bool capped;             /* --max-outstanding was reached */
    atomic_uint heard;              /* signals that had come when one ended the measured time */
};

void gate_init(struct gate *gate, const struct load *load);
void gate_destroy(struct gate *gate);

/* A worker is ready: it waits until all are, and the clock starts. Returns false when the run will
 * not take place. */
bool gate_arrive(struct gate *gate);

/* Waits until the gate opens. Returns false when the run will not take place. */
bool gate_watch(struct gate *gate);

/* The run will not take place: releases everyone who waits. It has no effect once the gate is
 * open. */
void gate_shut(struct gate *gate);

/* Ends the measured time now, unless it has already ended. */
void gate_end(struct gate *gate, uint64_t now_ns);

/* A signal ends the measured time now. A later one can end what follows. */
void gate_interrupt(struct gate *gate, uint64_t now_ns);

/* When the measured time ends. Whoever reads it sees what was written before it was moved. */
static inline uint64_t gate_end_ns(const struct gate *gate)
{
    return atomic_load_explicit(&gate->measure_to_ns, memory_order_acquire);
}

#endif
