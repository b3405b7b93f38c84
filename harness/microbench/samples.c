#include "samples.h"

#include "../../common/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct samples *samples_new(struct error *error)
{
    struct samples *samples = malloc(sizeof *samples);

    if (samples == NULL) {
        (void)error_set(error, "malloc", "for samples", errno);
        return NULL;
    }
    memset(samples, 0xff, sizeof *samples);
    samples->count = 0;
    return samples;
}

bool samples_full(const struct samples *samples)
{
    return samples->count == SAMPLES_MOST;
}

void samples_add(struct samples *samples, double value)
{
    if (!samples_full(samples))
        samples->values[samples->count++] = value;
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

double samples_median(struct samples *samples)
{
    size_t middle = samples->count / 2;

    if (samples->count == 0)
        return 0;
    qsort(samples->values, samples->count, sizeof samples->values[0], by_size);
    return samples->count % 2 == 1 ? samples->values[middle]
                                   : (samples->values[middle - 1] + samples->values[middle]) / 2;
}

double samples_least(const struct samples *samples)
{
    double least = samples->count > 0 ? samples->values[0] : 0;

    for (size_t i = 1; i < samples->count; i++)
        if (samples->values[i] < least)
            least = samples->values[i];
    return least;
}

double samples_clock_cost(void)
{
    enum { ROUNDS = 20, READINGS = 1000 };
    double least = 1e9;

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begun_ns = clock_now();
        uint64_t now_ns = begun_ns;
        for (int i = 0; i < READINGS; i++)
            now_ns = clock_now();
        double each = (double)(now_ns - begun_ns) / (double)READINGS;
        if (each < least)
            least = each;
    }
    return least;
}
