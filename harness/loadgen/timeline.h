/* How long requests took in each part of the measured time: counts by when a request was due, and
 * by how long it took. A picture of the run is made from it. It shows stalls, which a histogram of
 * the whole run hides. */
#ifndef LOADGEN_TIMELINE_H
#define LOADGEN_TIMELINE_H

#include "histogram.h"

#include <stdint.h>

enum {
    TIMELINE_INTERVALS = 50, /* of equal length, in the measured time */
    TIMELINE_STEP_BITS = 2,  /* 4 rows an octave: 256 slots of a histogram are one row */
    TIMELINE_ROW_BITS = HISTOGRAM_STEP_BITS - TIMELINE_STEP_BITS,
    TIMELINE_ROWS = HISTOGRAM_SLOTS >> TIMELINE_ROW_BITS,
};

typedef uint32_t timeline_counts[TIMELINE_INTERVALS][TIMELINE_ROWS];

/* One thread writes; it is read after that thread has ended. */
struct timeline {
    uint64_t interval_ns;
    double intervals_a_ns; /* a multiplication costs less than a division */
    timeline_counts answered;
    timeline_counts unanswered; /* at the age that they had at the end */
};

/* An empty one for this measured time; release it with free(3). NULL when memory is short. */
struct timeline *timeline_new(uint64_t duration_ns);

/* Adds what `from` holds. Both have the same measured time. */
void timeline_add(struct timeline *into, const struct timeline *from);

/* since_ns: from the beginning of the measured time until the request was due. What is due later
 * than the last interval counts in that one. */
static inline void timeline_record(const struct timeline *timeline, timeline_counts counts,
                                   uint64_t since_ns, uint64_t taken_ns)
{
    uint32_t interval = TIMELINE_INTERVALS - 1;
    double position = (double)since_ns * timeline->intervals_a_ns;

    if (position < (double)TIMELINE_INTERVALS)
        interval = (uint32_t)position;
    if (taken_ns > HISTOGRAM_MOST_NS)
        taken_ns = HISTOGRAM_MOST_NS;
    counts[interval][histogram_slot_of(taken_ns) >> TIMELINE_ROW_BITS]++;
}

#endif
