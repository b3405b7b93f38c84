/* A log-linear histogram of times. Every octave is divided into 1,024 equal steps, so the error of
 * a value is at most 1 in 1,024 (3 significant digits). It covers 1 ns to 137 s in fixed memory.
 *
 * The idea is that of HdrHistogram (Gil Tene). Counts are exact and never sampled. The sum of two
 * histograms is what one histogram would have held. */
#ifndef LOADGEN_HISTOGRAM_H
#define LOADGEN_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 10,
    HISTOGRAM_VALUE_BITS = 37,
    /* The first two octaves' worth of steps hold 0 to 2,047 exactly. */
    HISTOGRAM_SLOTS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS - 1 + 2) << HISTOGRAM_STEP_BITS,
};

#define HISTOGRAM_MOST_NS ((UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1)

/* One thread writes, and any thread may read meanwhile. The numbers are atomic, but no operation
 * reads and writes one in a single step. So a record costs no more than with plain numbers. */
struct histogram {
    _Atomic uint64_t count;
    _Atomic uint64_t sum_ns; /* of the exact values, not of the slots */
    _Atomic uint64_t least_ns;
    _Atomic uint64_t most_ns;
    _Atomic uint64_t clamped; /* values above HISTOGRAM_MOST_NS, counted in the last slot */
    _Atomic uint64_t slots[HISTOGRAM_SLOTS];
};

/* An empty histogram; release it with free(3). NULL when memory is short. */
struct histogram *histogram_new(void);

/* Adds what `from` holds. */
void histogram_add(struct histogram *into, const struct histogram *from);

/* The highest value that the slot stands for, and the lowest. */
uint64_t histogram_slot_highest(uint32_t slot);
uint64_t histogram_slot_lowest(uint32_t slot);

/* What a value in the slot is taken for, when most_ns is the greatest value recorded: the highest
 * that the slot stands for, but never more than that. */
uint64_t histogram_value(uint32_t slot, uint64_t most_ns);

/* The highest value of the slot that holds the value of that rank (1: the least; count: the
 * greatest), but never more than the greatest recorded value. 0 when the histogram is empty. */
uint64_t histogram_at_rank(const struct histogram *histogram, uint64_t rank);

/* The rank of a percentile among `count` values, at least 1: ⌈count · percentile⌉. Percentiles are
 * given in thousandths of a percent, so that p99.9 is 99,900: no fraction is ever rounded. */
uint64_t histogram_rank(uint64_t count, uint32_t percentile);

/* Nanoseconds; 0 when the histogram is empty. */
double histogram_mean(const struct histogram *histogram);

static inline uint64_t histogram_load(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

/* Recording is inline, because it happens three times per message. */
static inline void histogram_raise(_Atomic uint64_t *number, uint64_t more)
{
    atomic_store_explicit(number, histogram_load(number) + more, memory_order_relaxed);
}

static inline void histogram_set(_Atomic uint64_t *number, uint64_t value)
{
    atomic_store_explicit(number, value, memory_order_relaxed);
}

/* How many low bits of a value its slot leaves out: 0 below 2,048, then one more per octave. */
static inline unsigned histogram_bits_dropped(uint64_t value_ns)
{
    const uint64_t exact = (UINT64_C(2) << HISTOGRAM_STEP_BITS) - 1;

    return 63U - (unsigned)__builtin_clzll(value_ns | exact) - HISTOGRAM_STEP_BITS;
}

static inline uint32_t histogram_slot_of(uint64_t value_ns)
{
    unsigned dropped = histogram_bits_dropped(value_ns);

    return (uint32_t)(((uint64_t)dropped << HISTOGRAM_STEP_BITS) + (value_ns >> dropped));
}

static inline void histogram_record(struct histogram *histogram, uint64_t value_ns)
{
    histogram_raise(&histogram->count, 1);
    histogram_raise(&histogram->sum_ns, value_ns);
    if (value_ns < histogram_load(&histogram->least_ns))
        histogram_set(&histogram->least_ns, value_ns);
    if (value_ns > histogram_load(&histogram->most_ns))
        histogram_set(&histogram->most_ns, value_ns);
    if (value_ns > HISTOGRAM_MOST_NS) {
        histogram_raise(&histogram->clamped, 1);
        value_ns = HISTOGRAM_MOST_NS;
    }
    histogram_raise(&histogram->slots[histogram_slot_of(value_ns)], 1);
}

#endif
