/* All that is known when a run is over: what every kind of output is made from. */
#ifndef LOADGEN_OUTCOME_H
#define LOADGEN_OUTCOME_H

#include "flow.h"
#include "load.h"
#include "sample.h"
#include "tally.h"
#include "usage.h"
#include "verdict.h"

#include <stdbool.h>
#include <stdint.h>

struct outcome {
    const struct load *load;
    char target[ADDRESS_BYTES];
    uint64_t schedule_hash;
    char partial[96];         /* what ended the run early; "": nothing did */
    uint64_t started_unix_ns; /* when the measured time began; 0: it did not begin */
    double setup_seconds;
    double seconds; /* of measured time */
    struct tally tally;
    struct latencies latencies;
    struct timeline *timeline;
    struct figures figures;
    struct judgement judgement;
    struct usage client;      /* of all threads together */
    uint64_t client_resident; /* bytes, the highest value */
    double witness_looks;
    bool witness_privileged;
    struct server_sample server;
    double server_bytes_a_connection; /* negative: unknown */
    struct machine_sample machine;
};

/* An outcome with empty histograms. Returns 0, or -1 with error filled. Call outcome_destroy in
 * both cases. */
int outcome_init(struct outcome *outcome, const struct load *load, struct error *error);
void outcome_destroy(struct outcome *outcome);

/* Whether it has figures. A run with errors has none. */
bool outcome_has_figures(const struct outcome *outcome);

/* A figure among answered and unanswered requests. */
struct percentile {
    uint64_t ns;
    bool known;    /* there are enough requests for it: 10,000 for p99.9, 100,000 for p99.99 */
    bool at_least; /* it lies among the unanswered: the true value is higher */
};

/* In thousandths of a percent: p99.9 is 99,900. The answered and the unanswered together are the
 * population, here and below. */
struct percentile outcome_percentile(struct timing timing, uint32_t thousandths);

/* The largest. */
struct percentile outcome_most(struct timing timing);

/* Nanoseconds; 0 when there is nothing. A lower bound when some are unanswered. */
double outcome_mean(struct timing timing);

/* The percentiles that are printed. */
enum { OUTCOME_PERCENTILES = 5 };
extern const struct outcome_column {
    const char *name;
    uint32_t thousandths;
} outcome_columns[OUTCOME_PERCENTILES];

#endif
