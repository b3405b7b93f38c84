#include "../../common/clock.h"
#include "../loadgen/mix.h"
#include "../microbench/samples.h"
#include "crowd.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH_NS = 1000000, LEAST_CALLS = 4, MOST_CALLS = 4096, PATIENCE_SECONDS = 30 };

static int wrong(uint64_t number, int count, struct error *error)
{
    if (count < 0)
        return error_set(error, "wait", "", errno);
    (void)snprintf(error->text, sizeof error->text,
                   "entry %" PRIu64 " is ready, but the wait reported %d entries", number, count);
    return -1;
}

/* Loopback delivers in its own time: the first call may come too early. */
static int await_report(const struct crowd *crowd, uint64_t number, struct error *error)
{
    uint64_t deadline_ns = clock_after(clock_now(), PATIENCE_SECONDS * NANOSECONDS_A_SECOND);
    int count = 0;

    do {
        count = crowd->wait(crowd->state);
        if (count == 0)
            (void)sched_yield();
    } while (count == 0 && clock_now() < deadline_ns);
    return count == 1 ? 0 : wrong(number, count, error);
}

static int check_report(const struct crowd *crowd, uint64_t number, struct error *error)
{
    uint64_t found = crowd->found(crowd->state);

    if (found == number)
        return 0;
    (void)snprintf(error->text, sizeof error->text,
                   "entry %" PRIu64 " is ready, but the wait reported entry %" PRIu64, number,
                   found);
    return -1;
}

/* Level-triggered: the entry is reported until it is read. */
static int time_calls(const struct crowd *crowd, uint64_t number, uint64_t calls, double *each_ns,
                      struct error *error)
{
    int count = 1;
    uint64_t begun_ns = clock_now();

    for (uint64_t i = 0; i < calls && count == 1; i++)
        count = crowd->wait(crowd->state);
    *each_ns = (double)(clock_now() - begun_ns) / (double)calls;
    return count == 1 ? check_report(crowd, number, error) : wrong(number, count, error);
}

static uint64_t calls_in(double each_ns)
{
    double calls = (double)BATCH_NS / (each_ns > 1 ? each_ns : 1);

    if (calls < (double)LEAST_CALLS)
        return LEAST_CALLS;
    return calls > (double)MOST_CALLS ? MOST_CALLS : (uint64_t)calls;
}

static int expect_nothing(const struct crowd *crowd, uint64_t number, struct error *error)
{
    int count = crowd->wait(crowd->state);

    if (count == 0)
        return 0;
    if (count < 0)
        return error_set(error, "wait", "", errno);
    (void)snprintf(error->text, sizeof error->text,
                   "entry %" PRIu64 " was read, but the wait still reported %d entries", number,
                   count);
    return -1;
}

static int one_round(const struct crowd *crowd, uint64_t number, double *each_ns, uint64_t *calls,
                     struct error *error)
{
    if (crowd->fill(crowd->state, number, error) < 0 || await_report(crowd, number, error) < 0 ||
        check_report(crowd, number, error) < 0 ||
        time_calls(crowd, number, LEAST_CALLS, each_ns, error) < 0)
        return -1;
    *calls = calls_in(*each_ns);
    if (time_calls(crowd, number, *calls, each_ns, error) < 0 ||
        crowd->drain(crowd->state, number, error) < 0)
        return -1;
    return expect_nothing(crowd, number, error);
}

int one_ready_measure(const struct crowd *crowd, uint32_t rounds, uint64_t seed,
                      struct one_ready *result, struct error *error)
{
    struct samples *samples = samples_new(error);
    uint64_t stream = mix(seed);
    int status = samples == NULL ? -1 : expect_nothing(crowd, 0, error);

    *result = (struct one_ready){.calls = 0};
    for (uint32_t round = 0; round < rounds && status == 0; round++) {
        uint64_t number = round == 0   ? 0
                          : round == 1 ? crowd->count - 1
                                       : mix_below(&stream, crowd->count);
        double each_ns = 0;
        uint64_t calls = 0;
        status = one_round(crowd, number, &each_ns, &calls, error);
        samples_add(samples, each_ns);
        result->calls += calls;
    }
    if (status == 0) {
        result->median_us = samples_median(samples) / 1e3;
        result->least_us = samples_least(samples) / 1e3;
    }
    free(samples);
    return status;
}
