/* What a thread has used so far, and on which CPUs it runs. */
#ifndef LOADGEN_USAGE_H
#define LOADGEN_USAGE_H

#include "worker.h"

#include <stdbool.h>

/* CPU time of the calling thread so far. A system call. */
uint64_t usage_cpu_ns(void);

/* Fills everything but spun_ns with the calling thread's totals. wall_ns is clock_now(). */
void usage_read(struct usage *usage);

/* Binds the calling thread to a CPU. Returns 0, or -1 with errno set (ENOTSUP on systems that
 * cannot bind threads). */
int usage_pin(int cpu);

/* The CPUs that the calling thread may run on: read them, pin, and set them again. */
struct cpu_mask {
    unsigned long words[1024 / (8 * sizeof(unsigned long))];
};

void usage_read_mask(struct cpu_mask *mask);
void usage_set_mask(const struct cpu_mask *mask);

/* Gives the calling thread priority over ordinary threads, or takes it away. Nothing changes when
 * the thread lacks the privilege for it. */
void usage_set_urgent(bool urgent);

/* Gives the calling thread a descriptor table of its own (unshare(2)), on systems that can. A
 * system call on a descriptor costs more while threads share one table. Descriptors that are open
 * already stay open in both tables, so call it early. */
void usage_part_descriptors(void);

/* Makes the calling thread's timers exact on systems that round them (prctl(2),
 * PR_SET_TIMERSLACK). */
void usage_exact_timers(void);

/* How many CPUs the calling thread may run on. */
int usage_cpus(void);

#endif
