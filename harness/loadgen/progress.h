/* The line that changes while a run goes on, for people at a terminal. */
#ifndef LOADGEN_PROGRESS_H
#define LOADGEN_PROGRESS_H

#include "worker.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown; /* standard error is a terminal, and nobody asked for quiet */
    uint64_t next_ns;
    uint64_t last_ns;
    uint64_t last_count;
    struct histogram *scratch;
};

void progress_begin(struct progress *progress, bool quiet);

/* Shows how things stand, at most twice a second. The workers may be running. */
void progress_show(struct progress *progress, const struct worker *workers, uint32_t count,
                   uint64_t now_ns);

/* Wipes the line. */
void progress_end(struct progress *progress);

#endif
