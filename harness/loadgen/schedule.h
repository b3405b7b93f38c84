/* When each request is due, and which connection gets it: known before the run, whatever the server
 * does.
 *
 * With R requests a second over all T threads, request k of thread j has the number g = k·T + j in
 * the whole run and is due at start + ⌊g·10⁹ / R⌋ ns: all in integers, so that nothing drifts, and
 * the threads' schedules interleave. Poisson arrivals add up gaps drawn from (seed, thread)
 * instead. */
#ifndef LOADGEN_SCHEDULE_H
#define LOADGEN_SCHEDULE_H

#include <stdint.h>

enum arrivals { ARRIVALS_CONSTANT, ARRIVALS_POISSON };

struct schedule {
    uint64_t start_ns;
    uint64_t rate_milli; /* requests in 1,000 seconds, of all threads together */
    enum arrivals arrivals;
    uint32_t thread;
    uint32_t threads;
    uint64_t next;    /* k of the request that is due at next_ns */
    uint64_t next_ns; /* absolute, like start_ns */
    uint64_t stream;  /* of the gaps */
    double mean_gap_ns;
    double elapsed_ns; /* Poisson: since the start, with the fraction that next_ns lacks */
};

/* rate_milli > 0; thread < threads. */
void schedule_init(struct schedule *schedule, uint64_t rate_milli, enum arrivals arrivals,
                   uint64_t seed, uint32_t thread, uint32_t threads);

/* Sets the start, and with it when the first request is due. Call once. */
void schedule_start(struct schedule *schedule, uint64_t start_ns);

/* Goes on to the next request. */
void schedule_advance(struct schedule *schedule);

/* How far after the start request `number` of the whole run is due, at a constant rate. */
uint64_t schedule_offset(uint64_t number, uint64_t rate_milli);

/* Fills order with 0 to count - 1, shuffled by the seed: request g goes to the connection at
 * g mod count, so that each gets its turn before any gets two. */
void schedule_order(uint64_t seed, uint32_t count, uint32_t *order);

/* A number that is equal for two runs if and only if they asked for the same load: over the first
 * 4,096 times and connections of each thread, and what else the caller mixes in. */
uint64_t schedule_hash(uint64_t rate_milli, enum arrivals arrivals, uint64_t seed, uint32_t threads,
                       uint32_t count);

#endif
