/* What a loop spends from having nothing in hand until it has read everything that came: the calls,
 * the search for what is ready, and the reading. */
#ifndef MICRO_CYCLE_H
#define MICRO_CYCLE_H

#include "watched.h"

struct cycle {
    double median_us;
    double least_us;
    double wait_us; /* of a cycle, the part within the calls that wait: median over the rounds */
    double waits;   /* such calls a cycle, on average */
    uint64_t rounds;
};

/* Each round the other end of every chosen socket writes one byte; then the cycle is timed; then
 * each byte is answered, as a server would. At least 5 rounds beside the first, which does not
 * count, for span_ns. Returns 0, or -1 with error filled. */
int cycle_measure(struct watched *watched, uint64_t span_ns, struct cycle *result,
                  struct error *error);

#endif
