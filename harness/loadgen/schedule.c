#include "schedule.h"

#include "mix.h"

#include <math.h>

/* 10⁹ ns a second, 1,000 seconds a unit of rate_milli. */
#define SCALE UINT64_C(1000000000000)

uint64_t schedule_offset(uint64_t number, uint64_t rate_milli)
{
    /* ⌊number · SCALE / rate⌋, computed in parts that stay below 2^64 for 10^9 requests and
     * more. */
    uint64_t rounds = number / rate_milli;
    uint64_t rest = number % rate_milli;

    return rounds * SCALE + rest * (SCALE / rate_milli) + rest * (SCALE % rate_milli) / rate_milli;
}

static void draw_gap(struct schedule *schedule)
{
    /* 53 bits make every double in (0, 1] equally likely. 0 is excluded, because it has no
     * logarithm. */
    double uniform = ((double)(mix_next(&schedule->stream) >> 11) + 1.0) * 0x1p-53;

    schedule->elapsed_ns -= log(uniform) * schedule->mean_gap_ns;
    schedule->next_ns = schedule->start_ns + (uint64_t)schedule->elapsed_ns;
}

void schedule_init(struct schedule *schedule, uint64_t rate_milli, enum arrivals arrivals,
                   uint64_t seed, uint32_t thread, uint32_t threads)
{
    *schedule = (struct schedule){
        .rate_milli = rate_milli,
        .arrivals = arrivals,
        .thread = thread,
        .threads = threads,
        .stream = mix_into(mix(seed), thread),
        .mean_gap_ns = (double)SCALE * (double)threads / (double)rate_milli,
    };
}

void schedule_start(struct schedule *schedule, uint64_t start_ns)
{
    schedule->start_ns = start_ns;
    schedule->next_ns = start_ns + schedule_offset(schedule->thread, schedule->rate_milli);
    if (schedule->arrivals == ARRIVALS_POISSON)
        draw_gap(schedule);
}

void schedule_advance(struct schedule *schedule)
{
    schedule->next++;
    if (schedule->arrivals == ARRIVALS_POISSON) {
        draw_gap(schedule);
        return;
    }
    uint64_t number = schedule->next * schedule->threads + schedule->thread;
    schedule->next_ns = schedule->start_ns + schedule_offset(number, schedule->rate_milli);
}

void schedule_order(uint64_t seed, uint32_t count, uint32_t *order)
{
    uint64_t stream = mix_into(mix(seed), UINT32_MAX);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = (uint32_t)mix_below(&stream, (uint64_t)i + 1);
        if (j != i)
            order[i] = order[j];
        order[j] = i;
    }
}

uint64_t schedule_hash(uint64_t rate_milli, enum arrivals arrivals, uint64_t seed, uint32_t threads,
                       uint32_t count)
{
    uint64_t hash = mix_into(mix_into(seed, count), rate_milli);

    for (uint32_t thread = 0; thread < threads && rate_milli > 0; thread++) {
        struct schedule schedule;
        schedule_init(&schedule, rate_milli, arrivals, seed, thread, threads);
        schedule_start(&schedule, 0);
        for (int i = 0; i < 4096; i++) {
            hash = mix_into(hash, schedule.next_ns);
            schedule_advance(&schedule);
        }
    }
    return hash;
}
