#include "sleeping_wait.h"

#include "../../common/clock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

enum { LEAST_CALLS = 5 };

static int read_cpu(double *cpu_ns, struct error *error)
{
    struct timespec cpu;

    if (clock_gettime((clockid_t)CLOCK_THREAD_CPUTIME_ID, &cpu) < 0)
        return error_set(error, "clock_gettime", "CLOCK_THREAD_CPUTIME_ID", errno);
    *cpu_ns = (double)cpu.tv_sec * 1e9 + (double)cpu.tv_nsec;
    return 0;
}

/* Voluntary context switches; the process has one thread. */
static long sleeps_so_far(void)
{
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage); /* fails for a bad address only */
    return usage.ru_nvcsw;
}

static int sleep_once(const struct watched *watched, int milliseconds, struct error *error)
{
    int count = watched->kind->wait(watched->state, milliseconds);

    if (count < 0)
        return error_set(error, watched->kind->name, "while waiting", errno);
    if (count == 0)
        return 0;
    (void)snprintf(error->text, sizeof error->text, "%s: reported %d sockets, and none is readable",
                   watched->kind->name, count);
    return -1;
}

int sleeping_wait_measure(struct watched *watched, uint64_t span_ns, int milliseconds,
                          struct sleeping_wait *result, struct error *error)
{
    uint64_t calls = span_ns / ((uint64_t)milliseconds * UINT64_C(1000000));
    double before_ns = 0;
    double after_ns = 0;

    if (calls < LEAST_CALLS)
        calls = LEAST_CALLS;
    if (sleep_once(watched, milliseconds, error) < 0)
        return -1;
    long slept = sleeps_so_far();
    if (read_cpu(&before_ns, error) < 0)
        return -1;
    for (uint64_t i = 0; i < calls; i++)
        if (sleep_once(watched, milliseconds, error) < 0)
            return -1;
    if (read_cpu(&after_ns, error) < 0)
        return -1;
    slept = sleeps_so_far() - slept;
    *result = (struct sleeping_wait){.cpu_us = (after_ns - before_ns) / 1e3 / (double)calls,
                                     .sleeps = (double)slept / (double)calls,
                                     .calls = calls};
    if (result->sleeps >= 0.5)
        return 0;
    (void)snprintf(error->text, sizeof error->text,
                   "%s: the timeout of %d ms was over before most calls could sleep",
                   watched->kind->name, milliseconds);
    return -1;
}
