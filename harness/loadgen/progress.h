/* The line on a terminal that shows the state of a run while it goes on. */
#ifndef LOADGEN_PROGRESS_H
#define LOADGEN_PROGRESS_H

#include "worker.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown; /* standard error is a terminal, and --quiet is not given */
    uint64_t next_ns;
    uint64_t last_ns;
    uint64_t last_count;
    struct histogram *scratch;
};

void progress_begin(struct progress *progress, bool quiet);

/* Shows the state, at most twice a second. The workers may be running. */
void progress_show(struct progress *progress, const struct worker *workers, uint32_t count,
                   uint64_t now_ns);

/* Clears the line. */
void progress_end(struct progress *progress);

#endif
