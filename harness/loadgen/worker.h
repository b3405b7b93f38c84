/* One thread's share of the load, and the loop that carries it out. */
#ifndef LOADGEN_WORKER_H
#define LOADGEN_WORKER_H

#include "flow.h"
#include "gate.h"
#include "readiness.h"
#include "schedule.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* What a worker used of the machine from its first mark to its second. */
struct usage {
    uint64_t cpu_ns; /* of the thread, user and system */
    uint64_t user_ns;
    uint64_t system_ns;
    uint64_t spun_ns;   /* the part of it that was spent polling in vain */
    uint64_t waited_ns; /* runnable, but without a CPU */
    uint64_t switches;  /* context switches */
    uint64_t wall_ns;
};

/* How much CPU time polls in vain took. Reading that clock is a system call, so it is read only
 * before a stretch of such polls and after it. */
struct spin {
    uint64_t polls;    /* since the first mark, measured or not */
    uint64_t stretch;  /* polls in vain since the thread last worked or slept */
    uint64_t read_ns;  /* the clock within this stretch */
    uint64_t sends;    /* when the last poll ended */
    uint64_t measured; /* polls between two readings of one stretch */
    uint64_t measured_ns;
};

struct worker {
    pthread_t thread;
    uint32_t number;
    struct gate *gate;
    struct traffic traffic;
    struct readiness *readiness;
    struct schedule schedule;
    struct flow **flows; /* the active flows, in the order of their turns */
    uint32_t flow_count;
    struct flow **idle;
    uint32_t idle_count;
    uint64_t trickled;    /* how many bytes of --idle trickle have fallen due */
    struct flow **pieces; /* --fragment: flows that have something to write */
    uint32_t piece_count;
    struct spin spin;
    uint64_t waits_marked;
    uint64_t full_waits_marked;
    struct usage mark;  /* at the first mark: absolute */
    struct usage usage; /* between the marks */
    double full_share;  /* the share of waits between the marks that filled the batch, % */
    bool measuring;
    bool draining;
    bool cut_short; /* a signal ended the wait for the last replies */
    int status;     /* 0, or -1 with error filled */
    struct error error;
};

/* Takes over this worker's flows; traffic is initialised already. Returns 0, or -1 with error
 * filled. Call worker_destroy in both cases. */
int worker_init(struct worker *worker, uint32_t number, struct gate *gate, const struct load *load,
                const struct target *target, struct flow *flows, const uint32_t *order,
                struct error *error);
void worker_destroy(struct worker *worker);

/* A thread's function (pthread_create(3)). The main thread calls the first worker's itself. It
 * waits at the gate, then runs to the end. Afterwards read worker->status. */
void *worker_main(void *worker);

#endif
