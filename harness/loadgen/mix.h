/* An invertible mixer of 64 bits. Payloads, shuffles and arrivals are drawn from it.
 *
 * It is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014): two multiplications, no table, no state. Because it can be inverted, a
 * payload can be traced to the connection and the message that it was made for (payload.h). */
#ifndef LOADGEN_MIX_H
#define LOADGEN_MIX_H

#include <stdint.h>

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15) /* 2^64 divided by the golden ratio, made odd */

static inline uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

/* unmix(mix(x)) == x. The multipliers are the inverses of mix's, modulo 2^64. */
static inline uint64_t unmix(uint64_t value)
{
    value = (value ^ (value >> 31) ^ (value >> 62)) * UINT64_C(0x319642b2d24d8ec3);
    value = (value ^ (value >> 27) ^ (value >> 54)) * UINT64_C(0x96de1b173f119089);
    return value ^ (value >> 30) ^ (value >> 60);
}

/* The next number of a stream. Any value of `state` is a seed. */
static inline uint64_t mix_next(uint64_t *state)
{
    return mix(*state += GOLDEN);
}

/* A number from 0 to bound - 1. The bias of the remainder is below bound / 2^64, which does not
 * matter here. */
static inline uint64_t mix_below(uint64_t *state, uint64_t bound)
{
    return mix_next(state) % bound;
}

/* Adds one number to a hash. */
static inline uint64_t mix_into(uint64_t hash, uint64_t value)
{
    return mix(hash ^ mix(value + GOLDEN));
}

#endif
