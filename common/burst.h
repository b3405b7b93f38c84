/* Memory that a burst needed goes back to the kernel. For servers that let malloc(3) keep more
 * between their buffers than the five do. */
#ifndef COMMON_BURST_H
#define COMMON_BURST_H

#include "context.h"

#include <stdint.h>

/* To be called once a wake-up: gives back what a burst has left, if one is over. *looked is the
 * caller's: stats.bytes_in at the last look, and 0 at first. Costs a comparison, and a look at the
 * heap for each 32 MiB that have come. */
void burst_over(const struct context *context, uint64_t *looked);

#endif
