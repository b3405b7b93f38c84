/* What one call costs while nothing changes. */
#ifndef MICRO_ONE_WAIT_H
#define MICRO_ONE_WAIT_H

#include "watched.h"

struct one_wait {
    double median_us; /* of a call, over the batches */
    double least_us;
    uint64_t calls;
    uint64_t batches;
};

/* Makes the chosen sockets readable, leaves their bytes unread, and times the call that reports
 * them: in batches of about a millisecond, at least 20 batches, for span_ns. Each call must report
 * exactly watched->ready_count events; another number is an error. Returns 0, or -1 with error
 * filled. */
int one_wait_measure(struct watched *watched, uint64_t span_ns, struct one_wait *result,
                     struct error *error);

#endif
