#include "omission.h"

#include "echo.h"
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define MILLISECOND UINT64_C(1000000)

/* The stalls and the load. There are 10,000 requests over a whole number of periods, so that p99.9
 * may be printed. The rate is low, so that the echo soon works off what a stall holds up. There are
 * few connections with one request each on the wire. So most requests of a stall wait for their
 * turn, as they would in a closed loop. */
static const uint64_t period_ms = 500;
static const uint64_t stall_ms = 300;
static const uint32_t rate = 2000;
static const uint32_t connections = 8;

static const struct {
    const char *name;
    uint32_t thousandths;
} point_list[OMISSION_POINTS] = {{"p50", 50000}, {"p90", 90000}, {"p99", 99000}, {"p99.9", 99900}};

uint64_t omission_paper_ns(const struct omission *omission, uint32_t thousandths)
{
    uint64_t above_ns = omission->period_ns / 100000 * (100000 - (uint64_t)thousandths);

    return omission->stall_ns > above_ns ? omission->stall_ns - above_ns : 0;
}

static struct load derive(const struct load *load, uint16_t port)
{
    struct load derived = *load;

    derived.host = "127.0.0.1";
    derived.port = port;
    derived.threads = 1;
    derived.placement = PLACEMENT_FIRST;
    derived.churn = 0;
    derived.fragment = false;
    derived.server_pid = 0;
    derived.ceiling_milli = 0;
    derived.pipeline = 1;
    derived.urgent = true;
    derived.arrivals = ARRIVALS_CONSTANT;
    return derived;
}

static int run_open(struct omission *omission, const struct load *load, uint16_t port,
                    struct error *error)
{
    struct load open = derive(load, port);

    open.connections = open.active = connections;
    open.rate_milli = (uint64_t)rate * 1000;
    open.warmup_ns = period_ms * MILLISECOND;
    open.duration_ns = 10 * period_ms * MILLISECOND;
    if (outcome_init(&omission->open, &open, error) < 0)
        return -1;
    int result = run_load(&omission->open, error);
    omission->open.load = load; /* `open` ends with this function */
    return result;
}

static int run_closed(struct omission *omission, const struct load *load, uint16_t port,
                      struct error *error)
{
    struct load closed = derive(load, port);

    closed.connections = closed.active = 1;
    closed.rate_milli = 0;
    closed.warmup_ns = 0;
    closed.duration_ns = 2 * period_ms * MILLISECOND;
    if (outcome_init(&omission->closed, &closed, error) < 0)
        return -1;
    int result = run_load(&omission->closed, error);
    omission->closed.load = load;
    return result;
}

static uint64_t apart(uint64_t one, uint64_t other)
{
    return one > other ? one - other : other - one;
}

static uint64_t percentile_ns(const struct outcome *outcome, enum timing_kind kind,
                              uint32_t thousandths)
{
    return outcome_percentile(latencies_timing(&outcome->latencies, kind), thousandths).ns;
}

static uint64_t count_above(const struct histogram *histogram, uint64_t value_ns)
{
    uint64_t count = 0;

    for (uint32_t slot = histogram_slot_of(value_ns) + 1; slot < HISTOGRAM_SLOTS; slot++)
        count += histogram_load(&histogram->slots[slot]);
    return count;
}

/* How much the machine changes the figures. Stalls end late, requests leave late, and round trips
 * take long. Also, the echo needs time to work off what a stall has held up. That time is computed
 * from the round trips of the same run: a request in such a burst takes as long as `connections`
 * requests. None of these depends on when requests were due, and that is what has to be proved. */
static void measure_machine(struct omission *omission, const struct echo *echo)
{
    const struct outcome *open = &omission->open;
    uint64_t burst_ns = percentile_ns(open, TIMING_SERVICE, 90000);

    omission->jitter_ns = echo->late_ns + (uint64_t)omission->open.figures.witness_most +
                          percentile_ns(open, TIMING_LAG, 99900) +
                          percentile_ns(open, TIMING_SERVICE, 99000) +
                          MILLISECOND; /* requests fall due every half a millisecond */
    omission->drain_ns = burst_ns / connections * (rate * stall_ms / 1000);
}

static void judge(struct omission *omission)
{
    const struct histogram *closed = omission->closed.latencies.service;
    uint64_t machine_ns = omission->jitter_ns + omission->drain_ns;

    /* Even the smallest figure must be clearly different from 0. */
    omission->conclusive =
        machine_ns < omission_paper_ns(omission, point_list[0].thousandths) / 5 * 4;
    omission->closed_requests = histogram_load(&closed->count);
    omission->closed_stalled = count_above(closed, omission->stall_ns / 2);
    omission->right = true;
    for (int i = 0; i < OMISSION_POINTS; i++) {
        struct omission_point *point = &omission->points[i];
        uint32_t thousandths = point_list[i].thousandths;
        *point = (struct omission_point){
            .name = point_list[i].name,
            .thousandths = thousandths,
            .paper_ns = omission_paper_ns(omission, thousandths),
            .corrected_ns = percentile_ns(&omission->open, TIMING_RESPONSE, thousandths),
            .uncorrected_ns = percentile_ns(&omission->open, TIMING_SERVICE, thousandths),
            .closed_loop_ns = percentile_ns(&omission->closed, TIMING_SERVICE, thousandths),
        };
        point->tolerance_ns = machine_ns + (point->paper_ns >> HISTOGRAM_STEP_BITS);
        point->right = apart(point->corrected_ns, point->paper_ns) <= point->tolerance_ns;
        point->shown_wrong = apart(point->uncorrected_ns, point->paper_ns) > point->tolerance_ns ||
                             apart(point->closed_loop_ns, point->paper_ns) > point->tolerance_ns;
        omission->right &= point->right;
    }
}

int omission_prove(struct omission *omission, const struct load *load, struct error *error)
{
    struct echo echo;
    struct load urgent = *load; /* the proof is of arithmetic, not of a busy machine */

    urgent.urgent = true;
    *omission = (struct omission){
        .period_ns = period_ms * MILLISECOND,
        .stall_ns = stall_ms * MILLISECOND,
    };
    if (echo_start(&echo, &urgent, omission->period_ns, omission->stall_ns, error) < 0)
        return -1;
    int result = run_open(omission, load, echo.port, error);
    if (result == 0)
        result = run_closed(omission, load, echo.port, error);
    echo_stop(&echo);
    if (result < 0)
        return -1;
    if (omission->open.partial[0] != '\0' || omission->closed.partial[0] != '\0')
        return 0;
    if (!outcome_has_figures(&omission->open) || !outcome_has_figures(&omission->closed))
        return error_set(error, "the proof", "got errors from the built-in echo", EPROTO);
    omission->finished = true;
    measure_machine(omission, &echo);
    judge(omission);
    return 0;
}

void omission_destroy(struct omission *omission)
{
    outcome_destroy(&omission->open);
    outcome_destroy(&omission->closed);
}

int omission_print_curves(FILE *stream, const struct omission *omission)
{
    (void)fputs("percentile,paper_ms,corrected_ms,uncorrected_ms,closed_loop_ms\n", stream);
    for (uint32_t thousandths = 1000; thousandths < 100000;
         thousandths += thousandths < 99000 ? 1000 : (thousandths < 99900 ? 100 : 10))
        (void)fprintf(stream, "%.3f,%.3f,%.3f,%.3f,%.3f\n", thousandths / 1e3,
                      (double)omission_paper_ns(omission, thousandths) / 1e6,
                      (double)percentile_ns(&omission->open, TIMING_RESPONSE, thousandths) / 1e6,
                      (double)percentile_ns(&omission->open, TIMING_SERVICE, thousandths) / 1e6,
                      (double)percentile_ns(&omission->closed, TIMING_SERVICE, thousandths) / 1e6);
    return fflush(stream) == 0 && !ferror(stream) ? 0 : -1;
}
