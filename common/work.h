/* Work that a request asks of a server, for experiments: --work MICROSECONDS. */
#ifndef COMMON_WORK_H
#define COMMON_WORK_H

#include <stdint.h>

/* Computes for so long, in time on a processor: while another thread has the processor, this one
 * does not work (CLOCK_THREAD_CPUTIME_ID, clock_gettime(2)). 0: returns at once. */
void work(uint64_t nanoseconds);

#endif
