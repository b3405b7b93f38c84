/* The time a loop needs from an empty state until it has read everything that arrived: the calls,
 * the search for what is ready, and the reading. */
#ifndef MICRO_CYCLE_H
#define MICRO_CYCLE_H

#include "watched.h"

struct cycle {
    double median_us;
    double least_us;
    double wait_us; /* the part of a cycle within the calls that wait: median over the rounds */
    double waits;   /* number of these calls per cycle, on average */
    uint64_t rounds;
};

/* In each round the other end of every chosen socket writes one byte. Then the cycle is timed. Then
 * each byte is answered, as a server would. Runs for span_ns, at least 5 rounds; the first round
 * does not count. Returns 0, or -1 with error filled. */
int cycle_measure(struct watched *watched, uint64_t span_ns, struct cycle *result,
                  struct error *error);

#endif
