/* Memory that a burst needed goes back to the kernel. */
#ifndef COMMON_BURST_H
#define COMMON_BURST_H

#include "stats.h"

#include <stdint.h>

/* All 0 at first. */
struct burst {
    uint64_t spent; /* of the bytes that have come, so many have paid for what was done */
    uint64_t most;  /* buffers at the same time since the last look */
};

/* To be called once a wake-up, before the wait, which may be long. Gives back what a burst has
 * left, if one is over. Costs a few comparisons. Bytes that have come pay for the rest: 2 MiB
 * for a look at the heap, 32 MiB, or all that is there, for giving back. */
void burst_over(struct burst *burst, const struct stats *stats);

#endif
