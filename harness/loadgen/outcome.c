#include "outcome.h"

#include <errno.h>
#include <stdlib.h>

const struct outcome_column outcome_columns[OUTCOME_PERCENTILES] = {
    {"p50", 50000}, {"p90", 90000}, {"p99", 99000}, {"p99.9", 99900}, {"p99.99", 99990},
};

int outcome_init(struct outcome *outcome, const struct load *load, struct error *error)
{
    *outcome = (struct outcome){
        .load = load,
        .server_bytes_a_connection = -1,
        .timeline = timeline_new(load->duration_ns),
    };
    if (latencies_new(&outcome->latencies) < 0 || outcome->timeline == NULL)
        return error_set(error, "malloc", "", ENOMEM);
    return 0;
}

void outcome_destroy(struct outcome *outcome)
{
    latencies_free(&outcome->latencies);
    free(outcome->timeline);
}

bool outcome_has_figures(const struct outcome *outcome)
{
    return tally_errors(&outcome->tally) == 0 && outcome->started_unix_ns != 0;
}

/* A far percentile is printed only when about ten values lie above it. */
static bool enough(uint64_t count, uint32_t thousandths)
{
    uint64_t above = UINT64_C(100000) - thousandths; /* of 100,000 */

    return count > 0 && (thousandths <= 99000 || count >= UINT64_C(1000000) / above);
}

/* The value of a rank in both histograms together, slot by slot. */
static uint64_t joint_at_rank(const struct histogram *done, const struct histogram *censored,
                              uint64_t rank, bool *at_least)
{
    uint64_t passed = 0;
    uint64_t hidden = 0;
    uint32_t slot = 0;

    for (; slot < HISTOGRAM_SLOTS; slot++) {
        hidden += histogram_load(&censored->slots[slot]);
        passed += histogram_load(&censored->slots[slot]) + histogram_load(&done->slots[slot]);
        if (passed >= rank)
            break;
    }
    /* An unanswered request at or below this value may really belong above it, and would raise the
     * percentile. */
    *at_least = hidden > 0;
    uint64_t most = histogram_load(&done->most_ns);
    if (histogram_load(&censored->most_ns) > most)
        most = histogram_load(&censored->most_ns);
    return histogram_value(slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1, most);
}

static uint64_t unanswered_of(struct timing timing)
{
    return timing.censored == NULL ? 0 : histogram_load(&timing.censored->count);
}

static uint64_t count_of(struct timing timing)
{
    return histogram_load(&timing.done->count) + unanswered_of(timing);
}

struct percentile outcome_percentile(struct timing timing, uint32_t thousandths)
{
    uint64_t unanswered = unanswered_of(timing);
    uint64_t count = count_of(timing);
    struct percentile percentile = {.known = enough(count, thousandths)};
    uint64_t rank = histogram_rank(count, thousandths);

    if (count == 0)
        return percentile;
    if (unanswered == 0)
        percentile.ns = histogram_at_rank(timing.done, rank);
    else
        percentile.ns = joint_at_rank(timing.done, timing.censored, rank, &percentile.at_least);
    return percentile;
}

struct percentile outcome_most(struct timing timing)
{
    uint64_t done_ns = histogram_load(&timing.done->most_ns);
    uint64_t censored_ns = timing.censored == NULL ? 0 : histogram_load(&timing.censored->most_ns);

    return (struct percentile){
        .ns = censored_ns > done_ns ? censored_ns : done_ns,
        .known = count_of(timing) > 0,
        .at_least = unanswered_of(timing) > 0,
    };
}

double outcome_mean(struct timing timing)
{
    uint64_t count = count_of(timing);
    double sum = (double)histogram_load(&timing.done->sum_ns);

    if (timing.censored != NULL)
        sum += (double)histogram_load(&timing.censored->sum_ns);
    return count == 0 ? 0.0 : sum / (double)count;
}
