#include "preempted.h"

#include "../../common/clock.h"

#include <inttypes.h>
#include <stdio.h>

/* The second number of schedstat (Documentation/scheduler/sched-stats.rst in Linux). */
static uint64_t read_waited(void)
{
    uint64_t ran = 0;
    uint64_t waited = 0;
#ifdef __linux__
    FILE *file = fopen("/proc/thread-self/schedstat", "re");

    if (file == NULL)
        return 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &ran, &waited) != 2)
        waited = 0;
    (void)fclose(file);
#endif
    (void)ran;
    return waited;
}

void preempted_begin(struct preempted *begun)
{
    begun->waited_ns = read_waited();
    begun->now_ns = clock_now();
}

double preempted_since(const struct preempted *begun)
{
    uint64_t span_ns = clock_now() - begun->now_ns;
    uint64_t waited_ns = read_waited() - begun->waited_ns;

    return span_ns > 0 ? 100.0 * (double)waited_ns / (double)span_ns : 0;
}
