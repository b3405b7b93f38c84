/* Whether another program had the core while something was measured. */
#ifndef MICRO_PREEMPTED_H
#define MICRO_PREEMPTED_H

#include <stdint.h>

/* Totals of the calling thread. */
struct preempted {
    uint64_t now_ns;
    uint64_t waited_ns; /* ready to run, but without a CPU */
};

void preempted_begin(struct preempted *begun);

/* Percent of the time since then; 0 where the system does not tell. */
double preempted_since(const struct preempted *begun);

#endif
