#ifndef LOADGEN_WAITED_H
#define LOADGEN_WAITED_H

#include <stdint.h>

/* Nanoseconds for which this thread stood ready and had no CPU, since it began: the second number
 * of schedstat (Documentation/scheduler/sched-stats.rst in Linux). 0 where there is none. */
uint64_t waited_ns(void);

/* The same of the thread whose schedstat stands at `path`. */
uint64_t waited_ns_of(const char *path);

#endif
