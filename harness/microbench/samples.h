/* Times of one thing done again and again, in nanoseconds. */
#ifndef MICRO_SAMPLES_H
#define MICRO_SAMPLES_H

#include "../../common/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { SAMPLES_MOST = 65536 };

struct samples {
    size_t count;
    double values[SAMPLES_MOST];
};

/* To be freed with free(3). Returns NULL with error filled. All its memory is touched already, so
 * that adding a sample costs no page fault. */
struct samples *samples_new(struct error *error);

/* Leaves out what has no room. */
void samples_add(struct samples *samples, double value);
bool samples_full(const struct samples *samples);

/* 0 when there are none. The median puts the values in order. */
double samples_median(struct samples *samples);
double samples_least(const struct samples *samples);

/* What a reading of the clock adds to a time between two of them, in nanoseconds. */
double samples_clock_cost(void);

#endif
