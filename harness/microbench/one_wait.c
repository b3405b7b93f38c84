#include "one_wait.h"

#include "../../common/clock.h"
#include "samples.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_BATCHES = 20, BATCH_NS = 1000000 };

struct check {
    const struct watched *watched;
    uint32_t wrong;
};

static void check_number(void *context, uint32_t number)
{
    struct check *check = context;

    check->wrong += number >= check->watched->count || !check->watched->is_ready[number];
}

static int wrong_count(const struct watched *watched, int count, struct error *error)
{
    if (count < 0)
        return error_set(error, watched->kind->name, "while waiting", errno);
    (void)snprintf(error->text, sizeof error->text,
                   "%s: reported %d of %" PRIu32 " ready sockets%s", watched->kind->name, count,
                   watched->ready_count,
                   strcmp(watched->kind->implementation, "emulation") == 0
                       ? "; the emulation reports at most 1024 a call"
                       : "");
    return -1;
}

static int make_pending(struct watched *watched, struct error *error)
{
    for (uint32_t i = 0; i < watched->ready_count; i++)
        if (watched->kind->again(watched->state, watched->ready[i]) < 0)
            return error_set(error, watched->kind->name, "when asked to report again", errno);
    return 0;
}

/* The first call must report exactly the right sockets. */
static int prove(struct watched *watched, struct error *error)
{
    struct check check = {.watched = watched};
    int count = watched->kind->wait(watched->state, 0);

    if (count != (int)watched->ready_count)
        return wrong_count(watched, count, error);
    watched->kind->visit(watched->state, check_number, &check);
    if (check.wrong == 0)
        return 0;
    (void)snprintf(error->text, sizeof error->text,
                   "%s: %" PRIu32 " of the sockets reported are not those that were written to",
                   watched->kind->name, check.wrong);
    return -1;
}

/* The sockets are reported until they are read. So there is nothing but calls between two readings
 * of the clock. */
static int time_level(struct watched *watched, uint64_t calls, double *span_ns, struct error *error)
{
    int (*const wait)(void *, int) = watched->kind->wait;
    int expected = (int)watched->ready_count;
    int count = expected;
    uint64_t begun_ns = clock_now();

    for (uint64_t i = 0; i < calls && count == expected; i++)
        count = wait(watched->state, 0);
    *span_ns = (double)(clock_now() - begun_ns);
    return count == expected ? 0 : wrong_count(watched, count, error);
}

/* An edge is reported once. So the sockets are made pending again before each call, outside the
 * measured time, and each call is timed alone. The cost of the clock is subtracted. */
static int time_edge(struct watched *watched, uint64_t calls, double clock_ns, double *span_ns,
                     struct error *error)
{
    *span_ns = 0;
    for (uint64_t i = 0; i < calls; i++) {
        if (make_pending(watched, error) < 0)
            return -1;
        uint64_t begun_ns = clock_now();
        int count = watched->kind->wait(watched->state, 0);
        *span_ns += (double)(clock_now() - begun_ns) - clock_ns;
        if (count != (int)watched->ready_count)
            return wrong_count(watched, count, error);
    }
    return 0;
}

static int time_calls(struct watched *watched, uint64_t calls, double clock_ns, double *span_ns,
                      struct error *error)
{
    return watched->kind->again != NULL ? time_edge(watched, calls, clock_ns, span_ns, error)
                                        : time_level(watched, calls, span_ns, error);
}

/* Finds how many calls take about a millisecond. This also warms up. */
static int find_batch(struct watched *watched, double clock_ns, uint64_t *calls,
                      struct error *error)
{
    double span_ns = 0;

    for (*calls = 1;; *calls *= 2) {
        uint64_t begun_ns = clock_now();
        if (time_calls(watched, *calls, clock_ns, &span_ns, error) < 0)
            return -1;
        if (clock_now() - begun_ns >= BATCH_NS)
            break;
    }
    if (*calls > 1)
        *calls /= 2;
    return 0;
}

static int time_batches(struct watched *watched, uint64_t span_ns, struct samples *samples,
                        struct one_wait *result, struct error *error)
{
    double clock_ns = samples_clock_cost();
    double batch_ns = 0;
    uint64_t calls = 0;

    if (find_batch(watched, clock_ns, &calls, error) < 0)
        return -1;
    uint64_t deadline_ns = clock_after(clock_now(), span_ns);
    while ((clock_now() < deadline_ns || samples->count < LEAST_BATCHES) &&
           !samples_full(samples)) {
        if (time_calls(watched, calls, clock_ns, &batch_ns, error) < 0)
            return -1;
        samples_add(samples, batch_ns / (double)calls);
    }
    *result = (struct one_wait){.median_us = samples_median(samples) / 1e3,
                                .least_us = samples_least(samples) / 1e3,
                                .calls = calls * samples->count,
                                .batches = samples->count};
    return 0;
}

int one_wait_measure(struct watched *watched, uint64_t span_ns, struct one_wait *result,
                     struct error *error)
{
    struct samples *samples = samples_new(error);
    int status = -1;

    if (samples != NULL && peers_write(&watched->peers, error) == 0 &&
        watched_await(watched, error) == 0 && prove(watched, error) == 0)
        status = time_batches(watched, span_ns, samples, result, error);
    free(samples);
    return status;
}
