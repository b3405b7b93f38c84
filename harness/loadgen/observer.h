/* A thread that observes while the workers work. It samples the machine and the server at both ends
 * of the measured time, runs the witness, and shows progress.
 *
 * It starts before any connection is made, and takes a descriptor table of its own. A system call
 * on a descriptor costs more in a process whose threads share one table, and the measured servers
 * have one thread. */
#ifndef LOADGEN_OBSERVER_H
#define LOADGEN_OBSERVER_H

#include "gate.h"
#include "sample.h"
#include "witness.h"
#include "worker.h"

#include <pthread.h>

struct observer {
    pthread_t thread;
    bool running;
    struct gate *gate;
    const struct load *load;
    const struct worker *workers; /* load->threads of them, running once the gate is open */
    pthread_mutex_t lock;         /* guards `sharing` */
    pthread_cond_t changed;
    bool sharing;     /* the thread still shares the descriptors of the others */
    bool interrupted; /* by a signal, before the measured time was over. Read this and what follows
                       * after observer_join */
    uint64_t started_unix_ns; /* 0: the measured time did not begin */
    struct witness witness;
    struct server_sample server;
    struct machine_sample machine;
};

/* Starts the thread. It waits for the gate. gate, load and workers must outlive it. Returns
 * 0, or -1 with error filled. */
int observer_start(struct observer *observer, struct gate *gate, const struct load *load,
                   const struct worker *workers, struct error *error);

/* Waits until the thread has seen the end of the measured time, or the gate shut. */
void observer_join(struct observer *observer);

#endif
