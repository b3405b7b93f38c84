/* Percentile curves: .hgrm and columns. */
#include "output.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Steps for each halving of the remaining distance to 1, as HdrHistogram prints them. So the curve
 * is as detailed at its far end as at its near end. */
enum { STEPS_A_HALVING = 5 };

/* How many of the values are at or below this step of the curve. A halving takes in half of what
 * lies above its beginning. Integers, because a double that should be a whole number comes out a
 * little higher on one processor and not on another. */
static uint64_t rank_of(uint32_t step, uint64_t count)
{
    uint64_t parts = UINT64_C(2) * STEPS_A_HALVING, passed = step % STEPS_A_HALVING;

    return count - count * (parts - passed) / (parts << (step / STEPS_A_HALVING));
}

/* How many values are at most value_ns, to the precision of a slot. */
static uint64_t count_up_to(const struct histogram *histogram, uint64_t value_ns)
{
    uint64_t count = 0;

    for (uint32_t slot = 0; slot < HISTOGRAM_SLOTS; slot++)
        if (histogram_slot_lowest(slot) <= value_ns)
            count += histogram_load(&histogram->slots[slot]);
    return count;
}

static double deviation(const struct histogram *histogram)
{
    double mean = histogram_mean(histogram);
    double sum = 0;
    uint64_t count = histogram_load(&histogram->count);

    for (uint32_t slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        double middle =
            ((double)histogram_slot_lowest(slot) + (double)histogram_slot_highest(slot)) / 2;
        sum += (double)histogram_load(&histogram->slots[slot]) * (middle - mean) * (middle - mean);
    }
    return count == 0 ? 0 : sqrt(sum / (double)count);
}

static void print_point(FILE *stream, const struct histogram *histogram, uint64_t value_ns)
{
    uint64_t count = histogram_load(&histogram->count);
    uint64_t passed = count_up_to(histogram, value_ns);
    double quantile = (double)passed / (double)count;

    (void)fprintf(stream, "%12.6f %14.12f %10" PRIu64, (double)value_ns / 1e6, quantile, passed);
    if (passed < count)
        (void)fprintf(stream, " %14.2f\n", 1 / (1 - quantile));
    else
        (void)fprintf(stream, "\n");
}

static void print_points(FILE *stream, const struct histogram *histogram)
{
    uint64_t count = histogram_load(&histogram->count);
    uint64_t last_ns = UINT64_MAX;

    for (uint32_t step = 0; count > 0; step++) {
        uint64_t rank = rank_of(step, count);
        uint64_t value_ns = histogram_at_rank(histogram, rank > 0 ? rank : 1);
        if (value_ns != last_ns)
            print_point(stream, histogram, value_ns);
        last_ns = value_ns;
        if (rank >= count || value_ns >= histogram_load(&histogram->most_ns))
            break;
    }
}

/* The lines that mark what is not as it seems. Readers of both formats skip what begins with '#'
 * (gnuplot, HdrHistogram's plotters). */
static void print_marks(FILE *stream, const struct outcome *outcome, struct timing timing)
{
    uint64_t unanswered = histogram_load(&timing.censored->count);
    uint64_t all = histogram_load(&outcome->latencies.censored->count);

    if (outcome->partial[0] != '\0')
        (void)fprintf(stream, "# partial: %s\n", outcome->partial);
    if (!outcome_has_figures(outcome))
        (void)fprintf(stream, "# no figures: %s\n", verdict_name(outcome->judgement.verdict));
    else if (unanswered > 0)
        (void)fprintf(stream,
                      "# at least: %" PRIu64
                      " requests were never answered and stand at their age, "
                      "from %.6f ms on; values from there on are lower bounds\n",
                      unanswered, (double)histogram_load(&timing.censored->least_ns) / 1e6);
    if (outcome_has_figures(outcome) && all > unanswered)
        (void)fprintf(stream,
                      "# left out: %" PRIu64 " requests more were never answered and never sent, "
                      "so they have no service time\n",
                      all - unanswered);
}

static struct timing headline(const struct outcome *outcome)
{
    return latencies_timing(&outcome->latencies,
                            outcome->figures.open_loop > 0 ? TIMING_RESPONSE : TIMING_SERVICE);
}

int output_hgrm(FILE *stream, const struct outcome *outcome)
{
    struct timing timing = headline(outcome);
    struct histogram *all = histogram_new();

    if (all == NULL)
        return -1;
    if (outcome_has_figures(outcome)) {
        histogram_add(all, timing.done);
        histogram_add(all, timing.censored);
    }
    (void)fprintf(stream, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
                  "1/(1-Percentile)");
    print_points(stream, all);
    (void)fprintf(stream, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n",
                  histogram_mean(all) / 1e6, deviation(all) / 1e6);
    (void)fprintf(stream, "#[Max     = %12.6f, Total count    = %12" PRIu64 "]\n",
                  (double)histogram_load(&all->most_ns) / 1e6, histogram_load(&all->count));
    (void)fprintf(stream, "#[Buckets = %12d, SubBuckets     = %12d]\n",
                  HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS, 2 << HISTOGRAM_STEP_BITS);
    free(all);
    print_marks(stream, outcome, timing);
    return fflush(stream) == 0 && !ferror(stream) ? 0 : -1;
}

static void print_cell(FILE *stream, struct timing timing, uint32_t thousandths)
{
    struct percentile percentile = outcome_percentile(timing, thousandths);

    if (percentile.known)
        (void)fprintf(stream, ",%.3f,%d", (double)percentile.ns / 1e3, percentile.at_least);
    else
        (void)fputs(",,", stream);
}

int output_csv(FILE *stream, const struct outcome *outcome)
{
    (void)fputs("percentile,response_us,response_at_least,service_us,service_at_least,lag_us,"
                "lag_at_least\n",
                stream);
    for (uint32_t thousandths = 1000; outcome_has_figures(outcome) && thousandths < 100000;
         thousandths += thousandths < 99000 ? 1000 : (thousandths < 99900 ? 100 : 10)) {
        (void)fprintf(stream, "%.3f", thousandths / 1e3);
        for (int kind = 0; kind < TIMING_KINDS; kind++)
            print_cell(stream, latencies_timing(&outcome->latencies, (enum timing_kind)kind),
                       thousandths);
        (void)fputc('\n', stream);
    }
    print_marks(stream, outcome, headline(outcome));
    return fflush(stream) == 0 && !ferror(stream) ? 0 : -1;
}
