/* Memory that a burst needed goes back to the kernel. */
#ifndef COMMON_BURST_H
#define COMMON_BURST_H

#include "stats.h"

#include <stdint.h>

/* All 0 at first. */
struct burst {
    uint64_t looked_at; /* as many bytes in have paid for the looks until now */
    uint64_t most;      /* buffers at the same time since the last look */
};

/* To be called once a wake-up, before the wait, which may be long. Gives back what a burst has
 * left, if one is over. Costs three comparisons, and a look at the heap for each 32 MiB that have
 * come. */
void burst_over(struct burst *burst, const struct stats *stats);

#endif
