/* A thread that looks on while the workers work: samples the machine and the server at both ends of
 * the measured time, runs the witness, shows progress.
 *
 * It is started before any connection is made, and takes a descriptor table of its own: a system
 * call on a descriptor costs more in a process whose threads share one table, and the servers that
 * are measured have one thread. */
#ifndef LOADGEN_OBSERVER_H
#define LOADGEN_OBSERVER_H

#include "gate.h"
#include "sample.h"
#include "witness.h"
#include "worker.h"

#include <pthread.h>
#include <stdatomic.h>

struct observer {
    pthread_t thread;
    bool running;
    struct gate *gate;
    const struct load *load;
    const struct worker *workers; /* as many as load->threads, running once the gate is open */
    const atomic_bool *stop;
    pthread_mutex_t lock; /* of `sharing` */
    pthread_cond_t changed;
    bool sharing;     /* the thread still has the descriptors of the others */
    bool interrupted; /* read the rest after observer_join */
    uint64_t started_unix_ns;
    struct witness witness;
    struct server_sample server;
    struct machine_sample machine;
};

/* Starts it; it waits for the gate. gate, load, workers, stop must outlive it. Returns 0, or -1
 * with error filled. */
int observer_start(struct observer *observer, struct gate *gate, const struct load *load,
                   const struct worker *workers, const atomic_bool *stop, struct error *error);

/* Waits until it has seen the end of the measured time, or the gate shut. */
void observer_join(struct observer *observer);

#endif
