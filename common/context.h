/* What the parts of one wake-up share: the time, the scratch buffer, the limits and the counters.
 *
 * Nothing here belongs to a connection. A wake-up serves one connection after another, so one
 * scratch buffer is enough for all of them. */
#ifndef COMMON_CONTEXT_H
#define COMMON_CONTEXT_H

#include "options.h"
#include "stats.h"

#include <stdbool.h>
#include <stdint.h>

/* The most that one recv(2) can bring. It is about as much as a socket usually holds, and it stays
 * in the processor's cache from recv to send. */
enum { SCRATCH_BYTES = 64 * 1024 };

struct context {
    uint64_t now_ns;   /* CLOCK_MONOTONIC, read once after each wait */
    uint8_t *scratch;  /* SCRATCH_BYTES, lent to one connection at a time */
    bool keeps_memory; /* buffer.c has told malloc(3) to keep what large buffers give back */
    const struct options *options;
    struct stats *stats;
};

#endif
