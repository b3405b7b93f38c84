/* When each request is due, and which connection carries it. Both are known before the run, and do
 * not depend on the server.
 *
 * With R requests a second over all T threads, request k of thread j has the number g = k·T + j in
 * the whole run. It is due at start + ⌊g·10⁹ / R⌋ ns. All of this is in integers, so that nothing
 * drifts, and the threads' schedules interleave. For Poisson arrivals, the schedule adds up gaps
 * drawn from (seed, thread) instead. */
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
    uint64_t stream;  /* from which the gaps are drawn */
    double mean_gap_ns;
    double elapsed_ns; /* Poisson: since the start, with the fraction that next_ns drops */
};

/* rate_milli > 0; thread < threads. */
void schedule_init(struct schedule *schedule, uint64_t rate_milli, enum arrivals arrivals,
                   uint64_t seed, uint32_t thread, uint32_t threads);

/* Sets the start, and so the due time of the first request. Call it once. */
void schedule_start(struct schedule *schedule, uint64_t start_ns);

/* Moves to the next request. */
void schedule_advance(struct schedule *schedule);

/* How long after the start request `number` of the whole run is due, at a constant rate. */
uint64_t schedule_offset(uint64_t number, uint64_t rate_milli);

/* Fills order with 0 to count - 1, shuffled by the seed. Request g goes to the connection at g mod
 * count, so each connection gets one request before any gets two. */
void schedule_order(uint64_t seed, uint32_t count, uint32_t *order);

/* A number that is equal for two runs if and only if they asked for the same load. It covers the
 * first 4,096 times and connections of each thread, and what the caller adds to it. */
uint64_t schedule_hash(uint64_t rate_milli, enum arrivals arrivals, uint64_t seed, uint32_t threads,
                       uint32_t count);

#endif
