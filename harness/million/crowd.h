/* Many entries that are watched together, as the measurement sees them. */
#ifndef MILLION_CROWD_H
#define MILLION_CROWD_H

#include "../../common/error.h"

#include <stdint.h>

struct crowd {
    void *state;
    uint64_t count;

    /* One call, which does not block. Returns how many entries are ready, or -1 with errno set. */
    int (*wait)(void *state);

    /* The number of the entry that the last wait reported first. */
    uint64_t (*found)(void *state);

    /* Make one entry ready, and no longer ready. Return 0, or -1 with error filled. */
    int (*fill)(void *state, uint64_t number, struct error *error);
    int (*drain)(void *state, uint64_t number, struct error *error);
};

struct one_ready {
    double median_us; /* of the rounds: one call */
    double least_us;
    uint64_t calls; /* that were timed; each reported the one entry */
};

/* In each round another entry is ready: the first, the last, then any by the seed. The call must
 * report it and nothing else, and nothing once it was read. Between two readings of the clock there
 * are about a millisecond of calls. Returns 0, or -1 with error filled. */
int one_ready_measure(const struct crowd *crowd, uint32_t rounds, uint64_t seed,
                      struct one_ready *result, struct error *error);

#endif
