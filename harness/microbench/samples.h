/* Repeated measurements of one thing, in nanoseconds. */
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

/* Free it with free(3). Returns NULL with error filled on failure. All its memory has been touched
 * already, so that adding a sample causes no page fault. */
struct samples *samples_new(struct error *error);

/* Drops a value when there is no room for it. */
void samples_add(struct samples *samples, double value);
bool samples_full(const struct samples *samples);

/* 0 when there are none. samples_median sorts the values. */
double samples_median(struct samples *samples);
double samples_least(const struct samples *samples);

/* The time that one reading of the clock adds to an interval between two readings, in
 * nanoseconds. */
double samples_clock_cost(void);

#endif
