/* Memory that a burst needed goes back to the kernel. */
#ifndef TLS_MEMORY_H
#define TLS_MEMORY_H

#include "../../common/context.h"

#include <stdint.h>

/* To be called once a wake-up. *looked is the caller's: stats.bytes_in at the last look, and 0 at
 * first. Costs a comparison, and a look at the heap for each 32 MiB that have come. */
void memory_give_back(const struct context *context, uint64_t *looked);

#endif
