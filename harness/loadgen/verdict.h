/* Whether the figures of a run can be trusted, and if not, what the cause is. The decision uses
 * numbers alone, so that it can be tested without a run. */
#ifndef LOADGEN_VERDICT_H
#define LOADGEN_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

/* In order of precedence: when several apply, the first is the verdict. The numbers are the exit
 * statuses, after 1 (cannot run) and 2 (bad usage). */
#define VERDICTS(X)                                                                                \
    X(VALID, 0)                                                                                    \
    X(ERRORS, 3)       /* wrong, missing or late replies, or connections that ended */             \
    X(NOISY_HOST, 4)   /* the machine was taken away: steal time, a stalled witness */             \
    X(CLIENT_BOUND, 5) /* this program was the limit */                                            \
    X(OVERLOADED, 6)   /* the server did not keep up with what was offered */                      \
    X(UNSTABLE, 7)     /* no steady state */

enum verdict {
#define X(name, status) VERDICT_##name,
    VERDICTS(X)
#undef X
        VERDICT_COUNT
};

/* Limits that --limit NAME=VALUE can set. They are percentages, except where the text names another
 * unit. */
#define LIMITS(X)                                                                                  \
    X(shortfall, 0.1, "achieved below offered, % of offered (and 10 requests)")                    \
    X(lag, 1000, "p99 of lag in open loop, microseconds")                                          \
    X(busy, 95, "CPU time of a client thread, % of the measured time")                             \
    X(batches, 10, "waits that found a full batch of events, % of all waits")                      \
    X(little, 10, "how far throughput x mean service is from the outstanding, %")                  \
    X(ceiling, 70, "achieved, % of --ceiling")                                                     \
    X(steady, 25, "change of the rate from one quarter of the warm-up to the next, %")             \
    X(stall, 1000, "longest time without any reply though some were due, ms")                      \
    X(steal, 1, "time that the hypervisor took from this machine, %")                              \
    X(witness, 1, "time that the witness lost to stalls above 1 ms each, %")                       \
    X(preempted, 5, "time that a client thread or the server stood ready and had no CPU, %")       \
    X(server, 90, "CPU time of the server, % of what its threads could use: it is the limit")

enum limit {
#define X(name, value, text) LIMIT_##name,
    LIMITS(X)
#undef X
        LIMIT_COUNT
};

struct limits {
    double value[LIMIT_COUNT];
};

/* The numbers that the decision uses. Times are in nanoseconds, shares are percentages. A negative
 * number means that the figure is not available. */
#define FIGURES(X)                                                                                 \
    X(open_loop)    /* 1 or 0 */                                                                   \
    X(errors)       /* of any kind */                                                              \
    X(offered)      /* requests due in the measured time */                                        \
    X(achieved)     /* replies that came in it */                                                  \
    X(seconds)      /* its length */                                                               \
    X(outstanding)  /* closed loop: requests kept under way */                                     \
    X(mean_service) /* of the replies */                                                           \
    X(response_p99)                                                                                \
    X(lag_p99)                                                                                     \
    X(unanswered) /* when the drain was over */                                                    \
    X(oldest_unanswered)                                                                           \
    X(capped)           /* 1: --max-outstanding was reached */                                     \
    X(interrupted)      /* 1: by a signal */                                                       \
    X(busy)             /* of the busiest client thread */                                         \
    X(batches)          /* of the worst client thread */                                           \
    X(preempted)        /* of the worst client thread */                                           \
    X(saturation)       /* of the server's threads with CPU time; 0: not known */                  \
    X(server_threads)   /* 0: not known */                                                         \
    X(server_preempted) /* of each of them, in the mean */                                         \
    X(ceiling)          /* messages a second; 0: not known */                                      \
    X(quarter_before)   /* replies in the third quarter of the warm-up */                          \
    X(quarter_after)    /* and in the fourth */                                                    \
    X(silence)          /* longest */                                                              \
    X(steal)                                                                                       \
    X(witness)                                                                                     \
    X(witness_most) /* longest stall */                                                            \
    X(listen_overflows)                                                                            \
    X(listen_drops)                                                                                \
    X(retransmits)                                                                                 \
    X(churn) /* 1: connections were replaced, so Little's law is not checked */

struct figures {
#define X(name) double name;
    FIGURES(X)
#undef X
};

enum { VERDICT_REASONS = 24, VERDICT_REASON_BYTES = 256 };

struct reason {
    enum verdict verdict; /* VALID: a remark that does not change the verdict */
    char text[VERDICT_REASON_BYTES];
};

struct judgement {
    enum verdict verdict;
    uint32_t count;
    struct reason reasons[VERDICT_REASONS];
};

void limits_default(struct limits *limits);

/* Sets one limit from "NAME=VALUE". Returns false for an unknown name or a bad value. */
bool limits_parse(struct limits *limits, const char *text);

const char *limit_name(enum limit limit);
const char *limit_text(enum limit limit);

void verdict_decide(const struct figures *figures, const struct limits *limits,
                    struct judgement *judgement);

/* Adds a reason. The verdict follows the precedence. Beyond VERDICT_REASONS the text is dropped,
 * but never the verdict. */
__attribute__((format(printf, 3, 4))) void
judgement_add(struct judgement *judgement, enum verdict verdict, const char *format, ...);

const char *verdict_name(enum verdict verdict);
int verdict_status(enum verdict verdict);

#endif
