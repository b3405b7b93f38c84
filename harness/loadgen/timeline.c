#include "timeline.h"

#include <stdlib.h>

struct timeline *timeline_new(uint64_t duration_ns)
{
    struct timeline *timeline = calloc(1, sizeof *timeline);

    if (timeline != NULL) {
        timeline->interval_ns = duration_ns / TIMELINE_INTERVALS;
        timeline->intervals_a_ns = (double)TIMELINE_INTERVALS / (double)duration_ns;
    }
    return timeline;
}

static void add(timeline_counts into, const timeline_counts from)
{
    for (int interval = 0; interval < TIMELINE_INTERVALS; interval++)
        for (int row = 0; row < TIMELINE_ROWS; row++)
            into[interval][row] += from[interval][row];
}

void timeline_add(struct timeline *into, const struct timeline *from)
{
    add(into->answered, from->answered);
    add(into->unanswered, from->unanswered);
}
