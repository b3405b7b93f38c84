#include "preempted.h"

#include "../../common/clock.h"
#include "../loadgen/waited.h"

void preempted_begin(struct preempted *begun)
{
    begun->waited_ns = waited_ns();
    begun->now_ns = clock_now();
}

double preempted_since(const struct preempted *begun)
{
    uint64_t span_ns = clock_now() - begun->now_ns;
    uint64_t waited = waited_ns() - begun->waited_ns;

    return span_ns > 0 ? 100.0 * (double)waited / (double)span_ns : 0;
}
